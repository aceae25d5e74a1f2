//! The blocks of the language.
//! Pure data.

use super::schema::{Nested, PLAIN, Schema, Variants, may, must};
use super::sinks;

static VALIDATION: Schema = Schema {
    kind: "validation",
    attributes: &[must("condition"), must("error_message")],
    ..PLAIN
};

static CREDENTIAL: Schema = Schema {
    kind: "credential",
    attributes: &[must("deliver_to"), may("rotate_after"), may("overlap")],
    ..PLAIN
};

static LIFECYCLE: Schema = Schema {
    kind: "lifecycle",
    attributes: &[may("prevent_destroy")],
    ..PLAIN
};

static REMOVAL: Schema = Schema {
    kind: "lifecycle",
    attributes: &[must("destroy")],
    ..PLAIN
};

static UNMANAGED: Schema = Schema {
    kind: "unmanaged",
    attributes: &[must("action"), may("except")],
    ..PLAIN
};

static SEAL_KEY_FORMER: Schema = Schema {
    kind: "seal_key_former",
    attributes: &[must("key"), must("signature"), must("countersignature")],
    ..PLAIN
};

/// Every block that may stand at the top of a file.
pub(super) static BLOCKS: &[Schema] = &[
    Schema {
        kind: "rolecall",
        attributes: &[
            must("stack"),
            must("id"),
            may("required_version"),
            may("trusted_creators"),
            may("seal_key"),
        ],
        blocks: &[Nested {
            schema: &SEAL_KEY_FORMER,
            many: false,
        }],
        single: true,
        ..PLAIN
    },
    Schema {
        kind: "platform",
        attributes: &[may("region"), may("endpoint")],
        single: true,
        ..PLAIN
    },
    Schema {
        kind: "limits",
        attributes: &[
            may("max_deletes"),
            may("max_dead_births"),
            may("max_delete_percent"),
            may("max_escalations"),
            may("max_gained_grants"),
            may("max_revoked_grants"),
            may("max_rotations"),
            may("min_owners"),
        ],
        single: true,
        ..PLAIN
    },
    Schema {
        kind: "policy",
        labels: &["name"],
        attributes: &[
            may("description"),
            may("applies_to"),
            must("condition"),
            must("message"),
            may("severity"),
            may("exempt"),
        ],
        ..PLAIN
    },
    Schema {
        kind: "destinations",
        attributes: &[must("allow")],
        single: true,
        ..PLAIN
    },
    Schema {
        kind: "variable",
        labels: &["name"],
        attributes: &[
            may("type"),
            may("description"),
            may("default"),
            may("sensitive"),
            may("nullable"),
        ],
        blocks: &[Nested {
            schema: &VALIDATION,
            many: true,
        }],
        ..PLAIN
    },
    Schema {
        kind: "locals",
        open: true,
        ..PLAIN
    },
    Schema {
        kind: "organization",
        labels: &["name"],
        attributes: &[must("id")],
        blocks: &[Nested {
            schema: &UNMANAGED,
            many: false,
        }],
        ..PLAIN
    },
    Schema {
        kind: "space",
        labels: &["name"],
        attributes: &[may("organization"), must("id")],
        blocks: &[Nested {
            schema: &UNMANAGED,
            many: false,
        }],
        ..PLAIN
    },
    Schema {
        kind: "role",
        labels: &["name"],
        attributes: &[may("description"), must("includes")],
        ..PLAIN
    },
    Schema {
        kind: "sink",
        labels: &["kind", "name"],
        variants: Some(Variants {
            of: sinks::schema_of,
            unknown: sinks::unknown_kind,
        }),
        ..PLAIN
    },
    Schema {
        kind: "service_account",
        labels: &["name"],
        attributes: &[
            may("for_each"),
            must("scope"),
            must("name"),
            may("description"),
            must("roles"),
            may("labels"),
            may("valid_until"),
        ],
        blocks: &[
            Nested {
                schema: &CREDENTIAL,
                many: false,
            },
            Nested {
                schema: &LIFECYCLE,
                many: false,
            },
        ],
        ..PLAIN
    },
    Schema {
        kind: "import",
        attributes: &[must("to"), must("id")],
        ..PLAIN
    },
    Schema {
        kind: "moved",
        attributes: &[must("from"), must("to")],
        ..PLAIN
    },
    Schema {
        kind: "removed",
        attributes: &[must("from")],
        blocks: &[Nested {
            schema: &REMOVAL,
            many: false,
        }],
        ..PLAIN
    },
];

