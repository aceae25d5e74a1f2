//! What expressions evaluate to, beside what Terraform documents for them.

use super::*;
use crate::diag::{Diagnostics, render_all};
use crate::lang::Names;
use crate::lang::frame::Slot;
use crate::lang::value::{RefKind, Reference};

fn scope() -> Frame<'static> {
    let mut scope = Frame::new();
    let strings = |items: &[&str]| Value::list(items.iter().map(|s| (*s).into()).collect());
    scope.set("names", strings(&["a", "b"]));
    scope.set("secret", Value::from("hunter2").marked(true));
    scope.set("later", Value::unknown(Type::String));
    scope.set("later_list", Value::unknown(Type::list(Type::String)));
    scope.set("later_any", Value::unknown(Type::Any));
    let mut var = Names::new("variable");
    var.slots.insert("region".into(), Slot::Value("eu".into()));
    var.slots.insert("broken".into(), Slot::Failed);
    scope.set_names("var", var);
    let mut spaces = Names::new("space");
    let space = Value::reference(Reference {
        kind: RefKind::Space,
        address: "space.payments".into(),
        attributes: [("id".into(), "pay-1".into())].into(),
        includes: None,
    });
    spaces.slots.insert("payments".into(), Slot::Value(space));
    scope.set_names("space", spaces);
    scope
}

/// Evaluates `text` as the value of an attribute; the error is the rendered findings.
fn eval(text: &str) -> Result<Value, String> {
    let mut sources = SourceMap::new();
    let mut out = Diagnostics::new();
    let source = format!("x = {text}\n");
    let tree = crate::lang::syntax::parse("x.hcl", source.as_bytes(), &mut sources, &mut out);
    let Some(tree) = tree else {
        return Err(render_all(&out, &sources, false));
    };
    let attribute = tree
        .body
        .get_attribute("x")
        .expect("the attribute is there");
    let mut evaluator = Evaluator::new(&sources);
    evaluator.work_left = 200_000;
    let result = evaluator.evaluate(tree.file, &attribute.value, &scope());
    let found = evaluator.take_diagnostics();
    assert!(
        result.is_ok() || text.contains("broken") || !found.is_empty(),
        "{text}: silent failure"
    );
    assert!(
        result.is_err() || found.is_empty(),
        "{text}: findings beside a value"
    );
    result.map_err(|_| render_all(&found, &sources, false))
}

