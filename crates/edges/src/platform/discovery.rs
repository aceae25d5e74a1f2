//! Finds the credential: the first of a fixed order of sources.
//! Pure over an injected environment; only `cli` knows the real one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::echo;
use crate::http::Proxy;

use super::auth::Identity;
use super::credential::Credential;
use super::endpoint::Endpoint;
use super::proxy;

const BASE64: &str = "MONDOO_CONFIG_BASE64";
const PATH: &str = "MONDOO_CONFIG_PATH";
const TOKEN: &str = "MONDOO_API_TOKEN";
const ENDPOINT: &str = "MONDOO_API_ENDPOINT";
/// The file of Mondoo's own tools, below the home directory.
const HOME_FILE: [&str; 3] = [".config", "mondoo", "mondoo.yml"];
/// The file of Mondoo's own tools for the whole machine. Source: cnquery's `cli/config`.
const SYSTEM_FILE: &str = if cfg!(target_os = "macos") {
    "/Library/Mondoo/etc/mondoo.yml"
} else {
    "/etc/opt/mondoo/mondoo.yml"
};

/// What discovery may see of the surroundings.
pub struct Environment<'a> {
    /// Looks up a variable of the environment.
    pub var: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a whole file.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The home directory, where there is one. One that is not absolute counts as none: it would be a
    /// place in whatever directory the run was started in.
    pub home: Option<PathBuf>,
}

/// What the command line says about the credential.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `--credentials FILE`.
    pub credentials: Option<PathBuf>,
    /// `--endpoint URL`.
    pub endpoint: Option<String>,
}

/// Where a credential was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file of `--credentials`.
    Flag(PathBuf),
    /// The variable `MONDOO_CONFIG_BASE64`.
    ConfigBase64,
    /// The file that `MONDOO_CONFIG_PATH` names.
    ConfigPath(PathBuf),
    /// The variable `MONDOO_API_TOKEN`.
    ApiToken,
    /// `~/.config/mondoo/mondoo.yml`, which belongs to a person and not to a pipeline.
    Home(PathBuf),
    /// The file of Mondoo's tools for the whole machine, which belongs to it and not to a pipeline.
    System,
}

impl Source {
    /// Whether it belongs to a person or to a machine, and so to no pipeline.
    pub fn is_somebodys(&self) -> bool {
        match self {
            Self::Home(_) | Self::System => true,
            Self::Flag(_) | Self::ConfigBase64 | Self::ConfigPath(_) | Self::ApiToken => false,
        }
    }

    /// The file that holds the credential, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Flag(path) | Self::ConfigPath(path) | Self::Home(path) => Some(path),
            Self::System => Some(Path::new(SYSTEM_FILE)),
            Self::ConfigBase64 | Self::ApiToken => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(path) => write!(f, "--credentials {}", echo::path(path)),
            Self::ConfigBase64 => f.write_str(BASE64),
            Self::ConfigPath(path) => write!(f, "{PATH} ({})", echo::path(path)),
            Self::ApiToken => f.write_str(TOKEN),
            Self::Home(path) => write!(f, "{}", echo::path(path)),
            Self::System => f.write_str(SYSTEM_FILE),
        }
    }
}

/// A credential with where it came from and where it leads.
#[derive(Debug)]
pub struct Login {
    /// Who requests are made as.
    pub identity: Identity,
    /// Where the credential was found.
    pub source: Source,
    /// Where it leads.
    pub endpoint: Endpoint,
    /// The proxy that is named for Mondoo alone, if one is.
    pub proxy: Option<Proxy>,
    /// The keys of its file that Mondoo's tools know and rolecall has no use for.
    pub unused: Vec<&'static str>,
}

