//! The three ways in: the key of a service account, a token of somebody else, the metadata server of a machine.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{ACCOUNT, AUDIENCE, CLOUD, Gcp, SUBJECT};
use crate::serve::{Call, Reply};

impl Gcp {
    pub(super) fn by_key(&mut self, call: &Call) -> Reply {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let invalid = |why: &str| {
            let body = json!({"error": "invalid_grant", "error_description": why});
            Reply::json(400, &body)
        };
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return Reply::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        let Some((signed, signature)) = field("assertion").rsplit_once('.') else {
            return invalid("Invalid JWT: it has no signature.");
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let good = self.key.as_ref().is_some_and(|key| {
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
            public.verify(signed.as_bytes(), &signature).is_ok()
        });
        if !good {
            return invalid("Invalid JWT Signature.");
        }
        let part = |n: usize| -> Value {
            let part = signed.split('.').nth(n).unwrap_or_default();
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            serde_json::from_slice(&bytes).unwrap_or_default()
        };
        let (head, claims) = (part(0), part(1));
        let time = |name: &str| claims[name].as_i64().unwrap_or(0);
        let now = self.now();
        if head["alg"] != "RS256" || head["kid"] != "key-1" {
            return invalid("Invalid JWT: no such key.");
        }
        let aud = claims["aud"].as_str().unwrap_or_default();
        if claims["iss"] != ACCOUNT || claims["scope"] != CLOUD || !aud.ends_with("/token") {
            return invalid("Invalid JWT: iss, scope or aud.");
        }
        if time("iat") > now + 60 || time("exp") <= now || time("exp") > time("iat") + 3600 {
            return invalid(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                 timeframe. Check your iat and exp values in the JWT claim.",
            );
        }
        self.entered()
    }

    pub(super) fn by_exchange(&mut self, call: &Call) -> Reply {
        let form = form(&call.body);
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let invalid = |code: &str, why: &str| {
            let body = json!({"error": code, "error_description": why});
            Reply::json(400, &body)
        };
        if let Some(error) = self.refuses {
            return invalid(error, "of a test");
        }
        if !call.header("authorization").is_empty() {
            return invalid("invalid_request", "no Authorization is taken here");
        }
        if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange"
            || field("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token"
            || field("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt"
            || !field("scope")
                .split(' ')
                .any(|scope| scope.starts_with("https://www.googleapis.com/"))
        {
            return invalid("invalid_request", "Invalid request.");
        }
        if field("audience") != AUDIENCE {
            let why = "Invalid value for \"audience\". This value should be the full resource name of \
                       the Identity Provider.";
            return invalid("invalid_request", why);
        }
        if field("subject_token") != SUBJECT {
            let why = "The subject token could not be verified.";
            return invalid("invalid_grant", why);
        }
        self.entered()
    }

    pub(super) fn by_machine(&mut self, call: &Call) -> Reply {
        let Some(is_googles) = self.metadata else {
            return Reply::empty(404).header("metadata-flavor", "Google");
        };
        if call.header("metadata-flavor") != "Google" {
            return Reply::empty(403);
        }
        let flavor = if is_googles { "Google" } else { "Router" };
        let reply = match call.path.trim_end_matches('/') {
            "/computeMetadata/v1/instance/service-accounts/default/token" => self.entered(),
            "/computeMetadata/v1/instance/service-accounts/default" => Reply::json(
                200,
                &json!({"aliases": ["default"], "email": ACCOUNT, "scopes": [CLOUD]}),
            ),
            "/computeMetadata/v1/universe/universe-domain"
            | "/computeMetadata/v1/universe/universe_domain" => Reply {
                status: 200,
                headers: Vec::new(),
                body: b"googleapis.com".to_vec(),
            },
            _ => Reply::empty(404),
        };
        reply.header("metadata-flavor", flavor)
    }

    fn entered(&mut self) -> Reply {
        let lifetime = self.lifetime;
        let token = self.token();
        let body = json!({
            "access_token": token,
            "expires_in": lifetime,
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        Reply::json(200, &body)
    }
}

/// The fields of a form or a query.
pub(super) fn form(text: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(text);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn plain(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || {
                    char::from(bytes.next().unwrap_or(b'0'))
                        .to_digit(16)
                        .unwrap_or(0)
                };
                let value = digit() * 16 + digit();
                out.push(u8::try_from(value).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
