//! `rolecall init`: writes a first project, empty or from what is live, and workflows. Overwrites nothing, and writes
//! all of it or none; asks nothing, but for a bootstrap.

mod bootstrap;
mod files;
mod next;
mod workflow;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};

use bootstrap::{Bootstrap, repository, with_identities};
use files::{Planned, SEAL_KEY, configuration, ignored, in_the_way, write};
use workflow::{Workflows, absolute};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::options::PlatformChoice;
use crate::cli::outputs::Files;
use crate::cli::reporter::Reporter;
use crate::cli::workflows::{Form, System};
use crate::cli::{random, reach, seal};
use crate::config::{self, SourceFile, generate};
use crate::echo;
use crate::model::{
    Desired, DesiredOrganization, GithubApi, Live, OrgId, Queries, Scope, SealPublicKey, SourceRef,
    StackId,
};
use crate::refresh::refresh;

/// The letters of a stack's id: 32 that nobody confuses.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// `rolecall init`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Nothing is overwritten: if a file is in the way, nothing is written. A .gitignore \
that is there keeps its lines and gets those that it lacks.\n\n\
Examples:\n  rolecall init access/\n  rolecall init --stack acme-access --ci github access/\n  \
rolecall init --ci github --form strict access/   # for the configuration that is there\n  \
rolecall init --from-live --credentials owner.json --organization acme-corp-883120 access/\n\n\
With ROLECALL_GITHUB_TOKEN, at GitHub:\n  \
rolecall init --bootstrap --repository acme/access --credentials owner.json access/\n  \
rolecall init --bootstrap --check --repository acme/access access/"
)]
pub struct InitArgs {
    /// The directory of the project; made if it is missing
    #[arg(default_value = ".")]
    pub dir: PathBuf,

    /// The name of the stack: 1 to 32 of a-z, 0-9 and `-`. Otherwise made of the folder's name
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,

    /// Write workflows that plan pull requests, apply what is merged, and look for drift every night. Where there is
    /// a configuration already, nothing else is written
    #[arg(long, value_name = "SYSTEM")]
    pub ci: Option<System>,

    /// What an apply rests on: a plan that an environment's reviewers let through, a verdict on the pull request, or
    /// a digest that a person has read. Otherwise `by-hand`, which needs nothing of the host
    #[arg(long, value_name = "FORM", requires = "ci")]
    pub form: Option<Form>,

    /// The branch of which is applied. Otherwise the repository's default branch
    #[arg(long, value_name = "NAME", requires = "ci")]
    pub branch: Option<String>,

    /// Let a public repository show whole plans in comments and artifacts, not only counts and the digest
    #[arg(long, requires = "ci")]
    pub public: bool,

    /// Where jobs fetch rolecall: the folder of a release, an https address (or file:///)
    #[arg(long, value_name = "URL", requires_all = ["ci", "sums"])]
    pub release: Option<String>,

    /// The checksums of that release, its file SHA256SUMS
    #[arg(long, value_name = "FILE", requires = "release")]
    pub sums: Option<PathBuf>,

    /// Declare and import what is live: scopes, service accounts and their roles
    #[arg(long)]
    pub from_live: bool,

    /// The organization to read. Otherwise the one in which the credential lives
    #[arg(long, value_name = "ID")]
    pub organization: Vec<String>,

    /// Bring a repository at GitHub to its first plan and apply: declare and import what is live, make the environments,
    /// two accounts whose keys go straight there, and the seal key there, and write the workflows. With ROLECALL_GITHUB_TOKEN, of
    /// an administrator of the repository. What is there already stays; run it again to go on where it stopped
    #[arg(long, requires = "repository", conflicts_with_all = ["from_live", "local"])]
    pub bootstrap: bool,

    /// Change nothing, and say what is missing
    #[arg(long, requires = "bootstrap")]
    pub check: bool,

    /// The repository, as GitHub calls it
    #[arg(long, value_name = "OWNER/NAME", requires = "bootstrap")]
    pub repository: Option<String>,

    /// The role of the account that applies: `owner` if it is to make owners
    #[arg(
        long,
        value_enum,
        value_name = "ROLE",
        default_value_t,
        requires = "bootstrap"
    )]
    pub apply_role: ApplyRole,

    /// Do not ask
    #[arg(long, requires = "bootstrap")]
    pub yes: bool,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,
}

/// The role of the account that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ApplyRole {
    /// Grants all roles but ownership
    #[default]
    Editor,
    /// Grants ownership too
    Owner,
}

impl InitArgs {
    fn of_workflows(&self) -> workflow::Said<'_> {
        workflow::Said {
            form: self.form,
            branch: self.branch.as_deref(),
            public: self.public,
            release: self.release.as_deref(),
            sums: self.sums.as_deref(),
        }
    }

    fn of_bootstrap(&self) -> Result<bootstrap::Said<'_>, Failure> {
        Ok(bootstrap::Said {
            repository: repository(self.repository.as_deref())?,
            owner: self.apply_role == ApplyRole::Owner,
            yes: self.yes,
        })
    }
}

