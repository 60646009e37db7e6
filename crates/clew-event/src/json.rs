//! Reads one JSON record in place: an index of its values over the bytes they stand in.
//!
//! Records of audit logs are asked for a handful of their fields, so nothing is copied out of
//! them until it is asked for: an index entry says where a value begins, where it ends and where
//! the next one is (12 bytes a value), and a text without escapes is a slice of the record. Texts
//! of objects and numbers stay as their writer wrote them, which `serde_json`'s tree does not
//! promise. Whoever wrote the record may be hostile: nesting and length are bounded, there is no
//! recursion, and of a key that stands twice the first one counts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

mod parse;
mod text;

pub use text::{plain_length, unescaped};

/// Deepest nesting that is read; Kubernetes objects nest about 20 deep.
pub const JSON_DEPTH_MAX: usize = 128;
/// Longest record that is read: an object of Kubernetes has at most 1.5 MiB (the limit of etcd),
/// and a record of its audit log carries it twice.
pub const JSON_BYTES_MAX: usize = 8 << 20;

/// Kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// Where a value stands, in 12 bytes (held by a test).
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Of its first byte, and above [`PLACE`] the kind and [`ESCAPED`].
    start: u32,
    /// Behind its last byte, and above [`PLACE`] of a name in an object without escapes its [`tag`].
    end: u32,
    /// Number of the first node behind this one and all that is in it.
    next: u32,
}

/// The bits of a place in a record, which has at most [`JSON_BYTES_MAX`] bytes.
const PLACE: u32 = (1 << 24) - 1;
/// A text with an escape in it, which does not say what it looks like.
const ESCAPED: u32 = 1 << 31;

/// Tells most names of one length apart, so that few have to be compared. Any two may have the same.
fn tag(name: &[u8]) -> u8 {
    let tail = name.last_chunk::<4>().map_or_else(
        || name.iter().fold(0, |tail, byte| tail << 8 | u32::from(*byte)),
        |tail| u32::from_le_bytes(*tail),
    );
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    let [.., mixed] = (tail ^ length).wrapping_mul(0x9e37_79b1).to_le_bytes();
    mixed
}

impl Node {
    fn new(kind: Kind, place: std::ops::Range<u32>, next: u32) -> Self {
        Self { start: place.start | (kind as u32) << 24, end: place.end, next }
    }

    fn start(self) -> usize {
        (self.start & PLACE) as usize
    }

    fn end(self) -> usize {
        (self.end & PLACE) as usize
    }

    fn kind(self) -> Kind {
        match self.start >> 24 & 7 {
            0 => Kind::Object,
            1 => Kind::Array,
            2 => Kind::String,
            3 => Kind::Number,
            4 => Kind::True,
            5 => Kind::False,
            _ => Kind::Null,
        }
    }

    fn is_escaped(self) -> bool {
        self.start & ESCAPED != 0
    }

    /// What stands between the quotes of a string.
    fn inside(self, record: &[u8]) -> Option<&[u8]> {
        record.get(self.start() + 1..self.end().checked_sub(1)?)
    }

    /// How many bytes a string says.
    fn length(self, record: &[u8]) -> usize {
        match self.inside(record) {
            Some(inside) if self.is_escaped() => unescaped(inside).len(),
            inside => inside.map_or(0, <[u8]>::len),
        }
    }

    /// True where it is a string of `record` that says `text`.
    fn says(self, record: &[u8], text: &[u8]) -> bool {
        match self.inside(record) {
            Some(inside) if self.is_escaped() => *unescaped(inside) == *text,
            inside => inside == Some(text),
        }
    }

    /// The same of a name in an object; `tag` is that of `text`.
    fn names(self, record: &[u8], text: &[u8], tag: u8) -> bool {
        (self.end >> 24 == u32::from(tag) || self.is_escaped()) && self.says(record, text)
    }
}

/// A record with the index of its values. The first node is the record itself; in an object, keys
/// and values stand by turns.
#[derive(Clone, Debug)]
pub struct Json<'a> {
    text: &'a [u8],
    nodes: Cow<'a, [Node]>,
}

/// The index of a record, kept so that it is not made again; empty where there is none. It is no
/// part of what the record says: any two are equal, and no tape holds it.
#[derive(Clone, Default)]
pub struct JsonIndex(Option<Arc<[Node]>>);

