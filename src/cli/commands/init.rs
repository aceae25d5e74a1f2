//! `rolecall init`: writes a first project, empty or from what is live. Asks nothing, overwrites
//! nothing, and writes all of it or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::PlatformChoice;
use crate::cli::exit::Exit;
use crate::cli::{output, reach, seal};
use crate::config::{self, SourceFile, generate};
use crate::model::{
    Desired, DesiredOrganization, Limits, Live, OrgId, Queries, Scope, SourceRef, StackId,
};
use crate::refresh::refresh;
use crate::view::{human, inert};

/// The letters of a stack's id: 32 that nobody confuses.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const IGNORED: &str = "# What the embedded platform keeps (--local), keys that are delivered here, \
and the seal key.\n.rolecall/\ncredentials/\nseal.key\n";
/// Where the new stack's seal key stands until it is put away.
const SEAL_KEY: &str = "seal.key";
const GITHUB: &str = include_str!("templates/github.yml");

/// `rolecall init`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Nothing is overwritten: if a file is in the way, nothing is written.\n\n\
Examples:\n  rolecall init access/\n  rolecall init --stack acme-access --ci github access/\n  \
rolecall init --from-live --credentials owner.json --organization acme-corp-883120 access/"
)]
pub struct InitArgs {
    /// The directory of the project; made if it is missing
    #[arg(default_value = ".")]
    pub dir: PathBuf,

    /// The name of the stack: 1 to 32 of a-z, 0-9 and `-`. Otherwise made of the folder's name
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,

    /// Write a workflow that plans pull requests and applies what is merged
    #[arg(long, value_name = "SYSTEM")]
    pub ci: Option<Ci>,

    /// Declare and import what is live: scopes, service accounts and their roles
    #[arg(long)]
    pub from_live: bool,

    /// The organization to read. Otherwise the one in which the credential lives
    #[arg(long, value_name = "ID", requires = "from_live")]
    pub organization: Vec<String>,

    /// The platform.
    #[command(flatten)]
    pub platform: PlatformChoice,
}

/// A system that runs workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// GitHub Actions
    Github,
}

/// Runs the command.
pub async fn run(args: InitArgs) -> Exit {
    match project(&args).await {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

/// One file to write.
struct Planned {
    path: PathBuf,
    text: String,
    /// Whether it is for its owner's eyes alone.
    secret: bool,
}

async fn project(args: &InitArgs) -> Result<(), Exit> {
    let choice = &args.platform;
    let chosen = choice.local
        || choice.credentials.is_some()
        || choice.endpoint.is_some()
        || choice.ca_file.is_some();
    if chosen && !args.from_live {
        output::error(
            "a first project without --from-live talks to no platform",
            &["add --from-live, or leave the platform's options out".to_owned()],
        );
        return Err(Exit::Usage);
    }
    let stack = stack(args)?;
    let workflow = match args.ci {
        None => None,
        Some(Ci::Github) => Some(workflow(&args.dir)?),
    };
    let mut files = vec![
        Planned {
            path: args.dir.join(".gitignore"),
            text: IGNORED.to_owned(),
            secret: false,
        },
        Planned {
            path: args.dir.join(SEAL_KEY),
            text: seal::random().map_err(|e| reach::fail(&e))?.to_string(),
            secret: true,
        },
    ];
    files.extend(workflow);
    let main = args.dir.join("main.hcl");
    in_the_way(&args.dir, &main, &files)?;
    let generated = match args.from_live {
        false => None,
        true => Some(from_live(args, &stack).await?),
    };
    let text = match &generated {
        None => generate::first_project(&stack),
        Some(generated) => generated.text.clone(),
    };
    check(&text)?;
    files.insert(
        0,
        Planned {
            path: main,
            text,
            secret: false,
        },
    );
    write(&files)?;
    report(args, &files, generated.as_ref());
    Ok(())
}

/// The stack's name, given or made of the folder's, and a random id.
fn stack(args: &InitArgs) -> Result<StackId, Exit> {
    let name = match &args.stack {
        Some(name) => name.clone(),
        None => {
            let path = absolute(&args.dir);
            let folder = path.file_name().unwrap_or_default();
            generate::stack_name(&folder.to_string_lossy())
        }
    };
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| reach::fail("the system's random source does not work"))?;
    let id: String = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
        .collect();
    StackId::new(&name, &id).map_err(|why| {
        let near = generate::stack_name(&name);
        output::error(
            &format!("--stack {name}: {why}"),
            &[format!("write --stack {near}")],
        );
        Exit::Usage
    })
}

fn absolute(dir: &Path) -> PathBuf {
    fs::canonicalize(dir)
        .or_else(|_| std::path::absolute(dir))
        .unwrap_or_else(|_| dir.to_owned())
}

/// The workflow, at the root of the repository that holds the directory, where there is one.
fn workflow(dir: &Path) -> Result<Planned, Exit> {
    let full = absolute(dir);
    let root = full.ancestors().find(|folder| folder.join(".git").exists());
    let below = root.and_then(|root| full.strip_prefix(root).ok());
    let (base, inside) = match (root, below) {
        (Some(root), Some(below)) if !below.as_os_str().is_empty() => {
            (root.to_owned(), below.display().to_string())
        }
        _ => (dir.to_owned(), ".".to_owned()),
    };
    // It stands in YAML and in a shell.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./".contains(&b);
    if !inside.bytes().all(plain) || inside.starts_with('-') {
        output::error(
            &format!("the folder {inside} has a name that no workflow can hold safely"),
            &["name it with letters, digits, `_`, `-` and `.`".to_owned()],
        );
        return Err(Exit::Error);
    }
    Ok(Planned {
        path: base.join(".github/workflows/rolecall.yml"),
        text: GITHUB.replace("@CONFIGURATION@", &inside),
        secret: false,
    })
}

/// Refuses if anything that would be written, or another configuration, is there.
fn in_the_way(dir: &Path, main: &Path, files: &[Planned]) -> Result<(), Exit> {
    let mut found: BTreeSet<PathBuf> = files
        .iter()
        .map(|file| file.path.clone())
        .chain([main.to_owned()])
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .collect();
    let names: Vec<String> = match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let dir = dir.display();
            return Err(reach::fail(&format!("cannot read {dir}: {error}")));
        }
    };
    let selection = config::select(names.iter().map(String::as_str));
    found.extend(selection.configuration.iter().map(|name| dir.join(name)));
    if found.is_empty() {
        return Ok(());
    }
    let mut help: Vec<String> = found
        .iter()
        .map(|path| format!("in the way: {}", path.display()))
        .collect();
    help.push("name another directory, or move these files away".to_owned());
    output::error("nothing is overwritten, and nothing was written", &help);
    Err(Exit::Error)
}

