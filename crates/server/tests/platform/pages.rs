//! Listings in pages: any size gives each account once, in order.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rolecall_server::{Quirks, SeedAccount};
use serde_json::{Value, json};

use super::client::{Key, LIST, ORG, PAYMENTS, PROD_US, Platform};

/// Reads all pages; checks what holds on every one.
async fn all(p: &Platform, key: &Key, mut variables: Value, size: usize) -> Vec<Value> {
    let mut nodes = Vec::new();
    variables["after"] = json!("");
    loop {
        let data = p.ok(key, LIST, variables.clone()).await;
        let page = &data["serviceAccounts"];
        let edges = page["edges"].as_array().expect("a list");
        let info = &page["pageInfo"];
        assert!(edges.len() <= size);
        assert_eq!(info["hasPreviousPage"], !nodes.is_empty());
        assert_eq!(
            info["startCursor"],
            edges.first().map_or(Value::Null, |e| e["cursor"].clone())
        );
        assert_eq!(
            info["endCursor"],
            edges.last().map_or(Value::Null, |e| e["cursor"].clone())
        );
        nodes.extend(edges.iter().map(|edge| edge["node"].clone()));
        if info["hasNextPage"] == false {
            assert_eq!(page["totalCount"], nodes.len());
            return nodes;
        }
        assert_eq!(edges.len(), size, "only the last page may be short");
        variables["after"] = info["endCursor"].clone();
    }
}

/// 23 accounts, of which many share a name, a time of use and a time of creation.
fn fill(p: &Platform, scope: &str) {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().expect("a time");
    for i in 0..23i64 {
        let account = SeedAccount {
            name: format!("name-{}", i % 3),
            created_at: Some(start + SignedDuration::from_secs(i / 4)),
            last_used: (i % 2 == 0).then(|| start + SignedDuration::from_hours(i / 6 + 1)),
            ..Default::default()
        };
        p.app
            .admin_create_account(scope, &account, start)
            .expect("creates");
    }
}

#[tokio::test]
async fn every_page_size_and_order_gives_each_account_once() {
    let p = Platform::start().await;
    fill(&p, PROD_US);
    for field in ["ID", "NAME", "LAST_USED", "CREATED_AT"] {
        let mut forward: Option<Vec<Value>> = None;
        for size in [1, 2, 7, 24, 100] {
            let order = json!({ "direction": "ASC", "field": field });
            let variables = json!({ "scopeMrn": PROD_US, "first": size, "orderBy": order });
            let nodes = all(&p, &p.owner, variables, size).await;
            let ids: BTreeSet<_> = nodes.iter().map(|n| n["id"].to_string()).collect();
            assert_eq!((nodes.len(), ids.len()), (24, 24), "{field} {size}");
            let known = forward.get_or_insert_with(|| nodes.clone());
            assert_eq!(*known, nodes, "{field} {size}");
        }
        let mut forward = forward.expect("read");
        let column = match field {
            "ID" => "id",
            "NAME" => "name",
            "LAST_USED" => "lastUsed",
            _ => "createdAt",
        };
        let values: Vec<_> = forward.iter().map(|n| n[column].as_str()).collect();
        assert!(values.is_sorted(), "{field}: {values:?}");
        let order = json!({ "direction": "DESC", "field": field });
        let variables = json!({ "scopeMrn": PROD_US, "first": 5, "orderBy": order });
        let backward = all(&p, &p.owner, variables, 5).await;
        forward.reverse();
        assert_eq!(forward, backward, "{field}");
    }
}

#[tokio::test]
async fn pages_are_capped_and_default_to_the_cap() {
    let p = Platform::with(Quirks {
        page_cap: 10,
        ..Quirks::default()
    })
    .await;
    fill(&p, PROD_US);
    for first in [Value::Null, json!(11), json!(1_000_000)] {
        let variables = json!({ "scopeMrn": PROD_US, "first": first });
        let nodes = all(&p, &p.owner, variables, 10).await;
        assert_eq!(nodes.len(), 24, "{first}");
    }
    assert_eq!(Quirks::default().page_cap, 100);
}

#[tokio::test]
async fn an_empty_page_promises_nothing() {
    let p = Platform::start().await;
    let data = p
        .ok(&p.owner, LIST, json!({ "scopeMrn": ORG, "first": 0 }))
        .await;
    assert_eq!(
        data["serviceAccounts"],
        json!({ "totalCount": 4, "edges": [], "pageInfo": { "startCursor": null,
            "endCursor": null, "hasNextPage": false, "hasPreviousPage": false } })
    );
}

