//! What a comment shows whatever it is made of: a renderer of GitHub's dialect is asked.

use comrak::{Options, markdown_to_html};

use super::*;
use crate::model::{
    AccountState, Address, Caller, Limits, Meant, Mrn, Role, RoleSet, Scope, ScopeInfo, SpaceId,
    StackId, samples,
};
use crate::plan::{Action, Annex, Change, Contents, Difference, Plan, Reason};
use crate::policy::Refusal;
use crate::view::annotations;
use crate::view::human;
use crate::view::review::Look;

/// Texts that act somewhere.
fn hostile() -> Vec<String> {
    let text = std::fs::read_to_string("fixtures/hostile/texts.json").expect("there");
    serde_json::from_str(&text).expect("texts")
}

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

fn scope(n: usize) -> Scope {
    Scope::Space(SpaceId::new(format!("space-{n}")).expect("valid"))
}

fn roles(names: &[&str]) -> RoleSet {
    names.iter().map(|name| Role::new(name)).collect()
}

fn difference(address: Address, action: Action, state: AccountState) -> Difference {
    let gone = action == Action::Delete;
    Difference {
        account: gone.then(|| Mrn::new(format!("//agents.api.mondoo.app/{address}"))),
        address,
        generation: 1,
        action,
        reason: match gone {
            true => Reason::Undeclared,
            false => Reason::Declared,
        },
        scope: scope(1),
        before: gone.then(|| state.clone()),
        after: (!gone).then_some(state),
        marks: None,
        moved_from: None,
        deliver_to: Vec::new(),
        key_from: None,
        leaves: Vec::new(),
        predecessors: Vec::new(),
        places: Vec::new(),
    }
}

fn plan(changes: Vec<Difference>, annex: Annex) -> Plan {
    Contents {
        stack: stack(),
        endpoint: "https://us.api.mondoo.com".to_owned(),
        caller: Caller {
            mrn: Mrn::new("//agents.api.mondoo.app/me"),
            name: Some("ann@acme.example".to_owned()),
            binding: None,
        },
        declared: changes.len(),
        managed: changes.len(),
        sealed: true,
        limits: Limits::default(),
        policies: Vec::new(),
        meant: Meant::default(),
        changes: changes
            .into_iter()
            .map(|what| Change::of(what, &stack()))
            .collect(),
        blocked: Vec::new(),
        in_flight: Vec::new(),
        annex,
    }
    .settle()
}

/// A plan that has this text wherever a foreign text may stand.
fn filled(text: &str) -> Plan {
    let state = AccountState {
        description: Some(text.to_owned()),
        labels: [(text.to_owned(), text.to_owned())].into(),
        roles: roles(&["viewer", text]),
        ..samples::state(text)
    };
    let address = |name: &str| Address::new(name, Some(text.to_owned()));
    let mut new = difference(address("new"), Action::Create, state.clone());
    new.deliver_to = vec![samples::destination(text)];
    let mut unmanaged = difference(Address::new("x", None), Action::Delete, state.clone());
    unmanaged.reason = Reason::Unmanaged;
    let several = |n: usize| {
        let address = Address::new("several", Some(format!("{text}{n}")));
        difference(address, Action::Delete, state.clone())
    };
    let mut changes = vec![
        new,
        difference(address("gone"), Action::Delete, state.clone()),
        unmanaged,
    ];
    changes.extend((0..3).map(several));
    let annex = Annex {
        notes: vec![(address("new"), text.to_owned())],
        advice: vec![text.to_owned()],
        scopes: [(
            scope(1),
            ScopeInfo {
                name: text.to_owned(),
                organization: None,
            },
        )]
        .into(),
        ..Annex::default()
    };
    plan(changes, annex)
}

fn form(limit: usize, all: bool) -> Form {
    Form {
        look: Look { full: false, all },
        numbers: false,
        limit,
    }
}

/// HTML as GitHub makes it, with raw HTML as it stands there.
fn html(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.math_dollars = true;
    options.extension.alerts = true;
    options.render.r#unsafe = true;
    markdown_to_html(markdown, &options)
}

