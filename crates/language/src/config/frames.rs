//! What expressions of some blocks see besides the names of the module.
//! Pure.

use crate::lang::Frame;
use crate::lang::value::{Members, Value};

/// Makes the frame of a block with `for_each`, holding what `each` is.
pub(super) fn each_scope<'a>(scope: &'a Frame<'a>, key: Value, value: Value) -> Frame<'a> {
    let mut frame = scope.child();
    let members = [("key".into(), key), ("value".into(), value)];
    frame.set("each", Value::map(members.into()));
    frame
}

/// Makes the frame of a sink's file name, holding the account.
pub(super) fn account_scope<'a>(scope: &'a Frame<'a>, members: Members) -> Frame<'a> {
    let mut frame = scope.child();
    frame.set("account", Value::map(members));
    frame
}
