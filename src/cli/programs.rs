//! Programs that the command line lets sinks run: which they are, and running one. No configuration has a
//! word in that: it knows names alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use zeroize::Zeroizing;

use crate::echo;
use crate::model::{Desired, ExecPlace, Place};
use crate::sinks::{ProgramEnd, Programs, Ran};

use super::failure::Failure;
use super::options::ExecArgs;
use super::reach::variable;

/// The one argument of every program: an interpreter, or a program that was allowed by mistake, finds no such
/// file and ends.
const ARGUMENT: &str = "rolecall-sink-1";
/// The variables that every program gets.
const ALWAYS: &[&str] = &["PATH", "HOME", "LANG"];
/// What begins the names of variables that none gets: logins of the platform, of sinks and of CI jobs.
const NEVER: &[&str] = &["MONDOO_", "ROLECALL_", "ACTIONS_"];
/// The longest answer, in bytes: a credential has some 2 KiB.
const LARGEST: usize = 256 * 1024;
/// What is read of a program's complaints, in bytes.
const COMPLAINTS: usize = 64 * 1024;
/// More links than this on the way to a program lead in a circle.
const LINKS: usize = 40;

/// The programs that the command line allows, each looked at. `patience` is how long one may run.
///
/// # Errors
/// Which option is wrong, and why.
pub fn allowed(args: &ExecArgs, dir: &Path, patience: Duration) -> Result<Programs, Failure> {
    let ExecArgs {
        allow_exec,
        exec_env,
    } = args;
    let environment = environment(exec_env)?;
    let mut programs = BTreeMap::new();
    for given in allow_exec {
        let (name, path) = program(given, dir).map_err(|why| {
            Failure::usage(format!("--allow-exec {}: {why}", echo::text(given)))
                .help("--allow-exec=NAME=/absolute/path")
        })?;
        if programs.insert(name.clone(), path).is_some() {
            return Err(Failure::usage(format!(
                "--allow-exec says twice which program {name} is"
            )));
        }
    }
    Ok(lent(programs, environment, patience))
}

fn lent(
    programs: BTreeMap<String, PathBuf>,
    environment: Vec<(String, String)>,
    patience: Duration,
) -> Programs {
    let allowed = programs.keys().cloned().collect();
    let environment = Arc::new(environment);
    Programs {
        allowed,
        run: Arc::new(move |name, input| {
            let (path, environment) = (programs.get(name).cloned(), Arc::clone(&environment));
            Box::pin(async move {
                let Some(path) = path else {
                    return ended(ProgramEnd::NotStarted("it is not allowed".to_owned()));
                };
                let run = move || run(&path, &environment, patience, input);
                let ran = tokio::task::spawn_blocking(run).await;
                // What became of it nobody knows.
                ran.unwrap_or_else(|_| ended(ProgramEnd::Code(-1)))
            })
        }),
    }
}

/// Sees that every program is allowed that the keys of a configuration need.
///
/// # Errors
/// Which are not, with the options.
pub fn known(programs: &Programs, desired: &Desired) -> Result<(), Failure> {
    let declared = desired.accounts.values();
    let declared = declared.flat_map(|account| &account.deliver_to);
    let elsewhere = desired.elsewhere.values().flatten();
    let named = declared.chain(elsewhere).filter_map(|to| match to.place() {
        Place::Exec(place) => Some(place.program.as_str()),
        _ => None,
    });
    let missing: BTreeSet<&str> = named
        .filter(|name| !programs.allowed.contains(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let helps = missing
        .iter()
        .map(|name| format!("--allow-exec={name}=/absolute/path says which program that is"));
    Err(Failure::error(format!(
        "the configuration's sinks name programs that are not allowed, and nothing was written: {}",
        names.join(", ")
    ))
    .helps(helps))
}

/// The variables of every program: what is not set is not given.
fn environment(named: &[String]) -> Result<Vec<(String, String)>, Failure> {
    for name in named {
        let shown = echo::text(name);
        if NEVER
            .iter()
            .any(|never| name.to_uppercase().starts_with(never))
        {
            return Err(Failure::usage(format!(
                "--exec-env {shown}: no program gets a variable whose name begins with MONDOO_, \
                 ROLECALL_ or ACTIONS_, which hold logins of rolecall and of the job"
            )));
        }
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Failure::usage(format!(
                "--exec-env {shown}: this is no name of a variable"
            ))
            .help("name it; its value is taken from the environment"));
        }
    }
    let names = ALWAYS
        .iter()
        .copied()
        .chain(named.iter().map(String::as_str));
    let names: BTreeSet<&str> = names.collect();
    let set = names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), variable(name)?)));
    Ok(set.collect())
}

