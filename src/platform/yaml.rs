//! The subset of YAML in which Mondoo's tools write their configuration: flat `key: value`
//! pairs, quoted or plain, block scalars, and maps one level deep (as `outer.inner`).
//! Pure; errors name the line and never repeat its text.

use zeroize::Zeroizing;

/// Pairs of a key and its text.
pub(super) type Pairs = Vec<(String, Zeroizing<String>)>;

/// Reads the pairs. Lists and deeper maps are skipped: nothing that a credential needs is there.
///
/// # Errors
/// If a line is outside the subset.
pub(super) fn parse(text: &str) -> Result<Pairs, String> {
    let lines: Vec<&str> = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let mut pairs = Pairs::new();
    let mut outer: Option<String> = None;
    let mut inner_indent = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let indent = indent_of(line);
        let body = line.trim();
        if body.is_empty() || body.starts_with('#') || body == "---" {
            continue;
        }
        if body == "..." {
            break;
        }
        if line.starts_with('\t') {
            return Err(format!("line {number} is indented with a tab"));
        }
        if indent == 0 {
            (outer, inner_indent) = (None, None);
        } else {
            if outer.is_none() {
                return Err(format!("line {number} is indented under nothing"));
            }
            // Only the first level below a key is read; the rest is skipped.
            if body.starts_with("- ") || indent != *inner_indent.get_or_insert(indent) {
                continue;
            }
        }
        if body.starts_with("- ") || body == "-" {
            if outer.is_some() || pairs.last().is_some_and(|(_, value)| value.is_empty()) {
                continue;
            }
            return Err(format!("line {number} is a list where a key is expected"));
        }
        let Some((key, value)) = split_key(body) else {
            return Err(format!("line {number} is not `key: value`"));
        };
        let name = match &outer {
            Some(outer) => format!("{outer}.{key}"),
            None => key.to_owned(),
        };
        let value = value.trim();
        if let Some(style) = value.strip_prefix('|').or_else(|| value.strip_prefix('>')) {
            if value.starts_with('>') {
                return Err(format!(
                    "line {number} uses a folded text (`>`), which rolecall does not read; use `|`"
                ));
            }
            let (block, next) = block_scalar(&lines, at, indent, style, number)?;
            pairs.push((name, block));
            at = next;
        } else {
            let scalar = scalar(value, number)?;
            if scalar.is_empty() && indent == 0 {
                outer = Some(key.to_owned());
            }
            pairs.push((name, scalar));
        }
    }
    Ok(pairs)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn split_key(body: &str) -> Option<(&str, &str)> {
    let (key, value) = match body.chars().next()? {
        quote @ ('"' | '\'') => {
            let (key, rest) = body.get(1..)?.split_once(quote)?;
            (key, rest.trim_start().strip_prefix(':')?)
        }
        _ => match body.split_once(": ") {
            Some(pair) => pair,
            None => (body.strip_suffix(':')?, ""),
        },
    };
    let key = key.trim();
    (!key.is_empty() && !key.contains(['{', '[', '&', '*', '!', '#'])).then_some((key, value))
}

/// The text of a `|` block that begins at line `at`, and the line after it.
fn block_scalar(
    lines: &[&str],
    mut at: usize,
    parent: usize,
    style: &str,
    number: usize,
) -> Result<(Zeroizing<String>, usize), String> {
    let style = style.split('#').next().unwrap_or_default().trim();
    let keep_end = match style {
        "" | "+" => true,
        "-" => false,
        _ => {
            return Err(format!(
                "line {number} has a block style beyond `|` and `|-`"
            ));
        }
    };
    let mut indent = None;
    let mut text = Zeroizing::new(String::new());
    let mut blanks = 0;
    while let Some(line) = lines.get(at) {
        if line.trim().is_empty() {
            blanks += 1;
            at += 1;
            continue;
        }
        let here = indent_of(line);
        let wanted = *indent.get_or_insert(here);
        if here <= parent || here < wanted {
            break;
        }
        if !text.is_empty() {
            text.push_str(&"\n".repeat(blanks + 1));
        }
        blanks = 0;
        text.push_str(line.get(wanted..).unwrap_or_default());
        at += 1;
    }
    if keep_end && !text.is_empty() {
        text.push('\n');
    }
    Ok((text, at))
}

