//! What may be tuned, and every bound.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What may be tuned. The defaults are those of the design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// False stories allowed per day of one tenant; what a story's bits are measured against.
    pub false_stories_per_day: f64,
    /// Bits from which a finding can make a story; findings below only join one.
    pub seed_bits: f64,
    /// Bits that a tie which is not causal needs to join two lines.
    pub join_bits_min: f64,
    /// How far apart in event time two findings may lie and still be tied by process, request,
    /// thief or a shared value, and after how long without a finding a line is forgotten.
    pub horizon: Duration,
    /// How long what a story planted (a key, a user) re-opens it. Of a story without a finding within
    /// the horizon only what leads to such is kept.
    pub story_life: Duration,
    /// Findings held at once, at 2 to 6 KiB each with all their ancestors.
    pub findings_max: usize,
}

impl Settings {
    /// Default of [`Settings::findings_max`]: some 30 MiB at most.
    pub const FINDINGS_MAX: usize = 8_192;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            false_stories_per_day: 0.01,
            seed_bits: 8.0,
            join_bits_min: 2.0,
            horizon: Duration::from_secs(3 * 86_400),
            story_life: Duration::from_secs(90 * 86_400),
            findings_max: Self::FINDINGS_MAX,
        }
    }
}
