//! What each workload normally does, learned as counted facts, with a stated chance that the next
//! behavior is new.
//!
//! Reading order: [`class`] and [`item`] (what is learned), [`behavior`] and `peer` (what an event
//! says), [`scene`] and [`mod@unit`] (whose it is, and when), [`record`] and `items` (counts), `shape`
//! and `tree` (which parts are holes), [`estimate`] and [`learning`] (when it is learned),
//! [`prior`] and [`judge`] (how strange a new item is), [`profile`], [`workload`] (releases),
//! [`profiles`] (all of it), `taught` (what a story takes back), [`waivers`],
//! [`declared`], [`portable`], [`kubescape`], [`export`].
//!
//! Invariant: every count can be added to that of another node in any order, and a unit's share
//! can be taken back; no table grows beyond its `…_MAX`; time comes from events alone.
#![forbid(unsafe_code)]

pub mod behavior;
pub mod class;
pub mod declared;
pub mod estimate;
pub mod export;
pub mod item;
mod items;
pub mod judge;
pub mod kubescape;
pub mod learning;
pub mod novelty;
mod peer;
pub mod phases;
pub mod portable;
pub mod prior;
pub mod profile;
pub mod profiles;
pub mod record;
pub mod scene;
mod shape;
mod taught;
mod tree;
pub mod unit;
pub mod waivers;
pub mod workload;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Serialize, Serializer};

pub use class::Class;
pub use item::{Item, KeyBuilder};
pub use novelty::Novelty;
pub use profile::Profile;
pub use profiles::Profiles;
pub use workload::Workload;

/// Writes a map in the order of its keys, so that equal states are equal bytes.
fn sorted<K: Ord + Serialize, V: Serialize, S: Serializer>(
    map: &FxHashMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    map.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
}

/// The same of a set.
fn sorted_set<K: Ord + Serialize, S: Serializer>(
    set: &FxHashSet<K>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    set.iter().collect::<BTreeSet<_>>().serialize(serializer)
}
