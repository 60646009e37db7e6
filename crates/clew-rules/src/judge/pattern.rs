//! Texts with wildcards: what Sigma's values are.
//!
//! `*` stands for any characters and `?` for one. Letters are compared without regard to case unless
//! a value asks otherwise; a value with letters beyond ASCII is an expression for that. Many values of one item are one matcher: equal texts in a
//! set, texts to be found anywhere in one automaton, ends compared one by one; only what has a
//! wildcard inside is walked.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use regex::bytes::{Regex, RegexBuilder};
use rustc_hash::FxHashSet;

/// Longest text that is looked up in the set of equal texts; longer ones are compared one by one.
const LOOKED_UP_BYTES_MAX: usize = 256;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    /// These bytes.
    Text(Vec<u8>),
    /// One character.
    One,
    /// Any characters, or none.
    Many,
}

/// A pattern by where its text has to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape<'a> {
    /// Anything.
    Anything,
    Whole(&'a [u8]),
    Start(&'a [u8]),
    End(&'a [u8]),
    Inside(&'a [u8]),
    /// With a wildcard inside.
    Mixed,
}

/// Where the text of a pattern stands.
pub(crate) fn shape(pieces: &[Piece]) -> Shape<'_> {
    use Piece::{Many, Text};
    match pieces {
        [] => Shape::Whole(b""),
        [Many] => Shape::Anything,
        [Text(text)] => Shape::Whole(text),
        [Text(text), Many] => Shape::Start(text),
        [Many, Text(text)] => Shape::End(text),
        [Many, Text(text), Many] => Shape::Inside(text),
        _ => Shape::Mixed,
    }
}

/// Several patterns, of which one has to fit.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    is_cased: bool,
    fits_anything: bool,
    /// In lower case unless cased; at most [`LOOKED_UP_BYTES_MAX`] long.
    whole: FxHashSet<Box<[u8]>>,
    /// Longest of them.
    whole_length_max: usize,
    long: Vec<Box<[u8]>>,
    starts: Vec<Box<[u8]>>,
    ends: Vec<Box<[u8]>>,
    inside: Option<Box<AhoCorasick>>,
    mixed: Vec<Box<[Unit]>>,
    /// Those whose case is more than ASCII's.
    folded: Option<Box<Regex>>,
}

/// One step of a pattern with a wildcard inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte(u8),
    One,
    Many,
}

impl Patterns {
    /// `None` where they are too many for one automaton.
    pub(crate) fn new(patterns: &[Vec<Piece>], is_cased: bool) -> Option<Self> {
        let (folded, patterns): (Vec<_>, Vec<_>) =
            patterns.iter().partition(|pieces| !is_cased && has_more_than_ascii(pieces));
        let mut new = Self {
            is_cased,
            fits_anything: false,
            whole: FxHashSet::default(),
            whole_length_max: 0,
            long: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            inside: None,
            mixed: Vec::new(),
            folded: if folded.is_empty() { None } else { Some(Box::new(expression(&folded)?)) },
        };
        let mut inside: Vec<&[u8]> = Vec::new();
        for pieces in patterns {
            match shape(pieces) {
                Shape::Anything => new.fits_anything = true,
                Shape::Whole(text) if LOOKED_UP_BYTES_MAX < text.len() => {
                    new.long.push(text.into());
                }
                Shape::Whole(text) => {
                    new.whole_length_max = new.whole_length_max.max(text.len());
                    let lower = text.to_ascii_lowercase();
                    new.whole.insert(if is_cased { text.into() } else { lower.into() });
                }
                Shape::Start(text) => new.starts.push(text.into()),
                Shape::End(text) => new.ends.push(text.into()),
                Shape::Inside(text) => inside.push(text),
                Shape::Mixed => new.mixed.push(units(pieces)),
            }
        }
        if !inside.is_empty() {
            let mut builder = AhoCorasickBuilder::new();
            let built = builder.ascii_case_insensitive(!is_cased).build(inside).ok()?;
            new.inside = Some(Box::new(built));
        }
        Some(new)
    }

