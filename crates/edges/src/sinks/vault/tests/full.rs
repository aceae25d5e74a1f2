//! Secrets whose other fields leave little room.

use super::*;
use crate::sinks::contract::padded;

/// Fills the secret so that its other fields have so many bytes as JSON.
fn fill(store: &Store, bytes: usize) {
    let bare = r#"{"x":""}"#.len();
    let fields = json!({ "x": "x".repeat(bytes - bare) });
    store
        .server
        .with(|vault| vault.put("", "secret", "mondoo/ci", fields));
}

/// Case 16: what cannot fit is refused before the birth, with both numbers.
#[tokio::test]
async fn a_secret_that_is_full_is_refused_before_there_is_a_key() {
    for format in [CredentialFormat::Json, CredentialFormat::Base64] {
        let (store, room) = (Store::of(format), room::most(format));
        for (used, fits) in [
            (MOST - room, true),
            (MOST - room + 1, false),
            (MOST, false),
            // This server takes more, and only it knows how much.
            (MOST + 1, true),
        ] {
            fill(&store, used);
            let probe = store.sink.probe(&store.to()).await;
            assert_eq!(probe.is_ok(), fits, "{used}");
            let Err(refused) = probe else { continue };
            assert_eq!(
                (refused.kind, refused.effect),
                (SinkErrorKind::Full, Effect::None)
            );
            for number in [MOST, used, room] {
                assert!(
                    refused.to_string().contains(&number.to_string()),
                    "{refused}"
                );
            }
        }
    }
}

/// A credential that is larger than any was.
#[tokio::test]
async fn a_key_that_does_not_fit_is_refused_before_it_is_sent() {
    let store = Store::of(CredentialFormat::Json);
    let room = room::most(CredentialFormat::Json);
    fill(&store, MOST - room);
    let (to, versions) = (store.to(), store.versions());
    for (bytes, fits) in [(room, true), (room + 1, false)] {
        let key = padded(CredentialFormat::Json, bytes);
        let probe = store.sink.probe(&to).await.expect("takes a key");
        let staged = store.sink.stage(&to, &key, probe).await;
        assert_eq!(staged.is_ok(), fits, "{bytes}");
        let Err(refused) = staged else { continue };
        assert_eq!(refused.kind, SinkErrorKind::Full);
        assert!(
            refused.to_string().contains(&bytes.to_string()),
            "{refused}"
        );
    }
    assert_eq!(store.versions(), versions);
}

/// A key that is there says how large the next one is: what is likely to fit is not refused.
#[tokio::test]
async fn a_full_secret_with_a_key_in_it_takes_another() {
    let store = Store::of(CredentialFormat::Json);
    let held = rendered(&credential("one"), &store.place).expect("renders");
    for (short, fits) in [(0, true), (1, false)] {
        let bare = r#"{"x":""}"#.len();
        let others = "x".repeat(MOST - held.len() - bare + short);
        let fields = json!({ "credential": held.as_str(), "x": others });
        store
            .server
            .with(|vault| vault.put("", "secret", "mondoo/ci", fields));
        let probe = store.sink.probe(&store.to()).await;
        assert_eq!(probe.is_ok(), fits, "{short}");
    }
}
