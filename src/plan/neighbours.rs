//! Other stacks in the scopes that this configuration declares, and a stack of the same name.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::LeftAlone;
use crate::model::{Desired, Scope, StackId};

/// One sentence for each other stack that is worth telling of.
pub(super) fn neighbours(desired: &Desired, left_alone: &[LeftAlone]) -> Vec<String> {
    let mut stacks: BTreeMap<&StackId, BTreeMap<&Scope, usize>> = BTreeMap::new();
    for left in left_alone {
        if let Some(stack) = &left.stack {
            let scopes = stacks.entry(stack).or_default();
            *scopes.entry(&left.account.scope).or_default() += 1;
        }
    }
    let declared = declared(desired);
    stacks
        .into_iter()
        .filter_map(|(stack, scopes)| {
            if stack.name() == desired.stack.name() {
                return Some(namesake(stack, &desired.stack, &scopes));
            }
            let here: BTreeMap<&Scope, usize> = scopes
                .into_iter()
                .filter(|(scope, _)| declared.contains(scope))
                .collect();
            (!here.is_empty()).then(|| {
                format!(
                    "stack {stack} manages {}, which this stack declares too; neither touches \
                     the other's",
                    places(&here)
                )
            })
        })
        .collect()
}

fn namesake(stack: &StackId, own: &StackId, scopes: &BTreeMap<&Scope, usize>) -> String {
    format!(
        "stack {stack} has the name of this stack, {own}, and another id, as after copying a \
         configuration: it manages {}, and this stack touches nothing of it; if this is the copy, \
         name it otherwise, and if its id was changed, put id = \"{}\" back",
        places(scopes),
        stack.id()
    )
}

/// The scopes that have a block of their own.
fn declared(desired: &Desired) -> BTreeSet<Scope> {
    let organizations = desired.organizations.values();
    let spaces = desired.spaces.values();
    organizations
        .map(|organization| Scope::Organization(organization.id.clone()))
        .chain(spaces.map(|space| Scope::Space(space.id.clone())))
        .collect()
}

fn places(scopes: &BTreeMap<&Scope, usize>) -> String {
    let places: Vec<String> = scopes
        .iter()
        .map(|(scope, count)| match count {
            1 => format!("1 account in {scope}"),
            count => format!("{count} accounts in {scope}"),
        })
        .collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples;
    use crate::model::{DesiredOrganization, DesiredSpace, Mrn, OrgId, SourceRef, SpaceId};

    fn stack(name: &str, id: &str) -> StackId {
        StackId::new(name, id).expect("valid")
    }

    fn space(name: &str) -> SpaceId {
        SpaceId::new(name).expect("valid")
    }

    fn organization() -> OrgId {
        OrgId::new("acme-corp").expect("valid")
    }

    /// What is said by a stack `acme/k7m2q9ta` that declares an organization and one of its spaces.
    fn said(accounts: &[(Option<StackId>, Scope)]) -> Vec<String> {
        let declared_at = SourceRef {
            file: "a.hcl".to_owned(),
            line: 1,
        };
        let mut desired = Desired::nothing(stack("acme", "k7m2q9ta"));
        desired.organizations.insert(
            "acme".to_owned(),
            DesiredOrganization {
                id: organization(),
                declared_at: declared_at.clone(),
            },
        );
        desired.spaces.insert(
            "payments".to_owned(),
            DesiredSpace {
                id: space("payments"),
                organization: Some(organization()),
                declared_at,
            },
        );
        let left = |(stack, scope): &(Option<StackId>, Scope)| LeftAlone {
            account: samples::account(Mrn::new("x"), scope.clone(), ""),
            stack: stack.clone(),
        };
        let left_alone: Vec<LeftAlone> = accounts.iter().map(left).collect();
        neighbours(&desired, &left_alone)
    }

    #[test]
    fn another_stack_is_told_once_with_what_it_has_in_declared_scopes() {
        let other = || Some(stack("other", "a1b2c3d4"));
        let payments = || Scope::Space(space("payments"));
        let elsewhere = || Scope::Space(space("elsewhere"));
        let found = said(&[
            (other(), payments()),
            (other(), Scope::Organization(organization())),
            (other(), elsewhere()),
            (None, payments()),
            (other(), payments()),
        ]);
        assert_eq!(
            found,
            [
                "stack other/a1b2c3d4 manages 1 account in organization acme-corp, 2 accounts in \
                 space payments, which this stack declares too; neither touches the other's"
            ]
        );
        let nobody: [String; 0] = [];
        assert_eq!(said(&[(other(), elsewhere())]), nobody);
        assert_eq!(said(&[(None, payments())]), nobody);
    }

    #[test]
    fn a_stack_of_the_same_name_is_told_wherever_it_is() {
        let copy = Some(stack("acme", "zzzz9999"));
        let found = said(&[(copy, Scope::Space(space("elsewhere")))]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with(
            "stack acme/zzzz9999 has the name of this stack, acme/k7m2q9ta, and another id"
        ));
        assert!(found[0].contains("1 account in space elsewhere"));
        assert!(found[0].ends_with("put id = \"zzzz9999\" back"));
    }
}
