//! What plan and apply share: load, log in, read, compare.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use crate::config::Policy;
use crate::diag::suggest;
use crate::diff::diff;
use crate::echo;
use crate::model::{CredentialMark, Custody, Desired, Inventory, Live, Meant, Mrn, Nonce, Seals};
use crate::plan::{self, Change, Plan, Questions, Reason};
use crate::platform::{self, Login, precedence};
use crate::policy;
use crate::refresh::refresh_beyond;
use crate::sinks::{Programs, Sinks};
use crate::view::inert;

use super::commit::Source;
use super::console;
use super::failure::Failure;
use super::load::{self, Loaded};
use super::machine::machine;
use super::options::{ConfigArgs, ExecArgs, PlatformChoice, PolicyArgs, Scopes};
use super::reach::{Kept, Reached};
use super::reporter::Reporter;
use super::signals::Signals;
use super::world::{Process, RealWorld};
use super::{policies, programs, reach, record, seal};

/// A configuration compared with what is live, and the connection over which that was found.
pub struct Session {
    /// The directory in which the sinks' files are.
    pub sinks: PathBuf,
    /// Everything apply may touch.
    pub world: RealWorld,
    /// What differs.
    pub plan: Plan,
    /// What every account must keep to.
    pub policies: Vec<Policy>,
    /// What the configuration says.
    pub desired: Desired,
    /// What is there.
    pub live: Live,
    /// Whose that is.
    pub inventory: Inventory,
    /// What marks are sealed with.
    pub seals: Seals,
    /// Where the configuration comes from.
    source: Source,
    /// The embedded platform, kept running.
    _kept: Kept,
}

impl Session {
    /// Finds where accounts were declared that are no longer.
    fn find_declarations(&mut self) {
        let gone = |change: &&Change| {
            matches!(
                change.reason,
                Reason::Undeclared | Reason::ScopeUndeclared | Reason::ReleaseRequested
            )
        };
        let gone: Vec<(Mrn, String)> = (self.plan.changes.iter())
            .filter(gone)
            .filter_map(|change| Some((change.account.clone()?, change.address.name.clone())))
            .collect();
        if gone.is_empty() {
            return;
        }
        let names = gone.iter().map(|(_, name)| name.as_str()).collect();
        match self.source.last_declared(&names) {
            Ok(places) => {
                let places = gone
                    .into_iter()
                    .filter_map(|(account, name)| Some((account, places.get(&name)?.clone())));
                self.plan.declared_before(places);
            }
            Err(why) => self.world.run.reporter.note(&format!(
                "Where deleted accounts were declared is not told: {}",
                inert(&why)
            )),
        }
    }

    /// Asks the platform what the plan has to know beyond what was read, the configuration's repository, and
    /// the policies, and tells what these say: once, when it is settled what the plan holds.
    ///
    /// # Errors
    /// Why a file of that cannot be written.
    pub async fn judge(&mut self, told: &PolicyArgs) -> Result<(), Failure> {
        let questions = Questions::of(&self.plan, &self.live, &self.inventory);
        let reporter = &self.world.run.reporter;
        let answers = reach::answers(&self.world.client, &questions, reporter).await;
        self.plan.tell(questions, &answers);
        let checkout = self.source.checkout(&policy::writers(&self.plan));
        self.plan.checked_out(checkout);
        self.find_declarations();
        policies::judge(
            &mut self.plan,
            &self.policies,
            &self.desired,
            &self.live,
            &self.inventory,
        );
        policies::tell(&self.plan, told, &self.world.run.reporter)
    }
}

/// What is meant with a configuration, besides what it says.
pub struct Intent<'a> {
    /// What the command line says.
    pub meant: Meant,
    /// Which scopes are read.
    pub scopes: Scopes,
    /// Policies from outside of it.
    pub policies: &'a PolicyArgs,
    /// Programs that sinks may run.
    pub exec: Option<&'a ExecArgs>,
    /// The plan is to be applied.
    pub apply: bool,
    /// The stack of the record that this run's is linked to.
    pub follows: Option<String>,
}

