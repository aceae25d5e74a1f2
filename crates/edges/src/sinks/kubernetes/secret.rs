//! A Secret as the API server gives it, and the body that changes one key of it.
//! Pure: bytes in, values out.
//!
//! Sources: Kubernetes' documentation, "Server-Side Apply" and "Secrets"; `registry/store.go` and
//! `handlers/patch.go` of k8s.io/apiserver v0.34.4 for what `uid` and `resourceVersion` do in an apply.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential_file;
use crate::model::{KubernetesPlace, Mrn};
use crate::ports::{Effect, Found, SinkError, SinkErrorKind};

/// The most that the values of one Secret may hold together, in bytes. Source: `MaxSecretSize`.
pub(super) const MOST: usize = 1024 * 1024;
/// A version that no object ever has: etcd's first write makes version 2. An apply that names a version
/// creates what is not there, and conflicts with what is.
const NO_VERSION: &str = "1";
/// The type of a Secret that names none.
const OPAQUE: &str = "Opaque";

/// A Secret as it was read; nothing, where there is none.
#[derive(Default)]
pub(super) struct Seen(Option<Secret>);

#[derive(Deserialize)]
struct Secret {
    metadata: Metadata,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, Encoded>>,
}

/// A value in base64.
#[derive(Deserialize)]
#[serde(transparent)]
struct Encoded(#[serde(deserialize_with = "crate::secret::zeroizing")] Zeroizing<String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    resource_version: String,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
    #[serde(default)]
    managed_fields: Vec<Managed>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    controller: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    subresource: String,
    #[serde(default, rename = "fieldsV1")]
    fields: BTreeMap<String, Value>,
}

/// What of a Secret belongs to a manager by what it applied.
#[derive(Default)]
struct Owned {
    keys: BTreeSet<String>,
    r#type: bool,
}

fn unfit(message: String, help: &str) -> SinkError {
    SinkError {
        kind: SinkErrorKind::Unfit,
        effect: Effect::None,
        message,
        help: Some(help.to_owned()),
    }
}

