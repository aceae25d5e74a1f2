//! The App: its key, and its login by a signed assertion.

use std::collections::BTreeSet;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::shown::time_of;
use super::{APP, Github, INSTALLATION, refuse};
use crate::serve::{Call, Reply};

impl Github {
    /// A new private key of the App, as GitHub gives it: PKCS#1 in PEM.
    ///
    /// # Panics
    /// If the machine makes no key.
    pub fn app_key(&mut self) -> String {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = key.as_der().expect("a form of it");
        // PKCS#8 of an RSA key is 26 bytes and then PKCS#1.
        let inner = STANDARD.encode(der.as_ref().get(26..).unwrap_or_default());
        let lines: Vec<&str> = inner
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap_or_default())
            .collect();
        self.app_key = Some(key);
        let label = "RSA PRIVATE KEY";
        let lines = lines.join("\n");
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    }

    /// The login of an App by a signed assertion.
    pub(super) fn login(&mut self, installation: &str, call: &Call) -> Reply {
        let undecoded = || refuse(401, "A JSON web token could not be decoded");
        let assertion = call.header("authorization").strip_prefix("Bearer ");
        let Some((signed, signature)) = assertion.and_then(|text| text.rsplit_once('.')) else {
            return undecoded();
        };
        let part = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
            serde_json::from_slice::<Value>(&bytes).unwrap_or_default()
        };
        let (head, claims) = signed.split_once('.').unwrap_or_default();
        let (head, claims) = (part(head), part(claims));
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let good = self.app_key.as_ref().is_some_and(|key| {
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
            public.verify(signed.as_bytes(), &signature).is_ok()
        });
        if head["alg"] != "RS256" || !good {
            return undecoded();
        }
        let issuer = claims["iss"].as_str().map(str::to_owned);
        let issuer = issuer.or_else(|| claims["iss"].as_u64().map(|id| id.to_string()));
        if issuer.as_deref() != Some(APP) {
            return refuse(404, "Integration not found");
        }
        let now = self.now();
        let time = |claim: &str| claims[claim].as_i64().unwrap_or(0);
        if time("exp") > now + 600 {
            return refuse(
                401,
                "'Expiration time' claim ('exp') is too far in the future",
            );
        }
        if time("exp") <= now {
            return refuse(
                401,
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
            );
        }
        if time("iat") > now {
            return refuse(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            );
        }
        if installation != INSTALLATION {
            return refuse(404, "Not Found");
        }
        self.logins += 1;
        // As long as those are that GitHub makes since April 2026, with dots in them.
        let token = format!(
            "ghs_{APP}_eyJ{}.{}.{}",
            self.logins,
            "aB3-_".repeat(60),
            "x9".repeat(90)
        );
        self.tokens.insert(token.clone(), BTreeSet::new());
        self.ends.insert(token.clone(), now + 3600);
        let answer = json!({
            "token": token,
            "expires_at": time_of(now + 3600),
            "permissions": self.permissions,
            "repository_selection": "all",
        });
        Reply::json(201, &answer)
    }
}
