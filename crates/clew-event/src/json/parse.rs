//! From bytes to the index, in one pass without recursion.

use super::text::plain_length;
use super::{ESCAPED, JSON_BYTES_MAX, JSON_DEPTH_MAX, JsonError, Kind, Node, tag};

/// Room for the nodes of an ordinary record, so that they are not moved while they are found.
const NODES_AT_FIRST: usize = 128;

/// What may stand next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A value.
    Value,
    /// A value or `]`.
    ValueOrEnd,
    /// A key.
    Key,
    /// A key or `}`.
    KeyOrEnd,
    /// `,` or the end of what is open; nothing where nothing is.
    Behind,
}

/// The nodes of the value at the start of `text`, and where it ends.
pub(super) fn nodes(text: &[u8]) -> Result<(Vec<Node>, usize), JsonError> {
    let whole = text;
    let text = text.get(..JSON_BYTES_MAX).unwrap_or(text);
    let nodes = Vec::with_capacity(NODES_AT_FIRST.min(text.len()));
    let mut parser = Parser { text, at: 0, nodes, open: Vec::with_capacity(16) };
    let mut expect = Expect::Value;
    while let Some(byte) = parser.skip_blanks() {
        expect = parser.step(byte, expect).map_err(|error| too_long(error, text, whole))?;
        if expect == Expect::Behind && parser.open.is_empty() {
            return Ok((parser.nodes, parser.at));
        }
    }
    Err(too_long(parser.cut("the record ends too early"), text, whole))
}

/// A record that would go on behind the longest that is read is too long.
fn too_long(error: JsonError, read: &[u8], whole: &[u8]) -> JsonError {
    if error.is_cut && read.len() < whole.len() {
        return JsonError { byte: read.len(), reason: "the record is too long", is_cut: false };
    }
    error
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Numbers of the nodes of open objects and arrays.
    open: Vec<usize>,
}

impl Parser<'_> {
    fn error(&self, reason: &'static str) -> JsonError {
        JsonError { byte: self.at, reason, is_cut: false }
    }

    fn cut(&self, reason: &'static str) -> JsonError {
        JsonError { byte: self.at, reason, is_cut: true }
    }

    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn step(&mut self, byte: u8, expect: Expect) -> Result<Expect, JsonError> {
        match (expect, byte) {
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                let start = self.at + 1;
                self.string()?;
                let name = self.text.get(start..self.at - 1).unwrap_or_default();
                if let Some(node) = self.nodes.last_mut() {
                    node.end |= u32::from(tag(name)) << 24;
                }
                match self.skip_blanks() {
                    Some(b':') => self.at += 1,
                    Some(_) => return Err(self.error("a `:` has to follow a name")),
                    None => return Err(self.cut("a `:` has to follow a name")),
                }
                Ok(Expect::Value)
            }
            (Expect::KeyOrEnd, b'}') => self.close(Kind::Object),
            (Expect::ValueOrEnd, b']') => self.close(Kind::Array),
            (Expect::Value | Expect::ValueOrEnd, _) => self.value(byte),
            (Expect::Behind, b',') => {
                self.at += 1;
                let is_object = self.open_kind() == Some(Kind::Object);
                Ok(if is_object { Expect::Key } else { Expect::Value })
            }
            (Expect::Behind, b'}') => self.close(Kind::Object),
            (Expect::Behind, b']') => self.close(Kind::Array),
            (Expect::Key | Expect::KeyOrEnd, _) => Err(self.error("a name was expected")),
            (Expect::Behind, _) => Err(self.error("a `,` or an end was expected")),
        }
    }

    fn value(&mut self, byte: u8) -> Result<Expect, JsonError> {
        match byte {
            b'{' => self.open(Kind::Object, Expect::KeyOrEnd),
            b'[' => self.open(Kind::Array, Expect::ValueOrEnd),
            b'"' => self.string().map(|()| Expect::Behind),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'n' => self.word(b"null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.error("a value was expected")),
        }
    }

    fn open(&mut self, kind: Kind, expect: Expect) -> Result<Expect, JsonError> {
        if JSON_DEPTH_MAX <= self.open.len() {
            return Err(self.error("the record is nested too deeply"));
        }
        self.open.push(self.nodes.len());
        self.push(kind, self.at + 1);
        Ok(expect)
    }

    fn open_kind(&self) -> Option<Kind> {
        self.open.last().and_then(|&at| self.nodes.get(at)).map(|node| node.kind())
    }

    fn close(&mut self, kind: Kind) -> Result<Expect, JsonError> {
        if self.open_kind() != Some(kind) {
            return Err(self.error("a bracket closes what is not open"));
        }
        self.at += 1;
        let (end, next) = (index(self.at), index(self.nodes.len()));
        if let Some(node) = self.open.pop().and_then(|at| self.nodes.get_mut(at)) {
            (node.end, node.next) = (end, next);
        }
        Ok(Expect::Behind)
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let mut end = self.at + 1;
        let mut is_escaped = false;
        loop {
            end += plain_length(self.text.get(end..).unwrap_or_default());
            match self.text.get(end) {
                Some(b'"') => {
                    self.push(Kind::String, end + 1);
                    if let Some(node) = self.nodes.last_mut() {
                        node.start |= if is_escaped { ESCAPED } else { 0 };
                    }
                    return Ok(());
                }
                Some(b'\\') => {
                    end += 2;
                    is_escaped = true;
                }
                Some(_) => return Err(self.error("a text has an unescaped control character")),
                None => return Err(self.cut("a text has no end")),
            }
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Expect, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            let is_cut = word.starts_with(rest);
            return Err(JsonError { is_cut, ..self.error("a value was expected") });
        }
        self.push(kind, self.at + word.len());
        Ok(Expect::Behind)
    }

    /// Any run of the characters of numbers that begins as one: whoever reads it parses it.
    fn number(&mut self) -> Result<Expect, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !of_number(byte)).unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or_default();
        let is_plain = digits.iter().all(u8::is_ascii_digit);
        let is_number = |digits: &str| digits.parse::<f64>().is_ok();
        if !is_plain && !std::str::from_utf8(digits).is_ok_and(is_number) {
            let is_cut = length == rest.len();
            return Err(JsonError { is_cut, ..self.error("a number cannot be read") });
        }
        self.push(Kind::Number, self.at + length);
        Ok(Expect::Behind)
    }

    /// Adds a node from here to `end`, and goes on behind it.
    fn push(&mut self, kind: Kind, end: usize) {
        let next = index(self.nodes.len() + 1);
        let start = index(self.at);
        self.nodes.push(Node::new(kind, start..index(end), next));
        self.at = end;
    }
}

