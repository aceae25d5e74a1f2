//! `rolecall init --bootstrap`: what the code host has to hold, so that its jobs can plan and apply; made where it is
//! missing, and asked for again by `--check`. The steps in between are rolecall's own commands, shown as they are run.

use std::path::Path;

use super::files::SEAL_KEY;
use super::workflow::Workflows;
use crate::cli::confirm::confirm;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::machine::machine;
use crate::cli::options::PlatformChoice;
use crate::cli::paths::word;
use crate::cli::reporter::Reporter;
use crate::cli::seal;
use crate::cli::workflows::{Form, VERSION, Wanted, older};
use crate::config::generate::{Generated, Identities, identities};
use crate::echo;
use crate::model::{GithubApi, Role, Scope, SealKey};
use crate::ports::SinkError;
use crate::secret::Secret;
use crate::sinks::{BranchRules, Environment, GithubSettings, Programs};
use crate::view::inert;

/// The environments: of the job that plans, of the one that applies, of the one that rotates.
pub const ENVIRONMENTS: [&str; 3] = ["rolecall-plan", "rolecall-apply", "rolecall-rotate"];
/// The status that the gate sets.
const STATUS: &str = "rolecall";
/// The login of a job, as a secret of its environment.
const LOGIN: &str = "MONDOO_CONFIG_BASE64";

/// What is said of a bootstrap.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The repository, `OWNER/NAME`.
    pub repository: &'a str,
    /// Whether the account that applies makes owners.
    pub owner: bool,
    /// Whether nobody is asked.
    pub yes: bool,
}

/// Reads the name of a repository.
///
/// # Errors
/// That it is none.
pub fn repository(given: Option<&str>) -> Result<&str, Failure> {
    let given = given.unwrap_or_default();
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match given.split_once('/') {
        Some((owner, name)) if plain(owner) && plain(name) => Ok(given),
        _ => Err(Failure::usage(format!(
            "--repository {}: this is no repository",
            echo::text(given).given("--repository")
        ))
        .help("write OWNER/NAME, as in its address")),
    }
}

/// The configuration that was made of what is live, with the two identities of the workflows.
///
/// # Errors
/// That no organization was read, in which they could live.
pub fn with_identities(
    mut generated: Generated,
    said: Said<'_>,
    api: &GithubApi,
) -> Result<Generated, Failure> {
    let organization = generated
        .references
        .iter()
        .find(|(scope, _)| matches!(scope, Scope::Organization(_)));
    let Some((_, organization)) = organization else {
        let why = "the accounts of the workflows live in an organization, and none was read";
        return Err(Failure::error(why)
            .help("log in with a credential of the organization, or name it: --organization ID"));
    };
    let address = Some(api.as_str()).filter(|address| *address != GithubApi::PUBLIC);
    let text = identities(&Identities {
        organization,
        repository: said.repository,
        address,
        applies_as: Role::new(if said.owner { "owner" } else { "editor" }),
        environments: ENVIRONMENTS,
    });
    generated.text = format!("{}\n{text}", generated.text);
    Ok(generated)
}

/// What is asked of a code host, and for whom.
pub struct Bootstrap<'a> {
    /// What was said of it.
    pub said: Said<'a>,
    /// The configuration's directory.
    pub dir: &'a Path,
    /// As whom, at the platform.
    pub platform: &'a PlatformChoice,
    /// The workflows.
    pub workflows: &'a Workflows,
    /// Who is told.
    pub reporter: &'a Reporter,
}

