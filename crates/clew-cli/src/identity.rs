//! `clew identity`: where a credential, session, workload or person comes from, with the evidence.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use clew_context::Context;
use clew_context::identity::key::Identity;
use clew_context::identity::lineage::{Evidence, Lineage, Link};
use clew_engine::State;
use clew_event::TimestampNs;
use clew_store::StoreReader;
use serde_json::{Value, json};

use crate::Exit;
use crate::print::{self, Form};
use crate::replay::Tapes;

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Print where an identity comes from and what came of it.
    ///
    /// Exits with 1 where no record tells of it.
    Show {
        /// Access key id, token id (`JTI=…`), ARN, user, `namespace/name` or uid of a pod, instance
        /// id, …
        #[arg(value_name = "KEY")]
        key: String,
        /// Tapes, captures and audit logs, as for `clew replay`.
        #[arg(value_name = "FILE", required_unless_present = "state")]
        files: Vec<PathBuf>,
        /// What a `clew run` that keeps its state in this folder knew when it last wrote it; a
        /// running one writes each minute.
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Works with identities.
pub(crate) fn identity(command: &IdentityCommand) -> Result<Exit> {
    let IdentityCommand::Show { key, files, state, json } = command;
    let mut context = match state {
        Some(folder) => kept(folder)?,
        None => Context::default(),
    };
    let mut latest = TimestampNs::default();
    let mut tapes = Tapes::open(files);
    for item in tapes.by_ref() {
        match item {
            Ok(event) => {
                latest = latest.max(event.time);
                context.observe(&event);
            }
            Err(complaint) => print::complaint(&mut io::stderr(), Form::Human, &complaint)?,
        }
    }
    if !files.is_empty() && !tapes.is_any_readable {
        return Ok(Exit::BadInput);
    }
    let identities = context.identities();
    let found = identities.find(key);
    let lineage = found.and_then(|found| {
        // A credential is shown as it was when it was used last, not when the files end.
        let time = identities.last_used(&found).unwrap_or(latest);
        identities.lineage(&found, time)
    });
    let Some(lineage) = lineage else {
        eprintln!(
            "clew: no record tells of `{}`: {} identities are known from there",
            clew_event::text::escaped(key.as_bytes()),
            identities.len()
        );
        return Ok(Exit::No);
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if *json {
        serde_json::to_writer(&mut out, &as_json(&lineage))?;
        writeln!(out)?;
    } else {
        human(&mut out, &lineage)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// What the state in a folder knows.
fn kept(folder: &Path) -> Result<Context> {
    let at = || format!("cannot read the state in `{}`", folder.display());
    let store = StoreReader::open(folder).with_context(at)?;
    let snapshot = store.load_snapshot().with_context(at)?;
    let snapshot = snapshot.with_context(|| {
        format!("`clew run` has written no state in `{}` yet", folder.display())
    })?;
    Ok(State::read(&snapshot).with_context(at)?.into_context())
}

fn as_json(lineage: &Lineage) -> Value {
    let named = |of: &Identity| json!({"kind": of.kind.name(), "name": of.name});
    let evidence = |of: &Evidence| json!({"event": of.event, "time": of.time.to_string()});
    let link = |link: &Link| {
        json!({
            "generation": link.generation,
            "child": named(&link.child),
            "relation": link.relation.name(),
            "parent": named(&link.parent),
            "class": link.class.name(),
            "first": evidence(&link.first),
            "last": evidence(&link.last),
            "count": link.count,
            "until": link.until.map(|until| until.to_string()),
            "valid": link.is_valid,
        })
    };
    json!({
        "type": "identity",
        "identity": named(&lineage.of),
        "root": named(&lineage.root),
        "ancestors": lineage.ancestors.iter().map(link).collect::<Vec<_>>(),
        "descendants": lineage.descendants.iter().map(link).collect::<Vec<_>>(),
        "links_dropped": lineage.links_dropped,
    })
}

fn human(out: &mut impl Write, lineage: &Lineage) -> io::Result<()> {
    writeln!(out, "{}", lineage.of)?;
    writeln!(out, "root: {}", lineage.root)?;
    let both = [
        ("comes from", &lineage.ancestors, false),
        ("what came of it", &lineage.descendants, true),
    ];
    for (title, links, is_down) in both {
        if !links.is_empty() {
            writeln!(out, "\n{title}")?;
        }
        for link in links {
            let indent = link.generation * 2;
            let relation = link.relation.name();
            if is_down {
                writeln!(out, "{:indent$}{} ({relation} {})", "", link.child, link.parent)?;
            } else {
                writeln!(out, "{:indent$}{relation} {}", "", link.parent)?;
            }
            let proof = proof(link);
            writeln!(out, "{:indent$}  {proof}", "")?;
        }
    }
    if 0 < lineage.links_dropped {
        writeln!(out, "\n{} more are not shown", lineage.links_dropped)?;
    }
    Ok(())
}

/// The records that prove a binding, in one line.
fn proof(link: &Link) -> String {
    let records = if link.count == 1 { "record" } else { "records" };
    let mut text = format!(
        "{}, {} {records}: {} {}",
        link.class.name(),
        link.count,
        link.first.time,
        link.first.event
    );
    if link.first != link.last {
        text.push_str(&format!(" to {} {}", link.last.time, link.last.event));
    }
    if let Some(until) = link.until {
        text.push_str(&format!(", ends {until}"));
    }
    if !link.is_valid {
        text.push_str(", not valid then");
    }
    text
}