/// Positions are at most [`JSON_BYTES_MAX`], and there are no more nodes than bytes.
fn index(position: usize) -> u32 {
    debug_assert!(position <= JSON_BYTES_MAX + 2);
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Json;
    use super::*;

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let check = |text: &str, byte: usize, reason: &str| {
            let error = Json::parse(text.as_bytes()).unwrap_err();
            assert_eq!((error.byte, error.reason), (byte, reason), "{text}");
        };
        check("", 0, "the record ends too early");
        check("{", 1, "the record ends too early");
        check(r#"{"a""#, 4, "a `:` has to follow a name");
        check(r#"{"a":1,}"#, 7, "a name was expected");
        check("[1,]", 3, "a value was expected");
        check("[1}", 2, "a bracket closes what is not open");
        check("[1 2]", 3, "a `,` or an end was expected");
        check("1,2", 1, "something stands behind the record");
        check("{} x", 3, "something stands behind the record");
        check("tru", 0, "a value was expected");
        check("-", 0, "a number cannot be read");
        check("1-2", 0, "a number cannot be read");
        check("\"a", 0, "a text has no end");
        check("\"a\\\"", 0, "a text has no end");
        check("\"a\nb\"", 0, "a text has an unescaped control character");
    }

    #[test]
    fn what_may_go_on_is_told_from_what_is_broken() {
        let whole = r#"{"a":[1.5e3,true,null,false,"x\\y"],"b":{}}"#;
        for end in 0..whole.len() {
            let error = Json::parse_start(&whole.as_bytes()[..end]).unwrap_err();
            assert!(error.is_cut, "{end}: {error}");
        }
        let (json, end) = Json::parse_start(format!("{whole} x").as_bytes())
            .map(|(json, end)| (json.text().len(), end))
            .unwrap();
        assert_eq!((json, end), (whole.len(), whole.len()));
        for broken in ["{x", r#"{"a":1 "b"#, "{\"a\n", "[trx", "[1-", "]"] {
            let error = Json::parse_start(format!("{broken} ").as_bytes()).unwrap_err();
            assert!(!error.is_cut, "{broken}: {error}");
        }
    }

    #[test]
    fn nesting_and_length_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        let error = Json::parse(nested(JSON_DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(error.reason, "the record is nested too deeply");
        let mut long = vec![b' '; JSON_BYTES_MAX + 1];
        long[0] = b'[';
        assert_eq!(Json::parse(&long).unwrap_err().reason, "the record is too long");
    }
}
