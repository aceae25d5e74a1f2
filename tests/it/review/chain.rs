//! The whole chain, and what lies between a verdict and its apply.

use std::fs;

use rolecall_standins::hub::{Hub, ID};

use super::{PLANS, STACK, Scene, WORKFLOW, account, digest};
use crate::stage::{HEAD, SEAL_KEY, Stage};

/// From the list of configurations to a key in its place, each step as its job runs it.
#[test]
fn what_was_approved_is_what_is_applied() {
    let mut stage = Stage::small();
    stage.configure(&account("viewer"));
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let plan = stage.run(&[
        "plan",
        "--out",
        "plan.json",
        "--detailed-exitcode",
        "access",
    ]);
    assert_eq!(plan, 2, "{}", stage.shown());
    fs::copy(stage.path("plan.json"), scene.path("plan.json")).expect("copied");
    fs::create_dir_all(scene.path("head/access")).expect("made");
    fs::copy(
        stage.path("access/main.hcl"),
        scene.path("head/access/main.hcl"),
    )
    .expect("copied");
    let listed = scene.job(&["configurations", "head"], &[]).expect(0, STACK);
    fs::write(scene.path("expected.json"), &listed.out).expect("written");
    let run = scene
        .hub
        .with(|hub| hub.run(WORKFLOW, "pull_request_target", "main", super::PLAN));
    scene
        .verdict(
            number,
            "plan.json",
            run,
            "pull_request_target",
            &["--ended", "2"],
        )
        .expect(0, "changes");
    let outputs = fs::read_to_string(scene.path("outputs")).expect("written");
    let name = scene.name(number);
    assert!(outputs.contains(&format!("artifact={name}\n")), "{outputs}");
    scene.upload(run, &name);
    let head = scene.hub.with(|hub| hub.head(number));
    let gate = [
        "gate",
        "--expected",
        "expected.json",
        "--found",
        "kept",
        "--head",
        &head,
        "--post",
    ];
    scene.job(&gate, &[]).expect(0, "all 1 judged: 1 changes");
    scene.hub.with(|hub| {
        assert_eq!(hub.statuses[0].state, "success");
        hub.finish(run, "success");
    });
    scene.review(number, "bob");
    let merge = scene.hub.with(|hub| hub.squash(number, "bob"));
    let ended = scene.approved(&merge, &["--outputs", "found"]);
    let ended = ended.expect(0, "vouched for by the code host alone");
    assert!(ended.out.contains("nothing is signed"), "{}", ended.out);
    let found = fs::read_to_string(scene.path("found")).expect("written");
    assert!(
        found.contains("approved=true\nnumber=1\ndigest=sha256:"),
        "{found}"
    );
    // What the run kept names no account that is left alone, and nobody who planned.
    let kept = fs::read_to_string(scene.path("approved/plan.json")).expect("written");
    assert!(kept.contains("\"left_alone\":[]") && kept.contains("\"caller_name\":null"));
    let given = scene.path("approved/plan.json");
    let applied = stage.run(&[
        "apply",
        "access",
        "--yes",
        "--plan",
        &given.display().to_string(),
    ]);
    assert_eq!(applied, 0, "{}", stage.shown());
    assert!(stage.path("access/credentials").exists());
    // Another configuration under the same approval is nothing that anybody saw.
    stage.configure(&account("owner"));
    let applied = stage.run(&[
        "apply",
        "access",
        "--yes",
        "--plan",
        &given.display().to_string(),
    ]);
    assert_eq!(applied, 4, "{}", stage.shown());
    assert!(!HEAD.is_empty() && !SEAL_KEY.is_empty());
}

#[test]
fn a_verdict_is_of_the_head_that_was_planned() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let (run, old) = scene.hub.with(|hub| {
        let run = hub.run(WORKFLOW, "pull_request_target", "main", super::PLAN);
        (run, hub.head(number))
    });
    let run = run.to_string();
    let environment = [
        ("GITHUB_RUN_ID", run.as_str()),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_EVENT_NAME", "pull_request_target"),
    ];
    let verdict = |job: &str, more: &[&str]| {
        let mut arguments = vec![
            "verdict",
            "--plan",
            "harmless.json",
            "--number",
            "1",
            "--head",
            &old,
            "--directory",
            "access",
            "--out",
            "kept",
            "--job",
            job,
        ];
        if !more.contains(&"--ended") {
            arguments.extend(["--ended", "0"]);
        }
        arguments.extend(more);
        scene.job(&arguments, &environment)
    };
    verdict("plan (acces)", &[]).expect(1, "has no job of the name");
    verdict(super::PLAN, &["--ended", "1"]).expect(1, "ended with 1");
    verdict(super::PLAN, &["--removed"]).expect(1, "was not made with --destroy");
    scene.hub.with(|hub| hub.visibility = "public".to_owned());
    verdict(super::PLAN, &[]).expect(1, "is public");
    assert!(!scene.path("kept").exists());
    verdict(super::PLAN, &["--public"]).expect(0, "Verdict of");
    scene.hub.with(|hub| {
        hub.visibility = "private".to_owned();
        let next = hub.commit(&[&old]);
        hub.push(ID, "topic", &next, "ada");
    });
    verdict(super::PLAN, &[]).expect(4, "by now");
    scene.hub.with(|hub| hub.merge(number, "bob"));
    verdict(super::PLAN, &[]).expect(4, "is closed");
}

