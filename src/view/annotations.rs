//! A plan as annotations of a code host: at the line of the configuration that asks for what is done.
//! Pure. Source for the form and its escapes: "Workflow commands for GitHub Actions" in GitHub's documentation,
//! and `ActionCommand.cs` of actions/runner.

use crate::model::SourceRef;
use crate::plan::{Obstacle, Plan};
use crate::view::human::obstacle;
use crate::view::inert;
use crate::view::markdown::{Decision, Form};
use crate::view::review::{self, Entry, Kind, Section, entries, named, without_names};

/// How many of a level GitHub keeps of one step; the others are lost. Source: actions/toolkit#734.
const MOST: usize = 10;

/// One annotation.
struct Note {
    place: Option<SourceRef>,
    title: String,
    message: String,
}

/// The annotations of a plan for GitHub: its numbers and digest, an error for what refuses it, a warning for what
/// is grave. Each of them is one line; of each level there are as many as GitHub keeps, and the last one counts
/// the rest.
pub fn github(plan: &Plan, decision: Decision<'_>, form: &Form) -> String {
    let mut out = String::new();
    let digest = Note {
        place: None,
        title: "rolecall".to_owned(),
        message: format!("{} sha256:{}", review::summary(plan, true), plan.digest()),
    };
    push(&mut out, "notice", &digest);
    if form.numbers {
        return out;
    }
    let shown = |text: String| match form.look.all {
        true => text,
        false => without_names(&text),
    };
    let mut errors = Vec::new();
    match decision {
        Decision::Moved => errors.push(Note {
            place: None,
            title: "not what was reviewed".to_owned(),
            message: "something moved since the plan was reviewed; plan again".to_owned(),
        }),
        Decision::Guards(refusals) => {
            for refusal in refusals.iter().filter(|refusal| !refusal.apply_only) {
                let broken = refusal.broken.as_ref();
                let mut message = inert(&refusal.message);
                if let Some(broken) = broken.filter(|of| of.account.address.is_none())
                    && !form.look.all
                {
                    let whose = inert(&broken.account.shown());
                    message = message.replace(&whose, "an account that no stack manages");
                }
                errors.push(Note {
                    place: broken.and_then(|broken| broken.account.declared_at.clone()),
                    title: format!("refused by {}", refusal.guard),
                    message: shown(message),
                });
            }
        }
    }
    errors.extend(plan.blocked.iter().map(|blocked| {
        let (what, _) = obstacle::obstacle(blocked, plan);
        let unmanaged = matches!(blocked.block, Obstacle::Unmanaged { .. });
        let message = match unmanaged && !form.look.all {
            true => format!(
                "an account in {} that no stack manages",
                named(&blocked.scope, &plan.annex)
            ),
            false => format!("{}: {what}", obstacle::title(blocked)),
        };
        Note {
            place: blocked.declared_at.clone(),
            title: "in the way".to_owned(),
            message: shown(message),
        }
    }));
    level(&mut out, "error", errors);
    let all = entries(plan, form.look);
    let warnings = all.iter().filter(|entry| tells(entry)).map(|entry| {
        let flags: Vec<&str> = entry.flags.iter().map(|flag| flag.text.as_str()).collect();
        let power = entry.fields.iter().filter(|field| field.name == "power");
        let power = power
            .flat_map(|field| &field.values)
            .map(|value| format!("; {}", value.text));
        Note {
            place: place(entry, plan),
            title: format!("{} {}", entry.kind.verb(), flags.join(" "))
                .trim_end()
                .to_owned(),
            message: shown(format!(
                "{}: {}{}",
                entry.title,
                entry.what,
                power.collect::<String>()
            )),
        }
    });
    level(&mut out, "warning", warnings.collect());
    out
}

/// Whether an entry is worth a warning.
fn tells(entry: &Entry<'_>) -> bool {
    match entry.section {
        Section::Power | Section::Access | Section::Deleted => true,
        Section::Keys => matches!(entry.kind, Kind::Replace | Kind::Rotate),
        Section::Rest => false,
    }
}

/// Where an entry is declared, or was.
fn place(entry: &Entry<'_>, plan: &Plan) -> Option<SourceRef> {
    let declared = entry.changes.iter().flat_map(|change| &change.places);
    let past = entry.changes.iter().filter_map(|change| {
        let past = plan.annex.past.get(change.account.as_ref()?)?;
        past.declared.as_ref().map(|declared| &declared.place)
    });
    declared.chain(past).next().cloned()
}

/// As many as are kept, the last of which counts the rest.
fn level(out: &mut String, level: &str, mut notes: Vec<Note>) {
    if notes.len() > MOST {
        let more = notes.len() - (MOST - 1);
        notes.truncate(MOST - 1);
        notes.push(Note {
            place: None,
            title: "rolecall".to_owned(),
            message: format!("and {more} more; the plan has all of them"),
        });
    }
    notes.iter().for_each(|note| push(out, level, note));
}

fn push(out: &mut String, level: &str, note: &Note) {
    let Note {
        place,
        title,
        message,
    } = note;
    let mut properties = Vec::new();
    if let Some(SourceRef { file, line }) = place {
        properties.push(format!("file={}", property(&inert(file))));
        properties.push(format!("line={line}"));
    }
    properties.push(format!("title={}", property(&inert(title))));
    out.push_str(&format!(
        "::{level} {}::{}\n",
        properties.join(","),
        data(message)
    ));
}

/// What stands behind a command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
