//! Virtual time, and an executor on one thread: the clock jumps when all who run wait for it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::Timestamp;

/// The one clock of platform, client and run.
pub struct Clock(Mutex<Hands>);

struct Hands {
    now: Timestamp,
    elapsed: Duration,
    timers: Vec<(Duration, Waker)>,
}

impl Clock {
    pub fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Hands {
            now,
            elapsed: Duration::ZERO,
            timers: Vec::new(),
        })))
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.hands().now
    }

    pub fn elapsed(&self) -> Duration {
        self.hands().elapsed
    }

    /// Moves the clock on and wakes whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.hands();
        hands.now += by;
        hands.elapsed += by;
        let elapsed = hands.elapsed;
        hands.timers.retain(|(deadline, waker)| {
            let due = *deadline <= elapsed;
            if due {
                waker.wake_by_ref();
            }
            !due
        });
    }

    pub fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        Sleep {
            clock: Arc::clone(self),
            deadline: self.elapsed() + duration,
        }
    }

    /// Jumps to the next moment somebody waits for.
    fn jump(&self) -> bool {
        let hands = self.hands();
        let Some(next) = hands.timers.iter().map(|(deadline, _)| *deadline).min() else {
            return false;
        };
        let by = next.saturating_sub(hands.elapsed);
        drop(hands);
        self.advance(by);
        true
    }
}

/// A wait that takes no time.
pub struct Sleep {
    clock: Arc<Clock>,
    deadline: Duration,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut hands = self.clock.hands();
        if hands.elapsed >= self.deadline {
            return Poll::Ready(());
        }
        hands.timers.push((self.deadline, context.waker().clone()));
        Poll::Pending
    }
}

/// Lets the others run first, as every wait for a network does.
pub async fn pass() {
    let mut passed = false;
    poll_fn(|context| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs to the end, or until `dead`: then the future is dropped where it stands.
pub fn run<T>(
    clock: &Clock,
    dead: impl Fn() -> bool,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    loop {
        flag.0.store(false, Ordering::Relaxed);
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        if dead() {
            return None;
        }
        if !flag.0.load(Ordering::Relaxed) {
            assert!(clock.jump(), "everybody waits for nothing");
        }
    }
}
