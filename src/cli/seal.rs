//! Where a run's seal keys come from: the public one is the configuration's; the private one comes from
//! the environment alone. The embedded platform has a pair of its own beside its data.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::echo;

use super::failure::Failure;
use super::paths::word;
use super::reporter::Reporter;
use crate::model::{SEAL_KEY_PREFIX, SealKey, SealKeys, Seals};
use crate::private_file::{WriteMode, write_private};

/// The private key's name in the environment.
pub const VARIABLE: &str = "ROLECALL_SEAL_KEY";
/// The name of the file that holds it.
pub const FILE_VARIABLE: &str = "ROLECALL_SEAL_KEY_FILE";
/// What is not read any more, and told where it is still set.
const FORMER_VARIABLE: &str = "ROLECALL_SEAL_KEY_PREVIOUS";
/// How much of a key's file is read, in bytes: more than a key and white space around it has.
const MOST: usize = 4096;

/// A new key, of the system's randomness.
///
/// # Errors
/// A sentence, if the system has none.
pub fn random() -> Result<SealKey, String> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *seed)
        .map_err(|_| "the system's random source does not work".to_owned())?;
    SealKey::of_seed(seed)
}

/// A private key as the text of a file.
pub fn file_text(key: &SealKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", key.text().as_str()))
}

/// The private key of the environment, and the variable that gave it.
pub struct Private {
    /// The variable.
    pub name: &'static str,
    /// The key.
    pub key: SealKey,
}

/// What this run knows of seals. `local` is the folder of the embedded platform, if it is that one.
///
/// # Errors
/// What is wrong with a key, without showing it.
pub fn keys(
    local: Option<&Path>,
    configured: Option<&SealKeys>,
    accept_unsealed: bool,
    reporter: &Reporter,
) -> Result<Seals, Failure> {
    let (public, private) = match local {
        Some(folder) => {
            let key = of_folder(folder)?;
            let keys = SealKeys {
                current: key.public().clone(),
                former: None,
            };
            let name = "the key of the embedded platform";
            (Some(keys), Some(Private { name, key }))
        }
        None => (configured.cloned(), private(reporter)?),
    };
    let name = private.as_ref().map_or(VARIABLE, |private| private.name);
    if let (None, Some(private)) = (&public, &private) {
        return Err(Failure::error(format!(
            "{name} is set, and the configuration has no seal_key, so nobody could check the seals"
        ))
        .help(format!(
            "write the public half into the `rolecall` block: seal_key = \"{}\"",
            private.key.public().text()
        )));
    }
    let seals = Seals::new(public, private.map(|private| private.key))
        .map_err(|why| not_the_configurations(name, &why))?;
    if accept_unsealed && !seals.verifies() {
        let why = "--accept-unsealed seals accounts, and the configuration has no seal_key";
        return Err(Failure::usage(why).help("make a key with `rolecall seal new`"));
    }
    Ok(seals.accepting_unsealed(accept_unsealed))
}

/// The private key is another one than the configuration's.
pub fn not_the_configurations(name: &str, why: &str) -> Failure {
    Failure::error(format!(
        "{name} does not belong to the configuration's seal_key: {why}"
    ))
    .help("set it to the private key of this stack; `rolecall seal show` tells which one a key is")
}

/// Sees that a run which is to write can seal what it writes.
///
/// # Errors
/// That it cannot.
pub fn can_write(seals: &Seals) -> Result<(), Failure> {
    if seals.can_seal() || !seals.verifies() {
        return Ok(());
    }
    let why =
        "the configuration has a seal_key, and this run has no private key to seal what it writes";
    Err(Failure::error(why).help(format!(
        "set {VARIABLE}, or {FILE_VARIABLE} to the file that holds it"
    )))
}

/// The private key of the environment.
///
/// # Errors
/// What is wrong with it, without showing it.
pub fn private(reporter: &Reporter) -> Result<Option<Private>, Failure> {
    if std::env::var_os(FORMER_VARIABLE).is_some() {
        reporter.warn(&format!(
            "{FORMER_VARIABLE} is set, and is not read any more: `rolecall seal rotate` writes into the \
             configuration that one key takes another's place"
        ));
    }
    // A value that is no text must not look like none: nothing would be sealed.
    let (name, text) = match (std::env::var_os(VARIABLE), std::env::var_os(FILE_VARIABLE)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let why = format!("both {VARIABLE} and {FILE_VARIABLE} are set");
            return Err(Failure::error(why).help("set one of them"));
        }
        (Some(value), None) => (
            VARIABLE,
            Zeroizing::new(value.to_string_lossy().into_owned()),
        ),
        (None, Some(path)) => (FILE_VARIABLE, of_file(Path::new(&path))?),
    };
    match SealKey::parse(&text) {
        Ok(key) => Ok(Some(Private { name, key })),
        Err(why) => Err(Failure::error(format!("{name}: {why}"))
            .help("use the key that `rolecall init` or `rolecall seal new` made for this stack")),
    }
}

/// The text of a private key's file, which nobody but its owner may read.
fn of_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let fail = |why: &str, help: &str| Failure::error(format!("{FILE_VARIABLE}: {why}")).help(help);
    if path.to_string_lossy().trim().starts_with(SEAL_KEY_PREFIX) {
        return Err(fail(
            "it holds a key, and not the name of a file",
            &format!("set {VARIABLE} to the key"),
        ));
    }
    let unreadable = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::InvalidData => "it is no text".to_owned(),
            _ => format!("cannot read the file: {error}"),
        };
        fail(&why, "it is the path of the file that holds the key")
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        return Err(fail(
            "others on this machine can read the file",
            "run chmod 600 on it; if others may have read it, make a new key with `rolecall seal \
             rotate`",
        ));
    }
    let mut text = Zeroizing::new(String::with_capacity(MOST));
    let limit = u64::try_from(MOST).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

/// The key beside the embedded platform's data, made the first time.
fn of_folder(folder: &Path) -> Result<SealKey, Failure> {
    let path = folder.join("seal.key");
    let fail = |what: &str, error: &dyn std::fmt::Display| {
        Failure::error(format!("cannot {what} {}: {error}", echo::path(&path))).help(format!(
            "it is the embedded platform's own and worth nothing to Mondoo; remove {} to start afresh",
            word(folder)
        ))
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = file_text(&random().map_err(|e| fail("make", &e))?);
            write_private(&path, text.as_bytes(), WriteMode::New).map_err(|e| fail("write", &e))?;
            text
        }
        Err(error) => return Err(fail("read", &error)),
    };
    SealKey::parse(&text).map_err(|why| fail("understand", &why))
}
