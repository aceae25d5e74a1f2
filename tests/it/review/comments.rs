//! One comment a stack and directory, whoever else writes, and whatever is not allowed.

use std::fs;

use rolecall::model::StackId;
use rolecall::review::{Commit, comment_key, marked};
use rolecall_standins::hub::{APP, Fault, ID, JOB};

use super::{Ended, STACK, Scene};

const JOB_LOGIN: &str = "github-actions[bot]";

fn comment(
    scene: &Scene,
    number: u64,
    head: &str,
    more: &[&str],
    environment: &[(&str, &str)],
) -> Ended {
    let number = number.to_string();
    let mut arguments = vec![
        "comment",
        "--plan",
        "harmless.json",
        "--number",
        &number,
        "--head",
        head,
        "--directory",
        "access",
    ];
    arguments.extend(more);
    scene.job(&arguments, environment)
}

fn bodies(scene: &Scene, number: u64) -> Vec<(String, String)> {
    scene.hub.with(|hub| hub.comments_on(number))
}

/// A comment as rolecall would write it for a head.
fn own(head: &str) -> String {
    let (name, id) = STACK.split_once('/').expect("two parts");
    let stack = StackId::new(name, id).expect("a stack");
    let head = Commit::parse(head).expect("a commit");
    marked(&comment_key(&stack, "access"), &head, "someone's text")
}

#[test]
fn there_is_one_comment_and_a_persons_is_never_touched() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    scene.hub.with(|hub| {
        hub.comment(number, "ada", &own(&head));
        for n in 0..250 {
            hub.comment(number, "bob", &format!("remark {n}"));
        }
    });
    fs::write(scene.path("plan.md"), "| the plan |\n").expect("written");
    let markdown = ["--markdown", "plan.md"];
    comment(&scene, number, &head, &markdown, &[]).expect(0, "Comment: https://");
    comment(&scene, number, &head, &markdown, &[]).expect(0, "Comment: https://");
    let all = bodies(&scene, number);
    assert_eq!(all.len(), 252);
    assert_eq!(all[0], ("ada".to_owned(), own(&head)));
    let (by, body) = &all[251];
    assert_eq!(by, JOB_LOGIN);
    assert!(
        body.contains("| the plan |") && body.contains("`access`"),
        "{body}"
    );
    assert!(body.contains("Plan: 1 to create; 1 escalation."), "{body}");
    // Somebody edits it: it is found all the same, and written anew.
    scene.hub.with(|hub| {
        let held = hub.comments.values_mut().last().expect("there");
        held.body.push_str("\nNo changes, approved by all.");
    });
    comment(&scene, number, &head, &markdown, &[]).expect(0, "Comment: https://");
    let all = bodies(&scene, number);
    assert_eq!(
        (all.len(), all[251].1.contains("approved by all")),
        (252, false)
    );
    // Other directories of the same stack stay apart.
    let arguments = [
        "comment",
        "--plan",
        "harmless.json",
        "--number",
        "1",
        "--head",
        &head,
        "--directory",
        "access2",
    ];
    scene.job(&arguments, &[]).expect(0, "Comment: https://");
    assert_eq!(bodies(&scene, number).len(), 253);
}

#[test]
fn a_former_identity_is_linked_and_its_comment_left() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
    let before = bodies(&scene, number);
    comment(&scene, number, &head, &[], &[("GITHUB_TOKEN", APP)]).expect(0, "Comment: https://");
    let all = bodies(&scene, number);
    assert_eq!((all.len(), &all[0]), (2, &before[0]));
    assert!(
        all[1]
            .1
            .contains("Earlier, by `github-actions[bot]`: https://"),
        "{}",
        all[1].1
    );
    comment(&scene, number, &head, &[], &[("GITHUB_TOKEN", APP)]).expect(0, "Comment: https://");
    assert_eq!(bodies(&scene, number).len(), 2);
}

/// Of two runs at once the one with the newer head stays.
#[test]
fn two_runs_at_once_end_with_one_comment_that_holds() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let old = scene.hub.with(|hub| hub.head(number));
    // Right after this run posts, the branch moves, and the run of that posts too.
    scene.hub.with(|hub| {
        hub.meanwhile.push((
            "POST /repos".to_owned(),
            Box::new(move |hub| {
                let head = hub.head(1);
                let next = hub.commit(&[&head]);
                hub.push(ID, "topic", &next, "ada");
                hub.comment(1, JOB_LOGIN, &own(&next));
            }),
        ));
    });
    comment(&scene, number, &old, &[], &[]).expect(0, "Comment: https://");
    let all = bodies(&scene, number);
    assert_eq!(all.len(), 2);
    assert!(all[0].1.contains("**Outdated**"), "{}", all[0].1);
    assert!(all[1].1.contains("someone's text"), "{}", all[1].1);
    // A run of the old head that comes later leaves it alone, and says so.
    comment(&scene, number, &old, &[], &[]).expect(0, "left to the run of that");
    assert_eq!(bodies(&scene, number), all);
    // The branch moves with nobody else there: what was written says that it does not hold.
    let head = scene.hub.with(|hub| hub.head(number));
    scene.hub.with(|hub| {
        hub.meanwhile.push((
            "PATCH /repos".to_owned(),
            Box::new(|hub| {
                let head = hub.head(1);
                let next = hub.commit(&[&head]);
                hub.push(ID, "topic", &next, "ada");
            }),
        ));
    });
    comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
    assert!(bodies(&scene, number)[1].1.contains("**Outdated**"));
}

