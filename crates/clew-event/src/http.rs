//! Requests and responses of watched applications.

use serde::{Deserialize, Serialize};

use crate::socket::Endpoints;
use crate::text::Text;

/// One request, or one request with its response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEvent {
    /// The connection, from the side of the watched process.
    pub endpoints: Endpoints,
    /// True where the watched process is the server.
    pub is_inbound: bool,
    /// `GET`, `POST`, …
    pub method: Text,
    /// Host asked for.
    pub host: Text,
    /// Path and query, redacted by rule.
    pub target: Text,
    /// Response status; 0 where no response was seen.
    pub status: u16,
}
