//! All workloads: each event is judged by what was known before it, and then learned.
//!
//! There is no learning mode. A profile judges from its first minute with the confidence that it
//! has, which is little, so its first findings have few bits.

use std::collections::BTreeMap;

use clew_context::View;
use clew_event::container::Lifecycle;
use clew_event::{EventKind, FindingId, Text};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::behavior;
use crate::class::Class;
use crate::declared::Declared;
use crate::estimate;
use crate::item::{Item, KeyBuilder};
use crate::judge::{Case, Elsewhere, Surprise, judge};
use crate::novelty::{self, Novelty, RELEASE_RULE, SEED_BITS, TELLING_BITS};
use crate::prior;
use crate::profile::{Known, Profile};
use crate::scene::{Scene, repository};
use crate::taught::Taught;
use crate::unit::{SLICE_SECONDS, UnitId};
use crate::waivers::{Waiver, WaiverError, Waivers};
use crate::workload::Workload;

/// Most workloads; the one that is known least is given up for a new one.
pub const WORKLOADS_MAX: usize = 512;
/// Most that is told of one unit below a seed, and with seeds.
pub const TOLD_OF_UNIT_MAX: [u32; 2] = [8, 32];
/// What was told is told again when it is worth so many bits more.
const TOLD_AGAIN_BITS: u8 = 3;
/// The bits of a notice about a release.
const RELEASE_BITS: f64 = 3.0;

/// What every workload does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profiles {
    #[serde(serialize_with = "crate::sorted")]
    workloads: FxHashMap<Text, Workload>,
    waivers: Waivers,
    counts: Counts,
    #[serde(default)]
    taught: Taught,
    #[serde(skip)]
    key: Scratch,
}

/// Room for the key of the event at hand; no part of what is known.
#[derive(Clone, Debug, Default)]
struct Scratch(KeyBuilder);

impl PartialEq for Scratch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What was not told or given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Workloads given up for want of room.
    pub workloads_dropped: u64,
    /// New behavior beyond what is told of one unit.
    pub suppressed: u64,
    /// Behavior that a person waived.
    pub waived: u64,
    /// Units taken back because of a finding.
    pub quarantined: u64,
    /// Findings whose unit was forgotten before a story could ask for it.
    #[serde(default)]
    pub lessons_dropped: u64,
}

impl Profiles {
    /// Judges an event and learns from it; adds what is new and telling to `found`.
    pub fn observe(&mut self, view: &View<'_>, found: &mut Vec<Novelty>) {
        if let EventKind::Container(container) = &view.event().kind
            && container.lifecycle == Lifecycle::Stopped
        {
            self.stop(view);
            return;
        }
        let mut key = std::mem::take(&mut self.key.0);
        if let Some(class) = behavior::read(view, &mut key)
            && let Some(scene) = Scene::of(view)
        {
            let at = self.enter(&scene, found);
            self.learn(&scene, at, (class, key.key()), found);
            let origin = view.event().api_call();
            if let Some(class) = origin.and_then(|call| behavior::read_origin(call, &mut key)) {
                self.learn(&scene, at, (class, key.key()), found);
            }
        }
        self.key.0 = key;
    }

    fn stop(&mut self, view: &View<'_>) {
        let Some(scene) = Scene::of(view) else { return };
        let Some(workload) = self.workloads.get_mut(&scene.workload) else { return };
        let at = workload.version(&scene.image, &scene.digest, scene.moment);
        if let Some(version) = workload.at_mut(at) {
            version.profile.stop(scene.moment.replica);
        }
    }

    /// Judges one item and learns it. `raw` is its key, and how many of its parts never become
    /// holes.
    pub fn take(
        &mut self,
        scene: &Scene,
        class: Class,
        raw: (&str, usize),
        found: &mut Vec<Novelty>,
    ) {
        let at = self.enter(scene, found);
        self.learn(scene, at, (class, raw), found);
    }

    /// The same in a unit that has begun.
    fn learn(
        &mut self,
        scene: &Scene,
        at: usize,
        (class, raw): (Class, (&str, usize)),
        found: &mut Vec<Novelty>,
    ) {
        let Some(workload) = self.workloads.get(&scene.workload) else { return };
        let Some(version) = workload.at(at) else { return };
        let known = version.profile.known(class, raw, scene.moment);
        let verdict = match &known {
            Known::Met => return,
            Known::Normal => None,
            Known::New { key, kind } => Some((key.as_str(), self.verdict(scene, at, key, *kind))),
        };
        let is_learnable = verdict.as_ref().is_none_or(|(_, verdict)| verdict.is_learnable());
        if let Some(verdict) = verdict {
            self.tell(scene, at, verdict, found);
        }
        if is_learnable && let Some(version) = self.version_mut(scene, at) {
            version.profile.learn(class, raw, scene.moment);
        }
    }

