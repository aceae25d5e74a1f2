//! What plan and apply share: load, log in, read, compare.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::config::Policy;
use crate::diff::diff;
use crate::model::{Desired, Live, Seals, StackId};
use crate::plan::{self, Plan};
use crate::platform::{Environment, Login, Source, Wanted, discover, precedence};
use crate::ports::Reader;
use crate::refresh::refresh;
use crate::sinks::FileSink;
use crate::view::inert;

use super::args::{ConfigArgs, PlatformChoice, PolicyArgs};
use super::exit::Exit;
use super::load::{self, Loaded};
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
    #[cfg(feature = "server")]
    _local: Option<super::local::Local>,
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
    let mut loaded = load::load(config)?;
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
    let (login, place, ca, _local) = connect(choice, &config.dir, &desired).await?;
    let seals = keys(choice, &config.dir)?;
    if let (Some(assertion), false) = (&desired.endpoint, choice.local) {
        login
            .endpoint
            .assert(assertion)
            .map_err(|error| fail(&error.to_string()))?;
    }
    let home = matches!(login.source, Source::Home(_));
    if intent.apply && home && !output::interactive() {
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
        return Err(Exit::Error);
    }
    let source = login.source.to_string();
    let base = login.endpoint.base().to_owned();
    let client = reach::client(login, ca.as_deref(), choice.patience()).map_err(|e| fail(&e))?;
    let caller = client.caller().await.map_err(|error| {
        output::tell(&format!("Platform  {place}"));
        reach::nobody(&error, &source, &[precedence()])
    })?;
    output::tell(&format!("Platform  {place}"));
    let who = match &caller.name {
        Some(name) => format!("{} ({})", inert(name), inert(caller.mrn.as_str())),
        None => inert(caller.mrn.as_str()),
    };
    output::tell(&format!("Caller    {who}, from {}", inert(&source)));
    output::tell("");
    let endpoint = if choice.local { "local" } else { &base };
    record::login(&desired.stack, endpoint, &caller, client.dated());
    let reading = progress::waiting("reading what is live");
    let live = refresh(&client, &queries, endpoint)
        .await
        .map_err(|e| fail(&e.message))?;
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
        #[cfg(feature = "server")]
        _local,
    })
}

/// The run's seal keys; the embedded platform has its own.
pub(super) fn keys(choice: &PlatformChoice, dir: &Path) -> Result<Seals, Exit> {
    let folder = dir.join(".rolecall");
    seal::keys(
        choice.local.then_some(folder.as_path()),
        choice.accept_unsealed,
    )
}

/// A key that other users of the machine can read is theirs as well.
fn warn_if_exposed(source: &Source) {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(path) = source.file() else { return };
    // What cannot be looked at was read all the same, as through a pipe.
    let Ok(found) = std::fs::metadata(path) else {
        return;
    };
    if found.is_file() && found.permissions().mode() & 0o044 != 0 {
        output::warning(&format!(
            "{source}: others on this machine can read this file; run chmod 600 {}",
            output::word(path)
        ));
        output::tell(&format!("  = {}", precedence()));
    }
}

fn fail(message: &str) -> Exit {
    output::error(message, &[]);
    Exit::Error
}

#[cfg(feature = "server")]
pub(super) type Kept = Option<super::local::Local>;
#[cfg(not(feature = "server"))]
pub(super) type Kept = ();

/// The credential, where it leads in words, extra certificates, and what must be kept running.
pub(super) async fn connect(
    choice: &PlatformChoice,
    dir: &Path,
    desired: &Desired,
) -> Result<(Login, String, Option<Vec<u8>>, Kept), Exit> {
    if choice.local {
        #[cfg(feature = "server")]
        {
            let (local, login) = super::local::Local::open(dir, desired)
                .await
                .map_err(|e| fail(&e))?;
            let place = format!(
                "LOCAL: the embedded platform in {}, not Mondoo",
                inert(&super::local::database(dir).display().to_string())
            );
            return Ok((login, place, None, Some(local)));
        }
        #[cfg(not(feature = "server"))]
        {
            let _ = (dir, desired);
            return Err(fail(
                "this rolecall was built without the embedded platform",
            ));
        }
    }
    let wanted = Wanted {
        credentials: choice.credentials.clone(),
        endpoint: choice.endpoint.clone(),
    };
    let environment = Environment {
        var: &reach::variable,
        read_file: &|path| std::fs::read(path),
        home: std::env::home_dir(),
    };
    let login = discover(&wanted, &environment).map_err(|error| {
        output::error(&error.to_string(), &error.help);
        Exit::Error
    })?;
    warn_if_exposed(&login.source);
    let ca = reach::certificates(choice.ca_file.as_deref())?;
    let place = inert(login.endpoint.base());
    #[cfg(feature = "server")]
    let kept = None;
    #[cfg(not(feature = "server"))]
    let kept = ();
    Ok((login, place, ca, kept))
}
