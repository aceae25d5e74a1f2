//! YAML as the files of other tools are written in it: a tree of texts, lists and maps, with lines.
//! Pure; the scanning is a library's, and its words are never shown, since errors repeat no source.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use zeroize::Zeroizing;

/// The longest document that is read, in bytes: a credential takes a hundredth of it.
const MAX_BYTES: usize = 1024 * 1024;
/// The most texts, lists and maps in a document, keys among them.
const MAX_NODES: usize = 10_000;
/// The deepest nesting read.
const MAX_DEPTH: usize = 32;

const NOT_YAML: &str = "is not YAML";
const NO_PAIR: &str = "is not `key: value`";
const TOO_DEEP: &str = "is nested deeper than is read";
const NO_DECORATION: &str = "uses an anchor, alias or tag";

/// Why a text is not read: a fragment that names a line and repeats nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    message: String,
}

fn refuse<T>(line: usize, why: &str) -> Result<T, YamlError> {
    Err(YamlError {
        message: format!("line {line} {why}"),
    })
}

/// What a document holds at one place, and the line that it begins in.
pub struct Node {
    /// The line, from one.
    pub line: usize,
    /// What stands there.
    pub content: Content,
}

/// The members of a map in the order of the document.
pub type Members = Vec<(Zeroizing<String>, Node)>;

/// What a document can hold. Texts have no types: `yes`, `1.10` and `0o7` are what is written there.
pub enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// A text in any style, zeroed when it is dropped.
    Text(Zeroizing<String>),
    /// A list.
    List(Vec<Node>),
    /// A map, whose keys are texts of which no two are equal.
    Map(Members),
}

/// Reads the one document of a text by YAML 1.2; `None` if it holds nothing.
///
/// Refuses what a file that holds a credential does without: anchors, aliases and tags, folded
/// texts, a key twice, a second document, and more than `MAX_BYTES`, `MAX_NODES` or
/// `MAX_DEPTH`. Where nothing can be repeated, nothing can grow when it is read.
///
/// # Errors
/// If it is not YAML or holds what is refused; names the line.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(YamlError {
            message: format!("it is longer than {} KiB", MAX_BYTES / 1024),
        });
    }
    // The library takes it for the end, and would leave out what follows.
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return refuse(line, "holds the character NUL");
    }
    let mut reader = Reader {
        text,
        events: Parser::new_from_str(text),
        nodes: 0,
    };
    let mut found = None;
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok(found),
            (event, span) => {
                let node = reader.node(event, span, 0)?;
                if matches!(node.content, Content::Null) {
                    continue;
                }
                if found.is_some() {
                    return refuse(
                        node.line,
                        "begins a second document, and only one can be read",
                    );
                }
                found = Some(node);
            }
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => self.not_yaml(&error),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let line = span.start.line();
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return refuse(line, "has more values before it than are read");
        }
        if depth > MAX_DEPTH {
            return refuse(line, TOO_DEEP);
        }
        let decorated = match &event {
            Event::Alias(_) => true,
            Event::Scalar(_, _, anchor, tag) => *anchor != 0 || tag.is_some(),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                *anchor != 0 || tag.is_some()
            }
            _ => false,
        };
        if decorated {
            return refuse(line, NO_DECORATION);
        }
        let content = match event {
            Event::Scalar(text, style, _, _) => {
                let text = Zeroizing::new(text.into_owned());
                match style {
                    ScalarStyle::Folded => {
                        return refuse(
                            self.folded_at(line),
                            "uses a folded text (`>`), which rolecall does not read; use `|`",
                        );
                    }
                    ScalarStyle::Plain if is_null(&text) => Content::Null,
                    _ => Content::Text(text),
                }
            }
            Event::SequenceStart(..) => Content::List(self.list(depth)?),
            Event::MappingStart(..) => Content::Map(self.map(depth)?),
            _ => return refuse(line, NOT_YAML),
        };
        Ok(Node { line, content })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Members, YamlError> {
        let mut members = Members::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(members);
            }
            let key = self.node(event, span, depth + 1)?;
            let name = match key.content {
                Content::Text(text) => text,
                Content::Null => Zeroizing::default(),
                Content::List(_) | Content::Map(_) => {
                    return refuse(key.line, "has a list or a map for a key");
                }
            };
            if members.iter().any(|(known, _)| *known == name) {
                return refuse(key.line, "gives a key that its map already has");
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            members.push((name, value));
        }
    }
}

