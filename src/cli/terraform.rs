//! Terraform's spellings of the command line, turned into this program's before it is read, and
//! what to do instead where there is no such thing here. Pure.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What Terraform spells so is spelt so here. A value behind `=` stays with it.
const SAME: &[(&str, &str)] = &[
    ("var", "--var"),
    ("var-file", "--var-file"),
    ("auto-approve", "--yes"),
    ("detailed-exitcode", "--detailed-exitcode"),
    ("destroy", "--destroy"),
    ("parallelism", "--parallelism"),
    ("json", "--format=json"),
    ("out", "--out"),
    ("no-color", "--no-color"),
    ("chdir", "--chdir"),
    ("help", "--help"),
    ("version", "--version"),
];

/// What Terraform spells so, with this value, is what happens here anyway, or is spelt so.
const ANYWAY: &[(&str, &str, Option<&str>)] = &[
    ("input", "false", Some("--no-input")),
    ("lock", "false", None),
    ("refresh", "true", None),
];

/// What Terraform has and this version does not, and what to do instead.
const MISSING: &[(&str, &str)] = &[
    (
        "target",
        "a plan is always whole; split the configuration if parts of it live apart",
    ),
    (
        "refresh",
        "what is live is always read, since there is no state; leave it out",
    ),
    (
        "refresh-only",
        "there is no state to refresh; plan shows what differs",
    ),
    ("state", "there is no state file"),
    ("state-out", "there is no state file"),
    ("backup", "there is no state file"),
    ("backend-config", "there is no state file, so no backend"),
    (
        "lock",
        "there is no state to lock; leave it out (`rolecall docs reliability` says what two runs at once \
         do)",
    ),
    (
        "lock-timeout",
        "there is no state to lock, so nothing waits for it; leave it out (`rolecall docs reliability` \
         says what two runs at once do)",
    ),
    (
        "input",
        "no variable is ever asked for; apply asks for its yes on a terminal only, or takes --yes; \
         -input=false has it ask nothing",
    ),
    (
        "compact-warnings",
        "warnings have one form, which is short; leave it out",
    ),
    (
        "generate-config-out",
        "write import blocks and the accounts they name",
    ),
    (
        "upgrade",
        "there are no providers and no modules to upgrade",
    ),
];

/// Terraform's commands that are none here, and what to do instead.
const COMMANDS: &[(&str, &str)] = &[
    (
        "console",
        "there is no prompt; write the expression into a `locals` block, and `rolecall validate DIR` \
         checks it",
    ),
    (
        "destroy",
        "`rolecall apply --destroy DIR` deletes all that the configuration manages; `rolecall plan \
         --destroy DIR` shows it first",
    ),
    (
        "fmt",
        "no files are formatted yet; they are HCL, so `terraform fmt - < main.hcl` shows how it would \
         format one",
    ),
    (
        "force-unlock",
        "there is no state, so no lock that a dead run could leave; run apply again",
    ),
    (
        "get",
        "there are no modules to fetch; all `.hcl` files of a directory are one configuration",
    ),
    (
        "graph",
        "there is no graph to draw; `rolecall plan DIR` shows the changes in the order in which \
         they are made",
    ),
    (
        "import",
        "declare the account, and write an `import` block beside it, with `to = service_account.NAME` \
         on one line and `id = \"MRN\"` on the next; `rolecall list DIR` shows what is live, \
         `rolecall show NAME DIR` its MRN, and `rolecall init --from-live NEW_DIR` writes a new \
         configuration with the blocks for all of it",
    ),
    (
        "login",
        "there is no session; name a credential with --credentials FILE or MONDOO_CONFIG_PATH, and \
         `rolecall credential verify FILE` tries it",
    ),
    (
        "logout",
        "there is no session; a credential is only where you keep it",
    ),
    ("metadata", "`rolecall docs language` lists all functions"),
    (
        "modules",
        "there are no modules; all `.hcl` files of a directory are one configuration",
    ),
    (
        "output",
        "there are no outputs; `rolecall show ADDRESS DIR` says everything about one account, and \
         `rolecall plan --format json DIR` is for programs",
    ),
    (
        "providers",
        "there are no providers; rolecall speaks to Mondoo itself",
    ),
    (
        "refresh",
        "there is no state to refresh: every plan reads what is live; `rolecall plan DIR` shows \
         what differs",
    ),
    (
        "state",
        "there is no state file: labels on the live accounts say whose they are; `rolecall list DIR` \
         and `rolecall show ADDRESS DIR` look at them",
    ),
    (
        "taint",
        "`rolecall rotate ADDRESS DIR` gives an account a new key, and lets the former one end",
    ),
    (
        "test",
        "configurations are not tested yet; `rolecall validate DIR` checks one, and `rolecall plan \
         --local DIR` plans it against an embedded platform",
    ),
    ("untaint", "there is no state, so nothing is tainted"),
    ("version", "write `rolecall --version`"),
    (
        "workspace",
        "there are no workspaces; a directory with a `rolecall` block of its own is another stack, \
         and `--var-file FILE` gives one configuration other values",
    ),
];

