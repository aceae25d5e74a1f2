//! Values for tests.

use super::{Destination, FileFormat, Place};

/// A place for a key: a file of this name.
pub fn destination(file: &str) -> Destination {
    Destination {
        sink: "file.local".to_owned(),
        place: Place::File {
            directory: "credentials".to_owned(),
            file: file.to_owned(),
            format: FileFormat::Json,
        },
    }
}