impl Reader<'_> {
    /// What is wrong, in own words: the library's may hold a letter of the source.
    fn not_yaml<T>(&self, error: &ScanError) -> Result<T, YamlError> {
        let (line, column) = (error.marker().line(), error.marker().col());
        let says = |words: &str| error.info().contains(words);
        if says("tab")
            && let Some(line) = self.tab_after(line)
        {
            return refuse(line, "is indented with a tab");
        }
        if says("simple key") {
            return refuse(self.written_before(line, column), NO_PAIR);
        }
        if says("flow sequence") || says("flow mapping") || says("node content") {
            let why = "stands in brackets that are not closed, or lacks a comma there";
            return refuse(self.written_before(line, column), why);
        }
        let why = if says("unknown anchor") {
            NO_DECORATION
        } else if says("escape") {
            "has a quoted text with an unknown escape"
        } else if says("trailing content") {
            "has something after a quoted text"
        } else if says("quoted scalar") {
            "has a quoted text that does not end there"
        } else if says("unexpected character") {
            "has a value that begins with a letter which YAML keeps for itself; put it in quotes"
        } else if says("mapping values are not allowed") {
            "has a `: ` too many; mend the indent, or put a value that holds one in quotes"
        } else if says("block sequence entries are not allowed") {
            "is a list where a key is expected"
        } else if says("did not find expected key") {
            "is no `key: value` at the indent of those before it"
        } else if says("recursion limit") {
            TOO_DEEP
        } else {
            NOT_YAML
        };
        refuse(line, why)
    }

    /// The first line from this one on that is indented with a tab.
    fn tab_after(&self, line: usize) -> Option<usize> {
        let indented = |line: &str| {
            let text = line.trim_start();
            line[..line.len() - text.len()].contains('\t')
        };
        let mut lines = self.text.lines().enumerate().skip(line - 1);
        lines.find(|(_, line)| indented(line)).map(|(at, _)| at + 1)
    }

    /// The last line that something stands in before a place: the library sees only there that
    /// something is missing.
    fn written_before(&self, line: usize, column: usize) -> usize {
        let written = |line: &str| !matches!(line.trim_start().chars().next(), None | Some('#'));
        let before = if column == 0 { line - 1 } else { line };
        let lines: Vec<&str> = self.text.lines().take(before).collect();
        lines.iter().rposition(|line| written(line)).unwrap_or(0) + 1
    }

    /// The line of the `>` whose text begins in this line.
    fn folded_at(&self, line: usize) -> usize {
        let lines: Vec<&str> = self.text.lines().take(line - 1).collect();
        lines
            .iter()
            .rposition(|line| line.contains('>'))
            .unwrap_or(0)
            + 1
    }
}

