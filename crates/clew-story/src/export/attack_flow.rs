//! A story as an Attack Flow: a STIX 2.1 bundle with MITRE's extension of version 2.0.
//!
//! Types and properties as the extension's schema 2.0.0 has them (Center for Threat-Informed
//! Defense, Apache-2.0). A step is an `attack-action`, a tie an `effect_refs` from cause to effect
//! and a `relationship` back that carries bits and evidence, an entity an `attack-asset`. Ids are
//! made from the story's (UUIDs of version 5), so that the same revision gives the same bundle and
//! a later one replaces it.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::finding::{Entity, EntityKind, ProcessFacts};
use clew_event::story::Step;
use clew_event::{FindingId, ProcessKey, Story, TimestampNs};
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use crate::attack::{Technique, technique};

/// The extension, and who made it, as the project publishes them.
const EXTENSION: &str = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4";
const EXTENSION_AUTHOR: &str = "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c";
const EXTENSION_TIME: &str = "2022-08-02T19:34:35.143Z";
const EXTENSION_SCHEMA: &str = "https://center-for-threat-informed-defense.github.io/attack-flow/stix/attack-flow-schema-2.0.0.json";

/// Namespace of the ids: the version 5 UUID of `urn:clew:story` in RFC 9562's namespace of URLs.
const NAMESPACE: [u8; 16] = 0x0156_e8de_b0d0_5a46_b8b3_c86f_c396_228d_u128.to_be_bytes();

/// The bundle of a story.
#[must_use]
pub fn attack_flow(story: &Story) -> Value {
    let maker = Maker::new(story);
    let mut objects = vec![extension(), extension_author(), maker.author()];
    objects.push(maker.flow());
    let mut named: BTreeSet<usize> = BTreeSet::new();
    for step in &story.steps {
        objects.push(maker.action(step, &mut named));
    }
    for step in &story.steps {
        objects.extend(maker.tie(step));
    }
    let commands: BTreeSet<ProcessKey> =
        story.steps.iter().filter_map(|step| step.process).collect();
    let commands = story.processes.iter().filter(|process| commands.contains(&process.key));
    objects.extend(commands.map(|process| maker.process(process)));
    for (index, entity) in maker.assets.iter().enumerate() {
        objects.push(maker.asset(entity));
        // What no sentence names is still part of the flow.
        if !named.contains(&index) {
            objects.push(maker.part(entity));
        }
    }
    let revision = format!("revision {}", story.revision);
    json!({ "type": "bundle", "id": maker.id("bundle", &revision), "objects": objects })
}

fn extension() -> Value {
    json!({
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": EXTENSION,
        "created_by_ref": EXTENSION_AUTHOR,
        "created": EXTENSION_TIME,
        "modified": EXTENSION_TIME,
        "name": "Attack Flow",
        "description": "Extends STIX 2.1 with features to create Attack Flows.",
        "schema": EXTENSION_SCHEMA,
        "version": "2.0.0",
        "extension_types": ["new-sdo"],
    })
}

fn extension_author() -> Value {
    json!({
        "type": "identity",
        "spec_version": "2.1",
        "id": EXTENSION_AUTHOR,
        "created_by_ref": EXTENSION_AUTHOR,
        "created": EXTENSION_TIME,
        "modified": EXTENSION_TIME,
        "name": "MITRE Center for Threat-Informed Defense",
        "identity_class": "organization",
    })
}

/// Makes the objects of one story.
struct Maker<'a> {
    story: &'a Story,
    /// Effects of each listed step.
    effects: BTreeMap<FindingId, Vec<FindingId>>,
    /// Entities that are more than a process.
    assets: Vec<&'a Entity>,
    created: String,
    modified: String,
}

impl<'a> Maker<'a> {
    fn new(story: &'a Story) -> Self {
        let listed: BTreeSet<FindingId> = story.steps.iter().map(|step| step.finding).collect();
        let mut effects: BTreeMap<FindingId, Vec<FindingId>> = BTreeMap::new();
        for step in &story.steps {
            let cause = step.edge.as_ref().map(|edge| edge.from);
            if let Some(cause) = cause.filter(|from| listed.contains(from)) {
                effects.entry(cause).or_default().push(step.finding);
            }
        }
        let assets = story.entities.iter().filter(|it| it.kind != EntityKind::Process).collect();
        // A later revision has to be a later version, also where its last event is the same one.
        let (first, last) = story.span;
        let revision_ns = u64::from(story.revision).saturating_mul(1_000_000);
        let last = TimestampNs::from_unix_ns(last.unix_ns().saturating_add(revision_ns));
        Self { story, effects, assets, created: first.to_string(), modified: last.to_string() }
    }

    /// An id of this type for what `name` says.
    fn id(&self, kind: &str, name: &str) -> String {
        let name = format!("{}\n{kind}\n{name}", self.story.id);
        format!("{kind}--{}", uuid_v5(NAMESPACE, name.as_bytes()))
    }

    fn author_id(&self) -> String {
        self.id("identity", "Clew")
    }

