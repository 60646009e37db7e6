//! How each API is used: endpoints, schemas, principals, objects, roles and flows, learned.

use clew_event::http::HttpEvent;
use clew_event::{Event, Text};
use serde::{Deserialize, Serialize};

use crate::detected::Detected;

/// What was learned of every API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Apis {}

impl Apis {
    /// Learns from an exchange that has its response, and adds what is strange about it.
    ///
    /// `workload` names the application that served it.
    pub fn observe(
        &mut self,
        event: &Event,
        exchange: &HttpEvent,
        workload: &Text,
        found: &mut Vec<Detected>,
    ) {
        let _ = (event, exchange, workload, found);
    }
}
