//! What plan and apply share: load, log in, read, compare.

use std::path::PathBuf;
use std::time::Instant;

use crate::config::Policy;
use crate::diff::diff;
use crate::model::{Desired, Live, Meant, Seals};
use crate::plan::{self, Plan, Questions};
use crate::platform::{Login, Source, precedence};
use crate::refresh::refresh_beyond;
use crate::sinks::Sinks;

use super::args::{ConfigArgs, PlatformChoice, PolicyArgs, Scopes};
use super::exit::Exit;
use super::load::{self, Loaded};
use super::reach::{Kept, Reached};
use super::signals::Signals;
use super::world::RealWorld;
use super::{output, policies, progress, reach, record, seal};

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
    /// Asks the platform what the plan has to know beyond what was read, and the policies, and tells
    /// what they say: once, when it is settled what the plan holds.
    ///
    /// # Errors
    /// Prints why a file of that cannot be written.
    pub async fn judge(&mut self, told: &PolicyArgs) -> Result<(), Exit> {
        let questions = Questions::of(&self.plan, &self.desired, &self.live, &self.seals);
        let answers = reach::answers(&self.world.client, &questions).await;
        self.plan.tell(questions, &answers);
        policies::judge(&mut self.plan, &self.policies, &self.desired, &self.live);
        policies::tell(&self.plan, told)
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
    let dirs = policies::dirs(intent.policies)?.into_iter();
    let dirs: Vec<PathBuf> = dirs.map(|(_, dir)| dir).collect();
    let mut loaded = load::load(config, &dirs)?;
    record::of_stack(&loaded.desired.stack)?;
    policies::tighten(&mut loaded, intent.policies)?;
    let Loaded {
        mut desired,
        queries,
        policies,
    } = loaded;
    desired.meant = intent.meant.clone();
    if desired.meant.destroy {
        desired.accounts.clear();
    }
    let start = Instant::now();
    let mut seals = Seals::default();
    let reached = reach::reach_if(choice, &config.dir, &desired, |login| {
        seals = reach::keys(choice, &config.dir, &desired)?;
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
        caller,
        scope,
        endpoint,
        kept,
    } = reached;
    record::login(&desired.stack, &endpoint, &caller, client.dated());
    let reading = progress::waiting("reading what is live");
    let home = reach::home(scope, intent.scopes);
    let live = refresh_beyond(&client, &queries, &home, &desired.stack, &endpoint)
        .await
        .map_err(|e| reach::fail(&e.message))?;
    drop(reading);
    let plan = plan::build(&desired, &live, diff(&desired, &live, &seals));
    // Under --local no real key may be replaced by one of the embedded platform.
    let sinks = match choice.local {
        true => Sinks::local(&config.dir),
        false => Sinks::new(&config.dir),
    };
    Ok(Session {
        sinks: sinks.root().to_owned(),
        world: RealWorld {
            client,
            sinks,
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
    if !login.source.is_somebodys() || output::interactive() {
        return Ok(());
    }
    output::error(
        &format!(
            "{} is {} credential, and apply takes it on a terminal only",
            login.source,
            match login.source {
                Source::System => "the whole machine's",
                _ => "a person's",
            }
        ),
        &[
            "name the credential to apply with: --credentials FILE, or MONDOO_CONFIG_BASE64"
                .to_owned(),
            precedence(),
        ],
    );
    Err(Exit::Error)
}
