//! The shell: arguments, environment, files, signals, exit codes. The only module that knows all
//! others and the real world.

mod args;
mod commands;
mod commit;
mod exit;
mod judged;
mod load;
#[cfg(feature = "server")]
mod local;
mod output;
mod outputs;
mod platform_args;
mod policies;
mod private_file;
mod progress;
mod reach;
mod record;
mod report;
mod seal;
mod session;
mod signals;
mod subfolders;
mod terraform;
mod withheld;
mod world;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::echo;
use args::{Args, Command};
use exit::Exit;

/// Runs the program and gives its exit code.
pub fn run() -> ExitCode {
    // One TLS stack: a second provider compiled in by accident must not be picked by chance. A
    // second installation in one process is refused, and then the first one stands.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    withheld::guard_panics();
    withheld::leave_no_core();
    let given: Vec<OsString> = std::env::args_os().collect();
    if given.iter().any(|a| terraform::is_no_color(a)) {
        anstream::ColorChoice::Never.write_global();
    }
    let args = match Args::read(given.clone()) {
        Ok(args) => args,
        Err(error) => {
            // If the terminal is gone there is nobody left to tell.
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::Done.into();
            }
            report::wrong_usage(&given, &error);
            return report::finish(Exit::Usage).into();
        }
    };
    if args.no_input {
        output::ask_nothing();
    }
    let (command, form) = args.command.form();
    report::begin(command, &form);
    let prepared = enter(args.chdir.as_deref())
        .and_then(|()| outputs::check(&args.command).inspect_err(|_| report::no_file()))
        .and_then(|()| report::probe());
    if let Err(exit) = prepared {
        return report::finish(exit).into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start: {error}"), &[]);
            return report::finish(Exit::Error).into();
        }
    };
    let exit = runtime.block_on(async {
        if let Err(error) = signals::survive_limits() {
            output::error(&format!("cannot listen for signals: {error}"), &[]);
            return Exit::Error;
        }
        match args.command {
            Command::Plan(args) => commands::plan::run(args).await,
            Command::Check(args) => commands::check::run(args).await,
            Command::Apply(args) => commands::apply::run(args).await,
            Command::Verify(args) => commands::verify::run(&args),
            Command::Validate(args) => commands::validate::run(&args),
            Command::Platform(args) => commands::platform::run(args).await,
            Command::Completions(args) => commands::completions::run(&args),
            Command::Man(args) => commands::man::run(&args),
            Command::Init(args) => commands::init::run(args).await,
            Command::Docs(args) => commands::docs::run(&args),
            Command::Roles(_) => commands::roles::run(),
            Command::List(args) => commands::list::run(args).await,
            Command::Show(args) => commands::show::run(args).await,
            Command::Seal(args) => commands::seal::run(&args),
            Command::Credential(args) => commands::credential::run(args).await,
        }
    });
    report::finish(exit).into()
}

/// The command line as clap knows it, for whoever walks all of it.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Goes where `--chdir` says.
fn enter(dir: Option<&Path>) -> Result<(), Exit> {
    let Some(dir) = dir else {
        return Ok(());
    };
    std::env::set_current_dir(dir).map_err(|error| {
        let shown = echo::path(dir).given("--chdir");
        output::error(
            &format!("cannot enter {shown}: {error}"),
            &output::tilde(dir),
        );
        Exit::Error
    })
}
