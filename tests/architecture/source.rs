//! What one source file says: what it defines, imports and uses. Tests inside of it are left out.

use std::collections::BTreeSet;

/// The segments of a path, `crate` and `super` as written.
pub type Segments = Vec<String>;

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// Below the `src` of its package; those of a member begin with the member's folder.
    pub path: String,
    /// The module that the file is, the name of its crate first.
    pub module: Segments,
    /// How many lines it has without those of its tests.
    pub lines: usize,
    /// What it defines outside of functions.
    pub definitions: Vec<Definition>,
    /// What it names by `use` outside of functions.
    pub imports: Vec<Import>,
    /// All paths in it.
    pub uses: Vec<Use>,
    /// All calls of methods.
    pub calls: Vec<Call>,
    /// What stands in `impl TYPE`.
    pub associated: Vec<Associated>,
    /// What lives as long as the process.
    pub statics: Vec<Static>,
    /// Structs and enums with the types that they hold.
    pub holdings: Vec<Holding>,
    /// Fields that take the options of another type over.
    pub flattened: Vec<Use>,
    /// The names of the files and folders of modules that are for tests alone.
    pub tests: BTreeSet<String>,
    /// What cannot be read, as lines and reasons.
    pub unclear: Vec<(usize, String)>,
}

/// Something with a name.
#[derive(Debug)]
pub struct Definition {
    /// The module that it stands in.
    pub module: Segments,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A module within the file.
    Module,
    /// A type or a trait: a path may go on behind it.
    Type,
    /// A function or a value.
    Value,
    /// A macro.
    Macro,
}

/// A name that stands for a path.
#[derive(Debug)]
pub struct Import {
    /// The module that it stands in.
    pub module: Segments,
    /// The name; none for all names of what the path leads to.
    pub name: Option<String>,
    /// What it stands for.
    pub path: Segments,
}

/// A path that is used.
#[derive(Clone, Debug)]
pub struct Use {
    /// Seen from where.
    pub module: Segments,
    /// The path.
    pub path: Segments,
    /// Whether it is the name of a macro that is called.
    pub called: bool,
    /// Where.
    pub line: usize,
}

/// A call of a method.
#[derive(Debug)]
pub struct Call {
    /// Seen from where.
    pub module: Segments,
    /// The type that `self` has, where the method is called on that.
    pub on: Option<Segments>,
    /// The method.
    pub name: String,
    /// Where.
    pub line: usize,
}

/// A function or a value of a type.
#[derive(Debug)]
pub struct Associated {
    /// The module that the `impl` stands in.
    pub module: Segments,
    /// The type as written.
    pub of: Segments,
    /// Its name.
    pub name: String,
}

/// Something that lives as long as the process.
#[derive(Debug)]
pub struct Static {
    /// Seen from where.
    pub module: Segments,
    /// Its name.
    pub name: String,
    /// All types that its type names.
    pub types: Vec<Segments>,
    /// Whether it may be written without any lock.
    pub mutable: bool,
    /// Where.
    pub line: usize,
}

/// A type and what it holds.
#[derive(Debug)]
pub struct Holding {
    /// The module that it stands in.
    pub module: Segments,
    /// Its name.
    pub name: String,
    /// The types of its fields, or what it is another name for.
    pub types: Vec<Segments>,
}

impl Source {
    /// The row of the table; `None` for the roots.
    pub fn room(&self) -> Option<&str> {
        let first = self.path.split('/').next().unwrap_or_default();
        match first.strip_suffix(".rs").unwrap_or(first) {
            "lib" | "main" => None,
            room => Some(room),
        }
    }
}
