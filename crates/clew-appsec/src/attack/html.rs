//! Tells script injection by what a browser would make of a value.
//!
//! A value may land in text, in an attribute within one of three kinds of quotes or none, or in a
//! script. Text is read for tags that run something; attributes for a handler that begins behind
//! the closing quote. Scripts are left to the patterns. A `<` alone is nothing: it must open a tag.

use std::ops::Range;

use crate::decoding;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) bits: f64,
    pub(super) range: Range<usize>,
    pub(super) says: &'static str,
}

/// Longest name of a tag or attribute; handlers have up to 40 letters.
const NAME_BYTES_MAX: usize = 56;
/// Longest value of an attribute that is read as an address.
const ADDRESS_BYTES_MAX: usize = 512;
/// Longest tag that is read: tags within tags must not be read over and over.
pub(super) const TAG_BYTES_MAX: usize = 2 << 10;
/// How often each byte of a value is read as part of a tag, on average.
pub(super) const READS_MAX: usize = 8;

/// Tags that run or load something by themselves, or change how the rest is read.
const TAGS: &[&[u8]] = &[
    b"applet",
    b"base",
    b"bgsound",
    b"embed",
    b"frame",
    b"frameset",
    b"iframe",
    b"import",
    b"isindex",
    b"layer",
    b"link",
    b"meta",
    b"noscript",
    b"object",
    b"script",
    b"set",
    b"style",
    b"svg",
    b"vmlframe",
    b"xml",
    b"xss",
];
/// Tags whose attributes decide.
const ADDRESSES: &[&[u8]] = &[
    b"action",
    b"background",
    b"by",
    b"data",
    b"dynsrc",
    b"formaction",
    b"from",
    b"href",
    b"lowsrc",
    b"poster",
    b"src",
    b"srcdoc",
    b"to",
    b"values",
    b"xlink:href",
    b"code",
    b"codebase",
    b"value",
    b"content",
    b"folder",
    b"style",
    b"srcset",
    b"url",
];
/// English words that begin as handlers do.
const WORDS: &[&[u8]] = &[
    b"once", b"one", b"only", b"online", b"ongoing", b"onto", b"onset", b"onward", b"onwards",
    b"onion", b"onions", b"onboard", b"onshore", b"onsite", b"ons", b"ones", b"oneself",
];

/// The most telling piece of markup.
pub(super) fn judge(bytes: &[u8]) -> Option<Found> {
    let mut best = handler(bytes);
    let mut at = 0;
    // Tags within values of tags are read again; this keeps the whole linear.
    let mut left = READS_MAX * bytes.len();
    while let Some(open) = find(bytes, at, b'<') {
        at = open + 1;
        let Some(found) = tag(bytes, at, &mut left) else { continue };
        if best.as_ref().is_none_or(|best| best.bits < found.bits) {
            best = Some(Found { range: open..found.range.end, ..found });
        }
    }
    best
}

fn find(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    bytes.get(from..)?.iter().position(|&it| it == byte).map(|at| from + at)
}

/// A tag whose name begins at `start`.
fn tag(bytes: &[u8], start: usize, left: &mut usize) -> Option<Found> {
    let rest = bytes.get(start..)?;
    let lead = rest.iter().take(4).take_while(|it| matches!(it, 0..=0x20 | b'<')).count();
    let rest = rest.get(lead..)?;
    let start = start + lead;
    if let Some(bits) = declaration(rest) {
        let end = (start + 16).min(bytes.len());
        return Some(Found { bits, range: start..end, says: "holds markup that is run" });
    }
    let closes = usize::from(rest.first() == Some(&b'/'));
    let length =
        rest.iter().skip(closes).take(NAME_BYTES_MAX).take_while(|it| is_name(**it)).count();
    let name = rest.get(closes..closes + length)?;
    if name.is_empty() || !name.first()?.is_ascii_alphabetic() && name.first() != Some(&b':') {
        return None;
    }
    let name = name.rsplit(|&it| it == b':').next()?.to_ascii_lowercase();
    let behind = start + closes + length;
    let next = bytes.get(behind).copied();
    let is_tag = TAGS.contains(&name.as_slice());
    if is_tag && lead == 0 && (closes == 0 || name == b"script") {
        let bits = match name.as_slice() {
            b"script" => 4.0,
            b"xml" | b"set" | b"import" | b"layer" | b"link" | b"base" | b"frame" | b"xss" => 2.0,
            _ => 3.0,
        };
        if !matches!(next, Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')) {
            let found = Found { bits, range: start..behind, says: "holds a tag that is run" };
            return Some(
                attributes(bytes, behind, left).filter(|it| bits < it.bits).unwrap_or(found),
            );
        }
    }
    // `a <b and c` has no attributes; `<b onload=…` has.
    attributes(bytes, behind, left)
}

/// What is markup without being a tag.
fn declaration(rest: &[u8]) -> Option<f64> {
    let head: Vec<u8> = rest.iter().take(12).map(u8::to_ascii_lowercase).collect();
    let is = |word: &str| head.starts_with(word.as_bytes());
    if is("!--[if") || is("!entity") || is("![cdata[<") || is("?import") || is("%import") {
        return Some(2.5);
    }
    (is("!--#exec") || is("!--#includ") || is("!--#echo") || is("!--#set")).then_some(2.5)
}