impl Login {
    /// Logs in with a credential. `named` goes before its own endpoint, and `MONDOO_API_PROXY` before its
    /// own proxy; to this machine no proxy leads.
    ///
    /// # Errors
    /// If the proxy cannot be used; names what names it.
    pub fn new(
        credential: Credential,
        source: Source,
        named: Option<Endpoint>,
        environment: &Environment<'_>,
    ) -> Result<Self, LoginError> {
        let Credential {
            identity,
            endpoint,
            proxy,
            unused,
        } = credential;
        let identity = match identity {
            Identity::Workload(workload) => {
                leads(endpoint.as_ref(), named.as_ref()).map_err(|e| failed(&source, e))?;
                let found = workload.found(environment.var);
                Identity::Workload(found.map_err(|(why, help)| LoginError {
                    help,
                    ..failed(&source, why)
                })?)
            }
            other @ (Identity::ServiceAccount(_) | Identity::ApiToken(_)) => other,
        };
        let endpoint = named.or(endpoint).unwrap_or_default();
        let proxy = if endpoint.is_loopback() {
            None
        } else {
            let found = proxy::of_mondoo(proxy.as_ref(), environment.var);
            found.map_err(|e| match proxy::is_of_file(&e) {
                true => failed(&source, e),
                false => LoginError {
                    message: e.to_string(),
                    help: Vec::new(),
                },
            })?
        };
        Ok(Self {
            identity,
            source,
            endpoint,
            proxy,
            unused,
        })
    }
}

/// Sees that an identity token goes to Mondoo, or where a person says: a binding's file is no secret, and
/// anybody may have written it.
fn leads(own: Option<&Endpoint>, named: Option<&Endpoint>) -> Result<(), String> {
    match own {
        Some(own) if !own.is_mondoo() && named != Some(own) => Err(format!(
            "`universeDomain` of the workload identity leads to {own}, which is no host of Mondoo, so no \
             identity token was sent there; if it is the right platform, say --endpoint {own}"
        )),
        Some(_) | None => Ok(()),
    }
}

/// No usable credential; names the source that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginError {
    message: String,
    /// The ways out, if the message does not name them.
    pub help: Vec<String>,
}

fn failed(place: impl fmt::Display, why: impl fmt::Display) -> LoginError {
    LoginError {
        message: format!("{place}: {why}"),
        help: Vec::new(),
    }
}

/// The first source that is there cannot be used; the others are not looked at.
fn unusable(place: impl fmt::Display, why: impl fmt::Display) -> LoginError {
    LoginError {
        help: vec![precedence()],
        ..failed(place, why)
    }
}

/// How the credential is picked, for people.
pub fn precedence() -> String {
    format!("the first of these that is set is used: {}", order(", "))
}

/// The sources in the order in which they are looked at.
fn order(and: &str) -> String {
    format!(
        "--credentials, {BASE64}, {PATH}, {TOKEN}, ~/{}{and}{SYSTEM_FILE}",
        HOME_FILE.join("/")
    )
}

/// Finds the credential: `--credentials`, then `MONDOO_CONFIG_BASE64`, `MONDOO_CONFIG_PATH`,
/// `MONDOO_API_TOKEN`, `~/.config/mondoo/mondoo.yml`, Mondoo's file for the whole machine, the order of
/// Mondoo's Terraform provider.
/// The first source that is there counts, even if it is unusable. The endpoint is the
/// credential's, unless `--endpoint` or `MONDOO_API_ENDPOINT` names one.
///
/// # Errors
/// If there is none, or the first is unusable.
pub fn discover(wanted: &Wanted, environment: &Environment<'_>) -> Result<Login, LoginError> {
    let (source, credential) = find(wanted, environment)?;
    let named = endpoint(wanted.endpoint.as_deref(), environment)?;
    Login::new(credential, source, named, environment)
}

