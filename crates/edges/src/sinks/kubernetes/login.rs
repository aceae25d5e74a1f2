//! Who rolecall is in a cluster: by the variables of the environment, by a kubeconfig that one of them
//! names, and by the identity of the pod. Never by the configuration.
//!
//! Source: Kubernetes' documentation, "Accessing the Kubernetes API from a Pod".

use std::path::Path;

use zeroize::Zeroizing;

use super::kubeconfig;
use super::proof::{Proof, read, refuse};
use crate::model::Origin;
use crate::ports::SinkError;
use crate::sinks::machine::Machine;

/// Where Kubernetes puts the token of a pod's account, and the authority of its server.
pub(super) const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What a pod calls its server besides: names that lead there alone, and that its authority vouches for.
const IN_POD: [&str; 2] = [
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
];

/// How rolecall logs in.
#[derive(Debug)]
pub(super) struct Login {
    /// What the login came with: the server that it is for.
    server: Option<String>,
    /// What names that server, for people.
    pub(super) named: &'static str,
    /// Certificates in PEM that the server's own is checked against.
    pub(super) authorities: Option<Zeroizing<Vec<u8>>>,
    pub(super) proof: Proof,
}

impl Login {
    /// Which login the machine has; `pod` is the folder of a pod's account.
    pub(super) fn find(machine: &Machine, pod: &Path) -> Result<Self, SinkError> {
        let variable = |name: &str| machine.variable(name);
        let own = |proof: Proof| {
            let file = variable("KUBE_CA_FILE").map(Path::new);
            let authorities = file.map(|file| read(file, "KUBE_CA_FILE", "certificates in PEM"));
            Ok(Self {
                server: variable("KUBE_SERVER").map(str::to_owned),
                named: "KUBE_SERVER",
                authorities: authorities.transpose()?,
                proof,
            })
        };
        match (variable("KUBE_TOKEN"), variable("KUBE_TOKEN_FILE")) {
            (Some(_), Some(_)) => {
                return refuse(
                    "KUBE_TOKEN and KUBE_TOKEN_FILE are both set",
                    "unset the one that is not meant",
                );
            }
            (Some(token), None) => return own(Proof::Token(Zeroizing::new(token.to_owned()))),
            (None, Some(file)) => {
                return own(Proof::File {
                    path: file.into(),
                    named: "KUBE_TOKEN_FILE",
                });
            }
            (None, None) => {}
        }
        if variable("KUBE_SERVER").is_some() {
            return refuse(
                "KUBE_SERVER is set without a login for it",
                "set KUBE_TOKEN or KUBE_TOKEN_FILE, or unset KUBE_SERVER",
            );
        }
        if let Some(path) = variable("KUBECONFIG") {
            let kubeconfig::Context {
                server,
                authorities,
                proof,
            } = kubeconfig::context(path)?;
            return Ok(Self {
                server: Some(server),
                named: "the server in KUBECONFIG",
                authorities,
                proof,
            });
        }
        let Some(host) = variable("KUBERNETES_SERVICE_HOST") else {
            return refuse(
                "nobody is logged in to a cluster: KUBE_TOKEN or KUBE_TOKEN_FILE with KUBE_SERVER, \
                 KUBECONFIG, and the account of a pod were looked for",
                "set one of them (rolecall docs sink-kubernetes)",
            );
        };
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or("443");
        let authority = read(&pod.join("ca.crt"), "the pod's authority", "PEM")?;
        Ok(Self {
            server: Some(format!("https://{host}:{port}")),
            named: "KUBERNETES_SERVICE_HOST",
            authorities: Some(authority),
            proof: Proof::File {
                path: pod.join("token"),
                named: "the pod's token",
            },
        })
    }

    /// Whether the login may be sent to a server.
    ///
    /// # Errors
    /// That it may not, with the way out. Nothing was sent.
    pub(super) fn may_go_to(&self, machine: &Machine, to: &Origin) -> Result<(), SinkError> {
        let of_pod = self.named == "KUBERNETES_SERVICE_HOST" && IN_POD.contains(&to.as_str());
        let came_with = match of_pod {
            true => Some(to.as_str()),
            false => self.server.as_deref(),
        };
        machine.may_log_in(to, came_with, self.named)
    }
}