/// One `--allow-exec`: the name, and the file that is run; or what is wrong with it, a fragment.
fn program(given: &str, dir: &Path) -> Result<(String, PathBuf), String> {
    let Some((name, path)) = given.split_once('=') else {
        return Err("it is no NAME=PATH".to_owned());
    };
    if !ExecPlace::is_program(name) {
        return Err(format!(
            "a name is of small letters, digits, `-` and `_`, {} at most",
            ExecPlace::LONGEST_NAME
        ));
    }
    let path = Path::new(path);
    if !path.is_absolute() {
        return Err("the path is not absolute".to_owned());
    }
    let unread = |error: io::Error| format!("it cannot be looked at: {}", error.kind());
    let inside = dir.canonicalize().map_err(unread)?;
    let way = way(path).map_err(unread)?;
    let leads_into = |folder: &Path| way.iter().any(|step| step.starts_with(folder));
    if leads_into(&inside) {
        return Err(
            "it is inside of the configuration's directory, or a link on its way is: whoever changes \
             the configuration could change the program"
                .to_owned(),
        );
    }
    if let Some(repository) = repository(&inside).filter(|found| leads_into(found)) {
        return Err(format!(
            "it is inside of the git repository that holds the configuration ({}), or a link on its way \
             is: whoever changes the configuration could change the program with the same commit",
            echo::path(repository)
        ));
    }
    let me = rustix::process::geteuid().as_raw();
    let file = way.last().cloned().unwrap_or_default();
    for step in &way {
        let what = fs::symlink_metadata(step).map_err(unread)?;
        let mode = what.permissions().mode();
        if let Some(who) = others_replace(what.file_type(), mode, what.uid(), me) {
            let step = echo::path(step);
            return Err(format!("{who} {step}, and so could replace the program"));
        }
        if *step == file && (!what.is_file() || mode & 0o111 == 0) {
            return Err("it is no file that can be run".to_owned());
        }
    }
    Ok((name.to_owned(), file))
}

/// Who besides this user and root could put something else in the place of a file, or of what lies in a folder;
/// what follows is its name.
fn others_replace(of: fs::FileType, mode: u32, owner: u32, me: u32) -> Option<&'static str> {
    if owner != me && owner != 0 {
        return Some("another user owns");
    }
    // Links have no permissions of their own, and in a folder as /tmp nobody replaces what is another's.
    if of.is_symlink() || of.is_dir() && mode & 0o1000 != 0 {
        return None;
    }
    match mode {
        mode if mode & 0o002 != 0 => Some("everybody may write"),
        mode if mode & 0o020 != 0 => Some("everybody of its group may write"),
        _ => None,
    }
}

/// The git repository that holds a folder, as far as its files tell: the innermost. A worktree and a submodule have
/// a file of this name.
fn repository(folder: &Path) -> Option<&Path> {
    let holds = |folder: &&Path| fs::symlink_metadata(folder.join(".git")).is_ok();
    folder.ancestors().find(holds)
}