fn scalar(value: &str, number: usize) -> Result<Zeroizing<String>, String> {
    let refuse = |what: &str| Err(format!("line {number} {what}"));
    let (text, rest) = match value.chars().next() {
        None | Some('#') => return Ok(Zeroizing::default()),
        Some('"') => {
            let Some((text, rest)) = double_quoted(value.get(1..).unwrap_or_default()) else {
                return refuse("has a quoted text that does not end there, or an unknown escape");
            };
            (text, rest)
        }
        Some('\'') => {
            let Some((text, rest)) = single_quoted(value.get(1..).unwrap_or_default()) else {
                return refuse("has a quoted text that does not end there");
            };
            (text, rest)
        }
        Some('&' | '*' | '!') => return refuse("uses an anchor, alias or tag"),
        // Flow lists and maps hold nothing that a credential needs.
        Some('[' | '{') => return Ok(Zeroizing::default()),
        Some(_) => {
            let plain = value.split(" #").next().unwrap_or_default().trim();
            let plain = if matches!(plain, "~" | "null") {
                ""
            } else {
                plain
            };
            return Ok(Zeroizing::new(plain.to_owned()));
        }
    };
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(text)
    } else {
        refuse("has something after a quoted text")
    }
}

fn single_quoted(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let mut out = Zeroizing::new(String::new());
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        out.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                out.push('\'');
                rest = more;
            }
            None => return Some((out, after)),
        }
    }
}

fn double_quoted(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let mut out = Zeroizing::new(String::new());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, text.get(at + 1..)?)),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '"' => '"',
                '\\' => '\\',
                '/' => '/',
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, key: &str) -> Option<String> {
        let pairs = parse(text).expect("inside the subset");
        let found = pairs.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.to_string())
    }

    #[test]
    fn flat_pairs_in_every_quoting() {
        let text = "---\n# comment\na: plain # not this\nb: \"q\\n#q\" # c\nc: 'it''s'\n\
                    \"d\": x:y\ne:\nf: ~\ng: https://h:8989/x\r\n";
        assert_eq!(get(text, "a").as_deref(), Some("plain"));
        assert_eq!(get(text, "b").as_deref(), Some("q\n#q"));
        assert_eq!(get(text, "c").as_deref(), Some("it's"));
        assert_eq!(get(text, "d").as_deref(), Some("x:y"));
        assert_eq!(get(text, "e").as_deref(), Some(""));
        assert_eq!(get(text, "f").as_deref(), Some(""));
        assert_eq!(get(text, "g").as_deref(), Some("https://h:8989/x"));
    }

    #[test]
    fn block_scalars_keep_their_lines_and_end_where_the_indent_does() {
        let text = "key: |\n  one\n\n    two\n  three\nnext: |-\n    a\n    b\nlast: z\n";
        assert_eq!(get(text, "key").as_deref(), Some("one\n\n  two\nthree\n"));
        assert_eq!(get(text, "next").as_deref(), Some("a\nb"));
        assert_eq!(get(text, "last").as_deref(), Some("z"));
        assert_eq!(get("key: |\nnext: x\n", "next").as_deref(), Some("x"));
    }

    #[test]
    fn maps_one_level_deep_and_lists_are_passed_over() {
        let text = "auth:\n  method: ssh\n  deep:\n    mrn: no\nlabels:\n- a\n- b\n\
                    features:\n  - x\nmrn: yes\nflow: {a: b}\n";
        assert_eq!(get(text, "auth.method").as_deref(), Some("ssh"));
        assert_eq!(get(text, "mrn").as_deref(), Some("yes"));
        assert_eq!(get(text, "auth.mrn"), None);
    }

    #[test]
    fn errors_name_the_line_and_not_its_text() {
        for text in [
            "a: x\nsecret-without-colon\n",
            "a: x\n\tsecret: 1\n",
            "a: x\nb: \"secret\n",
            "a: x\nb: &anchor secret\n",
            "a: x\nb: >\n  secret\n",
            "a: x\n  secret: 1\n",
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.contains("line 2") && !why.contains("secret"), "{why}");
        }
    }
}
