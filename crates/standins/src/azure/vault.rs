//! The vault: secrets, their versions, and the bin.

use serde_json::{Value, json};

use super::logins::form;
use super::{Azure, LONGEST, NOW, TENANT, Version, host, refuse};
use crate::serve::{Call, Reply};

fn absent(name: &str) -> Reply {
    let message = format!("A secret with (name/id) {name} was not found in this key vault.");
    refuse(404, "SecretNotFound", "", &message)
}

fn blocked(name: &str, state: &str) -> Reply {
    let message = match state {
        "ObjectIsBeingRecovered" => {
            format!(
                "Secret {name} is currently being recovered and cannot be re-created; retry later."
            )
        }
        _ => format!(
            "Secret {name} is currently in a deleted but recoverable state, and its name cannot be \
             reused; in this state, the secret can only be recovered or purged."
        ),
    };
    refuse(409, "Conflict", state, &message)
}

impl Version {
    fn bundle(&self, host: &str, name: &str, value: bool) -> Value {
        let Self {
            id,
            value: text,
            content_type,
            tags,
            enabled,
            nbf,
            exp,
            managed,
        } = self;
        let mut out = json!({
            "id": format!("https://{host}/secrets/{name}/{id}"),
            "attributes": {
                "enabled": enabled, "created": NOW, "updated": NOW,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
            },
        });
        if value {
            out["value"] = json!(text);
        }
        if let Some(text) = content_type {
            out["contentType"] = json!(text);
        }
        if !tags.is_empty() {
            out["tags"] = json!(tags);
        }
        for (name, time) in [("nbf", nbf), ("exp", exp)] {
            if let Some(time) = time {
                out["attributes"][name] = json!(time);
            }
        }
        if *managed {
            out["managed"] = json!(true);
        }
        out
    }

    pub(super) fn take(&mut self, body: &Value) {
        if let Some(text) = body["contentType"].as_str() {
            self.content_type = Some(text.to_owned());
        }
        if let Some(tags) = body["tags"].as_object() {
            self.tags = tags.clone();
        }
        let attributes = &body["attributes"];
        if let Some(flag) = attributes["enabled"].as_bool() {
            self.enabled = flag;
        }
        for (name, time) in [("nbf", &mut self.nbf), ("exp", &mut self.exp)] {
            if let Some(told) = attributes[name].as_i64() {
                *time = Some(told);
            }
        }
    }
}

