//! The `rolecall`, `platform`, `limits` and `destinations` blocks.
//! Pure.

use super::block::Block;
use super::decode::{Decoded, Decoder};
use super::{codes, version};
use crate::diag::{Diagnostic, Span};
use crate::lang::{Failed, Frame, Type};
use crate::model::{EndpointAssertion, Limits, Origin, SealKeys, SealPublicKey, StackId};

/// What the `rolecall` block says.
pub(super) struct Settings {
    pub(super) stack: Option<StackId>,
    pub(super) seal_keys: Option<SealKeys>,
    pub(super) trusted_creators: Vec<String>,
}

/// What a block `seal_key_former` says, before anything of it is believed.
struct Former {
    key: SealPublicKey,
    at: Span,
    signature: (String, Span),
    countersignature: (String, Span),
}

/// Decodes the `rolecall` block.
pub(super) fn rolecall(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Settings, Failed> {
    let version = required_version(block, scope, decoder);
    let name = decoder.text(block, "stack", scope);
    let id = decoder.text(block, "id", scope);
    let creators = decoder.elements(block, "trusted_creators", scope);
    let seal_key = public_key(block, "seal_key", scope, decoder);
    let former = match block.inner("seal_key_former") {
        None => Ok(None),
        Some(former) => {
            let key = public_key(former, "key", scope, decoder);
            let signature = literal(former, "signature", scope, decoder);
            let countersignature = literal(former, "countersignature", scope, decoder);
            match (key, signature, countersignature) {
                (Ok(Some(key)), Ok(Some(signature)), Ok(Some(countersignature))) => {
                    Ok(Some(Former {
                        key,
                        at: former.attribute("key").map_or(former.span, |key| key.span),
                        signature,
                        countersignature,
                    }))
                }
                (Ok(_), Ok(_), Ok(_)) => Ok(None),
                _ => Err(Failed),
            }
        }
    };
    let stack = match (name?, id?) {
        (Some((name, name_span)), Some((id, id_span))) => match StackId::new(&name, &id) {
            Ok(stack) => Some(stack),
            Err(message) => {
                // Blame the part that is wrong even beside a good other one.
                let name_is_wrong = StackId::new(&name, "aaaa").is_err();
                let span = if name_is_wrong { name_span } else { id_span };
                return decoder.fail(codes::INVALID_VALUE, span, &message);
            }
        },
        _ => None,
    };
    let seal_keys = seal_keys(block, stack.as_ref(), seal_key?, former?, decoder)?;
    let mut trusted_creators = Vec::new();
    for (value, span) in creators?.unwrap_or_default() {
        match value.as_str() {
            Some(mrn) if mrn.starts_with("//") => trusted_creators.push(mrn.to_owned()),
            None if value.is_unknown() => {}
            _ => {
                decoder.report(
                    Diagnostic::error(codes::INVALID_VALUE)
                        .at(span, "the MRN of a user or service account is required")
                        .help("write it whole, as in \"//captain.api.mondoo.app/users/ID\""),
                );
                return Err(Failed);
            }
        }
    }
    trusted_creators.sort();
    trusted_creators.dedup();
    version?;
    Ok(Settings {
        stack,
        seal_keys,
        trusted_creators,
    })
}

/// A text that stands in the file as it is: what it says must not hang on a variable that somebody
/// else sets.
fn literal(
    block: &Block,
    name: &str,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<(String, Span)> {
    // Before it is evaluated: a variable that is null or not known yet would leave it out.
    if let Some(attribute) = block.attribute(name) {
        let expression = &attribute.expression;
        if !expression.is_null() && expression.as_str().is_none() {
            let message = format!("`{name}` is written out here, without variables or functions");
            return decoder.fail(codes::INVALID_VALUE, attribute.span, &message);
        }
    }
    decoder.text(block, name, scope)
}

/// The public half of a seal key.
fn public_key(
    block: &Block,
    name: &str,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<SealPublicKey> {
    let Some((text, span)) = literal(block, name, scope, decoder)? else {
        return Ok(None);
    };
    match SealPublicKey::parse(&text) {
        Ok(key) => Ok(Some(key)),
        Err(why) => decoder.fail(codes::INVALID_VALUE, span, &why),
    }
}

/// The keys, if the former one has handed over to the one in use, and that one has taken over:
/// anybody can make a key that hands over to this public one.
fn seal_keys(
    block: &Block,
    stack: Option<&StackId>,
    current: Option<SealPublicKey>,
    former: Option<Former>,
    decoder: &mut Decoder<'_>,
) -> Decoded<SealKeys> {
    let Some(current) = current else {
        let Some(former) = block.inner("seal_key_former") else {
            return Ok(None);
        };
        let message = "a `seal_key` that it handed over to is required beside it";
        return decoder.fail(codes::INVALID_VALUE, former.span, message);
    };
    let former = match former {
        None => None,
        Some(former) => Some(believed(former, stack, &current, decoder)?),
    };
    Ok(Some(SealKeys { current, former }))
}

/// The former key, if both keys have signed the change. Without a stack, which hangs on a variable
/// then, nobody can tell, and nothing is said.
fn believed(
    former: Former,
    stack: Option<&StackId>,
    current: &SealPublicKey,
    decoder: &mut Decoder<'_>,
) -> Result<SealPublicKey, Failed> {
    let Former {
        key,
        at,
        signature: (signature, signed_at),
        countersignature: (countersignature, countersigned_at),
    } = former;
    if key == *current {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(at, "this is the `seal_key` itself, and no former one")
                .help(
                    "take the block out; `rolecall seal rotate` writes it when the key is changed",
                ),
        );
        return Err(Failed);
    }
    let Some(stack) = stack else {
        return Ok(key);
    };
    let mut wrong = Vec::new();
    if !key.hands_over(stack, current, &signature) {
        let message = "the former key has not signed this `seal_key` for this stack";
        wrong.push((signed_at, message));
    }
    if !current.takes_over(stack, &key, &countersignature) {
        let message = "this `seal_key` has not signed, for this stack, that it takes the place of \
                       the former key";
        wrong.push((countersigned_at, message));
    }
    if wrong.is_empty() {
        return Ok(key);
    }
    for (span, message) in wrong {
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, message)
                .help(
                    "`rolecall seal rotate`, with the former private key, writes the new `seal_key` \
                     and both signatures; if nobody has run it, take the block out, and find out who \
                     wrote it",
                ),
        );
    }
    Err(Failed)
}

