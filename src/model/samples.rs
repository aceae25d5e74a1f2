//! Values for tests.

use super::{CredentialFormat, Destination, FilePlace, Place};

/// A place for a key: a file of this name.
pub fn destination(file: &str) -> Destination {
    let place = FilePlace {
        directory: "credentials".to_owned(),
        file: file.to_owned(),
        format: CredentialFormat::Json,
    };
    Destination::new("file.local", Place::File(place))
}
