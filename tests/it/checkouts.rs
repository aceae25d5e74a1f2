//! Two checkouts, one stack: what the older one may do and what not. `docs/reliability.md` has a table of that, and
//! each of its rows is a test here.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use rolecall_standins::git::WorkTree;
use serde_json::Value;

use crate::stage::{HEAD, Stage, Then};

/// An account of the space.
fn account(name: &str, roles: &str, rest: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name  = \"{name}\"\n  roles = [{roles}]\n\
         {rest}\n  credential {{\n    deliver_to = [sink.file.local]\n  }}\n}}\n\n"
    )
}

/// One that is always there, and always as it is.
fn base() -> String {
    account("base", "\"viewer\"", "")
}

/// The same and another one.
fn with(roles: &str, rest: &str) -> String {
    base() + &account("ci", roles, rest)
}

const VIEWER: &str = "\"viewer\"";
const BOTH: &str = "\"agent\", \"viewer\"";

/// How an apply ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    guards: Vec<String>,
    /// Of the refusals, what they say and the ways out.
    said: String,
    digest: String,
}

/// Puts a configuration into `access` below a folder of the stage.
fn write(stage: &Stage, place: &str, text: &str) {
    let dir = stage.path(place).join("access");
    fs::create_dir_all(&dir).expect("made");
    fs::write(dir.join("main.hcl"), HEAD.to_owned() + text).expect("written");
}

/// Two clones of one repository, in which `access` holds one configuration.
struct Story {
    stage: Stage,
    older: WorkTree,
    newer: WorkTree,
}

impl Story {
    /// The first commit, applied.
    fn begin(first: &str) -> Self {
        let stage = Stage::small();
        for place in ["older", "newer"] {
            write(&stage, place, first);
        }
        let mut older = WorkTree::init(&stage.path("older"));
        let commit = older.commit_folder("access");
        let newer = older.cloned(&stage.path("newer"));
        newer.check_out(&commit);
        let story = Self {
            stage,
            older,
            newer,
        };
        story.done("older/access", &[]);
        story
    }

    fn write(&self, place: &str, text: &str) {
        write(&self.stage, place, text);
    }

    /// A commit on top of the first one, applied where it was made, and known to the older checkout.
    fn newer(&mut self, text: &str) -> String {
        self.write("newer", text);
        let commit = self.newer.commit_folder("access");
        self.done("newer/access", &[]);
        self.older.fetch(&self.newer);
        commit
    }

    /// The same, applied by a run that is killed while it marks a new key as delivered.
    fn dies(&mut self, text: &str) -> String {
        const PATIENCE: Duration = Duration::from_secs(60);
        self.write("newer", text);
        let commit = self.newer.commit_folder("access");
        let (arrived, wait) = mpsc::channel();
        self.stage.front.hook(move |field, _| match field {
            "updateServiceAccount" => {
                let _ = arrived.send(());
                Then::Stall(Vec::new(), PATIENCE)
            }
            _ => Then::Answer,
        });
        let mut child = self.stage.start(&["apply", "--yes", "newer/access"]);
        wait.recv_timeout(PATIENCE).expect("it comes to its mark");
        child.kill().expect("killed");
        child.wait().expect("gone");
        self.stage.front.hook(|_, _| Then::Answer);
        self.older.fetch(&self.newer);
        commit
    }

