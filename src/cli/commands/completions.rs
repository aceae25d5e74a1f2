//! `rolecall completions`: what a shell needs to complete this program's command line.

use clap::CommandFactory as _;

use crate::cli::args::{Args, CompletionsArgs};
use crate::cli::exit::Exit;
use crate::cli::output;

/// Runs the command.
pub fn run(args: &CompletionsArgs) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "rolecall", &mut text);
    output::print(&String::from_utf8_lossy(&text));
    Exit::Done
}
