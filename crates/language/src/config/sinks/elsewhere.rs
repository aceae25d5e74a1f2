//! The places that declared sinks have for live accounts whose key is where no `deliver_to` names it. They
//! are asked for long after the files were read, since marks alone tell which accounts those are.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::kind::DecodedSink;
use super::recipient::Recipient;
use super::sink::{Sinks, rendered};
use crate::config::block::Block;
use crate::config::decode::Decoder;
use crate::diag::SourceMap;
use crate::lang::Frame;
use crate::model::{
    Address, CredentialMark, Custody, Desired, DesiredAccount, Destination, DestinationId,
    Inventory, Live, LiveAccount, OnDelete, Ours,
};

/// The declared sinks of a configuration, with all that their attributes use.
#[derive(Clone, Default)]
pub struct DeclaredSinks {
    sinks: Vec<Kept>,
    scope: Arc<Frame<'static>>,
    sources: Arc<SourceMap>,
}

#[derive(Clone)]
struct Kept {
    block: Block,
    decoded: Arc<dyn DecodedSink>,
    on_delete: OnDelete,
}

impl fmt::Debug for DeclaredSinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.sinks.iter().map(|sink| sink.block.labels.join("."));
        f.debug_list().entries(names).finish()
    }
}

/// By the sinks alone: which places they have shows in the accounts that use them.
impl PartialEq for DeclaredSinks {
    fn eq(&self, other: &Self) -> bool {
        let named = |of: &Self| -> Vec<(Vec<String>, OnDelete)> {
            let sinks = of.sinks.iter();
            sinks
                .map(|sink| (sink.block.labels.clone(), sink.on_delete))
                .collect()
        };
        named(self) == named(other)
    }
}

impl DeclaredSinks {
    /// Keeps the sinks of a module.
    pub(in crate::config) fn of(
        sinks: &Sinks<'_>,
        scope: &Frame<'static>,
        sources: &SourceMap,
    ) -> Self {
        if sinks.is_empty() {
            return Self::default();
        }
        let kept = sinks.values().map(|sink| Kept {
            block: sink.block.clone(),
            decoded: Arc::clone(&sink.decoded),
            on_delete: sink.on_delete,
        });
        Self {
            sinks: kept.collect(),
            scope: Arc::new(scope.clone()),
            sources: Arc::new(sources.clone()),
        }
    }

    /// Notes in `desired` which of the places that marks name a declared sink still has.
    pub fn place(&self, desired: &mut Desired, live: &Live, inventory: &Inventory) {
        let mut elsewhere = BTreeMap::new();
        for (account, entry) in inventory.beside(live) {
            let Custody::Ours(ours) = &entry.custody else {
                continue;
            };
            let found = self.of_account(desired, account, ours);
            if !found.is_empty() {
                elsewhere.insert(account.mrn.clone(), found);
            }
        }
        desired.elsewhere = elsewhere;
    }

    fn of_account(
        &self,
        desired: &Desired,
        account: &LiveAccount,
        ours: &Ours,
    ) -> Vec<Destination> {
        let Ours { marks, seal: _, at } = ours;
        let CredentialMark::Delivered { destinations, .. } = &marks.credential else {
            return Vec::new();
        };
        let declared = desired.accounts.get(&at.address);
        let named = |id: &DestinationId| {
            let mut wanted = declared.iter().flat_map(|declared| &declared.deliver_to);
            wanted.any(|to| to.id() == *id)
        };
        let unnamed: BTreeSet<DestinationId> = destinations
            .keys()
            .filter(|id| !named(id))
            .copied()
            .collect();
        if unnamed.is_empty() {
            return Vec::new();
        }
        let mut found: BTreeMap<DestinationId, Destination> = BTreeMap::new();
        for (address, name) in called(account, ours, declared) {
            let recipient = Recipient {
                address: &address,
                name,
                scope: Some(&account.scope),
            };
            for sink in &self.sinks {
                // A key of an account that goes matters only where it is to go as well.
                if declared.is_none() && sink.on_delete == OnDelete::Keep {
                    continue;
                }
                let Some(place) = self.rendered(sink, &recipient) else {
                    continue;
                };
                if !unnamed.contains(&place.id()) {
                    continue;
                }
                // Of two sinks with one place, the one that keeps it counts.
                let known = found.entry(place.id()).or_insert_with(|| place.clone());
                if place.on_delete() == OnDelete::Keep {
                    *known = place;
                }
            }
        }
        found.into_values().collect()
    }

    /// The place in a sink; `None` where it cannot be made for this account, which is no mistake of
    /// anybody: nobody asked for it.
    fn rendered(&self, sink: &Kept, recipient: &Recipient<'_>) -> Option<Destination> {
        let Kept {
            block,
            decoded,
            on_delete,
        } = sink;
        let mut decoder = Decoder::new(&self.sources, false);
        let place = rendered(block, &**decoded, recipient, &self.scope, &mut decoder);
        Some(place.ok()??.with(*on_delete))
    }
}

