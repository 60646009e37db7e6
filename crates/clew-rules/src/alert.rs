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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{Options, RuleIndex, SourceFile, load};

    struct Nothing;

    impl clew_event::FieldSource for Nothing {
        fn field(
            &self,
            _: clew_event::FieldId,
            _: &clew_event::FieldArgument,
        ) -> clew_event::FieldValue<'_> {
            clew_event::FieldValue::Missing
        }
    }

    #[test]
    fn an_alert_has_the_shape_that_consumers_know() {
        let text = "\
- rule: Shadow read
  condition: evt.type = open
  output: Shadow read | by=%proc.name
  desc: d
  priority: WARNING
  tags: [T1003.008, container]
";
        let files = [SourceFile { name: "rules.yaml".to_owned(), text: text.to_owned() }];
        let loaded = load(&files, &Options::default());
        let output = loaded.rules.output(RuleIndex(0), &Nothing);
        let rule = loaded.rules.rule(RuleIndex(0)).unwrap();
        let time = TimestampNs::from_unix_ns(1_764_000_000_000_000_007);
        let alert = falco_json(rule, &output, "node-1", time);
        expect![[r#"
            {
              "hostname": "node-1",
              "output": "16:00:00.000000007: Warning Shadow read | by=<NA>",
              "output_fields": {
                "evt.time": 1764000000000000007,
                "proc.name": null
              },
              "priority": "Warning",
              "rule": "Shadow read",
              "source": "syscall",
              "tags": [
                "T1003.008",
                "container"
              ],
              "time": "2025-11-24T16:00:00.000000007Z"
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&alert).unwrap());
    }
}
