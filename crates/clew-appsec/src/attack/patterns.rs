//! Patterns of attacks, each with the place, the view and the context in which it means something.
//!
//! One pass of an automaton over a value says which patterns can match at all; only their regular
//! expressions are run. Without places and context such patterns flag every benign text there is:
//! `union`, `echo` and `/bin/` are words.

mod code;
mod files;
mod java;
mod protocol;
mod response;
mod script;
mod shell;
mod statements;

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::Regex;

use super::class::Class;
use super::view::{self, View};
use crate::arguments::Place;

/// Where a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// In every argument.
    Anywhere,
    /// Not in header fields: addresses and programs' names are at home there.
    Arguments,
    /// In what comes out of base64 only.
    Base64,
    /// In names of files.
    FileName,
    /// In `User-Agent`.
    UserAgent,
    /// In responses.
    Response,
}

/// One pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    pub(super) class: Class,
    pub(super) bits: f64,
    pub(super) place: Where,
    pub(super) view: View,
    /// One of these is in whatever matches, in any case.
    pub(super) literals: &'static [&'static str],
    pub(super) regex: &'static str,
    pub(super) says: &'static str,
}

impl Pattern {
    const fn new(
        class: Class,
        bits: f64,
        literals: &'static [&'static str],
        regex: &'static str,
        says: &'static str,
    ) -> Self {
        Self { class, bits, place: Where::Anywhere, view: View::Plain, literals, regex, says }
    }

    const fn at(self, place: Where) -> Self {
        Self { place, ..self }
    }

    const fn seen(self, view: View) -> Self {
        Self { view, ..self }
    }
}

const LISTS: &[&[Pattern]] = &[
    statements::LIST,
    script::LIST,
    files::LIST,
    shell::LIST,
    code::LIST,
    java::LIST,
    protocol::LIST,
    response::LIST,
];

/// What a pattern found in a value.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) pattern: &'static Pattern,
    pub(super) range: Range<usize>,
    /// What was matched, where the value was seen in another view.
    pub(super) seen: Option<Vec<u8>>,
}

/// All patterns, compiled.
#[derive(Debug)]
pub(super) struct Patterns {
    list: Vec<(&'static Pattern, Regex)>,
    literals: Option<AhoCorasick>,
    /// The pattern of each literal.
    owners: Vec<usize>,
}

/// A value and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) place: Place,
    pub(super) name: &'a [u8],
    pub(super) is_from_base64: bool,
}

impl Patterns {
    pub(super) fn new() -> Self {
        let mut list = Vec::new();
        let mut words = Vec::new();
        let mut owners = Vec::new();
        for pattern in LISTS.iter().flat_map(|list| list.iter()) {
            // All of them compile: a test sees to it.
            let Ok(regex) = Regex::new(&format!("(?i-u){}", pattern.regex)) else { continue };
            words.extend_from_slice(pattern.literals);
            owners.extend(pattern.literals.iter().map(|_| list.len()));
            list.push((pattern, regex));
        }
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(words)
            .ok();
        Self { list, literals, owners }
    }

    /// Adds what is found in `seen`; `Where::Response` patterns only where `is_response`.
    pub(super) fn judge(&self, seen: Seen<'_>, is_response: bool, found: &mut Vec<Match>) {
        let shell = view::of(View::Shell, seen.bytes);
        let stripped = view::of(View::Stripped, seen.bytes);
        let views = [
            (View::Plain, Some(seen.bytes)),
            (View::Shell, shell.as_deref()),
            (View::Stripped, stripped.as_deref()),
        ];
        // A view that shows the same is not looked at again: its patterns run on the plain bytes.
        let is_plain = |view: View| views.iter().any(|(it, bytes)| *it == view && bytes.is_none());
        for (view, bytes) in views {
            let Some(bytes) = bytes else { continue };
            for (at, mut word) in self.candidates(bytes).into_iter().enumerate() {
                while word != 0 {
                    let bit = usize::try_from(word.trailing_zeros()).unwrap_or(0);
                    word &= word - 1;
                    let Some((pattern, regex)) = self.list.get(at * 64 + bit) else { continue };
                    let is_here =
                        pattern.view == view || (view == View::Plain && is_plain(pattern.view));
                    if !is_here || !fits(pattern, &seen, is_response) {
                        continue;
                    }
                    if let Some(it) = regex.find(bytes) {
                        let shown = (view != View::Plain).then(|| it.as_bytes().to_vec());
                        found.push(Match { pattern, range: it.range(), seen: shown });
                    }
                }
            }
        }
    }

    /// Patterns of which a literal is in `bytes`, as a set of bits.
    fn candidates(&self, bytes: &[u8]) -> [u64; 4] {
        let mut bits = [0_u64; 4];
        if let Some(literals) = &self.literals {
            for it in literals.find_overlapping_iter(bytes) {
                let Some(&owner) = self.owners.get(it.pattern().as_usize()) else { continue };
                if let Some(word) = bits.get_mut(owner / 64) {
                    *word |= 1 << (owner % 64);
                }
            }
        }
        bits
    }
}

fn fits(pattern: &Pattern, seen: &Seen<'_>, is_response: bool) -> bool {
    if is_response != (pattern.place == Where::Response) {
        return false;
    }
    match pattern.place {
        Where::Anywhere | Where::Response => true,
        Where::Arguments => !matches!(seen.place, Place::Header | Place::Path),
        Where::Base64 => seen.is_from_base64,
        Where::FileName => seen.place == Place::FileName,
        Where::UserAgent => seen.place == Place::Header && seen.name == b"user-agent",
    }
}

/// Borrowed bytes, or those of a view.
pub(super) fn shown<'a>(it: &'a Match, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    match &it.seen {
        Some(seen) => Cow::Borrowed(seen.as_slice()),
        None => Cow::Borrowed(bytes.get(it.range.clone()).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiles_every_pattern_and_fits_them_into_one_set() {
        let patterns = Patterns::new();
        let count: usize = LISTS.iter().map(|list| list.len()).sum();
        for pattern in LISTS.iter().flat_map(|list| list.iter()) {
            let regex = Regex::new(&format!("(?i-u){}", pattern.regex));
            assert!(regex.is_ok(), "{} does not compile: {regex:?}", pattern.regex);
            assert!(!pattern.literals.is_empty(), "{} has no literal", pattern.regex);
        }
        assert_eq!(patterns.list.len(), count);
        assert!(count <= 256, "{count} patterns");
        assert!(patterns.literals.is_some());
    }
}
