//! Whether all was judged that has to be: every configuration that changed has a verdict of the head, and none is red.
//! Pure. It only shows: a green gate is no evidence of anything.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::names::Commit;
use super::text::plain;
use super::verdict::{Judged, Verdict};
use crate::model::StackId;

/// The longest description of a status, in letters. Source: github.com/zalando/zappr/issues/378.
const DESCRIPTION: usize = 140;

/// Whether a configuration is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It is in the head.
    Present,
    /// It is in the base alone.
    Removed,
}

/// A configuration of base and head together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Its directory, from the root; `.` for that.
    pub directory: String,
    /// Its stack as NAME/ID; empty where its block does not say it in plain words.
    pub stack: String,
    /// Whether it is there.
    pub state: Presence,
    /// Whether anything of it differs between base and head, as far as files tell.
    pub changed: bool,
    /// What its job is called after it.
    pub name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    include: Vec<Configuration>,
}

/// Configurations as the matrix of a workflow: one line of JSON.
///
/// # Errors
/// A fragment, if a value has no JSON form; none is known to.
pub fn matrix(all: &[Configuration]) -> Result<String, String> {
    let include = all.to_vec();
    serde_json::to_string(&Matrix { include }).map_err(|error| error.to_string())
}

/// Reads the matrix.
///
/// # Errors
/// If it is none, or is empty: nothing to judge must never look as if all was judged.
pub fn expected(text: &str) -> Result<Vec<Configuration>, String> {
    let Matrix { include } = serde_json::from_str(text)
        .map_err(|error| format!("it is not what `rolecall configurations` prints: {error}"))?;
    match include.is_empty() {
        true => Err("it names no configuration".to_owned()),
        false => Ok(include),
    }
}

/// What the gate says of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its directory, as people may see it.
    pub directory: String,
    /// Whether it is in the way.
    pub red: bool,
    /// Why, or how it was judged; a fragment.
    pub says: String,
}

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Of each configuration, what is in the way first.
    pub lines: Vec<Line>,
    /// Whether all was judged, and nothing is in the way.
    pub green: bool,
    /// In one sentence of at most 140 letters.
    pub summary: String,
}

/// Decides. `all` asks for those too that did not change, `number` for verdicts of this request alone.
pub fn gate(
    expected: &[Configuration],
    found: &[Verdict],
    head: &Commit,
    number: Option<u64>,
    all: bool,
) -> Gate {
    let wanted = |one: &&Configuration| all || one.changed || one.state == Presence::Removed;
    let mut lines = Vec::new();
    let mut judged = 0;
    for one in expected.iter().filter(wanted) {
        judged += 1;
        lines.push(line(one, found, head, number));
    }
    for stray in found {
        if !expected.iter().any(|one| one.directory == stray.directory) {
            lines.push(Line {
                directory: plain(&stray.directory),
                red: true,
                says: "a verdict of what is no configuration".to_owned(),
            });
        }
    }
    lines.sort_by(|a, b| (!a.red, &a.directory).cmp(&(!b.red, &b.directory)));
    let green = !expected.is_empty() && lines.iter().all(|line| !line.red);
    let summary = match (green, judged) {
        (true, 0) => format!(
            "nothing to judge: {} configurations, none changed",
            expected.len()
        ),
        (true, _) => format!("all {judged} judged: {}", tally(&lines)),
        (false, _) => first_red(&lines),
    };
    Gate {
        lines,
        green,
        summary: short(&summary),
    }
}

fn line(one: &Configuration, found: &[Verdict], head: &Commit, number: Option<u64>) -> Line {
    let directory = plain(&one.directory);
    let mut own = found
        .iter()
        .filter(|verdict| verdict.directory == one.directory);
    let red = |says: String| Line {
        directory: directory.clone(),
        red: true,
        says,
    };
    let Some(verdict) = own.next() else {
        return red("no verdict: its plan failed, was cancelled, or never ran".to_owned());
    };
    if own.any(|other| (&other.digest, other.result) != (&verdict.digest, verdict.result)) {
        return red("two verdicts that differ".to_owned());
    }
    let of = StackId::to_string(&verdict.stack);
    if verdict.head != *head {
        return red(format!("the verdict is of {}", verdict.head.short()));
    }
    if number.is_some_and(|number| number != verdict.number) {
        return red(format!("the verdict is of request {}", verdict.number));
    }
    if !one.stack.is_empty() && one.stack != of {
        return red(format!("the verdict is of the stack {of}"));
    }
    let removed = one.state == Presence::Removed;
    match (verdict.result, removed) {
        (Judged::None | Judged::Changes, false) | (Judged::Removed, true) => Line {
            directory,
            red: false,
            says: verdict.result.to_string(),
        },
        (Judged::Owned, true) => {
            red("it is removed, and its accounts live: empty it first, or forget them".to_owned())
        }
        (Judged::Refused, false) => red("refused: the plan says by what".to_owned()),
        (_, true) => red("it is removed, and was not judged as that".to_owned()),
        (Judged::Removed | Judged::Owned, false) => {
            red("it is there, and was judged as removed".to_owned())
        }
    }
}

/// How many came to what.
fn tally(lines: &[Line]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match kinds.iter_mut().find(|(says, _)| *says == line.says) {
            Some((_, n)) => *n += 1,
            None => kinds.push((&line.says, 1)),
        }
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(says, n)| format!("{n} {says}"))
        .collect();
    kinds.join(", ")
}

