//! One request and its answer, as bytes: what HTTP carries, without HTTP.

use serde::{Deserialize, Serialize};

/// A GraphQL request.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// The document.
    #[serde(default)]
    pub query: String,
    /// The values of its variables; an object or `null`.
    #[serde(default)]
    pub variables: serde_json::Value,
    /// Which operation to run, if the document has several.
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
}

/// An answer: an HTTP status and a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json<T: Serialize>(status: u16, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, body },
            Err(_) => Self::error(500, "the answer cannot be written"),
        }
    }

    /// An answer that carries only an error message, in the shape of GraphQL errors.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "message": message }] });
        Self {
            status,
            body: body.to_string().into_bytes(),
        }
    }
}

impl Request {
    /// Reads a body. What is no JSON object of a request's shape is answered with 400.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Reply> {
        let malformed = |why: String| {
            Reply::error(
                400,
                &format!("json request body could not be decoded: {why}"),
            )
        };
        // An array would be read as the fields in order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(malformed("expected an object".to_owned()));
        }
        let request: Self = serde_json::from_slice(body).map_err(|e| malformed(e.to_string()))?;
        if request.variables.is_object() || request.variables.is_null() {
            Ok(request)
        } else {
            Err(malformed("variables must be an object".to_owned()))
        }
    }
}
