//! Who the client is, and the `Authorization` header that proves it.
//! Pure but for the randomness of signatures; nothing here prints a key or a token.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::workload::Workload;
use crate::credential_file::{LINE_ENDS, escaped_line_ends};
use crate::encoding::{Pem, PemError, hex};
use crate::model::{Fingerprint, Mrn};
use crate::secret::Secret;

/// How long a signed request is good for, in seconds. Source: mondoo-go's `internal/signer`.
const LIFETIME: i64 = 60;
/// The issuer that the platform expects. Source: the same.
const ISSUER: &str = "mondoo/ams";

/// Why a private key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeyError {
    message: String,
}

fn key_error<T>(message: impl Into<String>) -> Result<T, KeyError> {
    Err(KeyError {
        message: message.into(),
    })
}

/// The identity that requests are made as.
#[derive(Debug)]
pub enum Identity {
    /// A service account; every request carries a fresh token signed with its key.
    ServiceAccount(ServiceAccount),
    /// An API token, sent as it is.
    ApiToken(Secret<String>),
    /// A workload identity, whose token is exchanged for a temporary service account.
    Workload(Workload),
}

impl Identity {
    /// An API token.
    pub fn api_token(token: &str) -> Self {
        Self::ApiToken(Secret::new(token.to_owned()))
    }

    /// The identity's resource name, where the credential tells it.
    pub fn mrn(&self) -> Option<&Mrn> {
        match self {
            Self::ServiceAccount(account) => Some(&account.mrn),
            Self::ApiToken(_) | Self::Workload(_) => None,
        }
    }

    /// What the credential itself tells of why it is not accepted, and the way out.
    pub(super) fn why_refused(&self, now: Timestamp) -> String {
        match self {
            Self::ServiceAccount(account) => account.why_refused(now),
            Self::ApiToken(_) => UNTOLD.to_owned(),
            Self::Workload(_) => {
                "the platform has just given it for an identity token, so its binding may \
                                  be removed, or the endpoint be another one's"
                    .to_owned()
            }
        }
    }

    /// The `Authorization` header for one request.
    ///
    /// # Errors
    /// If signing fails, which only a broken source of randomness can cause; a workload identity signs
    /// nothing itself.
    pub(super) fn authorization(&self, body: &[u8], now: Timestamp) -> Result<String, KeyError> {
        match self {
            Self::ServiceAccount(account) => account.authorization(body, now),
            Self::ApiToken(token) => Ok(format!("Bearer {}", token.expose())),
            Self::Workload(_) => key_error("the identity token was not exchanged"),
        }
    }
}

/// What there is to say of a credential that says nothing of itself.
const UNTOLD: &str = "it does not say when it ends: it may be expired, revoked or deleted, or belong to \
                      another endpoint than this one";

/// A service account that signs its requests.
pub struct ServiceAccount {
    /// Its resource name.
    pub mrn: Mrn,
    /// The scope it says it lives in.
    pub scope_mrn: Option<String>,
    certificate: Option<Certificate>,
    key: EcdsaKeyPair,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.mrn)
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    chash: String,
}

impl ServiceAccount {
    /// Takes the private key in PKCS#8 PEM, ECDSA on P-384.
    ///
    /// # Errors
    /// If the key is of another form; the error never repeats it.
    pub fn new(mrn: Mrn, scope_mrn: Option<String>, pem: &str) -> Result<Self, KeyError> {
        Ok(Self {
            mrn,
            scope_mrn,
            certificate: None,
            key: parse_key(pem)?,
        })
    }

    /// The same account with the certificate that stands beside its key.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<Certificate>) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// The end of its certificate, if it has one that ends.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.certificate.as_ref()?.until()
    }

    fn why_refused(&self, now: Timestamp) -> String {
        match self.certificate.as_ref().map(|found| found.expired(now)) {
            Some(Some(end)) => format!(
                "by its certificate it expired at {end}: make a new one in the Mondoo console, \
                 under Settings → Service Accounts"
            ),
            Some(None) => "its certificate has not expired, so its account may be deleted or its \
                           key revoked (the Mondoo console tells, under Settings → Service \
                           Accounts), or it belongs to another endpoint than this one"
                .to_owned(),
            None => UNTOLD.to_owned(),
        }
    }

    /// The `Authorization` header for one request.
    ///
    /// # Errors
    /// If signing fails, which only a broken source of randomness can cause.
    pub(super) fn authorization(&self, body: &[u8], now: Timestamp) -> Result<String, KeyError> {
        Ok(format!("Bearer {}", self.token(body, now)?))
    }

    /// A token for one request: ES384, good for a minute, bound to the body by `chash`, the
    /// hexadecimal SHA-256 that Mondoo's guard compares where it is present (ranger-rpc,
    /// `plugins/authentication/cert`).
    fn token(&self, body: &[u8], now: Timestamp) -> Result<String, KeyError> {
        let issued = now.as_second();
        let header = Header {
            alg: "ES384",
            kid: self.mrn.as_str(),
            typ: "JWT",
        };
        let claims = Claims {
            iss: ISSUER,
            sub: self.mrn.as_str(),
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(LIFETIME),
            chash: hex(digest::digest(&digest::SHA256, body).as_ref()),
        };
        let failed = |_| KeyError {
            message: "signing the request failed".to_owned(),
        };
        let header = serde_json::to_vec(&header).map_err(failed)?;
        let claims = serde_json::to_vec(&claims).map_err(failed)?;
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), token.as_bytes())
            .map_err(|_| KeyError {
                message: "signing the request failed".to_owned(),
            })?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Ok(token)
    }
}

