//! The rules bite: each is broken here on purpose, and what is like a breach and none is let through.

use super::graph::World;
use super::reader::read;
use super::rules::{Breaches, breaches, excused, violations};
use super::source::Source;
use super::{MOST_LINES, OPTIONS, PRINTER};

fn source(path: &str, text: &str) -> Source {
    let krate = if path == "main.rs" {
        "main"
    } else {
        "rolecall"
    };
    read(krate, "", path, text)
}

fn found(path: &str, text: &str) -> Vec<String> {
    let sources = [source(path, text), source("lib.rs", "")];
    violations(&World::new(&sources), &sources[0])
}

#[test]
fn planted_violations_are_found() {
    let long = "fn f() {}\n".repeat(MOST_LINES + 1);
    for (path, text, hint) in [
        (
            "diff/mod.rs",
            "use crate::plan::Plan;",
            "may not use `plan`",
        ),
        (
            "diff/mod.rs",
            "use crate::{model::Mrn, plan::Plan};",
            "`plan`",
        ),
        (
            "diff/mod.rs",
            "use crate::{\n    model::{Mrn, Role},\n    ports as p,\n};",
            "`ports`",
        ),
        ("diff/account.rs", "use super::super::plan::Plan;", "`plan`"),
        ("diff/mod.rs", "use super::plan::Plan;", "`plan`"),
        ("refresh.rs", "use super::apply;", "`apply`"),
        ("diff/mod.rs", "fn f() -> crate::plan::Plan {}", "`plan`"),
        ("server/mod.rs", "use crate::model::Mrn;", "`model`"),
        ("diff/mod.rs", "use crate::*;", "`*`"),
        ("extra/mod.rs", "", "no row"),
        ("main.rs", "use rolecall::apply;", "`cli` only"),
        (
            "diff/mod.rs",
            "fn f() { Timestamp::now(); }",
            "Timestamp::now",
        ),
        (
            "diff/mod.rs",
            "fn f() { jiff::Timestamp::now(); }",
            "Timestamp::now",
        ),
        (
            "apply/mod.rs",
            "use std::time::{Duration, Instant};",
            "time::Instant",
        ),
        ("config/mod.rs", "use std::{env, fs};", "std::env"),
        ("config/mod.rs", "use std::{env, fs};", "std::fs"),
        (
            "platform/client.rs",
            "fn f() { tokio::time::sleep(d); }",
            "tokio::time",
        ),
        (
            "platform/client.rs",
            "use reqwest::Client;",
            "reqwest::Client",
        ),
        ("sinks/file.rs", "use std::env;", "std::env"),
        (
            "apply/mod.rs",
            "fn f() { tokio::spawn(x); }",
            "tokio::spawn",
        ),
        (
            "plan/mod.rs",
            "use tokio::task::spawn_blocking;",
            "tokio::task",
        ),
        ("apply/mod.rs", "fn f() { key.expose(); }", "expose"),
        ("view/mod.rs", "fn f() { Secret::expose(&key); }", "expose"),
        ("plan/mod.rs", long.as_str(), "lines are more"),
        ("plan/util.rs", "", "says nothing"),
        ("plan/helpers/mod.rs", "", "says nothing"),
    ] {
        let found = found(path, text);
        assert!(
            found.iter().any(|why| why.contains(hint)),
            "{path}: {text}: {found:?}"
        );
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let quoted = r##"
        // use crate::plan;
        /* use crate::plan; /* nested */ fs */
        /// See [`crate::plan`].
        const A: &str = "use crate::plan; \" std::fs";
        const B: &str = r#"crate::plan " std::fs"#;
        const C: char = '"'; const D: char = '\''; fn f<'a>(x: &'a str) {}
        const E: &str = "std::env";
    "##;
    let tested = "use crate::model::Mrn;\n#[cfg(test)]\nmod tests { use crate::plan; mod x { } fn f() { std::fs::read(p); } }\nfn g() {}";
    for (path, text) in [
        (
            "diff/mod.rs",
            "use crate::model::{Mrn, Role as R};\nuse super::diff::x;",
        ),
        ("diff/mod.rs", quoted),
        ("diff/mod.rs", "pub(crate) fn f() {}\npub(super) fn g() {}"),
        ("diff/mod.rs", tested),
        (
            "diff/mod.rs",
            "#[cfg(test)]\nuse crate::plan::Plan;\nfn f() {}",
        ),
        ("diff/account.rs", "use super::other::plan;"),
        (
            "diff/mod.rs",
            "fn f() { let s = env!(concat!()); model::plan(); }",
        ),
        (
            "cli/mod.rs",
            "use crate::apply;\nuse std::env;\nfn f() { Timestamp::now(); }",
        ),
        ("sinks/file.rs", "use std::fs;\nfn f() { key.expose(); }"),
        ("http/client.rs", "fn f() { reqwest::Client::builder(); }"),
        (
            "platform/endpoint.rs",
            "use reqwest::Url;\nuse std::net::IpAddr;",
        ),
        ("main.rs", "fn main() { rolecall::cli::main() }"),
        ("lib.rs", "pub mod apply;\npub use crate::model::Mrn;"),
    ] {
        let found = found(path, text);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    let marked = "#[cfg(test)]\nmod fixture;\nmod real;\n#[cfg(test)]\nmod tests { }";
    let tests = source("diff/mod.rs", marked).tests;
    assert!(tests.contains("diff/fixture.rs"), "{tests:?}");
    assert!(tests.contains("diff/fixture/"), "{tests:?}");
    assert!(!tests.contains("diff/real.rs"), "{tests:?}");
}

#[test]
fn lines_of_tests_do_not_count() {
    for (text, lines) in [
        ("fn f() {}\n", 1),
        (
            "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n",
            2,
        ),
        ("#[cfg(all(test, unix))]\nfn f() {\n}\nfn g() {}\n", 1),
        ("#[cfg(not(test))]\nfn f() {\n}\n", 3),
        (
            "struct A;\nimpl A {\n    #[cfg(test)]\n    fn f() {\n    }\n}\n",
            3,
        ),
    ] {
        assert_eq!(source("diff/mod.rs", text).lines, lines, "{text}");
    }
}

/// The files of each circle among these.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| source(path, text))
        .collect();
    let circles = World::new(&sources).circles();
    let circles = circles.iter().map(|circle| {
        let files = circle.files.iter();
        files.map(|file| sources[*file].path.clone()).collect()
    });
    circles.collect()
}

