//! `rolecall show`: everything about one account, or the plan in a file.

use std::path::Path;

use clap::Args as ClapArgs;

use super::list::{listed, unknown};
use crate::cli::events::Event;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::{ConfigArgs, FormArgs, Format, PlatformChoice, ReviewArgs, Scopes};
use crate::cli::outputs::Files;
use crate::cli::papers::{self, Papers};
use crate::cli::reporter::Reporter;
use crate::cli::{reach, reviewed};
use crate::diag::suggest;
use crate::diff::diff;
use crate::echo;
use crate::model::{Desired, DesiredAccount, Live, Scope};
use crate::plan::{self, extent, power};
use crate::policy::{Acks, LocalFiles, approve};
use crate::view::human::{self, Listed};
use crate::view::markdown::Decision;

/// `rolecall show`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall show --local service_account.ci examples/quickstart\n  \
rolecall show 'service_account.ci[\"prod\"]' access/\n  \
rolecall show plan.json\n  rolecall show --format json plan.json | jq .plan.changes\n  rolecall show --markdown plan.md plan.json\n  rolecall show //agents.api.mondoo.app/spaces/ID/serviceaccounts/ID access/"
)]
pub struct ShowArgs {
    /// Its address in the configuration (`service_account.` may be left out), its resource name, or
    /// a plan file
    pub address: String,

    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,

    /// The forms of the answer, for a plan file.
    #[command(flatten)]
    pub form: FormArgs,

    /// How a plan file is shown.
    #[command(flatten)]
    pub review: ReviewArgs,
}

impl Invocation for ShowArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn review(&self) -> Option<&ReviewArgs> {
        Some(&self.review)
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .form(&self.form)
            .review(&self.review)
            // A plan file.
            .reads_in_place(Path::new(&self.address))
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

async fn run(args: ShowArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let path = Path::new(&args.address);
    if path.is_file() {
        let plan = reviewed::read(path)?;
        papers::probe(&args.review)?;
        reporter.emit(Event::Planned(&plan));
        let papers = Papers::of(&args.review, &args.form, reporter);
        papers.shown(&plan);
        let judged = approve(plan.clone(), &Acks::default(), None, LocalFiles::Stay);
        let refusals = judged.err().unwrap_or_default();
        papers.plan(&plan, Decision::Guards(&refusals))?;
        return Ok(Exit::Done);
    }
    let ReviewArgs {
        full,
        markdown,
        step_summary,
        annotations,
        annotations_file: _,
        show_all,
        counts_only,
    } = &args.review;
    let files = [markdown, step_summary].into_iter().any(Option::is_some);
    if *full || files || annotations.is_some() || *show_all || *counts_only {
        return Err(
            Failure::usage("only a plan file is shown so, and there is none of this name")
                .help("write one with `rolecall plan --out FILE`"),
        );
    }
    if args.form.format == Format::Markdown {
        return Err(Failure::usage(
            "only a plan file is shown as Markdown, and there is none of this name",
        )
        .help("write one with `rolecall plan --out FILE`"));
    }
    if args.form.format == Format::Json || args.form.json_out.is_some() {
        return Err(Failure::usage(
            "only a plan file is shown as JSON, and there is none of this name",
        )
        .help("write one with `rolecall plan --out FILE`")
        .help("leave --format and --json-out out to see an account"));
    }
    let looked = reach::look(&args.config, &args.platform, Scopes::All, reporter).await?;
    let (desired, live, inventory) = (&looked.desired, &looked.live, &looked.inventory);
    let all = listed(live, inventory);
    let Some((address, declared, found)) = find(&args.address, desired, all.clone()) else {
        return Err(unknown_address(&args.address, desired, &all));
    };
    let power = |roles: &_, scope: &Scope| power(roles, scope, spaces_in(live, scope));
    // What was not read is not known to be absent.
    let hidden = declared
        .map(|declared| &declared.scope)
        .filter(|scope| found.is_empty() && live.unread.contains_key(scope));
    if found.is_empty() {
        for told in extent(desired, live, inventory) {
            reporter.warn(&told);
        }
    }
    let delta = diff(desired, live, inventory);
    let plan = plan::build(desired, live, inventory, delta);
    let text = human::show(address.as_deref(), declared, &found, hidden, &plan, power);
    reporter.result(&text);
    Ok(match hidden {
        Some(_) => Exit::Error,
        None => Exit::Done,
    })
}

type Match<'a> = (Option<String>, Option<&'a DesiredAccount>, Vec<Listed<'a>>);

/// The account that is asked for, by address or by resource name.
fn find<'a>(wanted: &str, desired: &'a Desired, all: Vec<Listed<'a>>) -> Option<Match<'a>> {
    let by_address = |address: &str| {
        desired
            .accounts
            .values()
            .find(|a| a.address.to_string() == address)
    };
    if wanted.starts_with("//") {
        let one = all
            .into_iter()
            .find(|row| row.account.mrn.as_str() == wanted)?;
        // An account that an import block names is declared, if not taken over yet.
        let imported = desired.accounts.values().find(|declared| {
            let import = declared.import.as_ref();
            import.is_some_and(|import| import.mrn == one.account.mrn)
        });
        let declared = one.address.as_deref().and_then(by_address).or(imported);
        let address = one
            .address
            .clone()
            .or_else(|| declared.map(|declared| declared.address.to_string()));
        return Some((address, declared, vec![one]));
    }
    let short = format!("service_account.{wanted}");
    for address in [wanted, short.as_str()] {
        let declared = by_address(address);
        let import = declared.and_then(|declared| declared.import.as_ref());
        let found: Vec<Listed<'a>> = all
            .iter()
            .filter(|row| {
                row.address.as_deref() == Some(address)
                    || import.is_some_and(|import| import.mrn == row.account.mrn)
            })
            .cloned()
            .collect();
        if declared.is_some() || !found.is_empty() {
            return Some((Some(address.to_owned()), declared, found));
        }
    }
    None
}

fn unknown_address(wanted: &str, desired: &Desired, all: &[Listed<'_>]) -> Failure {
    let shown = echo::text(wanted).given("ADDRESS");
    if wanted.starts_with("//") {
        return unknown(
            &format!("no account of the configuration's scopes is {shown}"),
            None,
            "`rolecall list` lists them",
        );
    }
    let mut known: Vec<String> = desired.accounts.keys().map(ToString::to_string).collect();
    known.extend(all.iter().filter_map(|row| row.address.clone()));
    let near = suggest(wanted, known.iter().map(String::as_str));
    let near = near.or_else(|| {
        let full = format!("service_account.{wanted}");
        suggest(&full, known.iter().map(String::as_str))
    });
    unknown(
        &format!("this configuration has no account `{shown}`"),
        near,
        "an address is `service_account.NAME`, or `service_account.NAME[\"KEY\"]`; `rolecall \
         list` shows them",
    )
}

fn spaces_in(live: &Live, scope: &Scope) -> Option<usize> {
    let Scope::Organization(id) = scope else {
        return None;
    };
    let spaces = live.scopes.values();
    Some(
        spaces
            .filter(|info| info.organization.as_ref() == Some(id))
            .count(),
    )
}
