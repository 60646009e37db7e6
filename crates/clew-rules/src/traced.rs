//! Text that remembers where in the rule files every byte of it was written.
//!
//! A condition is put together from several places: appended parts, list items substituted by
//! text, values of exceptions. An error found in the result has to be shown where its author can
//! mend it, so each byte carries its [`Place`] (12 bytes of bookkeeping per byte of condition,
//! dropped when loading ends).

use std::ops::Range;

/// A place in a rule file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the file in the order given.
    pub file: u32,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Text with the place of each of its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traced {
    text: String,
    /// As many as `text` has bytes.
    places: Vec<Place>,
}

impl Traced {
    /// Text that came from one place as a whole.
    #[cfg(test)]
    pub(crate) fn uniform(text: &str, place: Place) -> Self {
        let mut traced = Self::default();
        traced.push_str(text, place);
        traced
    }

    /// Text whose characters come from one line, from `place` on.
    #[cfg(test)]
    pub(crate) fn line(text: &str) -> Self {
        let mut traced = Self::default();
        for (column, character) in (1..).zip(text.chars()) {
            traced.push(character, Place { file: 0, line: 1, column });
        }
        traced
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Bytes of text.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// True where there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Appends a character that came from `place`.
    pub(crate) fn push(&mut self, character: char, place: Place) {
        self.text.push(character);
        self.places.resize(self.text.len(), place);
    }

    /// Appends text that came from `place` as a whole.
    pub(crate) fn push_str(&mut self, text: &str, place: Place) {
        self.text.push_str(text);
        self.places.resize(self.text.len(), place);
    }

    /// Appends text with its places.
    pub(crate) fn push_traced(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.places.extend_from_slice(&other.places);
    }

    /// Appends a part of `other`; nothing where the range does not lie on characters of it.
    pub(crate) fn push_part(&mut self, other: &Self, range: Range<usize>) {
        if let (Some(text), Some(places)) = (other.text.get(range.clone()), other.places.get(range))
        {
            self.text.push_str(text);
            self.places.extend_from_slice(places);
        }
    }

    /// The text with a backslash before each quote and backslash, and control characters as
    /// escapes, as it stands inside double quotes.
    pub(crate) fn escaped(&self) -> Self {
        let mut escaped = Self::default();
        for (offset, character) in self.text.char_indices() {
            let place = self.place_at(offset);
            match character {
                '"' | '\\' => escaped.push('\\', place),
                _ => {}
            }
            escaped.push(character, place);
        }
        escaped
    }

    /// Appends one space, written where the text so far ends.
    pub(crate) fn push_space(&mut self) {
        self.push(' ', self.place_at(self.len()));
    }

    /// Takes bytes off the end as long as `accepts` says so; it may accept ASCII only.
    pub(crate) fn pop_while(&mut self, mut accepts: impl FnMut(u8) -> bool) {
        while self.text.bytes().last().is_some_and(&mut accepts) {
            self.text.pop();
        }
        self.places.truncate(self.text.len());
    }

    /// Where the byte at `offset` was written; for the end, where the last byte was.
    pub(crate) fn place_at(&self, offset: usize) -> Place {
        self.places.get(offset).or(self.places.last()).copied().unwrap_or_default()
    }

    /// The text without white space at its ends.
    pub(crate) fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let mut trimmed = Self::default();
        trimmed.push_part(self, start..start + self.text.trim().len());
        trimmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_knows_its_place_after_texts_are_joined() {
        let (here, there) =
            (Place { file: 0, line: 3, column: 5 }, Place { file: 1, line: 9, column: 1 });
        let mut joined = Traced::uniform("a\u{e9}", here);
        joined.push_space();
        joined.push_traced(&Traced::uniform("and b", there));
        assert_eq!(joined.as_str(), "a\u{e9} and b");
        assert_eq!(joined.place_at(2), here);
        assert_eq!(joined.place_at(4), there);
        assert_eq!(joined.place_at(1000), there);
        assert_eq!(joined.trimmed(), joined);
    }
}
