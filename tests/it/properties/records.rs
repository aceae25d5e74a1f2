//! Laws of records: whatever is done to the files of a chain, only the chain itself passes.

use proptest::prelude::*;
use rolecall::record::{FORMAT, digest, read, seal, verify};

/// So many records of which each names the one before it, oldest first.
fn chain(n: usize) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..n {
        let json = serde_json::json!({
            "rolecall_record": FORMAT,
            "previous": files.last().map(|(_, bytes)| digest(bytes)),
            "stack": "acme/k7m2q9ta",
            "started": { "at": "2026-11-23T12:00:00Z", "clock": "local" },
            "changes": [{ "address": format!("service_account.a{at}") }],
        });
        let json = serde_json::to_string_pretty(&json).expect("JSON");
        let bytes = seal(&json).expect("an object").into_bytes();
        files.push((format!("{at}.json"), bytes));
    }
    files
}

proptest! {
    #[test]
    fn a_changed_file_breaks_the_chain_at_its_place(
        n in 1..5_usize,
        which in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..4),
        cut in 0..4_usize,
    ) {
        let files = chain(n);
        let head = digest(&files[n - 1].1);
        let mut bad = files.clone();
        let which = which.index(n);
        let file = &mut bad[which].1;
        let start = at.index(file.len());
        let end = (start + cut).min(file.len());
        file.splice(start..end, bytes);
        match verify(&head, &bad) {
            Ok(_) => prop_assert_eq!(bad, files),
            Err(broken) => prop_assert_eq!(broken.at, which),
        }
    }

    #[test]
    fn any_other_choice_or_order_of_the_files_breaks_the_chain(
        n in 1..5_usize,
        picked in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let files = chain(n);
        let head = digest(&files[n - 1].1);
        let other: Vec<_> = picked.iter().map(|i| files[i.index(n)].clone()).collect();
        prop_assert_eq!(verify(&head, &other).is_ok(), other == files);
    }

    #[test]
    fn any_bytes_are_reviewed(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }
}
