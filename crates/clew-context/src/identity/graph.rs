//! Identities and the bindings between them, bounded.
//!
//! Each identity is kept until a time that follows from what is known of it: a credential until
//! half an hour after it ends and 36 hours after its last use, whoever was made 90 days after it
//! was last heard of, and a parent as long as its longest child. Nothing goes before room is needed;
//! then what may go first does, of the origin that holds most, and is counted. So no clock that is
//! wrong empties the graph, and in any order of arrival the same is kept, as long as there is room.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clew_event::{Text, TimestampNs};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::binding::{Binding, Told};
use super::habits::Habits;
use super::key::{Identity, IdentityKind};
use super::origins::{self, Origins};

/// Most identities known at once: some 60 MB with their bindings and habits.
pub const IDENTITIES_MAX: usize = 131_072;
/// Most parents of one identity; few have more than four.
pub const PARENTS_MAX: usize = 8;

const HOUR_S: u64 = 3600;
/// How long whoever was made, and whoever made it, is remembered.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * HOUR_S);
/// Longest life of a session of AWS (`GetSessionToken`), where a record does not tell the end.
const LONGEST_SESSION: Duration = Duration::from_secs(36 * HOUR_S);

/// Hours since the epoch until which an identity is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct KeepUntil(u32);

impl KeepUntil {
    /// What follows from a record of `time`; `until` is the end of a credential, where known.
    pub(super) fn of(identity: &Identity, time: TimestampNs, until: Option<TimestampNs>) -> Self {
        let name = identity.name.as_bytes();
        let is_short = match identity.kind {
            // Long-lived keys of users begin so.
            IdentityKind::Credential => !name.starts_with(b"AKIA"),
            IdentityKind::Session | IdentityKind::Process | IdentityKind::Container => true,
            _ => false,
        };
        let longest = time.after(REMEMBERED);
        let end = match until {
            Some(until) => until.after(super::GRACE).min(longest),
            None if is_short => time.after(LONGEST_SESSION),
            None => longest,
        };
        let hours = end.unix_ns().div_ceil(HOUR_S * 1_000_000_000);
        Self(u32::try_from(hours).unwrap_or(u32::MAX))
    }
}

/// One identity.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Ascending by [`Binding::place`].
    pub(super) parents: Vec<Binding>,
    pub(super) children: BTreeSet<Arc<Identity>>,
    keep_until: KeepUntil,
    /// Where [`Origins`] has it.
    origin: Text,
    pub(super) habits: Option<Box<Habits>>,
}

/// All identities.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    nodes: FxHashMap<Arc<Identity>, Node>,
    /// Every identity once.
    order: Origins,
    max: usize,
    evicted: u64,
    bindings_dropped: u64,
}

