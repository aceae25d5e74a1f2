//! rolecall.
fn main() {}
