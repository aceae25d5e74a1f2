//! `rolecall completions`: what a shell needs to complete this program's command line.

use std::future::ready;

use clap::Args as ClapArgs;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::invocation::{Context, Invocation, Run};

/// `rolecall completions`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  source <(rolecall completions bash)\n  \
rolecall completions zsh > ~/.zfunc/_rolecall\n  \
rolecall completions fish > ~/.config/fish/completions/rolecall.fish\n  \
rolecall completions powershell | Out-String | Invoke-Expression")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

impl Invocation for CompletionsArgs {
    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(Ok(run(&self, context))))
    }
}

fn run(args: &CompletionsArgs, context: &Context) -> Exit {
    let Context { reporter, grammar } = context;
    let mut text = Vec::new();
    let mut command = grammar.clone();
    clap_complete::generate(args.shell, &mut command, "rolecall", &mut text);
    reporter.result(&String::from_utf8_lossy(&text));
    if args.shell == Shell::Fish {
        reporter.result(&values_for_fish(&command));
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
