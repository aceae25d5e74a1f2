//! Traits to the world: the platform, the sinks, the clock, chance, the record, the stop signal.
//! Only traits and their errors; `apply` and `refresh` know nothing else of the outside.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Abilities, Address, Caller, CleanUp, Destination, History, IssuedCredential, Labels,
    LiveAccount, Mrn, Nonce, OrgId, RoleSet, Scope, ScopeInfo, SpaceId, StoreVersion,
    StoredCredential,
};

/// May a failed write have happened all the same?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Surely nothing happened: refused, or never sent.
    None,
    /// Nobody can tell: the answer was lost.
    Unknown,
}

/// What kind of failure a platform call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The credential is not accepted (401, `Unauthenticated`).
    Unauthenticated,
    /// The credential is accepted but may not do this (403, `PermissionDenied`).
    PermissionDenied,
    /// There is no such object (`NotFound`).
    NotFound,
    /// It exists already (`AlreadyExists`).
    AlreadyExists,
    /// The platform does not take this input (`InvalidArgument`, `FailedPrecondition`, 422).
    Invalid,
    /// Another IAM change of the scope was under way; nothing happened (`Aborted`).
    Aborted,
    /// Too many requests (429).
    RateLimited,
    /// The platform failed (5xx, `Internal`, `Unavailable`, unknown codes).
    Platform,
    /// The network failed: refused, timed out, cut.
    Transport,
    /// An answer came that is not what the schema says.
    Malformed,
}

/// A read that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened, a fragment for people, with the platform's own words where there are any.
    pub message: String,
}

/// A write that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Whether it may have happened all the same.
    pub effect: Effect,
    /// What happened, a fragment for people.
    pub message: String,
}

/// Reads from the platform. Reads may be repeated freely.
pub trait Reader {
    /// The identity that the credential stands for.
    fn caller(&self) -> impl Future<Output = Result<Caller, ReadError>>;

    /// An organization's name.
    fn organization(&self, id: &OrgId) -> impl Future<Output = Result<ScopeInfo, ReadError>>;

    /// All spaces of an organization.
    fn spaces(
        &self,
        id: &OrgId,
    ) -> impl Future<Output = Result<BTreeMap<SpaceId, ScopeInfo>, ReadError>>;

    /// A space's name and organization.
    fn space(&self, id: &SpaceId) -> impl Future<Output = Result<ScopeInfo, ReadError>>;

    /// All service accounts of a scope, each once. An organization's listing may or may not hold
    /// the accounts of its spaces; each account tells its own scope.
    fn accounts(&self, scope: &Scope) -> impl Future<Output = Result<Vec<LiveAccount>, ReadError>>;

    /// One account, or `None` if the platform says there is none.
    fn account(&self, mrn: &Mrn) -> impl Future<Output = Result<Option<LiveAccount>, ReadError>>;

    /// The platform's clock, read from the last answer's `Date` header; the local clock before
    /// any answer.
    fn platform_time(&self) -> jiff::Timestamp;
}

/// Reads the platform's audit log. Apart from [`Reader`], since `apply` has no use for it.
pub trait AuditLog {
    /// The newest lines about an account or a scope, newest first, at most `most`.
    fn history(
        &self,
        resource: &Mrn,
        most: usize,
    ) -> impl Future<Output = Result<History, ReadError>>;
}

/// Reads what spaces do by themselves. Apart from [`Reader`], since `apply` has no use for it.
pub trait SpaceSettings {
    /// What a space does with accounts that nobody uses; `None` if the platform does not tell.
    fn clean_up(&self, space: &SpaceId)
    -> impl Future<Output = Result<Option<CleanUp>, ReadError>>;
}

/// Reads who owns an organization. Apart from [`Reader`], since `apply` has no use for it.
pub trait Owners {
    /// How many people own an organization; `None` if the platform does not tell.
    fn owners(&self, of: &OrgId) -> impl Future<Output = Result<Option<usize>, ReadError>>;
}

/// What a new account is created with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Where it will live.
    pub scope: Scope,
    /// Its display name.
    pub name: String,
    /// Its description, if any.
    pub description: Option<String>,
    /// All labels, marks included.
    pub labels: Labels,
    /// The roles to create it with; an empty set is sent as an empty list.
    pub roles: RoleSet,
    /// When it expires, if it does.
    pub valid_until: Option<jiff::Timestamp>,
}

/// What to change of an account; `None` leaves a field out of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountUpdate {
    /// A new display name.
    pub name: Option<String>,
    /// A new description, written to `notes`.
    pub notes: Option<String>,
    /// The full list of labels, marks and others' included.
    pub labels: Option<Labels>,
}

