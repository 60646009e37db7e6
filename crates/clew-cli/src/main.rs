//! The binary `clew`: parses the command line, runs one command, prints, and exits.
//!
//! Exit codes: 0 done, 1 the answer is no, 2 bad use or unreadable input, 3 missing privilege or
//! kernel feature. Everything that decides lives in the crates below; here is only wiring.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is the one place that prints"
)]

mod api;
mod args;
mod doctor;
mod engine;
mod falco;
mod identity;
mod inlet;
mod live;
mod print;
mod profile;
mod record;
mod recorder;
mod reload;
mod replay;
mod requests;
mod rules;
mod run;
mod sink;
mod story;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

/// How a command ended, as the process's exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Done.
    Done,
    /// The answer is no.
    No,
    /// Bad use or unreadable input.
    BadInput,
    /// A privilege or kernel feature is missing.
    Unable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::BadInput => 2,
            Exit::Unable => 3,
        })
    }
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Record(args) => record::record(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Api { command } => api::api(&command),
        Command::Identity { command } => identity::identity(&command),
        Command::Profile { command } => profile::profile(&command),
        Command::Story { command } => story::story(&command),
        Command::Rules { command } => rules::rules(&command),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("clew: {error:#}");
            Exit::BadInput.into()
        }
    }
}
