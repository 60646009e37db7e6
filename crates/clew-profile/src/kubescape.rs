//! Reads Kubescape's `ApplicationProfile` and `NetworkNeighborhood`: what they allow is declared.
//!
//! Forms: version `v1beta1` of `spdx.softwarecomposition.kubescape.io`, as
//! `kubectl get … -o json` prints it. Of the fields `execs`, `opens`, `ingress` and `egress` are
//! taken; capabilities and system calls are not behavior that Clew judges by name. In a path `⋯`
//! stands for one part and `*` for all that follows.

use clew_event::Text;
use serde_json::Value;

use crate::behavior;
use crate::class::Class;
use crate::declared::{ANY, Declared};
use crate::item::{KeyBuilder, REST};
use crate::peer;

/// How the version of Kubescape's documents begins.
const API: &str = "spdx.softwarecomposition.kubescape.io/";
/// Stands for one part in Kubescape's paths.
pub(crate) const ONE: &str = "\u{22ef}";
/// Stands for all that follows.
pub(crate) const ALL: &str = "*";

/// Why a document could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KubescapeError {
    /// It is something else.
    #[error(
        "`{kind}` is no `ApplicationProfile` or `NetworkNeighborhood` of Kubescape: take what \
         `kubectl get applicationprofile NAME -o json` prints"
    )]
    Kind {
        /// What it says it is.
        kind: String,
    },
    /// It names no workload or no containers.
    #[error("the document has no `{field}`")]
    Field {
        /// What is missing.
        field: &'static str,
    },
}

/// True where a document says it is one of Kubescape's.
#[must_use]
pub fn is_one(document: &Value) -> bool {
    document["apiVersion"].as_str().is_some_and(|version| version.starts_with(API))
}

/// What a document declares, by workload: each container is one.
///
/// # Errors
/// [`KubescapeError`] where it is another document, or cut.
pub fn read(document: &Value) -> Result<Vec<(Text, Declared)>, KubescapeError> {
    let kind = document["kind"].as_str().unwrap_or_default();
    let is_known = matches!(kind, "ApplicationProfile" | "NetworkNeighborhood");
    if !is_known || !is_one(document) {
        return Err(KubescapeError::Kind { kind: kind.to_owned() });
    }
    let (metadata, spec) = (&document["metadata"], &document["spec"]);
    let labels = &metadata["labels"];
    let of = |label: &str, field: &str| {
        labels[label].as_str().or_else(|| metadata[field].as_str()).unwrap_or_default().to_owned()
    };
    let namespace = of("kubescape.io/workload-namespace", "namespace");
    let name = of("kubescape.io/workload-name", "name");
    if name.is_empty() {
        return Err(KubescapeError::Field { field: "metadata.name" });
    }
    let mut declared = Vec::new();
    for field in ["containers", "initContainers", "ephemeralContainers"] {
        for container in elements(&spec[field]) {
            let container_name = container["name"].as_str().unwrap_or_default();
            let workload = workload(&namespace, &name, container_name);
            declared.push((workload, of_container(container)));
        }
    }
    if declared.is_empty() {
        return Err(KubescapeError::Field { field: "spec.containers" });
    }
    Ok(declared)
}

/// As a pod's container is called; one that is alone in what has its name goes by that.
fn workload(namespace: &str, name: &str, container: &str) -> Text {
    let parts = [namespace, name, if container == name { "" } else { container }];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/").into()
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    elements(list).filter_map(Value::as_str)
}

fn of_container(container: &Value) -> Declared {
    let mut declared = Declared::default();
    let mut key = KeyBuilder::default();
    for exec in elements(&container["execs"]) {
        key.begin(Class::Exec, b"", "");
        key.part(exec["path"].as_str().unwrap_or_default().as_bytes());
        let mut arguments = texts(&exec["args"]).skip(1).peekable();
        if arguments.peek().is_none() && exec["args"].is_null() {
            key.word(REST);
        }
        arguments.for_each(|argument| part(&mut key, argument));
        declared.add(key.key().0);
    }
    for open in elements(&container["opens"]) {
        let path = open["path"].as_str().unwrap_or_default();
        for how in accesses(&open["flags"]) {
            of_open(&mut key, path, how);
            declared.add(key.key().0);
        }
    }
    for (field, how) in [("egress", "to"), ("ingress", "from")] {
        for neighbor in elements(&container[field]) {
            of_neighbor(&mut declared, &mut key, neighbor, how);
        }
    }
    declared
}

fn part(key: &mut KeyBuilder, part: &str) {
    match part {
        ONE => key.word(ANY),
        ALL => key.word(REST),
        part => match crate::shape::drawn(part.as_bytes()) {
            Some(shaped) => key.word(&shaped),
            None => key.part(part.as_bytes()),
        },
    };
}

/// `O_RDWR` says both.
fn accesses(flags: &Value) -> Vec<&'static str> {
    let has = |wanted: &[&str]| texts(flags).any(|flag| wanted.contains(&flag));
    let writes = has(&["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"]);
    let reads = !writes || has(&["O_RDONLY", "O_RDWR"]);
    [(reads, "read"), (writes, "write")].into_iter().filter(|it| it.0).map(|it| it.1).collect()
}

