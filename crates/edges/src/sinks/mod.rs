//! Where credentials are delivered: one folder a kind of destination, behind one port.
//! The only place besides the platform that sees a key.

mod actions;
mod aws;
mod azure;
mod content;
#[cfg(test)]
mod contract;
mod exec;
mod file;
#[cfg(test)]
mod fixture;
mod gates;
mod gcp;
mod github;
mod gitlab;
mod jwt;
#[cfg(test)]
mod kinds;
mod kubernetes;
mod machine;
mod programs;
mod remote;
mod room;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use file::{FileSink, configure_hint, git_ignores, git_lines, path_of, shell_word};
pub use gates::Gates;
pub use github::{AboutRepository, BranchRules, Environment, GithubSettings};
pub use machine::{Machine, SinkObserver, SinkRequest};
pub use programs::{ProgramEnd, Programs, Ran, Runner, Running};

use self::aws::{AwsSecretsSink, AwsSsmSink, Services as Aws};
use self::azure::AzureKeyVaultSink;
use self::exec::ExecSink;
use self::gcp::GcpSink;
use self::github::GithubSink;
use self::gitlab::GitlabSink;
use self::kubernetes::KubernetesSink;
use self::vault::VaultSink;
use crate::model::{Destination, IssuedCredential, Mrn, Place, StackId, StoreVersion};
use crate::ports::{Abandoned, Delivered, Probe, ReadKey, Removal, SinkError, SinkStore, Staged};

/// The folder below the configuration's directory in which everything is kept that belongs to the
/// embedded platform.
const LOCAL: &str = ".rolecall";

/// The variables of the environment that logins of sinks come from.
pub const VARIABLES: &[&str] = &[
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_TENANT_ID",
    "CI_API_V4_URL",
    "GCE_METADATA_HOST",
    "GITHUB_API_URL",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "KUBE_CA_FILE",
    "KUBE_SERVER",
    "KUBE_TOKEN",
    "KUBE_TOKEN_FILE",
    "ROLECALL_GITHUB_APP_ID",
    "ROLECALL_GITHUB_APP_INSTALLATION_ID",
    "ROLECALL_GITHUB_APP_PRIVATE_KEY",
    "ROLECALL_GITHUB_APP_PRIVATE_KEY_FILE",
    "ROLECALL_GITHUB_TOKEN",
    "ROLECALL_GITLAB_TOKEN",
    "VAULT_ADDR",
    "VAULT_AUTH_AUDIENCE",
    "VAULT_AUTH_JWT_FILE",
    "VAULT_AUTH_METHOD",
    "VAULT_AUTH_MOUNT",
    "VAULT_AUTH_ROLE",
    "VAULT_CACERT",
    "VAULT_ID_TOKEN",
    "VAULT_NAMESPACE",
    "VAULT_ROLE_ID",
    "VAULT_SECRET_ID",
    "VAULT_SKIP_VERIFY",
    "VAULT_TOKEN",
];

/// All sinks of one run.
#[derive(Debug)]
pub struct Sinks {
    root: PathBuf,
    file: FileSink,
    /// None where every kind is a file.
    stores: Option<Stores>,
}

/// The sinks whose stores are elsewhere: one a kind.
#[derive(Debug)]
struct Stores {
    machine: Arc<Machine>,
    vault: VaultSink,
    kubernetes: KubernetesSink,
    github: GithubSink,
    aws_secretsmanager: AwsSecretsSink,
    aws_ssm: AwsSsmSink,
    gitlab: GitlabSink,
    azure_key_vault: AzureKeyVaultSink,
    gcp: GcpSink,
    exec: ExecSink,
}