#[test]
fn planted_circles_are_found() {
    for (kind, files) in [
        (
            "by `use`",
            vec![
                ("a/x.rs", "use super::y::Y;\npub struct X;"),
                ("a/y.rs", "use crate::a::x::X;\npub struct Y;"),
            ],
        ),
        (
            "by types and expressions alone",
            vec![
                ("a/x.rs", "pub fn x() -> super::y::Y { todo() }"),
                ("a/y.rs", "pub struct Y; fn f() { let _ = super::x::x(); }"),
            ],
        ),
        (
            "round about",
            vec![
                ("a/x.rs", "use super::y::Y;\npub struct X;"),
                ("a/y.rs", "use super::z::Z;\npub struct Y(Z);"),
                ("a/z.rs", "use super::x::X;\npub struct Z(X);"),
            ],
        ),
        (
            "through re-exports of the parent",
            vec![
                (
                    "a/mod.rs",
                    "mod x; mod y;\npub use x::X;\npub use self::y::*;",
                ),
                ("a/x.rs", "use super::Y;\npub struct X;"),
                ("a/y.rs", "use crate::a::X as Other;\npub struct Y;"),
            ],
        ),
        (
            "with the parent itself",
            vec![
                ("a/mod.rs", "mod x;\npub use x::X;\npub struct Own;"),
                ("a/x.rs", "pub struct X(super::Own);"),
            ],
        ),
        (
            "in what a macro is given",
            vec![
                (
                    "a/x.rs",
                    "pub fn x() { println!(\"{}\", vec![super::y::Y::new()]); }",
                ),
                (
                    "a/y.rs",
                    "pub struct Y; fn f() { assert!(super::x::x() == 1); }",
                ),
            ],
        ),
        (
            "by a macro",
            vec![
                ("a/x.rs", "macro_rules! x { () => { $crate::a::y::Y }; }"),
                ("a/y.rs", "pub struct Y; fn f() { x!(); }"),
            ],
        ),
        (
            "by modules that are imported",
            vec![
                (
                    "a/x.rs",
                    "use crate::a::y;\npub struct X; fn f() -> y::Y {}",
                ),
                (
                    "a/y.rs",
                    "use super::x as other;\npub struct Y; type O = other::X;",
                ),
            ],
        ),
        (
            "by names of a block",
            vec![
                (
                    "a/x.rs",
                    "pub struct X; fn f() { use crate::a::y; y::y(); }",
                ),
                ("a/y.rs", "pub fn y() { use super::x::X as Q; Q; }"),
            ],
        ),
        (
            "by methods in another file, called on `self`",
            vec![
                (
                    "a/mod.rs",
                    "pub struct A; impl A { fn f(&self) { self.g() } }",
                ),
                ("a/x.rs", "use super::A;\nimpl A { pub fn g(&self) {} }"),
            ],
        ),
        (
            "by functions of a type in another file",
            vec![
                ("a/mod.rs", "pub struct A; impl A { fn f() { Self::g() } }"),
                ("a/x.rs", "impl super::A { pub fn g() {} }"),
            ],
        ),
        (
            "by attributes",
            vec![
                (
                    "a/x.rs",
                    "#[derive(S)] pub struct X { #[serde(with = \"super::y\")] a: u8 }",
                ),
                ("a/y.rs", "use super::x::X;\npub fn serialize(x: X) {}"),
            ],
        ),
    ] {
        let all: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let found = circles(&files);
        let wanted = match kind {
            "through re-exports of the parent" => vec![all[1..].to_vec()],
            _ => vec![all],
        };
        assert_eq!(found, wanted, "{kind}");
    }
}