/// The answer to a batch: which objects failed, and why. Empty means all succeeded.
pub type BatchErrors = BTreeMap<Mrn, String>;

/// Writes to the platform. A write is sent at most once unless the platform surely did nothing.
pub trait Writer {
    /// Creates an account; its key is in the answer and nowhere else.
    fn create(
        &self,
        account: &NewAccount,
    ) -> impl Future<Output = Result<IssuedCredential, WriteError>>;

    /// Changes name, notes or labels of an account.
    fn update(
        &self,
        mrn: &Mrn,
        update: &AccountUpdate,
    ) -> impl Future<Output = Result<(), WriteError>>;

    /// Replaces the roles of each account on the scope; an empty set removes all.
    fn set_roles(
        &self,
        scope: &Scope,
        roles: &BTreeMap<Mrn, RoleSet>,
    ) -> impl Future<Output = Result<BatchErrors, WriteError>>;

    /// Deletes accounts of the scope.
    fn delete(
        &self,
        scope: &Scope,
        mrns: &[Mrn],
    ) -> impl Future<Output = Result<BatchErrors, WriteError>>;
}

/// What a destination holds, before anything is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nobody,
    /// A credential of some account, on whatever platform.
    Account {
        /// The account it is of.
        account: Mrn,
        /// The API's base URL that it names, if it does.
        endpoint: Option<String>,
    },
    /// Something that cannot be read.
    Unreadable,
    /// Something that is no credential.
    Foreign {
        /// What it is, a fragment with the way out: `a file that is not a credential; move it away`.
        what: String,
    },
}

/// A destination as it was looked at: it would take a write.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What is there.
    pub found: Found,
    /// The version of that, as the store names it; `None` where there is nothing, or no versions.
    pub version: Option<StoreVersion>,
    /// What can be done there, as far as only the store itself could tell.
    pub abilities: Abilities,
    /// What the store gave when it was looked at, in the kind's own form, so that a write changes only what
    /// is ours of it.
    pub read: Option<Arc<StoredCredential>>,
}

/// A key on its way into one destination.
#[derive(Debug)]
pub struct Staged {
    /// What was there at the probe.
    pub probe: Probe,
    /// What names the key beside the place, in the kind's own words; `None` where it was not put
    /// anywhere, since the place cannot stage.
    pub beside: Option<String>,
    /// The credential that was there, as it was read, to be put back where the delivery is called off.
    pub former: Option<StoredCredential>,
}

impl Staged {
    /// A key that was not put anywhere yet, since the place cannot stage.
    pub fn nowhere(probe: Probe) -> Self {
        Self {
            probe,
            beside: None,
            former: None,
        }
    }
}

/// How far a delivery was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Read back and equal.
    Equal,
    /// The destination said yes; it cannot be read.
    Accepted,
}

/// A key that is in its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How far that was checked.
    pub verified: Verified,
    /// The version that the store gave to the write, where it gives any.
    pub version: Option<StoreVersion>,
    /// What is to be told besides, a fragment: what could not be done that the key does not depend on.
    pub note: Option<String>,
}

/// What became of a delivery that was called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// The key is not there.
    Gone,
    /// What was there before is there again.
    Restored,
    /// The place cannot be rid of it: the key stays, and opens nothing once its account is gone.
    Stays,
}

/// What became of a key that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was there and is not any more.
    Removed,
    /// It was not there: nothing is, or the key of another account, or what is no credential.
    NotThere,
    /// What is there cannot be read back, and is not what our last write left; it stays.
    Unknown,
}

/// What a destination holds that is read for its key.
#[derive(Debug)]
pub enum ReadKey {
    /// Nothing.
    Nothing,
    /// This credential.
    Key(Box<IssuedCredential>),
    /// Something that is no credential whose key could be used, a fragment that says what.
    Other(String),
}

/// What kind of failure a destination met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkErrorKind {
    /// The place cannot be used as it is: a link, no folder, a type that does not fit, git would track it.
    Unfit,
    /// Nobody is logged in there, or the login is not accepted.
    Unauthenticated,
    /// Who is logged in may not do this, or not yet: stores take minutes to heed a right that was given.
    PermissionDenied,
    /// What should hold the place is not there.
    NotFound,
    /// What is there is not what was seen at the probe; nothing was written.
    Moved,
    /// There is no room, or the credential is larger than the store takes.
    Full,
    /// Too many requests.
    RateLimited,
    /// The store failed, is sealed, or did not answer.
    Unavailable,
    /// What was read back, or what the store answered, is not what it should be.
    Malformed,
}

impl SinkErrorKind {
    /// Whether the same question may be answered in some minutes, though nobody changes the question.
    pub fn may_pass(self) -> bool {
        match self {
            Self::PermissionDenied | Self::Unavailable => true,
            Self::Unfit
            | Self::Unauthenticated
            | Self::NotFound
            | Self::Moved
            | Self::Full
            | Self::RateLimited
            | Self::Malformed => false,
        }
    }
}

