//! Plans as reviewers see them: on a terminal of 80 columns, in Markdown, in a summary, as annotations.

mod company;

use std::fs;

use rolecall_standins::git::WorkTree;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::formats::schema;
use crate::stage::{HEAD, Stage};

const PLAN: [&str; 2] = ["plan", "access"];

/// Accounts of one block, one for each key, and what else its block says.
fn each(name: &str, keys: &[&str], roles: &str, rest: &str) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    format!(
        "service_account \"{name}\" {{\n  for_each = toset([{}])\n  scope    = space.payments\n  \
         name     = \"{name}-${{each.key}}\"\n  roles    = {roles}\n{rest}\n  credential {{\n    \
         deliver_to = [sink.file.local]\n  }}\n}}\n\n",
        keys.join(", ")
    )
}

/// Runs, and gives exit code, standard output and standard error.
fn said(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = stage.command(arguments).output().expect("runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_numbers_come_first_and_instances_that_change_alike_are_one_entry() {
    let mut stage = Stage::small();
    let keys = ["team-10", "team-9", "team-1"];
    stage.configure(&(each("ci", &keys, "[\"agent\"]", "") + &each("idle", &["x"], "[]", "")));
    let (code, text, _) = said(&stage, &PLAN);
    assert_eq!(code, Some(0), "{text}");
    let first = text.lines().next().unwrap_or_default();
    assert_eq!(
        first,
        "Plan: 4 to create; 4 escalations; 0 accounts as declared."
    );
    assert!(
        text.lines()
            .last()
            .unwrap_or_default()
            .starts_with("Plan digest: sha256:")
    );
    has(
        &text,
        &[
            "  + service_account.ci: create 3 [agent], in space payments (amazing-hofstadter-175565)  ESCALATION\n",
            "      instances    team-1, team-9, team-10\n",
            "      key goes to  a file on the machine that applies, kept there: sink.file.local, 3 places\n",
            "      power        each can report scan results there\n",
            "  + service_account.idle[\"x\"]: create [no roles], in space payments",
            "--full shows each",
        ],
    );
    let (_, full, _) = said(&stage, &["plan", "--full", "access"]);
    let at = |key: &str| full.find(&format!("service_account.ci[\"{key}\"]: create [agent]"));
    assert!(
        at("team-1") < at("team-9") && at("team-9") < at("team-10"),
        "{full}"
    );
    assert!(
        at("team-1").is_some() && !full.contains("create 3"),
        "{full}"
    );
    // One digest for all of them.
    let digest = |text: &str| text.lines().last().map(str::to_owned);
    assert_eq!(digest(&text), digest(&full));
}

#[test]
fn what_differs_is_no_part_of_an_entry_of_others() {
    let mut stage = Stage::small();
    let keys = ["a", "b", "c", "d"];
    let roles = "each.key == \"b\" ? [\"agent\", \"viewer\"] : [\"agent\"]";
    stage.configure(&each("ci", &keys, "[\"agent\"]", ""));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    let described = "  description = each.key == \"c\" ? \"said\" : null\n";
    stage.configure(&each("ci", &keys, roles, described));
    let (_, text, _) = said(&stage, &PLAN);
    has(
        &text,
        &[
            "Plan: 1 to update, 1 to update permissions; 1 escalation; 2 accounts as declared.",
            "  ~ service_account.ci[\"b\"]: update permissions [+viewer], in space payments",
            "  ~ service_account.ci[\"c\"]: update, in space payments",
        ],
    );
}

/// A plan that counts a replacement as an update, or hides it, is approved by mistake.
#[test]
fn replacements_are_counted_by_themselves_wherever_a_plan_is_counted() {
    let mut stage = Stage::small();
    let keys: Vec<String> = (1..=24).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let until = |year: u32| format!("  valid_until = \"{year}-01-01T00:00:00Z\"\n");
    let limits =
        "limits {\n  max_rotations = 100\n  max_escalations = 100\n  max_gained_grants = 1000\n}\n";
    let with = |until: &str, said: &str| {
        limits.to_owned()
            + &each("ci", &keys, "[\"agent\"]", until)
            + &each("more", &["x", "y"], "[\"viewer\"]", said)
    };
    stage.configure(&with(&until(2098), ""));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&with(&until(2097), "  description = \"said\"\n"));
    let plan = [
        "plan",
        "--json-out",
        "plan.json",
        "--markdown",
        "plan.md",
        "access",
    ];
    let (code, text, _) = said(&stage, &plan);
    assert_eq!(code, Some(0), "{text}");
    has(
        &text,
        &[
            "Plan: 2 to update, 24 to replace;",
            "  ± service_account.ci: replace 24 [agent], in space payments",
            "      instances    k1, k2, k3,",
            "the next generation takes the place of the one before",
        ],
    );
    let before = text.find("service_account.more").expect("there");
    assert!(
        text.find("replace 24").expect("there") < before,
        "what is grave stands first"
    );
    let document = fs::read_to_string(stage.path("plan.json")).expect("written");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    schema::check(&document);
    let summary = &document["plan"]["summary"];
    assert_eq!(
        (&summary["replace"], &summary["rotate"]),
        (&24.into(), &0.into())
    );
    assert_eq!(
        (&summary["update"], &summary["rename"]),
        (&2.into(), &0.into())
    );
    let page = fs::read_to_string(stage.path("plan.md")).expect("written");
    has(
        &page,
        &[
            "**Plan: 2 to update, 24 to replace;",
            "- `service_account.ci`: `replace 24 [agent], in space payments",
            "instances: `k1, k2, k3,",
        ],
    );
}

