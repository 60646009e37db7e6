//! `clew doctor`: what Clew can see here, what it is blind to, and how to mend that.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::Exit;
use crate::args::{DoctorArgs, RuleArgs};
use crate::engine;
use crate::print::{self, Form};

/// How long a container runtime may take to answer.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    /// The sensor's tier that needs it; empty where it is more general.
    tier: &'static str,
    is_available: bool,
    /// True where Clew cannot watch the machine at all without it.
    is_needed: bool,
    /// What was found.
    reason: String,
    /// What to do; empty where nothing is to be done.
    fix: String,
}

/// One thing that cannot be seen here.
#[derive(Debug, Serialize)]
struct BlindSpot {
    sentence: String,
}

/// Looks at everything and says what it found.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit> {
    let form = Form::of_flag(args.json);
    let mut out = io::stdout().lock();
    let (checks, blind_spots) = checks();
    for check in &checks {
        match form {
            Form::Json => print::json_line(&mut out, "check", check)?,
            Form::Human => {
                let mark = match (check.is_available, check.is_needed) {
                    (true, _) => "ok     ",
                    (false, true) => "MISSING",
                    (false, false) => "absent ",
                };
                writeln!(out, "{mark}  {:<28} {}", check.name, check.reason)?;
                if !check.fix.is_empty() {
                    writeln!(out, "{:>9}{:<28} {}", "", "", check.fix)?;
                }
            }
        }
    }
    for sentence in blind_spots {
        match form {
            Form::Json => print::json_line(&mut out, "blind_spot", &BlindSpot { sentence })?,
            Form::Human => writeln!(out, "blind    {sentence}")?,
        }
    }
    let is_able = checks.iter().all(|check| check.is_available || !check.is_needed);
    if form == Form::Human && !is_able {
        writeln!(out, "Clew cannot watch this machine yet; it can replay tapes.")?;
    }
    Ok(if is_able { Exit::Done } else { Exit::Unable })
}

/// What was looked at, and what cannot be seen.
fn checks() -> (Vec<Check>, Vec<String>) {
    let found = clew_sensor::probe();
    let sensor = found.capabilities.into_iter().map(|capability| Check {
        name: capability.name,
        tier: capability.tier,
        is_available: capability.is_available,
        is_needed: capability.is_needed,
        reason: capability.reason,
        fix: capability.fix,
    });
    let runtimes =
        clew_sensor::containers::probe(RUNTIME_PATIENCE).into_iter().map(|runtime| Check {
            name: runtime.name,
            tier: "",
            is_available: runtime.is_available,
            is_needed: false,
            reason: runtime.reason,
            fix: runtime.fix,
        });
    (sensor.chain(runtimes).chain([left_out()]).collect(), found.blind_spots)
}

/// What the rules that come with Clew let the sensor leave in the kernel.
fn left_out() -> Check {
    let left_out = engine::rules(&RuleArgs::default())
        .map(|rules| {
            clew_sensor::left_out(&clew_engine::interest::of_rules(&rules, clew_engine::Appsec::On))
        })
        .unwrap_or_default();
    let reason = if left_out.is_empty() {
        "all calls of interest are handed up".to_owned()
    } else {
        format!("no rule that comes with Clew reads {}", left_out.join(", "))
    };
    Check {
        tier: "T0s",
        name: "calls left in the kernel".to_owned(),
        is_available: true,
        is_needed: false,
        reason,
        fix: String::new(),
    }
}