fn required_version(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<(), Failed> {
    let Some((constraint, span)) = decoder.text(block, "required_version", scope)? else {
        return Ok(());
    };
    let current = env!("CARGO_PKG_VERSION");
    match version::satisfies(&constraint, current) {
        Ok(true) => Ok(()),
        Ok(false) => {
            decoder.report(
                Diagnostic::error(codes::UNSUPPORTED_VERSION)
                    .at(span, format!("this is rolecall {current}"))
                    .help("install a version that fits, or change the constraint"),
            );
            Err(Failed)
        }
        Err(message) => decoder.fail(codes::INVALID_VALUE, span, &message),
    }
}

/// Decodes the `platform` block.
pub(super) fn platform(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<EndpointAssertion> {
    let set = ["region", "endpoint"].map(|name| decoder.is_set(block, name, scope));
    let region = decoder.text(block, "region", scope);
    let endpoint = decoder.text(block, "endpoint", scope);
    let (region, endpoint) = (region?, endpoint?);
    let [region_set, endpoint_set] = set;
    if region_set? == endpoint_set? {
        let message = "exactly one of `region` and `endpoint` is required";
        return decoder.fail(codes::INVALID_VALUE, block.span, message);
    }
    if let Some((region, span)) = region {
        if !matches!(&*region, "us" | "eu") {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "there is no such region")
                    .help("write \"us\" or \"eu\", or give the `endpoint`"),
            );
            return Err(Failed);
        }
        return Ok(Some(EndpointAssertion::Region(region)));
    }
    let Some((endpoint, span)) = endpoint else {
        return Ok(None);
    };
    match base_url(&endpoint) {
        Some(url) => Ok(Some(EndpointAssertion::Url(url))),
        None => {
            let message = "an address like \"https://us.api.mondoo.com\" is required";
            decoder.fail(codes::INVALID_VALUE, span, message)
        }
    }
}

