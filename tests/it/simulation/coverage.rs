//! What a simulation hit: each call with each fault, and where the process died after that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::fault::{CALLS, Call, Fault};
use super::play::Run;

/// Where a process died: in which command, at which call, before it or after.
type Crash = (&'static str, Call, Fault);

#[derive(Default)]
pub struct Coverage {
    /// How often a call met a fault, and where processes died later in such runs.
    hits: BTreeMap<(Call, Fault), (usize, BTreeSet<Crash>)>,
    crashes: BTreeMap<Crash, usize>,
    runs: usize,
}

impl Coverage {
    /// Notes the faults of a run.
    pub fn add(&mut self, command: &'static str, run: &Run) {
        self.runs += 1;
        let met = run.struck.iter();
        let met: Vec<(Call, Fault)> = met.map(|(at, fault)| (run.calls[*at], *fault)).collect();
        let crash = met.last().filter(|(_, fault)| fault.kills());
        let crash = crash.map(|(call, fault)| (command, *call, *fault));
        for one in &met {
            let (n, crashes) = self.hits.entry(*one).or_default();
            *n += 1;
            crashes.extend(crash.filter(|_| !one.1.kills()));
        }
        if let Some(crash) = crash {
            *self.crashes.entry(crash).or_default() += 1;
        }
    }

    /// Whether a call met this fault.
    pub fn has(&self, call: Call, fault: Fault) -> bool {
        self.hits.contains_key(&(call, fault))
    }

    /// Takes over what another hit.
    pub fn join(&mut self, other: Self) {
        let Self {
            hits,
            crashes,
            runs,
        } = other;
        for (one, (n, crashes)) in hits {
            let (sum, all) = self.hits.entry(one).or_default();
            *sum += n;
            all.extend(crashes);
        }
        for (crash, n) in crashes {
            *self.crashes.entry(crash).or_default() += n;
        }
        self.runs += runs;
    }

    /// The faults of the list that no call met.
    pub fn lacking(&self) -> Vec<String> {
        let all = CALLS.iter().flat_map(|call| {
            call.kind
                .all_faults()
                .iter()
                .map(move |fault| (*call, *fault))
        });
        all.filter(|one| !self.hits.contains_key(one))
            .map(|(call, fault)| format!("{}: {fault:?}", call.name))
            .collect()
    }

    /// How many combinations of a call, its fault and a later crash were hit.
    fn triples(&self) -> usize {
        self.hits.values().map(|(_, crashes)| crashes.len()).sum()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} runs; each call with the faults that it met, how often, and at how many points a process died later:",
            self.runs
        )?;
        for call in CALLS {
            write!(f, "  {:<13}", call.name)?;
            for fault in call.kind.all_faults() {
                match self.hits.get(&(call, *fault)) {
                    Some((n, crashes)) if crashes.is_empty() => write!(f, " {fault:?} {n}")?,
                    Some((n, crashes)) => write!(f, " {fault:?} {n}/{}", crashes.len())?,
                    None => write!(f, " {fault:?} NEVER")?,
                }
            }
            writeln!(f)?;
        }
        let commands: BTreeSet<&str> = self.crashes.keys().map(|(command, ..)| *command).collect();
        for command in commands {
            write!(f, "  died in {command}:")?;
            for ((of, call, fault), n) in &self.crashes {
                if *of == command {
                    let when = match fault {
                        Fault::DeathAfter => "after",
                        _ => "before",
                    };
                    write!(f, " {when} {} {n}", call.name)?;
                }
            }
            writeln!(f)?;
        }
        write!(
            f,
            "  {} combinations of a call, its fault and a crash point",
            self.triples()
        )
    }
}