#[tokio::test]
async fn a_page_goes_on_where_accounts_came_and_went() {
    let p = Platform::start().await;
    fill(&p, PROD_US);
    let order = json!({ "direction": "ASC", "field": "CREATED_AT" });
    let mut variables = json!({ "scopeMrn": PROD_US, "first": 5, "orderBy": order });
    let data = p.ok(&p.owner, LIST, variables.clone()).await;
    let page = &data["serviceAccounts"];
    let edges = page["edges"].as_array().expect("a list");
    for edge in edges {
        let mrn = edge["node"]["mrn"].as_str().expect("an MRN");
        p.app.admin_delete(mrn, Timestamp::now()).expect("deletes");
    }
    variables["after"] = page["pageInfo"]["endCursor"].clone();
    let mut seen = edges.len();
    loop {
        let data = p.ok(&p.owner, LIST, variables.clone()).await;
        let info = &data["serviceAccounts"]["pageInfo"];
        seen += data["serviceAccounts"]["edges"]
            .as_array()
            .map_or(0, Vec::len);
        if info["hasNextPage"] == false {
            break;
        }
        variables["after"] = info["endCursor"].clone();
    }
    assert_eq!(seen, 24);
    // A cursor is good for its own order only.
    variables["orderBy"]["field"] = json!("NAME");
    let message = p.err(&p.owner, LIST, variables).await;
    assert_eq!(
        message,
        "rpc error: code = InvalidArgument desc = invalid cursor"
    );
}

#[tokio::test]
async fn a_query_narrows_the_listing() {
    let p = Platform::start().await;
    let count = async |query: Value| {
        let data = p
            .ok(&p.owner, LIST, json!({ "scopeMrn": ORG, "query": query }))
            .await;
        let list = &data["serviceAccounts"];
        assert_eq!(
            list["totalCount"],
            list["edges"].as_array().expect("a list").len()
        );
        list["totalCount"].as_i64().expect("a number")
    };
    assert_eq!(count(json!("TERRAform")).await, 1);
    assert_eq!(count(json!("%")).await, 0);
    assert_eq!(count(json!("")).await, 4);
    assert_eq!(count(Value::Null).await, 4);
    let terms = "query($s: String){serviceAccounts(spaceMrn: $s, queryTerms: [\"scan\", \"night\"]){totalCount}}";
    let data = p.ok(&p.owner, terms, json!({ "s": PAYMENTS })).await;
    assert_eq!(data["serviceAccounts"]["totalCount"], 1);
}

#[tokio::test]
async fn spaces_come_in_pages_too() {
    let p = Platform::start().await;
    let query = "query($mrn: String!, $first: Int, $after: String){organization(mrn: $mrn){\
         spacesList(first: $first, after: $after){totalCount edges{node{id}} \
         pageInfo{startCursor endCursor hasNextPage}}}}";
    let mut ids = Vec::new();
    let mut after = json!("");
    loop {
        let variables = json!({ "mrn": ORG, "first": 2, "after": after });
        let data = p.ok(&p.owner, query, variables).await;
        let list = &data["organization"]["spacesList"];
        assert_eq!(list["totalCount"], 3);
        for edge in list["edges"].as_array().expect("a list") {
            ids.push(edge["node"]["id"].as_str().expect("an id").to_owned());
        }
        if list["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = list["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(
        ids,
        [
            "amazing-hofstadter-175565",
            "relaxed-khayyam-961566",
            "serene-bouman-275779"
        ]
    );
    // Terraform's provider goes on from the start cursor; that must end as well.
    let mut turns = 0;
    let mut after = json!("");
    loop {
        turns += 1;
        assert!(turns < 10, "it would never end");
        let variables = json!({ "mrn": ORG, "first": 2, "after": after });
        let data = p.ok(&p.owner, query, variables).await;
        let info = &data["organization"]["spacesList"]["pageInfo"];
        if info["hasNextPage"] == false {
            break;
        }
        after = info["startCursor"].clone();
    }
}

#[tokio::test]
async fn the_total_follows_every_kind_of_change() {
    let p = Platform::with(Quirks {
        org_listing_includes_spaces: true,
        ..Quirks::default()
    })
    .await;
    let total = async |scope: &str| {
        let list = json!({ "scopeMrn": scope, "first": 100 });
        let data = p.ok(&p.owner, LIST, list).await;
        let list = &data["serviceAccounts"];
        let shown = list["edges"].as_array().expect("a list").len();
        assert_eq!(list["totalCount"], shown);
        shown
    };
    let (org, payments) = (total(ORG).await, total(PAYMENTS).await);
    let made = p
        .create(json!({ "scopeMrn": PAYMENTS, "name": "counted" }))
        .await;
    assert_eq!(total(PAYMENTS).await, payments + 1);
    let update = "mutation($i: UpdateServiceAccountInput!){updateServiceAccount(input: $i){mrn}}";
    let renamed = json!({ "i": { "mrn": made.mrn, "name": "again" } });
    p.ok(&p.owner, update, renamed).await;
    assert_eq!(total(PAYMENTS).await, payments + 1, "an update adds nobody");
    assert_eq!(total(ORG).await, org + 1);
    p.app
        .admin_delete(&made.mrn, Timestamp::now())
        .expect("deletes");
    assert_eq!(total(PAYMENTS).await, payments);
    assert_eq!(total(ORG).await, org);
}
