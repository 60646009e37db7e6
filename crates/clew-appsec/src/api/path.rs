//! Paths as templates: which parts of a path are parameters, by evidence.
//!
//! A part that is an id by its form (uuid, number, date, …) is a parameter wherever it stands. Any
//! other is a literal once it is *confirmed*: answered well to two sources, or to one on three
//! days. Where new words keep coming that no second source asks for, and many sources bring them,
//! the place is open and takes any word: Good-Turing over units of (source, word), the share of
//! words that one source alone has asked for bounded from below (Wilson). One source counts at most
//! [`BROUGHT_BY_ONE`] times, so a scanner opens nothing and creates nothing: what is not confirmed
//! waits in a table of its own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::bounded::Bounded;
use super::content::plain;
use super::sketch::{Seen, hash32, hash64, mix};
use super::value::{Shape, version};

/// Most parts of a path that are told apart; what follows is one more parameter.
pub(super) const SEGMENTS_MAX: usize = 16;
/// Most nodes of all trees together.
pub(super) const NODES_MAX: usize = 32_768;
/// Most templates that wait for a second source.
pub(super) const PENDING_MAX: usize = 8_192;
/// Most sources and words of one node that are told apart.
pub(super) const NODE_SOURCES_MAX: usize = 16;

const BROUGHT_BY_ONE: u8 = 4;
/// Days on which one source must have asked, where no other did.
const DAYS_ALONE: u8 = 3;
/// Words without digits are usually names of functions: they need more sources, and time in which
/// others could have asked for them.
const PLAIN: Evidence = Evidence { singles: 16, sources: 8, age_ns: 6 * 3_600_000_000_000 };
const NUMBERED: Evidence = Evidence { singles: 8, sources: 4, age_ns: 0 };
/// Share of words that only one source asked for, at least.
const OPEN_SHARE: f64 = 0.25;

struct Evidence {
    singles: u32,
    sources: usize,
    age_ns: u64,
}

/// The trees of all APIs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Paths {
    nodes: Bounded<Node, NODES_MAX>,
    pending: Bounded<Pending, PENDING_MAX>,
}

/// A place in a tree that is confirmed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Node {
    first_ns: u64,
    sources: Seen<NODE_SOURCES_MAX>,
    /// (source, word) below this place, each once.
    units: u32,
    /// Words below that one source alone has asked for.
    singles: u32,
    words: Seen<64>,
    /// Who brought those, and how many.
    brought: Vec<(u32, u8)>,
    /// Takes any word.
    is_open: bool,
}

/// A template with a method that one source asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    source: u32,
    day: u32,
    days: u8,
}

/// Who asked, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) source: u32,
    pub(super) time_ns: u64,
}

/// What learning from a path came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody had asked for it before.
    New,
    /// It waits for a second source.
    Waiting,
    /// This confirmed it.
    Confirmed,
}

/// One part of a path.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) value: Cow<'a, [u8]>,
    /// The shape of a parameter; `None` for a literal.
    pub(super) hole: Option<Shape>,
    /// The place it leads to.
    key: u64,
}

/// A path as the tree knows it.
#[derive(Clone, Debug)]
pub(super) struct Route<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// The template, whatever the method.
    pub(super) key: u64,
    /// The same without the version, which so is the same for all versions.
    pub(super) kin: u64,
    pub(super) version: Option<u32>,
    /// Place of the first word that is not known where it stands.
    unknown: Option<usize>,
    root: u64,
}

impl Route<'_> {
    /// The template: `/v1/orders/{number}`.
    pub(super) fn template(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            text.push('/');
            match part.hole {
                Some(shape) => {
                    text.push('{');
                    text.push_str(shape.name());
                    text.push('}');
                }
                None => text.push_str(&clew_event::text::escaped(&part.value)),
            }
        }
        if text.is_empty() { "/".to_owned() } else { text }
    }

    /// The literal before the part at `place`, in lower case and without plural: what it names.
    pub(super) fn noun(&self, place: usize) -> String {
        let before = self.parts.iter().take(place).rev().find(|part| part.hole.is_none());
        before.map_or_else(String::new, |part| noun(&String::from_utf8_lossy(&part.value)))
    }
}

