//! Whose work a difference is, line by line of the log; who is idle; what expires.

use std::cell::RefCell;

use super::*;
use crate::config::{self, SourceFile};
use crate::diff::diff;
use crate::model::LogEntry;
use crate::model::samples;
use crate::model::{
    Facts, History, Labels, Marks, Role, ScopeInfo, Seals, SpaceId, StackId, Unread,
};
use crate::plan;
use crate::ports::{AuditLog, ErrorKind, ReadError};

const NOW: &str = "2026-11-23T12:00:00Z";
const ME: &str = "//agents.api.mondoo.app/spaces/payments/serviceaccounts/me";
const TRUSTED: &str = "//captain.api.mondoo.app/users/trusted";
const EVE: &str = "//captain.api.mondoo.app/users/eve";

const HEAD: &str = r#"rolecall {
  stack            = "acme"
  id               = "k7m2q9ta"
  trusted_creators = ["//captain.api.mondoo.app/users/trusted"]
}
space "payments" { id = "payments" }
sink "file" "local" { directory = "keys" }
"#;

fn desired(rest: &str) -> Desired {
    let file = SourceFile {
        path: "a.hcl".to_owned(),
        bytes: format!("{HEAD}{rest}").into_bytes(),
    };
    let (mut sources, module) = config::parse(vec![file]);
    match config::resolve(&module, &mut sources, &[]) {
        Ok(resolved) => resolved.desired,
        Err(found) => panic!("{}", crate::diag::render_all(&found, &sources, false)),
    }
}

fn account(name: &str, more: &str) -> String {
    format!(
        "service_account \"{name}\" {{\n  scope = space.payments\n  name = \"{name}\"\n  \
         roles = [\"viewer\"]\n  {more}\n  credential {{\n    deliver_to = [sink.file.local]\n  \
         }}\n}}\n"
    )
}

fn scope() -> Scope {
    Scope::Space(SpaceId::new("payments").expect("valid"))
}

fn mrn(name: &str) -> Mrn {
    Mrn::new(format!(
        "//agents.api.mondoo.app/spaces/payments/serviceaccounts/{name}"
    ))
}

/// A live account, under our marks if it is `ours`.
fn there(name: &str, role: &str, ours: bool, expires: Option<&str>) -> LiveAccount {
    let marks = Marks {
        expires: expires.map(|at| at.parse().expect("a time")),
        ..Marks::external(
            StackId::new("acme", "k7m2q9ta").expect("valid"),
            Address::new(name, None).label(),
            false,
        )
    };
    LiveAccount {
        labels: if ours { marks.labels() } else { Labels::new() }.into(),
        roles: [Role::new(role)].into(),
        created_at: "2026-01-01T00:00:00Z".parse().ok(),
        creator: Some(ME.to_owned()),
        ..samples::account(mrn(name), scope(), name)
    }
}

fn live(accounts: Vec<LiveAccount>) -> Live {
    let info = ScopeInfo {
        name: "payments".to_owned(),
        organization: None,
    };
    Live {
        facts: Facts {
            now: NOW.parse().expect("a time"),
            ..samples::facts(ME)
        },
        scopes: [(scope(), info)].into(),
        ..samples::live(ME, accounts)
    }
}

fn entry(by: &str, verb: &str, on: &Mrn) -> LogEntry {
    LogEntry {
        at: "2026-11-22T00:00:00Z".parse().ok(),
        identity: Some(Mrn::new(by)),
        name: Some("ada@acme.example".to_owned()),
        action: format!("mondoo.some.Service.{verb}"),
        resource: Some(on.clone()),
    }
}

const LATER: CheckOptions = CheckOptions {
    unused: None,
    expiring: SignedDuration::from_hours(24 * 30),
};

fn planned(desired: &Desired, live: &Live) -> (Plan, Inventory) {
    let inventory = Inventory::take(desired, live, &Seals::default());
    let delta = diff(desired, live, &inventory);
    (plan::build(desired, live, &inventory, delta), inventory)
}

