//! A look at the characters of a file before it is parsed.
//!
//! The parser tells no place for what is wrong inside a token, and takes long over huge objects
//! and over some nested expressions; this pass finds the place of the first and refuses the rest.

use std::ops::Range;

use crate::diag::Code;
use crate::lang::codes;

/// The most keys of one object that is written out.
const MAX_KEYS: usize = 4096;

/// The most levels around one part of an expression which each have two operators before it, an
/// index counted as one.
///
/// Where such an expression is wrong at its end, hcl-edit 0.10 takes its last operator back and
/// reads what is nested twice: each of these levels doubles its time.
const MAX_OPERATOR_LEVELS: usize = 12;

/// What the scan stumbled over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
    /// Whether it is an error even when the parser takes the file.
    pub(super) certain: bool,
    pub(super) code: Code,
}

/// What operators end with.
const OPERATORS: &[u8] = b"=!&|<>+-*/%";

enum Mode {
    /// Blocks and expressions; the bracket that ends them, the keys seen when an object, and the
    /// binary operators of the expression so far.
    Code {
        open: usize,
        close: u8,
        object: bool,
        /// Whether a line end ends the expression, as in bodies and objects.
        lines: bool,
        keys: usize,
        operators: usize,
    },
    /// A quoted string.
    Quoted { open: usize },
    /// A heredoc up to a line of only this word.
    Heredoc { open: usize, word: Range<usize> },
}

