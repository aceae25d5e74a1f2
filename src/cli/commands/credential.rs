//! `rolecall credential`: unpacks a credential, looks into it, tries it. Its key is never printed.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, Finding};
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::outputs::Files;
use crate::cli::reach::{self, not_found};
use crate::cli::reporter::Reporter;
use crate::echo;
use crate::model::{Mrn, Scope};
use crate::platform::{
    Certificate, Client, Endpoint, Environment, Http, Inspected, Login, RawCredential, Source,
    Wanted, discover, endpoint as named_endpoint, precedence, raw,
};
use crate::ports::{ErrorKind as Refusal, Reader};
use crate::private_file::{WriteMode, is_special, write_private};
use crate::view::{human, inert};

/// `rolecall credential`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall credential inspect credentials/ci.json\n  \
rolecall credential verify credentials/ci.json\n  \
rolecall credential decode credentials/ci.b64 --out mondoo.json\n\n\
The key is never printed."
)]
pub struct CredentialArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: CredentialCommand,
}

/// What to do with a credential.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Write a credential in base64 as the file that Mondoo's tools read
    Decode(DecodeArgs),
    /// Say what a credential holds, without its key
    Inspect(InspectArgs),
    /// Ask the platform whether it accepts a credential
    Verify(VerifyArgs),
}

/// `rolecall credential decode`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  rolecall credential decode credentials/ci.b64\n  \
printf %s \"$MONDOO_CONFIG_BASE64\" | rolecall credential decode - --out ci.json"
)]
pub struct DecodeArgs {
    /// The credential, `-` for standard input. Otherwise MONDOO_CONFIG_BASE64,
    /// MONDOO_CONFIG_PATH, ~/.config/mondoo/mondoo.yml, /etc/opt/mondoo/mondoo.yml, in this order
    pub file: Option<PathBuf>,

    /// Where to write it, readable by you alone
    #[arg(long, value_name = "FILE", default_value = "mondoo.json")]
    pub out: PathBuf,

    /// Replace a file that is there
    #[arg(long)]
    pub force: bool,
}

/// `rolecall credential inspect`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  rolecall credential inspect credentials/ci.json\n\n\
Exits 1 if the credential cannot work: its key is unusable, its certificate has expired or is \
another key's."
)]
pub struct InspectArgs {
    /// The credential: JSON, YAML, or base64 of either; `-` for standard input. Otherwise
    /// MONDOO_CONFIG_BASE64, MONDOO_CONFIG_PATH, ~/.config/mondoo/mondoo.yml,
    /// /etc/opt/mondoo/mondoo.yml, in this order
    pub file: Option<PathBuf>,
}

/// `rolecall credential verify`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  rolecall credential verify credentials/ci.json\n\n\
Exits 1 if the platform refuses it or cannot be reached."
)]
pub struct VerifyArgs {
    /// The credential: JSON, YAML, or base64 of either; `-` for standard input. Otherwise
    /// MONDOO_CONFIG_BASE64, MONDOO_CONFIG_PATH, MONDOO_API_TOKEN, ~/.config/mondoo/mondoo.yml,
    /// /etc/opt/mondoo/mondoo.yml, in this order
    pub file: Option<PathBuf>,

    /// The API's base URL, if it is not the credential's own (or MONDOO_API_ENDPOINT)
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,

    /// Certificates (PEM) to trust besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How long one answer of the platform may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
}

impl Invocation for CredentialArgs {
    fn files(&self) -> Files<'_> {
        match &self.command {
            CredentialCommand::Decode(args) => Files::default()
                .writes("--out", Some(&args.out))
                .reads("this command", args.file.as_ref()),
            CredentialCommand::Inspect(_) | CredentialCommand::Verify(_) => Files::default(),
        }
    }

    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(run(*self, &context.reporter))
    }
}

async fn run(args: CredentialArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    match args.command {
        CredentialCommand::Decode(args) => decode(&args, reporter)?,
        CredentialCommand::Inspect(args) => inspect(&args, reporter)?,
        CredentialCommand::Verify(args) => verify(&args, reporter).await?,
    }
    Ok(Exit::Done)
}

fn environment<T>(with: impl FnOnce(&Environment<'_>) -> T) -> T {
    with(&Environment {
        var: &reach::variable,
        read_file: &|path| std::fs::read(path),
        home: std::env::home_dir(),
    })
}

/// The credential and the name of its source.
fn read(file: Option<&Path>) -> Result<(String, RawCredential), Failure> {
    let (name, bytes) = if file == Some(Path::new("-")) {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|e| Failure::error(format!("cannot read standard input: {e}")))?;
        ("standard input".to_owned(), bytes)
    } else {
        environment(|environment| raw(file, environment)).map_err(not_found)?
    };
    match RawCredential::read(&bytes) {
        Ok(credential) => Ok((name, credential)),
        Err(e) => Err(Failure::error(format!("{name}: {e}"))
            .help("a credential is the file that Mondoo's console gives, or base64 of it")),
    }
}

