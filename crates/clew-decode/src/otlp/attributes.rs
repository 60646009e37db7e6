//! Attributes of a span, found by any of the names that conventions gave them.

use std::borrow::Cow;

use crate::http::Named;

/// Most attributes of one span that are read; senders' default is 128.
pub const ATTRIBUTES_MAX: usize = 256;

/// Names and values, numbers as they are written.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a>(Vec<Named<'a>>);

impl<'a> Attributes<'a> {
    pub(super) fn push(&mut self, name: Cow<'a, [u8]>, value: Cow<'a, [u8]>) {
        if self.0.len() < ATTRIBUTES_MAX && !value.is_empty() {
            self.0.push((name, value));
        }
    }

    /// The value of the first of these names that is there; empty where none is.
    pub(super) fn first(&self, names: &[&str]) -> &[u8] {
        let of = |name: &&str| self.0.iter().find(|(known, _)| **known == *name.as_bytes());
        names.iter().find_map(of).map_or(&[], |(_, value)| value)
    }

    /// The same as a number.
    pub(super) fn number(&self, names: &[&str]) -> Option<u64> {
        std::str::from_utf8(self.first(names)).ok()?.parse().ok()
    }

    /// Those whose names begin so, by the rest of their names.
    pub(super) fn below<'s>(
        &'s self,
        prefix: &'s str,
    ) -> impl Iterator<Item = (&'s [u8], &'s [u8])> {
        let rest = |name: &'s [u8]| name.strip_prefix(prefix.as_bytes());
        self.0.iter().filter_map(move |(name, value)| Some((rest(name)?, &**value)))
    }
}