/// The endpoint that goes before a credential's own: `wanted` by `--endpoint`, else
/// `MONDOO_API_ENDPOINT`.
///
/// # Errors
/// If the one that counts is none.
pub fn endpoint(
    wanted: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Option<Endpoint>, LoginError> {
    let (from, url) = match (wanted, variable(environment, ENDPOINT)) {
        (Some(url), _) => ("--endpoint", url.to_owned()),
        (None, Some(url)) => (ENDPOINT, url),
        (None, None) => return Ok(None),
    };
    Endpoint::new(&url).map(Some).map_err(|e| failed(from, e))
}

fn find(
    wanted: &Wanted,
    environment: &Environment<'_>,
) -> Result<(Source, Credential), LoginError> {
    if let Some(path) = &wanted.credentials {
        return file(Source::Flag(path.clone()), path, environment);
    }
    if let Some(text) = variable(environment, BASE64) {
        let text = Zeroizing::new(text);
        let credential = Credential::parse(text.as_bytes()).map_err(|e| unusable(BASE64, e))?;
        return Ok((Source::ConfigBase64, credential));
    }
    if let Some(path) = variable(environment, PATH) {
        let path = PathBuf::from(path);
        return file(Source::ConfigPath(path.clone()), &path, environment);
    }
    if let Some(token) = variable(environment, TOKEN) {
        let token = Zeroizing::new(token);
        let token = token.trim();
        if let Some(looks) = echo::credential(token).filter(|looks| *looks != echo::Looks::Token) {
            return Err(unusable(
                TOKEN,
                format!(
                    "{} and like no token, and was not sent; {}base64 of a credential's file goes into \
                     {BASE64}, and the file's path into {PATH}",
                    described(token, looks),
                    match looks {
                        echo::Looks::EncodedTwice | echo::Looks::Hex => "decode it once: ",
                        _ => "",
                    }
                ),
            ));
        }
        // A header cannot carry these, and none of the platform's tokens holds them.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(
                TOKEN,
                "the token holds a space or a special letter",
            ));
        }
        let credential = Credential {
            identity: Identity::api_token(token),
            endpoint: None,
            proxy: None,
            unused: Vec::new(),
        };
        return Ok((Source::ApiToken, credential));
    }
    for source in kept(environment) {
        let Some(path) = source.file() else { continue };
        match (environment.read_file)(path) {
            Err(e) if is_missing(&e) => {}
            Err(e) => return Err(unreadable(&source, path, &e)),
            Ok(bytes) => return parsed(source, bytes),
        }
    }
    Err(LoginError {
        message: format!(
            "no credential found; looked at {}, in this order",
            order(" and ")
        ),
        help: vec![
            "create a service account in the Mondoo console, download its file, and name it with \
             --credentials FILE"
                .to_owned(),
            "to try rolecall without Mondoo: --local".to_owned(),
        ],
    })
}

/// Finds the bytes of a credential without checking them: `file`, else the sources of [`discover`].
/// Gives the source's name with them.
///
/// # Errors
/// If there is none, or it cannot be read, or it is a token, of which nothing can be told.
pub fn raw(
    file: Option<&Path>,
    environment: &Environment<'_>,
) -> Result<(String, Zeroizing<Vec<u8>>), LoginError> {
    let read = |name: String, path: &Path| match (environment.read_file)(path) {
        Ok(bytes) => Ok((name, Zeroizing::new(bytes))),
        Err(e) => Err(LoginError {
            help: ways_out(path, &e),
            ..failed(name, read_failure(&e))
        }),
    };
    if let Some(path) = file {
        return read(echo::path(path).given("FILE").to_string(), path);
    }
    if let Some(text) = variable(environment, BASE64) {
        return Ok((BASE64.to_owned(), Zeroizing::new(text.into_bytes())));
    }
    if let Some(path) = variable(environment, PATH).map(PathBuf::from) {
        return read(Source::ConfigPath(path.clone()).to_string(), &path);
    }
    if variable(environment, TOKEN).is_some() {
        return Err(failed(
            TOKEN,
            "this is an API token and no credential file; name a file",
        ));
    }
    for source in kept(environment) {
        let Some(path) = source.file() else { continue };
        match (environment.read_file)(path) {
            Err(e) if is_missing(&e) => {}
            Err(e) => return Err(failed(&source, read_failure(&e))),
            Ok(bytes) => return Ok((source.to_string(), Zeroizing::new(bytes))),
        }
    }
    Err(LoginError {
        message: format!(
            "no credential found; name a file, or set {BASE64} or {PATH}; looked at these, ~/{} and \
             {SYSTEM_FILE}",
            HOME_FILE.join("/")
        ),
        help: Vec::new(),
    })
}

