//! What the platform may object to: told before trying, and never a reason to refuse, since which
//! calls each role allows is not public.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change};
use crate::model::{
    Destination, GithubApi, GithubApp, GithubOwner, GitlabOwner, Live, LiveAccount, Place, Role,
    Scope, SinkKind, rank,
};

/// The weight of the weakest role that manages service accounts. Source: Mondoo's documentation of
/// team members; editors manage service accounts, viewers do not see them.
const MANAGES: u8 = 3;

/// What is not proven where the configuration has no seal key.
pub(super) const UNPROVEN: &str = "every Editor can write labels, and the configuration has no seal_key: \
     so nothing proves which accounts are this stack's, or that their marks were neither changed nor \
     taken from another account; who created an account decides instead. `rolecall seal new` makes a key";

/// What to say in short of a sentence that stands in every plan of a configuration; `None` of any other one.
pub fn standing(advice: &str) -> Option<&'static str> {
    (advice == UNPROVEN).then_some(
        "no seal_key, so nothing proves which accounts are this stack's; `rolecall seal new` makes a key",
    )
}

/// That the seals of a former key are believed too. Its name is made of hexadecimal digits.
pub(super) fn two_keys(former: &str) -> String {
    format!(
        "the block seal_key_former names the key {former}: what is sealed with it is believed as well; \
         take the block out once plans no longer seal any account anew"
    )
}

/// That keys are born for CIs whose jobs can do without, in the plan that makes them and in no later one; and what
/// to enter into a binding instead, where a destination tells which jobs those are.
pub(super) fn keyless(changes: &[Change]) -> Vec<String> {
    const MOST: usize = 3;
    let of_ci = |to: &&Destination| matches!(to.kind(), SinkKind::Github | SinkKind::Gitlab);
    let born = |change: &&Change| change.action == Action::Create;
    let born = changes.iter().filter(born);
    let born: Vec<&Change> = born
        .filter(|change| change.deliver_to.iter().any(|to| of_ci(&to)))
        .collect();
    let what = match born.len() {
        0 => return Vec::new(),
        1 => "a key is".to_owned(),
        several => format!("{several} keys are"),
    };
    let fields = born.iter().filter_map(|change| {
        let job = change.deliver_to.iter().find_map(job)?;
        let scope = &change.scope;
        let roles = names(change.after.iter().flat_map(|after| &after.roles));
        Some(format!(
            "a binding for the jobs of {}, in {scope}: {job}, allowed audience {}, roles {roles}",
            change.address,
            scope.mrn()
        ))
    });
    std::iter::once(format!(
        "{what} made for jobs of GitHub or GitLab, which can log in to Mondoo without one: \
         `rolecall docs keyless` has the fields of a binding"
    ))
    .chain(fields.take(MOST))
    .collect()
}

/// Issuer, subject and mappings of the jobs that read a place; `None` where it does not say whose they are.
/// Sources: GitHub's documentation, "OpenID Connect reference", and GitLab's, "OpenID Connect (OIDC)
/// Authentication Using ID Tokens".
fn job(to: &Destination) -> Option<String> {
    match to.place() {
        Place::Github(place) => {
            let jobs =
                place.app == GithubApp::Actions && place.address.as_str() == GithubApi::PUBLIC;
            let (repository, of) = match &place.owner {
                GithubOwner::Repository(name) => (name, "ref:refs/heads/main".to_owned()),
                GithubOwner::Environment { repository, name } => {
                    (repository, format!("environment:{name}"))
                }
                GithubOwner::Organization { .. } => return None,
            };
            jobs.then(|| {
                format!(
                    "issuer https://token.actions.githubusercontent.com, subject repo:{repository}:{of}, \
                     mappings jwt_claims.repository_id and jwt_claims.repository_owner_id \
                     (`gh api repos/{repository} --jq '.id, .owner.id'`)"
                )
            })
        }
        Place::Gitlab(place) => match &place.owner {
            GitlabOwner::Project(path) => Some(format!(
                "issuer {}, subject project_path:{path}:ref_type:branch:ref:main, mappings \
                 jwt_claims.project_id and jwt_claims.namespace_id (the project's and its group's number)",
                place.address
            )),
            GitlabOwner::Group(_) => None,
        },
        _ => None,
    }
}

