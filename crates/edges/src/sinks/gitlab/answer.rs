//! What GitLab's answers mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a login or a value gets into an error.
//!
//! Sources: GitLab's documentation, "Project-level CI/CD variables API", "Group-level Variables API" and "REST
//! API troubleshooting"; `lib/api/ci/variables.rb` and `lib/api/entities/ci/variable.rb` of its program.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::http::{Answer, excerpt, is_page, without_token};
use crate::model::{GitlabOwner, GitlabPlace};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::remote;

/// The variable of the environment that holds the token.
pub(super) const TOKEN: &str = "ROLECALL_GITLAB_TOKEN";

/// A variable as GitLab tells of it.
#[derive(Deserialize)]
pub(super) struct Variable {
    pub(super) key: String,
    /// What it holds; `None` if it is hidden.
    #[serde(default, deserialize_with = "hidden_or_not")]
    pub(super) value: Option<Zeroizing<String>>,
    pub(super) variable_type: String,
    #[serde(default)]
    pub(super) protected: bool,
    #[serde(default)]
    pub(super) masked: bool,
    /// Servers before 17.4 say nothing of this.
    #[serde(default)]
    pub(super) hidden: bool,
    /// Whether a `$` in it is left as it is; servers before 15.7 say nothing of this.
    pub(super) raw: Option<bool>,
    /// Some servers say nothing of this for groups.
    pub(super) environment_scope: Option<String>,
    pub(super) description: Option<String>,
}

fn hidden_or_not<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(from).map(|value| value.map(Zeroizing::new))
}

impl Variable {
    /// Reads an answer that holds one.
    pub(super) fn read(body: &[u8]) -> Result<Self, SinkError> {
        serde_json::from_slice(body).map_err(|_| {
            malformed("the answer is not GitLab's; is the sink's address that of one?")
        })
    }

    /// The bytes that it holds; none if it is hidden.
    pub(super) fn bytes(&self) -> &[u8] {
        self.value.as_ref().map_or(b"", |value| value.as_bytes())
    }

    /// Sees that it is the place's, and kept as the sink says.
    ///
    /// # Errors
    /// What is different, with the way out.
    pub(super) fn is_as(&self, place: &GitlabPlace) -> Result<(), SinkError> {
        let scope = self.environment_scope.as_deref();
        if self.key != place.name || scope.is_some_and(|scope| scope != place.environment_scope) {
            return Err(malformed(
                "the answer is of another variable than was asked for",
            ));
        }
        let differs = |is: &str, says: &str, way_out: &str| {
            Err(refuse(
                SinkErrorKind::Unfit,
                format!("the variable is {is}, and the sink says {says}"),
                way_out,
            ))
        };
        match (self.hidden, place.hidden) {
            (true, false) => {
                return differs(
                    "hidden",
                    "that it can be read",
                    "add `hidden = true` to the sink, or name another variable",
                );
            }
            (false, true) => {
                return differs(
                    "not hidden",
                    "that it is",
                    "remove `hidden` from the sink, or delete the variable: GitLab hides only new ones",
                );
            }
            (true, true) | (false, false) => {}
        }
        if self.masked != place.masked {
            return match self.masked {
                true => differs(
                    "masked",
                    "that it is not",
                    "remove `masked = false` from the sink",
                ),
                false => differs(
                    "not masked",
                    "that it is",
                    "mask it in GitLab, or add `masked = false` to the sink if logs may show the key",
                ),
            };
        }
        if self.variable_type != place.r#type.as_str() {
            let is = format!("of the type {}", excerpt(&self.variable_type, ""));
            let says = place.r#type.as_str();
            return differs(
                &is,
                says,
                "change one of them: a delivery leaves it as it is",
            );
        }
        match place.protected {
            Some(wanted) if wanted != self.protected => {
                let word = |protected| {
                    if protected {
                        "protected"
                    } else {
                        "not protected"
                    }
                };
                differs(
                    word(self.protected),
                    word(wanted),
                    "change one of them: a delivery leaves it as it is",
                )
            }
            _ => Ok(()),
        }
    }
}