fn checked(desired: &Desired, live: &Live, log: Vec<(Mrn, Result<History, String>)>) -> Check {
    let (plan, inventory) = planned(desired, live);
    let answers = Answers::from_map(log.into_iter().collect());
    check(plan, desired, live, &inventory, &answers, Vec::new(), LATER)
}

fn history(entries: Vec<LogEntry>, complete: bool) -> Result<History, String> {
    Ok(History { entries, complete })
}

/// The cause of the one difference.
fn cause(check: &Check) -> &Cause {
    let mut all = (check.drift.iter())
        .chain(&check.needs_person)
        .chain(&check.not_applied);
    let one = all.next().expect("a difference");
    assert!(all.next().is_none(), "one difference");
    &one.cause
}

/// `ci` is owner where viewer is declared; what the log says of it decides.
fn raised(entries: Vec<LogEntry>) -> Check {
    let (desired, live) = (
        desired(&account("ci", "")),
        live(vec![there("ci", "owner", true, None)]),
    );
    checked(&desired, &live, vec![(mrn("ci"), history(entries, true))])
}

#[test]
fn who_wrote_last_decides() {
    let ci = mrn("ci");
    let by = |who| entry(who, "SetSpaceMembership", &ci);
    for (last, before, ours) in [
        (EVE, ME, false),
        (ME, EVE, true),
        (TRUSTED, EVE, true),
        // A name for people proves nothing: everybody chooses their own.
        ("//captain.api.mondoo.app/users/trusted-not", ME, false),
    ] {
        let check = raised(vec![by(last), by(before)]);
        assert_eq!(check.drift.is_empty(), ours, "{last}");
        let expected = if ours {
            Cause::NotApplied(Some(by(last)))
        } else {
            Cause::Drift(by(last))
        };
        assert_eq!(*cause(&check), expected);
    }
    let mut unnamed = by(ME);
    unnamed.identity = None;
    assert!(matches!(cause(&raised(vec![unnamed])), Cause::Drift(_)));
}

#[test]
fn a_write_that_cannot_have_made_the_difference_does_not_explain_it() {
    let ci = mrn("ci");
    // Our own update of labels came after somebody's change of roles.
    let check = raised(vec![
        entry(ME, "UpdateServiceAccount", &ci),
        entry(EVE, "SetSpaceMembership", &ci),
        entry(ME, "CreateServiceAccount", &ci),
    ]);
    assert!(matches!(cause(&check), Cause::Drift(by) if by.identity == Some(Mrn::new(EVE))));
    // An action that nobody knows may have changed roles.
    let check = raised(vec![
        entry(EVE, "Frobnicate", &ci),
        entry(ME, "SetRoles", &ci),
    ]);
    assert!(matches!(cause(&check), Cause::Drift(_)));
    // A line about something else in the same scope.
    let check = raised(vec![
        entry(EVE, "SetRoles", &mrn("other")),
        entry(ME, "SetRoles", &ci),
    ]);
    assert!(matches!(cause(&check), Cause::NotApplied(Some(_))));

    // The other way round: roles were set, and the name was changed before that.
    let desired = desired(&account("ci", "description = \"x\""));
    let live = live(vec![there("ci", "viewer", true, None)]);
    let log = vec![
        entry(ME, "SetSpaceMembership", &ci),
        entry(EVE, "UpdateServiceAccount", &ci),
    ];
    let check = checked(&desired, &live, vec![(ci, history(log, true))]);
    assert!(matches!(cause(&check), Cause::Drift(_)));
}