impl Azure {
    pub(super) fn vault(&mut self, call: &Call, method: &str, parts: &[&str]) -> Reply {
        let host = host(call);
        let domain = host.split_once('.').map(|(_, domain)| domain);
        let own = match domain {
            Some(domain) if domain.starts_with("vault.") => format!("https://{domain}"),
            _ => format!("https://{}", host.split(':').next().unwrap_or_default()),
        };
        let resource = self.resource.clone().unwrap_or(own);
        let token = call.header("authorization").strip_prefix("Bearer ");
        let holder = token.and_then(|token| self.tokens.get(token));
        if holder != Some(&resource) {
            let challenge = format!(
                "Bearer authorization=\"https://login.windows.net/{TENANT}\", resource=\"{resource}\""
            );
            let told = match token {
                None => "AKV10000: Request is missing a Bearer or PoP token.",
                Some(_) => "AKV10022: Invalid audience or token.",
            };
            return refuse(401, "Unauthorized", "", told).header("www-authenticate", &challenge);
        }
        if !form(&call.query).contains_key("api-version") {
            return refuse(
                400,
                "BadParameter",
                "",
                "The api-version query parameter is missing.",
            );
        }
        let asked = format!("{method} {}", call.path);
        if let Some((_, code)) = self.forbidden.iter().find(|(text, _)| asked.contains(text)) {
            return refuse(
                403,
                "Forbidden",
                code,
                "Caller is not authorized to perform action on resource.\r\nCaller: appid=x",
            );
        }
        let (kind, name, rest) = match *parts {
            [kind, name] => (kind, name, ""),
            [kind, name, rest] => (kind, name, rest),
            _ => return refuse(404, "NotFound", "", "no such resource"),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=127).contains(&name.len()) || !name.bytes().all(plain) {
            return refuse(
                400,
                "BadParameter",
                "",
                "The request URI contains an invalid name",
            );
        }
        let at = name.to_ascii_lowercase();
        if let Some((versions, left)) = self.store.recovering.get_mut(&at) {
            if *left > 0 {
                *left -= 1;
                return match (kind, method) {
                    ("secrets", "GET") => absent(name),
                    _ => blocked(name, "ObjectIsBeingRecovered"),
                };
            }
            let versions = std::mem::take(versions);
            self.store.recovering.remove(&at);
            self.store.secrets.insert(at.clone(), versions);
        }
        match (kind, method, rest) {
            ("secrets", "PUT", "") => self.write(host, name, at, &call.json()),
            ("secrets", "GET", "versions") => {
                let found = self.versions(&at).iter();
                let items: Vec<Value> = found.map(|one| one.bundle(host, name, false)).collect();
                Reply::json(200, &json!({"value": items, "nextLink": null}))
            }
            ("secrets", "GET", version) => match self.version(&at, version) {
                Some(found) if !found.enabled => refuse(
                    403,
                    "Forbidden",
                    "SecretDisabled",
                    "Operation get is not allowed on a disabled secret.",
                ),
                Some(found) => Reply::json(200, &found.bundle(host, name, true)),
                None => absent(name),
            },
            ("secrets", "PATCH", version) => match self.version(&at, version) {
                Some(found) => {
                    found.take(&call.json());
                    Reply::json(200, &found.bundle(host, name, false))
                }
                None => absent(name),
            },
            ("secrets", "DELETE", "") => match self.store.secrets.contains_key(&at) {
                true => {
                    self.delete(&at);
                    self.deleted(host, name, &at)
                }
                false => absent(name),
            },
            ("deletedsecrets", "GET", "") => self.deleted(host, name, &at),
            ("deletedsecrets", "POST", "recover") => match self.store.bin.get(&at) {
                Some(versions) => {
                    let newest = versions.last().map(|one| one.bundle(host, name, false));
                    self.recover(&at);
                    Reply::json(200, &newest.unwrap_or_default())
                }
                None => absent(name),
            },
            ("deletedsecrets", "DELETE", "") => match self.store.bin.remove(&at) {
                Some(_) => Reply::empty(204),
                None => absent(name),
            },
            _ => refuse(405, "MethodNotAllowed", "", "no such operation"),
        }
    }

    fn version(&mut self, at: &str, version: &str) -> Option<&mut Version> {
        let versions = self.store.secrets.get_mut(at)?;
        match version {
            "" => versions.last_mut(),
            version => versions.iter_mut().find(|one| one.id == version),
        }
    }

    fn deleted(&self, host: &str, name: &str, at: &str) -> Reply {
        let Some(newest) = self.store.bin.get(at).and_then(|versions| versions.last()) else {
            return absent(name);
        };
        let mut bundle = newest.bundle(host, name, false);
        bundle["recoveryId"] = json!(format!("https://{host}/deletedsecrets/{name}"));
        bundle["deletedDate"] = json!(NOW);
        bundle["scheduledPurgeDate"] = json!(NOW + 90 * 86_400);
        Reply::json(200, &bundle)
    }

    fn write(&mut self, host: &str, name: &str, at: String, body: &Value) -> Reply {
        if self.store.bin.contains_key(&at) {
            return blocked(name, "ObjectIsDeletedButRecoverable");
        }
        let Some(value) = body["value"].as_str() else {
            return refuse(400, "BadParameter", "", "Property value is required");
        };
        if value.len() > LONGEST {
            return refuse(400, "BadParameter", "", "The specified value is too large.");
        }
        self.before = self.store.clone();
        let new = self.set(&at, body);
        Reply::json(200, &new.bundle(host, name, true))
    }
}