impl Invocation for InitArgs {
    fn files(&self) -> Files<'_> {
        Files::default()
            .makes("DIR", &self.dir)
            .reads("--sums", self.sums.as_ref())
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: InitArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let args = &args;
    let choice = &args.platform;
    let chosen = choice.local
        || choice.credentials.is_some()
        || choice.endpoint.is_some()
        || choice.ca_file.is_some();
    let live = args.from_live || args.bootstrap;
    if !args.organization.is_empty() && !live {
        let why = "--organization says what --from-live reads";
        return Err(Failure::usage(why).help("add --from-live, or leave it out"));
    }
    if chosen && !live {
        let why = "a first project without --from-live talks to no platform";
        return Err(
            Failure::usage(why).help("add --from-live, or leave the platform's options out")
        );
    }
    let system = match (args.ci, args.bootstrap) {
        (Some(System::Github) | None, true) => Some(System::Github),
        (Some(System::Gitlab | System::Shell), true) => {
            let why = "--bootstrap works with GitHub alone";
            return Err(Failure::usage(why).help("take --ci github, or go step by step"));
        }
        (system, false) => system,
    };
    let workflows = match system {
        None => None,
        Some(system) => Some(Workflows::new(&args.dir, system, args.of_workflows())?),
    };
    let main = args.dir.join("main.hcl");
    let there = configuration(&args.dir, &main)?;
    if let (true, Some(workflows)) = (args.bootstrap, &workflows) {
        let of = Bootstrap {
            said: args.of_bootstrap()?,
            dir: &args.dir,
            platform: choice,
            workflows,
            reporter,
        };
        // Before anything is written.
        let api = of.ready()?;
        if args.check {
            return of.check().await;
        }
        if there.is_empty() {
            first(args, Some(workflows), &there, Some(&api), reporter).await?;
        } else if !workflows.files.iter().any(|file| file.path.exists()) {
            add(&args.dir, workflows, reporter)?;
        }
        return of.go_on().await;
    }
    if let (Some(workflows), false, false) = (&workflows, there.is_empty(), args.from_live)
        && args.stack.is_none()
    {
        return add(&args.dir, workflows, reporter);
    }
    first(args, workflows.as_ref(), &there, None, reporter).await
}

/// Writes a first project; with the two identities of workflows, if a host is named to which their keys go.
async fn first(
    args: &InitArgs,
    workflows: Option<&Workflows>,
    there: &BTreeSet<PathBuf>,
    host: Option<&GithubApi>,
    reporter: &Reporter,
) -> Result<Exit, Failure> {
    let main = args.dir.join("main.hcl");
    let choice = &args.platform;
    let stack = stack(args)?;
    let key = seal::random().map_err(Failure::error)?;
    let mut files = vec![Planned {
        path: args.dir.join(SEAL_KEY),
        text: seal::file_text(&key),
        secret: true,
        runs: false,
        added: false,
    }];
    files.extend(workflows.iter().flat_map(|all| all.files.iter().cloned()));
    in_the_way(&args.dir, there, &files)?;
    files.extend(ignored(&args.dir)?);
    let generated = match (args.from_live, host) {
        (false, None) => None,
        (true, None) => Some(from_live(args, &stack, key.public(), reporter).await?),
        (_, Some(api)) => {
            let said = args.of_bootstrap()?;
            let live = from_live(args, &stack, key.public(), reporter).await?;
            Some(with_identities(live, said, api)?)
        }
    };
    let text = match &generated {
        None => generate::first_project(&stack, key.public()),
        Some(generated) => generated.text.clone(),
    };
    check(&text)?;
    files.insert(
        0,
        Planned {
            path: main,
            text: text.into(),
            secret: false,
            runs: false,
            added: false,
        },
    );
    write(&files)?;
    reporter.result(&next::report(&next::Project {
        dir: &args.dir,
        local: choice.local,
        credentials: choice.credentials.as_deref(),
        files: &files,
        generated: generated.as_ref(),
        workflows,
        goes_on: host.is_some(),
    }));
    Ok(Exit::Done)
}

/// Adds workflows to a configuration that is there.
fn add(dir: &Path, workflows: &Workflows, reporter: &Reporter) -> Result<Exit, Failure> {
    in_the_way(dir, &BTreeSet::new(), &workflows.files)?;
    write(&workflows.files)?;
    reporter.result(&next::added(dir, workflows));
    Ok(Exit::Done)
}

/// The stack's name, given or made of the folder's, and a random id.
fn stack(args: &InitArgs) -> Result<StackId, Failure> {
    let name = match &args.stack {
        Some(name) => name.clone(),
        None => {
            let path = absolute(&args.dir);
            let folder = Path::new(path.file_name().unwrap_or_default());
            // The name of a stack is in every label: what is not shown must not become one.
            match echo::path(folder) {
                shown if shown.is_plain() => generate::stack_name(&shown.to_string()),
                _ => generate::stack_name(""),
            }
        }
    };
    let bytes: [u8; 8] = random::bytes().map_err(Failure::error)?;
    let id: String = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
        .collect();
    StackId::new(&name, &id).map_err(|why| {
        let shown = echo::text(&name);
        let near = match shown.is_plain() {
            true => generate::stack_name(&name),
            false => "NAME".to_owned(),
        };
        Failure::usage(format!("--stack {shown}: {why}")).help(format!("write --stack {near}"))
    })
}