/// Reads what is live and makes configuration of it.
async fn from_live(args: &InitArgs, stack: &StackId) -> Result<generate::Generated, Exit> {
    let mut wanted = BTreeSet::new();
    for text in &args.organization {
        let id = text.rsplit('/').next().unwrap_or(text);
        let Some(id) = OrgId::new(id) else {
            output::error(
                &format!("--organization {text}: this is not the id of an organization"),
                &["an id has 4 to 200 letters, digits, `-`, `_` and `.`".to_owned()],
            );
            return Err(Exit::Usage);
        };
        wanted.insert(id);
    }
    if args.platform.local {
        local(&args.dir, &mut wanted)?;
    }
    let desired = nothing(stack, &wanted);
    let reached = reach::reach(&args.platform, &args.dir, &desired).await?;
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
                output::error(
                    "the credential does not say in which organization it lives",
                    &["name the organization: --organization ID".to_owned()],
                );
                return Err(Exit::Error);
            }
        }
    }
    let live = refresh(&reached.client, &queries, &reached.endpoint)
        .await
        .map_err(|e| reach::fail(&e.message))?;
    complete(&queries, &live)?;
    Ok(generate::from_live(stack, &live))
}

/// What was asked for must have been read; a space of an organization may be missing.
fn complete(queries: &Queries, live: &Live) -> Result<(), Exit> {
    let organizations = queries.organizations.iter().cloned();
    let asked: Vec<Scope> = organizations
        .map(Scope::Organization)
        .chain(queries.spaces.keys().cloned().map(Scope::Space))
        .collect();
    let mut failed = false;
    for (scope, unread) in &live.unread {
        let message = reach::unread_scope(scope, unread);
        if asked.contains(scope) {
            failed = true;
            output::error(
                &message,
                &["see that the credential reaches it; nothing was written".to_owned()],
            );
        } else {
            output::warning(&message);
        }
    }
    if failed { Err(Exit::Error) } else { Ok(()) }
}