#[test]
fn what_goes_says_when_it_was_used_how_old_it_is_and_where_it_was() {
    let stage = &mut Stage::small();
    let mut tree = WorkTree::init(stage.dir.path());
    let both =
        each("ci", &["a", "b"], "[\"viewer\"]", "") + &each("old", &["x"], "[\"viewer\"]", "");
    stage.configure(&both);
    let first = tree.commit_folder("access");
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&(String::from("\n\n") + &each("ci", &["a"], "[\"agent\"]", "")));
    tree.commit_folder("access");
    let (code, text, _) = said(stage, &PLAN);
    assert_eq!(code, Some(0), "{text}");
    let line = |text: &str, of: &str| {
        let lines = text.lines().position(|line| line.contains(of));
        u32::try_from(lines.expect("there") + 1).expect("a line")
    };
    let whole = HEAD.to_owned() + &both;
    let was = format!(
        "      was at       access/main.hcl:{}, in commit {}\n",
        line(&whole, "service_account \"old\""),
        &first[..12]
    );
    let now = fs::read_to_string(stage.path("access/main.hcl")).expect("there");
    let is = format!(
        "      was at       access/main.hcl:{}, its block as it is now\n",
        line(&now, "service_account \"ci\"")
    );
    has(
        &text,
        &[
            "  - service_account.old[\"x\"]: delete [viewer], in space payments",
            &was,
            "  - service_account.ci[\"b\"]: delete [viewer]",
            &is,
            "      until now    never used, as far as the platform tells; created within the hour\n",
            // A role that goes is missed as well.
            "  ~ service_account.ci[\"a\"]: update permissions [+agent, -viewer]",
        ],
    );
    assert_eq!(text.matches("until now").count(), 3, "{text}");
    // What a plan file keeps of that is apart from what the digest covers.
    assert_eq!(stage.run(&["plan", "--out", "plan.json", "access"]), 0);
    let (_, shown, _) = said(stage, &["show", "plan.json"]);
    let (covered, _) = shown.split_once("Shown in addition").expect("apart");
    assert!(
        !covered.contains("until now") && !covered.contains("was at"),
        "{shown}"
    );
}

#[test]
fn an_instance_that_has_only_got_another_key_is_told_the_block_that_keeps_it() {
    let mut stage = Stage::small();
    let with = |keys: &[&str]| each("ci", keys, "[\"viewer\"]", "");
    stage.configure(&with(&["prod", "staging"]));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&with(&["production", "staging"]));
    let (_, text, _) = said(&stage, &PLAN);
    let block = text
        .lines()
        .filter_map(|line| line.strip_prefix("  =   "))
        .fold(String::new(), |all, line| all + line + "\n");
    let expected = "moved {\n  from = service_account.ci[\"prod\"]\n  to   = \
                    service_account.ci[\"production\"]\n}\n";
    assert_eq!(block, expected, "{text}");
    // It does what is said of it.
    stage.configure(&(with(&["production", "staging"]) + &block));
    let (_, text, _) = said(&stage, &PLAN);
    assert!(text.starts_with("Plan: 1 to move"), "{text}");
    assert!(!text.contains("to delete"), "{text}");
}

#[test]
fn lines_fit_the_columns_and_break_between_words_alone() {
    let mut stage = Stage::new();
    let described = "  description = \"Reads the findings of every space for the monthly report of the \
                     team, and for nobody else\"\n";
    stage.configure(&each(
        "ci",
        &["監視", "b", "c"],
        "[\"agent\", \"viewer\"]",
        described,
    ));
    let wide = said(&stage, &PLAN).1;
    for columns in [40, 60, 80, 120] {
        let mut command = stage.command(&PLAN);
        command.env("COLUMNS", columns.to_string());
        let output = command.output().expect("runs");
        let text = String::from_utf8(output.stdout).expect("text");
        for line in text.lines().filter(|line| line.width() > columns) {
            // A word that is wider than a line has one for itself; the digest is one word and its name.
            let words = line.split_whitespace().count();
            assert!(
                words <= 2 || line.starts_with("Plan digest: "),
                "{columns}: {line}"
            );
        }
        assert!(
            text.split_whitespace().eq(wide.split_whitespace()),
            "{columns}: {text}"
        );
    }
}

