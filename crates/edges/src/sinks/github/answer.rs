//! What GitHub's answers mean, and the bodies of requests to it.
//! Pure: bytes in, values out; no text of a login gets into an error.
//!
//! Source: GitHub's OpenAPI description of its REST API, and its documentation of secrets.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::http::{Again, Answer, Method, Request, excerpt, is_page};
use crate::model::{GithubApp, GithubOwner, GithubPlace, GithubVisibility, StoreVersion};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::remote;

/// The largest answer that is read, in bytes: a page of a hundred repositories is far smaller.
const LARGEST: usize = 4 * 1024 * 1024;
/// The headers that say how much may still be asked.
const WANTED: &[&str] = &["x-ratelimit-remaining", "x-ratelimit-reset"];

/// A request to the API as it wants it.
pub(super) fn request(method: Method, url: &str, token: &str) -> Request {
    let bearer = Zeroizing::new(format!("Bearer {token}"));
    let mut request = Request::new(method, url)
        .secret("authorization", bearer)
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28");
    request.largest_answer = LARGEST;
    request.wanted = WANTED;
    request
}

/// Whether an answer asks for the request to be sent again at once: limits are waited for elsewhere.
pub(super) fn again(answer: &Answer) -> Again {
    match answer.status {
        500..=599 => Again::Reads,
        _ => Again::Never,
    }
}

/// A secret as GitHub tells of it, which is all but its value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it was last written; `None` if it is not there.
    pub(super) version: Option<StoreVersion>,
    /// Which repositories see it, where it is an organization's.
    pub(super) visibility: Option<GithubVisibility>,
}

impl Seen {
    /// Reads the answer to a request for one.
    pub(super) fn read(
        answer: &Answer,
        place: &GithubPlace,
        login: &Known<'_>,
    ) -> Result<Self, SinkError> {
        #[derive(Deserialize)]
        struct Told {
            updated_at: String,
            visibility: Option<GithubVisibility>,
        }
        match answer.status {
            200 => {}
            // The owner was seen before, by its public key.
            404 => return Ok(Self::default()),
            _ => return Err(refused(answer, place, login, false)),
        }
        let told: Told = serde_json::from_slice(&answer.body).map_err(|_| {
            malformed("the answer is not GitHub's; is the address that of its API?")
        })?;
        let of_organization = matches!(place.owner, GithubOwner::Organization { .. });
        if of_organization && told.visibility.is_none() {
            return Err(malformed(
                "the answer does not say which repositories see the secret",
            ));
        }
        Ok(Self {
            version: Some(StoreVersion::new(&told.updated_at)),
            visibility: told.visibility,
        })
    }
}

/// One page of the repositories that see a secret.
#[derive(Deserialize)]
pub(super) struct Listed {
    total_count: usize,
    repositories: Vec<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

impl Listed {
    /// Reads it.
    pub(super) fn read(
        answer: &Answer,
        place: &GithubPlace,
        login: &Known<'_>,
    ) -> Result<Self, SinkError> {
        if answer.status != 200 {
            return Err(refused(answer, place, login, false));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| malformed("the answer does not list the repositories that see the secret"))
    }

    /// Adds them to those of former pages; tells whether these were all. A list that ends early is an
    /// error: what is left out would be taken off.
    pub(super) fn join(self, all: &mut Vec<u64>) -> Result<bool, SinkError> {
        let more = !self.repositories.is_empty();
        all.extend(self.repositories.iter().map(|one| one.id));
        match (all.len() >= self.total_count, more) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(malformed(
                "GitHub does not list all repositories that see the secret",
            )),
        }
    }
}

/// Which repositories of an organization see its secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seers {
    pub(super) visibility: GithubVisibility,
    /// Their ids, where they are listed.
    pub(super) selected: Vec<u64>,
}