#[test]
fn what_the_log_does_not_tell_is_unknown_and_counts_as_drift() {
    let desired = desired(&account("ci", ""));
    let live = live(vec![there("ci", "owner", true, None)]);
    for (answer, word) in [
        (Some(history(Vec::new(), true)), "no entry"),
        (Some(history(Vec::new(), false)), "newest 0 entries"),
        (Some(Err("forbidden".to_owned())), "forbidden"),
        (None, "not asked"),
    ] {
        let log = answer.map(|answer| (mrn("ci"), answer));
        let check = checked(&desired, &live, log.into_iter().collect());
        assert_eq!(check.drift.len(), 1);
        assert!(
            matches!(cause(&check), Cause::Unknown(why) if why.contains(word)),
            "{word}: {:?}",
            cause(&check)
        );
    }
}

#[test]
fn a_missing_account_was_deleted_or_never_created() {
    let (desired, live) = (desired(&account("ci", "")), live(Vec::new()));
    let gone = mrn("gone");
    let created = |by| entry(by, "CreateServiceAccount", &gone);
    let deleted = |by| entry(by, "DeleteServiceAccount", &gone);
    let of = |entries, complete| {
        let log = vec![(scope().mrn(), history(entries, complete))];
        checked(&desired, &live, log)
    };
    // Nothing was deleted, or by us, or what was never ours: it was never created.
    for quiet in [
        vec![],
        vec![deleted(ME), created(ME)],
        vec![deleted(EVE), created(EVE)],
        vec![entry(EVE, "UpdateServiceAccount", &gone), created(ME)],
    ] {
        let check = of(quiet.clone(), true);
        assert_eq!(*cause(&check), Cause::NotApplied(None), "{quiet:?}");
    }
    // Our run had made it, or had written to it, or nobody knows who made it.
    for loud in [
        vec![deleted(EVE), created(ME)],
        vec![
            deleted(EVE),
            entry(ME, "UpdateServiceAccount", &gone),
            created(EVE),
        ],
        vec![deleted(EVE)],
    ] {
        let check = of(loud.clone(), true);
        let told = matches!(cause(&check), Cause::Unknown(why) if why.contains(EVE));
        assert!(told, "{loud:?}: {:?}", cause(&check));
    }
    assert!(matches!(cause(&of(vec![], false)), Cause::Unknown(_)));
}

#[test]
fn an_account_without_its_marks_is_drift_if_somebody_took_them() {
    let desired = desired(&account("ci", ""));
    let live = live(vec![there("ci", "viewer", false, None)]);
    let log = vec![entry(EVE, "UpdateServiceAccount", &mrn("ci"))];
    let check = checked(&desired, &live, vec![(mrn("ci"), history(log, true))]);
    assert!(matches!(cause(&check), Cause::Drift(_)));
    assert!(matches!(check.needs_person[0].what, What::Blocked(_)));
    assert_eq!((check.drift.len(), check.unmanaged.len()), (0, 1));
}

/// Whoever wrote last, an apply changes nothing about it, so it must not look as if it waited for one.
#[test]
fn what_is_blocked_needs_a_person_and_waits_for_no_apply() {
    let protected = |mut account: LiveAccount| {
        account.labels.edit(|labels| {
            let mark = labels.get_mut("rolecall-mark").expect("marked");
            *mark = mark.replace(".p0", ".p1");
        });
        account
    };
    let mut stranger = there("ci", "viewer", true, None);
    stranger.creator = Some(EVE.to_owned());
    let twin = LiveAccount {
        mrn: mrn("twin"),
        ..there("ci", "viewer", true, None)
    };
    for (what, declared, accounts) in [
        (
            "protected",
            "",
            vec![protected(there("ci", "viewer", true, None))],
        ),
        ("disputed", "ci", vec![stranger]),
        (
            "duplicate",
            "ci",
            vec![there("ci", "viewer", true, None), twin],
        ),
        ("taken", "ci", vec![there("ci", "viewer", false, None)]),
    ] {
        let text = match declared {
            "" => String::new(),
            name => account(name, ""),
        };
        let log: Vec<_> = accounts
            .iter()
            .map(|a| {
                (
                    a.mrn.clone(),
                    history(vec![entry(ME, "UpdateServiceAccount", &a.mrn)], true),
                )
            })
            .collect();
        let check = checked(&desired(&text), &live(accounts), log);
        assert_eq!(check.needs_person.len(), 1, "{what}: {check:?}");
        assert!(
            matches!(check.needs_person[0].what, What::Blocked(_)),
            "{what}"
        );
        assert!(
            matches!(cause(&check), Cause::Own(_)),
            "{what}: {:?}",
            cause(&check)
        );
        assert!(!check.pending(), "{what}");
    }
}