/// What the account is called now, and was called when its key was put where it is.
fn called<'a>(
    account: &'a LiveAccount,
    ours: &Ours,
    declared: Option<&'a DesiredAccount>,
) -> Vec<(Address, &'a str)> {
    let present = ours.at.address.clone();
    let formerly = declared.iter().flat_map(|declared| &declared.formerly);
    let mut addresses: Vec<Address> = formerly.map(|former| former.address.clone()).collect();
    addresses.push(present);
    addresses.extend(ours.marks.address.decode());
    addresses.sort();
    addresses.dedup();
    let mut names = vec![account.name.as_str()];
    names.extend(declared.map(|declared| declared.name.as_str()));
    names.dedup();
    let pairs = addresses
        .into_iter()
        .flat_map(|address| names.iter().map(move |name| (address.clone(), *name)));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::trial::{come_to, wrong};
    use crate::model::{
        CredentialFormat, FilePlace, Fingerprint, Marks, Mrn, Nonce, Place, Seals, samples,
    };

    const TEXT: &str = "sink \"file\" \"old\" {\n  directory = \"old\"\n  on_delete = \"remove\"\n  \
         filename = \"${account.name}.json\"\n}\n\
         sink \"file\" \"strict\" {\n  directory = \"strict\"\n  filename = account.name\n}\n\
         service_account \"scan\" {\n  name = \"new name\"\n  scope = space.prod\n  \
         roles = [\"viewer\"]\n  credential { deliver_to = [sink.file.local] }\n}\n";

    /// Where the sinks of a text have the key of an account that was called `old`, and of which the
    /// marks name these files.
    fn places(text: &str, files: &[(&str, &str)]) -> Vec<String> {
        let came = come_to(text).expect("is right");
        let mut desired = came.desired;
        desired.trusted_creators = vec!["me".to_owned()];
        let declared = desired.accounts.values().next().expect("one").clone();
        let to = files.iter().map(|(directory, file)| {
            let place = FilePlace {
                directory: (*directory).to_owned(),
                file: (*file).to_owned(),
                format: CredentialFormat::Json,
                keep: false,
            };
            Destination::new("file.x", Place::File(place))
        });
        let marks = Marks {
            credential: CredentialMark::Delivered {
                fingerprint: Fingerprint::of_public_key(b"key"),
                nonce: Nonce::from_bytes([9; 16]),
                destinations: to.map(|to| to.key_at(1, None)).collect(),
            },
            ..Marks::external(desired.stack.clone(), declared.address.label(), false)
        };
        let mrn = Mrn::new("m");
        let account = LiveAccount {
            labels: marks.labels().into(),
            creator: Some("me".to_owned()),
            ..samples::account(mrn.clone(), declared.scope, "old")
        };
        let live = samples::live("me", [account]);
        let inventory = Inventory::take(&desired, &live, &Seals::default());
        came.sinks.place(&mut desired, &live, &inventory);
        let found = desired.elsewhere.remove(&mrn).unwrap_or_default();
        let told = |to: &Destination| format!("{to}, {}", to.on_delete().as_str());
        found.iter().map(told).collect()
    }

    /// The place of a key depends on the name that the account had when it was put there, and a sink that
    /// has no place for that name is no mistake.
    #[test]
    fn a_sink_still_has_the_place_of_a_name_that_the_account_had() {
        let old = ("old", "old.json");
        assert_eq!(
            places(TEXT, &[old, ("nowhere", "x")]),
            ["sink.file.old at old/old.json, remove"]
        );
        let strict = places(TEXT, &[("strict", "old"), ("strict", "new name")]);
        assert_eq!(strict, ["sink.file.strict at strict/old, keep"]);
        let declared = ("credentials", "scan.json");
        assert_eq!(places(TEXT, &[declared]), [""; 0], "it is named");
    }

    #[test]
    fn of_two_sinks_with_one_place_the_one_that_keeps_it_counts() {
        let second = "sink \"file\" \"a\" {\n  directory = \"old\"\n  filename = \"old.json\"\n}\n";
        for text in [
            format!("{TEXT}{second}"),
            format!("{TEXT}{}", second.replace("\"a\"", "\"z\"")),
        ] {
            let found = places(&text, &[("old", "old.json")]);
            assert!(
                found.len() == 1 && found[0].ends_with(", keep"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn nothing_else_becomes_of_a_key_than_the_language_says() {
        let text = TEXT.replace("\"remove\"", "\"delete\"");
        assert_eq!(wrong(&text), [("invalid-value", "\"delete\"".to_owned())]);
    }
}
