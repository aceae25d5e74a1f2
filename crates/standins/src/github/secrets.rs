//! Secrets: their public key, what is told of them, and writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::shown::{base, repository, told};
use super::{Github, LARGEST, refuse};
use crate::serve::{Call, Reply};

impl Github {
    pub(super) fn of_owner(&mut self, at: &str, rest: &[&str], call: &Call) -> Reply {
        match (call.method.as_str(), rest) {
            ("GET", []) => {
                let all = self.secrets.iter().filter(|((place, _), _)| place == at);
                let all: Vec<Value> = all
                    .map(|((_, name), kept)| told(&base(call), at, name, kept))
                    .collect();
                Reply::json(200, &json!({"total_count": all.len(), "secrets": all}))
            }
            ("GET", ["public-key"]) => {
                let key = STANDARD.encode(self.key.public_key().as_bytes());
                Reply::json(200, &json!({"key_id": self.key_id.to_string(), "key": key}))
            }
            ("GET", [name]) => {
                let name = name.to_ascii_uppercase();
                match self.secrets.get(&(at.to_owned(), name.clone())) {
                    Some(kept) => Reply::json(200, &told(&base(call), at, &name, kept)),
                    None => refuse(404, "Not Found"),
                }
            }
            ("PUT", [name]) => self.write(at, name, call),
            ("DELETE", [name]) => {
                let key = (at.to_owned(), name.to_ascii_uppercase());
                match self.secrets.remove(&key) {
                    Some(_) => Reply::empty(204),
                    None => refuse(404, "Not Found"),
                }
            }
            ("GET", [name, "repositories"]) if at.starts_with("orgs/") => {
                self.list(at, &name.to_ascii_uppercase(), call)
            }
            _ => refuse(404, "Not Found"),
        }
    }

    fn list(&self, at: &str, name: &str, call: &Call) -> Reply {
        let Some(kept) = self.secrets.get(&(at.to_owned(), name.to_owned())) else {
            return refuse(404, "Not Found");
        };
        if kept.visibility.as_deref() != Some("selected") {
            return refuse(409, "Visibility is not set to selected");
        }
        let number = |key: &str, usual: usize| {
            let mut pairs = call
                .query
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(name, _)| *name == key);
            found
                .and_then(|(_, text)| text.parse().ok())
                .unwrap_or(usual)
        };
        let size = number("per_page", 30).clamp(1, 100);
        let from = (number("page", 1).max(1) - 1) * size;
        let shown = kept.selected.iter().skip(from).take(size).map(|id| {
            let known = self.repositories.iter().find(|(_, known)| *known == id);
            let name =
                known.map_or_else(|| format!("acme/repository-{id}"), |(name, _)| name.clone());
            let (owner, name) = name.split_once('/').unwrap_or_default();
            repository(&base(call), owner, name, *id)
        });
        let shown: Vec<Value> = shown.collect();
        Reply::json(
            200,
            &json!({"total_count": kept.selected.len(), "repositories": shown}),
        )
    }

    fn write(&mut self, at: &str, name: &str, call: &Call) -> Reply {
        let name = name.to_ascii_uppercase();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let digit = name.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if digit || !name.bytes().all(fits) || name.starts_with("GITHUB_") {
            return refuse(422, "Secret names can only contain alphanumeric characters");
        }
        let body = call.json();
        let Some(key_id) = body["key_id"].as_str() else {
            return refuse(422, "Invalid request.\n\n\"key_id\" wasn't supplied.");
        };
        let Some(encrypted) = body["encrypted_value"].as_str() else {
            return refuse(
                422,
                "Invalid request.\n\n\"encrypted_value\" wasn't supplied.",
            );
        };
        let Ok(sealed) = STANDARD.decode(encrypted) else {
            return refuse(422, "encrypted_value does not match the pattern");
        };
        if key_id != self.key_id.to_string() {
            return refuse(422, "The key_id is not that of the current public key");
        }
        if sealed.len() > LARGEST + 48 {
            return refuse(422, "The secret is larger than 48 KB");
        }
        let seers = match at.starts_with("orgs/") {
            false => None,
            true => {
                let visibility = body["visibility"].as_str();
                let Some(visibility @ ("all" | "private" | "selected")) = visibility else {
                    return refuse(422, "Invalid request.\n\n\"visibility\" wasn't supplied.");
                };
                let ids = body["selected_repository_ids"].as_array();
                // What is left out is taken off. Source: external-secrets/external-secrets#6519.
                let ids = ids.into_iter().flatten().filter_map(|id| {
                    id.as_u64()
                        .or_else(|| id.as_str().and_then(|id| id.parse().ok()))
                });
                let selected = match visibility {
                    "selected" => ids.collect(),
                    _ => Vec::new(),
                };
                Some((visibility.to_owned(), selected))
            }
        };
        match self.keep(at, &name, encrypted.to_owned(), seers) {
            true => Reply::json(201, &json!({})),
            false => Reply::empty(204),
        }
    }
}
