//! What a log says of each event: one JSON object a line. Pure: an event in, text out. No body, variable
//! or header of a request is in it, and no line of a configuration.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap};
use crate::forge::ForgeRequest;
use crate::platform::Exchange;
use crate::ports::{self, ErrorKind as Kind};
use crate::sinks::SinkRequest;
use crate::view::json::harmless;

use super::events::Event;
use super::failure::{Failure, Finding};
use super::options::Level;

/// The version of the lines' form.
const FORMAT: u8 = 1;
/// What a log begins with.
pub const HEAD: &[u8] = b"{\"rolecall_log\":";

type Field = (&'static str, Value);

/// One line: what there is nothing to say of is left out.
fn line(head: &[Field], fields: &[Field]) -> String {
    let fields = head.iter().chain(fields);
    let fields: Vec<String> = fields
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    harmless(&format!("{{{}}}", fields.join(",")))
}

/// The lines of something that happened, as a log of a level has them.
pub fn lines(event: Event<'_>, wanted: Level, now: Timestamp) -> Vec<String> {
    entries(event)
        .into_iter()
        .filter(|entry| entry.level <= wanted || matches!(event, Event::Began { .. }))
        .map(|entry| {
            let Entry {
                level,
                name,
                fields,
            } = entry;
            let mut head = Vec::new();
            if let Event::Began { .. } = event {
                // What a log begins with, whatever its level.
                head.push(("rolecall_log", json!(FORMAT)));
            }
            head.push(("time", json!(format!("{now:.3}"))));
            head.push(("level", json!(word(level))));
            head.push(("event", json!(name)));
            line(&head, &fields)
        })
        .collect()
}

struct Entry {
    level: Level,
    name: &'static str,
    fields: Vec<Field>,
}

impl Entry {
    fn of(level: Level, name: &'static str, fields: impl Into<Vec<Field>>) -> Self {
        let fields = fields.into();
        Self {
            level,
            name,
            fields,
        }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

fn entries(event: Event<'_>) -> Vec<Entry> {
    use Level::{Debug, Info, Warn};
    let one = match event {
        Event::Began { command } => Entry::of(
            Info,
            "began",
            [
                ("rolecall_version", json!(env!("CARGO_PKG_VERSION"))),
                ("command", json!(command)),
            ],
        ),
        Event::Request(exchange) => request(exchange),
        Event::SinkRequest(request) => sink_request(request),
        Event::HostRequest(request) => host_request(request),
        Event::Warning { message, help: _ } => {
            Entry::of(Warn, "warning", [("message", json!(message))])
        }
        Event::Found { found, sources } => return findings(found, sources),
        Event::Waiting(what) => Entry::of(Debug, "waiting", [("what", json!(what))]),
        Event::Note("") => return Vec::new(),
        Event::Note(text) => Entry::of(Debug, "note", [("text", json!(text))]),
        Event::LoggedIn {
            stack,
            endpoint,
            caller,
            dated: _,
        } => Entry::of(
            Info,
            "logged-in",
            [
                ("stack", json!(stack.to_string())),
                ("endpoint", json!(endpoint)),
                ("caller", json!(caller.mrn)),
            ],
        ),
        Event::LeftOut(moved) => Entry::of(Info, "left-out", [("changes", json!(moved.len()))]),
        Event::Rest(rest) => Entry::of(
            Info,
            "rest",
            [("done", json!(rest.done)), ("of", json!(rest.of))],
        ),
        Event::Planned(plan) => Entry::of(
            Info,
            "planned",
            [
                ("digest", json!(format!("sha256:{}", plan.digest()))),
                ("changes", json!(plan.changes.len())),
                ("blocked", json!(plan.blocked.len())),
                ("unread", json!(plan.annex.unread.len())),
            ],
        ),
        Event::Refused(refusals) => {
            let guards: Vec<&str> = refusals.iter().map(|refusal| refusal.guard).collect();
            Entry::of(Warn, "refused", [("guards", json!(guards))])
        }
        Event::SetAside {
            left_out,
            goes_on: _,
        } => Entry::of(Info, "set-aside", [("changes", json!(left_out.len()))]),
        Event::Checked(check) => Entry::of(
            Info,
            "checked",
            [
                ("drift", json!(check.drift.len())),
                ("needs_person", json!(check.needs_person.len())),
                ("unmanaged", json!(check.unmanaged.len())),
            ],
        ),
        Event::Applying(changes) => Entry::of(Info, "applying", [("changes", json!(changes))]),
        Event::Change(change) => of_change(change),
        Event::Applied(outcome) => {
            let counts = outcome.counts().into_iter();
            let counts: serde_json::Map<String, Value> = counts
                .map(|(result, n)| (result.name().to_owned(), json!(n)))
                .collect();
            Entry::of(
                Info,
                "applied",
                [
                    ("results", json!(counts)),
                    ("written", json!(outcome.written)),
                    ("interrupted", json!(outcome.interrupted)),
                ],
            )
        }
        Event::Undone { message, help: _ } => {
            Entry::of(Warn, "undone", [("message", json!(message))])
        }
        Event::Failed(failure) => return failed(failure),
        Event::Ended(exit) => Entry::of(
            Info,
            "ended",
            [
                ("exit_code", json!(exit.code())),
                ("exit", json!(exit.name())),
            ],
        ),
        // What is printed is kept by whoever wants it.
        Event::Result(_) | Event::Data(_) | Event::Rested => return Vec::new(),
    };
    vec![one]
}

fn request(exchange: &Exchange) -> Entry {
    let Exchange {
        operation,
        scope,
        attempt,
        status,
        request_id,
        took,
        error,
    } = exchange;
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Entry::of(
        Level::Info,
        "request",
        [
            ("operation", json!(operation)),
            ("scope", json!(scope.as_ref().map(ToString::to_string))),
            ("attempt", json!(attempt)),
            ("status", json!(status)),
            ("request_id", json!(request_id)),
            ("ms", json!(ms)),
            ("error", json!(error.map(kind))),
        ],
    )
}

fn sink_request(request: &SinkRequest) -> Entry {
    let SinkRequest {
        operation,
        host,
        attempt,
        status,
        took,
    } = request;
    elsewhere("sink-request", operation, host, (*attempt, *status), *took)
}

fn host_request(request: &ForgeRequest) -> Entry {
    let ForgeRequest {
        operation,
        host,
        attempt,
        status,
        took,
    } = request;
    elsewhere("host-request", operation, host, (*attempt, *status), *took)
}

/// A request to somebody else than the platform: the attempt with the status of its answer, and how long it took.
fn elsewhere(
    name: &'static str,
    operation: &str,
    host: &str,
    (attempt, status): (usize, Option<u16>),
    took: Duration,
) -> Entry {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Entry::of(
        Level::Info,
        name,
        [
            ("operation", json!(operation)),
            ("host", json!(host)),
            ("attempt", json!(attempt)),
            ("status", json!(status)),
            ("ms", json!(ms)),
        ],
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthenticated => "unauthenticated",
        Kind::PermissionDenied => "permission-denied",
        Kind::NotFound => "not-found",
        Kind::AlreadyExists => "already-exists",
        Kind::Invalid => "invalid",
        Kind::Aborted => "aborted",
        Kind::RateLimited => "rate-limited",
        Kind::Platform => "platform",
        Kind::Transport => "transport",
        Kind::Malformed => "malformed",
    }
}

fn of_change(change: &ports::Event) -> Entry {
    match change {
        ports::Event::Started { address, doing } => Entry::of(
            Level::Info,
            "change-started",
            [
                ("address", json!(address.to_string())),
                ("doing", json!(doing)),
            ],
        ),
        ports::Event::Note { address, message } => Entry::of(
            Level::Info,
            "change-noted",
            [
                ("address", json!(address.to_string())),
                ("message", json!(message)),
            ],
        ),
        ports::Event::Finished {
            address,
            result,
            how: _,
        } => Entry::of(
            Level::Info,
            "change-finished",
            [
                ("address", json!(address.to_string())),
                ("result", json!(result)),
            ],
        ),
    }
}

/// Findings with their place alone: what stands there may be anything.
fn findings(found: &Diagnostics, sources: &SourceMap) -> Vec<Entry> {
    let entry = |one: &Diagnostic| {
        let level = match one.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warn,
            Severity::Note => Level::Info,
        };
        Entry::of(
            level,
            "finding",
            [
                ("code", json!(one.code)),
                ("summary", json!(one.summary)),
                (
                    "place",
                    json!(one.span().map(|span| sources.describe(span))),
                ),
            ],
        )
    };
    found.iter().map(entry).collect()
}

fn failed(failure: &Failure) -> Vec<Entry> {
    let mut entries = Vec::new();
    for finding in failure.findings() {
        if let Finding::Found { found, sources } = finding {
            entries.extend(findings(found, sources));
        }
        if let Some((message, _)) = finding.error() {
            entries.push(Entry::of(
                Level::Error,
                "failed",
                [("message", json!(message))],
            ));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::cli::exit::Exit;
    use crate::model::Scope;

    const ALL: [Level; 4] = [Level::Error, Level::Warn, Level::Info, Level::Debug];

    fn told(event: Event<'_>, level: Level) -> Vec<String> {
        lines(
            event,
            level,
            "2026-11-23T12:00:00.5Z".parse().expect("a time"),
        )
    }

    #[test]
    fn a_request_is_one_line_of_what_may_be_told() {
        let scope = Scope::from_mrn("//captain.api.mondoo.app/spaces/amazing-hofstadter-175565");
        let answered = Exchange {
            operation: "SetRoles",
            scope,
            attempt: 2,
            status: Some(200),
            request_id: Some("r-1".to_owned()),
            took: Duration::from_millis(37),
            error: None,
        };
        let cut = Exchange {
            operation: "Viewer",
            scope: None,
            attempt: 1,
            status: None,
            request_id: None,
            took: Duration::ZERO,
            error: Some(Kind::Transport),
        };
        let refused = Exchange {
            status: Some(403),
            error: Some(Kind::PermissionDenied),
            ..cut.clone()
        };
        for (exchange, rest) in [
            (
                answered,
                r#""operation":"SetRoles","scope":"space amazing-hofstadter-175565","attempt":2,"status":200,"request_id":"r-1","ms":37}"#,
            ),
            (
                cut,
                r#""operation":"Viewer","attempt":1,"ms":0,"error":"transport"}"#,
            ),
            (
                refused,
                r#""operation":"Viewer","attempt":1,"status":403,"ms":0,"error":"permission-denied"}"#,
            ),
        ] {
            let head = r#"{"time":"2026-11-23T12:00:00.500Z","level":"info","event":"request","#;
            let all = told(Event::Request(&exchange), Level::Info);
            assert_eq!(all, [format!("{head}{rest}")]);
            assert!(told(Event::Request(&exchange), Level::Warn).is_empty());
        }
    }

    #[test]
    fn a_level_leaves_out_what_is_below_it_and_never_the_beginning() {
        let failure = Failure::usage("two plans").help("name one");
        let events = [
            (Event::Began { command: "plan" }, "began", 4),
            (Event::Failed(&failure), "failed", 4),
            (
                Event::Warning {
                    message: "careful",
                    help: &[],
                },
                "warning",
                3,
            ),
            (Event::Ended(Exit::Done), "ended", 2),
            (Event::Note("Platform  x"), "note", 1),
            (Event::Waiting("reading"), "waiting", 1),
            (Event::Result("a plan"), "", 0),
            (Event::Note(""), "", 0),
        ];
        for (event, name, in_levels) in events {
            let lines: Vec<String> = ALL.iter().flat_map(|level| told(event, *level)).collect();
            assert_eq!(lines.len(), in_levels, "{event:?}");
            for line in lines {
                let value: Value = serde_json::from_str(&line).expect("JSON");
                assert_eq!(value["event"], name);
                assert_eq!(value["rolecall_log"].is_u64(), name == "began");
                assert_eq!(line.as_bytes().starts_with(HEAD), name == "began");
            }
        }
    }

    #[test]
    fn what_would_act_where_a_log_is_shown_does_not() {
        for foreign in ["\u{1b}[31m", "a\nb", "\u{202e}x", "##[group]"] {
            let warning = Event::Warning {
                message: foreign,
                help: &[],
            };
            let lines = told(warning, Level::Warn);
            assert_eq!(lines.len(), 1);
            assert!(!lines[0].contains(foreign), "{}", lines[0]);
            assert_eq!(lines[0].lines().count(), 1);
            let value: Value = serde_json::from_str(&lines[0]).expect("JSON");
            assert_eq!(value["message"], foreign);
        }
    }
}