#[track_caller]
fn same(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        match eval(text) {
            Ok(value) => assert_eq!(format!("{value:?}"), *wanted, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[track_caller]
fn fails(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        match eval(text) {
            Ok(value) => panic!("{text} gave {value:?}"),
            Err(error) => assert!(error.contains(wanted), "{text}:\n{error}"),
        }
    }
}

#[test]
fn literals_and_numbers_are_exact() {
    same(&[
        ("0.1 + 0.2", "0.3"),
        ("18446744073709551615 + 1", "18446744073709551616"),
        (
            "9223372036854775807 * 9223372036854775807",
            "85070591730234615847396907784232501249",
        ),
        ("-9223372036854775808 % -1", "0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1e3", "1000"),
        ("1 / 4", "0.25"),
        ("7 % 3", "1"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("null", "null"),
        ("!false", "true"),
        ("[1, \"a\", true, null]", r#"[1, "a", true, null]"#),
        (
            "{ b = 1, \"a\" : 2, (upper(\"c\")) = 3 }",
            r#"{"C": 3, "a": 2, "b": 1}"#,
        ),
    ]);
    fails(&[
        ("1 / 0", "error[division-by-zero]"),
        ("1 % 0", "error[division-by-zero]"),
        ("1 + null", "a number is required, not null"),
        ("!\"x\"", "a bool is required"),
        ("-[]", "a number is required, not a list"),
        ("{ var.region = 1 }", "error[invalid-key]"),
        ("1e400", "this number is too large"),
    ]);
}

#[test]
fn operators_convert_as_in_terraform() {
    same(&[
        ("1 + \"2\"", "3"),
        ("\"5\" > 4", "true"),
        ("\"true\" && true", "true"),
        ("1 == \"1\"", "false"),
        ("[1, 2] == [1, 2]", "true"),
        ("null == null", "true"),
        ("{ a = 1 } != { a = 2 }", "true"),
        ("false && nothing.here", "false"),
        ("true || 1 / 0 == 1", "true"),
        ("true ? 1 : \"a\"", "\"1\""),
        ("false ? 1 : \"a\"", "\"a\""),
        ("true ? [1] : [\"a\", \"b\"]", "[\"1\"]"),
        ("true ? null : \"a\"", "null"),
        ("true ? \"ok\" : names[7]", "\"ok\""),
        ("true ? {} : { a = 1 }", "{}"),
        ("space.payments == space.payments", "true"),
        (
            "true ? [space.payments] : [\"a\", \"b\"]",
            "[space.payments]",
        ),
        ("space.payments == null", "false"),
        ("null != space.payments", "true"),
    ]);
    fails(&[
        (
            "space.payments == \"space.payments\"",
            "a space and a string are never the same",
        ),
        ("7 != space.payments", "a number and a space"),
        ("[space.payments] == [\"payments\"]", "never the same"),
        (
            "contains(names, space.payments)",
            "a string and a space are never the same",
        ),
        (
            "contains([space.payments], \"payments\")",
            "a space and a string are never the same",
        ),
        ("index(names, space.payments)", "never the same"),
        ("space.payments == later", "a string and a space"),
        ("contains(later_list, space.payments)", "never the same"),
        ("setsubtract(names, [space.payments])", "never the same"),
        ("true ? [] : \"a\"", "error[inconsistent-types]"),
        ("null ? 1 : 2", "this is null"),
        ("\"x\" ? 1 : 2", "error[invalid-condition]"),
        ("true && null", "not null"),
    ]);
}

#[test]
fn templates() {
    same(&[
        ("\"a ${1 + 1} ${true}\"", "\"a 2 true\""),
        ("\"${names}\"", r#"["a", "b"]"#),
        ("\"$${x} %%{y}\"", r#""${x} %{y}""#),
        ("\"%{ if true }yes%{ else }no%{ endif }\"", "\"yes\""),
        ("\"%{ for n in names }<${n}>%{ endfor }\"", "\"<a><b>\""),
        (
            "\"%{ for i, n in names }${i}=${n};%{ endfor }\"",
            "\"0=a;1=b;\"",
        ),
        ("\"a ${~ \"b\" ~} c\"", "\"abc\""),
        ("<<EOT\n  a\n    b\nEOT", r#""  a\n    b\n""#),
        ("<<-EOT\n    a\n      b\n    EOT", r#""a\n  b\n""#),
        (
            "<<-EOT\n    %{ for n in names ~}\n    - ${n}\n    %{ endfor ~}\n    end\n    EOT",
            r#""    - a\n    - b\n    end\n""#,
        ),
        ("<<-EOT\n    a\n\n    b\n    EOT", r#""a\n\nb\n""#),
        ("<<-EOT\n    ${\"a\"}\n      b\n  EOT", r#""a\n  b\n""#),
        ("<<EOT\nEOT", "\"\""),
        (
            "<<EOT\na \"quoted\" $${x} \\n\nEOT",
            r#""a \"quoted\" ${x} \\n\n""#,
        ),
        ("<<EOT\r\na\r\nb\r\nEOT", r#""a\nb\n""#),
    ]);
    fails(&[
        ("\"x${null}\"", "error[invalid-template]"),
        ("\"x${[1]}\"", "join("),
        ("\"x${space.payments}\"", "`space.payments.id`"),
        ("\"${nope} ${zilch}\"", "zilch"),
        ("\"${nope} ${zilch}\"", "nope"),
        ("\"a\nb\"", "this string does not end on its line"),
    ]);
}

#[test]
fn for_expressions() {
    same(&[
        ("[for n in names : upper(n)]", r#"["A", "B"]"#),
        (
            "[for i, n in names : \"${i}${n}\" if n != \"a\"]",
            r#"["1b"]"#,
        ),
        (
            "[for k, v in { b = 1, a = 2 } : \"${k}${v}\"]",
            r#"["a2", "b1"]"#,
        ),
        ("{ for n in names : n => 1 }", r#"{"a": 1, "b": 1}"#),
        (
            "{ for n in [\"x\", \"y\", \"xx\"] : substr(n, 0, 1) => n... }",
            r#"{"x": ["x", "xx"], "y": ["y"]}"#,
        ),
        (
            "[for k, v in toset([\"b\", \"a\"]) : \"${k}${v}\"]",
            r#"["aa", "bb"]"#,
        ),
        (
            "[for n in names : [for m in names : \"${n}${m}\"]]",
            r#"[["aa", "ab"], ["ba", "bb"]]"#,
        ),
    ]);
    fails(&[
        ("{ for n in [1, 1] : n => n }", "error[duplicate-key]"),
        ("{ for n in [1] : null => n }", "a key cannot be null"),
        ("[for n in null : n]", "error[invalid-for]"),
        ("[for n in \"abc\" : n]", "not a string"),
        ("[for n in names : n if null]", "error[invalid-condition]"),
    ]);
}

#[test]
fn traversals_and_splats() {
    same(&[
        ("names[0]", "\"a\""),
        ("names[\"1\"]", "\"b\""),
        ("names.1", "\"b\""),
        ("{ a = { b = [5] } }.a.b[0]", "5"),
        ("{ a = 1 }[\"a\"]", "1"),
        ("[{ n = 1 }, { n = 2 }][*].n", "[1, 2]"),
        ("[{ n = [1] }, { n = [2] }][*].n[0]", "[1, 2]"),
        ("[{ n = 1 }, { n = 2 }].*.n[0]", "1"),
        ("null[*]", "[]"),
        ("\"a\"[*]", "[\"a\"]"),
        ("var.region", "\"eu\""),
        ("var[\"region\"]", "\"eu\""),
        ("space.payments.id", "\"pay-1\""),
    ]);
    fails(&[
        ("names[2]", "the list has 2 elements"),
        ("names[-1]", "error[invalid-index]"),
        ("names[0.5]", "error[invalid-index]"),
        ("names[null]", "an index cannot be null"),
        ("names.a", "`[*].a`"),
        ("toset(names)[0]", "tolist()"),
        ("{ abc = 1 }.abd", "did you mean `abc`?"),
        ("{ abc = 1 }[\"abd\"]", "did you mean `abc`?"),
        ("var.regoin", "did you mean `var.region`?"),
        ("vra.region", "did you mean `var`?"),
        ("var", "is not a value"),
        ("space.payments.nmae", "has no attribute `nmae`"),
        ("null.a", "null has no attributes"),
    ]);
}

#[test]
fn several_findings_come_at_once() {
    let error = eval("[nope, 1 / 0, uper(\"x\"), { a = zilch }]").expect_err("all are wrong");
    for wanted in ["nope", "division-by-zero", "did you mean `upper`?", "zilch"] {
        assert!(error.contains(wanted), "{wanted}:\n{error}");
    }
}

#[test]
fn unknown_values_pass_through() {
    same(&[
        ("\"a${later}\"", "(unknown string)"),
        ("later == \"x\"", "(unknown bool)"),
        ("later_list[0]", "(unknown string)"),
        ("upper(later)", "(unknown string)"),
        ("length([later])", "1"),
        ("[for x in later_list : upper(x)]", "(unknown list(any))"),
        ("later_any.a.b[0]", "(unknown any)"),
        ("later == \"x\" ? 1 : 2", "(unknown number)"),
        ("false && later_any", "false"),
        ("later_any && false", "false"),
        ("later_any || false", "(unknown bool)"),
        ("[later, \"b\"][1]", "\"b\""),
        ("try(later_any.a, 1)", "(unknown any)"),
        ("concat(names, [later])[0]", "\"a\""),
    ]);
    fails(&[
        ("later.a", "a string has no attributes"),
        ("later_list + 1", "a number is required, not a list"),
        ("[for x in later_list : nope]", "nope"),
        ("abs(later_list)", "a number is required"),
    ]);
}

#[test]
fn sensitive_values_taint_what_is_made_of_them() {
    same(&[
        ("secret", "(sensitive)"),
        ("\"a${secret}\"", "(sensitive)"),
        ("upper(secret)", "(sensitive)"),
        ("secret == \"x\"", "(sensitive)"),
        ("secret == \"x\" ? 1 : 2", "(sensitive)"),
        ("[secret, 1]", "[(sensitive), 1]"),
        ("length([secret])", "1"),
        ("{ (secret) = 1 }", "(sensitive)"),
        ("join(\"\", [secret])", "(sensitive)"),
        (
            "merge({ a = secret }, { b = 1 })",
            r#"{"a": (sensitive), "b": 1}"#,
        ),
        ("[for x in [secret] : x]", "[(sensitive)]"),
        ("toset([secret])", "(sensitive)"),
        ("sensitive(1)", "(sensitive)"),
        ("can(secret)", "(sensitive)"),
    ]);
    for text in [
        "{ a = 1 }[secret]",
        "tonumber(secret)",
        "substr(secret, 99, 1)",
        "format(secret)",
    ] {
        if let Err(error) = eval(text) {
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn failures_reported_elsewhere_stay_silent() {
    assert_eq!(eval("var.broken"), Err(String::new()));
    same(&[
        ("try(var.broken, 1)", "1"),
        ("can(1 / 0)", "false"),
        ("try(1 / 0, \"x\")", "\"x\""),
    ]);
}

#[test]
fn deep_and_endless_expressions_are_errors() {
    let nested =
        |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for text in [
        format!("names{}", "[*]".repeat(10_000)),
        format!("names{}", ".*".repeat(10_000)),
        nested("(", ")", 10_000),
        nested("[", "]", 10_000),
        nested("!", "", 10_000),
        nested("-", "", 10_000),
        nested("{ a = ", "}", 10_000),
        nested("upper(", ")", 10_000),
        nested("\"${", "}\"", 10_000),
        nested("[for x in names : ", "]", 10_000),
        nested("true ? 1 : ", "", 10_000),
        format!("1{}", " + 1".repeat(10_000)),
        format!("names{}", ".a".repeat(10_000)),
    ] {
        assert!(eval(&text).is_err(), "{}", &text[..40]);
    }
    same(&[
        (&nested("(", ")", 60), "1"),
        (&format!("1{}", " + 1".repeat(128)), "129"),
    ]);
    let work = "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]";
    fails(&[(work, "error[too-much-work]")]);
    // What a function makes counts, or loops of it would fill the memory before they are given up.
    let memory = "[for a in range(1000) : [for b in range(1000) : range(1000)]]";
    fails(&[(memory, "error[too-much-work]")]);
}

/// The examples of Terraform's documentation of its functions.
#[test]
fn functions_give_what_terraform_documents() {
    same(&[
        ("upper(\"hello\")", "\"HELLO\""),
        ("title(\"hello world\")", "\"Hello World\""),
        ("trimspace(\"  hello\\n\\n\")", "\"hello\""),
        ("trimprefix(\"helloworld\", \"hello\")", "\"world\""),
        ("trimsuffix(\"helloworld\", \"world\")", "\"hello\""),
        ("trim(\"?!hello?!\", \"!?\")", "\"hello\""),
        ("replace(\"1 + 2 + 3\", \"+\", \"-\")", "\"1 - 2 - 3\""),
        ("split(\",\", \"foo,bar,baz\")", r#"["foo", "bar", "baz"]"#),
        ("split(\",\", \"\")", r#"[""]"#),
        (
            "join(\"-\", [\"foo\", \"bar\", \"baz\"])",
            "\"foo-bar-baz\"",
        ),
        ("format(\"Hello, %s!\", \"Ander\")", "\"Hello, Ander!\""),
        (
            "format(\"There are %d lights\", 4)",
            "\"There are 4 lights\"",
        ),
        (
            "format(\"%q %v %v %% %03d|%-4s|%.2f\", \"a\", [1], true, 7, \"x\", 1.005)",
            r#""\"a\" [1] true % 007|x   |1.00""#,
        ),
        (
            "formatlist(\"%s@%s\", [\"a\", \"b\"], \"x\")",
            r#"["a@x", "b@x"]"#,
        ),
        ("startswith(\"hello world\", \"hello\")", "true"),
        ("endswith(\"hello world\", \"hello\")", "false"),
        ("substr(\"hello world\", 1, 4)", "\"ello\""),
        ("substr(\"hello world\", -5, -1)", "\"world\""),
        ("length(\"hello\")", "5"),
        ("length({ a = 1 })", "1"),
        (
            "concat([\"a\", \"\"], [\"b\", \"c\"])",
            r#"["a", "", "b", "c"]"#,
        ),
        ("contains([\"a\", \"b\"], \"a\")", "true"),
        ("contains([\"1\"], 1)", "true"),
        (
            "distinct([\"a\", \"b\", \"a\", \"c\"])",
            r#"["a", "b", "c"]"#,
        ),
        (
            "flatten([[\"a\", \"b\"], [], [\"c\", [\"d\"]]])",
            r#"["a", "b", "c", "d"]"#,
        ),
        ("keys({ a = 1, c = 2, b = 3 })", r#"["a", "b", "c"]"#),
        ("values({ a = 3, c = 2, d = 1 })", "[3, 2, 1]"),
        ("lookup({ a = \"ay\" }, \"c\", \"what?\")", "\"what?\""),
        (
            "merge({ a = \"b\", c = \"d\" }, { e = \"f\", c = \"z\" })",
            r#"{"a": "b", "c": "z", "e": "f"}"#,
        ),
        ("merge([{ a = 1 }, { b = 2 }]...)", r#"{"a": 1, "b": 2}"#),
        (
            "sort([\"e\", \"d\", \"a\", \"x\"])",
            r#"["a", "d", "e", "x"]"#,
        ),
        ("reverse([1, 2, 3])", "[3, 2, 1]"),
        ("range(3)", "[0, 1, 2]"),
        ("range(1, 4)", "[1, 2, 3]"),
        ("range(1, 8, 2)", "[1, 3, 5, 7]"),
        ("range(4, 1)", "[4, 3, 2]"),
        ("range(1, 4, 0.5)", "[1, 1.5, 2, 2.5, 3, 3.5]"),
        ("zipmap([\"a\", \"b\"], [1, 2])", r#"{"a": 1, "b": 2}"#),
        ("coalesce(\"\", \"b\")", "\"b\""),
        ("coalesce(null, 1, \"b\")", "\"1\""),
        ("compact([\"a\", \"\", null, \"b\"])", r#"["a", "b"]"#),
        ("element([\"a\", \"b\", \"c\"], 3)", "\"a\""),
        ("element([\"a\", \"b\", \"c\"], -1)", "\"c\""),
        ("index([\"a\", \"b\", \"c\"], \"b\")", "1"),
        ("slice([\"a\", \"b\", \"c\", \"d\"], 1, 3)", r#"["b", "c"]"#),
        ("chunklist([1, 2, 3], 2)", "[[1, 2], [3]]"),
        ("one([])", "null"),
        ("toset([\"c\", \"b\", \"b\"])", r#"{"b", "c"}"#),
        ("toset([\"a\", \"b\", 3])", r#"{"3", "a", "b"}"#),
        ("tolist([\"a\", \"b\", 3])", r#"["a", "b", "3"]"#),
        (
            "tomap({ a = \"foo\", b = true })",
            r#"{"a": "foo", "b": "true"}"#,
        ),
        ("tostring(1.50)", "\"1.5\""),
        ("tonumber(\"1\")", "1"),
        ("tobool(\"true\")", "true"),
        (
            "setproduct([\"d\", \"s\"], [\"a\"])",
            r#"[["d", "a"], ["s", "a"]]"#,
        ),
        (
            "setunion([\"a\", \"b\"], [\"b\", \"c\"])",
            r#"{"a", "b", "c"}"#,
        ),
        (
            "setintersection([\"a\", \"b\"], [\"b\", \"c\"])",
            r#"{"b"}"#,
        ),
        (
            "setsubtract([\"a\", \"b\", \"c\"], [\"a\", \"c\"])",
            r#"{"b"}"#,
        ),
        ("abs(-12.4)", "12.4"),
        ("ceil(5.1)", "6"),
        ("floor(-5.1)", "-6"),
        ("max(12, 54, 3)", "54"),
        ("min([12, 54, 3]...)", "3"),
        ("sum([10, 13, 6, 4.5])", "33.5"),
        ("signum(-13)", "-1"),
        ("parseint(\"-aF\", 16)", "-175"),
        (
            "jsonencode({ hello = \"<world>\" })",
            r#""{\"hello\":\"\\u003cworld\\u003e\"}""#,
        ),
        (
            "jsondecode(\"{\\\"a\\\": [1.0, 12345678901234567890, \\\"\\\\ud83d\\\\ude00\\\"]}\")",
            "{\"a\": [1, 12345678901234567890, \"😀\"]}",
        ),
        ("base64encode(\"Hello World\")", "\"SGVsbG8gV29ybGQ=\""),
        ("base64decode(\"SGVsbG8gV29ybGQ=\")", "\"Hello World\""),
        (
            "sha256(\"hello world\")",
            "\"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9\"",
        ),
        ("alltrue([\"true\", true])", "true"),
        ("alltrue([])", "true"),
        ("anytrue([])", "false"),
    ]);
    fails(&[
        ("range(2000)", "more than 1024 numbers"),
        ("format(\"%s\")", "there is no value for verb 1"),
        ("format(\"%z\", 1)", "no verb"),
        ("format(\"%d\", \"x\")", "a number is required"),
        ("element([], 0)", "the list is empty"),
        ("index([\"a\"], \"b\")", "does not contain"),
        ("jsondecode(\"[1,]\")", "not JSON"),
        ("base64decode(\"!\")", "not Base64"),
        ("setproduct(range(1000), range(1000))", "combinations"),
        ("one([1, 2])", "one element or none"),
        ("coalesce(null, \"\")", "all values are null"),
        ("merge({}, [])", "a map is required, not a list"),
        ("file(\"x\")", "functions on files"),
        ("tonumber(\"x\")", "error[invalid-argument]"),
        ("replace(\"a\", \"/a/\", \"b\")", "regular expression"),
    ]);
}

#[test]
fn functions_of_text_lists_and_marks_give_what_they_say() {
    same(&[
        ("lower(\"HELLO É\")", "\"hello é\""),
        ("strrev(\"añb\")", "\"bña\""),
        ("chomp(\"hello\\r\\n\\n\")", "\"hello\""),
        ("chomp(\" a \")", "\" a \""),
        ("strcontains(\"hello\", \"ell\")", "true"),
        ("strcontains(\"hello\", \"Ell\")", "false"),
        ("coalescelist([], [\"b\"], [\"c\"])", r#"["b"]"#),
        ("issensitive(secret)", "true"),
        ("issensitive(\"x\")", "false"),
    ]);
    fails(&[("coalescelist([], [])", "all lists are null or empty")]);
}

#[test]
fn every_function_is_called_here() {
    let tests = include_str!("tests.rs");
    for function in crate::lang::functions::all() {
        let call = format!("{}(", function.name);
        let called = tests.match_indices(&call).any(|(at, _)| {
            let before = tests[..at].chars().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        });
        assert!(called, "no test calls `{}`", function.name);
    }
}
