//! Laws of generated configuration, whatever the platform holds.

use std::collections::BTreeSet;

use hcl_edit::expr::Expression;
use proptest::prelude::*;
use rolecall::config::{SourceFile, generate, parse, resolve};
use rolecall::diff::{Action, diff};
use rolecall::model::{
    Inventory, Labels, Live, LiveAccount, Mrn, OrgId, Role, RoleSet, Scope, ScopeInfo, SealKey,
    Seals, SpaceId, StackId,
};
use zeroize::Zeroizing;

use crate::samples;

/// Texts of pieces that mean something to HCL, to terminals or to CI runners.
fn hostile() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a",
        "B",
        "0",
        " ",
        "-",
        "_",
        ".",
        "$",
        "$$",
        "${",
        "$${",
        "%",
        "%{",
        "%%{",
        "}",
        "{",
        "~}",
        "\"",
        "'",
        "\\",
        "\\u0041",
        "\n",
        "\r",
        "\t",
        "\0",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{9b}",
        "\u{202e}",
        "\u{200b}",
        "\u{e0041}",
        "\u{feff}",
        "ü",
        "監",
        "😀",
        "e\u{301}",
        "#",
        "//",
        "/*",
        "*/",
        "<<EOT",
        "=",
        ",",
        "null",
        "true",
        "for",
        "rolecall-",
        "::error::",
    ]);
    let any = proptest::collection::vec(
        prop_oneof![4 => piece.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)],
        0..8,
    );
    any.prop_map(|pieces| pieces.concat())
}

fn scopes() -> Vec<Scope> {
    let space = |id: &str| SpaceId::new(id).map(Scope::Space);
    let organization = OrgId::new("acme-corp").map(Scope::Organization);
    [organization, space("space-1"), space("space-2")]
        .into_iter()
        .flatten()
        .collect()
}

prop_compose! {
    fn account()(
        scope in proptest::sample::select(scopes()),
        name in hostile(),
        description in proptest::option::of(hostile()),
        labels in proptest::collection::btree_map(hostile(), hostile(), 0..3),
        roles in proptest::sample::subsequence(
            vec!["viewer", "owner", "agent", "//iam.api.mondoo.app/custom/x", "new-role", "a b"],
            0..3,
        ),
    ) -> LiveAccount {
        let roles: RoleSet = roles.into_iter().map(Role::new).collect();
        let labels: Labels = labels;
        LiveAccount {
            description: description.filter(|text| !text.is_empty()),
            labels: labels.into(),
            roles,
            ..samples::account(Mrn::new(String::new()), scope, name)
        }
    }
}

prop_compose! {
    fn live()(
        accounts in proptest::collection::vec(account(), 0..6),
        names in proptest::collection::vec(hostile(), 3),
        caller in 0_usize..6,
    ) -> Live {
        let mut all = Vec::new();
        for (n, mut account) in accounts.into_iter().enumerate() {
            let kind = account.scope.kind();
            let id = account.scope.id();
            let mrn = format!("//agents.api.mondoo.app/{kind}s/{id}/serviceaccounts/account{n}");
            account.mrn = Mrn::new(mrn);
            all.push(account);
        }
        let mrn = format!("//agents.api.mondoo.app/organizations/acme-corp/serviceaccounts/account{caller}");
        let infos = scopes().into_iter().zip(names).map(|(scope, name)| {
            let organization = matches!(scope, Scope::Space(_))
                .then(|| OrgId::new("acme-corp"))
                .flatten();
            (scope, ScopeInfo { name, organization })
        });
        Live {
            scopes: infos.collect(),
            ..samples::live(&mrn, all)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_quoted_text_is_read_as_it_was(text in hostile()) {
        let quoted = generate::quote(&text);
        prop_assert!(quoted.chars().all(|c| !c.is_control()));
        let body = hcl_edit::parser::parse_body(&format!("x = {quoted}\n")).expect("parses");
        let attribute = body.get_attribute("x").expect("there");
        let Expression::String(read) = &attribute.value else {
            panic!("a string is not a template: {quoted}");
        };
        prop_assert_eq!(read.as_str(), text);
    }

    #[test]
    fn what_is_generated_adopts_all_it_declares_and_nothing_else(live in live()) {
        let stack = StackId::new("acme-access", "k7m2q9ta").expect("valid");
        let key = SealKey::of_seed(Zeroizing::new(std::array::from_fn(|i| i as u8))).expect("a key");
        let generated = generate::from_live(&stack, key.public(), &live);
        let file = SourceFile { path: "main.hcl".to_owned(), bytes: generated.text.clone().into_bytes() };
        let (mut sources, module) = parse(vec![file]);
        let resolved = resolve(&module, &mut sources, &[]);
        let resolved = resolved.unwrap_or_else(|e| panic!("{e:?}\n{}", generated.text));
        let keys = resolved.desired.seal_keys.as_ref();
        prop_assert_eq!(keys.map(|keys| &keys.current), Some(key.public()));
        prop_assert_eq!(generated.accounts + generated.left_out.len(), live.accounts.len());
        prop_assert_eq!(resolved.desired.accounts.len(), generated.accounts);
        let inventory = Inventory::take(&resolved.desired, &live, &Seals::default());
        let delta = diff(&resolved.desired, &live, &inventory);
        prop_assert!(delta.blocked.is_empty(), "{:?}", delta.blocked);
        let actions: BTreeSet<Action> = delta.differences.iter().map(|d| d.action).collect();
        prop_assert!(actions.iter().all(|action| *action == Action::Adopt), "{:?}\n{}", actions, generated.text);
        prop_assert_eq!(delta.differences.len(), generated.accounts);
        prop_assert!(generated.text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
