//! What a program is asked, and what its answers mean: docs/sinks/exec.md.
//! Pure: values in, bytes out, and back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::credential_file;
use crate::model::{ExecAbility, ExecPlace};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::programs::ProgramEnd;

/// The version of the protocol.
pub(super) const PROTOCOL: u64 = 1;
/// The longest version or name of a file's worth, in bytes.
const LONGEST_VERSION: usize = 256;
/// It refuses, and nothing happened.
pub(super) const REFUSED: i32 = 10;
/// What is there is not what was expected, and nothing happened.
pub(super) const CONFLICT: i32 = 11;
/// Something may have happened.
pub(super) const UNKNOWN: i32 = 12;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// What the program can do.
    Abilities,
    /// What is there.
    Probe,
    /// Keep a key beside the place.
    Stage,
    /// Put a key there.
    Promote,
    /// Forget a key that is kept beside.
    Abandon,
    /// Take away what is there.
    Remove,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Abilities => "abilities",
            Self::Probe => "probe",
            Self::Stage => "stage",
            Self::Promote => "promote",
            Self::Abandon => "abandon",
            Self::Remove => "remove",
        }
    }

    /// For a log.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Abilities => "exec abilities",
            Self::Probe => "exec probe",
            Self::Stage => "exec stage",
            Self::Promote => "exec promote",
            Self::Abandon => "exec abandon",
            Self::Remove => "exec remove",
        }
    }

    /// Whether it changes something.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Self::Abilities | Self::Probe)
    }
}

/// What goes with a question, as far as it has it.
#[derive(Clone, Copy, Default)]
pub(super) struct With<'a> {
    /// The version that has to be there; nothing where nothing may be.
    pub(super) expect: Option<&'a str>,
    /// The account whose key it is.
    pub(super) account: Option<&'a str>,
    /// Names the key.
    pub(super) key: Option<&'a str>,
    /// The credential.
    pub(super) value: Option<&'a str>,
}

#[derive(Serialize)]
struct Request<'a> {
    protocol: u64,
    verb: &'static str,
    arguments: Vec<&'a str>,
    format: &'static str,
    expect: Option<&'a str>,
    account: Option<&'a str>,
    key: Option<&'a str>,
    value: Option<&'a str>,
}

/// The request, one line of JSON.
pub(super) fn request(verb: Verb, place: &ExecPlace, with: &With<'_>) -> Zeroizing<Vec<u8>> {
    let With {
        expect,
        account,
        key,
        value,
    } = *with;
    let mut arguments = vec![place.place.as_str()];
    arguments.extend(place.arguments.iter().map(String::as_str));
    // It never grows: what is left behind by that would not be zeroed. A byte takes six in JSON at most.
    let texts = [expect, account, key, value];
    let lengths = texts.iter().flatten().chain(&arguments);
    let room: usize = lengths.map(|text| 6 * text.len() + 8).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room + 512));
    let request = Request {
        protocol: PROTOCOL,
        verb: verb.as_str(),
        arguments,
        format: place.format.as_str(),
        expect,
        account,
        key,
        value,
    };
    // Texts can always be written.
    let _ = serde_json::to_writer(&mut *out, &request);
    out.push(b'\n');
    out
}

/// An answer. What is not said is not there.
#[derive(Deserialize)]
struct Answer<'a> {
    protocol: u64,
    #[serde(default)]
    abilities: Option<Vec<String>>,
    #[serde(borrow, default, deserialize_with = "said")]
    found: Option<Option<Held<'a>>>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
struct Held<'a> {
    version: String,
    // As it stands there: where serde_json takes it apart, a copy is left behind.
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

/// The text of a value; nothing where it is no text.
fn text(value: &RawValue) -> Option<Zeroizing<String>> {
    let raw = value.get();
    // What holds letters that no key has is none, and may be copied.
    let other = || serde_json::from_str(raw).ok().map(Zeroizing::new);
    credential_file::unescape(raw).or_else(other)
}

/// That nothing is there is another answer than none.
fn said<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<Held<'a>>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// What is at a place.
pub(super) struct Seen {
    /// Its version.
    pub(super) version: String,
    /// It itself, without the end of its last line; nothing where it cannot be read back.
    pub(super) value: Option<Zeroizing<String>>,
}

/// An answer that is none of this protocol.
pub(super) fn malformed(what: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Malformed,
        effect: Effect::None,
        message: what.to_owned(),
        help: None,
    }
}

fn read(answer: &[u8]) -> Result<Answer<'_>, SinkError> {
    // The version first: what comes with another one may look like anything.
    #[derive(Deserialize)]
    struct Versioned {
        protocol: u64,
    }
    let none = "its answer is no JSON object of the protocol";
    let versioned: Versioned = serde_json::from_slice(answer).map_err(|_| malformed(none))?;
    if versioned.protocol != PROTOCOL {
        return Err(SinkError {
            help: Some("use a program for that version".to_owned()),
            ..malformed(&format!(
                "it speaks version {} of the protocol, and rolecall version {PROTOCOL}",
                versioned.protocol
            ))
        });
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| malformed(none))?;
    debug_assert_eq!(answer.protocol, PROTOCOL, "it was looked at");
    Ok(answer)
}

