//! `rolecall verify`: whether the records of applies are one whole chain. Talks to nobody.

use std::future::ready;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::invocation::{Context, Invocation, Run};
use crate::cli::record as files;
use crate::cli::reporter::Reporter;
use crate::echo;
use crate::record::{Seen, verify};
use crate::view::{human, inert};

/// `rolecall verify`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The head is the digest that the last apply printed, kept where whoever can write \
the records cannot; `sha256sum FILE` gives it too. Exits 3 if a record is missing, was changed, or is \
out of order.\n\nExample:\n  rolecall verify --head sha256:HEAD records/0001.json records/0002.json"
)]
pub struct VerifyArgs {
    /// The digest of the last record's file, 64 hexadecimal digits
    #[arg(long, value_name = "DIGEST")]
    pub head: String,

    /// The records, oldest first
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl Invocation for VerifyArgs {
    fn run(self: Box<Self>, context: &Context) -> Run<'_> {
        Box::pin(ready(run(&self, &context.reporter)))
    }
}

fn run(args: &VerifyArgs, reporter: &Reporter) -> Result<Exit, Failure> {
    let digits = args.head.strip_prefix("sha256:").unwrap_or(&args.head);
    let lower = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if digits.len() != 64 || !digits.bytes().all(lower) {
        return Err(Failure::usage(format!(
            "--head {}: a digest has 64 digits of 0-9 and a-f",
            echo::digest(&args.head)
        ))
        .help("apply prints it behind `Record`, and `sha256sum FILE` too"));
    }
    let mut records = Vec::new();
    for path in &args.files {
        let bytes = files::load(path).map_err(|why| {
            Failure::error(format!("{}: {why}", echo::path(path).given("FILE")))
                .help("name the records that applies wrote with --record, oldest first")
        })?;
        records.push((echo::path(path).to_string(), bytes));
    }
    let chain = verify(&format!("sha256:{digits}"), &records).map_err(|broken| {
        let name = records.get(broken.at).map_or("", |(name, _)| name.as_str());
        let (help, exit) = if broken.unreadable {
            ("check it with the version that wrote it", Exit::Error)
        } else {
            (
                "compare it with another copy, and see who could write here; what stands before it \
                 is whole",
                Exit::Refused,
            )
        };
        Failure::new(exit, format!("{name}: {broken}")).help(help)
    })?;
    reporter.result(&good(&chain));
    Ok(Exit::Done)
}

fn good(chain: &[Seen]) -> String {
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
        return String::new();
    };
    format!(
        "{} of {}, one whole chain, from {} to {}.\n",
        human::count(chain.len(), "record"),
        inert(&last.stack),
        inert(&first.started),
        inert(&last.started)
    )
}