impl JsonIndex {
    /// Asks memory for the whole record with its index at once. One that waited for long is in no
    /// cache, and whoever asks it for one member after the other waits for memory with each.
    pub fn fetch(&self, text: &[u8]) {
        const LINE_BYTES: usize = 64;
        let nodes = self.0.as_deref().unwrap_or_default();
        let text = text.iter().step_by(LINE_BYTES).fold(0, |all, byte| all ^ u32::from(*byte));
        let lines = nodes.iter().step_by(LINE_BYTES / size_of::<Node>());
        std::hint::black_box(lines.fold(text, |all, node| all ^ node.next));
    }
}

impl PartialEq for JsonIndex {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for JsonIndex {}

impl fmt::Debug for JsonIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonIndex({} values)", self.0.as_ref().map_or(0, |nodes| nodes.len()))
    }
}

/// Why a record cannot be read, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Where.
    pub byte: usize,
    /// What is wrong.
    pub reason: &'static str,
    /// The text ends before the value does; with more of it, it may be one.
    pub is_cut: bool,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.byte)
    }
}

impl std::error::Error for JsonError {}

impl<'a> Json<'a> {
    /// Indexes one JSON value; nothing but blanks may stand around it.
    ///
    /// # Errors
    /// [`JsonError`] where `text` is not JSON, longer than [`JSON_BYTES_MAX`] or nested deeper
    /// than [`JSON_DEPTH_MAX`].
    pub fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        let (json, end) = Self::parse_start(text)?;
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let behind = text.get(end..).unwrap_or_default();
        match behind.iter().position(|byte| !is_blank(byte)) {
            None => Ok(json),
            Some(at) => {
                let reason = "something stands behind the record";
                Err(JsonError { byte: end + at, reason, is_cut: false })
            }
        }
    }

    /// Indexes the value at the start of `text`, and tells where it ends: the one pass in which a
    /// record is found in what carries it and made ready to be asked.
    ///
    /// # Errors
    /// As [`Json::parse`], for as much of `text` as was looked at.
    pub fn parse_start(text: &'a [u8]) -> Result<(Self, usize), JsonError> {
        let (nodes, end) = parse::nodes(text)?;
        let text = text.get(..end).unwrap_or_default();
        Ok((Self { text, nodes: Cow::Owned(nodes) }, end))
    }

    /// The record with an index that was made of it before.
    #[must_use]
    pub fn with_index(text: &'a [u8], index: &'a JsonIndex) -> Option<Self> {
        let nodes = index.0.as_deref()?;
        let is_of_it = nodes.first().is_some_and(|all| all.end() <= text.len());
        is_of_it.then_some(Self { text, nodes: Cow::Borrowed(nodes) })
    }

    /// The index alone, to be kept beside the record.
    #[must_use]
    pub fn into_index(self) -> JsonIndex {
        JsonIndex(Some(self.nodes.into_owned().into()))
    }

    /// The bytes of the record.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The record itself.
    #[must_use]
    pub fn root(&self) -> Value<'_, 'a> {
        Value { json: self, at: 0 }
    }

    /// The value at the end of `path`, which names members of objects.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<Value<'_, 'a>> {
        self.root().at(path)
    }

    /// Every object of the record, outer ones first.
    pub fn objects(&self) -> impl Iterator<Item = Value<'_, 'a>> {
        let values = (0..self.nodes.len()).map(|at| Value { json: self, at });
        values.filter(|value| value.kind() == Kind::Object)
    }

    fn node(&self, at: usize) -> Node {
        // A value is only made of an index that exists; a null stands for what cannot be.
        self.nodes.get(at).copied().unwrap_or_else(|| Node::new(Kind::Null, 0..0, 0))
    }
}

/// One value of a record.
#[derive(Clone, Copy)]
pub struct Value<'j, 'a> {
    json: &'j Json<'a>,
    at: usize,
}

impl fmt::Debug for Value<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.raw()))
    }
}

