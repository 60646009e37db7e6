//! The sensor of one machine: BPF programs, process table, container runtimes.
//!
//! Reading order: [`sensor`] (what callers use), `tier`, `dns` and `http` (BPF objects, loaded by
//! trial), `rings` (the ring buffers, drained in order of time), `order` (how they are merged),
//! `losses` (every drop counted), `stacks` (which libraries a call came through), `quiet` (what the kernel keeps back), `node`, `cgroups` and
//! `processes` (what was there before), [`mod@probe`] (what this machine allows), `blind` (what is
//! not seen), [`containers`] (what container runtimes tell), [`mod@tls`] (plain text of TLS, where
//! it is asked for). `sys` alone holds unsafe code.
//!
//! Invariant: for each kind of record, offered = seen + kept back + counted as lost.
#![deny(unsafe_code)]

mod blind;
pub mod cgroups;
pub mod containers;
mod dns;
mod http;
pub mod losses;
mod node;
mod order;
pub mod probe;
mod processes;
mod quiet;
mod rings;
pub mod sensor;
mod stacks;
mod sys;
mod tier;
pub mod tls;
mod urgency;

pub use losses::Totals;
pub use probe::{Capability, Found, is_root, probe};
pub use quiet::Quieted;
pub use sensor::{Injector, Sensor, SensorError, Settings};
pub use stacks::StackCounts;
pub use tier::left_out;
