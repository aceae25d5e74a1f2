//! The requests to Parameter Store, and what a parameter keeps besides its value.
//! Knows no key; each text of a value is zeroed when it is dropped.
//!
//! Source: the API reference of AWS Systems Manager: `GetParameter`, `GetParameterHistory`, `PutParameter`.

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::model::AwsSsmPlace;
use crate::ports::SinkError;
use crate::secret::zeroizing;
use crate::sinks::aws::answer::{self, Refused};
use crate::sinks::aws::service::{Op, Service};

/// The tier that a new parameter has.
const STANDARD: &str = "Standard";
/// A history has 100 versions at most, and a page of it 50 or fewer.
const PAGES: usize = 100;

/// A parameter as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameter {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "zeroizing")]
    pub(super) value: Zeroizing<String>,
    pub(super) version: u64,
    #[serde(default)]
    pub(super) data_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Got {
    parameter: Parameter,
}

/// What a write would change if it did not say it again.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    version: u64,
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    tier: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    allowed_pattern: Option<String>,
    #[serde(default)]
    policies: Option<Vec<serde::de::IgnoredAny>>,
}

impl Settings {
    /// Whether something is to happen to the parameter by itself, such as its end.
    pub(super) fn has_policies(&self) -> bool {
        self.policies.as_ref().is_some_and(|all| !all.is_empty())
    }

    /// The longest value that fits, in bytes.
    pub(super) fn room(&self) -> usize {
        match self.tier.as_deref() {
            Some("Advanced") => 8192,
            _ => 4096,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    parameters: Vec<Settings>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    version: u64,
}

/// Reads a parameter with its value; `None` if there is none.
pub(super) async fn get(
    service: &Service,
    place: &AwsSsmPlace,
) -> Result<Option<Parameter>, SinkError> {
    let op = Op {
        told: "aws read",
        name: "GetParameter",
        writes: false,
        repeats: true,
    };
    let body = answer::flagged(
        &[("Name", &place.name)],
        &[],
        Some(("WithDecryption", true)),
    );
    match service.ask::<Got>(place.into(), op, body).await {
        Ok(Got { parameter }) if parameter.name == place.name => Ok(Some(parameter)),
        Ok(_) => Err(answer::malformed("AWS answered with another parameter")),
        Err(Refused::NotThere) => Ok(None),
        Err(refused) => Err(refused.error()),
    }
}

/// What a version of a parameter keeps besides its value; `None` if the history does not have it. No value is
/// read for it.
pub(super) async fn settings(
    service: &Service,
    place: &AwsSsmPlace,
    version: u64,
) -> Result<Option<Settings>, SinkError> {
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let op = Op {
            told: "aws history",
            name: "GetParameterHistory",
            writes: false,
            repeats: true,
        };
        let mut members = vec![("Name", place.name.as_str())];
        members.extend(next.as_deref().map(|next| ("NextToken", next)));
        let body = answer::flagged(&members, &[], Some(("WithDecryption", false)));
        let page = service.ask::<Page>(place.into(), op, body).await;
        let page = page.map_err(Refused::error)?;
        let found = page.parameters.into_iter();
        if let Some(found) = found.into_iter().find(|one| one.version == version) {
            return Ok(Some(found));
        }
        next = page.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Writes a value, over a parameter with these settings or where none is, and gives its version. It is sent
/// once, since a second one would make a second version.
pub(super) async fn put(
    service: &Service,
    place: &AwsSsmPlace,
    over: Option<&Settings>,
    value: &str,
) -> Result<u64, Refused> {
    let op = Op {
        told: "aws put",
        name: "PutParameter",
        writes: true,
        repeats: false,
    };
    let mut members = vec![
        ("Name", place.name.as_str()),
        ("Type", "SecureString"),
        ("Value", value),
    ];
    match over {
        None => members.push(("Tier", STANDARD)),
        Some(Settings {
            version: _,
            key_id,
            tier,
            description,
            allowed_pattern,
            policies: _,
        }) => {
            let kept = [
                ("KeyId", key_id),
                ("Tier", tier),
                ("Description", description),
                ("AllowedPattern", allowed_pattern),
            ];
            let kept = kept.into_iter();
            members.extend(kept.filter_map(|(name, text)| Some((name, text.as_deref()?))));
        }
    }
    let body = answer::flagged(&members, &[], Some(("Overwrite", over.is_some())));
    let written = service.ask::<Written>(place.into(), op, body).await?;
    Ok(written.version)
}