/// Everything on the way to a file, links and what they lead to; the file itself is last.
fn way(path: &Path) -> io::Result<Vec<PathBuf>> {
    let named = |path: &Path| -> Vec<OsString> {
        let parts = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsStr::new("..").to_owned()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        parts.collect()
    };
    let mut ahead: VecDeque<OsString> = named(path).into();
    let mut at = PathBuf::from("/");
    let mut out = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let is_link = fs::symlink_metadata(&next)?.is_symlink();
        out.push(next.clone());
        if !is_link {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for part in named(&target).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    // A way may end going up.
    if out.last() != Some(&at) {
        out.push(at);
    }
    Ok(out)
}

fn ended(end: ProgramEnd) -> Ran {
    Ran {
        end,
        answer: Zeroizing::default(),
        said: Zeroizing::default(),
    }
}

/// What the threads around a program tell.
enum Told {
    Answer(Zeroizing<Vec<u8>>),
    Flood,
    Said(Zeroizing<Vec<u8>>),
    Ended,
}

/// Runs a program once, to its end or to the end of anybody's patience. Nothing of its group outlives that.
fn run(
    path: &Path,
    environment: &[(String, String)],
    patience: Duration,
    input: Zeroizing<Vec<u8>>,
) -> Ran {
    let started = Instant::now();
    let mut command = Command::new(path);
    command
        .arg(ARGUMENT)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return ended(ProgramEnd::NotStarted(error.kind().to_string())),
    };
    let (tell, told) = channel();
    attend(&mut child, input, &tell);
    drop(tell);
    let ends = started + patience;
    let (mut ran, killed) = wait(&mut child, &told, ends, patience);
    // What it started may still be there, and hold its output.
    let status = child.wait();
    ran.end = match (killed, status) {
        (Some(end), _) => end,
        (None, Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => ProgramEnd::Code(code),
            (None, signal) => ProgramEnd::Signal(signal.unwrap_or_default()),
        },
        (None, Err(_)) => ProgramEnd::Code(-1),
    };
    ran
}

/// Gives a program its input, reads what it writes, and sees when it has ended.
fn attend(child: &mut Child, input: Zeroizing<Vec<u8>>, tell: &Sender<Told>) {
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read it is no worse for that; nobody waits for this thread.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    if let Some(stdout) = child.stdout.take() {
        let tell = tell.clone();
        thread::spawn(move || {
            let answer = read(stdout, LARGEST + 1);
            // Who asked may be gone.
            let _ = tell.send(match answer.len() > LARGEST {
                true => Told::Flood,
                false => Told::Answer(answer),
            });
        });
    }
    if let Some(mut stderr) = child.stderr.take() {
        let tell = tell.clone();
        thread::spawn(move || {
            let said = read(&mut stderr, COMPLAINTS);
            // The rest is for nobody, and must not hold the program up.
            let _ = io::copy(&mut stderr, &mut io::sink());
            let _ = tell.send(Told::Said(said));
        });
    }
    let (pid, tell) = (pid(child), tell.clone());
    thread::spawn(move || {
        if let Some(pid) = pid {
            // It stays what it is, so that no other process gets its number before all is killed.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        }
        let _ = tell.send(Told::Ended);
    });
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// The first bytes of a stream, in room that does not grow: what is left behind would not be zeroed.
fn read(from: impl Read, most: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(most + 64));
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    // What came before an error is looked at like any other.
    let _ = from.take(most).read_to_end(&mut out);
    out
}

/// Waits until a program and all that it wrote are at their end, or kills its group. Gives why, where that
/// was not its own end.
fn wait(
    child: &mut Child,
    told: &Receiver<Told>,
    ends: Instant,
    patience: Duration,
) -> (Ran, Option<ProgramEnd>) {
    let mut ran = ended(ProgramEnd::Code(0));
    let (mut answered, mut complained, mut over) = (false, false, false);
    let kill = |child: &Child| {
        if let Some(pid) = pid(child) {
            // There may be nobody left.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    };
    while !(answered && complained && over) {
        let left = ends.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(Told::Answer(answer)) => {
                ran.answer = answer;
                answered = true;
            }
            Ok(Told::Said(said)) => {
                ran.said = said;
                complained = true;
            }
            Ok(Told::Ended) => {
                over = true;
                kill(child);
            }
            Ok(Told::Flood) => {
                kill(child);
                return (ran, Some(ProgramEnd::Flood));
            }
            Err(RecvTimeoutError::Timeout) => {
                kill(child);
                return (ran, Some(ProgramEnd::Late(patience)));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    (ran, None)
}

#[cfg(test)]
mod tests;