/// Decodes the `limits` block; what it does not say is as in `unsaid`.
pub(super) fn limits(
    block: &Block,
    unsaid: Limits,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Limits, Failed> {
    let Limits {
        max_deletes,
        max_dead_births,
        max_delete_percent,
        max_escalations,
        max_gained_grants,
        max_revoked_grants,
        min_owners,
        max_rotations,
    } = unsaid;
    let mut number = |name: &str, default: u32, most: u32| -> Result<u32, Failed> {
        let Some((value, span)) = decoder.typed(block, name, &Type::Number, scope)? else {
            return Ok(default);
        };
        if value.is_unknown() {
            return Ok(default);
        }
        let number = value.as_number().and_then(|number| number.to_usize());
        match number
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n <= most)
        {
            Some(number) => Ok(number),
            None => {
                let message = format!("a whole number from 0 to {most} is required");
                decoder.fail(codes::INVALID_VALUE, span, &message)
            }
        }
    };
    const MANY: u32 = 1_000_000;
    let deletes = number("max_deletes", max_deletes, MANY);
    let dead_births = number("max_dead_births", max_dead_births, MANY);
    let percent = number("max_delete_percent", max_delete_percent, 100);
    let escalations = number("max_escalations", max_escalations, MANY);
    let gained = number("max_gained_grants", max_gained_grants, MANY);
    let revoked = number("max_revoked_grants", max_revoked_grants, MANY);
    let owners = number("min_owners", min_owners, MANY);
    let rotations = number("max_rotations", max_rotations, MANY);
    Ok(Limits {
        max_deletes: deletes?,
        max_dead_births: dead_births?,
        max_delete_percent: percent?,
        max_escalations: escalations?,
        max_gained_grants: gained?,
        max_revoked_grants: revoked?,
        min_owners: owners?,
        max_rotations: rotations?,
    })
}

/// Checks the form of a base address and drops what may follow it: `/` and `/query`.
fn base_url(text: &str) -> Option<String> {
    let trimmed = text.trim_end_matches('/');
    let trimmed = trimmed.strip_suffix("/query").unwrap_or(trimmed);
    let (scheme, host) = trimmed.split_once("://")?;
    let host_ok = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    (host_ok && (scheme == "https" || (scheme == "http" && loopback))).then(|| trimmed.to_owned())
}

/// Decodes the `destinations` block of a policy directory: the servers, in order, each once.
pub(super) fn destinations(
    block: &Block,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<Vec<Origin>, Failed> {
    let mut allow = Vec::new();
    let mut wrong = false;
    for (value, span) in decoder.elements(block, "allow", scope)?.unwrap_or_default() {
        let why = match value.as_str().map(Origin::new) {
            Some(Ok(origin)) => {
                allow.push(origin);
                continue;
            }
            Some(Err(why)) => why,
            None => "a text is required",
        };
        wrong = true;
        decoder.report(
            Diagnostic::error(codes::INVALID_VALUE)
                .at(span, format!("this is no address of a server: {why}"))
                .help(
                    "write each server whole, with scheme and host, and a port where it is not the usual \
                     one; there are no patterns",
                ),
        );
    }
    allow.sort();
    allow.dedup();
    if wrong { Err(Failed) } else { Ok(allow) }
}

#[cfg(test)]
mod tests {
    use super::base_url;

    #[test]
    fn addresses() {
        let base = |text| base_url(text);
        let us = Some("https://us.api.mondoo.com".to_owned());
        assert_eq!(base("https://us.api.mondoo.com"), us);
        assert_eq!(base("https://us.api.mondoo.com/query"), us);
        assert_eq!(base("https://us.api.mondoo.com/"), us);
        assert!(base("http://127.0.0.1:8080").is_some());
        for text in [
            "http://us.api.mondoo.com",
            "us.api.mondoo.com",
            "https://",
            "https://a@b",
            "https://a/b",
        ] {
            assert_eq!(base(text), None, "{text}");
        }
    }
}
