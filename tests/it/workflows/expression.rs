//! The expressions of GitHub's workflows, as far as ours use them: `${{ a.b == 'c' && fromJSON(x) }}`.
//! Source: GitHub's documentation, "Evaluate expressions in workflows and actions". What is not known panics.

use serde_json::{Map, Value};

/// What an expression may ask.
pub struct Context<'a> {
    /// `github`, `inputs`, `needs` and so on.
    pub values: &'a Map<String, Value>,
    /// Whether what came before succeeded.
    pub success: bool,
}

/// A text in which every `${{ … }}` is put in; a text that is one expression alone keeps its type.
pub fn fill(text: &str, context: &Context<'_>) -> Value {
    if let Some(inside) = text.strip_prefix("${{").and_then(|t| t.strip_suffix("}}"))
        && !inside.contains("${{")
    {
        return evaluate(inside, context);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (inside, end) = after.split_once("}}").expect("an expression ends");
        out.push_str(before);
        out.push_str(&shown(&evaluate(inside, context)));
        rest = end;
    }
    out.push_str(rest);
    Value::String(out)
}

/// A value as a text, as the host shows it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => panic!("an object in the place of a text: {value}"),
    }
}

/// Whether a value counts as true.
pub fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// The value of an expression.
pub fn evaluate(text: &str, context: &Context<'_>) -> Value {
    let mut reader = Reader {
        tokens: tokens(text),
        at: 0,
        context,
        text,
    };
    let value = reader.or();
    assert_eq!(reader.at, reader.tokens.len(), "all of {text} is read");
    value
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Mark(&'static str),
}

fn tokens(text: &str) -> Vec<Token> {
    const MARKS: [&str; 12] = [
        "&&", "||", "==", "!=", "!", "(", ")", ".", ",", "[", "]", "*",
    ];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('\'') {
            let end = inside.find('\'').expect("a text ends");
            assert!(
                !inside[end + 1..].starts_with('\''),
                "no quotes inside: {text}"
            );
            out.push(Token::Text(inside[..end].to_owned()));
            rest = &inside[end + 1..];
        } else if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            out.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        } else {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            assert!(end > 0, "what is this in an expression: {rest}");
            let name = &rest[..end];
            out.push(match name.parse() {
                Ok(number) => Token::Number(number),
                Err(_) => Token::Name(name.to_owned()),
            });
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    out
}

struct Reader<'a> {
    tokens: Vec<Token>,
    at: usize,
    context: &'a Context<'a>,
    text: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, mark: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Mark(found)) if *found == mark);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.takes("||") {
            let right = self.and();
            left = if holds(&left) { left } else { right };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.equal();
        while self.takes("&&") {
            let right = self.equal();
            left = if holds(&left) { right } else { left };
        }
        left
    }

    fn equal(&mut self) -> Value {
        let left = self.one();
        if self.takes("==") {
            let right = self.one();
            return Value::Bool(same(&left, &right));
        }
        if self.takes("!=") {
            let right = self.one();
            return Value::Bool(!same(&left, &right));
        }
        left
    }

    fn one(&mut self) -> Value {
        if self.takes("!") {
            return Value::Bool(!holds(&self.one()));
        }
        if self.takes("(") {
            let inside = self.or();
            assert!(self.takes(")"), "{}", self.text);
            return inside;
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Value::String(text),
            Some(Token::Number(number)) => Value::from(number),
            Some(Token::Name(name)) if name == "true" || name == "false" => {
                Value::Bool(name == "true")
            }
            Some(Token::Name(name)) if self.takes("(") => self.call(&name),
            Some(Token::Name(name)) => self.place(&name),
            other => panic!("{other:?} in {}", self.text),
        }
    }

    fn place(&mut self, name: &str) -> Value {
        let known = self.context.values.get(name);
        let mut value = known
            .unwrap_or_else(|| panic!("there is no context {name} here: {}", self.text))
            .clone();
        while self.takes(".") {
            let Some(Token::Name(member)) = self.tokens.get(self.at).cloned() else {
                panic!("{}", self.text);
            };
            self.at += 1;
            value = value.get(&member).cloned().unwrap_or_default();
        }
        value
    }

    fn call(&mut self, name: &str) -> Value {
        let mut given = Vec::new();
        while !self.takes(")") {
            given.push(self.or());
            self.takes(",");
        }
        match (name, given.as_slice()) {
            ("always", []) => Value::Bool(true),
            ("success", []) => Value::Bool(self.context.success),
            ("failure", []) => Value::Bool(!self.context.success),
            // No test cancels.
            ("cancelled", []) => Value::Bool(false),
            ("fromJSON", [Value::String(text)]) => serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("fromJSON of {text:?}: {error}")),
            ("contains", [Value::Array(all), one]) => {
                Value::Bool(all.iter().any(|found| same(found, one)))
            }
            _ => panic!("no function {name} of {given:?}: {}", self.text),
        }
    }
}

/// Equal as the host compares: texts whatever their case, and other kinds as numbers.
fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Null => 0.0,
        Value::Bool(is) => f64::from(u8::from(*is)),
        Value::Number(n) => n.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.is_empty() => 0.0,
        Value::String(text) => text.parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    };
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => number(a) == number(b),
    }
}

/// Whether a condition asks itself how what came before ended; else success goes without saying.
pub fn asks_for_the_end(condition: &str) -> bool {
    ["always()", "success()", "failure()", "cancelled()"]
        .iter()
        .any(|function| condition.contains(function))
}

#[test]
fn expressions_are_what_the_host_makes_of_them() {
    let values = serde_json::json!({
        "github": {"event_name": "push", "event": {"pull_request": null}},
        "inputs": {},
        "needs": {"look": {"outputs": {"count": "0"}}},
    });
    let context = Context {
        values: values.as_object().expect("a map"),
        success: false,
    };
    for (text, expected) in [
        ("github.event_name == 'PUSH'", Value::Bool(true)),
        ("github.event.pull_request.number || 'none'", "none".into()),
        ("inputs.digest == ''", Value::Bool(true)),
        (
            "needs.look.outputs.count != '0' && always()",
            Value::Bool(false),
        ),
        (
            "!cancelled() && contains(fromJSON('[\"0\", \"2\"]'), '2')",
            Value::Bool(true),
        ),
        ("success() || (1 == 1 && 'x')", "x".into()),
    ] {
        assert_eq!(evaluate(text, &context), expected, "{text}");
    }
    let filled = fill("a ${{ github.event_name }} b ${{ inputs.none }}", &context);
    assert_eq!(filled, "a push b ");
}