/// In lower case and without plural.
pub(super) fn noun(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    match (lower.strip_suffix("ies"), lower.strip_suffix('s')) {
        (Some(stem), _) if !stem.is_empty() => format!("{stem}y"),
        (_, Some(stem)) if !stem.is_empty() => stem.to_owned(),
        _ => lower,
    }
}

impl Paths {
    /// How the tree of `api` reads a path.
    pub(super) fn route<'a>(&self, api: u64, path: &'a [u8]) -> Route<'a> {
        let mut route = Route {
            parts: Vec::new(),
            key: api,
            kin: api,
            version: None,
            unknown: None,
            root: api,
        };
        let words = path.split(|byte| *byte == b'/').filter(|word| !matches!(*word, b"" | b"."));
        for word in words {
            let value = plain(word);
            let shape = Shape::of(&value);
            if SEGMENTS_MAX <= route.parts.len() {
                break;
            }
            let literal = mix(route.key, hash64(&value));
            let is_open = || self.nodes.get(route.key).is_some_and(|node| node.is_open);
            let hole = if shape.is_id() {
                Some(shape)
            } else if shape == Shape::Slug && is_open() {
                // Popular ones were confirmed before the place opened.
                Some(shape)
            } else if route.unknown.is_some() || self.nodes.get(literal).is_some() {
                None
            } else if is_open() {
                Some(Shape::Slug)
            } else {
                route.unknown = Some(route.parts.len());
                None
            };
            let step = hole.map_or(literal, |shape| mix(route.key, shape as u64 + 1));
            route.version = route.version.or_else(|| version(&value));
            route.key = step;
            route.parts.push(Part { value, hole, key: step });
        }
        route.kin = route.parts.iter().fold(mix(api, 0), |kin, part| match part.hole {
            Some(shape) => mix(kin, shape as u64 + 1),
            None if version(&part.value).is_some() => kin,
            None => mix(kin, hash64(&part.value)),
        });
        route
    }

    /// Whether a template of `api` is still what paths are read as: a place that opens takes in
    /// what were literals before.
    pub(super) fn is_current(&self, api: u64, template: &[u8]) -> bool {
        let mut key = api;
        let parts = template.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        for part in parts {
            let shape = Shape::ALL.into_iter().find(|shape| {
                let name = part.strip_prefix(b"{").and_then(|part| part.strip_suffix(b"}"));
                name == Some(shape.name().as_bytes())
            });
            let is_open = self.nodes.get(key).is_some_and(|node| node.is_open);
            if shape.is_none() && is_open && Shape::of(part) == Shape::Slug {
                return false;
            }
            key = mix(key, shape.map_or_else(|| hash64(part), |shape| shape as u64 + 1));
        }
        true
    }

    /// Takes in a path that was answered well; `endpoint` is the template with its method, and is
    /// not known yet.
    pub(super) fn learn_new(&mut self, route: &Route<'_>, endpoint: u64, by: Asked) -> Standing {
        self.root(route, by);
        self.bring(route, by);
        let day = u32::try_from(by.time_ns / 86_400_000_000_000).unwrap_or(u32::MAX);
        let mut is_new = false;
        let pending = self.pending.or_insert_with(endpoint, || {
            is_new = true;
            Pending { source: by.source, day, days: 1 }
        });
        if is_new {
            return Standing::New;
        }
        if pending.source == by.source && pending.day != day {
            pending.day = day;
            pending.days = pending.days.saturating_add(1);
        }
        if pending.source == by.source && pending.days < DAYS_ALONE {
            return Standing::Waiting;
        }
        let first = pending.source;
        self.pending.remove(endpoint);
        self.confirm(route, first, by);
        Standing::Confirmed
    }

    /// Takes in a path of a known endpoint: who uses which word.
    pub(super) fn learn_known(&mut self, route: &Route<'_>, by: Asked) {
        let mut parent = route.root;
        for part in &route.parts {
            let is_unit = part.hole.is_none()
                && self.nodes.get_mut(part.key).is_some_and(|node| node.sources.add(by.source));
            if is_unit && let Some(node) = self.nodes.get_mut(parent) {
                node.units = node.units.saturating_add(1);
            }
            parent = part.key;
        }
    }

    fn root(&mut self, route: &Route<'_>, by: Asked) {
        let first_ns = by.time_ns;
        self.nodes.or_insert_with(route.root, || Node { first_ns, ..Node::default() });
        self.nodes.confirm(route.root);
    }

    /// Makes the places of a path, and counts its first unknown word as shared.
    fn confirm(&mut self, route: &Route<'_>, first: u32, by: Asked) {
        let mut parent = route.root;
        for part in &route.parts {
            let mut is_new = false;
            let node = self.nodes.or_insert_with(part.key, || {
                is_new = true;
                Node { first_ns: by.time_ns, ..Node::default() }
            });
            node.sources.add(first);
            node.sources.add(by.source);
            self.nodes.confirm(part.key);
            if is_new
                && part.hole.is_none()
                && let Some(node) = self.nodes.get_mut(parent)
            {
                node.singles = node.singles.saturating_sub(1);
                node.units = node.units.saturating_add(1);
            }
            parent = part.key;
        }
    }

    /// Counts a word that is not known where it stands, and opens the place where many come.
    fn bring(&mut self, route: &Route<'_>, by: Asked) {
        let Some(place) = route.unknown else { return };
        let parent = match place.checked_sub(1) {
            Some(before) => route.parts.get(before).map(|part| part.key),
            None => Some(route.root),
        };
        let word = route.parts.get(place).map(|part| &part.value);
        let (Some(node), Some(word)) = (parent.and_then(|key| self.nodes.get_mut(key)), word)
        else {
            return;
        };
        let evidence = if Shape::of(word) == Shape::Slug { NUMBERED } else { PLAIN };
        node.bring(word, &evidence, by);
    }

    /// Whether a template with its method waits for a second source.
    pub(super) fn is_pending(&self, endpoint: u64) -> bool {
        self.pending.get(endpoint).is_some()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.nodes.evicted().saturating_add(self.pending.evicted())
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }
}

