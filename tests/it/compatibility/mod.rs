//! Plan files and records that lie in `fixtures/compatibility`, as a program wrote them: every later
//! version reads them as docs/compatibility.md promises, and writes the same bytes.

#[cfg(feature = "server")]
mod made;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rolecall::{plan, record};
use serde_json::Value;

/// What to do where a form is no more what it was.
const MOVED: &str = "the form has changed under the same number, so that two versions would take one \
                     file for different things: raise FORMAT (src/plan/canonical.rs for plan files, \
                     src/record/form.rs for records), go on reading or refusing the old number as \
                     docs/compatibility.md promises, describe the new one in docs/schema, leave the \
                     files that are here as they are, and let \
                     UPDATE=1 cargo test --test it compatibility add those of the new one";

/// The digests of all files, in the form of sha256sum.
const SUMS: &str = "sha256.txt";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/compatibility")
}

/// The fixtures of a kind in the order of their names, each with the number of its format.
fn fixtures(kind: &str) -> Vec<(String, u64, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let Some(rest) = name.strip_prefix(&format!("{kind}-v")) else {
            continue;
        };
        let (format, _) = rest.split_once('-').expect("a format and a name");
        let format = format.parse().expect("a number");
        found.push((name.to_string(), format, fs::read(&path).expect("readable")));
    }
    found.sort();
    found
}

/// Sees that a plan file of this format is read, is named by its digest, and is written as it was; or,
/// of another format, is refused by its number.
fn plan_file_holds(format: u64, bytes: &[u8]) -> Result<(), String> {
    let read = plan::read(bytes);
    if format != u64::from(plan::FORMAT) {
        return match read {
            Err(plan::FileError::Format(found)) if found == format => Ok(()),
            other => Err(format!("not refused as of another format: {other:?}")),
        };
    }
    let read = read.map_err(|why| format!("not read: {why}"))?;
    let file: Value = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
    // Of the bytes alone, without what makes plans.
    let named = record::digest(file["plan"].to_string().as_bytes());
    if file["digest"] != named || named != format!("sha256:{}", read.digest()) {
        return Err(format!("its digest is {named} by its text"));
    }
    match plan::write(&read) {
        Ok(again) if again == bytes => Ok(()),
        Ok(again) => Err(format!("written as {}", String::from_utf8_lossy(&again))),
        Err(why) => Err(why),
    }
}

/// Sees that a record is read, whatever its format, and that its end is made as it was.
fn record_holds(bytes: &[u8]) -> Result<(), String> {
    let seen = record::read(bytes).map_err(|why| format!("not read: {why}"))?;
    let text = std::str::from_utf8(bytes).map_err(|why| why.to_string())?;
    let (told, _) = text
        .rsplit_once(",\n  \"record_digest\": ")
        .ok_or("no digest at its end")?;
    let value: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    if value["stack"] != seen.stack || value["record_digest"] != record::digest(told.as_bytes()) {
        return Err("read as something else".to_owned());
    }
    match record::seal(&format!("{told}\n}}")) {
        Ok(again) if again.as_bytes() == bytes => Ok(()),
        _ => Err("its end is made in another way".to_owned()),
    }
}

#[test]
fn plan_files_are_read_and_written_as_they_were() {
    let all = fixtures("plan-file");
    for (name, format, bytes) in &all {
        if let Err(why) = plan_file_holds(*format, bytes) {
            panic!("{name}: {why}\n{MOVED}");
        }
    }
    let current = all
        .iter()
        .filter(|(_, format, _)| *format == u64::from(plan::FORMAT));
    assert!(current.count() >= 7, "{MOVED}");
}

#[test]
fn records_are_read_and_are_one_chain() {
    let all = fixtures("record");
    let mut chains: BTreeMap<u64, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for (name, format, bytes) in all {
        if let Err(why) = record_holds(&bytes) {
            panic!("{name}: {why}\n{MOVED}");
        }
        chains.entry(format).or_default().push((name, bytes));
    }
    assert!(chains.contains_key(&record::FORMAT), "{MOVED}");
    let sums = sums();
    for chain in chains.into_values() {
        let (last, _) = chain.last().expect("one at least");
        let head = format!("sha256:{}", sums[last]);
        match record::verify(&head, &chain) {
            Ok(seen) => assert!(seen.len() >= 5, "all ends of a run"),
            Err(broken) => panic!("{}: {broken}\n{MOVED}", chain[broken.at].0),
        }
    }
}

/// The digests that were written down when the files came, by name.
fn sums() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join(SUMS)).expect("the list is there");
    let pairs = text.lines().map(|line| {
        let (sum, name) = line.split_once("  ").expect("a digest and a name");
        (name.to_owned(), sum.to_owned())
    });
    pairs.collect()
}

#[test]
fn no_fixture_was_edited() {
    let mut sums = sums();
    for (name, _, bytes) in [fixtures("plan-file"), fixtures("record")].concat() {
        let sum = record::digest(&bytes);
        let written = sums.remove(&name).map(|sum| format!("sha256:{sum}"));
        assert_eq!(written, Some(sum), "{name} is not as it came\n{MOVED}");
    }
    assert!(sums.is_empty(), "gone: {sums:?}");
}

#[test]
fn a_form_that_has_changed_is_noticed() {
    let current = u64::from(plan::FORMAT);
    let (_, format, bytes) = fixtures("plan-file")
        .into_iter()
        .find(|(name, format, _)| *format == current && name.ends_with("-births.json"))
        .expect("the plan of births");
    plan_file_holds(format, &bytes).expect("as it was");
    let forged = |edit: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_slice(&bytes).expect("JSON");
        edit(&mut file);
        file["digest"] = Value::from(record::digest(file["plan"].to_string().as_bytes()));
        file["aside_digest"] = Value::from(record::digest(file["aside"].to_string().as_bytes()));
        plan_file_holds(format, file.to_string().as_bytes())
    };
    // What this version would not have written.
    forged(&|file| file["plan"]["more"] = Value::from(1)).expect_err("one part more");
    forged(&|file| file["plan"]["changes"][0]["action"] = Value::from("make"))
        .expect_err("another word");
    forged(&|file| {
        let change = file["plan"]["changes"][0]
            .as_object_mut()
            .expect("a change");
        change.remove("generation").expect("there");
    })
    .expect_err("one part less");
    forged(&|file| file["plan"]["format"] = Value::from(format + 1)).expect_err("another number");
    plan_file_holds(format + 1, &bytes).expect_err("taken for another format");
    plan_file_holds(format, &bytes[..bytes.len() - 1]).expect_err("without its last byte");

    // Whatever else it is, another number is refused by that number.
    for other in [format - 1, format + 1, 1] {
        let numbered = forged(&|file| {
            file["rolecall_plan"] = Value::from(other);
            file["plan"]["format"] = Value::from(other);
        });
        let why = numbered.expect_err("of another format");
        assert!(
            why.contains(&format!("it is a plan of format {other}")),
            "{why}"
        );
    }

    let (_, _, bytes) = fixtures("record").swap_remove(0);
    record_holds(&bytes).expect("as it was");
    let text = String::from_utf8(bytes).expect("text");
    for (from, to) in [
        ("rolecall_record\": 1", "rolecall_record\": 2"),
        ("\"stack\"", "\"Stack\""),
        (",\n  \"record_digest\"", ", \"record_digest\""),
        ("\"\n}\n", "\"\n}"),
    ] {
        let other = text.replacen(from, to, 1);
        record_holds(other.as_bytes()).expect_err(from);
    }
}
