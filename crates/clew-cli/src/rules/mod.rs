//! `clew rules`: the tools of people who write rules, one file a command.

mod check;
mod cost;
mod coverage;
mod explain;
mod import;
mod list;
mod stats;
mod suite;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

use crate::Exit;
use crate::args::{Compat, RuleArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check rule files: every mistake with its place and the way out.
    Check(PathArgs),
    /// List rules: what each is for, and whether it runs here.
    List(OurPathArgs),
    /// Say why a rule matches an event of a tape, or does not.
    Explain(ExplainArgs),
    /// Try rules on the cases of the markdown pages beside them.
    Test(TestArgs),
    /// Show which ATT&CK techniques the rules cover.
    Coverage(OurPathArgs),
    /// Read the `falco.yaml` of a Falco installation, and say what Clew takes over of it.
    Import(ImportArgs),
    /// Count how often each rule matches on tapes, and how often its rate holds it back.
    Stats(TapeArgs),
    /// Measure what each rule costs on tapes.
    Cost(TapeArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PathArgs {
    /// Rule files or directories, in the order in which they are loaded.
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Processing pipeline for Sigma rules, in pySigma's format; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Vec<PathBuf>,
    /// Read the rules as another engine does, quirks included.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) compat: Option<Compat>,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct OurPathArgs {
    /// Rule files or directories, in the order in which they are loaded [default: the rules that
    /// come with Clew].
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Processing pipeline for Sigma rules, in pySigma's format; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Vec<PathBuf>,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// Name of the rule; of a Sigma rule its title, id or name.
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    /// The event: its id as findings name it, or its number on the tape, from 1.
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,
    /// The tape, capture or audit log on which the event is.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) tape: PathBuf,
    /// Rule file or directory, loaded after the rules that come with Clew; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// Processing pipeline for Sigma rules, in pySigma's format; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Vec<PathBuf>,
    /// Leave out the rules that come with Clew.
    #[arg(long)]
    pub(crate) no_default_rules: bool,
    /// Judge as another engine does, quirks included.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) compat: Option<Compat>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TestArgs {
    /// Directory with rule files and the markdown pages of their cases, searched to its depth.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Rule file or directory that is loaded before those of DIR; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// Rewrite blocks of findings that are out of date; a broken claim stays broken.
    #[arg(long)]
    pub(crate) update: bool,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// The configuration, usually `/etc/falco/falco.yaml`.
    #[arg(value_name = "FALCO_YAML")]
    pub(crate) config: PathBuf,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TapeArgs {
    /// Tape to judge; may be repeated.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) tape: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Carries out one of them.
pub(crate) fn rules(command: &RulesCommand) -> Result<Exit> {
    match command {
        RulesCommand::Check(args) => check::check(args),
        RulesCommand::List(args) => list::list(args),
        RulesCommand::Explain(args) => explain::explain(args),
        RulesCommand::Test(args) => suite::test(args),
        RulesCommand::Coverage(args) => coverage::coverage(args),
        RulesCommand::Import(args) => import::import(args),
        RulesCommand::Stats(args) => stats::stats(args),
        RulesCommand::Cost(args) => cost::cost(args),
    }
}

/// The text, or its beginning where it is longer than `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
