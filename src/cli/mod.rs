//! The shell: arguments, environment, files, signals, exit codes. The only module that knows all
//! others and the real world.
//! In which order its files may use each other is in `docs/architecture.md`.

mod args;
mod commands;
mod commit;
mod confirm;
mod console;
mod document;
mod events;
mod exit;
mod failure;
mod host;
mod invocation;
mod load;
#[cfg(feature = "server")]
mod local;
mod log;
mod log_lines;
mod machine;
mod options;
mod outputs;
mod papers;
mod paths;
mod policies;
mod programs;
mod progress;
mod random;
mod reach;
mod record;
mod reporter;
mod reviewed;
mod seal;
mod session;
mod signals;
mod subfolders;
mod terraform;
mod withheld;
mod workflows;
pub mod world;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::echo;
use args::Line;
use exit::Exit;
use failure::Failure;
use invocation::Context;
use log::Log;
use options::Format;
use reporter::Reporter;

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
    match args::read(given.clone()) {
        Ok(line) => {
            let form = line.invocation.form();
            let reporter = Reporter::new(&line.name, &form, !line.no_input);
            let context = Context {
                reporter: reporter.clone(),
                grammar: args::grammar(),
            };
            let runtime = runtime();
            let ended = match &runtime {
                Ok(runtime) => start(line, &context, runtime),
                Err(error) => Err(Failure::error(format!("cannot start: {error}"))),
            };
            // Signals are heard by the runtime, also while the last words are said.
            let exit = reporter.finish(ended);
            if let Ok(runtime) = runtime {
                runtime.shutdown_background();
            }
            exit
        }
        Err(error) if !error.use_stderr() => {
            console::about(&error);
            Exit::Done
        }
        Err(error) => {
            let reporter = Reporter::new("", &args::form_of_wrong(&given), false);
            reporter.finish(Err(Failure::command_line(&error)))
        }
    }
    .into()
}

/// Sees that what is to be written can be, and runs the command.
fn start(
    line: Line,
    context: &Context,
    runtime: &tokio::runtime::Runtime,
) -> Result<Exit, Failure> {
    let Line {
        name,
        invocation,
        chdir,
        no_input: _,
        log,
    } = line;
    let reporter = &context.reporter;
    if invocation.form().format == Format::Markdown && invocation.review().is_none() {
        return Err(Failure::usage(format!(
            "`rolecall {name}` has no form in Markdown"
        ))
        .help("plan, apply, rotate, and show of a plan file have one; leave --format out, or say json"));
    }
    {
        let _inside = runtime.enter();
        // Before any file is begun.
        signals::survive_limits()?;
    }
    enter(chdir.as_deref())?;
    let log = log::wanted(&log).and_then(|log| {
        let file = log.as_ref().and_then(|log| log.file.as_ref());
        let taker = log.as_ref().map_or("", |log| log.taker);
        outputs::check(invocation.files().writes(taker, file)).map(|()| log)
    });
    // What may take the place of something precious is not touched.
    let log = log.inspect_err(|_| reporter.no_file())?;
    if let Some(log) = log {
        reporter.log(Log::open(log)?, &name);
    }
    reporter.probe()?;
    runtime.block_on(invocation.run(context))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// The command line as clap knows it, for whoever walks all of it.
pub fn command() -> clap::Command {
    args::grammar()
}

/// Goes where `--chdir` says.
fn enter(dir: Option<&Path>) -> Result<(), Failure> {
    let Some(dir) = dir else {
        return Ok(());
    };
    std::env::set_current_dir(dir).map_err(|error| {
        let shown = echo::path(dir).given("--chdir");
        Failure::error(format!("cannot enter {shown}: {error}")).helps(paths::tilde(dir))
    })
}
