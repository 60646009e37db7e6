//! HTTP interface and page: shows what the store holds, and what happens now.
//!
//! Reading order: [`settings`], [`server`] (one thread with a runtime of its own, started and
//! joined by its owner), [`update`] and [`metrics`] (what the owner publishes), `live` (the stream to the page),
//! `api` and `assets` (what is answered), `guard` (who is answered, and with which headers),
//! `listener` (how many at once).
//!
//! Invariant: nothing here decides anything. It reads the store, and it writes nothing.
#![forbid(unsafe_code)]

mod api;
mod assets;
pub mod error;
mod guard;
mod listener;
mod live;
pub mod metrics;
pub mod server;
pub mod settings;
pub mod update;

pub use error::ServerError;
pub use metrics::{Metrics, RequestFigures};
pub use server::{Publisher, Server, ServerHandle};
pub use settings::{Exposure, Settings};
pub use update::{FindingSummary, RuleFigures, Status, Update};