fn of_open(key: &mut KeyBuilder, path: &str, how: &str) {
    key.begin(Class::File, b"", how);
    let parts = path.split('/').filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let kept = if how == "read" { behavior::system_depth(path.as_bytes()) } else { None };
    parts.iter().take(kept.unwrap_or(usize::MAX)).for_each(|it| part(key, it));
    if kept.is_some() && parts.last() != Some(&ALL) {
        key.word(REST);
    }
}

fn of_neighbor(declared: &mut Declared, key: &mut KeyBuilder, neighbor: &Value, how: &str) {
    let address = neighbor["ipAddress"].as_str().unwrap_or_default();
    let network = match address.parse() {
        Ok(address) => peer::network(address),
        Err(_) => address.to_owned(),
    };
    let names = texts(&neighbor["dnsNames"]).chain(neighbor["dns"].as_str());
    let names = names.map(|name| name.trim_end_matches('.')).filter(|name| !name.is_empty());
    let names = names.map(|name| peer::registrable(name.as_bytes()));
    let mut peers: Vec<&[u8]> = names.collect();
    if !network.is_empty() {
        peers.push(network.as_bytes());
    }
    for port in elements(&neighbor["ports"]) {
        let protocol = port["protocol"].as_str().unwrap_or("TCP").to_lowercase();
        let number = port["port"].as_u64().unwrap_or_default().to_string();
        let mut declare = |peer: Option<&[u8]>| {
            key.begin(Class::Network, b"", how).word(&protocol).word(&number);
            match peer {
                Some(peer) => key.part(peer),
                None => key.word(ANY),
            };
            declared.add(key.key().0);
        };
        // Who comes in is told apart by where it lies alone, and a selector names no address.
        if peers.is_empty() || how == "from" {
            declare(None);
        }
        peers.iter().for_each(|peer| declare(Some(peer)));
    }
    for name in peers.iter().filter(|peer| peer.iter().any(u8::is_ascii_alphabetic)) {
        key.begin(Class::Dns, b"", "").part(name);
        declared.add(key.key().0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::item::Item;

    fn document() -> Value {
        json!({
            "apiVersion": "spdx.softwarecomposition.kubescape.io/v1beta1",
            "kind": "ApplicationProfile",
            "metadata": {
                "name": "replicaset-web-5d9f", "namespace": "shop",
                "labels": {"kubescape.io/workload-name": "web", "kubescape.io/workload-namespace": "shop"},
            },
            "spec": {"containers": [{
                "name": "server",
                "execs": [{"path": "/bin/sh", "args": ["/bin/sh", "-c", "\u{22ef}"]}],
                "opens": [
                    {"path": "/srv/\u{22ef}/a.js", "flags": ["O_RDONLY", "O_CLOEXEC"]},
                    {"path": "/usr/lib/x/libc.so.6", "flags": ["O_RDONLY"]},
                    {"path": "/var/log/*", "flags": ["O_WRONLY", "O_CREAT"]},
                ],
                "egress": [{
                    "dnsNames": ["db.example.org."], "ipAddress": "203.0.113.9",
                    "ports": [{"name": "TCP-5432", "protocol": "TCP", "port": 5432}],
                }],
            }]},
        })
    }

    #[test]
    fn what_a_document_allows_is_covered_and_nothing_else() {
        let read = read(&document()).unwrap();
        let [(workload, declared)] = &read[..] else { panic!("{read:?}") };
        assert_eq!(*workload, Text::from("shop/web/server"));
        let covers = |key: &str| declared.covers(&Item::of_key(key).expect("a key"));
        for key in [
            "exec\tnode\t\t/bin/sh\t-c\tls",
            "file\tnode\tread\tsrv\tx\ta.js",
            "file\tnode\tread\tusr\tlib\tx\t{**}",
            "file\tnode\twrite\tvar\tlog\tweb\t{number}",
            "network\tnode\tto\ttcp\t5432\texample.org",
            "network\tnode\tto\ttcp\t5432\t203.0.113.0/24",
            "dns\tnode\t\texample.org",
        ] {
            assert!(covers(key), "{key}: {declared:?}");
        }
        for key in [
            "exec\tnode\t\t/bin/sh",
            "exec\tnode\tdropped\t/bin/sh\t-c\tls",
            "file\tnode\twrite\tsrv\tx\ta.js",
            "file\tnode\tread\tvar\tlog\tweb",
            "network\tnode\tto\ttcp\t443\texample.org",
        ] {
            assert!(!covers(key), "{key}");
        }
    }

    #[test]
    fn what_is_no_document_of_kubescape_is_named() {
        let mut other = document();
        other["kind"] = "Deployment".into();
        assert_eq!(read(&other), Err(KubescapeError::Kind { kind: "Deployment".into() }));
        let mut cut = document();
        cut["spec"] = Value::Null;
        assert_eq!(read(&cut), Err(KubescapeError::Field { field: "spec.containers" }));
        cut["metadata"] = Value::Null;
        assert_eq!(read(&cut), Err(KubescapeError::Field { field: "metadata.name" }));
        assert!(!is_one(&json!({"apiVersion": "v1"})) && !is_one(&Value::Null));
    }
}
