//! The shell: arguments, environment, files, signals, exit codes. The only module that knows all
//! others and the real world.

mod args;
mod commands;
mod exit;
mod load;
#[cfg(feature = "server")]
mod local;
mod output;
mod reach;
mod session;
mod signals;
mod world;

use std::process::ExitCode;

use args::{Args, Command};
use exit::Exit;

/// Runs the program and gives its exit code.
pub fn run() -> ExitCode {
    // One TLS stack: a second provider compiled in by accident must not be picked by chance. A
    // second installation in one process is refused, and then the first one stands.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => {
            let usage = error.use_stderr();
            // If the terminal is gone there is nobody left to tell.
            let _ = error.print();
            return if usage {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start: {error}"), &[]);
            return Exit::Error.into();
        }
    };
    let exit = runtime.block_on(async {
        match args.command {
            Command::Plan(args) => commands::plan::run(args).await,
            Command::Apply(args) => commands::apply::run(args).await,
            Command::Validate(args) => commands::validate::run(&args),
            Command::Platform(args) => commands::platform::run(args).await,
            Command::Init(args) => commands::init::run(args).await,
            Command::Roles(_) => commands::roles::run(),
            Command::List(args) => commands::list::run(args).await,
            Command::Show(args) => commands::show::run(args).await,
            Command::Credential(args) => commands::credential::run(args).await,
        }
    });
    exit.into()
}
