//! Who uses an API: what for, how much, from where, and which objects were handed out to whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::habit::surprisal;
use super::sketch::{Seen, mix};

/// Most endpoints of one principal that are told apart.
pub(super) const USES_MAX: usize = 128;
/// Most objects handed out to one principal that are remembered: the newest, in two generations of
/// 4 KiB. Whoever uses a shop all day is handed thousands.
pub(super) const HANDED_OUT_MAX: usize = 8_192;
/// Most networks and clients of one principal.
pub(super) const NETWORKS_MAX: usize = 16;

/// Length of the windows in which rates are counted.
pub(super) const WINDOW_NS: u64 = 600_000_000_000;

/// One principal of one API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Principal {
    pub(super) last_ns: u64,
    /// Exchanges that were answered well.
    pub(super) oks: u32,
    pub(super) uses: BTreeMap<u64, Use>,
    /// More endpoints than can be told apart.
    pub(super) is_over: bool,
    pub(super) networks: Seen<NETWORKS_MAX>,
    pub(super) agents: Seen<NETWORKS_MAX>,
    /// The last step that changed something: endpoint, and when.
    pub(super) step: Option<(u64, u64)>,
    pub(super) handed_out: HandedOut,
    /// How well it keeps to what is remembered of that, once some is forgotten.
    #[serde(default)]
    pub(super) recall: Recall,
    /// Templates that it was the first to ask for.
    pub(super) firsts: u32,
}

/// How one principal uses one endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Use {
    /// Exchanges that were answered well.
    pub(super) oks: u32,
    /// The running window, and what is counted in it.
    window: u64,
    pub(super) exchanges: u32,
    /// Objects not handed out to it that it asked for.
    pub(super) strange: Seen<64>,
    /// Of these, how many were refused or absent, and how many followed the one before.
    pub(super) refused: u32,
    pub(super) in_sequence: u32,
    last_number: u64,
    /// Answers that took longer than nearly all others ever did.
    pub(super) slow: u32,
    /// Something in the running window started a story: it teaches nothing.
    pub(super) is_tainted: bool,
}

/// What was counted in a window that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) exchanges: u32,
    pub(super) strange: u64,
}

impl Principal {
    /// Its use of `endpoint`; `None` where it uses too many.
    pub(super) fn use_of(&mut self, endpoint: u64) -> Option<&mut Use> {
        if USES_MAX <= self.uses.len() && !self.uses.contains_key(&endpoint) {
            self.is_over = true;
            return None;
        }
        Some(self.uses.entry(endpoint).or_default())
    }

    /// Whether it has been answered well by `endpoint`.
    pub(super) fn has_used(&self, endpoint: u64) -> bool {
        self.is_over || self.uses.get(&endpoint).is_some_and(|used| 0 < used.oks)
    }
}

impl Use {
    /// Counts an exchange; gives the window that is over by it.
    pub(super) fn count(&mut self, time_ns: u64) -> Option<Over> {
        let window = time_ns / WINDOW_NS;
        let mut over = None;
        if self.window != window {
            if 0 < self.exchanges && !self.is_tainted {
                let strange = self.strange.distinct();
                over = Some(Over { exchanges: self.exchanges, strange });
            }
            *self = Self { oks: self.oks, window, ..Self::default() };
        }
        self.exchanges = self.exchanges.saturating_add(1);
        over
    }

    /// Counts an object that was not handed out.
    pub(super) fn count_strange(&mut self, object: u32, number: Option<u64>, was_refused: bool) {
        if !self.strange.add(object) {
            return;
        }
        self.refused = self.refused.saturating_add(u32::from(was_refused));
        if let Some(number) = number {
            let follows = number.abs_diff(self.last_number) == 1;
            self.in_sequence = self.in_sequence.saturating_add(u32::from(follows));
            self.last_number = number;
        }
    }
}

/// Objects handed out to one principal: the newest, in two generations of a Bloom filter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HandedOut {
    newer: Filter,
    older: Filter,
    /// Some were forgotten: that one is not here tells nothing.
    pub(super) is_over: bool,
}

