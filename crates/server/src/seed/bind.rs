//! Roles that a seed gives.

use jiff::Timestamp;
use rusqlite::Transaction;

use crate::{
    core::Core,
    error::Error,
    roles,
    store::{Scope, iam},
};

/// Binds roles given by MRN or short name, all of which must exist.
pub(crate) fn bind(
    core: &Core,
    t: &Transaction<'_>,
    scope: &Scope,
    identity: &str,
    names: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let mut mrns = Vec::with_capacity(names.len());
    for name in names {
        let mrn = roles::expand(name);
        if roles::find(&mrn).is_none() {
            return Err(Error::InvalidSeed(format!("unknown role {name:?}")));
        }
        mrns.push(mrn);
    }
    Ok(iam::set_roles(
        t,
        &scope.mrn,
        identity,
        &mrns,
        core.write_moment(now),
    )?)
}