#[test]
fn what_is_no_circle_is_not_found() {
    for (kind, files) in [
        (
            "a parent that only has it",
            vec![
                ("a/mod.rs", "mod x;\npub struct Own;"),
                ("a/x.rs", "use super::Own;\npub struct X;"),
            ],
        ),
        (
            "a parent that re-exports it",
            vec![
                ("a/mod.rs", "mod x; mod y;\npub use x::X;\npub use y::Y;"),
                ("a/x.rs", "use super::Y;\npub struct X;"),
                ("a/y.rs", "pub struct Y;"),
            ],
        ),
        (
            "tests",
            vec![
                (
                    "a/x.rs",
                    "pub struct X;\n#[cfg(test)] mod tests { use crate::a::y::Y; }",
                ),
                ("a/y.rs", "use super::x::X;\npub struct Y;"),
            ],
        ),
        (
            "texts and comments",
            vec![
                (
                    "a/x.rs",
                    "/// [`super::y::Y`]\npub struct X; // super::y::Y\nconst A: &str = \"super::y::Y\";",
                ),
                ("a/y.rs", "use super::x::X;\npub struct Y;"),
            ],
        ),
        (
            "who may see it",
            vec![
                ("a/x.rs", "pub(in crate::a) struct X;"),
                ("a/mod.rs", "mod x; pub struct Own(x::X);"),
            ],
        ),
        (
            "one name for two things",
            vec![
                ("a/mod.rs", "mod x; mod y; pub use x::x;"),
                ("a/x.rs", "pub fn x() { super::y::y() }"),
                ("a/y.rs", "pub fn y() { let x = 1; f(x); g.x(); }"),
            ],
        ),
        (
            "a value that is called as the module",
            vec![
                ("a/mod.rs", "mod x; mod y; pub use y::x;"),
                (
                    "a/x.rs",
                    "pub struct X; impl X { fn f(&self) { g!(self.h); } }",
                ),
                ("a/y.rs", "pub fn x() { super::x::X; }"),
            ],
        ),
        (
            "two macros of one name",
            vec![
                (
                    "a/x.rs",
                    "macro_rules! m { () => {}; } fn f() { m!(); super::y::y(); }",
                ),
                (
                    "a/y.rs",
                    "macro_rules! m { () => {}; } pub fn y() { m!(); }",
                ),
            ],
        ),
        (
            "itself",
            vec![(
                "a/x.rs",
                "pub struct X; fn f() -> crate::a::x::X { self::X }",
            )],
        ),
    ] {
        assert_eq!(circles(&files), Vec::<Vec<String>>::new(), "{kind}");
    }
}

#[test]
fn circles_of_a_member_of_the_workspace_are_found() {
    let sources = [
        read("rolecall_server", "server/", "lib.rs", "mod a; mod b;"),
        read(
            "rolecall_server",
            "server/",
            "a.rs",
            "pub struct A(crate::b::B);",
        ),
        read(
            "rolecall_server",
            "server/",
            "b.rs",
            "pub struct B(super::a::A);",
        ),
        read("rolecall", "", "cli/mod.rs", "use rolecall_server::a::A;"),
        read("rolecall", "", "diff/mod.rs", "use rolecall_server::a::A;"),
    ];
    let world = World::new(&sources);
    let circles = world.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].files, [1, 2].into());
    assert_eq!(violations(&world, &sources[1]), Vec::<String>::new());
    assert_eq!(violations(&world, &sources[3]), Vec::<String>::new());
    let found = violations(&world, &sources[4]);
    assert!(found[0].contains("may not use `server`"), "{found:?}");
}

