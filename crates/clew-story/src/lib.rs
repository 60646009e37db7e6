//! Findings joined into one explained attack.
#![forbid(unsafe_code)]

mod settings;
mod stories;

pub use settings::Settings;
pub use stories::{Counts, Stories};
