//! `rolecall validate`: checks the configuration offline.

use std::future::ready;

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::load;
use crate::cli::options::{ConfigArgs, FormArgs};
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::cli::workflows;
use crate::echo;
use crate::view::inert;

/// `rolecall validate`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  rolecall validate access/\n  \
rolecall validate --format json access/ | jq .diagnostics")]
pub struct ValidateArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The forms of the answer.
    #[command(flatten)]
    pub form: FormArgs,
}

impl Invocation for ValidateArgs {
    fn form(&self) -> FormArgs {
        self.form.clone()
    }

    fn files(&self) -> Files<'_> {
        Files::default()
            .form(&self.form)
            .configuration(&self.config)
    }

    fn values(&mut self) -> Option<&mut ConfigArgs> {
        Some(&mut self.config)
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(run(&self, &context.reporter)))
    }
}

fn run(args: &ValidateArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    load::validate(&args.config, reporter)?;
    for older in workflows::older(&args.config.dir) {
        reporter.note(&format!(
            "{} is of version {} of the workflows of `rolecall init`, and this rolecall writes version {}, in which {}. \
             To renew it, remove these files and run `rolecall init --ci SYSTEM` once more; look at what differs.",
            inert(&echo::path(&older.path).to_string()),
            older.version,
            workflows::VERSION,
            older.changes()
        ));
    }
    let dir = inert(&echo::path(&args.config.dir).to_string());
    reporter.result(&format!("The configuration in {dir} is valid.\n"));
    Ok(Exit::Done)
}
