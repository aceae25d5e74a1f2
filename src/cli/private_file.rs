//! What a person is told of a private file that was not written.

use std::io::ErrorKind;
use std::path::Path;

use crate::echo;
pub use crate::private_file::{Place, Unwritten, is_special, rewrite, try_private, write_private};

use super::exit::Exit;
use super::output;

impl Unwritten {
    /// The way out, for the file of a flag.
    fn help(&self, flag: &str, place: Place) -> String {
        match self.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room".to_owned(),
            ErrorKind::FileTooLarge => "raise its limit (ulimit -f)".to_owned(),
            _ => {
                let new = match place {
                    Place::Replace => "a file",
                    Place::New => "a new file",
                };
                format!("{flag} wants {new} in a folder that is there and can be written to")
            }
        }
    }

    /// Prints it for the file of a flag.
    pub fn tell(&self, flag: &str, path: &Path, place: Place) -> Exit {
        let mut help = vec![self.help(flag, place)];
        help.extend(output::tilde(path));
        output::error(
            &format!("cannot write {}: {self}", echo::path(path).given(flag)),
            &help,
        );
        Exit::Error
    }
}