/// The files that Mondoo's own tools keep, in the order in which they count.
fn kept(environment: &Environment<'_>) -> Vec<Source> {
    let home = environment
        .home
        .as_ref()
        .filter(|home| home.is_absolute())
        .map(|home| {
            HOME_FILE
                .iter()
                .fold(home.clone(), |path, part| path.join(part))
        });
    home.map(Source::Home)
        .into_iter()
        .chain([Source::System])
        .collect()
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A value that is not shown, in words.
fn described(text: &str, looks: echo::Looks) -> String {
    format!("a value of {} bytes that looks like {looks}", text.len())
}

fn file(
    source: Source,
    path: &Path,
    environment: &Environment<'_>,
) -> Result<(Source, Credential), LoginError> {
    match (environment.read_file)(path) {
        Ok(bytes) => parsed(source, bytes),
        Err(e) => Err(unreadable(&source, path, &e)),
    }
}

/// The first source that is there names a file that cannot be read.
fn unreadable(source: &Source, path: &Path, error: &io::Error) -> LoginError {
    let mut found = unusable(source, read_failure(error));
    found.help.splice(0..0, ways_out(path, error));
    found
}

/// What to do about a file that cannot be read, as far as its name tells.
fn ways_out(path: &Path, error: &io::Error) -> Vec<String> {
    if let Some(why) = echo::tilde(path) {
        return vec![why.to_owned()];
    }
    let text = path.to_string_lossy();
    if is_missing(error) || !echo::path(path).is_plain() {
        let held = echo::credential(&text);
        return held
            .map(|_| {
                format!(
                    "the path of a file belongs there; base64 of the file goes into {BASE64}, and an API \
                     token into {TOKEN}"
                )
            })
            .into_iter()
            .collect();
    }
    Vec::new()
}

fn parsed(source: Source, bytes: Vec<u8>) -> Result<(Source, Credential), LoginError> {
    match Credential::parse(&Zeroizing::new(bytes)) {
        Ok(credential) => Ok((source, credential)),
        Err(e) => Err(unusable(source, e)),
    }
}

fn read_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not read the file; change its owner or its mode".to_owned()
        }
        io::ErrorKind::IsADirectory => "it is a directory and not a file".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