/// The body of a write: all that a variable is, as it was or as a new one is to be.
pub(super) fn body(
    place: &GitlabPlace,
    there: Option<&Variable>,
    value: &str,
) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    #[derive(Serialize)]
    struct Body<'a> {
        key: &'a str,
        value: &'a str,
        variable_type: &'a str,
        protected: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        masked: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        masked_and_hidden: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw: Option<bool>,
        environment_scope: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
    }
    let new = Body {
        key: &place.name,
        value,
        variable_type: place.r#type.as_str(),
        // Whoever may push a branch would read it otherwise.
        protected: place.protected.unwrap_or(true),
        masked: Some(place.masked).filter(|_| !place.hidden),
        masked_and_hidden: Some(true).filter(|_| place.hidden),
        // A `$` stays what it is.
        raw: Some(true),
        environment_scope: &place.environment_scope,
        description: None,
    };
    let body = match there {
        None => new,
        Some(is) => Body {
            variable_type: &is.variable_type,
            protected: is.protected,
            masked: Some(is.masked),
            masked_and_hidden: None,
            raw: is.raw,
            description: is.description.as_deref(),
            ..new
        },
    };
    // What grows leaves copies.
    let mut bytes = Vec::with_capacity(2 * value.len() + 4096);
    serde_json::to_writer(&mut bytes, &body)
        .map_err(|_| malformed("the request cannot be written"))?;
    Ok(Zeroizing::new(bytes))
}

/// Whether GitLab masks a value, as its program decides that.
pub(super) fn can_be_masked(value: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=/@:.~-".contains(&b);
    value.len() >= 8 && value.bytes().all(plain)
}

/// What GitLab says in an answer that refuses: a text, or texts by the attribute that they are about.
fn said(answer: &Answer) -> String {
    let Ok(Value::Object(said)) = serde_json::from_slice::<Value>(&answer.body) else {
        return String::new();
    };
    let words = ["message", "error_description", "error"]
        .into_iter()
        .find_map(|name| said.get(name));
    match words {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => Value::Object(said).to_string(),
    }
}

/// Whether a read found no such variable, though its owner.
pub(super) fn is_absent(answer: &Answer) -> bool {
    answer.status == 404 && said(answer).contains("Variable Not Found")
}

/// Whether a read found several variables of the name, of different scopes.
pub(super) fn is_ambiguous(answer: &Answer) -> bool {
    answer.status == 409 && said(answer).contains("multiple variables")
}

/// Whether a new variable was refused since one is there.
pub(super) fn is_taken(answer: &Answer) -> bool {
    answer.status == 400 && said(answer).contains("already been taken")
}

/// What is not as GitLab answers.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// A refusal of rolecall's own; nothing was written.
pub(super) fn refuse(kind: SinkErrorKind, message: String, help: &str) -> SinkError {
    SinkError {
        kind,
        effect: Effect::None,
        message,
        help: Some(help.to_owned()),
    }
}

/// A request to which an answer came.
pub(super) struct Asked<'a> {
    pub(super) place: &'a GitlabPlace,
    /// The token that was sent.
    pub(super) token: &'a str,
    /// The value that was sent; empty if none was.
    pub(super) value: &'a str,
    /// Whether it changes something.
    pub(super) writes: bool,
}

