//! Where a run's seal keys come from: the environment alone, but for the embedded platform, which
//! has a key of its own beside its data.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::echo;

use super::exit::Exit;
use super::output;
use super::private_file::{Place, write_private};
use crate::model::{SealKey, Seals};

/// The key's name in the environment.
pub const VARIABLE: &str = "ROLECALL_SEAL_KEY";
/// The name of the key that was in use before, while the seals are renewed.
pub const PREVIOUS: &str = "ROLECALL_SEAL_KEY_PREVIOUS";

/// A new key as text, of the system's randomness.
///
/// # Errors
/// A sentence, if the system has none.
pub fn random() -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *bytes)
        .map_err(|_| "the system's random source does not work".to_owned())?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in bytes.iter() {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(half.into(), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    Ok(text)
}

/// The keys of this run. `local` is the folder of the embedded platform, if it is that one.
///
/// # Errors
/// Prints what is wrong with a key, without showing it.
pub fn keys(local: Option<&Path>, accept_unsealed: bool) -> Result<Seals, Exit> {
    let current = variable(VARIABLE)?;
    let previous = variable(PREVIOUS)?;
    let seals = match (current, previous, local) {
        (Some(current), previous, _) => Seals::new(current, previous),
        (None, Some(_), _) => {
            output::error(
                &format!("{PREVIOUS} is set, and {VARIABLE} is not"),
                &[format!("set {VARIABLE} to the new key")],
            );
            return Err(Exit::Error);
        }
        (None, None, Some(folder)) => Seals::new(of_folder(folder)?, None),
        (None, None, None) => Seals::default(),
    };
    if accept_unsealed && !seals.can_seal() {
        output::error(
            "--accept-unsealed seals accounts, and this run has no seal key",
            &[format!("set {VARIABLE}")],
        );
        return Err(Exit::Usage);
    }
    Ok(seals.accepting_unsealed(accept_unsealed))
}

fn variable(name: &str) -> Result<Option<SealKey>, Exit> {
    // A value that is no text must not look like none: nothing would be verified.
    let Some(value) = std::env::var_os(name) else {
        return Ok(None);
    };
    let text = Zeroizing::new(value.to_string_lossy().into_owned());
    SealKey::parse(&text).map(Some).map_err(|why| {
        output::error(
            &format!("{name}: {why}"),
            &[
                "use the key that `rolecall init` made for this stack, or one of \
               `openssl rand -hex 32` for a new stack"
                    .to_owned(),
            ],
        );
        Exit::Error
    })
}

/// The key beside the embedded platform's data, made the first time.
fn of_folder(folder: &Path) -> Result<SealKey, Exit> {
    let path = folder.join("seal.key");
    let fail = |what: &str, error: &dyn std::fmt::Display| {
        output::error(
            &format!("cannot {what} {}: {error}", echo::path(&path)),
            &[],
        );
        Exit::Error
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = random().map_err(|e| fail("make", &e))?;
            write_private(&path, text.as_bytes(), Place::New).map_err(|e| fail("write", &e))?;
            text
        }
        Err(error) => return Err(fail("read", &error)),
    };
    SealKey::parse(&text).map_err(|why| fail("understand", &why))
}
