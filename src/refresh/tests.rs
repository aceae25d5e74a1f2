//! What is read, over a platform of a few maps.

use std::cell::RefCell;

use super::*;
use crate::model::samples;
use crate::model::{Address, AddressLabel, Caller, Labels, Mrn};

/// Answers what it is told, and keeps what it was asked.
#[derive(Default)]
struct Told {
    /// Each organization's name, and what its list of spaces says.
    organizations: BTreeMap<OrgId, (&'static str, Result<Vec<&'static str>, ErrorKind>)>,
    /// What each space says of itself; one that is not here is not found.
    spaces: BTreeMap<&'static str, Result<(), ErrorKind>>,
    /// The names of spaces that have one.
    names: BTreeMap<&'static str, &'static str>,
    /// The accounts of each scope.
    accounts: BTreeMap<Scope, Result<Vec<LiveAccount>, ErrorKind>>,
    asked: RefCell<BTreeSet<String>>,
}

fn failed(kind: ErrorKind) -> ReadError {
    ReadError {
        kind,
        message: format!("cannot read it: {kind:?}"),
    }
}

fn info(name: &str) -> ScopeInfo {
    ScopeInfo {
        name: name.to_owned(),
        organization: None,
    }
}

impl Reader for Told {
    async fn caller(&self) -> Result<Caller, ReadError> {
        Ok(Caller {
            mrn: Mrn::new("me"),
            name: None,
            binding: None,
        })
    }

    async fn organization(&self, id: &OrgId) -> Result<ScopeInfo, ReadError> {
        self.asked.borrow_mut().insert(id.to_string());
        let found = self.organizations.get(id);
        let (name, _) = found.ok_or_else(|| failed(ErrorKind::NotFound))?;
        Ok(info(name))
    }

    async fn spaces(&self, id: &OrgId) -> Result<BTreeMap<SpaceId, ScopeInfo>, ReadError> {
        let (_, spaces) = &self.organizations[id];
        let spaces = spaces.clone().map_err(failed)?;
        Ok(spaces
            .into_iter()
            .map(|id| {
                (
                    space_id(id),
                    info(self.names.get(id).copied().unwrap_or_default()),
                )
            })
            .collect())
    }

    async fn space(&self, id: &SpaceId) -> Result<ScopeInfo, ReadError> {
        self.asked.borrow_mut().insert(id.to_string());
        match self.spaces.get(id.as_str()) {
            Some(Ok(())) => Ok(info("")),
            Some(Err(kind)) => Err(failed(*kind)),
            None => Err(failed(ErrorKind::NotFound)),
        }
    }

    async fn accounts(&self, scope: &Scope) -> Result<Vec<LiveAccount>, ReadError> {
        self.asked.borrow_mut().insert(scope.to_string());
        let answer = self.accounts.get(scope).cloned();
        answer.unwrap_or(Ok(Vec::new())).map_err(failed)
    }

    async fn account(&self, _: &Mrn) -> Result<Option<LiveAccount>, ReadError> {
        unreachable!("scopes are read")
    }