#[test]
fn planted_breaches_are_found() {
    type Pick = fn(Breaches) -> Vec<(String, String)>;
    let printing: Pick = |found| found.printing;
    let state: Pick = |found| found.state;
    let options: Pick = |found| found.options;
    for (pick, path, text, hint) in [
        (
            printing,
            "cli/a.rs",
            "fn f() { println!(\"x\"); }",
            "println!",
        ),
        (
            printing,
            "view/a.rs",
            "fn f() { eprint!(\"x\"); }",
            "eprint!",
        ),
        (
            printing,
            "view/a.rs",
            "fn f() { g!(std::println!()); }",
            "println!",
        ),
        (
            printing,
            "cli/a.rs",
            "fn f() { std::io::stdout().lock(); }",
            "stdout",
        ),
        (
            printing,
            "cli/a.rs",
            "use std::io;\nfn f() { io::stderr(); }",
            "stderr",
        ),
        (
            printing,
            "cli/a.rs",
            "use anstream::stdout as out;\nfn f() { out(); }",
            "stdout",
        ),
        (
            printing,
            "cli/a.rs",
            "fn f() { g!(tokio::io::stderr()); }",
            "stderr",
        ),
        (
            printing,
            "cli/a.rs",
            "fn f(error: clap::Error) { error.print(); }",
            ".print()",
        ),
        (printing, "sinks/a.rs", "fn f() { dbg!(1); }", "dbg!"),
        (
            state,
            "cli/a.rs",
            "static A: Mutex<u8> = Mutex::new(1);",
            "`A`",
        ),
        (
            state,
            "cli/a.rs",
            "static B: std::sync::atomic::AtomicBool = x;",
            "`B`",
        ),
        (
            state,
            "cli/a.rs",
            "fn f() { static C: OnceLock<u8> = x; }",
            "`C`",
        ),
        (
            state,
            "cli/a.rs",
            "static D: LazyLock<Vec<RwLock<u8>>> = x;",
            "`D`",
        ),
        (
            state,
            "cli/a.rs",
            "struct E(Cell<u8>); static F: LazyLock<E> = x;",
            "`F`",
        ),
        (
            state,
            "cli/a.rs",
            "type G = Mutex<u8>; static H: Option<G> = x;",
            "`H`",
        ),
        (
            state,
            "cli/a.rs",
            "thread_local! { static I: u8 = 1; }",
            "thread_local",
        ),
        (state, "cli/a.rs", "static mut J: u8 = 1;", "`J`"),
        (
            state,
            "cli/a.rs",
            "use std::sync::Mutex as M; static K: M<u8> = x;",
            "`K`",
        ),
    ] {
        let sources = [source(path, text)];
        let found = pick(breaches(&World::new(&sources)));
        assert!(
            found
                .iter()
                .any(|(file, why)| file == path && why.contains(hint)),
            "{text}: {found:?}"
        );
    }
    let shared = "pub struct Shared {}";
    let taking = "use crate::cli::shared::Shared;\nstruct A { #[command(flatten)] shared: Shared }";
    let sources = [source("cli/shared.rs", shared), source("cli/a.rs", taking)];
    let found = options(breaches(&World::new(&sources)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "cli/shared.rs");
}

#[test]
fn what_is_no_breach_is_not_found() {
    for (path, text) in [
        (PRINTER, "fn f() { println!(\"x\"); std::io::stderr(); }"),
        (
            "cli/a.rs",
            "fn f(error: &clap::Error) -> bool { error.use_stderr() }",
        ),
        (
            "cli/a.rs",
            "fn stdout() {}\nfn f() { stdout(); writeln!(out, \"println!\"); }",
        ),
        (
            "cli/a.rs",
            "#[cfg(test)] mod tests { fn f() { println!(); } static A: Mutex<u8> = x; }",
        ),
        (
            "cli/a.rs",
            "static A: &[&str] = &[]; const B: AtomicBool = x;",
        ),
        (
            "cli/a.rs",
            "struct T(Vec<u8>); static A: LazyLock<Vec<T>> = x;",
        ),
        (
            "cli/a.rs",
            "struct Own {} struct A { #[command(flatten)] own: Own }",
        ),
    ] {
        let sources = [source(path, text)];
        let Breaches {
            printing,
            state,
            options,
        } = breaches(&World::new(&sources));
        let all = [printing, state, options].concat();
        assert!(all.is_empty(), "{text}: {all:?}");
    }
    let shared = "pub struct Shared {}";
    let taking = "use super::options::Shared;\nstruct A { #[command(flatten)] shared: Shared }";
    let sources = [source(OPTIONS, shared), source("cli/a.rs", taking)];
    assert!(breaches(&World::new(&sources)).options.is_empty());
}

#[test]
fn an_excuse_that_nobody_needs_is_found() {
    let found = || vec![("cli/a.rs".to_owned(), "why".to_owned())];
    assert_eq!(excused(found(), &["cli/a.rs"], "L"), Vec::<String>::new());
    assert_eq!(excused(found(), &[], "L"), ["why"]);
    let unneeded = excused(found(), &["cli/a.rs", "cli/b.rs"], "L");
    assert_eq!(unneeded, ["L: cli/b.rs needs no excuse any more"]);
}
