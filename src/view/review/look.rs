//! How much of a plan is shown, and to whom.
//! Pure.

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Every instance by itself, and all that repeats in every plan.
    pub full: bool,
    /// Also what others have no need to know: accounts that no stack manages, people, resource names, and
    /// where in a store a key goes.
    pub all: bool,
}

impl Look {
    /// For who runs rolecall: everything, with what is alike in one entry.
    pub const OWN: Self = Self {
        full: false,
        all: true,
    };

    /// For places that more people read than may look at the platform.
    pub const SHARED: Self = Self {
        full: false,
        all: false,
    };
}

/// What stands in the place of a resource name.
const SOMETHING: &str = "[resource]";
/// What stands in the place of an address of e-mail.
const SOMEBODY: &str = "[person]";

/// A text without resource names of the platform and without addresses of e-mail.
pub fn without_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ends) {
        let word = part.strip_suffix(ends).unwrap_or(part);
        // What follows a sentence's end is no part of a name.
        let bare = word.trim_end_matches(['.', ':', '!', '?']);
        match bare.find("//") {
            Some(at) if bare.contains(".api.mondoo.") => {
                out.push_str(&bare[..at]);
                out.push_str(SOMETHING);
            }
            _ if mail(bare) => out.push_str(SOMEBODY),
            _ => out.push_str(bare),
        }
        out.push_str(&part[bare.len()..]);
    }
    out
}

/// Whether a letter is in no name.
fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '(' | ')' | '<' | '>' | '`' | ';')
}

/// Whether a word is an address of e-mail, as far as such are written.
fn mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(who, at)| {
        !who.is_empty() && at.contains('.') && !at.starts_with('.') && !at.contains('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_things_and_people_go_and_all_else_stays() {
        for (text, shown) in [
            ("", ""),
            (
                "a plan, with \"words\" (and more).",
                "a plan, with \"words\" (and more).",
            ),
            (
                "//agents.api.mondoo.app/spaces/a/serviceaccounts/1 carries marks",
                "[resource] carries marks",
            ),
            (
                "\"x\" (//captain.api.mondoo.app/users/2); see //agents.api.mondoo.com/y.",
                "\"x\" ([resource]); see [resource].",
            ),
            ("id=//agents.api.mondoo.app/a,b", "id=[resource],b"),
            ("by ann.b@acme.example, and @team", "by [person], and @team"),
            ("<ann@acme.example>: hi", "<[person]>: hi"),
            (
                "https://wiki.acme.example/a and sink//b",
                "https://wiki.acme.example/a and sink//b",
            ),
        ] {
            assert_eq!(without_names(text), shown, "{text}");
        }
    }
}
