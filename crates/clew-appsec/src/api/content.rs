//! The fields of a query or body: names with their values, read as far as there is something.
//!
//! Bodies are heads: a document that breaks off gives the fields before the break. Elements of a
//! list share a name (`items[].id`). Whatever is sent, at most [`LEAVES_MAX`] fields in
//! [`DEPTH_MAX`] levels are read.

use std::borrow::Cow;

use super::value::{Shape, VALUE_BYTES_MAX};

/// Most fields of one query or body that are read.
pub(super) const LEAVES_MAX: usize = 256;
/// Most levels of one document.
pub(super) const DEPTH_MAX: usize = 16;
/// Longest name of a field.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// One field with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) value: Cow<'a, [u8]>,
}

/// Type of a value, as JSON tells types. A query and a form have texts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
}

impl Leaf<'_> {
    pub(super) fn shape(&self) -> Shape {
        Shape::of(&self.value)
    }

    /// The last part of its name: `id` of `items[].id`.
    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default().trim_end_matches("[]")
    }
}

/// The fields of a body, by what it is declared to be, else by how it begins.
pub(super) fn body<'a>(bytes: &'a [u8], content_type: &[u8]) -> Vec<Leaf<'a>> {
    let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(begins, Some(b'{' | b'[')) {
        json(bytes)
    } else if content_type.starts_with(b"application/x-www-form-urlencoded") {
        form(bytes)
    } else {
        Vec::new()
    }
}

/// The fields of `a=1&b=2`.
pub(super) fn form(bytes: &[u8]) -> Vec<Leaf<'_>> {
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let leaf = |pair: &'_ [u8]| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(at).unwrap_or_default();
        let name = plain(name.get(..NAME_BYTES_MAX).unwrap_or(name));
        let value = plain(value.get(1..).unwrap_or_default()).into_owned();
        Leaf {
            name: String::from_utf8_lossy(&name).into_owned(),
            kind: Kind::Text,
            value: value.into(),
        }
    };
    pairs.take(LEAVES_MAX).map(leaf).collect()
}

/// Without percent encoding; a plus is a space.
pub(super) fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let coded = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        plain.push(coded.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if coded.is_some() { 3 } else { 1 };
    }
    Cow::Owned(plain)
}

/// The scalars of a JSON document, as far as it is one.
pub(super) fn json(bytes: &[u8]) -> Vec<Leaf<'_>> {
    let mut walk = Walk { bytes, at: 0, name: String::new(), leaves: Vec::new() };
    let _ = walk.value(0);
    walk.leaves
}

/// A reader of JSON; `None` of its functions ends the reading.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    name: String,
    leaves: Vec<Leaf<'a>>,
}

