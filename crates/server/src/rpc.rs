//! The calls that Mondoo's command lines and operators make besides GraphQL: `POST
//! /<Service>/<Method>` with JSON in proto field names, errors as `google.rpc.Status` (source:
//! mondoohq/ranger-rpc, `server.go`, `status/http.go`).
//!
//! Whoever asks in Protocol Buffers is answered so: errors, whose message is public, and what has
//! nothing in it. The field numbers of Mondoo's other messages are not known here, so those calls
//! answer `Unimplemented` in place of guessing.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth::{self, Unauthenticated},
    core::{Caller, Core},
    credential::Credential,
    exchange::Reply,
    oidc::FetchDocument,
    service::{
        agents::{self, NewAgent},
        wif,
    },
    status::{Code, Status},
};

/// One call.
#[derive(Clone, Debug, Default)]
pub struct Call<'a> {
    /// The service, the first part of the path.
    pub service: &'a str,
    /// The method, the second part of the path.
    pub method: &'a str,
    /// Whether the answer is to be in Protocol Buffers.
    pub protobuf: bool,
    /// The value of the `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The body, JSON.
    pub body: &'a [u8],
    /// When it is made.
    pub now: Timestamp,
    /// Where it comes from, if that is known.
    pub ip: Option<std::net::IpAddr>,
}

/// A call that failed, with the code of its status.
struct Failed(u8, String);

const NOT_FOUND: u8 = 5;
const UNIMPLEMENTED: u8 = 12;
const UNAUTHENTICATED: u8 = 16;

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        let code = match status.code {
            Code::InvalidArgument => 3,
            Code::NotFound => NOT_FOUND,
            Code::AlreadyExists => 6,
            Code::PermissionDenied => 7,
            Code::FailedPrecondition => 9,
            Code::Unauthenticated => UNAUTHENTICATED,
            Code::Internal => 13,
        };
        Self(code, status.message)
    }
}

impl From<Unauthenticated> for Failed {
    fn from(why: Unauthenticated) -> Self {
        match why {
            Unauthenticated::Unavailable => Self(13, "storage failed".to_owned()),
            _ => Self(
                UNAUTHENTICATED,
                "request permission unauthenticated".to_owned(),
            ),
        }
    }
}

/// The HTTP status of a gRPC code.
fn http_status(code: u8) -> u16 {
    match code {
        3 => 400,
        UNAUTHENTICATED => 401,
        7 => 403,
        NOT_FOUND => 404,
        6 => 409,
        9 => 412,
        UNIMPLEMENTED => 501,
        _ => 500,
    }
}

/// Answers a call.
pub(crate) fn answer(core: &Core, call: &Call<'_>, fetch: &dyn FetchDocument) -> Reply {
    let known_in_protobuf =
        call.service == "AgentManager" && matches!(call.method, "PingPong" | "HealthCheck");
    let result = if call.protobuf && !known_in_protobuf {
        let why = "this platform answers this call in JSON only";
        Err(Failed(UNIMPLEMENTED, why.to_owned()))
    } else {
        run(core, call, fetch)
    };
    match (result, call.protobuf) {
        (Ok(body), false) => Reply::json(200, &body),
        // An empty message has no bytes, whatever its type.
        (Ok(_), true) => Reply {
            status: 200,
            body: Vec::new(),
        },
        (Err(Failed(code, message)), false) => Reply::json(
            http_status(code),
            &json!({ "code": code, "message": message }),
        ),
        (Err(Failed(code, message)), true) => Reply {
            status: http_status(code),
            body: status_bytes(code, &message),
        },
    }
}

/// A `google.rpc.Status` on the wire: `code` is field 1, an int32; `message` is field 2, a string.
fn status_bytes(code: u8, message: &str) -> Vec<u8> {
    // Codes are below 128, and messages are cut to what one length byte can say.
    let mut end = message.len().min(127);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let text = &message.as_bytes()[..end];
    let mut bytes = vec![0x08, code, 0x12, u8::try_from(end).unwrap_or_default()];
    bytes.extend(text);
    bytes
}

