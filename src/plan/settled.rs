//! A plan that nobody changes any more: ordered, and named by the digest of what it does.
//! Pure.

use std::ops::Deref;

use super::{Annex, Contents, Judgement, LastDeclared, canonical, renames};
use crate::model::{Caller, Checkout, Mrn, short_digest};

/// A plan: ordered, and named by the digest of what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(super) contents: Contents,
    canonical: String,
    digest: String,
}

impl Contents {
    /// Orders the changes and makes canonical text and digest, once.
    pub fn settle(mut self) -> Plan {
        let names = renames::order(&self.changes);
        for change in &mut self.changes {
            change.free_name(&names);
        }
        let caller = &self.caller;
        self.changes
            .sort_by(|a, b| a.turn(caller).cmp(&b.turn(caller)));
        let canonical = canonical::text(&self);
        let digest = short_digest(canonical.as_bytes(), 64);
        Plan {
            contents: self,
            canonical,
            digest,
        }
    }
}

impl Plan {
    /// The canonical JSON: one form for one plan, with all keys sorted and nothing between the parts,
    /// of what would be done alone.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The plan's name: the SHA-256 of its canonical JSON, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Notes what the policies say of it. The digest stays: it covers the policies themselves.
    pub fn judged(&mut self, judgement: Judgement) {
        self.contents.annex.judgement = Some(judgement);
    }

    /// Notes which commit the configuration is of. The digest stays: it does not cover that.
    pub fn checked_out(&mut self, checkout: Checkout) {
        self.contents.annex.checkout = Some(checkout);
    }

    /// Notes where accounts were last declared, by their resource names. The digest stays.
    pub fn declared_before(&mut self, places: impl IntoIterator<Item = (Mrn, LastDeclared)>) {
        for (account, place) in places {
            if let Some(past) = self.contents.annex.past.get_mut(&account) {
                past.declared = Some(place);
            }
        }
    }

    /// The same plan, by the same digest, with as little besides as can be: no account that it leaves alone, no
    /// name of who planned, no place in a file. What was not read stays, since it is held against what is read then.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut contents = self.contents.clone();
        contents.caller = Caller {
            mrn: contents.caller.mrn,
            name: None,
            binding: None,
        };
        contents.in_flight.clear();
        for change in &mut contents.changes {
            change.what.places.clear();
        }
        contents.annex = Annex {
            unread: contents.annex.unread,
            ..Annex::default()
        };
        contents.settle()
    }

    /// What it says, to make another plan of.
    pub fn into_contents(self) -> Contents {
        self.contents
    }
}

impl Deref for Plan {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}
