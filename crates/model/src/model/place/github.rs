//! A secret of GitHub Actions, Dependabot or Codespaces.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind, escaped};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// Where a GitHub answers to programs: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise
/// Server. Source: GitHub's documentation, "Getting started with the REST API".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GithubApi {
    origin: Origin,
    text: String,
}

impl GithubApi {
    /// The API of github.com.
    pub const PUBLIC: &str = "https://api.github.com";
    /// What stands behind the host of an Enterprise Server.
    const ENTERPRISE: &str = "/api/v3";

    /// Reads a base URL.
    ///
    /// # Errors
    /// What is wrong, a fragment: it repeats nothing of the text.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let (host, path) = match bare.strip_suffix(Self::ENTERPRISE) {
            Some(host) if host.ends_with('/') => return Err("its path is /api/v3"),
            Some(host) => (host, Self::ENTERPRISE),
            None => (bare, ""),
        };
        let origin = Origin::new(host)?;
        if path.is_empty() && origin.as_str() == "https://github.com" {
            return Err("github.com answers to programs at https://api.github.com");
        }
        let text = format!("{origin}{path}");
        Ok(Self { origin, text })
    }

    /// The server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The base URL, without a `/` behind it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<GithubApi> for String {
    fn from(api: GithubApi) -> Self {
        api.text
    }
}

impl TryFrom<String> for GithubApi {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl fmt::Display for GithubApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which part of GitHub reads a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GithubApp {
    /// Workflows.
    Actions,
    /// Dependabot, and workflows that it starts.
    Dependabot,
    /// Development environments of people.
    Codespaces,
}

impl GithubApp {
    /// Its name in configurations, identities and paths of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Dependabot => "dependabot",
            Self::Codespaces => "codespaces",
        }
    }
}

/// Whose secret it is. Repositories and organizations are in small letters: GitHub takes both for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GithubOwner {
    /// A repository's: `owner/repository`.
    Repository(String),
    /// An environment's of a repository; only Actions has those.
    Environment {
        /// `owner/repository`.
        repository: String,
        /// The environment's name.
        name: String,
    },
    /// An organization's, for some of its repositories.
    Organization {
        /// The organization's name.
        name: String,
        /// Which repositories it is for; nothing where it is as it is, and for none if it is new.
        visibility: Option<GithubVisibility>,
    },
}

/// Which repositories of an organization see its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GithubVisibility {
    /// All.
    All,
    /// Those that are not public.
    Private,
    /// Those that are listed.
    Selected,
}

impl GithubVisibility {
    /// Its name in configurations and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Private => "private",
            Self::Selected => "selected",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::All, Self::Private, Self::Selected];
        all.into_iter().find(|one| one.as_str() == name)
    }
}

/// A secret of a repository, an environment or an organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubPlace {
    /// The API's base URL.
    pub address: GithubApi,
    /// Whose secret it is.
    pub owner: GithubOwner,
    /// Who reads it.
    pub app: GithubApp,
    /// The secret's name, in capitals.
    pub name: String,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl GithubPlace {
    /// Where its owner's secrets are in the API: `/repos/acme/app/actions/secrets`.
    pub fn secrets(&self) -> String {
        let app = self.app.as_str();
        match &self.owner {
            GithubOwner::Repository(repository) => format!("/repos/{repository}/{app}/secrets"),
            GithubOwner::Environment { repository, name } => {
                format!("/repos/{repository}/environments/{}/secrets", escaped(name))
            }
            GithubOwner::Organization {
                name,
                visibility: _,
            } => format!("/orgs/{name}/{app}/secrets"),
        }
    }
}

impl PlaceKind for GithubPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::Github
    }

    fn identity(&self) -> Identity<'_> {
        let app = self.app.as_str();
        let (namespace, path) = match &self.owner {
            GithubOwner::Repository(repository) => (repository, app.to_owned()),
            // Names of environments are one in whatever letters, too.
            GithubOwner::Environment { repository, name } => {
                (repository, format!("{app}/{}", name.to_ascii_lowercase()))
            }
            GithubOwner::Organization {
                name,
                visibility: _,
            } => (name, app.to_owned()),
        };
        Identity {
            kind: SinkKind::Github,
            host: self.address.as_str(),
            namespace,
            path: path.into(),
            key: &self.name,
            format: self.format.as_str(),
        }
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: false,
            stage: false,
            compare_and_swap: false,
            restore: false,
        }
    }

    fn readers(&self) -> String {
        let who = match self.app {
            GithubApp::Actions => "whoever may change a workflow of",
            GithubApp::Dependabot => "whoever may change a workflow that Dependabot starts, of",
            GithubApp::Codespaces => "whoever may open a codespace of",
        };
        let whose = match &self.owner {
            GithubOwner::Repository(_) => "that repository",
            GithubOwner::Environment { .. } => "that repository that runs in that environment",
            GithubOwner::Organization {
                name: _,
                visibility,
            } => match visibility {
                Some(GithubVisibility::All) => {
                    "any repository of that organization, public ones too (visibility = \"all\")"
                }
                Some(GithubVisibility::Private) => {
                    "any repository of that organization that is not public (visibility = \"private\")"
                }
                Some(GithubVisibility::Selected) => {
                    "a repository that the organization selected for it (visibility = \"selected\")"
                }
                None => {
                    "a repository that the organization gives it to, which is none where it is new"
                }
            },
        };
        format!("{who} {whose}")
    }

    fn widened(&self) -> Vec<&'static str> {
        match &self.owner {
            GithubOwner::Organization {
                name: _,
                visibility: Some(GithubVisibility::All),
            } => vec!["every repository of the organization, by visibility = \"all\""],
            GithubOwner::Organization { .. }
            | GithubOwner::Repository(_)
            | GithubOwner::Environment { .. } => Vec::new(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            address,
            owner,
            app,
            name,
            format,
        } = self;
        let (repository, environment, organization, visibility) = match owner {
            GithubOwner::Repository(repository) => (repository.as_str(), "", "", ""),
            GithubOwner::Environment { repository, name } => {
                (repository.as_str(), name.as_str(), "", "")
            }
            GithubOwner::Organization { name, visibility } => (
                "",
                "",
                name.as_str(),
                visibility.map_or("", GithubVisibility::as_str),
            ),
        };
        [
            ("address", address.as_str()),
            ("repository", repository),
            ("environment", environment),
            ("organization", organization),
            ("app", app.as_str()),
            ("name", name),
            ("visibility", visibility),
            ("format", format.as_str()),
        ]
        .map(|(name, text)| (name, text.to_owned()))
        .to_vec()
    }
}

