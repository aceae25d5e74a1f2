//! What a run takes of one platform between two writes, in entries, bytes and time: more is a flood.
//! Pure; time is an argument.

use jiff::Timestamp;

/// So many entries, bytes and minutes of a platform's time a run takes between two writes. A
/// platform that gives more floods it.
const MOST_ENTRIES: usize = 200_000;
pub(super) const MOST_BYTES: usize = 1024 * 1024 * 1024;
const MOST_MINUTES: i64 = 60;

/// What a run has taken from the platform since its last write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    /// How many seconds it was asked and had not answered yet.
    pub(super) seconds: i64,
    /// How many reads are under way, and since when there is one at least.
    pub(super) asking: usize,
    pub(super) since: Timestamp,
}

impl Spent {
    pub(super) fn begin(&mut self, now: Timestamp) {
        if self.asking == 0 {
            self.since = now;
        }
        self.asking += 1;
    }

    pub(super) fn end(&mut self, now: Timestamp) {
        self.asking = self.asking.saturating_sub(1);
        if self.asking == 0 {
            self.seconds += self.waited(now);
        }
    }

    fn waited(&self, now: Timestamp) -> i64 {
        (now.as_second() - self.since.as_second()).max(0)
    }

    /// What there was more of than a run takes; `None` if nothing was.
    pub(super) fn over(&self, now: Timestamp) -> Option<String> {
        let under_way = if self.asking > 0 { self.waited(now) } else { 0 };
        let what = if self.entries > MOST_ENTRIES {
            format!("more than {MOST_ENTRIES} entries")
        } else if self.bytes > MOST_BYTES {
            format!("more than {} MiB", MOST_BYTES / 1024 / 1024)
        } else if self.seconds + under_way > 60 * MOST_MINUTES {
            format!("answers for more than {MOST_MINUTES} minutes")
        } else {
            return None;
        };
        Some(format!(
            "the platform has given this run {what}, and it reads no more; if that is no fault of \
             the platform's, spread what is declared over several configurations"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{NOW, time};
    use super::*;

    #[test]
    fn time_is_that_of_the_platform_and_not_of_whoever_is_asked() {
        let at = |minute: i64| time(NOW) + jiff::SignedDuration::from_mins(minute);
        let mut spent = Spent::default();
        // Two at a time are no more than one.
        for minute in [0, 20] {
            spent.begin(at(minute));
            spent.begin(at(minute + 5));
            spent.end(at(minute + 10));
            spent.end(at(minute + 20));
        }
        // A person thinks for a day.
        assert_eq!(spent.over(at(24 * 60)), None);
        spent.begin(at(24 * 60));
        assert_eq!(spent.over(at(24 * 60 + 20)), None);
        let why = spent.over(at(24 * 60 + 21)).expect("an hour is over");
        assert!(why.contains("60 minutes"), "{why}");
        spent.end(at(24 * 60 + 21));
        assert!(spent.over(at(24 * 60 + 22)).is_some());
        // A clock that was set back takes nothing back.
        spent.begin(at(0));
        spent.end(at(-60));
        assert!(spent.over(at(0)).is_some());
    }
}
