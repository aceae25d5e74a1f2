//! `rolecall list`: the live accounts of the configuration's scopes.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::SignedDuration;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{ConfigArgs, PlatformChoice, Scopes, duration};
use crate::cli::outputs::Files;
use crate::cli::reach;
use crate::cli::reporter::Reporter;
use crate::diag::suggest;
use crate::echo;
use crate::model::{
    Custody, Desired, Entry, Inventory, Keeper, Live, LiveAccount, PLATFORM_ROLES, Role, Scope,
    composed,
};
use crate::plan::extent;
use crate::view::human::{self, Listed};
use crate::view::inert;

/// What `--help` calls the options that choose accounts.
const FILTERS: &str = "Filters";

/// `rolecall list`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Several values of one option mean any of them; several options mean all of \
them.\n\nExamples:\n  rolecall list --local examples/quickstart\n  \
rolecall list --unused 90d --role editor --role owner access/\n  \
rolecall list --custody unmanaged --scope space.payments access/\n  \
rolecall list --name scanner access/"
)]
pub struct ListArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// Which scopes are read: besides the declared ones the login's own is, with all its spaces, for
    /// accounts that this configuration has lost sight of
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub scopes: Scopes,

    /// Accounts of this scope alone: an id, a resource name, `space.NAME` or `organization.NAME`
    #[arg(long, value_name = "SCOPE", help_heading = FILTERS)]
    pub scope: Vec<String>,

    /// Accounts whose name contains this, in whatever case
    #[arg(long, value_name = "TEXT", help_heading = FILTERS)]
    pub name: Vec<String>,

    /// Accounts with this role: `viewer`, or a resource name; `rolecall roles` lists them
    #[arg(long, value_name = "ROLE", help_heading = FILTERS)]
    pub role: Vec<String>,

    /// Accounts at least this old that were not used for this long, such as 90d or 12h
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = FILTERS)]
    pub unused: Option<SignedDuration>,

    /// Accounts of this custody
    #[arg(long, value_name = "CUSTODY", help_heading = FILTERS)]
    pub custody: Vec<Whose>,
}

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    /// This configuration's
    Managed,
    /// Nobody's: no configuration has marked it
    Unmanaged,
    /// Another configuration's
    Foreign,
    /// Marked as this configuration's, without a reason to believe it
    Disputed,
    /// Marked as this configuration's by a later version of rolecall
    Newer,
}

impl Invocation for ListArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .configuration(&self.config)
            .platform(&self.platform)
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: ListArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let looked = reach::look(&args.config, &args.platform, args.scopes, reporter).await?;
    let (desired, live, inventory) = (&looked.desired, &looked.live, &looked.inventory);
    let chosen = Chosen::new(&args, desired, live)?;
    let mut rows = listed(live, inventory);
    let total = rows.len();
    rows.retain(|row| chosen.holds(row));
    reporter.result(&human::list(&rows, total));
    for told in extent(desired, live, inventory) {
        reporter.result(&format!("\n{}\n", inert(&told)));
    }
    if live.unread.is_empty() {
        return Ok(Exit::Done);
    }
    let scopes = human::count(live.unread.len(), "scope");
    reporter.result(&format!(
        "\n{scopes} could not be read, so accounts may be missing.\n"
    ));
    Ok(Exit::Error)
}

/// What there is to say of every account, in an order that people expect.
pub fn listed<'a>(live: &'a Live, inventory: &'a Inventory) -> Vec<Listed<'a>> {
    let mut all: Vec<Listed<'a>> = inventory
        .beside(live)
        .map(|(account, entry)| one(live, account, entry))
        .collect();
    all.sort_by_key(|row| (&row.account.scope, &row.account.name, &row.account.mrn));
    all
}

fn one<'a>(live: &'a Live, account: &'a LiveAccount, entry: &Entry) -> Listed<'a> {
    let caller = &live.facts.caller;
    let own = || match account.mrn == caller.mrn {
        true => Some("this run's own account".to_owned()),
        false => caller
            .owns(&account.mrn)
            .then(|| "a temporary account of this run's workload identity".to_owned()),
    };
    let note = match &entry.custody {
        Custody::Ours(_) => own(),
        Custody::OtherKey { key, claim: _ } => Some(format!(
            "it is sealed with another key ({key}) than the configuration's"
        )),
        Custody::Later { needs, claim: _ } => {
            Some(format!("written by rolecall {needs} or later; update"))
        }
        Custody::Disputed { why, claim: _ } => Some(why.clone()),
        Custody::Foreign(stack) => Some(format!("of the stack {stack}")),
        Custody::Unmanaged if entry.imported => Some("the next apply takes it over".to_owned()),
        Custody::Unmanaged => own(),
    };
    let custody = entry.custody.keeper();
    let called = || entry.custody.called(&account.mrn).to_string();
    Listed {
        account,
        scope: live.scopes.get(&account.scope),
        custody,
        note,
        address: matches!(custody, Keeper::Managed | Keeper::Disputed | Keeper::Newer).then(called),
    }
}

