//! Sinks of the kind `aws_secretsmanager`: which secret of which region receives an account's credential.
//! Pure: names only; nothing is sent here.

use super::kind::{DecodedSink, ON_DELETE, format, origin};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, must, must_for_account};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{AwsSecretPlace, CredentialFormat, Origin, Place};

/// The form of `sink "aws_secretsmanager"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("region"),
        must("account_id"),
        must_for_account("name"),
        may("endpoint"),
        may("format"),
        ON_DELETE,
    ],
    ..PLAIN
};

struct AwsSecrets {
    endpoint: Origin,
    region: String,
    account_id: String,
    format: CredentialFormat,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let region = checked(
        block,
        "region",
        frame,
        decoder,
        is_region,
        "this is no region",
        "write it as in eu-central-1",
    );
    let account_id = checked(
        block,
        "account_id",
        frame,
        decoder,
        |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
        "this is no id of an account",
        "write its twelve digits as a text: `aws sts get-caller-identity` shows them",
    );
    let endpoint = match decoder.is_set(block, "endpoint", frame)? {
        true => origin(block, "endpoint", frame, decoder).map(|found| found.map(Some)),
        false => Ok(Some(None)),
    };
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(region), Some(account_id), Some(endpoint), Some(format)) =
        (region?, account_id?, endpoint?, format?)
    else {
        return Ok(None);
    };
    let endpoint = endpoint.or_else(|| Origin::new(&own_address(&region)).ok());
    let Some(endpoint) = endpoint else {
        return Err(Failed);
    };
    Ok(Some(Box::new(AwsSecrets {
        endpoint,
        region,
        account_id,
        format,
    })))
}

/// Parts of small letters and digits with `-` between them.
fn is_region(text: &str) -> bool {
    let fits = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        !part.is_empty() && part.bytes().all(plain)
    };
    text.len() <= 32 && text.split('-').count() >= 3 && text.split('-').all(fits)
}

/// The address of the service in a region.
fn own_address(region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://secretsmanager.{region}.amazonaws.com{end}")
}

fn checked(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
    fits: fn(&str) -> bool,
    what: &str,
    help: &str,
) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, name, frame)? else {
        return Ok(None);
    };
    if fits(&text) {
        return Ok(Some(text.to_string()));
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, what.to_owned())
            .help(help.to_owned()),
    );
    Err(Failed)
}

/// Source: the API reference of AWS Secrets Manager, `CreateSecret`, `Name`.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
    let fits = |part: &str| !part.is_empty() && part != "." && part != "..";
    // Behind six letters after a `-` the service takes it for the end of an ARN.
    let like_an_arn = text
        .rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric()));
    (1..=512).contains(&text.len())
        && text.bytes().all(plain)
        && text.split('/').all(fits)
        && !like_an_arn
}

impl DecodedSink for AwsSecrets {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let name = checked(
            block,
            "name",
            frame,
            decoder,
            is_name,
            "this is no name of a secret",
            "write up to 512 letters, digits and `/_+=.@-`, without empty parts, `.` and `..` between \
             `/`, and not `-` and six letters or digits at its end",
        )?;
        let Some(name) = name else {
            return Ok(None);
        };
        Ok(Some(Place::AwsSecretsmanager(AwsSecretPlace {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            account_id: self.account_id.clone(),
            name,
            format: self.format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::Place;

    const GOOD: [(&str, &str); 3] = [
        ("region", "\"eu-central-1\""),
        ("account_id", "\"123456789012\""),
        ("name", "\"mondoo/${account.id}\""),
    ];

    fn with(name: &str, value: &str) -> String {
        let mut lines: Vec<String> = GOOD
            .iter()
            .filter(|(known, _)| *known != name)
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        lines.push(format!("{name} = {value}"));
        format!(
            "sink \"aws_secretsmanager\" \"ci\" {{\n{}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.aws_secretsmanager.ci] }}\n}}\n",
            lines.join("\n")
        )
    }

    #[test]
    fn an_account_gets_a_secret_of_its_own_at_the_regions_own_address() {
        for (region, endpoint) in [
            (
                "eu-central-1",
                "https://secretsmanager.eu-central-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                "https://secretsmanager.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            let came = come_to(&with("region", &format!("\"{region}\""))).expect("is right");
            let account = came.desired.accounts.values().next().expect("one");
            let [to] = account.deliver_to.as_slice() else {
                panic!("{:?}", account.deliver_to)
            };
            let Place::AwsSecretsmanager(place) = to.place() else {
                panic!("{to}")
            };
            assert_eq!(place.endpoint.as_str(), endpoint);
            assert_eq!(
                to.to_string(),
                format!("sink.aws_secretsmanager.ci at 123456789012/{region}/mondoo/scan")
            );
        }
    }

    #[test]
    fn what_leads_elsewhere_than_it_says_is_refused() {
        for (name, value) in [
            ("region", "\"eu-central-1.evil.example\""),
            ("region", "\"evil.example/eu-central-1\""),
            ("region", "\"EU-CENTRAL-1\""),
            ("region", "\"europe\""),
            ("account_id", "\"12345678901\""),
            ("account_id", "\"12345678901x\""),
            ("name", "\"\""),
            ("name", "\"a b\""),
            ("name", "\"a//b\""),
            ("name", "\"a/../b\""),
            ("name", "\"a\\nb\""),
            ("name", "\"arn:aws:secretsmanager:eu-central-1:1:secret:x\""),
            ("name", "\"mondoo-abcdef\""),
            (
                "endpoint",
                "\"http://secretsmanager.eu-central-1.amazonaws.com\"",
            ),
            ("endpoint", "\"https://user:pw@vpce.example\""),
        ] {
            let found = wrong(&with(name, value));
            assert_eq!(found, [("invalid-value", value.to_owned())], "{name}");
        }
    }
}