fn run(core: &Core, call: &Call<'_>, fetch: &dyn FetchDocument) -> Result<Value, Failed> {
    match (call.service, call.method) {
        ("AgentManager", "PingPong") => {
            let caller = caller(core, call)?;
            agents::check_in(core, &caller)?;
            Ok(json!({}))
        }
        ("AgentManager", "HealthCheck") => {
            caller(core, call)?;
            Ok(json!({}))
        }
        ("AgentManager", "RegisterAgent") => register(core, call),
        ("AgentManager", "UnRegisterAgent") => {
            #[derive(Deserialize)]
            struct Request {
                #[serde(default)]
                mrn: String,
            }
            let caller = caller(core, call)?;
            let Request { mrn } = body(call)?;
            agents::unregister(core, &caller, &mrn)?;
            Ok(json!({}))
        }
        ("AgentManager", "ExchangeRegistrationToken") => {
            #[derive(Deserialize)]
            struct Request {
                #[serde(default)]
                token: String,
            }
            let Request { token } = body(call)?;
            let new = NewAgent {
                name: String::new(),
                ..NewAgent::default()
            };
            let (_, credential) = by_token(core, call, &token, new)?;
            Ok(json!({ "serviceAccount": file(&credential).to_string() }))
        }
        ("SecureTokenService", "ExchangeExternalToken") => {
            #[derive(Deserialize)]
            #[serde(default)]
            #[derive(Default)]
            struct Request {
                audience: String,
                issuer_uri: String,
                jwt_token: String,
            }
            let Request {
                audience,
                issuer_uri,
                jwt_token,
            } = body(call)?;
            let asked = wif::Exchange {
                audience: &audience,
                issuer_uri: &issuer_uri,
                token: &jwt_token,
            };
            let credential = wif::exchange(core, fetch, &asked, call.now, call.ip)?;
            let text = file(&credential).to_string();
            Ok(json!({ "base64_credential": STANDARD.encode(text) }))
        }
        _ => Err(Failed(NOT_FOUND, "method not defined".to_owned())),
    }
}

fn body<T: for<'de> Deserialize<'de>>(call: &Call<'_>) -> Result<T, Failed> {
    let text = match call.body.trim_ascii() {
        [] => b"{}",
        text => text,
    };
    serde_json::from_slice(text)
        .map_err(|error| Failed(3, format!("the request cannot be read: {error}")))
}

fn caller(core: &Core, call: &Call<'_>) -> Result<Caller, Failed> {
    let identity = auth::authenticate(core, call.authorization, call.body, call.now)?;
    Ok(Caller {
        identity,
        now: call.now,
        ip: call.ip,
        stale_ms: 0,
        veil: core.veil(),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Register {
    token: String,
    name: String,
    agent_info: Info,
}

/// What an agent tells of itself; the rest of it is not kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    version: Option<String>,
    platform_name: Option<String>,
    platform_release: Option<String>,
    platform_arch: Option<String>,
    hostname: Option<String>,
}

/// With a registration token an agent gets an account of its own; with an account's key it gets a
/// name and no other credential (source: the `login` command of mondoohq/mql).
fn register(core: &Core, call: &Call<'_>) -> Result<Value, Failed> {
    let Register {
        token,
        name,
        agent_info,
    } = body(call)?;
    let Info {
        version,
        platform_name,
        platform_release,
        platform_arch,
        hostname,
    } = agent_info;
    let new = NewAgent {
        name,
        version,
        platform: platform_name,
        release: platform_release,
        arch: platform_arch,
        hostname,
        ip: call.ip.map(|ip| ip.to_string()),
    };
    // A token stands in the header, in the body, or in both.
    let given = match token.as_str() {
        "" => auth::bearer(call.authorization.unwrap_or_default()).to_owned(),
        token => token.to_owned(),
    };
    match by_token(core, call, &given, new.clone()) {
        Ok((agent, credential)) => Ok(json!({
            "agent_mrn": agent,
            "credential": {
                "mrn": credential.mrn,
                "parent_mrn": credential.scope_mrn,
                "scope_mrn": credential.scope_mrn,
                "private_key": credential.private_key,
                "certificate": credential.certificate,
                "api_endpoint": credential.api_endpoint,
            },
        })),
        Err(_) => {
            let caller = caller(core, call)?;
            let agent = agents::register_account(core, &caller, new)?;
            Ok(json!({ "agent_mrn": agent }))
        }
    }
}

fn by_token(
    core: &Core,
    call: &Call<'_>,
    token: &str,
    new: NewAgent,
) -> Result<(String, Credential), Failed> {
    agents::register(core, token, new, call.now, call.ip)?
        .ok_or_else(|| Failed::from(Unauthenticated::Malformed))
}

/// A credential as a file has it.
fn file(credential: &Credential) -> Value {
    json!({
        "mrn": credential.mrn,
        "space_mrn": credential.space_mrn,
        "scope_mrn": credential.scope_mrn,
        "private_key": credential.private_key,
        "certificate": credential.certificate,
        "api_endpoint": credential.api_endpoint,
    })
}