/// Looks for the first thing that cannot be right.
pub(super) fn scan(text: &str) -> Result<(), Problem> {
    Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        modes: Vec::new(),
        operators: 0,
        before: 0,
    }
    .run()
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    modes: Vec<Mode>,
    /// The binary operators of the line so far, outside of all brackets.
    operators: usize,
    /// The last byte of code that was not white space.
    before: u8,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<(), Problem> {
        while self.at < self.bytes.len() {
            match self.modes.last() {
                Some(Mode::Quoted { open }) => {
                    let open = *open;
                    self.quoted(open)?;
                }
                Some(Mode::Heredoc { word, .. }) => {
                    let word = word.clone();
                    self.heredoc(&word)?;
                }
                _ => self.code()?,
            }
        }
        match self.modes.last() {
            None => Ok(()),
            Some(Mode::Quoted { open }) => {
                self.wrong(*open..*open + 1, "this string does not end", None)
            }
            Some(Mode::Heredoc { open, word }) => {
                let message = format!(
                    "this heredoc does not end with a line `{}`",
                    &self.text[word.clone()]
                );
                self.wrong(*open..word.end, &message, None)
            }
            Some(Mode::Code { open, .. }) => {
                self.wrong(*open..*open + 1, "this bracket is not closed", None)
            }
        }
    }

    fn wrong(
        &self,
        range: Range<usize>,
        message: &str,
        help: Option<&'static str>,
    ) -> Result<(), Problem> {
        Err(Problem {
            range,
            message: message.to_owned(),
            help,
            certain: false,
            code: codes::SYNTAX,
        })
    }

    fn starts(&self, with: &str) -> bool {
        self.bytes[self.at..].starts_with(with.as_bytes())
    }

    fn char_here(&self) -> Range<usize> {
        let len = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
            .map_or(1, char::len_utf8);
        self.at..self.at + len
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && self.bytes[self.at] != b'\n' {
            self.at += 1;
        }
    }

    fn code(&mut self) -> Result<(), Problem> {
        let byte = self.bytes[self.at];
        match byte {
            b' ' | b'\t' | b'\r' => {
                self.at += 1;
                return Ok(());
            }
            b'\n' => {
                // After an operator the expression goes on.
                let ends = matches!(
                    self.modes.last(),
                    None | Some(Mode::Code { lines: true, .. })
                );
                if ends && !OPERATORS.contains(&self.before) {
                    *self.operators() = 0;
                }
                self.at += 1;
                return Ok(());
            }
            b'#' => {
                self.skip_line();
                return Ok(());
            }
            b'/' if self.starts("//") => {
                self.skip_line();
                return Ok(());
            }
            b'/' if self.starts("/*") => {
                let open = self.at;
                match self.text[open + 2..].find("*/") {
                    Some(end) => self.at = open + 2 + end + 2,
                    None => return self.wrong(open..open + 2, "this comment does not end", None),
                }
                return Ok(());
            }
            b'"' => {
                self.modes.push(Mode::Quoted { open: self.at });
                self.at += 1;
            }
            b'<' if self.starts("<<") => self.open_heredoc()?,
            b'{' | b'[' | b'(' => {
                let close = match byte {
                    b'{' => b'}',
                    b'[' => b']',
                    _ => b')',
                };
                // A block's brace follows its name or label, an object's an operator or bracket.
                let object = byte == b'{' && b"=([,:?{>".contains(&self.before);
                let index = byte == b'['
                    && !b"([{,:?".contains(&self.before)
                    && !OPERATORS.contains(&self.before);
                if index && *self.operators() > 0 {
                    *self.operators() += 1;
                }
                self.nested()?;
                self.modes.push(Mode::Code {
                    open: self.at,
                    close,
                    object,
                    // What follows `for` goes on after line ends.
                    lines: byte == b'{'
                        && !self.text[self.at + 1..].trim_start().starts_with("for "),
                    keys: 0,
                    operators: 0,
                });
                self.at += 1;
            }
            b'}' | b']' | b')' => self.close(byte)?,
            b'!' | b'=' | b'<' | b'>' if self.bytes.get(self.at + 1) == Some(&b'=') => {
                self.operator(2);
            }
            b'=' if self.starts("=>") => self.at += 2,
            b'&' | b'|' if self.bytes.get(self.at + 1) == Some(&byte) => self.operator(2),
            b'!' | b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' => self.operator(1),
            b',' => {
                *self.operators() = 0;
                self.at += 1;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            b'=' | b':' => {
                if let Some(Mode::Code {
                    open,
                    object: true,
                    keys,
                    ..
                }) = self.modes.last_mut()
                {
                    *keys += 1;
                    if *keys > MAX_KEYS {
                        return Err(Problem {
                            range: *open..*open + 1,
                            message: format!("this object has more than {MAX_KEYS} keys"),
                            help: Some("split it and put the parts together with merge()"),
                            certain: true,
                            code: codes::SYNTAX,
                        });
                    }
                }
                self.at += 1;
            }
            b'0'..=b'9' => {
                self.digits()?;
            }
            b'\'' => {
                let help = Some("strings are written in double quotes");
                return self.wrong(
                    self.at..self.at + 1,
                    "a single quote cannot stand here",
                    help,
                );
            }
            b';' | b'$' | b'@' | b'`' | b'\\' | b'^' | b'~' if !self.starts("~}") => {
                return self.wrong(self.char_here(), "this character cannot stand here", None);
            }
            0..=0x1f | 0x7f => {
                return self.wrong(
                    self.char_here(),
                    "a control character cannot stand here",
                    None,
                );
            }
            _ => self.at = self.char_here().end,
        }
        self.before = byte;
        Ok(())
    }

    /// The count of operators of the innermost expression.
    fn operators(&mut self) -> &mut usize {
        match self.modes.last_mut() {
            Some(Mode::Code { operators, .. }) => operators,
            _ => &mut self.operators,
        }
    }

    fn operator(&mut self, width: usize) {
        *self.operators() += 1;
        self.at += width;
    }

    /// Steps over a name, whose dashes are no operators.
    fn word(&mut self) {
        let part =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte) || *byte >= 0x80;
        self.at += self.bytes[self.at..]
            .iter()
            .take_while(|byte| part(byte))
            .count();
    }

    /// Refuses to open what would be read twice for too many of the levels around it.
    fn nested(&self) -> Result<(), Problem> {
        let twice = |mode: &&Mode| matches!(mode, Mode::Code { operators: 2.., .. });
        let levels = self.modes.iter().filter(twice).count() + usize::from(self.operators >= 2);
        if levels <= MAX_OPERATOR_LEVELS {
            return Ok(());
        }
        Err(Problem {
            range: self.at..self.at + 1,
            message: format!(
                "more than {MAX_OPERATOR_LEVELS} levels around this each have two operators before it"
            ),
            help: None,
            certain: true,
            code: codes::TOO_DEEP,
        })
    }

    fn close(&mut self, byte: u8) -> Result<(), Problem> {
        let here = self.at..self.at + 1;
        match self.modes.pop() {
            Some(Mode::Code { close, .. }) if close == byte => {
                self.at += 1;
                Ok(())
            }
            Some(Mode::Code { close, .. }) => {
                let message = format!("`{}` is expected before this", close as char);
                self.wrong(here, &message, None)
            }
            _ => self.wrong(here, "nothing is open that this could close", None),
        }
    }

    /// Checks the range of a number, which the parser does without telling the place.
    fn digits(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
        while self.at < self.bytes.len()
            && (is_part(self.bytes[self.at])
                || (b"+-".contains(&self.bytes[self.at])
                    && b"eE".contains(&self.bytes[self.at - 1])))
        {
            self.at += 1;
        }
        let number = self.text[start..self.at].trim_end_matches('.');
        if number.parse::<f64>().is_ok_and(f64::is_infinite) {
            return self.wrong(start..self.at, "this number is too large", None);
        }
        Ok(())
    }

    fn open_heredoc(&mut self) -> Result<(), Problem> {
        let open = self.at;
        let dash = usize::from(self.bytes.get(open + 2) == Some(&b'-'));
        let start = open + 2 + dash;
        let is_word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-';
        let word: usize = self.text[start..]
            .chars()
            .take_while(is_word)
            .map(char::len_utf8)
            .sum();
        let end = start + word;
        let line_ends = matches!(self.bytes.get(end), Some(b'\n'))
            || self.bytes.get(end..end + 2) == Some(b"\r\n");
        if word == 0 || !line_ends {
            let help = Some("a heredoc starts with `<<WORD` at the end of a line");
            return self.wrong(open..end.max(open + 2), "this starts no heredoc", help);
        }
        self.modes.push(Mode::Heredoc {
            open,
            word: start..end,
        });
        // The line end counts as the start of the first line.
        self.at = end;
        Ok(())
    }

    fn heredoc(&mut self, word: &Range<usize>) -> Result<(), Problem> {
        if self.bytes[self.at] == b'\n' {
            let line = &self.text[self.at + 1..];
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let marker = &self.text[word.clone()];
            let after = line[indent..]
                .strip_prefix(marker)
                .map(|rest| rest.chars().next());
            let ends = match after {
                None => false,
                Some(None) => true,
                Some(Some(c)) => !(c.is_alphanumeric() || c == '_' || c == '-'),
            };
            if ends {
                self.at += 1 + indent + marker.len();
                self.modes.pop();
                return Ok(());
            }
        }
        self.template()
    }

    /// Steps over one character of a template or enters an interpolation.
    fn template(&mut self) -> Result<(), Problem> {
        if self.starts("$${") || self.starts("%%{") {
            self.at += 3;
        } else if self.starts("${") || self.starts("%{") {
            self.nested()?;
            self.modes.push(Mode::Code {
                open: self.at,
                close: b'}',
                object: false,
                lines: false,
                keys: 0,
                operators: 0,
            });
            self.at += 2;
            self.at += usize::from(self.bytes.get(self.at) == Some(&b'~'));
        } else {
            self.at = self.char_here().end;
        }
        Ok(())
    }

    fn quoted(&mut self, open: usize) -> Result<(), Problem> {
        match self.bytes[self.at] {
            b'"' => {
                self.modes.pop();
                self.at += 1;
                self.before = b'"';
            }
            b'\n' => {
                let help = Some("close it with `\"`, or write a heredoc for several lines");
                return Err(Problem {
                    range: open..self.at,
                    message: "this string does not end on its line".to_owned(),
                    help,
                    certain: true,
                    code: codes::SYNTAX,
                });
            }
            b'\\' => self.escape()?,
            _ => self.template()?,
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Problem> {
        let letter = self.bytes.get(self.at + 1).copied().unwrap_or(0);
        let digits = match letter {
            b'n' | b'r' | b't' | b'"' | b'\\' => 0,
            b'u' => 4,
            b'U' => 8,
            _ => {
                self.at += 1;
                let range = self.at - 1..self.char_here().end;
                let help = Some("the escapes are \\n \\r \\t \\\" \\\\ \\uXXXX \\UXXXXXXXX");
                return self.wrong(range, "there is no such escape", help);
            }
        };
        let end = self.at + 2 + digits;
        let code = self.text.get(self.at + 2..end);
        let valid = digits == 0
            || code.is_some_and(|code| {
                code.bytes().all(|b| b.is_ascii_hexdigit())
                    && u32::from_str_radix(code, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .is_some()
            });
        if !valid {
            let message = format!(
                "`\\{}` needs {digits} hexadecimal digits of a character",
                letter as char
            );
            return self.wrong(self.at..self.at + 2, &message, None);
        }
        self.at = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (Range<usize>, String) {
        let problem = scan(text).expect_err("something is wrong");
        (problem.range, problem.message)
    }

    #[test]
    fn good_text_passes() {
        for text in [
            "a = \"x ${b(\"}\")} $${c} %{ if a ~} y %{ endif }\"",
            "a = <<-EOT\n  x ${\"EOT\"} it's\n  EOTX\n  EOT\nb = 1 # it's\n/* ' */ // '\n",
            "a = <<A\nA\nb { c = [{ d = 1e3 }, 1.5, x.0.y] }",
            "a = <<A\r\nx\r\nA\r\n",
            "for_each = { for k, v in m : k => v... if v != \"\" }",
        ] {
            assert_eq!(scan(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn finds_the_place() {
        assert_eq!(place("a = 1\nb = \"x\n").0, 10..12);
        assert_eq!(place("a = {\n").0, 4..5);
        assert_eq!(place("a = [1}\n").1, "`]` is expected before this");
        assert_eq!(place("a = \"\\q\"").0, 5..7);
        assert_eq!(place("a = \"\\ud800\"").0, 5..7);
        assert_eq!(place("a = 1 + 1e400").0, 8..13);
        assert_eq!(place("a = 'x'").0, 4..5);
        assert_eq!(place("a = <<EOT\nx\n").0, 4..9);
        assert_eq!(place("a = }").0, 4..5);
        assert_eq!(place("/* x").0, 0..2);
    }

    /// What opens one more level around an expression, and what closes it.
    const LEVELS: &[(&str, &str)] = &[
        ("1 + 1 + (", ")"),
        ("a != \"\" && !(", ")"),
        ("a <= 1 || -(", ")"),
        ("1 * 2 / {b = ", "}"),
        ("1 % 2 > [for x in y : ", "]"),
        ("1 - 2 == x[", "]"),
        ("a < 1 && \"${", "}\""),
        ("a >= 1 && true ? (", ") : 1"),
        ("1 + 1 +\n(", ")"),
        ("{b = 1 + 1 +\n{c = ", "}}"),
        ("!x.y[", "]"),
        ("-(x)[0][", "]"),
    ];

    fn nested(levels: usize, with: (&str, &str), end: &str) -> String {
        let (open, close) = (with.0.repeat(levels), with.1.repeat(levels));
        format!("a = {open}1{end}{close}\n")
    }

    #[test]
    fn what_would_be_read_twice_at_every_level_is_refused() {
        for &level in LEVELS {
            // Without the bound, the parser would not come back from these.
            let problem = scan(&nested(40, level, " + 1 !")).expect_err(level.0);
            assert!(problem.certain, "{}", level.0);
            assert_eq!(problem.code, codes::TOO_DEEP);
            assert_eq!(scan(&nested(12, level, "")), Ok(()), "{}", level.0);
            let goes_on = level.0.contains('\n');
            let parsed = hcl_edit::parser::parse_body(&nested(12, level, ""));
            assert!(parsed.is_ok() || goes_on, "{}", level.0);
        }
        let place = |text: &str| scan(text).expect_err(text).range;
        assert_eq!(place(&nested(13, LEVELS[0], "")).start, 4 + 13 * 9 - 1);
    }

    #[test]
    fn operators_beside_each_other_are_no_levels() {
        for text in [
            // One operator at each level.
            &nested(40, ("1 + (", ")"), ""),
            // What looks like operators, and is none.
            &nested(40, ("x-y-z(", ")"), ""),
            &nested(40, ("!(", ")"), "b"),
            &nested(40, ("{ /* + + */ b = ", "}"), ""),
            // Other attributes and other items.
            &nested(40, ("[1 + 1 + 1, ", "]"), ""),
            &(("b {\n a = 1 + 1 + 1\n").repeat(40) + &"}\n".repeat(40)),
        ] {
            let found = scan(text);
            assert!(!found.is_err_and(|problem| problem.certain), "{text}");
        }
    }

    #[test]
    fn huge_objects_are_refused_and_huge_bodies_are_not() {
        let keys: String = (0..5000).map(|n| format!("k{n} = {n}\n")).collect();
        assert!(scan(&format!("a = {{\n{keys}}}")).is_err_and(|problem| problem.certain));
        assert_eq!(scan(&format!("block \"x\" {{\n{keys}}}")), Ok(()));
    }
}