/// What YAML's core schema takes for nothing.
fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// As the oracle writes it, but for lines.
    fn tree(node: &Node) -> Value {
        match &node.content {
            Content::Null => Value::Null,
            Content::Text(text) => json!({"text": **text}),
            Content::List(items) => json!({"list": items.iter().map(tree).collect::<Vec<_>>()}),
            Content::Map(members) => {
                let pair = |(key, node): &(Zeroizing<String>, Node)| {
                    // A key that is nothing is the empty text here.
                    let key = match key.as_str() {
                        "" => Value::Null,
                        key => json!({"text": key}),
                    };
                    json!([key, tree(node)])
                };
                json!({"map": members.iter().map(pair).collect::<Vec<_>>()})
            }
        }
    }

    fn why(text: &str) -> String {
        match parse(text) {
            Ok(_) => panic!("read: {text:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// `fixtures/yaml/oracle.go` tells how it was made.
    #[test]
    fn the_library_of_mondoos_own_tools_reads_the_same() {
        const ORACLE: &str = include_str!("../../../fixtures/yaml/oracle.jsonl");
        // What is YAML, and no file that holds a credential needs.
        let declined = [
            "uses an anchor, alias or tag",
            "uses a folded text",
            "begins a second document",
            "has a list or a map for a key",
        ];
        // What they refuse: an escape of JSON, and a key that is nothing.
        let only_here = [
            "a: \"\\\"\\\\\\/\\b\\t\\r\\x41\\u00e9\\U0001F600\\0\\e\\_\"\n",
            ": b\n",
        ];
        // Its last line has no end, and gets one here.
        let other = ["a: |\n  x"];
        let (mut read, mut refused) = (0, 0);
        for line in ORACLE.lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            let text = case["text"].as_str().expect("a text");
            let theirs = case["documents"].as_array().expect("a list");
            let theirs: Vec<&Value> = theirs.iter().filter(|one| !one.is_null()).collect();
            match parse(text) {
                Ok(ours) => {
                    let both = case["refused"] == false || only_here.contains(&text);
                    assert!(both, "{text:?} is refused there");
                    let empty = json!({"text": ""}).to_string();
                    let alike =
                        |one: &Value| one.to_string().replace(&format!("[{empty},"), "[null,");
                    let theirs: Vec<String> = theirs.into_iter().map(alike).collect();
                    let ours: Vec<String> = ours.iter().map(tree).map(|one| alike(&one)).collect();
                    if case["refused"] == false && !other.contains(&text) {
                        assert_eq!(ours, theirs, "{text:?}");
                    }
                    read += 1;
                }
                Err(error) => {
                    let known = case["refused"] == true
                        || declined.iter().any(|why| error.message.contains(why));
                    assert!(known, "{text:?}: {error}");
                    refused += 1;
                }
            }
        }
        assert!(read > 250 && refused > 30, "{read} and {refused}");
    }

    #[test]
    fn what_is_refused_is_named_by_its_line_and_never_repeated() {
        for (text, line, hint) in [
            ("a: x\nsecret-without-colon\n", 2, "not `key: value`"),
            ("a: x\n\n# c\nsecret\n\n\n", 4, "not `key: value`"),
            ("a: x\n\tsecret: 1\n", 2, "a tab"),
            ("a: x\nb: \"secret\n", 2, "does not end there"),
            ("a: x\nb: 'secret\nc: d\n", 2, "does not end there"),
            ("a: x\nb: \"secret\\q\"\n", 2, "unknown escape"),
            ("a: x\nb: \"secret\" secret\n", 2, "after a quoted text"),
            ("a: x\nb: &anchor secret\n", 2, "anchor"),
            ("a: x\nb: &secret [c]\n", 2, "anchor"),
            ("a: x\nb: *secret\n", 2, "alias"),
            ("a: x\nb: !secret c\n", 2, "tag"),
            ("a: x\nb: !!secret\n  c: d\n", 2, "tag"),
            ("a: x\nb: >\n  secret\n", 2, "folded"),
            ("a: x\nb: >-\n\n\n  secret\n", 2, "folded"),
            ("a: x\n  secret: 1\n", 2, "`: ` too many"),
            ("a: x\nb: c: secret\n", 2, "`: ` too many"),
            ("a: x\nb: @secret\n", 2, "keeps for itself"),
            ("a: x\nb: - secret\n", 2, "list"),
            ("a: x\n- secret\n", 2, "indent"),
            ("a: x\nb: [secret\n", 2, "brackets"),
            ("a: x\nb: {secret: [\n\n", 2, "brackets"),
            ("a: x\nb: [\"c\" secret]\n", 2, "after a quoted text"),
            ("a: x\n}secret\n", 2, "not YAML"),
            ("a: x\nsecret: 1\nsecret: 2\n", 3, "already has"),
            ("a:\n  secret: 1\n  \"secret\": 2\n", 3, "already has"),
            ("a: x\n? [secret]\n: b\n", 2, "for a key"),
            ("a: x\n---\nsecret: 1\n", 3, "second document"),
            ("a: x\n...\nsecret: 1\n", 3, "second document"),
            ("a: x\nb: sec\0ret\n", 2, "NUL"),
        ] {
            let why = why(text);
            let place = format!("line {line} ");
            assert!(
                why.starts_with(&place) && why.contains(hint),
                "{text:?}: {why}"
            );
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_text_has_no_type_and_only_nothing_is_nothing() {
        for plain in [
            "yes",
            "No",
            "on",
            "0o7",
            "007",
            "0x1F",
            "1.10",
            "1e3",
            ".inf",
            "2026-01-01",
            "12:30",
        ] {
            let node = parse(&format!("a: {plain}\n"))
                .expect("read")
                .expect("a map");
            assert_eq!(
                tree(&node),
                json!({"map": [[{"text": "a"}, {"text": plain}]]})
            );
        }
        for nothing in ["", "~", "null", "Null", "NULL"] {
            let node = parse(&format!("a: {nothing}\n"))
                .expect("read")
                .expect("a map");
            assert_eq!(tree(&node), json!({"map": [[{"text": "a"}, null]]}));
            let quoted = parse(&format!("a: '{nothing}'\n"))
                .expect("read")
                .expect("a map");
            assert_eq!(
                tree(&quoted),
                json!({"map": [[{"text": "a"}, {"text": nothing}]]})
            );
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_grows() {
        let list = |items: usize| format!("[{}]", "a,".repeat(items));
        assert!(parse(&list(MAX_NODES - 1)).is_ok());
        assert!(why(&list(MAX_NODES)).contains("more values"));
        let pairs: String = (0..MAX_NODES).map(|at| format!("k{at}: v\n")).collect();
        assert!(why(&pairs).contains("more values"));
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            let deep = |levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
            assert!(parse(&deep(MAX_DEPTH)).is_ok(), "{open}");
            for levels in [MAX_DEPTH + 2, 300, 200_000] {
                assert!(why(&deep(levels)).contains("deeper"), "{open} {levels}");
            }
        }
        let indented: String = (0..200)
            .map(|at| format!("{}a:\n", " ".repeat(at)))
            .collect();
        assert!(why(&indented).contains("deeper"));
        assert!(why(&"- ".repeat(400)).contains("deeper"));
        assert!(why(&" ".repeat(MAX_BYTES + 1)).contains("1024 KiB"));
        let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
        assert!(why(laughs).starts_with("line 1 uses an anchor"));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            "b: ",
            "- ",
            "\n",
            "\n  ",
            "\n    ",
            "\t",
            "'",
            "\"",
            "\\",
            "|",
            ">",
            "|-\n",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "#",
            " #",
            "&x ",
            "*x",
            "!",
            "!!str ",
            "? ",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "\r\n",
            "\u{85}",
            "\u{feff}",
            "\0",
            "é",
            "@",
            "~",
            "null",
            "<<: ",
            "s3cr3t",
            "s3cr3t: ",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_is_read_nothing_panics_or_is_repeated_and_every_line_is_there(text in pieces()) {
            fn lines(node: &Node, most: usize) {
                assert!((1..=most).contains(&node.line), "line {} of {most}", node.line);
                match &node.content {
                    Content::Null | Content::Text(_) => {}
                    Content::List(items) => items.iter().for_each(|item| lines(item, most)),
                    Content::Map(members) => members.iter().for_each(|(_, node)| lines(node, most)),
                }
            }
            let most = text.split(['\n', '\r']).count() + 1;
            match parse(&text) {
                Ok(found) => found.iter().for_each(|node| lines(node, most)),
                Err(error) => {
                    prop_assert!(!error.message.contains("s3cr3t"), "{}", error);
                    let number = error.message.strip_prefix("line ").and_then(|rest| rest.split(' ').next());
                    let line: usize = number.and_then(|number| number.parse().ok()).expect("a line");
                    prop_assert!((1..=most).contains(&line), "{}", error);
                }
            }
        }

        #[test]
        fn a_quoted_text_comes_back_whole(text in r#"\PC{0,20}[\t\n\r \x{85}\x{2028}\x{feff}\x01"'\\:#-]{0,20}"#) {
            let quoted = serde_json::to_string(&text).expect("JSON");
            let node = parse(&format!("a: {quoted}\n")).expect("read").expect("a map");
            prop_assert_eq!(tree(&node), json!({"map": [[{"text": "a"}, {"text": text}]]}));
        }
    }
}
