//! Microsoft Entra ID, the identity of a virtual machine and that of App Service.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Azure, CLIENT, FEDERATED, NOW, SECRET, TENANT};
use crate::serve::{Call, Reply};

/// A form, decoded.
pub(super) fn form(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut out = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'+' => out.push(b' '),
                b'%' => {
                    let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                    out.extend(u8::from_str_radix(&digits, 16));
                }
                byte => out.push(byte),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

impl Azure {
    fn issue(&mut self, resource: &str) -> Value {
        self.logins += 1;
        let token = format!("eyJ0.of-login-number-{}.stand-in", self.logins);
        self.tokens.insert(token.clone(), resource.to_owned());
        json!({"token_type": "Bearer", "expires_in": self.lease, "access_token": token})
    }

    /// Microsoft Entra ID.
    pub(super) fn entra(&mut self, tenant: &str, call: &Call) -> Reply {
        let fields = form(&String::from_utf8_lossy(&call.body));
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        // As Microsoft's documentation of the error codes shows an answer.
        let refused = |status, error: &str, told: &str| {
            let code = told.trim_start_matches("AADSTS").split(':').next();
            let code: Option<u32> = code.and_then(|code| code.parse().ok());
            Reply::json(
                status,
                &json!({
                    "error": error, "error_description": format!("{told}\r\nTrace ID: x"),
                    "error_codes": [code], "timestamp": "2026-11-01 10:00:00Z", "trace_id": "x",
                }),
            )
        };
        if let Some(code) = self.refuses {
            return refused(401, "invalid_client", &format!("AADSTS{code}: of a test."));
        }
        if tenant != TENANT {
            let told = format!("AADSTS90002: Tenant '{tenant}' not found.");
            return refused(400, "invalid_request", &told);
        }
        let good = field("grant_type") == "client_credentials"
            && match field("client_assertion_type") {
                "" => field("client_secret") == SECRET,
                kind => {
                    kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                        && field("client_assertion") == FEDERATED
                }
            };
        if field("client_id") != CLIENT {
            let told = "AADSTS700016: Application was not found in the directory.";
            return refused(400, "unauthorized_client", told);
        }
        if !good {
            // Repeats what it was given, as a server at its worst.
            let told = format!(
                "AADSTS7000215: Invalid client secret provided: {}{}",
                field("client_secret"),
                field("client_assertion")
            );
            return refused(401, "invalid_client", &told);
        }
        let scope = field("scope")
            .split(' ')
            .find_map(|scope| scope.strip_suffix("/.default"));
        match scope.map(str::to_owned) {
            Some(resource) => Reply::json(200, &self.issue(&resource)),
            None => refused(400, "invalid_scope", "AADSTS70011: The scope is not valid."),
        }
    }

    /// The identity of a machine or an app: numbers as texts.
    pub(super) fn identity(&mut self, call: &Call, version: &str) -> Reply {
        let fields = form(&call.query);
        let Some(resource) = fields.get("resource") else {
            return Reply::json(400, &json!({"error": "invalid_request"}));
        };
        let named = fields.get("client_id").is_none_or(|id| id == CLIENT);
        if !named || fields.get("api-version").map(String::as_str) != Some(version) {
            return Reply::json(400, &json!({"error": "invalid_request"}));
        }
        let mut issued = self.issue(resource);
        if let Some(issued) = issued.as_object_mut() {
            let lease = self.lease;
            issued.remove("expires_in");
            match version {
                "2018-02-01" => issued.insert("expires_in".to_owned(), json!(lease.to_string())),
                _ => issued.insert("expires_on".to_owned(), json!((NOW + lease).to_string())),
            };
        }
        Reply::json(200, &issued)
    }
}
