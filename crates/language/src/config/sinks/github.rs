//! Sinks of the kind `github`: which secret of Actions, Dependabot or Codespaces receives an account's
//! credential.
//! Pure: names only; nothing is sent here.
//!
//! Source of what names may be: GitHub's documentation, "Secrets reference" and "Managing environments for
//! deployment".

use super::kind::{DecodedSink, ON_DELETE, OVERWRITE_UNREADABLE, format};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account};
use crate::diag::{Diagnostic, Span};
use crate::lang::{Failed, Frame};
use crate::model::{
    CredentialFormat, GithubApi, GithubApp, GithubOwner, GithubPlace, GithubVisibility, Place,
};

/// The form of `sink "github"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        may_for_account("repository"),
        may_for_account("environment"),
        may("organization"),
        may("visibility"),
        may("app"),
        may_for_account("name"),
        may("format"),
        may("address"),
        ON_DELETE,
        OVERWRITE_UNREADABLE,
    ],
    ..PLAIN
};

/// The secret if none is named: the variable that Mondoo's programs read.
const NAME: &str = "MONDOO_CONFIG_BASE64";

struct Github {
    address: GithubApi,
    organization: Option<Organization>,
    app: GithubApp,
    format: CredentialFormat,
}

#[derive(Clone)]
struct Organization {
    name: String,
    visibility: Option<GithubVisibility>,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let address = address(block, frame, decoder);
    let app = app(block, frame, decoder);
    let format = one_line(block, frame, decoder);
    let organization = organization(block, frame, decoder);
    if block.attribute("repository").is_none() && block.attribute("organization").is_none() {
        return nobodys(block, decoder);
    }
    let (Some(address), Some(app), Some(format), Some(organization)) =
        (address?, app?, format?, organization?)
    else {
        return Ok(None);
    };
    Ok(Some(Box::new(Github {
        address,
        organization,
        app,
        format,
    })))
}

fn wrong<T>(decoder: &mut Decoder<'_>, span: Span, what: &str, way_out: &str) -> Result<T, Failed> {
    decoder.report(
        Diagnostic::error(codes::INVALID_VALUE)
            .at(span, what)
            .help(way_out),
    );
    Err(Failed)
}

fn nobodys<T>(block: &Block, decoder: &mut Decoder<'_>) -> Result<T, Failed> {
    decoder.report(
        Diagnostic::error(codes::MISSING_ATTRIBUTE)
            .at(
                block.span,
                "neither a repository nor an organization is named",
            )
            .help("add `repository = \"OWNER/REPOSITORY\"`, or `organization`"),
    );
    Err(Failed)
}

