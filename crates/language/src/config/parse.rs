//! Texts to a module: syntax and blocks; and the names that blocks may use.
//! Pure and offline.

use super::block::Block;
use super::blocks;
use super::codes;
use super::frames::{account_scope, each_scope};
use super::policies::subject_scope;
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};
use crate::lang::refs::Uses;
use crate::lang::value::{Members, RefKind, Reference, Value};
use crate::lang::{Frame, Names, Slot, syntax};
use crate::model::{PLATFORM_ROLES, SEAL_KEY_PREFIX};
use std::collections::BTreeMap;

/// One file of the configuration, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path shown in findings.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// The root module: all blocks that could be read, and what is wrong with their form.
#[derive(Debug, Clone)]
pub struct Module {
    pub(super) blocks: Vec<Block>,
    pub(super) found: Diagnostics,
    /// Whether all its files could be read, so that what is not declared is missing.
    pub(super) complete: bool,
}

/// Parses all files of a module. What is wrong with their form stays in the module, for
/// [`resolve`](super::resolve()) to report beside everything else.
///
/// The order of the files never matters. The source map holds their texts, for findings.
pub fn parse(mut files: Vec<SourceFile>) -> (SourceMap, Module) {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut sources = SourceMap::new();
    sources.hide(SEAL_KEY_PREFIX);
    let mut out = Diagnostics::new();
    let mut found = Vec::new();
    let mut complete = true;
    for file in files {
        match syntax::parse(file.path, &file.bytes, &mut sources, &mut out) {
            Some(tree) => {
                let text = sources.text(tree.file);
                blocks::collect(tree, &text, &mut found, &mut out);
            }
            None => complete = false,
        }
    }
    duplicates(&found, &mut out);
    role_names(&found, &mut out);
    found.sort_by(|a, b| {
        let key = |block: &Block| (block.schema.kind, block.labels.clone(), block.span);
        key(a).cmp(&key(b))
    });
    let module = Module {
        blocks: found,
        found: out,
        complete,
    };
    (sources, module)
}

impl Module {
    /// Says that files of the module could not be read: nothing is missing because of that.
    pub fn lacks_files(&mut self) {
        self.complete = false;
    }

    /// Tells whether a variable of this name is declared.
    pub fn declares(&self, variable: &str) -> bool {
        self.of("variable").any(|block| block.name() == variable)
    }

    /// Returns the blocks of one type, by name.
    pub(super) fn of<'m>(&'m self, kind: &'m str) -> impl Iterator<Item = &'m Block> {
        self.blocks
            .iter()
            .filter(move |block| block.schema.kind == kind)
    }
}

/// Reports names that are declared twice, with both places.
fn duplicates(blocks: &[Block], out: &mut Diagnostics) {
    let mut seen: BTreeMap<(&str, Vec<&str>), Span> = BTreeMap::new();
    let mut declare = |kind, labels, span, shown: String| {
        if let Some(first) = seen.insert((kind, labels), span) {
            out.push(
                Diagnostic::error(codes::DUPLICATE_DECLARATION)
                    .at(span, format!("{shown} is declared again"))
                    .context(first, "it is declared here")
                    .help("rename one of them or remove it"),
            );
        }
    };
    for block in blocks {
        let kind = block.schema.kind;
        if kind == "locals" {
            for (name, attribute) in &block.attributes {
                let shown = format!("local value `{name}`");
                declare("local", vec![name.as_str()], attribute.name_span, shown);
            }
        } else if block.schema.single {
            declare(kind, Vec::new(), block.span, format!("the `{kind}` block"));
        } else if !block.labels.is_empty() {
            let labels = block.labels.iter().map(String::as_str).collect();
            declare(
                kind,
                labels,
                block.span,
                format!("{kind} `{}`", block.name()),
            );
        }
    }
}

/// Makes the scope of the module: every declared name, without values yet.
pub(super) fn module_scope(module: &Module) -> Frame<'static> {
    let blocks = &module.blocks;
    let mut scope = Frame::new();
    let roots = [
        ("var", "variable", "variable"),
        ("organization", "organization", "organization"),
        ("space", "space", "space"),
        ("role", "role", "role"),
        ("service_account", "service_account", "service account"),
    ];
    for (root, kind, noun) in roots {
        let mut names = Names::new(noun);
        names.partial = !module.complete;
        for block in blocks.iter().filter(|block| block.schema.kind == kind) {
            let slot = match kind {
                "role" => reference(RefKind::Role, format!("role.{}", block.name())),
                "service_account" => reference(
                    RefKind::ServiceAccount,
                    format!("service_account.{}", block.name()),
                ),
                _ => Slot::Failed,
            };
            names.slots.insert(block.name().into(), slot);
        }
        scope.set_names(root, names);
    }
    let mut locals = Names::new("local value");
    locals.partial = !module.complete;
    for block in blocks.iter().filter(|block| block.schema.kind == "locals") {
        locals.slots.extend(
            block
                .attributes
                .keys()
                .map(|name| (name.as_str().into(), Slot::Failed)),
        );
    }
    scope.set_names("local", locals);
    let mut kinds: BTreeMap<&str, Members> = BTreeMap::new();
    for block in blocks.iter().filter(|block| block.schema.kind == "sink") {
        let [kind, name] = block.labels.as_slice() else {
            continue;
        };
        let address = format!("sink.{kind}.{name}");
        let value = Value::reference(Reference {
            kind: RefKind::Sink,
            address: address.into(),
            attributes: Members::new(),
            includes: None,
        });
        kinds
            .entry(kind)
            .or_default()
            .insert(name.as_str().into(), value);
    }
    let mut sinks = Names::new("sink kind");
    sinks.partial = !module.complete;
    for (kind, members) in kinds {
        // A file that could not be read may hold the member that is asked for.
        let slot = if module.complete {
            Slot::Value(Value::map(members))
        } else {
            Slot::Failed
        };
        sinks.slots.insert(kind.into(), slot);
    }
    scope.set_names("sink", sinks);
    hints(&mut scope);
    scope
}

