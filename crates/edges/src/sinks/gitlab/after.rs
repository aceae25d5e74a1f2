//! What came of a write: what the answer says of it, and what is there.

use super::answer::{malformed, refuse};
use super::api::{Looked, Server, Unwritten};
use crate::model::GitlabPlace;
use crate::ports::{Delivered, Effect, SinkError, SinkErrorKind, Verified};
use crate::sinks::remote;

/// A key that is there.
pub(super) fn delivered(verified: Verified) -> Delivered {
    Delivered {
        verified,
        // GitLab gives variables none.
        version: None,
        note: None,
    }
}

/// That what is there is not what the probe saw.
pub(super) fn moved() -> SinkError {
    refuse(
        SinkErrorKind::Moved,
        "the variable was written since it was looked at".to_owned(),
        "run again",
    )
}

fn unwritten(error: SinkError) -> SinkError {
    SinkError {
        effect: Effect::None,
        message: format!("{}; the variable was not written", error.message),
        ..error
    }
}

/// Sees that a place holds what was written.
pub(super) async fn read_back(
    server: &Server,
    place: &GitlabPlace,
    value: &str,
) -> Result<Delivered, SinkError> {
    let ours = |looked: &Looked| looked.bytes() == Some(value.as_bytes());
    let looked = server.look_for(place, ours).await.map_err(remote::unsure)?;
    match ours(&looked) {
        true => Ok(delivered(Verified::Equal)),
        false => Err(remote::unsure(malformed(
            "what is there is not what was written; something else writes to it",
        ))),
    }
}

/// What came of a write that failed: what is there tells.
pub(super) async fn seen_after(
    server: &Server,
    place: &GitlabPlace,
    value: &str,
    before: Option<&[u8]>,
    Unwritten {
        error,
        taken: _,
        surely,
    }: Unwritten,
) -> Result<Delivered, SinkError> {
    let ours = |looked: &Looked| looked.bytes() == Some(value.as_bytes());
    let looked = match surely {
        true => server.look(place).await,
        false => server.look_for(place, ours).await,
    };
    match looked {
        Ok(looked) if ours(&looked) => Ok(delivered(Verified::Equal)),
        Ok(looked) if looked.bytes() == before => Err(unwritten(error)),
        Ok(_) if surely => Err(moved()),
        Ok(_) => Err(remote::unsure(SinkError {
            message: format!("{}; and somebody else wrote the variable", error.message),
            ..error
        })),
        Err(_) if surely => Err(error),
        Err(_) => Err(remote::unsure(error)),
    }
}

/// What came of a write to a hidden variable that failed, as far as that can be told, and whether it may
/// have been done.
pub(super) async fn untold(
    server: &Server,
    place: &GitlabPlace,
    new: bool,
    Unwritten {
        error,
        taken,
        surely,
    }: Unwritten,
) -> (SinkError, bool) {
    if taken {
        return (moved(), false);
    }
    if surely {
        return (unwritten(error), false);
    }
    if new {
        let there = |looked: &Looked| looked.variable.is_some();
        let looked = server.look_for(place, there).await;
        if looked.is_ok_and(|looked| looked.variable.is_none()) {
            return (unwritten(error), false);
        }
    }
    (remote::unsure(error), true)
}
