//! Places of keys, as parts of documents.

use serde_json::{Value, json};

use crate::model::Destination;
use crate::plan::Leaving;

/// A place that a key leaves.
pub(super) fn leaving(leaving: &Leaving) -> Value {
    let Leaving {
        id,
        kind,
        place,
        removed,
    } = leaving;
    json!({
        "id": id,
        "kind": kind,
        "place": place.as_ref().map(destination),
        "removed": removed,
        "readers": (!removed).then(|| leaving.readers()),
    })
}

/// A place that receives a key.
pub(super) fn destination(destination: &Destination) -> Value {
    let mut told = serde_json::Map::from_iter([
        ("sink".to_owned(), destination.sink().into()),
        ("kind".to_owned(), destination.kind().as_str().into()),
        ("id".to_owned(), destination.id().to_string().into()),
        (
            "on_delete".to_owned(),
            destination.on_delete().as_str().into(),
        ),
    ]);
    let facts = destination.facts().into_iter();
    told.extend(facts.map(|(name, value)| (name.to_owned(), value.into())));
    if destination.overwrites_unreadable() {
        told.insert("overwrite_unreadable".to_owned(), true.into());
    }
    Value::Object(told)
}
