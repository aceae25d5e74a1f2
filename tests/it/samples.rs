//! Values for integration tests and benches: what a literal would say of every field, said once. Unit
//! tests have theirs in `crates/model/src/model/samples.rs`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rolecall::model::{
    Address, Caller, CredentialFormat, CredentialMark, DesiredAccount, Destination, Extent, Facts,
    FilePlace, Fingerprint, Live, LiveAccount, LiveLabels, Marks, Mrn, Nonce, Place, RoleSet,
    Rotation, Scope, SourceRef, StackId,
};

/// A place in a configuration.
pub fn place() -> SourceRef {
    SourceRef {
        file: "access.hcl".to_owned(),
        line: 1,
    }
}

/// A place for a key: a file of this name.
pub fn destination(file: String) -> Destination {
    let place = FilePlace {
        directory: "credentials".to_owned(),
        file,
        format: CredentialFormat::Json,
        keep: false,
    };
    Destination::new("file.local", Place::File(place))
}

/// An account that is declared without a role, and of which no more is said.
pub fn declared(address: Address, scope: Scope) -> DesiredAccount {
    DesiredAccount {
        scope,
        name: address.name.clone(),
        description: None,
        labels: None,
        roles: RoleSet::new(),
        role_places: BTreeMap::new(),
        valid_until: None,
        protected: None,
        formerly: Vec::new(),
        deliver_to: Vec::new(),
        rotation: Rotation::default(),
        import: None,
        declared_at: place(),
        address,
    }
}

/// The marks that a finished birth of a declared account leaves.
pub fn marks(account: &DesiredAccount, stack: StackId, key: &[u8]) -> Marks {
    let to = account.deliver_to.iter();
    let protected = account.protected.unwrap_or(false);
    Marks {
        credential: CredentialMark::Delivered {
            fingerprint: Fingerprint::of_public_key(key),
            nonce: Nonce::from_bytes([9; 16]),
            destinations: to.map(|to| to.key_at(1, None)).collect(),
        },
        expires: account.valid_until,
        ..Marks::external(stack, account.address.label(), protected)
    }
}

/// A live account without a role, a label or a past.
pub fn account(mrn: Mrn, scope: Scope, name: String) -> LiveAccount {
    LiveAccount {
        mrn,
        scope,
        name,
        description: None,
        labels: LiveLabels::default(),
        roles: RoleSet::new(),
        created_at: None,
        last_used: None,
        creator: None,
    }
}

/// The live account of a declared one, with these marks. `creator` made it.
pub fn born(account: &DesiredAccount, mrn: Mrn, marks: &Marks, creator: &str) -> LiveAccount {
    let mut labels = account.labels.clone().unwrap_or_default();
    labels.extend(marks.labels());
    LiveAccount {
        description: account.description.clone(),
        labels: labels.into(),
        roles: account.roles.clone(),
        created_at: Some(Timestamp::UNIX_EPOCH),
        creator: Some(creator.to_owned()),
        ..self::account(mrn, account.scope.clone(), account.name.clone())
    }
}

/// A platform of which these accounts were read and no scope, at the beginning of all time.
pub fn live(caller: &str, accounts: impl IntoIterator<Item = LiveAccount>) -> Live {
    let by_mrn = |account: LiveAccount| (account.mrn.clone(), account);
    Live {
        facts: Facts {
            caller: Caller {
                mrn: Mrn::new(caller),
                name: None,
                binding: None,
            },
            now: Timestamp::UNIX_EPOCH,
            endpoint: "https://us.api.mondoo.com".to_owned(),
        },
        scopes: BTreeMap::new(),
        unread: BTreeMap::new(),
        extent: Extent::default(),
        accounts: accounts.into_iter().map(by_mrn).collect(),
    }
}
