//! What a program of the one who applies keeps.
//! Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Abilities, CredentialFormat, PlaceKind};
use crate::model::identity::Identity;
use crate::model::sink_kind::SinkKind;

/// What a program says that it can do, so that a plan knows it without running the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecAbility {
    /// It tells what is at a place.
    ReadBack,
    /// It keeps a key beside the place until that is promoted.
    Stage,
    /// A write and the version that it expects are one step of its store.
    CompareAndSwap,
}

impl ExecAbility {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ReadBack, Self::Stage, Self::CompareAndSwap];

    /// Its name in configurations and in the protocol (docs/sinks/exec.md).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadBack => "read_back",
            Self::Stage => "stage",
            Self::CompareAndSwap => "compare_and_swap",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A place that a program names by its arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecPlace {
    /// The program's name; which program that is, says whoever applies.
    pub program: String,
    /// The argument that names the place.
    pub place: String,
    /// What the program is told besides.
    pub arguments: Vec<String>,
    /// What the program can do, as the configuration says.
    pub abilities: BTreeSet<ExecAbility>,
    /// How the credential is written.
    pub format: CredentialFormat,
}

impl ExecPlace {
    /// The longest name of a program, in bytes.
    pub const LONGEST_NAME: usize = 64;

    /// Whether a text can name a program: small letters, digits, `-` and `_`, a letter or digit first.
    pub fn is_program(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let first = text.as_bytes().first().copied();
        text.len() <= Self::LONGEST_NAME
            && first.is_some_and(plain)
            && text.bytes().all(|b| plain(b) || b"-_".contains(&b))
    }

    fn can(&self, ability: ExecAbility) -> bool {
        self.abilities.contains(&ability)
    }
}

impl PlaceKind for ExecPlace {
    fn kind(&self) -> SinkKind {
        SinkKind::Exec
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            kind: SinkKind::Exec,
            host: "",
            namespace: "",
            path: self.program.as_str().into(),
            key: &self.place,
            format: self.format.as_str(),
        }
    }

    fn occupies(&self) -> String {
        let Self {
            program,
            place,
            arguments: _,
            abilities: _,
            format: _,
        } = self;
        // A program may keep places in files, whose names some systems take for one in whatever letters.
        format!("exec\n{program}\n{}", place.to_lowercase())
    }

    fn format(&self) -> CredentialFormat {
        self.format
    }

    fn abilities(&self) -> Abilities {
        let read_back = self.can(ExecAbility::ReadBack);
        Abilities {
            read_back,
            stage: self.can(ExecAbility::Stage),
            compare_and_swap: self.can(ExecAbility::CompareAndSwap),
            // What was read is promoted again.
            restore: read_back,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Self {
            program,
            place,
            arguments,
            abilities,
            format,
        } = self;
        let abilities: Vec<&str> = abilities.iter().map(|one| one.as_str()).collect();
        vec![
            ("program", program.clone()),
            ("place", place.clone()),
            ("arguments", arguments.join(" ")),
            ("abilities", abilities.join(", ")),
            ("format", format.as_str().to_owned()),
        ]
    }
}

impl fmt::Display for ExecPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program,
            place,
            arguments,
            abilities: _,
            format: _,
        } = self;
        write!(f, "{program} {place}")?;
        arguments.iter().try_for_each(|one| write!(f, " {one}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> ExecPlace {
        ExecPlace {
            program: "store-key".to_owned(),
            place: "ci".to_owned(),
            arguments: Vec::new(),
            abilities: BTreeSet::new(),
            format: CredentialFormat::Json,
        }
    }

    /// Who corrects what a program can do, or tells it more, has not another place.
    #[test]
    fn the_identity_is_of_the_program_and_its_first_argument_alone() {
        let able = ExecPlace {
            arguments: vec!["eu".to_owned()],
            abilities: ExecAbility::ALL.into(),
            ..place()
        };
        assert_eq!(able.identity(), place().identity());
        assert_eq!(able.identity().id().to_string(), "bfa4111e50305384");
        assert_eq!(able.to_string(), "store-key ci eu");
        let other = ExecPlace {
            place: "CI".to_owned(),
            ..place()
        };
        assert_ne!(other.identity(), place().identity());
        assert_eq!(other.occupies(), place().occupies());
    }

    #[test]
    fn a_program_can_do_what_is_said_of_it_and_nothing_else() {
        let all = [true; 4];
        for (said, can) in [
            (vec![], [false; 4]),
            (vec![ExecAbility::ReadBack], [true, false, false, true]),
            (vec![ExecAbility::Stage], [false, true, false, false]),
            (
                vec![ExecAbility::CompareAndSwap],
                [false, false, true, false],
            ),
            (ExecAbility::ALL.to_vec(), all),
        ] {
            let of = ExecPlace {
                abilities: said.into_iter().collect(),
                ..place()
            };
            let Abilities {
                read_back,
                stage,
                compare_and_swap,
                restore,
            } = of.abilities();
            assert_eq!([read_back, stage, compare_and_swap, restore], can);
        }
    }
}
