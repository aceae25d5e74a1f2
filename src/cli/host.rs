//! The code host that a command asks: which one, as whom, over which way; and what a job hands to the next.
//! A token is sent to the API that it came with, and nowhere else.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::echo;
use crate::forge::github::Github;
use crate::forge::{ForgeError, Means};
use crate::http::{Proxy, Time};
use crate::model::GithubApi;
use crate::review::Commit;
use crate::secret::Secret;

use super::failure::Failure;
use super::options::{HostArgs, HostName, OutputArgs};
use super::paths::tilde;
use super::reach::{authorities, certificates};
use super::reporter::Reporter;

/// A wait this long is told.
const TOLD: Duration = Duration::from_secs(3);

/// The run of the code host that this program is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub run: u64,
    /// Which attempt, from 1.
    pub attempt: u64,
    /// What started it.
    pub event: String,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}

/// A commit that an option names, by all of its digits: a branch, or a part of a commit, may be moved.
///
/// # Errors
/// That it is none.
pub fn commit(text: &str, option: &str) -> Result<Commit, Failure> {
    Commit::parse(text).ok_or_else(|| {
        let shown = echo::text(text).given(option);
        Failure::usage(format!(
            "{option} {shown}: a commit has 40 digits of 0-9 and a-f"
        ))
        .help("name it as `git rev-parse` does (64 digits where the repository uses SHA-256)")
    })
}

/// The code host; nothing is sent yet.
///
/// # Errors
/// What is not known of it, or that nobody is logged in.
pub fn host(args: &HostArgs, reporter: &Reporter) -> Result<Github, Failure> {
    let HostArgs {
        host,
        repository,
        ca_file,
        timeout: _,
    } = args;
    let job = variable("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    match host {
        Some(HostName::Github) => {}
        None if job => {}
        None => {
            return Err(Failure::usage("nobody says which code host is meant")
                .help("--host github; in a job of GitHub Actions it is known"));
        }
    }
    let repository = repository.clone().or_else(|| variable("GITHUB_REPOSITORY"));
    let Some(repository) = repository else {
        return Err(Failure::usage("nobody says which repository is meant")
            .help("--repository OWNER/NAME, or GITHUB_REPOSITORY, which a job has"));
    };
    let api = variable("GITHUB_API_URL").unwrap_or_else(|| GithubApi::PUBLIC.to_owned());
    let api = GithubApi::new(&api).map_err(|why| {
        Failure::error(format!(
            "GITHUB_API_URL is no address of GitHub's API: {why}"
        ))
    })?;
    let tokens = ["GITHUB_TOKEN", "GH_TOKEN"];
    let token = tokens
        .into_iter()
        .find_map(|name| Some((name, variable(name)?)));
    let Some((token_from, token)) = token else {
        return Err(Failure::error(
            "nobody is logged in to GitHub: GITHUB_TOKEN and GH_TOKEN were looked for",
        )
        .help("give the step `env: GITHUB_TOKEN: ${{ github.token }}`"));
    };
    let watcher = reporter.clone();
    let time = Time {
        now: Arc::new(jiff::Timestamp::now),
        sleep: Arc::new(move |duration: Duration| {
            if duration >= TOLD {
                let seconds = duration.as_secs_f64().round();
                watcher.note(&format!(
                    "The code host asks to wait; it is asked again in {seconds} s"
                ));
            }
            Box::pin(tokio::time::sleep(duration))
        }),
    };
    let observer = reporter.clone();
    let lookup = |name: &str| std::env::var(name).ok();
    let means = Means {
        token: Secret::new(token.trim().to_owned()),
        token_from,
        time,
        proxy: Proxy::find(&lookup).map_err(|error| Failure::error(error.to_string()))?,
        authorities: certificates(ca_file.as_deref())?,
        in_place: authorities().map_err(Failure::error)?,
        patience: args.patience(),
        observer: Box::new(move |request| observer.host_request(request)),
    };
    Github::new(means, &api, &repository).map_err(failed)
}

/// The run that this program is a part of.
///
/// # Errors
/// That there is none.
pub fn job() -> Result<Job, Failure> {
    let number = |name: &str| variable(name).and_then(|text| text.trim().parse().ok());
    let run = number("GITHUB_RUN_ID");
    let attempt = number("GITHUB_RUN_ATTEMPT");
    match (run, attempt, variable("GITHUB_EVENT_NAME")) {
        (Some(run), Some(attempt), Some(event)) => Ok(Job {
            run,
            attempt,
            event,
        }),
        _ => Err(Failure::error(
            "this is no job of GitHub Actions: GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT and \
             GITHUB_EVENT_NAME were looked for",
        )
        .help("a verdict hangs on the run that made it")),
    }
}

/// The number of the run that this program is a part of, if it is one.
pub fn own_run() -> Option<u64> {
    variable("GITHUB_RUN_ID").and_then(|text| text.trim().parse().ok())
}

/// A failure of the code host, as one of the run.
pub fn failed(error: ForgeError) -> Failure {
    let ForgeError {
        kind: _,
        message,
        help,
    } = error;
    Failure::error(message).helps(help)
}

/// Appends what was found to the file of `--outputs`, if there is one.
///
/// # Errors
/// Why it cannot be written, or that a value has a line end, which would begin another.
pub fn hand_on(outputs: &OutputArgs, values: &[(&str, String)]) -> Result<(), Failure> {
    let Some(path) = &outputs.outputs else {
        return Ok(());
    };
    let mut text = String::new();
    for (name, value) in values {
        if value.contains(['\n', '\r']) {
            let why = format!("--outputs: the value of {name} has a line end");
            return Err(Failure::error(why));
        }
        text.push_str(&format!("{name}={value}\n"));
    }
    append(path, "--outputs", &text)
}

/// Appends a text to a file that others write too.
///
/// # Errors
/// Why it cannot be written.
pub fn append(path: &Path, option: &str, text: &str) -> Result<(), Failure> {
    let open = OpenOptions::new().create(true).append(true).open(path);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = echo::path(path).given(option);
        Failure::error(format!("cannot write {option} {shown}: {error}")).helps(tilde(path))
    })
}