    /// Begins the unit, and tells of a release when one has ended.
    fn enter(&mut self, scene: &Scene, found: &mut Vec<Novelty>) -> usize {
        if !self.workloads.contains_key(&scene.workload) {
            self.make_room();
            self.workloads.insert(scene.workload.clone(), Workload::default());
        }
        let Some(workload) = self.workloads.get_mut(&scene.workload) else { return 0 };
        let at = workload.version(&scene.image, &scene.digest, scene.moment);
        if let Some(version) = workload.at_mut(at)
            && version.profile.enter(scene.moment)
            && let Some((count, named)) = version.take_release()
        {
            found.push(of_release(scene, count, &named));
        }
        at
    }

    fn make_room(&mut self) {
        if self.workloads.len() < WORKLOADS_MAX {
            return;
        }
        let least = self.workloads.iter().min_by_key(|(name, it)| (it.standing(), *name));
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            self.workloads.remove(&name);
            self.counts.workloads_dropped += 1;
        }
    }

    fn version_mut(&mut self, scene: &Scene, at: usize) -> Option<&mut crate::workload::Version> {
        self.workloads.get_mut(&scene.workload)?.at_mut(at)
    }

    /// Judges an item that is new to its profile.
    fn verdict(&self, scene: &Scene, at: usize, key: &str, kind: crate::learning::Kind) -> Verdict {
        let usual = Verdict::Usual;
        let Some(item) = Item::of_key(key) else { return usual };
        let Some(workload) = self.workloads.get(&scene.workload) else { return usual };
        let Some(version) = workload.at(at) else { return usual };
        if workload.declared.covers(&item) && prior::never_learned(&item).is_none() {
            return usual;
        }
        let now = UnitId::at(scene.moment.replica, scene.moment.time).slice;
        let parent = workload.parent(at);
        let is_inherited = parent
            .and_then(|parent| parent.items.get(key))
            .is_some_and(|record| record.is_normal(now));
        if is_inherited {
            return usual;
        }
        let (profile, class) = (&version.profile, item.class);
        let learning = profile.classes.get(&class);
        let case = Case {
            item: &item,
            kind,
            share: learning.map_or(1.0, |learning| learning.share(kind)),
            own: profile.past(class, scene.moment.replica),
            inherited: parent.map(|parent| parent.sample(class)),
            elsewhere: self.elsewhere(scene, &item, key),
            is_covered: profile.phases.cover(scene.moment.time, scene.moment.is_start)
                || parent
                    .is_some_and(|it| it.phases.cover(scene.moment.time, scene.moment.is_start)),
        };
        let surprise = judge(&case);
        let is_waived = self.waivers.cover(&scene.workload, key, scene.moment.time);
        let was_told = profile.items.get(key).is_some_and(|it| 0 < it.told_bits && it.last < now);
        let is_learnable = surprise.never.is_none() && (surprise.bits < SEED_BITS || was_told);
        let novelty = of_case(scene, profile, &case, surprise);
        Verdict::New { surprise, is_waived, is_learnable, novelty }
    }

    /// Who else does it.
    fn elsewhere(&self, scene: &Scene, item: &Item<'_>, key: &str) -> Elsewhere {
        let mut elsewhere = Elsewhere::default();
        let own = repository(&scene.image);
        let who = format!("{}\t{}", item.class.name(), item.who);
        // Sums, so that the order does not matter.
        let others = self.workloads.iter().filter(|(name, _)| **name != scene.workload);
        others.flat_map(|(_, workload)| workload.versions()).for_each(|version| {
            let is_same = !scene.digest.is_empty() && version.digest == scene.digest;
            let is_near = !own.is_empty() && repository(&version.image) == own;
            let items = &version.profile.items;
            let has_program = item.who != behavior::START && items.has_below(&who);
            let asks = [is_same, is_near && !is_same, has_program];
            let knows = asks.contains(&true) && items.get(key).is_some_and(|it| it.units != 0);
            let counts = elsewhere.asked.iter_mut().zip(&mut elsewhere.knows);
            for ((asked, known), asks) in counts.zip(asks) {
                *asked += u64::from(asks);
                *known += u64::from(asks && knows);
            }
        });
        elsewhere
    }

    /// Tells what is new, where it is worth telling and was not told before.
    fn tell(
        &mut self,
        scene: &Scene,
        at: usize,
        (key, verdict): (&str, Verdict),
        found: &mut Vec<Novelty>,
    ) {
        let Verdict::New { surprise, is_waived, novelty, .. } = verdict else { return };
        let Some(class) = Item::of_key(key).map(|item| item.class) else { return };
        let bits = whole(surprise.bits);
        self.counts.waived += u64::from(is_waived);
        let replica = scene.moment.replica;
        let Some(version) = self.version_mut(scene, at) else { return };
        version.profile.note(class, replica, bits);
        if is_waived {
            return;
        }
        let is_new_release = version.is_new_release();
        if version.parent.is_some() {
            version.note_release(key, replica);
        }
        let is_seed = SEED_BITS <= surprise.bits;
        let before = version.profile.items.get(key).map_or(0, |record| record.told_bits);
        let is_worth = TELLING_BITS <= surprise.bits && (is_seed || !is_new_release);
        let is_first = before == 0 || before.saturating_add(TOLD_AGAIN_BITS) <= bits;
        let (Some(novelty), true) = (novelty, is_worth && is_first) else { return };
        let Some(unit) = version.profile.open.get_mut(&replica) else { return };
        let [most, most_with_seeds] = TOLD_OF_UNIT_MAX;
        if (if is_seed { most_with_seeds } else { most }) <= unit.told {
            self.counts.suppressed += 1;
            return;
        }
        unit.told += 1;
        let slice = unit.id.slice;
        version.profile.mark_told(class, key, bits, slice);
        found.push(novelty);
    }

    /// A rule or a story holds the workload under suspicion: its unit is taken back, and teaches
    /// no more.
    pub fn quarantine(&mut self, view: &View<'_>) {
        let Some(scene) = Scene::of(view) else { return };
        let Some(workload) = self.workloads.get_mut(&scene.workload) else { return };
        let at = workload.version(&scene.image, &scene.digest, scene.moment);
        if let Some(version) = workload.at_mut(at) {
            let is_taken = version.profile.quarantine(scene.moment.replica);
            self.counts.quarantined += u64::from(is_taken);
        }
    }

    /// Remembers in which unit a finding was made, until a story asks.
    pub fn remember(&mut self, finding: FindingId, view: &View<'_>) {
        if let Some(scene) = Scene::of(view) {
            let unit = UnitId::at(scene.moment.replica, scene.moment.time);
            let dropped = self.taught.remember(finding, scene.workload, unit);
            self.counts.lessons_dropped += dropped;
        }
    }

    /// A story made the finding a step: takes back what its unit taught; true where anything was.
    pub fn retract_finding(&mut self, finding: FindingId) -> bool {
        let taught = self.taught.take(finding);
        taught.is_some_and(|(workload, unit)| self.retract(&workload, unit))
    }

    /// Takes back what a unit of the past taught to a workload; true where anything was.
    pub fn retract(&mut self, workload: &Text, unit: UnitId) -> bool {
        let Some(workload) = self.workloads.get_mut(workload) else { return false };
        let mut is_taken = false;
        for at in 0..workload.versions().len() {
            is_taken |= workload.at_mut(at).is_some_and(|it| it.profile.retract(unit));
        }
        self.counts.quarantined += u64::from(is_taken);
        is_taken
    }

    /// From now on this behavior is not told, until its waiver expires.
    ///
    /// # Errors
    /// [`WaiverError`] when it has no reason, is no behavior, or there are too many.
    pub fn waive(&mut self, waiver: Waiver) -> Result<(), WaiverError> {
        self.waivers.add(waiver)
    }

    /// What is waived.
    #[must_use]
    pub const fn waivers(&self) -> &Waivers {
        &self.waivers
    }

    /// Every workload by name.
    #[must_use]
    pub fn known(&self) -> BTreeMap<&Text, &Workload> {
        self.workloads.iter().collect()
    }

    /// What was not told or given up.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Adds what another node learned. The result is the same in whatever order nodes are put
    /// together, as long as no table is full.
    pub fn merge(&mut self, other: &Self) {
        for (name, workload) in other.known() {
            if !self.workloads.contains_key(name) {
                self.make_room();
            }
            self.workloads.entry(name.clone()).or_default().merge(workload);
        }
        self.waivers.merge(&other.waivers);
        let (ours, theirs) = (&mut self.counts, other.counts);
        ours.workloads_dropped = ours.workloads_dropped.saturating_add(theirs.workloads_dropped);
        ours.suppressed = ours.suppressed.saturating_add(theirs.suppressed);
        ours.waived = ours.waived.saturating_add(theirs.waived);
        ours.quarantined = ours.quarantined.saturating_add(theirs.quarantined);
        ours.lessons_dropped = ours.lessons_dropped.saturating_add(theirs.lessons_dropped);
    }

    /// Declares what a workload does, whoever acts in it. What is beyond
    /// [`crate::declared::DECLARED_MAX`] is left out and counted there.
    pub fn declare(&mut self, name: &Text, declared: &Declared) {
        if !self.workloads.contains_key(name) {
            self.make_room();
        }
        self.workloads.entry(name.clone()).or_default().declared.merge(declared);
    }

    /// Adds one profile that was read from a file.
    pub fn import(&mut self, file: &crate::portable::ProfileFile) {
        let mut other = Self::default();
        other.workloads.insert(file.workload.clone(), file.learned.clone());
        self.merge(&other);
    }
}

