//! Sinks of the kind `azure_key_vault`: which secret of which vault receives an account's credential.
//! Pure: names only; nothing is sent here.

use super::kind::{DecodedSink, ON_DELETE, format};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, must, must_for_account};
use crate::diag::Diagnostic;
use crate::lang::{Failed, Frame};
use crate::model::{AzureKeyVaultPlace, CredentialFormat, Origin, Place};

/// The form of `sink "azure_key_vault"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        must("vault"),
        must_for_account("name"),
        may("format"),
        ON_DELETE,
    ],
    ..PLAIN
};

/// The longest name of a secret. Source: Microsoft's documentation, "Azure Key Vault keys, secrets, and
/// certificates overview", object identifiers.
const LONGEST: usize = 127;

struct AzureKeyVault {
    vault: Origin,
    format: CredentialFormat,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let vault = vault(block, frame, decoder);
    let format = format(block, CredentialFormat::Json, frame, decoder);
    let (Some(vault), Some(format)) = (vault?, format?) else {
        return Ok(None);
    };
    Ok(Some(Box::new(AzureKeyVault { vault, format })))
}

/// A vault's host name, or its address.
fn vault(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<Origin> {
    let Some((text, span)) = decoder.text(block, "vault", frame)? else {
        return Ok(None);
    };
    let address = match text.contains("://") {
        true => text.to_string(),
        // The short name alone may be that of a vault in another cloud.
        false if !text.contains('.') => String::new(),
        false => format!("https://{text}"),
    };
    match Origin::new(&address) {
        Ok(vault) => Ok(Some(vault)),
        Err(_) => {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "this is no address of a vault")
                    .help("write its host name or its URI, as https://acme.vault.azure.net"),
            );
            Err(Failed)
        }
    }
}

impl DecodedSink for AzureKeyVault {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let Some((name, span)) = decoder.text(block, "name", frame)? else {
            return Ok(None);
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=LONGEST).contains(&name.len()) || !name.bytes().all(plain) {
            decoder.report(
                Diagnostic::error(codes::INVALID_VALUE)
                    .at(span, "this is no name of a secret")
                    .help(format!(
                        "up to {LONGEST} letters, digits and `-` make one; replace(account.id, \"_\", \
                         \"-\") is one for most accounts"
                    )),
            );
            return Err(Failed);
        }
        Ok(Some(Place::AzureKeyVault(AzureKeyVaultPlace {
            vault: self.vault.clone(),
            name: name.to_ascii_lowercase(),
            format: self.format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::Place;

    fn with(vault: &str, name: &str) -> String {
        format!(
            "sink \"azure_key_vault\" \"ci\" {{\n  vault = {vault}\n  name = {name}\n}}\n\
             service_account \"my_scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.azure_key_vault.ci] }}\n}}\n"
        )
    }

    #[test]
    fn an_account_gets_a_secret_of_its_own_whose_case_does_not_count() {
        for vault in [
            "\"acme.vault.azure.net\"",
            "\"https://Acme.vault.azure.net/\"",
        ] {
            let text = with(vault, "\"Mondoo-${replace(account.id, \"_\", \"-\")}\"");
            let came = come_to(&text).expect("is right");
            let account = came.desired.accounts.values().next().expect("one");
            let [to] = account.deliver_to.as_slice() else {
                panic!("{:?}", account.deliver_to)
            };
            let Place::AzureKeyVault(place) = to.place() else {
                panic!("{to}")
            };
            assert_eq!(place.vault.as_str(), "https://acme.vault.azure.net");
            assert_eq!(place.name, "mondoo-my-scan");
            assert_eq!(
                to.to_string(),
                "sink.azure_key_vault.ci at https://acme.vault.azure.net/secrets/mondoo-my-scan"
            );
        }
    }

    #[test]
    fn what_leads_elsewhere_than_it_says_is_refused() {
        let long = format!("\"{}\"", "a".repeat(128));
        for (vault, name) in [
            ("\"http://acme.vault.azure.net\"", None),
            ("\"https://user:pw@acme.vault.azure.net\"", None),
            ("\"https://acme.vault.azure.net/secrets\"", None),
            ("\"acme.vault.azure.net/secrets/x\"", None),
            ("\"acme.vault.azure.net?x\"", None),
            ("\"acme\"", None),
            ("\"\"", None),
            ("\"acme.vault.azure.net\"", Some("\"\"")),
            ("\"acme.vault.azure.net\"", Some("\"my_scan\"")),
            ("\"acme.vault.azure.net\"", Some("\"..\"")),
            ("\"acme.vault.azure.net\"", Some("\"a/b\"")),
            ("\"acme.vault.azure.net\"", Some("\"a%2fb\"")),
            ("\"acme.vault.azure.net\"", Some("\"a b\"")),
            ("\"acme.vault.azure.net\"", Some("\"a\\nb\"")),
            ("\"acme.vault.azure.net\"", Some(&long)),
        ] {
            let found = wrong(&with(vault, name.unwrap_or("\"ci\"")));
            let expected = name.unwrap_or(vault).to_owned();
            assert_eq!(found, [("invalid-value", expected)]);
        }
    }
}