/// How often one principal, of whose objects some are forgotten, asked for one that is not
/// remembered. Who works through thousands does so all the time; who uses the newest does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recall {
    since_ns: u64,
    occasions: u32,
    odd: u32,
}

impl Recall {
    /// Takes in an object that was asked for.
    pub(super) const fn note(&mut self, is_odd: bool, now_ns: u64) {
        if self.occasions == 0 {
            self.since_ns = now_ns;
        }
        self.occasions = self.occasions.saturating_add(1);
        self.odd = self.odd.saturating_add(is_odd as u32);
    }

    /// Bits of one that is not remembered.
    pub(super) fn bits(&self, now_ns: u64) -> f64 {
        surprisal(self.occasions, self.odd, now_ns.saturating_sub(self.since_ns))
    }
}

impl HandedOut {
    pub(super) fn add(&mut self, object: u32) {
        if self.newer.has(object) {
            return;
        }
        if HANDED_OUT_MAX / 2 <= self.newer.count {
            self.is_over |= 0 < self.older.count;
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.add(object);
    }

    /// Whether it was handed out; of others, one in twenty is taken for one that was.
    pub(super) fn has(&self, object: u32) -> bool {
        self.newer.has(object) || self.older.has(object)
    }
}

/// A set that takes a byte an object, and takes one in forty of others for its own when it is full.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Filter {
    words: Vec<u64>,
    count: usize,
}

impl Filter {
    const WORDS: usize = HANDED_OUT_MAX / 2 / 8;

    /// The bits of an object: word, and mask. Four give the fewest errors at eight bits an object.
    fn bits(object: u32) -> impl Iterator<Item = (usize, u64)> {
        (0..4).map(move |n| {
            let hash = mix(u64::from(object), n);
            let word = usize::try_from(hash >> 6).unwrap_or(usize::MAX) % Self::WORDS;
            (word, 1 << (hash & 63))
        })
    }

    fn add(&mut self, object: u32) {
        self.words.resize(Self::WORDS, 0);
        for (word, mask) in Self::bits(object) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= mask;
            }
        }
        self.count += 1;
    }

    fn has(&self, object: u32) -> bool {
        Self::bits(object).all(|(word, mask)| self.words.get(word).is_some_and(|it| it & mask != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_objects_are_remembered_within_a_bound() {
        let mut handed_out = HandedOut::default();
        for object in 0..6_000 {
            handed_out.add(object);
        }
        assert!((0..6_000).all(|object| handed_out.has(object)) && !handed_out.is_over);
        for object in 6_000..100_000 {
            handed_out.add(object);
        }
        assert!((99_000..100_000).all(|object| handed_out.has(object)) && handed_out.is_over);
        let mistaken = (200_000..201_000).filter(|object| handed_out.has(*object)).count();
        assert!(mistaken < 80, "{mistaken} of 1,000");
        assert!(handed_out.newer.count + handed_out.older.count <= HANDED_OUT_MAX);
    }

    #[test]
    fn uses_and_networks_of_one_principal_are_bounded() {
        let mut principal = Principal::default();
        for endpoint in 0..1000 {
            principal.use_of(endpoint);
            principal.networks.add(u32::try_from(endpoint).unwrap_or(0));
        }
        assert_eq!(principal.uses.len(), USES_MAX);
        assert_eq!(principal.networks.kept().len(), NETWORKS_MAX);
        assert!(principal.is_over && principal.has_used(5000), "it cannot know");
    }

    #[test]
    fn a_window_ends_with_the_first_exchange_of_a_later_one() {
        let mut used = Use::default();
        for number in 0..5_u32 {
            assert_eq!(used.count(WINDOW_NS + u64::from(number)), None);
            used.count_strange(number, Some(number.into()), true);
        }
        assert_eq!((used.refused, used.in_sequence), (5, 5 - 1));
        assert_eq!(used.count(2 * WINDOW_NS), Some(Over { exchanges: 5, strange: 5 }));
        assert_eq!((used.exchanges, used.refused), (1, 0));
    }
}