#[test]
fn a_refused_plan_is_shown_whole_with_what_is_to_be_acknowledged() {
    let mut stage = Stage::small();
    let keys: Vec<String> = (1..=42).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let boss = "service_account \"boss\" {\n  scope = organization.acme\n  name  = \"boss\"\n  roles = \
                [\"owner\"]\n\n  credential {\n    deliver_to = [sink.file.local]\n  }\n}\n";
    let limits = "limits {\n  max_escalations = 100\n  max_gained_grants = 1000\n  max_revoked_grants = \
                  1000\n  max_delete_percent = 90\n  min_owners = 0\n}\n";
    stage.configure(&(limits.to_owned() + &each("ci", &keys, "[\"viewer\"]", "") + boss));
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 0);
    stage.configure(&(limits.to_owned() + &each("ci", &keys[..28], "[\"viewer\"]", "")));
    let plan = [
        "plan",
        "--format",
        "markdown",
        "--json-out",
        "plan.json",
        "access",
    ];
    let (code, page, _) = said(&stage, &plan);
    assert_eq!(code, Some(3), "{page}");
    let document = fs::read_to_string(stage.path("plan.json")).expect("written");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let digest = document["plan"]["digest"].as_str().expect("a digest");
    let plain = digest.trim_start_matches("sha256:");
    has(
        &page,
        &[
            "**Plan: 15 to delete;",
            "Verdict: **refused** by max-deletes.",
            "- refused by **max-deletes**: `The plan deletes 15 accounts, and the limit is 10.`",
            &format!("--ack max-deletes={plain}"),
            &format!("Plan digest: {digest}"),
            "#### Deleted: 15",
            "- `service_account.boss`: `delete [owner], in organization Acme Corp (acme-corp-883120)` reduction **OWNER**",
            "- `service_account.ci`: `delete 14 [viewer], in space payments",
            "- instances: `k29, k30, k31, k32, k33, k34, k35, k36, k37, k38, k39, k40, k41, k42`",
        ],
    );
    let dumped =
        |stage: &Stage| serde_json::to_value(stage.app.dump().expect("a dump")).expect("JSON");
    let before = dumped(&stage);
    assert_eq!(stage.run(&["apply", "--yes", "access"]), 3);
    assert_eq!(
        stage.run(&[
            "apply",
            "--yes",
            "--ack",
            &format!("max-deletes={}", "0".repeat(64)),
            "access"
        ]),
        3
    );
    assert_eq!(dumped(&stage), before, "nothing is written");
    let ack = format!("max-deletes={plain}");
    let apply = ["apply", "--yes", "--ack", &ack, "--digest", plain, "access"];
    assert_eq!(stage.run(&apply), 0);
}

