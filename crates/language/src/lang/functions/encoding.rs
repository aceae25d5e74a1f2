//! Encodings and digests.

use super::json;
use super::signature::{CallError, Function, text_of};
use crate::encoding::hex;
use crate::lang::Type;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn add(table: &mut Vec<Function>) {
    let text = |name, about, body| {
        Function::new(name, about, Type::String, body).arg("string", Type::String)
    };
    table.extend([
        Function::new("jsonencode", "as JSON", Type::String, |a| {
            Ok(json::encode(&a[0])?.into())
        })
        .nullable_arg("value", Type::Any),
        Function::new("jsondecode", "the value of a JSON text; half of a surrogate pair (`\\ud83d` alone) is an error, where Terraform puts U+FFFD in its place", Type::Any, |a| {
            json::decode(text_of(a, 0))
        })
        .arg("json", Type::String),
        text("base64encode", "in Base64", |a| {
            Ok(STANDARD.encode(text_of(a, 0)).into())
        }),
        text("base64decode", "the text of a Base64 string", |a| {
            let bytes = STANDARD
                .decode(text_of(a, 0))
                .map_err(|_| CallError::argument(0, "this is not Base64"))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| CallError::argument(0, "the decoded bytes are not UTF-8 text"))?;
            Ok(text.into())
        }),
        text("sha256", "the SHA-256 digest in hexadecimal", |a| {
            let digest =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text_of(a, 0).as_bytes());
            Ok(hex(digest.as_ref()).into())
        }),
    ]);
}
