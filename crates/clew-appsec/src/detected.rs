//! What this crate says of an event; the engine makes a finding of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clew_event::EventId;
use clew_event::finding::{Entity, Priority};

/// One detection, ready to become a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Detected {
    /// Name of the detector, as a rule's: `SQL injection in a request`.
    pub rule: Cow<'static, str>,
    /// How urgent it is.
    pub priority: Priority,
    /// ATT&CK techniques, such as `T1190`, in ascending order.
    pub techniques: Vec<&'static str>,
    /// Further tags (`OWASP_API1`, `attack.sqli`), in ascending order.
    pub tags: Vec<&'static str>,
    /// How surprising it is, in bits: 8 make a seed of a story. A payload without an effect has
    /// at most [`PAYLOAD_BITS_MAX`].
    pub bits: f64,
    /// What it is about beside the process and its container: object, endpoint, peer.
    pub entities: Vec<Entity>,
    /// Events that prove it beside the deciding one: the request, for an effect.
    pub events: Vec<EventId>,
    /// One sentence that explains it, with the argument and the bytes.
    pub output: String,
    /// The facts of that sentence by name: `http.argument`, `http.match`, `http.decoded`, …
    pub fields: BTreeMap<&'static str, String>,
}

/// Most bits of a payload that had no effect: below what starts a story.
pub const PAYLOAD_BITS_MAX: f64 = 5.0;
