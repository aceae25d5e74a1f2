//! A client with the habits of Mondoo's Go client (mondoo-go over shurcooL/graphql), written from
//! their sources and from nothing of this project: what it sends, and how it reads answers.
//!
//! * `POST`, body `{"query":…,"variables":…}` and a line end, no operation name, `variables` left out
//!   when empty; `User-Agent: mondoo-graphql-client/0.0.1`, no `Accept`; a token signed for each request.
//! * Any status but 200 is an error. `data` is decoded first; then the first message of `errors`, if
//!   there are any, is the error.
//! * Every key in `data` must be a field of the struct, names compared without case; a key that is
//!   not is an error. `null` fits everything. A scalar of another type is an error. An object where a
//!   scalar is expected is an error, also for the `Map` of bulk mutations.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{Key, Platform};

/// What a Go struct has in a place.
#[derive(Clone, Debug)]
pub enum Shape {
    Str,
    Int,
    Bool,
    List(Box<Shape>),
    Struct(Vec<(String, Shape)>),
}

/// Reads a shape as tersely as a selection is written: `mrn:s roles:[{mrn:s}] ok:b n:i`.
pub fn shape(text: &str) -> Shape {
    let mut tokens = tokens(text).into_iter().peekable();
    let shape = fields(&mut tokens);
    assert!(tokens.next().is_none(), "{text}");
    shape
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<String>>;

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            out.push(c.to_string());
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

fn fields(tokens: &mut Tokens) -> Shape {
    let mut all = Vec::new();
    while let Some(name) = tokens.next_if(|t| t != "}" && t != "]") {
        assert_eq!(tokens.next().as_deref(), Some(":"), "after {name}");
        all.push((name, kind(tokens)));
    }
    Shape::Struct(all)
}

fn kind(tokens: &mut Tokens) -> Shape {
    match tokens.next().as_deref() {
        Some("s") => Shape::Str,
        Some("i") => Shape::Int,
        Some("b") => Shape::Bool,
        Some("[") => {
            let inner = kind(tokens);
            assert_eq!(tokens.next().as_deref(), Some("]"));
            Shape::List(Box::new(inner))
        }
        Some("{") => {
            let inner = fields(tokens);
            assert_eq!(tokens.next().as_deref(), Some("}"));
            inner
        }
        other => panic!("{other:?} is no kind"),
    }
}

/// Decodes as Go would; the error says where it fails.
pub fn decode(value: &Value, shape: &Shape, at: &str) -> Result<(), String> {
    match (value, shape) {
        (Value::Null, _) | (Value::String(_), Shape::Str) | (Value::Bool(_), Shape::Bool) => Ok(()),
        (Value::Number(n), Shape::Int) if n.is_i64() => Ok(()),
        (Value::Array(items), Shape::List(inner)) => items
            .iter()
            .enumerate()
            .try_for_each(|(n, item)| decode(item, inner, &format!("{at}[{n}]"))),
        (Value::Object(map), Shape::Struct(fields)) => map.iter().try_for_each(|(key, value)| {
            let field = fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key));
            match field {
                Some((_, shape)) => decode(value, shape, &format!("{at}.{key}")),
                None => Err(format!("{at}: struct field for {key:?} doesn't exist")),
            }
        }),
        _ => Err(format!("{at}: {value} does not fit {shape:?}")),
    }
}

/// Beyond what Go checks: everything that was selected is there.
fn complete(value: &Value, shape: &Shape, at: &str) {
    match (value, shape) {
        (Value::Array(items), Shape::List(inner)) => {
            for item in items {
                complete(item, inner, at);
            }
        }
        (Value::Object(map), Shape::Struct(fields)) => {
            for (name, inner) in fields {
                let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                let (_, value) = found.unwrap_or_else(|| panic!("{at}.{name} is missing"));
                complete(value, inner, &format!("{at}.{name}"));
            }
        }
        _ => {}
    }
}

/// Sends a request as the Go client does, and gives `data` decoded, or the error it would return.
pub async fn send(
    p: &Platform,
    key: &Key,
    query: &str,
    variables: Value,
    expected: &str,
) -> Result<Value, String> {
    let mut body = json!({ "query": query });
    if variables.as_object().is_some_and(|v| !v.is_empty()) {
        body["variables"] = variables;
    }
    let response = reqwest::Client::new()
        .post(p.url())
        .header("content-type", "application/json")
        .header("user-agent", "mondoo-graphql-client/0.0.1")
        .header("authorization", key.bearer(Timestamp::now()))
        .body(format!("{body}\n"))
        .send()
        .await
        .expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a body");
    if status.as_u16() != 200 {
        return Err(format!("non-200 OK status code: {status} body: {text:?}"));
    }
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let expected = shape(expected);
    decode(&answer["data"], &expected, "data")?;
    if let Some(first) = answer["errors"]
        .as_array()
        .and_then(|errors| errors.first())
    {
        return Err(first["message"].as_str().expect("a message").to_owned());
    }
    complete(&answer["data"], &expected, "data");
    Ok(answer["data"].clone())
}

#[test]
fn the_decoder_is_as_strict_as_gos() {
    let ok = |value: Value, text: &str| decode(&value, &shape(text), "data").is_ok();
    assert!(ok(json!({ "a": "x", "b": [{ "c": 1 }] }), "a:s b:[{c:i}]"));
    assert!(
        ok(json!({ "A": null }), "a:{b:s}"),
        "null fits, case does not matter"
    );
    assert!(!ok(json!({ "a": "x", "b": 1 }), "a:s"), "a key too many");
    assert!(!ok(json!({ "a": true }), "a:s"), "a bool for a string");
    assert!(!ok(json!({ "a": 1.5 }), "a:i"));
    assert!(
        !ok(json!({ "a": { "x": "y" } }), "a:s"),
        "an object for a Map"
    );
    assert!(!ok(json!({ "a": {} }), "a:[s]"));
}
