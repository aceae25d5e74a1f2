//! JSON, with exact numbers.

use super::signature::{CallError, MAX_TEXT};
use crate::lang::Number;
use crate::lang::value::{Kind, Members, Value};
use std::fmt::Write;

/// The deepest nesting read.
const MAX_DEPTH: usize = 48;

/// Writes a value as compact JSON, escaping what Terraform escapes.
pub(super) fn encode(value: &Value) -> Result<String, CallError> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

/// Writes a text as a JSON string.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::new();
    write_string(text, &mut out);
    out
}

fn write(value: &Value, out: &mut String) -> Result<(), CallError> {
    if out.len() > MAX_TEXT {
        return Err(CallError::call("the result would be too long"));
    }
    match value.kind() {
        Kind::Null => out.push_str("null"),
        Kind::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Kind::Number(number) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{number}");
        }
        Kind::String(text) => write_string(text, out),
        Kind::List(items) | Kind::Set(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Kind::Map(members) => {
            out.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
        Kind::Reference(reference) => {
            let message = format!(
                "`{}` cannot be written as text; take its `id`",
                reference.address
            );
            return Err(CallError::argument(0, message));
        }
        Kind::Unknown(_) => return Err(CallError::argument(0, "the value is not known yet")),
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads a JSON text.
pub(super) fn decode(text: &str) -> Result<Value, CallError> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return reader.wrong("text goes on after the value");
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, message: &str) -> Result<T, CallError> {
        Err(CallError::argument(
            0,
            format!("not JSON: {message} at byte {}", self.at),
        ))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, CallError> {
        if depth > MAX_DEPTH {
            return self.wrong("too many nested levels");
        }
        self.space();
        match self.peek() {
            Some(b'"') => Ok(self.string()?.into()),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [
                    ("null", Value::null()),
                    ("true", true.into()),
                    ("false", false.into()),
                ] {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                self.wrong("a value is expected")
            }
        }
    }

    fn number(&mut self) -> Result<Value, CallError> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let digits = rest[..end].trim_start_matches('-');
        let leading_zero =
            digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        match Number::parse(&rest[..end]) {
            Some(number) if !leading_zero => {
                self.at += end;
                Ok(number.into())
            }
            _ => self.wrong("an impossible number"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, CallError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::list(items));
            }
            if !self.take(b',') {
                return self.wrong("`,` or `]` is expected");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, CallError> {
        self.at += 1;
        let mut members = Members::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::map(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.wrong("a key is expected");
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return self.wrong("`:` is expected");
            }
            let value = self.value(depth + 1)?;
            members.insert(key.into(), value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::map(members));
            }
            if !self.take(b',') {
                return self.wrong("`,` or `}` is expected");
            }
        }
    }

    fn string(&mut self) -> Result<String, CallError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                return self.wrong("a string does not end");
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                c if c < ' ' => return self.wrong("a control character in a string"),
                c => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, CallError> {
        let Some(letter) = self.peek() else {
            return self.wrong("a string does not end");
        };
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let from = self.at;
                let first = self.hex()?;
                let code = match first {
                    0xd800..0xdc00 if self.text[self.at..].starts_with("\\u") => {
                        self.at += 2;
                        match self.hex()? {
                            second @ 0xdc00..0xe000 => {
                                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                            }
                            _ => first,
                        }
                    }
                    _ => first,
                };
                let Some(c) = char::from_u32(code) else {
                    self.at = from;
                    return self.wrong("half of a surrogate pair");
                };
                c
            }
            _ => {
                self.at -= 1;
                return self.wrong("an impossible escape");
            }
        })
    }

    fn hex(&mut self) -> Result<u32, CallError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        let all_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(code) if all_hex => {
                self.at += 4;
                Ok(code)
            }
            _ => self.wrong("four hexadecimal digits are expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// The members of an object, those that another of the same key replaces too.
    struct Pairs<'t>(Vec<(String, &'t RawValue)>);

    impl<'t> serde::Deserialize<'t> for Pairs<'t> {
        fn deserialize<D: serde::Deserializer<'t>>(from: D) -> Result<Self, D::Error> {
            struct Members;
            impl<'t> serde::de::Visitor<'t> for Members {
                type Value = Pairs<'t>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'t>>(
                    self,
                    mut map: A,
                ) -> Result<Pairs<'t>, A::Error> {
                    let mut pairs = Vec::new();
                    while let Some(pair) = map.next_entry()? {
                        pairs.push(pair);
                    }
                    Ok(Pairs(pairs))
                }
            }
            from.deserialize_map(Members)
        }
    }

    /// What another library reads in a text, written like a value of the language; numbers stay as they
    /// are written, since it rounds them.
    fn oracle(text: &str) -> Result<Value, String> {
        fn read<'t, T: serde::Deserialize<'t>>(text: &'t str) -> Result<T, String> {
            serde_json::from_str(text).map_err(|e| e.to_string())
        }
        let raw: &RawValue = read(text)?;
        let raw = raw.get();
        Ok(match raw.as_bytes().first() {
            Some(b'"') => read::<String>(raw)?.into(),
            Some(b'[') => {
                let items: Vec<&RawValue> = read(raw)?;
                let items: Result<Vec<Value>, _> =
                    items.into_iter().map(|item| oracle(item.get())).collect();
                Value::list(items?)
            }
            Some(b'{') => {
                let Pairs(found) = read(raw)?;
                let mut members = Members::new();
                for (key, member) in found {
                    members.insert(key.into(), oracle(member.get())?);
                }
                Value::map(members)
            }
            Some(b't') => true.into(),
            Some(b'f') => false.into(),
            Some(b'n') => Value::null(),
            // Numbers have bounds here and none there.
            _ => Number::parse(raw).ok_or("out of bounds")?.into(),
        })
    }

    fn written(value: &Value) -> String {
        encode(value).expect("written")
    }

    fn agrees(text: &str) {
        match (decode(text), oracle(text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(written(&ours), written(&theirs), "{text}"),
            (Err(_), Err(_)) => {}
            (Ok(ours), Err(theirs)) => panic!("{text:?} is {}, not: {theirs}", written(&ours)),
            (Err(ours), Ok(theirs)) => panic!("{text:?} is {}, not: {ours:?}", written(&theirs)),
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused_and_swallows_nothing() {
        for (text, at) in [
            (r#""\ud83d\u0041""#, 3),
            (r#""\ud83dA""#, 3),
            (r#""\ud83d""#, 3),
            (r#""a\udbff\ud83d\ude00""#, 4),
            (r#""\ude00""#, 3),
            (r#"{"\udfff":1}"#, 4),
        ] {
            let why = format!("{:?}", decode(text).expect_err(text));
            assert!(
                why.contains(&format!("half of a surrogate pair at byte {at}")),
                "{why}"
            );
            assert!(oracle(text).is_err(), "{text}");
        }
        for (text, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\uD800\uDC00x""#, "\u{10000}x"),
            (r#""\udbff\udfff""#, "\u{10ffff}"),
            (r#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
        ] {
            assert_eq!(written(&decode(text).expect(text)), quote(expected));
            agrees(text);
        }
    }

    /// Pieces of JSON, of what looks like it, and of what breaks it.
    const PIECES: [&str; 53] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\"b\":",
        "null",
        "true",
        "false",
        "nul",
        "True",
        "0",
        "00",
        "-",
        "-0",
        "1",
        "12",
        "1.",
        ".5",
        "1.50",
        "1e5",
        "1E+2",
        "1e-2",
        "1e",
        "+1",
        "9007199254740993",
        "18446744073709551616",
        "0x1",
        "NaN",
        " ",
        "\t",
        "\n",
        "\r",
        "\u{b}",
        "\u{a0}",
        "\u{feff}",
        "\u{0}",
        "\u{7f}",
        "\u{2028}",
        "é",
        "\\",
        "\\n",
        "\\/",
        "\\x",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "\\u00e9",
        "//",
    ];

    fn json() -> impl Strategy<Value = String> {
        let text = prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..4)
            .prop_map(|pieces| serde_json::to_string(&pieces.concat()).expect("JSON"));
        let leaf = prop_oneof![
            text.clone(),
            prop::sample::select(vec!["null", "true", "false", "-0", "1.50", "1e5"])
                .prop_map(str::to_owned),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>()
                .prop_filter("finite", |n| n.is_finite()
                    && n.abs() < 1e300
                    && (n.abs() > 1e-300))
                .prop_map(|number| format!("{number:e}")),
            "\"(\\\\u[dD][89abAB][0-9a-fA-F]{2}|\\\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\\\u00[0-9a-f]{2}|x){1,4}\"",
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let space = prop::sample::select(vec!["", " ", "\n\t", "\r\n"]);
            let pair =
                (text.clone(), inner.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
            prop_oneof![
                (prop::collection::vec(inner, 0..4), space.clone()).prop_map(
                    |(items, space)| format!(
                        "[{space}{}{space}]",
                        items.join(&format!("{space},"))
                    )
                ),
                (prop::collection::vec(pair, 0..4), space).prop_map(|(pairs, space)| format!(
                    "{{{space}{}{space}}}",
                    pairs.join(&format!(",{space}"))
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn another_library_reads_the_same(text in json()) {
            agrees(&text);
        }

        #[test]
        fn another_library_reads_the_same_of_what_is_broken(
            text in json(),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), prop::sample::select(PIECES.to_vec())), 1..3),
        ) {
            let mut chars: Vec<char> = text.chars().collect();
            for (at, takes, piece) in cuts {
                let at = at.index(chars.len() + 1);
                let end = if takes { (at + 1).min(chars.len()) } else { at };
                chars.splice(at..end, piece.chars());
            }
            agrees(&chars.into_iter().collect::<String>());
        }

        #[test]
        fn another_library_reads_the_same_of_pieces(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..10),
        ) {
            agrees(&pieces.concat());
        }
    }
}
