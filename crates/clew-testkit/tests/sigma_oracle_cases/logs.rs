//! The recorded logs and the rules of SigmaHQ that are about them.

use std::fs;
use std::path::{Path, PathBuf};

use clew_event::control_plane::ApiSource;
use serde_json::Value;

use super::{Places, Rule};

/// The folder or file of that name in the shared data.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    let path = root.join("data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent, so nothing was proved", path.display());
    None
}

/// Every file below, in order.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path, end) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|it| it == end))
        .collect();
    found.sort();
    found
}

/// Rules by the product and service of their log source.
pub(crate) fn rules(folder: &Path, of: &[(&str, &str)]) -> Vec<Rule> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let yaml: Value = yaml_serde::from_str(&text).ok()?;
        let part = |name: &str| yaml["logsource"][name].as_str().unwrap_or("").to_owned();
        let (product, service) = (part("product"), part("service"));
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        of.contains(&(&*product, &*service)).then_some(Rule { name, text })
    };
    files(folder, "yml").into_iter().filter_map(read).collect()
}

/// Every record of a file: one a line, an array, or under `Records`, `items` or `event`.
fn records(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let values = match serde_json::from_str::<Value>(&text) {
        Ok(value) => vec![value],
        Err(_) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    };
    values.into_iter().flat_map(unpacked).collect()
}

fn unpacked(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(mut object) => {
            let inner =
                ["Records", "items", "body", "event"].iter().find_map(|it| object.remove(*it));
            match inner {
                Some(inner) => unpacked(inner),
                None => vec![Value::Object(object)],
            }
        }
        _ => Vec::new(),
    }
}

/// A log: where it lies, which rules are about it, and what their fields are called in it.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) source: ApiSource,
    pub(crate) paths: &'static [&'static str],
    pub(crate) rules: &'static [(&'static str, &'static str)],
    /// Field, and the places of it.
    named: &'static [(&'static str, &'static [&'static str])],
}

pub(crate) const LOGS: [Log; 6] = [
    Log {
        source: ApiSource::Cloudtrail,
        paths: &[
            "stratus-red-team",
            "invictus-aws",
            "panther-tests/aws_cloudtrail_rules.jsonl",
            "panther-tests/standard_rules.jsonl",
            "app-layer/cloud-chain",
        ],
        rules: &[("aws", "cloudtrail")],
        named: &[],
    },
    Log {
        source: ApiSource::KubernetesAudit,
        paths: &["k8s-audit-1.36", "falco-k8saudit", "panther-tests/kubernetes_rules.jsonl"],
        rules: &[("kubernetes", "audit")],
        named: &[
            ("apiGroup", &["objectRef.apiGroup"]),
            ("hostPath", &["requestObject.spec.volumes.hostPath"]),
            ("capabilities", &["requestObject.spec.containers.securityContext.capabilities"]),
        ],
    },
    Log {
        source: ApiSource::GcpAudit,
        paths: &["panther-tests/gcp_audit_rules.jsonl", "panther-tests/gcp_k8s_rules.jsonl"],
        rules: &[("gcp", "gcp.audit")],
        named: &[
            ("gcp.audit.method_name", &["protoPayload.methodName"]),
            ("gcp.audit.service_name", &["protoPayload.serviceName"]),
            ("gcp.audit.resource_name", &["protoPayload.resourceName"]),
            (
                "gcp.audit.authentication_info.principal_email",
                &["protoPayload.authenticationInfo.principalEmail"],
            ),
            ("data.protoPayload.resource.type", &["resource.type"]),
            ("data.protoPayload.logName", &["logName"]),
        ],
    },
    Log {
        source: ApiSource::AzureActivity,
        paths: &[
            "panther-tests/azure_activity_rules.jsonl",
            "panther-tests/azure_signin_rules.jsonl",
        ],
        rules: &[("azure", "activitylogs"), ("azure", "auditlogs")],
        named: OF_AZURE,
    },
    Log {
        source: ApiSource::EntraSignIn,
        paths: &[
            "panther-tests/azure_signin_rules.jsonl",
            "panther-tests/azure_activity_rules.jsonl",
        ],
        rules: &[("azure", "signinlogs")],
        named: OF_AZURE,
    },
    Log {
        source: ApiSource::Okta,
        paths: &["panther-tests/standard_rules.jsonl"],
        rules: &[("okta", "okta")],
        named: &[],
    },
];