/// A refusal in the words of who must mend it.
pub(super) fn refused(answer: &Answer, asked: &Asked<'_>) -> SinkError {
    let Asked {
        place,
        token,
        value,
        writes,
    } = asked;
    let (kind, effect) = remote::kind_of(answer.status, *writes);
    let error = |kind, message: String, help: &str| SinkError {
        kind,
        effect,
        message,
        help: Some(help.to_owned()),
    };
    let status = answer.status;
    if is_page(&answer.body) && matches!(status, 400..=499) {
        let message = format!("the answer is a web page and not GitLab's API (HTTP {status})");
        let help = "check the sink's address, and whether a proxy answers in its place";
        return error(SinkErrorKind::Malformed, message, help);
    }
    let words = match said(answer) {
        said if said.is_empty() => format!("HTTP {status}"),
        said => format!(
            "HTTP {status}: {}",
            excerpt(&without_token(&said, value), token)
        ),
    };
    let (owner, role) = match &place.owner {
        GitlabOwner::Project(path) => (format!("project {path}"), "Maintainer"),
        GitlabOwner::Group(path) => (format!("group {path}"), "Owner"),
    };
    match status {
        401 => error(
            kind,
            format!("GitLab does not take the login of {TOKEN} ({words})"),
            "it may have ended or been revoked: set a new one",
        ),
        403 => error(
            kind,
            format!("GitLab does not allow it ({words})"),
            &format!(
                "the token of {TOKEN} needs the scope `api` and the role {role} in the {owner}; \
                 CI_JOB_TOKEN never has it"
            ),
        ),
        404 => error(
            kind,
            format!("GitLab shows this login no {owner} ({words})"),
            &format!(
                "correct the sink, or give the token of {TOKEN} the role {role} in it: without that \
                 GitLab says the same"
            ),
        ),
        301 | 302 | 307 | 308 => {
            let to = answer.redirect_to.as_deref().unwrap_or("another address");
            error(
                kind,
                format!(
                    "GitLab sends requests for the {owner} on to {}, where the login is not sent \
                     (HTTP {status})",
                    excerpt(to, token)
                ),
                "name it by the path that it has by now, and check the sink's address",
            )
        }
        400 if said(answer).contains("value") => error(
            SinkErrorKind::Unfit,
            format!("GitLab does not take the value as the variable is kept ({words})"),
            "a variable that is masked takes one line of base64",
        ),
        413 => error(
            SinkErrorKind::Full,
            format!("GitLab takes no value that large ({words})"),
            "name another variable",
        ),
        429 => error(
            kind,
            format!("GitLab takes no more requests for now ({words})"),
            "run again later",
        ),
        500..=599 => error(kind, format!("GitLab failed ({words})"), "run again later"),
        _ => error(
            match kind {
                SinkErrorKind::Malformed | SinkErrorKind::Moved => SinkErrorKind::Unfit,
                kind => kind,
            },
            format!("GitLab does not take the request ({words})"),
            "see what it says of the variable in its settings",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer::new(status, body)
    }

    /// The texts that others met. Sources: gitlabhq/terraform-provider-gitlab#380,
    /// ansible-collections/community.general#4086.
    #[test]
    fn what_is_not_there_is_told_from_whose_it_would_be() {
        for (body, absent) in [
            ("{\"message\":\"404 Variable Not Found\"}", true),
            ("{\"message\":\"404 GroupVariable Not Found\"}", true),
            ("{\"message\":\"404 Project Not Found\"}", false),
            ("{\"message\":\"404 Group Not Found\"}", false),
            ("{\"error\":\"404 Not Found\"}", false),
            ("<html>", false),
        ] {
            assert_eq!(is_absent(&answer(404, body)), absent, "{body}");
        }
        let taken = "{\"message\":{\"key\":[\"(X) has already been taken\"]}}";
        assert!(is_taken(&answer(400, taken)));
        assert!(is_taken(&answer(
            400,
            "{\"key\":[\"(X) has already been taken\"]}"
        )));
        let invalid = "{\"message\":{\"value\":[\"is invalid\"]}}";
        assert!(!is_taken(&answer(400, invalid)));
    }

    #[test]
    fn base64_can_be_masked_and_json_cannot() {
        assert!(can_be_masked("YWJjZGVm+/=="));
        for not in [
            "",
            "YWJjZGU",
            "YWJj ZGVmZw",
            "YWJj\nZGVmZw==",
            "{\"mrn\":\"m\"}",
            "a$bcdefghij",
        ] {
            assert!(!can_be_masked(not), "{not}");
        }
    }
}
