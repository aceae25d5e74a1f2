//! What somebody tries who can push a branch, open a request, or comment: each ends with 4, and nothing may be applied.

use rolecall_standins::hub::{Hub, ID, JOB};
use serde_json::Value;

use super::{PLAN, PLANS, STACK, Scene, WORKFLOW, digest};

/// The verdict of the run of somebody's own workflow, which says of itself what the default branch's would say.
fn forged(scene: &Scene, number: u64, run: u64, says: u64) {
    let event = "pull_request_target";
    scene
        .verdict(number, "harmful.json", run, event, &[])
        .expect(0, "Verdict of");
    let path = scene.path("kept/verdict.json");
    let text = std::fs::read(&path).expect("written");
    let mut verdict: Value = serde_json::from_slice(&text).expect("JSON");
    verdict["run"] = says.into();
    std::fs::write(&path, verdict.to_string()).expect("written");
}

/// A workflow that the request changed posts a harmless text, and keeps the harmful digest under the right name.
#[test]
fn a_workflow_that_the_request_changed_gives_no_verdict() {
    for (path, event, branch, why) in [
        (WORKFLOW, "pull_request", "topic", "started by pull_request"),
        (WORKFLOW, "push", "topic", "started by push"),
        (
            WORKFLOW,
            "workflow_dispatch",
            "topic",
            "started on another branch",
        ),
        (WORKFLOW, "merge_group", "main", "started by merge_group"),
        (
            ".github/workflows/own.yml",
            "pull_request_target",
            "main",
            "another workflow file",
        ),
        // Where the base branch's file ran, as on older servers, somebody chose that branch.
        (
            WORKFLOW,
            "pull_request_target",
            "base",
            "not in the default branch",
        ),
    ] {
        let scene = Scene::new();
        let number = scene.hub.with(|hub| {
            let base = hub.commit(&[&hub.tip("main")]);
            hub.push(ID, "base", &base, "eve");
            hub.proposed("topic", "ada")
        });
        let run = scene.hub.with(|hub| hub.run(path, event, branch, PLAN));
        forged(&scene, number, run, run);
        scene.upload(run, &scene.name(number));
        let merge = scene.hub.with(|hub| {
            hub.finish(run, "success");
            hub.comment(number, "github-actions[bot]", "No changes.");
            hub.review(number, "bob", "APPROVED");
            hub.merge(number, "bob")
        });
        scene.refused(&merge, &[], why);
    }
}

/// One that names a genuine run of another is still of the run that kept it.
#[test]
fn a_verdict_that_names_a_genuine_run_is_of_its_own() {
    let scene = Scene::new();
    let (one, other) = scene
        .hub
        .with(|hub| (hub.proposed("topic", "ada"), hub.proposed("other", "eve")));
    let genuine = scene.judged(other, "harmful.json");
    let run = scene
        .hub
        .with(|hub| hub.run(WORKFLOW, "pull_request", "topic", PLAN));
    forged(&scene, one, run, genuine);
    scene.upload(run, &scene.name(one));
    // The genuine verdict of another request, kept under this one's name by a run that counts.
    let second = scene.judged(other, "harmful.json");
    scene.upload(second, &scene.name(one));
    let merge = scene.hub.with(|hub| {
        hub.review(one, "bob", "APPROVED");
        hub.merge(one, "bob")
    });
    scene.refused(&merge, &[], "it is of another request");
    scene.refused(&merge, &[], "started by pull_request");
}

#[test]
fn a_status_a_check_and_a_comment_are_no_evidence() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    let context = [
        "gate",
        "--expected",
        "none",
        "--found",
        "none",
        "--head",
        &head,
        "--post",
    ];
    scene.job(&context, &[]).expect(3, "Red");
    let merge = scene.hub.with(|hub| {
        hub.statuses[0].state = "success".to_owned();
        let text = format!("approved: sha256:{}", digest(&PLANS.harmful));
        hub.comment(number, "github-actions[bot]", &text);
        hub.review(number, "bob", "APPROVED");
        hub.merge(number, "bob")
    });
    scene.refused(&merge, &[], "no run kept rolecall-1-");
    let calls = scene.hub.calls();
    let asked = |what: &str| calls.iter().any(|call| call.path.contains(what));
    assert!(!asked("/comments") && !asked("check-runs"));
}

/// A forged one beside a good one takes nothing away from it, and is named.
#[test]
fn a_good_verdict_stands_beside_a_forged_one() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    let run = scene
        .hub
        .with(|hub| hub.run(WORKFLOW, "pull_request", "topic", PLAN));
    forged(&scene, number, run, run);
    scene.upload(run, &scene.name(number));
    scene.review(number, "bob");
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    scene
        .approved(&merge, &[])
        .expect(0, "started by pull_request");
    assert_eq!(scene.given(), Some(digest(&PLANS.harmless)));
}

