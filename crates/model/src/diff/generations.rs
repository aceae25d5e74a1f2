//! The generations of one account: which is the newest, and what becomes of those before it.
//! Pure; the clock is the platform's, as it was read.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::Cases;
use super::delta::{
    Action, Delta, Difference, Generation, InFlight, Leaving, Obstacle, Predecessor, Reason,
    Standing,
};
use super::managed::Managed;
use super::pending::{Pending, pending};
use super::wanted::{born, places as declared_places, reseal};
use crate::model::{
    AccountState, Address, CredentialMark, DesiredAccount, DestinationId, KeyAt, LiveAccount,
    Marks, RoleSet,
};

/// How many generations of an account are live at once. One more would hide that something keeps the
/// former ones from ending.
pub(super) const MOST_LIVE: usize = 3;

/// What is said of a key that is due and not replaced yet.
const WAITS: &str = "its key is due too, and waits for a later run: max_rotations says how many are replaced at once";

/// All that is live of one address.
pub(super) struct Generations<'a> {
    /// The one that counts.
    pub(super) newest: &'a Managed<'a>,
    /// Those before it, the newest first.
    pub(super) former: Vec<&'a Managed<'a>>,
    /// Later ones whose birth has not ended.
    pub(super) unborn: Vec<&'a Managed<'a>>,
}

fn being_born(of: &Managed<'_>) -> bool {
    matches!(of.known.marks.credential, CredentialMark::Pending(_))
}

impl<'a> Generations<'a> {
    /// Tells the generations of one address apart; `None` if two of them are one and the same, or one
    /// that is being born is older than one that was.
    pub(super) fn of(group: &[&'a Managed<'a>]) -> Option<Self> {
        let mut all = group.to_vec();
        let number = |of: &Managed<'_>| of.known.marks.generation;
        all.sort_by_key(|of| std::cmp::Reverse(number(of)));
        if all.windows(2).any(|two| number(two[0]) == number(two[1])) {
            return None;
        }
        let born = all.iter().position(|of| !being_born(of));
        let rest = match (born, all.as_slice()) {
            (Some(at), _) => all.split_off(at),
            (None, [_]) => std::mem::take(&mut all),
            (None, _) => return None,
        };
        let [newest, former @ ..] = rest.as_slice() else {
            return None;
        };
        let orderly = !former.iter().any(|of| being_born(of));
        orderly.then(|| Self {
            newest,
            former: former.to_vec(),
            unborn: all,
        })
    }

    /// The live generations but the one that a change is about.
    pub(super) fn predecessors(&self) -> Vec<Predecessor> {
        let former = self.former.iter();
        former
            .map(|of| Predecessor::of(&of.account.mrn, &of.known.marks))
            .collect()
    }
}

/// Accounts that are being born as the same generation as another account: two runs began at the same moment, and
/// not both of them ended what they began.
pub(super) fn twins<'g>(group: &[&'g Managed<'g>]) -> Vec<&'g Managed<'g>> {
    let number = |of: &Managed<'_>| of.known.marks.generation;
    let shared = |of: &Managed<'_>| group.iter().filter(|o| number(o) == number(of)).count() > 1;
    let born_beside = |of: &&&Managed<'_>| being_born(of) && shared(of);
    group.iter().filter(born_beside).copied().collect()
}

/// Where the marks say that a key is.
pub(super) fn places(marks: &Marks) -> Option<&BTreeMap<DestinationId, KeyAt>> {
    match &marks.credential {
        CredentialMark::Delivered { destinations, .. } => Some(destinations),
        CredentialMark::Pending(_) | CredentialMark::External => None,
    }
}

