//! Values for tests: what a literal would say of every field, said once. A test changes what it is
//! about, with `..`.

use std::collections::BTreeMap;

use super::{
    AccountState, Address, Caller, CredentialFormat, DesiredAccount, Destination, Extent, Facts,
    FilePlace, Labels, Live, LiveAccount, LiveLabels, Mrn, Place, RoleSet, Scope, SourceRef,
};

/// A place for a key: a file of this name.
pub fn destination(file: &str) -> Destination {
    let place = FilePlace {
        directory: "credentials".to_owned(),
        file: file.to_owned(),
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
        import: None,
        declared_at: SourceRef {
            file: "a.hcl".to_owned(),
            line: 1,
        },
        address,
    }
}

/// A live account without a role, a label or a past.
pub fn account(mrn: Mrn, scope: Scope, name: &str) -> LiveAccount {
    LiveAccount {
        mrn,
        scope,
        name: name.to_owned(),
        description: None,
        labels: LiveLabels::default(),
        roles: RoleSet::new(),
        created_at: None,
        last_used: None,
        creator: None,
    }
}

/// The same as a plan shows it.
pub fn state(name: &str) -> AccountState {
    AccountState {
        name: name.to_owned(),
        description: None,
        labels: Labels::new(),
        roles: RoleSet::new(),
        valid_until: None,
        protected: false,
    }
}

/// Who reads, at the beginning of all time.
pub fn facts(caller: &str) -> Facts {
    Facts {
        caller: Caller {
            mrn: Mrn::new(caller),
            name: None,
        },
        now: jiff::Timestamp::UNIX_EPOCH,
        endpoint: "local".to_owned(),
    }
}

/// A platform of which these accounts were read and no scope.
pub fn live(caller: &str, accounts: impl IntoIterator<Item = LiveAccount>) -> Live {
    let by_mrn = |account: LiveAccount| (account.mrn.clone(), account);
    Live {
        facts: facts(caller),
        scopes: BTreeMap::new(),
        unread: BTreeMap::new(),
        extent: Extent::default(),
        accounts: accounts.into_iter().map(by_mrn).collect(),
    }
}