#[test]
fn a_run_that_failed_was_forked_or_was_deleted_gives_none() {
    type Change = fn(&mut Hub, u64, u64);
    let changes: [(&str, Change); 6] = [
        ("did not succeed", |hub, run, _| {
            hub.of_run(run).attempts[0][0].conclusion = Some("failure".to_owned());
        }),
        ("did not succeed", |hub, run, _| {
            hub.of_run(run).attempts[0][0].conclusion = None;
        }),
        ("no such job", |hub, run, _| {
            hub.of_run(run).attempts[0][0].name = "other".to_owned();
        }),
        ("the file of a fork", |hub, run, _| {
            hub.of_run(run).from = 2002
        }),
        ("it has expired", |hub, _, made| {
            hub.artifact(made).expired = true
        }),
        ("no run kept", |hub, run, _| hub.delete_run(run)),
    ];
    for (why, change) in changes {
        let scene = Scene::new();
        let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
        let run = scene.judged(number, "harmless.json");
        let made = scene.upload(run, &scene.name(number));
        let merge = scene.hub.with(|hub| {
            hub.review(number, "bob", "APPROVED");
            change(hub, run, made);
            hub.merge(number, "bob")
        });
        scene.refused(&merge, &[], why);
        scene.approved(&merge, &[]).expect(4, "plan anew");
    }
}

#[test]
fn the_base_may_not_change_after_the_verdict() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| {
        let main = hub.tip("main");
        hub.push(ID, "release", &main, "bob");
        hub.proposed("topic", "ada")
    });
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    // There and back again.
    let merge = scene.hub.with(|hub| {
        hub.retarget(number, "release", "ada");
        hub.retarget(number, "main", "ada");
        hub.merge(number, "bob")
    });
    scene.refused(&merge, &[], "its base branch was changed");
    let other = scene.hub.with(|hub| {
        let number = hub.proposed("second", "ada");
        hub.retarget(number, "release", "ada");
        number
    });
    scene.judged(other, "harmless.json");
    scene.review(other, "bob");
    let merge = scene.hub.with(|hub| {
        let merge = hub.merge(other, "bob");
        // It gets into the default branch by another way.
        let tip = hub.tip("main");
        let both = hub.commit(&[&tip, &merge]);
        hub.push(ID, "main", &both, "bob");
        merge
    });
    scene.refused(&merge, &[], "was merged into release");
}

/// Branches a and b at one commit; the one for the default branch is merged.
#[test]
fn two_requests_of_one_commit_have_a_verdict_each() {
    for first in [true, false] {
        let scene = Scene::new();
        let (one, two) = scene.hub.with(|hub| {
            let main = hub.tip("main");
            hub.push(ID, "release", &main, "bob");
            let commit = hub.commit(&[&main]);
            hub.push(ID, "a", &commit, "ada");
            hub.push(ID, "b", &commit, "ada");
            (
                hub.open(ID, "a", "main", "ada"),
                hub.open(ID, "b", "release", "ada"),
            )
        });
        let order = match first {
            true => [(one, "harmless.json"), (two, "harmful.json")],
            false => [(two, "harmful.json"), (one, "harmless.json")],
        };
        for (number, plan) in order {
            scene.judged(number, plan);
        }
        scene.review(one, "bob");
        scene.review(two, "bob");
        let merge = scene.hub.with(|hub| hub.merge(one, "bob"));
        scene.approved(&merge, &[]).expect(0, "Approved by bob");
        assert_eq!(scene.given(), Some(digest(&PLANS.harmless)));
        assert_eq!(scene.document()["number"], 1);
    }
    // The verdict of the other alone is none of this one.
    let scene = Scene::new();
    let (one, two) = scene.hub.with(|hub| {
        let main = hub.tip("main");
        hub.push(ID, "release", &main, "bob");
        let commit = hub.commit(&[&main]);
        hub.push(ID, "a", &commit, "ada");
        hub.push(ID, "b", &commit, "ada");
        (
            hub.open(ID, "a", "main", "ada"),
            hub.open(ID, "b", "release", "ada"),
        )
    });
    let run = scene.judged(two, "harmful.json");
    scene.upload(run, &scene.name(one));
    scene.review(one, "bob");
    let merge = scene.hub.with(|hub| hub.merge(one, "bob"));
    scene.refused(&merge, &[], "it is of another request");
}

