//! Sinks of the kind `aws_ssm`: which parameter of which region receives an account's credential.
//! Pure: names only; nothing is sent here.

use super::aws::{self, AtAws, checked};
use super::kind::{DecodedSink, ON_DELETE};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, must, must_for_account};
use crate::lang::Frame;
use crate::model::{AwsSsmPlace, Place};

/// The form of `sink "aws_ssm"`.
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

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let at = aws::decode("ssm", block, frame, decoder)?;
    Ok(at.map(|at| Box::new(AwsSsm(at)) as Box<dyn DecodedSink>))
}

struct AwsSsm(AtAws);

/// Source: the API reference of AWS Systems Manager, `PutParameter`, `Name`.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_.-".contains(&b);
    let fits = |part: &str| !part.is_empty() && part != "." && part != "..";
    let (slash, rest) = match text.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let begins = |with: &str| {
        let head = rest.get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    let levels = rest.split('/').count();
    // The 1,011 letters that may be there are also those of the ARN before the name.
    (1..=900).contains(&text.len())
        && text.bytes().all(plain)
        && rest.split('/').all(fits)
        && (slash || levels == 1)
        && levels <= 15
        && !begins("aws")
        && !begins("ssm")
}

impl DecodedSink for AwsSsm {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let Self(at) = self;
        let name = checked(
            block,
            "name",
            frame,
            decoder,
            is_name,
            "this is no name of a parameter",
            "write up to 900 letters, digits and `/_.-`, with `/` at its beginning if it has others, at most 15 \
             parts, none of them empty, `.` or `..`, and neither `aws` nor `ssm` at its beginning",
        )?;
        let Some(name) = name else {
            return Ok(None);
        };
        Ok(Some(Place::AwsSsm(AwsSsmPlace {
            endpoint: at.endpoint.clone(),
            region: at.region.clone(),
            account_id: at.account_id.clone(),
            name,
            format: at.format,
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
        ("name", "\"/mondoo/${account.id}\""),
    ];

    fn with(name: &str, value: &str) -> String {
        let mut lines: Vec<String> = GOOD
            .iter()
            .filter(|(known, _)| *known != name)
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        lines.push(format!("{name} = {value}"));
        format!(
            "sink \"aws_ssm\" \"ci\" {{\n{}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.aws_ssm.ci] }}\n}}\n",
            lines.join("\n")
        )
    }

    #[test]
    fn an_account_gets_a_parameter_of_its_own_at_the_regions_own_address() {
        for (region, endpoint) in [
            ("eu-central-1", "https://ssm.eu-central-1.amazonaws.com"),
            ("cn-north-1", "https://ssm.cn-north-1.amazonaws.com.cn"),
        ] {
            let came = come_to(&with("region", &format!("\"{region}\""))).expect("is right");
            let account = came.desired.accounts.values().next().expect("one");
            let [to] = account.deliver_to.as_slice() else {
                panic!("{:?}", account.deliver_to)
            };
            let Place::AwsSsm(place) = to.place() else {
                panic!("{to}")
            };
            assert_eq!(place.endpoint.as_str(), endpoint);
            assert_eq!(
                to.to_string(),
                format!("sink.aws_ssm.ci at 123456789012/{region}/mondoo/scan")
            );
        }
    }

    #[test]
    fn what_leads_elsewhere_than_it_says_is_refused() {
        for (name, value) in [
            ("region", "\"eu-central-1.evil.example\""),
            ("region", "\"eu-west-1.evil.example/\""),
            ("region", "\"evil.example/eu-central-1\""),
            ("region", "\"EU-CENTRAL-1\""),
            ("region", "\"europe\""),
            ("account_id", "\"12345678901\""),
            ("account_id", "\"12345678901x\""),
            ("name", "\"\""),
            ("name", "\"a b\""),
            ("name", "\"/a//b\""),
            ("name", "\"/a/../b\""),
            ("name", "\"a\\nb\""),
            ("name", "\"arn:aws:ssm:eu-central-1:1:parameter/x\""),
            ("name", "\"mondoo/ci\""),
            ("name", "\"/AWS-ci\""),
            ("name", "\"ssm.ci\""),
            ("name", "\"/mondoo/ci:3\""),
            ("name", "\"/mondoo/ci/\""),
            ("name", "\"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p\""),
            ("endpoint", "\"http://ssm.eu-central-1.amazonaws.com\""),
            ("endpoint", "\"https://user:pw@vpce.example\""),
        ] {
            let found = wrong(&with(name, value));
            assert_eq!(found, [("invalid-value", value.to_owned())], "{name}");
        }
    }
}