/// The public half of a private key in PKCS#8 PEM: the point, uncompressed.
pub(super) fn public_key(pem: &str) -> Result<Vec<u8>, KeyError> {
    Ok(parse_key(pem)?.public_key().as_ref().to_vec())
}

/// The fingerprint of the public half of a private key in PKCS#8 PEM.
pub(super) fn fingerprint(pem: &str) -> Result<Fingerprint, KeyError> {
    Ok(Fingerprint::of_public_key(
        parse_key(pem)?.public_key().as_ref(),
    ))
}

fn parse_key(pem: &str) -> Result<EcdsaKeyPair, KeyError> {
    let der = pem_body(pem)?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der).or_else(|_| {
        // Object identifiers in DER, RFC 8017 and RFC 5480.
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
        let holds = |oid: &[u8]| der.windows(oid.len()).any(|part| part == oid);
        key_error(if holds(RSA) {
            "the private key is an RSA key; Mondoo's service accounts have ECDSA keys on P-384"
        } else if holds(P384) {
            "the private key is damaged; download the credential again or create a new one"
        } else {
            "the private key is not an ECDSA key on P-384, as Mondoo's service accounts have"
        })
    })
}

/// The DER of the one `PRIVATE KEY` block of a PEM text.
fn pem_body(pem: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    const WAY_OUT: &str =
        "Mondoo issues PKCS#8 PEM, which begins with `-----BEGIN PRIVATE KEY-----`";
    if escaped_line_ends(pem) {
        return key_error(format!("the private key is in one line: {LINE_ENDS}"));
    }
    let Some(block) = Pem::first(pem) else {
        return key_error(format!("the private key is not PEM; {WAY_OUT}"));
    };
    match block.label {
        "PRIVATE KEY" => {}
        "EC PRIVATE KEY" => {
            return key_error(format!(
                "the private key has the SEC1 form; {WAY_OUT} \
                 (`openssl pkcs8 -topk8 -nocrypt` converts it)"
            ));
        }
        "RSA PRIVATE KEY" => {
            return key_error(
                "the private key is an RSA key; Mondoo's service accounts have ECDSA keys on P-384",
            );
        }
        "ENCRYPTED PRIVATE KEY" => {
            return key_error(
                "the private key is protected by a passphrase, which Mondoo's never are",
            );
        }
        _ => return key_error(format!("the PEM block is not a private key; {WAY_OUT}")),
    }
    block.der().or_else(|why| {
        key_error(match why {
            PemError::CutOff => {
                "the private key is cut off: its `-----END PRIVATE KEY-----` is missing"
            }
            PemError::NotBase64 => "the private key is not valid base64 between its PEM lines",
        })
    })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

    use super::super::fixture::{MRN, account, p384, pem, time, wrap};
    use super::*;

    fn decoded(account: &ServiceAccount, token: &str) -> serde_json::Value {
        let key = DecodingKey::from_ec_der(account.key.public_key().as_ref());
        let mut validation = Validation::new(Algorithm::ES384);
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        decode(token, &key, &validation).expect("verifies").claims
    }

    #[test]
    fn a_token_is_exactly_what_the_guard_expects_and_another_library_verifies_it() {
        let account = account();
        let now = time("2026-11-23T12:00:00.9Z");
        let token = account.token(b"{}", now).expect("signs");
        let claims = decoded(&account, &token);
        assert_eq!(
            claims,
            serde_json::json!({
                "iss": "mondoo/ams",
                "sub": MRN,
                "iat": 1_795_435_200,
                "nbf": 1_795_435_200,
                "exp": 1_795_435_260,
                // printf '{}' | sha256sum
                "chash": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            })
        );
        let header = decode_header(&token).expect("a header");
        assert_eq!(header.alg, Algorithm::ES384);
        assert_eq!(header.kid.as_deref(), Some(MRN));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        assert!(!token.contains('='));
    }

    #[test]
    fn another_library_verifies_every_token_and_no_changed_one() {
        use proptest::prelude::*;
        use proptest::test_runner::{Config, TestRunner};

        let account = account();
        let key = DecodingKey::from_ec_der(account.key.public_key().as_ref());
        let mut rules = Validation::new(Algorithm::ES384);
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        let verified = |token: &str| decode::<serde_json::Value>(token, &key, &rules).is_ok();
        let mut runner = TestRunner::new(Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        });
        let inputs = (
            r#"[ -~é"\\\n]{0,30}"#,
            prop::collection::vec(any::<u8>(), 0..200),
            0_i64..4_000_000_000,
            any::<prop::sample::Index>(),
        );
        let run = runner.run(&inputs, |(mrn, body, second, at)| {
            let account = ServiceAccount {
                mrn: Mrn::new(mrn.as_str()),
                key: parse_key(&p384()).expect("a key"),
                scope_mrn: None,
                certificate: None,
            };
            let now = Timestamp::from_second(second).expect("a time");
            let token = account.token(&body, now).expect("signs");
            let claims = decoded(&account, &token);
            prop_assert_eq!(&claims["sub"], &mrn);
            prop_assert_eq!(&claims["exp"], second + 60);
            let header = decode_header(&token).expect("a header");
            prop_assert_eq!(header.kid, Some(mrn));
            prop_assert!(!verified(&token), "by another's key");
            let mut changed = account.token(&body, now).expect("signs").into_bytes();
            let at = at.index(changed.len());
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            let own = DecodingKey::from_ec_der(account.key.public_key().as_ref());
            prop_assert!(decode::<serde_json::Value>(&changed, &own, &rules).is_err());
            Ok(())
        });
        run.expect("agrees");
    }

    #[test]
    fn another_body_is_another_chash() {
        let account = account();
        let now = time("2026-11-23T12:00:00Z");
        let chash = |body: &[u8]| {
            let token = account.token(body, now).expect("signs");
            decoded(&account, &token).get("chash").cloned()
        };
        assert_ne!(chash(b"a"), chash(b"b"));
    }

    #[test]
    fn an_api_token_is_sent_as_it_is_and_shown_to_nobody() {
        let identity = Identity::api_token("eyJhbGciOiJF");
        let header = identity.authorization(b"", time("2026-11-23T12:00:00Z"));
        assert_eq!(header.as_deref(), Ok("Bearer eyJhbGciOiJF"));
        assert!(!format!("{identity:?}").contains("eyJ"));
        let signer = Identity::ServiceAccount(account());
        assert_eq!(
            format!("{signer:?}"),
            format!("ServiceAccount(ServiceAccount({MRN}))")
        );
    }

    #[test]
    fn a_key_of_another_form_is_named_and_never_repeated() {
        const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        let good = p384();
        let body = good.lines().nth(1).expect("a line").to_owned();
        let p256 = pem(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING);
        for (key, hint) in [
            (good.replace("PRIVATE", "EC PRIVATE"), "SEC1"),
            (good.replace("PRIVATE", "RSA PRIVATE"), "RSA"),
            (good.replace("PRIVATE", "ENCRYPTED PRIVATE"), "passphrase"),
            (wrap(&RSA, "PRIVATE KEY"), "RSA"),
            (p256, "P-384"),
            (good.replace(&body, "***"), "base64"),
            (good.replace(&body, ""), "P-384"),
            (good.replace("-----END PRIVATE KEY-----", ""), "cut off"),
            (body.clone(), "not PEM"),
            (wrap(&RSA, "CERTIFICATE"), "not a private key"),
        ] {
            let why = parse_key(&key).expect_err(hint).to_string();
            assert!(why.contains(hint), "{hint}: {why}");
            assert!(!why.contains(&body), "{why}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_public_half() {
        let key = p384();
        let public = parse_key(&key)
            .expect("a key")
            .public_key()
            .as_ref()
            .to_vec();
        let expected = Fingerprint::of_public_key(&public);
        assert_eq!(fingerprint(&key), Ok(expected.clone()));
        // A file that was edited under Windows is the same key.
        assert_eq!(fingerprint(&key.replace('\n', "\r\n")), Ok(expected));
        assert_ne!(fingerprint(&key), fingerprint(&p384()));
    }
}
