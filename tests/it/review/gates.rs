//! Green means judged, and a directory that is gone is not forgotten.

use std::fs;

use super::{PLAN, Scene, WORKFLOW, account};
use crate::stage::{HEAD, Stage};

/// The head of a request, and what its configurations are.
fn expected(scene: &Scene, directories: &[(&str, &str, bool)]) -> String {
    let all = directories.iter().map(|(directory, state, changed)| {
        serde_json::json!({
            "directory": directory, "stack": "", "state": state, "changed": changed,
            "name": directory,
        })
    });
    let all: Vec<serde_json::Value> = all.collect();
    let text = serde_json::json!({"include": all}).to_string();
    fs::write(scene.path("expected.json"), text).expect("written");
    scene.hub.with(|hub| hub.head(1))
}

fn gate(scene: &Scene, head: &str) -> super::Ended {
    let arguments = [
        "gate",
        "--expected",
        "expected.json",
        "--found",
        "found",
        "--head",
        head,
        "--number",
        "1",
        "--post",
        "--context",
        "rolecall",
    ];
    scene.job(&arguments, &[])
}

/// The verdict of a directory gets to where the gate looks.
fn judge(scene: &Scene, directory: &str, ended: &str) {
    let run = scene
        .hub
        .with(|hub| hub.run(WORKFLOW, "pull_request", "topic", PLAN));
    let head = scene.hub.with(|hub| hub.head(1));
    let arguments = [
        "verdict",
        "--plan",
        "harmless.json",
        "--number",
        "1",
        "--head",
        &head,
        "--directory",
        directory,
        "--job",
        PLAN,
        "--ended",
        ended,
        "--out",
        &format!("found/{directory}"),
    ];
    let run = run.to_string();
    let environment = [
        ("GITHUB_RUN_ID", run.as_str()),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_EVENT_NAME", "pull_request"),
    ];
    let ended = scene.job(&arguments, &environment);
    ended.expect(0, "evidence of nothing");
}

fn posted(scene: &Scene) -> (String, String) {
    scene.hub.with(|hub| {
        let last = hub.statuses.last().expect("a status");
        (last.state.clone(), last.description.clone())
    })
}

#[test]
fn skipped_cancelled_and_nothing_planned_are_red() {
    let scene = Scene::new();
    scene.hub.with(|hub| hub.proposed("topic", "ada"));
    let head = scene.hub.with(|hub| hub.head(1));
    // The step that lists configurations failed: there is no list, or an empty one.
    gate(&scene, &head).expect(3, "what there is to judge is not known");
    assert_eq!(posted(&scene).0, "failure");
    for list in ["", "{}", "{\"include\":[]}", "null"] {
        fs::write(scene.path("expected.json"), list).expect("written");
        gate(&scene, &head).expect(3, "Red: what there is to judge is not known");
    }
    // One of three plans failed, or was cancelled.
    let all = [
        ("a", "present", true),
        ("b", "present", true),
        ("c", "present", true),
    ];
    expected(&scene, &all);
    judge(&scene, "a", "0");
    judge(&scene, "b", "2");
    gate(&scene, &head).expect(3, "red c: no verdict");
    judge(&scene, "c", "2");
    gate(&scene, &head).expect(0, "Green: all 3 judged: 3 changes.");
    assert_eq!(
        posted(&scene),
        ("success".to_owned(), "all 3 judged: 3 changes".to_owned())
    );
    // A guard refuses one.
    judge(&scene, "c", "3");
    gate(&scene, &head).expect(3, "red c: refused");
    // What was judged is another commit's.
    let other = scene.hub.with(|hub| hub.commit(&[&head]));
    gate(&scene, &other).expect(3, "the verdict is of");
    // No file of access changed.
    fs::remove_dir_all(scene.path("found")).expect("removed");
    expected(&scene, &[("a", "present", false), ("b", "present", false)]);
    gate(&scene, &head).expect(0, "nothing to judge: 2 configurations, none changed");
    fs::create_dir(scene.path("found")).expect("made");
    fs::write(scene.path("found/verdict.json"), "{}").expect("written");
    gate(&scene, &head).expect(3, "is not known");
}

/// A request deletes a directory whose stack has live accounts.
#[test]
fn a_removed_directory_is_red_until_nothing_of_it_lives() {
    let mut stage = Stage::small();
    stage.configure(&account("owner"));
    let scene = Scene::new();
    let number = scene.hub.with(|hub| hub.proposed("topic", "ada"));
    fs::create_dir_all(scene.path("base/access")).expect("made");
    fs::copy(
        stage.path("access/main.hcl"),
        scene.path("base/access/main.hcl"),
    )
    .expect("copied");
    fs::create_dir_all(scene.path("head/access")).expect("made");
    fs::write(scene.path("head/access/README.md"), "gone\n").expect("written");
    fs::create_dir_all(scene.path("head/other")).expect("made");
    let other = HEAD.replace("acme-access", "other");
    fs::write(scene.path("head/other/main.hcl"), other).expect("written");
    let listed = scene.job(
        &[
            "configurations",
            "--base",
            "base",
            "head",
            "--outputs",
            "lists",
        ],
        &[],
    );
    let listed = listed.expect(0, "\"state\":\"removed\"");
    let first =
        listed.out.find("access").expect("there") < listed.out.find("other").expect("there");
    assert!(first, "{}", listed.out);
    let lists = fs::read_to_string(scene.path("lists")).expect("written");
    assert!(lists.contains("removed_count=1\n"), "{lists}");
    fs::write(scene.path("expected.json"), &listed.out).expect("written");
    let plan = |stage: &mut Stage| {
        let code = stage.run(&["plan", "--destroy", "--out", "gone.json", "access"]);
        fs::copy(stage.path("gone.json"), scene.path("gone.json")).expect("copied");
        code
    };
    let run = scene
        .hub
        .with(|hub| hub.run(WORKFLOW, "pull_request_target", "main", PLAN));
    let verdict = |ended: &str| {
        let event = "pull_request_target";
        scene.verdict(
            number,
            "gone.json",
            run,
            event,
            &["--removed", "--ended", ended],
        )
    };
    // Before anything is applied nothing lives.
    assert_eq!(plan(&mut stage), 0);
    verdict("0").expect(0, "removed, nothing left");
    let applied = stage.run(&["apply", "access", "--yes"]);
    assert_eq!(applied, 0, "{}", stage.shown());
    let code = plan(&mut stage).to_string();
    let ended = verdict(&code).expect(3, "1 account of it would be managed by nobody");
    assert!(
        ended.err.contains("service_account.ci [owner] in"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("empties it"), "{}", ended.err);
    let head = scene.hub.with(|hub| hub.head(1));
    let gate = [
        "gate",
        "--expected",
        "expected.json",
        "--found",
        "kept",
        "--head",
        &head,
    ];
    scene
        .job(&gate, &[])
        .expect(3, "red access: it is removed, and its accounts live");
    // Such a verdict is no evidence of anything to apply.
    scene.upload(run, &scene.name(number));
    let merge = scene.hub.with(|hub| {
        hub.finish(run, "success");
        hub.review(number, "bob", "APPROVED");
        hub.merge(number, "bob")
    });
    scene.refused(&merge, &[], "it is of a configuration that is removed");
}
