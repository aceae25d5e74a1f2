//! `rolecall seal`: makes seal keys, says which one is in use, lets one hand over to the next. Talks to
//! nobody, and shows no private key on a terminal.

use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::cli::{console, load, seal};
use crate::config::{HandOver, Sealing};
use crate::diag::SourceMap;
use crate::model::{SealKey, SealKeys, SealPublicKey};
use crate::private_file::{Unwritten, WriteMode, rewrite, try_private, write_private};
use crate::{echo, sinks};

/// The file of a new key, where none is named; `rolecall init` has git ignore it.
const FILE: &str = "seal.key";
/// The name that stands for standard output.
const STDOUT: &str = "-";

/// `rolecall seal`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "A seal proves which accounts are this configuration's. The public key stands in it as \
seal_key; the private one is a secret of the job that applies (ROLECALL_SEAL_KEY, or the name of its \
file in ROLECALL_SEAL_KEY_FILE). `rolecall docs reliability` has all of it.\n\n\
Examples:\n  rolecall seal new --out seal.key\n  rolecall seal show access/\n  \
rolecall seal rotate access/"
)]
pub struct SealArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SealCommand,
}

/// What to do with seal keys.
#[derive(Debug, Subcommand)]
pub enum SealCommand {
    /// Make a key, for a configuration that has none
    New(NewArgs),
    /// Say which key is in use, and whether the private one belongs to the configuration
    Show(ShowArgs),
    /// Make a new key and let the one in use hand over to it
    Rotate(RotateArgs),
}