impl Seen {
    /// Reads a Secret; `None` if it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(|one| Self(Some(one)))
    }

    /// Its version; `None` where there is no Secret.
    pub(super) fn version(&self) -> Option<&str> {
        let secret = self.0.as_ref()?;
        Some(secret.metadata.resource_version.as_str())
    }

    /// What a key holds, in base64.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let value = self.0.as_ref()?.data.as_ref()?.get(key)?;
        Some(value.0.as_str())
    }

    /// What a key holds; nothing where it is not there.
    pub(super) fn decoded(&self, key: &str) -> Zeroizing<Vec<u8>> {
        let value = self.value(key).unwrap_or_default();
        // Servers take nothing but base64.
        STANDARD
            .decode(value)
            .map(Zeroizing::new)
            .unwrap_or_default()
    }

    /// Whose credential a key holds, and the endpoint that it names.
    pub(super) fn holder(&self, key: &str) -> Option<(Mrn, Option<String>)> {
        let value = self.decoded(key);
        let (account, endpoint) = credential_file::holder(&value)?;
        Some((Mrn::new(account), endpoint))
    }

    /// What a key holds, as a probe tells it.
    pub(super) fn found(&self, key: &str) -> Found {
        if self.value(key).is_none() {
            return Found::Nobody;
        }
        match self.holder(key) {
            Some((account, endpoint)) => Found::Account { account, endpoint },
            None => Found::Foreign {
                what: format!(
                    "the key {key} holds something that is not a credential; move it away, or name another \
                     key"
                ),
            },
        }
    }

    /// Sees that the Secret is one whose key may be written, with so many bytes.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn takes(&self, place: &KubernetesPlace, bytes: usize) -> Result<(), SinkError> {
        let used = match &self.0 {
            None => 0,
            Some(secret) => {
                secret.fits(place)?;
                let data = secret.data.iter().flatten();
                let others = data.filter(|(key, _)| **key != place.key);
                others.map(|(_, value)| decoded_len(&value.0)).sum()
            }
        };
        if used + bytes > MOST {
            return Err(SinkError {
                kind: SinkErrorKind::Full,
                ..unfit(
                    format!(
                        "a Secret takes {MOST} bytes, {used} are in use, and a credential may need {bytes}"
                    ),
                    "name another Secret",
                )
            });
        }
        Ok(())
    }

    /// Who takes the Secret with it when it is deleted, for people.
    pub(super) fn owner(&self) -> Option<String> {
        let owner = self.0.as_ref()?.metadata.owner_references.first()?;
        Some(format!("{} {}", owner.kind, owner.name))
    }

    /// The label by which another tool says that it keeps the Secret, and its value.
    ///
    /// Source: Kubernetes' documentation, "Recommended Labels" (`managed-by`); Argo CD's, "Resource Tracking";
    /// External Secrets' `pkg/constants` for the label of what it makes.
    pub(super) fn keeper(&self) -> Option<(&'static str, &str)> {
        const LABELS: [&str; 3] = [
            "app.kubernetes.io/managed-by",
            "argocd.argoproj.io/instance",
            "reconcile.external-secrets.io/managed",
        ];
        let labels = &self.0.as_ref()?.metadata.labels;
        let mut kept = LABELS.iter();
        kept.find_map(|label| Some((*label, labels.get(*label)?.as_str())))
    }

    fn owned(&self, manager: &str) -> Owned {
        let mut owned = Owned::default();
        let entries = self.0.iter().flat_map(|one| &one.metadata.managed_fields);
        for entry in entries {
            let Managed {
                manager: who,
                operation,
                subresource,
                fields,
            } = entry;
            if who != manager || operation != "Apply" || !subresource.is_empty() {
                continue;
            }
            owned.r#type |= fields.contains_key("f:type");
            let keys = fields.get("f:data").and_then(Value::as_object);
            let keys = keys.into_iter().flatten().map(|(key, _)| key);
            let keys = keys.filter_map(|key| key.strip_prefix("f:"));
            owned.keys.extend(keys.map(str::to_owned));
        }
        owned
    }

    /// The body of an apply that puts `value`, in base64, under the place's key, or takes that key out.
    ///
    /// An apply takes away whatever its manager had applied before and leaves out now. So it says again
    /// what it had said of other keys, and changes nothing if the Secret was written since it was seen.
    pub(super) fn applied(
        &self,
        place: &KubernetesPlace,
        manager: &str,
        value: Option<&str>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let KubernetesPlace {
            address: _,
            namespace,
            name,
            key,
            r#type,
            format: _,
        } = place;
        let owned = self.owned(manager);
        let mut data: BTreeMap<&str, &str> = owned
            .keys
            .iter()
            .filter_map(|key| Some((key.as_str(), self.value(key)?)))
            .collect();
        match value {
            Some(value) => data.insert(key, value),
            None => data.remove(key.as_str()),
        };
        let mut metadata = BTreeMap::from([("name", name.as_str()), ("namespace", namespace)]);
        match &self.0 {
            None => {
                metadata.insert("resourceVersion", NO_VERSION);
            }
            Some(Secret { metadata: seen, .. }) => {
                metadata.insert("resourceVersion", &seen.resource_version);
                // Without it, one that was deleted meanwhile would be made anew.
                metadata.insert("uid", &seen.uid);
            }
        }
        let says_type = match &self.0 {
            None => r#type != OPAQUE,
            Some(_) => owned.r#type,
        };
        let values: usize = data.values().map(|value| value.len()).sum();
        let keys: usize = data.keys().map(|key| key.len() + 8).sum();
        // Large enough not to grow, since growing leaves a copy of the key behind.
        let mut body = Zeroizing::new(Vec::with_capacity(values + keys + 4096));
        body.extend_from_slice(b"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":");
        serde_json::to_writer(&mut *body, &metadata).ok()?;
        if says_type {
            body.extend_from_slice(b",\"type\":");
            serde_json::to_writer(&mut *body, r#type).ok()?;
        }
        if !data.is_empty() {
            body.extend_from_slice(b",\"data\":");
            serde_json::to_writer(&mut *body, &data).ok()?;
        }
        body.push(b'}');
        Some(body)
    }
}

impl Secret {
    fn fits(&self, place: &KubernetesPlace) -> Result<(), SinkError> {
        let Self {
            metadata,
            r#type,
            immutable,
            data: _,
        } = self;
        if *r#type != place.r#type {
            return Err(unfit(
                format!(
                    "the Secret is of the type {}, and the sink's is {}; a Secret keeps its type",
                    shown(r#type),
                    place.r#type
                ),
                "name another Secret, or the type that it has, where that is one of your own",
            ));
        }
        if *immutable == Some(true) {
            return Err(unfit(
                "the Secret is immutable".to_owned(),
                "name another Secret; one that is made anew under the same name is not read by pods that run",
            ));
        }
        if metadata.deletion_timestamp.is_some() {
            return Err(unfit(
                "the Secret is being deleted".to_owned(),
                "wait until it is gone; what holds it back are its finalizers",
            ));
        }
        let mut owners = metadata.owner_references.iter();
        if let Some(owner) = owners.find(|owner| owner.controller == Some(true)) {
            return Err(unfit(
                format!(
                    "the Secret is kept by its controller, {} {}, which would write over the key",
                    shown(&owner.kind),
                    shown(&owner.name)
                ),
                "name a Secret that no controller keeps",
            ));
        }
        Ok(())
    }
}

/// A name of theirs, as short as a message may repeat it.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

/// How many bytes base64 stands for.
fn decoded_len(encoded: &str) -> usize {
    let padding = encoded.bytes().rev().take_while(|b| *b == b'=').count();
    (encoded.len() / 4 * 3).saturating_sub(padding)
}

/// Bytes as a Secret's data holds them.
pub(super) fn encoded(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(vec![0; bytes.len().div_ceil(3) * 4]);
    STANDARD.encode_slice(bytes, &mut text).ok()?;
    let text = std::str::from_utf8(&text).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}