/// The answer to what the program can do.
///
/// # Errors
/// If it is none.
pub(super) fn abilities(answer: &[u8]) -> Result<BTreeSet<ExecAbility>, SinkError> {
    let named = read(answer)?.abilities;
    let named = named.ok_or_else(|| malformed("its answer has no `abilities`"))?;
    let known = named.iter().map(|name| ExecAbility::named(name));
    let known: Option<BTreeSet<ExecAbility>> = known.collect();
    known.ok_or_else(|| malformed("it names an ability that there is not"))
}

/// The answer to what is at a place.
///
/// # Errors
/// If it is none.
pub(super) fn seen(answer: &[u8], reads: bool) -> Result<Option<Seen>, SinkError> {
    let found = read(answer)?.found;
    let Some(Held { version, value }) =
        found.ok_or_else(|| malformed("its answer has no `found`"))?
    else {
        return Ok(None);
    };
    let value = match (reads, value) {
        (true, None) => return Err(malformed("its answer has no `value`")),
        (true, Some(value)) => {
            let value = text(value).ok_or_else(|| malformed("its `value` is no text"))?;
            Some(Zeroizing::new(value.trim_end().to_owned()))
        }
        (false, _) => None,
    };
    Ok(Some(Seen {
        version: checked(version)?,
        value,
    }))
}

/// The answer to a write: the version that it made.
///
/// # Errors
/// If it is none.
pub(super) fn wrote(answer: &[u8]) -> Result<String, SinkError> {
    let version = read(answer)?.version;
    checked(version.ok_or_else(|| malformed("its answer has no `version`"))?)
}

/// The answer to what needs none.
///
/// # Errors
/// If it is none.
pub(super) fn done(answer: &[u8]) -> Result<(), SinkError> {
    read(answer).map(|_| ())
}

fn checked(version: String) -> Result<String, SinkError> {
    match (1..=LONGEST_VERSION).contains(&version.len()) && !version.contains(char::is_control) {
        true => Ok(version),
        false => Err(malformed("its answer has a version that is none")),
    }
}