    /// Texts that alone fit, where nothing else does; in lower case.
    pub(crate) fn only_whole(&self) -> Option<&FxHashSet<Box<[u8]>>> {
        let is_only = !self.is_cased
            && !self.fits_anything
            && self.long.is_empty()
            && self.starts.is_empty()
            && self.ends.is_empty()
            && self.inside.is_none()
            && self.mixed.is_empty()
            && self.folded.is_none();
        is_only.then_some(&self.whole)
    }

    pub(crate) fn fit(&self, text: &[u8]) -> bool {
        let equal =
            |a: &[u8], b: &[u8]| if self.is_cased { a == b } else { a.eq_ignore_ascii_case(b) };
        self.fits_anything
            || self.has_whole(text)
            || self.long.iter().any(|whole| equal(whole, text))
            || self
                .starts
                .iter()
                .any(|start| text.get(..start.len()).is_some_and(|it| equal(it, start)))
            || self.ends.iter().any(|end| {
                let from = text.len().checked_sub(end.len());
                from.and_then(|from| text.get(from..)).is_some_and(|it| equal(it, end))
            })
            || self.inside.as_ref().is_some_and(|inside| inside.is_match(text))
            || self.mixed.iter().any(|units| fits(units, text, self.is_cased))
            || self.folded.as_ref().is_some_and(|folded| folded.is_match(text))
    }

    fn has_whole(&self, text: &[u8]) -> bool {
        if self.whole.is_empty() || self.whole_length_max < text.len() {
            return false;
        }
        if self.is_cased {
            return self.whole.contains(text);
        }
        with_lower(text, |lower| self.whole.contains(lower)).unwrap_or(false)
    }

    /// Roughly how long it takes, in comparisons of short texts.
    pub(crate) fn cost(&self) -> u32 {
        let several = |count: usize, each: u32| u32::try_from(count).unwrap_or(u32::MAX) * each;
        let ends = self.starts.len() + self.ends.len() + self.long.len();
        3 + several(ends.min(100), 1)
            + if self.inside.is_some() { 12 } else { 0 }
            + several(self.mixed.len().min(100), 20)
            + if self.folded.is_some() { 20 } else { 0 }
    }
}

/// What `then` makes of the text in lower case; `None` where it is longer than
/// [`LOOKED_UP_BYTES_MAX`].
pub(crate) fn with_lower<T>(text: &[u8], then: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut lower = [0; LOOKED_UP_BYTES_MAX];
    let lower = lower.get_mut(..text.len())?;
    lower.copy_from_slice(text);
    lower.make_ascii_lowercase();
    Some(then(lower))
}

fn has_more_than_ascii(pieces: &[Piece]) -> bool {
    let is_more = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| !text.is_ascii());
    pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if is_more(text)))
}

/// One expression for all; `None` where it would be too large, or a text is no UTF-8.
fn expression(patterns: &[&Vec<Piece>]) -> Option<Regex> {
    let mut text = String::new();
    for pieces in patterns {
        text.push_str(if text.is_empty() { r"\A(?:" } else { "|" });
        for piece in *pieces {
            match piece {
                Piece::Text(bytes) => text += &regex::escape(std::str::from_utf8(bytes).ok()?),
                Piece::One => text.push('.'),
                Piece::Many => text += "(?-u:.)*",
            }
        }
    }
    text += r")\z";
    RegexBuilder::new(&text).case_insensitive(true).dot_matches_new_line(true).build().ok()
}

fn units(pieces: &[Piece]) -> Box<[Unit]> {
    let mut units = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => units.extend(text.iter().copied().map(Unit::Byte)),
            Piece::One => units.push(Unit::One),
            Piece::Many => units.push(Unit::Many),
        }
    }
    units.into()
}

/// Takes each `*` as short as it goes, and lengthens the last one where what follows does not fit:
/// time is bounded by the product of both lengths.
fn fits(units: &[Unit], text: &[u8], is_cased: bool) -> bool {
    let (mut unit, mut at) = (0, 0);
    let mut last_many: Option<(usize, usize)> = None;
    loop {
        let step = match (units.get(unit), text.get(at)) {
            (None, None) => return true,
            (Some(Unit::Many), _) => {
                last_many = Some((unit, at));
                unit += 1;
                continue;
            }
            (Some(Unit::One), Some(_)) => Some(character_length(text, at)),
            (Some(Unit::Byte(wanted)), Some(byte)) => {
                let is_same =
                    if is_cased { wanted == byte } else { wanted.eq_ignore_ascii_case(byte) };
                is_same.then_some(1)
            }
            (None, Some(_)) | (Some(_), None) => None,
        };
        if let Some(length) = step {
            unit += 1;
            at += length;
            continue;
        }
        let Some((many, from)) = last_many.filter(|(_, from)| *from < text.len()) else {
            return false;
        };
        last_many = Some((many, from + 1));
        unit = many + 1;
        at = from + 1;
    }
}

