//! Sinks of the kind `kubernetes`: which key of which Secret receives an account's credential.
//! Pure: names only; nothing is sent here.
//!
//! Sources: Kubernetes' documentation, "Object Names and IDs" and "Secrets"; `IsConfigMapKey` of
//! k8s.io/apimachinery for the keys.

use super::kind::{DecodedSink, ON_DELETE, format, origin};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account, must, must_for_account};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, KubernetesPlace, Origin, Place};

/// The form of `sink "kubernetes"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("address"),
        must_for_account("namespace"),
        must_for_account("name"),
        may_for_account("key"),
        may("type"),
        may("format"),
        ON_DELETE,
    ],
    ..PLAIN
};

/// The key if none is named: the one that Mondoo's operator reads. Source: mondoo-operator's user manual.
const KEY: &str = "config";
/// The type if none is named, as in Kubernetes.
const TYPE: &str = "Opaque";

/// Types whose contents Kubernetes itself fills in or insists on.
const RESERVED: [&str; 2] = ["kubernetes.io/", "bootstrap.kubernetes.io/"];

struct Kubernetes {
    address: Origin,
    r#type: String,
    format: CredentialFormat,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let address = origin(block, "address", frame, decoder);
    let secret_type = match decoder.is_set(block, "type", frame)? {
        true => name(block, "type", &IS_TYPE, frame, decoder),
        false => Ok(Some(TYPE.to_owned())),
    };
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(address), Some(r#type), Some(format)) = (address?, secret_type?, format?) else {
        return Ok(None);
    };
    Ok(Some(Box::new(Kubernetes {
        address,
        r#type,
        format,
    })))
}

impl DecodedSink for Kubernetes {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let namespace = name(block, "namespace", &IS_NAMESPACE, frame, decoder);
        let secret = name(block, "name", &IS_NAME, frame, decoder);
        let key = match decoder.is_set(block, "key", frame)? {
            true => name(block, "key", &IS_KEY, frame, decoder),
            false => Ok(Some(KEY.to_owned())),
        };
        let (Some(namespace), Some(secret), Some(key)) = (namespace?, secret?, key?) else {
            return Ok(None);
        };
        Ok(Some(Place::Kubernetes(KubernetesPlace {
            address: self.address.clone(),
            namespace,
            name: secret,
            key,
            r#type: self.r#type.clone(),
            format: self.format,
        })))
    }
}

/// What a text must be to name something in Kubernetes.
struct Form {
    fits: fn(&str) -> bool,
    /// What it is not, if it does not fit.
    what: &'static str,
    help: &'static str,
}

const IS_NAMESPACE: Form = Form {
    fits: |text| text.len() <= 63 && is_label(text),
    what: "this is no name of a namespace",
    help: "up to 63 small letters, digits and `-` make one, and neither end is `-`",
};

const IS_NAME: Form = Form {
    fits: |text| text.len() <= 253 && text.split('.').all(is_label),
    what: "this is no name of a Secret",
    help: "up to 253 small letters, digits, `-` and `.` make one, and no part between dots ends with `-`; \
           for an account with other letters write replace(account.id, \"_\", \"-\")",
};

const IS_KEY: Form = Form {
    fits: |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        (1..=253).contains(&text.len())
            && text.bytes().all(plain)
            && text != "."
            && !text.starts_with("..")
    },
    what: "this is no key of a Secret",
    help: "up to 253 letters, digits, `-`, `_` and `.` make one, which does not begin with `..`",
};

const IS_TYPE: Form = Form {
    fits: |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/".contains(&b);
        (1..=253).contains(&text.len())
            && text.bytes().all(plain)
            && !RESERVED.iter().any(|prefix| text.starts_with(prefix))
    },
    what: "this is no type of a Secret that holds a credential",
    help: "leave it out for \"Opaque\", or write one of your own, like \"acme.example/mondoo\"; what begins \
           with kubernetes.io/ is for Kubernetes itself",
};

fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

fn name(
    block: &Block,
    attribute: &str,
    form: &Form,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<String> {
    let Some((text, span)) = decoder.text(block, attribute, frame)? else {
        return Ok(None);
    };
    if (form.fits)(&text) {
        return Ok(Some(text));
    }
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, form.what)
            .help(form.help),
    );
    Err(Failed)
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::Place;

    fn with(attributes: &str) -> String {
        format!(
            "sink \"kubernetes\" \"ops\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"agent\"]\n  credential {{ deliver_to = [sink.kubernetes.ops] }}\n}}\n"
        )
    }

    #[test]
    fn without_more_it_is_what_mondoos_operator_reads() {
        let text = with(
            "address = \"https://K8s.acme.example:6443/\"\nnamespace = \"mondoo-operator\"\n\
             name = \"mondoo-client\"",
        );
        let came = come_to(&text).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        let [to] = account.deliver_to.as_slice() else {
            panic!("{:?}", account.deliver_to)
        };
        let Place::Kubernetes(place) = to.place() else {
            panic!("{to}")
        };
        assert_eq!(place.r#type, "Opaque");
        assert_eq!(
            to.to_string(),
            "sink.kubernetes.ops at https://k8s.acme.example:6443/mondoo-operator/mondoo-client#config"
        );
        // That of the page.
        assert_eq!(to.id().to_string(), "f32e898e41a0cf27");
    }

    #[test]
    fn each_account_may_have_a_namespace_a_secret_and_a_key_of_its_own() {
        let text = with(
            "address = \"https://k8s.acme.example\"\nnamespace = account.id\n\
             name = \"mondoo.${account.id}\"\nkey = \"${account.id}_1.json\"\n\
             type = \"acme.example/mondoo\"\nformat = \"base64\"",
        );
        let came = come_to(&text).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        let shown: Vec<String> = account.deliver_to.iter().map(ToString::to_string).collect();
        let place = "https://k8s.acme.example/scan/mondoo.scan#scan_1.json";
        assert_eq!(shown, [format!("sink.kubernetes.ops at {place}")]);
    }

    #[test]
    fn what_leads_elsewhere_than_it_says_is_refused() {
        let good = [
            ("address", "\"https://k8s.acme.example\""),
            ("namespace", "\"mondoo-operator\""),
            ("name", "\"mondoo-client\""),
        ];
        let long = format!("\"{}\"", "a".repeat(64));
        let longer = format!("\"{}\"", "a".repeat(254));
        for (name, value) in [
            ("address", "\"http://k8s.acme.example\""),
            ("address", "\"https://user:pw@k8s.acme.example\""),
            (
                "address",
                "\"https://rancher.acme.example/k8s/clusters/c-1\"",
            ),
            ("namespace", "\"\""),
            ("namespace", "\"..\""),
            ("namespace", "\"a/secrets/b\""),
            ("namespace", "\"a.b\""),
            ("namespace", "\"-a\""),
            ("namespace", long.as_str()),
            ("name", "\"\""),
            ("name", "\"..\""),
            ("name", "\"a..b\""),
            ("name", "\"a/../b\""),
            ("name", "\"a?force=true\""),
            ("name", "\"a%2fb\""),
            ("name", "\"A\""),
            ("name", "\"a_b\""),
            ("name", "\"a-\""),
            ("name", "\"a\\n\""),
            ("name", longer.as_str()),
            ("key", "\"\""),
            ("key", "\".\""),
            ("key", "\"..data\""),
            ("key", "\"a/b\""),
            ("key", "\"a b\""),
            ("key", longer.as_str()),
            ("type", "\"\""),
            ("type", "\"a b\""),
            ("type", "\"kubernetes.io/service-account-token\""),
            ("type", "\"bootstrap.kubernetes.io/token\""),
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
