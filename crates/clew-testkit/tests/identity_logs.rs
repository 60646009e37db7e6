//! Lineage over recorded logs: what was handed out and used is tied, whatever the order.
//!
//! Which pairs there are is read from the raw JSON here, apart from the decoders. The logs are in
//! the shared data, looked for under `$CLEW_SHARED` or in `shared/` beside the repository; where
//! they are absent, the tests say so and prove nothing.
#![allow(clippy::print_stderr, reason = "what was proved and what was not is for people")]
#![allow(clippy::unwrap_used, reason = "a test that finds its data out of shape must fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clew_context::Context;
use clew_context::identity::binding::Relation;
use clew_context::identity::key::{Identity, IdentityKind};
use clew_context::identity::lineage::Lineage;
use clew_decode::api_log;
use clew_event::{Event, TimestampNs};
use serde_json::Value;

/// The folder or file of that name in the shared data.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    let path = root.join("data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent, so nothing was proved", path.display());
    None
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json" || end == "jsonl"));
    files.sort();
    files
}

fn events(files: &[PathBuf]) -> Vec<Event> {
    let read = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        api_log::decode(&file.display().to_string(), &bytes).events
    };
    files.iter().flat_map(read).collect()
}

/// Every record of a file: one a line, an array, or under `Records`.
fn records(file: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let whole = serde_json::from_str::<Value>(&text);
    let values = match whole {
        Ok(value) => vec![value],
        Err(_) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    };
    let members = |value: Value| match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove("Records").or(object.remove("items")) {
            Some(Value::Array(items)) => items,
            Some(_) | None => vec![Value::Object(object)],
        },
        _ => Vec::new(),
    };
    values.into_iter().flat_map(members).collect()
}

/// Keys that a record hands out and another one uses, each with the key that asked for it (empty
/// where a service did).
fn pairs(records: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("").to_owned();
    let key = |record: &Value| text(record.pointer("/userIdentity/accessKeyId"));
    let used: BTreeSet<String> = records.iter().map(key).collect();
    let mut pairs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in records {
        for place in ["credentials", "accessKey"] {
            let made = record.pointer(&format!("/responseElements/{place}/accessKeyId"));
            let made = text(made);
            if !made.is_empty() && used.contains(&made) {
                pairs.entry(made).or_default().insert(key(record));
            }
        }
    }
    pairs
}

fn after(events: &[Event]) -> Context {
    let mut context = Context::default();
    events.iter().for_each(|event| context.observe(event));
    context
}

/// The same events in another order, the same for each seed.
fn shuffled(events: &[Event], seed: u64) -> Vec<Event> {
    let mut events = events.to_vec();
    let mut state = seed;
    for place in (1..events.len()).rev() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap() % (place + 1);
        events.swap(place, other);
    }
    events
}

fn lineage(context: &Context, name: &str) -> Lineage {
    let identities = context.identities();
    let found = identities.find(name).unwrap();
    let time = identities.last_used(&found).unwrap_or_default();
    identities.lineage(&found, time).unwrap()
}

fn minted_by(context: &Context, name: &str) -> Vec<Identity> {
    let of = Identity::new(IdentityKind::Credential, name);
    let links = lineage(context, name).ancestors.into_iter();
    links
        .filter(|link| link.relation == Relation::Minted && link.child == of)
        .map(|link| link.parent)
        .collect()
}

#[test]
fn every_key_that_was_handed_out_and_used_is_tied_in_any_order() {
    let sets = ["invictus-aws", "stratus-red-team", "app-layer/cloud-chain"];
    let folders: Vec<_> = sets.iter().filter_map(|set| shared(set)).collect();
    let files: Vec<_> = folders.iter().flat_map(|folder| logs(folder)).collect();
    if files.is_empty() {
        return;
    }
    let records: Vec<Value> = files.iter().flat_map(records).collect();
    let (pairs, events) = (pairs(&records), events(&files));
    assert!(!pairs.is_empty());
    let context = after(&events);
    for (made, askers) in &pairs {
        let parents = minted_by(&context, made);
        for asker in askers {
            let is_tied = parents.iter().any(|parent| match asker.as_str() {
                "" => parent.kind != IdentityKind::Credential,
                asker => parent.name == asker.into(),
            });
            assert!(is_tied, "{made} was asked for with `{asker}`: {parents:?}");
        }
    }
    let names: BTreeSet<&str> = pairs
        .iter()
        .flat_map(|(made, askers)| {
            std::iter::once(made).chain(askers.iter().filter(|asker| !asker.is_empty()))
        })
        .map(String::as_str)
        .collect();
    for seed in 1..=3 {
        let other = after(&shuffled(&events, seed));
        for name in &names {
            assert_eq!(lineage(&other, name), lineage(&context, name), "seed {seed}");
        }
    }
    let identities = context.identities();
    eprintln!(
        "{} records, {} identities, {} keys handed out and used: all tied, in 4 orders",
        events.len(),
        identities.len(),
        pairs.len()
    );
}

#[test]
fn a_token_that_was_issued_is_tied_to_its_use() {
    let Some(folder) = shared("k8s-audit-1.36") else { return };
    let events = events(&logs(&folder));
    let raw: Vec<Value> = records(&folder.join("attack-events.jsonl"));
    let of = |record: &Value, place: &str| {
        record.pointer(place).and_then(Value::as_str).map(ToOwned::to_owned)
    };
    let issued_at = "/annotations/authentication.kubernetes.io~1issued-credential-id";
    let used_at = "/user/extra/authentication.kubernetes.io~1credential-id/0";
    let used: BTreeSet<_> = raw.iter().filter_map(|record| of(record, used_at)).collect();
    let pairs: Vec<_> = raw
        .iter()
        .filter_map(|record| {
            // Whoever asked with a certificate or a static token shows no credential.
            let by = of(record, used_at).or_else(|| of(record, "/user/username"))?;
            Some((of(record, issued_at)?, by))
        })
        .filter(|(issued, _)| used.contains(issued))
        .collect();
    assert!(!pairs.is_empty());
    for seed in 0..3 {
        let context = after(&shuffled(&events, seed));
        for (issued, by) in &pairs {
            let parents = minted_by(&context, issued);
            assert!(parents.iter().any(|parent| parent.name == by.as_str().into()), "{parents:?}");
        }
    }
    eprintln!("{} records, {} tokens issued and used: all tied", events.len(), pairs.len());
}

#[test]
fn the_key_of_a_stolen_role_leads_to_the_instance() {
    let Some(folder) = shared("stratus-red-team") else { return };
    let file = folder.join("aws.credential-access.ec2-steal-instance-credentials.json");
    let context = after(&events(std::slice::from_ref(&file)));
    let records = records(&file);
    let stolen = records.iter().find_map(|record| {
        record.pointer("/userIdentity/sessionContext/ec2RoleDelivery")?;
        record.pointer("/userIdentity/accessKeyId")?.as_str()
    });
    let of = Identity::new(IdentityKind::Credential, stolen.unwrap());
    let root = context.identities().root_of(&of, TimestampNs::default());
    assert_eq!(root.kind, IdentityKind::Instance);
    eprintln!("{of} leads to {root}");
}
