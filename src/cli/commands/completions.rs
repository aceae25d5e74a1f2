//! `rolecall completions`: what a shell needs to complete this program's command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::args::{Args, CompletionsArgs};
use crate::cli::exit::Exit;
use crate::cli::output;

/// Runs the command.
pub fn run(args: &CompletionsArgs) -> Exit {
    let mut text = Vec::new();
    let mut command = Args::command();
    clap_complete::generate(args.shell, &mut command, "rolecall", &mut text);
    output::print(&String::from_utf8_lossy(&text));
    if args.shell == Shell::Fish {
        output::print(&values_for_fish(&command));
    }
    Exit::Done
}

/// What the generator leaves out for fish: the values of arguments that are no options.
fn values_for_fish(command: &clap::Command) -> String {
    let mut out = String::new();
    for sub in command.get_subcommands() {
        let arguments = sub.get_positionals();
        for value in arguments.flat_map(clap::Arg::get_possible_values) {
            let about = value
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            out.push_str(&format!(
                "complete -c rolecall -n \"__fish_rolecall_using_subcommand {}\" -f -a '{}' -d '{}'\n",
                sub.get_name(),
                value.get_name(),
                about.replace('\\', "\\\\").replace('\'', "\\'"),
            ));
        }
    }
    out
}
