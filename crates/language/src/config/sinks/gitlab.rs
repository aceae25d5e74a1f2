//! Sinks of the kind `gitlab`: which CI/CD variable receives an account's credential.
//! Pure: names only; nothing is sent here.
//!
//! Source of what texts may be: GitLab's documentation, "GitLab CI/CD variables" and "Limitations on usernames,
//! project and group names", and `maskable.rb` and `regex.rb` of its program.

use super::kind::{
    DecodedSink, ON_DELETE, OVERWRITE_UNREADABLE, format, on_delete, origin, overwrite_unreadable,
};
use super::recipient::Recipient;
use crate::config::block::Block;
use crate::config::codes;
use crate::config::decode::{Decoded, Decoder};
use crate::config::schema::{PLAIN, Schema, may, may_for_account};
use crate::diag::{Code, Diagnostic, Span};
use crate::lang::{Failed, Frame};
use crate::model::{
    CredentialFormat, GitlabOwner, GitlabPlace, GitlabType, OnDelete, Origin, Place,
};

/// The form of `sink "gitlab"`.
pub(super) static SCHEMA: Schema = Schema {
    kind: "sink",
    labels: &["kind", "name"],
    attributes: &[
        may_for_account("project"),
        may_for_account("group"),
        may_for_account("environment_scope"),
        may_for_account("name"),
        may("type"),
        may("masked"),
        may("hidden"),
        may("protected"),
        may("format"),
        may("address"),
        ON_DELETE,
        OVERWRITE_UNREADABLE,
    ],
    ..PLAIN
};

/// The variable if none is named: the one that Mondoo's programs read.
const NAME: &str = "MONDOO_CONFIG_BASE64";
/// The scope of all environments, and of jobs that have none.
const ALL: &str = "*";

struct Gitlab {
    address: Origin,
    r#type: GitlabType,
    masked: bool,
    hidden: bool,
    protected: Option<bool>,
    format: CredentialFormat,
}