/// Says what to do instead if what was not understood is a command of Terraform's or an option of
/// another command. `given` is the command line that was read.
pub fn explain(mut error: clap::Error, given: &[OsString], command: &clap::Command) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument {
        elsewhere(&mut error, given, command);
        return error;
    }
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let Some((_, instead)) = COMMANDS.iter().find(|(theirs, _)| theirs == name) else {
        return error;
    };
    // `rolecall platform get` is no command of Terraform's.
    let at = given.iter().position(|argument| argument == name.as_str());
    let before = &given[..at.unwrap_or(given.len())];
    if before.iter().any(|a| {
        a.to_str()
            .is_some_and(|a| command.find_subcommand(a).is_some())
    }) {
        return error;
    }
    clap::Error::raw(
        ErrorKind::InvalidSubcommand,
        format!("there is no command `{name}` here\n\n  = {instead}\n"),
    )
}

/// Says to which commands an option belongs that the given one does not have. That it may be meant as a
/// value is never said: nobody means that, and it would be taken for the name of a directory.
fn elsewhere(error: &mut clap::Error, given: &[OsString], command: &clap::Command) {
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg).cloned() else {
        return;
    };
    let mut owners = Vec::new();
    owning(command, &option, command.get_name(), &mut owners);
    if !owners.is_empty() {
        error.remove(ContextKind::SuggestedArg);
        let tip = format!("`{option}` belongs to {}", owners.join(" and "));
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
        return;
    }
    // Of `-targt=x` it says `-t`.
    let short = option.len() == 2 && option.starts_with('-');
    let whole = given
        .iter()
        .filter_map(|argument| argument.to_str())
        .find(|argument| short && argument.len() > 2 && argument.starts_with(&option));
    if let Some((whole, _)) = whole.map(|text| text.split_once('=').unwrap_or((text, ""))) {
        let whole = ContextValue::String(whole.to_owned());
        error.insert(ContextKind::InvalidArg, whole);
    }
}

/// The commands that have an option, each as it is typed.
fn owning(command: &clap::Command, option: &str, path: &str, into: &mut Vec<String>) {
    let has = |argument: &clap::Arg| {
        let longs = argument.get_long_and_visible_aliases().unwrap_or_default();
        let long = option.strip_prefix("--");
        let short = option
            .strip_prefix('-')
            .and_then(|short| short.parse().ok());
        long.is_some_and(|long| longs.contains(&long))
            || (short.is_some() && argument.get_short() == short)
    };
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        if sub.get_arguments().any(has) {
            into.push(format!("`{path}`"));
        }
        owning(sub, option, &path, into);
    }
}

/// Rewrites Terraform's single-dash options, wherever an option may stand.
///
/// # Errors
/// If one of them has no counterpart in this version.
pub fn understand(
    given: Vec<OsString>,
    command: &clap::Command,
) -> Result<Vec<OsString>, clap::Error> {
    let taking = options_with_values(command);
    let mut out = Vec::with_capacity(given.len());
    let mut rest = given.into_iter();
    out.extend(rest.next());
    while let Some(argument) = rest.next() {
        if argument == "--" {
            out.push(argument);
            out.extend(rest);
            break;
        }
        let Some(argument) = translate(argument, &taking)? else {
            continue;
        };
        // What follows such an option is its value, whatever it looks like.
        let value = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--"))
            .is_some_and(|name| taking.contains(name));
        out.push(argument);
        if value {
            out.extend(rest.next());
        }
    }
    Ok(out)
}

