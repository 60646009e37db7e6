//! Reads one JSON record in place: an index of its values over the bytes they stand in.
//!
//! Records of audit logs are asked for a handful of their fields, so nothing is copied out of
//! them until it is asked for: an index entry says where a value begins, where it ends and where
//! the next one is (16 bytes a value), and a text without escapes is a slice of the record. Texts
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

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// Number of the first node behind this one and all that is in it.
    next: u32,
    kind: Kind,
    /// A text with an escape in it, which does not say what it looks like.
    is_escaped: bool,
}

impl Node {
    /// True where it is a string of `record` that says `text`: its length tells most others.
    fn says(&self, record: &[u8], text: &[u8]) -> bool {
        let (start, end) = (self.start as usize + 1, (self.end as usize).saturating_sub(1));
        if self.is_escaped {
            return record.get(start..end).is_some_and(|inside| *unescaped(inside) == *text);
        }
        end.wrapping_sub(start) == text.len() && record.get(start..end) == Some(text)
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
        let is_of_it = nodes.first().is_some_and(|all| all.end as usize <= text.len());
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
        const NOTHING: Node =
            Node { start: 0, end: 0, next: 0, kind: Kind::Null, is_escaped: false };
        // A value is only made of an index that exists; a null stands for what cannot be.
        self.nodes.get(at).copied().unwrap_or(NOTHING)
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
        self.json.node(self.at).kind
    }

    /// The bytes it stands in, quotes and brackets included.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        let node = self.json.node(self.at);
        self.json.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// Where those bytes stand in the record.
    #[must_use]
    pub fn place(self) -> std::ops::Range<usize> {
        let node = self.json.node(self.at);
        node.start as usize..node.end as usize
    }

    /// What a string says; `None` for other kinds.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, [u8]>> {
        let node = self.json.node(self.at);
        let inside = self.inside(node).filter(|_| node.kind == Kind::String)?;
        Some(if node.is_escaped { unescaped(inside) } else { Cow::Borrowed(inside) })
    }

    /// What stands between the quotes of a string.
    fn inside(self, node: Node) -> Option<&'a [u8]> {
        self.json.text.get(node.start as usize + 1..(node.end as usize).checked_sub(1)?)
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
        let mut at = self.at + 1;
        while at < end {
            if self.json.node(at).says(self.json.text, key) {
                return Some(Self { json: self.json, at: at + 1 });
            }
            at = self.json.node(at + 1).next as usize;
        }
        None
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
        let mut next = 0;
        for (name, value) in self.members() {
            let node = self.json.node(name.at);
            let is_it = |wanted: &&str| node.says(self.json.text, wanted.as_bytes());
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
        node.kind == Kind::String && node.says(self.json.text, text.as_bytes())
    }

    fn children(self, of: Kind) -> impl Iterator<Item = Self> {
        let node = self.json.node(self.at);
        let end = if node.kind == of { node.next as usize } else { 0 };
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
    fn members_are_picked_by_name_and_the_first_of_a_name_counts() {
        let json = Json::parse(br#"{"a":1,"\u0062":2,"a":3,"c":4}"#).unwrap();
        let picked = json.root().pick(["b", "a", "z"]).map(|it| it.and_then(Value::unsigned));
        assert_eq!(picked, [Some(2), Some(1), None]);
        assert!(json.at(&["a"]).unwrap().pick(["a"])[0].is_none());
    }
}