    fn platform_time(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

fn acme() -> OrgId {
    OrgId::new("acme-corp").expect("valid")
}

fn organization() -> Scope {
    Scope::Organization(acme())
}

fn space_id(id: &str) -> SpaceId {
    SpaceId::new(id).expect("valid")
}

fn space(id: &str) -> Scope {
    Scope::Space(space_id(id))
}

fn stack() -> StackId {
    StackId::new("acme", "k7m2q9ta").expect("valid")
}

/// An account, with marks of a stack or without any.
fn account(scope: &Scope, name: &str, stack: Option<&StackId>) -> LiveAccount {
    let label: AddressLabel = Address::new(name, None).label();
    let labels: Labels = stack
        .map(|stack| {
            let stack = format!("{}.{}", stack.name(), stack.id());
            [
                ("rolecall-stack".to_owned(), stack),
                ("rolecall-address".to_owned(), label.as_str().to_owned()),
            ]
            .into()
        })
        .unwrap_or_default();
    let kind = scope.kind();
    let mrn = Mrn::new(format!(
        "//agents.api.mondoo.app/{kind}s/{}/serviceaccounts/{name}",
        scope.id()
    ));
    LiveAccount {
        labels: labels.into(),
        ..samples::account(mrn, scope.clone(), name)
    }
}

fn other_stack() -> StackId {
    StackId::new("other", "k7m2q9ta").expect("valid")
}

/// Accounts of the stack, of another one and of nobody.
fn three(scope: &Scope) -> Vec<LiveAccount> {
    vec![
        account(scope, "ours", Some(&stack())),
        account(scope, "theirs", Some(&other_stack())),
        account(scope, "nobodys", None),
    ]
}

fn declared(organizations: &[OrgId], spaces: &[(&str, Option<OrgId>)]) -> Queries {
    Queries {
        organizations: organizations.iter().cloned().collect(),
        spaces: spaces
            .iter()
            .map(|(id, organization)| (space_id(id), organization.clone()))
            .collect(),
    }
}

async fn seen(told: &Told, queries: &Queries, home: Home) -> Live {
    let read = refresh_beyond(told, queries, &home, &stack(), "local").await;
    read.expect("readable")
}

/// The names of the accounts that were seen in a scope.
fn names(live: &Live, scope: &Scope) -> Vec<String> {
    let all = live.accounts.values().filter(|a| a.scope == *scope);
    all.map(|account| account.name.clone()).collect()
}

/// An organization with the spaces `payments` and `billing`, three accounts in each.
fn platform() -> Told {
    let scopes = [organization(), space("payments"), space("billing")];
    Told {
        organizations: [(acme(), ("Acme", Ok(vec!["payments", "billing"])))].into(),
        spaces: [("payments", Ok(())), ("billing", Ok(()))].into(),
        accounts: scopes
            .map(|scope| (scope.clone(), Ok(three(&scope))))
            .into(),
        ..Told::default()
    }
}

#[tokio::test]
async fn the_logins_own_scope_is_read_for_the_marks_of_the_stack() {
    let told = platform();
    // No scope is declared any more; an organization and a space can both be a login's own.
    let live = seen(&told, &Queries::default(), Home::Read(organization())).await;
    for scope in [organization(), space("payments"), space("billing")] {
        assert_eq!(names(&live, &scope), ["ours"], "{scope}");
        assert!(
            live.scopes.contains_key(&scope),
            "it was read whole: {scope}"
        );
    }
    assert!(live.unread.is_empty() && live.extent.unseen.is_empty());
    let live = seen(&told, &Queries::default(), Home::Read(space("billing"))).await;
    assert_eq!(names(&live, &space("billing")), ["ours"]);
    assert_eq!(live.accounts.len(), 1);
    // One space is declared and the rest of its organization is not.
    let queries = declared(&[], &[("payments", None)]);
    let live = seen(&told, &queries, Home::Read(organization())).await;
    assert_eq!(names(&live, &space("payments")).len(), 3);
    assert_eq!(names(&live, &space("billing")), ["ours"]);
    assert_eq!(names(&live, &organization()), ["ours"]);
}

#[tokio::test]
async fn what_is_declared_is_read_as_ever_whatever_the_login() {
    let told = platform();
    let queries = declared(&[acme()], &[("payments", Some(acme()))]);
    let before = refresh(&told, &queries, "local").await.expect("readable");
    for home in [organization(), space("payments"), space("billing")] {
        let mut live = seen(&told, &queries, Home::Read(home)).await;
        live.extent.home = Home::Unasked;
        assert_eq!(live, before);
    }
}

#[tokio::test]
async fn nothing_else_is_asked_for_where_the_own_scope_is_left_out_or_not_known() {
    for home in [
        Home::Unknown,
        Home::LeftOut(None),
        Home::LeftOut(Some(organization())),
        Home::Unasked,
    ] {
        let told = platform();
        let live = seen(&told, &declared(&[], &[("payments", None)]), home.clone()).await;
        assert_eq!(live.accounts.len(), 3);
        assert_eq!(live.extent.home, home);
        let asked: Vec<String> = told.asked.take().into_iter().collect();
        assert_eq!(asked, ["payments", "space payments"], "{home:?}");
    }
}

/// An organization's listing may repeat the accounts of its spaces, also of those it does not list.
#[tokio::test]
async fn an_account_that_another_listing_shows_counts_by_its_own_scope() {
    let mut told = platform();
    let mut all = three(&organization());
    all.extend(three(&space("payments")));
    all.extend(three(&space("hidden")));
    told.accounts.insert(organization(), Ok(all));
    let queries = declared(&[], &[("payments", None)]);
    let live = seen(&told, &queries, Home::Read(organization())).await;
    assert_eq!(names(&live, &space("payments")).len(), 3);
    assert_eq!(names(&live, &space("hidden")), ["ours"]);
    assert_eq!(names(&live, &organization()), ["ours"]);
}

#[tokio::test]
async fn what_of_the_own_scope_cannot_be_read_is_only_said() {
    let queries = declared(&[], &[("payments", None)]);
    let home = || Home::Read(organization());
    for (scope, shown) in [(organization(), 5 - 1), (space("billing"), 5 - 1)] {
        let mut told = platform();
        let denied = Err(ErrorKind::PermissionDenied);
        told.accounts.insert(scope.clone(), denied);
        let live = seen(&told, &queries, home()).await;
        let unseen: Vec<&Scope> = live.extent.unseen.keys().collect();
        assert_eq!((unseen, live.unread.len()), (vec![&scope], 0));
        assert_eq!(live.accounts.len(), shown);
        assert!(!live.scopes.contains_key(&scope));
    }
    // Its list of spaces, or all of it.
    let mut told = platform();
    let hidden = ("Acme", Err(ErrorKind::PermissionDenied));
    told.organizations.insert(acme(), hidden);
    let live = seen(&told, &queries, home()).await;
    assert_eq!((live.extent.unseen.len(), live.unread.len()), (1, 0));
    assert_eq!(live.accounts.len(), 3);
    let mut told = platform();
    told.organizations.clear();
    let live = seen(&told, &queries, home()).await;
    assert_eq!((live.extent.unseen.len(), live.unread.len()), (1, 0));
    let own = Home::Read(space("nowhere"));
    let live = seen(&platform(), &queries, own).await;
    assert_eq!((live.extent.unseen.len(), live.unread.len()), (1, 0));
    // What is declared of it counts as declared.
    let mut told = platform();
    let denied = Err(ErrorKind::PermissionDenied);
    told.accounts.insert(space("payments"), denied);
    let live = seen(&told, &queries, home()).await;
    assert_eq!((live.extent.unseen.len(), live.unread.len()), (0, 1));
}

#[tokio::test]
async fn a_space_is_gone_if_its_whole_organization_and_it_itself_say_so() {
    let queries = declared(
        &[acme()],
        &[("old-space", Some(acme())), ("payments", None)],
    );
    let told = platform();
    let live = seen(&told, &queries, Home::Unknown).await;
    assert_eq!(live.extent.gone, [(space("old-space"), acme())].into());
    assert!(live.unread.is_empty());
    // The organization need not be declared itself, if it was read all the same.
    let queries = declared(&[], &[("old-space", Some(acme())), ("payments", None)]);
    let live = seen(&told, &queries, Home::Read(organization())).await;
    assert_eq!(live.extent.gone.len(), 1);
}

#[tokio::test]
async fn anything_else_is_unread_and_not_gone() {
    let with = |change: &dyn Fn(&mut Told)| {
        let mut told = platform();
        change(&mut told);
        told
    };
    let denied = ErrorKind::PermissionDenied;
    let in_acme = || declared(&[acme()], &[("old-space", Some(acme()))]);
    let says = |kind| {
        move |told: &mut Told| {
            told.spaces.insert("old-space", Err(kind));
        }
    };
    for (told, queries, unread) in [
        // The space says something else than that it is not there.
        (with(&says(denied)), in_acme(), 1),
        (with(&says(ErrorKind::Transport)), in_acme(), 1),
        (with(&says(ErrorKind::Platform)), in_acme(), 1),
        (with(&says(ErrorKind::Malformed)), in_acme(), 1),
        // The organization was not read whole.
        (
            with(&|told| drop(told.organizations.insert(acme(), ("Acme", Err(denied))))),
            in_acme(),
            2,
        ),
        (
            with(&|told| drop(told.accounts.insert(organization(), Err(denied)))),
            in_acme(),
            2,
        ),
        // Nobody says of which organization it is, or that one is not read.
        (platform(), declared(&[acme()], &[("old-space", None)]), 1),
        (platform(), declared(&[], &[("old-space", Some(acme()))]), 1),
    ] {
        let live = seen(&told, &queries, Home::Unknown).await;
        assert_eq!(live.extent.gone, BTreeMap::new());
        assert_eq!(live.unread.len(), unread, "{:?}", live.unread);
        assert!(live.unread.contains_key(&space("old-space")));
    }
    // Its organization does not list it and lists an account of it.
    for hidden in [Some(stack()), None] {
        let told = with(&|told| {
            let account = account(&space("old-space"), "hidden", hidden.as_ref());
            told.accounts.insert(organization(), Ok(vec![account]));
        });
        let alone = declared(&[], &[("old-space", Some(acme()))]);
        for (queries, home) in [
            (in_acme(), Home::Unknown),
            (alone, Home::Read(organization())),
        ] {
            let live = seen(&told, &queries, home).await;
            assert_eq!(live.extent.gone, BTreeMap::new());
            let why = &live.unread[&space("old-space")].why;
            assert!(why.contains("lists accounts of it"), "{why}");
            assert_eq!(names(&live, &space("old-space")), [""; 0]);
        }
    }
    // Where a platform denies what it does not have, both possibilities are said.
    let live = seen(&with(&says(denied)), &in_acme(), Home::Unknown).await;
    let why = &live.unread[&space("old-space")].why;
    assert!(why.contains("gone, or hidden from this login"), "{why}");
}

#[tokio::test]
async fn a_name_in_the_place_of_an_id_is_answered_with_the_id() {
    for (wrong, meant) in [
        ("prod", "payments"),
        ("PROD", "payments"),
        ("bills", "billing"),
    ] {
        let mut told = platform();
        told.names = [("payments", "Prod"), ("billing", "bills")].into();
        let queries = declared(&[acme()], &[(wrong, Some(acme()))]);
        let live = seen(&told, &queries, Home::Unknown).await;
        assert_eq!(live.extent.gone, BTreeMap::new(), "it was never there");
        let why = &live.unread[&space(wrong)].why;
        assert!(why.contains(&format!("did you mean {meant}")), "{why}");
        // Of two with one name nobody knows which is meant, and none is gone.
        told.names = [("payments", wrong), ("billing", wrong)].into();
        let live = seen(&told, &queries, Home::Unknown).await;
        assert_eq!(live.extent.gone, BTreeMap::new(), "it was never there");
        let why = &live.unread[&space(wrong)].why;
        let words = "did you mean one of billing, payments, which are the ids of the spaces named";
        assert!(why.contains(words), "{why}");
    }
    let told = platform();
    // An organization by its name, where the login's own one has that.
    let queries = declared(&[OrgId::new("ACME").expect("valid")], &[]);
    let live = seen(&told, &queries, Home::Read(organization())).await;
    let [unread] = live.unread.values().collect::<Vec<_>>()[..] else {
        panic!("one: {:?}", live.unread);
    };
    assert!(
        unread.why.contains("did you mean acme-corp"),
        "{}",
        unread.why
    );
}

/// Answers by the number of the question, from 0.
struct Settings<F> {
    answer: F,
    asked: RefCell<usize>,
}

impl<F: Fn(usize) -> Result<Option<CleanUp>, ErrorKind>> SpaceSettings for Settings<F> {
    async fn clean_up(&self, _: &SpaceId) -> Result<Option<CleanUp>, ReadError> {
        let n = self.asked.replace_with(|n| *n + 1);
        (self.answer)(n).map_err(|kind| ReadError {
            kind,
            message: format!("{kind:?}"),
        })
    }
}

/// How many of so many spaces were asked, and the answers.
async fn asked(
    spaces: usize,
    answer: impl Fn(usize) -> Result<Option<CleanUp>, ErrorKind>,
) -> (usize, Vec<Result<CleanUp, String>>) {
    let settings = Settings {
        answer,
        asked: RefCell::default(),
    };
    let ids = (0..spaces).map(|n| SpaceId::new(format!("s{n:03}")).expect("valid"));
    let answers = clean_ups(&settings, ids.collect()).await;
    (settings.asked.into_inner(), answers.into_values().collect())
}

#[tokio::test]
async fn every_space_has_an_answer_and_few_are_asked() {
    let (asked, answers) = asked(60, |_| Ok(Some(CleanUp::Off))).await;
    assert_eq!((asked, answers.len()), (50, 60));
    let known = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(known, 50);
    assert!(answers[59].clone().expect_err("not asked").contains("50"));
}

#[tokio::test]
async fn silence_is_no_answer() {
    let (_, answers) = asked(1, |_| Ok(None)).await;
    assert!(answers[0].is_err());
}

#[tokio::test]
async fn a_platform_in_trouble_is_not_asked_again_and_a_closed_space_hides_no_other() {
    for (kind, questions) in [
        (ErrorKind::Transport, 1),
        (ErrorKind::Platform, 1),
        (ErrorKind::RateLimited, 1),
        (ErrorKind::PermissionDenied, 3),
        (ErrorKind::Malformed, 3),
    ] {
        let (asked, answers) = asked(3, |n| match n {
            0 => Err(kind),
            _ => Ok(Some(CleanUp::Off)),
        })
        .await;
        assert_eq!((asked, answers.len()), (questions, 3), "{kind:?}");
        assert_eq!(answers[0], Err(format!("{kind:?}")));
        assert_eq!(answers[2].is_ok(), questions == 3);
    }
}
