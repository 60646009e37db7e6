//! Who takes part in a story: its processes with their parents, and everything it is about.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::finding::{Entity, EntityKind, ProcessFacts};
use clew_event::text::escaped;
use clew_event::{Finding, ProcessKey};

use crate::forest::Node;
use crate::tie::Via;

/// Entities that a story names; 256 steps rarely touch more.
pub(crate) const ENTITIES_MAX: usize = 512;
/// Processes that a story draws.
pub(crate) const PROCESSES_MAX: usize = 512;

/// The processes of the steps, each with its parent where that is among them.
#[derive(Debug, Default)]
pub(crate) struct Cast {
    /// Parents before children, brothers by age.
    pub(crate) processes: Vec<ProcessFacts>,
    pub(crate) parents: Vec<Option<ProcessKey>>,
}

/// Who did the steps, and the ancestors that lead from them to the parent of the root's process.
pub(crate) fn cast(steps: &[&Node], root_parent: Option<ProcessKey>) -> Cast {
    let mut anchors = anchors(steps);
    anchors.extend(root_parent);
    let mut facts: BTreeMap<ProcessKey, &ProcessFacts> = BTreeMap::new();
    let mut parents: BTreeMap<ProcessKey, ProcessKey> = BTreeMap::new();
    for node in steps {
        let lineage = &node.finding.subject.lineage;
        // Who acted in a step is told as it was in its first step: a shell that later becomes
        // another program is shown as the shell that began.
        if let Some(process) = lineage.first()
            && facts.len() < PROCESSES_MAX
        {
            facts.entry(process.key).or_insert(process);
        }
    }
    for node in steps {
        let lineage = &node.finding.subject.lineage;
        let last = lineage.iter().rposition(|process| anchors.contains(&process.key));
        let shown = lineage.get(..=last.unwrap_or(0)).unwrap_or_default();
        for process in shown {
            if facts.len() < PROCESSES_MAX {
                facts.entry(process.key).or_insert(process);
            }
        }
        for pair in shown.windows(2) {
            if let [child, parent] = pair {
                parents.entry(child.key).or_insert(parent.key);
            }
        }
    }
    parents.retain(|child, parent| facts.contains_key(child) && facts.contains_key(parent));
    arrange(&facts, &parents)
}

/// The processes up to which a step's ancestors are of interest.
fn anchors(steps: &[&Node]) -> BTreeSet<ProcessKey> {
    let mut anchors = BTreeSet::new();
    for node in steps {
        let lineage = &node.finding.subject.lineage;
        let ancestor = match node.parent.as_ref().map(|tie| tie.via) {
            Some(Via::Process { ancestor, .. }) => Some(ancestor),
            // The first of a line: its parent says where the line came from.
            Some(_) | None => lineage.get(1).map(|parent| parent.key),
        };
        anchors.extend(ancestor);
        anchors.extend(lineage.first().map(|process| process.key));
    }
    anchors
}

/// Depth first from the processes without a parent.
fn arrange(
    facts: &BTreeMap<ProcessKey, &ProcessFacts>,
    parents: &BTreeMap<ProcessKey, ProcessKey>,
) -> Cast {
    let by_age = |key: &ProcessKey| (facts.get(key).map(|facts| facts.started), *key);
    let mut children: BTreeMap<Option<ProcessKey>, Vec<ProcessKey>> = BTreeMap::new();
    for key in facts.keys() {
        children.entry(parents.get(key).copied()).or_default().push(*key);
    }
    for brothers in children.values_mut() {
        // Reversed, for the last pushed is the first popped.
        brothers.sort_by_key(|key| std::cmp::Reverse(by_age(key)));
    }
    let mut cast = Cast::default();
    let mut pending = children.remove(&None).unwrap_or_default();
    while let Some(key) = pending.pop() {
        cast.processes.extend(facts.get(&key).map(|&facts| facts.clone()));
        cast.parents.push(parents.get(&key).copied());
        pending.extend(children.remove(&Some(key)).unwrap_or_default());
    }
    debug_assert_eq!(cast.processes.len(), cast.parents.len());
    cast
}

/// Everything that the findings are about, in order of kind and id, each once.
pub(crate) fn entities(findings: &[&Finding]) -> Vec<Entity> {
    let mut found: BTreeMap<(EntityKind, String), String> = BTreeMap::new();
    let mut add = |kind, id: String, name: String| {
        if !id.is_empty() && found.len() < ENTITIES_MAX {
            let known = found.entry((kind, id)).or_default();
            if known.is_empty() {
                *known = name;
            }
        }
    };
    for finding in findings {
        let subject = &finding.subject;
        if let Some(process) = subject.lineage.first() {
            add(EntityKind::Process, process.key.to_string(), process.name.to_string());
        }
        if let Some(container) = &subject.container {
            add(
                EntityKind::Container,
                escaped(container.id.0.as_bytes()),
                container.name.to_string(),
            );
            let image = container.image.to_string();
            add(EntityKind::Image, image.clone(), image);
        }
        for (kind, text) in [(EntityKind::File, &subject.file), (EntityKind::Peer, &subject.peer)] {
            add(kind, text.to_string(), text.to_string());
        }
        let hostname = escaped(finding.hostname.as_bytes());
        add(EntityKind::Node, hostname.clone(), hostname);
        for entity in &finding.entities {
            add(entity.kind, entity.id.clone(), entity.name.clone());
        }
    }
    found.into_iter().map(|((kind, id), name)| Entity { kind, id, name }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::Forest;
    use crate::sample::{Sample, process};

    #[test]
    fn draws_at_most_processes_max_and_names_at_most_entities_max() {
        let mut forest = Forest::default();
        let handles: Vec<_> = (0..600_u32)
            .map(|n| {
                let lineage = [process(2 * n + 2, "x", "x", 1), process(2 * n + 3, "y", "y", 0)];
                forest.insert(Sample::new("a", 1).lineage(&lineage).at(u64::from(n)).finding())
            })
            .collect();
        let steps: Vec<&Node> =
            handles.iter().map(|&handle| forest.node(handle).unwrap()).collect();
        let cast = cast(&steps, None);
        assert_eq!(cast.processes.len(), PROCESSES_MAX);
        assert_eq!(cast.parents.len(), PROCESSES_MAX);
        let findings: Vec<_> = steps.iter().map(|node| &node.finding).collect();
        assert_eq!(entities(&findings).len(), ENTITIES_MAX);
    }

    #[test]
    fn parents_stand_before_their_children_and_brothers_by_age() {
        let (server, sh) = (process(1, "server", "", 0), process(9, "sh", "", 10));
        let child = |pid, ms| [process(pid, "x", "", ms), sh.clone(), server.clone()];
        let mut forest = Forest::default();
        let lineages = [child(5, 30), child(7, 20)];
        let handles = lineages
            .map(|lineage| forest.insert(Sample::new("a", 1).lineage(&lineage).at(40).finding()));
        let steps: Vec<&Node> =
            handles.iter().map(|&handle| forest.node(handle).unwrap()).collect();
        let cast = cast(&steps, Some(server.key));
        let pids: Vec<_> = cast.processes.iter().map(|facts| facts.key.pid).collect();
        assert_eq!(pids, [1, 9, 7, 5]);
        let parents: Vec<_> = cast.parents.iter().map(|key| key.map(|key| key.pid)).collect();
        assert_eq!(parents, [None, Some(1), Some(9), Some(9)]);
    }
}
