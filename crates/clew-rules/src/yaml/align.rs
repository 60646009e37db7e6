//! Finds where the characters of a scalar stand in the file.
//!
//! The parser gives the start of a scalar and its text after folding, unquoting and unescaping.
//! Folding changes white space only, so the two are walked side by side: white space of the text
//! takes the current place, any other character the next equal one of the file.

use std::collections::BTreeSet;

use crate::traced::{Place, Traced};

/// How far ahead an equal character is looked for: an escape such as `\U0001F600` is 10 long.
const LOOK_AHEAD_MAX: usize = 12;

/// A file's characters with line starts, to turn the parser's markers into positions.
#[derive(Debug)]
pub(super) struct Characters<'a> {
    text: &'a str,
    /// Byte offset of each line.
    lines: Vec<usize>,
    file: u32,
    /// Lines that stand further right here than in the file, by `added` columns.
    moved: &'a BTreeSet<usize>,
    added: usize,
}

impl<'a> Characters<'a> {
    pub(super) fn new(text: &'a str, file: u32, moved: &'a BTreeSet<usize>, added: usize) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(offset, _)| offset + 1)).collect();
        Self { text, lines, file, moved, added }
    }

    /// A place in this file; line and column from 1.
    pub(super) fn place(&self, line: usize, column: usize) -> Place {
        let clamp = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let added = if self.moved.contains(&line) { self.added } else { 0 };
        let column = column.saturating_sub(added).max(1);
        Place { file: self.file, line: clamp(line), column: clamp(column) }
    }

    /// `content`, which starts at that line and column (from 1), with the place of each character.
    pub(super) fn align(&self, content: &str, line: usize, column: usize) -> Traced {
        let mut cursor = Cursor { rest: self.rest_from(line, column), line, column };
        let mut traced = Traced::default();
        for character in content.chars() {
            if !character.is_whitespace() {
                cursor.seek(character);
            }
            traced.push(character, self.place(cursor.line, cursor.column));
            if !character.is_whitespace() && cursor.rest.starts_with(character) {
                cursor.step();
            }
        }
        traced
    }

    fn rest_from(&self, line: usize, column: usize) -> &'a str {
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index));
        let rest = start.and_then(|&offset| self.text.get(offset..)).unwrap_or_default();
        let skipped = rest.char_indices().nth(column.saturating_sub(1));
        skipped.and_then(|(offset, _)| rest.get(offset..)).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
struct Cursor<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl Cursor<'_> {
    fn step(&mut self) {
        let mut characters = self.rest.chars();
        match characters.next() {
            Some('\n') => {
                self.line += 1;
                self.column = 1;
            }
            Some(_) => self.column += 1,
            None => {}
        }
        self.rest = characters.as_str();
    }

    /// Moves to the next `wanted` beyond white space and a few others; stays if there is none.
    fn seek(&mut self, wanted: char) {
        let mut ahead = *self;
        let mut others = 0;
        while let Some(character) = ahead.rest.chars().next() {
            if character == wanted {
                *self = ahead;
                return;
            }
            if !character.is_whitespace() {
                others += 1;
            }
            if others > LOOK_AHEAD_MAX {
                return;
            }
            ahead.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_the_longest_escape_is_found() {
        const { assert!(r"\U0001F600".len() <= LOOK_AHEAD_MAX) };
        let nothing = BTreeSet::new();
        let characters = Characters::new("\"\\U0001F600z\"", 0, &nothing, 0);
        let aligned = characters.align("\u{1f600}z", 1, 1);
        assert_eq!(aligned.place_at('\u{1f600}'.len_utf8()).column, 12);
    }
}