#[test]
fn an_import_is_not_applied_yet_whoever_wrote() {
    let import = format!(
        "import {{\n  to = service_account.ci\n  id = \"{}\"\n}}\n",
        mrn("ci")
    );
    let desired = desired(&(account("ci", "") + &import));
    let live = live(vec![there("ci", "owner", false, None)]);
    let check = checked(&desired, &live, Vec::new());
    assert_eq!((check.drift.len(), check.not_applied.len()), (0, 2));
}

#[test]
fn idle_counts_from_the_last_use_or_else_from_creation() {
    let cut: Timestamp = "2026-08-25T12:00:00Z".parse().expect("a time");
    let of = |used: Option<&str>, created: Option<&str>| {
        let mut account = there("ci", "viewer", true, None);
        account.last_used = used.map(|at| at.parse().expect("a time"));
        account.created_at = created.map(|at| at.parse().expect("a time"));
        since(&account, cut)
    };
    let (old, new) = ("2026-08-25T12:00:00Z", "2026-08-25T12:00:01Z");
    let at = |text: &str| text.parse().expect("a time");
    assert_eq!(of(Some(old), Some(old)), Some(Since::Used(at(old))));
    assert_eq!(of(Some(new), Some(old)), None);
    assert_eq!(of(None, Some(old)), Some(Since::Created(at(old))));
    assert_eq!(of(None, Some(new)), None);
    assert_eq!(of(None, None), Some(Since::Unknown));
}

#[test]
fn what_could_not_be_read_makes_it_partial() {
    let desired = desired(&account("ci", ""));
    let mut live = live(vec![there("ci", "viewer", true, None)]);
    assert!(!checked(&desired, &live, Vec::new()).partial());
    live.accounts.clear();
    live.scopes.clear();
    let why = "HTTP status 403".to_owned();
    live.unread.insert(scope(), Unread { why });
    assert!(checked(&desired, &live, Vec::new()).partial());
}

#[test]
fn the_idle_are_told_with_the_powerful_first_and_without_the_caller() {
    let mut me = there("me", "owner", false, None);
    me.mrn = Mrn::new(ME);
    let desired = desired(&account("ci", ""));
    let live = live(vec![
        there("ci", "viewer", true, None),
        there("hand-made", "owner", false, None),
        LiveAccount {
            creator: Some(EVE.to_owned()),
            ..there("docs", "viewer", true, None)
        },
        me,
    ]);
    let options = CheckOptions {
        unused: Some(SignedDuration::from_hours(24)),
        ..LATER
    };
    let (plan, inventory) = planned(&desired, &live);
    let check = check(
        plan,
        &desired,
        &live,
        &inventory,
        &Answers::default(),
        Vec::new(),
        options,
    );
    let unused = check.unused.expect("was asked for");
    let names: Vec<&str> = unused.iter().map(|i| i.account.name.as_str()).collect();
    assert_eq!(names, ["hand-made", "ci", "docs"]);
    let whose = |idle: &Idle| (idle.custody, idle.address.clone());
    assert_eq!(whose(&unused[0]), (Keeper::Unmanaged, None));
    let ci = Address::new("ci", None);
    assert_eq!(whose(&unused[1]), (Keeper::Managed, Some(ci)));
    assert_eq!(whose(&unused[2]), (Keeper::Disputed, None));
}

