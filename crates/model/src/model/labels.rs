//! The labels of a live account, told apart once: those of its users, and ours with what they mean.
//! Pure; no label is lost or changed, whatever it is worth.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::account::{Labels, VOID};
use super::address::AddressLabel;
use super::mark::{ADDRESS, MARK_PREFIX, Marking, Marks, REVOKED, SEAL};
use super::seal_labels::Seal;
use super::stack::StackId;

/// All labels of a live account. Nobody can change them without their being read again, so what they
/// mean always fits them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Labels", into = "Labels")]
pub struct LiveLabels {
    /// Neither marks nor void.
    own: Labels,
    /// Void ones that are no marks.
    void: Labels,
    /// All that have a key of ours, as they stand.
    ours: Labels,
    marking: Marking,
}

impl LiveLabels {
    /// The labels of the account's users: no marks, and none that counts as absent.
    pub fn own(&self) -> &Labels {
        &self.own
    }

    /// What our labels among them amount to.
    pub fn marking(&self) -> &Marking {
        &self.marking
    }

    /// The marks, if all of them are readable.
    pub fn marks(&self) -> Option<&Marks> {
        match &self.marking {
            Marking::Marked(marks) => Some(marks),
            Marking::Unmarked | Marking::Later { .. } | Marking::Damaged { .. } => None,
        }
    }

    /// The stack that the marks name, whatever else is wrong with them.
    pub fn stack(&self) -> Option<&StackId> {
        match &self.marking {
            Marking::Marked(marks) => Some(&marks.stack),
            Marking::Damaged { stack, .. } | Marking::Later { stack, .. } => stack.as_ref(),
            Marking::Unmarked => None,
        }
    }

    /// The address that a mark claims, whatever the other marks are worth.
    pub fn address(&self) -> Option<AddressLabel> {
        match &self.marking {
            Marking::Marked(marks) => Some(marks.address.clone()),
            Marking::Unmarked | Marking::Later { .. } | Marking::Damaged { .. } => {
                let label = self.ours.get(ADDRESS).filter(|value| *value != VOID)?;
                Some(AddressLabel::from_label(label.clone()))
            }
        }
    }

    /// Whether any label says that the account's power was taken back for good, whatever the marks are worth.
    pub fn revoked(&self) -> bool {
        self.ours.get(REVOKED).is_some_and(|value| value != VOID)
            || self.marks().is_some_and(Marks::is_revoked)
    }

    /// The short name of the key that the seal among them names, whatever seal and marks are worth.
    pub fn sealed_by(&self) -> Option<&str> {
        Seal::key_of(self.ours.get(SEAL)?)
    }

    /// Every label as it stands, by key: marks that are damaged or of a later form, and void ones, too.
    pub fn all(&self) -> impl Iterator<Item = (&String, &String)> {
        by_key(by_key(self.own.iter(), self.void.iter()), self.ours.iter())
    }

    /// Every label that does not count as absent, by key, marks included.
    pub fn standing(&self) -> impl Iterator<Item = (&String, &String)> {
        self.all().filter(|(_, value)| *value != VOID)
    }

    /// The value of one label as it stands.
    pub fn get(&self, key: &str) -> Option<&String> {
        let parts = [&self.own, &self.void, &self.ours];
        parts.into_iter().find_map(|part| part.get(key))
    }

    /// The keys of labels that count as absent, without our marks.
    pub fn void(&self) -> impl Iterator<Item = &str> {
        self.void.keys().map(String::as_str)
    }

    /// Whether a label has a key of ours, even one that counts as absent.
    pub fn has_our_keys(&self) -> bool {
        !self.ours.is_empty()
    }

    /// Whether any label of ours is there, readable or not.
    pub fn is_marked(&self) -> bool {
        self.marking != Marking::Unmarked
    }

    /// Sets one label; gives the value that it had.
    pub fn insert(&mut self, key: String, value: String) -> Option<String> {
        self.edit(|all| all.insert(key, value))
    }

    /// Takes one label away; gives the value that it had.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.edit(|all| all.remove(key))
    }

    /// Changes the labels and reads them again.
    pub fn edit<T>(&mut self, change: impl FnOnce(&mut Labels) -> T) -> T {
        let mut labels = Labels::from(std::mem::take(self));
        let result = change(&mut labels);
        *self = labels.into();
        result
    }
}

impl Extend<(String, String)> for LiveLabels {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, labels: I) {
        self.edit(|all| all.extend(labels));
    }
}

impl From<Labels> for LiveLabels {
    fn from(labels: Labels) -> Self {
        labels.into_iter().collect()
    }
}

impl FromIterator<(String, String)> for LiveLabels {
    /// Takes the last of several labels of one key.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        let (mut own, mut void, mut ours) = (Labels::new(), Labels::new(), Labels::new());
        for (key, value) in labels {
            if key.starts_with(MARK_PREFIX) {
                ours.insert(key, value);
            } else if value == VOID {
                own.remove(&key);
                void.insert(key, value);
            } else {
                void.remove(&key);
                own.insert(key, value);
            }
        }
        let marking = Marks::locate(&ours);
        Self {
            own,
            void,
            ours,
            marking,
        }
    }
}

impl From<LiveLabels> for Labels {
    fn from(labels: LiveLabels) -> Self {
        let LiveLabels {
            mut own,
            mut void,
            mut ours,
            marking: _,
        } = labels;
        own.append(&mut void);
        own.append(&mut ours);
        own
    }
}

impl PartialEq<Labels> for LiveLabels {
    fn eq(&self, labels: &Labels) -> bool {
        self.all().eq(labels)
    }
}

impl PartialOrd for LiveLabels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LiveLabels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.all().cmp(other.all())
    }
}

