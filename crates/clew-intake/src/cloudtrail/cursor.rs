//! How far one folder of a bucket was read.
//!
//! Keys are listed in their order, which is nearly that of time. Files of one account and region
//! that are delivered late, or in the same minute, may stand before one that was read already; so
//! the keys of the last hour are kept, and listing begins before them.

use std::collections::BTreeSet;
use std::time::Duration;

use clew_event::TimestampNs;
use serde::{Deserialize, Serialize};

/// Keys that are kept of one folder.
pub(super) const DONE_MAX: usize = 1000;
/// How much later than its neighbours a file may come.
const LATE_SPAN: Duration = Duration::from_secs(3600);

/// Everything up to `after` was read, and of what lies behind it what is in `done`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) after: String,
    done: BTreeSet<String>,
}

impl Cursor {
    pub(super) fn from(after: String) -> Self {
        Self { after, done: BTreeSet::new() }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        key <= self.after.as_str() || self.done.contains(key)
    }

    /// The object with that key was read.
    pub(super) fn add(&mut self, key: &str) {
        self.done.insert(key.to_owned());
        let newest = self.done.iter().filter_map(|key| time_of(key)).max();
        while let Some(first) = self.done.first() {
            let is_old = match (newest, time_of(first)) {
                (Some(newest), Some(time)) => LATE_SPAN < newest.since(time),
                _ => false,
            };
            if !is_old && self.done.len() <= DONE_MAX {
                break;
            }
            self.after = self.done.pop_first().unwrap_or_default();
        }
    }
}

/// When a file of CloudTrail was made, by its name: `…_CloudTrail_REGION_20261124T1000Z_….json.gz`.
fn time_of(key: &str) -> Option<TimestampNs> {
    let name = key.rsplit('/').next()?;
    let stamp = name.split('_').find(|part| part.len() == 14 && part.ends_with('Z'))?;
    let part = |range| stamp.get(range);
    TimestampNs::from_rfc3339(&format!(
        "{}-{}-{}T{}:{}:00Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hour: u32, minute: u32, name: &str) -> String {
        format!("p/2026/11/24/1_CloudTrail_us-east-1_20261124T{hour:02}{minute:02}Z_{name}.json.gz")
    }

    #[test]
    fn a_file_that_comes_an_hour_late_is_still_new() {
        let mut cursor = Cursor::from("p/2026".into());
        cursor.add(&key(9, 59, "a"));
        cursor.add(&key(10, 30, "b"));
        assert_eq!(cursor.after, "p/2026");
        assert!(!cursor.has(&key(10, 5, "late")) && cursor.has(&key(10, 30, "b")));
        cursor.add(&key(11, 0, "c"));
        assert_eq!(cursor.after, key(9, 59, "a"));
        assert!(cursor.has(&key(9, 58, "too late")));
    }

    #[test]
    fn done_max_keys_are_kept() {
        let mut cursor = Cursor::default();
        for number in 0..=DONE_MAX {
            cursor.add(&format!("{number:04}"));
        }
        assert_eq!((cursor.done.len(), cursor.after.as_str()), (DONE_MAX, "0000"));
    }
}
