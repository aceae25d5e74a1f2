//! What is wrong with accounts only beside each other.
//! Pure.

use super::accounts::Instance;
use super::codes;
use super::imports::Imports;
use super::sinks;
use super::told::Told;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::model::{Address, composed};
use std::collections::{BTreeMap, BTreeSet};

/// Reports accounts of one name in one scope, and credentials for one place.
pub(super) fn duplicates(instances: &[Instance], out: &mut Diagnostics) {
    let mut ordered: Vec<&Instance> = instances.iter().collect();
    ordered.sort_by_key(|instance| (instance.block_span, instance.account.address.clone()));
    let mut names: BTreeMap<_, &Instance> = BTreeMap::new();
    let mut places: BTreeMap<String, (&Instance, Span)> = BTreeMap::new();
    let mut told = Told::default();
    for instance in ordered {
        let account = &instance.account;
        let key = (&account.scope, composed(&account.name));
        // An address that is declared twice has been reported.
        if let Some(first) = names.insert(key, instance)
            && first.account.address != account.address
        {
            let message = format!("\"{}\" in {}", account.name, account.scope);
            told.push(
                instance.block_span,
                &account.address,
                Diagnostic::error(codes::DUPLICATE_ACCOUNT)
                    .at(instance.name_span, message)
                    .context(
                        first.block_span,
                        format!("`{}` has this name", first.account.address),
                    )
                    .help(format!(
                        "give `{}` another name or scope, or remove it",
                        account.address
                    )),
            );
        }
        for (destination, span) in account.deliver_to.iter().zip(&instance.sink_spans) {
            let place = destination.place().of_kind();
            let path = place.to_string();
            let known = places.insert(place.occupies(), (instance, *span));
            let Some((first, first_span)) = known else {
                continue;
            };
            let found = Diagnostic::error(codes::DUPLICATE_DESTINATION);
            if first.account.address != account.address {
                told.push(
                    instance.block_span,
                    &account.address,
                    found
                        .at(*span, format!("`{}` would write {path}", account.address))
                        .context(first_span, format!("`{}` writes it", first.account.address))
                        .help(sinks::apart(destination.kind())),
                );
            } else if first.block_span == instance.block_span {
                told.push(
                    instance.block_span,
                    &account.address,
                    found
                        .at(
                            *span,
                            format!("`{}` would write {path} twice", account.address),
                        )
                        .help("name each sink once, and let two sinks write to different files"),
                );
            }
        }
    }
    told.report(out);
}

/// Reports imports to addresses that do not exist, and those that lead to another scope.
///
/// Only blocks in `complete` are sure to have made all their instances.
pub(super) fn imports(
    imports: &Imports,
    instances: &[Instance],
    declared: &BTreeSet<&str>,
    complete: &BTreeSet<&str>,
    out: &mut Diagnostics,
) {
    let by_address: BTreeMap<&Address, &Instance> = instances
        .iter()
        .map(|instance| (&instance.account.address, instance))
        .collect();
    for (address, found) in imports {
        let Some(instance) = by_address.get(address) else {
            let name = address.name.as_str();
            if complete.contains(name) || !declared.contains(name) {
                out.push(missing(address, found.to_span, &by_address, declared));
            }
            continue;
        };
        let account = &instance.account;
        if let Some(scope) = found.import.mrn.account_scope()
            && scope != account.scope
        {
            out.push(
                Diagnostic::error(codes::IMPORT_SCOPE)
                    .at(found.id_span, format!("this account lives in {scope}"))
                    .context(
                        instance.block_span,
                        format!("this one is declared in {}", account.scope),
                    )
                    .help("declare the account in the scope where it lives; accounts do not move"),
            );
        }
    }
}

/// Reports what two `removed` blocks speak of.
pub(super) fn removed_twice<'a>(
    removed: impl Iterator<Item = (&'a Address, Span)>,
    out: &mut Diagnostics,
) {
    let mut seen: BTreeMap<&Address, Span> = BTreeMap::new();
    for (address, span) in removed {
        if let Some(first) = seen.insert(address, span) {
            out.push(
                Diagnostic::error(codes::INVALID_REMOVAL)
                    .at(span, format!("`{address}` is removed again"))
                    .context(first, "it is removed here")
                    .help("remove one of the blocks"),
            );
        }
    }
}

fn missing(
    address: &Address,
    span: Span,
    known: &BTreeMap<&Address, &Instance>,
    declared: &BTreeSet<&str>,
) -> Diagnostic {
    let found = Diagnostic::error(codes::UNKNOWN_IMPORT_TARGET);
    let siblings = known.keys().filter(|other| other.name == address.name);
    let count = siblings.clone().count();
    let mut siblings: Vec<String> = siblings.take(8).map(|other| format!("`{other}`")).collect();
    if count > siblings.len() {
        siblings.push(format!("and {} more", count - siblings.len()));
    }
    if !declared.contains(address.name.as_str()) {
        return found
            .at(
                span,
                format!("no service account `{}` is declared", address.name),
            )
            .suggesting(&address.name, declared.iter().copied())
            .help("declare the account as it should be, and import it at that address");
    }
    let found = found.at(span, format!("`{address}` does not exist"));
    if siblings.is_empty() {
        found.help("its `for_each` is empty")
    } else {
        found.help(format!("the instances are {}", siblings.join(", ")))
    }
}
