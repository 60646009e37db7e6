//! Where an identity comes from, and what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clew_event::{Event, EventId, TimestampNs};
use serde::Serialize;

use super::Identities;
use super::binding::{Binding, Class, Relation};
use super::judged::Judged;
use super::key::{Identity, IdentityKind};

/// Most generations that are followed up or down.
pub const GENERATIONS_MAX: usize = 32;
/// Most bindings that a lineage shows in each direction; the rest is counted.
pub const LINKS_MAX: usize = 512;
/// Most of what came of an identity that is looked at when its making is told.
pub const HEIRS_MAX: usize = 64;
/// How long after the first use of a credential the record of its making may come: `CloudTrail`
/// delivers "within an average of about 5 minutes", and three times that is rare.
pub const LATE: Duration = Duration::from_secs(15 * 60);

/// A record that proves something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// When.
    pub time: TimestampNs,
    /// Which record.
    pub event: EventId,
}

/// One binding in a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// How many bindings away from the identity asked for; 1 for its own.
    pub generation: usize,
    /// Who has something of the parent.
    pub child: Identity,
    /// What it has of the parent.
    pub relation: Relation,
    /// Whose it is.
    pub parent: Identity,
    /// How the binding may be used.
    pub class: Class,
    /// The first record that tells of it.
    pub first: Evidence,
    /// The last one.
    pub last: Evidence,
    /// How many tell of it; 65,535 stands for that many or more.
    pub count: u16,
    /// When it ends, where that is known.
    pub until: Option<TimestampNs>,
    /// Whether it holds at the time asked for.
    pub is_valid: bool,
}

/// All that is known of where an identity comes from and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// The identity asked for.
    pub of: Identity,
    /// Where its rights come from in the end; itself where nothing is known.
    pub root: Identity,
    /// The bindings to its parents and theirs, depth first.
    pub ancestors: Vec<Link>,
    /// The bindings of its children and theirs, depth first.
    pub descendants: Vec<Link>,
    /// Bindings beyond [`LINKS_MAX`] or [`GENERATIONS_MAX`].
    pub links_dropped: usize,
}

impl Identities {
    /// The lineage of an identity as it holds at `time`; `None` where nothing is known of it.
    #[must_use]
    pub fn lineage(&self, of: &Identity, time: TimestampNs) -> Option<Lineage> {
        let kept = self.graph.kept(of)?;
        let mut up = Walk::new(kept, time);
        self.walk_up(kept, 1, &mut up);
        let mut down = Walk::new(kept, time);
        self.walk_down(kept, 1, &mut down);
        Some(Lineage {
            of: of.clone(),
            root: self.root_of(of, time).clone(),
            ancestors: up.links,
            descendants: down.links,
            links_dropped: up.dropped + down.dropped,
        })
    }

    /// Where the rights of an identity come from in the end: the process, workload, person or
    /// account at the top; the identity itself where nothing is known of it.
    #[must_use]
    pub fn root_of<'a>(&'a self, of: &'a Identity, time: TimestampNs) -> &'a Identity {
        self.path(of, time).last().unwrap_or(of)
    }

    /// When an identity was last told of as a child: its last use, or its making.
    #[must_use]
    pub fn last_used(&self, of: &Identity) -> Option<TimestampNs> {
        self.graph.get(of)?.parents.iter().map(|binding| binding.last_time).max()
    }

    /// How an identity was made or handed out, where that was seen.
    pub(crate) fn minted(&self, of: &Identity) -> Option<&Binding> {
        let mut parents = self.graph.get(of)?.parents.iter();
        parents.find(|binding| binding.relation == Relation::Minted)
    }

    /// Who made an identity or was handed it, where that was seen.
    pub(crate) fn maker(&self, of: &Identity) -> Option<&Binding> {
        let mut parents = self.graph.get(of)?.parents.iter();
        parents.find(|binding| matches!(binding.relation, Relation::Minted | Relation::Fetched))
    }

    /// The credential of the last call, where a record may still come that tells who made it, or
    /// who made its maker: it is in its first [`LATE`].
    #[must_use]
    pub fn unclaimed(&self, event: &Event) -> Option<&Judged> {
        let judged = self.judged(event.id)?;
        let credential = judged.credential.as_ref()?;
        let is_young = |age: Duration| age < LATE;
        if !is_young(Duration::from_nanos(judged.of_credential.age_ns)) {
            return None;
        }
        let is_unclaimed = |of: &Identity| {
            let node = self.graph.get(of).filter(|_| of.kind == IdentityKind::Credential);
            node.is_some_and(|node| {
                let first = node.parents.iter().map(|binding| binding.first_time).min();
                self.maker(of).is_none()
                    && first.is_none_or(|first| is_young(event.time.since(first)))
            })
        };
        let mut all = std::iter::once(credential).chain(self.path(credential, event.time));
        all.any(is_unclaimed).then_some(judged)
    }

    /// The identity and what came of it, at most [`HEIRS_MAX`].
    #[must_use]
    pub fn heirs<'a>(&'a self, of: &'a Identity) -> Vec<&'a Identity> {
        let mut heirs = vec![of];
        let mut next = 0;
        while let Some(&at) = heirs.get(next) {
            next += 1;
            for child in self.children(at) {
                if heirs.len() < HEIRS_MAX && !heirs.contains(&child) {
                    heirs.push(child);
                }
            }
        }
        heirs
    }