    /// What every object of this story begins with.
    fn object(&self, kind: &str, id: String, more: Value) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("type".into(), kind.into());
        object.insert("spec_version".into(), "2.1".into());
        object.insert("id".into(), id.into());
        object.insert("created_by_ref".into(), self.author_id().into());
        object.insert("created".into(), self.created.clone().into());
        object.insert("modified".into(), self.modified.clone().into());
        if let Value::Object(more) = more {
            object.extend(more);
        }
        if kind.starts_with("attack-") {
            object
                .insert("extensions".into(), json!({ EXTENSION: { "extension_type": "new-sdo" } }));
        }
        object
    }

    fn author(&self) -> Value {
        let more = json!({ "name": "Clew", "identity_class": "system" });
        Value::Object(self.object("identity", self.author_id(), more))
    }

    fn flow_id(&self) -> String {
        self.id("attack-flow", "flow")
    }

    fn flow(&self) -> Value {
        let caused: BTreeSet<&FindingId> = self.effects.values().flatten().collect();
        let starts = self.story.steps.iter().filter(|step| !caused.contains(&step.finding));
        let starts: Vec<String> = starts.map(|step| self.action_id(step.finding)).collect();
        let Story { title, narrative, .. } = self.story;
        let more = json!({
            "name": title,
            "description": narrative,
            "scope": "incident",
            "start_refs": starts,
        });
        Value::Object(self.object("attack-flow", self.flow_id(), more))
    }

    fn action_id(&self, finding: FindingId) -> String {
        self.id("attack-action", &finding.to_string())
    }

    fn action(&self, step: &Step, named: &mut BTreeSet<usize>) -> Value {
        let known = step.techniques.iter().find_map(|id| technique(id));
        let more = json!({
            "name": known.map_or_else(|| step.rule.clone(), name),
            "description": step.sentence,
            "execution_start": step.time.to_string(),
            "external_references": references(step),
        });
        let mut object = self.object("attack-action", self.action_id(step.finding), more);
        if let Some(found) = known {
            object.insert("technique_id".into(), found.id.into());
            object.insert("tactic_id".into(), found.tactic.id().into());
        }
        let is_told = |key: &ProcessKey| self.story.processes.iter().any(|it| it.key == *key);
        if let Some(key) = step.process.filter(is_told) {
            object.insert("command_ref".into(), self.process_id(key).into());
        }
        let mut refs = |name: &str, ids: Vec<String>| {
            if !ids.is_empty() {
                object.insert(name.into(), ids.into());
            }
        };
        let effects = self.effects.get(&step.finding).into_iter().flatten();
        refs("effect_refs", effects.map(|finding| self.action_id(*finding)).collect());
        let assets = self.assets.iter().enumerate().filter(|(_, asset)| names(step, asset));
        let assets = assets.map(|(index, asset)| {
            named.insert(index);
            self.asset_id(asset)
        });
        refs("asset_refs", assets.collect());
        Value::Object(object)
    }

    /// The evidence of a tie, from the effect to its cause.
    fn tie(&self, step: &Step) -> Option<Value> {
        let edge = step.edge.as_ref()?;
        self.effects.get(&edge.from).filter(|effects| effects.contains(&step.finding))?;
        let events: Vec<Value> = edge.events.iter().map(event_reference).collect();
        let bits = format!("{:.1} bits, class {:?}, {}", edge.bits, edge.class, edge.kind);
        let more = json!({
            "relationship_type": "related-to",
            "description": format!("{} ({bits})", edge.sentence),
            "source_ref": self.action_id(step.finding),
            "target_ref": self.action_id(edge.from),
        });
        let id = self.id("relationship", &format!("{} {}", edge.from, step.finding));
        let mut object = self.object("relationship", id, more);
        if !events.is_empty() {
            object.insert("external_references".into(), events.into());
        }
        Some(Value::Object(object))
    }

    fn process_id(&self, key: ProcessKey) -> String {
        self.id("process", &key.to_string())
    }

    fn process(&self, facts: &ProcessFacts) -> Value {
        let line = if facts.command_line.is_empty() { &facts.name } else { &facts.command_line };
        json!({
            "type": "process",
            "spec_version": "2.1",
            "id": self.process_id(facts.key),
            "pid": facts.key.pid,
            "command_line": line.to_string(),
            "created_time": facts.started.to_string(),
        })
    }

    fn asset_id(&self, entity: &Entity) -> String {
        self.id("attack-asset", &format!("{:?} {}", entity.kind, entity.id))
    }

    fn asset(&self, entity: &Entity) -> Value {
        let name = if entity.name.is_empty() { &entity.id } else { &entity.name };
        let description = format!("{:?} {}", entity.kind, entity.id);
        let more = json!({ "name": name, "description": description });
        Value::Object(self.object("attack-asset", self.asset_id(entity), more))
    }

    fn part(&self, entity: &Entity) -> Value {
        let asset = self.asset_id(entity);
        let more = json!({
            "relationship_type": "related-to",
            "source_ref": asset,
            "target_ref": self.flow_id(),
        });
        Value::Object(self.object("relationship", self.id("relationship", &asset), more))
    }
}

