//! `rolecall man`: one manual page for each command, in a folder.

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::args::{Args, ManArgs};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::echo;
use crate::view::{human, inert};

/// Runs the command.
pub fn run(args: &ManArgs) -> Exit {
    match write(&args.out) {
        Ok(pages) => {
            output::print(&format!(
                "Wrote {} to {}.\n",
                human::count(pages, "page"),
                inert(&echo::path(&args.out).to_string())
            ));
            Exit::Done
        }
        Err(error) => {
            let out = echo::path(&args.out).given("--out");
            output::error(&format!("cannot write the pages to {out}: {error}"), &[]);
            Exit::Error
        }
    }
}

fn write(out: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(out)?;
    let mut command = Args::command().disable_help_subcommand(true);
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
