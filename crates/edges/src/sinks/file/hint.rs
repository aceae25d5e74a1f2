//! How a delivered file is used.
//! Pure: texts only.

use std::path::{Path, PathBuf};

use crate::model::{CredentialFormat, FilePlace};

/// The path of a delivered file; `root` is the configuration's directory.
pub fn path_of(place: &FilePlace, root: &Path) -> PathBuf {
    let FilePlace {
        directory,
        file,
        format: _,
        keep: _,
    } = place;
    root.join(directory).join(file)
}

/// The line that configures cnspec with a delivered file; `None` where there is none.
pub fn configure_hint(place: &FilePlace, root: &Path) -> Option<String> {
    let path = shell_word(path_of(place, root).to_str()?)?;
    Some(match place.format {
        CredentialFormat::Json => format!("export MONDOO_CONFIG_PATH={path}"),
        CredentialFormat::Base64 => format!("export MONDOO_CONFIG_BASE64=\"$(cat {path})\""),
    })
}

/// A path as one word of a POSIX shell; `None` if no shell should read it.
pub fn shell_word(path: &str) -> Option<String> {
    if path.is_empty() || path.contains(char::is_control) {
        return None;
    }
    let path = if path.starts_with('-') {
        format!("./{path}")
    } else {
        path.to_owned()
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_/.-@+=:,".contains(&b);
    if path.bytes().all(plain) {
        Some(path)
    } else {
        Some(format!("'{}'", path.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_one_safe_line() {
        let hint = |root: &str, directory: &str, file: &str, format| {
            let place = FilePlace {
                directory: directory.to_owned(),
                file: file.to_owned(),
                format,
                keep: false,
            };
            configure_hint(&place, Path::new(root))
        };
        let json = |root, directory, file| hint(root, directory, file, CredentialFormat::Json);
        assert_eq!(
            json(".", "keys", "ci.json").as_deref(),
            Some("export MONDOO_CONFIG_PATH=./keys/ci.json")
        );
        let b64 = CredentialFormat::Base64;
        assert_eq!(
            hint("/home/a b", "keys", "it's $(x).b64", b64).as_deref(),
            Some(r#"export MONDOO_CONFIG_BASE64="$(cat '/home/a b/keys/it'\''s $(x).b64')""#)
        );
        assert_eq!(
            json("-x", "k", "c").as_deref(),
            Some("export MONDOO_CONFIG_PATH=./-x/k/c")
        );
        assert_eq!(json("a\nb", "k", "c"), None);
    }
}
