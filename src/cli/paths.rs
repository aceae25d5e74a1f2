//! How messages and hints show paths. Pure: a path in, text out.

use std::path::Path;

use crate::echo;
use crate::sinks::shell_word;
use crate::view::inert;

/// A path as a hint shows it: one word of a shell, to be copied; `…` stands for what is not shown.
pub fn word(path: &Path) -> String {
    let shown = echo::path(path);
    if !shown.is_plain() {
        return "…".to_owned();
    }
    let word = path.to_str().and_then(shell_word);
    inert(&word.unwrap_or_else(|| shown.to_string()))
}

/// What a library says of a file, without the file's name where that is not shown.
#[cfg(feature = "server")]
pub fn nameless(path: &Path, why: &dyn std::fmt::Display) -> String {
    let why = why.to_string();
    match echo::path(path).is_plain() {
        true => why,
        false => why.replace(&*path.to_string_lossy(), "…"),
    }
}

/// What to do about a path that holds a `~` which no shell has seen.
pub fn tilde(path: &Path) -> Vec<String> {
    echo::tilde(path).map(str::to_owned).into_iter().collect()
}

/// A path as findings show it: without the `./` of the current directory.
pub fn shown(path: &Path) -> String {
    let whole = echo::path(path);
    let name = path.file_name().map(|name| echo::path(Path::new(name)));
    // What is found there is told by its place, whatever the directory is called.
    if let (false, Some(name)) = (whole.is_plain(), name.filter(echo::Shown::is_plain)) {
        return format!("…/{name}");
    }
    let text = whole.to_string();
    text.strip_prefix("./").map(str::to_owned).unwrap_or(text)
}
