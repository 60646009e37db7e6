//! Alerts in the JSON that consumers of Falco know (falcosidekick and others).

use clew_event::TimestampNs;
use serde_json::{Map, Value, json};

use crate::{Output, Rule};

/// The alert of a match: `hostname`, `output`, `output_fields`, `priority`, `rule`, `source`,
/// `tags`, `time`, as Falco writes it with `json_output`.
///
/// As there, `output` starts with the time of day and the priority, and `output_fields` has the
/// time in nanoseconds as `evt.time`.
#[must_use]
pub fn falco_json(rule: &Rule, output: &Output, hostname: &str, time: TimestampNs) -> Value {
    let mut fields: Map<String, Value> = output.fields.clone().into_iter().collect();
    fields.insert("evt.time".to_owned(), Value::from(time.unix_ns()));
    let priority = rule.priority.name();
    json!({
        "hostname": hostname,
        "output": format!("{}: {priority} {}", time.time_of_day(), output.text),
        "output_fields": fields,
        "priority": priority,
        "rule": rule.name,
        "source": rule.source,
        "tags": rule.tags,
        "time": time.to_string(),
    })
}
