//! What stands in commits and in folders.
//! Pure.

use super::id::{Hash, Id};

/// A commit, as far as history needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// The folder that it is of.
    pub(super) tree: Id,
    /// Those that it follows.
    pub(super) parents: Vec<Id>,
    /// When it was made, in seconds since 1970, as its author's clock had it; 0 if that cannot be read.
    pub(super) when: i64,
}

impl Commit {
    /// Reads the object of a commit.
    pub(super) fn read(body: &[u8], hash: Hash) -> Option<Self> {
        let mut lines = body.split(|b| *b == b'\n');
        let id = |line: &[u8], word: &str| {
            let text = std::str::from_utf8(line.strip_prefix(word.as_bytes())?).ok()?;
            Id::parse(text).filter(|id| id.hash() == hash)
        };
        let tree = id(lines.next()?, "tree ")?;
        let mut parents = Vec::new();
        let mut when = 0;
        for line in lines.take_while(|line| !line.is_empty()) {
            if line.starts_with(b"parent ") {
                parents.push(id(line, "parent ")?);
            } else if line.starts_with(b"committer ") {
                when = seconds(line).unwrap_or_default();
            }
        }
        Some(Self {
            tree,
            parents,
            when,
        })
    }
}

/// The time at the end of a line: `NAME <MAIL> SECONDS ZONE`.
fn seconds(line: &[u8]) -> Option<i64> {
    let end = line.iter().rposition(|b| *b == b'>')?;
    let text = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// What a folder has under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    pub(super) name: &'t [u8],
    pub(super) is: Is,
    pub(super) id: Id,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Folder,
    File,
    Link,
    /// A commit of another repository.
    Module,
}

/// Reads the object of a folder.
pub(super) fn entries(body: &[u8], hash: Hash) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (mode, after) = split(rest, b' ')?;
        let (name, after) = split(after, 0)?;
        let (id, after) = after.split_at_checked(hash.bytes())?;
        rest = after;
        let is = match mode {
            b"40000" | b"040000" => Is::Folder,
            b"120000" => Is::Link,
            b"160000" => Is::Module,
            _ => Is::File,
        };
        let id = Id::new(hash, id)?;
        entries.push(Entry { name, is, id });
    }
    Some(entries)
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == at)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef01234567";
    const TWO: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn id(text: &str) -> Id {
        Id::parse(text).expect("a name")
    }

    /// A signature, and a message that looks like what stands above it.
    #[test]
    fn what_a_message_says_makes_no_parents() {
        let text = format!(
            "tree {ONE}\nparent {TWO}\nparent {ONE}\nauthor A > B <a@b> 5 +0000\n\
             committer A > B <a@b> 1700000000 -0130\ngpgsig -----BEGIN\n parent {ONE}\n\n\
             parent {ONE}\n"
        );
        let commit = Commit::read(text.as_bytes(), Hash::Sha1).expect("a commit");
        let expected = Commit {
            tree: id(ONE),
            parents: vec![id(TWO), id(ONE)],
            when: 1_700_000_000,
        };
        assert_eq!(commit, expected);
    }

    #[test]
    fn a_commit_of_unknown_time_is_one_and_one_of_broken_parents_is_none() {
        let of = |text: &str| Commit::read(text.as_bytes(), Hash::Sha1);
        let strange = of(&format!("tree {ONE}\ncommitter A <a@b> long ago\n\n")).expect("one");
        assert_eq!((strange.when, strange.parents), (0, Vec::new()));
        for odd in [
            String::new(),
            format!("tree {}\n", &ONE[1..]),
            format!("parent {ONE}\ntree {ONE}\n"),
            format!("tree {ONE}\nparent {}\n", &ONE[1..]),
            format!("tree {ONE}\nparent {}\n", "ab".repeat(32)),
        ] {
            assert_eq!(of(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_folder_that_is_cut_is_none() {
        let mut body = b"100644 a.hcl\0".to_vec();
        body.extend(id(ONE).bytes());
        body.extend(b"40000 more\0");
        body.extend(id(TWO).bytes());
        let found = entries(&body, Hash::Sha1).expect("a folder");
        let names: Vec<_> = found.iter().map(|e| (e.name, e.is, e.id)).collect();
        let expected: [(&[u8], _, _); 2] = [
            (b"a.hcl", Is::File, id(ONE)),
            (b"more", Is::Folder, id(TWO)),
        ];
        assert_eq!(names, expected);
        for cut in [1, 7, 12, 13, 32, body.len() - 1] {
            assert_eq!(entries(&body[..cut], Hash::Sha1), None, "{cut}");
        }
    }
}
