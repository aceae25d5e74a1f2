//! Generated configuration: a first project, and blocks for what is live already.
//! Pure: values in, text out, laid out as `terraform fmt` would. Foreign text reaches it through
//! [`quote`] and `comment` alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::accounts::{MAX_DESCRIPTION, MAX_LABEL, MAX_NAME};
use super::roles::is_mrn;
use crate::diag::inert;
use crate::model::{
    Labels, Live, LiveAccount, MARK_PREFIX, Marking, Role, Scope, ScopeInfo, SealPublicKey,
    StackId, composed,
};

/// The longest name of a generated block: with a number behind it, it still fits a label.
const LONGEST_BLOCK: usize = 48;
/// The widest line on which labels stand side by side.
const WIDEST: usize = 90;
/// Names that HCL gives a meaning of their own.
const RESERVED: [&str; 9] = [
    "null", "true", "false", "for", "in", "if", "else", "endif", "endfor",
];

/// A text as a quoted HCL string. Template sequences, quotes and control characters are escaped;
/// so is every character that a reader of the file would not see.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut before = '"';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let opens = matches!(c, '$' | '%') && chars.peek() == Some(&'{');
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `$${` stands for `${`, but not after another `$`, where it would be read differently.
            c if opens && before != c => {
                out.push(c);
                out.push(c);
            }
            c if opens || inert(c.encode_utf8(&mut [0; 4])) != c.to_string() => escape(&mut out, c),
            c => out.push(c),
        }
        before = c;
    }
    out.push('"');
    out
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a String cannot fail.
    let _ = if code <= 0xffff {
        write!(out, "\\u{code:04x}")
    } else {
        write!(out, "\\U{code:08x}")
    };
}

/// A comment of one line, whatever the text holds.
fn comment(out: &mut String, text: &str) {
    out.push_str("# ");
    out.push_str(&inert(text));
    out.push('\n');
}

/// Attributes of one block, their `=` in one column.
fn attributes(out: &mut String, indent: usize, all: &[(&str, String)]) {
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in all {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:indent$}{name:<width$} = {value}", "");
    }
}

fn block(out: &mut String, kind: &str, name: &str, all: &[(&str, String)]) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{kind} {} {{", quote(name));
    attributes(out, 2, all);
    out.push_str("}\n\n");
}

fn head(out: &mut String, stack: &StackId, key: &SealPublicKey) {
    out.push_str(
        "# Names the owner of all that this configuration manages. The id is random and made once, \
         so that\n# two configurations never claim the same accounts: keep it. The seal key proves whose \
         an account\n# is; this is its public half, which everybody may know. `rolecall seal rotate` \
         changes it.\nrolecall {\n",
    );
    attributes(
        out,
        2,
        &[
            ("stack", quote(stack.name())),
            ("id", quote(stack.id())),
            ("seal_key", quote(key.text())),
        ],
    );
    out.push_str("}\n\n");
}

/// The stack name nearest to some text, such as the name of a folder.
pub fn stack_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(32);
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        "access".to_owned()
    } else {
        name.to_owned()
    }
}

/// The main file of a first project; its examples are comments.
pub fn first_project(stack: &StackId, key: &SealPublicKey) -> String {
    let mut out = String::new();
    head(&mut out, stack, key);
    out.push_str(EXAMPLES);
    out
}

const EXAMPLES: &str = r#"# Where roles hold. An id is the last part of the resource name that Mondoo's console shows under
# Settings of the organization or space.
#
# organization "acme" {
#   id = "acme-corp-883120"
# }
#
# space "prod" {
#   organization = organization.acme
#   id           = "amazing-hofstadter-175565"
# }

# A named set of roles. `rolecall roles` says what each role lets a program do.
#
# role "scanner" {
#   description = "Scan builds and read the results"
#   includes    = ["agent", "viewer"]
# }

# Where keys are delivered: files in ./credentials, readable by you alone, ignored by git.
#
# sink "file" "local" {
#   directory = "credentials"
# }

