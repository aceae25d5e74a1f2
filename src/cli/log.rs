//! The log of a run, `--log FILE`: where it goes. What stands in it is told in `log_lines`. Prints nothing
//! but where the log itself is to be printed.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum as _;
use jiff::Timestamp;

use crate::echo;

use super::console::Console;
use super::events::Event;
use super::failure::Failure;
use super::log_lines::{HEAD, lines};
use super::options::{Level, LogArgs};
use crate::private_file::{WriteMode, begin_private, is_special, open_special};

/// Names the log for every run of a machine.
const VARIABLE: &str = "ROLECALL_LOG";
/// Names its level.
const LEVEL_VARIABLE: &str = "ROLECALL_LOG_LEVEL";
/// The name that stands for standard error.
const STDERR: &str = "-";

/// A log that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The option or variable that names it.
    pub taker: &'static str,
    /// Its file; `None` for standard error.
    pub file: Option<PathBuf>,
    level: Level,
}

/// The log that the command line asks for, or else the environment.
///
/// # Errors
/// That one of them says what no log is.
pub fn wanted(args: &LogArgs) -> Result<Option<Wanted>, Failure> {
    let variable = |name: &'static str| match std::env::var_os(name) {
        Some(value) if value.is_empty() => Err(Failure::error(format!("{name} is set and empty"))
            .help("unset it where no log is wanted")),
        value => Ok(value),
    };
    let level = match (args.log_level, variable(LEVEL_VARIABLE)?) {
        (Some(level), _) => level,
        (None, None) => Level::default(),
        (None, Some(text)) => {
            let text = text.to_string_lossy();
            Level::from_str(&text, false).map_err(|_| {
                let shown = echo::text(&text).given(LEVEL_VARIABLE);
                Failure::error(format!("{LEVEL_VARIABLE} is no level of a log: {shown}"))
                    .help("a level is error, warn, info or debug")
            })?
        }
    };
    let (taker, file) = match (&args.log, variable(VARIABLE)?) {
        (Some(file), _) => ("--log", file.clone()),
        (None, Some(file)) => (VARIABLE, PathBuf::from(file)),
        (None, None) if args.log_level.is_some() => {
            return Err(
                Failure::usage("--log-level is of a log, and none is asked for")
                    .help("name its file with --log FILE, or leave --log-level out"),
            );
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(Wanted {
        taker,
        file: (file != Path::new(STDERR)).then_some(file),
        level,
    }))
}

/// Where the lines go.
#[derive(Debug)]
enum To {
    Watchers,
    File {
        taker: &'static str,
        path: PathBuf,
        file: File,
    },
}

/// A log that is written.
#[derive(Debug)]
pub struct Log {
    level: Level,
    to: To,
    /// Whether a line could not be written.
    lost: AtomicBool,
    /// Whether nothing is written any more.
    mute: AtomicBool,
}

impl Log {
    /// Begins a log, in the place of nothing but another one.
    ///
    /// # Errors
    /// Why its file cannot be written.
    pub fn open(wanted: Wanted) -> Result<Self, Failure> {
        let Wanted { taker, file, level } = wanted;
        let to = match file {
            None => To::Watchers,
            Some(path) => {
                let file = open(taker, &path)?;
                To::File { taker, path, file }
            }
        };
        Ok(Self {
            level,
            to,
            lost: AtomicBool::new(false),
            mute: AtomicBool::new(false),
        })
    }

    /// Whether a line could not be written.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Writes nothing from now on.
    pub fn mute(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    /// Writes what happened.
    ///
    /// # Errors
    /// Why a line cannot be written, the first time that one cannot.
    pub fn take(&self, event: Event<'_>, console: &Console) -> Result<(), Failure> {
        if self.mute.load(Ordering::SeqCst) {
            return Ok(());
        }
        for line in lines(event, self.level, Timestamp::now()) {
            self.write(&line, console)?;
        }
        Ok(())
    }

    fn write(&self, line: &str, console: &Console) -> Result<(), Failure> {
        let (taker, path, mut file) = match &self.to {
            To::Watchers => {
                console.tell(line);
                return Ok(());
            }
            To::File { taker, path, file } => (taker, path, file),
        };
        match file.write_all(format!("{line}\n").as_bytes()) {
            // A reader that has gone away is no error, as for standard output.
            Err(error)
                if error.kind() != ErrorKind::BrokenPipe
                    && !self.lost.swap(true, Ordering::SeqCst) =>
            {
                Err(Failure::unwritten(
                    &error.into(),
                    taker,
                    path,
                    WriteMode::Replace,
                ))
            }
            _ => Ok(()),
        }
    }
}

fn open(taker: &'static str, path: &Path) -> Result<File, Failure> {
    let unwritten =
        |error: io::Error| Failure::unwritten(&error.into(), taker, path, WriteMode::Replace);
    if is_special(path) {
        return open_special(path).map_err(unwritten);
    }
    if std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| {
            let most = u64::try_from(HEAD.len()).unwrap_or(u64::MAX);
            file.take(most).read_to_end(&mut head)
        });
        // What cannot be read is no log.
        if read.is_err() || head != HEAD {
            return Err(Failure::error(format!(
                "{taker} would replace {}, which is no log",
                echo::path(path)
            ))
            .help("name another file, or remove this one if it is not needed"));
        }
    }
    begin_private(path).map_err(|error| Failure::unwritten(&error, taker, path, WriteMode::Replace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_takes_the_place_of_nothing_but_a_log_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("run.log");
        let console = Console::new(true, false);
        let begin = || {
            Log::open(Wanted {
                taker: "--log",
                file: Some(path.clone()),
                level: Level::Info,
            })
        };
        for _ in 0..2 {
            let log = begin().expect("opened");
            log.take(Event::Began { command: "plan" }, &console)
                .expect("written");
            let text = std::fs::read_to_string(&path).expect("there");
            assert_eq!(text.lines().count(), 1, "{text}");
            let mode = std::fs::metadata(&path).expect("there").permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
                .expect("changed");
        }
        for precious in ["{\"rolecall_plan\":4}", "a", "{\"time\":1}\n"] {
            std::fs::write(&path, precious).expect("written");
            let why = begin().expect_err("no log");
            let (message, _) = why.findings()[0].error().expect("an error");
            assert!(message.contains("which is no log"), "{message}");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), precious);
        }
        std::fs::write(&path, "").expect("written");
        begin().expect("nothing is lost");
    }

    #[test]
    fn a_log_that_takes_nothing_is_told_once() {
        let full = Wanted {
            taker: "--log",
            file: Some(PathBuf::from("/dev/full")),
            level: Level::Debug,
        };
        let log = Log::open(full).expect("opened");
        let console = Console::new(true, false);
        let began = Event::Began { command: "plan" };
        let why = log.take(began, &console).expect_err("it is full");
        let (message, help) = why.findings()[0].error().expect("an error");
        assert_eq!(message, "cannot write /dev/full: the disk is full");
        assert_eq!(help, ["free some space"]);
        assert!(log.lost());
        log.take(began, &console).expect("said before");
    }
}