/// A UUID of version 5 (RFC 9562, section 5.5): the same name always has the same one.
fn uuid_v5(namespace: [u8; 16], name: &[u8]) -> String {
    let digest = Sha1::new().chain_update(namespace).chain_update(name).finalize();
    let number = digest.iter().take(16).fold(0_u128, |it, byte| it << 8 | u128::from(*byte));
    let number = number & !(0xf << 76 | 0x3 << 62) | 0x5 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| hex.get(part).unwrap_or_default()).join("-")
}

/// True where the step's sentence names the entity in back-ticks.
fn names(step: &Step, entity: &Entity) -> bool {
    let quoted = |name: &str| !name.is_empty() && step.sentence.contains(&format!("`{name}`"));
    quoted(&entity.name) || quoted(&entity.id)
}

fn name(technique: &Technique) -> String {
    let parent =
        technique.id.split_once('.').and_then(|(parent, _)| crate::attack::technique(parent));
    match parent {
        Some(parent) => format!("{}: {}", parent.name, technique.name),
        None => technique.name.to_owned(),
    }
}

fn references(step: &Step) -> Vec<Value> {
    let techniques = step.techniques.iter();
    let techniques =
        techniques.map(|id| json!({ "source_name": "mitre-attack", "external_id": id }));
    let finding = json!({ "source_name": "clew-finding", "external_id": step.finding.to_string() });
    techniques.chain([finding, event_reference(&step.event)]).collect()
}

fn event_reference(event: &impl ToString) -> Value {
    json!({ "source_name": "clew-event", "external_id": event.to_string() })
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::export::tests::story;

    fn ids(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(id) if name.ends_with("_ref") => found.push(id.clone()),
                        Value::Array(all) if name.ends_with("_refs") => {
                            found
                                .extend(all.iter().filter_map(|id| id.as_str().map(str::to_owned)));
                        }
                        other => ids(other, found),
                    }
                }
            }
            Value::Array(all) => all.iter().for_each(|value| ids(value, found)),
            _ => {}
        }
    }

    /// As other makers of such ids have it.
    #[test]
    fn an_id_is_a_uuid_of_version_5() {
        let of_urls = 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8_u128.to_be_bytes();
        assert_eq!(uuid_v5(of_urls, b"urn:clew:story"), "0156e8de-b0d0-5a46-b8b3-c86fc396228d");
        assert_eq!(uuid_v5(NAMESPACE, b"a"), "b6d73f3b-cc21-5ca0-a2da-5c12fe67f924");
    }

    #[test]
    fn a_story_is_an_attack_flow() {
        let bundle = serde_json::to_string_pretty(&attack_flow(&story())).unwrap() + "\n";
        expect_file!["attack_flow.json"].assert_eq(&bundle);
    }

    /// The properties that the schema of Attack Flow 2.0 and STIX 2.1 require.
    #[test]
    fn what_the_schema_requires_is_there_and_every_reference_leads_somewhere() {
        let mut unlisted = story();
        unlisted.steps.remove(0);
        for story in [story(), unlisted] {
            let bundle = attack_flow(&story);
            let objects = bundle["objects"].as_array().unwrap();
            let known: BTreeSet<&str> = objects.iter().filter_map(|it| it["id"].as_str()).collect();
            assert_eq!(known.len(), objects.len(), "every id once");
            let mut refs = Vec::new();
            ids(&bundle, &mut refs);
            assert!(!refs.is_empty());
            refs.iter().for_each(|id| assert!(known.contains(id.as_str()), "{id}"));
            for object in objects {
                let kind = object["type"].as_str().unwrap();
                assert!(object["id"].as_str().unwrap().starts_with(&format!("{kind}--")));
                assert_eq!(object["spec_version"], "2.1");
                let required: &[&str] = match kind {
                    "attack-flow" => &["name", "scope", "start_refs", "extensions", "created"],
                    "attack-action" | "attack-asset" => &["name", "extensions", "modified"],
                    "relationship" => &["relationship_type", "source_ref", "target_ref"],
                    "process" => &["command_line"],
                    "identity" => &["name", "created"],
                    "extension-definition" => &["schema", "version", "extension_types"],
                    other => panic!("{other} is no type of an attack flow"),
                };
                required.iter().for_each(|name| assert!(!object[name].is_null(), "{kind} {name}"));
                let lists =
                    object.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_refs"));
                lists.for_each(|(_, list)| assert!(!list.as_array().unwrap().is_empty()));
            }
        }
    }

    #[test]
    fn a_later_revision_is_a_later_version_of_the_same_objects() {
        let (first, mut later) = (attack_flow(&story()), story());
        later.revision += 1;
        let later = attack_flow(&later);
        let flow = |bundle: &Value| bundle["objects"][3].clone();
        assert_eq!(flow(&first)["id"], flow(&later)["id"]);
        assert!(flow(&first)["modified"].as_str() < flow(&later)["modified"].as_str());
        assert_ne!(first["id"], later["id"]);
    }
}
