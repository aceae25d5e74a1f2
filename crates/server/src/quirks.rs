//! Quirk switches: what nothing public tells about the real platform.
//!
//! Each switch names one unknown and its possible answers. The default is the answer that fits
//! the public evidence best; a client is safe only if it behaves under every value.

use serde::{Deserialize, Serialize};

/// All switches of one platform. Reads from JSON; a missing switch keeps its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// What `roles: []`, omitted or `null` roles mean when an account is created.
    pub empty_roles: EmptyRoles,
    /// Whether `setRoles` with an empty list clears the roles. Terraform's provider sends that
    /// on destroy, so it is allowed somewhere; that it holds for every identity is unproven.
    pub clear_roles: ClearRoles,
    /// Whether the labels of a create are stored. Terraform's provider never sends any.
    pub labels_on_create: LabelsOnCreate,
    /// Whether labels in an update replace the stored list or are merged into it by key.
    pub labels_on_update: LabelsOnUpdate,
    /// What an update without labels (or with `null`) does to the stored ones.
    pub labels_omitted_on_update: LabelsOmitted,
    /// The longest label key in bytes; unlimited if absent. No limit is published.
    pub label_key_max: Option<usize>,
    /// The longest label value in bytes; unlimited if absent. No limit is published.
    pub label_value_max: Option<usize>,
    /// The most labels on one account; unlimited if absent. No limit is published.
    pub labels_max: Option<usize>,
    /// How long in milliseconds reads of accounts and roles stay behind writes. Whether the
    /// real platform reads its own writes is unknown. Authority and authentication never lag.
    pub read_lag_ms: u64,
    /// Whether listing an organization also lists the accounts of its spaces.
    pub org_listing_includes_spaces: bool,
    /// What the update's `notes` changes: the input has no `description` field, and whether the
    /// two are one value on the platform is unknown.
    pub description_on_update: DescriptionOnUpdate,
    /// What an update with empty `notes` does: the web interface shows a field to empty, and
    /// whether the platform tells `""` from a field that was not sent is unknown.
    pub description_clear: DescriptionClear,
    /// How a description or notes without text are answered.
    pub empty_description: EmptyDescription,
    /// Whether two accounts of one scope may have the same name. The web interface asks for "a
    /// unique name"; no refusal by the API is known.
    pub equal_names: EqualNames,
    /// The largest and default page. 100 is a third party's claim.
    pub page_cap: u32,
    /// The most root fields in one request, aliases included; unlimited if absent.
    pub root_fields_max: Option<usize>,
    /// What becomes of a `setRoles` while another one on the same scope is in flight. Terraform's
    /// provider retries on `Aborted` (terraform-provider-mondoo, internal/provider/gql.go).
    pub concurrent_role_writes: ConcurrentRoleWrites,
    /// The ids of spaces that roles on their organization do not reach. The documentation knows no
    /// such space; whether everybody who reads an organization reads all its spaces is unproven.
    pub closed_spaces: Vec<String>,
    /// Whether an organization's listing of spaces shows those that the caller may not read.
    pub hidden_spaces: HiddenSpaces,
    /// What a scope answers on which the caller may not do what it asks.
    pub forbidden: Forbidden,
    /// Which account an identity token becomes when its binding has exchanged one before. That the
    /// account is temporary is documented; whether it is the same one again is not.
    pub temporary_accounts: TemporaryAccounts,
    /// Who is told to have made a temporary account.
    pub temporary_creator: TemporaryCreator,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            empty_roles: EmptyRoles::None,
            clear_roles: ClearRoles::Allow,
            labels_on_create: LabelsOnCreate::Keep,
            labels_on_update: LabelsOnUpdate::Replace,
            labels_omitted_on_update: LabelsOmitted::Keep,
            label_key_max: None,
            label_value_max: None,
            labels_max: None,
            read_lag_ms: 0,
            org_listing_includes_spaces: false,
            description_on_update: DescriptionOnUpdate::NotesOnly,
            description_clear: DescriptionClear::Clears,
            empty_description: EmptyDescription::Empty,
            equal_names: EqualNames::Allow,
            page_cap: 100,
            root_fields_max: None,
            concurrent_role_writes: ConcurrentRoleWrites::Queue,
            closed_spaces: Vec::new(),
            hidden_spaces: HiddenSpaces::Listed,
            forbidden: Forbidden::Denied,
            temporary_accounts: TemporaryAccounts::New,
            temporary_creator: TemporaryCreator::Binding,
        }
    }
}

/// What a create without roles makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyRoles {
    /// An account that may do nothing.
    None,
    /// An account with the role `viewer`.
    DefaultViewer,
    /// Nothing: the create is `InvalidArgument`.
    Refuse,
}

/// Whether `setRoles` accepts an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearRoles {
    /// The identity loses all roles on the scope.
    Allow,
    /// The call is `InvalidArgument`.
    Refuse,
}

/// What becomes of the labels of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelsOnCreate {
    /// They are stored.
    Keep,
    /// They are silently lost.
    Drop,
}

/// How the labels of an update meet the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelsOnUpdate {
    /// The new list is the whole list.
    Replace,
    /// Keys not sent keep their value.
    Merge,
}

/// What an update without labels does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelsOmitted {
    /// Nothing.
    Keep,
    /// It removes all labels.
    Clear,
}

/// What an update's `notes` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionOnUpdate {
    /// Only `notes`; `description` is what the create said, for ever.
    NotesOnly,
    /// Both: `description` and `notes` show the new text.
    Both,
}

/// What an update with empty `notes` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionClear {
    /// It removes the text.
    Clears,
    /// Nothing, as if no notes were sent.
    Keeps,
}

/// How a text that is not there is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyDescription {
    /// As an empty text.
    Empty,
    /// As `null`.
    Null,
}

/// Whether a name may be used twice in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualNames {
    /// Yes.
    Allow,
    /// No: `AlreadyExists`.
    Refuse,
}

/// What a second role write on a scope meets while the first is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrentRoleWrites {
    /// It waits for its turn.
    Queue,
    /// `Aborted`: nothing happened.
    Abort,
}

/// Whether a listing shows spaces that the caller may not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenSpaces {
    /// They are listed and counted like the others.
    Listed,
    /// They are neither listed nor counted.
    Omitted,
}

/// What a scope answers to a caller without the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forbidden {
    /// `PermissionDenied`.
    Denied,
    /// `NotFound`, as a scope that does not exist.
    NotFound,
}

/// Which account an identity token becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemporaryAccounts {
    /// A new one each time; the one before lives until it ends.
    New,
    /// The same one each time, with a new key: the one before opens nothing any more.
    Same,
}

/// Who is told to have made a temporary account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemporaryCreator {
    /// Its binding.
    Binding,
    /// Nobody.
    Untold,
}
