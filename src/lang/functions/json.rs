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
                let first = self.hex()?;
                let is_high = (0xd800..0xdc00).contains(&first);
                if is_high && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let second = self.hex()?;
                    let joined =
                        0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00).min(0x3ff);
                    char::from_u32(joined).unwrap_or('\u{fffd}')
                } else {
                    char::from_u32(first).unwrap_or('\u{fffd}')
                }
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