#[test]
fn all_forms_come_of_one_plan_and_the_summary_of_a_step_has_its_own_limit() {
    let mut stage = Stage::small();
    stage.configure(&each("ci", &["a", "b"], "[\"viewer\"]", ""));
    let files = ["plan.md", "step.md", "notes"].map(|name| stage.path(name));
    fs::write(&files[1], "before\n").expect("written");
    let arguments = [
        "plan",
        "--markdown",
        "plan.md",
        "--step-summary",
        "step.md",
        "--annotations",
        "github",
        "--annotations-file",
        "notes",
        "access",
    ];
    let asked = stage.front.seen().len();
    let (code, text, _) = said(&stage, &["plan", "access"]);
    assert_eq!(code, Some(0));
    let once = stage.front.seen().len() - asked;
    let (code, same, _) = said(&stage, &arguments);
    assert_eq!((code, &same), (Some(0), &text));
    assert_eq!(
        stage.front.seen().len() - asked,
        2 * once,
        "one pass over the API"
    );
    let read = |n: usize| fs::read_to_string(&files[n]).expect("written");
    let (page, step, notes) = (read(0), read(1), read(2));
    assert_eq!(step, format!("before\n\n{page}\n"));
    has(
        &page,
        &[
            "Verdict: no guard objects.",
            "- `service_account.ci`: `create 2 [viewer]",
        ],
    );
    has(
        &notes,
        &[
            "::notice title=rolecall::Plan: 2 to create; 2 escalations;",
            "::warning file=access/main.hcl,line=",
            ",title=create ESCALATION::service_account.ci: create 2 [viewer], in space payments",
        ],
    );
    // On standard output they stand behind the plan, and beside a document on standard error.
    let annotated = [&arguments[..1], &["--annotations", "github", "access"]].concat();
    let (_, out, _) = said(&stage, &annotated);
    assert_eq!(out, text.clone() + &notes);
    let beside = [
        &arguments[..1],
        &["--annotations", "github", "--format", "markdown", "access"],
    ]
    .concat();
    let (_, out, err) = said(&stage, &beside);
    assert_eq!(out, page);
    assert!(err.contains(notes.trim_end()), "{err}");
    // A summary that is full takes no more, and says so.
    fs::write(&files[1], "x".repeat((1 << 20) - 3_000)).expect("written");
    let (code, _, err) = said(&stage, &["plan", "--step-summary", "step.md", "access"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the summary of this step is full"), "{err}");
    assert_eq!(read(1).len(), (1 << 20) - 3_000);
    fs::write(&files[1], "x".repeat((1 << 20) - 6_500)).expect("written");
    assert_eq!(
        said(&stage, &["plan", "--step-summary", "step.md", "access"]).0,
        Some(0)
    );
    let full = read(1);
    assert!(
        full.len() <= 1 << 20 && full.contains("Plan digest: "),
        "{}",
        full.len()
    );
}

#[test]
fn others_see_no_more_than_they_need_and_everybody_only_numbers() {
    let mut stage = Stage::new();
    stage.configure(&each("ci", &["a"], "[\"viewer\"]", ""));
    let page = said(&stage, &["plan", "--format", "markdown", "access"]).1;
    let all = said(
        &stage,
        &["plan", "--format", "markdown", "--show-all", "access"],
    )
    .1;
    for word in ["legacy-admin", "credentials/"] {
        assert!(!page.contains(word), "{word}: {page}");
        assert!(all.contains(word), "{word}: {all}");
    }
    has(&page, &["sink.file.local"]);
    for format in ["human", "markdown"] {
        let (code, text, _) = said(
            &stage,
            &["plan", "--counts-only", "--format", format, "access"],
        );
        assert_eq!(code, Some(0));
        has(
            &text,
            &["Plan: 1 to create; 1 escalation", "Plan digest: sha256:"],
        );
        for word in ["service_account", "payments", "legacy-admin", "main.hcl"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    let (code, _, err) = said(&stage, &["plan", "--counts-only", "--show-all", "access"]);
    assert_eq!(code, Some(64), "{err}");
}

#[test]
fn the_markdown_of_an_apply_says_how_it_ended_before_the_plan() {
    let mut stage = Stage::small();
    stage.configure(
        &(each("ci", &["a"], "[\"viewer\"]", "") + &each("no", &["b"], "[\"viewer\"]", "")),
    );
    stage.front.hook(|operation, count| match operation {
        "createServiceAccount" if count == 2 => crate::stage::Then::Refuse(500),
        _ => crate::stage::Then::Answer,
    });
    let apply = [
        "apply",
        "--yes",
        "--markdown",
        "end.md",
        "--step-summary",
        "step.md",
        "access",
    ];
    let (code, _, err) = said(&stage, &apply);
    assert!(matches!(code, Some(5)), "{code:?}: {err}");
    let page = fs::read_to_string(stage.path("end.md")).expect("written");
    assert!(page.starts_with("### Applied in part: "), "{page}");
    let bad = page.find("- `service_account.no[\"b\"]`: ").expect("told");
    let good = page
        .find("- `service_account.ci[\"a\"]`: `created`")
        .expect("told");
    assert!(
        bad < good && good < page.find("### Plan of ").expect("the plan"),
        "{page}"
    );
    let step = fs::read_to_string(stage.path("step.md")).expect("written");
    assert!(
        step.find("### Plan of ") < step.find("### Applied in part"),
        "{step}"
    );
}

#[test]
fn markdown_is_refused_where_there_is_none() {
    let mut stage = Stage::small();
    stage.configure("");
    for (arguments, code) in [
        (&["check", "--format", "markdown", "access"][..], Some(64)),
        (&["validate", "--format", "markdown", "access"], Some(64)),
        (
            &[
                "show",
                "--format",
                "markdown",
                "service_account.ci",
                "access",
            ],
            Some(64),
        ),
        (
            &["show", "--full", "service_account.ci", "access"],
            Some(64),
        ),
        (&["plan", "--annotations-file", "notes", "access"], Some(64)),
        (
            &[
                "plan",
                "--markdown",
                "a.md",
                "--step-summary",
                "a.md",
                "access",
            ],
            Some(64),
        ),
        (&["plan", "--markdown", "nowhere/a.md", "access"], Some(1)),
        (
            &["plan", "--step-summary", "nowhere/a.md", "access"],
            Some(1),
        ),
    ] {
        let asked = stage.front.seen().len();
        let (found, out, err) = said(&stage, arguments);
        assert_eq!(found, code, "{arguments:?}: {err}");
        assert_eq!(
            (out.as_str(), stage.front.seen().len()),
            ("", asked),
            "{arguments:?}"
        );
    }
}