/// HTML without what stands in code: all that is left must be our own.
fn outside_of_code(html: &str) -> String {
    let code: regex::Regex = "(?s)<code[^>]*>.*?</code>".parse().expect("valid");
    code.replace_all(html, "").into_owned()
}

/// Holds a rendered comment to what no text may change.
fn holds(markdown: &str, plan: &Plan, what: &str) {
    let page = html(markdown);
    let own = outside_of_code(&page);
    let tags: regex::Regex = "<(/?)([a-z0-9]+)[^>]*>".parse().expect("valid");
    const OWN: [&str; 9] = [
        "h3", "h4", "p", "strong", "ul", "li", "details", "summary", "pre",
    ];
    for tag in tags.captures_iter(&own) {
        assert!(OWN.contains(&&tag[2]), "{what}: {}: {own}", &tag[0]);
        assert!(!tag[0].contains('='), "{what}: {}", &tag[0]);
    }
    for tag in ["details", "summary", "code", "li", "ul", "p"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        let closed = page.matches(&format!("</{tag}>")).count();
        assert_eq!(opened, closed, "{what}: {tag}: {page}");
    }
    for sign in ['@', '#', '!', '$', '|', '~', '\\', '`'] {
        assert!(!own.contains(sign), "{what}: {sign}: {own}");
    }
    for word in ["http", "www", "evil", "GH-", ":tada:"] {
        assert!(!own.contains(word), "{what}: {word}: {own}");
    }
    let digest = format!("Plan digest: sha256:{}", plan.digest());
    assert_eq!(own.matches(&digest).count(), 1, "{what}: {own}");
    assert_eq!(own.matches("Verdict: ").count(), 1, "{what}: {own}");
    for line in markdown.lines() {
        let line = line.trim_start();
        assert!(
            !line.starts_with("::") && !line.starts_with('/'),
            "{what}: {line}"
        );
        assert!(!line.contains("##["), "{what}: {line}");
    }
    let acts = |c: char| crate::diag::acts(c) && c != '\n';
    assert!(!markdown.contains(acts), "{what}: {markdown:?}");
}

#[test]
fn hostile_texts_are_shown_and_do_nothing() {
    for text in hostile() {
        let plan = filled(&text);
        for all in [false, true] {
            let body = body(&plan, Decision::Guards(&[]), &form(COMMENT, all));
            holds(&body, &plan, &text);
        }
        // They are there to be read: as a terminal shows them.
        let shown = crate::view::inert(&text);
        let body = body(&plan, Decision::Guards(&[]), &form(COMMENT, true));
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
        };
        if !shown.contains("``````````````````````") {
            let quoted = shown.replace('"', "\\\"");
            let page = html(&body);
            assert!(page.contains(&escaped(&quoted)), "{text:?}: {page}");
        }
        let annotated = annotations::github(&plan, Decision::Guards(&[]), &form(COMMENT, true));
        for line in annotated.lines() {
            let command = ["::notice ", "::warning ", "::error "];
            assert!(
                command.iter().any(|begin| line.starts_with(begin)),
                "{line}"
            );
            let (properties, _) = line[2..].split_once("::").expect("a command");
            assert!(!properties.contains(['\n', '\r']), "{line}");
            let (_, all) = properties.split_once(' ').expect("some");
            for property in all.split(',') {
                let name = property.split('=').next();
                assert!(matches!(name, Some("file" | "line" | "title")), "{line}");
            }
            assert!(!line.contains(crate::diag::acts), "{line:?}");
            assert!(!line.contains("##["), "{line}");
        }
        let told = human::plan(&plan);
        let told = anstream::adapter::strip_str(&told).to_string();
        assert!(
            !told.contains(|c: char| crate::diag::acts(c) && c != '\n'),
            "{told:?}"
        );
        assert!(
            !told.lines().any(|line| line.trim().starts_with("::")),
            "{told}"
        );
        for columns in [40, 80] {
            let told = human::plan_as(&plan, Look::OWN, Some(columns));
            let told = anstream::adapter::strip_str(&told).to_string();
            assert!(
                !told.lines().any(|line| line.trim().starts_with("::")),
                "{told}"
            );
        }
    }
}

