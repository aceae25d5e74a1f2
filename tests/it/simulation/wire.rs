//! The way to the platform, without a socket, and what goes wrong on it. A request that was answered and
//! would be answered the same is not served again.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rolecall::http::{Answer, Failure, FailureKind};
use rolecall::platform::Transport;
use rolecall_server::App;
use serde_json::Value;

use super::fault::Fault;
use super::time::Clock;

/// What the identity that applies shows.
pub const TOKEN: &str = "token-of-the-simulation";
/// How long a request takes.
const TRAVEL: Duration = Duration::from_millis(7);

/// A request whose effect comes late.
struct Late {
    body: Vec<u8>,
    authorization: String,
    /// After how many calls.
    after: usize,
}

/// Answers to reads that would be the same again: nothing was written since, and reads no longer
/// lagged when they were given. Answering them is most of the work.
#[derive(Default)]
struct Memory {
    lag: Duration,
    /// Whether all is as in the beginning.
    pristine: bool,
    beginning: BTreeMap<Vec<u8>, (u16, Vec<u8>)>,
    present: BTreeMap<Vec<u8>, (u16, Vec<u8>)>,
    written: Duration,
    /// The last two answers to each read, with the time at which each was given last.
    given: BTreeMap<Vec<u8>, Vec<Given>>,
}

type Given = (Duration, (u16, Vec<u8>));

impl Memory {
    fn restore(&mut self) {
        self.given.clear();
        self.pristine = true;
    }

    fn written(&mut self, at: Duration) {
        self.pristine = false;
        self.present.clear();
        self.written = at;
    }

    fn recall(&self, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let known = if self.pristine {
            &self.beginning
        } else {
            &self.present
        };
        known.get(body).cloned()
    }

    fn keep(&mut self, body: &[u8], answer: &(u16, Vec<u8>), at: Duration) {
        let known = if self.pristine {
            &mut self.beginning
        } else if at > self.written + self.lag {
            &mut self.present
        } else {
            return;
        };
        known.insert(body.to_owned(), answer.clone());
    }

    /// Notes an answer, for when it is not true any more.
    fn given(&mut self, body: &[u8], answer: &(u16, Vec<u8>), at: Duration) {
        let given = self.given.entry(body.to_owned()).or_default();
        match given.last_mut() {
            Some((when, last)) if last == answer => *when = at,
            _ => given.push((at, answer.clone())),
        }
        if given.len() > 2 {
            given.remove(0);
        }
    }

    /// The answer that was true before the one that was given last, if that is not long ago.
    fn stale(&self, body: &[u8], at: Duration) -> Option<(u16, Vec<u8>)> {
        let given = self.given.get(body)?;
        let [(when, before), _] = given.as_slice() else {
            return None;
        };
        (at - *when <= STALE).then(|| before.clone())
    }
}

/// For how long what is not true any more may still be answered.
const STALE: Duration = Duration::from_secs(30);

/// The way to the platform, without a socket.
pub struct Wire<'a> {
    door: &'a Door,
    /// What is to happen to the next request.
    armed: Rc<Cell<Option<Fault>>>,
}

/// The platform's side of the way.
pub struct Door {
    pub app: App,
    clock: Arc<Clock>,
    memory: RefCell<Memory>,
    /// How often something may have been written.
    writes: Cell<u64>,
    /// Requests that have not taken effect yet, and after how many calls the next one does.
    late: RefCell<Vec<Late>>,
    delay: Cell<usize>,
    /// Whether answers are kept, so that an earlier one may be given again.
    past: Cell<bool>,
    /// How many accounts may be there that no run knows of, since a request came twice or late.
    surplus: Cell<usize>,
}

impl Door {
    pub fn new(app: App, clock: Arc<Clock>, lag: Duration) -> Self {
        let memory = Memory {
            lag,
            ..Memory::default()
        };
        Self {
            app,
            clock,
            memory: RefCell::new(memory),
            writes: Cell::new(0),
            late: RefCell::default(),
            delay: Cell::new(0),
            past: Cell::new(false),
            surplus: Cell::new(0),
        }
    }

