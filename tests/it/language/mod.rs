//! The language end to end: files in, findings or a desired state out.

mod cases;
mod docs;
mod goldens;
mod laws;
mod meant;
mod oracle;
mod places;
mod policies;
mod whole;
