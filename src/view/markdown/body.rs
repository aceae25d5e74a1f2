//! A plan as the text of a comment: what is never left out first, then as much as has room, the grave before
//! the rest.
//! Pure.

use super::code::code;
use super::form::{Decision, Form, LEAST};
use super::parts::{details, head, instances, left_out, moves, objections, obstacles, remarks};
use super::room::Room;
use crate::plan::Plan;
use crate::view::human::keys::receiving_in_short;
use crate::view::review::{self, Entry, Look, Section, entries, owners};

/// What stands around the details of a part.
const OPENS: &str = "\n<details><summary>Details</summary>\n";
const CLOSES: &str = "\n</details>\n";
/// The most that a line takes which counts what is left out.
const COUNTED: usize = 700;

/// A plan as Markdown, in so many bytes as the form has at most.
pub fn body(plan: &Plan, decision: Decision<'_>, form: &Form) -> String {
    let Form {
        look,
        numbers,
        limit,
    } = *form;
    let all = entries(plan, look);
    let mut out = top(plan, decision);
    if numbers {
        return out;
    }
    // Whether anything is cut is known in the end.
    let shortened = |shown: usize| {
        format!(
            "\nShortened: {shown} of {} changes are shown with all details.\n",
            plan.changes.len()
        )
    };
    let mut parts: Vec<Part<'_, '_>> = Section::ALL
        .into_iter()
        .filter_map(|section| Part::of(section, &all, look))
        .collect();
    let fixed: usize = parts.iter().map(|part| part.title().len() + COUNTED).sum();
    let lists = Lists::of(plan, decision, look);
    let fixed = fixed + out.len() + shortened(plan.changes.len()).len() + lists.fixed();
    let mut room = Room::of(limit.max(LEAST).saturating_sub(fixed));
    let mut lists = lists.fill_first(&mut room);
    for part in parts.iter_mut().filter(|part| part.section.is_grave()) {
        part.heads(&mut room);
    }
    for part in parts.iter_mut().filter(|part| part.section.is_grave()) {
        part.details(&mut room);
    }
    let without = parts.iter().filter(|part| part.section.is_grave());
    let mut without: usize = without.map(Part::without_details).sum();
    for part in parts.iter_mut().filter(|part| part.section.is_grave()) {
        part.names(&mut room, &mut without);
    }
    for part in parts.iter_mut().filter(|part| !part.section.is_grave()) {
        part.heads(&mut room);
        part.details(&mut room);
    }
    lists.fill_rest(&mut room);
    let shown: usize = parts.iter().map(Part::shown).sum();
    if shown < plan.changes.len() || lists.is_cut() {
        out.push_str(&shortened(shown));
    }
    lists.first(&mut out);
    for part in &parts {
        part.put(&mut out);
    }
    lists.rest(&mut out);
    out
}

/// What stands above all else, and is never left out.
fn top(plan: &Plan, decision: Decision<'_>) -> String {
    let mut out = format!("### Plan of {}\n\n", code(&plan.stack.to_string()));
    if plan.endpoint == "local" {
        out.push_str("Against the embedded platform, not Mondoo.\n\n");
    }
    out.push_str(&format!("**{}**\n\n", review::summary(plan, true)));
    match owners(plan) {
        0 => {}
        n => out.push_str(&format!("Owners: {} about an owner.\n\n", told(n))),
    }
    out.push_str(&format!("Verdict: {}\n\n", verdict(decision)));
    out.push_str(&format!("Plan digest: sha256:{}\n", plan.digest()));
    out
}

fn told(changes: usize) -> String {
    match changes {
        1 => "1 change is".to_owned(),
        n => format!("{n} changes are"),
    }
}