fn decode(args: &DecodeArgs, reporter: &Reporter) -> Result<(), Failure> {
    let (name, credential) = read(args.file.as_deref())?;
    let json = credential
        .json()
        .map_err(|e| Failure::error(format!("{name}: {e}")))?;
    let out = &args.out;
    let shown = echo::path(out).given("--out");
    let place = if args.force {
        WriteMode::Replace
    } else {
        WriteMode::New
    };
    write_private(out, &json, place).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::error(format!("{shown} exists already, and nothing was written"))
                .help("choose another place with --out FILE, or replace the file with --force")
        }
        _ => Failure::unwritten(&error, "--out", out, place),
    })?;
    if is_special(out) {
        // Standard output may be what it was written to.
        reporter.note(&format!("Wrote it to {}.", inert(&shown.to_string())));
    } else {
        reporter.result(&format!(
            "Wrote {}, readable by you alone.\n",
            inert(&shown.to_string())
        ));
    }
    if let Err(e) = credential.credential() {
        reporter.warn(&format!("it was written as it is, but {e}"));
    }
    Ok(())
}

fn inspect(args: &InspectArgs, reporter: &Reporter) -> Result<(), Failure> {
    let (name, credential) = read(args.file.as_deref())?;
    let found = credential
        .inspect()
        .map_err(|e| Failure::error(format!("{name}: {e}")))?;
    let mut wrong = Vec::new();
    let endpoint = endpoint(&found, &mut wrong);
    let scope = match &found.scope_mrn {
        Some(mrn) => scope(mrn),
        None => "not told".to_owned(),
    };
    let key = match (&found.key, &found.mrn) {
        (Ok(fingerprint), _) => format!("ECDSA on P-384, fingerprint {fingerprint}"),
        (Err(why), Some(_)) => {
            wrong.push(why.clone());
            "unusable".to_owned()
        }
        (Err(why), None) => why.clone(),
    };
    let account = found.mrn.as_ref();
    let account = account.map(|mrn| echo::text(mrn.as_str()).to_string());
    let certificate = match &found.certificate {
        None => "none".to_owned(),
        Some(Err(why)) => {
            wrong.push(format!("the certificate cannot be read: {why}"));
            "unreadable".to_owned()
        }
        Some(Ok(certificate)) => validity(certificate, &mut wrong),
    };
    let matches = match found.matches {
        None => "cannot be told",
        Some(true) => "yes",
        Some(false) => {
            wrong.push("the certificate is another key's".to_owned());
            "no"
        }
    };
    let mut facts = vec![
        ("From", name),
        ("Form", found.form.to_owned()),
        ("Account", account.unwrap_or_else(|| "not told".to_owned())),
        ("Scope", scope),
        ("Endpoint", endpoint),
        ("Key", key),
        ("Certificate", certificate),
        ("Key matches certificate", matches.to_owned()),
    ];
    if found.proxy {
        facts.push(("Proxy", "one of its own, for Mondoo alone".to_owned()));
    }
    if !found.unused.is_empty() {
        facts.push(("Without effect here", found.unused.join(", ")));
    }
    reporter.result(&human::facts(&facts));
    let Some(last) = wrong.pop() else {
        return Ok(());
    };
    let before = wrong.into_iter().map(|message| Finding::Error {
        message,
        help: Vec::new(),
    });
    Err(Failure::error(last)
        .help("take the file again from where it was delivered, or make a new key")
        .after(before.collect()))
}

fn endpoint(found: &Inspected, wrong: &mut Vec<String>) -> String {
    match &found.endpoint {
        None => format!("not told; tools take {}", Endpoint::default().base()),
        Some(text) => match Endpoint::new(text) {
            Ok(endpoint) => endpoint.base().to_owned(),
            Err(e) => {
                wrong.push(format!("`api_endpoint`: {e}"));
                "unusable".to_owned()
            }
        },
    }
}

fn scope(mrn: &str) -> String {
    let known = Scope::from_mrn(mrn).map(|scope| scope.to_string());
    known.unwrap_or_else(|| echo::text(mrn).to_string())
}