/// Blocks that the language will have and this version has not.
pub(super) static LATER: &[&str] = &[
    "data",
    "module",
    "output",
    "grant",
    "team",
    "workload_identity",
    "registration_token",
    "lock",
];

/// Returns what to write here instead of a block or attribute of Terraform's.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "resource" => "write the block itself: `service_account \"NAME\" { … }`",
        "provider" => {
            "there are no providers: the credential comes from the environment, and a `platform` block can assert its region"
        }
        "terraform" => {
            "write a `rolecall` block, with `required_version` and the stack's name and id"
        }
        "check" => {
            "there is no `check` block; conditions on values stand in `validation` blocks, those on accounts in `policy` blocks"
        }
        "count" => {
            "only a `service_account` block repeats, with `for_each`; write one block for each"
        }
        "depends_on" => "no order needs to be declared: references give it",
        "provisioner" | "connection" => {
            "rolecall runs no commands; a `sink` receives the credential"
        }
        "backend" | "cloud" => "there is no state to keep: the platform holds it",
        "dynamic" => "write `for_each` on the block, or a `for` expression",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sections of docs/language.md below a heading, by the words of the heading.
    fn section<'a>(page: &'a str, kind: &str) -> Option<&'a str> {
        let mut sections = page.split("\n### ").skip(1);
        sections.find(|section| {
            let heading = section.lines().next().unwrap_or_default();
            heading.split(' ').any(|word| word == kind)
        })
    }

    /// An example shows it as well as a table does.
    fn shows(section: &str, name: &str) -> bool {
        let set = |line: &str| {
            let rest = line.trim_start().strip_prefix(name);
            rest.is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        section.contains(&format!("`{name}`")) || section.lines().any(set)
    }

    /// What a block may have and the page does not show. A block within another may have a section of its
    /// own; else it is told of in that of the other.
    fn missing(page: &str, told: &str, schema: &Schema) -> Vec<String> {
        let own = section(page, schema.kind);
        let names = schema.attributes.iter().map(|attribute| attribute.name);
        let shown = |name: &str| shows(told, name) || own.is_some_and(|own| shows(own, name));
        let names = names.filter(|name| !shown(name));
        let mut found: Vec<String> = names
            .map(|name| format!("{}: {name}", schema.kind))
            .collect();
        let nested = schema.blocks.iter();
        found.extend(nested.flat_map(|nested| missing(page, told, nested.schema)));
        found
    }

    #[test]
    fn the_reference_has_every_block_with_its_attributes() {
        static ABSENT: Schema = Schema {
            kind: "limits",
            attributes: &[may("max_deletes"), may("max_moods")],
            ..PLAIN
        };
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/language.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        for schema in BLOCKS {
            let told = section(&page, schema.kind);
            let told = told.unwrap_or_else(|| panic!("there is no section {}", schema.kind));
            let found = missing(&page, told, schema);
            assert!(found.is_empty(), "docs/language.md: {found:?}");
        }
        let limits = section(&page, "limits").expect("there");
        assert_eq!(missing(&page, limits, &ABSENT), ["limits: max_moods"]);
        assert_eq!(section(&page, "lullaby"), None);
    }

    #[test]
    fn every_word_of_terraforms_that_is_not_ours_has_its_answer() {
        let mut answers = std::collections::BTreeSet::new();
        for words in [
            &["resource"][..],
            &["provider"],
            &["terraform"],
            &["check"],
            &["count"],
            &["depends_on"],
            &["provisioner", "connection"],
            &["backend", "cloud"],
            &["dynamic"],
        ] {
            let told: Vec<_> = words.iter().map(|word| instead_of(word)).collect();
            assert!(told[0].is_some(), "{words:?}");
            assert!(told.iter().all(|answer| *answer == told[0]), "{words:?}");
            assert!(answers.insert(told[0]), "{words:?} is told as another");
        }
        for ours in ["service_account", "variable", "for_each", "data", ""] {
            assert_eq!(instead_of(ours), None, "{ours}");
        }
    }
}