    pub fn wire(&self, armed: &Rc<Cell<Option<Fault>>>) -> Wire<'_> {
        Wire {
            door: self,
            armed: Rc::clone(armed),
        }
    }

    /// All is as in the beginning again.
    pub fn restore(&self) {
        self.writes.set(self.writes.get() + 1);
        self.late.borrow_mut().clear();
        self.surplus.set(0);
        self.memory.borrow_mut().restore();
    }

    /// Notes that something was written.
    pub fn written(&self) {
        self.writes.set(self.writes.get() + 1);
        self.memory.borrow_mut().written(self.clock.elapsed());
    }

    pub fn writes(&self) -> u64 {
        self.writes.get()
    }

    pub fn keeps_answers(&self) {
        self.past.set(true);
    }

    pub fn delay(&self, calls: usize) {
        self.delay.set(calls);
    }

    pub fn surplus(&self) -> usize {
        self.surplus.get()
    }

    pub fn land(&self, calls: usize) -> bool {
        let due: Vec<Late> = {
            let mut late = self.late.borrow_mut();
            let (due, rest) = std::mem::take(&mut *late)
                .into_iter()
                .partition(|one: &Late| one.after < calls);
            *late = rest;
            for one in late.iter_mut() {
                one.after -= calls;
            }
            due
        };
        for one in &due {
            self.serve(&one.body, &one.authorization);
        }
        !due.is_empty()
    }

    fn serve(&self, body: &[u8], authorization: &str) -> (u16, Vec<u8>) {
        let Self {
            app, clock, memory, ..
        } = self;
        let at = clock.elapsed();
        let serve = || app.serve_bytes(Some(authorization), body, clock.now());
        let read = !body.windows(9).any(|word| word == b"mutation ");
        // Others than the one who applies are here to show that their key is good.
        if !read || !authorization.ends_with(TOKEN) {
            self.written();
            return serve();
        }
        let known = memory.borrow().recall(body);
        let answer = known.unwrap_or_else(|| {
            let answer = serve();
            memory.borrow_mut().keep(body, &answer, at);
            answer
        });
        if self.past.get() {
            memory.borrow_mut().given(body, &answer, at);
        }
        answer
    }

    /// The answer to a request that meets a fault on its way, with the wait that it asks for.
    fn serve_badly(
        &self,
        fault: Fault,
        body: Vec<u8>,
        authorization: String,
    ) -> Result<(u16, Vec<u8>, Option<Duration>), Failure> {
        let plain = |(status, body)| Ok((status, body, None));
        match fault {
            Fault::Limited => Ok((429, Vec::new(), Some(Duration::from_secs(1)))),
            Fault::Barred => Ok((429, Vec::new(), Some(Duration::from_hours(1)))),
            Fault::Broken => plain((500, Vec::new())),
            Fault::BrokenAfter => {
                self.serve(&body, &authorization);
                plain((502, Vec::new()))
            }
            Fault::Truncated => {
                let (status, mut answer) = self.serve(&body, &authorization);
                answer.truncate(answer.len() / 2);
                plain((status, answer))
            }
            Fault::Partial => {
                let (status, answer) = self.serve(&body, &authorization);
                let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
                answer["errors"] = serde_json::json!([
                    {"message": "simulated", "extensions": {"code": "UNAVAILABLE"}}
                ]);
                plain((status, answer.to_string().into_bytes()))
            }
            Fault::Twice => {
                let first = self.serve(&body, &authorization);
                self.surplus.set(self.surplus.get() + 1);
                self.serve(&body, &authorization);
                plain(first)
            }
            Fault::Late => {
                self.surplus.set(self.surplus.get() + 1);
                self.late.borrow_mut().push(Late {
                    body,
                    authorization,
                    after: self.delay.get(),
                });
                Err(Failure {
                    kind: FailureKind::Cut,
                    maybe_sent: true,
                    lasting: false,
                    message: "simulated Late".to_owned(),
                    help: None,
                })
            }
            Fault::Stale => {
                let stale = self.memory.borrow().stale(&body, self.clock.elapsed());
                plain(stale.unwrap_or_else(|| self.serve(&body, &authorization)))
            }
            _ => plain(self.serve(&body, &authorization)),
        }
    }
}

impl Transport for Wire<'_> {
    async fn send(&self, body: Vec<u8>, authorization: String) -> Result<Answer, Failure> {
        let door = self.door;
        door.clock.advance(TRAVEL);
        let (status, body, retry_after) = match self.armed.take() {
            None => {
                let (status, body) = door.serve(&body, &authorization);
                (status, body, None)
            }
            Some(fault) => door.serve_badly(fault, body, authorization)?,
        };
        let now = door.clock.now();
        Ok(Answer {
            // The header tells whole seconds.
            date: jiff::Timestamp::from_second(now.as_second()).ok(),
            retry_after,
            ..Answer::new(status, body)
        })
    }
}