impl<'a> Walk<'a> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if DEPTH_MAX < depth || LEAVES_MAX <= self.leaves.len() {
            return None;
        }
        match self.peek()? {
            b'{' => self.members(depth),
            b'[' => self.elements(depth),
            b'"' => {
                let value = self.text()?;
                self.leaf(Kind::Text, value)
            }
            _ => self.bare(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let within = self.name.len();
        loop {
            self.peek()?;
            let name = self.text()?;
            if self.name.len() + name.len() < NAME_BYTES_MAX {
                if within != 0 {
                    self.name.push('.');
                }
                // Members whose names are ids are elements of a list, as one may write it too.
                let is_id = Shape::of(&name).is_id();
                let shown = if is_id { "{}".into() } else { String::from_utf8_lossy(&name) };
                self.name.push_str(&shown);
            }
            self.take(b':')?;
            self.value(depth + 1)?;
            self.name.truncate(within);
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn elements(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        let within = self.name.len();
        if within < NAME_BYTES_MAX {
            self.name.push_str("[]");
        }
        loop {
            self.value(depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    self.name.truncate(within);
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// A text in quotes, from its first quote on.
    fn text(&mut self) -> Option<Cow<'a, [u8]>> {
        let rest = self.bytes.get(self.at..)?.strip_prefix(b"\"")?;
        let mut length = 0;
        loop {
            length += memchr::memchr2(b'"', b'\\', rest.get(length..)?)?;
            if rest.get(length) == Some(&b'"') {
                break;
            }
            length += 2;
        }
        self.at += length + 2;
        let raw = rest.get(..length)?;
        Some(if raw.contains(&b'\\') { Cow::Owned(unescaped(raw)) } else { Cow::Borrowed(raw) })
    }

    /// A number, `true`, `false` or `null`.
    fn bare(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let value = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
        let kind = match value {
            b"null" => Kind::Null,
            b"true" | b"false" => Kind::Bool,
            [b'-' | b'0'..=b'9', ..] => Kind::Number,
            _ => return None,
        };
        self.at += value.len();
        self.leaf(kind, Cow::Borrowed(value))
    }

    fn leaf(&mut self, kind: Kind, value: Cow<'a, [u8]>) -> Option<()> {
        self.leaves.push(Leaf { name: self.name.clone(), kind, value });
        Some(())
    }
}

/// Without JSON's escapes, at most [`VALUE_BYTES_MAX`] bytes. Halves of surrogate pairs become
/// U+FFFD.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(raw.len().min(VALUE_BYTES_MAX));
    let mut rest = raw;
    while plain.len() < VALUE_BYTES_MAX
        && let Some((&byte, after)) = rest.split_first()
    {
        rest = after;
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else { break };
        rest = after;
        match escape {
            b'n' => plain.push(b'\n'),
            b't' => plain.push(b'\t'),
            b'r' => plain.push(b'\r'),
            b'u' => {
                let digits = rest.get(..4).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let character = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
                plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(4..).unwrap_or_default();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(leaves: &[Leaf<'_>]) -> Vec<String> {
        let show = |leaf: &Leaf<'_>| {
            format!("{}={}:{:?}", leaf.name, String::from_utf8_lossy(&leaf.value), leaf.kind)
        };
        leaves.iter().map(show).collect()
    }

    #[test]
    fn a_document_gives_its_scalars_by_their_paths() {
        let document =
            br#" {"id": 7, "a": {"b": [{"c": "x\"\u00e9"}, {"c": null}], "d": []}, "e": true}"#;
        let expected = ["id=7:Number", "a.b[].c=x\"é:Text", "a.b[].c=null:Null", "e=true:Bool"];
        assert_eq!(shown(&json(document)), expected);
    }

    #[test]
    fn a_document_that_breaks_off_gives_what_came_before_at_every_byte() {
        let document = br#"{"a": [1, "two", {"b": false}], "c": "\u00e9"}"#;
        let whole = json(document);
        for length in 0..document.len() {
            let head = json(&document[..length]);
            assert!(head.len() <= whole.len(), "{length}");
        }
        assert_eq!(shown(&json(br#"{"a": "x", "b": "y"#)), ["a=x:Text"]);
    }

    #[test]
    fn a_form_is_decoded_and_a_body_is_read_as_what_it_is() {
        assert_eq!(
            shown(&form(b"a=1+2&b=%2Fetc&c&=")),
            ["a=1 2:Text", "b=/etc:Text", "c=:Text", "=:Text"]
        );
        assert_eq!(body(b"a=1", b"text/plain"), []);
        assert_eq!(body(b"a=1", b"application/x-www-form-urlencoded; charset=utf-8").len(), 1);
        assert_eq!(body(b"[1]", b"text/plain").len(), 1);
    }

    #[test]
    fn whatever_is_sent_is_read_within_bounds() {
        let wide = format!("[{}1]", "1,".repeat(1_000_000));
        assert_eq!(json(wide.as_bytes()).len(), LEAVES_MAX);
        assert_eq!(form("a=1&".repeat(1000).as_bytes()).len(), LEAVES_MAX);
        let deep = "[".repeat(1_000_000);
        assert_eq!(json(deep.as_bytes()), []);
        let nested = format!("{}1", r#"{"a":"#.repeat(DEPTH_MAX));
        assert_eq!(json(nested.as_bytes()).len(), 1);
        let named = format!(r#"{{"{}": 1}}"#, "n".repeat(1000));
        assert!(json(named.as_bytes()).iter().all(|leaf| leaf.name.len() <= NAME_BYTES_MAX));
        let escaped = format!(r#"["{}"]"#, r"\n".repeat(100_000));
        let leaves = json(escaped.as_bytes());
        assert!(leaves.iter().all(|leaf| leaf.value.len() <= VALUE_BYTES_MAX));
    }
}