fn address(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<GithubApi> {
    let (text, span) = match decoder.is_set(block, "address", frame)? {
        true => match decoder.text(block, "address", frame)? {
            Some((text, span)) => (text, span),
            None => return Ok(None),
        },
        false => (GithubApi::PUBLIC.to_owned(), block.span),
    };
    match GithubApi::new(&text) {
        Ok(api) => Ok(Some(api)),
        Err(why) => wrong(
            decoder,
            span,
            &format!("this is no base URL of GitHub's API: {why}"),
            "write \"https://HOST/api/v3\" of an Enterprise Server, or leave it out for github.com",
        ),
    }
}

fn app(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<GithubApp> {
    if !decoder.is_set(block, "app", frame)? {
        return Ok(Some(GithubApp::Actions));
    }
    let Some((text, span)) = decoder.text(block, "app", frame)? else {
        return Ok(None);
    };
    match &*text {
        "actions" => Ok(Some(GithubApp::Actions)),
        "dependabot" => Ok(Some(GithubApp::Dependabot)),
        "codespaces" => Ok(Some(GithubApp::Codespaces)),
        _ => wrong(
            decoder,
            span,
            "GitHub keeps no secrets for this",
            "write \"actions\", \"dependabot\" or \"codespaces\"",
        ),
    }
}

/// GitHub hides a secret in logs where it stands in one piece. JSON does not stay in one.
fn one_line(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<CredentialFormat> {
    let format = format(block, CredentialFormat::Base64, frame, decoder)?;
    match (format, block.attribute("format")) {
        (Some(CredentialFormat::Json), Some(attribute)) => wrong(
            decoder,
            attribute.span,
            "GitHub does not hide JSON in the logs of workflows, which would show the key",
            "leave it out: base64 in one line is hidden, and `base64 -d` makes JSON of it",
        ),
        (format, _) => Ok(format),
    }
}

fn organization(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Option<Organization>> {
    let is_one = decoder.is_set(block, "organization", frame)?;
    let visibility = match decoder.is_set(block, "visibility", frame)? {
        true => match decoder.text(block, "visibility", frame)? {
            Some((text, span)) => match GithubVisibility::named(&text) {
                Some(_) if !is_one => {
                    return wrong(
                        decoder,
                        span,
                        "only a secret of an organization is visible to some of its repositories",
                        "leave it out, or name an `organization`",
                    );
                }
                Some(visibility) => Some(visibility),
                None => {
                    return wrong(
                        decoder,
                        span,
                        "there is no such visibility",
                        "write \"selected\", \"private\" or \"all\"",
                    );
                }
            },
            None => return Ok(None),
        },
        false => None,
    };
    if !is_one {
        return Ok(Some(None));
    }
    let Some((name, span)) = decoder.text(block, "organization", frame)? else {
        return Ok(None);
    };
    if !is_login(&name) {
        return wrong(
            decoder,
            span,
            "this is no name of an organization",
            "letters, digits, `-` and `_` make one, at most 100",
        );
    }
    let name = name.to_ascii_lowercase();
    Ok(Some(Some(Organization { name, visibility })))
}

/// Whether a text can be the name of a person or an organization: those that come from a company's
/// directory have a `_` and may be longer than others.
fn is_login(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

fn is_repository(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    text.split_once('/').is_some_and(|(owner, name)| {
        let fits = (1..=100).contains(&name.len()) && name.bytes().all(plain);
        is_login(owner) && fits && name != "." && name != ".."
    })
}

fn is_environment(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b" -_.+@:()/".contains(&b);
    let part = |part: &str| !part.is_empty() && part.trim() == part && part != "." && part != "..";
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && text.split('/').all(part)
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    (1..=100).contains(&text.len())
        && text.bytes().all(plain)
        && !digit
        && !text.starts_with("GITHUB_")
}

impl Github {
    /// The secret's name in capitals, as GitHub keeps it.
    fn name(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<String> {
        if !decoder.is_set(block, "name", frame)? {
            return Ok(Some(NAME.to_owned()));
        }
        let Some((text, span)) = decoder.text(block, "name", frame)? else {
            return Ok(None);
        };
        let name = text.to_ascii_uppercase();
        if is_name(&name) {
            return Ok(Some(name));
        }
        wrong(
            decoder,
            span,
            "this is no name that GitHub takes for a secret",
            "up to 100 letters, digits and `_` make one, no digit first, and not GITHUB_; \
             `${replace(account.id, \"-\", \"_\")}` makes one of an id",
        )
    }

    fn owner(
        &self,
        block: &Block,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<GithubOwner> {
        let repository = match decoder.is_set(block, "repository", frame)? {
            true => match decoder.text(block, "repository", frame)? {
                Some(found) => Some(found),
                None => return Ok(None),
            },
            false => None,
        };
        let environment = match decoder.is_set(block, "environment", frame)? {
            true => match decoder.text(block, "environment", frame)? {
                Some(found) => Some(found),
                None => return Ok(None),
            },
            false => None,
        };
        let (repository, span) = match (repository, &self.organization, &environment) {
            (Some((_, span)), Some(_), _) => {
                return wrong(
                    decoder,
                    span,
                    "a secret is a repository's or an organization's, and both are named",
                    "remove one of them, or make two sinks",
                );
            }
            (None, Some(_), Some((_, span))) => {
                return wrong(
                    decoder,
                    *span,
                    "an organization has no environments",
                    "name the `repository` that has it, in place of the organization",
                );
            }
            (None, Some(Organization { name, visibility }), None) => {
                return Ok(Some(GithubOwner::Organization {
                    name: name.clone(),
                    visibility: *visibility,
                }));
            }
            (None, None, _) => return nobodys(block, decoder),
            (Some(repository), None, _) => repository,
        };
        if !is_repository(&repository) {
            return wrong(
                decoder,
                span,
                "this is no repository",
                "write \"OWNER/REPOSITORY\", as in its address",
            );
        }
        let repository = repository.to_ascii_lowercase();
        let Some((name, span)) = environment else {
            return Ok(Some(GithubOwner::Repository(repository)));
        };
        if self.app != GithubApp::Actions {
            let what = format!("{} knows no environments", self.app.as_str());
            let way_out = "remove it, or write `app = \"actions\"`";
            return wrong(decoder, span, &what, way_out);
        }
        if !is_environment(&name) {
            return wrong(
                decoder,
                span,
                "this is no environment that rolecall can name",
                "up to 255 letters, digits, spaces and `-_.+@:()/` make one, without parts that are \
                 empty, `.` or `..`",
            );
        }
        Ok(Some(GithubOwner::Environment { repository, name }))
    }
}

impl DecodedSink for Github {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let owner = self.owner(block, frame, decoder);
        let name = Self::name(block, frame, decoder);
        let (Some(owner), Some(name)) = (owner?, name?) else {
            return Ok(None);
        };
        Ok(Some(Place::Github(GithubPlace {
            address: self.address.clone(),
            owner,
            app: self.app,
            name,
            format: self.format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::{GithubOwner, GithubVisibility, Place};

    fn with(attributes: &str) -> String {
        format!(
            "sink \"github\" \"ci\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.github.ci] }}\n}}\n"
        )
    }

    fn told(attributes: &str) -> (String, Place) {
        let came = come_to(&with(attributes)).expect(attributes);
        let account = came.desired.accounts.values().next().expect("one");
        let [to] = account.deliver_to.as_slice() else {
            panic!("{:?}", account.deliver_to)
        };
        (to.to_string(), to.place().clone())
    }

    #[test]
    fn a_secret_is_of_a_repository_an_environment_or_an_organization() {
        let api = "sink.github.ci at https://api.github.com";
        for (attributes, path) in [
            (
                "repository = \"Acme/App.io\"",
                "/repos/acme/app.io/actions/secrets/MONDOO_CONFIG_BASE64",
            ),
            (
                "repository = \"acme/${account.id}\"\nname = \"key_of_${account.id}\"\napp = \"codespaces\"",
                "/repos/acme/scan/codespaces/secrets/KEY_OF_SCAN",
            ),
            (
                "repository = \"acme/app\"\nenvironment = \"Prod/eu 1\"\nformat = \"base64\"",
                "/repos/acme/app/environments/Prod%2Feu%201/secrets/MONDOO_CONFIG_BASE64",
            ),
            (
                "organization = \"Acme\"\nrepository = null\nvisibility = \"private\"\napp = \"dependabot\"",
                "/orgs/acme/dependabot/secrets/MONDOO_CONFIG_BASE64",
            ),
        ] {
            assert_eq!(told(attributes).0, format!("{api}{path}"));
        }
        let (_, place) = told("organization = \"acme\"\nvisibility = \"private\"");
        let Place::Github(place) = place else {
            panic!("{place:?}")
        };
        let visibility = Some(GithubVisibility::Private);
        let name = "acme".to_owned();
        assert_eq!(place.owner, GithubOwner::Organization { name, visibility });
        let (here, _) =
            told("repository = \"a/b\"\naddress = \"https://GHE.acme.example/api/v3/\"");
        assert!(
            here.contains(" https://ghe.acme.example/api/v3/repos/a/b/"),
            "{here}"
        );
    }

    #[test]
    fn what_github_would_take_for_something_else_is_refused() {
        let long = format!("\"{}\"", "a".repeat(101));
        for (attributes, name, value) in [
            ("", "repository", "\"acme\""),
            ("", "repository", "\"acme/app/x\""),
            ("", "repository", "\"acme/..\""),
            ("", "repository", "\"../orgs/acme\""),
            ("", "repository", "\"acme/a?b\""),
            ("", "repository", "\"acme/a%2fb\""),
            ("", "repository", "\"acme/a\\nb\""),
            ("", "repository", "\"\""),
            ("", "organization", "\"acme/app\""),
            ("", "organization", "\"..\""),
            ("", "organization", long.as_str()),
            ("repository = \"a/b\"", "name", "\"\""),
            ("repository = \"a/b\"", "name", "\"1ST\""),
            ("repository = \"a/b\"", "name", "\"GitHub_token\""),
            ("repository = \"a/b\"", "name", "\"A-B\""),
            ("repository = \"a/b\"", "name", "\"public-key\""),
            ("repository = \"a/b\"", "name", "\"Ä\""),
            ("repository = \"a/b\"", "name", long.as_str()),
            ("repository = \"a/b\"", "environment", "\"..\""),
            ("repository = \"a/b\"", "environment", "\"a/../b\""),
            ("repository = \"a/b\"", "environment", "\"a\\tb\""),
            ("repository = \"a/b\"", "environment", "\" a\""),
            ("repository = \"a/b\"", "environment", "\"a#b\""),
            ("repository = \"a/b\"", "format", "\"json\""),
            ("repository = \"a/b\"", "app", "\"Actions\""),
            ("repository = \"a/b\"", "address", "\"https://github.com\""),
            (
                "repository = \"a/b\"",
                "address",
                "\"http://ghe.acme.example/api/v3\"",
            ),
            (
                "repository = \"a/b\"",
                "address",
                "\"https://x:y@ghe.acme.example/api/v3\"",
            ),
            ("repository = \"a/b\"", "visibility", "\"all\""),
            ("organization = \"a\"", "visibility", "\"public\""),
            ("organization = \"a\"", "repository", "\"a/b\""),
            ("organization = \"a\"", "environment", "\"prod\""),
            (
                "repository = \"a/b\"\napp = \"dependabot\"",
                "environment",
                "\"prod\"",
            ),
        ] {
            let found = wrong(&with(&format!("{attributes}\n{name} = {value}")));
            assert_eq!(
                found,
                [("invalid-value", value.to_owned())],
                "{name} {attributes}"
            );
        }
        for nobodys in ["", "repository = null", "organization = null"] {
            let found = wrong(&with(nobodys));
            assert_eq!(found[0].0, "missing-attribute", "{nobodys}: {found:?}");
        }
    }
}
