//! A store as rotations meet it: its places, who logs in, what consumers read, and where its writes can be met.
//! Knows no kind.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::relay::{Asked, Held, PATIENCE, Relay, Way, hold};
use crate::stage::answer;

/// What is found at a place.
pub type Look<T> = Box<dyn Fn(&str) -> T>;

/// A store with two places for a key.
pub struct Store {
    /// As configurations call it.
    pub kind: &'static str,
    /// What the places are called.
    pub places: [String; 2],
    /// The attributes of the sink of one of them.
    pub sink: Box<dyn Fn(&str) -> String>,
    /// The variables and the options of who applies.
    pub login: Vec<(&'static str, String)>,
    pub options: Vec<String>,
    /// The credential that a consumer reads in a place, as JSON.
    pub key: Look<Option<String>>,
    /// How many values a place has had, where the store counts them.
    pub versions: Option<Look<usize>>,
    /// How many keys are beside places, where the store is seen to have such.
    pub beside: Option<Box<dyn Fn() -> usize>>,
    /// Whether nobody can read a place back.
    pub unreadable: bool,
    pub door: Door,
}

/// Where a store's writes can be met.
pub enum Door {
    /// On the way to it.
    Relay {
        relay: Relay,
        /// Whether a request puts a key into a place.
        writes: fn(&Asked, &str) -> bool,
        /// How the store refuses who lacks the right.
        refusal: (u16, String),
    },
    /// In the program that keeps keys here.
    Program(PathBuf),
    /// Nowhere.
    None,
}

/// A write that is done and of which nobody was told.
pub enum Stopped {
    Relay(Held),
    Program(PathBuf),
}

impl Stopped {
    /// Waits until it is done.
    pub fn wait(&self) {
        match self {
            Self::Relay(held) => held.wait(),
            Self::Program(place) => {
                let (told, since) = (place.with_extension("held"), Instant::now());
                while !told.exists() {
                    assert!(since.elapsed() < PATIENCE, "nothing was written");
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Self::Program(place) = self {
            let _ = fs::remove_file(place.with_extension("hold"));
            let _ = fs::remove_file(place.with_extension("held"));
        }
    }
}

impl Door {
    /// From now on, the first write to a place is done, and its answer given to nobody; nothing if the store has
    /// no door.
    pub fn stop(&self, place: &str) -> Option<Stopped> {
        match self {
            Self::None => None,
            Self::Program(folder) => {
                let place = folder.join(place);
                fs::write(place.with_extension("hold"), "").expect("written");
                Some(Stopped::Program(place))
            }
            Self::Relay { relay, writes, .. } => {
                let (way, held) = hold();
                let (mut way, writes, place) = (Some(way), *writes, place.to_owned());
                relay.watch(move |asked| match writes(asked, &place) {
                    true => way.take().unwrap_or(Way::Through),
                    false => Way::Through,
                });
                Some(Stopped::Relay(held))
            }
        }
    }

    /// From now on, no write to a place is allowed; tells whether the store has a door.
    pub fn refuse(&self, place: &str) -> bool {
        match self {
            Self::None => return false,
            Self::Program(folder) => {
                fs::write(folder.join(place).with_extension("refuse"), "").expect("written");
            }
            Self::Relay {
                relay,
                writes,
                refusal: (status, body),
            } => {
                let headers = [("Content-Type", "application/json")];
                let refused = answer(*status, &headers, body);
                let (writes, place) = (*writes, place.to_owned());
                relay.watch(move |asked| match writes(asked, &place) {
                    true => Way::Answer(refused.clone()),
                    false => Way::Through,
                });
            }
        }
        true
    }

    /// From now on, all is as it is.
    pub fn open(&self, places: &[String]) {
        match self {
            Self::None => {}
            Self::Program(folder) => {
                for place in places {
                    let _ = fs::remove_file(folder.join(place).with_extension("refuse"));
                }
            }
            Self::Relay { relay, .. } => relay.watch(|_| Way::Through),
        }
    }
}

/// Starts a program, and ends it without a word once something has happened.
pub fn killed(mut command: Command, wait: impl FnOnce()) -> String {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    wait();
    child.kill().expect("killed");
    let output = child.wait_with_output().expect("gone");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}
