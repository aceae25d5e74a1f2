//! Small git repositories, written as git writes them: loose objects alone. `scripts/git-history` has git itself
//! look at them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use miniz_oxide::deflate::compress_to_vec_zlib;

/// A work tree and its repository.
pub struct WorkTree {
    tree: PathBuf,
    git: PathBuf,
    clock: u64,
}

impl WorkTree {
    /// Makes an empty repository in a folder.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn init(tree: &Path) -> Self {
        let git = tree.join(".git");
        fs::create_dir_all(git.join("refs/heads")).expect("made");
        fs::create_dir_all(git.join("objects")).expect("made");
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("written");
        Self {
            tree: tree.to_owned(),
            git,
            clock: 1_700_000_000,
        }
    }

    /// A work tree in another folder with all that this one has: a clone of it.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn cloned(&self, tree: &Path) -> Self {
        let other = Self {
            clock: self.clock,
            ..Self::init(tree)
        };
        other.fetch(self);
        other
    }

    /// Takes all objects of another repository.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn fetch(&self, from: &Self) {
        for folder in fs::read_dir(from.git.join("objects")).expect("objects") {
            let folder = folder.expect("a folder").path();
            let to = self
                .git
                .join("objects")
                .join(folder.file_name().expect("a name"));
            fs::create_dir_all(&to).expect("made");
            for file in fs::read_dir(&folder).expect("a folder") {
                let file = file.expect("a file").path();
                fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("copied");
            }
        }
    }

    /// Makes a commit of these files, by their paths, that follows others, and nothing else: what is checked out
    /// stays. A path that ends with `@` is that of a link to what the text names. Gives its name.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn commit(&mut self, files: &[(&str, &str)], parents: &[&str]) -> String {
        self.clock += 60;
        let tree = self.folder(files);
        let follows: String = (parents.iter())
            .map(|parent| format!("parent {parent}\n"))
            .collect();
        let who = format!("A <a@example.com> {} +0000", self.clock);
        let body = format!("tree {tree}\n{follows}author {who}\ncommitter {who}\n\nA commit\n");
        self.object("commit", body.as_bytes())
    }

    /// Checks a commit out: its name alone, without its files.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn check_out(&self, commit: &str) {
        fs::write(self.git.join("refs/heads/main"), format!("{commit}\n")).expect("written");
    }

    /// Makes a commit of what is in a folder of the work tree, that follows the one that is checked out, and checks
    /// it out. Gives its name.
    ///
    /// # Panics
    /// If that cannot be read or written.
    pub fn commit_folder(&mut self, folder: &str) -> String {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.tree.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a name").to_string_lossy();
                let text = fs::read_to_string(&path).expect("a text");
                files.push((format!("{folder}/{name}"), text));
            }
        }
        let files: Vec<(&str, &str)> = (files.iter())
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let head = fs::read_to_string(self.git.join("refs/heads/main")).ok();
        let parents: Vec<&str> = head.iter().map(|head| head.trim()).collect();
        let commit = self.commit(&files, &parents);
        self.check_out(&commit);
        commit
    }

    /// Cuts the history off, as a shallow clone has it: these commits stay, and others go.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn cut(&self, last: &[&str], gone: &[&str]) {
        fs::write(self.git.join("shallow"), last.join("\n") + "\n").expect("written");
        for commit in gone {
            fs::remove_file(self.place(commit)).expect("removed");
        }
    }

    /// Where an object is.
    pub fn place(&self, id: &str) -> PathBuf {
        let (first, rest) = id.split_at(2);
        self.git.join("objects").join(first).join(rest)
    }

    fn folder(&self, files: &[(&str, &str)]) -> String {
        let mut here: BTreeMap<String, (&str, String)> = BTreeMap::new();
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        for (path, text) in files {
            match path.split_once('/') {
                None => {
                    let id = self.object("blob", text.as_bytes());
                    let (name, mode) = match path.strip_suffix('@') {
                        Some(name) => (name, "120000"),
                        None => (*path, "100644"),
                    };
                    here.insert(name.to_owned(), (mode, id));
                }
                Some((folder, _)) => _ = folders.insert(folder),
            }
        }
        for folder in folders {
            let below: Vec<(&str, &str)> = (files.iter())
                .filter_map(|(path, text)| {
                    Some((path.strip_prefix(folder)?.strip_prefix('/')?, *text))
                })
                .collect();
            // A folder is sorted as if a slash stood behind its name.
            here.insert(format!("{folder}/"), ("40000", self.folder(&below)));
        }
        let mut body = Vec::new();
        for (name, (mode, id)) in here {
            body.extend(format!("{mode} {}\0", name.trim_end_matches('/')).bytes());
            let pairs = id.as_bytes().chunks_exact(2);
            let digits = pairs.map(|pair| String::from_utf8_lossy(pair).into_owned());
            body.extend(digits.filter_map(|pair| u8::from_str_radix(&pair, 16).ok()));
        }
        self.object("tree", &body)
    }

    fn object(&self, kind: &str, body: &[u8]) -> String {
        let mut whole = format!("{kind} {}\0", body.len()).into_bytes();
        whole.extend(body);
        let id: String = (digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref().iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let place = self.place(&id);
        fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        fs::write(place, compress_to_vec_zlib(&whole, 6)).expect("written");
        id
    }
}