/// What the roles of this run's own account may be too weak for, or that nobody can tell.
pub(super) fn advice(changes: &[Change], live: &Live) -> Vec<String> {
    let mut grants: BTreeMap<&Scope, BTreeSet<&Role>> = BTreeMap::new();
    for change in changes {
        let gained = change.privilege.gained.iter();
        grants.entry(&change.scope).or_default().extend(gained);
    }
    let caller = live.accounts.get(&live.facts.caller.mrn);
    // A platform that tells nothing of its roles looks as if it had none.
    let Some(caller) = caller.filter(|caller| !caller.roles.is_empty()) else {
        let granted = names(grants.into_values().flatten().collect::<BTreeSet<_>>());
        let unknown = || {
            format!(
                "not verified: whether this run's identity may give {granted}; the platform does \
                 not tell its roles"
            )
        };
        return (granted != NONE).then(unknown).into_iter().collect();
    };
    let held = names(caller.roles.iter());
    let mut advice = Vec::new();
    for (scope, granted) in grants {
        if !reaches(caller, scope, live) {
            continue;
        }
        let power = rank(&caller.roles);
        if power < MANAGES {
            advice.push(format!(
                "this run's account has {held} in {scope}, and the platform lets editors and \
                 owners manage service accounts"
            ));
            continue;
        }
        let above = names(granted.into_iter().filter(|role| role.weight() > power));
        if above != NONE {
            advice.push(format!(
                "the plan gives {above} in {scope}, and this run's account itself has {held}"
            ));
        }
    }
    advice
}

const NONE: &str = "no role";

/// Whether the roles of an account that lives in its scope hold in another one.
fn reaches(account: &LiveAccount, scope: &Scope, live: &Live) -> bool {
    account.scope == *scope
        || live
            .scopes
            .get(scope)
            .and_then(|info| info.organization.clone())
            .is_some_and(|organization| account.scope == Scope::Organization(organization))
}

