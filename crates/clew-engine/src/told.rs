//! What was told of calls that their log tells in parts.
//!
//! An API server writes a record when it begins to answer a long request and another when it ends,
//! both under one id. A rule that both match has found one thing, and it is told once, at the part
//! that came first.

use std::collections::VecDeque;

use clew_event::FindingId;
use serde::{Deserialize, Serialize};

/// Most findings that are remembered; the oldest go first, and would be told twice.
pub(crate) const TOLD_MAX: usize = 4096;

/// The newest findings about calls told in parts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told(VecDeque<FindingId>);

impl Told {
    /// Remembers a finding; false where it was told already.
    pub(crate) fn is_first(&mut self, id: FindingId) -> bool {
        if self.0.contains(&id) {
            return false;
        }
        if self.0.len() == TOLD_MAX {
            self.0.pop_front();
        }
        self.0.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_once_while_it_is_remembered() {
        let mut told = Told::default();
        assert!(told.is_first(FindingId(0)));
        assert!(!told.is_first(FindingId(0)));
        for id in 1..=TOLD_MAX as u128 {
            assert!(told.is_first(FindingId(id)));
        }
        assert_eq!(told.0.len(), TOLD_MAX);
        assert!(told.is_first(FindingId(0)), "the oldest was forgotten");
    }
}