#[test]
fn what_expires_is_told_expired_first_there_or_not() {
    let until = |at: &str| format!("valid_until = \"{at}\"");
    let times = [
        ("soon", "2026-12-23T12:00:00Z"),
        ("later", "2026-12-23T12:00:01Z"),
        ("over", "2026-11-23T12:00:00Z"),
        ("gone", "2026-11-01T00:00:00Z"),
    ];
    let text: String = times.iter().map(|(n, at)| account(n, &until(at))).collect();
    let mut live = live(
        times[..3]
            .iter()
            .map(|(name, at)| there(name, "viewer", true, Some(at)))
            .collect(),
    );
    let told = |live: &Live| -> Vec<(String, bool, bool)> {
        let check = checked(&desired(&text), live, Vec::new());
        let all = check.expiring.into_iter();
        all.map(|e| (e.name, e.expired, e.account.is_some()))
            .collect()
    };
    let row = |name: &str, expired, there| (name.to_owned(), expired, there);
    assert_eq!(
        told(&live),
        [
            row("gone", true, false),
            row("over", true, true),
            row("soon", false, true)
        ]
    );
    // What was not read is not known to be gone.
    let why = "no".to_owned();
    live.unread.insert(scope(), Unread { why });
    assert_eq!(told(&live).len(), 2);
}

/// A log that answers what a test says, and counts what it was asked.
struct Log<F> {
    answer: F,
    asked: RefCell<Vec<Mrn>>,
}

impl<F: Fn(&Mrn) -> Result<Vec<LogEntry>, ErrorKind>> AuditLog for Log<F> {
    async fn history(&self, resource: &Mrn, _: usize) -> Result<History, ReadError> {
        self.asked.borrow_mut().push(resource.clone());
        match (self.answer)(resource) {
            Ok(entries) => Ok(History {
                entries,
                complete: true,
            }),
            Err(kind) => Err(ReadError {
                kind,
                message: format!("{kind:?}"),
            }),
        }
    }
}

/// Three accounts that were raised; what the log is asked, and what is made of its answers.
async fn asked(answer: impl Fn(&Mrn) -> Result<Vec<LogEntry>, ErrorKind>) -> (Vec<Mrn>, Check) {
    let names = ["a", "b", "c"];
    let text: String = names.iter().map(|name| account(name, "")).collect();
    let desired = desired(&text);
    let raised = |name: &&str| there(name, "owner", true, None);
    let live = live(names.iter().map(raised).collect());
    let (plan, inventory) = planned(&desired, &live);
    let log = Log {
        answer,
        asked: RefCell::default(),
    };
    let answers = ask(&log, &plan).await;
    let check = check(
        plan,
        &desired,
        &live,
        &inventory,
        &answers,
        Vec::new(),
        LATER,
    );
    (log.asked.into_inner(), check)
}

#[tokio::test]
async fn a_log_that_knows_no_accounts_is_read_by_scope_once() {
    let all = ["a", "b", "c"].map(|name| entry(EVE, "SetSpaceMembership", &mrn(name)));
    for nothing in [
        Ok(Vec::new()),
        Err(ErrorKind::NotFound),
        Err(ErrorKind::Invalid),
    ] {
        let (asked, check) = asked(|resource| {
            if *resource == scope().mrn() {
                Ok(all.to_vec())
            } else {
                nothing.clone()
            }
        })
        .await;
        assert_eq!(asked.len(), 4, "{asked:?}");
        assert_eq!(check.drift.len(), 3);
        for found in &check.drift {
            let of = |by: &LogEntry| by.resource.clone();
            assert!(matches!(&found.cause, Cause::Drift(by) if of(by) == found.account));
        }
    }
    // Nothing anywhere.
    let (asked, check) = asked(|_| Ok(Vec::new())).await;
    assert_eq!(asked.len(), 4);
    let unknown = |found: &Differing| matches!(found.cause, Cause::Unknown(_));
    assert!(check.drift.iter().all(unknown));
}