#[test]
fn an_approval_is_a_persons_who_may_and_read_this_verdict() {
    type People = fn(&Scene, u64);
    let cases: [(&str, People); 9] = [
        ("bob approved before the verdict", |scene, number| {
            scene.review(number, "bob");
            scene.judged(number, "harmless.json");
        }),
        ("github-actions[bot] is no person", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "github-actions[bot]");
        }),
        ("ada is its author", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "ada");
        }),
        ("eve may not write here", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "eve");
        }),
        ("dan pushed its head", |scene, number| {
            scene.hub.with(|hub| {
                let head = hub.head(number);
                let more = hub.commit(&[&head]);
                hub.push(ID, "topic", &more, "dan");
            });
            scene.judged(number, "harmless.json");
            scene.review(number, "dan");
        }),
        ("nobody approved it", |scene, number| {
            scene.judged(number, "harmless.json");
        }),
        ("dan asks for changes", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "bob");
            scene
                .hub
                .with(|hub| hub.review(number, "dan", "CHANGES_REQUESTED"));
        }),
        // It is of the plan that was not the last.
        ("bob approved before the verdict", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "bob");
            scene.judged(number, "harmful.json");
        }),
        ("nobody can tell who pushed the head", |scene, number| {
            scene.judged(number, "harmless.json");
            scene.review(number, "bob");
            scene.hub.with(|hub| hub.forget("ada"));
        }),
    ];
    for (why, people) in cases {
        let scene = Scene::new();
        let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
        people(&scene, number);
        let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
        scene.refused(&merge, &[], why);
    }
}

/// The host keeps an approval through a rebase that leaves the patch as it was, and says it is of the new head.
#[test]
fn a_rebase_or_a_push_with_force_after_the_approval_voids_it() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    scene.hub.with(|hub| {
        let rebased = hub.commit(&[&hub.tip("main")]);
        hub.push_same_patch("topic", &rebased, "ada");
    });
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    scene.refused(&merge, &[], "no run kept");
    // Nor does a verdict of the new head make the old approval a newer one.
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    scene.hub.with(|hub| {
        let rebased = hub.commit(&[&hub.tip("main")]);
        hub.push_same_patch("topic", &rebased, "ada");
    });
    scene.judged(number, "harmless.json");
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    scene.refused(&merge, &[], "bob approved before the verdict");
    // Away and back again, with the same head: nobody knows what was looked at in between.
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    scene.judged(number, "harmless.json");
    scene.hub.with(|hub| {
        let other = hub.commit(&[&hub.tip("main")]);
        hub.push(ID, "topic", &other, "ada");
        hub.push(ID, "topic", &head, "ada");
    });
    scene.review(number, "bob");
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    scene.refused(&merge, &[], "pushed with force");
}

#[test]
fn what_no_request_brought_is_not_approved() {
    let scene = Scene::new();
    let direct = scene.hub.with(|hub| {
        let commit = hub.commit(&[&hub.tip("main")]);
        hub.push(ID, "main", &commit, "bob");
        commit
    });
    scene.refused(&direct, &[], "it was pushed directly");
    // A commit of a request is not its merge, and one that is not merged is in no branch that counts.
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    let head = scene.hub.with(|hub| hub.head(number));
    scene.refused(&head, &[], "is not in the default branch");
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    scene.refused(&head, &[], "came with request 1, and is not its merge");
    scene.approved(&merge, &[]).expect(0, "Approved by bob");
    // A plan that was given once does not stay.
    let other = scene.hub.with(|hub| hub.proposed("other", "ada"));
    let merge = scene.hub.with(|hub| hub.merge(other, "bob"));
    scene.refused(&merge, &[], "no run kept");
}

/// What the host does not answer is an error and never a yes.
#[test]
fn a_host_that_does_not_answer_is_taken_for_nothing() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    scene.judged(number, "harmless.json");
    scene.review(number, "bob");
    let merge = scene.hub.with(|hub| hub.merge(number, "bob"));
    for (forbidden, right) in [
        ("/pulls/1/reviews", "pull-requests: read"),
        ("/issues/1/events", "pull-requests: read"),
        ("/actions/artifacts", "actions: read"),
        ("/actions/runs", "actions: read"),
        ("/compare/", "contents: read"),
        ("/commits/", "pull-requests: read"),
    ] {
        scene.hub.with(|hub| hub.token(JOB, &[forbidden]));
        let ended = scene.approved(&merge, &[]).expect(1, right);
        assert_eq!(scene.given(), None, "{forbidden}: {ended:?}");
    }
    // What is asked about the newest run that applies is no part of the approval, but an error still.
    scene.hub.with(|hub| hub.token(JOB, &[]));
    scene.approved(&merge, &[]).expect(0, "Approved by bob");
    assert_eq!(scene.document()["stack"], STACK);
}
