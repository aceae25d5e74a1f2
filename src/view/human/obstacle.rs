//! What stands in the way of a plan, and the way out.

use super::text::{ALARM, HEAD, paint};
use crate::model::{Address, Mrn, NO_SEAL};
use crate::plan::{Blocked, Held, Obstacle, Plan};
use crate::view::inert;
use crate::view::review::blocks::{import, reference};
use crate::view::review::words::{count, quoted, unmanaged};

/// One obstacle as lines.
pub(super) fn blocked(blocked: &Blocked, plan: &Plan) -> Vec<String> {
    let (what, help) = obstacle(blocked, plan);
    let mut lines = vec![
        format!("  {} {}", paint(ALARM, "!"), paint(HEAD, &title(blocked))),
        format!("      {what}"),
    ];
    lines.extend(help.into_iter().map(|line| format!("      = {line}")));
    if let Some(place) = &blocked.declared_at {
        lines.push(format!("      from {}", inert(&place.to_string())));
    }
    lines
}

/// What is blocked: an address, or the name of an account that has none.
pub(in crate::view) fn title(blocked: &Blocked) -> String {
    match &blocked.block {
        Obstacle::Unmanaged { account, name } => unmanaged(name, Some(account)),
        _ => inert(&blocked.address.to_string()),
    }
}

/// What stands in the way, in one sentence.
pub(super) fn sentence(blocked: &Blocked, plan: &Plan) -> String {
    obstacle(blocked, plan).0
}

