//! What the user chooses beside the files: rules switched on and off, additions to outputs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod common;

use clew_rules::{
    AppendOutput, Loaded, Options, RuleIndex, Selection, Selector, SourceFile, Status, load,
};
use common::Fields;
use serde_json::{Value, json};

const RULES: &str = "
- rule: Shell
  condition: evt.type = execve and proc.name = sh
  output: shell
  desc: d
  priority: info
  tags: [process, T1059]
- rule: Off by its file
  condition: evt.type = execve and proc.name = id
  output: id
  desc: d
  priority: info
  enabled: false
- rule: Pod
  condition: ka.verb = create
  output: pod
  desc: d
  priority: info
  source: k8s_audit
";

fn loaded(options: &Options) -> Loaded {
    load(&[SourceFile { name: "rules.yaml".into(), text: RULES.into() }], options)
}

fn statuses(selection: &[(bool, Selector)]) -> Vec<Status> {
    let entry = |(is_enabled, selector): &(bool, Selector)| Selection {
        is_enabled: *is_enabled,
        selector: selector.clone(),
    };
    let selection = selection.iter().map(entry).collect();
    let loaded = loaded(&Options { selection, ..Options::default() });
    loaded.facts.iter().take(2).map(|facts| facts.status).collect()
}

#[test]
fn rules_are_switched_in_order_whatever_their_files_say() {
    let name = |name: &str| Selector::Name(name.to_owned());
    let tag = |tag: &str| Selector::Tag(tag.to_owned());
    assert_eq!(statuses(&[]), [Status::Runs, Status::Disabled]);
    assert_eq!(statuses(&[(true, name("Off*"))]), [Status::Runs, Status::Runs]);
    assert_eq!(statuses(&[(false, tag("process"))]), [Status::Disabled, Status::Disabled]);
    let all_but_one = [(false, name("*")), (true, tag("T1059"))];
    assert_eq!(statuses(&all_but_one), [Status::Runs, Status::Disabled]);
}

fn output(append: AppendOutput) -> (String, Value, usize) {
    let loaded = loaded(&Options { append_output: vec![append], ..Options::default() });
    let event = Fields::default().with_text("proc.name", "sh").with_text("container.id", "c1");
    let output = loaded.rules.output(RuleIndex(0), &event);
    let warned = loaded.diagnostics.iter().filter(|d| d.message.starts_with("cannot add")).count();
    (output.text, json!(output.fields), warned)
}

#[test]
fn text_and_fields_are_added_to_the_outputs_of_rules_that_fit() {
    let text = || AppendOutput { text: "by %proc.name".into(), ..AppendOutput::default() };
    let for_system_calls = AppendOutput { source: "syscall".into(), ..text() };
    assert_eq!(output(for_system_calls), ("shell by sh".into(), json!({"proc.name": "sh"}), 0));
    let for_source = AppendOutput { source: "okta".into(), ..text() };
    assert_eq!(output(for_source), ("shell".into(), json!({}), 0));
    let for_rule = AppendOutput { rule: "Shell".into(), tags: vec!["T1059".into()], ..text() };
    assert_eq!(output(for_rule).0, "shell by sh");
    let for_more_tags = AppendOutput { tags: vec!["T1059".into(), "x".into()], ..text() };
    assert_eq!(output(for_more_tags).0, "shell");

    let fields = vec![
        ("who".to_owned(), Some("<%proc.name>".to_owned())),
        ("container.id".to_owned(), None),
    ];
    let carried = AppendOutput { source: "syscall".into(), fields, ..AppendOutput::default() };
    assert_eq!(output(carried), ("shell".into(), json!({"who": "<sh>", "container.id": "c1"}), 0));
}

#[test]
fn what_the_original_suggests_names_container_and_pod() {
    let suggested = AppendOutput { is_suggested: true, ..AppendOutput::default() };
    let (text, fields, _) = output(suggested);
    assert_eq!(
        text,
        "shell container_id=c1 container_name=<NA> container_image_repository=<NA> \
         container_image_tag=<NA> k8s_pod_name=<NA> k8s_ns_name=<NA>"
    );
    assert_eq!(fields.as_object().unwrap().len(), 6);
}

#[test]
fn an_addition_that_is_wrong_costs_itself_and_not_the_rule_and_is_told_once() {
    let wrong = AppendOutput { text: "%ka.verb".into(), ..AppendOutput::default() };
    assert_eq!(output(wrong), ("shell".into(), json!({}), 1));
}

#[test]
fn facts_say_where_a_rule_stands_and_what_it_lacks() {
    let loaded = loaded(&Options::default());
    let shell = &loaded.facts[0];
    assert_eq!((shell.file.as_str(), shell.line), ("rules.yaml", 2));
    assert_eq!((shell.techniques.as_slice(), shell.missing.len()), (&["T1059".to_owned()][..], 0));
    let pod = &loaded.facts[2];
    if pod.status == Status::NotRunnable {
        assert_eq!(pod.missing, ["ka.verb"]);
    }
}
