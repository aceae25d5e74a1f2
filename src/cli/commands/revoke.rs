//! `rolecall revoke`: takes the power of an account back whose key is in the wrong hands. Knows no plan of the
//! rest, and waits for nothing that can wait.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;

use super::list::{listed, unknown};
use crate::apply::{Options, Outcome, revoke};
use crate::cli::confirm::confirm;
use crate::cli::events::Event;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Finding};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::load::{self, Loaded};
use crate::cli::options::{ConfigArgs, FormArgs, PlatformChoice, Scopes};
use crate::cli::outputs::Files;
use crate::cli::reach::{self, Reached};
use crate::cli::record;
use crate::cli::reporter::Reporter;
use crate::cli::signals::Signals;
use crate::cli::world::{Process, RealWorld};
use crate::diag::suggest;
use crate::echo;
use crate::model::{
    Address, CredentialMark, Custody, Desired, Entry, Inventory, Live, LiveAccount, Mrn, Queries,
    Seals,
};
use crate::plan::{Questions, remains, revocation};
use crate::policy::{Acks, approve_revocation};
use crate::refresh::refresh_beyond;
use crate::sinks::Sinks;
use crate::view::{human, inert};

/// `rolecall revoke`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The roles of all live generations of the address are taken away at once, and the generations \
are marked: no apply\ngrants them roles again, only `rolecall rotate ADDRESS` does, to a new key. Neither limits, \
policies nor protection stop it.\nWithout the private seal key (ROLECALL_SEAL_KEY) the mark is a label that no \
seal vouches for: run it again where the key is.\n\n\
Examples:\n  rolecall revoke 'service_account.ci[\"prod\"]' access/   # shows what it takes and asks\n  \
rolecall revoke --yes --record 0003.json 'ci[\"prod\"]' access/\n  \
rolecall revoke --yes --generation 1 'ci[\"prod\"]' access/\n  \
rolecall revoke //agents.api.mondoo.app/spaces/ID/serviceaccounts/ID access/"
)]
pub struct RevokeArgs {
    /// Its address in the configuration (`service_account.` may be left out), whether it still stands there or
    /// only on live accounts; or the resource name of one account that carries this stack's marks, believed or
    /// not
    pub address: String,

    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// Only this generation of its credentials
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub generation: Option<u32>,

    /// Do not ask. Needed where there is no terminal
    #[arg(long, alias = "auto-approve")]
    pub yes: bool,

    /// Lift the objection of a guard for the revocation of this digest, as the refusal says
    #[arg(long, value_name = "GUARD=DIGEST")]
    pub ack: Vec<String>,

    /// Write a record of the run to a new file, however it ends once it has logged in
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// The record of the run before, which the new one is linked to (docs/reliability.md)
    #[arg(long, value_name = "FILE", requires = "record")]
    pub previous: Option<PathBuf>,
}