/// A comment of all of them, for renderers of others: `scripts/markdown`.
#[test]
fn a_comment_of_hostile_texts_is_kept_for_renderers_of_others() {
    const FILE: &str = "fixtures/hostile/comment.md";
    let mut changes = Vec::new();
    for (n, text) in hostile().into_iter().enumerate() {
        let state = AccountState {
            description: Some(text.clone()),
            labels: [("text".to_owned(), text.clone())].into(),
            roles: roles(&["viewer"]),
            ..samples::state(&text)
        };
        let address = Address::new(format!("text_{n}"), Some(text));
        changes.push(difference(address, Action::Delete, state));
    }
    let plan = plan(changes, Annex::default());
    let page = body(&plan, Decision::Guards(&[]), &form(COMMENT, true));
    holds(&page, &plan, FILE);
    assert_eq!(shortened(&page), None);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(FILE, &page).expect("written");
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(kept == page, "UPDATE=1 cargo test renews {FILE}");
}

/// Many changes, some of which are grave.
fn many(n: usize, text: &str) -> Plan {
    let change = |i: usize| {
        let (name, action) = match i % 3 {
            0 => ("gone", Action::Delete),
            1 => ("new", Action::Create),
            _ => ("idle", Action::Create),
        };
        let state = AccountState {
            description: Some(format!("{text} {i}")),
            roles: match i % 3 {
                2 => RoleSet::new(),
                _ => roles(&["viewer"]),
            },
            ..samples::state(&format!("{text}-{i}"))
        };
        // Blocks of their own and instances.
        let address = match i % 2 {
            0 => Address::new(format!("{name}_{i}"), None),
            _ => Address::new(name, Some(format!("{text}-{i}"))),
        };
        difference(address, action, state)
    };
    plan((0..n).map(change).collect(), Annex::default())
}

