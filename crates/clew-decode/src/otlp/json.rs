//! Messages of OTLP in JSON: names in camel case, ids in hexadecimal, long numbers as texts.

use std::borrow::Cow;

use clew_event::json::{Json, Kind, Value};

use super::protobuf::Malformed;
use super::{Found, Signal, Span};

/// Reads a body.
pub(super) fn read(signal: Signal, body: &[u8], found: &mut Found) -> Result<(), Malformed> {
    let json = Json::parse(body).map_err(|error| Malformed::Json(error.reason))?;
    let names = match signal {
        Signal::Traces => ["resourceSpans", "scopeSpans", "spans"],
        Signal::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
    };
    let [resources, scopes, items] = names;
    for resource in list(json.root(), resources) {
        for item in list(resource, scopes).flat_map(|scope| list(scope, items)) {
            if found.has_room() {
                let span = match signal {
                    Signal::Traces => span(item),
                    Signal::Logs => record(item),
                };
                found.take(signal, &span);
            }
        }
    }
    Ok(())
}

fn list<'j, 'a>(value: Value<'j, 'a>, name: &str) -> impl Iterator<Item = Value<'j, 'a>> {
    value.get(name).into_iter().flat_map(Value::items)
}

fn span<'a>(value: Value<'_, 'a>) -> Span<'a> {
    Span {
        kind: kind(value.get("kind")),
        start_ns: number(value.get("startTimeUnixNano")),
        end_ns: number(value.get("endTimeUnixNano")),
        ..common(value)
    }
}

fn record<'a>(value: Value<'_, 'a>) -> Span<'a> {
    let times = ["timeUnixNano", "observedTimeUnixNano"].map(|name| number(value.get(name)));
    Span {
        end_ns: times.into_iter().find(|time| *time != 0).unwrap_or_default(),
        text: value.get("body").map(any).unwrap_or_default(),
        ..common(value)
    }
}

fn common<'a>(value: Value<'_, 'a>) -> Span<'a> {
    let mut span = Span {
        trace: id(value.get("traceId")).into(),
        id: id(value.get("spanId")).into(),
        ..Span::default()
    };
    for attribute in list(value, "attributes") {
        let name = attribute.get("key").and_then(Value::string).unwrap_or_default();
        span.attributes.push(name, attribute.get("value").map(any).unwrap_or_default());
    }
    span
}

/// By number, or by name as some senders write it.
fn kind(value: Option<Value<'_, '_>>) -> u64 {
    let is = |name: &str| value.is_some_and(|value| value.is(name));
    match () {
        () if is("SPAN_KIND_SERVER") => 2,
        () if is("SPAN_KIND_CLIENT") => 3,
        () => number(value),
    }
}

fn number(value: Option<Value<'_, '_>>) -> u64 {
    let text = value.map(Value::as_text).unwrap_or_default();
    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The bytes of an id; none where it is not hexadecimal.
fn id(value: Option<Value<'_, '_>>) -> Vec<u8> {
    let digits = value.and_then(Value::string).unwrap_or_default();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).take(16).map(byte).collect::<Option<_>>().unwrap_or_default()
}

/// An `AnyValue` as text; of a list its texts with commas.
fn any<'a>(value: Value<'_, 'a>) -> Cow<'a, [u8]> {
    let plain = ["stringValue", "intValue", "boolValue"].map(|name| value.get(name));
    if let Some(plain) = plain.into_iter().flatten().next() {
        return plain.as_text();
    }
    let items = value.at(&["arrayValue", "values"]).filter(|list| list.kind() == Kind::Array);
    let texts = items.into_iter().flat_map(Value::items);
    let texts: Vec<_> = texts.filter_map(|item| item.get("stringValue")?.string()).collect();
    texts.join(&b", "[..]).into()
}