    /// The identity as one of several kinds is known under this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Identity> {
        let known = |kind| {
            let identity = Identity::new(kind, name);
            self.graph.get(&identity).map(|_| identity)
        };
        IdentityKind::ALL.into_iter().find_map(known).or_else(|| {
            let call = clew_event::control_plane::ApiCall {
                source: clew_event::control_plane::ApiSource::Cloudtrail,
                ..Default::default()
            };
            let canonical = Identity::principal(&call, &name.into())?;
            self.graph.get(&canonical).map(|_| canonical)
        })
    }

    /// From an identity up to its root, itself not included.
    pub(crate) fn path<'a>(
        &'a self,
        of: &'a Identity,
        time: TimestampNs,
    ) -> impl Iterator<Item = &'a Identity> {
        self.steps(of, time).map(|binding| &*binding.parent)
    }

    /// The bindings from an identity up to its root.
    pub(crate) fn steps<'a>(
        &'a self,
        of: &'a Identity,
        time: TimestampNs,
    ) -> impl Iterator<Item = &'a Binding> {
        let mut at = of;
        let mut seen: Vec<&Identity> = Vec::with_capacity(8);
        seen.push(of);
        std::iter::from_fn(move || {
            let step = self.step_up(at, &seen, time)?;
            at = &step.parent;
            seen.push(at);
            Some(step)
        })
        .take(GENERATIONS_MAX)
    }

    fn step_up(&self, of: &Identity, seen: &[&Identity], time: TimestampNs) -> Option<&Binding> {
        let parents = self.graph.get(of)?.parents.iter().filter(|binding| {
            binding.relation.leads_to_root()
                && binding.class != Class::Shared
                && !seen.contains(&&*binding.parent)
                && binding.is_valid_at(time)
        });
        parents.min_by_key(|binding| (self.rank(binding), &binding.parent))
    }

    /// Which of several parents says best where the rights of the child come from.
    fn rank(&self, binding: &Binding) -> u8 {
        match binding.relation {
            Relation::Fetched => 0,
            Relation::Minted if self.mints_for_others(&binding.parent) => 6,
            Relation::Minted | Relation::OnBehalfOf | Relation::StartedBy => 1,
            Relation::HeldBy => 2,
            Relation::SignedIn => 3,
            Relation::ActsAs => 4,
            Relation::SessionOf | Relation::RunsIn => 5,
            Relation::Named | Relation::ImpersonatedBy => u8::MAX,
        }
    }

    /// A service of the provider, or the agent of a node: they get credentials for workloads.
    pub(crate) fn mints_for_others(&self, identity: &Identity) -> bool {
        match identity.kind {
            IdentityKind::Service | IdentityKind::Node => true,
            IdentityKind::Credential => self.graph.get(identity).is_some_and(|node| {
                node.parents.iter().any(|binding| {
                    binding.relation == Relation::ActsAs
                        && binding.parent.kind == IdentityKind::Node
                })
            }),
            _ => false,
        }
    }

    fn walk_up(&self, of: &Arc<Identity>, generation: usize, walk: &mut Walk) {
        let Some(node) = self.graph.get(of) else { return };
        for binding in &node.parents {
            if walk.take(of, binding, generation) {
                self.walk_up(&binding.parent, generation + 1, walk);
            }
        }
    }

    fn walk_down(&self, of: &Arc<Identity>, generation: usize, walk: &mut Walk) {
        let Some(node) = self.graph.get(of) else { return };
        for child in &node.children {
            let bindings = self.graph.get(child).map_or(&[][..], |node| &node.parents);
            let mut goes_on = false;
            for binding in bindings.iter().filter(|binding| binding.parent == *of) {
                goes_on |= walk.take_down(child, binding, generation);
            }
            if goes_on {
                self.walk_down(child, generation + 1, walk);
            }
        }
    }
}

/// A walk over bindings that comes by each identity once.
struct Walk {
    seen: BTreeSet<Arc<Identity>>,
    links: Vec<Link>,
    dropped: usize,
    time: TimestampNs,
}

impl Walk {
    fn new(from: &Arc<Identity>, time: TimestampNs) -> Self {
        let seen = BTreeSet::from([from.clone()]);
        Self { seen, links: Vec::new(), dropped: 0, time }
    }

    /// Notes the binding; true where the walk goes on to the parent.
    fn take(&mut self, child: &Arc<Identity>, binding: &Binding, generation: usize) -> bool {
        self.note(child, binding, generation) && self.seen.insert(binding.parent.clone())
    }

    /// Notes the binding; true where the walk goes on to the child.
    fn take_down(&mut self, child: &Arc<Identity>, binding: &Binding, generation: usize) -> bool {
        self.note(child, binding, generation) && self.seen.insert(child.clone())
    }

    fn note(&mut self, child: &Arc<Identity>, binding: &Binding, generation: usize) -> bool {
        if LINKS_MAX <= self.links.len() || GENERATIONS_MAX < generation {
            self.dropped += 1;
            return false;
        }
        self.links.push(Link {
            generation,
            child: (**child).clone(),
            relation: binding.relation,
            parent: (*binding.parent).clone(),
            class: binding.class,
            first: Evidence { time: binding.first_time, event: binding.first },
            last: Evidence { time: binding.last_time, event: binding.last },
            count: binding.count.max(1),
            until: binding.until(),
            is_valid: binding.is_valid_at(self.time),
        });
        true
    }
}