/// What was made of an item that is not normal.
enum Verdict {
    /// The release before did it too.
    Usual,
    /// It is new.
    New { surprise: Surprise, is_waived: bool, is_learnable: bool, novelty: Option<Novelty> },
}

impl Verdict {
    fn is_learnable(&self) -> bool {
        match self {
            Self::Usual => true,
            // What starts a story is not learned from the unit that it is told of.
            Self::New { is_waived, is_learnable, .. } => *is_waived || *is_learnable,
        }
    }
}

/// Bits rounded down, as they are counted and compared.
fn whole(bits: f64) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let whole = bits.clamp(0.0, 255.0) as u8;
    whole
}

fn of_case(
    scene: &Scene,
    profile: &Profile,
    case: &Case<'_>,
    surprise: Surprise,
) -> Option<Novelty> {
    let rule = case.item.class.rule()?;
    let bits = surprise.bits;
    if bits < TELLING_BITS {
        return None;
    }
    let learned = learned_words(profile, case.item.class, case.own);
    let why = surprise.never.map_or_else(String::new, |why| format!("; {why}"));
    let class = profile.classes.get(&case.item.class);
    let mut fields = BTreeMap::from([
        ("profile.workload", scene.workload.to_string()),
        ("profile.class", case.item.class.name().to_owned()),
        ("profile.item", case.item.to_string()),
        ("profile.bits", format!("{bits:.1}")),
        ("profile.unseen", format!("{:.4}", surprise.unseen)),
        ("profile.prior_bits", format!("{:.1}", prior::bits(case.item))),
        ("profile.learned", learned.clone()),
    ]);
    if let Some(p) = class.and_then(|class| class.p_value(whole(bits))) {
        fields.insert("profile.p_value", format!("{p:.4}"));
    }
    Some(Novelty {
        rule,
        priority: novelty::priority(bits),
        techniques: novelty::techniques(case.item),
        bits,
        output: format!(
            "{} never did this before ({}): {} ({bits:.1} bits{why}; {learned})",
            scene.workload,
            case.item.class.name(),
            case.item
        ),
        fields,
    })
}

/// How far a class is learned, in words.
#[must_use]
pub fn learned_words(profile: &Profile, class: Class, sample: estimate::Sample) -> String {
    let [_, replicas, ..] = profile.sizes();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let seconds = SLICE_SECONDS as f64 / (replicas.max(1) as f64);
    estimate::words(sample, (!class.is_of_requests()).then_some(seconds))
}

fn of_release(scene: &Scene, count: usize, named: &[Box<str>]) -> Novelty {
    let shown: Vec<String> =
        named.iter().filter_map(|key| Some(Item::of_key(key)?.to_string())).collect();
    let more = match count - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Novelty {
        rule: RELEASE_RULE,
        priority: novelty::priority(RELEASE_BITS),
        techniques: Vec::new(),
        bits: RELEASE_BITS,
        output: format!(
            "{}: this release ({}) also does: {}{more}",
            scene.workload,
            scene.image,
            shown.join("; ")
        ),
        fields: BTreeMap::from([
            ("profile.workload", scene.workload.to_string()),
            ("profile.image", scene.image.to_string()),
            ("profile.digest", scene.digest.to_string()),
            ("profile.new_items", count.to_string()),
        ]),
    }
}