/// What was asked for, checked.
struct Chosen<'a> {
    scopes: Vec<Scope>,
    names: Vec<String>,
    roles: Vec<Role>,
    unused: Option<jiff::Timestamp>,
    custody: &'a [Whose],
}

impl<'a> Chosen<'a> {
    fn new(args: &'a ListArgs, desired: &Desired, live: &Live) -> Result<Self, Failure> {
        let known = names_of_scopes(desired, live);
        let mut scopes = Vec::new();
        for wanted in &args.scope {
            let Some(scope) = known.get(wanted).cloned() else {
                let near = suggest(wanted, known.keys().map(String::as_str));
                return Err(unknown(
                    &format!(
                        "no scope of this configuration is called `{}`",
                        echo::text(wanted).given("--scope")
                    ),
                    near,
                    "`--scope` takes an id, a resource name, `space.NAME` or `organization.NAME`",
                ));
            };
            scopes.push(scope);
        }
        let roles: Vec<Role> = args.role.iter().map(|text| Role::new(text)).collect();
        for role in &roles {
            let held = live.accounts.values().any(|a| a.roles.contains(role));
            if !role.is_known() && !held {
                return Err(unknown(
                    &format!(
                        "no role is called `{}`",
                        echo::text(role.short()).given("--role")
                    ),
                    suggest(role.short(), PLATFORM_ROLES),
                    "`rolecall roles` lists the roles that are known",
                ));
            }
        }
        let unused = args.unused.map(|duration| {
            let since = live.facts.now.checked_sub(duration);
            since.unwrap_or(jiff::Timestamp::MIN)
        });
        Ok(Self {
            scopes,
            names: args.name.iter().map(|name| folded(name)).collect(),
            roles,
            unused,
            custody: &args.custody,
        })
    }

    fn holds(&self, row: &Listed<'_>) -> bool {
        let account = row.account;
        let name = folded(&account.name);
        let any = |empty: bool, found: bool| empty || found;
        any(self.scopes.is_empty(), self.scopes.contains(&account.scope))
            && any(
                self.names.is_empty(),
                self.names.iter().any(|part| name.contains(part)),
            )
            && any(
                self.roles.is_empty(),
                self.roles.iter().any(|role| account.roles.contains(role)),
            )
            && any(
                self.custody.is_empty(),
                self.custody
                    .iter()
                    .any(|whose| whose.keeper() == row.custody),
            )
            && self.unused.is_none_or(|since| {
                // A young account has not had the time to be unused for so long.
                let before = |time: Option<jiff::Timestamp>| time.is_none_or(|time| time <= since);
                before(account.last_used) && before(account.created_at)
            })
    }
}

impl Whose {
    fn keeper(self) -> Keeper {
        match self {
            Self::Managed => Keeper::Managed,
            Self::Unmanaged => Keeper::Unmanaged,
            Self::Foreign => Keeper::Foreign,
            Self::Disputed => Keeper::Disputed,
            Self::Newer => Keeper::Newer,
        }
    }
}

/// A name as it is looked for: in whatever case and form of Unicode.
fn folded(name: &str) -> String {
    composed(name).to_lowercase()
}

/// Every name by which a scope may be asked for, those that could not be read among them: that is told
/// beside the list.
fn names_of_scopes(desired: &Desired, live: &Live) -> BTreeMap<String, Scope> {
    let organizations = desired.organizations.iter().map(|(name, organization)| {
        let scope = Scope::Organization(organization.id.clone());
        (format!("organization.{name}"), scope)
    });
    let spaces = desired.spaces.iter().map(|(name, space)| {
        let scope = Scope::Space(space.id.clone());
        (format!("space.{name}"), scope)
    });
    let declared: Vec<(String, Scope)> = organizations.chain(spaces).collect();
    let scopes = declared.iter().map(|(_, scope)| scope);
    let scopes = scopes.chain(live.scopes.keys()).chain(live.unread.keys());
    let by_id: Vec<(String, Scope)> = scopes
        .flat_map(|scope| {
            [scope.id().to_owned(), scope.mrn().to_string()].map(|n| (n, scope.clone()))
        })
        .collect();
    declared.into_iter().chain(by_id).collect()
}

/// Something is not known: what is near it, and where to look.
pub fn unknown(what: &str, near: Option<&str>, way: &str) -> Failure {
    let near = near.map(|near| format!("did you mean `{near}`?"));
    Failure::error(what).helps(near).help(way)
}