    fn ends(&self, dir: &str, more: &[&str]) -> Ended {
        let arguments = [&["apply", "--yes", "--format", "json"], more, &[dir]].concat();
        let output = self.stage.command(&arguments).output().expect("runs");
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("no document: {}", String::from_utf8_lossy(&output.stderr)));
        crate::formats::schema::check(&document);
        let refusals = document["refusals"].as_array().cloned().unwrap_or_default();
        let text = |refusal: &Value, key: &str| refusal[key].as_str().expect("a text").to_owned();
        Ended {
            code: output.status.code().unwrap_or(-1),
            guards: refusals.iter().map(|r| text(r, "guard")).collect(),
            said: (refusals.iter())
                .map(|r| text(r, "message") + " " + &text(r, "help") + "\n")
                .collect(),
            digest: document["plan"]["digest"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn done(&self, dir: &str, more: &[&str]) {
        let ended = self.ends(dir, more);
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    /// An apply that this guard alone refuses, and that writes nothing.
    fn refused(&self, dir: &str, more: &[&str]) -> Ended {
        let before = self.stage.front.seen().len();
        let ended = self.ends(dir, more);
        assert_eq!(
            (ended.code, ended.guards.join(", ").as_str()),
            (3, "older-checkout"),
            "{ended:?}"
        );
        let seen = self.stage.front.seen();
        let writes = [
            "createServiceAccount",
            "updateServiceAccount",
            "setRoles",
            "deleteServiceAccounts",
        ];
        let wrote = seen[before..]
            .iter()
            .find(|op| writes.contains(&op.as_str()));
        assert_eq!(wrote, None);
        ended
    }

    /// What the marks of a live account say of who last wrote them; `None` if it is not live.
    fn written(&self, name: &str) -> Option<String> {
        let dump = self.stage.app.dump().expect("a dump");
        let accounts = dump["accounts"].as_array().expect("accounts");
        let one = accounts.iter().find(|account| account["name"] == name)?;
        let labels = one["labels"].as_array().expect("labels");
        let label = labels
            .iter()
            .find(|label| label["key"] == "rolecall-written");
        Some(
            label.expect("a mark")["value"]
                .as_str()
                .expect("a text")
                .to_owned(),
        )
    }

    /// The commit in these marks.
    fn commit(&self, name: &str) -> String {
        let written = self.written(name).expect("live");
        written.split_once('.').expect("two parts").0.to_owned()
    }
}

/// The rows of the page, each with its story.
macro_rules! rows {
    ($($name:ident: $what:literal, $may:literal, $story:expr;)*) => {
        const ROWS: &[(&str, &str)] = &[$(($what, $may)),*];
        $(
            #[test]
            fn $name() {
                let story: fn() = $story;
                story();
            }
        )*
    };
}

rows! {
    nothing: "changes nothing", "yes", || {
        let mut story = Story::begin(&base());
        story.newer(&(base() + "# a remark\n"));
        story.done("older/access", &[]);
    };
    creates: "creates an account that is not live, also one that the newer run deleted: nothing names its commit any more", "yes", || {
        let mut story = Story::begin(&with(VIEWER, ""));
        story.newer(&base());
        assert_eq!(story.written("ci"), None);
        story.done("older/access", &[]);
        assert!(story.written("ci").is_some());
    };
    dead: "removes what a birth of the newer run left when it died: it never had power", "yes", || {
        let mut story = Story::begin(&base());
        let commit = story.dies(&with(VIEWER, ""));
        assert_eq!(story.commit("ci"), commit[..12]);
        // Until nobody can be at work on it any more.
        assert_eq!(story.ends("older/access", &[]).code, 5);
        assert!(story.written("ci").is_some());
        story.stage.front.date(16);
        story.done("older/access", &[]);
        assert_eq!(story.written("ci"), None);
    };
    own: "changes or deletes an account that its own commit, or an ancestor of it, last wrote", "yes", || {
        let mut story = Story::begin(&(with(VIEWER, "") + &account("gone", VIEWER, "")));
        let further = account("further", VIEWER, "");
        story.newer(&(with(VIEWER, "") + &account("gone", VIEWER, "") + &further));
        story.write("older", &(with(BOTH, "") + &further));
        story.done("older/access", &[]);
        assert_eq!(story.written("gone"), None);
    };
    unnamed: "changes or deletes an account whose marks name no commit: a run outside of git wrote them", "yes", || {
        let story = Story::begin(&base());
        story.write("plain", &with(VIEWER, ""));
        story.done("plain/access", &[]);
        assert_eq!(story.commit("ci"), "-");
        story.done("older/access", &[]);
        assert_eq!(story.written("ci"), None);
    };
    deletes: "deletes an account", "no", || {
        let mut story = Story::begin(&base());
        let commit = story.newer(&with(VIEWER, ""));
        let ended = story.refused("older/access", &[]);
        let said = format!("service_account.ci, by {} (not an ancestor of it)", &commit[..12]);
        assert!(ended.said.contains(&said) && ended.said.contains("git pull"), "{}", ended.said);
    };
    takes_roles: "takes a role away", "no", || {
        let mut story = Story::begin(&with(VIEWER, ""));
        story.newer(&with(BOTH, ""));
        story.refused("older/access", &[]);
    };
    gives_roles: "gives a role back that the newer run took", "no", || {
        let mut story = Story::begin(&with(BOTH, ""));
        story.newer(&with(VIEWER, ""));
        story.refused("older/access", &[]);
    };
    describes: "changes name, description or labels", "no", || {
        let mut story = Story::begin(&with(VIEWER, "  description = \"old\"\n"));
        story.newer(&with(VIEWER, "  description = \"new\"\n"));
        story.refused("older/access", &[]);
    };
    unprotects: "takes protection away", "no", || {
        let lifecycle = |yes: &str| format!("  lifecycle {{\n    prevent_destroy = {yes}\n  }}\n");
        let mut story = Story::begin(&with(VIEWER, &lifecycle("false")));
        story.newer(&with(VIEWER, &lifecycle("true")));
        story.refused("older/access", &[]);
    };
    gives_up: "gives an account up (`removed`)", "no", || {
        let removed = "removed {\n  from = service_account.ci\n\n  lifecycle {\n    destroy = false\n  }\n}\n";
        let mut story = Story::begin(&(base() + removed));
        story.newer(&with(VIEWER, ""));
        story.refused("older/access", &[]);
    };
    places: "takes a key out of a place, or delivers it to another", "no", || {
        let sink = "sink \"file\" \"other\" {\n  directory = \"other\"\n  keep      = true\n}\n\n";
        let both = sink.to_owned() + &base()
            + &account("ci", VIEWER, "").replace("[sink.file.local]", "[sink.file.local, sink.file.other]");
        let one = || sink.to_owned() + &with(VIEWER, "");
        let mut story = Story::begin(&one());
        // The machine on which the key is to be read.
        let keys = ["older", "newer"].map(|of| story.stage.path(of).join("access/credentials"));
        fs::rename(&keys[0], &keys[1]).expect("moved");
        story.newer(&both);
        story.refused("older/access", &[]);
        let mut story = Story::begin(&both);
        story.newer(&one());
        story.refused("older/access", &[]);
    };
    destroys: "deletes all (`--destroy`)", "no", || {
        let mut story = Story::begin(&base());
        story.newer(&with(VIEWER, ""));
        story.refused("older/access", &["--destroy"]);
    };
    beside: "does any of that on another branch, which neither follows the newer commit nor leads to it", "no", || {
        let mut story = Story::begin(&base());
        story.newer(&with(VIEWER, ""));
        story.write("older", &(base() + "# another branch\n"));
        story.older.commit_folder("access");
        story.refused("older/access", &[]);
    };
    shallow: "does any of that in a shallow clone that ends before the commit is found", "no", || {
        let mut story = Story::begin(&base());
        let first = story.newer(&with(VIEWER, ""));
        story.write("newer", &base());
        let second = story.newer.commit_folder("access");
        let whole = story.newer.cloned(&story.stage.path("whole"));
        story.newer.cut(&[&second], &[&first]);
        let ended = story.refused("newer/access", &[]);
        assert!(ended.said.contains("shallow") && ended.said.contains("fetch-depth: 0"), "{}", ended.said);
        // `git fetch --unshallow`
        story.newer.fetch(&whole);
        fs::remove_file(story.stage.path("newer/.git/shallow")).expect("removed");
        story.done("newer/access", &[]);
    };
    unknown: "does any of that for a commit that its repository does not know", "no", || {
        let mut story = Story::begin(&base());
        story.write("newer", &with(VIEWER, ""));
        story.newer.commit_folder("access");
        story.done("newer/access", &[]);
        let ended = story.refused("older/access", &[]);
        let said = &ended.said;
        assert!(said.contains("not known to this repository") && said.contains("fetch-depth: 0"), "{said}");
        story.older.fetch(&story.newer);
        let said = story.refused("older/access", &[]).said;
        assert!(said.contains("not an ancestor") && !said.contains("fetch-depth"), "{said}");
    };
    outside: "does any of that outside of git", "no", || {
        let story = Story::begin(&with(VIEWER, ""));
        story.write("plain", &base());
        let said = story.refused("plain/access", &[]).said;
        assert!(said.contains("configuration is of none") && said.contains("fetch-depth: 0"), "{said}");
    };
    damaged: "does any of that with a history that cannot be read", "no", || {
        let mut story = Story::begin(&base());
        let commit = story.newer(&with(VIEWER, ""));
        fs::write(story.older.place(&commit), "damaged").expect("written");
        let said = story.refused("older/access", &[]).said;
        assert!(said.contains("could not be read") && said.contains("git fsck"), "{said}");
    };
    acknowledged: "does any of that, and a person has said so for this plan: `--ack older-checkout=DIGEST`", "yes", || {
        let mut story = Story::begin(&base());
        story.newer(&with(VIEWER, ""));
        let digest = story.refused("older/access", &[]).digest;
        let ack = format!("older-checkout={digest}");
        story.done("older/access", &["--ack", &ack]);
        assert_eq!(story.written("ci"), None);
    };
    pulled: "does any of that after `git pull`: the newer commit is an ancestor then", "yes", || {
        let mut story = Story::begin(&base());
        let commit = story.newer(&with(VIEWER, ""));
        story.older.check_out(&commit);
        story.write("older", &base());
        story.older.commit_folder("access");
        story.done("older/access", &[]);
        assert_eq!(story.written("ci"), None);
    };
}

#[test]
fn the_table_of_the_page_is_these_rows() {
    let page = fs::read_to_string("docs/reliability.md").expect("the page");
    let (_, rest) = page
        .split_once("| a run of the older checkout |")
        .expect("the table");
    let lines = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let shown: Vec<Vec<String>> = lines.map(cells).collect();
    let rows: Vec<Vec<String>> = (ROWS.iter())
        .map(|(what, may)| vec![(*what).to_owned(), (*may).to_owned()])
        .collect();
    assert_eq!(shown, rows);
}

/// A change of roles alone names its commit too, and names it before it is made.
#[test]
fn a_change_of_roles_names_its_commit() {
    let mut story = Story::begin(&with(VIEWER, ""));
    let before = story.written("ci");
    let commit = story.newer(&with(BOTH, ""));
    assert_ne!(story.written("ci"), before);
    assert_eq!(story.commit("ci"), commit[..12]);
    assert_ne!(story.commit("base"), commit[..12], "it was not written");
    let seen = story.stage.front.seen();
    let writes: Vec<&str> = (seen.iter().map(String::as_str))
        .filter(|op| ["updateServiceAccount", "setRoles"].contains(op))
        .collect();
    assert_eq!(
        writes[writes.len() - 2..],
        ["updateServiceAccount", "setRoles"]
    );
    // Drift that the same commit puts right costs no write of marks.
    let mrn = {
        let dump = story.stage.app.dump().expect("a dump");
        let accounts = dump["accounts"].as_array().expect("accounts").clone();
        let one = accounts.into_iter().find(|account| account["name"] == "ci");
        one.expect("live")["mrn"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let now = jiff::Timestamp::now();
    let set = story
        .stage
        .app
        .admin_set_roles(crate::stage::PAYMENTS, &mrn, &["viewer"], now);
    set.expect("set");
    let before = story.stage.front.seen().len();
    story.done("newer/access", &[]);
    let seen = story.stage.front.seen();
    let updates = seen[before..]
        .iter()
        .filter(|op| *op == "updateServiceAccount");
    assert_eq!(updates.count(), 0);
}

#[test]
fn uncommitted_changes_are_said_and_judged_as_the_commit() {
    let mut story = Story::begin(&base());
    let commit = story.newer(&base());
    story.write("newer", &with(VIEWER, ""));
    story.done("newer/access", &[]);
    assert_eq!(story.commit("ci"), format!("{}-dirty", &commit[..12]));
    // What is not of the configuration makes nothing dirty.
    fs::write(story.stage.path("newer/access/notes.txt"), "a remark").expect("written");
    fs::write(story.stage.path("newer/other.hcl"), "a remark").expect("written");
    let said = story.refused("older/access", &[]).said;
    assert!(said.contains(&format!("by {} (", &commit[..12])), "{said}");
    story.write("newer", &base());
    story.done("newer/access", &[]);
    assert_eq!(story.written("ci"), None);
    // A file of values that is of the commit counts, and one that is not does not.
    let values = "variable \"of\" {\n  type    = string\n  default = \"x\"\n}\n\n";
    let described = with(VIEWER, "  description = var.of\n") + values;
    story.write("newer", &described);
    fs::write(
        story.stage.path("newer/access/of.vars.hcl"),
        "of = \"one\"\n",
    )
    .expect("written");
    let commit = story.newer.commit_folder("access");
    let file = "newer/access/of.vars.hcl";
    story.done("newer/access", &["--var-file", file]);
    assert_eq!(story.commit("ci"), commit[..12]);
    fs::write(story.stage.path("beside.vars.hcl"), "of = \"two\"\n").expect("written");
    story.done("newer/access", &["--var-file", "beside.vars.hcl"]);
    assert_eq!(story.commit("ci"), commit[..12]);
    fs::write(story.stage.path(file), "of = \"three\"\n").expect("written");
    story.done("newer/access", &["--var-file", file]);
    assert_eq!(story.commit("ci"), format!("{}-dirty", &commit[..12]));
}

/// A plan says what an apply would refuse, under the same digest wherever it is made, and another commit alone is
/// no change.
#[test]
fn a_plan_says_what_apply_would_refuse_and_has_one_digest() {
    let mut story = Story::begin(&base());
    story.newer(&with(VIEWER, ""));
    story.write("plain", &base());
    let plan = |dir: &str| {
        let arguments = ["plan", "--detailed-exitcode", dir];
        let output = story.stage.command(&arguments).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let digest = text
            .split_once("Plan digest: ")
            .map(|(_, digest)| digest[..71].to_owned());
        (output.status.code(), text, digest.expect("a digest"))
    };
    let (code, text, digest) = plan("older/access");
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("apply will refuse: The plan changes 1 account that another commit wrote"),
        "{text}"
    );
    assert!(text.contains("guard older-checkout"), "{text}");
    let (_, _, outside) = plan("plain/access");
    assert_eq!(outside, digest);
    story.write("newer", &with(VIEWER, "  # a remark\n"));
    story.newer.commit_folder("access");
    let (code, text, _) = plan("newer/access");
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("older-checkout"), "{text}");
    // Nor is it drift, nor anything else that a check tells.
    let output = story
        .stage
        .command(&["check", "--allow-unmanaged", "older/access"])
        .output();
    let output = output.expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("older-checkout"), "{text}");
}

/// Neither a hook nor a setting of the repository runs anything, and none changes what is read.
#[test]
fn nothing_of_the_repository_is_run_or_obeyed() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut story = Story::begin(&base());
    let first =
        fs::read_to_string(story.stage.path("older/.git/refs/heads/main")).expect("a commit");
    let second = story.newer(&with(VIEWER, ""));
    let ran = story.stage.path("ran");
    let script = format!("#!/bin/sh\ntouch {}\n", ran.display());
    let program = story.stage.path("older/.git/program");
    fs::create_dir_all(story.stage.path("older/.git/hooks")).expect("made");
    let hooks = [
        "post-checkout",
        "reference-transaction",
        "fsmonitor-watchman",
    ];
    for file in hooks.map(|hook| story.stage.path(&format!("older/.git/hooks/{hook}"))) {
        fs::write(&file, &script).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("changed");
    }
    fs::write(&program, &script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
    let at = program.display();
    let config = format!(
        "[core]\n\tfsmonitor = {at}\n\talternateRefsCommand = {at}\n\tsshCommand = {at}\n\
         [filter \"x\"]\n\tclean = {at}\n\tprocess = {at}\n[include]\n\tpath = {at}\n"
    );
    fs::write(story.stage.path("older/.git/config"), config).expect("written");
    fs::write(story.stage.path("older/.gitattributes"), "* filter=x\n").expect("written");
    // What git itself would take for the parents of the first commit.
    fs::create_dir_all(story.stage.path("older/.git/info")).expect("made");
    let grafts = format!("{} {second}\n", first.trim());
    fs::write(story.stage.path("older/.git/info/grafts"), grafts).expect("written");
    let replaced = story
        .stage
        .path(&format!("older/.git/refs/replace/{}", first.trim()));
    fs::create_dir_all(replaced.parent().expect("a folder")).expect("made");
    fs::write(replaced, format!("{second}\n")).expect("written");
    story.refused("older/access", &[]);
    assert!(!ran.exists(), "something of the repository was run");
}