/// `rolecall seal new`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The command of a store for secrets can take the key from `--out -`, as `gh secret set \
ROLECALL_SEAL_KEY` does.\n\n\
Examples:\n  rolecall seal new\n  rolecall seal new --out other.key"
)]
pub struct NewArgs {
    /// A new file for the private key, readable by you alone; `-` for standard output, if that is no
    /// terminal
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub out: PathBuf,
}

/// `rolecall seal show`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Exits 1 if the private key of ROLECALL_SEAL_KEY or ROLECALL_SEAL_KEY_FILE does not \
belong to the configuration.\n\n\
Examples:\n  rolecall seal show access/\n  rolecall seal show"
)]
pub struct ShowArgs {
    /// The directory that holds the configuration. Otherwise the working directory, if it has one
    pub dir: Option<PathBuf>,
}

/// `rolecall seal rotate`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Needs the private key in use (ROLECALL_SEAL_KEY or ROLECALL_SEAL_KEY_FILE). Writes the \
new private key to a new file, and into the configuration the new seal_key and the word of both keys for \
that; every other byte stays. The next apply with the new key seals anew what the old one sealed.\n\n\
Examples:\n  rolecall seal rotate access/\n  rolecall seal rotate --out new.key access/"
)]
pub struct RotateArgs {
    /// The directory that holds the configuration
    #[arg(default_value = ".")]
    pub dir: PathBuf,

    /// A new file for the private key, readable by you alone. Otherwise seal.key in the
    /// configuration's directory
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl Invocation for SealArgs {
    fn files(&self) -> Files<'_> {
        match &self.command {
            SealCommand::New(args) => Files::default().writes("--out", Some(&args.out)),
            SealCommand::Rotate(args) => Files::default().writes("--out", args.out.as_ref()),
            SealCommand::Show(_) => Files::default(),
        }
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(run(&self, &context.reporter)))
    }
}

fn run(args: &SealArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.command {
        SealCommand::New(args) => new(args, reporter)?,
        SealCommand::Show(args) => show(args, reporter)?,
        SealCommand::Rotate(args) => rotate(args, reporter)?,
    }
    Ok(Exit::Done)
}

fn new(args: &NewArgs, reporter: &Reporter) -> Result<(), Failure> {
    let to_stdout = args.out == Path::new(STDOUT);
    if to_stdout && reporter.seen() {
        return Err(Failure::usage(
            "a private key is not shown on a terminal: it would stay in what can be scrolled back to",
        )
        .help(format!("write it to a file: --out {FILE}"))
        .help("or let another program take it: rolecall seal new --out - | …"));
    }
    if !to_stdout {
        free(&args.out)?;
    }
    let key = seal::random().map_err(Failure::error)?;
    let configured = format!(
        "In the `rolecall` block of the configuration:\n  seal_key = \"{}\"\n",
        key.public().text()
    );
    if to_stdout {
        hand_on(&key)?;
        reporter.note(&format!(
            "The private key {} is on standard output.\n{configured}",
            key.public().id()
        ));
        return Ok(());
    }
    keep(&args.out, &key)?;
    reporter.result(&format!(
        "Wrote {}: the private key {}.\n{configured}\nNext:\n  1. Write that line, and have it merged. \
         Everybody may know it: with it plans prove whose an account is.\n  2. {}\n  3. If accounts of \
         this configuration are live already, look at `rolecall plan --accept-unsealed DIR`, and apply \
         once with that flag.\n",
        shown(&args.out),
        key.public().id(),
        put_away(&args.out)
    ));
    warn_of_git(&args.out, reporter);
    Ok(())
}

fn show(args: &ShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let private = seal::private(reporter)?;
    let here = Path::new(".");
    let dir = match &args.dir {
        Some(dir) => Some(dir.as_path()),
        None => load::any(here).then_some(here),
    };
    let configured = match dir {
        Some(dir) => Some((dir, load::sealing(dir, reporter)?.0)),
        None => None,
    };
    if private.is_none() && configured.is_none() {
        return Err(Failure::error(format!(
            "there is no configuration here, and neither {} nor {} is set",
            seal::VARIABLE,
            seal::FILE_VARIABLE
        ))
        .help(
            "name the directory that holds a configuration, or make a key with `rolecall seal new`",
        ));
    }
    let mut out = String::new();
    if let Some(private) = &private {
        out.push_str(&format!("The private key of {}\n", private.name));
        out.push_str(&of_key("public half", private.key.public()));
    }
    if let Some((dir, sealing)) = &configured {
        out.push_str(&format!("The configuration in {}\n", shown(dir)));
        out.push_str(&of_configuration(sealing));
    }
    let verdict = match (&private, &configured) {
        (Some(private), Some((_, sealing))) => {
            Some(belongs(private.key.public(), sealing.keys.as_ref()))
        }
        _ => None,
    };
    if let Some(Ok(good)) = &verdict {
        out.push_str(&format!("{good}\n"));
    }
    reporter.result(&out);
    match (verdict, private) {
        (Some(Err((why, help))), Some(private)) => {
            Err(Failure::error(format!("{}: {why}", private.name)).help(help))
        }
        _ => Ok(()),
    }
}

fn of_key(name: &str, key: &SealPublicKey) -> String {
    format!(
        "  {name:<12} {}\n  {:<12} {}\n",
        key.text(),
        "short name",
        key.id()
    )
}

fn of_configuration(sealing: &Sealing) -> String {
    let Some(SealKeys { current, former }) = &sealing.keys else {
        return "  seal_key     none, so nothing proves whose an account is; `rolecall seal new` makes one\n"
            .to_owned();
    };
    let mut out = of_key("seal_key", current);
    if let Some(former) = former {
        out.push_str(&of_key("former key", former));
    }
    out
}

/// Whether a private key is the configuration's; else what it is, and the way out.
fn belongs(
    private: &SealPublicKey,
    keys: Option<&SealKeys>,
) -> Result<&'static str, (&'static str, &'static str)> {
    let Some(SealKeys { current, former }) = keys else {
        return Err((
            "the configuration has no seal_key that it could belong to",
            "write its public half into the `rolecall` block, as seal_key",
        ));
    };
    if current == private {
        Ok("The private key belongs to this configuration.")
    } else if former.as_ref() == Some(private) {
        Err((
            "it is the former key, which has handed over to seal_key",
            "put the new private key in its place",
        ))
    } else {
        Err((
            "it does not belong to this configuration",
            "find the private key whose short name is that of seal_key; if it is lost, see \
             `rolecall docs reliability`, \"The seal\"",
        ))
    }
}

fn rotate(args: &RotateArgs, reporter: &Reporter) -> Result<(), Failure> {
    let out = args.out.clone().unwrap_or_else(|| args.dir.join(FILE));
    if out == Path::new(STDOUT) {
        return Err(Failure::usage(
            "a key that takes another's place goes into a file: nothing may be lost if it is not read",
        )
        .help("name a new file: --out FILE"));
    }
    let (sealing, sources) = load::sealing(&args.dir, reporter)?;
    let (keys, old) = in_use(&sealing, reporter)?;
    let Some(stack) = &sealing.stack else {
        let why = "the stack's name or id hangs on a variable that has no value";
        return Err(Failure::error(why).help(
            "write both out in the `rolecall` block, or set the variable: ROLECALL_VAR_name",
        ));
    };
    free(&out)?;
    let key = seal::random().map_err(Failure::error)?;
    let signature = old.hand_over(stack, key.public());
    let countersignature = key.take_over(stack, old.public());
    let word = HandOver {
        new: key.public(),
        old: old.public(),
        signature: &signature,
        countersignature: &countersignature,
    };
    let edited = sealing.rotated(&sources, &word);
    keep(&out, &key)?;
    let changed = match edited {
        Some((path, text)) => {
            let path = place(&args.dir, &path);
            if let Err(why) = write(&path, &sources, &sealing, &text) {
                // The key is nobody's yet.
                let _ = fs::remove_file(&out);
                return Err(
                    Failure::error(format!("cannot write {}: {why}", shown(&path)))
                        .help("the configuration is as it was, and no key was left"),
                );
            }
            format!(
                "Changed {}: the new seal_key, and the word of both keys for it in seal_key_former.\n",
                shown(&path)
            )
        }
        None => format!(
            "The `rolecall` block is not written as it could be changed safely. Have it say:\n  {}\n",
            word.lines().join("\n  ")
        ),
    };
    reporter.result(&format!(
        "Wrote {}: the private key {}, which takes the place of {}.\n{changed}\n{}",
        shown(&out),
        key.public().id(),
        old.public().id(),
        rotated(&out)
    ));
    warn_of_git(&out, reporter);
    if let Some(former) = &keys.former {
        reporter.warn(&format!(
            "the key {} had not been taken out of seal_key_former, and is out of it now: an account that \
             is still sealed with it will be disputed. Nobody can tell that from here: see that the last \
             plan before this change seals no account anew",
            former.id()
        ));
    }
    Ok(())
}

/// The keys of a configuration, and the private one that belongs to them.
fn in_use<'a>(
    sealing: &'a Sealing,
    reporter: &Reporter,
) -> Result<(&'a SealKeys, SealKey), Failure> {
    let Some(keys) = &sealing.keys else {
        let why = "the configuration has no seal_key, so there is none to hand over";
        return Err(Failure::error(why).help("make one: rolecall seal new"));
    };
    let Some(private) = seal::private(reporter)? else {
        return Err(Failure::error(
            "only the private key in use can hand over, and it is not here",
        )
        .help(format!(
            "set {} to it, or {} to the file that holds it",
            seal::VARIABLE,
            seal::FILE_VARIABLE
        ))
        .help(
            "if it is lost: make a new key with `rolecall seal new`, and import every account anew",
        ));
    };
    if *private.key.public() != keys.current {
        let why = format!(
            "it is the key {}, and the configuration's is {}",
            private.key.public().id(),
            keys.current.id()
        );
        return Err(seal::not_the_configurations(private.name, &why));
    }
    Ok((keys, private.key))
}

/// The file of a directory that findings show under this path.
fn place(dir: &Path, shown: &str) -> PathBuf {
    match Path::new(shown).file_name() {
        Some(name) => dir.join(name),
        None => PathBuf::from(shown),
    }
}

/// Puts the new text in the place of the one that was read, if that is still there.
fn write(path: &Path, sources: &SourceMap, sealing: &Sealing, text: &str) -> Result<(), String> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let there = fs::read(path).map_err(|error| error.to_string())?;
    let (mark, rest) = match there.strip_prefix(MARK) {
        Some(rest) => (MARK, rest),
        None => (&[][..], there.as_slice()),
    };
    if sealing.text(sources).as_bytes() != rest {
        return Err("somebody else has changed it since it was read".to_owned());
    }
    rewrite(path, &[mark, text.as_bytes()].concat()).map_err(|error| error.to_string())
}

/// Sees that a new key can be written, in the place of nothing.
fn free(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::error(format!("{} is there already", shown(path)))
            .help("a key never takes the place of anything: name a new file with --out"));
    }
    try_private(path, WriteMode::New).map_err(|error| unwritten(&error, path))
}

fn keep(path: &Path, key: &SealKey) -> Result<(), Failure> {
    write_private(path, seal::file_text(key).as_bytes(), WriteMode::New)
        .map_err(|error| unwritten(&error, path))
}

fn unwritten(error: &Unwritten, path: &Path) -> Failure {
    Failure::unwritten(error, "--out", path, WriteMode::New)
}

/// Gives a private key to the program that reads standard output. A key that nobody took is told:
/// what is sealed with it could never be sealed anew.
fn hand_on(key: &SealKey) -> Result<(), Failure> {
    console::hand_over(&seal::file_text(key)).map_err(|error| {
        Failure::error(format!(
            "nobody took the private key from standard output: {error}"
        ))
        .help("make another one")
    })
}

fn put_away(path: &Path) -> String {
    format!(
        "Put the content of {} where the secrets of the job that applies are kept, as {}, and only then \
         delete the file. (On a machine that keeps it, {} names the file.)",
        shown(path),
        seal::VARIABLE,
        seal::FILE_VARIABLE
    )
}

fn rotated(out: &Path) -> String {
    format!(
        "Next:\n  1. Have the change merged. Plans take the seals of both keys from then on.\n  2. {} \
         There it takes the place of the old key: until both are changed, applies refuse and write nothing.\n  3. \
         Apply. It seals anew what the old key sealed, and plans show that.\n  4. When a plan seals no \
         account anew any more, take the block seal_key_former out.\n",
        put_away(out)
    )
}

fn shown(path: &Path) -> String {
    echo::path(path.strip_prefix(".").unwrap_or(path)).to_string()
}

/// Warns of a key in a repository whose `.gitignore` does not plainly name it.
fn warn_of_git(path: &Path, reporter: &Reporter) {
    if git_tracks(path) {
        reporter.warn(&format!(
            "git does not ignore {}: add it to .gitignore before anything is committed, with no `!` in \
             that file",
            shown(path)
        ));
    }
}

/// Whether git would track a file, as far as the files `.gitignore` on the way to it tell plainly.
fn git_tracks(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let Ok(full) = path.canonicalize() else {
        return false;
    };
    let mut taken_back = false;
    for (depth, folder) in full.ancestors().skip(1).enumerate() {
        let text = fs::read(folder.join(".gitignore")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        match sinks::git_ignores(&text, name, depth == 0) {
            Some(true) if !taken_back => return false,
            Some(_) => {}
            None => taken_back = true,
        }
        if folder.join(".git").exists() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn public(first: u8) -> SealPublicKey {
        let seed = std::array::from_fn(|i| first.wrapping_add(i as u8));
        let key = SealKey::of_seed(Zeroizing::new(seed)).expect("a key");
        key.public().clone()
    }

    #[test]
    fn a_private_key_is_told_from_the_former_one_and_from_a_strange_one() {
        let keys = SealKeys {
            current: public(1),
            former: Some(public(2)),
        };
        assert!(belongs(&public(1), Some(&keys)).is_ok());
        let why = |key: u8, keys: Option<&SealKeys>| {
            belongs(&public(key), keys).expect_err("another one").0
        };
        assert!(why(2, Some(&keys)).contains("former"));
        assert!(why(3, Some(&keys)).contains("does not belong"));
        assert!(why(1, None).contains("no seal_key"));
    }

    #[test]
    fn a_key_never_takes_the_place_of_anything() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").expect("written");
        std::os::unix::fs::symlink("nowhere", path("link")).expect("linked");
        for name in ["file", "link", ".", "no/such/folder"] {
            let refused = free(&path(name)).expect_err(name);
            assert_eq!(refused.exit(), Exit::Error, "{name}");
        }
        assert!(free(&path("new")).is_ok());
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 2);
    }

    #[test]
    fn a_key_that_git_would_track_is_told_as_git_reads_its_lines() {
        let dir = tempfile::tempdir().expect("a folder");
        let inner = dir.path().join("infra");
        fs::create_dir(&inner).expect("made");
        fs::create_dir(dir.path().join(".git")).expect("made");
        let key = inner.join("new.key");
        fs::write(&key, "").expect("written");
        for (above, beside, tracks) in [
            ("", "", true),
            ("", "new.key\n", false),
            ("", "\u{feff}/new.key \r\n", false),
            ("", "*\n", false),
            ("new.key\n", "", false),
            ("/new.key\n", "", true),
            ("", "new.key\t\n", true),
            ("", "new.key\u{a0}\n", true),
            ("", "*\n!new.key\n", true),
            ("*\n!new.key\n", "", true),
            // What is let through beside the key is not ignored by what stands above.
            ("*\n", "!new.key\n", true),
        ] {
            fs::write(dir.path().join(".gitignore"), above).expect("written");
            fs::write(inner.join(".gitignore"), beside).expect("written");
            assert_eq!(git_tracks(&key), tracks, "{above:?} {beside:?}");
        }
    }
}
