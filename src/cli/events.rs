//! What happens in a run: one stream that feeds people, the JSON document, the record, the log and the
//! line of progress. Values alone: who takes them decides what to make of them.

use crate::apply::Outcome;
use crate::check::Check;
use crate::diag::{Diagnostics, SourceMap};
use crate::forge::ForgeRequest;
use crate::model::{Caller, StackId};
use crate::plan::{Change, Moved, Plan, Rest};
use crate::platform::Exchange;
use crate::policy::Refusal;
use crate::ports;
use crate::sinks::SinkRequest;
use jiff::Timestamp;

use super::exit::Exit;
use super::failure::Failure;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run begins.
    Began {
        /// The command.
        command: &'a str,
    },
    /// A request to the platform is over.
    Request(&'a Exchange),
    /// A request of a sink to its store is over.
    SinkRequest(&'a SinkRequest),
    /// A request to the code host is over.
    HostRequest(&'a ForgeRequest),
    /// A result for people.
    Result(&'a str),
    /// A result for programs, whatever the form of standard output.
    Data(&'a str),
    /// Something for those who watch.
    Note(&'a str),
    /// Something that should not stay as it is and ends nothing.
    Warning {
        /// What it is, a fragment.
        message: &'a str,
        /// What belongs to it, a line each.
        help: &'a [String],
    },
    /// Something was found in the configuration that ends nothing.
    Found {
        /// All of it.
        found: &'a Diagnostics,
        /// The texts in which it was found.
        sources: &'a SourceMap,
    },
    /// Something is waited for.
    Waiting(&'a str),
    /// So many changes begin.
    Applying(usize),
    /// What was waited for is there, or will never be.
    Rested,
    /// The platform said who calls.
    LoggedIn {
        /// The configuration's stack.
        stack: &'a StackId,
        /// The API's base URL, or `local`.
        endpoint: &'a str,
        /// Who calls.
        caller: &'a Caller,
        /// The platform's clock, if it told it.
        dated: Option<Timestamp>,
    },
    /// This moved since the plan was reviewed, and is left out.
    LeftOut(&'a [Moved]),
    /// What is due is what an earlier run of the reviewed plan left.
    Rest(Rest),
    /// The plan is made and judged by the policies.
    Planned(&'a Plan),
    /// Guards refuse the plan.
    Refused(&'a [Refusal]),
    /// Accounts are under another seal key, and births alone go on.
    SetAside {
        /// What does not go on.
        left_out: &'a [Change],
        /// What does.
        goes_on: &'a Plan,
    },
    /// A check is done.
    Checked(&'a Check),
    /// A change began, has something to tell, or ended.
    Change(&'a ports::Event),
    /// All changes ended, each in its way.
    Applied(&'a Outcome),
    /// Not all is done that was asked, and people have been told.
    Undone {
        /// Why, a fragment.
        message: &'a str,
        /// What is not done, a line each.
        help: &'a [String],
    },
    /// The run ends, or would end, without what was asked.
    Failed(&'a Failure),
    /// The last words are said.
    Ended(Exit),
}
