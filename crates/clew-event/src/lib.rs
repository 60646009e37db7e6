//! Plain data that every other crate speaks: events, entities, ids, fields, findings, stories.
//!
//! Reading order: [`id`] and [`time`] (what a thing is called and when), [`text`] (bytes from
//! hostile places), [`event`] with one module a family ([`process`], [`mod@file`], [`socket`],
//! [`privilege`], [`kernel`], [`container`], [`control_plane`], [`http`], [`query`],
//! [`stack`]), [`field`] (the names
//! rules use) with [`json`] (records read in place), and what comes out: [`finding`], [`story`],
//! [`complaint`], with the names of [`attack`] techniques and the outward form of [`ocsf`]. [`semantics`] says
//! whose answer is given where Clew and Falco differ.
//!
//! Invariant: nothing here reads a clock, does I/O or decides anything; every type serializes,
//! so that a tape of events is the whole input of the engine.
#![forbid(unsafe_code)]

pub mod attack;
pub mod complaint;
pub mod container;
pub mod control_plane;
pub mod event;
pub mod event_type;
pub mod field;
pub mod file;
pub mod finding;
pub mod http;
pub mod id;
pub mod interest;
pub mod json;
pub mod kernel;
pub mod ocsf;
pub mod privilege;
pub mod process;
pub mod query;
pub mod semantics;
pub mod socket;
pub mod stack;
pub mod story;
pub mod text;
pub mod time;

pub use complaint::Complaint;
pub use event::{Actor, Event, EventKind};
pub use event_type::EventType;
pub use field::{Field, FieldArgument, FieldId, FieldSource, FieldValue, Scalar};
pub use finding::{Entity, Finding, Priority};
pub use id::{BootId, CgroupId, ContainerId, EventId, FindingId, ProcessKey, StoryId};
pub use semantics::Semantics;
pub use story::Story;
pub use text::Text;
pub use time::TimestampNs;

/// Version of the serialized event model; a tape names the version it was written with.
///
/// It grows when the meaning or order of a serialized field changes. Adding a variant at the end
/// of an enum does not change it.
pub const SCHEMA_VERSION: u16 = 3;
