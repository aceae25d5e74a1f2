//! Values for tests: what a literal would say of every field, said once. A test changes what it is
//! about, with `..`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AccountState, Address, AwsSecretPlace, AwsSsmPlace, AzureKeyVaultPlace, Caller,
    CredentialFormat, DesiredAccount, Destination, ExecPlace, Extent, Facts, FilePlace, GcpPlace,
    GithubApi, GithubApp, GithubOwner, GithubPlace, GitlabOwner, GitlabPlace, GitlabType,
    KubernetesPlace, Labels, Live, LiveAccount, LiveLabels, Mrn, Origin, Place, RoleSet, Rotation,
    Scope, SourceRef, VaultPlace,
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

/// A place of each kind that this version delivers to: that of the example in docs/compatibility.md.
pub fn places() -> Vec<Place> {
    let server = |text| Origin::new(text).expect("a server");
    vec![
        destination("ci.json").place().clone(),
        Place::Vault(VaultPlace {
            address: server("https://vault.acme.example"),
            namespace: "team".to_owned(),
            mount: "secret".to_owned(),
            path: "mondoo/ci".to_owned(),
            field: "credential".to_owned(),
            format: CredentialFormat::Json,
            metadata: false,
        }),
        Place::Kubernetes(KubernetesPlace {
            address: server("https://k8s.acme.example:6443"),
            namespace: "mondoo-operator".to_owned(),
            name: "mondoo-client".to_owned(),
            key: "config".to_owned(),
            r#type: "Opaque".to_owned(),
            format: CredentialFormat::Json,
        }),
        Place::Github(GithubPlace {
            address: GithubApi::new(GithubApi::PUBLIC).expect("a server"),
            owner: GithubOwner::Environment {
                repository: "acme/app".to_owned(),
                name: "production".to_owned(),
            },
            app: GithubApp::Actions,
            name: "MONDOO_CONFIG_BASE64".to_owned(),
            format: CredentialFormat::Base64,
        }),
        Place::AwsSecretsmanager(AwsSecretPlace {
            endpoint: server("https://secretsmanager.eu-central-1.amazonaws.com"),
            region: "eu-central-1".to_owned(),
            account_id: "123456789012".to_owned(),
            name: "mondoo/ci".to_owned(),
            format: CredentialFormat::Json,
        }),
        Place::AwsSsm(AwsSsmPlace {
            endpoint: server("https://ssm.eu-central-1.amazonaws.com"),
            region: "eu-central-1".to_owned(),
            account_id: "123456789012".to_owned(),
            name: "/mondoo/ci".to_owned(),
            format: CredentialFormat::Base64,
        }),
        gitlab(false),
        gitlab(true),
        Place::AzureKeyVault(AzureKeyVaultPlace {
            vault: server("https://acme.vault.azure.net"),
            name: "mondoo-ci".to_owned(),
            format: CredentialFormat::Json,
        }),
        Place::GcpSecretManager(GcpPlace {
            address: server("https://secretmanager.googleapis.com"),
            project: "acme-prod".to_owned(),
            location: String::new(),
            name: "mondoo-ci".to_owned(),
            format: CredentialFormat::Json,
        }),
        Place::Exec(ExecPlace {
            program: "store-key".to_owned(),
            place: "ci".to_owned(),
            arguments: Vec::new(),
            abilities: BTreeSet::new(),
            format: CredentialFormat::Json,
        }),
    ]
}

/// A variable that can be read back, or cannot.
fn gitlab(hidden: bool) -> Place {
    Place::Gitlab(GitlabPlace {
        address: Origin::new(GitlabPlace::PUBLIC).expect("a server"),
        owner: GitlabOwner::Project("acme/app".to_owned()),
        environment_scope: "production".to_owned(),
        name: "MONDOO_CONFIG_BASE64".to_owned(),
        r#type: GitlabType::EnvVar,
        masked: true,
        hidden,
        protected: None,
        format: CredentialFormat::Base64,
    })
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
            binding: None,
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
