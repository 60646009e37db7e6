//! A call that its log tells in parts is one finding.

use std::error::Error;

use clew_engine::{Engine, Output, Settings};
use clew_event::Semantics;
use clew_rules::{Options, SourceFile, load};
use clew_testkit::scenario;

const RULE: &str = "
- rule: command
  desc: a command was run in a pod
  condition: ka.target.subresource = exec and not ka.stage = RequestReceived
  output: '%ka.stage'
  priority: WARNING
  source: k8s_audit
";

/// A command as an API server tells it: when it begins, and when it has ended.
fn parts() -> String {
    let part = |stage: &str| {
        format!(
            "kubernetes get resource=pods/exec namespace=shop name=web code=101 stage={stage} \
             record.auditID=a-1 record.requestReceivedTimestamp=2026-01-01T00:00:00Z"
        )
    };
    ["RequestReceived", "ResponseStarted", "ResponseComplete"].map(part).join("\n")
}

fn outputs(semantics: Semantics) -> Result<Vec<String>, Box<dyn Error>> {
    let file = SourceFile { name: "rules.yaml".into(), text: RULE.into() };
    let loaded = load(&[file], &Options { semantics, ..Options::default() });
    assert_eq!(loaded.diagnostics, []);
    let mut engine = Engine::new(loaded.rules, Settings::default());
    let mut output = Output::default();
    for event in scenario::events(&parts())? {
        engine.step(&event, &mut output);
    }
    Ok(output.findings.into_iter().map(|finding| finding.output).collect())
}

#[test]
fn a_command_is_told_when_it_begins_and_not_again_when_it_ends() -> Result<(), Box<dyn Error>> {
    assert_eq!(outputs(Semantics::Clew)?, ["ResponseStarted"]);
    Ok(())
}

#[test]
fn falco_tells_both_parts() -> Result<(), Box<dyn Error>> {
    assert_eq!(outputs(Semantics::Falco)?, ["ResponseStarted", "ResponseComplete"]);
    Ok(())
}
