//! Secret Manager: secrets and their versions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::logins::form;
use super::{Gcp, Kept, LARGEST, NUMBER, PROJECT, State, Version, error, refuse};
use crate::serve::{Call, Reply};

impl Gcp {
    pub(super) fn secret_manager(&mut self, path: &str, call: &Call) -> Reply {
        // A project is known by its number as well.
        let path = path.replacen(
            &format!("projects/{NUMBER}/"),
            &format!("projects/{PROJECT}/"),
            1,
        );
        let Some((parent, rest)) = path.split_once("/secrets") else {
            return Reply::empty(404);
        };
        let regional = match parent.split('/').collect::<Vec<_>>().as_slice() {
            ["projects", PROJECT] => false,
            ["projects", PROJECT, "locations", location] if !location.is_empty() => true,
            _ => return self.deny("secretmanager.secrets.get", &path),
        };
        if rest.is_empty() {
            return match call.method.as_str() {
                "POST" => self.create(parent, regional, call),
                _ => Reply::empty(404),
            };
        }
        let rest = rest.trim_start_matches('/');
        let (name, of) = match rest.split_once('/') {
            Some((name, of)) => (name, Some(of)),
            None => (rest, None),
        };
        let (name, verb) = name.split_once(':').unwrap_or((name, ""));
        let resource = format!("{parent}/secrets/{name}");
        match (call.method.as_str(), verb, of) {
            ("GET", "", None) => self.look(&resource),
            ("DELETE", "", None) => match self.secrets.remove(&resource) {
                Some(_) => Reply::json(200, &json!({})),
                None => absent(&resource),
            },
            ("POST", "addVersion", None) => self.add(&resource, call),
            ("GET", "", Some("versions")) => self.list(&resource, call),
            (method, "", Some(of)) => {
                let Some(which) = of.strip_prefix("versions/") else {
                    return Reply::empty(404);
                };
                let (which, verb) = which.split_once(':').unwrap_or((which, ""));
                self.of_version(&resource, which, method, verb)
            }
            _ => Reply::empty(404),
        }
    }