impl Sinks {
    /// The sinks of the configuration in this directory, with the logins of this machine. What a store
    /// keeps of who wrote there is the stack.
    pub fn new(directory: &Path, machine: Machine, stack: &StackId) -> Self {
        let machine = Arc::new(machine);
        let aws = Arc::new(Aws::new(Arc::clone(&machine)));
        Self {
            root: directory.to_owned(),
            file: FileSink::new(directory),
            stores: Some(Stores {
                vault: VaultSink::new(Arc::clone(&machine)),
                kubernetes: KubernetesSink::new(Arc::clone(&machine), stack),
                github: GithubSink::new(Arc::clone(&machine)),
                aws_secretsmanager: AwsSecretsSink::new(Arc::clone(&aws)),
                aws_ssm: AwsSsmSink::new(aws),
                gitlab: GitlabSink::new(Arc::clone(&machine)),
                azure_key_vault: AzureKeyVaultSink::new(Arc::clone(&machine)),
                gcp: GcpSink::new(Arc::clone(&machine)),
                exec: ExecSink::new(Arc::clone(&machine)),
                machine,
            }),
        }
    }

    /// The sinks of the embedded platform: every kind is delivered into files below `.rolecall`, so that
    /// no real key is replaced and no store is reached.
    pub fn local(directory: &Path) -> Self {
        let root = directory.join(LOCAL);
        Self {
            file: FileSink::new(&root),
            root,
            stores: None,
        }
    }

    /// The directory below which files are delivered.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Asks the sink of a destination: one row a kind.
macro_rules! ask {
    ($sinks:expr, $to:expr, $sink:ident => $asked:expr) => {
        match (&$sinks.stores, $to.place()) {
            (None, _) | (_, Place::File(_)) => {
                let $sink = &$sinks.file;
                $asked
            }
            (Some(stores), Place::Vault(_)) => {
                let $sink = &stores.vault;
                $asked
            }
            (Some(stores), Place::Kubernetes(_)) => {
                let $sink = &stores.kubernetes;
                $asked
            }
            (Some(stores), Place::Github(_)) => {
                let $sink = &stores.github;
                $asked
            }
            (Some(stores), Place::AwsSecretsmanager(_)) => {
                let $sink = &stores.aws_secretsmanager;
                $asked
            }
            (Some(stores), Place::AwsSsm(_)) => {
                let $sink = &stores.aws_ssm;
                $asked
            }
            (Some(stores), Place::Gitlab(_)) => {
                let $sink = &stores.gitlab;
                $asked
            }
            (Some(stores), Place::AzureKeyVault(_)) => {
                let $sink = &stores.azure_key_vault;
                $asked
            }
            (Some(stores), Place::GcpSecretManager(_)) => {
                let $sink = &stores.gcp;
                $asked
            }
            (Some(stores), Place::Exec(_)) => {
                let $sink = &stores.exec;
                $asked
            }
        }
    };
}

impl SinkStore for Sinks {
    async fn probe(&self, to: &Destination) -> Result<Probe, SinkError> {
        ask!(self, to, sink => sink.probe(to).await)
    }

    async fn ready(&self, to: &Destination) -> Result<Duration, SinkError> {
        let ready = ask!(self, to, sink => sink.ready(to).await)?;
        let Some(Stores { machine, .. }) = &self.stores else {
            return Ok(ready);
        };
        let now = (machine.time.now)();
        let left = gates::origin_of(to.place()).and_then(|origin| machine.gates.left(origin, now));
        Ok(ready.max(left.unwrap_or_default()))
    }

    async fn stage(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        probe: Probe,
    ) -> Result<Staged, SinkError> {
        ask!(self, to, sink => sink.stage(to, credential, probe).await)
    }

    async fn promote(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Delivered, SinkError> {
        ask!(self, to, sink => sink.promote(to, credential, staged).await)
    }

    async fn abandon(
        &self,
        to: &Destination,
        credential: &IssuedCredential,
        staged: &Staged,
    ) -> Result<Abandoned, SinkError> {
        ask!(self, to, sink => sink.abandon(to, credential, staged).await)
    }

    async fn read(&self, from: &Destination) -> Result<ReadKey, SinkError> {
        ask!(self, from, sink => sink.read(from).await)
    }

    async fn remove(
        &self,
        from: &Destination,
        account: &Mrn,
        left: Option<&StoreVersion>,
    ) -> Result<Removal, SinkError> {
        ask!(self, from, sink => sink.remove(from, account, left).await)
    }
}