/// One argument in our spelling; `None` for what happens anyway.
fn translate(
    argument: OsString,
    taking: &BTreeSet<String>,
) -> Result<Option<OsString>, clap::Error> {
    // An option is plain text; only its value may be anything.
    let bytes = argument.as_encoded_bytes();
    let end = bytes.iter().position(|b| *b == b'=').unwrap_or(bytes.len());
    let Ok(head) = std::str::from_utf8(&bytes[..end]) else {
        return Ok(Some(argument));
    };
    let Some(name) = head.strip_prefix('-').filter(|name| name.len() > 1) else {
        return Ok(Some(argument));
    };
    let name = name.strip_prefix('-').unwrap_or(name);
    // `--out` is ours where a command writes files.
    let ours = head.starts_with("--") && taking.contains(name);
    let value = bytes.get(end + 1..);
    let anyway =
        |(theirs, meant, _): &&(&str, &str, _)| *theirs == name && value == Some(meant.as_bytes());
    if let (Some((_, _, spelt)), false) = (ANYWAY.iter().find(anyway), ours) {
        return Ok(spelt.map(OsString::from));
    }
    if let (Some((_, instead)), false) = (MISSING.iter().find(|(m, _)| *m == name), ours) {
        return Err(clap::Error::raw(
            ErrorKind::UnknownArgument,
            format!("`{head}` is not supported by this version\n\n  = {instead}\n"),
        ));
    }
    if head.starts_with("--") {
        return Ok(Some(argument));
    }
    Ok(Some(
        match SAME.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) => with_value(ours, &argument, head.len(), taking),
            None => argument,
        },
    ))
}

/// Whether an argument asks for no colours, also where nothing else of the line is understood.
pub fn is_no_color(argument: &OsStr) -> bool {
    matches!(
        argument.to_str(),
        Some("-no-color" | "--no-color" | "-no-color=true")
    )
}

/// Our spelling with the rest of theirs: nothing, or `=` and a value.
fn with_value(ours: &str, theirs: &OsStr, head: usize, taking: &BTreeSet<String>) -> OsString {
    use std::os::unix::ffi::OsStrExt as _;
    let mut out = OsString::from(ours);
    // Terraform writes `-auto-approve=true` where it means `-auto-approve`.
    match &theirs.as_bytes()[head..] {
        b"=true" if !taking.contains(ours.trim_start_matches('-')) => {}
        rest => out.push(OsStr::from_bytes(rest)),
    }
    out
}

/// The names of all options that take a value, of whatever command.
pub fn options_with_values(command: &clap::Command) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    taking_values(command, &mut names);
    names
}