# One service account. Its key is shown once, to the sinks named here.
#
# service_account "ci" {
#   scope       = space.prod
#   name        = "ci-prod"
#   description = "Scans the builds of prod"
#   roles       = [role.scanner]
#
#   credential {
#     deliver_to = [sink.file.local]
#   }
# }
"#;

/// Configuration made of what is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The file.
    pub text: String,
    /// How many organizations and spaces it declares.
    pub scopes: usize,
    /// How many accounts it declares and imports.
    pub accounts: usize,
    /// The accounts that it leaves out: a name that may hold anything, and why.
    pub left_out: Vec<(String, String)>,
    /// How its blocks are named, by scope: `organization.acme`.
    pub references: BTreeMap<Scope, String>,
}

/// The two identities of workflows, and where their keys go.
#[derive(Clone, Debug)]
pub struct Identities<'a> {
    /// How the organization's block is named.
    pub organization: &'a str,
    /// `owner/repository` at GitHub.
    pub repository: &'a str,
    /// The API's base URL, where it is not that of github.com.
    pub address: Option<&'a str>,
    /// The role of the one that applies.
    pub applies_as: Role,
    /// The environments, first that of the one that plans, then those of the one that applies.
    pub environments: [&'a str; 3],
}

/// Blocks for the two identities that workflows have: one that plans and one that applies.
pub fn identities(of: &Identities<'_>) -> String {
    let Identities {
        organization,
        repository,
        address,
        applies_as,
        environments,
    } = of;
    let mut out = String::from(
        "# The two identities of the workflows. Mondoo lets editors alone read service accounts, so both are at\n\
         # least that. Their keys go straight to secrets of environments, which nobody can read but their jobs.\n\n",
    );
    let sink = |environment: &str| format!("sink.github.{}", environment.replace('-', "_"));
    for environment in environments {
        let mut all = vec![
            ("repository", quote(repository)),
            ("environment", quote(environment)),
        ];
        all.extend(address.map(|address| ("address", quote(address))));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "sink \"github\" {} {{",
            quote(&environment.replace('-', "_"))
        );
        attributes(&mut out, 2, &all);
        out.push_str("}\n\n");
    }
    let [plan, apply, rotate] = environments.map(sink);
    let both = format!("{apply}, {rotate}");
    for (name, what, role, to) in [
        ("rolecall-plan", "Plans", Role::new("editor"), plan),
        ("rolecall-apply", "Applies", applies_as.clone(), both),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "service_account {} {{", quote(&name.replace('-', "_")));
        attributes(
            &mut out,
            2,
            &[
                ("scope", (*organization).to_owned()),
                ("name", quote(name)),
                (
                    "description",
                    quote(&format!("{what} the configurations of {repository}")),
                ),
                ("roles", format!("[{}]", quote(role.short()))),
            ],
        );
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "\n  credential {{\n    deliver_to = [{to}]\n  }}\n\n  lifecycle {{\n    prevent_destroy = true\n  }}\n}}\n"
        );
    }
    format!("{}\n", out.trim_end())
}

