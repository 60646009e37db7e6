//! Attacks in the bytes of a request: a suspicion, never a proof.
//!
//! Each argument is looked at in every form that a reader may see, by two detectors that know a
//! grammar (SQL, HTML) and by patterns. What is found is told once a class, with the argument, the
//! decoded form and the bytes. All of it is linear in the length of the request.

mod class;
mod html;
mod message;
mod patterns;
pub(crate) mod sql;
mod told;
mod view;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clew_event::http::{HttpEvent, HttpRequest, HttpResponse, HttpSource};

pub use class::Class;
pub use told::MATCH_BYTES_MAX;

use crate::arguments::{Arguments, Place};
use crate::decoding::{self, Layer};
use crate::detected::Detected;
use patterns::{Match, Patterns, Seen};
use told::Hit;

/// Least bits that are told: what has less is a word, not an attack.
const TOLD_BITS_MIN: f64 = 0.5;
/// Most bytes of a response that are looked at: errors and titles stand at its head.
pub const RESPONSE_BYTES_MAX: usize = 16 << 10;

/// The compiled patterns of all classes of attacks.
#[derive(Debug)]
pub struct Attacks {
    patterns: &'static Patterns,
}

impl Default for Attacks {
    fn default() -> Self {
        Self::new()
    }
}

/// The best hit of each class, with how many there were.
type Hits = BTreeMap<Class, (Hit, u32)>;

impl Attacks {
    /// Compiles them, once a process.
    #[must_use]
    pub fn new() -> Self {
        static PATTERNS: LazyLock<Patterns> = LazyLock::new(Patterns::new);
        Self { patterns: &PATTERNS }
    }

    /// Adds what the request, or its response, holds; of exchanges that a watched server answers.
    pub fn judge(&self, event: &HttpEvent, found: &mut Vec<Detected>) {
        if !event.is_inbound {
            return;
        }
        let mut hits = Hits::new();
        // A log tells an exchange when it is over, and once.
        let is_late = event.seen_by == HttpSource::Log;
        if event.response.is_none() || is_late {
            self.request(&event.request, &mut hits);
        }
        if let Some(response) = &event.response {
            self.response(response, &mut hits);
        }
        found.extend(
            hits.into_iter()
                .map(|(class, (hit, count))| told::detected(class, &hit, count, &event.request)),
        );
    }

    fn request(&self, request: &HttpRequest, hits: &mut Hits) {
        let arguments = Arguments::of(request);
        message::judge(request, &arguments, hits);
        for argument in &arguments.list {
            let (place, name) = (argument.place, argument.name.as_ref());
            // Names in a document are its author's; those of a query are the client's.
            let has_name = !matches!(place, Place::Header | Place::Xml);
            if has_name && (argument.value.is_empty() || !is_identifier(name)) {
                self.value(place, b"", name, hits);
            }
            self.value(place, name, &argument.value, hits);
        }
    }

    /// Adds what a value holds, as it is and decoded further.
    fn value(&self, place: Place, name: &[u8], value: &[u8], hits: &mut Hits) {
        if value.is_empty() || (place == Place::Header && is_host(name, value)) {
            return;
        }
        self.form(place, name, (value, &[]), hits);
        // Some servers take a `+` for a space everywhere.
        if matches!(place, Place::Path | Place::Header | Place::Cookie)
            && let Some(spaced) = decoding::plus(value)
        {
            self.form(place, name, (&spaced, &[]), hits);
        }
        for form in decoding::forms(value).list {
            self.form(place, name, (&form.bytes, &form.layers), hits);
        }
    }

    fn form(&self, place: Place, name: &[u8], (bytes, layers): (&[u8], &[Layer]), hits: &mut Hits) {
        let is_from_base64 = layers.contains(&Layer::Base64);
        let seen = Seen { bytes, place, name, is_from_base64 };
        let mut matches: Vec<Match> = Vec::new();
        self.patterns.judge(seen, false, &mut matches);
        for it in &matches {
            let shown = patterns::shown(it, bytes);
            let hit = Hit::new(place, name, layers, it.pattern.says).with(
                it.pattern.bits,
                &shown,
                bytes.len(),
            );
            keep(hits, it.pattern.class, hit);
        }
        if is_identifier(bytes) {
            return;
        }
        if let Some(it) = sql::judge(bytes) {
            let shown = bytes.get(it.range).unwrap_or_default();
            let hit = Hit::new(place, name, layers, it.says).with(it.bits, shown, bytes.len());
            keep(hits, Class::Sql, hit);
        }
        if let Some(it) = html::judge(bytes) {
            let shown = bytes.get(it.range).unwrap_or_default();
            let hit = Hit::new(place, name, layers, it.says).with(it.bits, shown, bytes.len());
            keep(hits, Class::Script, hit);
        }
    }

    fn response(&self, response: &HttpResponse, hits: &mut Hits) {
        let body = response.body.as_bytes();
        let body = body.get(..RESPONSE_BYTES_MAX.min(body.len())).unwrap_or_default();
        let plain = decoding::escapes(body);
        for bytes in [Some(body), plain.as_deref()].into_iter().flatten() {
            let seen = Seen { bytes, place: Place::Body, name: b"", is_from_base64: false };
            let mut matches = Vec::new();
            self.patterns.judge(seen, true, &mut matches);
            for it in &matches {
                let shown = patterns::shown(it, bytes);
                let hit = Hit::new(Place::Body, b"response", &[], it.pattern.says).with(
                    it.pattern.bits,
                    &shown,
                    bytes.len(),
                );
                keep(hits, it.pattern.class, hit);
            }
        }
    }
}

fn keep(hits: &mut Hits, class: Class, hit: Hit) {
    if hit.bits < TOLD_BITS_MIN {
        return;
    }
    match hits.entry(class) {
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert((hit, 1));
        }
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            let (best, count) = entry.get_mut();
            *count = count.saturating_add(1);
            if best.bits < hit.bits {
                *best = hit;
            }
        }
    }
}

/// A name of a host, as nearly every request has one.
fn is_host(name: &[u8], value: &[u8]) -> bool {
    let is_plain = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b':');
    name == b"host" && value.iter().all(is_plain)
}

/// A name as programs give them, in which nothing can be hidden.
fn is_identifier(bytes: &[u8]) -> bool {
    bytes.iter().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'[' | b']'))
        && !bytes.windows(2).any(|it| it == b"__" || it == b"--")
        && bytes.len() < 32
}

#[cfg(test)]
mod tests;
