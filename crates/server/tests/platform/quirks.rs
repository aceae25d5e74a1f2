//! Every value of every quirk switch shows.

use jiff::{SignedDuration, Timestamp};
use rolecall_server::{
    App, ClearRoles, DescriptionClear, DescriptionOnUpdate, EmptyDescription, EmptyRoles,
    EqualNames, Forbidden, HiddenSpaces, Identity, LabelsOmitted, LabelsOnCreate, LabelsOnUpdate,
    Quirks, Request,
};
use serde_json::{Value, json};

use super::client::{
    CREATE, DELETE, DENIED, GET_ROLES, LIST, ORG, PAYMENTS, PROD_EU, Platform, READ, SET_ROLES,
    UPDATE, acme, memory, role,
};

const INVALID: &str = "rpc error: code = InvalidArgument desc = ";

fn labels(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

#[tokio::test]
async fn empty_roles() {
    let cases = [
        (EmptyRoles::None, Some(json!([]))),
        (
            EmptyRoles::DefaultViewer,
            Some(json!([{ "mrn": role("viewer") }])),
        ),
        (EmptyRoles::Refuse, None),
    ];
    for (empty_roles, expected) in cases {
        let p = Platform::with(Quirks {
            empty_roles,
            ..Quirks::default()
        })
        .await;
        for input in [
            json!({ "scopeMrn": PAYMENTS, "roles": [] }),
            json!({ "scopeMrn": PAYMENTS, "roles": null }),
            json!({ "scopeMrn": PAYMENTS }),
        ] {
            match &expected {
                Some(roles) => {
                    let key = p.create(input).await;
                    assert_eq!(p.read(&key.mrn).await["roles"], *roles, "{empty_roles:?}");
                }
                None => {
                    let message = p.err(&p.owner, CREATE, json!({ "input": input })).await;
                    assert_eq!(message, format!("{INVALID}roles must not be empty"));
                }
            }
        }
    }
}

#[tokio::test]
async fn clear_roles() {
    for clear_roles in [ClearRoles::Allow, ClearRoles::Refuse] {
        let p = Platform::with(Quirks {
            clear_roles,
            ..Quirks::default()
        })
        .await;
        let mrn = p.account(PAYMENTS, "x", &["viewer"]).mrn;
        for input in [
            json!({ "scopeMrn": PAYMENTS, "identity": mrn, "roles": [] }),
            json!({ "scopeMrn": PAYMENTS, "updates": [{ "entityMrn": mrn, "roles": [] }] }),
        ] {
            let variables = json!({ "input": input });
            if clear_roles == ClearRoles::Allow {
                p.ok(&p.owner, SET_ROLES, variables).await;
                assert_eq!(p.read(&mrn).await["roles"], json!([]));
            } else {
                p.err(&p.owner, SET_ROLES, variables).await;
                assert_eq!(
                    p.read(&mrn).await["roles"],
                    json!([{ "mrn": role("viewer") }])
                );
            }
        }
    }
}

#[tokio::test]
async fn labels_on_create() {
    let sent = labels(&[("b", "1"), ("a", "2")]);
    for (labels_on_create, expected) in [
        (LabelsOnCreate::Keep, sent.clone()),
        (LabelsOnCreate::Drop, json!([])),
    ] {
        let p = Platform::with(Quirks {
            labels_on_create,
            ..Quirks::default()
        })
        .await;
        let key = p
            .create(json!({ "scopeMrn": PAYMENTS, "labels": sent }))
            .await;
        assert_eq!(
            p.read(&key.mrn).await["labels"],
            expected,
            "{labels_on_create:?}"
        );
    }
}

#[tokio::test]
async fn labels_on_update() {
    let before = labels(&[("a", "1"), ("b", "2")]);
    let sent = labels(&[("b", "3"), ("c", "4")]);
    let merged = labels(&[("a", "1"), ("b", "3"), ("c", "4")]);
    for (labels_on_update, expected) in [
        (LabelsOnUpdate::Replace, sent.clone()),
        (LabelsOnUpdate::Merge, merged),
    ] {
        let p = Platform::with(Quirks {
            labels_on_update,
            ..Quirks::default()
        })
        .await;
        let key = p
            .create(json!({ "scopeMrn": PAYMENTS, "labels": before }))
            .await;
        let input = json!({ "mrn": key.mrn, "labels": sent });
        let data = p.ok(&p.owner, UPDATE, json!({ "input": input })).await;
        assert_eq!(
            data["updateServiceAccount"]["labels"], expected,
            "{labels_on_update:?}"
        );
        assert_eq!(p.read(&key.mrn).await["labels"], expected);
    }
}

#[tokio::test]
async fn labels_omitted_on_update() {
    let before = labels(&[("a", "1")]);
    for (labels_omitted_on_update, expected) in [
        (LabelsOmitted::Keep, before.clone()),
        (LabelsOmitted::Clear, json!([])),
    ] {
        let p = Platform::with(Quirks {
            labels_omitted_on_update,
            ..Quirks::default()
        })
        .await;
        for change in [json!({ "name": "x" }), json!({ "labels": null })] {
            let key = p
                .create(json!({ "scopeMrn": PAYMENTS, "labels": before }))
                .await;
            let mut input = change;
            input["mrn"] = json!(key.mrn);
            p.ok(&p.owner, UPDATE, json!({ "input": input })).await;
            assert_eq!(p.read(&key.mrn).await["labels"], expected, "{input}");
        }
    }
}

#[tokio::test]
async fn label_limits() {
    let limits = Quirks {
        label_key_max: Some(4),
        label_value_max: Some(5),
        labels_max: Some(2),
        ..Quirks::default()
    };
    let limited = Platform::with(limits).await;
    let free = Platform::start().await;
    let cases = [
        (labels(&[("four", "fives"), ("b", "")]), true),
        (labels(&[("fives", "x")]), false),
        (labels(&[("four", "sixsix")]), false),
        (labels(&[("a", "1"), ("b", "2"), ("c", "3")]), false),
    ];
    let free_mrn = free.account(PAYMENTS, "x", &[]).mrn;
    let limited_mrn = limited.account(PAYMENTS, "x", &[]).mrn;
    for (labels, fits) in cases {
        let create = json!({ "input": { "scopeMrn": PAYMENTS, "labels": labels } });
        let update = |mrn: &str| json!({ "input": { "mrn": mrn, "labels": labels } });
        free.ok(&free.owner, CREATE, create.clone()).await;
        free.ok(&free.owner, UPDATE, update(&free_mrn)).await;
        if fits {
            limited.ok(&limited.owner, CREATE, create).await;
            limited
                .ok(&limited.owner, UPDATE, update(&limited_mrn))
                .await;
        } else {
            let message = limited.err(&limited.owner, CREATE, create).await;
            assert!(message.starts_with(INVALID), "{message}");
            let message = limited
                .err(&limited.owner, UPDATE, update(&limited_mrn))
                .await;
            assert!(message.starts_with(INVALID), "{message}");
        }
    }
}

#[tokio::test]
async fn description_on_update() {
    for (description_on_update, expected) in [
        (DescriptionOnUpdate::NotesOnly, "first"),
        (DescriptionOnUpdate::Both, "second"),
    ] {
        let p = Platform::with(Quirks {
            description_on_update,
            ..Quirks::default()
        })
        .await;
        let key = p
            .create(json!({ "scopeMrn": PAYMENTS, "description": "first" }))
            .await;
        assert_eq!(p.read(&key.mrn).await["notes"], "");
        let input = json!({ "mrn": key.mrn, "notes": "second" });
        p.ok(&p.owner, UPDATE, json!({ "input": input })).await;
        let account = p.read(&key.mrn).await;
        assert_eq!(account["notes"], "second");
        assert_eq!(
            account["description"], expected,
            "{description_on_update:?}"
        );
    }
}

#[tokio::test]
async fn description_clear() {
    for (description_clear, expected) in [
        (DescriptionClear::Clears, ""),
        (DescriptionClear::Keeps, "text"),
    ] {
        for description_on_update in [DescriptionOnUpdate::NotesOnly, DescriptionOnUpdate::Both] {
            let p = Platform::with(Quirks {
                description_clear,
                description_on_update,
                ..Quirks::default()
            })
            .await;
            // Born with a description, and without one.
            for born in ["text", ""] {
                let key = p
                    .create(json!({ "scopeMrn": PAYMENTS, "description": born }))
                    .await;
                for notes in ["text", ""] {
                    let input = json!({ "mrn": key.mrn, "notes": notes });
                    p.ok(&p.owner, UPDATE, json!({ "input": input })).await;
                }
                let account = p.read(&key.mrn).await;
                assert_eq!(account["notes"], expected, "{description_clear:?}");
                let description = match description_on_update {
                    DescriptionOnUpdate::NotesOnly => born,
                    DescriptionOnUpdate::Both => expected,
                };
                assert_eq!(account["description"], description);
            }
        }
    }
}

#[tokio::test]
async fn empty_description() {
    for (empty_description, absent) in [
        (EmptyDescription::Empty, json!("")),
        (EmptyDescription::Null, Value::Null),
    ] {
        let p = Platform::with(Quirks {
            empty_description,
            ..Quirks::default()
        })
        .await;
        for input in [
            json!({ "scopeMrn": PAYMENTS }),
            json!({ "scopeMrn": PAYMENTS, "description": "" }),
            json!({ "scopeMrn": PAYMENTS, "description": null }),
        ] {
            let account = p.read(&p.create(input).await.mrn).await;
            assert_eq!(
                (&account["description"], &account["notes"]),
                (&absent, &absent)
            );
        }
        let key = p
            .create(json!({ "scopeMrn": PAYMENTS, "description": "text" }))
            .await;
        let input = json!({ "mrn": key.mrn, "notes": "" });
        let answer = p.ok(&p.owner, UPDATE, json!({ "input": input })).await;
        assert_eq!(answer["updateServiceAccount"]["notes"], absent);
        assert_eq!(p.read(&key.mrn).await["description"], "text");
    }
}

const SPACES: &str = "query($mrn: String!){organization(mrn: $mrn){spacesCount \
     spacesList(first: 100){totalCount edges{node{mrn}}}}}";
const SPACE: &str = "query($mrn: String!){space(mrn: $mrn){mrn}}";

#[tokio::test]
async fn closed_and_hidden_spaces() {
    for hidden_spaces in [HiddenSpaces::Listed, HiddenSpaces::Omitted] {
        for forbidden in [Forbidden::Denied, Forbidden::NotFound] {
            let p = Platform::with(Quirks {
                closed_spaces: vec!["amazing-hofstadter-175565".to_owned()],
                hidden_spaces,
                forbidden,
                org_listing_includes_spaces: true,
                ..Quirks::default()
            })
            .await;
            let spaces = |data: &Value| -> Vec<String> {
                let list = &data["organization"]["spacesList"];
                let edges = list["edges"].as_array().expect("a list");
                assert_eq!(list["totalCount"], edges.len());
                assert_eq!(data["organization"]["spacesCount"], edges.len());
                let mrn = |edge: &Value| edge["node"]["mrn"].as_str().expect("an MRN").to_owned();
                edges.iter().map(mrn).collect()
            };
            let refusal = |mrn: &str| match forbidden {
                Forbidden::Denied => DENIED.to_owned(),
                Forbidden::NotFound => {
                    format!("rpc error: code = NotFound desc = scope {mrn} not found")
                }
            };
            let org = json!({ "mrn": ORG });
            let listed = spaces(&p.ok(&p.owner, SPACES, org.clone()).await);
            let shown = hidden_spaces == HiddenSpaces::Listed;
            assert_eq!(listed.contains(&PAYMENTS.to_owned()), shown);
            assert!(listed.contains(&PROD_EU.to_owned()));
            let accounts = p.ok(&p.owner, LIST, json!({ "scopeMrn": ORG })).await;
            assert_eq!(
                accounts["serviceAccounts"]["totalCount"], 7,
                "without payments' two"
            );
            // What is forbidden looks like what is not there, or does not.
            for (query, variables) in [
                (SPACE, json!({ "mrn": PAYMENTS })),
                (LIST, json!({ "scopeMrn": PAYMENTS })),
                (CREATE, json!({ "input": { "scopeMrn": PAYMENTS } })),
                (
                    GET_ROLES,
                    json!({ "identity": "a@acme.example", "scopeMrn": PAYMENTS }),
                ),
            ] {
                let message = p.err(&p.owner, query, variables).await;
                assert_eq!(message, refusal(PAYMENTS), "{query}");
            }
            let absent = "//captain.api.mondoo.app/spaces/no-such-space";
            let message = p.err(&p.owner, SPACE, json!({ "mrn": absent })).await;
            assert!(
                message.ends_with(&format!("scope {absent} not found")),
                "{message}"
            );
            // A role on the space itself opens it to that one.
            let now = Timestamp::now();
            p.app
                .admin_set_roles(PAYMENTS, &p.owner.mrn, &["editor"], now)
                .expect("sets");
            p.ok(&p.owner, LIST, json!({ "scopeMrn": PAYMENTS })).await;
            let listed = spaces(&p.ok(&p.owner, SPACES, org).await);
            assert!(listed.contains(&PAYMENTS.to_owned()));

            // A space that was open closes while the platform runs.
            p.ok(&p.owner, LIST, json!({ "scopeMrn": PROD_EU })).await;
            p.app.admin_close_space(PROD_EU).expect("closes");
            let message = p.err(&p.owner, LIST, json!({ "scopeMrn": PROD_EU })).await;
            assert_eq!(message, refusal(PROD_EU));
            assert!(p.app.admin_close_space(ORG).is_err());
        }
    }
}

#[tokio::test]
async fn forbidden_of_a_caller_with_too_little() {
    for forbidden in [Forbidden::Denied, Forbidden::NotFound] {
        let p = Platform::with(Quirks {
            forbidden,
            ..Quirks::default()
        })
        .await;
        let viewer = p.account(PAYMENTS, "viewer", &["viewer"]);
        p.ok(&viewer, SPACE, json!({ "mrn": PAYMENTS })).await;
        for scope in [PAYMENTS, PROD_EU, ORG] {
            let message = p.err(&viewer, LIST, json!({ "scopeMrn": scope })).await;
            assert_eq!(
                message == DENIED,
                forbidden == Forbidden::Denied,
                "{message}"
            );
            assert_eq!(
                message.contains("code = NotFound"),
                forbidden == Forbidden::NotFound
            );
        }
    }
}

#[tokio::test]
async fn equal_names() {
    for equal_names in [EqualNames::Allow, EqualNames::Refuse] {
        let p = Platform::with(Quirks {
            equal_names,
            ..Quirks::default()
        })
        .await;
        let key = p
            .create(json!({ "scopeMrn": PAYMENTS, "name": "twin" }))
            .await;
        let other = p
            .create(json!({ "scopeMrn": PAYMENTS, "name": "other" }))
            .await;
        // Elsewhere, unnamed, or its own name again: never a conflict.
        p.create(json!({ "scopeMrn": ORG, "name": "twin" })).await;
        p.create(json!({ "scopeMrn": PAYMENTS })).await;
        p.create(json!({ "scopeMrn": PAYMENTS })).await;
        p.ok(
            &p.owner,
            UPDATE,
            json!({ "input": { "mrn": key.mrn, "name": "twin" } }),
        )
        .await;
        let create = json!({ "input": { "scopeMrn": PAYMENTS, "name": "twin" } });
        let update = json!({ "input": { "mrn": other.mrn, "name": "twin" } });
        for (query, variables) in [(CREATE, create), (UPDATE, update)] {
            if equal_names == EqualNames::Allow {
                p.ok(&p.owner, query, variables).await;
            } else {
                let message = p.err(&p.owner, query, variables).await;
                assert!(
                    message.starts_with("rpc error: code = AlreadyExists"),
                    "{message}"
                );
            }
        }
    }
}

#[tokio::test]
async fn organization_listing() {
    for (org_listing_includes_spaces, expected) in [(false, 4), (true, 9)] {
        let quirks = Quirks {
            org_listing_includes_spaces,
            ..Quirks::default()
        };
        let p = Platform::with(quirks).await;
        let data = p.ok(&p.owner, LIST, json!({ "scopeMrn": ORG })).await;
        let list = &data["serviceAccounts"];
        assert_eq!(list["totalCount"], expected);
        assert_eq!(
            list["edges"].as_array().map(Vec::len),
            usize::try_from(expected).ok()
        );
        let data = p.ok(&p.owner, LIST, json!({ "scopeMrn": PAYMENTS })).await;
        assert_eq!(
            data["serviceAccounts"]["totalCount"], 2,
            "a space's is its own always"
        );
    }
}

#[tokio::test]
async fn root_fields() {
    let p = Platform::with(Quirks {
        root_fields_max: Some(2),
        ..Quirks::default()
    })
    .await;
    let query = |n: usize| {
        let fields: String = (0..n).map(|i| format!("a{i}:viewer{{mrn}} ")).collect();
        format!("{{{fields}}}")
    };
    assert_eq!(p.raw(&p.owner, &query(2), json!({})).await.0, 200);
    assert_eq!(p.raw(&p.owner, &query(3), json!({})).await.0, 422);
}

/// An in-process platform under a clock of the test's own.
struct Lagging {
    app: App,
    start: Timestamp,
    owner: Identity,
}

impl Lagging {
    fn call(&self, ms: i64, query: &str, variables: Value) -> Result<Value, String> {
        let request = Request {
            query: query.to_owned(),
            variables,
            operation_name: None,
        };
        let at = self.start + SignedDuration::from_millis(ms);
        let reply = self.app.handle(&self.owner, request, at);
        assert_eq!(reply.status, 200);
        let mut body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        match body["errors"][0]["message"].as_str() {
            Some(message) => Err(message.to_owned()),
            None => Ok(body["data"].take()),
        }
    }

    fn names(&self, ms: i64) -> Vec<(String, usize)> {
        let data = self
            .call(ms, LIST, json!({ "scopeMrn": PAYMENTS }))
            .expect("lists");
        let list = &data["serviceAccounts"];
        let edges = list["edges"].as_array().expect("a list");
        assert_eq!(list["totalCount"], edges.len());
        edges
            .iter()
            .map(|e| &e["node"])
            .filter(|n| n["creator"]["mrn"] == self.owner.mrn)
            .map(|n| {
                let name = n["name"].as_str().expect("a name").to_owned();
                (name, n["roles"].as_array().map_or(0, Vec::len))
            })
            .collect()
    }
}

#[test]
fn read_lag() {
    let start: Timestamp = "2025-11-21T12:00:00Z".parse().expect("a time");
    let app = memory(Quirks {
        read_lag_ms: 1000,
        ..Quirks::default()
    });
    let before = start - SignedDuration::from_secs(10);
    app.seed(&acme(), before).expect("seeds");
    let owner = app
        .ensure_owner("acme-corp-883120", before)
        .expect("works")
        .expect("first");
    let p = Lagging {
        app,
        start,
        owner: Identity::new(owner.mrn.clone()),
    };

    let input = json!({ "scopeMrn": PAYMENTS, "name": "one" });
    let made = p
        .call(0, CREATE, json!({ "input": input }))
        .expect("creates");
    let mrn = made["createServiceAccount"]["mrn"]
        .as_str()
        .expect("an MRN")
        .to_owned();
    let input = json!({ "mrn": mrn, "name": "two" });
    let updated = p
        .call(2000, UPDATE, json!({ "input": input }))
        .expect("updates");
    assert_eq!(
        updated["updateServiceAccount"]["name"], "two",
        "a write answers its result"
    );
    let input = json!({ "scopeMrn": PAYMENTS, "identity": mrn, "roles": [role("agent")] });
    p.call(2500, SET_ROLES, json!({ "input": input }))
        .expect("sets");

    let one = |name: &str, roles| vec![(name.to_owned(), roles)];
    assert_eq!(p.names(999), []);
    assert_eq!(p.names(1000), one("one", 0));
    assert_eq!(p.names(2999), one("one", 0));
    assert_eq!(p.names(3000), one("two", 0));
    assert_eq!(p.names(3499), one("two", 0));
    assert_eq!(p.names(3500), one("two", 1));
    assert!(
        p.call(999, READ, json!({ "mrn": mrn }))
            .expect_err("not yet")
            .contains("NotFound")
    );
    let account = p.call(2999, READ, json!({ "mrn": mrn })).expect("reads");
    assert_eq!(account["serviceAccount"]["name"], "one");
    let roles = |ms| {
        let variables = json!({ "identity": mrn, "scopeMrn": PAYMENTS });
        p.call(ms, GET_ROLES, variables).expect("reads")["getRoles"]["roles"].clone()
    };
    assert_eq!(roles(3499), json!([role("space-member")]));
    assert_eq!(roles(3500), json!([role("agent"), role("space-member")]));

    // Writes see the present: a second delete fails while reads still show the account.
    let delete = json!({ "input": { "scopeMrn": PAYMENTS, "mrns": [mrn] } });
    p.call(5000, DELETE, delete.clone()).expect("deletes");
    assert!(
        p.call(5001, DELETE, delete)
            .expect_err("gone")
            .contains("NotFound")
    );
    assert_eq!(p.names(5999), one("two", 1));
    assert_eq!(p.names(6000), []);

    // Authority does not lag.
    p.app
        .admin_set_roles(
            ORG,
            &p.owner.mrn,
            &["viewer"],
            start + SignedDuration::from_secs(7),
        )
        .expect("sets");
    assert!(p.call(7001, LIST, json!({ "scopeMrn": PAYMENTS })).is_err());
}

#[test]
fn switches_read_from_json() {
    let quirks: Quirks = serde_json::from_value(json!({
        "empty_roles": "default_viewer", "clear_roles": "refuse", "labels_on_create": "drop",
        "labels_on_update": "merge", "labels_omitted_on_update": "clear",
        "label_value_max": 63, "read_lag_ms": 250, "org_listing_includes_spaces": true,
        "description_on_update": "both", "equal_names": "refuse", "page_cap": 7,
        "description_clear": "keeps", "empty_description": "null",
        "closed_spaces": ["some-space"], "hidden_spaces": "omitted", "forbidden": "not_found",
        "temporary_accounts": "same", "temporary_creator": "untold",
    }))
    .expect("reads");
    assert_eq!(quirks.empty_roles, EmptyRoles::DefaultViewer);
    assert_eq!(quirks.label_value_max, Some(63));
    assert_eq!(quirks.page_cap, 7);
    assert_eq!(
        serde_json::from_str::<Quirks>("{}").expect("reads"),
        Quirks::default()
    );
    assert!(serde_json::from_str::<Quirks>(r#"{"empty_rolls":"none"}"#).is_err());
}
