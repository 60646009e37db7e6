//! Messages of OTLP in protobuf, by the numbers of their fields.

use std::borrow::Cow;

use super::protobuf::{Malformed, Message, Value};
use super::{Found, Signal, Span};

/// `resource_spans`, `scope_spans`, `spans` have these numbers, and the same of logs.
const OF_BODY: u64 = 1;
const OF_RESOURCE: u64 = 2;
const OF_SCOPE: u64 = 2;

/// Reads a body, as far as it can be read.
pub(super) fn read(signal: Signal, body: &[u8], found: &mut Found) -> Result<(), Malformed> {
    for resource in within(body, OF_BODY) {
        for scope in within(resource?, OF_RESOURCE) {
            for item in within(scope?, OF_SCOPE) {
                let item = item?;
                if !found.has_room() {
                    continue;
                }
                let span = match signal {
                    Signal::Traces => span(item)?,
                    Signal::Logs => record(item)?,
                };
                found.take(signal, &span);
            }
        }
    }
    Ok(())
}

/// The messages within one that have that number.
fn within(message: &[u8], wanted: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Message(message).filter_map(move |field| match field {
        Ok((number, Value::Bytes(bytes))) if number == wanted => Some(Ok(bytes)),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

fn span(message: &[u8]) -> Result<Span<'_>, Malformed> {
    let mut span = Span::default();
    for field in Message(message) {
        let (number, value) = field?;
        match number {
            1 => span.trace = value.bytes().into(),
            2 => span.id = value.bytes().into(),
            6 => span.kind = value.number(),
            7 => span.start_ns = value.number(),
            8 => span.end_ns = value.number(),
            9 => attribute(&mut span, value.bytes())?,
            _ => {}
        }
    }
    Ok(span)
}

fn record(message: &[u8]) -> Result<Span<'_>, Malformed> {
    let mut span = Span::default();
    let mut observed_ns = 0;
    for field in Message(message) {
        let (number, value) = field?;
        match number {
            1 => span.end_ns = value.number(),
            5 => span.text = any(value.bytes())?,
            6 => attribute(&mut span, value.bytes())?,
            9 => span.trace = value.bytes().into(),
            10 => span.id = value.bytes().into(),
            11 => observed_ns = value.number(),
            _ => {}
        }
    }
    if span.end_ns == 0 {
        span.end_ns = observed_ns;
    }
    Ok(span)
}

/// A `KeyValue`.
fn attribute<'a>(span: &mut Span<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    let (mut name, mut text) = (Cow::default(), Cow::default());
    for field in Message(message) {
        match field? {
            (1, value) => name = value.bytes().into(),
            (2, value) => text = any(value.bytes())?,
            _ => {}
        }
    }
    span.attributes.push(name, text);
    Ok(())
}

/// An `AnyValue` as text; of a list its texts with commas, as fields of HTTP are joined.
fn any(message: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let mut text = Cow::default();
    for field in Message(message) {
        match field? {
            (1 | 7, Value::Bytes(bytes)) => text = bytes.into(),
            (2 | 3, Value::Number(number)) => {
                text = number.cast_signed().to_string().into_bytes().into();
            }
            (5, Value::Bytes(list)) => {
                let mut items = Vec::new();
                for item in within(list, 1) {
                    items.extend(within(item?, 1).collect::<Result<Vec<_>, _>>()?);
                }
                text = items.join(&b", "[..]).into();
            }
            _ => {}
        }
    }
    Ok(text)
}
