//! Policies from outside of the configuration, what all policies say, and the files of that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::{Destinations, Policy};
use crate::echo;
use crate::model::{
    Desired, Inventory, Limits, Live, Origin, PolicyReach, PolicySeverity, SourceRef,
};
use crate::plan::Plan;
use crate::policy;
use crate::view::{human, inert, junit, sarif};

use super::failure::Failure;
use super::load::{self, Loaded};
use super::options::PolicyArgs;
use super::reporter::Reporter;
use crate::private_file::{WriteMode, write_private};

/// Names a policy directory for every run of a machine.
const VARIABLE: &str = "ROLECALL_POLICY_DIR";

/// Adds the policies and limits of policy directories, which only tighten, and gives the servers that
/// logins of sinks may go to besides: those of all directories, since whoever names a directory chooses
/// the logins too.
///
/// # Errors
/// What is wrong with one of them, or that two have a policy of one name: there is no run
/// without what was asked for.
pub fn tighten(
    loaded: &mut Loaded,
    configuration: &Path,
    args: &PolicyArgs,
    reporter: &Reporter,
) -> Result<Vec<Origin>, Failure> {
    let mut allowed = BTreeSet::new();
    let mut places: BTreeMap<String, SourceRef> = BTreeMap::new();
    let mut twice = Vec::new();
    for (taker, dir) in dirs(args.policy_dir.as_deref())? {
        let found = load::policy_dir(&dir, taker, reporter)?;
        let mut holds = human::count(found.policies.len(), "policy block");
        if found.limits != Limits::NONE {
            holds.push_str(", and limits that hold beside the configuration's");
        }
        if let Some(allow) = logins_of(found.destinations, &dir, configuration)? {
            let shown: Vec<&str> = allow.iter().map(Origin::as_str).collect();
            holds.push_str(&format!(
                "; logins of sinks may go to {}",
                if shown.is_empty() {
                    "no further server".to_owned()
                } else {
                    shown.join(", ")
                }
            ));
            allowed.extend(allow);
        }
        let shown = inert(&echo::path(&dir).to_string());
        reporter.note(&format!("Policies  {shown}: {holds}"));
        loaded.desired.limits = loaded.desired.limits.tightened(found.limits);
        for policy in &found.policies {
            let place = policy.declared_at.clone();
            if let Some(first) = places.insert(policy.name.clone(), place) {
                twice.push(format!(
                    "`{}` is declared at {first} and at {}",
                    policy.name, policy.declared_at
                ));
            }
        }
        loaded.policies.extend(found.policies);
    }
    if !twice.is_empty() {
        twice.push("messages name a policy by its name: rename one of them".to_owned());
        let why = "two policy directories have a policy of the same name";
        return Err(Failure::error(why).helps(twice));
    }
    loaded.policies.sort_by_cached_key(Policy::reference);
    loaded.desired.policies = loaded.policies.iter().map(Policy::reference).collect();
    Ok(allowed.into_iter().collect())
}

/// The servers that logins of sinks may go to besides, as all policy directories say. Nothing is judged.
///
/// # Errors
/// What is wrong with one of them.
pub fn logins(
    configuration: &Path,
    named: Option<&Path>,
    reporter: &Reporter,
) -> Result<Vec<Origin>, Failure> {
    let mut allowed = BTreeSet::new();
    for (taker, dir) in dirs(named)? {
        let found = load::policy_dir(&dir, taker, reporter)?;
        allowed.extend(
            logins_of(found.destinations, &dir, configuration)?
                .into_iter()
                .flatten(),
        );
    }
    Ok(allowed.into_iter().collect())
}

/// What one directory says of logins, which no directory of the configuration's authors may.
fn logins_of(
    found: Option<Destinations>,
    dir: &Path,
    configuration: &Path,
) -> Result<Option<Vec<Origin>>, Failure> {
    match found {
        Some(Destinations {
            allow: _,
            declared_at,
        }) if lies_in(dir, configuration) => Err(the_configurations(&declared_at)),
        found => Ok(found.map(|found| found.allow)),
    }
}

/// The directories of the environment and of the command line, each with what names it: neither takes the
/// place of the other.
///
/// # Errors
/// That the variable is set and empty.
pub fn dirs(named: Option<&Path>) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    let mut dirs = Vec::new();
    if let Some(dir) = std::env::var_os(VARIABLE) {
        if dir.is_empty() {
            return Err(Failure::error(format!("{VARIABLE} is set and empty"))
                .help("set it to the policy directory, or unset it where there is none"));
        }
        dirs.push((VARIABLE, PathBuf::from(dir)));
    }
    if let Some(dir) = named
        && !dirs.iter().any(|(_, other)| same(other, dir))
    {
        dirs.push(("--policy-dir", dir.to_owned()));
    }
    Ok(dirs)
}

/// Whether a directory is below another, or is it, wherever links lead.
fn lies_in(dir: &Path, other: &Path) -> bool {
    match (dir.canonicalize(), other.canonicalize()) {
        (Ok(dir), Ok(other)) => dir.starts_with(other),
        // Both were read already: what is gone now is not to be trusted.
        _ => true,
    }
}

/// Whoever writes the configuration could send logins wherever they like.
fn the_configurations(declared_at: &SourceRef) -> Failure {
    let place = inert(&declared_at.to_string());
    Failure::error(format!(
        "{place}: a `destinations` block in a policy directory that lies in the configuration's, whose \
         author would say with it where logins go"
    ))
    .help(
        "keep the policy directory where who writes the configuration cannot write, or take the block \
         out (`rolecall docs policies`)",
    )
}

/// Whether two paths name one directory. What is not there is told when it is read.
fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Asks the policies about a plan, and keeps in it what they say.
pub fn judge(
    plan: &mut Plan,
    policies: &[Policy],
    desired: &Desired,
    live: &Live,
    inventory: &Inventory,
) {
    let judgement = policy::judge(plan, policies, desired, live, inventory);
    plan.judged(judgement);
}

/// Warns of exemptions that leave out nobody, and writes the files that were asked for.
///
/// # Errors
/// Why a file cannot be written.
pub fn tell(plan: &Plan, args: &PolicyArgs, reporter: &Reporter) -> Result<(), Failure> {
    let judgement = plan.annex.judgement.as_ref();
    for idle in judgement.iter().flat_map(|judgement| &judgement.idle) {
        reporter.warn(&format!(
            "{}: {} in the `exempt` of policy {} matches no account; remove it, or correct it",
            idle.declared_at, idle.whom, idle.policy
        ));
    }
    let unread = plan.annex.unread.len();
    let about_all = judgement.iter().flat_map(|judgement| &judgement.policies);
    for policy in about_all.filter(|policy| {
        policy.applies_to == PolicyReach::All && policy.severity == PolicySeverity::Warning
    }) {
        if unread > 0 {
            reporter.warn(&format!(
                "{}: the policy {} is about all accounts, and {} could not be read",
                policy.declared_at,
                policy.name,
                human::count(unread, "scope")
            ));
        }
    }
    if let Some(path) = &args.sarif {
        write(path, &sarif::sarif(judgement), "--sarif")?;
    }
    if let Some(path) = &args.junit {
        write(path, &junit::junit(judgement), "--junit")?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, flag: &str) -> Result<(), Failure> {
    write_private(path, text.as_bytes(), WriteMode::Replace)
        .map_err(|error| Failure::unwritten(&error, flag, path, WriteMode::Replace))
}