/// A variable that is set to more than white space.
fn variable(environment: &Environment<'_>, name: &str) -> Option<String> {
    (environment.var)(name).filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::super::fixture::p384;
    use super::*;

    struct World {
        vars: BTreeMap<&'static str, String>,
        files: BTreeMap<&'static str, Vec<u8>>,
    }

    impl World {
        /// Every source is there, each with a credential that names its source.
        fn full() -> Self {
            let key = p384();
            let credential = |name: &str| {
                let mrn = format!("//from/{name}");
                serde_json::json!({"mrn": mrn, "private_key": key, "api_endpoint": "https://eu.api.mondoo.com"})
                    .to_string()
            };
            Self {
                vars: BTreeMap::from([
                    (BASE64, STANDARD.encode(credential("base64"))),
                    (PATH, "/path.json".to_owned()),
                    (TOKEN, "eyJhbGciOiJF".to_owned()),
                ]),
                files: BTreeMap::from([
                    ("/flag.json", credential("flag").into_bytes()),
                    ("/path.json", credential("path").into_bytes()),
                    (
                        "/home/.config/mondoo/mondoo.yml",
                        credential("home").into_bytes(),
                    ),
                ]),
            }
        }

        fn discover(
            &self,
            flag: Option<&str>,
            endpoint: Option<&str>,
        ) -> Result<Login, LoginError> {
            let wanted = Wanted {
                credentials: flag.map(PathBuf::from),
                endpoint: endpoint.map(str::to_owned),
            };
            discover(
                &wanted,
                &Environment {
                    var: &|name| self.vars.get(name).cloned(),
                    read_file: &|path| {
                        let found = path.to_str().and_then(|path| self.files.get(path));
                        found.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
                    },
                    home: Some(PathBuf::from("/home")),
                },
            )
        }

        fn found(&self, flag: Option<&str>) -> (Option<String>, String) {
            let login = self.discover(flag, None).expect("a credential");
            let mrn = login.identity.mrn().map(ToString::to_string);
            (mrn, login.source.to_string())
        }
    }

    #[test]
    fn sources_are_tried_in_mondoos_order_and_named() {
        let mut world = World::full();
        let from = |name: &str, source: &str| (Some(format!("//from/{name}")), source.to_owned());
        assert_eq!(
            world.found(Some("/flag.json")),
            from("flag", "--credentials /flag.json")
        );
        assert_eq!(world.found(None), from("base64", "MONDOO_CONFIG_BASE64"));
        world.vars.insert(BASE64, "  ".to_owned());
        assert_eq!(
            world.found(None),
            from("path", "MONDOO_CONFIG_PATH (/path.json)")
        );
        world.vars.remove(PATH);
        assert_eq!(world.found(None), (None, "MONDOO_API_TOKEN".to_owned()));
        world.vars.remove(TOKEN);
        let home = "/home/.config/mondoo/mondoo.yml";
        assert_eq!(world.found(None), from("home", home));
        world.files.remove(home);
        let own = serde_json::json!({"mrn": "//from/system", "private_key": p384()}).to_string();
        world.files.insert(SYSTEM_FILE, own.into_bytes());
        assert_eq!(world.found(None), from("system", SYSTEM_FILE));
        world.files.remove(SYSTEM_FILE);
        let why = world.discover(None, None).expect_err("none").to_string();
        let places = [
            "--credentials",
            BASE64,
            PATH,
            TOKEN,
            "~/.config/mondoo/mondoo.yml",
            SYSTEM_FILE,
        ];
        let at: Vec<_> = places.iter().map(|place| why.find(place)).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{why}");
    }

    #[test]
    fn the_first_source_counts_even_if_it_is_broken() {
        let mut world = World::full();
        world.vars.insert(BASE64, "secret!".to_owned());
        let why = |world: &World, flag| {
            let why = world.discover(flag, None).expect_err("broken");
            assert!(!why.to_string().contains("secret"), "{why}");
            why.to_string()
        };
        assert!(why(&world, None).starts_with("MONDOO_CONFIG_BASE64: "));
        world.vars.remove(BASE64);
        world.vars.insert(PATH, "/gone".to_owned());
        assert_eq!(
            why(&world, None),
            "MONDOO_CONFIG_PATH (/gone): there is no such file"
        );
        world.vars.remove(PATH);
        world.vars.insert(TOKEN, "two secrets".to_owned());
        assert!(why(&world, None).starts_with("MONDOO_API_TOKEN: "));
        world.vars.remove(TOKEN);
        let home = "/home/.config/mondoo/mondoo.yml";
        world.files.insert(home, b"mrn: x\n".to_vec());
        assert!(why(&world, None).starts_with(home));
        assert!(why(&world, Some("/gone")).starts_with("--credentials /gone: "));
    }

    #[test]
    fn what_mondoos_tools_keep_is_somebodys_and_what_is_named_is_not() {
        let path = || PathBuf::from("/x");
        for (source, somebodys) in [
            (Source::Home(path()), true),
            (Source::System, true),
            (Source::Flag(path()), false),
            (Source::ConfigPath(path()), false),
            (Source::ConfigBase64, false),
            (Source::ApiToken, false),
        ] {
            assert_eq!(source.is_somebodys(), somebodys, "{source}");
        }
    }

    #[test]
    fn a_home_that_is_not_absolute_is_none() {
        for (home, found) in [("/home", true), (".", false), ("home", false), ("", false)] {
            let world = World::full();
            let seen = std::cell::RefCell::new(Vec::new());
            let environment = Environment {
                var: &|_| None,
                read_file: &|path| {
                    seen.borrow_mut().push(path.to_owned());
                    let file = world.files.get("/home/.config/mondoo/mondoo.yml");
                    Ok(file.cloned().unwrap_or_default()).and_then(|bytes| {
                        match path.starts_with("/etc") {
                            true => Err(io::ErrorKind::NotFound.into()),
                            false => Ok(bytes),
                        }
                    })
                },
                home: Some(PathBuf::from(home)),
            };
            let login = discover(&Wanted::default(), &environment);
            assert_eq!(login.is_ok(), found, "{home:?}");
            assert_eq!(raw(None, &environment).is_ok(), found, "{home:?}");
            assert!(
                seen.borrow().iter().all(|path| path.is_absolute()),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn what_is_in_the_wrong_place_is_named_and_never_repeated_or_sent() {
        let json = serde_json::json!({"mrn": "//x", "private_key": p384()}).to_string();
        let body = p384().lines().nth(1).expect("a line").to_owned();
        let base64 = STANDARD.encode(&json);
        for secret in [
            json.clone(),
            base64.clone(),
            p384(),
            STANDARD.encode(p384()),
            STANDARD.encode(&base64),
            STANDARD.encode(STANDARD.encode(p384())),
            json.bytes().map(|b| format!("{b:02x}")).collect(),
        ] {
            for name in [TOKEN, PATH, ENDPOINT] {
                let mut world = World::full();
                world.vars.retain(|known, _| *known == TOKEN);
                world.vars.insert(name, secret.clone());
                let why = world.discover(None, None).expect_err(name);
                let said = format!("{why} {:?}", why.help);
                assert!(
                    said.contains(name) && said.contains("a value of "),
                    "{said}"
                );
                assert!(
                    !said.contains(&body) && !said.contains(&base64[..30]),
                    "{said}"
                );
                let way = [BASE64, "an endpoint looks like"];
                assert!(way.iter().any(|way| said.contains(way)), "{said}");
            }
            let why = World::full()
                .discover(Some(&secret), None)
                .expect_err("no file");
            assert!(
                why.to_string().starts_with("--credentials a value of "),
                "{why}"
            );
            assert!(why.help.iter().any(|way| way.contains(BASE64)), "{why:?}");
        }
        for token in [base64.clone(), STANDARD.encode(&base64)] {
            let stored = serde_json::json!({"token": token}).to_string();
            let why = Credential::parse(stored.as_bytes()).expect_err("no token");
            assert!(
                why.to_string().contains("no token, and was not sent"),
                "{why}"
            );
        }
        let token = "eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOjF9.c2lnbmF0dXJl";
        let mut world = World::full();
        world.vars.retain(|known, _| *known == TOKEN);
        world.vars.insert(TOKEN, token.to_owned());
        assert!(world.discover(None, None).is_ok(), "a token is one");
    }

    #[test]
    fn what_is_encoded_once_too_often_is_told_so() {
        let json = serde_json::json!({"mrn": "//x", "private_key": p384()}).to_string();
        let twice = STANDARD.encode(STANDARD.encode(&json));
        let (a, b) = twice.split_at(76);
        let hex: String = json.bytes().map(|b| format!("{b:02x}")).collect();
        for (given, told) in [
            (twice.clone(), "is encoded twice: decode it once"),
            (format!("{a}\n{b}\n"), "is encoded twice: decode it once"),
            (STANDARD.encode(&twice), "is encoded twice: decode it once"),
            (hex, "stands in hexadecimal digits: decode it"),
        ] {
            let mut world = World::full();
            world.vars.insert(BASE64, given.clone());
            let why = world.discover(None, None).expect_err("encoded");
            assert!(why.to_string().contains(told), "{why}");
            assert!(!why.to_string().contains(TOKEN), "{why}");
            world.vars.retain(|name, _| *name == TOKEN);
            world.vars.insert(TOKEN, given);
            let why = world.discover(None, None).expect_err("never sent");
            assert!(why.to_string().contains("decode it once: "), "{why}");
        }
    }

    #[test]
    fn a_tilde_in_a_path_is_named() {
        let mut world = World::full();
        world.vars.remove(BASE64);
        world.vars.insert(PATH, "~/cred.json".to_owned());
        let by_variable = world.discover(None, None).expect_err("none there");
        let by_option = world
            .discover(Some("~/other.json"), None)
            .expect_err("none there");
        for why in [by_variable, by_option] {
            assert!(why.help[0].contains("write $HOME"), "{why:?}");
        }
    }

    #[test]
    fn a_proxy_for_mondoo_alone_is_taken_and_to_this_machine_none() {
        let mut world = World::full();
        let own = serde_json::json!({"mrn": "//x", "private_key": p384(), "api_proxy": "own:8",
            "api_endpoint": "https://eu.api.mondoo.com", "features": ["x"], "agent_mrn": "//y",
            "labels": {"a": "b"}});
        world
            .files
            .insert("/own.json", own.to_string().into_bytes());
        let login = |world: &World, file: &str, endpoint: Option<&str>| {
            world
                .discover(Some(file), endpoint)
                .map_err(|e| e.to_string())
        };
        let variable = |login: Login| login.proxy.map(|proxy| proxy.named);
        let found = login(&world, "/own.json", None).expect("usable");
        assert_eq!(found.unused, ["agent_mrn", "features", "labels"]);
        assert_eq!(variable(found), Some("api_proxy"));
        let plain = login(&world, "/flag.json", None).expect("usable");
        assert!(plain.unused.is_empty() && plain.proxy.is_none());
        let here = login(&world, "/own.json", Some("http://127.0.0.1:1")).expect("usable");
        assert_eq!(variable(here), None);
        world.vars.insert("MONDOO_API_PROXY", "a:1".to_owned());
        for file in ["/own.json", "/flag.json"] {
            let found = login(&world, file, None).expect("usable");
            assert_eq!(variable(found), Some("MONDOO_API_PROXY"));
        }
        world
            .vars
            .insert("MONDOO_API_PROXY", "me:hunter2@".to_owned());
        let why = login(&world, "/flag.json", None).expect_err("no proxy");
        assert!(
            why.starts_with("MONDOO_API_PROXY names") && !why.contains("hunter2"),
            "{why}"
        );
        world.vars.remove("MONDOO_API_PROXY");
        let own =
            serde_json::json!({"mrn": "//x", "private_key": p384(), "api_proxy": "me:hunter2@"});
        let bytes = own.to_string().into_bytes();
        world.files.insert("/wrong.json", bytes);
        let why = login(&world, "/wrong.json", None).expect_err("no proxy");
        assert!(
            why.starts_with("--credentials /wrong.json: api_proxy names"),
            "{why}"
        );
        world
            .vars
            .insert("MONDOO_API_PROXY", "me:hunter2@".to_owned());
        assert!(login(&world, "/flag.json", Some("http://localhost:1")).is_ok());
    }

    #[test]
    fn the_endpoint_is_the_credentials_own_unless_a_person_names_one() {
        let mut world = World::full();
        let base = |world: &World, flag: Option<&str>, endpoint| {
            let login = world.discover(flag, endpoint).expect("a credential");
            login.endpoint.base().to_owned()
        };
        assert_eq!(base(&world, None, None), "https://eu.api.mondoo.com");
        world
            .vars
            .insert(ENDPOINT, "https://env.example/query".to_owned());
        assert_eq!(base(&world, None, None), "https://env.example");
        let flag = Some("https://flag.example/");
        assert_eq!(
            base(&world, Some("/flag.json"), flag),
            "https://flag.example"
        );
        let mut bare = World::full();
        bare.vars.retain(|name, _| *name == TOKEN);
        assert_eq!(base(&bare, None, None), "https://us.api.mondoo.com");
        world
            .vars
            .insert(ENDPOINT, "http://plain.example".to_owned());
        let why = world.discover(None, None).expect_err("plain http");
        assert!(why.to_string().starts_with("MONDOO_API_ENDPOINT: "));
    }
}