impl Node {
    fn bring(&mut self, word: &[u8], evidence: &Evidence, by: Asked) {
        // Beyond what is kept every word may be known; then it counts by its source alone.
        if !self.words.add(hash32(word)) && self.words.kept().len() < 64 {
            return;
        }
        let is_full = NODE_SOURCES_MAX <= self.brought.len();
        match self.brought.iter_mut().find(|(source, _)| *source == by.source) {
            Some((_, count)) if BROUGHT_BY_ONE <= *count => return,
            Some((_, count)) => *count += 1,
            None if is_full => {}
            None => self.brought.push((by.source, 1)),
        }
        self.singles = self.singles.saturating_add(1);
        self.units = self.units.saturating_add(1);
        self.is_open |= evidence.singles <= self.singles
            && evidence.sources <= self.brought.len()
            && evidence.age_ns <= by.time_ns.saturating_sub(self.first_ns)
            && OPEN_SHARE < wilson_low(self.singles, self.units);
    }
}

/// Lower bound of a share (Wilson's interval, three standard deviations).
fn wilson_low(hits: u32, total: u32) -> f64 {
    const Z2: f64 = 9.0;
    let (hits, total) = (f64::from(hits.min(total)), f64::from(total.max(1)));
    let share = hits / total;
    let middle = share + Z2 / (2.0 * total);
    let spread = (Z2 * (share * (1.0 - share) / total + Z2 / (4.0 * total * total))).sqrt();
    (middle - spread) / (1.0 + Z2 / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn ask(paths: &mut Paths, path: &str, source: u32, time_ns: u64) -> Standing {
        let route = paths.route(1, path.as_bytes());
        paths.learn_new(&route, route.key, Asked { source, time_ns })
    }

    fn template(paths: &Paths, path: &str) -> String {
        paths.route(1, path.as_bytes()).template()
    }

    #[test]
    fn parts_that_are_ids_by_their_form_are_parameters_from_the_first() {
        let paths = Paths::default();
        let check = |path: &str, expected: &str| assert_eq!(template(&paths, path), expected);
        check("/v1/orders/42", "/v1/orders/{number}");
        check("/u/a%40example.org/", "/u/{email}");
        check("/f/0b26f9d4-7bd1-4c1a-9c30-5d3a8e7f1a22/x", "/f/{uuid}/x");
        check("/", "/");
        let deep = "/a".repeat(100);
        assert_eq!(paths.route(1, deep.as_bytes()).parts.len(), SEGMENTS_MAX);
        let version = |path: &'static str| paths.route(1, path.as_bytes());
        assert_eq!(version("/v1/orders").kin, version("/v2/orders").kin);
        assert_ne!(version("/v1/orders").kin, version("/v2/users").kin);
        assert_eq!(version("/api/v3/x").version, Some(3));
    }

    #[test]
    fn two_sources_confirm_a_path_and_one_needs_three_days() {
        let mut paths = Paths::default();
        assert_eq!(ask(&mut paths, "/orders", 1, 0), Standing::New);
        assert_eq!(ask(&mut paths, "/orders", 1, HOUR_NS), Standing::Waiting);
        assert_eq!(ask(&mut paths, "/orders", 2, HOUR_NS), Standing::Confirmed);
        assert_eq!(ask(&mut paths, "/admin", 1, 0), Standing::New);
        assert_eq!(ask(&mut paths, "/admin", 1, 24 * HOUR_NS), Standing::Waiting);
        assert_eq!(ask(&mut paths, "/admin", 1, 48 * HOUR_NS), Standing::Confirmed);
    }

    #[test]
    fn a_place_opens_where_many_sources_keep_bringing_words_of_their_own() {
        let mut paths = Paths::default();
        for source in 0..40 {
            ask(&mut paths, "/users", source, 0);
            let time_ns = u64::from(source) * HOUR_NS;
            let name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr"
                .get(source as usize..)
                .expect("long enough");
            ask(&mut paths, &format!("/users/{name}"), source, time_ns);
        }
        assert_eq!(template(&paths, "/users/zoe"), "/users/{slug}");
        assert_eq!(template(&paths, "/others/zoe"), "/others/zoe");
    }

    #[test]
    fn names_of_functions_stay_literals() {
        let mut paths = Paths::default();
        let names = ["sell", "buy", "list", "find", "cart", "pay", "ship", "help", "news", "faq"];
        for round in 0_u32..60 {
            for source in 0..20_u32 {
                let name = names[(source * 7 + round) as usize % names.len()];
                ask(&mut paths, &format!("/{name}"), source, u64::from(round) * HOUR_NS);
            }
        }
        assert_eq!(template(&paths, "/other"), "/other");
        assert!(paths.route(1, b"/other").unknown.is_some());
        assert_eq!(paths.nodes(), 1 + names.len());
    }

    #[test]
    fn a_scanner_neither_opens_a_place_nor_makes_one() {
        let mut paths = Paths::default();
        for number in 0..100_000_u64 {
            let source = if number % 2 == 0 { 1 } else { 7 };
            ask(&mut paths, &format!("/x{source}-{number}"), source, number * 1_000_000_000);
        }
        assert_eq!((paths.nodes(), paths.pending()), (1, PENDING_MAX));
        assert_eq!(paths.evicted(), 100_000 - PENDING_MAX as u64);
        assert!(paths.route(1, b"/other-1").unknown.is_some());
    }

    #[test]
    fn places_are_bounded_where_many_sources_scan() {
        let mut paths = Paths::default();
        for number in 0..NODES_MAX as u64 + 10 {
            for source in [1, 2] {
                ask(&mut paths, &format!("/{number}/w{number}-{number}"), source, 0);
            }
        }
        assert!(paths.nodes() <= NODES_MAX);
        let root = paths.nodes.get(1).expect("the root");
        assert!(root.sources.kept().len() <= NODE_SOURCES_MAX);
    }
}
