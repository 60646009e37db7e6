//! Alerts in the JSON that consumers of Falco know (falcosidekick and others).

use clew_event::TimestampNs;
use serde_json::Value;

use crate::{Output, Rule};

/// The alert of a match: `hostname`, `output`, `output_fields`, `priority`, `rule`, `source`,
/// `tags`, `time`, as Falco writes it with `json_output`.
#[must_use]
pub fn falco_json(rule: &Rule, output: &Output, hostname: &str, time: TimestampNs) -> Value {
    let _ = (rule, output, hostname, time);
    Value::Null
}
