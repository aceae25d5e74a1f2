//! Sinks of the kind `vault`: which field of which secret receives an account's credential.
//! Pure: names only; nothing is sent here.

use super::kind::{DecodedSink, ON_DELETE, format, origin, path};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account, must, must_for_account};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{CredentialFormat, Origin, Place, VaultPlace};

/// The form of `sink "vault"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("address"),
        must("mount"),
        must_for_account("path"),
        may_for_account("field"),
        may("namespace"),
        may("format"),
        may("metadata"),
        ON_DELETE,
    ],
    ..PLAIN
};

/// The field if none is named.
const FIELD: &str = "credential";

struct Vault {
    address: Origin,
    namespace: String,
    mount: String,
    format: CredentialFormat,
    metadata: bool,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let address = origin(block, "address", frame, decoder);
    let mount = mount(block, frame, decoder);
    let namespace = match decoder.is_set(block, "namespace", frame)? {
        true => path(block, "namespace", frame, decoder),
        false => Ok(Some(String::new())),
    };
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let metadata = match decoder.is_set(block, "metadata", frame)? {
        true => decoder.flag(block, "metadata", frame),
        false => Ok(Some(false)),
    };
    let (Some(address), Some(mount), Some(namespace), Some(format), Some(metadata)) =
        (address?, mount?, namespace?, format?, metadata?)
    else {
        return Ok(None);
    };
    Ok(Some(Box::new(Vault {
        address,
        // What Vault's programs call the root namespace.
        namespace: if namespace == "root" {
            String::new()
        } else {
            namespace
        },
        mount,
        format,
        metadata,
    })))
}

/// Where an engine is mounted. What Vault itself has there is none.
/// Source: `protectedMounts` in HashiCorp Vault's `vault/mount.go`.
fn mount(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<String> {
    let Some(mount) = path(block, "mount", frame, decoder)? else {
        return Ok(None);
    };
    let first = mount.split('/').next().unwrap_or_default();
    if !["auth", "audit", "cubbyhole", "identity", "sys"].contains(&first) {
        return Ok(Some(mount));
    }
    let span = block.attribute("mount").map_or(block.span, |it| it.span);
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(
                span,
                format!("`{first}` is Vault's own, and no engine is there"),
            )
            .help("name the mount of a key-value engine of version 2, such as `secret`"),
    );
    Err(Failed)
}

impl DecodedSink for Vault {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let Some(secret) = path(block, "path", frame, decoder)? else {
            return Ok(None);
        };
        let field = match decoder.is_set(block, "field", frame)? {
            true => match decoder.text(block, "field", frame)? {
                Some((field, span)) => {
                    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
                    if !(1..=128).contains(&field.len()) || !field.bytes().all(plain) {
                        decoder.report(
                            Diagnostic::error(codes::INVALID_VALUE)
                                .at(span, "this is no name of a field")
                                .help("up to 128 letters, digits, `_`, `.` and `-` make one"),
                        );
                        return Err(Failed);
                    }
                    field
                }
                None => return Ok(None),
            },
            false => FIELD.to_owned(),
        };
        Ok(Some(Place::Vault(VaultPlace {
            address: self.address.clone(),
            namespace: self.namespace.clone(),
            mount: self.mount.clone(),
            path: secret,
            field,
            format: self.format,
            metadata: self.metadata,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::Place;

    fn with(attributes: &str) -> String {
        format!(
            "sink \"vault\" \"ci\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.vault.ci] }}\n}}\n"
        )
    }

    #[test]
    fn an_account_gets_a_field_of_its_own_secret() {
        let text = with(
            "address = \"https://Vault.acme.example:443/\"\nmount = \"/teams/a/kv/\"\n\
             path = \"mondoo/${account.id}\"\nnamespace = \"root\"",
        );
        let came = come_to(&text).expect("is right");
        let account = came.desired.accounts.values().next().expect("one");
        let [to] = account.deliver_to.as_slice() else {
            panic!("{:?}", account.deliver_to)
        };
        let Place::Vault(place) = to.place() else {
            panic!("{to}")
        };
        assert_eq!(place.address.as_str(), "https://vault.acme.example");
        assert_eq!(
            (
                &*place.namespace,
                &*place.mount,
                &*place.path,
                &*place.field
            ),
            ("", "teams/a/kv", "mondoo/scan", "credential")
        );
        assert_eq!(
            to.to_string(),
            "sink.vault.ci at https://vault.acme.example/teams/a/kv/mondoo/scan#credential"
        );
    }

    #[test]
    fn what_leads_elsewhere_than_it_says_is_refused() {
        let good = [
            ("address", "\"https://vault.acme.example\""),
            ("mount", "\"secret\""),
            ("path", "\"ci\""),
        ];
        for (name, value) in [
            ("address", "\"http://vault.acme.example\""),
            ("address", "\"https://user:pw@vault.acme.example\""),
            ("address", "\"https://vault.acme.example/v1\""),
            ("mount", "\"\""),
            ("mount", "\"secret/../sys\""),
            ("mount", "\"secret?x\""),
            ("mount", "\"sys\""),
            ("mount", "\"/auth/token/\""),
            ("path", "\"../../sys/policy\""),
            ("path", "\"a//b\""),
            ("path", "\"a b\""),
            ("path", "\"a%2fb\""),
            ("path", "\"a\\nb\""),
            ("namespace", "\"a/./b\""),
            ("field", "\"\""),
            ("field", "\"a b\""),
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