/// Two lists that are in the order of their keys as one that is.
fn by_key<'a>(
    one: impl Iterator<Item = (&'a String, &'a String)>,
    other: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some((key, _)), Some((next, _))) if key > next => other.next(),
        (None, _) => other.next(),
        (Some(_), _) => one.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn marks() -> Marks {
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        Marks::external(stack, Address::new("ci", None).label(), true)
    }

    fn team() -> Labels {
        [("team", "x"), ("a", ""), ("zone", "eu")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    /// Whoever writes labels writes the whole list, so not one of them may be lost or mended in between:
    /// neither damaged marks, nor those of a later form, of unknown keys, or void ones.
    #[test]
    fn every_label_comes_back_byte_for_byte_whatever_it_is_worth() {
        let good = marks().labels();
        let with = |key: &str, value: &str| {
            let mut labels = good.clone();
            labels.insert(key.to_owned(), value.to_owned());
            labels
        };
        let later = with("rolecall-mark", "v9.7-0-0.anything at all");
        let bare = [("rolecall-future".to_owned(), "\u{e9}".to_owned())].into();
        for ours in [
            Labels::new(),
            good.clone(),
            later,
            with("rolecall-mark", "v1.0-1-0.g0"),
            with("rolecall-future", "1"),
            with("rolecall-seal", VOID),
            with("rolecall-to-0123456789abcdef", "nowhere"),
            bare,
        ] {
            for others in [Labels::new(), team(), [("b".into(), VOID.into())].into()] {
                let mut labels = ours.clone();
                labels.extend(others.clone());
                let read = LiveLabels::from(labels.clone());
                assert_eq!(read, labels);
                assert!(read.all().eq(&labels));
                let own: Labels = others.into_iter().filter(|(_, v)| v != VOID).collect();
                assert_eq!(*read.own(), own);
                let json = serde_json::to_string(&read).expect("JSON");
                assert_eq!(json, serde_json::to_string(&labels).expect("JSON"));
                assert_eq!(
                    serde_json::from_str::<LiveLabels>(&json).expect("read"),
                    read
                );
                assert_eq!(Labels::from(read), labels);
            }
        }
    }

    #[test]
    fn what_labels_mean_follows_every_change_of_them() {
        let mut labels = LiveLabels::from(team());
        assert!(!labels.is_marked() && labels.stack().is_none());
        labels.extend(marks().labels());
        assert_eq!(labels.marks(), Some(&marks()));
        assert_eq!(*labels.own(), team());
        let taken = labels.remove("rolecall-credential");
        assert_eq!(taken.as_deref(), Some("external"));
        assert!(matches!(labels.marking(), Marking::Damaged { .. }));
        assert_eq!(labels.stack(), Some(&marks().stack));
        assert_eq!(labels.address(), Some(marks().address));
    }

    /// The platform keeps labels that were taken away; they are told, and mean nothing.
    #[test]
    fn a_void_label_counts_as_absent_mark_or_not() {
        let void = |key: &str| {
            let mut labels = team();
            labels.extend(marks().labels());
            labels.insert(key.to_owned(), VOID.to_owned());
            LiveLabels::from(labels)
        };
        let team = void("team");
        assert_eq!(team.void().collect::<Vec<_>>(), ["team"]);
        assert!(!team.own().contains_key("team") && team.marks().is_some());
        assert_eq!(team.get("team").map(String::as_str), Some(VOID));
        assert!(!team.standing().any(|(key, _)| key == "team"));
        for (key, stack) in [
            ("rolecall-stack", None),
            ("rolecall-mark", Some(marks().stack)),
        ] {
            let labels = void(key);
            assert!(matches!(labels.marking(), Marking::Damaged { .. }), "{key}");
            assert_eq!(labels.stack(), stack.as_ref());
            assert_eq!(labels.void().count(), 0);
        }
        assert_eq!(void("rolecall-address").address(), None);
        let mut all = void("team");
        all.edit(|labels| labels.values_mut().for_each(|value| VOID.clone_into(value)));
        assert_eq!(*all.marking(), Marking::Unmarked);
        assert!(!all.is_marked() && all.has_our_keys());
    }

    /// A later form, damage and somebody else's hand take no power back by themselves, and give none either.
    #[test]
    fn a_revocation_is_read_beside_marks_of_whatever_worth() {
        let revoked = |value: &str, edit: &dyn Fn(&mut Labels)| {
            let mut labels = marks().labels();
            labels.insert("rolecall-revoked".to_owned(), value.to_owned());
            edit(&mut labels);
            LiveLabels::from(labels)
        };
        let later = |labels: &mut Labels| {
            labels.insert("rolecall-mark".to_owned(), "v9.7-0-0.x".to_owned());
        };
        let torn = |labels: &mut Labels| labels.retain(|key, _| key == "rolecall-revoked");
        let whole = |_: &mut Labels| {};
        for edit in [&whole as &dyn Fn(&mut Labels), &later, &torn] {
            for value in ["yes", "no", ""] {
                assert!(revoked(value, edit).revoked(), "{value:?}");
            }
            assert!(!revoked(VOID, edit).revoked());
        }
        let sealed = Marks {
            revoked: true,
            ..marks()
        };
        assert!(LiveLabels::from(sealed.labels()).revoked());
        assert!(!LiveLabels::from(marks().labels()).revoked());
    }

    #[test]
    fn the_last_of_two_labels_of_one_key_stands() {
        let pair = |value: &str| ("team".to_owned(), value.to_owned());
        for (first, last) in [("x", "y"), (VOID, "y"), ("x", VOID)] {
            let read: LiveLabels = [pair(first), pair(last)].into_iter().collect();
            assert_eq!(read, Labels::from([pair(last)]), "{first} {last}");
        }
    }
}
