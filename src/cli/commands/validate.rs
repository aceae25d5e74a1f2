//! `rolecall validate`: checks the configuration offline.

use crate::cli::args::ValidateArgs;
use crate::cli::exit::Exit;
use crate::cli::{load, output};
use crate::echo;
use crate::view::inert;

/// Runs the command.
pub fn run(args: &ValidateArgs) -> Exit {
    match load::validate(&args.config) {
        Ok(()) => {
            let dir = inert(&echo::path(&args.config.dir).to_string());
            output::print(&format!("The configuration in {dir} is valid.\n"));
            Exit::Done
        }
        Err(exit) => exit,
    }
}
