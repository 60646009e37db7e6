//! One workload: a profile for each of its images, and what a new release also does.
//!
//! A new image begins with the profile before it as prior and judges at once. What several
//! replicas of the new image do and none of the old is no attack but the release; it is told once
//! and together.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::Text;
use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::profile::{Moment, Profile};
use crate::unit::Replica;

/// Most images of one workload; the one that is longest silent is given up.
pub const VERSIONS_MAX: usize = 3;
/// Most new behaviors that wait for a release's notice.
pub const RELEASE_ITEMS_MAX: usize = 256;
/// So many replicas make a behavior the release's.
pub const RELEASE_REPLICAS: usize = 2;
/// For so many units less than a seed of a new release waits for its notice: an hour.
const RELEASE_UNITS: u64 = 6;
/// So many behaviors are named in a notice.
pub const NAMED_MAX: usize = 5;

/// What is known of a workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    versions: Vec<Version>,
    /// What somebody declared of it, whatever the image.
    #[serde(default)]
    pub(crate) declared: Declared,
    /// Images that were given up.
    pub versions_dropped: u64,
}

/// What is known of one image of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Image as it was asked for.
    pub image: Text,
    /// What tells the build.
    pub digest: Text,
    /// What it does.
    pub profile: Profile,
    /// The build before it.
    pub parent: Option<Text>,
    /// When it was last seen, as a slice.
    last: u32,
    release: Release,
}

/// What a new release also does, and who of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Release {
    items: BTreeMap<Box<str>, BTreeSet<Replica>>,
    is_told: bool,
}

impl Workload {
    /// The profile of that build, which is made where there is none.
    pub(crate) fn version(&mut self, image: &Text, digest: &Text, moment: Moment) -> usize {
        let slice = crate::unit::slice_at(moment.time);
        let at = match self.versions.iter().position(|version| version.digest == *digest) {
            Some(at) => at,
            None => self.begin(image, digest),
        };
        if let Some(version) = self.versions.get_mut(at) {
            version.last = version.last.max(slice);
        }
        at
    }

    fn begin(&mut self, image: &Text, digest: &Text) -> usize {
        let parent = self.versions.iter().max_by_key(|it| (it.last, it.profile.units));
        let parent = parent.map(|version| version.digest.clone());
        if self.versions.len() == VERSIONS_MAX {
            let silent = self.versions.iter().enumerate();
            let silent = silent.filter(|(_, it)| Some(&it.digest) != parent.as_ref());
            if let Some(at) = silent.min_by_key(|(_, it)| it.last).map(|(at, _)| at) {
                self.versions.remove(at);
                self.versions_dropped += 1;
            }
        }
        let (image, digest) = (image.clone(), digest.clone());
        self.versions.push(Version { image, digest, parent, ..Version::default() });
        self.versions.len() - 1
    }

    /// Its builds, in the order in which they appeared.
    #[must_use]
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// What somebody declared of it.
    #[must_use]
    pub const fn declared(&self) -> &Declared {
        &self.declared
    }

    pub(crate) fn at(&self, at: usize) -> Option<&Version> {
        self.versions.get(at)
    }

    pub(crate) fn at_mut(&mut self, at: usize) -> Option<&mut Version> {
        self.versions.get_mut(at)
    }

    /// The profile of the build before.
    pub(crate) fn parent(&self, at: usize) -> Option<&Profile> {
        let digest = self.versions.get(at)?.parent.as_ref()?;
        let parent = self.versions.iter().find(|version| version.digest == *digest);
        parent.map(|version| &version.profile)
    }

    /// Units of all builds: who knows least is given up first.
    pub(crate) fn standing(&self) -> (u64, u32) {
        let units = self.versions.iter().map(|it| it.profile.units).fold(0, u64::saturating_add);
        (units, self.versions.iter().map(|it| it.last).max().unwrap_or_default())
    }

    /// Adds what another node learned of it.
    pub(crate) fn merge(&mut self, other: &Self) {
        for theirs in &other.versions {
            match self.versions.iter_mut().find(|ours| ours.digest == theirs.digest) {
                Some(ours) => ours.merge(theirs),
                None => self.versions.push(theirs.clone()),
            }
        }
        self.declared.merge(&other.declared);
        // The newest are kept, by what is the same whoever asks.
        self.versions.sort_by(|a, b| (a.last, &a.digest).cmp(&(b.last, &b.digest)));
        while VERSIONS_MAX < self.versions.len() {
            self.versions.remove(0);
            self.versions_dropped += 1;
        }
        self.versions_dropped = self.versions_dropped.saturating_add(other.versions_dropped);
    }
}

impl Version {
    /// True while less than a seed waits to be told with the release.
    pub(crate) fn is_new_release(&self) -> bool {
        self.parent.is_some() && self.profile.units <= RELEASE_UNITS && !self.release.is_told
    }

    /// Notes what a replica of a new release does and the one before did not.
    pub(crate) fn note_release(&mut self, key: &str, replica: Replica) {
        let items = &mut self.release.items;
        if items.len() < RELEASE_ITEMS_MAX || items.contains_key(key) {
            let replicas = items.entry(key.into()).or_default();
            replicas.insert(replica);
            // The first by number: the same in whatever order nodes are put together.
            if RELEASE_REPLICAS < replicas.len() {
                replicas.pop_last();
            }
        } else {
            self.profile.dropped = self.profile.dropped.saturating_add(1);
        }
    }

    /// What the release also does, where that is known now and was not told: how much, and the
    /// first of it.
    pub(crate) fn take_release(&mut self) -> Option<(usize, Vec<Box<str>>)> {
        if self.parent.is_none() || self.release.is_told {
            return None;
        }
        let agreed = self.release.items.iter();
        let agreed = agreed.filter(|(_, replicas)| RELEASE_REPLICAS <= replicas.len());
        let agreed: Vec<Box<str>> = agreed.map(|(key, _)| key.clone()).collect();
        if agreed.is_empty() {
            return None;
        }
        self.release = Release { is_told: true, ..Release::default() };
        let count = agreed.len();
        Some((count, agreed.into_iter().take(NAMED_MAX).collect()))
    }

    fn merge(&mut self, other: &Self) {
        self.profile.merge(&other.profile);
        self.last = self.last.max(other.last);
        self.parent = self.parent.clone().max(other.parent.clone());
        self.release.is_told |= other.release.is_told;
        for (key, replicas) in &other.release.items {
            replicas.iter().for_each(|replica| self.note_release(key, *replica));
        }
        if self.release.is_told {
            self.release.items.clear();
        }
    }
}