fn validity(certificate: &Certificate, wrong: &mut Vec<String>) -> String {
    let now = TimeZone::UTC.to_datetime(Timestamp::now());
    if certificate.not_after < now {
        wrong.push(format!(
            "the certificate has expired at {}Z",
            certificate.not_after
        ));
    }
    if certificate.not_before > now {
        wrong.push(format!(
            "the certificate begins to be good at {}Z; is this machine's clock right?",
            certificate.not_before
        ));
    }
    if certificate.never_expires() {
        format!("good from {}Z, without an end", certificate.not_before)
    } else {
        format!(
            "good from {}Z until {}Z",
            certificate.not_before, certificate.not_after
        )
    }
}

/// Whether a credential lies where `--local` puts keys.
fn of_embedded(file: Option<&Path>) -> bool {
    let mut parts = file.into_iter().flat_map(Path::components);
    parts.any(|part| part.as_os_str() == ".rolecall")
}

async fn verify(args: &VerifyArgs, reporter: &Reporter) -> Result<(), Failure> {
    let (name, login) = login(args)?;
    reach::tell_unused(&login, reporter);
    let place = login.endpoint.base().to_owned();
    let home = reach::home_scope(&login.identity);
    let ca = reach::certificates(args.ca_file.as_deref())?;
    let patience = std::time::Duration::from_secs(args.timeout.into());
    let client = reach::client(login, ca.as_deref(), patience, reporter)?;
    let caller = client.caller().await.map_err(|error| {
        let mut help =
            vec!["`rolecall credential inspect` says what the credential holds".to_owned()];
        if args.file.is_none() {
            help.push(precedence());
        }
        let failure = reach::nobody(&error, &name, &help);
        if of_embedded(args.file.as_deref()) && error.kind != Refusal::Unauthenticated {
            return failure.help(
                "this is a key of the embedded platform, which runs only while a command with \
                 --local does",
            );
        }
        failure
    })?;
    let who = match &caller.name {
        Some(name) => format!("{} ({name})", caller.mrn),
        None => caller.mrn.to_string(),
    };
    let (scope, roles) = match &home {
        Some(scope) => {
            let (scope_name, told) = named(&client, scope).await;
            let (roles, also_told) = roles(&client, &caller.mrn, scope).await;
            // A credential is accepted by whoever says something about it, and by nobody else.
            if caller.name.is_none() && !told && !also_told {
                return Err(Failure::error(format!(
                    "{place} answers, and says nothing about this credential ({roles})"
                ))
                .help(
                    "whether it is accepted is not known; see that the endpoint is the platform's",
                ));
            }
            (scope_name, roles)
        }
        None => ("not told".to_owned(), "not told".to_owned()),
    };
    let mut facts = vec![
        ("Accepted by", place),
        ("Account", who),
        ("Scope", scope),
        ("Roles there", roles),
        ("From", name),
    ];
    facts.extend(client.temporary().map(|lasts| ("Login", lasts)));
    reporter.result(&human::facts(&facts));
    Ok(())
}

fn login(args: &VerifyArgs) -> Result<(String, Login), Failure> {
    let Some(file) = &args.file else {
        let wanted = Wanted {
            credentials: None,
            endpoint: args.endpoint.clone(),
        };
        let login = environment(|environment| discover(&wanted, environment)).map_err(not_found)?;
        return Ok((login.source.to_string(), login));
    };
    let (name, found) = read(Some(file))?;
    let credential = found
        .credential()
        .map_err(|e| Failure::error(format!("{name}: {e}")))?;
    let named = environment(|environment| named_endpoint(args.endpoint.as_deref(), environment))
        .map_err(not_found)?;
    let source = Source::Flag(file.clone());
    let login = environment(|environment| Login::new(credential, source, named, environment))
        .map_err(not_found)?;
    Ok((name, login))
}

/// The scope with its display name, as far as the account may read it.
/// The scope for people, and whether the platform told anything of it.
async fn named(client: &Client<Http>, scope: &Scope) -> (String, bool) {
    let info = match scope {
        Scope::Organization(id) => client.organization(id).await,
        Scope::Space(id) => client.space(id).await,
    };
    match info {
        Ok(info) if !info.name.is_empty() => (format!("{scope} ({})", info.name), true),
        Ok(_) => (scope.to_string(), true),
        Err(_) => (scope.to_string(), false),
    }
}

/// The roles for people, and whether the platform told anything of them.
async fn roles(client: &Client<Http>, mrn: &Mrn, scope: &Scope) -> (String, bool) {
    match client.roles(mrn, scope).await {
        Ok(roles) if roles.is_empty() => ("none".to_owned(), true),
        Ok(roles) => {
            let names: Vec<&str> = roles.iter().map(|role| role.short()).collect();
            (names.join(", "), true)
        }
        Err(error) if error.kind == Refusal::PermissionDenied => {
            ("not told: it takes Viewer to read them".to_owned(), true)
        }
        Err(error) => (format!("not read: {}", error.message), false),
    }
}
