//! State of processes, containers and names, through which an event is seen.
//!
//! The kernel reports what just happened in numbers; a rule asks who did it: the parent's command
//! line, the container's image, the user's name. [`Context::observe`] keeps what later events need,
//! [`Context::view`] shows one event through it, under the names that rules use.
//!
//! Reading order: [`context`] (what is kept and how long), `bounded` (the usual table, with the
//! order in which entries are given up) and `fair`, `process`, `processes`, `cgroup`, `container`, `domain`,
//! [`identity`], [`requests`], `stacks`, then [`view`], `fields/` (one file a family), `argument`, `names` and `subject`.
//!
//! Invariant: whatever the sequence of events, every table holds at most its [`Limits`], and each
//! entry given up before its time is counted. A parent that was not seen stays unknown: nothing
//! here is guessed, except where a doc comment says by which rule.
#![forbid(unsafe_code)]

mod argument;
mod bounded;
mod cgroup;
mod container;
pub mod context;
mod domain;
mod factors;
mod fair;
mod fields;
mod glob;
pub mod identity;
mod names;
mod parameters;
mod process;
mod processes;
pub mod requests;
mod stacks;
mod subject;
pub mod view;

#[cfg(test)]
mod tests;

pub use context::{Context, Counts, Limits};
pub use identity::Identities;
pub use process::{Image, Process};
pub use view::View;
