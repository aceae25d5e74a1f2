//! `rolecall roles`: what each role lets a program do. Talks to nobody.

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::output;
use crate::view::human;

/// `rolecall roles`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  rolecall roles")]
pub struct RolesArgs {}

/// Runs the command.
pub fn run() -> Exit {
    output::print(&human::roles());
    Exit::Done
}