impl Graph {
    pub(super) fn new(max: usize) -> Self {
        Self {
            nodes: FxHashMap::default(),
            order: Origins::default(),
            max: max.max(2),
            evicted: 0,
            bindings_dropped: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn bindings_dropped(&self) -> u64 {
        self.bindings_dropped
    }

    pub(super) fn get(&self, identity: &Identity) -> Option<&Node> {
        self.nodes.get(identity)
    }

    /// The identity as it is kept, to be shared.
    pub(super) fn kept(&self, identity: &Identity) -> Option<&Arc<Identity>> {
        self.nodes.get_key_value(identity).map(|(kept, _)| kept)
    }

    /// Puts a parent to a child, or adds to what is known of that; `origin` is that of the record.
    pub(super) fn bind(&mut self, child: &Identity, parent: &Identity, told: Told, origin: &Text) {
        if child == parent {
            return;
        }
        let keep = KeepUntil::of(child, told.time, told.until());
        let place = (told.relation, parent);
        if let Some(node) = self.nodes.get_mut(child)
            && let Some(known) = node.parents.iter_mut().find(|known| known.place() == place)
        {
            known.merge(told);
            let is_claimed = *origin < node.origin;
            if node.keep_until < keep {
                self.keep(child, keep);
            }
            if is_claimed {
                self.claim(child, origin);
            }
            self.claim(parent, origin);
            return;
        }
        let parent = self.touch(parent, KeepUntil::of(parent, told.time, None), origin);
        let child = self.touch(child, keep, origin);
        self.add(&child, Binding::new(parent, told));
    }

    fn add(&mut self, child: &Arc<Identity>, told: Binding) {
        let parent = told.parent.clone();
        // Room for one may have been made at the cost of the other.
        if !self.nodes.contains_key(&parent) {
            return;
        }
        let Some(node) = self.nodes.get_mut(child) else { return };
        let place = node.parents.partition_point(|known| known.place() < told.place());
        node.parents.insert(place, told);
        let given_up = if PARENTS_MAX < node.parents.len() { node.parents.pop() } else { None };
        let keep = node.keep_until;
        let is_parent = |of: &Node, parent: &Arc<Identity>| {
            of.parents.iter().any(|known| known.parent == *parent)
        };
        let is_kept = is_parent(node, &parent);
        let mut orphaned = None;
        if let Some(given_up) = given_up {
            self.bindings_dropped = self.bindings_dropped.saturating_add(1);
            orphaned = Some(given_up.parent).filter(|parent| !is_parent(node, parent));
        }
        if let Some(left) = orphaned.and_then(|parent| self.nodes.get_mut(&parent)) {
            left.children.remove(child);
        }
        if is_kept {
            if let Some(node) = self.nodes.get_mut(&parent) {
                node.children.insert(child.clone());
            }
            self.keep(&parent, keep);
        }
    }

    /// What an identity does; made by `new` where nothing is known yet.
    pub(super) fn habits(
        &mut self,
        identity: &Identity,
        (time, origin): (TimestampNs, &Text),
        new: fn() -> Habits,
    ) -> Option<&mut Habits> {
        let keep = KeepUntil::of(identity, time, None);
        let is_known = |node: &Node| {
            keep <= node.keep_until && (node.origin <= *origin || origins::has_own(identity))
        };
        if !self.nodes.get(identity).is_some_and(is_known) {
            self.touch(identity, keep, origin);
        }
        let node = self.nodes.get_mut(identity)?;
        Some(node.habits.get_or_insert_with(|| Box::new(new())))
    }

    /// The identity as it is kept; made where it was not known.
    fn touch(&mut self, identity: &Identity, keep: KeepUntil, origin: &Text) -> Arc<Identity> {
        if let Some(kept) = self.kept(identity).cloned() {
            self.keep(&kept, keep);
            self.claim(&kept, origin);
            return kept;
        }
        let kept = Arc::new(identity.clone());
        let origin = origins::own(identity).map_or_else(|| origin.clone(), Text::from);
        self.order.insert(&origin, keep, kept.clone());
        self.nodes.insert(kept.clone(), Node { keep_until: keep, origin, ..Node::default() });
        while self.max < self.nodes.len() && self.give_up() {}
        debug_assert_eq!(self.nodes.len(), self.order.len());
        kept
    }

    /// A record of that origin tells of an identity.
    fn claim(&mut self, identity: &Identity, origin: &Text) {
        if origins::has_own(identity) {
            return;
        }
        let known = self.nodes.get(identity).filter(|node| *origin < node.origin);
        let Some(kept) = known.and_then(|_| self.kept(identity)).cloned() else { return };
        if let Some(node) = self.nodes.get_mut(identity) {
            self.order.remove(&node.origin, node.keep_until, kept.clone());
            node.origin = origin.clone();
            self.order.insert(origin, node.keep_until, kept);
        }
    }

    /// Keeps an identity and all that it comes from at least until then.
    fn keep(&mut self, identity: &Identity, keep: KeepUntil) {
        let Some(start) = self.kept(identity).cloned() else { return };
        let mut waiting = vec![start];
        while let Some(identity) = waiting.pop() {
            let Some(node) = self.nodes.get_mut(&identity) else { continue };
            if keep <= node.keep_until {
                continue;
            }
            self.order.keep(&node.origin, [node.keep_until, keep], identity);
            node.keep_until = keep;
            waiting.extend(node.parents.iter().map(|binding| binding.parent.clone()));
        }
    }

    fn give_up(&mut self) -> bool {
        let Some(identity) = self.order.pop() else { return false };
        let Some(node) = self.nodes.remove(&identity) else { return false };
        for parent in node.parents {
            if let Some(parent) = self.nodes.get_mut(&parent.parent) {
                parent.children.remove(&identity);
            }
        }
        for child in node.children {
            if let Some(child) = self.nodes.get_mut(&child) {
                child.parents.retain(|binding| binding.parent != identity);
            }
        }
        self.evicted = self.evicted.saturating_add(1);
        true
    }
}

/// What a snapshot keeps: identities in their order, whatever the order in which they came.
#[derive(Serialize, Deserialize)]
struct Stored<I, P, H> {
    nodes: Vec<(I, KeepUntil, P, Option<H>)>,
    /// As many as `nodes`.
    #[serde(default)]
    origins: Vec<Text>,
    max: usize,
    evicted: u64,
    bindings_dropped: u64,
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|(identity, node)| {
                let habits = node.habits.as_deref();
                ((&**identity, node.keep_until, &node.parents, habits), node.origin.clone())
            })
            .collect();
        nodes.sort_unstable_by_key(|((identity, ..), _)| *identity);
        let (nodes, origins) = nodes.into_iter().unzip();
        let Self { max, evicted, bindings_dropped, .. } = *self;
        Stored { nodes, origins, max, evicted, bindings_dropped }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<Identity, Vec<Binding>, Box<Habits>>::deserialize(deserializer)?;
        let mut graph = Self::new(stored.max);
        let mut bindings = Vec::new();
        let mut origins = stored.origins.into_iter();
        for (identity, keep_until, parents, habits) in stored.nodes {
            let identity = Arc::new(identity);
            let origin = origins.next().unwrap_or_default();
            graph.order.insert(&origin, keep_until, identity.clone());
            bindings.push((identity.clone(), parents));
            graph.nodes.insert(identity, Node { keep_until, habits, origin, ..Node::default() });
        }
        for (child, parents) in bindings {
            for told in parents {
                if let Some(parent) = graph.kept(&told.parent).cloned() {
                    graph.add(&child, Binding { parent, ..told });
                }
            }
        }
        graph.evicted = stored.evicted;
        graph.bindings_dropped = stored.bindings_dropped;
        Ok(graph)
    }
}
