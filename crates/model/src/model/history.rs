//! What the platform's audit log tells of an account or a scope. All of it is foreign text.

use super::mrn::Mrn;

/// One line of the audit log: who did what, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When it happened; `None` if the time is missing or cannot be read.
    pub at: Option<jiff::Timestamp>,
    /// The resource name of who did it, where told.
    pub identity: Option<Mrn>,
    /// A name for people of who did it, where told.
    pub name: Option<String>,
    /// What was done, as the platform names it:
    /// `mondoo.agents.AgentManager.UpdateServiceAccount`.
    pub action: String,
    /// What it was done to, where told.
    pub resource: Option<Mrn>,
}

impl LogEntry {
    /// The last part of the action's name: `UpdateServiceAccount`.
    pub fn verb(&self) -> &str {
        self.action.rsplit('.').next().unwrap_or(&self.action)
    }
}

/// The newest lines of the log about something, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The lines.
    pub entries: Vec<LogEntry>,
    /// Whether these are all that the log has.
    pub complete: bool,
}
