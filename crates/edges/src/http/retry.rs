//! Whether a request is sent again: by what it may have done, and by how often it was sent.
//! Pure but for the chance in its waits; who asks does the waiting.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Which requests a failure allows to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// None: it would end the same.
    Never,
    /// Those that change nothing.
    Reads,
    /// All, since the server surely did nothing.
    Always,
}

/// How often a request is sent, and how long is waited in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent at most, the first time included.
    pub attempts: usize,
    /// The first wait, which doubles from try to try, with some chance in it.
    pub first: Duration,
    /// The longest wait of its own.
    pub longest: Duration,
    /// The longest wait that a server may ask for; what should wait longer is given up.
    pub longest_asked: Duration,
}

impl Retry {
    /// Patience for a server that is busy for some seconds.
    pub const STEADY: Self = Self {
        attempts: 4,
        first: Duration::from_millis(300),
        longest: Duration::from_secs(8),
        longest_asked: Duration::from_secs(60),
    };

    /// The tries of one request.
    pub fn tries(&self) -> Tries {
        let Self {
            attempts,
            first,
            longest,
            longest_asked,
        } = *self;
        let waits = ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_max_times(attempts.saturating_sub(1))
            .with_jitter()
            .build();
        Tries {
            waits,
            longest_asked,
        }
    }
}

/// The tries of one request, some of which are spent.
#[derive(Debug)]
pub struct Tries {
    waits: ExponentialBackoff,
    longest_asked: Duration,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wait so long, and send it again.
    Wait(Duration),
    /// Give up: it may not be sent again.
    Final,
    /// Give up: the server asks for a longer wait than it may.
    TooLong,
    /// Give up: it was sent often enough.
    Spent,
}

impl Tries {
    /// Decides on a failure of a request that `writes` or only reads, after which the server `asked` for
    /// a wait.
    pub fn after(&mut self, again: Again, writes: bool, asked: Option<Duration>) -> Verdict {
        let allowed = match again {
            Again::Never => false,
            Again::Reads => !writes,
            Again::Always => true,
        };
        let asked = asked.unwrap_or_default();
        if !allowed {
            return Verdict::Final;
        }
        if asked > self.longest_asked {
            return Verdict::TooLong;
        }
        match self.waits.next() {
            Some(wait) => Verdict::Wait(wait.max(asked)),
            None => Verdict::Spent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_may_have_happened_is_sent_again_only_if_it_changes_nothing() {
        for (again, read, write) in [
            (Again::Never, false, false),
            (Again::Reads, true, false),
            (Again::Always, true, true),
        ] {
            for (writes, repeats) in [(false, read), (true, write)] {
                let verdict = Retry::STEADY.tries().after(again, writes, None);
                let waits = matches!(verdict, Verdict::Wait(_));
                assert_eq!(waits, repeats, "{again:?} {writes}");
                assert!(repeats || verdict == Verdict::Final);
            }
        }
    }

    #[test]
    fn waits_double_up_to_a_limit_and_end() {
        let policy = Retry {
            attempts: 6,
            first: SECOND,
            longest: 4 * SECOND,
            longest_asked: 9 * SECOND,
        };
        let mut tries = policy.tries();
        for least in [1, 2, 4, 4, 4] {
            let Verdict::Wait(wait) = tries.after(Again::Always, true, None) else {
                panic!("not spent yet");
            };
            // Chance adds less than the first wait.
            assert!(
                (least * SECOND..(least + 1) * SECOND + policy.longest).contains(&wait),
                "{wait:?}"
            );
        }
        assert_eq!(tries.after(Again::Always, true, None), Verdict::Spent);
        let once = Retry {
            attempts: 1,
            ..policy
        };
        assert_eq!(
            once.tries().after(Again::Always, false, None),
            Verdict::Spent
        );
    }

    #[test]
    fn a_server_is_heard_up_to_a_limit() {
        let asked = |asked: Duration| {
            Retry::STEADY
                .tries()
                .after(Again::Always, false, Some(asked))
        };
        assert_eq!(asked(60 * SECOND), Verdict::Wait(60 * SECOND));
        assert_eq!(asked(61 * SECOND), Verdict::TooLong);
        assert!(
            matches!(asked(Duration::ZERO), Verdict::Wait(wait) if wait >= Retry::STEADY.first)
        );
        // What may not be sent again is not said to have been asked to wait.
        let never = Retry::STEADY
            .tries()
            .after(Again::Never, false, Some(61 * SECOND));
        assert_eq!(never, Verdict::Final);
    }
}
