//! Texts that act, texts that grow, and texts that must not be told.

use std::fs;
use std::process::{Command, Stdio};

use super::{account, code, refused_unasked, run, said, tree, writes};
use crate::stage::{SEAL_KEY, Stage};

/// Escapes, commands of CI runners, direction tricks, markup, as HCL writes them.
const EVIL: &str = "\\r\\n::add-mask::x\\u001b[31m \\u202e\\u2066 ##[add-mask]y \
                    ##vso[task.setvariable variable=a]b <img src=x onerror=alert(1)> [a](http://b) @team |";

/// Nothing in it acts on a terminal or a CI runner.
fn inert(text: &str, what: &str) {
    let acts = |c: char| rolecall::diag::acts(c) && c != '\n';
    assert!(!text.contains(acts), "{what}: {text:?}");
    for command in ["##[", "##vso["] {
        assert!(!text.contains(command), "{what}: {text}");
    }
    // `::: main.hcl:1:1` leads to a second place, and is no command.
    let command = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("::") && !line.starts_with("::: ")
    };
    let line = text.lines().find(command);
    assert_eq!(line, None, "{what}");
}

#[test]
fn a_text_of_the_configuration_does_nothing_wherever_it_is_shown() {
    let mut stage = Stage::small();
    let ci = account("ci", "[\"viewer\"]");
    let put = |from: &str, to: &str| {
        let text = ci.replacen(from, to, 1);
        assert_ne!(text, ci, "{from}");
        text.replace("EVIL", EVIL)
    };
    let more = |text: &str| ci.clone() + &text.replace("EVIL", EVIL);
    let policy = "policy \"p\" {\n  description = \"EVIL\"\n  condition = self.name == \"\"\n  \
                  message = \"EVIL\"\n}\n";
    let texts = [
        ("name", put("name  = \"ci\"", "name = \"EVIL\"")),
        (
            "description",
            put("name  =", "description = \"EVIL\"\n  name ="),
        ),
        (
            "label",
            put("name  =", "labels = { team = \"EVIL\" }\n  name ="),
        ),
        (
            "label's key",
            put("name  =", "labels = { \"EVIL\" = \"x\" }\n  name ="),
        ),
        ("role", put("\"viewer\"", "\"EVIL\"")),
        (
            "key",
            put("scope =", "for_each = { \"EVIL\" = 1 }\n  scope ="),
        ),
        ("block", put("\"ci\"", "\"EVIL\"")),
        ("policy", more(policy)),
        (
            "import",
            more("import {\n  to = service_account.ci\n  id = \"EVIL\"\n}\n"),
        ),
        (
            "warned policy",
            more(&policy.replacen(
                "\n}",
                "\n  severity = \"warning\"\n  exempt = [\"EVIL\"]\n}",
                1,
            )),
        ),
        (
            "validation",
            more(
                "variable \"v\" {\n  default = \"EVIL\"\n  validation {\n    condition = var.v == \
                 \"\"\n    error_message = \"EVIL\"\n  }\n}\n",
            ),
        ),
        (
            "file name",
            more("sink \"file\" \"x\" {\n  directory = \"EVIL\"\n}\n"),
        ),
        (
            "source",
            more("locals {\n  a = oops # ##[add-mask]x ##vso[task.complete]\u{1b}[2J\u{202e}\n}\n"),
        ),
        ("member", more("locals {\n  a = { b = 1 }[\"EVIL\"]\n}\n")),
    ];
    for (what, text) in texts {
        stage.configure(&text);
        let files = [
            "--sarif",
            "p.sarif",
            "--junit",
            "p.xml",
            "--json-out",
            "p.json",
        ];
        for arguments in [
            &["validate", "access"][..],
            &[&["plan"][..], &files, &["access"]].concat(),
            &["plan", "--format", "json", "access"],
            &["list", "access"],
        ] {
            let output = run(&stage, arguments);
            assert!(matches!(code(&output), Some(0 | 1 | 3)), "{what}");
            inert(&said(&output), what);
        }
        for file in ["p.sarif", "p.xml", "p.json"] {
            if let Ok(text) = fs::read_to_string(stage.path(file)) {
                inert(&text, what);
                fs::remove_file(stage.path(file)).expect("removed");
            }
        }
    }
    // What is good enough to be applied is inert in the outcome too.
    let good = EVIL.replace("\\r\\n", "").replace("\\u001b", "");
    let text = ci.replacen("name  = \"ci\"", &format!("name = \"{good}\""), 1);
    stage.configure(&text);
    let output = run(&stage, &["apply", "--yes", "access"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    inert(&said(&output), "apply");
}

#[test]
fn a_file_is_named_so_that_its_name_acts() {
    let mut stage = Stage::small();
    stage.configure("");
    let name = "a\n::add-mask::x ##[group]\u{1b}[2J.hcl";
    fs::write(stage.path("access").join(name), "locals {\n  a = oops\n}\n").expect("written");
    let text = refused_unasked(&stage, &["plan", "access"], "file name");
    inert(&text, "file name");
}

/// The same as [`refused_unasked`] with little memory.
fn refused_within_bounds(stage: &Stage, what: &str) -> String {
    let before = tree(stage.dir.path());
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 3000000; exec \"$0\" \"$@\""])
        .args([env!("CARGO_BIN_EXE_rolecall"), "plan", "access"])
        .current_dir(stage.dir.path())
        .env_clear()
        .env("HOME", stage.dir.path())
        .env("MONDOO_CONFIG_PATH", "owner.json")
        .env("ROLECALL_SEAL_KEY", SEAL_KEY)
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    let text = said(&output);
    assert_eq!(code(&output), Some(1), "{what}: {text}");
    assert!(stage.front.seen().is_empty(), "{what}: nobody is asked");
    assert!(before == tree(stage.dir.path()), "{what}");
    assert!(text.len() < 20_000, "{what}: {} bytes said", text.len());
    text
}

