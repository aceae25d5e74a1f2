//! An OpenID Connect issuer on this machine, with an RSA and an EC key, which can misbehave.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::KeyPair as _,
};
use axum::{Router, body::Body, extract::State, http::Uri, response::Response};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// What the issuer says at an address.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

impl Said {
    pub fn json(value: &Value) -> Self {
        Self {
            status: 200,
            location: None,
            body: value.to_string().into_bytes(),
        }
    }
}

#[derive(Default)]
struct Inside {
    discovery: Mutex<Option<Said>>,
    keys: Mutex<Option<Said>>,
    asked: AtomicUsize,
}

/// A key of an issuer.
pub struct IssuerKey {
    pub algorithm: Algorithm,
    pub kid: &'static str,
    pub key: EncodingKey,
    pub jwk: Value,
}

impl IssuerKey {
    pub fn rsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("DER");
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
        Self {
            algorithm: Algorithm::RS256,
            kid,
            key: EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key"),
            jwk: json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
                "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e) }),
        }
    }

    pub fn ec(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let point = pair.public_key_raw();
        assert_eq!((point.len(), point[0]), (65, 4), "an uncompressed point");
        Self {
            algorithm: Algorithm::ES256,
            kid,
            key: EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key"),
            jwk: json!({ "kty": "EC", "crv": "P-256", "kid": kid,
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
                "y": URL_SAFE_NO_PAD.encode(&point[33..]) }),
        }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("signs")
    }
}

/// A running issuer.
pub struct Issuer {
    pub url: String,
    pub rsa: IssuerKey,
    pub ec: IssuerKey,
    inside: Arc<Inside>,
}

impl Issuer {
    pub async fn start() -> Self {
        let inside = Arc::new(Inside::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(say).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let issuer = Self {
            url,
            rsa: IssuerKey::rsa("rsa-1"),
            ec: IssuerKey::ec("ec-1"),
            inside,
        };
        issuer.behave();
        issuer
    }

    /// The documents of an issuer without fault.
    pub fn behave(&self) {
        self.say_discovery(Said::json(&self.discovery()));
        // A key of a kind that is none of ours stands in the set too.
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA" },
            self.rsa.jwk, self.ec.jwk] });
        self.say_keys(Said::json(&keys));
    }

    pub fn discovery(&self) -> Value {
        json!({ "issuer": self.url, "jwks_uri": format!("{}/keys", self.url),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"] })
    }

    pub fn say_discovery(&self, said: Said) {
        *self.inside.discovery.lock().expect("whole") = Some(said);
    }

    pub fn say_keys(&self, said: Said) {
        *self.inside.keys.lock().expect("whole") = Some(said);
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.inside.asked.load(Ordering::SeqCst)
    }
}

async fn say(State(inside): State<Arc<Inside>>, uri: Uri) -> Response {
    inside.asked.fetch_add(1, Ordering::SeqCst);
    let said = match uri.path() {
        "/.well-known/openid-configuration" => inside.discovery.lock().expect("whole").clone(),
        "/keys" => inside.keys.lock().expect("whole").clone(),
        _ => None,
    };
    let said = said.unwrap_or(Said {
        status: 404,
        location: None,
        body: Vec::new(),
    });
    let mut response = Response::builder().status(said.status);
    if let Some(location) = said.location {
        response = response.header("location", location);
    }
    response.body(Body::from(said.body)).expect("a response")
}
