//! A token of `VAULT_TOKEN`: renewed in time, or its end told before a key is made.

use super::*;

const NARROW: &str = "hvs.narrow-token-of-a-job";

/// A store whose token lasts so many seconds yet, and can be made to last so many.
fn lasting(left: u64, renews_to: u64) -> Store {
    let store = Store::of(CredentialFormat::Json);
    store.server.with(|vault| {
        vault.left = left;
        vault.renews_to = renews_to;
    });
    store
}

fn renewals(store: &Store) -> u64 {
    store.server.with(|vault| vault.renewals())
}

/// How often was asked about the token itself since the last time.
fn lookups(store: &Store) -> usize {
    let calls = store.server.calls();
    let own = calls
        .iter()
        .filter(|call| call.path == "/v1/auth/token/lookup-self");
    own.count()
}

#[tokio::test]
async fn a_renewable_token_is_renewed_in_time_and_looked_up_once() {
    let store = lasting(300, 300);
    for (passes, renewed) in [(0, 0), (179, 0), (2, 1), (0, 1), (181, 2)] {
        store.lent.pass(passes);
        store.put("one").await.expect("delivers");
        assert_eq!(renewals(&store), renewed, "after {passes} s more");
    }
    assert_eq!(lookups(&store), 1);
    // At the end that its role sets for it, a renewal gives no more than is left.
    store.server.with(|vault| vault.renews_to = 100);
    store.lent.pass(200);
    store.put("one").await.expect("lasts for a birth");
    assert_eq!(renewals(&store), 3);
    store.lent.pass(15);
    let refused = store.sink.ready(&store.to()).await.expect_err("too soon");
    assert_eq!(
        (refused.kind, refused.effect),
        (SinkErrorKind::Unauthenticated, Effect::None)
    );
    assert!(
        refused.to_string().contains("VAULT_TOKEN ends in 85 s"),
        "{refused}"
    );
    assert_eq!(renewals(&store), 3);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_must_last_for_a_birth() {
    for (left, good) in [(0, true), (3600, true), (90, true), (89, false)] {
        let store = lasting(left, 0);
        let (to, key) = (store.to(), credential("one"));
        let probe = store.sink.probe(&to).await.expect("can be looked at");
        let ready = store.sink.ready(&to).await;
        assert_eq!(ready.is_ok(), good, "{left} s");
        // A key that is made is delivered, however little time is left by then.
        store.lent.pass(i64::try_from(left).expect("few") / 2);
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        let delivered = store.sink.promote(&to, &key, &staged).await;
        delivered.expect("delivers");
        assert_eq!(renewals(&store), 0);
    }
}

#[tokio::test]
async fn without_the_right_to_ask_a_token_is_used_as_it_is() {
    let store = Store::with(CredentialFormat::Json, &[("VAULT_TOKEN", NARROW)]);
    store.server.with(|vault| {
        vault.left = 10;
        vault.token(NARROW, &["auth/token"]);
    });
    store.put("one").await.expect("delivers");
    store.lent.pass(100_000);
    store.put("two").await.expect("delivers");
    assert_eq!(lookups(&store), 1);
}

#[tokio::test]
async fn a_server_that_is_not_at_work_is_asked_again_by_whoever_asks_again() {
    let store = lasting(60, 0);
    for _ in 0..4 {
        store.fault(
            "lookup-self",
            Fault::Refuse(503, "Vault is sealed".to_owned()),
        );
    }
    let refused = store.sink.probe(&store.to()).await.expect_err("is sealed");
    assert_eq!(refused.kind, SinkErrorKind::Unavailable);
    assert!(refused.to_string().contains("Vault is sealed"), "{refused}");
    let refused = store.sink.ready(&store.to()).await.expect_err("ends soon");
    assert!(refused.to_string().contains("ends in 60 s"), "{refused}");
}

/// A token that still lasts is good for the key that is in hand, and is tried to be renewed now and then.
#[tokio::test]
async fn a_renewal_that_fails_is_no_refusal() {
    for fault in [Fault::Refuse(500, "no".to_owned()), Fault::Cut] {
        let store = lasting(100, 300);
        let (to, key) = (store.to(), credential("one"));
        for _ in 0..4 {
            store.fault("renew-self", fault.clone());
        }
        // Looked up, and then due.
        let probe = store.sink.probe(&to).await.expect("takes a key");
        store.lent.pass(60);
        let ready = store.sink.ready(&to).await;
        assert_eq!(
            ready,
            Ok(Duration::ZERO),
            "still lasts, and may yet be renewed"
        );
        let staged = store.sink.stage(&to, &key, probe).await.expect("stages");
        let delivered = store.sink.promote(&to, &key, &staged).await;
        delivered.expect("delivers");
        assert_eq!(renewals(&store), 0);
        store.lent.pass(20);
        store.sink.probe(&to).await.expect("takes a key");
        assert_eq!(renewals(&store), 1);
    }
}