/// What an end means that is not an answer; `None` where the answer counts.
pub(super) fn failure(end: &ProgramEnd, verb: Verb) -> Option<SinkError> {
    let maybe = match verb.writes() {
        true => Effect::Unknown,
        false => Effect::None,
    };
    let error = |kind, effect, message: String, help: Option<&str>| {
        Some(SinkError {
            kind,
            effect,
            message,
            help: help.map(str::to_owned),
        })
    };
    use SinkErrorKind::{Moved, Unavailable, Unfit};
    match end {
        ProgramEnd::Code(0) => None,
        ProgramEnd::NotStarted(why) => error(
            Unfit,
            Effect::None,
            format!("it was not started: {why}"),
            None,
        ),
        ProgramEnd::Code(REFUSED) => error(Unfit, Effect::None, "it refused".to_owned(), None),
        ProgramEnd::Code(CONFLICT) => error(
            Moved,
            Effect::None,
            "what is there is not what was seen before".to_owned(),
            Some("run again"),
        ),
        ProgramEnd::Code(UNKNOWN) => error(
            Unavailable,
            maybe,
            "it cannot tell what happened".to_owned(),
            None,
        ),
        ProgramEnd::Code(code) => {
            error(Unavailable, maybe, format!("its exit code is {code}"), None)
        }
        ProgramEnd::Signal(signal) => error(
            Unavailable,
            maybe,
            format!("signal {signal} ended it"),
            None,
        ),
        ProgramEnd::Late(limit) => error(
            Unavailable,
            maybe,
            format!(
                "it was killed, with all that it had started, since it had not ended in {} s",
                limit.as_secs()
            ),
            Some("--timeout SECONDS waits longer"),
        ),
        ProgramEnd::Flood => error(
            SinkErrorKind::Malformed,
            maybe,
            "it was killed, with all that it had started, since its answer has no end".to_owned(),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::CredentialFormat;

    fn place() -> ExecPlace {
        ExecPlace {
            program: "store-key".to_owned(),
            place: "ci".to_owned(),
            arguments: vec!["eu \"west\"".to_owned()],
            abilities: BTreeSet::new(),
            format: CredentialFormat::Base64,
        }
    }

    /// Programs of others are written by the page: a name that changes breaks them all.
    #[test]
    fn requests_are_those_of_the_page() {
        let probe = request(Verb::Probe, &place(), &With::default());
        let probe = String::from_utf8_lossy(&probe).into_owned();
        assert_eq!(
            probe,
            concat!(
                r#"{"protocol":1,"verb":"probe","arguments":["ci","eu \"west\""],"format":"base64","#,
                r#""expect":null,"account":null,"key":null,"value":null}"#,
                "\n"
            )
        );
        let with = With {
            expect: Some("v1"),
            account: Some("m"),
            key: Some("k"),
            value: Some("the\nvalue"),
        };
        let sent = request(Verb::Promote, &place(), &with);
        let sent = String::from_utf8_lossy(&sent).into_owned();
        assert!(sent.contains(r#""verb":"promote""#), "{sent}");
        let told = r#""expect":"v1","account":"m","key":"k","value":"the\nvalue"}"#;
        assert!(sent.ends_with(&format!("{told}\n")), "{sent}");
    }

    #[test]
    fn a_request_never_grows_while_it_is_written() {
        let value = "\u{1}".repeat(40_000);
        let with = With {
            value: Some(&value),
            ..With::default()
        };
        let sent = request(Verb::Promote, &place(), &with);
        let arguments: usize = ["ci", "eu \"west\""]
            .map(|text| 6 * text.len() + 8)
            .iter()
            .sum();
        assert_eq!(sent.capacity(), 6 * 40_000 + 8 + arguments + 512);
    }

    #[test]
    fn answers_of_another_protocol_or_of_none_are_told_from_each_other() {
        let told = |answer: &str| match seen(answer.as_bytes(), true) {
            Ok(Some(seen)) => format!("{} {:?}", seen.version, seen.value.as_deref()),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        let none = "its answer is no JSON object of the protocol";
        for (answer, expected) in [
            (r#"{"protocol":1,"found":null}"#, "nothing"),
            (
                r#"{"protocol":1,"found":{"version":"7","value":"x\n"},"more":1}"#,
                "7 Some(\"x\")",
            ),
            (r#"{"protocol":1}"#, "its answer has no `found`"),
            (
                r#"{"protocol":1,"found":{"version":"7"}}"#,
                "its answer has no `value`",
            ),
            (
                r#"{"protocol":1,"found":{"version":"7","value":9}}"#,
                "its `value` is no text",
            ),
            (
                r#"{"protocol":1,"found":{"version":"7","value":"\ud83d\ude00 \n"}}"#,
                "7 Some(\"😀\")",
            ),
            (
                r#"{"protocol":1,"found":{"version":"","value":"x"}}"#,
                "its answer has a version that is none",
            ),
            (
                r#"{"protocol":1,"found":{"version":"a\nb","value":"x"}}"#,
                "its answer has a version that is none",
            ),
            (
                r#"{"protocol":2,"there":7}"#,
                "it speaks version 2 of the protocol, and rolecall version 1; use a program for that version",
            ),
            ("", none),
            ("hello", none),
            ("[]", none),
            (r#"{"found":null}"#, none),
            (r#"{"protocol":"1","found":null}"#, none),
            (r#"{"protocol":1,"found":null} {}"#, none),
            (r#"{"protocol":1,"found":7}"#, none),
        ] {
            assert_eq!(told(answer), expected, "{answer}");
        }
        // What cannot be read back is not, whatever a program tells of it.
        let blind = seen(
            br#"{"protocol":1,"found":{"version":"7","value":"x"}}"#,
            false,
        );
        assert!(
            blind
                .ok()
                .flatten()
                .is_some_and(|seen| seen.value.is_none())
        );
    }

    #[test]
    fn only_what_a_program_says_of_itself_is_sure_to_have_changed_nothing() {
        let late = ProgramEnd::Late(Duration::from_secs(3));
        for (end, kind, sure) in [
            (
                ProgramEnd::NotStarted(String::new()),
                SinkErrorKind::Unfit,
                true,
            ),
            (ProgramEnd::Code(10), SinkErrorKind::Unfit, true),
            (ProgramEnd::Code(11), SinkErrorKind::Moved, true),
            (ProgramEnd::Code(12), SinkErrorKind::Unavailable, false),
            (ProgramEnd::Code(1), SinkErrorKind::Unavailable, false),
            (ProgramEnd::Code(127), SinkErrorKind::Unavailable, false),
            (ProgramEnd::Signal(9), SinkErrorKind::Unavailable, false),
            (late, SinkErrorKind::Unavailable, false),
            (ProgramEnd::Flood, SinkErrorKind::Malformed, false),
        ] {
            for verb in [Verb::Stage, Verb::Promote, Verb::Abandon, Verb::Remove] {
                let error = failure(&end, verb).expect("failed");
                let effect = match sure {
                    true => Effect::None,
                    false => Effect::Unknown,
                };
                assert_eq!((error.kind, error.effect), (kind, effect), "{end:?}");
            }
            let error = failure(&end, Verb::Probe).expect("failed");
            assert_eq!(error.effect, Effect::None, "{end:?}");
        }
        assert!(failure(&ProgramEnd::Code(0), Verb::Promote).is_none());
    }
}