/// Two started at once: the commit that the queue pushed last brings both.
#[test]
fn a_group_of_a_merge_queue_is_approved_one_by_one() {
    let scene = Scene::new();
    let (one, two) = scene
        .hub
        .with(|hub| (hub.proposed("a", "ada"), hub.proposed("b", "dan")));
    let before = scene.hub.with(|hub| hub.tip("main"));
    scene.judged(one, "harmless.json");
    scene.judged(two, "harmful.json");
    scene.review(one, "bob");
    let (first, last) = scene
        .hub
        .with(|hub| (hub.merge(one, "bob"), hub.merge(two, "bob")));
    // Alone the last would do if somebody had approved it; the group wants both.
    scene.refused(
        &last,
        &["--before", &before],
        "pull request 2: nobody approved it",
    );
    scene.review(two, "bob");
    scene
        .approved(&last, &["--before", &before])
        .expect(0, "pull request 1, 2");
    assert_eq!(scene.given(), Some(digest(&PLANS.harmful)));
    scene
        .approved(&first, &["--before", &before])
        .expect(0, "Approved by bob");
    assert_eq!(scene.document()["requests"], serde_json::json!([1]));
    // A commit among them that nobody reviewed, and a branch that was pushed with force.
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("a", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    let (before, merge) = scene.hub.with(|hub| {
        let before = hub.tip("main");
        let direct = hub.commit(&[&before]);
        hub.push(ID, "main", &direct, "bob");
        (before, hub.merge(number, "bob"))
    });
    scene.refused(&merge, &["--before", &before], "was pushed directly");
    let aside = scene.hub.with(|hub| hub.commit(&[]));
    scene.refused(&merge, &["--before", &aside], "pushed with force");
    // A push that is said to have brought nothing takes the request out of nobody's sight.
    let unread = scene.hub.with(|hub| {
        let number = hub.proposed("b", "eve");
        hub.merge(number, "eve")
    });
    let nothing = ["--before", unread.as_str()];
    scene.refused(&unread, &nothing, "pull request 2 has no verdict");
    let zeros = "0".repeat(40);
    scene
        .approved(&merge, &["--before", &zeros])
        .expect(0, "Approved by bob");
}

/// The host cancelled the waiting run of the second.
#[test]
fn a_merge_that_was_never_applied_is_named() {
    let scene = Scene::new();
    let numbers: Vec<u64> = ["a", "b", "c"]
        .iter()
        .map(|branch| {
            let number = scene.hub.with(|hub| hub.proposed(branch, "ada"));
            scene.judged(number, "harmless.json");
            scene.review(number, "bob");
            number
        })
        .collect();
    let merges: Vec<String> = numbers
        .iter()
        .zip(["success", "cancelled", "success"])
        .map(|(number, ended)| {
            scene.hub.with(|hub| {
                let merge = hub.merge(*number, "bob");
                let run = hub.run(WORKFLOW, "push", "main", "apply");
                if ended == "cancelled" || *number == 1 {
                    hub.finish(run, ended);
                }
                merge
            })
        })
        .collect();
    let ended = scene.approved(&merges[2], &["--outputs", "found"]);
    ended.expect(0, "Merged before and never applied: 2.");
    let found = fs::read_to_string(scene.path("found")).expect("written");
    assert!(found.contains("unapplied=2\n"), "{found}");
    // The next one after a good apply finds nothing.
    scene.hub.with(|hub| {
        let run = hub.run(WORKFLOW, "push", "main", "apply");
        hub.finish(run, "success");
    });
    let ended = scene.approved(&merges[2], &[]).expect(0, "Approved by bob");
    assert!(!ended.out.contains("never applied"), "{}", ended.out);
}

#[test]
fn the_rule_of_the_branch_stands_in_for_who_pushed() {
    let mut hub = Hub::new();
    hub.last_push_rule = true;
    let scene = Scene::of(hub);
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    let merge = scene.hub.with(|hub| {
        hub.forget("ada");
        hub.merge(number, "bob")
    });
    let ended = scene.approved(&merge, &[]).expect(0, "Approved by bob");
    assert!(
        ended
            .out
            .contains("cannot tell pull request 1: who pushed the head")
    );
    assert!(scene.document()["cannot_tell"][0].is_string());
}

#[test]
fn nothing_is_sent_without_a_login_or_to_an_address_that_is_none() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    let run = |environment: &[(&str, &str)]| {
        scene.job(
            &[
                "approved", "--commit", &merge, "--stack", STACK, "--out", "approved",
            ],
            environment,
        )
    };
    run(&[("GITHUB_TOKEN", "")]).expect(1, "GITHUB_TOKEN and GH_TOKEN were looked for");
    run(&[("GITHUB_ACTIONS", "")]).expect(64, "which code host");
    run(&[("GITHUB_REPOSITORY", "")]).expect(64, "which repository");
    run(&[("GITHUB_REPOSITORY", "acme/access/x")]).expect(1, "OWNER/NAME");
    run(&[("GITHUB_API_URL", "http://api.example")]).expect(1, "GITHUB_API_URL");
    assert!(scene.hub.calls().is_empty());
    run(&[("GITHUB_TOKEN", ""), ("GH_TOKEN", "nobody.at.all")]).expect(1, "token of GH_TOKEN");
}
