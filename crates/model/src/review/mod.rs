//! What a code host says of a change, and what follows from it: whether a verdict is evidence, whether a merge is
//! approved, whether all was judged, which comment is ours.
//! Pure: facts in, decisions out. Asks nobody, and knows no plan but by its digest.

mod approval;
mod evidence;
mod facts;
mod gate;
mod group;
mod names;
mod sticky;
mod text;
mod verdict;

pub use approval::{Answer, Asked, approved};
pub use evidence::{Evidence, StandingVerdict, Wanted, counts, newest, vouches};
pub use facts::{
    Artifact, Comment, Job, Person, Pusher, Repository, Request, Review, ReviewState, Right, Run,
    Turn, Turned,
};
pub use gate::{Configuration, Gate, Line, Presence, expected, gate, matrix};
pub use group::{Group, merged_as};
pub use names::{Commit, Digest, artifact, comment_key};
pub use sticky::{Sorted, marked, outdated, sort};
pub use text::{Heading, heading, plain};
pub use verdict::{Host, Judged, Verdict, VerdictError};
