//! Sinks: which place receives an account's credential. One file a kind, with its schema and its decoder.
//! Pure: names only; nothing is written here.

mod aws;
mod aws_secretsmanager;
mod aws_ssm;
mod azure_key_vault;
mod elsewhere;
mod exec;
mod file;
mod gcp;
mod github;
mod gitlab;
mod kind;
mod kubernetes;
mod recipient;
mod sink;
mod vault;

use super::block::Block;
use super::codes;
use super::decode::{Decoded, Decoder};
use super::schema::{Attribute, Schema};
use crate::diag::{Diagnostic, Span};
use crate::lang::Frame;
use crate::model::{Destination, SinkKind};

pub use elsewhere::DeclaredSinks;
use kind::{Kind, on_delete, overwrite_unreadable};
pub(super) use recipient::Recipient;
pub(super) use sink::Sinks;
use sink::{Sink, rendered};

/// All kinds of this version: one row each.
static KINDS: &[Kind] = &[
    Kind {
        kind: SinkKind::File,
        schema: &file::SCHEMA,
        decode: file::decode,
    },
    Kind {
        kind: SinkKind::Vault,
        schema: &vault::SCHEMA,
        decode: vault::decode,
    },
    Kind {
        kind: SinkKind::Kubernetes,
        schema: &kubernetes::SCHEMA,
        decode: kubernetes::decode,
    },
    Kind {
        kind: SinkKind::Github,
        schema: &github::SCHEMA,
        decode: github::decode,
    },
    Kind {
        kind: SinkKind::AwsSecretsmanager,
        schema: &aws_secretsmanager::SCHEMA,
        decode: aws_secretsmanager::decode,
    },
    Kind {
        kind: SinkKind::AwsSsm,
        schema: &aws_ssm::SCHEMA,
        decode: aws_ssm::decode,
    },
    Kind {
        kind: SinkKind::Gitlab,
        schema: &gitlab::SCHEMA,
        decode: gitlab::decode,
    },
    Kind {
        kind: SinkKind::AzureKeyVault,
        schema: &azure_key_vault::SCHEMA,
        decode: azure_key_vault::decode,
    },
    Kind {
        kind: SinkKind::GcpSecretManager,
        schema: &gcp::SCHEMA,
        decode: gcp::decode,
    },
    Kind {
        kind: SinkKind::Exec,
        schema: &exec::SCHEMA,
        decode: exec::decode,
    },
];

fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind.as_str() == name)
}

/// The form of the sinks of this kind.
pub(super) fn schema_of(kind: &str) -> Option<&'static Schema> {
    kind_named(kind).map(|kind| kind.schema)
}

/// What to say of a kind that this version has not.
pub(super) fn unknown_kind(kind: &str, span: Span) -> Diagnostic {
    let known = || KINDS.iter().map(|kind| kind.kind.as_str());
    let names: Vec<String> = known().map(|name| format!("`{name}`")).collect();
    Diagnostic::error(codes::UNKNOWN_BLOCK)
        .at(span, format!("there is no sink of the kind `{kind}`"))
        .suggesting(kind, known())
        .help(format!(
            "this version has sinks of the kind {}",
            names.join(", ")
        ))
}

/// How two accounts get places of their own in the sinks of this kind.
pub(super) fn apart(kind: SinkKind) -> String {
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|known| known.kind == kind);
    depend(kind.map_or(&[], |kind| kind.schema.attributes))
}

fn depend(attributes: &[Attribute]) -> String {
    let attributes = attributes.iter().filter(|attribute| attribute.of_account);
    let names: Vec<String> = attributes
        .map(|attribute| format!("`{}`", attribute.name))
        .collect();
    match names.is_empty() {
        true => "use another sink".to_owned(),
        false => format!(
            "let the {} of the sink depend on `account.id`, or use another sink",
            names.join(" or ")
        ),
    }
}

/// Decodes all `sink` blocks.
pub(super) fn blocks<'m>(
    blocks: &[&'m Block],
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Sinks<'m> {
    let mut out = Sinks::new();
    for block in blocks {
        let kind = block.labels.first().map_or("", String::as_str);
        // One of no kind was reported where its form was checked.
        let Some(kind) = kind_named(kind) else {
            continue;
        };
        let decoded = (kind.decode)(block, scope, decoder);
        let on_delete = on_delete(block, scope, decoder);
        let overwrites = overwrite_unreadable(block, scope, decoder);
        if let (Ok(Some(decoded)), Ok(Some(on_delete)), Ok(Some(overwrite_unreadable))) =
            (decoded, on_delete, overwrites)
        {
            let address = format!("sink.{}", block.labels.join("."));
            let sink = Sink {
                block,
                decoded: decoded.into(),
                on_delete,
                overwrite_unreadable,
            };
            out.insert(address, sink);
        }
    }
    out
}

