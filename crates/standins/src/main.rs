//! Serves one stand-in, for clients of other languages: `rolecall-standins KIND ADDRESS`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program for scripts"
)]

use std::net::SocketAddr;
use std::process::ExitCode;

use rolecall_standins::{aws, azure, gcp, github, gitlab, hub, kubernetes, serve, vault};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let at: Option<SocketAddr> = arguments.next().and_then(|text| text.parse().ok());
    let (Some(at), None) = (at, arguments.next()) else {
        eprintln!("usage: rolecall-standins KIND ADDRESS:PORT");
        return ExitCode::from(64);
    };
    let served = match kind.as_str() {
        "vault" => serve(vault::Vault::new(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "kubernetes" => serve(kubernetes::Kubernetes::new(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "aws" => serve(aws::Aws::by_the_clock(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "github" => {
            let mut github = github::Github::by_the_clock();
            // For a client that logs in as the App.
            println!("{}", github.app_key());
            serve(github, at).map(|running| {
                println!("{}", running.url);
                wait();
            })
        }
        "hub" => serve(hub::story(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "gitlab" => serve(gitlab::Gitlab::new(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "azure" => serve(azure::Azure::new(), at).map(|running| {
            println!("{}", running.url);
            wait();
        }),
        "gcp" => serve(gcp::Gcp::by_the_clock(), at).map(|running| {
            // For a client that logs in as the service account.
            let account = running.with(|gcp| gcp.account(&running.url));
            println!("{account}");
            running.with(|gcp| gcp.metadata = Some(true));
            println!("{}", running.url);
            wait();
        }),
        _ => {
            eprintln!("there is no stand-in of the kind {kind}");
            return ExitCode::from(64);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{at}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Until somebody ends the program.
fn wait() {
    loop {
        std::thread::park();
    }
}
