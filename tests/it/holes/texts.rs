//! What is read, and what is told: configurations, plans, documents, exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{APPLY, applied, ci, said};
use crate::stage::{Stage, Then};

/// L: keys in plans and state. Terraform keeps them in clear, in files that everybody may read.
#[test]
fn l_a_key_is_in_its_destination_and_nowhere_else() {
    let mut stage = Stage::small();
    stage.configure(&ci("", "[\"viewer\"]"));
    assert_eq!(stage.run(&["plan", "--out", "plan.json", "access"]), 0);
    let apply = [
        "apply",
        "--plan",
        "plan.json",
        "--record",
        "record.json",
        "--json-out",
        "outcome.json",
        "access",
    ];
    assert_eq!(stage.run(&apply), 0);
    assert_eq!(stage.run(&["plan", "--out", "again.json", "access"]), 0);
    assert_eq!(stage.run(&["list", "access"]), 0);
    stage.no_key_leaked();
    for name in [
        "plan.json",
        "again.json",
        "outcome.json",
        "record.json",
        "access/credentials/ci.json",
    ] {
        let about = fs::metadata(stage.path(name)).expect("written");
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

/// The plan and its digest, as the bytes of a plan file hold them.
fn plan_file(stage: &Stage) -> String {
    let (code, text) = said(stage, &["plan", "--out", "plan.json", "access"]);
    assert_eq!(code, Some(0), "{text}");
    let file = fs::read_to_string(stage.path("plan.json")).expect("written");
    let json: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    let digest = json["digest"].as_str().expect("a digest");
    let plan = json["plan"].to_string();
    assert!(file.contains(&plan), "the plan stands in the file as it is");
    format!("{digest}\n{plan}\n{text}")
}

/// M: the same plan computed twice. Terraform's files differ each time, so no digest can name a plan.
#[test]
fn m_the_same_plan_is_the_same_bytes() {
    let mut stage = applied("", "[\"viewer\"]");
    stage.configure(&ci("", "[\"agent\"]"));
    assert_eq!(plan_file(&stage), plan_file(&stage));
}

/// Q: a scope that is forgotten. Mondoo's provider falls back to the whole platform.
#[test]
fn q_a_forgotten_scope_is_an_error_and_no_wider_one() {
    let mut stage = Stage::small();
    let good = ci("", "[\"viewer\"]");
    for (scope, code) in [
        ("", "[missing-attribute]"),
        ("  scope = null\n", "[not-a-scope]"),
        ("  scope = \"platform\"\n", "[not-a-scope]"),
        ("  scope = space.paymnets\n", "[unknown-reference]"),
    ] {
        stage.configure(&good.replacen("  scope = space.payments\n", scope, 1));
        let output = stage.command(&APPLY).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(code), "{scope}: {err}");
        assert!(stage.front.seen().is_empty(), "nobody is asked");
    }
}

/// U: a sync that failed, told as JSON. decK ends with 0.
#[test]
fn u_a_failure_has_its_exit_code_in_every_form() {
    type Prepare = fn(&mut Stage);
    let tries: [(&str, Prepare, i32); 4] = [
        ("a broken configuration", |s| s.configure("oops"), 1),
        ("no login", |s| s.front.hook(|_, _| Then::Refuse(401)), 1),
        (
            "a refusal",
            |s| {
                s.configure(
                    &("limits {\n  max_escalations = 0\n}\n".to_owned() + &ci("", "[\"viewer\"]")),
                )
            },
            3,
        ),
        (
            "done in part",
            |s| {
                s.front.hook(|operation, _| match operation {
                    "setRoles" => Then::Refuse(403),
                    _ => Then::Answer,
                });
            },
            5,
        ),
    ];
    for (what, prepare, code) in tries {
        for format in ["human", "json"] {
            let mut stage = Stage::small();
            stage.configure(&ci("", "[\"viewer\"]"));
            prepare(&mut stage);
            let run = ["apply", "--yes", "--format", format, "access"];
            assert_eq!(said(&stage, &run).0, Some(code), "{what}: {format}");
        }
    }
}

/// X: a misspelt key of the configuration. peribolos reads an empty list, and acts on it.
#[test]
fn x_a_misspelt_key_is_an_error_with_the_right_one() {
    let mut stage = applied("", "[\"viewer\"]");
    let good = ci("", "[\"viewer\"]");
    for (right, wrong) in [
        ("roles", "rolse"),
        ("deliver_to", "deliver_too"),
        ("credential", "credentail"),
    ] {
        stage.configure(&good.replacen(right, wrong, 1));
        stage.front.hook(|_, _| Then::Answer);
        let output = stage.command(&APPLY).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(&format!("did you mean `{right}`?")), "{err}");
        assert!(stage.front.seen().is_empty(), "nobody is asked");
    }
}

/// The names of accounts in the order in which they were created.
fn created(stage: &Stage, names: &[&str]) -> Vec<String> {
    let bodies = stage.front.requests();
    let bodies = bodies
        .iter()
        .map(|(_, body)| String::from_utf8_lossy(body).into_owned())
        .filter(|body| body.contains("createServiceAccount"));
    bodies
        .map(|body| {
            let name = names
                .iter()
                .find(|n| body.contains(&format!("\"name\":\"{n}\"")));
            (*name.expect("one of these")).to_owned()
        })
        .collect()
}

/// Z: two runs, two orders. rust-lang/team's sync goes by what the network answers first.
#[test]
fn z_the_order_is_the_same_whatever_comes_first() {
    let names = ["b", "d", "a", "c"];
    let blocks = names.map(|n| ci("", "[\"viewer\"]").replace("\"ci\"", &format!("\"{n}\"")));
    let mut orders = Vec::new();
    for turned in [false, true] {
        let mut stage = Stage::small();
        let mut blocks = blocks.clone();
        if turned {
            blocks.reverse();
        }
        stage.configure(&blocks.concat());
        assert_eq!(stage.run(&APPLY), 0);
        orders.push(created(&stage, &names));
    }
    assert_eq!(orders[0], ["a", "b", "c", "d"]);
    assert_eq!(orders[0], orders[1]);

    let mut stage = Stage::new();
    stage.configure(&blocks.concat());
    let straight = plan_file(&stage);
    stage.front.hook(|operation, _| {
        if operation != "serviceAccounts" {
            return Then::Answer;
        }
        Then::Change(Box::new(|json| {
            let edges = json["data"]["serviceAccounts"]["edges"].as_array_mut();
            edges.expect("entries").reverse();
        }))
    });
    assert_eq!(plan_file(&stage), straight);
}
