//! Fields of a JSON document, read so that a cut or broken one still gives what stands in it.

use std::borrow::Cow;

use super::{Arguments, NAME_BYTES_MAX, Place};
use crate::decoding;

/// Deepest nesting whose names are kept; deeper fields have the name at this depth.
pub(super) const DEPTH_MAX: usize = 16;

impl<'a> Arguments<'a> {
    pub(super) fn json(&mut self, bytes: &'a [u8]) {
        let mut path = JsonPath::default();
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'{' | b'[' => path.enter(byte == b'{'),
                b'}' | b']' => path.leave(),
                b',' => path.next(),
                b'"' => {
                    let (text, behind) = string(rest);
                    rest = behind;
                    let text = decoding::escapes(text).map_or(Cow::Borrowed(text), Cow::Owned);
                    if path.is_at_key() && rest.trim_ascii_start().starts_with(b":") {
                        if is_telling(&text) {
                            self.push(Place::Json, text.clone(), Cow::Borrowed(b""));
                        }
                        path.key(&text);
                    } else {
                        self.push(Place::Json, Cow::Owned(path.name()), text);
                    }
                }
                b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let token = rest_of_token(byte, bytes, rest);
                    rest = rest.get(token.len() - 1..).unwrap_or_default();
                    if !matches!(token, b"true" | b"false" | b"null") {
                        self.push(Place::Json, Cow::Owned(path.name()), Cow::Borrowed(token));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A name that may itself be an attack, in whatever is behind the path.
fn is_telling(name: &[u8]) -> bool {
    name.iter().any(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'))
        || name.windows(2).any(|it| it == b"__")
}

/// The token whose first byte was just taken.
fn rest_of_token<'a>(first: u8, all: &'a [u8], rest: &'a [u8]) -> &'a [u8] {
    debug_assert!(all.get(all.len() - rest.len() - 1) == Some(&first));
    let start = all.len() - rest.len() - 1;
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b'"' | b'{' | b'[');
    let length = rest.iter().position(|byte| ends(byte) || byte.is_ascii_whitespace());
    all.get(start..start + 1 + length.unwrap_or(rest.len())).unwrap_or_default()
}

/// What stands before the closing quote, and behind it.
fn string(rest: &[u8]) -> (&[u8], &[u8]) {
    let mut is_escaped = false;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => {
                let (text, behind) = rest.split_at(at);
                return (text, behind.get(1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (rest, b"")
}

/// Names from the document's root to where reading stands.
#[derive(Default)]
struct JsonPath {
    levels: Vec<(bool, Vec<u8>)>,
    /// Levels beyond the bound.
    deeper_count: usize,
}

impl JsonPath {
    fn enter(&mut self, is_object: bool) {
        if DEPTH_MAX <= self.levels.len() {
            self.deeper_count += 1;
        } else {
            self.levels.push((is_object, Vec::new()));
        }
    }

    fn leave(&mut self) {
        if 0 < self.deeper_count {
            self.deeper_count -= 1;
        } else {
            self.levels.pop();
        }
    }

    fn is_at_key(&self) -> bool {
        0 < self.deeper_count
            || self.levels.last().is_some_and(|(is_object, key)| *is_object && key.is_empty())
    }

    fn key(&mut self, name: &[u8]) {
        if self.deeper_count == 0
            && let Some((_, key)) = self.levels.last_mut()
        {
            *key = name.iter().copied().take(NAME_BYTES_MAX).collect();
        }
    }

    fn next(&mut self) {
        if self.deeper_count == 0
            && let Some((_, key)) = self.levels.last_mut()
        {
            key.clear();
        }
    }

    fn name(&self) -> Vec<u8> {
        let mut name = Vec::new();
        for (is_object, key) in &self.levels {
            if *is_object {
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend_from_slice(key);
            } else {
                name.extend_from_slice(b"[]");
            }
            if NAME_BYTES_MAX <= name.len() {
                break;
            }
        }
        name
    }
}
