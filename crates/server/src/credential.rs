//! The credential of a service account, as the platform hands it out once.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroize;

/// A credential with the keys of a downloaded credential file. It holds a private key: it prints
/// without it, and is wiped when dropped.
#[derive(Serialize)]
pub struct Credential {
    /// The account's MRN.
    pub mrn: String,
    /// The certificate in PEM.
    pub certificate: String,
    /// The private key in PKCS#8 PEM.
    pub private_key: String,
    /// The MRN of the account's organization or space.
    pub scope_mrn: String,
    /// The platform's base URL, without `/query`.
    pub api_endpoint: String,
    /// Equals `scope_mrn`, also for an organization's account.
    pub space_mrn: String,
    /// Always `ServiceAccountCredential`.
    pub typename: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("mrn", &self.mrn)
            .field("scope_mrn", &self.scope_mrn)
            .field("api_endpoint", &self.api_endpoint)
            .finish_non_exhaustive()
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}
