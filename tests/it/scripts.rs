//! Stories of whole runs that are one file each, in `scripts/`: what the configuration is, what happens
//! behind the program's back, what is run, and what it says. `UPDATE=1` renews what is said; an exit code
//! is what the file demands, and is changed by hand.
//!
//! | line | does |
//! |---|---|
//! | `# TEXT` | nothing |
//! | `stage small` | begins on a platform of one space without accounts; without it there are many |
//! | `write FILE` | writes what follows behind `\| `; `\| @head` stands for what all configurations begin with |
//! | `change FILE` | puts the lines behind `+ ` into the place of those behind `- `, which are there once |
//! | `account space JSON` | somebody creates this account there; `organization` stands for the other scope |
//! | `roles space NAME ROLE…` | somebody gives an account of that scope these roles |
//! | `serve aws` | serves the stand-in of AWS, whose login runs have from now on; `@aws` in what is written is its address |
//! | `secret NAME`, `parameter NAME` | tells what AWS keeps under this name |
//! | `refuse STATUS` | the platform answers everything with this status from now on |
//! | `$ rolecall …` | runs the program; output and `[exit CODE]` follow |
//! | `live NAME` | tells roles and labels of each live account of this name |
//! | `writes` | tells how often each writing operation has been asked for |
//!
//! `@mrn(space NAME)` in what is written stands for the resource name of a live account.

use std::fs;
use std::iter::Peekable;
use std::path::Path;
use std::str::Lines;

use jiff::Timestamp;
use rolecall_standins::aws::{Aws, ID, KEY};
use rolecall_standins::{Running, serve};
use serde_json::Value;

use crate::renew;
use crate::stage::{HEAD, ORG, PAYMENTS, Stage, Then};

const WRITES: [&str; 4] = [
    "createServiceAccount",
    "updateServiceAccount",
    "setRoles",
    "deleteServiceAccounts",
];

