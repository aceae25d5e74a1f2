//! What can go wrong with a call.
//! Values only.

use rolecall::ports::{Effect, ErrorKind, ReadError, SinkError, SinkErrorKind, WriteError};

/// What can go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is refused; nothing happened.
    Refused,
    /// As `Refused`, as input that the platform does not take.
    Invalid,
    /// As `Refused`, since another change is under way: may be tried again.
    Aborted,
    /// It never arrives, and nobody can tell.
    Cut,
    /// It is carried out, and the answer is lost.
    Lost,
    /// The process dies before it.
    DeathBefore,
    /// The process dies after it is carried out, without the answer.
    DeathAfter,
    /// 429; the client sends it again.
    Limited,
    /// 429, and so long a wait that the client gives up.
    Barred,
    /// 500, and nothing happened.
    Broken,
    /// 500, and it is carried out.
    BrokenAfter,
    /// It is carried out, and half of the answer comes.
    Truncated,
    /// It is carried out, and the answer has its data beside a GraphQL error.
    Partial,
    /// It arrives twice, and is carried out twice.
    Twice,
    /// The connection breaks, and it is carried out after calls that were made later.
    Late,
    /// What was true before the last writes is answered.
    Stale,
    /// It takes most of a minute.
    Slow,
    /// The store has no room.
    Full,
    /// The store says that it has the key, and has not.
    Lying,
    /// The key is in its place and still beside it, and nobody can tell.
    Half,
}

/// Who brings a fault about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The call itself fails, before or after it is carried out.
    Call,
    /// The way to the platform, so that the client meets it.
    Wire,
    /// The store.
    Store,
}

impl Fault {
    /// Whether the process ends there.
    pub fn kills(self) -> bool {
        matches!(self, Self::DeathBefore | Self::DeathAfter)
    }

    /// Who brings it about.
    pub fn by(self) -> By {
        match self {
            Self::Limited
            | Self::Barred
            | Self::Broken
            | Self::BrokenAfter
            | Self::Truncated
            | Self::Partial
            | Self::Twice
            | Self::Late
            | Self::Stale => By::Wire,
            Self::Lying | Self::Half => By::Store,
            Self::Refused
            | Self::Invalid
            | Self::Aborted
            | Self::Cut
            | Self::Lost
            | Self::DeathBefore
            | Self::DeathAfter
            | Self::Slow
            | Self::Full => By::Call,
        }
    }

    /// Whether a call that meets it is made all the same.
    pub fn carried_out(self) -> bool {
        match self.by() {
            By::Wire | By::Store => true,
            By::Call => matches!(self, Self::Lost | Self::DeathAfter | Self::Slow),
        }
    }
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A read from the platform.
    Read,
    /// A look at a destination.
    Look,
    /// A write that is tried in another form if the platform does not take the input.
    Create,
    Write,
    /// A write to a destination.
    Deliver,
    /// One that makes a key the one which the place holds.
    Promote,
}

