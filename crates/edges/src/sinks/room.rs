//! How much room a credential needs before there is one.
//! Pure.

use crate::model::{CredentialFormat, LARGEST_CREDENTIAL};

/// The most bytes that a credential has in a form, without the end of its line. A store that takes less
/// is refused before the key is made; those whose own limit is never less say so where they are built.
pub(super) const fn most(format: CredentialFormat) -> usize {
    match format {
        CredentialFormat::Json => LARGEST_CREDENTIAL,
        CredentialFormat::Base64 => LARGEST_CREDENTIAL.div_ceil(3) * 4,
    }
}

/// The same in the form that needs most.
pub(super) const MOST: usize = most(CredentialFormat::Base64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::content;
    use crate::sinks::contract::padded;

    #[test]
    fn the_largest_credential_has_what_is_said_in_each_form() {
        // With the end of its line.
        let key = padded(CredentialFormat::Json, LARGEST_CREDENTIAL - 1);
        for (format, most_of) in [
            (CredentialFormat::Json, 3072),
            (CredentialFormat::Base64, 4096),
        ] {
            let bytes = content::render(&key, format).expect("renders");
            let line_end = usize::from(format == CredentialFormat::Base64);
            assert_eq!(bytes.len() - line_end, most_of);
            assert_eq!(most(format), most_of);
        }
        assert_eq!(MOST, 4096);
    }
}
