//! A CI/CD variable of a project or a group of GitLab.
//! Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind, escaped};
use crate::model::identity::Identity;
use crate::model::origin::Origin;
use crate::model::sink_kind::SinkKind;

/// Whose variable it is, by its path in small letters: GitLab takes both for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GitlabOwner {
    /// A project's: `group/project`.
    Project(String),
    /// A group's, for all projects below it.
    Group(String),
}

impl GitlabOwner {
    /// Its path.
    pub fn path(&self) -> &str {
        match self {
            Self::Project(path) | Self::Group(path) => path,
        }
    }
}

/// How a job gets a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GitlabType {
    /// As a variable of its environment.
    EnvVar,
    /// As a file, whose path is in a variable of its environment.
    File,
}

impl GitlabType {
    /// Its name in configurations and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnvVar => "env_var",
            Self::File => "file",
        }
    }
}

/// A variable of a project or a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitlabPlace {
    /// The server.
    pub address: Origin,
    /// Whose variable it is.
    pub owner: GitlabOwner,
    /// The environments whose jobs get it: a name, one with `*`, or `*` for all jobs.
    pub environment_scope: String,
    /// The variable's name.
    pub name: String,
    /// How a job gets it.
    pub r#type: GitlabType,
    /// Whether logs of jobs show it masked.
    pub masked: bool,
    /// Whether nobody can read it back.
    pub hidden: bool,
    /// Whether only protected branches and tags get it; nothing where it is as it is, and so if it is new.
    pub protected: Option<bool>,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl GitlabPlace {
    /// The API of GitLab behind the origin.
    pub const API: &str = "/api/v4";
    /// The origin of gitlab.com.
    pub const PUBLIC: &str = "https://gitlab.com";

    /// Where its owner's variables are: `https://gitlab.com/api/v4/projects/acme%2Fapp/variables`.
    pub fn variables(&self) -> String {
        let owners = match &self.owner {
            GitlabOwner::Project(_) => "projects",
            GitlabOwner::Group(_) => "groups",
        };
        format!(
            "{}{}/{owners}/{}/variables",
            self.address,
            Self::API,
            escaped(self.owner.path())
        )
    }

    /// The variable of this name in an environment scope.
    pub fn variable(&self, environment_scope: &str) -> String {
        format!(
            "{}/{}?filter%5Benvironment_scope%5D={}",
            self.variables(),
            self.name,
            escaped(environment_scope)
        )
    }
}

impl PlaceKind for GitlabPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::Gitlab
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::Gitlab,
            host: self.address.as_str(),
            namespace: self.owner.path(),
            path: self.environment_scope.as_str().into(),
            key: &self.name,
            format: self.format.as_str(),
        }
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            read_back: !self.hidden,
            // There is one value, which the next job gets.
            stage: false,
            compare_and_swap: false,
            restore: !self.hidden,
        }
    }

    fn readers(&self) -> String {
        let Self {
            address: _,
            owner,
            environment_scope,
            name: _,
            r#type: _,
            masked: _,
            hidden,
            protected,
            format: _,
        } = self;
        let (whose, settings) = match owner {
            GitlabOwner::Project(_) => ("that project", "its maintainers"),
            GitlabOwner::Group(_) => ("a project below that group", "its owners"),
        };
        let environment = match environment_scope.as_str() {
            "*" => "",
            _ => " in that environment",
        };
        let branches = match protected {
            Some(true) => "on a protected branch or tag (protected = true)",
            Some(false) => "on any branch or tag (protected = false)",
            None => "on a protected branch or tag, or as it is there already",
        };
        let settings = match hidden {
            true => "nobody in the settings (hidden = true)",
            false => settings,
        };
        format!("whoever may change a job of {whose}{environment} {branches}, and {settings}")
    }

    fn widened(&self) -> Vec<&'static str> {
        let shown = (!self.masked).then_some("logs of jobs show it, by masked = false");
        let unprotected = (self.protected == Some(false))
            .then_some("jobs of every branch and tag get it, by protected = false");
        shown.into_iter().chain(unprotected).collect()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            address,
            owner,
            environment_scope,
            name,
            r#type,
            masked,
            hidden,
            protected,
            format,
        } = self;
        let (project, group) = match owner {
            GitlabOwner::Project(path) => (path.as_str(), ""),
            GitlabOwner::Group(path) => ("", path.as_str()),
        };
        let told = |flag: bool| if flag { "true" } else { "false" };
        [
            ("address", address.as_str()),
            ("project", project),
            ("group", group),
            ("environment_scope", environment_scope),
            ("name", name),
            ("type", r#type.as_str()),
            ("masked", told(*masked)),
            ("hidden", told(*hidden)),
            ("protected", protected.map_or("", told)),
            ("format", format.as_str()),
        ]
        .map(|(name, text)| (name, text.to_owned()))
        .to_vec()
    }
}