/// Decodes what is the same for all accounts.
pub(super) fn decode(
    block: &Block,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Box<dyn DecodedSink>> {
    let address = match decoder.is_set(block, "address", frame)? {
        true => origin(block, "address", frame, decoder),
        false => Ok(Origin::new(GitlabPlace::PUBLIC).ok()),
    };
    let r#type = r#type(block, frame, decoder);
    let format = format(block, CredentialFormat::Base64, frame, decoder);
    let masked = flag(block, "masked", frame, decoder);
    let hidden = flag(block, "hidden", frame, decoder);
    let protected = flag(block, "protected", frame, decoder);
    if block.attribute("project").is_none() && block.attribute("group").is_none() {
        return nobodys(block, decoder);
    }
    let (Some(address), Some(r#type), Some(format), Some(masked), Some(hidden), Some(protected)) =
        (address?, r#type?, format?, masked?, hidden?, protected?)
    else {
        return Ok(None);
    };
    let sink = Gitlab {
        address,
        r#type,
        masked: masked.unwrap_or(true),
        hidden: hidden.unwrap_or(false),
        protected,
        format,
    };
    sink.agrees(block, frame, decoder)?;
    Ok(Some(Box::new(sink)))
}

fn wrong<T>(decoder: &mut Decoder<'_>, span: Span, what: &str, way_out: &str) -> Result<T, Failed> {
    told(decoder, codes::INVALID_VALUE, span, what, way_out)
}

fn told<T>(
    decoder: &mut Decoder<'_>,
    code: Code,
    span: Span,
    what: &str,
    way_out: &str,
) -> Result<T, Failed> {
    decoder.report(Diagnostic::error(code).at(span, what).help(way_out));
    Err(Failed)
}

fn nobodys<T>(block: &Block, decoder: &mut Decoder<'_>) -> Result<T, Failed> {
    told(
        decoder,
        codes::MISSING_ATTRIBUTE,
        block.span,
        "neither a project nor a group is named",
        "add `project = \"GROUP/PROJECT\"`, or `group`",
    )
}

/// What a flag says, if anything.
fn flag(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Option<bool>> {
    match decoder.is_set(block, name, frame)? {
        true => Ok(decoder.flag(block, name, frame)?.map(Some)),
        false => Ok(Some(None)),
    }
}

fn r#type(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<GitlabType> {
    if !decoder.is_set(block, "type", frame)? {
        return Ok(Some(GitlabType::EnvVar));
    }
    let Some((text, span)) = decoder.text(block, "type", frame)? else {
        return Ok(None);
    };
    let mut known = [GitlabType::EnvVar, GitlabType::File].into_iter();
    match known.find(|one| one.as_str() == text) {
        Some(found) => Ok(Some(found)),
        None => wrong(
            decoder,
            span,
            "GitLab has no variables of this type",
            "write \"env_var\" or \"file\"",
        ),
    }
}

/// A text, or what it is where none is set; `None` if it is not known yet.
fn text(
    block: &Block,
    name: &str,
    frame: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Option<(String, Span)>> {
    match decoder.is_set(block, name, frame)? {
        true => Ok(decoder.text(block, name, frame)?.map(Some)),
        false => Ok(Some(None)),
    }
}

/// Whether a text can be the path of a group: no part leads elsewhere, and it is no number, which GitLab
/// takes for an id.
fn is_group(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let part = |part: &str| {
        (1..=255).contains(&part.len())
            && part.bytes().all(plain)
            && !part.starts_with('-')
            && ![".", ".git", ".atom"].iter().any(|end| part.ends_with(end))
    };
    text.len() <= 1024 && text.split('/').all(part) && !text.bytes().all(|b| b.is_ascii_digit())
}

fn is_project(text: &str) -> bool {
    text.contains('/') && is_group(text)
}

fn is_scope(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-/. *".contains(&b);
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && text.trim() == text
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let own = ["CI_", "GITLAB_"].iter().any(|own| text.starts_with(own));
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && !digit && !own
}

impl Gitlab {
    /// Refuses what GitLab would not take together, or would take and show.
    fn agrees(
        &self,
        block: &Block,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Result<(), Failed> {
        let of = |name: &str| block.attribute(name).map_or(block.span, |one| one.span);
        if self.hidden && !self.masked {
            return wrong(
                decoder,
                of("masked"),
                "GitLab hides only a variable that is masked",
                "remove it, or `hidden`",
            );
        }
        match (self.format, self.r#type) {
            (CredentialFormat::Json, _) if self.masked => {
                return wrong(
                    decoder,
                    of("format"),
                    "GitLab masks one line without spaces, which JSON is not, and would refuse the key",
                    "leave it out: base64 in one line is masked, and `base64 -d` makes JSON of it; or \
                     add `type = \"file\"` and `masked = false` if logs may show the key of a job that \
                     prints it",
                );
            }
            (CredentialFormat::Json, GitlabType::EnvVar) => {
                return wrong(
                    decoder,
                    of("format"),
                    "JSON is several lines, which a variable of an environment does not keep everywhere",
                    "leave it out for base64 in one line, or add `type = \"file\"`",
                );
            }
            (CredentialFormat::Json, GitlabType::File) | (CredentialFormat::Base64, _) => {}
        }
        // A later run removes it, which has only versions to know it by.
        if self.hidden && on_delete(block, frame, decoder)? == Some(OnDelete::Remove) {
            return wrong(
                decoder,
                of(ON_DELETE.name),
                "GitLab tells nothing of a hidden variable by which a key could be known again, so that \
                 none would be removed",
                "remove it, or `hidden`",
            );
        }
        let overwrites = overwrite_unreadable(block, frame, decoder)?;
        if overwrites == Some(true) && !self.hidden {
            return wrong(
                decoder,
                of(OVERWRITE_UNREADABLE.name),
                "a variable that is not hidden can be read, so that this says nothing",
                "remove it, or add `hidden = true`",
            );
        }
        Ok(())
    }

    fn owner(block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<GitlabOwner> {
        let project = text(block, "project", frame, decoder)?;
        let group = text(block, "group", frame, decoder)?;
        let (Some(project), Some(group)) = (project, group) else {
            return Ok(None);
        };
        match (project, group) {
            (None, None) => nobodys(block, decoder),
            (Some(_), Some((_, span))) => wrong(
                decoder,
                span,
                "a variable is a project's or a group's, and both are named",
                "remove one of them, or make two sinks",
            ),
            (Some((path, _)), None) if is_project(&path) => {
                Ok(Some(GitlabOwner::Project(path.to_ascii_lowercase())))
            }
            (None, Some((path, _))) if is_group(&path) => {
                Ok(Some(GitlabOwner::Group(path.to_ascii_lowercase())))
            }
            (Some((_, span)), None) => wrong(
                decoder,
                span,
                "this is no path of a project",
                "write \"GROUP/PROJECT\", as in its address, and not its id",
            ),
            (None, Some((_, span))) => wrong(
                decoder,
                span,
                "this is no path of a group",
                "write \"GROUP\" or \"GROUP/SUBGROUP\", as in its address, and not its id",
            ),
        }
    }

    fn environment_scope(
        block: &Block,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<String> {
        match text(block, "environment_scope", frame, decoder)? {
            None => Ok(None),
            Some(None) => Ok(Some(ALL.to_owned())),
            Some(Some((scope, _))) if is_scope(&scope) => Ok(Some(scope)),
            Some(Some((_, span))) => wrong(
                decoder,
                span,
                "this names no environments",
                "write the name of one, `*` in place of a part of it, or \"*\" for all; up to 255 \
                 letters, digits, spaces and `_-/.` make a name",
            ),
        }
    }

    fn name(&self, block: &Block, frame: &Frame<'_>, decoder: &mut Decoder<'_>) -> Decoded<String> {
        match text(block, "name", frame, decoder)? {
            None => Ok(None),
            Some(None) if self.r#type == GitlabType::EnvVar => Ok(Some(NAME.to_owned())),
            Some(None) => told(
                decoder,
                codes::MISSING_ATTRIBUTE,
                block.span,
                "a variable that holds the path of a file has no usual name",
                "add `name`: `MONDOO_CONFIG_PATH` is the one that Mondoo's programs take for a file of \
                 JSON",
            ),
            Some(Some((name, _))) if is_name(&name) => Ok(Some(name)),
            Some(Some((_, span))) => wrong(
                decoder,
                span,
                "this is no name of a variable",
                "up to 255 letters, digits and `_` make one, no digit first, and neither CI_ nor \
                 GITLAB_, which are GitLab's own; `${replace(account.id, \"-\", \"_\")}` makes one of \
                 an id",
            ),
        }
    }
}

impl DecodedSink for Gitlab {
    fn place(
        &self,
        block: &Block,
        _: &Recipient<'_>,
        frame: &Frame<'_>,
        decoder: &mut Decoder<'_>,
    ) -> Decoded<Place> {
        let owner = Self::owner(block, frame, decoder);
        let environment_scope = Self::environment_scope(block, frame, decoder);
        let name = self.name(block, frame, decoder);
        let (Some(owner), Some(environment_scope), Some(name)) =
            (owner?, environment_scope?, name?)
        else {
            return Ok(None);
        };
        let Self {
            address,
            r#type,
            masked,
            hidden,
            protected,
            format,
        } = self;
        Ok(Some(Place::Gitlab(GitlabPlace {
            address: address.clone(),
            owner,
            environment_scope,
            name,
            r#type: *r#type,
            masked: *masked,
            hidden: *hidden,
            protected: *protected,
            format: *format,
        })))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{come_to, wrong};
    use crate::model::{CredentialFormat, GitlabPlace, GitlabType, Place};

    fn with(attributes: &str) -> String {
        format!(
            "sink \"gitlab\" \"ci\" {{\n{attributes}\n}}\n\
             service_account \"scan\" {{\n  name = \"scan\"\n  scope = space.prod\n  \
             roles = [\"viewer\"]\n  credential {{ deliver_to = [sink.gitlab.ci] }}\n}}\n"
        )
    }

    fn told(attributes: &str) -> (String, GitlabPlace) {
        let came = come_to(&with(attributes)).expect(attributes);
        let account = came.desired.accounts.values().next().expect("one");
        let [to] = account.deliver_to.as_slice() else {
            panic!("{:?}", account.deliver_to)
        };
        let Place::Gitlab(place) = to.place() else {
            panic!("{to}")
        };
        (to.to_string(), place.clone())
    }

    #[test]
    fn a_variable_is_of_a_project_or_a_group() {
        for (attributes, shown) in [
            (
                "project = \"Acme/Team.x/app\"",
                "https://gitlab.com/acme/team.x/app#MONDOO_CONFIG_BASE64",
            ),
            (
                "project = \"acme/${account.id}\"\nname = \"key_of_${account.id}\"\n\
                 environment_scope = \"review/*\"",
                "https://gitlab.com/acme/scan#key_of_scan (review/*)",
            ),
            (
                "group = \"Acme\"\nproject = null\naddress = \"https://GitLab.acme.example/\"",
                "https://gitlab.acme.example/acme#MONDOO_CONFIG_BASE64",
            ),
        ] {
            assert_eq!(told(attributes).0, format!("sink.gitlab.ci at {shown}"));
        }
        let url = |attributes| told(attributes).1.variables();
        assert_eq!(
            url("project = \"a/b\""),
            "https://gitlab.com/api/v4/projects/a%2Fb/variables"
        );
        assert_eq!(
            url("group = \"a/b\""),
            "https://gitlab.com/api/v4/groups/a%2Fb/variables"
        );
    }

    #[test]
    fn a_variable_is_masked_and_can_be_read_if_nothing_else_is_said() {
        let (_, usual) = told("project = \"a/b\"");
        assert_eq!(
            (usual.masked, usual.hidden, usual.protected),
            (true, false, None)
        );
        assert_eq!(usual.r#type, GitlabType::EnvVar);
        let (_, hidden) = told("project = \"a/b\"\nhidden = true\noverwrite_unreadable = true");
        assert_eq!((hidden.masked, hidden.hidden), (true, true));
        let (_, file) = told(
            "project = \"a/b\"\ntype = \"file\"\nmasked = false\nformat = \"json\"\n\
             name = \"MONDOO_CONFIG_PATH\"\nprotected = false",
        );
        assert_eq!(file.format, CredentialFormat::Json);
        assert_eq!(
            (file.r#type, file.masked, file.protected),
            (GitlabType::File, false, Some(false))
        );
        // A file in base64 is masked.
        let (_, file) = told("project = \"a/b\"\ntype = \"file\"\nname = \"KEY\"");
        assert!(file.masked && file.format == CredentialFormat::Base64);
    }

    #[test]
    fn what_gitlab_would_take_for_something_else_is_refused() {
        let long = format!("\"a/{}\"", "a".repeat(256));
        let name = format!("\"{}\"", "a".repeat(256));
        let of = "project = \"a/b\"";
        for (attributes, name, value) in [
            ("", "project", "\"acme\""),
            ("", "project", "\"42\""),
            ("", "project", "\"acme/..\""),
            ("", "project", "\"../acme\""),
            ("", "project", "\"acme//app\""),
            ("", "project", "\"/acme/app\""),
            ("", "project", "\"acme/app.git\""),
            ("", "project", "\"acme/-app\""),
            ("", "project", "\"acme/a?b\""),
            ("", "project", "\"acme%2fapp/x\""),
            ("", "project", "\"acme/a\\nb\""),
            ("", "project", "\"acme/ä\""),
            ("", "project", "\"\""),
            ("", "project", long.as_str()),
            ("", "group", "\"\""),
            ("", "group", "\"..\""),
            ("", "group", "\"42\""),
            ("", "group", "\"a b\""),
            (of, "group", "\"a\""),
            (of, "environment_scope", "\"\""),
            (of, "environment_scope", "\" a\""),
            (of, "environment_scope", "\"a\\tb\""),
            (of, "environment_scope", "\"a&b\""),
            (of, "environment_scope", "\"a%2fb\""),
            (of, "environment_scope", name.as_str()),
            (of, "name", "\"\""),
            (of, "name", "\"1ST\""),
            (of, "name", "\"A-B\""),
            (of, "name", "\"../x\""),
            (of, "name", "\"CI_JOB_TOKEN\""),
            (of, "name", "\"GITLAB_USER_ID\""),
            (of, "name", "\"Ä\""),
            (of, "name", name.as_str()),
            (of, "type", "\"File\""),
            (of, "address", "\"https://gitlab.acme.example/gitlab\""),
            (of, "address", "\"https://gitlab.acme.example/api/v4\""),
            (of, "address", "\"http://gitlab.acme.example\""),
            (of, "address", "\"https://x:y@gitlab.acme.example\""),
            ("project = \"a/b\"\nhidden = true", "masked", "false"),
        ] {
            let found = wrong(&with(&format!("{attributes}\n{name} = {value}")));
            assert_eq!(
                found,
                [("invalid-value", value.to_owned())],
                "{name} {attributes}"
            );
        }
        for nobodys in ["", "project = null", "group = null"] {
            let found = wrong(&with(nobodys));
            assert_eq!(found[0].0, "missing-attribute", "{nobodys}: {found:?}");
        }
        let found = wrong(&with("project = \"a/b\"\ntype = \"file\""));
        assert_eq!(found[0].0, "missing-attribute", "{found:?}");
    }

    /// Case 18: what GitLab would refuse when the account is there is refused before.
    #[test]
    fn json_is_neither_masked_nor_hidden_nor_a_variable_of_an_environment() {
        let json = "\"json\"";
        for attributes in [
            "",
            "masked = true",
            "hidden = true",
            "type = \"file\"\nname = \"A\"",
            "type = \"file\"\nname = \"A\"\nhidden = true",
            "masked = false",
        ] {
            let found = wrong(&with(&format!(
                "project = \"a/b\"\n{attributes}\nformat = {json}"
            )));
            assert_eq!(found, [("invalid-value", json.to_owned())], "{attributes}");
        }
    }

    #[test]
    fn no_plan_says_that_a_hidden_key_will_be_removed() {
        let hidden = "project = \"a/b\"\nhidden = true\non_delete = \"remove\"";
        let found = wrong(&with(hidden));
        assert_eq!(found, [("invalid-value", "\"remove\"".to_owned())]);
        told("project = \"a/b\"\nhidden = true\non_delete = \"keep\"");
        told("project = \"a/b\"\non_delete = \"remove\"");
    }

    #[test]
    fn what_can_be_read_needs_no_leave_to_be_overwritten_unread() {
        let found = wrong(&with("project = \"a/b\"\noverwrite_unreadable = true"));
        assert_eq!(found, [("invalid-value", "true".to_owned())]);
        told("project = \"a/b\"\noverwrite_unreadable = false");
    }
}