fn names<'a>(roles: impl IntoIterator<Item = &'a Role>) -> String {
    let names: Vec<&str> = roles.into_iter().map(Role::short).collect();
    if names.is_empty() {
        NONE.to_owned()
    } else {
        names.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples;
    use crate::model::{
        AccountState, Address, CredentialFormat, GithubPlace, Mrn, OrgId, RoleSet, ScopeInfo,
        SpaceId, StackId,
    };
    use crate::plan::{Action, Difference, Reason};

    fn set(names: &[&str]) -> RoleSet {
        names.iter().map(|name| Role::new(name)).collect()
    }

    fn organization() -> OrgId {
        OrgId::new("acme-corp").expect("valid")
    }

    fn scope(name: &str) -> Scope {
        Scope::Space(SpaceId::new(name).expect("valid"))
    }

    fn said(lives_in: Scope, held: &[&str], gained: &[&str], at: &str) -> Vec<String> {
        let account = LiveAccount {
            roles: set(held),
            ..samples::account(Mrn::new("me"), lives_in, "deployer")
        };
        let inside = |inside: bool| ScopeInfo {
            name: String::new(),
            organization: inside.then(organization),
        };
        let live = Live {
            scopes: [
                (scope("payments"), inside(true)),
                (scope("other"), inside(false)),
            ]
            .into(),
            ..samples::live("me", [account])
        };
        let state = |names: &[&str]| AccountState {
            roles: set(names),
            ..samples::state("ci")
        };
        let what = Difference {
            address: Address::new("ci", None),
            generation: 1,
            action: Action::UpdatePermissions,
            reason: Reason::Differs,
            scope: scope(at),
            account: None,
            before: Some(state(&[])),
            after: Some(state(gained)),
            marks: None,
            moved_from: None,
            deliver_to: Vec::new(),
            key_from: None,
            leaves: Vec::new(),
            predecessors: Vec::new(),
            places: Vec::new(),
        };
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        advice(&[Change::of(what, &stack)], &live)
    }

    #[test]
    fn weak_callers_are_told_where_their_roles_hold_and_nowhere_else() {
        let acme = || Scope::Organization(organization());
        let silent = Vec::<String>::new();
        assert_eq!(said(acme(), &["owner"], &["owner"], "payments"), silent);
        assert_eq!(
            said(acme(), &["editor"], &["viewer", "agent"], "payments"),
            silent
        );
        assert!(said(acme(), &["editor"], &["owner"], "payments")[0].contains("gives owner in"));
        assert!(said(acme(), &["viewer"], &["agent"], "payments")[0].contains("has viewer in"));
        let weak = said(acme(), &["viewer"], &["owner"], "payments");
        assert_eq!(weak.len(), 1, "what is too weak at all is not compared");
        let above = said(acme(), &["editor"], &["agent", "owner"], "payments");
        assert!(above[0].contains("gives owner in"), "{above:?}");
        assert_eq!(said(acme(), &["viewer"], &["agent"], "other"), silent);
        let unknown = said(scope("other"), &[], &["agent", "viewer"], "other");
        assert!(
            unknown[0].contains("may give agent and viewer;"),
            "{unknown:?}"
        );
        assert_eq!(said(scope("other"), &[], &[], "other"), silent);
    }
    #[test]
    fn keys_for_jobs_that_need_none_are_told_when_they_are_made() {
        let said = |action: Action, kinds: &[SinkKind]| {
            let places = samples::places().into_iter();
            let to = places.map(|place| Destination::new("x", place));
            let what = Difference {
                address: Address::new("ci", None),
                generation: 1,
                action,
                reason: Reason::Differs,
                scope: scope("payments"),
                account: None,
                before: None,
                after: Some(AccountState {
                    roles: set(&["agent"]),
                    ..samples::state("ci")
                }),
                marks: None,
                moved_from: None,
                deliver_to: to.filter(|to| kinds.contains(&to.kind())).collect(),
                key_from: None,
                leaves: Vec::new(),
                predecessors: Vec::new(),
                places: Vec::new(),
            };
            let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
            keyless(&[Change::of(what, &stack)])
        };
        for kind in [SinkKind::Github, SinkKind::Gitlab] {
            let text = said(Action::Create, &[SinkKind::Vault, kind]);
            assert!(text[0].starts_with("a key is made") && text[0].contains("docs keyless"));
            let binding =
                "a binding for the jobs of service_account.ci, in space payments: issuer https://";
            assert!(text[1].starts_with(binding), "{text:?}");
            let audience = "allowed audience //captain.api.mondoo.app/spaces/payments, roles agent";
            assert!(text[1].ends_with(audience), "{text:?}");
            assert_eq!(text.len(), 2);
            assert!(said(Action::Update, &[kind]).is_empty());
        }
        assert!(said(Action::Create, &[SinkKind::Vault, SinkKind::File]).is_empty());
    }

    #[test]
    fn a_binding_is_told_for_the_jobs_that_a_place_names() {
        let github = |owner, app, address: &str| GithubPlace {
            address: GithubApi::new(address).expect("an address"),
            owner,
            app,
            name: "KEY".to_owned(),
            format: CredentialFormat::Base64,
        };
        let told = |place| job(&Destination::new("x", Place::Github(place)));
        let of = |name: &str| GithubOwner::Repository(name.to_owned());
        let text = told(github(
            of("acme/app"),
            GithubApp::Actions,
            GithubApi::PUBLIC,
        ));
        let text = text.expect("told");
        assert!(
            text.contains("subject repo:acme/app:ref:refs/heads/main,"),
            "{text}"
        );
        assert!(text.contains("`gh api repos/acme/app --jq"), "{text}");
        let environment = GithubOwner::Environment {
            repository: "acme/app".to_owned(),
            name: "production".to_owned(),
        };
        let text = told(github(environment, GithubApp::Actions, GithubApi::PUBLIC));
        let text = text.expect("told");
        assert!(
            text.contains("subject repo:acme/app:environment:production,"),
            "{text}"
        );
        // No job's, of another issuer, and of whichever repository.
        let codespaces = github(of("acme/app"), GithubApp::Codespaces, GithubApi::PUBLIC);
        let enterprise = github(
            of("acme/app"),
            GithubApp::Actions,
            "https://git.acme.example/api/v3",
        );
        let organization = GithubOwner::Organization {
            name: "acme".to_owned(),
            visibility: None,
        };
        let all = github(organization, GithubApp::Actions, GithubApi::PUBLIC);
        for place in [codespaces, enterprise, all] {
            assert_eq!(told(place), None);
        }
    }
}