const OF_AZURE: &[(&str, &[&str])] = &[
    ("operationName", &["operationName", "operationName.value", "operationNameValue"]),
    ("OperationNameValue", &["operationName", "operationName.value", "operationNameValue"]),
    ("CategoryValue", &["category", "category.value", "categoryValue"]),
    ("ResourceProviderValue", &["resourceProviderName.value", "resourceProviderValue"]),
    (
        "properties.message",
        &[
            "properties.message",
            "operationName",
            "activityDisplayName",
            "properties.activityDisplayName",
        ],
    ),
    ("ResultType", &["resultType", "properties.status.errorCode", "status.errorCode"]),
    (
        "ResultDescription",
        &["resultDescription", "properties.status.failureReason", "status.failureReason"],
    ),
    ("Username", &["properties.userPrincipalName", "userPrincipalName", "identity"]),
    ("ClientApp", &["properties.clientAppUsed", "clientAppUsed"]),
    ("ActivityDetails", &["operationName", "properties.activityDetails"]),
];

impl Log {
    /// Every record, or `None` where one of the files is absent.
    pub(crate) fn records(&self) -> Option<Vec<Value>> {
        let mut found = Vec::new();
        for path in self.paths {
            let path = shared(path)?;
            let files = match path.is_dir() {
                true => [files(&path, "json"), files(&path, "jsonl")].concat(),
                false => vec![path],
            };
            found.extend(files.iter().flat_map(|file| records(file)));
        }
        found.retain(Value::is_object);
        Some(found)
    }

    fn is_azure(&self) -> bool {
        matches!(self.source, ApiSource::AzureActivity | ApiSource::EntraSignIn)
    }

    /// The record with names as the places write them: those of Azure have no case.
    pub(crate) fn named(&self, record: &Value) -> Value {
        if self.is_azure() { lower(record) } else { record.clone() }
    }

    /// Where each field of the rules stands.
    pub(crate) fn places(&self, rules: &[Rule]) -> Places {
        let mut fields = Vec::new();
        for rule in rules {
            let yaml: Value = yaml_serde::from_str(&rule.text).unwrap();
            collect(&yaml["detection"], &mut fields);
        }
        fields.sort();
        fields.dedup();
        fields.into_iter().map(|field| (field.clone(), self.places_of(&field))).collect()
    }

    fn places_of(&self, field: &str) -> Vec<String> {
        let own = self.named.iter().find(|(name, _)| *name == field).map(|(_, places)| *places);
        let inside = format!("properties.{field}");
        let places = match (own, field.strip_prefix("properties."), field.strip_prefix("data.")) {
            (Some(places), ..) => places.to_vec(),
            (None, Some(inner), _) if self.is_azure() => vec![field, inner],
            (None, None, _) if self.is_azure() => vec![field, &inside],
            (None, _, Some(inner)) if self.source == ApiSource::GcpAudit => vec![inner],
            _ => vec![field],
        };
        let cased = |place: &str| match self.is_azure() {
            true => place.to_lowercase(),
            false => place.to_owned(),
        };
        places.into_iter().map(cased).collect()
    }
}

/// Names of fields of a detection: of every mapping below its searches.
fn collect(node: &Value, fields: &mut Vec<String>) {
    match node {
        Value::Object(members) => {
            for (name, value) in members {
                fields.push(name.split('|').next().unwrap_or_default().to_owned());
                collect(value, fields);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn lower(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_lowercase(), lower(value))).collect()
        }
        Value::Array(items) => items.iter().map(lower).collect(),
        leaf => leaf.clone(),
    }
}