fn taking_values(command: &clap::Command, into: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        if argument.get_action().takes_values() {
            for name in argument.get_long_and_visible_aliases().unwrap_or_default() {
                into.insert(name.to_owned());
            }
        }
    }
    for sub in command.get_subcommands() {
        taking_values(sub, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let given = std::iter::once("rolecall").chain(text.split(' '));
        let given = given.map(OsString::from).collect();
        let command = crate::cli::args::grammar();
        let out = understand(given, &command).map_err(|error| error.to_string())?;
        let words: Vec<_> = out[1..].iter().map(|w| w.to_string_lossy()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn their_spellings_become_ours() {
        for (theirs, ours) in [
            ("plan -var a=1 access", "plan --var a=1 access"),
            ("plan -var=a=-json access", "plan --var=a=-json access"),
            ("plan -var-file=x.vars.hcl", "plan --var-file=x.vars.hcl"),
            ("apply -auto-approve -destroy", "apply --yes --destroy"),
            ("apply -auto-approve=true", "apply --yes"),
            ("plan -out=true", "plan --out=true"),
            (
                "plan -var=true -var-file=true",
                "plan --var=true --var-file=true",
            ),
            ("plan -json=true", "plan --format=json"),
            ("apply -parallelism=7", "apply --parallelism=7"),
            (
                "-chdir=access plan -json",
                "--chdir=access plan --format=json",
            ),
            ("plan -detailed-exitcode", "plan --detailed-exitcode"),
            ("plan -no-color a", "plan --no-color a"),
            ("plan -no-color=true a", "plan --no-color a"),
            ("plan -input=false -lock=false a", "plan --no-input a"),
            ("-chdir=a apply --input=false", "--chdir=a apply --no-input"),
            ("plan --lock=false -refresh=true a", "plan a"),
            ("plan --var -lock=false", "plan --var -lock=false"),
            ("plan -help", "plan --help"),
            // Values and what stands behind `--` are not options.
            ("plan --var -out access", "plan --var -out access"),
            ("plan -var -json access", "plan --var -json access"),
            ("plan -- -json", "plan -- -json"),
            ("-h", "-h"),
            ("plan -", "plan -"),
            ("plan -nope", "plan -nope"),
        ] {
            assert_eq!(read(theirs).as_deref(), Ok(ours), "{theirs}");
        }
    }

    #[test]
    fn their_commands_say_what_to_do_instead() {
        let args = |text: &str| {
            let given = std::iter::once("rolecall").chain(text.split(' '));
            let read = crate::cli::args::read(given.map(OsString::from).collect());
            read.map(drop).map_err(|error| error.to_string())
        };
        for name in [
            "fmt",
            "import",
            "state",
            "destroy",
            "output",
            "providers",
            "workspace",
            "taint",
            "refresh",
            "console",
            "graph",
            "login",
            "get",
            "test",
            "force-unlock",
            "untaint",
        ] {
            assert!(COMMANDS.iter().any(|(theirs, _)| *theirs == name), "{name}");
        }
        for (name, instead) in COMMANDS {
            let typed = [
                (*name).to_owned(),
                format!("{name} list access"),
                format!("-chdir=access {name}"),
                format!("--chdir access {name} -json"),
            ];
            for text in typed {
                let error = args(&text).expect_err(&text);
                assert!(
                    error.contains(&format!("no command `{name}` here")),
                    "{error}"
                );
                assert!(error.contains(instead), "{error}");
                assert!(!error.contains("unrecognized"), "{error}");
            }
            let command = crate::cli::args::grammar();
            assert!(
                command.find_subcommand(name).is_none(),
                "{name} is a command of ours"
            );
            // What it names is a command line that is understood.
            for line in instead
                .split('`')
                .filter_map(|code| code.strip_prefix("rolecall "))
            {
                assert!(
                    args(line).is_ok() || line == "--version",
                    "{line}: {:?}",
                    args(line)
                );
            }
        }
        let error = args("platform get").expect_err("no such command");
        assert!(error.contains("unrecognized subcommand 'get'"), "{error}");
    }

    #[test]
    fn the_import_block_that_is_shown_instead_of_the_command_is_one() {
        let (_, instead) = COMMANDS
            .iter()
            .find(|(name, _)| *name == "import")
            .expect("there");
        let written: Vec<&str> = instead
            .split('`')
            .filter(|code| code.contains(" = "))
            .collect();
        let body = hcl_edit::parser::parse_body(&format!("{}\n", written.join("\n")));
        let body = body.expect("each is a line of its own");
        let names: Vec<&str> = body.attributes().map(|a| a.key.as_str()).collect();
        assert_eq!(names, ["to", "id"]);
        assert!(
            instead.contains("`rolecall show NAME DIR` its MRN"),
            "{instead}"
        );
    }

    #[test]
    fn an_option_of_another_command_says_whose_it_is_and_no_value_is_suggested() {
        let wrong = |text: &str| {
            let given = std::iter::once("rolecall").chain(text.split(' '));
            let read = crate::cli::args::read(given.map(OsString::from).collect());
            read.expect_err(text).to_string()
        };
        for (text, said) in [
            (
                "plan --ack X",
                "`--ack` belongs to `rolecall apply` and `rolecall rotate` and `rolecall revoke`\n",
            ),
            (
                "apply -o x",
                "`-o` belongs to `rolecall plan` and `rolecall rotate`\n",
            ),
            (
                "apply -ox",
                "`-o` belongs to `rolecall plan` and `rolecall rotate`\n",
            ),
            (
                "plan --force",
                "`--force` belongs to `rolecall credential decode`",
            ),
            (
                "roles --ca-file x",
                "`rolecall gate` and `rolecall approved` and `rolecall rotate` and `rolecall revoke` and `rolecall list`",
            ),
            ("plan -targt=x", "unexpected argument '-targt' found"),
            ("plan -x", "unexpected argument '-x' found"),
            ("plan --destory", "a similar argument exists: '--destroy'"),
            (
                "apply --report r.json",
                "a similar argument exists: '--record'",
            ),
            (
                "apply --report=r.json access",
                "a similar argument exists: '--record'",
            ),
        ] {
            let error = wrong(text);
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("as a value"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_missing_says_so_and_names_the_way_out() {
        for (name, instead) in MISSING {
            for text in [format!("plan -{name} x"), format!("plan -{name}=x")] {
                let error = read(&text).expect_err(&text);
                assert!(error.contains("not supported by this version"), "{error}");
                assert!(error.contains(instead), "{error}");
            }
        }
        assert!(read("man --out=man").is_ok(), "our own option of that name");
    }
}