#[tokio::test]
async fn a_scope_whose_log_is_closed_is_not_asked_about_again() {
    for (kind, questions) in [
        (ErrorKind::PermissionDenied, 1),
        (ErrorKind::Transport, 1),
        (ErrorKind::Malformed, 3),
    ] {
        let (asked, check) = asked(|_| Err(kind)).await;
        assert_eq!(asked.len(), questions, "{kind:?}");
        let word = format!("{kind:?}");
        let told = |found: &Differing| matches!(&found.cause, Cause::Unknown(why) if *why == word);
        assert!(check.drift.len() == 3 && check.drift.iter().all(told));
    }
}

/// Nobody changed it and nothing can be applied: a person has to give its users another key.
#[test]
fn an_expired_account_needs_a_person_and_waits_for_no_apply() {
    for (until, over) in [
        ("2026-11-23T12:00:00Z", true),
        ("2020-02-29T00:00:00Z", true),
        ("2026-11-23T12:00:01Z", false),
    ] {
        let block = account("ci", &format!("valid_until = \"{until}\""));
        let (desired, live) = (
            desired(&block),
            live(vec![there("ci", "viewer", true, Some(until))]),
        );
        let found = checked(&desired, &live, Vec::new());
        assert_eq!(found.needs_person.len(), usize::from(over), "{until}");
        assert!(!found.pending() && found.drift.is_empty(), "{until}");
        if let Some(one) = found.needs_person.first() {
            assert!(matches!(one.what, What::Expired { .. }), "{one:?}");
            assert_eq!(one.cause, Cause::Own(None));
            assert_eq!(one.account, Some(mrn("ci")));
        }
        assert_eq!(
            found.expiring.len(),
            1,
            "it stands in the list of dates as well"
        );
    }
}

/// The marks still hold the address before a `moved` block.
#[test]
fn an_account_is_known_by_the_address_it_has_now() {
    let moved = "moved {\n  from = service_account.old\n  to = service_account.ci\n}\n";
    let until = "2026-12-01T00:00:00Z";
    let block = account("ci", &format!("valid_until = \"{until}\"")) + moved;
    let mut old = there("old", "viewer", true, Some(until));
    old.name = "ci".to_owned();
    let found = checked(&desired(&block), &live(vec![old]), Vec::new());
    let told: Vec<_> = found
        .expiring
        .iter()
        .map(|e| (e.address.to_string(), e.account.is_some()))
        .collect();
    assert_eq!(told, [("service_account.ci".to_owned(), true)]);
}

#[test]
fn what_is_declared_in_a_scope_that_is_gone_needs_a_person() {
    let organization = crate::model::OrgId::new("acme-corp").expect("valid");
    for names in [&["ci"][..], &["ci", "cd"], &[]] {
        let text: String = names.iter().map(|name| account(name, "")).collect();
        let mut live = live(Vec::new());
        live.scopes.clear();
        live.extent.gone.insert(scope(), organization.clone());
        let check = checked(&desired(&text), &live, Vec::new());
        let found = check.needs_person.iter();
        let gone = found.filter(|f| f.what == What::Gone && f.cause == Cause::Own(None));
        assert_eq!(gone.count(), names.len());
        assert_eq!(check.needs_person.len(), names.len());
        assert!(check.drift.is_empty() && check.not_applied.is_empty());
        let shown = crate::view::human::check(&check);
        assert_eq!(shown.contains("its id is mistyped"), !names.is_empty());
    }
    // What is live elsewhere is told once, as the obstacle that it is.
    let elsewhere = Scope::Space(SpaceId::new("payments-eu").expect("valid"));
    let mut present = there("ci", "viewer", true, None);
    present.scope = elsewhere.clone();
    let mut live = live(vec![present]);
    let info = live.scopes.remove(&scope()).expect("there");
    live.scopes.insert(elsewhere, info);
    live.extent.gone.insert(scope(), organization);
    let check = checked(&desired(&account("ci", "")), &live, Vec::new());
    assert_eq!(check.needs_person.len(), 1, "{:?}", check.needs_person);
    assert!(matches!(check.needs_person[0].what, What::Blocked(_)));
}