/// A destination that did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct SinkError {
    /// What kind of failure.
    pub kind: SinkErrorKind,
    /// Whether the key may be there all the same.
    pub effect: Effect,
    /// What happened, a fragment for people, naming the place.
    pub message: String,
    /// What to do about it, a fragment, where there is something.
    pub help: Option<String>,
}

/// Puts credentials into destinations: probe, stage, promote, and abandon where it comes to nothing.
/// Whether what is there may be replaced is decided by who asks. A sink holds to what was decided on: it
/// replaces what the probe found, or a copy of the same credential, and nothing else.
pub trait SinkStore {
    /// Looks at a destination, and whether it would take a write, also of the largest credential that there
    /// is. Writes nothing that stays.
    ///
    /// # Errors
    /// If it would not.
    fn probe(&self, to: &Destination) -> impl Future<Output = Result<Probe, SinkError>>;

    /// How long the store of a destination is to be left alone, as it said itself; zero if it may be asked at
    /// once. Logs in where that is needed. Asked right before a key is made that has to get there, and before
    /// the first write of a run where a key is to be removed.
    ///
    /// # Errors
    /// If nobody is logged in, or the login ends before a key could get there.
    fn ready(&self, _: &Destination) -> impl Future<Output = Result<Duration, SinkError>> {
        std::future::ready(Ok(Duration::ZERO))
    }

    /// Puts the credential beside what is there, where nobody looks for it yet, and checks it. Where the
    /// place cannot stage this writes nothing.
    ///
    /// # Errors
    /// If it cannot be put there; then nothing of it is left, unless the effect is unknown.
    fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> impl Future<Output = Result<Staged, SinkError>>;

    /// Makes the staged credential the one that the place holds, wholly or not at all, and reads it back
    /// where it can. May be asked again after an answer that was lost.
    ///
    /// # Errors
    /// With [`SinkErrorKind::Moved`] if the place no longer holds what the probe found.
    fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> impl Future<Output = Result<Delivered, SinkError>>;

    /// Takes back what was staged or promoted of this credential. What is not of this credential stays as
    /// it is. May be asked again, and where nothing was written.
    ///
    /// # Errors
    /// If the key may still be there.
    fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> impl Future<Output = Result<Abandoned, SinkError>>;

    /// Reads the credential that is there, so that it is delivered elsewhere too. Asked by apply alone,
    /// and for nothing else.
    ///
    /// # Errors
    /// If nobody can tell what is there, or it cannot be read back.
    fn read(&self, from: &Destination) -> impl Future<Output = Result<ReadKey, SinkError>>;

    /// Removes the key of this account, and nothing else: what is there of another stays, and so does
    /// what stands beside it. What cannot be read back is this account's only if it has the version that
    /// our last write `left`, as the account's mark of the place tells. May be asked again.
    ///
    /// # Errors
    /// If the key is still there, or may be.
    fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        left: Option<&StoreVersion>,
    ) -> impl Future<Output = Result<Removal, SinkError>>;
}

/// Something that happened during apply, for people who watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Work on a change begins.
    Started {
        /// The account's name in the configuration.
        address: Address,
        /// What is being done, a verb in the progressive: `creating`.
        doing: &'static str,
    },
    /// Something worth telling that does not end the change.
    Note {
        /// The account's name in the configuration.
        address: Address,
        /// A fragment.
        message: String,
    },
    /// Work on a change ended.
    Finished {
        /// The account's name in the configuration.
        address: Address,
        /// How it ended, in one word for programs: `done`, `failed`.
        result: &'static str,
        /// How it ended, a fragment: `created`, `failed: …`.
        how: String,
    },
}

/// Takes note of what happens.
pub trait Recorder {
    /// Notes one event; must not fail and not block.
    fn record(&self, event: Event);
}

/// The only clock that `apply` knows.
pub trait Clock {
    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;

    /// A time that only grows, for measuring waits.
    fn elapsed(&self) -> Duration;
}

/// The only chance that `apply` knows.
pub trait Random {
    /// A fresh nonce.
    fn nonce(&self) -> Nonce;
}

/// Tells whether somebody asked to stop.
pub trait Interrupt {
    /// Whether to finish the change in hand and stop.
    fn stop_requested(&self) -> bool;
}

/// Everything that `apply` may touch.
pub trait World: Reader + Writer + SinkStore + Recorder + Clock + Random + Interrupt {}

impl<T: Reader + Writer + SinkStore + Recorder + Clock + Random + Interrupt> World for T {}
