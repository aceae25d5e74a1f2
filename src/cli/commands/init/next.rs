//! What `rolecall init` says at its end: what was written, and what to do next.

use std::path::Path;

use super::files::{Planned, SEAL_KEY};
use super::workflow::Workflows;
use crate::cli::paths::word;
use crate::cli::seal;
use crate::cli::workflows::{Form, System};
use crate::config::generate::Generated;
use crate::echo;
use crate::view::{human, inert};

/// One thing to do, and the command that does it.
type Step = (String, Option<String>);

/// A project that was written.
pub struct Project<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Whether it was read from the embedded platform.
    pub local: bool,
    /// The credential's file that was named.
    pub credentials: Option<&'a Path>,
    /// What was written.
    pub files: &'a [Planned],
    /// What was read, if anything was.
    pub generated: Option<&'a Generated>,
    /// The workflows, if such were written.
    pub workflows: Option<&'a Workflows>,
    /// Whether the same run goes on with what is next.
    pub goes_on: bool,
}

/// The report of a project that was written.
pub fn report(project: &Project<'_>) -> String {
    let Project {
        dir,
        local,
        credentials,
        files,
        generated,
        workflows,
        goes_on,
    } = *project;
    let mut out = written(files);
    let mut steps = match generated {
        Some(generated) => {
            out.push_str(&declared(generated));
            from_live(dir, local, credentials)
        }
        None => from_nothing(dir),
    };
    if goes_on {
        return out;
    }
    steps.extend(workflows.into_iter().flat_map(|all| install(dir, all)));
    next(&mut out, &steps);
    out
}

/// The report of workflows that were written for a configuration that is there.
pub fn added(dir: &Path, workflows: &Workflows) -> String {
    let mut out = written(&workflows.files);
    next(&mut out, &install(dir, workflows));
    out
}

fn next(out: &mut String, steps: &[Step]) {
    out.push_str("\nNext:\n");
    for (n, (step, command)) in steps.iter().enumerate() {
        out.push_str(&format!("  {}. {step}\n", n + 1));
        if let Some(command) = command {
            out.push_str(&format!("       {command}\n"));
        }
    }
}

fn shown(path: &Path) -> String {
    let text = echo::path(path).to_string();
    inert(text.strip_prefix("./").unwrap_or(&text))
}

fn written(files: &[Planned]) -> String {
    let mut out = String::new();
    for (n, file) in files.iter().enumerate() {
        if file.added {
            out.push_str(&format!("Added to {}:\n", shown(&file.path)));
            let lines = file.text.lines().filter(|line| !line.is_empty());
            lines.for_each(|line| out.push_str(&format!("      {line}\n")));
        } else {
            let verb = if n == 0 { "Wrote" } else { "     " };
            out.push_str(&format!("{verb} {}\n", shown(&file.path)));
        }
    }
    out
}

fn declared(generated: &Generated) -> String {
    let left_out = &generated.left_out;
    let mut out = format!(
        "\nDeclared {} with {}; left out {}{}\n",
        human::count(generated.scopes, "scope"),
        human::count(generated.accounts, "account"),
        left_out.len(),
        if left_out.is_empty() { "." } else { ":" }
    );
    for (name, why) in left_out {
        out.push_str(&format!("  \"{}\": {}\n", inert(name), inert(why)));
    }
    out
}

fn from_live(dir: &Path, local: bool, credentials: Option<&Path>) -> Vec<Step> {
    let key = keep_key(dir);
    let dir = word(dir);
    let platform = match credentials {
        _ if local => "--local ".to_owned(),
        Some(path) => format!("--credentials {} ", word(path)),
        None => String::new(),
    };
    vec![
        key,
        step(
            "See the plan: it shows adoptions and nothing else.",
            format!("rolecall plan {platform}{dir}"),
        ),
        step(
            "Apply that plan: from then on, accounts are kept as they are declared.",
            format!("rolecall apply {platform}{dir}"),
        ),
    ]
}

