//! The domain: scopes, roles, accounts, marks, credentials, what is desired and what is live.
//! Pure: no clock, no environment, no rendering.

mod account;
mod address;
mod checkout;
mod clean_up;
mod credential;
mod custody;
mod described;
mod desired;
mod destination;
mod digest;
mod history;
mod identity;
mod labels;
mod limits;
mod live;
mod mark;
mod meant;
mod mrn;
mod name;
mod origin;
mod place;
mod policy;
mod role;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
mod seal;
mod seal_key;
mod seal_labels;
mod sink_kind;
mod stack;
mod written;

pub use account::{AccountState, Labels, VOID};
pub use address::{Address, AddressLabel, by_block};
pub use checkout::{Checkout, Standing};
pub use clean_up::{CLEAN_UP_DAYS, CleanUp};
pub use credential::{
    DEFAULT_ENDPOINT, Fingerprint, IssuedCredential, LARGEST_CREDENTIAL, Nonce, StoredCredential,
};
pub use custody::{Claim, Custody, Entry, Inventory, Keeper, NO_SEAL, Ours};
pub use described::{Described, KeptText};
pub use desired::{
    Desired, DesiredAccount, DesiredOrganization, DesiredSpace, EndpointAssertion, Former, Import,
    Known, Removed, Rotation, SourceRef, Unmanaged, UnmanagedAction, matches,
};
pub use destination::{Destination, OnDelete};
pub use digest::short_digest;
pub use history::{History, LogEntry};
pub use identity::{DestinationId, Identity};
pub use labels::LiveLabels;
pub use limits::Limits;
pub use live::{
    Binding, Caller, Extent, Facts, Home, Live, LiveAccount, Queries, ScopeInfo, Unread,
};
pub use mark::{
    Birth, CredentialMark, KeyAt, MARK_PREFIX, Marking, Marks, StoreVersion, revocation,
};
pub use meant::{Meant, Renewal};
pub use mrn::{Mrn, OrgId, Scope, SpaceId};
pub use name::{composed, difference, former_name, outline, same_name};
pub use origin::Origin;
pub use place::{
    Abilities, AwsSecretPlace, AwsSsmPlace, AzureKeyVaultPlace, CredentialFormat, ExecAbility,
    ExecPlace, FilePlace, GcpPlace, GithubApi, GithubApp, GithubOwner, GithubPlace,
    GithubVisibility, GitlabOwner, GitlabPlace, GitlabType, KubernetesPlace, Place, PlaceKind,
    VaultPlace, aws_address, aws_partition, is_aws_address, is_aws_region,
};
pub use policy::{PolicyOrigin, PolicyReach, PolicyRef, PolicySeverity};
pub use role::{
    PLATFORM_ROLES, ROLE_SOURCES, ROLES, ROLES_UNKNOWN, Role, RoleFacts, RoleSet, birth_roles_only,
    least_role, rank,
};
pub use seal::{SealCheck, Seals};
pub use seal_key::{SEAL_KEY_PREFIX, SealKey, SealKeys, SealPublicKey};
pub use seal_labels::Seal;
pub use sink_kind::SinkKind;
pub use stack::StackId;
pub use written::Written;
