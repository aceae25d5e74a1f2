//! Signature Version 4, computed anew.
//! Source: the IAM User Guide, "Create a signed AWS API request".

use std::collections::BTreeSet;

use aws_lc_rs::{digest, hmac};

use super::{ID, KEY, REGION};
use crate::serve::Call;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Whether a request is signed for this service with the keys of this server.
pub(super) fn signed(call: &Call, service: &str) -> bool {
    let part = |name: &str| {
        let rest = call.header("authorization").split_once(name)?.1;
        rest.split([',', ' ']).next().map(str::to_owned)
    };
    let (Some(scope), Some(headers), Some(signature)) = (
        part("Credential="),
        part("SignedHeaders="),
        part("Signature="),
    ) else {
        return false;
    };
    let date = call.header("x-amz-date");
    let day = date.get(..8).unwrap_or_default();
    let wanted = format!("{day}/{REGION}/{service}/aws4_request");
    if scope != format!("{ID}/{wanted}") {
        return false;
    }
    let names: BTreeSet<&str> = headers.split(';').collect();
    let must = call
        .headers
        .keys()
        .filter(|name| name.starts_with("x-amz-") || *name == "host");
    if !must.clone().all(|name| names.contains(name.as_str())) || !names.contains("host") {
        return false;
    }
    let canonical: String = names
        .iter()
        .map(|name| format!("{name}:{}\n", call.header(name).trim()))
        .collect();
    let request = format!(
        "{}\n{}\n{}\n{canonical}\n{headers}\n{}",
        call.method,
        call.path,
        call.query,
        sha256(&call.body)
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{wanted}\n{}",
        sha256(request.as_bytes())
    );
    let mut key = format!("AWS4{KEY}").into_bytes();
    for part in [day, REGION, service, "aws4_request", &text] {
        let with = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&with, part.as_bytes()).as_ref().to_vec();
    }
    hex(&key) == signature
}