fn first_red(lines: &[Line]) -> String {
    let red: Vec<&Line> = lines.iter().filter(|line| line.red).collect();
    let mut text = String::new();
    match red.first() {
        Some(first) => _ = write!(text, "{}: {}", first.directory, first.says),
        None => text.push_str("no configuration was expected"),
    }
    if red.len() > 1 {
        // What is cut is the first one's, never how many there are.
        let more = format!("; {} more", red.len() - 1);
        text = cut(&text, DESCRIPTION - more.chars().count());
        text.push_str(&more);
    }
    text
}

fn short(text: &str) -> String {
    cut(text, DESCRIPTION)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::{commit, digest, verdict};
    use super::*;

    fn configuration(directory: &str) -> Configuration {
        Configuration {
            directory: directory.to_owned(),
            stack: String::new(),
            state: Presence::Present,
            changed: true,
            name: directory.to_owned(),
        }
    }

    fn of(directory: &str, result: Judged) -> Verdict {
        Verdict {
            directory: directory.to_owned(),
            result,
            ..verdict()
        }
    }

    fn tell(expected: &[Configuration], found: &[Verdict]) -> Gate {
        gate(expected, found, &commit('a'), Some(7), false)
    }

    #[test]
    fn all_that_changed_has_to_be_judged() {
        let both = [configuration("a"), configuration("b")];
        let found = [of("a", Judged::None), of("b", Judged::Changes)];
        let told = tell(&both, &found);
        assert!(told.green, "{told:?}");
        assert_eq!(told.summary, "all 2 judged: 1 no changes, 1 changes");
        for lacking in [&found[..1], &[]] {
            let told = tell(&both, lacking);
            assert!(!told.green);
            assert!(told.summary.contains("no verdict"), "{told:?}");
        }
        let told = tell(&both, &[]);
        assert!(told.summary.ends_with("; 1 more"), "{told:?}");
    }

    #[test]
    fn nothing_expected_is_never_green_and_nothing_changed_is() {
        assert!(!tell(&[], &[]).green);
        assert!(expected("{\"include\":[]}").is_err());
        assert!(expected("").is_err());
        let mut same = [configuration("a"), configuration("b")];
        same.iter_mut().for_each(|one| one.changed = false);
        let told = tell(&same, &[]);
        assert_eq!(
            (told.green, told.summary.as_str()),
            (true, "nothing to judge: 2 configurations, none changed")
        );
        assert!(!gate(&same, &[], &commit('a'), None, true).green);
    }

    #[test]
    fn a_verdict_of_anything_else_leaves_the_gate_red() {
        let one = [configuration("a")];
        let good = of("a", Judged::Changes);
        let mut other_head = good.clone();
        other_head.head = commit('e');
        let mut other_number = good.clone();
        other_number.number = 8;
        let mut other_digest = good.clone();
        other_digest.digest = digest('e');
        for (found, why) in [
            (vec![of("a", Judged::Refused)], "refused"),
            (vec![of("a", Judged::Removed)], "judged as removed"),
            (vec![of("a", Judged::Owned)], "judged as removed"),
            (vec![other_head], "is of eeeeeeeeeeee"),
            (vec![other_number], "request 8"),
            (vec![good.clone(), other_digest], "two verdicts"),
            (
                vec![good.clone(), of("z", Judged::None)],
                "no configuration",
            ),
        ] {
            let told = tell(&one, &found);
            assert!(!told.green && told.summary.contains(why), "{told:?}");
        }
        assert!(tell(&one, &[good.clone(), good.clone()]).green);
        let mut named = [configuration("a")];
        named[0].stack = "other/k7m2q9ta".to_owned();
        assert!(!tell(&named, std::slice::from_ref(&good)).green);
        named[0].stack = good.stack.to_string();
        assert!(tell(&named, &[good]).green);
    }

    #[test]
    fn a_removed_configuration_is_red_until_nothing_of_it_lives() {
        let mut gone = [configuration("a")];
        gone[0].state = Presence::Removed;
        // Whether it changed is no question.
        gone[0].changed = false;
        for (result, green) in [
            (Judged::Removed, true),
            (Judged::Owned, false),
            (Judged::None, false),
            (Judged::Changes, false),
            (Judged::Refused, false),
        ] {
            assert_eq!(tell(&gone, &[of("a", result)]).green, green, "{result}");
        }
        assert!(!tell(&gone, &[]).green);
    }

    #[test]
    fn a_summary_fits_a_status_and_says_how_many_are_left_out() {
        let long = ["é", "ü"].map(|letter| configuration(&letter.repeat(300)));
        let told = tell(&long, &[]);
        assert!(told.summary.chars().count() <= DESCRIPTION);
        assert!(told.summary.ends_with("; 1 more"), "{}", told.summary);
    }

    #[test]
    fn the_matrix_is_read_as_it_is_written() {
        let all = [configuration("access/a"), configuration(".")];
        let text = matrix(&all).expect("JSON");
        assert!(text.starts_with("{\"include\":[{\"directory\":\"access/a\",\"stack\":\"\",\"state\":\"present\",\"changed\":true,"));
        assert_eq!(expected(&text), Ok(all.to_vec()));
    }
}
