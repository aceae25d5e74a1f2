//! One sink of a configuration, and the place of an account in it.
//! Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::DecodedSink;
use super::recipient::{self, Recipient};
use crate::config::block::Block;
use crate::config::decode::{Decoded, Decoder};
use crate::config::frames::account_scope;
use crate::lang::Frame;
use crate::model::{Destination, OnDelete};

/// One decoded sink.
pub(in crate::config) struct Sink<'m> {
    pub(super) block: &'m Block,
    pub(super) decoded: Arc<dyn DecodedSink>,
    pub(super) on_delete: OnDelete,
    pub(super) overwrite_unreadable: bool,
}

/// All sinks by address; a failed or unknown one has no entry.
pub(in crate::config) type Sinks<'m> = BTreeMap<String, Sink<'m>>;

/// Renders a place in the sink of a block.
pub(super) fn rendered(
    block: &Block,
    decoded: &dyn DecodedSink,
    recipient: &Recipient<'_>,
    scope: &Frame<'_>,
    decoder: &mut Decoder<'_>,
) -> Decoded<Destination> {
    let frame = account_scope(scope, recipient::members(recipient));
    let place = decoded.place(block, recipient, &frame, decoder)?;
    Ok(place.map(|place| Destination::new(block.labels.join("."), place)))
}