impl fmt::Display for GithubPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            owner: _,
            app: _,
            name,
            format: _,
        } = self;
        write!(f, "{address}{}/{name}", self.secrets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(owner: GithubOwner) -> GithubPlace {
        GithubPlace {
            address: GithubApi::new(GithubApi::PUBLIC).expect("an address"),
            owner,
            app: GithubApp::Actions,
            name: "MONDOO_CONFIG_BASE64".to_owned(),
            format: CredentialFormat::Base64,
        }
    }

    fn in_environment(repository: &str, name: &str) -> GithubPlace {
        place(GithubOwner::Environment {
            repository: repository.to_owned(),
            name: name.to_owned(),
        })
    }

    #[test]
    fn the_identity_is_the_documented_one_in_whatever_letters() {
        for name in ["production", "Production"] {
            let of = in_environment("acme/app", name);
            assert_eq!(of.identity().id().to_string(), "2f992fe39fb3152f");
        }
        let repository = place(GithubOwner::Repository("acme/app".to_owned()));
        let organization = place(GithubOwner::Organization {
            name: "acme".to_owned(),
            visibility: None,
        });
        let wide = place(GithubOwner::Organization {
            name: "acme".to_owned(),
            visibility: Some(GithubVisibility::All),
        });
        assert_eq!(organization.identity(), wide.identity());
        assert_ne!(repository.identity(), organization.identity());
        assert_ne!(
            repository.identity(),
            in_environment("acme/app", "production").identity()
        );
    }

    /// The same text for all of them would hide a key that goes to a whole organization.
    #[test]
    fn who_reads_it_is_another_for_each_owner_and_visibility_and_only_all_is_widened() {
        let organization = |visibility| GithubOwner::Organization {
            name: "acme".to_owned(),
            visibility,
        };
        let all = organization(Some(GithubVisibility::All));
        let places = [
            place(GithubOwner::Repository("acme/app".to_owned())),
            in_environment("acme/app", "production"),
            place(organization(None)),
            place(organization(Some(GithubVisibility::Selected))),
            place(organization(Some(GithubVisibility::Private))),
            place(all.clone()),
        ];
        for (n, one) in places.iter().enumerate() {
            for other in &places[..n] {
                assert_ne!(one.readers(), other.readers());
            }
            assert_eq!(!one.widened().is_empty(), one.owner == all, "{one:?}");
        }
        assert_eq!(
            place(all).readers(),
            "whoever may change a workflow of any repository of that organization, public ones too \
             (visibility = \"all\")"
        );
        let apps = [
            GithubApp::Actions,
            GithubApp::Dependabot,
            GithubApp::Codespaces,
        ];
        let of = apps.map(|app| {
            let place = place(organization(None));
            GithubPlace { app, ..place }.readers()
        });
        assert!(of[0] != of[1] && of[1] != of[2] && of[0] != of[2], "{of:?}");
    }

    #[test]
    fn a_name_is_one_part_of_a_path_whatever_it_holds() {
        let of = in_environment("acme/app", "prod/eu 1%");
        assert_eq!(
            of.to_string(),
            "https://api.github.com/repos/acme/app/environments/prod%2Feu%201%25/secrets/\
             MONDOO_CONFIG_BASE64"
        );
    }

    #[test]
    fn an_api_has_one_spelling() {
        for (text, told) in [
            ("https://API.github.com/", "https://api.github.com"),
            (
                "https://ghe.acme.example/api/v3",
                "https://ghe.acme.example/api/v3",
            ),
            (
                "https://ghe.acme.example:443/api/v3/",
                "https://ghe.acme.example/api/v3",
            ),
            ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
        ] {
            let api = GithubApi::new(text).expect(text);
            assert_eq!(api.as_str(), told);
        }
        for text in [
            "https://github.com",
            "https://ghe.acme.example/api/v4",
            "https://ghe.acme.example//api/v3",
            "https://ghe.acme.example/x/api/v3",
            "https://ghe.acme.example/api/v3/../..",
            "http://ghe.acme.example/api/v3",
            "ghe.acme.example/api/v3",
            "https://user@ghe.acme.example/api/v3",
        ] {
            assert!(GithubApi::new(text).is_err(), "{text}");
        }
    }
}