/// Attributes of a tag from `start` to its `>`.
fn attributes(bytes: &[u8], start: usize, left: &mut usize) -> Option<Found> {
    let end = bytes.len().min(start + TAG_BYTES_MAX.min(*left));
    let bytes = bytes.get(..end).unwrap_or_default();
    let mut at = start;
    let mut best: Option<Found> = None;
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b'>' | b'<') {
            break;
        }
        if !is_name(byte) {
            at += 1;
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|it| is_name(**it)).count();
        let name = rest.get(..length.min(NAME_BYTES_MAX)).unwrap_or_default().to_ascii_lowercase();
        let begin = at;
        at += length;
        let behind = bytes.get(at..).unwrap_or_default();
        let space = behind.iter().take_while(|it| is_gap(**it)).count();
        if behind.get(space) != Some(&b'=') {
            continue;
        }
        at += space + 1;
        let (value, end) = value(bytes, at);
        at = end;
        let bits = if is_handler(&name) {
            4.0
        } else if ADDRESSES.contains(&name.as_slice()) && runs(value) {
            3.5
        } else {
            continue;
        };
        if best.as_ref().is_none_or(|best| best.bits < bits) {
            best = Some(Found { bits, range: begin..at, says: "holds a tag with a script" });
        }
    }
    *left = left.saturating_sub(at.saturating_sub(start));
    best
}

/// An attribute's value and where it ends.
fn value(bytes: &[u8], start: usize) -> (&[u8], usize) {
    let bytes = bytes.get(..bytes.len().min(start + TAG_BYTES_MAX)).unwrap_or_default();
    let rest = bytes.get(start..).unwrap_or_default();
    let space = rest.iter().take_while(|it| it.is_ascii_whitespace()).count();
    let rest = rest.get(space..).unwrap_or_default();
    let start = start + space;
    if let Some((quote @ (b'"' | b'\'' | b'`'), inner)) = rest.split_first() {
        let end = inner.iter().position(|it| it == quote).unwrap_or(inner.len());
        return (inner.get(..end).unwrap_or_default(), (start + end + 2).min(bytes.len()));
    }
    let end = rest.iter().position(|it| it.is_ascii_whitespace() || *it == b'>');
    let end = end.unwrap_or(rest.len());
    (rest.get(..end).unwrap_or_default(), start + end)
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_' | b'.')
}

const fn is_gap(byte: u8) -> bool {
    matches!(byte, 0..=0x20)
}

fn is_handler(name: &[u8]) -> bool {
    let letters = name.strip_prefix(b"on").unwrap_or_default();
    (3..=50).contains(&letters.len())
        && letters.iter().all(u8::is_ascii_alphanumeric)
        && letters.first().is_some_and(u8::is_ascii_alphabetic)
        && !WORDS.contains(&name)
}

/// Whether an address or style is run: `javascript:`, also with spaces and references within.
fn runs(value: &[u8]) -> bool {
    let value = value.get(..value.len().min(ADDRESS_BYTES_MAX)).unwrap_or_default();
    let plain = decoding::entities(value);
    let squeezed: Vec<u8> = plain
        .as_deref()
        .unwrap_or(value)
        .iter()
        .filter(|it| 0x20 < **it && **it != b'\\')
        .map(u8::to_ascii_lowercase)
        .collect();
    const RUN: &[&[u8]] = &[
        b"javascript:",
        b"vbscript:",
        b"livescript:",
        b"mocha:",
        b"data:text/html",
        b"data:,",
        b"data:image/svg",
        b"expression(",
        b"-moz-binding",
        b"behavior:",
        b"behaviour:",
        b"data:text/xml",
        b"data:application",
        b"data:text/javascript",
        b"<script",
        b"<svg",
        b"<img",
        b"@import",
        b"data:;base64",
        b"javascript&",
        b"data:base64",
        b"data:x",
    ];
    RUN.iter().any(|word| squeezed.windows(word.len()).any(|it| it == *word))
}

/// A handler that begins behind a closing quote or a gap, as within a tag of the application.
fn handler(bytes: &[u8]) -> Option<Found> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let found = rest.windows(2).position(|it| it.eq_ignore_ascii_case(b"on"))?;
        let start = at + found;
        at = start + 2;
        let before = start.checked_sub(1).and_then(|it| bytes.get(it)).copied();
        let is_behind = matches!(before, Some(b'"' | b'\'' | b'`' | b'/' | b'>' | 0..=0x20 | b';'));
        if !is_behind {
            continue;
        }
        let name = bytes.get(start..).unwrap_or_default();
        let length =
            name.iter().take(NAME_BYTES_MAX).take_while(|it| it.is_ascii_alphanumeric()).count();
        let name = name.get(..length).unwrap_or_default().to_ascii_lowercase();
        let behind = bytes.get(start + length..).unwrap_or_default();
        let gap = behind.iter().take_while(|it| is_gap(**it)).count();
        if behind.get(gap) != Some(&b'=') || !is_handler(&name) {
            continue;
        }
        let (value, end) = value(bytes, start + length + gap + 1);
        let is_quoted = bytes.iter().take(start).any(|it| b"\"'`".contains(it));
        let is_script = value.iter().any(|it| b"(`[.".contains(it));
        // A date, number or base64 behind the sign is data: `/onafe=`.
        let bits = match (is_quoted, is_script) {
            (true, true) => 3.5,
            (true, false) | (false, true) => 2.5,
            _ if before.is_some_and(|it| it.is_ascii_whitespace()) => 1.5,
            _ => continue,
        };
        return Some(Found { bits, range: start..end, says: "adds a handler to a tag" });
    }
}
