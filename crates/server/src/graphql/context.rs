//! What a resolver works with.

use std::sync::Arc;

use async_graphql::Context;

use crate::core::{Caller, Core};

pub(super) fn core_of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Core> {
    context.data::<Arc<Core>>().map(|core| core.as_ref())
}

pub(super) fn caller_of<'a>(context: &Context<'a>) -> async_graphql::Result<&'a Caller> {
    context.data::<Caller>()
}