/// A live account whose mark says that its birth is not over, and whose time for that is.
fn pending(role: Option<&str>) -> LiveAccount {
    let since = "2026-11-20T00:00:00Z".parse().expect("a time");
    let birth = crate::model::Birth::new(crate::model::Nonce::from_bytes([1; 16]), since);
    let marks = Marks {
        credential: crate::model::CredentialMark::Pending(birth),
        ..Marks::external(
            StackId::new("acme", "k7m2q9ta").expect("valid"),
            Address::new("ci", None).label(),
            false,
        )
    };
    LiveAccount {
        labels: marks.labels().into(),
        roles: role.map(Role::new).into_iter().collect(),
        ..there("ci", "viewer", true, None)
    }
}

/// An Editor writes labels: what a run seems to have left may be somebody's edit.
#[test]
fn who_wrote_the_mark_of_a_remnant_is_told() {
    let ci = mrn("ci");
    let updated = |who| entry(who, "UpdateServiceAccount", &ci);
    let raised = |who| entry(who, "SetSpaceMembership", &ci);
    let created = || entry(ME, "CreateServiceAccount", &ci);
    let desired = desired(&account("ci", ""));
    for (log, drift) in [
        (vec![created()], false),
        (vec![updated(EVE), created()], true),
        (vec![raised(ME), updated(EVE), created()], true),
        (vec![updated(ME), raised(EVE), created()], true),
        (vec![updated(TRUSTED), created()], false),
    ] {
        for role in [None, Some("viewer")] {
            let check = checked(
                &desired,
                &live(vec![pending(role)]),
                vec![(mrn("ci"), history(log.clone(), true))],
            );
            let by_others = matches!(cause(&check), Cause::Drift(_));
            assert_eq!(by_others, drift, "{role:?} {log:?}: {:?}", cause(&check));
        }
    }
}

/// What is missing may be there, under another name and without its marks.
#[test]
fn a_missing_account_whose_marks_somebody_took_is_not_said_to_wait_for_an_apply() {
    let desired = desired(&(account("ci", "") + &account("docs", "")));
    let by = |who, verb, on| entry(who, verb, &mrn(on));
    let docs = there("docs", "viewer", true, None);
    let stray = |creator: Option<&str>| LiveAccount {
        creator: creator.map(str::to_owned),
        ..there("ci-2", "viewer", false, None)
    };
    for (stray, log, told) in [
        (
            stray(Some(ME)),
            vec![by(EVE, "UpdateServiceAccount", "ci-2")],
            true,
        ),
        (
            stray(None),
            vec![by(EVE, "UpdateServiceAccount", "ci-2")],
            true,
        ),
        (
            stray(Some(EVE)),
            vec![
                by(EVE, "UpdateServiceAccount", "ci-2"),
                by(ME, "UpdateServiceAccount", "ci-2"),
            ],
            true,
        ),
        // Never ours, not edited, or edited where it is as declared.
        (
            stray(Some(EVE)),
            vec![by(EVE, "UpdateServiceAccount", "ci-2")],
            false,
        ),
        (
            stray(Some(ME)),
            vec![by(ME, "UpdateServiceAccount", "ci-2")],
            false,
        ),
        (
            stray(Some(ME)),
            vec![by(EVE, "SetSpaceMembership", "ci-2")],
            false,
        ),
        (
            stray(Some(ME)),
            vec![by(EVE, "UpdateServiceAccount", "docs")],
            false,
        ),
    ] {
        let log = vec![(scope().mrn(), history(log, true))];
        let check = checked(&desired, &live(vec![docs.clone(), stray]), log.clone());
        let unknown = matches!(cause(&check), Cause::Unknown(why) if why.contains(EVE));
        assert_eq!(unknown, told, "{log:?}: {:?}", cause(&check));
        assert_eq!(check.pending(), !told);
    }
}
