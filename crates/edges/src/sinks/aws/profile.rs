//! Profiles of AWS's own programs: `~/.aws/config` and `~/.aws/credentials`, or the files that variables name.
//! Runs no program that they name and asks nobody; repeats nothing of them but the names of settings.
//!
//! Sources: AWS's "SDKs and Tools Reference Guide", "Shared config and credentials files" and "Assume role
//! credential provider"; botocore, for which login goes first where a profile says several.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keys::{Keys, refuse};
use super::sts::Role;
use crate::ports::SinkError;
use crate::sinks::machine::Machine;

const CONFIG: &str = "AWS_CONFIG_FILE";
const CREDENTIALS: &str = "AWS_SHARED_CREDENTIALS_FILE";
const PROFILE: &str = "AWS_PROFILE";
/// What the AWS CLI reads in the place of that.
const FORMER: &str = "AWS_DEFAULT_PROFILE";
/// The profile that nobody has to name.
const DEFAULT: &str = "default";

/// By what a profile logs in.
#[derive(Debug)]
pub(super) enum Login {
    /// Keys of its own.
    Keys(Keys),
    /// A role for the token in a file.
    Token { role: Role, file: String },
    /// A role for another login.
    Role { role: Role, of: Of },
}

/// Whose login a role is given for.
#[derive(Debug)]
pub(super) enum Of {
    Keys(Keys),
    Container,
    Instance,
}

/// The settings of one section by their names in small letters.
type Settings = BTreeMap<String, Zeroizing<String>>;
type Sections = BTreeMap<String, Settings>;

/// Both files, and the profile that is meant.
pub(super) struct Profiles {
    name: String,
    /// What names it, if something does.
    named: Option<&'static str>,
    config: Sections,
    credentials: Sections,
    /// Whether the file of credentials is one that a variable names.
    is_named: bool,
}

/// A file of the home directory's `.aws`, or that which a variable names; nothing where the first is not there,
/// or is in a folder that is another user's.
fn file(machine: &Machine, variable: &'static str, name: &str) -> Result<Sections, SinkError> {
    let (path, shown) = match machine.variable(variable) {
        Some(path) => (PathBuf::from(path), format!("the file of {variable}")),
        None => {
            let home = machine.variable("HOME").map(Path::new);
            let path = home.filter(|home| home.is_absolute());
            let path = path.map(|home| home.join(".aws").join(name));
            match path.filter(|path| path.is_file()) {
                Some(path) => (path, format!("~/.aws/{name}")),
                None => return Ok(Sections::new()),
            }
        }
    };
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => Ok(sections(&text, variable == CONFIG)),
        Err(error) => refuse(
            format!("{shown} cannot be read: {error}"),
            format!("make it a file of profiles that may be read; {variable} names another one"),
        ),
    }
}

/// The sections that are profiles. In the file of settings they are called `profile NAME`; there `[default]`
/// is one too, which counts for nothing beside `[profile default]`.
fn sections(text: &str, is_config: bool) -> Sections {
    let mut found = Sections::new();
    let (mut whole, mut inside, mut indent) = (false, None::<String>, None::<usize>);
    for line in text.trim_start_matches('\u{feff}').lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        // What stands deeper than a setting belongs to it.
        if indent.is_some_and(|indent| depth > indent) {
            continue;
        }
        if let Some(rest) = bare.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or_default().trim();
            let name = match (is_config, name.split_once([' ', '\t'])) {
                (false, _) => Some(name),
                (true, None) => Some(name).filter(|name| *name == DEFAULT && !whole),
                (true, Some(("profile", name))) => {
                    let name = name.trim().trim_matches(['"', '\'']);
                    if name == DEFAULT && !whole {
                        whole = true;
                        found.remove(DEFAULT);
                    }
                    Some(name)
                }
                (true, Some(_)) => None,
            };
            inside = name.map(str::to_owned);
            indent = None;
            if let Some(name) = &inside {
                found.entry(name.clone()).or_default();
            }
            continue;
        }
        let Some((name, value)) = bare.split_once('=') else {
            continue;
        };
        indent = Some(depth);
        if let Some(settings) = inside.as_ref().and_then(|inside| found.get_mut(inside)) {
            let comment = value
                .char_indices()
                .zip(value.chars().skip(1))
                .find(|((_, before), c)| before.is_whitespace() && matches!(*c, '#' | ';'));
            let end = comment.map_or(value.len(), |((at, _), _)| at);
            let value = value.get(..end).unwrap_or_default().trim();
            settings.insert(
                name.trim().to_ascii_lowercase(),
                Zeroizing::new(value.to_owned()),
            );
        }
    }
    found
}