impl Kind {
    /// The faults that are tried at every call, one at a time. A read leaves nothing behind, so death after it is
    /// death before it; and where no other scope is worked on meanwhile (`alone`), it is death
    /// after the call before.
    pub fn faults(self, alone: bool) -> &'static [Fault] {
        use Fault::{Aborted, Cut, DeathAfter, DeathBefore, Invalid, Lost, Refused};
        match self {
            Self::Read | Self::Look if alone => &[Refused, Lost],
            Self::Read | Self::Look => &[Refused, Lost, DeathBefore],
            Self::Create => &[
                Refused,
                Invalid,
                Aborted,
                Cut,
                Lost,
                DeathBefore,
                DeathAfter,
            ],
            Self::Write => &[Refused, Aborted, Cut, Lost, DeathBefore, DeathAfter],
            Self::Deliver | Self::Promote => &[Refused, Lost, DeathBefore, DeathAfter],
        }
    }

    /// All faults that such a call can meet, where several meet one run.
    pub fn all_faults(self) -> &'static [Fault] {
        use Fault::{
            Aborted, Barred, Broken, BrokenAfter, Cut, DeathAfter, DeathBefore, Full, Half,
            Invalid, Late, Limited, Lost, Lying, Partial, Refused, Slow, Stale, Truncated, Twice,
        };
        match self {
            Self::Read => &[
                Refused,
                Lost,
                Limited,
                Barred,
                Broken,
                Truncated,
                Partial,
                Stale,
                Slow,
                DeathBefore,
            ],
            Self::Look => &[Refused, Lost, Slow, DeathBefore],
            Self::Create => &[
                Refused,
                Invalid,
                Aborted,
                Cut,
                Lost,
                Limited,
                Barred,
                Broken,
                BrokenAfter,
                Truncated,
                Partial,
                Twice,
                Late,
                Slow,
                DeathBefore,
                DeathAfter,
            ],
            Self::Write => &[
                Refused,
                Aborted,
                Cut,
                Lost,
                Limited,
                Barred,
                Broken,
                BrokenAfter,
                Truncated,
                Partial,
                Twice,
                Late,
                Slow,
                DeathBefore,
                DeathAfter,
            ],
            Self::Deliver => &[Refused, Full, Cut, Lost, Slow, DeathBefore, DeathAfter],
            Self::Promote => &[
                Refused,
                Full,
                Cut,
                Lost,
                Lying,
                Half,
                Slow,
                DeathBefore,
                DeathAfter,
            ],
        }
    }
}

/// A call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub name: &'static str,
    pub kind: Kind,
}

/// All calls through the ports that may fail.
pub const CALLS: [Call; 16] = {
    const fn call(name: &'static str, kind: Kind) -> Call {
        Call { name, kind }
    }
    [
        call("caller", Kind::Read),
        call("organization", Kind::Read),
        call("spaces", Kind::Read),
        call("space", Kind::Read),
        call("accounts", Kind::Read),
        call("account", Kind::Read),
        call("create", Kind::Create),
        call("update", Kind::Write),
        call("set_roles", Kind::Write),
        call("delete", Kind::Write),
        call("probe", Kind::Look),
        call("read", Kind::Look),
        call("stage", Kind::Deliver),
        call("promote", Kind::Promote),
        call("abandon", Kind::Deliver),
        call("remove", Kind::Deliver),
    ]
};

/// How an error of some port is made.
pub trait Failing {
    fn failing(fault: Fault) -> Self;
}

fn words(fault: Fault) -> String {
    format!("simulated {fault:?}")
}

fn kind(fault: Fault) -> ErrorKind {
    match fault {
        Fault::Refused => ErrorKind::PermissionDenied,
        Fault::Invalid => ErrorKind::Invalid,
        Fault::Aborted => ErrorKind::Aborted,
        _ => ErrorKind::Transport,
    }
}

impl Failing for ReadError {
    fn failing(fault: Fault) -> Self {
        Self {
            kind: kind(fault),
            message: words(fault),
        }
    }
}

impl Failing for WriteError {
    fn failing(fault: Fault) -> Self {
        let effect = match fault {
            Fault::Cut | Fault::Lost => Effect::Unknown,
            _ => Effect::None,
        };
        Self {
            kind: kind(fault),
            effect,
            message: words(fault),
        }
    }
}

impl Failing for SinkError {
    fn failing(fault: Fault) -> Self {
        let effect = match fault {
            Fault::Cut | Fault::Lost | Fault::Lying | Fault::Half => Effect::Unknown,
            _ => Effect::None,
        };
        let kind = match fault {
            Fault::Full => SinkErrorKind::Full,
            Fault::Lying => SinkErrorKind::Malformed,
            _ => SinkErrorKind::Unavailable,
        };
        Self {
            kind,
            effect,
            message: words(fault),
            help: None,
        }
    }
}
