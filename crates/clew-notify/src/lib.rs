//! Outputs: findings and stories sent to standard output, files, syslog, programs and HTTP.
//!
//! Each output has a thread of its own and a bounded queue, so that one that is slow or dead
//! delays neither the others nor the engine; what does not fit is dropped and counted.
//!
//! Reading order: [`spec`] (what can be asked for), [`form`] (the lines that are sent),
//! [`outputs`] (the fan-out that the owner holds), `queue` and `output` (one thread and its
//! figures), `channel` (what every kind can do) and one module a kind: `file`, `standard_out`,
//! `syslog`, `program`, `http`.
//!
//! Invariant: every line that was handed over ends up as sent, failed or dropped, or is queued.
#![forbid(unsafe_code)]

mod channel;
pub mod error;
mod file;
pub mod form;
mod http;
mod output;
pub mod outputs;
mod program;
mod queue;
pub mod spec;
mod standard_out;
mod syslog;

pub use error::{SpecError, StartError};
pub use form::{Form, Line};
pub use http::ANSWER_BYTES_MAX;
pub use output::{ATTEMPTS_MAX, OutputFigures};
pub use outputs::{Monitor, Outputs, Settings};
pub use queue::{QUEUE_BYTES_MAX, QUEUE_MAX};
pub use spec::{OutputSpec, Subjects, Target};