/// The body of a write.
pub(super) fn body(
    sealed: &str,
    key_id: &str,
    seers: Option<&Seers>,
) -> Result<Zeroizing<Vec<u8>>, SinkError> {
    #[derive(Serialize)]
    struct Body<'a> {
        encrypted_value: &'a str,
        key_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        visibility: Option<GithubVisibility>,
        #[serde(skip_serializing_if = "Option::is_none")]
        selected_repository_ids: Option<&'a [u64]>,
    }
    let selected = seers.filter(|seers| seers.visibility == GithubVisibility::Selected);
    let body = Body {
        encrypted_value: sealed,
        key_id,
        visibility: seers.map(|seers| seers.visibility),
        selected_repository_ids: selected.map(|seers| seers.selected.as_slice()),
    };
    serde_json::to_vec(&body)
        .map(Zeroizing::new)
        .map_err(|_| malformed("the request cannot be written"))
}

/// What GitHub says in an answer that refuses.
pub(super) fn said(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        message: String,
    }
    serde_json::from_slice::<Said>(&answer.body).map_or_else(|_| String::new(), |said| said.message)
}

/// What is not as GitHub answers.
pub(super) fn malformed(why: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: why.to_owned(),
        help: None,
    }
}

/// What rolecall does not write to as it is.
pub(super) fn unfit(message: String, help: Option<String>) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message,
        help,
    }
}

/// What an error says of a login.
pub(super) struct Known<'a> {
    /// The token that was sent, which no error repeats.
    pub(super) token: &'a str,
    /// Where it is from.
    pub(super) source: &'static str,
}

/// The right that a place needs, as GitHub's pages call it.
pub(super) fn right(place: &GithubPlace) -> &'static str {
    match (&place.owner, place.app) {
        (GithubOwner::Environment { .. }, _) => {
            "the repository permission \"Environments\" (write)"
        }
        (GithubOwner::Repository(_), GithubApp::Actions) => {
            "the repository permission \"Secrets\" (write)"
        }
        (GithubOwner::Repository(_), GithubApp::Dependabot) => {
            "the repository permission \"Dependabot secrets\" (write)"
        }
        (GithubOwner::Repository(_), GithubApp::Codespaces) => {
            "the repository permission \"Codespaces secrets\" (write)"
        }
        (GithubOwner::Organization { .. }, GithubApp::Actions) => {
            "the organization permission \"Secrets\" (write)"
        }
        (GithubOwner::Organization { .. }, GithubApp::Dependabot) => {
            "the organization permission \"Organization dependabot secrets\" (write)"
        }
        (GithubOwner::Organization { .. }, GithubApp::Codespaces) => {
            "the organization permission \"Organization codespaces secrets\" (write)"
        }
    }
}

/// The same right, as an App's token names it, where GitHub's description of its API does.
pub(super) fn permission(place: &GithubPlace) -> Option<&'static str> {
    match (&place.owner, place.app) {
        (GithubOwner::Environment { .. }, _) => Some("environments"),
        (GithubOwner::Repository(_), GithubApp::Actions) => Some("secrets"),
        (GithubOwner::Repository(_), GithubApp::Dependabot) => Some("dependabot_secrets"),
        (GithubOwner::Organization { .. }, GithubApp::Actions) => Some("organization_secrets"),
        (GithubOwner::Repository(_), GithubApp::Codespaces)
        | (GithubOwner::Organization { .. }, GithubApp::Dependabot | GithubApp::Codespaces) => None,
    }
}

/// Whose secrets a place is among, for people.
fn owner(place: &GithubPlace) -> String {
    match &place.owner {
        GithubOwner::Repository(repository) => format!("repository {repository}"),
        GithubOwner::Environment { repository, name } => {
            format!("environment \"{name}\" of the repository {repository}")
        }
        GithubOwner::Organization {
            name,
            visibility: _,
        } => format!("organization {name}"),
    }
}

