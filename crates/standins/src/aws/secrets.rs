//! AWS Secrets Manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ACCOUNT, Aws, Kept, REGION};
use crate::amazon::{Answered, error};

impl Aws {
    pub(super) fn work(&mut self, op: &str, body: &Value) -> Answered {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let known: &[&str] = match op {
            "CreateSecret" => &["Name", "ClientRequestToken", "SecretString"],
            "DescribeSecret" => &["SecretId"],
            "GetSecretValue" => &["SecretId", "VersionId", "VersionStage"],
            "PutSecretValue" => &[
                "SecretId",
                "ClientRequestToken",
                "SecretString",
                "VersionStages",
            ],
            "UpdateSecretVersionStage" => &[
                "SecretId",
                "VersionStage",
                "MoveToVersionId",
                "RemoveFromVersionId",
            ],
            _ => return error("UnknownOperationException", ""),
        };
        let members = body.as_object().into_iter().flatten();
        if members
            .map(|(name, _)| name.as_str())
            .any(|name| !known.contains(&name))
        {
            return error("ValidationException", "unknown member");
        }
        let token = text("ClientRequestToken");
        let writes = matches!(op, "CreateSecret" | "PutSecretValue");
        if writes && !(32..=64).contains(&token.len()) {
            return error(
                "ValidationException",
                "ClientRequestToken has 32 to 64 characters",
            );
        }
        if writes && !(1..=65_536).contains(&text("SecretString").len()) {
            return error("ValidationException", "SecretString has 1 to 65536 bytes");
        }
        let id = match op {
            "CreateSecret" => text("Name"),
            _ => text("SecretId"),
        };
        if op == "CreateSecret" {
            if let Some(kept) = self.secrets.get(&id) {
                if kept.more.contains_key("DeletedDate") {
                    return error("InvalidRequestException", "already scheduled for deletion");
                }
                if kept.versions.get(&token) != Some(&text("SecretString")) {
                    return error("ResourceExistsException", "the secret already exists");
                }
            }
            let kept = self.secrets.entry(id.clone()).or_default();
            if kept
                .versions
                .insert(token.clone(), text("SecretString"))
                .is_none()
            {
                kept.move_to("AWSCURRENT", &token);
            }
            return Ok(json!({"ARN": arn(&id), "Name": id, "VersionId": token}));
        }
        let Some(kept) = self.secrets.get_mut(&id) else {
            return error(
                "ResourceNotFoundException",
                "can't find the specified secret",
            );
        };
        if op == "DescribeSecret" {
            let mut told = json!({"ARN": arn(&id), "Name": id});
            let stages = kept.stages();
            if !stages.is_empty() {
                told["VersionIdsToStages"] = json!(stages);
            }
            for (name, value) in &kept.more {
                told[name] = value.clone();
            }
            return Ok(told);
        }
        if kept.more.contains_key("DeletedDate") {
            return error(
                "InvalidRequestException",
                "the secret is marked for deletion",
            );
        }
        match op {
            "GetSecretValue" => {
                let label = body["VersionStage"].as_str().unwrap_or("AWSCURRENT");
                let version = body["VersionId"].as_str().map(str::to_owned);
                let version = version.or_else(|| kept.labels.get(label).cloned());
                let version = version.unwrap_or_default();
                let Some(value) = kept.versions.get(&version) else {
                    return error("ResourceNotFoundException", "can't find that version");
                };
                Ok(json!({
                    "ARN": arn(&id), "Name": id, "VersionId": version, "SecretString": value,
                    "VersionStages": kept.stages().get(&version).cloned().unwrap_or_default(),
                    "CreatedDate": 1.0,
                }))
            }
            "PutSecretValue" => {
                let value = text("SecretString");
                match kept.versions.get(&token) {
                    Some(held) if *held != value => {
                        return error("ResourceExistsException", "another value has that token");
                    }
                    Some(_) => {}
                    None => {
                        kept.versions.insert(token.clone(), value);
                        // The first one is current, whatever is asked for.
                        if kept.versions.len() == 1 {
                            kept.move_to("AWSCURRENT", &token);
                        }
                        let labels = body["VersionStages"].as_array().cloned();
                        for label in labels.unwrap_or_else(|| vec![json!("AWSCURRENT")]) {
                            kept.move_to(label.as_str().unwrap_or_default(), &token);
                        }
                    }
                }
                let stages = kept.stages().get(&token).cloned().unwrap_or_default();
                Ok(json!({
                    "ARN": arn(&id), "Name": id, "VersionId": token, "VersionStages": stages,
                }))
            }
            _ => {
                let label = text("VersionStage");
                let (to, from) = (text("MoveToVersionId"), text("RemoveFromVersionId"));
                let at = kept.labels.get(&label).cloned().unwrap_or_default();
                if (at.is_empty() && !from.is_empty()) || (!at.is_empty() && at != from && at != to)
                {
                    return error(
                        "InvalidParameterException",
                        "the label is not on that version",
                    );
                }
                if at == to && from != to && !from.is_empty() {
                    return error(
                        "InvalidParameterException",
                        "the label is not on that version",
                    );
                }
                if to.is_empty() && label == "AWSCURRENT" {
                    return error("InvalidParameterException", "AWSCURRENT can only be moved");
                }
                if to.is_empty() {
                    kept.labels.remove(&label);
                } else if kept.versions.contains_key(&to) {
                    kept.move_to(&label, &to);
                } else {
                    return error("ResourceNotFoundException", "can't find that version");
                }
                Ok(json!({"ARN": arn(&id), "Name": id}))
            }
        }
    }
}

impl Kept {
    fn stages(&self) -> BTreeMap<String, Vec<String>> {
        let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (label, version) in &self.labels {
            out.entry(version.clone()).or_default().push(label.clone());
        }
        out
    }

    pub(super) fn move_to(&mut self, label: &str, version: &str) {
        let before = self.labels.insert(label.to_owned(), version.to_owned());
        let before = before.filter(|before| label == "AWSCURRENT" && before != version);
        if let Some(before) = before {
            self.labels.insert("AWSPREVIOUS".to_owned(), before);
        }
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-a1B2c3")
}