#[test]
fn a_comment_that_was_deleted_meanwhile_is_posted_anew() {
    for status in [404, 410] {
        let scene = Scene::new();
        let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
        let head = scene.hub.with(|hub| hub.head(number));
        comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
        scene.hub.with(|hub| {
            let refuse = Fault::Refuse(status, "Not Found".to_owned());
            hub.faults.push(("PATCH".to_owned(), refuse));
            hub.meanwhile
                .push(("PATCH".to_owned(), Box::new(|hub| hub.comments.clear())));
        });
        comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
        assert_eq!(bodies(&scene, number).len(), 1);
    }
}

#[test]
fn what_does_not_hold_any_more_is_said_and_not_posted_once_more() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    let outdated = [
        "comment",
        "--outdated",
        "payments got an owner <b>@acme/all</b>",
        "--stack",
        STACK,
        "--number",
        "1",
        "--directory",
        "access",
    ];
    scene
        .job(&outdated, &[])
        .expect(0, "no comment of this stack");
    comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
    scene.job(&outdated, &[]).expect(0, "Comment: https://");
    let all = bodies(&scene, number);
    assert_eq!(all.len(), 1);
    assert!(all[0].1.contains("**Outdated**"), "{}", all[0].1);
    assert!(
        !all[0].1.contains('@') && !all[0].1.contains("<b>"),
        "{}",
        all[0].1
    );
    // The next plan has a comment of its own again.
    comment(&scene, number, &head, &[], &[]).expect(0, "Comment: https://");
    assert_eq!(bodies(&scene, number).len(), 2);
}

#[test]
fn a_missing_permission_is_one_sentence_and_no_forks_is_blamed() {
    let scene = Scene::new();
    let (own, fork) = scene.hub.with(|hub| {
        let own = hub.proposed("topic", "ada");
        let commit = hub.commit(&[&hub.tip("main")]);
        hub.push(2002, "topic", &commit, "eve");
        hub.token(JOB, &["POST /repos"]);
        (own, hub.open(2002, "topic", "main", "eve"))
    });
    let head = |number| scene.hub.with(|hub| hub.head(number));
    let (first, second) = (head(own), head(fork));
    comment(&scene, own, &first, &[], &[]).expect(1, "pull-requests: write");
    let summary = ["--summary", "summary.md"];
    let ended = comment(&scene, own, &first, &summary, &[]).expect(0, "pull-requests: write");
    assert!(!ended.err.contains("fork"), "{}", ended.err);
    let ended = comment(&scene, fork, &second, &summary, &[]).expect(0, "comes from a fork");
    assert!(!ended.err.contains("permissions:"), "{}", ended.err);
    let text = fs::read_to_string(scene.path("summary.md")).expect("written");
    assert_eq!(text.matches("### rolecall: `access`").count(), 2, "{text}");
    assert!(!text.contains("<!--"), "{text}");
    // The gate's status is needed: nothing could be approved later.
    scene.hub.with(|hub| hub.token(JOB, &["/statuses/"]));
    let gate = [
        "gate",
        "--expected",
        "x",
        "--found",
        "y",
        "--head",
        &first,
        "--post",
    ];
    scene.job(&gate, &[]).expect(1, "statuses: write");
}

#[test]
fn a_public_repository_shows_counts_and_the_digest_alone() {
    let scene = Scene::new();
    scene.hub.with(|hub| hub.visibility = "public".to_owned());
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    fs::write(scene.path("plan.md"), "payments\n").expect("written");
    let markdown = ["--markdown", "plan.md", "--summary", "summary.md"];
    comment(&scene, number, &head, &markdown, &[]).expect(0, "Comment: https://");
    let body = bodies(&scene, number)[0].1.clone();
    let summary = fs::read_to_string(scene.path("summary.md")).expect("written");
    for text in [&body, &summary] {
        assert!(
            !text.contains("payments") && text.contains("sha256:"),
            "{text}"
        );
    }
    let public = [&markdown[..], &["--public"]].concat();
    comment(&scene, number, &head, &public, &[]).expect(0, "Comment: https://");
    assert!(bodies(&scene, number)[0].1.contains("payments"));
}

#[test]
fn a_text_of_any_size_fits() {
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(number));
    let markdown = ["--markdown", "plan.md"];
    for lines in [1, 2_000, 20_000] {
        let text = "* \u{1f511} \u{4f60}\u{597d} a line of a plan\n".repeat(lines);
        fs::write(scene.path("plan.md"), text).expect("written");
        comment(&scene, number, &head, &markdown, &[]).expect(0, "Comment: https://");
        let body = bodies(&scene, number)[0].1.clone();
        assert_eq!(body.contains("**Shortened**"), lines > 3_000, "{lines}");
        assert!(body.chars().count() <= 65_536);
    }
}
