//! Sinks of the kind `gcp_secret_manager`: which secret receives an account's credential.
//! Pure: names only; nothing is sent here.

use super::kind::{DecodedSink, ON_DELETE, format, origin};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, must, must_for_account};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, GcpPlace, Origin, Place};

/// The form of `sink "gcp_secret_manager"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("project"),
        must_for_account("name"),
        may("location"),
        may("address"),
        may("format"),
        ON_DELETE,
    ],
    ..PLAIN
};

/// The longest name of a secret. Source: Google's discovery document of the API, `secretId`.
const LONGEST: usize = 255;

struct Gcp {
    address: Origin,
    project: String,
    location: String,
    format: CredentialFormat,
}

/// Decodes a text that a rule holds for.
fn ruled(
    (block, name): (&Block, &str),
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    rule: fn(&str) -> Result<(), (&'static str, &'static str)>,
) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, name, frame)? else {
        return Ok(None);
    };
    match rule(&text) {
        Ok(()) => Ok(Some(text)),
        Err((what, help)) => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, what)
                    .help(help),
            );
            Err(Failed)
        }
    }
}

fn small_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// Source: Google's documentation, "Creating and managing projects"; old ids have a domain before them.
fn project(text: &str) -> Result<(), (&'static str, &'static str)> {
    let (domain, id) = match text.split_once(':') {
        Some((domain, id)) => (Some(domain), id),
        None => (None, text),
    };
    if domain.is_none() && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) {
        return Err((
            "this is a project's number",
            "write its id, so that one secret has one name: gcloud projects describe NUMBER shows it",
        ));
    }
    let of_id = |b: u8| small_or_digit(b) || b == b'-';
    let fits = (6..=30).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id.bytes().all(of_id);
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(of_id);
    let within = domain.is_none_or(|domain| {
        domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label)
    });
    match fits && within {
        true => Ok(()),
        false => Err((
            "this is no id of a project",
            "it has 6 to 30 small letters, digits and `-`, and begins with a letter",
        )),
    }
}

/// Source: Google's discovery document of the API, `secretId`.
fn name(text: &str) -> Result<(), (&'static str, &'static str)> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(()),
        false => Err((
            "Google takes no such name of a secret",
            "up to 255 letters, digits, `-` and `_` make one, without the project before it",
        )),
    }
}

fn location(text: &str) -> Result<(), (&'static str, &'static str)> {
    let fits = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| small_or_digit(b) || b == b'-');
    // What Google calls the place of what has none.
    match fits && text != "global" {
        true => Ok(()),
        false => Err((
            "this is no location of a regional secret",
            "write one as Google does, \"europe-west3\", or leave it out for a global secret",
        )),
    }
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let project = ruled((block, "project"), frame, decoder, project);
    let location = match decoder.is_set(block, "location", frame)? {
        true => ruled((block, "location"), frame, decoder, location),
        false => Ok(Some(String::new())),
    };
    let address = match decoder.is_set(block, "address", frame)? {
        true => origin(block, "address", frame, decoder).map(|found| found.map(Some)),
        false => Ok(Some(None)),
    };
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(project), Some(location), Some(address), Some(format)) =
        (project?, location?, address?, format?)
    else {
        return Ok(None);
    };
    let address = match address {
        Some(address) => address,
        // A location that was taken makes an address.
        None => GcpPlace::own_address(&location).map_err(|_| Failed)?,
    };
    Ok(Some(Box::new(Gcp {
        address,
        project,
        location,
        format,
    })))
}

impl DecodedSink for Gcp {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let Some(name) = ruled((block, "name"), frame, decoder, name)? else {
            return Ok(None);
        };
        Ok(Some(Place::GcpSecretManager(GcpPlace {
            address: self.address.clone(),
            project: self.project.clone(),
            location: self.location.clone(),
            name,
            format: self.format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};

    fn with(attributes: &str) -> String {
        format!(
            "sink \"gcp_secret_manager\" \"ci\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.gcp_secret_manager.ci] }}\n}}\n"
        )
    }

    fn told(attributes: &str) -> String {
        let came = come_to(&with(attributes)).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        let [to] = account.deliver_to.as_slice() else {
            panic!("{:?}", account.deliver_to)
        };
        to.to_string()
    }

    #[test]
    fn an_account_gets_a_secret_of_its_own() {
        let named = "name = \"mondoo-${account.id}\"\nproject = \"acme-prod\"";
        for (more, expected) in [
            ("", "projects/acme-prod/secrets/mondoo-scan"),
            (
                "location = \"europe-west3\"",
                "projects/acme-prod/locations/europe-west3/secrets/mondoo-scan",
            ),
            (
                "address = \"https://sm.acme.example\"",
                "https://sm.acme.example/projects/acme-prod/secrets/mondoo-scan",
            ),
            (
                "address = \"https://secretmanager.googleapis.com/\"",
                "projects/acme-prod/secrets/mondoo-scan",
            ),
        ] {
            let expected = format!("sink.gcp_secret_manager.ci at {expected}");
            assert_eq!(told(&format!("{named}\n{more}")), expected);
        }
        let old = told("name = \"x\"\nproject = \"acme.example:prod-1\"");
        assert!(
            old.ends_with("projects/acme.example:prod-1/secrets/x"),
            "{old}"
        );
        let longest = "a".repeat(super::LONGEST);
        told(&format!("name = \"{longest}\"\nproject = \"acme-prod\""));
    }

    #[test]
    fn what_google_would_take_for_something_else_is_refused() {
        let long = format!("\"{}\"", "a".repeat(super::LONGEST + 1));
        let good = [("project", "\"acme-prod\""), ("name", "\"ci\"")];
        for (name, value) in [
            ("project", "\"\""),
            ("project", "\"123456789012\""),
            ("project", "\"Acme-prod\""),
            ("project", "\"acme\""),
            ("project", "\"acme-prod-\""),
            ("project", "\"acme-prod/secrets/x\""),
            ("project", "\"projects/acme-prod\""),
            ("project", "\"..:acme-prod\""),
            ("project", "\"acme:acme-prod\""),
            ("project", "\"acme-prod?x\""),
            ("name", "\"\""),
            ("name", "\"..\""),
            ("name", "\"a.b\""),
            ("name", "\"a/versions/1\""),
            ("name", "\"a:destroy\""),
            ("name", "\"a b\""),
            ("name", "\"a\\nb\""),
            ("name", "\"a%2fb\""),
            ("name", "\"projects/acme-prod/secrets/ci\""),
            ("name", long.as_str()),
            ("location", "\"\""),
            ("location", "\"global\""),
            ("location", "\"EU\""),
            ("location", "\"europe-west3.evil.example/\""),
            ("location", "\"europe-west3@evil\""),
            ("location", "\"-x\""),
            ("address", "\"http://secretmanager.googleapis.com\""),
            ("address", "\"https://secretmanager.googleapis.com/v1\""),
        ] {
            let mut lines: Vec<String> = good
                .iter()
                .filter(|(known, _)| *known != name)
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            lines.push(format!("{name} = {value}"));
            let found = wrong(&with(&lines.join("\n")));
            assert_eq!(found, [("invalid-value", value.to_owned())], "{name}");
        }
    }
}
