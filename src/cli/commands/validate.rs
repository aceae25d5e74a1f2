//! `rolecall validate`: checks the configuration offline.

use crate::cli::args::ConfigArgs;
use crate::cli::exit::Exit;
use crate::cli::{load, output};
use crate::view::inert;

/// Runs the command.
pub fn run(args: &ConfigArgs) -> Exit {
    match load::validate(args) {
        Ok(()) => {
            let dir = inert(&args.dir.display().to_string());
            output::print(&format!("The configuration in {dir} is valid.\n"));
            Exit::Done
        }
        Err(exit) => exit,
    }
}
