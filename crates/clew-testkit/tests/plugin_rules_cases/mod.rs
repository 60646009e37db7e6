//! Where the cases are, what they change in the rules, and judging them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clew_context::Context;
use clew_decode::api_log;
use clew_rules::{Loaded, Options, RuleSet, SourceFile, load};

mod made_up;

pub(crate) use made_up::{CLOUDTRAIL, GITHUB, OKTA};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The folder of shared data, where it has `folder`; says on stderr why a test is skipped without.
#[allow(clippy::disallowed_methods, reason = "a test is told by the environment where data lies")]
pub(crate) fn shared(folder: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from).join("data");
    if data.join(folder).is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no {folder} under {}; set CLEW_SHARED to have it run", data.display());
    None
}

pub(crate) fn rule_file(data: &Path, name: &str) -> Outcome<SourceFile> {
    let text = fs::read_to_string(data.join("falco-rules/plugins").join(name))?;
    Ok(SourceFile { name: name.into(), text })
}

pub(crate) fn load_rules(files: Vec<SourceFile>, includes_disabled: bool) -> Loaded {
    let loaded = load(&files, &Options { includes_disabled, ..Options::default() });
    assert_eq!(loaded.error_count(), 0, "{:#?}", loaded.diagnostics);
    loaded
}

/// How often each rule finds something in a file.
pub(crate) fn found(rules: &mut RuleSet, name: &str, file: &[u8]) -> BTreeMap<String, usize> {
    let decoded = api_log::decode(name, file);
    let mut context = Context::default();
    let (mut found, mut matches) = (BTreeMap::new(), Vec::new());
    for event in &decoded.events {
        context.observe(event);
        let view = context.view(event);
        matches.clear();
        rules.judge(event.event_type, event.source(), &view, &mut matches);
        for rule in matches.iter().filter_map(|&index| rules.rule(index)) {
            *found.entry(rule.name.clone()).or_default() += 1;
        }
    }
    found
}

/// One of Falco's regression tests.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Name of the file of records.
    pub(crate) trace: String,
    /// Names of the rule files, of which all but the main one change a few lists or macros.
    rule_files: Vec<String>,
    /// The rule that finds something, and how often; `None` where nothing is found.
    pub(crate) expected: Option<(String, usize)>,
}

/// What the rule files of the tests change, in our words, by the names that lists have today.
const CHANGES: [(&str, &str); 8] = [
    ("k8s_audit_rules", ""),
    ("engine_v4_k8s_audit_rules", ""),
    (
        "allow_namespace_foo",
        "- list: allowed_namespaces\n  items: [foo]\n  override: {items: append}\n",
    ),
    (
        "allow_user_some-user",
        "- list: allowed_k8s_users\n  items: [some-user]\n  override: {items: append}\n",
    ),
    (
        "allow_nginx_container",
        "- macro: allowed_k8s_containers\n  condition: (ka.req.pod.containers.image.repository in (nginx))\n",
    ),
    (
        "allow_only_apache_container",
        "- macro: allowed_k8s_containers\n  condition: (ka.req.container.image.repository = apache)\n",
    ),
    (
        "disallow_kactivity",
        "- macro: consider_activity_events\n  condition: (not jevt.rawtime exists)\n",
    ),
    (
        "trust_nginx_container",
        "- list: k8s_audit_privileged_images\n  items: [nginx]\n  override: {items: append}\n\
         - list: k8s_audit_sensitive_mount_images\n  items: [nginx]\n  override: {items: append}\n\
         - list: k8s_audit_hostnetwork_images\n  items: [nginx]\n  override: {items: append}\n",
    ),
];

const POINTER_RULE: &str = "\
- rule: json_pointer_example
  desc: a slash in a name is written as ~1
  condition: >
    jevt.value[/annotations/authorization.k8s.io~1decision] exists
    and not jevt.value[/a~1~0b] exists
  output: o
  priority: WARNING
  source: k8s_audit
";

/// Rules that were split since the tests were written: what the labels call them, and the part
/// that the records are about.
const RENAMED: [(&str, &str); 4] = [
    ("K8s Role/Clusterrole Created", "K8s ClusterRole Created"),
    ("K8s Role/Clusterrole Deleted", "K8s ClusterRole Deleted"),
    ("K8s Role/Clusterrolebinding Created", "K8s ClusterRoleBinding Created"),
    ("K8s Role/Clusterrolebinding Deleted", "K8s ClusterRoleBinding Deleted"),
];

impl Case {
    /// The main rule file as it is today, then what the case changes in it.
    pub(crate) fn rules(&self, data: &Path) -> Outcome<Vec<SourceFile>> {
        if self.rule_files == ["single_rule_with_json_pointer"] {
            return Ok(vec![SourceFile { name: "pointer".into(), text: POINTER_RULE.into() }]);
        }
        let mut files = vec![rule_file(data, super::KUBERNETES_RULES)?];
        for name in self.rule_files.iter().filter(|name| *name != "falco_rules") {
            let (_, text) = CHANGES
                .iter()
                .find(|(known, _)| known == name)
                .ok_or_else(|| format!("`{name}` of {} is not known", self.name))?;
            files.push(SourceFile { name: name.clone(), text: (*text).into() });
        }
        Ok(files)
    }
}

/// The cases as Falco's test description lists them.
pub(crate) fn kubernetes_cases(data: &Path) -> Outcome<Vec<Case>> {
    let text = fs::read_to_string(data.join("falco-k8saudit/LABELS-falco_k8s_audit_tests.yaml"))?;
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_name {
            let name = line.trim().trim_end_matches(':').to_owned();
            cases.push(Case { name, ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        let line = line.trim();
        if let Some((_, trace)) = line.split_once("open_params=trace_files/k8s_audit/") {
            case.trace = trace.into();
        } else if let Some(path) = line.strip_prefix("- ").filter(|item| item.ends_with(".yaml")) {
            let stem = Path::new(path).file_stem().unwrap_or_default();
            case.rule_files.push(stem.to_string_lossy().into_owned());
        } else if let Some((rule, count)) =
            line.strip_prefix("- ").and_then(|item| item.rsplit_once(": "))
        {
            let renamed = RENAMED.iter().find(|(old, _)| *old == rule).map_or(rule, |(_, new)| new);
            case.expected = Some((renamed.to_owned(), count.parse()?));
        }
    }
    Ok(cases)
}
