//! The unit of sampling: ten minutes of one replica's life in which it did something.
//!
//! A unit is named by replica and ten-minute slice, so that two nodes and two replays name it
//! alike. For requests the unit is the single request, and the name says only where it was.

use std::hash::Hasher as _;

use clew_event::TimestampNs;
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// Length of a slice.
pub const SLICE_SECONDS: u64 = 600;
/// Slices of a day.
const SLICES_PER_DAY: u32 = 144;

/// One slice of one replica.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct UnitId {
    /// Number of the slice since the epoch.
    pub slice: u32,
    /// The replica.
    pub replica: Replica,
}

/// One container, or one machine for what runs outside of containers; by a hash of its id.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Replica(pub u64);

impl Replica {
    /// From the id that its runtime gave it, which no workload chooses.
    #[must_use]
    pub fn from_id(id: &[u8]) -> Self {
        let mut hasher = FxHasher::default();
        hasher.write(id);
        Self(hasher.finish())
    }
}

impl UnitId {
    /// The slice of that replica at that time.
    #[must_use]
    pub fn at(replica: Replica, time: TimestampNs) -> Self {
        Self { slice: slice_at(time), replica }
    }

    /// The day of the slice since the epoch.
    #[must_use]
    pub const fn day(self) -> u32 {
        self.slice / SLICES_PER_DAY
    }
}

pub(crate) fn slice_at(time: TimestampNs) -> u32 {
    u32::try_from(time.unix_ns() / (SLICE_SECONDS * 1_000_000_000)).unwrap_or(u32::MAX)
}