fn from_nothing(dir: &Path) -> Vec<Step> {
    let main = shown(&dir.join("main.hcl"));
    let key = keep_key(dir);
    let dir = word(dir);
    vec![
        (
            format!(
                "Fill in {main}: the examples in it are comments. `rolecall docs language` has \
                 every block."
            ),
            None,
        ),
        step(
            "Check it, without talking to anybody.",
            format!("rolecall validate {dir}"),
        ),
        step(
            "Plan against the embedded platform, without a Mondoo account.",
            format!("rolecall plan --local {dir}"),
        ),
        key,
        step(
            "Plan against Mondoo, with the file of a service account that is Editor of the \
             organization.",
            format!("rolecall plan --credentials FILE {dir}"),
        ),
    ]
}

fn step(what: &str, command: String) -> Step {
    (what.to_owned(), Some(command))
}

fn keep_key(dir: &Path) -> Step {
    let key = dir.join(SEAL_KEY);
    let variable = seal::VARIABLE;
    let what = format!(
        "Put the key in {} where the secrets of the job that applies are kept, as {variable}, and only \
         then delete the file. An apply needs it, to seal which accounts are this stack's; a plan does \
         not. On this machine, until then:",
        shown(&key)
    );
    let command = format!("export {}={}", seal::FILE_VARIABLE, word(&key));
    (what, Some(command))
}

fn install(dir: &Path, workflows: &Workflows) -> Vec<Step> {
    let Workflows {
        files: _,
        wanted,
        root,
        in_repository,
        to_include,
    } = workflows;
    let mut steps = Vec::new();
    if !in_repository {
        let dir = shown(dir);
        let what = format!(
            "No git repository holds {dir}, so it was taken for the root of one. Workflows are read at the root \
             alone: if that is to be another folder, move them there."
        );
        steps.push((what, None));
    }
    if let Some(there) = to_include {
        let what = format!(
            "{} is there already: add `- local: .gitlab/rolecall.yml` to its `include`.",
            shown(there)
        );
        steps.push((what, None));
    }
    let branch = &wanted.branch;
    let at = |name: &str| shown(&root.join(name));
    let key = seal::VARIABLE;
    match wanted.system {
        System::Github => {
            if wanted.address.is_empty() {
                let what = format!(
                    "Say at `address` and `sha256` in {} where jobs fetch rolecall; they refuse any other program.",
                    at(".github/actions/rolecall/action.yml")
                );
                steps.push((what, None));
            }
            let rests = match wanted.form {
                Form::Strict => {
                    "rolecall-apply with required reviewers, for without them nobody is asked"
                }
                Form::Verdict => "rolecall-apply",
                Form::ByHand => {
                    "rolecall-apply, where required reviewers do no harm where the host has them"
                }
            };
            let what = format!(
                "In the repository's settings: make the environments rolecall-plan, {rests}, and rolecall-rotate, the last \
                 two for the branch {branch} alone. Give each MONDOO_CONFIG_BASE64, and {key} to rolecall-apply and \
                 rolecall-rotate. Require the status `rolecall` for {branch}, and the approval of the most recent push. \
                 What each is for stands at the head of the files."
            );
            steps.push((what, None));
        }
        System::Gitlab => {
            let what = format!(
                "In the project's settings: protect {branch}, name the image, set MONDOO_CONFIG_BASE64 for the environment \
                 rolecall-plan, the same and {key} for rolecall-apply and rolecall-rotate, and make a schedule. What each is \
                 for stands at the head of {}.",
                at(".gitlab/rolecall.yml")
            );
            steps.push((what, None));
        }
        System::Shell => {
            let what = format!(
                "Call {} in jobs of pull requests, {} in a job that runs on {branch} alone and never twice at a time, and \
                 {} every night. What each wants stands at its head.",
                at("ci/rolecall-plan.sh"),
                at("ci/rolecall-apply.sh"),
                at("ci/rolecall-check.sh")
            );
            steps.push((what, None));
        }
    }
    steps.push(step(
        "Read what the workflows rest on, and what no host proves.",
        "rolecall docs workflows".to_owned(),
    ));
    steps
}