impl fmt::Display for GitlabPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            owner,
            environment_scope,
            name,
            r#type: _,
            masked: _,
            hidden: _,
            protected: _,
            format: _,
        } = self;
        write!(f, "{address}/{}#{name}", owner.path())?;
        match environment_scope.as_str() {
            "*" => Ok(()),
            scope => write!(f, " ({scope})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> GitlabPlace {
        GitlabPlace {
            address: Origin::new(GitlabPlace::PUBLIC).expect("an address"),
            owner: GitlabOwner::Project("acme/app".to_owned()),
            environment_scope: "production".to_owned(),
            name: "MONDOO_CONFIG_BASE64".to_owned(),
            r#type: GitlabType::EnvVar,
            masked: true,
            hidden: false,
            protected: None,
            format: CredentialFormat::Base64,
        }
    }

    #[test]
    fn the_identity_is_the_documented_one_however_the_variable_is_kept() {
        let id = |place: &GitlabPlace| place.identity().id().to_string();
        let documented = "88b90f30a297e6c7";
        assert_eq!(id(&place()), documented);
        let kept = GitlabPlace {
            r#type: GitlabType::File,
            masked: false,
            hidden: true,
            protected: Some(false),
            ..place()
        };
        assert_eq!(id(&kept), documented);
        let all = GitlabPlace {
            environment_scope: "*".to_owned(),
            ..place()
        };
        assert_ne!(id(&all), documented);
    }

    #[test]
    fn a_path_and_a_scope_are_one_part_of_a_url_whatever_they_hold() {
        let place = GitlabPlace {
            owner: GitlabOwner::Group("acme/a.b/c".to_owned()),
            ..place()
        };
        assert_eq!(
            place.variable("review/*&a=b #1"),
            "https://gitlab.com/api/v4/groups/acme%2Fa.b%2Fc/variables/MONDOO_CONFIG_BASE64\
             ?filter%5Benvironment_scope%5D=review%2F%2A%26a%3Db%20%231"
        );
    }

    #[test]
    fn only_a_hidden_variable_cannot_be_read_back() {
        assert!(place().abilities().read_back && place().abilities().restore);
        let hidden = GitlabPlace {
            hidden: true,
            ..place()
        };
        assert!(!hidden.abilities().read_back && !hidden.abilities().restore);
    }

    /// The same text for all of them would hide a key that every branch gets, or that logs show.
    #[test]
    fn who_reads_it_tells_how_the_variable_is_kept_and_what_widens_it() {
        let plain = place();
        assert_eq!(
            plain.readers(),
            "whoever may change a job of that project in that environment on a protected branch or tag, \
             or as it is there already, and its maintainers"
        );
        assert!(plain.widened().is_empty());
        let changed = |edit: &dyn Fn(&mut GitlabPlace)| {
            let mut place = place();
            edit(&mut place);
            place
        };
        let others = [
            changed(&|place| place.environment_scope = "*".to_owned()),
            changed(&|place| place.owner = GitlabOwner::Group("acme".to_owned())),
            changed(&|place| place.hidden = true),
            changed(&|place| place.protected = Some(true)),
            changed(&|place| place.protected = Some(false)),
        ];
        for (n, one) in others.iter().enumerate() {
            assert_ne!(one.readers(), plain.readers());
            for other in &others[..n] {
                assert_ne!(one.readers(), other.readers());
            }
            let widened = one.protected == Some(false);
            assert_eq!(!one.widened().is_empty(), widened, "{one:?}");
        }
        let unmasked = changed(&|place| place.masked = false);
        assert_eq!(
            unmasked.widened(),
            ["logs of jobs show it, by masked = false"]
        );
        let both = changed(&|place| (place.masked, place.protected) = (false, Some(false)));
        assert_eq!(both.widened().len(), 2);
    }

    #[test]
    fn people_are_shown_the_environments_where_they_are_not_all() {
        let mut place = place();
        assert_eq!(
            place.to_string(),
            "https://gitlab.com/acme/app#MONDOO_CONFIG_BASE64 (production)"
        );
        place.environment_scope = "*".to_owned();
        assert_eq!(
            place.to_string(),
            "https://gitlab.com/acme/app#MONDOO_CONFIG_BASE64"
        );
    }
}