/// Reads what is live and makes configuration of it.
async fn from_live(
    args: &InitArgs,
    stack: &StackId,
    key: &SealPublicKey,
    reporter: &Reporter,
) -> Result<generate::Generated, Failure> {
    let mut wanted = BTreeSet::new();
    for text in &args.organization {
        let id = text.rsplit('/').next().unwrap_or(text);
        let Some(id) = OrgId::new(id) else {
            return Err(Failure::usage(format!(
                "--organization {}: this is not the id of an organization",
                echo::text(text)
            ))
            .help("an id has 4 to 200 letters, digits, `-`, `_` and `.`"));
        };
        wanted.insert(id);
    }
    if args.platform.local {
        local(&args.dir, &mut wanted)?;
    }
    let desired = nothing(stack, &wanted);
    let reached = reach::reach(&args.platform, &args.dir, &desired, reporter).await?;
    let mut queries = Queries {
        organizations: wanted,
        ..Queries::default()
    };
    if queries.organizations.is_empty() {
        match &reached.scope {
            Some(Scope::Organization(id)) => {
                queries.organizations.insert(id.clone());
            }
            Some(Scope::Space(id)) => {
                queries.spaces.insert(id.clone(), None);
            }
            None => {
                let why = "the credential does not say in which organization it lives";
                return Err(Failure::error(why).help("name the organization: --organization ID"));
            }
        }
    }
    let live = refresh(&reached.client, &queries, &reached.endpoint)
        .await
        .map_err(|e| Failure::error(e.message))?;
    complete(&queries, &live, reporter)?;
    Ok(generate::from_live(stack, key, &live))
}

/// What was asked for must have been read; a space of an organization may be missing.
fn complete(queries: &Queries, live: &Live, reporter: &Reporter) -> Result<(), Failure> {
    let organizations = queries.organizations.iter().cloned();
    let asked: Vec<Scope> = organizations
        .map(Scope::Organization)
        .chain(queries.spaces.keys().cloned().map(Scope::Space))
        .collect();
    let mut failed: Option<Failure> = None;
    for (scope, unread) in &live.unread {
        let message = reach::unread_scope(scope, unread);
        if asked.contains(scope) {
            let one = Failure::error(message)
                .help("see that the credential reaches it; nothing was written");
            failed = Some(match failed {
                Some(first) => first.and(Some(one)),
                None => one,
            });
        } else {
            reporter.warn(&message);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The embedded platform must be there; unless others are named, its owner's organization is read.
#[cfg(feature = "server")]
fn local(dir: &Path, wanted: &mut BTreeSet<OrgId>) -> Result<(), Failure> {
    use crate::cli::local::database;
    let database = database(dir);
    if !database.exists() {
        return Err(Failure::error(format!(
            "there is no embedded platform in {}, so nothing is live",
            echo::path(&database)
        ))
        .help("leave --from-live out for an empty project"));
    }
    let owner = std::fs::read(database.with_file_name("owner.json")).map(zeroize::Zeroizing::new);
    let login = owner
        .ok()
        .and_then(|bytes| crate::platform::Credential::parse(&bytes).ok());
    let home = login.and_then(|login| reach::home_scope(&login.identity));
    if let (true, Some(Scope::Organization(id))) = (wanted.is_empty(), home) {
        wanted.insert(id);
    }
    Ok(())
}

#[cfg(not(feature = "server"))]
fn local(_: &Path, _: &mut BTreeSet<OrgId>) -> Result<(), Failure> {
    Err(Failure::error(
        "this rolecall was built without the embedded platform",
    ))
}

/// A configuration that declares organizations and nothing in them.
fn nothing(stack: &StackId, organizations: &BTreeSet<OrgId>) -> Desired {
    let declared_at = SourceRef {
        file: "main.hcl".to_owned(),
        line: 1,
    };
    Desired {
        organizations: organizations
            .iter()
            .map(|id| {
                let organization = DesiredOrganization {
                    id: id.clone(),
                    declared_at: declared_at.clone(),
                };
                (id.to_string(), organization)
            })
            .collect(),
        ..Desired::nothing(stack.clone())
    }
}

/// What is written must be good, whatever the platform's names are.
fn check(text: &str) -> Result<(), Failure> {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let (mut sources, module) = config::parse(vec![file]);
    let result = config::resolve(&module, &mut sources, &[]);
    result.map(drop).map_err(|errors| {
        Failure::error("what is live cannot be written down, and nothing was written")
            .after(Failure::found(errors, sources).into_findings())
    })
}
