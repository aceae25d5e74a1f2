//! What a command is to the shell: in which forms it answers, which files it names, and how it runs.

use std::pin::Pin;

use super::exit::Exit;
use super::failure::Failure;
use super::options::{ConfigArgs, FormArgs, ReviewArgs};
use super::outputs::Files;
use super::reporter::Reporter;

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// Who is told what happens.
    pub reporter: Reporter,
    /// The whole command line as clap knows it.
    pub grammar: clap::Command,
}

/// A run under way.
pub type Run<'a> = Pin<Box<dyn Future<Output = Result<Exit, Failure>> + 'a>>;

/// A command with its arguments.
pub trait Invocation: std::fmt::Debug {
    /// In which forms it answers, if it has several.
    fn form(&self) -> FormArgs {
        FormArgs::default()
    }

    /// How it shows plans, if it does.
    fn review(&self) -> Option<&ReviewArgs> {
        None
    }

    /// The files that its arguments name.
    fn files(&self) -> Files<'_> {
        Files::default()
    }

    /// The configuration's values, if it takes such: their order on the command line counts.
    fn values(&mut self) -> Option<&mut ConfigArgs> {
        None
    }

    /// Does what is asked.
    fn run(self: Box<Self>, context: &Context) -> Run<'_>;
}