impl Invocation for RevokeArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .writes("--record", self.record.as_ref())
            .form(&self.form)
            .configuration(&self.config)
            .platform(&self.platform)
            .reads("--previous", self.previous.as_ref())
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: RevokeArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let start = Instant::now();
    let acks = Acks::parse(args.ack.iter().map(String::as_str)).map_err(Failure::usage)?;
    let mut follows = None;
    if let Some(path) = &args.record {
        let record = record::begin(record::Wanted {
            path,
            previous: args.previous.as_deref(),
            options: crate::record::Options {
                acks: args.ack.clone(),
                ..crate::record::Options::default()
            },
            reviewed: None,
        })?;
        follows = record.previous_stack();
        reporter.keep(record);
    }
    let signals = Signals::listen(reporter)?;
    let Read {
        desired,
        queries,
        whole: declared,
    } = loaded(&args.config, reporter)?;
    record::of_stack(follows.as_deref(), &desired.stack)?;
    let reached = reach::reach(&args.platform, &args.config.dir, &desired, reporter).await?;
    let seals = keys(&args, &desired, reporter)?;
    let Reached {
        client,
        scope,
        endpoint,
        kept: _kept,
    } = reached;
    let reading = reporter.waiting("reading what is live");
    let home = reach::home(scope, args.scopes);
    let live = refresh_beyond(&client, &queries, &home, &desired.stack, &endpoint)
        .await
        .map_err(|e| Failure::error(e.message))?;
    drop(reading);
    let unread = live.unread.iter().chain(&live.extent.unseen);
    for (scope, unread) in unread.clone() {
        reporter.warn(&reach::unread_scope(scope, unread));
    }
    let unread = unread.count();
    let inventory = Inventory::take(&desired, &live, &seals);
    let found = Found::of(&args, &desired, &live, &inventory)?;
    found.tell(reporter);
    let wanted: BTreeSet<Mrn> = found
        .taken
        .iter()
        .filter(|account| !done(account, &inventory, &seals))
        .map(|account| account.mrn.clone())
        .collect();
    let whole = found.left.is_empty() && found.born.is_empty() && unread == 0;
    if wanted.is_empty() {
        return nothing(&found, whole, unread, reporter);
    }
    let left = remains(&desired, &live, &inventory, &wanted, declared);
    let mut plan = revocation(&desired, &live, &inventory, &wanted);
    let questions = Questions::of(&plan, &live, &inventory);
    let answers = reach::answers(&client, &questions, reporter).await;
    plan.tell(questions, &answers);
    reporter.emit(Event::Planned(&plan));
    let shown = human::revocation(&plan, seals.can_seal());
    reporter.result(&shown);
    let approved = approve_revocation(plan, &acks).map_err(|refusals| {
        reporter.emit(Event::Refused(&refusals));
        reporter.result(&human::refusals(&refusals, true));
        Failure::refused(&refusals)
    })?;
    if !args.yes {
        confirm("Take these roles away?", &shown, reporter)?;
    }
    let world = RealWorld {
        client,
        // Keys stay where they are: they open nothing any more.
        sinks: Sinks::local(&args.config.dir),
        run: Process {
            signals,
            reporter: reporter.clone(),
            start,
        },
    };
    world.run.signals.applying();
    let options = Options {
        seals,
        ..Options::default()
    };
    let progress = reporter.applying(approved.plan().changes.len());
    let outcome = revoke(&approved, &world, &options).await;
    drop(progress);
    reporter.emit(Event::Applied(&outcome));
    reporter.result("\n");
    reporter.result(&human::revoked(&outcome, &left));
    if !whole {
        let why = "not every account that may be meant was revoked, as said above";
        reporter.emit(Event::Undone {
            message: why,
            help: &[],
        });
        reporter.result(&format!("\n{}.\n", capital(why)));
    }
    Ok(match exit(&outcome) {
        Exit::Done if !whole => Exit::Partial,
        exit => exit,
    })
}

/// The configuration, as far as it could be read.
struct Read {
    desired: Desired,
    queries: Queries,
    /// Whether that is all of it.
    whole: bool,
}

/// The configuration; where it is wrong, what can be known of it: a leaked key does not wait.
fn loaded(config: &ConfigArgs, reporter: &Reporter) -> Result<Read, Failure> {
    let failure = match load::load(config, &[], reporter) {
        Ok(Loaded {
            desired,
            queries,
            policies: _,
            sinks: _,
        }) => {
            return Ok(Read {
                desired,
                queries,
                whole: true,
            });
        }
        Err(failure) => failure,
    };
    if failure.exit() == Exit::Usage {
        return Err(failure);
    }
    let Ok(salvaged) = load::salvage(config) else {
        return Err(failure);
    };
    let errors = failure.findings().iter().filter_map(Finding::error);
    let mut help: Vec<String> = errors.map(|(message, _)| message).collect();
    help.push("`rolecall validate` shows what is wrong".to_owned());
    reporter.warn_with(
        "the configuration is wrong, which keeps no account from being revoked: its stack, its keys and what \
         could be read of its scopes and accounts count; accounts in other scopes are not looked for",
        &help,
    );
    Ok(Read {
        desired: salvaged.desired,
        queries: salvaged.queries,
        whole: false,
    })
}