impl Cases<'_> {
    /// What becomes of generations whose birth has not ended, though one before them is live. Tells whether
    /// the address is left alone.
    pub(super) fn unborn(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        delta: &mut Delta,
    ) -> bool {
        let mut alone = false;
        for unborn in &all.unborn {
            let (present, marks) = (unborn.account, &unborn.known.marks);
            let CredentialMark::Pending(birth) = &marks.credential else {
                continue;
            };
            let now = self.live.facts.now;
            let dead = self.desired.meant.resume.contains(&birth.nonce);
            match pending(present, marks, birth, &account.roles, false, dead, now) {
                Pending::Young(until) => {
                    delta.in_flight.push(InFlight {
                        address: account.address.clone(),
                        account: present.mrn.clone(),
                        until,
                        nonce: Some(birth.nonce.clone()),
                    });
                    alone = true;
                }
                Pending::Strange(why) => {
                    let account_of = present.mrn.clone();
                    let block = Obstacle::PendingWithPower {
                        account: account_of,
                        why,
                    };
                    self.block(account, block, delta);
                    alone = true;
                }
                Pending::Dead => {
                    let (action, reason) = (Action::Delete, Reason::CredentialPending);
                    delta.differences.push(Difference {
                        after: None,
                        ..self.difference(account, present, marks, action, reason)
                    });
                }
            }
        }
        // What is to be removed waits for what is under way.
        if alone {
            let mine = |of: &Difference| of.address == account.address;
            delta.differences.retain(|difference| !mine(difference));
        }
        alone
    }

    /// Of accounts that are being born beside another of the same generation, one is removed if all of them are
    /// dead; the rest is for the next plan, since one generation names one change. Tells whether that is all
    /// that becomes of the address.
    pub(super) fn one_twin_less(
        &self,
        account: &DesiredAccount,
        twins: &[&Managed<'_>],
        delta: &mut Delta,
    ) -> bool {
        let now = self.live.facts.now;
        let (mut dead, mut young) = (None, Vec::new());
        for twin in twins {
            let (present, marks) = (twin.account, &*twin.known.marks);
            let CredentialMark::Pending(birth) = &marks.credential else {
                return false;
            };
            let resumed = self.desired.meant.resume.contains(&birth.nonce);
            match pending(present, marks, birth, &account.roles, false, resumed, now) {
                Pending::Young(until) => young.push(InFlight {
                    address: account.address.clone(),
                    account: present.mrn.clone(),
                    until,
                    nonce: Some(birth.nonce.clone()),
                }),
                Pending::Strange(_) => return false,
                Pending::Dead => dead = dead.or(Some((present, marks))),
            }
        }
        if let (Some((present, marks)), []) = (dead, young.as_slice()) {
            let (action, reason) = (Action::Delete, Reason::CredentialPending);
            delta.differences.push(Difference {
                after: None,
                ..self.difference(account, present, marks, action, reason)
            });
            let told = "two runs began to create it at the same moment, and one of them died: what it left is \
                        removed first, the rest is for the next run";
            delta.notes.push((account.address.clone(), told.to_owned()));
        }
        let any = !twins.is_empty();
        delta.in_flight.extend(young);
        any
    }

    /// The places that a former generation still has and the newest one was to have.
    pub(super) fn lacking(&self, account: &DesiredAccount, all: &Generations<'_>) -> Vec<String> {
        if all.former.is_empty() {
            return Vec::new();
        }
        let Some(newest) = places(&all.newest.known.marks) else {
            return Vec::new();
        };
        let former = || {
            let live = all.former.iter().filter(|of| !of.account.labels.revoked());
            live.filter_map(|of| places(&of.known.marks))
        };
        let wanted = account.deliver_to.iter();
        let lacking = wanted.filter(|to| {
            let id = to.id();
            let before = newest.is_empty() || former().any(|places| places.contains_key(&id));
            before && !newest.contains_key(&id)
        });
        lacking.map(ToString::to_string).collect()
    }

    /// Whether a key of this account is due by the clock, and since when.
    pub(super) fn due(
        &self,
        account: &DesiredAccount,
        newest: &LiveAccount,
    ) -> Option<jiff::Timestamp> {
        let since = newest
            .created_at?
            .checked_add(account.rotation.rotate_after?)
            .ok()?;
        (since <= self.live.facts.now).then_some(since)
    }

    /// Why an account gets a new key though nothing says that it must be another account.
    pub(super) fn renewed(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        finished: bool,
    ) -> Option<Reason> {
        let renewal = &self.desired.meant.renewal;
        if renewal.of.contains(&account.address) {
            return Some(Reason::RotationRequested);
        }
        let due = renewal.due && (!finished || self.due(account, all.newest.account).is_some());
        due.then_some(Reason::RotationDue)
    }

    /// Says what is to be known of the newest generation.
    pub(super) fn told(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        lacking: Vec<String>,
        delta: &mut Delta,
    ) {
        let (present, marks) = (all.newest.account, &all.newest.known.marks);
        let due = || {
            Some(Standing::Due {
                since: self.due(account, present)?,
            })
        };
        let standing = match lacking.is_empty() {
            true => due(),
            false => Some(Standing::Unfinished { lacking }),
        };
        delta
            .generations
            .extend(standing.map(|standing| Generation {
                address: account.address.clone(),
                generation: marks.generation,
                account: present.mrn.clone(),
                scope: present.scope.clone(),
                standing,
                declared_at: account.declared_at.clone(),
            }));
    }

    /// An account that gets a new key: another one in its place, which goes on beside it.
    pub(super) fn rotate(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        reason: Reason,
        delta: &mut Delta,
    ) {
        let (present, marks) = (all.newest.account, &*all.newest.known.marks);
        let newest = Predecessor::of(&present.mrn, marks);
        let predecessors: Vec<Predecessor> =
            std::iter::once(newest).chain(all.predecessors()).collect();
        let nowhere = account
            .deliver_to
            .is_empty()
            .then(|| Obstacle::NowhereToDeliver {
                account: present.mrn.clone(),
            });
        let crowded = (predecessors.len() >= MOST_LIVE).then(|| Obstacle::Crowded {
            accounts: predecessors.iter().map(|of| of.account.clone()).collect(),
        });
        let block = nowhere
            .or(crowded)
            .or_else(|| self.over(account))
            .or_else(|| self.unseen(account))
            .or_else(|| self.name_taken(account, Some(&present.mrn)));
        if let Some(block) = block {
            self.block(account, block, delta);
            return;
        }
        if !self.desired.meant.renewal.alone {
            for former in std::iter::once(&all.newest).chain(&all.former) {
                self.keeps_in_step(account, former, true, delta);
            }
        }
        delta.differences.push(Difference {
            generation: marks.generation + 1,
            scope: account.scope.clone(),
            after: Some(born(account)),
            deliver_to: account.deliver_to.clone(),
            predecessors,
            places: declared_places(account),
            ..self.difference(account, present, marks, Action::Rotate, reason)
        });
    }

    /// Leaves of the keys that are due by the clock as many as may be replaced at once, the oldest first.
    pub(super) fn at_most(&self, delta: &mut Delta) {
        let rotates = |of: &&Difference| of.action == Action::Rotate;
        let by_clock = |of: &&Difference| of.reason == Reason::RotationDue;
        let all = || delta.differences.iter().filter(rotates);
        let most = usize::try_from(self.desired.limits.max_rotations).unwrap_or(usize::MAX);
        let most = most.saturating_sub(all().filter(|of| !by_clock(of)).count());
        let age = |of: &Difference| {
            let account = of.account.as_ref();
            let created = account.and_then(|mrn| self.live.accounts.get(mrn)?.created_at);
            (created, of.address.clone())
        };
        let mut due: Vec<_> = all().filter(by_clock).map(age).collect();
        due.sort();
        let wait: BTreeSet<Address> = due
            .into_iter()
            .skip(most)
            .map(|(_, address)| address)
            .collect();
        let waits = |of: &Difference| of.action == Action::Rotate && wait.contains(&of.address);
        delta.differences.retain(|difference| !waits(difference));
        let notes = wait.into_iter().map(|address| (address, WAITS.to_owned()));
        delta.notes.extend(notes);
    }

    /// Leaves of a comparison what a rotation alone is about.
    pub(super) fn alone(&self, delta: &mut Delta) {
        let renewal = &self.desired.meant.renewal;
        let named = |address: &Address| renewal.of.contains(address);
        let rotates = delta.differences.iter();
        let rotates: BTreeSet<Address> = rotates
            .filter(|of| of.action == Action::Rotate)
            .map(|of| of.address.clone())
            .collect();
        let unborn = delta.differences.iter();
        let unborn = unborn.filter(|of| of.action == Action::Create && named(&of.address));
        let told = "it is not live yet: an apply creates it, with a key";
        let unborn: Vec<_> = unborn
            .map(|of| (of.address.clone(), told.to_owned()))
            .collect();
        delta.differences.retain(|of| match of.reason {
            Reason::Superseded | Reason::Retired => true,
            Reason::CredentialPending => {
                let meant = rotates.contains(&of.address) || named(&of.address);
                of.action == Action::Delete && meant
            }
            _ => of.action == Action::Rotate,
        });
        let (stop, others): (Vec<_>, Vec<_>) = std::mem::take(&mut delta.blocked)
            .into_iter()
            .partition(|blocked| named(&blocked.address));
        delta.blocked = stop;
        delta.in_flight.retain(|birth| named(&birth.address));
        delta
            .notes
            .retain(|(address, told)| named(address) || told == WAITS);
        delta.notes.extend(unborn);
        let declared = |address: &Address| self.desired.accounts.contains_key(address);
        let left = others
            .into_iter()
            .filter(|blocked| declared(&blocked.address));
        delta
            .notes
            .extend(left.filter(|_| renewal.due).map(|blocked| {
            let (kind, _) = blocked.block.named();
            let told = format!(
                "left out, since something stands in its way ({kind}); `rolecall plan` says what"
            );
            (blocked.address, told)
        }));
        delta.left_alone.clear();
        delta.expired.clear();
        delta.undelivered.clear();
        delta.unchanged = 0;
    }

    /// What becomes of the generations before the newest one; `finished` says that the newest one's key is
    /// everywhere.
    pub(super) fn former(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        finished: bool,
        delta: &mut Delta,
    ) {
        let renewal = &self.desired.meant.renewal;
        for former in &all.former {
            let (present, marks) = (former.account, &*former.known.marks);
            if !renewal.alone {
                self.keeps_in_step(account, former, finished, delta);
                if !self.moved(account, present, marks, delta) {
                    let seal = reseal(&former.known.seal);
                    delta.differences.extend(seal.map(|reason| {
                        self.difference(account, present, marks, Action::Update, reason)
                    }));
                }
            }
            if !finished {
                continue;
            }
            let standing = self.standing(account, present, marks);
            if renewal.due {
                self.retire(account, all, former, &standing, delta);
            }
            delta.generations.push(Generation {
                address: account.address.clone(),
                generation: marks.generation,
                account: present.mrn.clone(),
                scope: present.scope.clone(),
                standing,
                declared_at: account.declared_at.clone(),
            });
        }
    }

    /// How a former generation stands, once a newer one is finished.
    fn standing(&self, account: &DesiredAccount, present: &LiveAccount, marks: &Marks) -> Standing {
        let now = self.live.facts.now;
        let after = |time: jiff::Timestamp| time.checked_add(account.overlap()).unwrap_or(now);
        let powerful = !present.roles.is_empty();
        if present.labels.revoked() && !powerful {
            return Standing::Over { powerful };
        }
        // Protection is of the address, and went on with the newest.
        let Some(since) = marks.retiring.filter(|_| !marks.protected) else {
            return Standing::Superseded;
        };
        let until = after(since);
        match present.last_used {
            _ if until > now => Standing::Overlapping { until },
            None => Standing::UseUnknown,
            Some(at) if after(at) > now => Standing::Used { at },
            Some(_) => Standing::Over { powerful },
        }
    }

    /// A former generation never has more power than is declared, and while the newest one is not finished
    /// no less either: somebody may have either key.
    fn keeps_in_step(
        &self,
        account: &DesiredAccount,
        former: &Managed<'_>,
        finished: bool,
        delta: &mut Delta,
    ) {
        let (present, marks) = (former.account, &*former.known.marks);
        let retiring = finished || marks.retiring.is_some();
        let wanted: RoleSet = match retiring {
            _ if present.labels.revoked() => RoleSet::new(),
            true => present
                .roles
                .intersection(&account.roles)
                .cloned()
                .collect(),
            false => account.roles.clone(),
        };
        if wanted == present.roles {
            return;
        }
        let (action, reason) = (Action::UpdatePermissions, Reason::Differs);
        let base = self.difference(account, present, marks, action, reason);
        delta.differences.push(Difference {
            after: base.after.clone().map(|after| AccountState {
                roles: wanted,
                ..after
            }),
            ..base
        });
    }

    /// The next step of a former generation towards its end.
    fn retire(
        &self,
        account: &DesiredAccount,
        all: &Generations<'_>,
        former: &Managed<'_>,
        standing: &Standing,
        delta: &mut Delta,
    ) {
        let (present, marks) = (former.account, &*former.known.marks);
        let step = |action, reason| self.difference(account, present, marks, action, reason);
        let step = match standing {
            Standing::Superseded => {
                let base = step(Action::Update, Reason::Superseded);
                Difference {
                    after: base.after.clone().map(|after| AccountState {
                        protected: false,
                        ..after
                    }),
                    ..base
                }
            }
            Standing::Over { powerful: true } => {
                let base = step(Action::UpdatePermissions, Reason::Retired);
                Difference {
                    after: base.after.clone().map(|after| AccountState {
                        roles: RoleSet::new(),
                        ..after
                    }),
                    ..base
                }
            }
            Standing::Over { powerful: false } => {
                let newest = places(&all.newest.known.marks);
                // The newest one's key is there.
                let taken = |leaving: &Leaving| {
                    newest.is_some_and(|places| places.contains_key(&leaving.id))
                };
                let mut leaves = self.removed_with(present, marks);
                leaves.retain(|leaving| !taken(leaving));
                Difference {
                    after: None,
                    leaves,
                    ..step(Action::Delete, Reason::Retired)
                }
            }
            Standing::Unfinished { .. }
            | Standing::Due { .. }
            | Standing::Overlapping { .. }
            | Standing::Used { .. }
            | Standing::UseUnknown => return,
        };
        delta.differences.push(step);
    }
}