/// Loads, logs in, reads and plans.
///
/// # Errors
/// Why one of them fails.
pub async fn open(
    config: &ConfigArgs,
    choice: &PlatformChoice,
    intent: &Intent<'_>,
    reporter: &Reporter,
) -> Result<Session, Failure> {
    let signals = Signals::listen(reporter)?;
    let dirs = policies::dirs(intent.policies.policy_dir.as_deref())?.into_iter();
    let dirs: Vec<PathBuf> = dirs.map(|(_, dir)| dir).collect();
    let mut loaded = load::load(config, &dirs, reporter)?;
    let source = Source::of(config);
    record::of_stack(intent.follows.as_deref(), &loaded.desired.stack)?;
    let allowed = policies::tighten(&mut loaded, &config.dir, intent.policies, reporter)?;
    let Loaded {
        mut desired,
        queries,
        policies,
        sinks: declared,
    } = loaded;
    desired.meant = intent.meant.clone();
    declared_all(&desired)?;
    if desired.meant.destroy {
        desired.accounts.clear();
    }
    let programs = match intent.exec {
        Some(exec) => programs::allowed(exec, &config.dir, choice.patience())?,
        None => Programs::none(),
    };
    let start = Instant::now();
    let mut seals = Seals::default();
    let reached = reach::reach_if(choice, &config.dir, &desired, reporter, |login| {
        seals = reach::keys(choice, &config.dir, &desired, reporter)?;
        if intent.apply {
            seal::can_write(&seals)?;
            nobodys(login)
        } else {
            Ok(())
        }
    })
    .await?;
    let Reached {
        client,
        scope,
        endpoint,
        kept,
    } = reached;
    let reading = reporter.waiting("reading what is live");
    let home = reach::home(scope, intent.scopes);
    let live = refresh_beyond(&client, &queries, &home, &desired.stack, &endpoint)
        .await
        .map_err(|e| Failure::error(e.message))?;
    drop(reading);
    let inventory = Inventory::take(&desired, &live, &seals);
    resumed(&desired, &live, &inventory)?;
    declared.place(&mut desired, &live, &inventory);
    if intent.apply && !choice.local {
        programs::known(&programs, &desired)?;
    }
    let delta = diff(&desired, &live, &inventory);
    let plan = plan::build(&desired, &live, &inventory, delta);
    // Under --local no real key may be replaced by one of the embedded platform.
    let sinks = match choice.local {
        true => Sinks::local(&config.dir),
        false => {
            let machine = machine(choice, allowed, programs, reporter)?;
            Sinks::new(&config.dir, machine, &desired.stack)
        }
    };
    Ok(Session {
        sinks: sinks.root().to_owned(),
        world: RealWorld {
            client,
            sinks,
            run: Process {
                signals,
                reporter: reporter.clone(),
                start,
            },
        },
        plan,
        policies,
        desired,
        live,
        inventory,
        seals,
        source,
        _kept: kept,
    })
}

/// Sees that every account that is to get a new key is one of the configuration.
fn declared_all(desired: &Desired) -> Result<(), Failure> {
    for address in &desired.meant.renewal.of {
        if desired.accounts.contains_key(address) {
            continue;
        }
        let wanted = address.to_string();
        let known: Vec<String> = desired.accounts.keys().map(ToString::to_string).collect();
        let near = suggest(&wanted, known.iter().map(String::as_str));
        let near = near.map(|near| format!("did you mean {}?", inert(near)));
        let shown = echo::text(&wanted).given("ADDRESS");
        let failure = Failure::error(format!("the configuration declares no {shown}"));
        return Err(failure.helps(near));
    }
    Ok(())
}

/// Sees that every birth whose run is said to be dead is there: what is mistyped, or over, must not look
/// as if it had been settled.
fn resumed(desired: &Desired, live: &Live, inventory: &Inventory) -> Result<(), Failure> {
    let there: BTreeSet<&Nonce> = inventory
        .beside(live)
        .filter_map(|(_, entry)| match &entry.custody {
            Custody::Ours(ours) => match &ours.marks.credential {
                CredentialMark::Pending(birth) => Some(&birth.nonce),
                CredentialMark::Delivered { .. } | CredentialMark::External => None,
            },
            _ => None,
        })
        .collect();
    let gone = |nonce: &&Nonce| !there.contains(nonce);
    let Some(nonce) = desired.meant.resume.iter().find(gone) else {
        return Ok(());
    };
    Err(Failure::error(format!(
        "--resume={}: no account of this stack is being born under this nonce in what was read",
        nonce.as_str()
    ))
    .help("its birth is over, or was taken back, or the nonce is another's: run `rolecall plan`, which shows the births that are under way"))
}

/// Sees that no program applies with a person's credential.
fn nobodys(login: &Login) -> Result<(), Failure> {
    if !login.source.is_somebodys() || console::interactive() {
        return Ok(());
    }
    let whose = match login.source {
        platform::Source::System => "the whole machine's",
        _ => "a person's",
    };
    Err(Failure::error(format!(
        "{} is {whose} credential, and apply takes it on a terminal only",
        login.source
    ))
    .help("say which credential apply is to use: --credentials FILE, or MONDOO_CONFIG_BASE64")
    .help(precedence()))
}
