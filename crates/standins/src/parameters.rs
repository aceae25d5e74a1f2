//! Parameter Store of AWS Systems Manager in one region, behind the stand-in of AWS.
//! Source: the API reference of AWS Systems Manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::amazon::{ACCOUNT, Answered, REGION, error};

/// How many versions a page of a history has: few, so that a history has pages.
const PAGE: usize = 3;
/// How many versions are kept.
const KEPT: usize = 100;
/// The key of whoever names none.
const USUAL_KEY: &str = "alias/aws/ssm";

/// One version of a parameter, with all that it has then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The number, from 1.
    pub number: u64,
    /// `SecureString`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// The key that encrypts it.
    pub key_id: String,
    /// `Standard` or `Advanced`.
    pub tier: String,
    /// What is said of it.
    pub description: Option<String>,
    /// What a value has to look like; the stand-in does not hold to it.
    pub allowed_pattern: Option<String>,
    /// What happens to it by itself.
    pub policies: Vec<Value>,
}

/// All parameters by name.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// The versions of each, the newest last.
    pub held: BTreeMap<String, Vec<Version>>,
    /// How many of the next requests for a history get one that does not have the newest version yet.
    pub behind: usize,
}

impl Parameters {
    /// The newest version.
    pub fn newest(&self, name: &str) -> Option<&Version> {
        self.held.get(name)?.last()
    }

    /// The newest version, to be changed.
    pub fn newest_mut(&mut self, name: &str) -> Option<&mut Version> {
        self.held.get_mut(name)?.last_mut()
    }

    /// Writes as somebody else does, who keeps all but the value.
    pub fn write(&mut self, name: &str, value: &str) {
        let usual = Version {
            kind: "SecureString".to_owned(),
            key_id: USUAL_KEY.to_owned(),
            tier: "Standard".to_owned(),
            ..Version::default()
        };
        let next = self.newest(name).cloned().unwrap_or(usual);
        self.add(
            name,
            Version {
                number: next.number + 1,
                value: value.to_owned(),
                ..next
            },
        );
    }

    fn add(&mut self, name: &str, version: Version) {
        let held = self.held.entry(name.to_owned()).or_default();
        held.push(version);
        if held.len() > KEPT {
            held.remove(0);
        }
    }

    pub(crate) fn work(&mut self, op: &str, body: &Value) -> Answered {
        let known: &[&str] = match op {
            "GetParameter" => &["Name", "WithDecryption"],
            "GetParameterHistory" => &["Name", "WithDecryption", "MaxResults", "NextToken"],
            "PutParameter" => &[
                "Name",
                "Description",
                "Value",
                "Type",
                "KeyId",
                "Overwrite",
                "AllowedPattern",
                "Tier",
            ],
            _ => return error("UnknownOperationException", ""),
        };
        let mut members = body.as_object().into_iter().flatten();
        if members.any(|(name, _)| !known.contains(&name.as_str())) {
            return error("ValidationException", "unknown member");
        }
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let name = text("Name").unwrap_or_default();
        if op == "PutParameter" {
            return self.put(&name, body);
        }
        let decrypts = body["WithDecryption"] == true;
        let shown = |version: &Version| match decrypts || version.kind != "SecureString" {
            true => version.value.clone(),
            false => "AQICAHencrypted".to_owned(),
        };
        let (path, number) = match name.split_once(':') {
            Some((path, number)) => (path, number.parse::<u64>().ok()),
            None => (name.as_str(), None),
        };
        let Some(held) = self.held.get(path) else {
            return error("ParameterNotFound", "");
        };
        if op == "GetParameter" {
            let found = match number {
                Some(number) => held.iter().find(|one| one.number == number),
                None => held.last(),
            };
            let Some(found) = found else {
                return error("ParameterVersionNotFound", "");
            };
            return Ok(json!({"Parameter": {
                "ARN": format!(
                    "arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{}",
                    path.strip_prefix('/').unwrap_or(path)
                ),
                "Name": path, "Type": found.kind, "Value": shown(found), "Version": found.number,
                "DataType": "text", "LastModifiedDate": 1.0,
            }}));
        }
        let late = usize::from(self.behind > 0);
        self.behind -= late;
        let from: usize = text("NextToken")
            .and_then(|at| at.parse().ok())
            .unwrap_or(0);
        let page: Vec<Value> = held
            .iter()
            .take(held.len() - late)
            .skip(from)
            .take(PAGE)
            .map(|one| {
                let mut told = json!({
                    "Name": path, "Type": one.kind, "Value": shown(one), "Version": one.number,
                    "KeyId": one.key_id, "Tier": one.tier, "DataType": "text", "Labels": [],
                    "Policies": one.policies, "LastModifiedDate": 1.0,
                    "LastModifiedUser": format!("arn:aws:iam::{ACCOUNT}:role/x"),
                });
                if let Some(text) = &one.description {
                    told["Description"] = json!(text);
                }
                if let Some(text) = &one.allowed_pattern {
                    told["AllowedPattern"] = json!(text);
                }
                told
            })
            .collect();
        let mut told = json!({"Parameters": page});
        if from + PAGE < held.len() {
            told["NextToken"] = json!((from + PAGE).to_string());
        }
        Ok(told)
    }

    fn put(&mut self, name: &str, body: &Value) -> Answered {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let value = text("Value").unwrap_or_default();
        let before = self.newest(name).cloned();
        if before.is_some() && body["Overwrite"] != true {
            return error("ParameterAlreadyExists", "The parameter already exists.");
        }
        let kind = text("Type").unwrap_or_default();
        if before.as_ref().is_some_and(|before| before.kind != kind) {
            return error(
                "HierarchyTypeMismatchException",
                "the parameter type cannot be changed",
            );
        }
        let tier = text("Tier").unwrap_or_else(|| "Standard".to_owned());
        let was = before.as_ref().map_or("Standard", |before| &before.tier);
        if was == "Advanced" && tier != "Advanced" {
            return error("ValidationException", "an advanced parameter stays one");
        }
        let room = if tier == "Advanced" { 8192 } else { 4096 };
        if value.is_empty() || value.len() > room || value.contains("{{") {
            return error("ValidationException", "the value is not one that is taken");
        }
        let head = name.trim_start_matches('/').to_ascii_lowercase();
        if head.starts_with("aws") || head.starts_with("ssm") {
            return error("ValidationException", "the name begins with aws or ssm");
        }
        let number = before.map_or(0, |before| before.number) + 1;
        self.add(
            name,
            Version {
                number,
                kind,
                value,
                // What is not said is as it is for whoever says nothing.
                key_id: text("KeyId").unwrap_or_else(|| USUAL_KEY.to_owned()),
                tier: tier.clone(),
                description: text("Description"),
                allowed_pattern: text("AllowedPattern"),
                policies: Vec::new(),
            },
        );
        Ok(json!({"Version": number, "Tier": tier}))
    }
}