fn verdict(decision: Decision<'_>) -> String {
    let Decision::Guards(refusals) = decision else {
        return "**not what was reviewed**; something moved since.".to_owned();
    };
    let by = |apply_only: bool| {
        let of = refusals
            .iter()
            .filter(|refusal| refusal.apply_only == apply_only);
        let mut guards: Vec<&str> = of.map(|refusal| refusal.guard).collect();
        guards.sort_unstable();
        guards.dedup();
        guards.join(", ")
    };
    match (by(false), by(true)) {
        (now, later) if now.is_empty() && later.is_empty() => "no guard objects.".to_owned(),
        (now, later) if now.is_empty() => format!("apply will be refused by {later}."),
        (now, later) if later.is_empty() => format!("**refused** by {now}."),
        (now, later) => format!("**refused** by {now}; apply also by {later}."),
    }
}

/// One part of the plan, and how much of it is shown.
struct Part<'a, 'p> {
    section: Section,
    entries: Vec<&'a Entry<'p>>,
    look: Look,
    /// Of each entry its line, if it is shown.
    heads: Vec<Option<String>>,
    /// Of each entry its details, if they are shown.
    details: Vec<Option<String>>,
    /// Of each entry some of its instances, where its details are not shown.
    names: Vec<Option<String>>,
}

impl<'a, 'p> Part<'a, 'p> {
    fn of(section: Section, all: &'a [Entry<'p>], look: Look) -> Option<Self> {
        let entries: Vec<&Entry<'p>> = all.iter().filter(|e| e.section == section).collect();
        let none = vec![None; entries.len()];
        (!entries.is_empty()).then(|| Self {
            section,
            heads: none.clone(),
            details: none.clone(),
            names: none,
            entries,
            look,
        })
    }

    fn title(&self) -> String {
        let changes: usize = self.entries.iter().map(|entry| entry.changes.len()).sum();
        format!("\n#### {}: {changes}\n\n", self.section.title())
    }

    /// Shows as many lines as there is room for.
    fn heads(&mut self, room: &mut Room) {
        // Owners are named as long as anything is.
        for owners in [true, false] {
            for (entry, place) in self.entries.iter().zip(&mut self.heads) {
                let owner = entry.changes.iter().any(|change| change.privilege.owner);
                if owner == owners {
                    let line = head(entry, self.look);
                    *place = room.take(line.len()).then_some(line);
                }
            }
        }
    }

    /// Shows as many details as there is room for, of entries that have a line.
    fn details(&mut self, room: &mut Room) {
        let mut opened = false;
        let shown = self.entries.iter().zip(&self.heads).zip(&mut self.details);
        for ((entry, line), place) in shown {
            if line.is_none() || entry.fields.is_empty() {
                continue;
            }
            let text = details(entry, self.look);
            let around = if opened {
                0
            } else {
                OPENS.len() + CLOSES.len()
            };
            if room.take(text.len() + around) {
                opened = true;
                *place = Some(text);
            }
        }
    }

    /// How many entries of several instances have no details.
    fn without_details(&self) -> usize {
        let all = self.entries.iter().zip(&self.heads).zip(&self.details);
        let without = all.filter(|((entry, line), details)| {
            entry.changes.len() > 1 && line.is_some() && details.is_none()
        });
        without.count()
    }

    /// Names instances of entries without details, each in its share of the room that is left. `entries` are
    /// those that are still to be named.
    fn names(&mut self, room: &mut Room, entries: &mut usize) {
        for (n, entry) in self.entries.iter().enumerate() {
            let lacks =
                entry.changes.len() > 1 && self.heads[n].is_some() && self.details[n].is_none();
            if !lacks {
                continue;
            }
            let share = room.left() / (*entries).max(1);
            *entries = entries.saturating_sub(1);
            let line = instances(entry, share);
            if !line.is_empty() && room.take(line.len()) {
                self.names[n] = Some(line);
            }
        }
    }

    /// How many changes are shown with all that there is to say of them.
    fn shown(&self) -> usize {
        let all = self.entries.iter().zip(&self.heads).zip(&self.details);
        let whole = all.filter(|((entry, line), details)| {
            details.is_some() || (line.is_some() && entry.fields.is_empty())
        });
        whole.map(|((entry, _), _)| entry.changes.len()).sum()
    }

    fn put(&self, out: &mut String) {
        out.push_str(&self.title());
        let mut hidden = Vec::new();
        for (n, entry) in self.entries.iter().enumerate() {
            match &self.heads[n] {
                Some(line) => out.push_str(line),
                None => hidden.push(*entry),
            }
            if let Some(names) = &self.names[n] {
                out.push_str(names);
            }
        }
        if !hidden.is_empty() {
            out.push_str(&bounded(left_out(&hidden), &hidden));
        }
        if self.details.iter().any(Option::is_some) {
            out.push_str(OPENS);
            self.details
                .iter()
                .flatten()
                .for_each(|text| out.push_str(text));
            out.push_str(CLOSES);
        }
    }
}

