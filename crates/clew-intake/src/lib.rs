//! Intake: audit records from files, webhooks and clouds, for the engine's loop.
//!
//! Reading order: [`spec`] (what can be asked for), [`intake`] (the engine's side: taking batches
//! and committing them), `queue` (the one bounded queue between), `ledger` (what survives a
//! restart), then the sources: `files`, `receiver`, `cloudtrail`,
//! `pubsub`, `eventhub`. [`figures`] and `lateness` say how each stands.
//!
//! Invariant: a source moves on only when the caller says that a batch is committed. A kill at any
//! moment loses nothing, and what is delivered again is known by its id and counted once.
#![forbid(unsafe_code)]

mod cloudtrail;
pub mod error;
mod eventhub;
pub mod figures;
mod files;
pub mod intake;
mod lateness;
pub mod ledger;
mod pubsub;
pub mod queue;
mod receiver;
pub mod spec;
mod web;

pub use cloudtrail::OBJECT_BYTES_MAX;
pub use error::{LedgerError, SpecError, StartError};
pub use figures::SourceFigures;
pub use intake::{Ack, Committer, Delivered, Intake, Monitor};
pub use ledger::{PARKED_BYTES_MAX, PARKED_MAX, Parked, SEEN_MAX};
pub use queue::QUEUE_BYTES_MAX;
pub use receiver::{BODY_BYTES_MAX, GRPC_BYTES_MAX, MESSAGE_BYTES_MAX};
pub use spec::SourceSpec;