#[test]
fn values_that_grow_without_end_are_given_up() {
    let laughs = |first: &str, next: &str| {
        let steps = (1..30).map(|n| {
            format!(
                "  l{n} = {}\n",
                next.replace("LAST", &format!("local.l{}", n - 1))
            )
        });
        format!(
            "locals {{\n  l0 = {first}\n{}}}\n",
            steps.collect::<String>()
        )
    };
    let value = |expression: &str| format!("locals {{\n  a = {expression}\n}}\n");
    let template = "${LAST}".repeat(10);
    let deep = 50_000;
    let each = account("ci", "[\"viewer\"]").replacen(
        "scope =",
        "for_each = toset(flatten([for n in range(1000) : [for m in range(1000) : \"n${n}-${m}\"]]))\n  scope =",
        1,
    );
    let mut stage = Stage::small();
    for (what, text, expected) in [
        (
            "a billion laughs",
            laughs("\"lol\"", &format!("\"{template}\"")),
            "[too-much-work]",
        ),
        (
            "lists of lists",
            laughs("[1]", "concat(LAST, LAST, LAST, LAST)"),
            "[too-much-work]",
        ),
        (
            "trees of trees",
            laughs("[1]", "[LAST, LAST, LAST, LAST]"),
            "[too-much-work]",
        ),
        ("a long range", value("range(1000000000000)"), ""),
        (
            "loops in loops",
            value("[for a in range(1000) : [for b in range(1000) : range(1000)]]"),
            "[too-much-work]",
        ),
        ("a wide number", value("format(\"%1000000000d\", 1)"), ""),
        ("a far digit", value("format(\"%.1000000000f\", 1)"), ""),
        ("a large number", value("1e999999999 + 1"), ""),
        ("a large power", value("pow(10, 1000000000)"), ""),
        (
            "products of sets",
            value("setproduct(range(1000), range(1000), range(1000), range(1000))"),
            "",
        ),
        (
            "texts put into texts",
            value(
                "replace(join(\"\", [for n in range(1000) : \"a\"]), \"a\", join(\"\", [for n in range(1000) : \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]))",
            ),
            "",
        ),
        (
            "brackets",
            value(&("[".repeat(deep) + &"]".repeat(deep))),
            "[too-deep]",
        ),
        (
            "parentheses",
            value(&("(".repeat(deep) + "1" + &")".repeat(deep))),
            "[too-deep]",
        ),
        (
            "parentheses behind operators",
            value(&("!a && b || (".repeat(50) + "1 !" + &")".repeat(50))),
            "[too-deep]",
        ),
        ("signs", value(&("!".repeat(deep) + "true")), "[too-deep]"),
        (
            "templates",
            value(&("\"${".repeat(deep) + "1" + &"}\"".repeat(deep))),
            "[too-deep]",
        ),
        (
            "conditions",
            value(&("true ? ".repeat(deep) + "1" + &" : 2".repeat(deep))),
            "[too-deep]",
        ),
        ("sums", value(&("1 + ".repeat(deep) + "oops")), ""),
        (
            "blocks",
            "a {\n".repeat(deep) + &"}\n".repeat(deep),
            "[too-deep]",
        ),
        (
            "JSON",
            value(
                "jsondecode(join(\"\", [for n in range(1000) : join(\"\", [for m in range(100) : \"[\"])]))",
            ),
            "",
        ),
        ("a million accounts", each, "[too-many-instances]"),
        (
            "no regular expressions",
            value("regex(\"(a+)+$\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\")"),
            "[unknown-function]",
        ),
    ] {
        stage.configure(&text);
        let said = refused_within_bounds(&stage, what);
        assert!(
            said.contains("error") && said.contains(expected),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_large_text_is_no_name_no_label_and_no_description() {
    let mut stage = Stage::small();
    let ci = account("ci", "[\"viewer\"]");
    let large =
        "join(\"\", [for n in range(1000) : join(\"\", [for m in range(100) : \"xxxxxxxxxx\"])])";
    for (from, to) in [
        ("name  = \"ci\"", format!("name = {large}")),
        ("scope =", format!("description = {large}\n  scope =")),
        (
            "scope =",
            format!("labels = {{ team = {large} }}\n  scope ="),
        ),
        (
            "scope =",
            format!("labels = {{ ({large}) = \"x\" }}\n  scope ="),
        ),
        ("scope =", format!("for_each = toset([{large}])\n  scope =")),
        ("[\"viewer\"]", format!("[{large}]")),
    ] {
        stage.configure(&ci.replacen(from, &to, 1));
        refused_within_bounds(&stage, &to);
    }
}

/// Whoever reads the log of a plan must not read the values of sensitive variables.
#[test]
fn a_sensitive_value_is_told_by_no_error_no_message_and_no_key() {
    const SECRET: &str = "hunter2-7f3a9c";
    let mut stage = Stage::small();
    let ci = account("ci", "[\"viewer\"]");
    let put = |from: &str, to: &str| ci.replacen(from, to, 1);
    let value = |expression: &str| ci.clone() + &format!("locals {{\n  a = {expression}\n}}\n");
    let policy = |condition: &str, message: &str, more: &str| {
        ci.clone()
            + &format!(
                "policy \"p\" {{\n  condition = {condition}\n  message = {message}\n{more}}}\n"
            )
    };
    let validation = "variable \"v\" {\n  default = 1\n  validation {\n    condition = var.v == 2\n    \
                      error_message = \"it is ${var.secret}\"\n  }\n}\n";
    let false_self = "self.name == \"\"";
    let texts = [
        put("name  = \"ci\"", "name = var.secret"),
        put(
            "name  = \"ci\"",
            "name = var.secret == \"x\" ? \"a\" : \"b\"",
        ),
        put("name  = \"ci\"", "name = \"${length(var.secret)}\""),
        put(
            "scope =",
            "description = base64encode(var.secret)\n  scope =",
        ),
        put("scope =", "labels = { team = var.secret }\n  scope ="),
        put("scope =", "labels = { (var.secret) = \"x\" }\n  scope ="),
        put("scope =", "for_each = toset([var.secret])\n  scope ="),
        put("scope =", "for_each = { (var.secret) = 1 }\n  scope ="),
        put("[\"viewer\"]", "[var.secret]"),
        put("[sink.file.local]", "[var.secret]"),
        ci.clone() + "sink \"file\" \"x\" {\n  directory = var.secret\n}\n",
        ci.clone() + "space \"x\" {\n  id = var.secret\n}\n",
        ci.clone() + "limits {\n  max_deletes = length(var.secret)\n}\n",
        ci.clone() + "platform {\n  endpoint = var.secret\n}\n",
        ci.clone() + "import {\n  to = service_account.ci\n  id = var.secret\n}\n",
        ci.clone() + validation,
        value("tonumber(var.secret)"),
        value("var.secret + 1"),
        value("var.secret.hunter"),
        value("{}[var.secret]"),
        value("lookup({}, var.secret)"),
        value("jsondecode(var.secret)"),
        value("var.secret ? 1 : 2"),
        value("{ for k in [var.secret, var.secret] : k => 1 }"),
        value("[for x in var.secret : x]"),
        policy(false_self, "\"it is ${var.secret}\"", ""),
        policy("self.name == var.secret", "\"m\"", ""),
        policy(false_self, "\"m\"", "  exempt = [var.secret]\n"),
    ];
    let declared = "variable \"secret\" {\n  type      = string\n  sensitive = true\n}\n\n";
    for text in texts {
        stage.configure(&(declared.to_owned() + &text));
        for arguments in [
            &[
                "plan",
                "--json-out",
                "p.json",
                "--sarif",
                "p.sarif",
                "access",
            ][..],
            &["apply", "--yes", "--record", "r.json", "access"],
        ] {
            let mut command = stage.command(arguments);
            command.env("ROLECALL_VAR_secret", SECRET);
            let output = command.output().expect("runs");
            let told = said(&output);
            assert!(matches!(code(&output), Some(1 | 3)), "{text}\n{told}");
            let written = tree(stage.dir.path());
            let all = written
                .values()
                .map(|(_, holds)| String::from_utf8_lossy(holds));
            for part in [SECRET, "aHVudGVyMi03ZjNhOWM", "14 characters"] {
                assert!(!told.contains(part), "{text}\n{told}");
                assert!(!all.clone().any(|holds| holds.contains(part)), "{text}");
            }
        }
    }
    assert_eq!(writes(&stage), [""; 0]);
}
