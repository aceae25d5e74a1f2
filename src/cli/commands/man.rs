//! `rolecall man`: one manual page for each command, in a folder.

use std::future::ready;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::outputs::Files;
use crate::echo;
use crate::view::{human, inert};

/// `rolecall man`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall man --out ~/.local/share/man/man1\n  \
rolecall man --out man && man man/rolecall-plan.1"
)]
pub struct ManArgs {
    /// The folder for the pages; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

impl Invocation for ManArgs {
    fn files(&self) -> Files<'_> {
        Files::default().makes("--out", &self.out)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(run(&self, context)))
    }
}

fn run(args: &ManArgs, context: &Context) -> Result<Exit, Failure> {
    let pages = write(&args.out, &context.grammar).map_err(|error| {
        let out = echo::path(&args.out).given("--out");
        Failure::error(format!("cannot write the pages to {out}: {error}"))
    })?;
    context.reporter.result(&format!(
        "Wrote {} to {}.\n",
        human::count(pages, "page"),
        inert(&echo::path(&args.out).to_string())
    ));
    Ok(Exit::Done)
}

fn write(out: &Path, grammar: &clap::Command) -> std::io::Result<usize> {
    std::fs::create_dir_all(out)?;
    let mut command = grammar.clone().disable_help_subcommand(true);
    command.build();
    let mut written = 0;
    page(&command, "rolecall", out, &mut written)?;
    Ok(written)
}

/// Writes the page of a command and those of its parts.
fn page(
    command: &clap::Command,
    name: &str,
    out: &Path,
    written: &mut usize,
) -> std::io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name)
        .render(&mut text)?;
    if *written == 0 {
        exit_codes().to_writer(&mut text)?;
    }
    std::fs::write(out.join(format!("{name}.1")), text)?;
    *written += 1;
    for sub in command.get_subcommands() {
        page(sub, &format!("{name}-{}", sub.get_name()), out, written)?;
    }
    Ok(())
}

fn exit_codes() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        let (meaning, then) = exit.meaning();
        section.control("TP", []);
        section.text([
            bold(exit.code().to_string()),
            roman(format!(" {}", exit.name())),
        ]);
        section.text([roman(format!("{meaning} {then}"))]);
    }
    section
}
