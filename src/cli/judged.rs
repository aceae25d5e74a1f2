//! What was judged before this run: the plan in a file, or its digest. It approves and never
//! commands: apply plans again, and goes on only with what is the same.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::args::{ApplyArgs, WhenStale};
use super::exit::Exit;
use super::private_file::{Place, Unwritten, is_special, try_private, write_private};
use super::{load, output};
use crate::echo;
use crate::plan::{self, Moved, Plan, compare, keep_judged};
use crate::policy;
use crate::view::inert;

/// The largest plan file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// How much of a file tells whether it is a plan, in bytes.
const HEAD: u64 = 64;

/// A judgement that this run must keep to.
pub struct Judged {
    plan: Option<(PathBuf, Plan)>,
    digest: Option<String>,
    stale: WhenStale,
}

/// What of a present plan that differs is as it was judged.
pub struct Held {
    /// What may be done.
    pub plan: Plan,
    /// What moved and is left out.
    pub left_out: Vec<Moved>,
}

/// Reads the plan file.
///
/// # Errors
/// Prints why it cannot be read or trusted to be whole.
pub fn read(path: &Path) -> Result<Plan, Exit> {
    let fail = |why: String| {
        let mut ways = vec![
            "plan files are written by `rolecall plan --out FILE`".to_owned(),
            "a configuration is named by its directory".to_owned(),
        ];
        ways.extend(output::tilde(path));
        let shown = echo::path(path).given("a plan file");
        output::error(&format!("{shown}: {why}"), &ways);
        Exit::Error
    };
    let size = fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if size > MAX_FILE {
        return Err(fail("it is too large for a plan file".to_owned()));
    }
    let bytes = fs::read(path).map_err(|e| fail(e.to_string()))?;
    plan::read(&bytes).map_err(|e| fail(e.to_string()))
}

/// Sees before anything else happens that the file of a plan can be written, and takes the place of
/// nothing but another plan.
///
/// # Errors
/// Prints why not.
pub fn probe(path: &Path) -> Result<(), Exit> {
    let other = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
        && !is_special(path)
        && !begins_as_plan(path);
    if other {
        output::error(
            &format!(
                "--out would replace {}, which is no plan file",
                echo::path(path)
            ),
            &["name another file, or remove this one if nobody needs it".to_owned()],
        );
        return Err(Exit::Error);
    }
    try_private(path, Place::Replace).map_err(|error| error.tell("--out", path, Place::Replace))
}

/// Whether a file begins as plan files do, of whatever version. What cannot be read is none.
fn begins_as_plan(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let head: Vec<u8> = head
        .into_iter()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    read.is_ok() && head.starts_with(b"{\"rolecall_plan\":")
}

/// Writes the file of a plan, for its owner alone, whole or not at all.
///
/// # Errors
/// Prints why it cannot be written.
pub fn write(path: &Path, plan: &Plan) -> Result<(), Exit> {
    let bytes = plan::write(plan).map_err(|error| {
        Unwritten::from(std::io::Error::other(error)).tell("--out", path, Place::Replace)
    })?;
    write_private(path, &bytes, Place::Replace)
        .map_err(|error| error.tell("--out", path, Place::Replace))
}

/// What the command line says was judged; `None` if nothing. A plan file in the place of the
/// directory approves the configuration of the working directory.
///
/// # Errors
/// Prints what is wrong with it.
pub fn given(args: &mut ApplyArgs) -> Result<Option<Judged>, Exit> {
    let in_place = args.config.dir.is_file();
    if in_place {
        if args.plan.is_some() {
            output::error(
                "two plan files are given",
                &["name the configuration's directory, and the plan with --plan FILE".to_owned()],
            );
            return Err(Exit::Usage);
        }
        args.plan = Some(std::mem::replace(&mut args.config.dir, PathBuf::from(".")));
    }
    let digest = match &args.digest {
        None => None,
        Some(text) => match policy::digest(text) {
            Ok(digest) => Some(digest.to_owned()),
            Err(why) => {
                output::error(&format!("--digest {}: {why}", echo::digest(text)), &[]);
                return Err(Exit::Usage);
            }
        },
    };
    let plan = match &args.plan {
        None => None,
        Some(path) => Some((path.clone(), read(path)?)),
    };
    if let (true, Some((path, _))) = (in_place, &plan) {
        see_configuration(&args.config.dir, path)?;
    }
    if args.stale == WhenStale::Skip && plan.is_none() {
        output::error(
            "--stale=skip applies what is identical to a judged plan, and none is given",
            &["name it with --plan FILE".to_owned()],
        );
        return Err(Exit::Usage);
    }
    if let (Some((path, plan)), Some(digest)) = (&plan, &digest)
        && plan.digest() != *digest
    {
        output::error(
            &format!("{} is not the plan {digest}", echo::path(path)),
            &[format!("its digest is sha256:{}", plan.digest())],
        );
        return Err(Exit::Stale);
    }
    Ok((plan.is_some() || digest.is_some()).then_some(Judged {
        plan,
        digest,
        stale: args.stale,
    }))
}

/// Sees that there is what a plan file in the place of the directory approves.
fn see_configuration(dir: &Path, plan: &Path) -> Result<(), Exit> {
    if load::any(dir) {
        return Ok(());
    }
    output::error(
        &format!(
            "{} approves the configuration of the working directory, and there is none: no .hcl file",
            echo::path(plan)
        ),
        &[format!(
            "`rolecall apply --plan {} DIR` names another directory",
            output::word(plan)
        )],
    );
    Err(Exit::Error)
}

impl Judged {
    /// The digest of the plan that was judged.
    pub fn digest(&self) -> Option<String> {
        let plan = self.plan.as_ref().map(|(_, plan)| plan.digest().to_owned());
        plan.or_else(|| self.digest.clone())
    }

    /// Holds the present plan against the judged one. `None` if they are the same.
    ///
    /// # Errors
    /// Prints what moved, if that stops the run.
    pub fn hold(&self, now: &Plan) -> Result<Option<Held>, Exit> {
        match &self.plan {
            Some((_, judged)) => {
                let moved = compare(judged, now);
                if moved.is_empty() {
                    return Ok(None);
                }
                if self.stale == WhenStale::Skip && moved.iter().all(Moved::can_be_left_out) {
                    let (plan, left_out) = keep_judged(judged, now.clone());
                    return Ok(Some(Held { plan, left_out }));
                }
                let mut help = lines(&moved);
                help.push("plan again, and have that judged".to_owned());
                output::error(
                    "what was judged is not what is due now, and nothing was written",
                    &help,
                );
                Err(Exit::Stale)
            }
            None => {
                let digest = now.digest();
                let wanted = self.digest.as_deref().unwrap_or_default();
                if digest == wanted {
                    return Ok(None);
                }
                output::error(
                    "the plan is not the one that was judged, and nothing was written",
                    &[
                        format!("judged: sha256:{wanted}"),
                        format!("due now: sha256:{digest}"),
                        "plan again, and have that judged; a plan file (--plan FILE) tells what \
                         moved"
                            .to_owned(),
                    ],
                );
                Err(Exit::Stale)
            }
        }
    }
}

/// What moved, one line each.
pub fn lines(moved: &[Moved]) -> Vec<String> {
    moved
        .iter()
        .map(|m| match &m.address {
            Some(address) => format!("{}: {}", inert(&address.to_string()), inert(&m.what)),
            None => inert(&m.what),
        })
        .collect()
}
