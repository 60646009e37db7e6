//! Tokens of conditions, taken from the front of the rest of the text.
//!
//! Each function moves the cursor only where it finds its token. Tokens are POSIX regular
//! expressions in the original, so every one takes as much as it can.

use super::escape::unescape;
use crate::traced::{Place, Traced};

/// Where parsing has come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a Traced,
    pub offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a Traced) -> Self {
        Self { text, offset: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.as_str().get(self.offset..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.offset == self.text.len()
    }

    pub(super) fn place(&self) -> Place {
        self.text.place_at(self.offset)
    }

    pub(super) fn place_at(&self, offset: usize) -> Place {
        self.text.place_at(offset)
    }

    /// Takes blanks; tells whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | 0x08 | b'\r' | b'\n')).is_some()
    }

    /// Takes exactly `token`.
    pub(super) fn symbol(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.offset += token.len();
        }
        found
    }

    /// Takes `word` where a blank follows, with the blanks.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let before = self.offset;
        let found = self.symbol(word) && self.blanks();
        if !found {
            self.offset = before;
        }
        found
    }

    /// `not` with the white space behind it.
    pub(super) fn not(&mut self) -> bool {
        let before = self.offset;
        let found = self.symbol("not") && self.take_while(is_space).is_some();
        if !found {
            self.offset = before;
        }
        found
    }

    /// `[a-zA-Z]+[a-zA-Z0-9_]*`
    pub(super) fn identifier(&mut self) -> Option<&'a str> {
        let length = identifier_length(self.rest())?;
        Some(self.take(length))
    }

    /// Identifiers joined by dots, at least two.
    pub(super) fn field_name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let mut length = identifier_length(rest)?;
        let mut parts = 1;
        while let Some(behind_dot) = rest.get(length..).and_then(|rest| rest.strip_prefix('.')) {
            let Some(more) = identifier_length(behind_dot) else { break };
            length += 1 + more;
            parts += 1;
        }
        (1 < parts).then(|| self.take(length))
    }

    /// `[^][\"'[:space:]]+`
    pub(super) fn bare_field_argument(&mut self) -> Option<&'a str> {
        self.take_while(|byte| !matches!(byte, b'[' | b']' | b'"' | b'\'') && !is_space(byte))
    }

    /// `[^()"'[:space:]=,]+`
    pub(super) fn bare_string(&mut self) -> Option<&'a str> {
        self.take_while(|byte| {
            !matches!(byte, b'(' | b')' | b'"' | b'\'' | b'=' | b',') && !is_space(byte)
        })
    }

    /// `0[xX][0-9a-fA-F]+` or `[+-]?[0-9]+\.?[0-9]*([eE][+-][0-9]+)?`
    pub(super) fn number(&mut self) -> Option<&'a str> {
        let rest = self.rest().as_bytes();
        let length = hexadecimal_length(rest).or_else(|| decimal_length(rest))?;
        Some(self.take(length))
    }

    /// A string in quotes, unescaped. `Err` is a wrong escape: its offset and what is wrong.
    pub(super) fn quoted_string(&mut self) -> Result<Option<Box<[u8]>>, (usize, String)> {
        let Some(length) = quoted_length(self.rest()) else { return Ok(None) };
        let start = self.offset;
        let quoted = self.take(length);
        unescape(quoted).map(Some).map_err(|(offset, message)| (start + offset, message))
    }

    /// A whole string, bare or in quotes, and nothing behind it.
    pub(super) fn is_one_string(mut self) -> bool {
        let is_quoted = matches!(self.quoted_string(), Ok(Some(_)));
        (is_quoted || self.bare_string().is_some()) && self.is_at_end()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.offset += taken.len();
        taken
    }

    fn take_while(&mut self, accepts: impl Fn(u8) -> bool) -> Option<&'a str> {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !accepts(byte)).unwrap_or(rest.len());
        (0 < length).then(|| self.take(length))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

pub(super) fn identifier_length(text: &str) -> Option<usize> {
    let letters = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    letters.then(|| text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len()))
}

fn digits(bytes: &[u8], accepts: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|byte| !accepts(byte)).unwrap_or(bytes.len())
}

fn hexadecimal_length(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"0x").or_else(|| bytes.strip_prefix(b"0X"))?;
    let count = digits(rest, u8::is_ascii_hexdigit);
    (0 < count).then_some(2 + count)
}

fn decimal_length(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let decimal = |from: usize| digits(bytes.get(from..).unwrap_or_default(), u8::is_ascii_digit);
    let whole = decimal(sign);
    if whole == 0 {
        return None;
    }
    let mut length = sign + whole;
    if bytes.get(length) == Some(&b'.') {
        length += 1 + decimal(length + 1);
    }
    if let Some([b'e' | b'E', b'+' | b'-']) = bytes.get(length..length + 2) {
        let exponent = decimal(length + 2);
        if 0 < exponent {
            length += 2 + exponent;
        }
    }
    Some(length)
}

/// Length of the quoted string at the start, quotes included. A quote behind a backslash does not
/// close it, not even where the backslash is escaped itself, as in the original.
fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut previous = quote;
    for (offset, &byte) in bytes.iter().enumerate().skip(1) {
        if byte == quote && previous != b'\\' {
            return Some(offset + 1);
        }
        previous = byte;
    }
    None
}
