//! What plan and apply share: load, log in, read, compare.

use std::path::PathBuf;
use std::time::Instant;

use crate::config::Policy;
use crate::diff::diff;
use crate::model::{Desired, Live, Seals, StackId};
use crate::plan::{self, Plan};
use crate::platform::{Login, Source, precedence};
use crate::refresh::refresh;
use crate::sinks::FileSink;

use super::args::{ConfigArgs, PlatformChoice, PolicyArgs};
use super::exit::Exit;
use super::load::{self, Loaded};
use super::reach::{Kept, Reached};
use super::signals::Signals;
use super::world::RealWorld;
use super::{output, policies, progress, reach, record};

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
    /// What marks are sealed with.
    pub seals: Seals,
    /// The embedded platform, kept running.
    _kept: Kept,
}

impl Session {
    /// Asks the policies, and who owns what the plan takes ownership of, and tells what they say:
    /// once, when it is settled what the plan holds.
    ///
    /// # Errors
    /// Prints why a file of that cannot be written.
    pub async fn judge(&mut self, told: &PolicyArgs) -> Result<(), Exit> {
        reach::owners(&self.world.client, &mut self.plan, &self.live).await;
        policies::judge(&mut self.plan, &self.policies, &self.desired, &self.live);
        policies::tell(&self.plan, told)
    }
}

/// What is meant with a configuration, besides what it says.
pub struct Intent<'a> {
    /// Everything is to be deleted.
    pub destroy: bool,
    /// Other stacks whose accounts may be taken.
    pub take_over: &'a [StackId],
    /// Policies from outside of it.
    pub policies: &'a PolicyArgs,
    /// The plan is to be applied.
    pub apply: bool,
}

/// Loads, logs in, reads and plans. Prints the reasons if that fails.
pub async fn open(
    config: &ConfigArgs,
    choice: &PlatformChoice,
    intent: &Intent<'_>,
) -> Result<Session, Exit> {
    let signals = Signals::listen().map_err(|error| {
        output::error(&format!("cannot listen for signals: {error}"), &[]);
        Exit::Error
    })?;
    let mut loaded = load::load(config, &policies::dirs(intent.policies)?)?;
    record::of_stack(&loaded.desired.stack)?;
    policies::tighten(&mut loaded, intent.policies)?;
    let Loaded {
        mut desired,
        queries,
        policies,
    } = loaded;
    if intent.destroy {
        desired.accounts.clear();
        desired.destroy = true;
    }
    desired.take_over = intent.take_over.iter().cloned().collect();
    let start = Instant::now();
    let mut seals = Seals::default();
    let reached = reach::reach_if(choice, &config.dir, &desired, |login| {
        seals = reach::keys(choice, &config.dir)?;
        if intent.apply { nobodys(login) } else { Ok(()) }
    })
    .await?;
    let Reached {
        client,
        caller,
        scope: _,
        endpoint,
        kept,
    } = reached;
    record::login(&desired.stack, &endpoint, &caller, client.dated());
    let reading = progress::waiting("reading what is live");
    let live = refresh(&client, &queries, &endpoint)
        .await
        .map_err(|e| reach::fail(&e.message))?;
    drop(reading);
    let mut plan = plan::build(
        &desired,
        &live,
        diff(&desired, &live, &seals),
        intent.destroy,
    );
    let clean_up = reach::clean_up(&client, &plan, &desired, &live, &seals).await;
    plan.annex.advice.extend(clean_up);
    // Under --local no real key may be replaced by one of the embedded platform.
    let sinks = if choice.local {
        config.dir.join(".rolecall")
    } else {
        config.dir.clone()
    };
    Ok(Session {
        sinks: sinks.clone(),
        world: RealWorld {
            client,
            sinks: FileSink::new(sinks),
            signals,
            start,
        },
        plan,
        policies,
        desired,
        live,
        seals,
        _kept: kept,
    })
}

/// Sees that no program applies with a person's credential.
fn nobodys(login: &Login) -> Result<(), Exit> {
    if !matches!(login.source, Source::Home(_)) || output::interactive() {
        return Ok(());
    }
    output::error(
        &format!(
            "{} is a person's credential, and apply takes it on a terminal only",
            login.source
        ),
        &[
            "name the credential to apply with: --credentials FILE, or MONDOO_CONFIG_BASE64"
                .to_owned(),
            precedence(),
        ],
    );
    Err(Exit::Error)
}
