//! By what an API server knows who asks: a token, a file that holds one, or a client certificate.
//! Reads the file anew each time; never shows what it holds.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::ports::{Effect, SinkError, SinkErrorKind};

/// What proves who asks.
pub(super) enum Proof {
    /// A bearer token.
    Token(Zeroizing<String>),
    /// A file that holds one, which others renew.
    File {
        path: PathBuf,
        /// What names the file, for people: `KUBE_TOKEN_FILE`.
        named: &'static str,
    },
    /// A certificate and its private key, both in PEM.
    Certificate(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::File { .. } => "File",
            Self::Certificate(_) => "Certificate",
        })
    }
}

/// That nobody is logged in, and the way out.
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

/// A file of a login. `named` says what names it.
pub(super) fn read(path: &Path, named: &str, what: &str) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    fs::read(path).map(Zeroizing::new).or_else(|error| {
        refuse(
            format!("the file of {named} cannot be read: {error}"),
            format!("name a file that holds {what}"),
        )
    })
}

impl Proof {
    /// The token to send now; nothing where a certificate tells who asks.
    pub(super) fn token(&self) -> Result<Option<Zeroizing<String>>, SinkError> {
        let (text, named) = match self {
            Self::Certificate(_) => return Ok(None),
            Self::Token(text) => (text.clone(), "the login"),
            Self::File { path, named } => {
                let bytes = read(path, named, "a token")?;
                let text = std::str::from_utf8(&bytes).unwrap_or_default();
                (Zeroizing::new(text.to_owned()), *named)
            }
        };
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse(
                format!("{named} holds no token"),
                "a token is one line of letters, digits and signs",
            );
        }
        Ok(Some(Zeroizing::new(token.to_owned())))
    }

    /// The certificate with its key, where that tells who asks.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(pem) => Some(pem),
            Self::Token(_) | Self::File { .. } => None,
        }
    }
}