/// What stands in the way, and the way out.
pub(in crate::view) fn obstacle(blocked: &Blocked, plan: &Plan) -> (String, Vec<String>) {
    match &blocked.block {
        Obstacle::Disputed { account, why } => (
            format!(
                "disputed: {} carries this stack's marks, but {}",
                inert(account.as_str()),
                inert(why)
            ),
            way_out(blocked, plan, account.as_str(), why),
        ),
        Obstacle::OtherKey { account, key } => (
            format!(
                "disputed: {} is sealed with the key {}, and the configuration's seal_key is another \
                 one that it has not handed over to",
                inert(account.as_str()),
                inert(key)
            ),
            other_key(blocked, account.as_str(), plan.managed),
        ),
        Obstacle::Later { account, needs } => (
            format!(
                "{} was written by rolecall {needs} or later",
                inert(account.as_str()),
                needs = inert(needs),
            ),
            vec![
                "update rolecall, then plan again: only that version can tell whose the account is"
                    .to_owned(),
            ],
        ),
        Obstacle::Duplicate { accounts } => (
            format!(
                "{} carry this one address",
                count(accounts.len(), "live account")
            ),
            accounts
                .iter()
                .map(|mrn| inert(mrn.as_str()))
                .chain(["keep the right one and delete the others on the platform".to_owned()])
                .collect(),
        ),
        Obstacle::NameTaken {
            account,
            name,
            managed_as: Some(other),
            held,
        } => (
            format!(
                "the name {} is held by {}",
                quoted(name),
                inert(&other.to_string())
            ),
            freed(blocked, account, other, *held),
        ),
        Obstacle::NameTaken {
            account,
            name,
            managed_as: None,
            held: _,
        } => {
            let mut help = vec![
                "choose another name, or take the account over by adding this block:".to_owned(),
            ];
            help.extend(
                import_block(blocked, account.as_str())
                    .lines()
                    .map(|l| format!("  {l}")),
            );
            (
                format!(
                    "the name {} is taken by {}",
                    quoted(name),
                    inert(account.as_str())
                ),
                help,
            )
        }
        Obstacle::Unread { why } => (
            format!("{} could not be read", blocked.scope),
            vec![
                inert(why),
                "what cannot be read cannot be changed; remove that reason, then plan again"
                    .to_owned(),
            ],
        ),
        Obstacle::ImportMissing { account, why } => (
            format!("cannot import {}: {}", inert(account.as_str()), inert(why)),
            vec!["correct the import block, or remove it".to_owned()],
        ),
        Obstacle::Foreign { account, stack } => (
            format!("{} belongs to the stack {stack}", inert(account.as_str())),
            vec![
                "let that configuration give it up first, with a removed block and destroy = false"
                    .to_owned(),
                format!("if that configuration is gone, run again with --take-over {stack}"),
            ],
        ),
        Obstacle::CannotUpdate {
            account,
            attribute,
            live,
            wanted,
        } => (
            format!(
                "{attribute} of {} is {} and cannot become {}",
                inert(account.as_str()),
                inert(live),
                inert(wanted)
            ),
            std::iter::once(
                "the platform fixes it at birth: another account takes its place, once a credential block says \
                 where the key of that goes, and its scope can be read"
                    .to_owned(),
            )
            .chain(
                (attribute == "scope")
                    .then(|| format!("if {} is not what was meant, correct its id", inert(wanted))),
            )
            .collect(),
        ),
        Obstacle::AlreadyOver { until } => (
            format!(
                "valid_until is {until}, and that has passed: its key would be good for nothing"
            ),
            vec!["give it a later valid_until, or take its block away".to_owned()],
        ),
        Obstacle::Protected { account } => (
            format!(
                "{} is declared no longer, and a mark on it forbids to delete it",
                inert(account.as_str())
            ),
            vec![
                "if it is to go, declare it again with lifecycle { prevent_destroy = false } and \
                 apply; then remove it"
                    .to_owned(),
                "if it is to stay, give it up with a removed block and destroy = false".to_owned(),
            ],
        ),
        Obstacle::UnclearRemoval { account, why } => (
            format!(
                "nobody can tell what becomes of {}: {}",
                inert(account.as_str()),
                inert(why)
            ),
            vec![
                "write a removed block for the one account, with its key: \
                 from = service_account.NAME[\"KEY\"]"
                    .to_owned(),
                "if it is given up, see that `except` of the unmanaged block names it".to_owned(),
            ],
        ),
        Obstacle::Unmanaged { account, name } => (
            format!(
                "{} in {} is no stack's, and an unmanaged block refuses such accounts",
                quoted(name),
                blocked.scope
            ),
            vec![
                format!("the account is {}", inert(account.as_str())),
                "declare and import it, add its name to `except`, or delete it on the platform"
                    .to_owned(),
            ],
        ),
        Obstacle::Crowded { accounts } => (
            format!(
                "{} of it are live, and another key would hide that something keeps the former ones from \
                 ending",
                count(accounts.len(), "generation")
            ),
            accounts
                .iter()
                .map(|mrn| inert(mrn.as_str()))
                .chain([
                    "see what still uses a former one (`rolecall check`), then run `rolecall rotate \
                     --due`; `rolecall revoke ADDRESS --generation N` ends one at once"
                        .to_owned(),
                ])
                .collect(),
        ),
        Obstacle::NowhereToDeliver { account } => (
            format!(
                "nothing says where a new key of {} goes",
                inert(account.as_str())
            ),
            vec!["add a credential block with deliver_to".to_owned()],
        ),
        Obstacle::PendingWithPower { account, why } => (
            format!(
                "{} was left by a run that died, but {}",
                inert(account.as_str()),
                inert(why)
            ),
            vec!["see who uses it, then delete it on the platform".to_owned()],
        ),
    }
}

/// How a name becomes free that another account of this stack has.
fn freed(blocked: &Blocked, holder: &Mrn, other: &Address, held: Held) -> Vec<String> {
    let (this, that) = (reference(&blocked.address), reference(other));
    let moved = format!(
        "if it is the same account under a new address, add: moved {{ from = {that}, to = {this} }}, \
         each on a line of its own"
    );
    match held {
        Held::Kept => vec![
            moved,
            format!(
                "if not, {} is managed by this stack too: give one of them another name, or apply \
                 the removal of the old one first",
                inert(holder.as_str())
            ),
        ],
        Held::Deleted => vec![
            moved,
            "if not, it takes two steps, since deletions come last:".to_owned(),
            format!(
                "  1. leave {this} out, or give it another name, and apply: that deletes {that}, {}",
                inert(holder.as_str())
            ),
            "  2. put it back as it is here, and apply again".to_owned(),
        ],
        Held::Circle => vec![
            format!(
                "{that}, {}, gets another name by this plan, and waits for one that waits for this \
                 one; it takes two steps:",
                inert(holder.as_str())
            ),
            format!("  1. give {this} a name that nobody has, and apply"),
            "  2. give it the name that it has here, and apply again".to_owned(),
        ],
    }
}