fn hints(scope: &mut Frame<'static>) {
    scope.hint("each", "`each` stands only in a block with `for_each`");
    scope.hint(
        "count",
        "there is no `count`; with `for_each = toset([\"0\", \"1\"])` on the block, `each.key` stands \
         where `count.index` stood",
    );
    scope.hint(
        "account",
        "`account` stands only in a `sink`, in attributes that are made for each account, such as `filename`",
    );
    scope.hint(
        "data",
        "data sources are not supported by this version yet; declare `space` blocks",
    );
    scope.hint("module", "modules are not supported by this version yet");
    scope.hint(
        "self",
        "`self` stands only in the `condition` and the `message` of a policy",
    );
    scope.hint(
        "path",
        "functions on files are not supported by this version yet",
    );
    scope.hint("terraform", "there is no `terraform` value here");
}

fn reference(kind: RefKind, address: String) -> Slot {
    let attributes = Members::new();
    Slot::Value(Value::reference(Reference {
        kind,
        address: address.into(),
        attributes,
        includes: None,
    }))
}

/// Reports a missing `rolecall` block.
pub(super) fn check_blocks(module: &Module, out: &mut Diagnostics) {
    if module.complete && module.of("rolecall").next().is_none() {
        out.push(
            Diagnostic::error(codes::MISSING_BLOCK)
                .help("a configuration has one `rolecall` block with the stack's name and id: `rolecall init` writes it"),
        );
    }
}

/// Reports names and functions that do not exist, wherever they stand.
pub(super) fn check_names(module: &Module, scope: &Frame<'_>, out: &mut Diagnostics) {
    let each = each_scope(scope, Value::null(), Value::null());
    let subject = subject_scope(scope);
    let account = account_scope(scope, Members::new());
    let mut nothing = Frame::new();
    for root in [
        "var",
        "local",
        "organization",
        "space",
        "role",
        "sink",
        "service_account",
    ] {
        nothing.hint(
            root,
            "a default is a constant; refer to other values in a `locals` block",
        );
    }
    for block in &module.blocks {
        let repeats = block.attribute("for_each").is_some();
        for (owner, name, attribute) in block.expressions() {
            let frame = match (owner.schema.kind, name) {
                // A type or an address, not an expression.
                ("variable", "type")
                | ("import", "to")
                | ("moved", "from" | "to")
                | ("removed", "from") => continue,
                ("variable", "default") => &nothing,
                _ if owner.schema.is_of_account(name) => &account,
                ("policy", "condition" | "message") => &subject,
                (_, "for_each") => scope,
                _ if repeats => &each,
                _ => scope,
            };
            Uses::of(&attribute.expression, attribute.span.file).check(frame, out);
        }
    }
}

fn role_names(blocks: &[Block], out: &mut Diagnostics) {
    for block in blocks.iter().filter(|block| block.schema.kind == "role") {
        let name = block.name();
        if PLATFORM_ROLES.contains(&name) || name == "org-member" || name == "space-member" {
            out.push(
                Diagnostic::error(codes::RESERVED_ROLE_NAME)
                    .at(block.span, format!("the platform has a role `{name}`"))
                    .help("choose another name, so that nobody mistakes one for the other"),
            );
        }
    }
}

/// Reports roles that no account has.
pub(super) fn unused_roles(module: &Module, out: &mut Diagnostics) {
    let blocks = &module.blocks;
    let mut used = std::collections::BTreeSet::new();
    for block in blocks {
        for (_, _, attribute) in block.expressions() {
            for name in Uses::of(&attribute.expression, attribute.span.file).names {
                let itself = block.schema.kind == "role"
                    && name
                        .member
                        .as_ref()
                        .is_some_and(|(member, _)| member == block.name());
                if let ("role", Some((member, _)), false) = (&*name.root, name.member, itself) {
                    used.insert(member);
                }
            }
        }
    }
    for block in blocks.iter().filter(|block| block.schema.kind == "role") {
        if !used.contains(block.name()) {
            out.push(
                Diagnostic::warning(codes::UNUSED_ROLE)
                    .at(block.span, "nothing refers to this")
                    .help("remove it, or add it to the `roles` of a service account"),
            );
        }
    }
}
