//! Laws of chains: no byte of one can change, no record can go, come or move, unnoticed.

use super::form::BEFORE_DIGEST;
use super::*;

fn file(n: usize, previous: Option<&str>, stack: &str) -> Vec<u8> {
    let json = serde_json::json!({
        "rolecall_record": FORMAT,
        "previous": previous,
        "stack": stack,
        "started": { "at": format!("2026-11-23T12:00:0{n}Z"), "clock": "platform" },
        "changes": [{ "address": format!("service_account.a{n}") }],
    });
    let json = serde_json::to_string_pretty(&json).expect("JSON");
    seal(&json).expect("an object").into_bytes()
}

/// So many records, oldest first.
fn chain(n: usize) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..n {
        let previous = files.last().map(|(_, bytes)| digest(bytes));
        let bytes = file(at, previous.as_deref(), "acme/k7m2q9ta");
        files.push((format!("{at}.json"), bytes));
    }
    files
}

fn head(files: &[(String, Vec<u8>)]) -> String {
    digest(&files.last().expect("some").1)
}

/// What is wrong, and with which file.
fn wrong(head: &str, files: &[(String, Vec<u8>)]) -> (usize, String) {
    let broken = verify(head, files).expect_err("broken");
    (broken.at, broken.why)
}

#[test]
fn a_whole_chain_is_good() {
    for n in 1..4 {
        let files = chain(n);
        let seen = verify(&head(&files), &files).expect("whole");
        assert_eq!(seen.len(), n);
        assert_eq!(seen[0].previous, None);
    }
    let none = verify(&digest(b""), &[]).expect_err("nothing ends in a head");
    assert_eq!(none.at, 0);
}

#[test]
fn every_changed_byte_is_noticed() {
    let files = chain(3);
    let head = head(&files);
    for at in 0..files.len() {
        for byte in 0..files[at].1.len() {
            let mut bad = files.clone();
            bad[at].1[byte] ^= 1;
            let (found, why) = wrong(&head, &bad);
            assert_eq!(found, at, "byte {byte}: {why}");
            bad[at].1.truncate(byte);
            assert_eq!(wrong(&head, &bad).0, at, "cut at {byte}");
        }
        let mut bad = files.clone();
        bad[at].1.push(b'\n');
        assert_eq!(wrong(&head, &bad).0, at);
    }
}

#[test]
fn a_record_that_was_rewritten_with_a_digest_that_fits_is_noticed_by_what_follows() {
    let files = chain(3);
    let head = head(&files);
    for at in 0..3 {
        let mut bad = files.clone();
        let text = String::from_utf8(bad[at].1.clone()).expect("text");
        let end = text.find(BEFORE_DIGEST).expect("its digest");
        let told = text[..end].replace("service_account.a", "service_account.b");
        bad[at].1 = seal(&format!("{told}\n}}"))
            .expect("an object")
            .into_bytes();
        assert!(read(&bad[at].1).is_ok(), "alone it looks good");
        let (found, why) = wrong(&head, &bad);
        assert_eq!(found, (at + 1).min(2), "{why}");
        assert!(why.contains("replaced"), "{why}");
    }
}

#[test]
fn what_is_missing_added_or_out_of_order_is_named() {
    let files = chain(4);
    let head = head(&files);
    let without = |at: usize| {
        let mut files = files.clone();
        files.remove(at);
        wrong(&head, &files)
    };
    for (at, found, word) in [
        (0, 0, "which is missing"),
        (1, 1, "a record between them is missing"),
        (3, 2, "newer records are missing"),
    ] {
        let (broken, why) = without(at);
        assert_eq!(broken, found, "{why}");
        assert!(why.contains(word), "{why}");
    }
    let mut swapped = files.clone();
    swapped.swap(1, 2);
    let (found, why) = wrong(&head, &swapped);
    assert_eq!(found, 1);
    assert!(
        why.contains("1.json") && why.contains("out of order"),
        "{why}"
    );
    let mut twice = files.clone();
    twice.insert(2, files[1].clone());
    assert_eq!(wrong(&head, &twice).0, 2);
    // More than the head knows of.
    let (found, why) = wrong(&digest(&files[2].1), &files);
    assert_eq!(found, 2);
    assert!(why.contains("more records follow"), "{why}");
    let other = file(9, None, "acme/k7m2q9ta");
    let mut two = files.clone();
    two.push(("other.json".to_owned(), other));
    let (found, why) = wrong(&head, &two);
    assert_eq!(found, 4);
    assert!(why.contains("begins a chain"), "{why}");
}

#[test]
fn a_chain_is_of_one_stack_and_of_a_known_format() {
    let mut files = chain(1);
    let stranger = file(1, Some(&digest(&files[0].1)), "other/k7m2q9ta");
    files.push(("1.json".to_owned(), stranger));
    let (found, why) = wrong(&head(&files), &files);
    assert_eq!(found, 1);
    assert!(why.contains("other/k7m2q9ta"), "{why}");

    let later = seal("{\n  \"rolecall_record\": 2\n}").expect("an object");
    assert_eq!(read(later.as_bytes()), Err(Damage::Format(2)));
    for text in [
        "{\n}",
        "{\n  \"x\": 1\n}",
        "\n}",
        "{\n  \"rolecall_record\": 1\n}",
    ] {
        let bytes = seal(text).expect("an end").into_bytes();
        assert!(matches!(read(&bytes), Err(Damage::Edited(_))), "{text}");
    }
    assert!(seal("{}").is_err());
}
