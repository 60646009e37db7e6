//! What can be asked on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clew_engine::{Profiling, RuleRate};
use clew_event::Semantics;
use clew_intake::SourceSpec;
use clew_notify::OutputSpec;

use crate::api::ApiCommand;
use crate::identity::IdentityCommand;
use crate::profile::ProfileCommand;
use crate::requests::RequestArgs;
use crate::rules::RulesCommand;
use crate::story::StoryCommand;

/// Follows the thread of an attack through a cloud application: sees, knows, tells.
#[derive(Debug, Parser)]
#[command(name = "clew", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch this machine: sensor, engine, store and page in one process.
    Run(RunArgs),
    /// Record what the sensor sees to a tape, without judging it.
    Record(RecordArgs),
    /// Judge tapes as if they happened now; the same tape always gives the same output.
    Replay(ReplayArgs),
    /// Say what Clew can see here, what it is blind to, and how to mend that.
    Doctor(DoctorArgs),
    /// Say whose a credential is, and what came of it.
    Identity {
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Say which APIs were learned, and export them.
    Api {
        #[command(subcommand)]
        command: ApiCommand,
    },
    /// Say what workloads do, how far that is learned, and make policies of it.
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// List stories, and print one as text, Markdown, JSON, Attack Flow or OCSF.
    Story {
        #[command(subcommand)]
        command: StoryCommand,
    },
    /// Work with rule files.
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
}

/// Which rules judge.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct RuleArgs {
    /// Rule file or directory in the format of Falco or of Sigma, loaded after the default rules;
    /// may be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// Processing pipeline for Sigma rules, in pySigma's format; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) pipeline: Vec<PathBuf>,
    /// Leave out the rules that come with Clew.
    #[arg(long)]
    pub(crate) no_default_rules: bool,
    /// Answer as another engine does, quirks included.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) compat: Option<Compat>,
    /// How many rules may match one event [default: all; with `--compat falco` the first in order
    /// of definition; with `--falco-config` what it says].
    #[arg(long, value_name = "HOW")]
    pub(crate) rule_matching: Option<RuleMatching>,
    /// Take rule files, selection and additions to outputs from a `falco.yaml`, instead of the
    /// rules that come with Clew; `clew rules import` says what is taken.
    #[arg(long, value_name = "FILE")]
    pub(crate) falco_config: Option<PathBuf>,
    /// Hold back what a rule finds beyond this rate of event time, and count it: `10/s`, `10/m`.
    #[arg(long, value_name = "N/s")]
    pub(crate) rule_rate: Option<RuleRate>,
    /// Do not learn what workloads do, nor tell what is new of it; as `--compat falco` does.
    #[arg(long)]
    pub(crate) no_profiles: bool,
}

impl RuleArgs {
    /// Whether workloads are learned and judged.
    pub(crate) const fn profiling(&self) -> Profiling {
        if self.no_profiles || self.compat.is_some() { Profiling::Off } else { Profiling::On }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Falco 0.45.
    Falco,
}

impl Compat {
    /// Who is followed.
    pub(crate) const fn semantics(self) -> Semantics {
        match self {
            Self::Falco => Semantics::Falco,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleMatching {
    /// Every rule that matches.
    All,
    /// The first that matches ends the evaluation of an event.
    First,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// Tapes to judge instead of watching this machine.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Take audit records from KIND:TARGET as well; may be repeated.
    ///
    /// `files:PATH` (a file or a folder), `sqs:URL` or `s3:BUCKET/PREFIX` (CloudTrail in S3) or
    /// `kubernetes:ADDRESS:PORT` (an audit webhook), then options after commas; docs/intake.md
    /// lists them all. A comma that belongs to a value is
    /// written twice.
    #[arg(long, value_name = "KIND:TARGET,OPTION=VALUE", conflicts_with = "files")]
    pub(crate) source: Vec<SourceSpec>,
    /// Do not watch this machine, only what `--source` brings.
    #[arg(long, requires = "source")]
    pub(crate) no_sensor: bool,
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    /// Where stories are kept [default: /var/lib/clew as root, else ~/.local/share/clew].
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Address of the page; only loopback addresses are taken.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7373")]
    pub(crate) listen: SocketAddr,
    /// Also record everything that the sensor sees to this tape.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Send findings and stories to KIND:TARGET as well; may be repeated.
    ///
    /// `stdout`, `file:PATH`, `syslog`, `syslog:unix:PATH`, `syslog:udp:HOST:PORT`,
    /// `syslog:tcp:HOST:PORT`, `program:COMMAND` (gets each line on its standard input) or
    /// `http:URL`; then options after commas: `format=falco|clew|ocsf`, `priority=warning` (the
    /// least urgent one that is sent), `only=findings|stories`, `timeout=SECONDS`; for programs
    /// `keep=yes`, for HTTP `ca=PATH`, `header=NAME: VALUE` and `header=NAME: @PATH` of a file
    /// that holds the value. A comma that belongs to a value is written twice.
    #[arg(long, value_name = "KIND:TARGET,OPTION=VALUE")]
    pub(crate) output: Vec<OutputSpec>,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RecordArgs {
    /// The tape to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    /// Stop after this many seconds; else at an interrupt.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    /// Tapes; several are merged in event time.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}
