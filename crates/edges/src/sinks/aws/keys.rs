//! Keys that sign requests to AWS, wherever they come from.
//! Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::secret::zeroizing;
use crate::sinks::machine::BIRTH;

/// How long before its end a login is renewed.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
const _: () = assert!(BIRTH.as_secs() <= EARLY.as_secs());

/// Keys that sign requests.
pub(super) struct Keys {
    pub(super) id: Zeroizing<String>,
    pub(super) key: Zeroizing<String>,
    pub(super) token: Option<Zeroizing<String>>,
    pub(super) until: Option<Timestamp>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now + EARLY < until)
    }

    pub(super) fn lasting(id: &str, key: &str, token: Option<&str>) -> Self {
        let owned = |text: &str| Zeroizing::new(text.to_owned());
        Self {
            id: owned(id),
            key: owned(key),
            token: token.map(owned),
            until: None,
        }
    }

    /// Those of a role, in the form in which the agent of a container and the metadata of an instance give
    /// them; `None` if there are none.
    pub(super) fn given(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Given {
            #[serde(deserialize_with = "zeroizing")]
            access_key_id: Zeroizing<String>,
            #[serde(deserialize_with = "zeroizing")]
            secret_access_key: Zeroizing<String>,
            #[serde(deserialize_with = "zeroizing")]
            token: Zeroizing<String>,
            expiration: String,
        }
        let Given {
            access_key_id,
            secret_access_key,
            token,
            expiration,
        } = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: access_key_id,
            key: secret_access_key,
            token: Some(token),
            until: Some(expiration.parse().ok()?),
        })
    }
}

/// That there is no login, with the way out.
pub(super) fn refuse<T>(
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<T, SinkError> {
    Err(SinkError {
        kind: SinkErrorKind::Unauthenticated,
        effect: Effect::None,
        message: message.into(),
        help: Some(help.into()),
    })
}