/// The lines that follow behind this, each with a line's end; all of them are told as they are.
fn block(lines: &mut Peekable<Lines<'_>>, mark: &str, stage: &mut Stage) -> String {
    let mut text = String::new();
    while let Some(line) = lines.next_if(|line| line.starts_with(mark)) {
        stage.tell(line);
        let rest = &line[mark.len()..];
        match rest.strip_prefix(' ').unwrap_or(rest) {
            "@head" => text.push_str(HEAD),
            line => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The live accounts of a name.
fn live(stage: &Stage, name: &str) -> Vec<Value> {
    let dump = stage.app.dump().expect("a dump");
    let accounts = dump["accounts"].as_array().expect("accounts");
    let named = accounts.iter().filter(|account| account["name"] == name);
    named.cloned().collect()
}

fn mrn(stage: &Stage, at: &str, name: &str) -> Result<String, String> {
    let (_, scope) = scope(at)?.rsplit_once('/').ok_or("no scope")?;
    let mut found = live(stage, name);
    found.retain(|account| {
        let mrn = account["mrn"].as_str().unwrap_or_default();
        mrn.contains(&format!("/{scope}/"))
    });
    let [one] = found.as_slice() else {
        return Err(format!(
            "{} live accounts of this {at} are called {name}",
            found.len()
        ));
    };
    Ok(one["mrn"].as_str().expect("a name").to_owned())
}

/// The text with the resource names that it asks for.
fn filled(stage: &Stage, text: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@mrn(") {
        let (words, after) = after.split_once(')').ok_or("@mrn( without an end")?;
        let (at, name) = words.split_once(' ').ok_or("@mrn( without a scope")?;
        filled.push_str(before);
        filled.push_str(&mrn(stage, at, name)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn scope(word: &str) -> Result<&'static str, String> {
    match word {
        "organization" => Ok(ORG),
        "space" => Ok(PAYMENTS),
        other => Err(format!("no scope is called {other}")),
    }
}

/// What is live under a name, a line each.
fn told(stage: &Stage, name: &str) -> Vec<String> {
    let dump = stage.app.dump().expect("a dump");
    let bindings = dump["bindings"].as_array().expect("bindings");
    // The values of the others are of chance.
    let steady = ["rolecall-stack", "rolecall-address", "rolecall-mark"];
    let label = |label: &Value| {
        let text = |key: &str| label[key].as_str().expect("a text").to_owned();
        let (key, value) = (text("key"), text("value"));
        match key.starts_with("rolecall-") && !steady.contains(&key.as_str()) {
            true if key.starts_with("rolecall-to-") => ", rolecall-to-… …".to_owned(),
            true => format!(", {key} …"),
            false => format!(", {key} {value}"),
        }
    };
    let line = |account: Value| {
        let bound = bindings.iter().filter(|b| b["identity"] == account["mrn"]);
        let roles = bound.flat_map(|b| b["roles"].as_array().cloned().unwrap_or_default());
        let short = |role: Value| Some(role.as_str()?.rsplit('/').next()?.to_owned());
        let roles: Vec<String> = roles.filter_map(short).collect();
        let mut line = format!("  roles [{}]", roles.join(", "));
        let labels = account["labels"].as_array().cloned().unwrap_or_default();
        let mut labels: Vec<String> = labels.iter().map(label).collect();
        labels.sort();
        labels.iter().for_each(|label| line.push_str(label));
        line
    };
    let mut lines: Vec<String> = live(stage, name).into_iter().map(line).collect();
    lines.sort();
    match lines.is_empty() {
        true => vec!["  none".to_owned()],
        false => lines,
    }
}

/// What a store keeps under a name, as the line of a transcript may show it.
fn kept(value: &str) -> &'static str {
    let credential = serde_json::from_str::<Value>(value).unwrap_or_default();
    match credential["private_key"].is_string() {
        true => "a credential",
        false if value == "{}" => "{}",
        false => "something else",
    }
}

/// What AWS keeps under a name, a line for each label or version.
fn kept_by_aws(aws: &Running<Aws>, word: &str, name: &str) -> Vec<String> {
    let lines = aws.with(|aws| match word {
        "secret" => {
            let secret = aws.secrets.get(name);
            let labels = secret.into_iter().flat_map(|secret| {
                let kept = |version| kept(&secret.versions[version]);
                let labels = secret.labels.iter();
                labels.map(move |(label, version)| format!("  {label} {}", kept(version)))
            });
            labels.collect::<Vec<_>>()
        }
        _ => {
            let versions = aws.parameters.held.get(name).into_iter().flatten();
            let line = |one: &rolecall_standins::parameters::Version| {
                let (number, kind, tier) = (one.number, &one.kind, &one.tier);
                format!("  version {number} {kind} {tier} {}", kept(&one.value))
            };
            versions.map(line).collect()
        }
    });
    match lines.is_empty() {
        true => vec!["  none".to_owned()],
        false => lines,
    }
}

/// Plays a script, and gives it back with what was said. Whatever follows a command is taken for what
/// was said before.
fn play(script: &str) -> Result<String, String> {
    let mut lines = script.lines().peekable();
    let mut stage = match lines.next_if_eq(&"stage small") {
        Some(line) => {
            let mut stage = Stage::small();
            stage.tell(line);
            stage
        }
        None => Stage::new(),
    };
    let mut aws: Option<Running<Aws>> = None;
    while let Some(line) = lines.next() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "$" {
            let arguments = rest.strip_prefix("rolecall ");
            let arguments = arguments.ok_or_else(|| format!("not a command: {line}"))?;
            let arguments: Vec<&str> = arguments.split_whitespace().collect();
            let code = stage.run_in(&arguments, |command| {
                if let Some(aws) = &aws {
                    command.envs([
                        ("AWS_ACCESS_KEY_ID", ID),
                        ("AWS_SECRET_ACCESS_KEY", KEY),
                        ("AWS_ENDPOINT_URL_STS", aws.url.as_str()),
                    ]);
                }
            });
            let end = lines.find_map(|line| line.strip_prefix("[exit ")?.strip_suffix(']'));
            let end = end.ok_or_else(|| format!("no [exit CODE] follows: {line}"))?;
            if end != code.to_string() {
                return Err(format!(
                    "{line}\nis to exit with {end}, not {code}\n{}",
                    stage.shown()
                ));
            }
            // The transcript has one too.
            lines.next_if_eq(&"");
            continue;
        }
        stage.tell(line);
        match word {
            "" | "#" => {}
            "write" => {
                let text = block(&mut lines, "|", &mut stage);
                let text = filled(&stage, &text)?;
                let text = text.replace("@aws", aws.as_ref().map_or("@aws", |aws| &aws.url));
                let path = stage.path(rest);
                let folder = path.parent().ok_or("no folder")?;
                fs::create_dir_all(folder).map_err(|e| e.to_string())?;
                fs::write(&path, text).map_err(|e| e.to_string())?;
            }
            "change" => {
                let old = block(&mut lines, "-", &mut stage);
                let new = block(&mut lines, "+", &mut stage);
                let text = fs::read_to_string(stage.path(rest)).map_err(|e| e.to_string())?;
                if old.is_empty() || text.matches(&old).count() != 1 {
                    return Err(format!("{rest} has not once:\n{old}"));
                }
                let text = text.replacen(&old, &filled(&stage, &new)?, 1);
                fs::write(stage.path(rest), text).map_err(|e| e.to_string())?;
            }
            "account" => {
                let (at, json) = rest
                    .split_once(' ')
                    .ok_or("an account is a scope and JSON")?;
                let account = serde_json::from_str(json).map_err(|error| error.to_string())?;
                let app = &stage.app;
                app.admin_create_account(scope(at)?, &account, Timestamp::now())
                    .map_err(|error| format!("{error:?}"))?;
            }
            "roles" => {
                let mut words = rest.split_whitespace();
                let (at, name) = (words.next(), words.next());
                let (at, name) = at.zip(name).ok_or("a scope, a name and roles")?;
                let (mrn, roles) = (mrn(&stage, at, name)?, words.collect::<Vec<_>>());
                let app = &stage.app;
                app.admin_set_roles(scope(at)?, &mrn, &roles, Timestamp::now())
                    .map_err(|error| format!("{error:?}"))?;
            }
            "refuse" => {
                let status = rest.parse().map_err(|_| "no status")?;
                stage.front.hook(move |_, _| Then::Refuse(status));
            }
            "serve" if rest == "aws" => {
                let here = ([127, 0, 0, 1], 0).into();
                aws = Some(serve(Aws::new(), here).map_err(|e| e.to_string())?);
            }
            "secret" | "parameter" => {
                while lines.next_if(|line| line.starts_with("  ")).is_some() {}
                let aws = aws.as_ref().ok_or("no `serve aws` before")?;
                for line in kept_by_aws(aws, word, rest) {
                    stage.tell(&line);
                }
            }
            "live" | "writes" => {
                while lines.next_if(|line| line.starts_with("  ")).is_some() {}
                let found = match word {
                    "live" => told(&stage, rest),
                    _ => {
                        let seen = stage.front.seen();
                        let times = |name: &&str| {
                            let times = seen.iter().filter(|o| o == name).count();
                            format!("  {name} {times}")
                        };
                        WRITES.iter().map(times).collect()
                    }
                };
                found.iter().for_each(|line| stage.tell(line));
            }
            other => return Err(format!("a script knows no {other}")),
        }
    }
    Ok(stage.shown())
}

/// Plays the script of this name, which must say what is said.
fn holds(name: &str) {
    let file = Path::new("tests/it/scripts").join(format!("{name}.txt"));
    let script = fs::read_to_string(&file).expect("the script is there");
    match play(&script) {
        Ok(found) => renew::compare(&found, file),
        Err(why) => panic!("{}: {why}", file.display()),
    }
}

/// One test each, so that they run beside each other and have names.
macro_rules! scripts {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        const ALL: &[&str] = &[$($name),*];
    };
}

scripts! {
    a_role_changed_behind_its_back: "role-changed-behind-its-back",
    import_update_permissions_delete: "import-update-delete",
    exit_codes_of_plain_errors: "exit-codes",
    an_owner_made_by_hand_and_hostile_names_are_shown_inert: "hostile-names",
    // H: an address renamed. Terraform destroys and creates: a new key, and an outage.
    h_a_renamed_address_moves_a_label_and_a_key_whose_file_is_named_after_it: "moved",
    // F: the block of a protected account deleted. Terraform destroys the account.
    f_protection_is_on_the_account_and_outlives_its_block: "protected",
    what_is_given_up_stays_live_and_is_nobodys: "forgotten",
    a_key_goes_to_aws_secrets_manager_and_leaves_it_with_its_account: "aws_secretsmanager",
    a_key_goes_to_a_parameter_of_aws_and_leaves_it_with_its_account: "aws_ssm",
    another_stacks_account_is_taken_only_on_a_word_outside_of_the_configuration: "taken",
}

#[test]
fn no_script_is_forgotten() {
    let found = fs::read_dir("tests/it/scripts").expect("the folder is there");
    let mut found: Vec<String> = found
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    found.sort();
    let mut all: Vec<String> = ALL.iter().map(|name| format!("{name}.txt")).collect();
    all.sort();
    assert_eq!(found, all);
}

#[test]
fn what_a_script_says_is_replaced_and_what_it_demands_is_not() {
    let script = "stage small\nwrite access/main.hcl\n| @head\n|\n$ rolecall validate access\nold\n\n[exit 0]\n\n";
    let good = play(script).expect("played");
    assert!(
        !good.contains("old") && good.contains("\n[exit 0]\n"),
        "{good}"
    );
    assert_eq!(play(&good).as_ref(), Ok(&good), "the same again");
    for (from, to, why) in [
        ("[exit 0]", "[exit 1]", "is to exit with 1, not 0"),
        ("[exit 0]", "", "no [exit CODE] follows"),
        ("$ rolecall", "$ ls", "not a command"),
        (
            "write access/main.hcl",
            "wrote access/main.hcl",
            "knows no wrote",
        ),
        (
            "|\n",
            "| @mrn(space nobody)\n",
            "0 live accounts of this space",
        ),
        (
            "|\n",
            "|\nchange access/main.hcl\n- nothing\n+ more\n",
            "has not once",
        ),
    ] {
        let said = play(&script.replacen(from, to, 1)).expect_err(why);
        assert!(said.contains(why), "{said}");
    }
}