/// A setting that says something.
fn said<'s>(settings: Option<&'s Settings>, name: &str) -> Option<&'s str> {
    let value = settings?.get(name)?.as_str();
    (!value.is_empty()).then_some(value)
}

/// The keys that one file has of a profile. Halves of two files are no pair.
fn keys(settings: Option<&Settings>) -> Result<Option<Keys>, SinkError> {
    let id = said(settings, "aws_access_key_id");
    let key = said(settings, "aws_secret_access_key");
    match (id, key) {
        (Some(id), Some(key)) => Ok(Some(Keys::lasting(
            id,
            key,
            said(settings, "aws_session_token"),
        ))),
        (None, None) => Ok(None),
        _ => refuse(
            "of aws_access_key_id and aws_secret_access_key the profile has only one",
            "write both, or neither",
        ),
    }
}

const EXPORT: &str = "`aws configure export-credentials --format env` gives its keys as variables";

fn not_followed<T>(setting: &str) -> Result<T, SinkError> {
    refuse(
        format!("the profile says {setting}, which rolecall does not follow"),
        EXPORT,
    )
}

impl Profiles {
    /// Reads what the machine has.
    ///
    /// # Errors
    /// If a file that is named, or is there, cannot be read.
    pub(super) fn read(machine: &Machine) -> Result<Self, SinkError> {
        let named = [PROFILE, FORMER].map(|name| Some((name, machine.variable(name)?)));
        let (name, named) = match named {
            [Some((_, one)), Some((_, other))] if one != other => {
                return refuse(
                    format!("{PROFILE} and {FORMER} name two profiles"),
                    format!("unset {FORMER}"),
                );
            }
            [Some((by, name)), _] | [None, Some((by, name))] => (name, Some(by)),
            [None, None] => (DEFAULT, None),
        };
        Ok(Self {
            name: name.to_owned(),
            named,
            config: file(machine, CONFIG, "config")?,
            credentials: file(machine, CREDENTIALS, "credentials")?,
            is_named: machine.variable(CREDENTIALS).is_some(),
        })
    }

