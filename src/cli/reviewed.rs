//! What was reviewed before this run: the plan in a file, or its digest. It approves and never
//! commands: apply plans again, and goes on only with what is the same.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::failure::Failure;
use super::load;
use super::options::{ConfigArgs, ReviewedArgs, WhenStale};
use super::paths::{tilde, word};
use crate::echo;
use crate::model::{Inventory, Live};
use crate::plan::{self, Moved, Plan, Rest, rest};
use crate::policy;
use crate::private_file::{Unwritten, WriteMode, is_special, try_private, write_private};
use crate::view::inert;

/// The largest plan file that is read, in bytes.
const MAX_FILE: u64 = 256 << 20;
/// How much of a file tells whether it is a plan, in bytes.
const HEAD: u64 = 64;

/// A judgement that this run must keep to.
pub struct Reviewed {
    plan: Option<(PathBuf, Plan)>,
    digest: Option<String>,
    stale: WhenStale,
}

/// How the present plan stands to the reviewed one, where it may be applied.
pub enum Held {
    /// They are the same.
    Same,
    /// It is what an earlier run of the reviewed plan left.
    Rest(Rest),
    /// It is as it was reviewed without what moved, which is to be left out.
    Without(Vec<Moved>),
}

/// Reads the plan file.
///
/// # Errors
/// Why it cannot be read or trusted to be whole.
pub fn read(path: &Path) -> Result<Plan, Failure> {
    let fail = |why: String| {
        let shown = echo::path(path).given("a plan file");
        Failure::error(format!("{shown}: {why}"))
            .help("plan files are written by `rolecall plan --out FILE`")
            .help("a configuration is named by its directory")
            .helps(tilde(path))
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
/// Why not.
pub fn probe(path: &Path) -> Result<(), Failure> {
    let other = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0)
        && !is_special(path)
        && !begins_as_plan(path);
    if other {
        return Err(Failure::error(format!(
            "--out would replace {}, which is no plan file",
            echo::path(path)
        ))
        .help("name another file, or remove this one if it is not needed"));
    }
    try_private(path, WriteMode::Replace).map_err(|error| unwritten(&error, path))
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
/// Why it cannot be written.
pub fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let bytes = plan::write(plan)
        .map_err(|error| unwritten(&Unwritten::from(std::io::Error::other(error)), path))?;
    write_private(path, &bytes, WriteMode::Replace).map_err(|error| unwritten(&error, path))
}

fn unwritten(error: &Unwritten, path: &Path) -> Failure {
    Failure::unwritten(error, "--out", path, WriteMode::Replace)
}

/// What the command line says was reviewed; `None` if nothing. A plan file in the place of the
/// directory approves the configuration of the working directory.
///
/// # Errors
/// What is wrong with it.
pub fn given(
    config: &mut ConfigArgs,
    reviewed: &mut ReviewedArgs,
) -> Result<Option<Reviewed>, Failure> {
    let in_place = config.dir.is_file();
    if in_place {
        if reviewed.plan.is_some() {
            return Err(Failure::usage("two plan files are given")
                .help("name the configuration's directory, and the plan with --plan FILE"));
        }
        reviewed.plan = Some(std::mem::replace(&mut config.dir, PathBuf::from(".")));
    }
    let digest =
        match &reviewed.digest {
            None => None,
            Some(text) => Some(policy::digest(text).map(str::to_owned).map_err(|why| {
                Failure::usage(format!("--digest {}: {why}", echo::digest(text)))
            })?),
        };
    let plan = match &reviewed.plan {
        None => None,
        Some(path) => Some((path.clone(), read(path)?)),
    };
    if let (true, Some((path, _))) = (in_place, &plan) {
        see_configuration(&config.dir, path)?;
    }
    if reviewed.stale == WhenStale::Skip && plan.is_none() {
        let why = "--stale=skip applies what is identical to a reviewed plan, and none is given";
        return Err(Failure::usage(why).help("name it with --plan FILE"));
    }
    if let (Some((path, plan)), Some(digest)) = (&plan, &digest)
        && plan.digest() != *digest
    {
        let why = format!("{} is not the plan {digest}", echo::path(path));
        return Err(
            Failure::new(Exit::Stale, why).help(format!("its digest is sha256:{}", plan.digest()))
        );
    }
    Ok((plan.is_some() || digest.is_some()).then_some(Reviewed {
        plan,
        digest,
        stale: reviewed.stale,
    }))
}

/// Sees that there is what a plan file in the place of the directory approves.
fn see_configuration(dir: &Path, plan: &Path) -> Result<(), Failure> {
    if load::any(dir) {
        return Ok(());
    }
    Err(Failure::error(format!(
        "{} approves the configuration of the working directory, and there is none: no .hcl file",
        echo::path(plan)
    ))
    .help(format!(
        "`rolecall apply --plan {} DIR` names another directory",
        word(plan)
    )))
}

impl Reviewed {
    /// The digest of the plan that was reviewed.
    pub fn digest(&self) -> Option<String> {
        let plan = self.plan.as_ref().map(|(_, plan)| plan.digest().to_owned());
        plan.or_else(|| self.digest.clone())
    }

    /// Holds the present plan against the reviewed one, by what is live.
    ///
    /// # Errors
    /// What moved, if that stops the run.
    pub fn hold(&self, now: &Plan, live: &Live, inventory: &Inventory) -> Result<Held, Failure> {
        match &self.plan {
            Some((_, reviewed)) if reviewed.digest() == now.digest() => Ok(Held::Same),
            Some((_, reviewed)) => {
                let moved = match rest(reviewed, now, live, inventory) {
                    Ok(rest) => return Ok(Held::Rest(rest)),
                    Err(moved) => moved,
                };
                if self.stale == WhenStale::Skip && moved.iter().all(Moved::can_be_left_out) {
                    return Ok(Held::Without(moved));
                }
                let why = "what was reviewed is not what is due now, and nothing was written";
                Err(Failure::new(Exit::Stale, why)
                    .helps(lines(&moved))
                    .help("plan again, and have that reviewed"))
            }
            None => {
                let digest = now.digest();
                let wanted = self.digest.as_deref().unwrap_or_default();
                if digest == wanted {
                    return Ok(Held::Same);
                }
                let why = "this is not the plan that was reviewed, and nothing was written";
                Err(Failure::new(Exit::Stale, why)
                    .help(format!("reviewed: sha256:{wanted}"))
                    .help(format!("due now: sha256:{digest}"))
                    .help(
                        "plan again, and have that reviewed; a plan file (--plan FILE) tells what \
                         moved, and lets a run end what an earlier one began",
                    ))
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