impl Bootstrap<'_> {
    fn settings(&self) -> Result<GithubSettings, Failure> {
        let repository = self.said.repository;
        let machine = machine(self.platform, Vec::new(), Programs::none(), self.reporter)?;
        GithubSettings::new(machine, repository).map_err(failed)
    }

    /// The API of the host, for which there is a login; nothing is sent.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ready(&self) -> Result<GithubApi, Failure> {
        Ok(self.settings()?.api().clone())
    }

    /// Makes what is missing at the host, applies, and puts the seal key there.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn go_on(&self) -> Result<Exit, Failure> {
        let settings = self.settings()?;
        let name = self.said.repository;
        let missing_repository = || {
            Failure::error(format!("GitHub shows this login no repository {name}"))
                .help("make it first, or give the login the permission to administrate it")
        };
        let about = settings
            .repository()
            .await
            .map_err(failed)?
            .ok_or_else(missing_repository)?;
        self.reporter
            .note(&format!("Repository {name}, number {}.", about.id));
        let mut absent = Vec::new();
        for environment in ENVIRONMENTS {
            if settings
                .environment(environment)
                .await
                .map_err(failed)?
                .is_none()
            {
                absent.push(environment);
            }
        }
        if !absent.is_empty() {
            let list = absent.join(", ");
            let what = format!("To be made in {name}: the environments {list}.\n");
            self.reporter.result(&what);
            if !self.said.yes {
                confirm("Make them?", &what, self.reporter)?;
            }
            for environment in absent {
                let branches = self.branches(environment);
                let branches: Vec<&str> = branches.iter().map(String::as_str).collect();
                settings
                    .make_environment(environment, &branches)
                    .await
                    .map_err(failed)?;
                self.reporter.result(&format!("Made {environment}.\n"));
            }
        }
        let ended = self.apply()?;
        if ended != Exit::Done {
            self.reporter.note(
                "The apply above ended otherwise than with 0: settle what it says, and run the same command again.",
            );
            return Ok(ended);
        }
        self.put_seal_key(&settings).await?;
        self.look(&settings).await
    }

    /// The branches that an environment deploys from.
    fn branches(&self, environment: &str) -> Vec<String> {
        let Wanted { form, branch, .. } = &self.workflows.wanted;
        let pulls = environment == ENVIRONMENTS[0] && *form != Form::Verdict;
        let mut branches = vec![branch.clone()];
        branches.extend(pulls.then(|| "refs/pull/*/merge".to_owned()));
        branches
    }

    /// Applies the configuration as a person would: the plan is shown, and asked about, by that command itself.
    fn apply(&self) -> Result<Exit, Failure> {
        let PlatformChoice {
            local: _,
            credentials,
            endpoint,
            ca_file,
            timeout,
            accept_unsealed: _,
        } = self.platform;
        let mut given: Vec<(&str, Option<String>)> = Vec::new();
        for (flag, path) in [("--credentials", credentials), ("--ca-file", ca_file)] {
            let path = path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned());
            given.extend(path.map(|path| (flag, Some(path))));
        }
        given.extend(endpoint.clone().map(|url| ("--endpoint", Some(url))));
        given.push(("--timeout", Some(timeout.to_string())));
        given.extend(self.said.yes.then_some(("--yes", None)));
        let mut arguments = vec!["apply".to_owned()];
        let mut line = "rolecall apply".to_owned();
        for (flag, value) in given {
            arguments.push(flag.to_owned());
            line.push_str(&format!(" {flag}"));
            if let Some(value) = value {
                line.push_str(&format!(" {}", word(Path::new(&value))));
                arguments.push(value);
            }
        }
        arguments.push(self.dir.to_string_lossy().into_owned());
        self.reporter
            .result(&format!("\n$ {line} {}\n", word(self.dir)));
        let program = std::env::current_exe()
            .map_err(|error| Failure::error(format!("cannot find this program: {error}")))?;
        let mut command = std::process::Command::new(program);
        command.args(&arguments);
        let key = self.dir.join(SEAL_KEY);
        let told = [seal::VARIABLE, seal::FILE_VARIABLE];
        if key.is_file() && told.iter().all(|name| std::env::var_os(name).is_none()) {
            command.env(seal::FILE_VARIABLE, &key);
        }
        let status = command
            .status()
            .map_err(|error| Failure::error(format!("cannot start this program: {error}")))?;
        let code = status.code();
        let exit = Exit::ALL
            .into_iter()
            .find(|exit| code == Some(exit.code().into()));
        Ok(exit.unwrap_or(Exit::Error))
    }

    /// Puts the private seal key where the jobs that write have it, unless they do.
    async fn put_seal_key(&self, settings: &GithubSettings) -> Result<(), Failure> {
        let path = self.dir.join(SEAL_KEY);
        if !path.is_file() {
            return Ok(());
        }
        let shown = echo::path(&path);
        let text = std::fs::read_to_string(&path)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| Failure::error(format!("cannot read {shown}: {error}")))?;
        let key = SealKey::parse(&text)
            .map_err(|why| Failure::error(format!("{shown} holds no seal key: {why}")))?;
        let value = Secret::new(key.text().as_str().to_owned());
        for environment in &ENVIRONMENTS[1..] {
            let found = settings.environment(environment).await.map_err(failed)?;
            let there = found.is_some_and(|found| holds(&found, seal::VARIABLE));
            if there {
                continue;
            }
            settings
                .put_secret(environment, seal::VARIABLE, &value)
                .await
                .map_err(failed)?;
            self.reporter.result(&format!(
                "Put the seal key into {environment}, as {}.\n",
                seal::VARIABLE
            ));
        }
        self.reporter.note(&format!(
            "The jobs have the key that is in {}: put the file away where such things are kept, for the day without CI, and \
             delete it here.",
            inert(&shown.to_string())
        ));
        Ok(())
    }

    /// Says what holds and what is missing.
    ///
    /// # Errors
    /// What is missing, or why that cannot be asked.
    pub async fn check(&self) -> Result<Exit, Failure> {
        let settings = self.settings()?;
        self.look(&settings).await
    }

    async fn look(&self, settings: &GithubSettings) -> Result<Exit, Failure> {
        let wanted = &self.workflows.wanted;
        let about = settings.repository().await.map_err(failed)?;
        let mut points = self.local();
        let default = about.as_ref().map(|about| about.default_branch.as_str());
        points.push(point(
            format!("{} is the default branch", wanted.branch),
            default == Some(wanted.branch.as_str()),
            "write the workflows anew for the default branch: --branch NAME",
        ));
        for name in ENVIRONMENTS {
            let found = settings.environment(name).await.map_err(failed)?;
            points.extend(self.of_environment(name, found.as_ref()));
        }
        let rules = settings.rules(&wanted.branch).await.map_err(failed)?;
        points.extend(of_rules(&wanted.branch, &rules));
        let mut out = String::from("\nChecklist:\n");
        for Point { what, holds, way } in &points {
            let mark = if *holds { "ok     " } else { "missing" };
            out.push_str(&format!("  {mark}  {}\n", inert(what)));
            if !holds {
                out.push_str(&format!("             {}\n", inert(way)));
            }
        }
        let missing = points.iter().filter(|point| !point.holds).count();
        if about.is_some_and(|about| about.public) && wanted.form == Form::Verdict {
            out.push_str(
                "\nThe repository is public: pull_request_target wants an Actions policy that allows it there, from December \
                 2, 2026 on. This cannot be asked for.\n",
            );
        }
        self.reporter.result(&out);
        match missing {
            0 => Ok(Exit::Done),
            n => Err(Failure::error(format!(
                "{n} of {} points of the checklist are missing",
                points.len()
            ))
            .help("`rolecall init --bootstrap --check` with the same options asks again")),
        }
    }

    /// What this checkout holds.
    fn local(&self) -> Vec<Point> {
        let there = self.workflows.files.iter().all(|file| file.path.is_file());
        let old = older(self.dir);
        let action = self
            .workflows
            .root
            .join(".github/actions/rolecall/action.yml");
        let text = std::fs::read_to_string(action).unwrap_or_default();
        let says = |input: &str| {
            let rest = text.split_once(&format!("\n  {input}:\n"));
            let default = rest.and_then(|(_, rest)| rest.split_once("    default: "));
            default.is_some_and(|(_, rest)| !rest.starts_with("\"\""))
        };
        vec![
            point(
                format!("the workflows are there, of version {VERSION}"),
                there && old.is_empty(),
                "write them: rolecall init --ci github DIR",
            ),
            point(
                "jobs are told where rolecall is, and its checksum".to_owned(),
                says("address") && says("sha256"),
                "say both in .github/actions/rolecall/action.yml",
            ),
        ]
    }

    fn of_environment(&self, name: &str, found: Option<&Environment>) -> Vec<Point> {
        let branch = &self.workflows.wanted.branch;
        let Some(found) = found else {
            return vec![point(
                format!("the environment {name} is there"),
                false,
                "run the same command without --check, which makes it",
            )];
        };
        let writes = name != ENVIRONMENTS[0];
        let mut points = Vec::new();
        let mut wanted = self.branches(name);
        wanted.sort();
        let mut branches = found.branches.clone().unwrap_or_default();
        branches.sort();
        points.push(point(
            format!("{name} deploys from {} alone", wanted.join(" and ")),
            branches == wanted,
            "set its deployment branches to just that, in the repository's settings",
        ));
        points.push(point(
            format!("{name} has {LOGIN}"),
            holds(found, LOGIN),
            "a workload identity may stand in a variable instead, which cannot be asked for here; else run the apply",
        ));
        if writes {
            points.push(point(
                format!("{name} has {}", seal::VARIABLE),
                holds(found, seal::VARIABLE),
                "gh secret set ROLECALL_SEAL_KEY --env ENVIRONMENT < seal.key",
            ));
        } else {
            points.push(point(
                format!("{name} does not have {}", seal::VARIABLE),
                !holds(found, seal::VARIABLE),
                "take it out, and let the key hand over to a new one: rolecall seal rotate DIR",
            ));
        }
        if name == ENVIRONMENTS[1] && self.workflows.wanted.form == Form::Strict {
            points.push(point(
                format!("{name} has required reviewers, who may not let through what they started on {branch}"),
                found.reviewers && found.not_oneself,
                "set required reviewers and \"prevent self-review\"; without them the form strict asks nobody",
            ));
        }
        if name == ENVIRONMENTS[2] {
            points.push(point(
                format!("{name} asks nobody, since it runs at night"),
                !found.reviewers,
                "take its reviewers out, or the job that rotates out of rolecall-nightly.yml",
            ));
        }
        points
    }
}

/// One point of the checklist.
struct Point {
    what: String,
    holds: bool,
    /// What to do where it does not hold.
    way: &'static str,
}

fn point(what: String, holds: bool, way: &'static str) -> Point {
    Point { what, holds, way }
}

fn holds(environment: &Environment, secret: &str) -> bool {
    environment.secrets.iter().any(|name| name == secret)
}

fn of_rules(branch: &str, rules: &BranchRules) -> Vec<Point> {
    let BranchRules {
        required,
        approval,
        last_push,
    } = rules;
    vec![
        point(
            format!("the status `{STATUS}` is required for {branch}"),
            required.iter().any(|name| name == STATUS),
            "require it in a ruleset of the branch; without it nothing has to be judged",
        ),
        point(
            format!("an approval is required for {branch}"),
            *approval,
            "require one approving review in the same ruleset",
        ),
        point(
            format!("{branch} requires the approval of the most recent push by somebody else"),
            *last_push,
            "set require_last_push_approval: without it who pushes to a pull request can approve the own push",
        ),
    ]
}

fn failed(error: SinkError) -> Failure {
    let SinkError {
        kind: _,
        effect: _,
        message,
        help,
    } = error;
    Failure::error(inert(&message)).helps(help.map(|help| inert(&help)))
}