/// The embedded platform must be there; without other wishes, its owner's organization is read.
#[cfg(feature = "server")]
fn local(dir: &Path, wanted: &mut BTreeSet<OrgId>) -> Result<(), Exit> {
    use crate::cli::local::database;
    let database = database(dir);
    if !database.exists() {
        output::error(
            &format!(
                "there is no embedded platform in {}, so nothing is live",
                database.display()
            ),
            &["leave --from-live out for an empty project".to_owned()],
        );
        return Err(Exit::Error);
    }
    let owner = fs::read(database.with_file_name("owner.json")).map(zeroize::Zeroizing::new);
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
fn local(_: &Path, _: &mut BTreeSet<OrgId>) -> Result<(), Exit> {
    Err(reach::fail(
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
        stack: stack.clone(),
        trusted_creators: Vec::new(),
        endpoint: None,
        limits: Limits::default(),
        policies: Vec::new(),
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
        spaces: BTreeMap::new(),
        accounts: BTreeMap::new(),
    }
}

/// What is written must be good, whatever the platform's names are.
fn check(text: &str) -> Result<(), Exit> {
    let file = SourceFile {
        path: "main.hcl".to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let (mut sources, module) = config::parse(vec![file]);
    let result = config::resolve(&module, &mut sources, &[]);
    result.map(drop).map_err(|errors| {
        output::found(&errors, &sources);
        reach::fail("what is live cannot be written down, and nothing was written")
    })
}

/// Writes all files, or takes back what was written.
fn write(files: &[Planned]) -> Result<(), Exit> {
    let mut made = Made::default();
    for file in files {
        if let Err(error) = made.write(file) {
            made.undo();
            return Err(reach::fail(&format!(
                "cannot write {}: {error}; nothing was written",
                file.path.display()
            )));
        }
    }
    Ok(())
}

/// What was made so far.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    fn write(&mut self, file: &Planned) -> std::io::Result<()> {
        let parents: Vec<&Path> = file.path.ancestors().skip(1).collect();
        for folder in parents.into_iter().rev() {
            if folder.as_os_str().is_empty() || folder.exists() {
                continue;
            }
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        let mut to = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if file.secret { 0o600 } else { 0o666 })
            .open(&file.path)?;
        self.files.push(file.path.clone());
        to.write_all(file.text.as_bytes())?;
        to.sync_all()
    }

    fn undo(&self) {
        // What cannot be taken back is at worst one of our own files left over.
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn report(args: &InitArgs, files: &[Planned], generated: Option<&generate::Generated>) {
    let dir = &args.dir;
    let shown = |path: &Path| inert(&path.display().to_string());
    let mut out = String::new();
    for (n, file) in files.iter().enumerate() {
        let verb = if n == 0 { "Wrote" } else { "     " };
        out.push_str(&format!("{verb} {}\n", shown(&file.path)));
    }
    let mut steps = Vec::new();
    let platform = if args.platform.local {
        "--local".to_owned()
    } else {
        match &args.platform.credentials {
            Some(path) => format!("--credentials {}", shown(path)),
            None => String::new(),
        }
    };
    let plan = ["rolecall plan", &platform, &shown(dir)]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    let key = shown(&dir.join(SEAL_KEY));
    let variable = seal::VARIABLE;
    let keep_key = format!(
        "export {variable}=\"$(cat {key})\", and put that key where your secrets are kept: every plan \
         and apply needs it, since it proves which accounts are this stack's. Then delete {key}"
    );
    match generated {
        Some(generated) => {
            out.push_str(&format!(
                "\nDeclared {} with {}; left out {}",
                human::count(generated.scopes, "scope"),
                human::count(generated.accounts, "account"),
                generated.left_out.len()
            ));
            out.push_str(if generated.left_out.is_empty() {
                ".\n"
            } else {
                ":\n"
            });
            for (name, why) in &generated.left_out {
                out.push_str(&format!("  \"{}\": {}\n", inert(name), inert(why)));
            }
            steps.push(keep_key);
            steps.push(format!("{plan}   # shows adoptions and nothing else"));
            steps.push("apply that plan: from then on, what is declared is kept so".to_owned());
        }
        None => {
            let main = shown(&dir.join("main.hcl"));
            steps.push(format!(
                "fill in {main}: the examples in it are comments; docs/language.md has every block"
            ));
            steps.push(format!("rolecall validate {}", shown(dir)));
            steps.push(format!(
                "rolecall plan --local {}   # against the embedded platform, without an account",
                shown(dir)
            ));
            steps.push(keep_key);
            steps.push(format!(
                "rolecall plan --credentials FILE {}   # with the file of a service account that \
                 is Editor of the organization",
                shown(dir)
            ));
        }
    }
    if args.ci.is_some() {
        steps.push(format!(
            "in the workflow: say how rolecall is installed, and make the two environments with \
             the secrets MONDOO_CONFIG_BASE64 and {variable}"
        ));
    }
    out.push_str("\nNext:\n");
    for (n, step) in steps.iter().enumerate() {
        out.push_str(&format!("  {}. {step}\n", n + 1));
    }
    output::print(&out);
}