/// What seals are checked and made with. A private key that is wrong does not stop a revocation.
fn keys(args: &RevokeArgs, desired: &Desired, reporter: &Reporter) -> Result<Seals, Failure> {
    let failure = match reach::keys(&args.platform, &args.config.dir, desired, reporter) {
        Ok(seals) => return Ok(seals),
        Err(failure) if args.platform.local || failure.exit() == Exit::Usage => {
            return Err(failure);
        }
        Err(failure) => failure,
    };
    let errors = failure.findings().iter().filter_map(Finding::error);
    let why: Vec<String> = errors.map(|(message, _)| message).collect();
    reporter.warn_with("goes on without a private seal key:", &why);
    Seals::new(desired.seal_keys.clone(), None).map_err(Failure::error)
}

/// Whether there is nothing to take and nothing to mark any more.
fn done(account: &LiveAccount, inventory: &Inventory, seals: &Seals) -> bool {
    let ours = matches!(inventory.of(&account.mrn), Custody::Ours(_));
    let sealed = account.marks().is_some_and(|marks| marks.revoked);
    account.roles.is_empty() && account.labels.revoked() && (sealed || !ours || !seals.can_seal())
}

/// The live accounts that are meant.
struct Found<'a> {
    /// Those whose power is taken.
    taken: Vec<&'a LiveAccount>,
    /// Those that claim the address without being believed, and are left alone, with the reason.
    left: Vec<(&'a LiveAccount, String)>,
    /// Those that another run is creating.
    born: Vec<&'a LiveAccount>,
}

impl<'a> Found<'a> {
    fn of(
        args: &RevokeArgs,
        desired: &Desired,
        live: &'a Live,
        inventory: &'a Inventory,
    ) -> Result<Self, Failure> {
        let mut found = Self {
            taken: Vec::new(),
            left: Vec::new(),
            born: Vec::new(),
        };
        let by_name = args.address.starts_with("//");
        let meant: Vec<(&LiveAccount, &Entry)> = inventory
            .beside(live)
            .filter(|(account, entry)| match by_name {
                true => account.mrn.as_str() == args.address,
                false => carries(&args.address, account, entry),
            })
            .collect();
        if meant.is_empty() {
            return Err(nobody(args, desired, live, inventory));
        }
        let generations: BTreeSet<u32> = meant
            .iter()
            .filter_map(|(account, _)| Some(account.marks()?.generation))
            .collect();
        if let Some(wanted) = args.generation
            && !generations.contains(&wanted)
        {
            let there: Vec<String> = generations.iter().map(u32::to_string).collect();
            return Err(Failure::error(format!(
                "no live account of this address is of generation {wanted}, and nothing was written"
            ))
            .help(format!("live generations: {}", there.join(", "))));
        }
        for (account, entry) in meant {
            let generation = account.marks().map(|marks| marks.generation);
            if args.generation.is_some() && args.generation != generation {
                continue;
            }
            let why = match &entry.custody {
                Custody::Ours(ours) => {
                    match ours.marks.credential {
                        CredentialMark::Pending(_) => found.born.push(account),
                        CredentialMark::Delivered { .. } | CredentialMark::External => {
                            found.taken.push(account);
                        }
                    }
                    continue;
                }
                Custody::Disputed { why, claim: _ } => why.clone(),
                Custody::OtherKey { key, claim: _ } => {
                    format!("it is sealed with another key ({key}) than the configuration's")
                }
                Custody::Later { needs, claim: _ } => {
                    format!("its marks are of rolecall {needs} or later")
                }
                Custody::Foreign(_) | Custody::Unmanaged => {
                    return Err(not_ours(account, &entry.custody));
                }
            };
            match by_name {
                true => found.taken.push(account),
                false => found.left.push((account, why)),
            }
        }
        Ok(found)
    }

    /// Warns of those that are left alone.
    fn tell(&self, reporter: &Reporter) {
        for (account, why) in &self.left {
            let mrn = inert(account.mrn.as_str());
            reporter.warn_with(
                &format!(
                    "{mrn} carries this address too, and is left alone: {}",
                    inert(why)
                ),
                &[format!(
                    "if it is the one, take its roles by its own name: rolecall revoke {mrn}"
                )],
            );
        }
        for account in &self.born {
            reporter.warn_with(
                &format!(
                    "{} is being created for this address by another run, and is left alone: its key is not \
                     the one that leaked",
                    inert(account.mrn.as_str())
                ),
                &["run this again when that is over, if its key leaks too".to_owned()],
            );
        }
    }
}