/// How a disputed account becomes ours, if it is.
fn way_out(blocked: &Blocked, plan: &Plan, account: &str, why: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if plan.sealed {
        lines.push(
            "if it is yours (see who created it, and its roles), take it over anew by adding this \
             block:"
                .to_owned(),
        );
        let block = import_block(blocked, account);
        lines.extend(block.lines().map(|line| format!("  {line}")));
    } else {
        lines.push(
            "if it is yours, name it in an import block, or add its creator to trusted_creators"
                .to_owned(),
        );
    }
    if why == NO_SEAL {
        lines.push(
            "if this stack has only now got its seal key, --accept-unsealed takes, once, every \
             account without a seal whose creator is in trusted_creators"
                .to_owned(),
        );
    }
    lines.push(
        "if it is not, somebody has copied or moved the marks: remove its rolecall-… labels, or \
         the account"
            .to_owned(),
    );
    lines
}

/// What to do about an account under the seal of a key that has not handed over. `verified` are the
/// accounts that the configuration's key proves: where there are any, it is hardly the one in doubt.
fn other_key(blocked: &Blocked, account: &str, verified: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if verified > 0 {
        lines.push(format!(
            "the seals of {} fit the configuration's seal_key, so it is rather this one that somebody has \
             sealed or changed: `rolecall check` tells who wrote its labels",
            count(verified, "other account")
        ));
    }
    lines.extend([
        "if seal_key was changed on purpose, let the old key hand over: `rolecall seal rotate` with \
         the old private key writes seal_key and the block seal_key_former; if nobody meant to, put \
         back the seal_key that was there, and find out who changed it"
            .to_owned(),
        "only if the old key is lost, and the account is yours (see who created it, and its roles), \
         take it over anew by adding this block:"
            .to_owned(),
    ]);
    let block = import_block(blocked, account);
    lines.extend(block.lines().map(|line| format!("  {line}")));
    lines.push(
        "if it is not, somebody has copied or moved the marks: remove its rolecall-… labels, or the \
         account"
            .to_owned(),
    );
    lines
}

/// The block that takes a live account into custody, as text to copy.
fn import_block(blocked: &Blocked, mrn: &str) -> String {
    import(&blocked.address, mrn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::acts;
    use crate::model::{Scope, SpaceId};

    #[test]
    fn the_block_to_copy_acts_on_nobody_and_means_what_it_says() {
        let texts = [
            "plain",
            "a\u{202e}b ##[group]\u{200b}##vso[x] ###",
            "::add-mask::x\n::b\r\t\u{1b}[2J\u{9b}\u{7f}",
            "\"\\ ${x} %{if} \u{e0041} 監視 😀",
        ];
        for text in texts {
            let blocked = Blocked {
                address: Address::new("ci", Some(text.to_owned())),
                scope: Scope::Space(SpaceId::new("payments").expect("valid")),
                block: Obstacle::Unread { why: String::new() },
                declared_at: None,
            };
            let block = import_block(&blocked, text);
            assert!(!block.contains(|c| acts(c) && c != '\n'), "{block:?}");
            assert!(!block.contains("##"), "{block}");
            assert_eq!(block.lines().count(), 4, "{block}");
            let body = hcl::parse(&block).expect("HCL");
            let import = body.blocks().next().expect("a block");
            let value = |name: &str| {
                let mut all = import.body.attributes();
                let found = all.find(|attribute| attribute.key() == name);
                found.expect("there").expr.clone()
            };
            let plain = |expression: hcl::Expression| {
                use hcl::eval::{Context, Evaluate as _};
                let value = expression.evaluate(&Context::new()).expect("a value");
                value.as_str().map(str::to_owned)
            };
            assert_eq!(plain(value("id")).as_deref(), Some(text));
            let hcl::Expression::Traversal(to) = value("to") else {
                panic!("{block}");
            };
            let Some(hcl::expr::TraversalOperator::Index(key)) = to.operators.last() else {
                panic!("{block}");
            };
            assert_eq!(plain(key.clone()).as_deref(), Some(text));
            let to = block
                .lines()
                .find_map(|line| line.trim().strip_prefix("to = "));
            assert_eq!(to, Some(reference(&blocked.address).as_str()));
        }
    }
}
