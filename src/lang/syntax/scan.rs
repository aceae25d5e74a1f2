//! A look at the characters of a file before it is parsed.
//!
//! The parser tells no place for what is wrong inside a token, and takes long over huge objects;
//! this pass finds the place of the first and refuses the second.

use std::ops::Range;

/// The most keys of one object that is written out.
const MAX_KEYS: usize = 4096;

/// What the scan stumbled over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
    /// Whether it is an error even when the parser takes the file.
    pub(super) certain: bool,
}

enum Mode {
    /// Blocks and expressions; the bracket that ends them, and the keys seen when an object.
    Code {
        open: usize,
        close: u8,
        object: bool,
        keys: usize,
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
        before: 0,
    }
    .run()
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    modes: Vec<Mode>,
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
                    self.heredoc(&word);
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
            b' ' | b'\t' | b'\r' | b'\n' => {
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
                self.modes.push(Mode::Code {
                    open: self.at,
                    close,
                    object,
                    keys: 0,
                });
                self.at += 1;
            }
            b'}' | b']' | b')' => self.close(byte)?,
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

    fn heredoc(&mut self, word: &Range<usize>) {
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
                return;
            }
        }
        self.template();
    }

    /// Steps over one character of a template or enters an interpolation.
    fn template(&mut self) {
        if self.starts("$${") || self.starts("%%{") {
            self.at += 3;
        } else if self.starts("${") || self.starts("%{") {
            self.modes.push(Mode::Code {
                open: self.at,
                close: b'}',
                object: false,
                keys: 0,
            });
            self.at += 2;
            self.at += usize::from(self.bytes.get(self.at) == Some(&b'~'));
        } else {
            self.at = self.char_here().end;
        }
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
                });
            }
            b'\\' => self.escape()?,
            _ => self.template(),
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

    #[test]
    fn huge_objects_are_refused_and_huge_bodies_are_not() {
        let keys: String = (0..5000).map(|n| format!("k{n} = {n}\n")).collect();
        assert!(scan(&format!("a = {{\n{keys}}}")).is_err_and(|problem| problem.certain));
        assert_eq!(scan(&format!("block \"x\" {{\n{keys}}}")), Ok(()));
    }
}