/// Renders the place of an account's credential in a sink.
pub(super) fn destination(
    sink: &Sink<'_>,
    recipient: &Recipient<'_>,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Destination> {
    let place = rendered(sink.block, &*sink.decoded, recipient, scope, decoder)?;
    Ok(place.map(|place| {
        place
            .with(sink.on_delete)
            .overwriting_unreadable(sink.overwrite_unreadable)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::schema::{may, may_for_account, must};
    use super::super::trial;
    use super::*;
    use crate::model::{Identity, Place, samples};

    fn page(path: &str) -> String {
        let path = format!("{}/../../docs/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the page is there")
    }

    fn schema(name: &str) -> Value {
        serde_json::from_str(&page(&format!("schema/{name}"))).expect("JSON")
    }

    #[test]
    fn what_keeps_accounts_apart_is_named_as_the_kind_has_it() {
        assert_eq!(
            apart(SinkKind::File),
            "let the `filename` of the sink depend on `account.id`, or use another sink"
        );
        let several = [
            must("mount"),
            may_for_account("path"),
            may_for_account("field"),
        ];
        assert!(depend(&several).starts_with("let the `path` or `field` of the sink depend"));
        assert_eq!(depend(&[must("mount"), may("format")]), "use another sink");
    }

    fn names(object: &Value) -> Vec<String> {
        let members = object.as_object().into_iter().flatten();
        members.map(|(name, _)| name.clone()).collect()
    }

    /// Strings of a list, in order.
    fn listed(list: &Value) -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        let mut texts: Vec<String> = items.filter_map(|v| Some(v.as_str()?.to_owned())).collect();
        texts.sort();
        texts
    }

    /// What a schema's object must have is just this, and what it may have is besides what `may` says.
    fn described(
        schema: &Value,
        members: &[String],
        may: &[&str],
        whose: &str,
        lacking: &mut Vec<String>,
    ) {
        let mut all = members.to_vec();
        all.extend(may.iter().copied().map(str::to_owned));
        all.sort();
        for (what, found, members) in [
            ("properties", names(&schema["properties"]), &*all),
            ("required", listed(&schema["required"]), members),
        ] {
            if found != members {
                lacking.push(format!("{whose}: {what} are {found:?}, not {members:?}"));
            }
        }
    }

    /// For people and for programs: each place where a kind is described. All that is missing is told at
    /// once.
    #[test]
    fn every_kind_is_described_with_its_attributes() {
        let language = page("language.md");
        let (_, section) = language.split_once("\n### sink\n").expect("a section");
        let section = section.split("\n### ").next().expect("its end");
        let compatibility = page("compatibility.md");
        let (_, delivers) = compatibility
            .split_once("This version delivers to")
            .expect("a sentence");
        let delivers = delivers.split(';').next().expect("its end");
        let documents = schema("plan.v1.json");
        let files = schema("plan-file.v4.json");
        let samples = samples::places();
        let mut lacking = Vec::new();
        for kind in KINDS {
            let name = kind.kind.as_str();
            let mut need = |there: bool, what: &str| {
                if !there {
                    lacking.push(format!("{name}: {what}"));
                }
            };
            let example = format!("\nsink \"{name}\" ");
            need(section.contains(&example), "no example in docs/language.md");
            // What describes it stands between its own example and that of the next kind.
            let own = section.split_once(&example).map_or("", |(_, rest)| rest);
            let ends = KINDS.iter().filter(|other| other.kind != kind.kind);
            let end = ends.filter_map(|other| own.find(&format!("\nsink \"{}\" ", other.kind)));
            let own = &own[..end.min().unwrap_or(own.len())];
            for attribute in kind.schema.attributes {
                let row = format!("| `{}` |", attribute.name);
                let told = format!("no row {row} below its example in docs/language.md");
                need(own.contains(&row), &told);
            }
            let (first, _) = section.split_once("\n```").expect("an example");
            need(
                first.contains(&format!("`{name}`")),
                "the first sentence on sinks in docs/language.md does not name it",
            );
            need(
                delivers.contains(&format!("`{name}`")),
                "docs/compatibility.md does not say that this version delivers to it",
            );
            let known = documents["$defs"]["destination"]["oneOf"].as_array();
            let wanted = format!("#/$defs/{name}_destination");
            let mut known = known.expect("a list").iter();
            need(
                known.any(|one| one["$ref"] == wanted.as_str()),
                "no option of `destination` in docs/schema/plan.v1.json",
            );
            let mut of_kind = samples
                .iter()
                .filter(|place| place.of_kind().kind() == kind.kind);
            let Some(place) = of_kind.next() else {
                need(false, "no place in crates/model/src/model/samples.rs");
                continue;
            };
            let mut facts: Vec<String> = ["sink", "kind", "id", "on_delete"]
                .map(str::to_owned)
                .into();
            let told = place.of_kind().facts().into_iter();
            facts.extend(told.map(|(name, _)| name.to_owned()));
            facts.sort();
            let of_kind: Vec<_> = std::iter::once(place).chain(of_kind).collect();
            let readable = |place: &&Place| place.of_kind().abilities().read_back;
            let blind: &[&str] = match of_kind.iter().all(readable) {
                true => &[],
                false => &[kind::OVERWRITE_UNREADABLE.name],
            };
            let overwrites = kind.schema.attributes.iter();
            let overwrites = overwrites.filter(|one| one.name == kind::OVERWRITE_UNREADABLE.name);
            need(
                overwrites.count() == blind.len(),
                "OVERWRITE_UNREADABLE is for kinds with places that cannot be read back, and for all of them",
            );
            let form = &documents["$defs"][format!("{name}_destination")];
            described(
                form,
                &facts,
                blind,
                &format!("{name} in docs/schema/plan.v1.json"),
                &mut lacking,
            );
            let written = serde_json::to_value(place).expect("JSON");
            let options = files["$defs"]["place"]["oneOf"].as_array();
            let mut options = options.expect("a list").iter();
            let form = options.find_map(|one| one["properties"].get(name));
            described(
                form.unwrap_or(&Value::Null),
                &names(&written[name]),
                // What is false may be left out.
                match kind.kind {
                    SinkKind::File => &["keep"],
                    _ => &[],
                },
                &format!("{name} in docs/schema/plan-file.v4.json"),
                &mut lacking,
            );
        }
        assert!(lacking.is_empty(), "\n{}\n", lacking.join("\n"));
    }

    /// Identities are promised for good: each kind's own code makes that of the page's example.
    #[test]
    fn the_place_of_every_kind_has_the_identity_of_the_page() {
        let page = page("compatibility.md");
        for place in samples::places() {
            let identity = place.of_kind().identity();
            let Identity {
                kind,
                host,
                namespace,
                path,
                key,
                format,
            } = &identity;
            let parts = format!("{kind} | {host} | {namespace} | {path} | {key} | {format}");
            let line = format!("\n{}   {parts}\n", identity.id());
            assert!(
                page.contains(&line),
                "docs/compatibility.md has no line{line}"
            );
        }
    }

    /// What all kinds have in common is decoded in one place, and every kind's form lists it.
    #[test]
    fn every_kind_says_what_becomes_of_its_keys() {
        for kind in KINDS {
            let mut attributes = kind.schema.attributes.iter();
            assert!(
                attributes.any(|attribute| attribute.name == kind::ON_DELETE.name),
                "{}: ON_DELETE",
                kind.kind
            );
        }
    }

    /// Any block may stand for the sink: what decodes the attribute looks at nothing else.
    #[test]
    fn only_a_sink_that_says_so_overwrites_what_cannot_be_read() {
        use super::super::{SourceFile, parse};
        for (line, allowed) in [
            ("", Ok(Some(false))),
            ("overwrite_unreadable = null", Ok(Some(false))),
            ("overwrite_unreadable = false", Ok(Some(false))),
            ("overwrite_unreadable = true", Ok(Some(true))),
            ("overwrite_unreadable = \"yes\"", Err(())),
        ] {
            let file = SourceFile {
                path: "main.hcl".to_owned(),
                bytes: format!("locals {{\n{line}\n}}\n").into_bytes(),
            };
            let (sources, module) = parse(vec![file]);
            let block = module.of("locals").next().expect("a block");
            let mut decoder = Decoder::new(&sources, false);
            let found = kind::overwrite_unreadable(block, &Frame::new(), &mut decoder);
            assert_eq!(found.map_err(|_| ()), allowed, "{line}");
        }
        // It would say nothing where all places can be read.
        let told = trial::wrong(
            "sink \"file\" \"x\" {\ndirectory = \"c\"\noverwrite_unreadable = true\n}\n",
        );
        assert_eq!(told[0].0, "unknown-attribute");
    }

    /// A configuration is read by many and stays in its history: a login comes from the environment.
    #[test]
    fn no_attribute_of_a_sink_is_named_like_a_secret() {
        for kind in KINDS {
            assert_eq!(kind.schema.kind, "sink");
            assert_eq!(kind.schema.labels, ["kind", "name"]);
            for attribute in kind.schema.attributes {
                let secret = ["token", "password", "secret", "private", "credential"];
                let names_one = secret.iter().any(|word| attribute.name.contains(word));
                assert!(!names_one, "{}: {}", kind.kind, attribute.name);
            }
        }
    }
}