/// Whether an account is at an address, or its marks say so, by the present address or by the one they hold.
fn carries(wanted: &str, account: &LiveAccount, entry: &Entry) -> bool {
    let Some(claim) = entry.custody.claim() else {
        return false;
    };
    [wanted.to_owned(), format!("service_account.{wanted}")]
        .iter()
        .any(|text| {
            let label = text.parse::<Address>().ok().map(|address| address.label());
            claim.address.to_string() == *text
                || label.is_some_and(|label| {
                    label == claim.label || Some(&label) == account.labels.address().as_ref()
                })
        })
}

/// An account of nobody, or of another configuration.
fn not_ours(account: &LiveAccount, custody: &Custody) -> Failure {
    let whose = match custody {
        Custody::Foreign(stack) => format!("it is of the stack {stack}"),
        _ => "no stack has marked it".to_owned(),
    };
    Failure::error(format!(
        "{} is not this configuration's: {whose}; nothing was written",
        account.mrn
    ))
    .help("revoke it with the configuration that manages it, or take its roles in Mondoo's console")
}

/// No live account is at this address: what is near it, or could not be read.
fn nobody(args: &RevokeArgs, desired: &Desired, live: &Live, inventory: &Inventory) -> Failure {
    let shown = echo::text(&args.address).given("ADDRESS");
    let rows = listed(live, inventory);
    let mut known: Vec<String> = rows.iter().filter_map(|row| row.address.clone()).collect();
    known.sort();
    known.dedup();
    let full = format!("service_account.{}", args.address);
    let declared = desired.accounts.keys().any(|address| {
        let address = address.to_string();
        address == args.address || address == full
    });
    let what = match (args.address.starts_with("//"), declared) {
        (true, _) => format!("no live account that was read is {shown}"),
        (false, true) => format!("{shown} is declared, and no live account is at it"),
        (false, false) => format!("no live account of this configuration is at {shown}"),
    };
    let instances = |name: &str| -> Vec<String> {
        let of = format!("{name}[");
        let of = known.iter().filter(|address| address.starts_with(&of));
        of.take(10).cloned().collect()
    };
    let all = [args.address.as_str(), full.as_str()]
        .map(instances)
        .concat();
    let near = [args.address.as_str(), full.as_str()]
        .into_iter()
        .find_map(|text| suggest(text, known.iter().map(String::as_str)));
    let failure = unknown(
        &format!("{what}, and nothing was written"),
        near.filter(|_| all.is_empty()),
        "`rolecall list` shows the addresses of live accounts",
    );
    let failure = failure.helps(
        (!all.is_empty())
            .then(|| format!("each instance is an account of its own: {}", all.join(", "))),
    );
    let unread = live.unread.len() + live.extent.unseen.len();
    failure.helps((unread > 0).then(|| {
        let scopes = human::count(unread, "scope");
        format!("{scopes} could not be read, and it may be there")
    }))
}

/// Nothing is left to take.
fn nothing(
    found: &Found<'_>,
    whole: bool,
    unread: usize,
    reporter: &Reporter,
) -> Result<Exit, Failure> {
    if whole {
        reporter.result("Nothing to do: it has no roles, and is marked as revoked.\n");
        return Ok(Exit::Done);
    }
    let message = match found.taken.is_empty() {
        true => "nothing was revoked: no account of this address may be taken for it by itself",
        false => "nothing more was revoked: what may be taken for it has no roles any more",
    };
    let failure = match found.left.is_empty() {
        // Somebody has to say which is meant.
        false => Failure::new(Exit::Refused, message),
        true => Failure::error(message),
    };
    let failure = failure.help("what is left alone is said above");
    Err(failure.helps((unread > 0).then(|| {
        let scopes = human::count(unread, "scope");
        format!("{scopes} could not be read, and more may be there")
    })))
}

/// How a revocation ends by what it did.
fn exit(outcome: &Outcome) -> Exit {
    match (outcome.complete(), outcome.written, outcome.interrupted) {
        (true, ..) => Exit::Done,
        (false, true, _) => Exit::Partial,
        (false, false, true) => Exit::Interrupted,
        (false, false, false) => Exit::Error,
    }
}

/// The same as a sentence begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
