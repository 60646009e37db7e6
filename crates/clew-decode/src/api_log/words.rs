//! Texts that stand in record after record, each made once.
//!
//! A log names the same callers, services, regions and programs again and again. A text that was
//! there lately is given out once more by reference, which is a tenth of the work of a copy. What
//! is kept is bounded: a new text takes the place of another.

use std::hash::Hasher as _;

use clew_event::Text;
use clew_event::json::{Kind, Value};
use rustc_hash::FxHasher;

/// Most texts that are kept; a power of two.
const WORDS_MAX: usize = 4096;
/// Longest text that is kept.
const WORD_BYTES_MAX: usize = 256;

/// The texts that were there lately, each at the place that its hash gives.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<Option<Text>>);

impl Words {
    /// What a value says; empty where there is none, and for `null`.
    pub(super) fn text_of(&mut self, value: Option<Value<'_, '_>>) -> Text {
        let value = value.filter(|value| value.kind() != Kind::Null);
        value.map_or_else(Text::default, |value| self.text(&value.as_text()))
    }

    /// The first of several values that says something.
    pub(super) fn first_of<const N: usize>(&mut self, values: [Option<Value<'_, '_>>; N]) -> Text {
        let texts = values.into_iter().map(|value| self.text_of(value));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    pub(super) fn text(&mut self, bytes: &[u8]) -> Text {
        if bytes.is_empty() || WORD_BYTES_MAX < bytes.len() {
            return bytes.into();
        }
        let mut hasher = FxHasher::default();
        hasher.write(bytes);
        let place = usize::try_from(hasher.finish()).unwrap_or_default() % WORDS_MAX;
        self.0.resize(WORDS_MAX, None);
        let Some(kept) = self.0.get_mut(place) else { return bytes.into() };
        match kept {
            Some(text) if text.as_bytes() == bytes => text.clone(),
            _ => kept.insert(bytes.into()).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_given_out_again_and_what_is_kept_is_bounded() {
        let mut words = Words::default();
        let address = |text: &Text| text.as_bytes().as_ptr();
        let first = words.text(b"eu-west-1");
        assert_eq!(address(&words.text(b"eu-west-1")), address(&first));
        for number in 0..2 * WORDS_MAX {
            let text = number.to_string();
            assert_eq!(words.text(text.as_bytes()).as_bytes(), text.as_bytes());
        }
        assert_eq!(words.0.len(), WORDS_MAX);
        let long = [b'x'; WORD_BYTES_MAX + 1];
        assert_ne!(address(&words.text(&long)), address(&words.text(&long)));
        assert_eq!(address(&words.text(&long[1..])), address(&words.text(&long[1..])));
    }
}
