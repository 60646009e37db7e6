//! What Clew takes over of a Falco configuration, and what it says of the rest.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use clew_event::Priority;
use clew_rules::falco_config::{ConfigError, FalcoConfig, continuations};
use clew_rules::{AppendOutput, Matching, Selection, Selector, SourceFile};

const MAIN: &str = "\
# Where rules are.
config_files:
  - /etc/falco/config.d
  - path: ${DIR}/mine.yaml
    strategy: add-only
rules_files:
  - /etc/falco/falco_rules.yaml
  - ${DIR}/rules.d
priority: info
rule_matching: all
json_output: true
json_include_tags_property: false
rules:
  - disable:
      rule: \"*\"
  - enable: {tag: network}
append_output:
  - suggested_output: true
  - match: {source: syscall, tags: [T1059], rule: Shell}
    extra_output: by %proc.name
    extra_fields:
      - evt.hostname
      - home: \"${HOME} and $${HOME}\"
grpc:
  enabled: false
http_output:
  enabled: true
  url: http://a/?b=1,2
engin: x
";

fn environment(name: &str) -> Option<String> {
    (name == "DIR").then(|| "/opt".to_owned())
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.into(), text: text.into() }
}

fn read(texts: &[&str]) -> Result<FalcoConfig, ConfigError> {
    let files: Vec<SourceFile> = texts.iter().map(|text| file("falco.yaml", text)).collect();
    FalcoConfig::read(&files, &environment)
}

#[test]
fn rules_their_selection_and_additions_are_taken_over() {
    let config = read(&[MAIN]).unwrap();
    assert_eq!(config.rules_files, ["/etc/falco/falco_rules.yaml", "/opt/rules.d"]);
    assert_eq!(config.priority_min, Priority::Informational);
    assert_eq!(config.matching, Matching::All);
    let entry = |is_enabled, selector| Selection { is_enabled, selector };
    let all = Selector::Name("*".into());
    let network = Selector::Tag("network".into());
    assert_eq!(config.selection, [entry(false, all), entry(true, network)]);
    let suggested = AppendOutput { is_suggested: true, ..AppendOutput::default() };
    let text = AppendOutput {
        source: "syscall".into(),
        rule: "Shell".into(),
        tags: vec!["T1059".into()],
        text: "by %proc.name".into(),
        fields: vec![("evt.hostname".into(), None), ("home".into(), Some(" and ${HOME}".into()))],
        is_suggested: false,
    };
    assert_eq!(config.append_output, [suggested, text]);
}

#[test]
fn every_key_is_told_with_what_became_of_it() {
    let config = read(&[MAIN]).unwrap();
    let note = |key: &str| {
        let note = config.notes.iter().find(|note| note.key == key).unwrap();
        (note.line, note.is_taken, note.reason.as_str())
    };
    assert_eq!(config.notes.len(), 11);
    assert_eq!(note("rules_files"), (6, true, "rule files and directories, in order"));
    assert_eq!(note("grpc"), (24, true, "it is off there, too"));
    let option = "say it with `clew run --output 'http:http://a/?b=1,,2,format=falco'`";
    assert_eq!(note("http_output"), (26, false, option));
    let shape = "outputs with `format=falco` have the shape of Falco's defaults";
    assert_eq!(note("json_include_tags_property"), (12, false, shape));
    assert_eq!(note("engin"), (29, false, "Falco has no such key that Clew knows of"));
}

#[test]
fn continuations_add_to_lists_and_replace_the_rest() {
    let named = continuations(&file("falco.yaml", MAIN), &environment).unwrap();
    assert_eq!(named, ["/etc/falco/config.d", "/opt/mine.yaml"]);
    let config = read(&[MAIN, "rules_files: [/more.yaml]\npriority: error\n"]).unwrap();
    assert_eq!(config.rules_files.len(), 3);
    assert_eq!(config.priority_min, Priority::Error);
}

#[test]
fn what_is_not_said_is_as_in_the_original() {
    let config = read(&["rules_file: /a.yaml\n"]).unwrap();
    assert_eq!(config.rules_files, ["/a.yaml"]);
    assert_eq!((config.matching, config.priority_min), (Matching::First, Priority::Debug));
    assert_eq!(read(&[""]).unwrap(), FalcoConfig::default());
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let check = |text: &str, told: &str| {
        assert_eq!(read(&[text]).unwrap_err().to_string(), told);
    };
    check(
        "- rule: x\n",
        "falco.yaml:1: a configuration has to be a mapping of keys; is this a rule file?",
    );
    check("x\n", "falco.yaml:1: a configuration has to be a mapping of keys");
    check("a: 1\npriority: loud\n", "falco.yaml:2: `loud` is no priority");
    check("rule_matching: some\n", "falco.yaml:1: `rule_matching` is `some`, not `first` or `all`");
    let suggested = "append_output:\n- suggested_output: 7\n";
    check(suggested, "falco.yaml:2: `7` is not `true` or `false`");
    check(
        "rules:\n- off: {tag: x}\n",
        "falco.yaml:2: write `- enable:` or `- disable:` with `rule: NAME` or `tag: NAME`",
    );
    check("append_output:\n- extra: x\n", "falco.yaml:2: no such key of `append_output`");
    assert!(read(&["a: [\n"]).unwrap_err().reason.starts_with("this is not YAML"));
}
