//! When a row was the truth.

/// How far writes keep what was before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The time of the write, in milliseconds.
    pub(crate) at: i64,
    /// How long replaced rows stay readable; `None` keeps none.
    pub(crate) keep_ms: Option<i64>,
}

/// The condition that selects the rows true at a moment; `None` is now.
pub(super) fn true_at(as_of: Option<i64>) -> String {
    match as_of {
        None => "valid_to is null".to_owned(),
        Some(at) => format!("valid_from <= {at} and (valid_to is null or valid_to > {at})"),
    }
}
