//! The domain: scopes, roles, accounts, marks, credentials, what is desired and what is live.
//! Pure: no clock, no environment, no rendering.

mod account;
mod address;
mod clean_up;
mod credential;
mod desired;
mod history;
mod limits;
mod live;
mod mark;
mod mrn;
mod name;
mod policy;
mod role;
mod seal;

pub use account::{AccountState, Labels};
pub use address::{Address, AddressLabel};
pub use clean_up::{CLEAN_UP_DAYS, CleanUp};
pub use credential::{Fingerprint, IssuedCredential, Nonce};
pub use desired::{
    Desired, DesiredAccount, DesiredOrganization, DesiredSpace, Destination, EndpointAssertion,
    FileFormat, Former, Import, Known, Place, Removed, SourceRef, Unmanaged, UnmanagedAction,
    matches,
};
pub use history::{History, LogEntry};
pub use limits::Limits;
pub use live::{Caller, Facts, Live, LiveAccount, Queries, ScopeInfo, Unread};
pub use mark::{CredentialMark, MARK_PREFIX, Marking, Marks, StackId, short_digest};
pub use mrn::{Mrn, OrgId, Scope, SpaceId};
pub use name::composed;
pub use policy::{PolicyOrigin, PolicyReach, PolicyRef, PolicySeverity};
pub use role::{
    PLATFORM_ROLES, ROLE_SOURCES, ROLES, ROLES_UNKNOWN, Role, RoleFacts, RoleSet, birth_roles_only,
    least_role, rank,
};
pub use seal::{ANOTHER_KEY, Seal, SealCheck, SealKey, Seals};