/// Bytes of the character at `at`: one, and the continuation bytes of UTF-8 behind it.
fn character_length(text: &[u8], at: usize) -> usize {
    let rest = text.get(at + 1..).unwrap_or_default();
    1 + rest.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `*` and `?` are wildcards here, and nothing is escaped.
    fn pieces(pattern: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for character in pattern.chars() {
            match (character, pieces.last_mut()) {
                ('*', _) => pieces.push(Piece::Many),
                ('?', _) => pieces.push(Piece::One),
                (other, Some(Piece::Text(text))) => text.extend(other.to_string().bytes()),
                (other, _) => pieces.push(Piece::Text(other.to_string().into_bytes())),
            }
        }
        pieces
    }

    fn check(pattern: &str, text: &str, expected: bool) {
        let found = Patterns::new(&[pieces(pattern)], false).unwrap().fit(text.as_bytes());
        assert_eq!(found, expected, "`{pattern}` on `{text}`");
    }

    #[test]
    fn a_pattern_fits_the_whole_text_without_regard_to_case() {
        check("Cmd.exe", "cMD.EXE", true);
        check("cmd.exe", "xcmd.exe", false);
        check("*cmd.exe", "C:\\CMD.exe", true);
        check("/tmp/*", "/TMP/x", true);
        check("*nc -e*", "/bin/NC -E sh", true);
        check("*", "", true);
        check("", "", true);
        check("", "x", false);
        check("?", "\u{e9}", true);
        check("a?c", "abbc", false);
        check("a*b?d*e", "axxbcbyd..e", true);
        check("a*b?d*e", "axxbcbyy..e", false);
        check("*a*", "bcd", false);
        check("ab*ba", "aba", false);
        check("*?", "", false);
    }

    #[test]
    fn cased_patterns_regard_case() {
        for pattern in ["aB", "aB*", "*aB", "*aB*", "a?B*"] {
            let patterns = Patterns::new(&[pieces(pattern)], true).unwrap();
            assert!(patterns.fit(pattern.replace(['*', '?'], "").as_bytes()) || pattern == "a?B*");
            assert!(!patterns.fit(b"ab") && !patterns.fit(b"axb"), "{pattern}");
        }
    }

    #[test]
    fn letters_beyond_ascii_have_case_as_well() {
        for pattern in ["caf\u{e9}", "caf\u{e9}*", "*caf\u{e9}*", "*\u{e9}", "?a*\u{e9}"] {
            check(pattern, "CAF\u{c9}", true);
            check(pattern, "CAFE", false);
        }
        check("*\u{e9}*", "a\n\u{c9}\n", true);
        check("\u{e9}+", "\u{c9}\u{c9}", false);
        let cased = Patterns::new(&[pieces("\u{e9}")], true).unwrap();
        assert!(cased.fit("\u{e9}".as_bytes()) && !cased.fit("\u{c9}".as_bytes()));
        let several = Patterns::new(&[pieces("\u{e9}"), pieces("x")], false).unwrap();
        assert!(several.fit("\u{c9}".as_bytes()) && several.fit(b"X"));
        assert_eq!(several.only_whole(), None);
    }

    #[test]
    fn texts_longer_than_the_table_takes_are_compared_as_well() {
        let long = "x".repeat(LOOKED_UP_BYTES_MAX + 1);
        check(&long, &long.to_uppercase(), true);
        check(&long, &long[1..], false);
        check("x", &long, false);
        assert_eq!(with_lower(long.as_bytes(), <[u8]>::len), None);
    }

    #[test]
    fn a_pattern_full_of_wildcards_ends_in_time() {
        let pattern = "*a".repeat(50) + "b";
        check(&pattern, &"a".repeat(5_000), false);
    }
}
