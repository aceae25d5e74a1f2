//! What a secret or a parameter holds: a credential as one text, or a text that is none.
//! Pure.

use zeroize::Zeroizing;

use super::answer::refuse;
use super::resource::Api;
use crate::model::{CredentialFormat, IssuedCredential, StoredCredential};
use crate::ports::{Found, ReadKey, SinkError, SinkErrorKind};
use crate::sinks::content;

/// What holds no key.
pub(super) const NOTHING: &str = "{}";

/// The text of a credential, of so many bytes at most.
///
/// # Errors
/// If it is longer, with both numbers and this way out.
pub(super) fn rendered(
    credential: &IssuedCredential,
    format: CredentialFormat,
    (room, of): (usize, &str),
    help: &str,
) -> Result<Zeroizing<String>, SinkError> {
    let text = content::value(credential, format)?;
    match text.len() > room {
        true => Err(refuse(
            SinkErrorKind::Full,
            format!(
                "the credential is {} bytes long, and {of} takes {room} at most",
                text.len()
            ),
            help,
        )),
        false => Ok(text),
    }
}

/// What is there, where something is; `None` is what is no text.
pub(super) fn found(api: Api, held: Option<&str>) -> Found {
    match held {
        Some(NOTHING) => Found::Nobody,
        held => match held.and_then(|text| content::holder(text.as_bytes())) {
            Some((account, endpoint)) => Found::Account { account, endpoint },
            None => {
                let thing = api.thing();
                Found::Foreign {
                    what: format!(
                        "the {thing} holds something that is not a credential; move it away, or name \
                         another {thing}"
                    ),
                }
            }
        },
    }
}

/// The key in what was found there.
pub(super) fn key(found: Found, held: Option<&str>) -> ReadKey {
    match found {
        Found::Nobody => ReadKey::Nothing,
        Found::Foreign { what } => ReadKey::Other(what),
        Found::Unreadable => ReadKey::Other("something that cannot be read".to_owned()),
        Found::Account { .. } => {
            let text = held.unwrap_or_default();
            content::held(&StoredCredential::new(text.as_bytes().to_vec()))
        }
    }
}