/// The line that counts what is left out, or a shorter one where names of blocks are long.
fn bounded(line: String, hidden: &[&Entry<'_>]) -> String {
    if line.len() <= COUNTED {
        return line;
    }
    let n: usize = hidden.iter().map(|entry| entry.changes.len()).sum();
    format!("- and {n} more\n")
}

/// Lists around the changes: objections and obstacles before them, remarks behind.
struct Lists {
    first: Vec<List>,
    rest: Vec<List>,
    /// Blocks to copy.
    moves: Option<String>,
}

/// A heading and its lines, of which so many are shown.
struct List {
    title: String,
    lines: Vec<String>,
    shown: usize,
}

impl List {
    fn new(title: &str, lines: Vec<String>) -> Option<Self> {
        let title = format!("\n#### {title}: {}\n\n", lines.len());
        (!lines.is_empty()).then_some(Self {
            title,
            lines,
            shown: 0,
        })
    }

    fn fill(&mut self, room: &mut Room) {
        let fits = |line: &&String| room.take(line.len());
        self.shown = self.lines.iter().take_while(fits).count();
    }

    fn put(&self, out: &mut String) {
        out.push_str(&self.title);
        self.lines[..self.shown]
            .iter()
            .for_each(|line| out.push_str(line));
        match self.lines.len() - self.shown {
            0 => {}
            more => out.push_str(&format!("- and {more} more\n")),
        }
    }
}

impl Lists {
    fn of(plan: &Plan, decision: Decision<'_>, look: Look) -> Self {
        let objections = match decision {
            Decision::Guards(refusals) => objections(refusals, look),
            Decision::Moved => Vec::new(),
        };
        let first = [
            List::new("Objections of guards", objections),
            List::new("In the way", obstacles(plan, look)),
        ];
        let stores = receiving_in_short(plan);
        let stores = stores
            .iter()
            .map(|store| format!("- {}\n", code(store)))
            .collect();
        let rest = std::iter::once(List::new("Stores that receive keys", stores)).chain(
            remarks(plan, look)
                .into_iter()
                .map(|(title, lines)| List::new(title, lines)),
        );
        Self {
            first: first.into_iter().flatten().collect(),
            rest: rest.flatten().collect(),
            moves: moves(plan),
        }
    }

    /// What headings and counts take, whatever is shown below them.
    fn fixed(&self) -> usize {
        const MORE: usize = "- and 18446744073709551615 more\n".len();
        let all = self.first.iter().chain(&self.rest);
        all.map(|list| list.title.len() + MORE).sum()
    }

    fn fill_first(mut self, room: &mut Room) -> Self {
        // Whatever stands in the way, what the plan does has the other half.
        let mut half = Room::of(room.left() / 2);
        let before = half.left();
        self.first.iter_mut().for_each(|list| list.fill(&mut half));
        room.take(before - half.left());
        // Who sees a deletion must see that it need not be one.
        self.moves = self.moves.filter(|text| room.take(text.len()));
        self
    }

    fn fill_rest(&mut self, room: &mut Room) {
        self.rest.iter_mut().for_each(|list| list.fill(room));
    }

    fn is_cut(&self) -> bool {
        let all = self.first.iter().chain(&self.rest);
        all.into_iter().any(|list| list.shown < list.lines.len())
    }

    fn first(&self, out: &mut String) {
        self.first.iter().for_each(|list| list.put(out));
    }

    fn rest(&self, out: &mut String) {
        if let Some(moves) = &self.moves {
            out.push_str(moves);
        }
        self.rest.iter().for_each(|list| list.put(out));
    }
}