/// How an answer is shown besides: its status and its words.
pub(super) fn shown(answer: &Answer, token: &str) -> String {
    match said(answer) {
        said if said.is_empty() => format!("HTTP {}", answer.status),
        said => format!("HTTP {}: {}", answer.status, excerpt(&said, token)),
    }
}

/// An answer that refuses, in the words of who must mend it.
pub(super) fn refused(
    answer: &Answer,
    place: &GithubPlace,
    login: &Known<'_>,
    writes: bool,
) -> SinkError {
    let (kind, effect) = remote::kind_of(answer.status, writes);
    let error = |kind, message: String, help: Option<String>| SinkError {
        kind,
        effect,
        message,
        help,
    };
    let status = answer.status;
    if is_page(&answer.body) && matches!(status, 400..=499) {
        let message = format!("the answer is a web page and not GitHub's API (HTTP {status})");
        let help = "check the sink's address, and whether a proxy answers in its place";
        return error(SinkErrorKind::Malformed, message, Some(help.to_owned()));
    }
    let words = shown(answer, login.token);
    match status {
        401 => error(
            kind,
            format!(
                "GitHub does not take the login of {} ({words})",
                login.source
            ),
            Some("it may have ended or been revoked: set a new one".to_owned()),
        ),
        403 => error(
            kind,
            format!("GitHub does not allow it ({words})"),
            Some(format!(
                "the login of {} needs {} for the {}; the GITHUB_TOKEN of a job never has it",
                login.source,
                right(place),
                owner(place)
            )),
        ),
        404 => error(
            kind,
            format!("GitHub shows this login no {} ({words})", owner(place)),
            Some(format!(
                "correct the sink, or give the login of {} {} for it: without that GitHub says the \
                 same",
                login.source,
                right(place)
            )),
        ),
        301 | 302 | 307 | 308 => error(
            kind,
            format!(
                "the {} has another name by now (HTTP {status})",
                owner(place)
            ),
            Some("name it as its page does".to_owned()),
        ),
        413 => error(
            SinkErrorKind::Full,
            format!("GitHub takes no value that large ({words})"),
            None,
        ),
        500..=599 => error(
            kind,
            format!("GitHub failed ({words})"),
            Some("run again later; githubstatus.com says how it is".to_owned()),
        ),
        _ => error(
            match kind {
                SinkErrorKind::Malformed | SinkErrorKind::Moved => SinkErrorKind::Unfit,
                kind => kind,
            },
            format!("GitHub does not take the request ({words})"),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_repositories_is_whole_or_none() {
        let page = |total: usize, ids: &[u64]| {
            let ids = ids.iter().map(|id| Repository { id: *id });
            Listed {
                total_count: total,
                repositories: ids.collect(),
            }
        };
        let mut all = Vec::new();
        assert_eq!(page(3, &[1, 2]).join(&mut all), Ok(false));
        assert_eq!(page(3, &[7]).join(&mut all), Ok(true));
        assert_eq!(all, [1, 2, 7]);
        let mut none = Vec::new();
        assert_eq!(page(0, &[]).join(&mut none), Ok(true));
        assert!(page(2, &[]).join(&mut none).is_err());
    }

    #[test]
    fn a_body_names_repositories_only_where_they_are_selected() {
        let of = |seers: Option<&Seers>| {
            let body = body("c2VhbGVk", "17", seers).expect("a body");
            String::from_utf8(body.to_vec()).expect("text")
        };
        let bare = r#"{"encrypted_value":"c2VhbGVk","key_id":"17"}"#;
        assert_eq!(of(None), bare);
        let head = bare.trim_end_matches('}');
        let seers = |visibility| Seers {
            visibility,
            selected: vec![4, 2],
        };
        assert_eq!(
            of(Some(&seers(GithubVisibility::Private))),
            format!("{head},\"visibility\":\"private\"}}")
        );
        assert_eq!(
            of(Some(&seers(GithubVisibility::Selected))),
            format!("{head},\"visibility\":\"selected\",\"selected_repository_ids\":[4,2]}}")
        );
    }
}
