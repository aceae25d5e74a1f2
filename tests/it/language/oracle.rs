//! The evaluator beside an independent one, hcl-rs, on expressions where both must agree.

use hcl::eval::{Context, Evaluate};
use proptest::prelude::*;
use rolecall::diag::{Diagnostics, SourceMap};
use rolecall::lang::{Evaluator, Frame, Kind, Value, syntax};

/// Evaluates with rolecall; `None` when it is an error.
fn ours(text: &str) -> Option<serde_json::Value> {
    let mut sources = SourceMap::new();
    let mut out = Diagnostics::new();
    let source = format!("x = {text}\n");
    let tree = syntax::parse("x.hcl", source.as_bytes(), &mut sources, &mut out)?;
    let attribute = tree.body.get_attribute("x")?;
    let mut scope = Frame::new();
    scope.set("name", "n".into());
    let value = Evaluator::new(&sources)
        .evaluate(tree.file, &attribute.value, &scope)
        .ok()?;
    Some(json(&value))
}

fn json(value: &Value) -> serde_json::Value {
    match value.kind() {
        Kind::Bool(yes) => (*yes).into(),
        Kind::Number(number) => number
            .to_string()
            .parse::<f64>()
            .map_or(serde_json::Value::Null, Into::into),
        Kind::String(text) => text.to_string().into(),
        Kind::List(items) | Kind::Set(items) => items.iter().map(json).collect(),
        Kind::Map(members) => members
            .iter()
            .map(|(key, value)| (key.to_string(), json(value)))
            .collect(),
        Kind::Null | Kind::Unknown(_) | Kind::Reference(_) => serde_json::Value::Null,
    }
}

/// Evaluates with hcl-rs; `None` when it is an error.
fn theirs(text: &str) -> Option<serde_json::Value> {
    let expression: hcl::Expression = hcl_edit::parser::parse_expr(text).ok()?.into();
    let mut context = Context::new();
    context.declare_var("name", "n");
    let value = expression.evaluate(&context).ok()?;
    Some(floats(serde_json::to_value(value).ok()?))
}

fn floats(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(items) => items.into_iter().map(floats).collect(),
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, floats(value)))
            .collect(),
        other => other,
    }
}

/// Expressions on which Terraform's rules and hcl-rs's are the same: small whole numbers, one type
/// on both sides of an operator, no null in templates, no division.
fn expression() -> impl Strategy<Value = String> {
    let number = (0u8..50).prop_map(|n| n.to_string());
    let number = number.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} * {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} - {b}")),
            inner.prop_map(|a| format!("(-{a})")),
        ]
    });
    let truth = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        (number.clone(), number.clone()).prop_map(|(a, b)| format!("({a} < {b})")),
        (number.clone(), number.clone()).prop_map(|(a, b)| format!("({a} == {b})")),
    ];
    let truth = truth.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!{a}")),
        ]
    });
    let text = prop_oneof![
        Just("name".to_owned()),
        "[a-z ]{0,4}".prop_map(|s| format!("\"{s}\"")),
        number.clone().prop_map(|n| format!("\"a${{{n}}}\"")),
        (truth.clone(), "[a-z]{1,3}")
            .prop_map(|(t, s)| format!("\"%{{ if {t} }}{s}%{{ else }}no%{{ endif }}.\"")),
        "[a-z]{1,3}"
            .prop_map(|s| format!("\"%{{ for x in [\"p\", \"q\"] }}<${{x}}{s}>%{{ endfor }}\"")),
        "[a-z]{1,3}".prop_map(|s| format!("\"  ${{~ \"{s}\" ~}}  !\"")),
    ];
    let list =
        prop::collection::vec(number.clone(), 1..4).prop_map(|v| format!("[{}]", v.join(", ")));
    prop_oneof![
        number.clone(),
        truth.clone(),
        text.clone(),
        list.clone(),
        (truth, number.clone(), number.clone()).prop_map(|(t, a, b)| format!("{t} ? {a} : {b}")),
        (list.clone(), 0usize..3).prop_map(|(l, n)| format!("{l}[{n}]")),
        (list.clone(), number.clone())
            .prop_map(|(l, n)| format!("[for i, x in {l} : x + i if x > {n}]")),
        list.clone()
            .prop_map(|l| format!("{{ for i, x in {l} : \"k${{i}}\" => x }}")),
        list.prop_map(|l| format!("[for x in {l} : {{ a = x }}][*].a")),
        (text, number).prop_map(|(t, n)| format!("{{ a = {t}, b = [{n}] }}.b[0]")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(text in expression()) {
        let (ours, theirs) = (ours(&text), theirs(&text));
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}