/// What a body says of how much is shown, if anything is cut.
fn shortened(body: &str) -> Option<(usize, usize)> {
    let line = body.lines().find(|line| line.starts_with("Shortened: "))?;
    let mut numbers = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[test]
fn at_every_size_around_the_limit_details_close_and_no_entry_is_shown_in_half() {
    let nasty = "`|``</details>``` |";
    let plan = many(40, nasty);
    let whole = body(&plan, Decision::Guards(&[]), &form(1 << 20, false));
    assert_eq!(shortened(&whole), None);
    holds(&whole, &plan, "whole");
    let entries: Vec<&str> = whole.split("\n\n").collect();
    let mut seen = std::collections::BTreeSet::new();
    // What is reserved and not used in the end is taken off before.
    let limit = whole.len() + 4_500;
    for size in (limit - 9_950..=limit).rev().step_by(50) {
        let cut = body(&plan, Decision::Guards(&[]), &form(size, false));
        assert!(cut.len() <= size.max(LEAST), "{size}: {}", cut.len());
        holds(&cut, &plan, &format!("{size}"));
        if let Some((shown, of)) = shortened(&cut) {
            assert_eq!(of, 40);
            assert!(shown < 40);
            seen.insert(shown);
        }
        // Of whatever is shown in details all is: a paragraph or list of the whole one.
        let details: Vec<&str> = cut
            .split("<details><summary>Details</summary>\n")
            .skip(1)
            .filter_map(|rest| rest.split("\n</details>").next())
            .collect();
        for part in details.iter().flat_map(|text| text.split("\n\n")) {
            let part = part.trim_matches('\n');
            assert!(
                part.is_empty() || entries.iter().any(|entry| entry.contains(part)),
                "{size}: {part}"
            );
        }
    }
    assert!(seen.len() > 5, "sizes cut in different places: {seen:?}");
}

#[test]
fn byte_by_byte_nothing_is_longer_than_asked_for() {
    let plan = many(30, "監`|</details>😀");
    let whole = body(&plan, Decision::Guards(&[]), &form(1 << 20, false)).len();
    for size in (whole - 100..whole + 100).chain(LEAST - 5..LEAST + 5) {
        let cut = body(&plan, Decision::Guards(&[]), &form(size, false));
        assert!(cut.len() <= size.max(LEAST), "{size}");
        let page = html(&cut);
        let count = |text: &str| page.matches(text).count();
        assert_eq!(count("<details>"), count("</details>"), "{size}");
    }
}

/// How many changes a line of a part stands for.
fn counted(line: &str) -> usize {
    let number = |text: &str| text.split(' ').next().and_then(|word| word.parse().ok());
    if let Some(more) = line.strip_prefix("- and ") {
        return number(more).expect("a number");
    }
    match line.strip_prefix("- `service_account.") {
        Some(head) => head
            .split_once("`delete ")
            .map_or(0, |(_, rest)| number(rest).unwrap_or(1)),
        None => 0,
    }
}

#[test]
fn ten_thousand_changes_fit_and_what_is_grave_is_counted() {
    let started = std::time::Instant::now();
    for (n, text) in [(1, "x"), (300, "😀監視"), (10_000, "監視監視監視監視😀")] {
        let plan = many(n, text);
        for limit in [COMMENT, COMMENT - 400, STEP_SUMMARY, LEAST] {
            let text = body(&plan, Decision::Guards(&[]), &form(limit, false));
            assert!(text.len() <= limit, "{n} in {limit}: {}", text.len());
            assert!(text.chars().count() <= 65_536 || limit == STEP_SUMMARY);
            assert!(text.contains(plan.digest()));
            // Each part says how many it has, whatever of it is shown.
            let deleted = (0..n).filter(|i| i % 3 == 0).count();
            assert!(
                text.contains(&format!("#### Deleted: {deleted}\n")),
                "{n} in {limit}"
            );
            let (_, part) = text.split_once("#### Deleted: ").expect("there");
            let part = part.split("\n#### ").next().unwrap_or_default();
            assert_eq!(
                part.lines().map(counted).sum::<usize>(),
                deleted,
                "{n} in {limit}"
            );
        }
        let line = status(&plan, Decision::Guards(&[]), 140);
        assert!(line.chars().count() <= 140, "{line}");
        assert!(
            line.ends_with(&format!("[{}]", &plan.digest()[..12])),
            "{line}"
        );
    }
    // Not a measure of speed: what is quadratic takes minutes.
    assert!(started.elapsed().as_secs() < 600);
}

#[test]
fn instances_of_one_block_are_named_as_far_as_there_is_room() {
    let key = |i: usize| Address::new("ci", Some(format!("team-{i}")));
    let gone = |i: usize| difference(key(i), Action::Delete, samples::state("x"));
    let plan = plan((0..10_000).map(gone).collect(), Annex::default());
    let text = body(&plan, Decision::Guards(&[]), &form(COMMENT, false));
    assert!(text.len() <= COMMENT);
    assert!(
        text.len() > COMMENT - 2_000,
        "the room is used: {}",
        text.len()
    );
    assert!(text.contains("- `service_account.ci`: `delete 10000 [no roles], in space space-1`"));
    let named = text
        .lines()
        .find(|line| line.starts_with("  - instances: "))
        .expect("named");
    let (names, more) = named.rsplit_once(", and ").expect("counted");
    let more: usize = more.trim_end_matches(" more").parse().expect("a number");
    assert_eq!(names.matches("team-").count() + more, 10_000);
    assert_eq!(shortened(&text), Some((0, 10_000)));
}

#[test]
fn what_others_need_not_know_is_left_out_unless_all_is_shown() {
    let mut contents = filled("plain").into_contents();
    let own = samples::account(
        Mrn::new("//agents.api.mondoo.app/other"),
        scope(1),
        "legacy-admin",
    );
    contents.annex.left_alone.push(crate::plan::LeftAlone {
        account: own,
        stack: None,
    });
    contents.annex.notes.push((
        Address::new("new", None),
        "changed by ann@acme.example as //captain.api.mondoo.app/users/1".to_owned(),
    ));
    let plan = contents.settle();
    let secret = [
        "//agents.api.mondoo.app",
        "//captain.api.mondoo.app",
        "ann@acme.example",
        "legacy-admin",
        "credentials/",
    ];
    let few = body(&plan, Decision::Guards(&[]), &form(COMMENT, false));
    let all = body(&plan, Decision::Guards(&[]), &form(COMMENT, true));
    let annotated = annotations::github(&plan, Decision::Guards(&[]), &form(COMMENT, false));
    for word in secret {
        assert!(!few.contains(word), "{word}: {few}");
        assert!(!annotated.contains(word), "{word}: {annotated}");
        assert!(all.contains(word), "{word}: {all}");
    }
    let numbers = Form {
        numbers: true,
        ..form(COMMENT, false)
    };
    let least = body(&plan, Decision::Guards(&[]), &numbers);
    assert!(
        !least.contains("service_account") && !least.contains("plain"),
        "{least}"
    );
    assert!(
        least.contains(plan.digest()) && least.contains("to delete"),
        "{least}"
    );
    let annotated = annotations::github(&plan, Decision::Guards(&[]), &numbers);
    assert_eq!(annotated.lines().count(), 1, "{annotated}");
    assert!(!annotated.contains("service_account"), "{annotated}");
}

#[test]
fn a_status_says_the_verdict_first_and_never_loses_the_name_of_its_plan() {
    let refusal = |guard: &'static str| Refusal {
        guard,
        message: String::new(),
        help: String::new(),
        apply_only: false,
        broken: None,
    };
    let plan = many(9, "x");
    let name = &plan.digest()[..12];
    let says = |refusals: &[Refusal], most: usize| status(&plan, Decision::Guards(refusals), most);
    assert_eq!(
        says(&[], 140),
        format!("3 escalations, 3 to delete, 6 to create [{name}]")
    );
    assert_eq!(
        says(&[refusal("max-deletes"), refusal("max-deletes")], 140),
        format!("refused by max-deletes, 3 escalations, 3 to delete, 6 to create [{name}]")
    );
    let many = [
        "max-deletes",
        "max-escalations",
        "max-gained-grants",
        "min-owners",
    ]
    .map(refusal);
    let line = says(&many, 60);
    assert_eq!(
        line,
        format!("refused by 4 guards, 3 escalations, … [{name}]")
    );
    assert!(line.chars().count() <= 60);
    assert_eq!(
        status(&plan, Decision::Moved, 40),
        format!("not what was reviewed, … [{name}]")
    );
    for most in 60..200 {
        assert!(says(&many, most).chars().count() <= most);
    }
}

#[test]
fn annotations_stand_at_their_lines_and_the_last_one_counts_the_rest() {
    let place = |line: u32| crate::model::SourceRef {
        file: "a,b:c%.hcl".to_owned(),
        line,
    };
    let change = |i: u32| {
        let state = AccountState {
            roles: roles(&["viewer"]),
            ..samples::state("x")
        };
        let address = Address::new(format!("ci_{i}"), None);
        let mut what = difference(address, Action::Create, state);
        what.places = vec![place(i)];
        what
    };
    let of = |n: u32| {
        let plan = plan((1..=n).map(change).collect(), Annex::default());
        annotations::github(&plan, Decision::Guards(&[]), &form(COMMENT, false))
    };
    let few = of(2);
    assert!(
        few.contains(
            "::warning file=a%2Cb%3Ac%25.hcl,line=2,title=create ESCALATION::service_account.ci_2: "
        ),
        "{few}"
    );
    assert_eq!(of(10).matches("::warning ").count(), 10);
    let many = of(25);
    assert_eq!(many.matches("::warning ").count(), 10);
    assert!(many.contains("::and 16 more; "), "{many}");
    assert_eq!(many.matches("::notice ").count(), 1);
}