    fn deny(&self, permission: &str, resource: &str) -> Reply {
        let told = format!(
            "Permission '{permission}' denied for resource '{resource}' (or it may not exist)."
        );
        let mut reply = error(403, "PERMISSION_DENIED", &told);
        reply["error"]["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com",
        }]);
        Reply::json(403, &reply)
    }

    fn create(&mut self, parent: &str, regional: bool, call: &Call) -> Reply {
        let query = form(call.query.as_bytes());
        let name = query.get("secretId").map_or("", String::as_str);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=255).contains(&name.len()) || !name.bytes().all(plain) {
            let told =
                format!("The provided Secret ID [{name}] does not match the expected format.");
            return refuse(400, "INVALID_ARGUMENT", &told);
        }
        let body = call.json();
        let replication = body["replication"]
            .as_object()
            .is_some_and(|map| !map.is_empty());
        if regional == replication {
            let told = match regional {
                true => "Replication is not supported for regional secrets.",
                false => "Replication must be set.",
            };
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        let resource = format!("{parent}/secrets/{name}");
        if self.secrets.contains_key(&resource) {
            return refuse(
                409,
                "ALREADY_EXISTS",
                &format!("Secret [{resource}] already exists."),
            );
        }
        let more = body.as_object().cloned().unwrap_or_default();
        let kept = Kept {
            more,
            ..Kept::default()
        };
        self.secrets.insert(resource.clone(), kept);
        self.look(&resource)
    }

    fn look(&self, resource: &str) -> Reply {
        let needed = "secretmanager.secrets.get";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get(resource) else {
            return absent(resource);
        };
        let mut body = json!({
            "name": by_number(resource),
            "createTime": "2026-11-01T09:00:00.123456Z",
            "etag": "\"15f3b0c5d6a1b2\"",
        });
        for (name, value) in &kept.more {
            body[name] = value.clone();
        }
        Reply::json(200, &body)
    }

    fn add(&mut self, resource: &str, call: &Call) -> Reply {
        let needed = "secretmanager.versions.add";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let body = call.json();
        let Some(kept) = self.secrets.get_mut(resource) else {
            return absent(resource);
        };
        let payload = &body["payload"];
        let Some(value) = payload["data"]
            .as_str()
            .and_then(|data| STANDARD.decode(data).ok())
        else {
            return refuse(400, "INVALID_ARGUMENT", "Payload is required.");
        };
        if value.len() > LARGEST {
            let told = "The secret payload exceeds the size limit of 65536 bytes.";
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        let sum = &payload["dataCrc32c"];
        let sum = match sum {
            Value::Null => None,
            Value::String(text) => text.parse().ok().or(Some(u64::MAX)),
            other => other.as_u64().or(Some(u64::MAX)),
        };
        if sum.is_some_and(|sum| sum != u64::from(crc32c(&value))) {
            let told = "The checksum of the payload does not match.";
            return refuse(400, "INVALID_ARGUMENT", told);
        }
        self.before.insert(resource.to_owned(), kept.versions.len());
        kept.versions.push(Version {
            value,
            state: State::Enabled,
            checked: sum.is_some(),
        });
        let number = kept.versions.len();
        Reply::json(200, &described(resource, number, kept.versions.last()))
    }

    fn list(&self, resource: &str, call: &Call) -> Reply {
        let needed = "secretmanager.versions.list";
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get(resource) else {
            return absent(resource);
        };
        let query = form(call.query.as_bytes());
        let size = query.get("pageSize").and_then(|text| text.parse().ok());
        let wanted = query
            .get("filter")
            .map(|text| text.trim_start_matches("state:"));
        let all = kept.versions.iter().enumerate().rev();
        let versions: Vec<Value> = all
            .filter(|(_, version)| wanted.is_none_or(|wanted| wanted == version.state.as_str()))
            .take(size.unwrap_or(25_000))
            .map(|(at, version)| described(resource, at + 1, Some(version)))
            .collect();
        let total = if wanted.is_some() { 0 } else { versions.len() };
        Reply::json(200, &json!({"versions": versions, "totalSize": total}))
    }

    fn of_version(&mut self, resource: &str, which: &str, method: &str, verb: &str) -> Reply {
        let needed = match (method, verb) {
            ("GET", "access") => "secretmanager.versions.access",
            ("GET", "") => "secretmanager.versions.get",
            ("POST", "destroy") => "secretmanager.versions.destroy",
            ("POST", "disable") => "secretmanager.versions.disable",
            ("POST", "enable") => "secretmanager.versions.enable",
            _ => return Reply::empty(404),
        };
        if self.denied.contains(needed) {
            return self.deny(needed, resource);
        }
        let Some(kept) = self.secrets.get_mut(resource) else {
            let told = format!(
                "Secret [{}] not found or has no versions.",
                by_number(resource)
            );
            return refuse(404, "NOT_FOUND", &told);
        };
        let number = match which {
            "latest" => match self.before.get(resource) {
                Some(before) if self.lags => *before,
                _ => kept.versions.len(),
            },
            number => number.parse().unwrap_or(0),
        };
        let at = number.checked_sub(1);
        let Some(version) = at.and_then(|at| kept.versions.get_mut(at)) else {
            let told = match which {
                "latest" => format!(
                    "Secret [{}] not found or has no versions.",
                    by_number(resource)
                ),
                _ => format!(
                    "Secret Version [{}/versions/{which}] not found.",
                    by_number(resource)
                ),
            };
            return refuse(404, "NOT_FOUND", &told);
        };
        let name = format!("{}/versions/{number}", by_number(resource));
        let wrong = || {
            let state = version.state.as_str();
            let told = format!("Secret Version [{name}] is in {state} state.");
            refuse(400, "FAILED_PRECONDITION", &told)
        };
        match verb {
            "access" if version.state != State::Enabled => return wrong(),
            "access" => {
                let payload = json!({
                    "data": STANDARD.encode(&version.value),
                    "dataCrc32c": crc32c(&version.value).to_string(),
                });
                return Reply::json(200, &json!({"name": name, "payload": payload}));
            }
            "" => {}
            _ if version.state == State::Destroyed => return wrong(),
            "destroy" if kept.more.contains_key("versionDestroyTtl") => {
                version.state = State::Disabled;
            }
            "destroy" => {
                version.state = State::Destroyed;
                version.value.clear();
            }
            "disable" => version.state = State::Disabled,
            _ => version.state = State::Enabled,
        }
        Reply::json(200, &described(resource, number, Some(version)))
    }
}

fn described(resource: &str, number: usize, version: Option<&Version>) -> Value {
    let state = version.map_or(State::Destroyed, |version| version.state);
    let mut body = json!({
        "name": format!("{}/versions/{number}", by_number(resource)),
        "createTime": "2026-11-01T09:30:00.123456Z",
        "state": state.as_str(),
        "etag": "\"15f3b0c5d6a1b3\"",
    });
    if state == State::Destroyed {
        body["destroyTime"] = json!("2026-11-01T09:40:00.123456Z");
    }
    if version.is_some_and(|version| version.checked) {
        body["clientSpecifiedPayloadChecksum"] = json!(true);
    }
    body
}

/// A name as answers have it.
fn by_number(resource: &str) -> String {
    resource.replacen(PROJECT, NUMBER, 1)
}

/// The Castagnoli CRC-32, by a table.
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|n| {
            (0..8).fold(n, |sum, _| {
                if sum & 1 == 1 {
                    sum >> 1 ^ 0x82f6_3b78
                } else {
                    sum >> 1
                }
            })
        })
        .collect();
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        let at = (sum ^ u32::from(*byte)) & 0xff;
        let part = usize::try_from(at).ok().and_then(|at| table.get(at));
        sum >> 8 ^ part.copied().unwrap_or(0)
    });
    !sum
}

fn absent(resource: &str) -> Reply {
    refuse(
        404,
        "NOT_FOUND",
        &format!("Secret [{}] not found.", by_number(resource)),
    )
}
