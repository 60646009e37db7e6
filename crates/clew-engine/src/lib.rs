//! One pure step from an event to findings and stories.
//!
//! [`Engine::step`] is the whole of detection: context first (so that rules see the state after
//! the event), then rules and what requests and their effects hold, then stories. It reads no clock,
//! file or random number and cannot fail, so two replays of a tape give the same bytes.
//!
//! Reading order: [`engine`], then [`appsec`] (what is judged of requests and because of them),
//! [`finding`] (how a match becomes a finding), `unclaimed` (what is judged again when more is
//! known), [`interest`] (what it reads), `evidence` (what is kept of an event), `witnesses` (until
//! when), [`snapshot`].
#![forbid(unsafe_code)]

pub mod appsec;
pub mod engine;
mod evidence;
pub mod finding;
pub mod interest;
pub mod links;
pub mod snapshot;
pub mod tally;
mod told;
mod unclaimed;
mod witnesses;

pub use appsec::Appsec;
pub use clew_story::Forgotten;
pub use engine::{Engine, Output, Profiling, Settings};
pub use snapshot::{RestoreError, SNAPSHOT_VERSION, State};
pub use tally::{RuleRate, Tally};