impl<'j, 'a> Value<'j, 'a> {
    /// What kind of value it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.json.node(self.at).kind()
    }

    /// The bytes it stands in, quotes and brackets included.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        self.json.text.get(self.place()).unwrap_or_default()
    }

    /// Where those bytes stand in the record.
    #[must_use]
    pub fn place(self) -> std::ops::Range<usize> {
        let node = self.json.node(self.at);
        node.start()..node.end()
    }

    /// What a string says; `None` for other kinds.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, [u8]>> {
        let node = self.json.node(self.at);
        let inside = node.inside(self.json.text).filter(|_| node.kind() == Kind::String)?;
        Some(if node.is_escaped() { unescaped(inside) } else { Cow::Borrowed(inside) })
    }

    /// What a string says, and of any other kind its JSON without blanks.
    #[must_use]
    pub fn as_text(self) -> Cow<'a, [u8]> {
        self.string().unwrap_or_else(|| text::compact(self.raw()))
    }

    /// Its JSON, each member and item on its own line, indented by two blanks a level.
    #[must_use]
    pub fn indented(self) -> Vec<u8> {
        text::indented(&text::compact(self.raw()))
    }

    /// A whole number that is not negative; of one with a fraction the part before it.
    #[must_use]
    pub fn unsigned(self) -> Option<u64> {
        let digits = (self.kind() == Kind::Number).then(|| self.raw())?;
        let digits = std::str::from_utf8(digits).ok()?;
        if let Ok(number) = digits.parse() {
            return Some(number);
        }
        let number: f64 = digits.parse().ok()?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates, and only whole parts are wanted"
        )]
        (0.0 <= number).then_some(number as u64)
    }

    /// A member of an object by its name, or of an array by its number.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        match self.kind() {
            Kind::Object => self.member(key.as_bytes()),
            Kind::Array => self.items().nth(key.parse().ok()?),
            _ => None,
        }
    }

    fn member(self, key: &[u8]) -> Option<Self> {
        let end = self.json.node(self.at).next as usize;
        let (mut at, tag) = (self.at + 1, tag(key));
        while at < end {
            if self.json.node(at).names(self.json.text, key, tag) {
                return Some(Self { json: self.json, at: at + 1 });
            }
            at = self.json.node(at + 1).next as usize;
        }
        None
    }

    /// Of the members whose names stand at the start of `path`, with a dot or nothing behind them
    /// there, the one with the longest name, and how long that is.
    #[must_use]
    pub fn longest(self, path: &[u8]) -> Option<(usize, Self)> {
        let (json, first) = (self.json, self.at + 1);
        let node = json.node(self.at);
        let end = if node.kind() == Kind::Object { node.next as usize } else { first };
        let children = json.nodes.get(first..end)?;
        let mut longest: Option<(usize, Self)> = None;
        let mut at = 0;
        while let Some([name, value, ..]) = children.get(at..) {
            let length = name.length(json.text);
            if matches!(path.get(length), None | Some(b'.'))
                && longest.is_none_or(|(other, _)| other < length)
                && let Some(start) = path.get(..length)
                && name.names(json.text, start, tag(start))
            {
                longest = Some((length, Self { json, at: first + at + 1 }));
            }
            at = (value.next as usize).checked_sub(first)?;
        }
        longest
    }

    /// The value at the end of `path`.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Members of an object by their names, all found in one pass; nothing for other kinds.
    ///
    /// Quickest where `names` stand in the order in which records have them.
    #[must_use]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let mut found = [None; N];
        let names = names.map(|name| (name.as_bytes(), tag(name.as_bytes())));
        let mut next = 0;
        for (name, value) in self.members() {
            let node = self.json.node(name.at);
            let is_it = |(name, tag): &(&[u8], u8)| node.names(self.json.text, name, *tag);
            let (before, behind) = names.split_at(next);
            let later = behind.iter().position(is_it).map(|at| next + at);
            let wanted = later.or_else(|| before.iter().position(is_it));
            if let Some(place) = wanted.and_then(|at| found.get_mut(at)) {
                place.get_or_insert(value);
            }
            next = wanted.map_or(next, |at| at + 1);
        }
        found
    }

    /// Names and values of an object; nothing for other kinds.
    pub fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let mut children = self.children(Kind::Object);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// Values of an array; nothing for other kinds.
    pub fn items(self) -> impl Iterator<Item = Self> {
        self.children(Kind::Array)
    }

    /// True for a string that says `text`.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        let node = self.json.node(self.at);
        node.kind() == Kind::String && node.says(self.json.text, text.as_bytes())
    }

    fn children(self, of: Kind) -> impl Iterator<Item = Self> {
        let node = self.json.node(self.at);
        let end = if node.kind() == of { node.next as usize } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(Self { json: self.json, at })?;
            at = self.json.node(at).next as usize;
            Some(child)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let text = br#" {"a": {"b": [1, {"c": "x\ny"}]}, "n": -1.5e3, "z": null, "a": 7} "#;
        let json = Json::parse(text).unwrap();
        let check = |path: &[&str], expected: Option<&str>| {
            let found = json.at(path).map(|value| value.as_text().into_owned());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path:?}");
        };
        check(&["a", "b", "1", "c"], Some("x\ny"));
        check(&["a", "b"], Some(r#"[1,{"c":"x\ny"}]"#));
        check(&["a", "b", "0"], Some("1"));
        check(&["a", "b", "2"], None);
        check(&["a", "b", "x"], None);
        check(&["n"], Some("-1.5e3"));
        check(&["z"], Some("null"));
        check(&["z", "a"], None);
        check(&["missing"], None);
    }

    #[test]
    fn numbers_that_are_not_negative_are_read() {
        let check = |text: &str, expected: Option<u64>| {
            let json = Json::parse(text.as_bytes()).unwrap();
            assert_eq!(json.root().unsigned(), expected, "{text}");
        };
        check("33", Some(33));
        check("33.9", Some(33));
        check("18446744073709551615", Some(u64::MAX));
        check("1e300", Some(u64::MAX));
        check("-1", None);
        check("\"33\"", None);
    }

    #[test]
    fn members_and_items_are_those_of_the_value_itself() {
        let json = Json::parse(br#"{"a":[1,[2,3]],"b":{"c":4}}"#).unwrap();
        let names: Vec<_> = json.root().members().map(|(name, _)| name.raw()).collect();
        assert_eq!(names, [b"\"a\"", b"\"b\""]);
        assert_eq!(json.at(&["a"]).unwrap().items().count(), 2);
        assert_eq!(json.root().items().count(), 0);
        assert_eq!(json.at(&["a"]).unwrap().members().count(), 0);
    }

    #[test]
    fn a_value_takes_12_bytes_and_its_place_has_room_in_them() {
        assert_eq!(size_of::<Node>(), 12);
        assert!(JSON_BYTES_MAX + 2 <= PLACE as usize);
    }

    #[test]
    fn the_longest_name_at_the_start_of_a_path_up_to_a_dot_is_found() {
        let check = |record: &str, path: &str, expected: Option<(usize, &str)>| {
            let json = Json::parse(record.as_bytes()).unwrap();
            let found = json.root().longest(path.as_bytes());
            let expected = expected.map(|(length, value)| (length, value.as_bytes()));
            assert_eq!(found.map(|(length, it)| (length, it.raw())), expected, "{record} {path}");
        };
        check(r#"{"x":{"ab":0},"ab":1}"#, "ab", Some((2, "1")));
        check(r#"{"ab":1,"ab.c":2,"ab.c":3,"a":4}"#, "ab.c", Some((4, "2")));
        check(r#"{"ab.c":2,"ab":1}"#, "ab.c.d", Some((4, "2")));
        check(r#"{"a\u0062":1,"ab":2}"#, "ab.c", Some((2, "1")));
        check(r#"{"ab":1}"#, "abc", None);
        check(r#"{"ab":1}"#, "ac", None);
        check(r#"{"ab":1}"#, "a", None);
        check(r#"{"":1}"#, "", Some((0, "1")));
        check("{}", "a", None);
        check(r#"["ab",1]"#, "ab", None);
    }

    #[test]
    fn members_are_picked_by_name_and_the_first_of_a_name_counts() {
        let json = Json::parse(br#"{"a":1,"\u0062":2,"a":3,"c":4}"#).unwrap();
        let picked = json.root().pick(["b", "a", "z"]).map(|it| it.and_then(Value::unsigned));
        assert_eq!(picked, [Some(2), Some(1), None]);
        assert!(json.at(&["a"]).unwrap().pick(["a"])[0].is_none());
    }
}
