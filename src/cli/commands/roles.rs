//! `rolecall roles`: what each role lets a program do. Talks to nobody.

use std::future::ready;

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::view::human;

/// `rolecall roles`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  rolecall roles")]
pub struct RolesArgs {}

impl Invocation for RolesArgs {
    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        context.reporter.result(&human::roles());
        Box::pin(ready(Ok(Exit::Done)))
    }
}
