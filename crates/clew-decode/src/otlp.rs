//! OpenTelemetry's protocol: bodies of traces and logs, in protobuf or JSON, into events.
//!
//! Spans of servers and clients are requests with their responses, those of databases are
//! statements, by the semantic conventions of today and those before 1.23. Logs are read where
//! they tell an exchange: by the same attributes, or as a line of an access log. What else is in a
//! body is passed over.
//!
//! Reading order: `protobuf` (bytes into fields), `binary` and `json` (fields into `Span`s),
//! `attributes`, then this file and `span` (a span into events). Source: `opentelemetry-proto`
//! 1.x, and the semantic conventions for HTTP, database and RPC spans.
//!
//! Hostile input: nesting is that of the messages, so nothing recurses; of a body at most
//! [`SPANS_MAX`] spans are read, and of a span [`ATTRIBUTES_MAX`] attributes.

mod attributes;
mod binary;
mod json;
mod protobuf;
mod span;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use clew_event::Event;

use crate::api_log::{Decoded, complaint};
use crate::http::{Settings, Words};
pub use attributes::ATTRIBUTES_MAX;
use attributes::Attributes;

/// Most spans, or records of logs, that are read of one body; senders' default is 512.
pub const SPANS_MAX: usize = 16_384;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportLogsServiceRequest`.
    Logs,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`, and within gRPC.
    Protobuf,
    /// `application/json`.
    Json,
}

/// One span, or one record of a log.
#[derive(Debug, Default)]
struct Span<'a> {
    /// Sixteen bytes, or none.
    trace: Cow<'a, [u8]>,
    /// Eight bytes, or none.
    id: Cow<'a, [u8]>,
    /// `SpanKind`; 0 for a record of a log.
    kind: u64,
    start_ns: u64,
    end_ns: u64,
    attributes: Attributes<'a>,
    /// Text of a record of a log.
    text: Cow<'a, [u8]>,
}

/// Reads one body; `name` is what complaints call it.
#[must_use]
pub fn decode(
    settings: &Settings,
    name: &str,
    (signal, encoding): (Signal, Encoding),
    body: &[u8],
) -> Decoded {
    let words = Words::new(settings);
    let mut found = Found { words, events: Vec::new(), spans: 0, left_out: 0 };
    let read = match encoding {
        Encoding::Protobuf => binary::read(signal, body, &mut found),
        Encoding::Json => json::read(signal, body, &mut found),
    };
    let mut complaints = Vec::new();
    if let Err(reason) = read {
        complaints.push(complaint(name, "body", "otlp-malformed", reason.to_string()));
    }
    if 0 < found.left_out {
        let message = format!("{} beyond the first {SPANS_MAX} of a body", found.left_out);
        complaints.push(complaint(name, "body", "otlp-too-many-spans", message));
    }
    found.events.sort_by_key(|event| event.time);
    Decoded { events: found.events, complaints }
}

/// What was found so far.
#[derive(Debug)]
struct Found {
    words: Words,
    events: Vec<Event>,
    spans: usize,
    left_out: u64,
}

impl Found {
    fn take(&mut self, signal: Signal, span: &Span<'_>) {
        match signal {
            Signal::Traces => span::of_trace(&self.words, span, &mut self.events),
            Signal::Logs => span::of_log(&self.words, span, &mut self.events),
        }
    }

    /// True where one more is read.
    fn has_room(&mut self) -> bool {
        let has_room = self.spans < SPANS_MAX;
        if has_room {
            self.spans += 1;
        } else {
            self.left_out += 1;
        }
        has_room
    }
}