    /// What the profile says: the file of credentials goes first.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.of(&self.name, name)
    }

    fn of(&self, profile: &str, name: &str) -> Option<&str> {
        said(self.credentials.get(profile), name).or_else(|| said(self.config.get(profile), name))
    }

    fn has(&self, profile: &str) -> bool {
        self.credentials.contains_key(profile) || self.config.contains_key(profile)
    }

    /// By what the profile logs in; `None` where none is meant and none is there.
    ///
    /// # Errors
    /// What it says that rolecall does not follow, and what a profile that is meant does not have.
    pub(super) fn login(&self) -> Result<Option<Login>, SinkError> {
        if let Some(login) = self.login_of(&self.name)? {
            return Ok(Some(login));
        }
        let meant = match (self.named, self.is_named) {
            (Some(by), _) => by,
            (None, true) => CREDENTIALS,
            (None, false) => return Ok(None),
        };
        match self.has(&self.name) {
            true => refuse(
                format!("the profile that {meant} means has no login"),
                "give it aws_access_key_id and aws_secret_access_key, or role_arn with \
                 web_identity_token_file, source_profile or credential_source",
            ),
            false => refuse(
                format!(
                    "there is no profile of the name that {PROFILE} says (`{DEFAULT}` if it is not set) in the \
                     files of {CREDENTIALS} and {CONFIG}, or else in ~/.aws"
                ),
                format!("correct {meant}, or unset it"),
            ),
        }
    }

    fn login_of(&self, profile: &str) -> Result<Option<Login>, SinkError> {
        let says = |name: &str| self.of(profile, name);
        if let Some(arn) = says("role_arn") {
            return self.role(profile, arn).map(Some);
        }
        if says("web_identity_token_file").is_some() {
            return refuse(
                "the profile says web_identity_token_file and no role_arn",
                "write both, or neither",
            );
        }
        const PEOPLE: [&str; 5] = [
            "sso_session",
            "sso_start_url",
            "sso_account_id",
            "sso_role_name",
            "login_session",
        ];
        if let Some(setting) = PEOPLE.into_iter().find(|name| says(name).is_some()) {
            return not_followed(setting);
        }
        if let Some(keys) = keys(self.credentials.get(profile))? {
            return Ok(Some(Login::Keys(keys)));
        }
        if says("credential_process").is_some() {
            return not_followed("credential_process");
        }
        Ok(keys(self.config.get(profile))?.map(Login::Keys))
    }

    /// The role that a profile asks for.
    fn role(&self, profile: &str, arn: &str) -> Result<Login, SinkError> {
        let says = |name: &str| self.of(profile, name);
        let owned = |name: &str| says(name).map(str::to_owned);
        if says("mfa_serial").is_some() {
            return not_followed("mfa_serial");
        }
        let seconds = owned("duration_seconds");
        let digits = |text: &String| text.bytes().all(|b| b.is_ascii_digit());
        if !seconds.as_ref().is_none_or(digits) {
            return refuse("the profile's duration_seconds is no number", "correct it");
        }
        let role = Role {
            arn: arn.to_owned(),
            session: owned("role_session_name"),
            external_id: owned("external_id"),
            seconds,
        };
        let [file, source, kind] = [
            "web_identity_token_file",
            "source_profile",
            "credential_source",
        ]
        .map(owned);
        match (file, source, kind) {
            (Some(file), None, None) => Ok(Login::Token {
                role: Role {
                    external_id: None,
                    seconds: None,
                    ..role
                },
                file,
            }),
            (None, Some(source), None) => Ok(Login::Role {
                role,
                of: Of::Keys(self.source(profile, &source)?),
            }),
            (None, None, Some(kind)) => match kind.to_ascii_lowercase().as_str() {
                "ec2instancemetadata" => Ok(Login::Role {
                    role,
                    of: Of::Instance,
                }),
                "ecscontainer" => Ok(Login::Role {
                    role,
                    of: Of::Container,
                }),
                "environment" => refuse(
                    "the profile says credential_source = Environment, and AWS_ACCESS_KEY_ID is not set",
                    "set it with AWS_SECRET_ACCESS_KEY; they are then the login themselves",
                ),
                _ => refuse(
                    "the profile's credential_source is none",
                    "write Ec2InstanceMetadata or EcsContainer",
                ),
            },
            _ => refuse(
                "of web_identity_token_file, source_profile and credential_source the profile with role_arn \
                 says none or several",
                "write one of them",
            ),
        }
    }

    /// The keys of the profile that a role is given for. A profile may name itself.
    fn source(&self, profile: &str, source: &str) -> Result<Keys, SinkError> {
        let found = match source == profile {
            true => match keys(self.credentials.get(source))? {
                Some(found) => Some(found),
                None => keys(self.config.get(source))?,
            },
            false => match self.login_of(source)? {
                Some(Login::Keys(found)) => Some(found),
                // A role for a role: what the first is given for is not looked for.
                Some(Login::Token { .. } | Login::Role { .. }) => {
                    return not_followed("source_profile of a profile with role_arn");
                }
                None => None,
            },
        };
        match found {
            Some(found) => Ok(found),
            None => refuse(
                "the profile that source_profile names is not there, or has no keys",
                "correct source_profile, or give that one aws_access_key_id and aws_secret_access_key",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn profiles(name: &str, config: &str, credentials: &str) -> Profiles {
        Profiles {
            name: name.to_owned(),
            named: Some(PROFILE),
            config: sections(config, true),
            credentials: sections(credentials, false),
            is_named: false,
        }
    }

    fn id(profiles: &Profiles) -> String {
        match profiles.login() {
            Ok(Some(Login::Keys(keys))) => keys.id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    const KEYS: &str = "aws_access_key_id=K\naws_secret_access_key=S\n";

    #[test]
    fn sections_are_read_as_awss_own_programs_do() {
        let config = "# all\n[default]\nregion = x\n[profile ci] ; of CI\nAWS_Access_Key_Id = C # mine\n\
                      aws_secret_access_key = D=\ns3 =\n  aws_access_key_id = nested\n\
                      [profile \"two words\"]\naws_access_key_id=T\naws_secret_access_key=U\n\
                      [sso-session ci]\naws_access_key_id = no\n[services ci]\naws_access_key_id = no\n[ci]\n\
                      aws_access_key_id = no\n";
        let found = sections(config, true);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["ci", "default", "two words"]);
        let ci = found.get("ci");
        assert_eq!(said(ci, "aws_access_key_id"), Some("C"));
        assert_eq!(said(ci, "aws_secret_access_key"), Some("D="));
        assert_eq!(said(found.get("two words"), "aws_access_key_id"), Some("T"));
        // Lines that all stand in are settings.
        let indented = sections(
            "[ci]\n  aws_access_key_id = I\n  aws_secret_access_key = J\n",
            false,
        );
        assert_eq!(said(indented.get("ci"), "aws_secret_access_key"), Some("J"));
        // The same section twice is one, and what is said last counts.
        let twice = sections("[a]\nx=1\ny=1\n[b]\n[a]\nx=2\n", false);
        let a = twice.get("a");
        assert_eq!((said(a, "x"), said(a, "y")), (Some("2"), Some("1")));
        // `profile` belongs to the other file.
        assert!(!sections("[profile ci]\n", false).contains_key("ci"));
    }

    #[test]
    fn the_default_profile_has_two_names_of_which_the_longer_counts() {
        for config in [
            "[default]\nx=1\n[profile default]\ny=2\n",
            "[profile default]\ny=2\n[default]\nx=1\n",
        ] {
            let found = sections(config, true);
            let default = found.get(DEFAULT);
            assert_eq!((said(default, "x"), said(default, "y")), (None, Some("2")));
        }
    }

    #[test]
    fn the_file_of_credentials_goes_first_and_halves_are_no_pair() {
        let both =
            "[profile ci]\naws_access_key_id=A\naws_secret_access_key=B\naws_session_token=T\n";
        let found = profiles(
            "ci",
            both,
            "[ci]\naws_access_key_id=C\naws_secret_access_key=D\n",
        );
        match found.login() {
            Ok(Some(Login::Keys(keys))) => {
                assert_eq!((&**keys.id, &**keys.key), ("C", "D"));
                assert!(keys.token.is_none(), "a token of another file");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(id(&profiles("ci", both, "")), "A");
        let half = profiles("ci", both, "[ci]\naws_access_key_id=C\n");
        let told = half.login().expect_err("refused").to_string();
        assert!(told.contains("only one"), "{told}");
        // Keys that are there go before a program that would give some.
        let program = "[profile ci]\ncredential_process = /bin/x\n";
        let found = profiles(
            "ci",
            program,
            "[ci]\naws_access_key_id=C\naws_secret_access_key=D\n",
        );
        assert_eq!(id(&found), "C");
    }

    #[test]
    fn what_runs_a_program_or_needs_a_person_is_refused_by_its_name() {
        for (setting, more) in [
            ("credential_process", ""),
            ("sso_session", ""),
            ("sso_start_url", KEYS),
            ("sso_account_id", ""),
            ("login_session", ""),
            ("mfa_serial", "role_arn=r\nsource_profile=base\n"),
        ] {
            let text = format!("[profile ci]\n{setting} = /bin/hidden\n{more}");
            let found = profiles("ci", &text, &format!("[base]\n{KEYS}"));
            let error = found.login().expect_err(setting);
            let told = error.to_string();
            assert!(told.contains(setting) && !told.contains("hidden"), "{told}");
            assert!(told.contains("export-credentials"), "{told}");
        }
    }

    #[test]
    fn a_role_is_given_for_one_login_and_for_no_chain_of_them() {
        let base = format!("[base]\n{KEYS}[ci]\n{KEYS}");
        let of = |more: &str| {
            let text = format!(
                "[profile ci]\nrole_arn = arn\n{more}[profile chain]\nrole_arn = r\n\
                 source_profile = base\n[profile none]\nregion = x\n"
            );
            profiles("ci", &text, &base).login()
        };
        let role = Role {
            arn: "arn".to_owned(),
            session: Some("s".to_owned()),
            external_id: Some("e".to_owned()),
            seconds: Some("900".to_owned()),
        };
        let more = "role_session_name=s\nexternal_id=e\nduration_seconds=900\n";
        for (source, same) in [
            ("source_profile=base\n", "keys"),
            ("source_profile=ci\n", "keys"),
            ("credential_source=Ec2InstanceMetadata\n", "instance"),
            ("credential_source=EcsContainer\n", "container"),
        ] {
            let found = of(&format!("{more}{source}")).expect(source);
            let Some(Login::Role { role: asked, of }) = found else {
                panic!("{found:?}")
            };
            assert_eq!(asked, role);
            let is = match of {
                Of::Keys(keys) => {
                    assert_eq!(&**keys.id, "K");
                    "keys"
                }
                Of::Instance => "instance",
                Of::Container => "container",
            };
            assert_eq!(is, same);
        }
        // Of a web identity, STS takes neither.
        match of(&format!("{more}web_identity_token_file = /token\n")) {
            Ok(Some(Login::Token { role: asked, file })) => {
                assert_eq!((asked.external_id, asked.seconds), (None, None));
                assert_eq!(
                    (asked.session.as_deref(), file.as_str()),
                    (Some("s"), "/token")
                );
            }
            other => panic!("{other:?}"),
        }
        for (more, told) in [
            (
                "source_profile = chain\n",
                "source_profile of a profile with role_arn",
            ),
            ("source_profile = none\n", "has no keys"),
            ("source_profile = other\n", "is not there"),
            (
                "credential_source = Environment\n",
                "AWS_ACCESS_KEY_ID is not set",
            ),
            ("credential_source = x\n", "credential_source is none"),
            ("", "none or several"),
            (
                "source_profile = base\ncredential_source = EcsContainer\n",
                "none or several",
            ),
            (
                "source_profile = base\nduration_seconds = 1h\n",
                "no number",
            ),
        ] {
            let error = of(more).expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn only_a_profile_that_is_meant_has_to_have_a_login() {
        let mut found = profiles(DEFAULT, "[default]\nregion = x\n", "");
        let told = found.login().expect_err("is meant").to_string();
        assert!(told.contains("has no login"), "{told}");
        found.named = None;
        assert!(matches!(found.login(), Ok(None)));
        found.is_named = true;
        let told = found.login().expect_err("its file is").to_string();
        assert!(told.contains(CREDENTIALS), "{told}");
        let other = profiles("other", "[default]\nregion = x\n", "");
        let told = other.login().expect_err("is not there").to_string();
        assert!(told.contains("no profile"), "{told}");
    }

    /// `fixtures/aws/oracle.py` tells how it was made.
    #[test]
    fn the_library_of_awss_own_cli_reads_the_same_and_takes_the_same_login() {
        const ORACLE: &str = include_str!("../../../../../fixtures/aws/profiles.jsonl");
        let (mut read, mut logins) = (0, [0; 4]);
        for line in ORACLE.lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| case[name].as_str().expect("a text");
            let found = profiles("ci", text("config"), text("credentials"));
            if let Some(theirs) = case["profiles"].as_object() {
                let names = found.config.keys().chain(found.credentials.keys());
                let ours: serde_json::Map<String, Value> = names
                    .map(|name| {
                        let both = [found.config.get(name), found.credentials.get(name)];
                        let both = both.into_iter().flatten().flatten();
                        let says = both.filter(|(_, value)| !value.is_empty());
                        let says = says.map(|(name, value)| (name.clone(), json!(value.as_str())));
                        (name.clone(), Value::Object(says.collect()))
                    })
                    .collect();
                assert_eq!(&ours, theirs, "{line}");
                read += 1;
                continue;
            }
            let says = |name: &str| {
                case["says"]
                    .as_array()
                    .is_some_and(|all| all.contains(&json!(name)))
            };
            let sources = ["token", "source", "instance"]
                .into_iter()
                .filter(|one| says(one));
            let method = case["method"].as_str();
            let (kind, fits) = match found.login_of("ci") {
                Ok(None) => (0, method.is_none()),
                Ok(Some(Login::Keys(keys))) => (1, case["id"] == keys.id.as_str()),
                Ok(Some(Login::Token { .. })) => {
                    (2, method == Some("assume-role-with-web-identity"))
                }
                // Where it was made no instance was to be asked.
                Ok(Some(Login::Role { .. })) => (
                    3,
                    method == Some("assume-role") || method == Some("refused") && says("instance"),
                ),
                // Nobody is asked which of several is meant.
                Err(_) => {
                    let known = [Some("refused"), Some("sso")].contains(&method);
                    assert!(known || sources.count() > 1, "{line}");
                    continue;
                }
            };
            assert!(fits, "{line}");
            logins[kind] += 1;
        }
        assert!(
            read > 100 && logins.iter().all(|many| *many > 3),
            "{read} {logins:?}"
        );
    }
}
