//! Output types that lead to no others, and what listings are made of.

use async_graphql::{Scalar, ScalarType, SimpleObject, Value};
use serde::Deserialize;

use crate::{
    roles,
    service::{Batch, Page},
    store::Label,
};

/// A JSON object as a scalar, as the platform calls it.
pub(crate) struct Map(serde_json::Map<String, serde_json::Value>);

#[Scalar(name = "Map")]
impl ScalarType for Map {
    fn parse(value: Value) -> async_graphql::InputValueResult<Self> {
        match value.into_json()? {
            serde_json::Value::Object(map) => Ok(Self(map)),
            other => Err(async_graphql::InputValueError::custom(format!(
                "{other} is no Map"
            ))),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(serde_json::Value::Object(self.0.clone())).unwrap_or_default()
    }
}

impl Map {
    /// The failures of a batch by MRN. Without any it is null: clients written in Go cannot read
    /// an object where they expect a scalar, so none is sent when there is nothing to say.
    pub(crate) fn of(batch: &Batch) -> Option<Self> {
        let map = batch
            .failed
            .iter()
            .map(|(mrn, status)| (mrn.clone(), serde_json::Value::String(status.to_string())))
            .collect::<serde_json::Map<_, _>>();
        (!map.is_empty()).then_some(Self(map))
    }
}

#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    start_cursor: Option<String>,
    end_cursor: Option<String>,
    has_next_page: bool,
    has_previous_page: bool,
}

impl PageInfo {
    pub(crate) fn of<T>(page: &Page<T>) -> Self {
        Self {
            start_cursor: page.items.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: page.items.last().map(|(cursor, _)| cursor.clone()),
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
        }
    }
}

/// Makes the two types of a listing in pages.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $edge {
            cursor: String,
            node: $node,
        }

        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $connection {
            total_count: i32,
            edges: Vec<$edge>,
            page_info: $crate::graphql::leaves::PageInfo,
        }

        impl $connection {
            pub(crate) fn of<T>(
                page: $crate::service::Page<T>,
                total: usize,
                node: impl Fn(T) -> $node,
            ) -> Self {
                let page_info = $crate::graphql::leaves::PageInfo::of(&page);
                let edge = |(cursor, item)| $edge {
                    cursor,
                    node: node(item),
                };
                Self {
                    total_count: i32::try_from(total).unwrap_or(i32::MAX),
                    edges: page.items.into_iter().map(edge).collect(),
                    page_info,
                }
            }
        }
    };
}
pub(crate) use connection;

#[derive(SimpleObject, Deserialize)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

pub(crate) fn key_values(labels: &[Label]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|l| KeyValue {
            key: l.key.clone(),
            value: l.value.clone(),
        })
        .collect()
}

#[derive(SimpleObject)]
pub(crate) struct Role {
    mrn: String,
    title: Option<String>,
}

pub(crate) fn roles_of(mrns: &[String]) -> Vec<Role> {
    mrns.iter()
        .map(|mrn| Role {
            mrn: mrn.clone(),
            title: roles::title(mrn).map(str::to_owned),
        })
        .collect()
}

#[derive(SimpleObject)]
#[graphql(name = "SSHKey")]
pub(crate) struct SshKey {
    pub(crate) fingerprint: Option<String>,
    pub(crate) content: Option<String>,
}
