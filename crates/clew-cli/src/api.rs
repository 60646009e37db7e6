//! `clew api`: how APIs are used, as it was learned from their requests.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args as ClapArgs, Subcommand};
use clew_engine::{Engine, Output, Settings, State};
use clew_event::Text;
use clew_event::text::escaped;
use clew_rules::RuleSet;
use clew_store::StoreReader;
use serde_json::{Value, json};

use crate::Exit;
use crate::print::{self, Form};
use crate::replay::Tapes;

#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommand {
    /// Print the APIs that were learned: workload, host, and what is known of each.
    List {
        #[command(flatten)]
        learned: LearnedArgs,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Print an OpenAPI 3.1 document for each API, one a line with `--json`.
    Openapi {
        #[command(flatten)]
        learned: LearnedArgs,
        /// Print each document in one line.
        #[arg(long)]
        json: bool,
    },
}

/// Which APIs, and where they were learned.
#[derive(Debug, ClapArgs)]
pub(crate) struct LearnedArgs {
    /// Only the APIs of this workload.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Only the APIs of this host.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// State folder of `clew run`, as it was kept last; a run that goes on keeps it each minute.
    #[arg(long, value_name = "DIR", required_unless_present = "files")]
    state: Option<PathBuf>,
    /// Tapes and logs to learn from, after what `--state` holds.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Tells what was learned of APIs. The answer is no where none was.
pub(crate) fn api(command: &ApiCommand) -> Result<Exit> {
    let (ApiCommand::List { learned, json } | ApiCommand::Openapi { learned, json }) = command;
    let Some(engine) = engine(learned)? else { return Ok(Exit::BadInput) };
    let apis = engine.apis();
    let is_wanted = |given: &Option<String>, name: &Text| {
        given.as_ref().is_none_or(|given| given.as_bytes() == name.as_bytes())
    };
    let known = apis.known().into_iter().filter(|(workload, host)| {
        is_wanted(&learned.workload, workload) && is_wanted(&learned.host, host)
    });
    let (mut out, mut exit) = (BufWriter::new(io::stdout().lock()), Exit::No);
    for (workload, host) in known {
        exit = Exit::Done;
        let document = apis.openapi(&workload, &host);
        match command {
            ApiCommand::List { .. } if *json => {
                writeln!(out, "{}", line(&workload, &host, &document))?;
            }
            ApiCommand::List { .. } => {
                let [endpoints, requests] = sums(&document);
                let [workload, host] = [&workload, &host].map(|name| escaped(name.as_bytes()));
                writeln!(out, "{workload}  {host}  {endpoints} endpoints, {requests} requests")?;
            }
            ApiCommand::Openapi { .. } if *json => writeln!(out, "{document}")?,
            ApiCommand::Openapi { .. } => writeln!(out, "{document:#}")?,
        }
    }
    out.flush()?;
    if exit == Exit::No {
        eprintln!("clew: no such API was learned");
    }
    Ok(exit)
}

/// An engine that learned from the state and then from the files; `None` where no file could be
/// read.
fn engine(args: &LearnedArgs) -> Result<Option<Engine>> {
    let snapshot = match &args.state {
        Some(folder) => StoreReader::open(folder)
            .and_then(|store| store.load_snapshot())
            .with_context(|| format!("cannot read the state in `{}`", folder.display()))?,
        None => None,
    };
    let mut engine = match snapshot {
        Some(snapshot) => Engine::resume(RuleSet::default(), State::read(&snapshot)?),
        None => Engine::new(RuleSet::default(), Settings::default()),
    };
    let mut tapes = Tapes::open(&args.files);
    let mut output = Output::default();
    for item in tapes.by_ref() {
        match item {
            Ok(event) => {
                engine.step(&event, &mut output);
                output.clear();
            }
            Err(complaint) => print::complaint(&mut io::stderr(), Form::Human, &complaint)?,
        }
    }
    let is_readable = args.files.is_empty() || tapes.is_any_readable;
    Ok(is_readable.then_some(engine))
}

fn line(workload: &Text, host: &Text, document: &Value) -> Value {
    let [endpoints, requests] = sums(document);
    json!({
        "type": "api",
        "workload": workload,
        "host": host,
        "endpoints": endpoints,
        "requests": requests,
    })
}

/// Methods on templates, and all requests of the API, those without a template too.
fn sums(document: &Value) -> [u64; 2] {
    let paths = document.get("paths").and_then(Value::as_object);
    let methods = paths.into_iter().flat_map(|paths| paths.values()).filter_map(Value::as_object);
    let requests = document.pointer("/info/x-clew-requests").and_then(Value::as_u64);
    [methods.map(|of_path| of_path.len() as u64).sum(), requests.unwrap_or_default()]
}
