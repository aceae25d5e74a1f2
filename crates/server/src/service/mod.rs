//! The operations of the platform: rules and rights, without a wire format.
//!
//! May use the store and the role table; knows nothing of GraphQL or HTTP.

pub(crate) mod accounts;
pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod directory;
pub(crate) mod grants;
pub(crate) mod objects;
pub(crate) mod people;
pub(crate) mod scopes;
pub(crate) mod teams;
pub(crate) mod tokens;
pub(crate) mod wif;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::status::Status;

/// A page that was asked for: how many items, after which cursor.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageRequest {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
}

impl PageRequest {
    /// The page's size; too large a one is cut to the largest.
    pub(crate) fn limit(&self, cap: u32) -> Result<u32, Status> {
        match self.first {
            None => Ok(cap),
            Some(first) => u32::try_from(first)
                .map(|first| first.min(cap))
                .map_err(|_| Status::invalid("first must not be negative")),
        }
    }

    /// The cursor; clients also send `""` for the start.
    pub(crate) fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, Status> {
        match self.after.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .and_then(|json| serde_json::from_slice(&json).ok())
                .map(Some)
                .ok_or_else(|| Status::invalid("invalid cursor")),
        }
    }
}

/// Writes a cursor: opaque to clients, the place in the order to us.
pub(crate) fn cursor<T: Serialize>(place: &T) -> Result<String, Status> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(place)?))
}

/// A page of a listing.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    /// The items with their cursors.
    pub(crate) items: Vec<(String, T)>,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
}

impl<T> Page<T> {
    /// Makes a page of `limit` items from rows read with one more than that.
    pub(crate) fn cut(
        mut rows: Vec<T>,
        limit: u32,
        has_previous: bool,
        place: impl Fn(&T) -> Result<String, Status>,
    ) -> Result<Self, Status> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // An empty page has no cursor to go on from, so it never promises a next one.
        let has_next = limit > 0 && rows.len() > limit;
        rows.truncate(limit);
        let items = rows
            .into_iter()
            .map(|row| Ok((place(&row)?, row)))
            .collect::<Result<Vec<_>, Status>>()?;
        Ok(Self {
            items,
            has_next,
            has_previous,
        })
    }
}

/// What a bulk mutation did: the MRNs it did it to, and why not to the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) done: Vec<String>,
    pub(crate) failed: Vec<(String, Status)>,
}

impl Batch {
    pub(crate) fn record(&mut self, mrn: &str, result: Result<(), Status>) -> Result<(), Status> {
        match result {
            Ok(()) => self.done.push(mrn.to_owned()),
            // The store's own failure is no property of one item: nothing of the batch may stay.
            Err(status) if status.code == super::status::Code::Internal => return Err(status),
            Err(status) => self.failed.push((mrn.to_owned(), status)),
        }
        Ok(())
    }

    /// A batch in which nothing succeeded is an error like that of a single call.
    pub(crate) fn finish(self) -> Result<Self, Status> {
        if self.done.is_empty()
            && let Some((_, first)) = self.failed.first()
        {
            return Err(first.clone());
        }
        Ok(self)
    }
}