/// Blocks for every scope that was read, and for every account in them with the `import` block
/// that takes it over. What cannot be declared as it is, or belongs to somebody else, is left out
/// with a comment.
pub fn from_live(stack: &StackId, key: &SealPublicKey, live: &Live) -> Generated {
    let mut out = String::new();
    head(&mut out, stack, key);
    let scopes = scope_blocks(&mut out, live);
    let mut equal: BTreeMap<(&Scope, Cow<'_, str>), usize> = BTreeMap::new();
    for account in live.accounts.values() {
        *equal
            .entry((&account.scope, composed(&account.name)))
            .or_default() += 1;
    }
    let mut accounts: Vec<&LiveAccount> = live.accounts.values().collect();
    accounts.sort_by_key(|a| (&a.scope, &a.name, &a.mrn));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for account in &accounts {
        *names
            .entry(block_name(&account.name, "account"))
            .or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let mut made = String::new();
    let mut left_out = Vec::new();
    let mut count = 0;
    for account in accounts {
        let why = obstacle(account, live).or_else(|| {
            let n = equal.get(&(&account.scope, composed(&account.name)));
            n.filter(|n| **n > 1).map(|n| {
                format!(
                    "{n} accounts of its scope have this name, and a configuration declares one of a \
                     name in a scope; write the two blocks of that one by hand, or rename the others on \
                     the platform first"
                )
            })
        });
        let reference = scopes.get(&account.scope);
        match (why, reference) {
            (Some(why), _) => {
                let text = format!("Left out: {:?} ({}): {why}.", account.name, account.mrn);
                comment(&mut made, &text);
                made.push('\n');
                left_out.push((account.name.clone(), why));
            }
            (None, None) => {}
            (None, Some(reference)) => {
                let mut base = block_name(&account.name, "account");
                if names.get(&base) > Some(&1) {
                    let scope = reference.split_once('.').map_or("", |(_, name)| name);
                    base = block_name(&format!("{base}_{scope}"), "account");
                }
                let name = unique(base, &mut taken);
                account_blocks(&mut made, &name, reference, account);
                count += 1;
            }
        }
    }
    if count > 0 {
        out.push_str(
            "# Accounts that are live already. Each `import` block takes its account over, which seals \
             it; after\n# that it may go. The keys stay where they are.\n\n",
        );
    }
    out.push_str(&made);
    Generated {
        text: format!("{}\n", out.trim_end()),
        scopes: scopes.len(),
        accounts: count,
        left_out,
        references: scopes,
    }
}

/// Writes a block for each scope and gives the reference to each.
fn scope_blocks(out: &mut String, live: &Live) -> BTreeMap<Scope, String> {
    let mut references: BTreeMap<Scope, String> = BTreeMap::new();
    let mut taken = [BTreeSet::new(), BTreeSet::new()];
    // Organizations come first by the order of scopes, so spaces can refer to them.
    for (scope, info) in &live.scopes {
        let ScopeInfo { name, organization } = info;
        let shown = if name.is_empty() { scope.id() } else { name };
        let kind = scope.kind();
        let known = &mut taken[usize::from(matches!(scope, Scope::Space(_)))];
        let block = unique(block_name(shown, kind), known);
        let parent = organization
            .as_ref()
            .and_then(|id| references.get(&Scope::Organization(id.clone())));
        let mut all = Vec::new();
        if let (Scope::Space(_), Some(parent)) = (scope, parent) {
            all.push(("organization", parent.clone()));
        }
        all.push(("id", quote(scope.id())));
        self::block(out, kind, &block, &all);
        references.insert(scope.clone(), format!("{kind}.{block}"));
    }
    for (scope, unread) in &live.unread {
        comment(out, &format!("Not read: {scope}: {}", unread.why));
        out.push('\n');
    }
    references
}

/// Why an account is left out, a fragment; `None` if it can be declared as it is.
fn obstacle(account: &LiveAccount, live: &Live) -> Option<String> {
    if account.mrn == live.facts.caller.mrn {
        return Some("this is the account whose credential rolecall itself was using".to_owned());
    }
    if live.facts.caller.owns(&account.mrn) {
        return Some(
            "this is a temporary account of the workload identity that rolecall was using"
                .to_owned(),
        );
    }
    match account.labels.marking() {
        Marking::Marked(marks) => {
            return Some(format!("the configuration {} manages it", marks.stack));
        }
        Marking::Damaged {
            stack: Some(stack), ..
        }
        | Marking::Later {
            stack: Some(stack), ..
        } => return Some(format!("it carries marks of the configuration {stack}")),
        Marking::Later { stack: None, .. } => {
            return Some("a later version of rolecall has marked it".to_owned());
        }
        Marking::Damaged { stack: None, .. } | Marking::Unmarked => {}
    }
    let length = account.name.chars().count();
    let importable = account.mrn.account_scope().as_ref() == Some(&account.scope)
        && account.mrn.id().bytes().all(|b| b.is_ascii_alphanumeric());
    let odd = account.roles.iter().find(|role| !role_is_writable(role));
    if account.name.chars().any(char::is_control) {
        Some(
            "its name has control characters; give it a plain name on the platform first"
                .to_owned(),
        )
    } else if !(1..=MAX_NAME).contains(&length) {
        Some(format!(
            "a name has 1 to {MAX_NAME} characters, not {length}; rename it on the platform first"
        ))
    } else if !importable {
        Some("its resource name has a form that cannot be imported".to_owned())
    } else {
        odd.map(|role| format!("its role {} cannot be written", role.short()))
    }
}

fn role_is_writable(role: &Role) -> bool {
    role.is_known() || is_mrn(&role.mrn())
}

/// Labels as the configuration may hold them; `None` if some label may not be in one.
fn declarable(labels: &Labels) -> Option<&Labels> {
    let good =
        |text: &str| !text.chars().any(char::is_control) && text.chars().count() <= MAX_LABEL;
    labels
        .iter()
        .all(|(key, value)| {
            !key.is_empty()
                && !key.to_ascii_lowercase().starts_with(MARK_PREFIX)
                && good(key)
                && good(value)
        })
        .then_some(labels)
}

fn account_blocks(out: &mut String, name: &str, reference: &str, account: &LiveAccount) {
    let mut all = vec![
        ("scope", reference.to_owned()),
        ("name", quote(&account.name)),
    ];
    let mut notes = Vec::new();
    if let Some(text) = &account.description {
        let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if !text.chars().all(plain) {
            notes.push("Its description has control characters, so it is left as it is.");
        } else if text.chars().count() > MAX_DESCRIPTION {
            notes.push("Its description is too long for a configuration, so it is left as it is.");
        } else {
            all.push(("description", quote(text)));
        }
    }
    let roles: Vec<String> = account
        .roles
        .iter()
        .map(|role| {
            if role.is_known() {
                quote(role.short())
            } else {
                quote(&role.mrn())
            }
        })
        .collect();
    all.push(("roles", format!("[{}]", roles.join(", "))));
    let live = account.labels.own();
    let mut tall = None;
    match declarable(live) {
        Some(labels) if !labels.is_empty() => {
            let pairs: Vec<(String, String)> = labels
                .iter()
                .map(|(key, value)| (label_key(key), quote(value)))
                .collect();
            let inline: Vec<String> = pairs.iter().map(|(k, v)| format!("{k} = {v}")).collect();
            let line = format!("{{ {} }}", inline.join(", "));
            if line.chars().count() + 16 <= WIDEST {
                all.push(("labels", line));
            } else {
                tall = Some(pairs);
            }
        }
        Some(_) => {}
        None => notes.push("Its labels cannot be written here, so they are left as they are."),
    }
    for note in notes {
        comment(out, note);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(out, "service_account {} {{", quote(name));
    attributes(out, 2, &all);
    if let Some(pairs) = tall {
        out.push_str("\n  labels = {\n");
        let pairs: Vec<(&str, String)> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        attributes(out, 4, &pairs);
        out.push_str("  }\n");
    }
    out.push_str("}\n\nimport {\n");
    attributes(
        out,
        2,
        &[
            ("to", format!("service_account.{name}")),
            ("id", quote(account.mrn.as_str())),
        ],
    );
    out.push_str("}\n\n");
}

/// The key of a label: bare where it is a plain word.
fn label_key(key: &str) -> String {
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !RESERVED.contains(&key);
    if word { key.to_owned() } else { quote(key) }
}

/// The block name nearest to some text.
fn block_name(text: &str, fallback: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(LONGEST_BLOCK);
    let name = name.trim_end_matches('_');
    if name.is_empty() {
        fallback.to_owned()
    } else if name.starts_with(|c: char| c.is_ascii_digit()) || RESERVED.contains(&name) {
        format!("{fallback}_{name}")
    } else {
        name.to_owned()
    }
}

fn unique(base: String, taken: &mut BTreeSet<String>) -> String {
    let mut name = base.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}_{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::account;
    use crate::model::{LiveLabels, Mrn, Scope, SpaceId};

    #[test]
    fn a_description_is_declared_up_to_what_a_configuration_holds() {
        for (length, declared) in [(MAX_DESCRIPTION, true), (MAX_DESCRIPTION + 1, false)] {
            let scope = Scope::Space(SpaceId::new("payments").expect("valid"));
            let live = LiveAccount {
                description: Some("d".repeat(length)),
                ..account(Mrn::new("//x"), scope, "ci")
            };
            let mut out = String::new();
            account_blocks(&mut out, "ci", "space.payments", &live);
            assert_eq!(out.contains("description = "), declared, "{length}");
            assert_eq!(out.contains("is too long"), !declared, "{length}");
        }
    }

    #[test]
    fn labels_that_no_configuration_may_hold_are_not_declared() {
        let long = "x".repeat(MAX_LABEL + 1);
        let ours = format!("{}x", MARK_PREFIX.to_uppercase());
        for (key, value, good) in [
            ("team", "platform", true),
            ("team", "", true),
            ("", "platform", false),
            (ours.as_str(), "platform", false),
            ("te\u{1}am", "platform", false),
            ("team", "plat\u{1}form", false),
            (long.as_str(), "platform", false),
            ("team", long.as_str(), false),
        ] {
            let labels = Labels::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(declarable(&labels).is_some(), good, "{key:?} = {value:?}");
        }
    }

    #[test]
    fn template_sequences_and_what_nobody_sees_are_escaped() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("${x} %{if}", r#""$${x} %%{if}""#),
            ("$${x}", r#""$\u0024{x}""#),
            ("$x %y $", r#""$x %y $""#),
            ("a\"b\\c\nd", r#""a\"b\\c\nd""#),
            ("\u{1b}[31m\u{202e}", r#""\u001b[31m\u202e""#),
            ("\u{e0041}", r#""\U000e0041""#),
            ("grün 監視", r#""grün 監視""#),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    #[test]
    fn labels_are_written_where_there_are_some_on_as_many_lines_as_they_need() {
        let written = |labels: Labels| {
            let scope = Scope::Space(SpaceId::new("prod-883120").expect("an id"));
            let mrn = Mrn::new("//agents.api.mondoo.app/spaces/prod-883120/serviceaccounts/x");
            let account = LiveAccount {
                labels: LiveLabels::from(labels),
                ..account(mrn, scope, "ci")
            };
            let mut out = String::new();
            account_blocks(&mut out, "ci", "space.prod", &account);
            out
        };
        assert!(!written(Labels::new()).contains("labels"));
        let one = |value: &str| Labels::from([("team".to_owned(), value.to_owned())]);
        let short = written(one("a"));
        assert!(short.contains("\n  labels = { team = \"a\" }\n"), "{short}");
        let tall = written(one(&"a".repeat(MAX_LABEL)));
        assert!(tall.contains("\n  labels = {\n    team = \"aaa"), "{tall}");
    }

    #[test]
    fn names_become_valid() {
        for (text, expected) in [
            ("My Project!", "my-project"),
            ("--", "access"),
            ("Überwachung", "berwachung"),
            ("", "access"),
        ] {
            assert_eq!(stack_name(text), expected);
            assert!(StackId::new(expected, "aaaa").is_ok());
        }
        assert!(StackId::new(&stack_name(&"x-".repeat(40)), "aaaa").is_ok());
        assert_eq!(block_name("1st", "account"), "account_1st");
        assert_eq!(block_name("null", "space"), "space_null");
        assert_eq!(block_name("\n\u{1b}", "space"), "space");
        assert_eq!(block_name("Prod EU", "space"), "prod_eu");
        let mut taken = BTreeSet::new();
        assert_eq!(unique("a".into(), &mut taken), "a");
        assert_eq!(unique("a".into(), &mut taken), "a_2");
    }
}
