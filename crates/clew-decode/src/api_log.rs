//! Audit logs of clusters, clouds and services: JSON files into events.
//!
//! A log holds one record, an array of them, one a line, or any of these inside the wrapper that
//! carried them: a `Records` file of CloudTrail, an `EventList` of a Kubernetes API server, a
//! message of EventBridge, CloudWatch Logs or Pub/Sub. Which log a record is of is told by its own
//! members. The record is kept as it came; what every log tells is taken out of it.
//!
//! Reading order: [`Records`] (the log as it is read), `file` (what a value is, and what it is
//! wrapped in), one module a log, [`Ordered`] (events in order of time).
//!
//! Hostile input: a log of any length takes no more memory than one record of `JSON_BYTES_MAX`
//! bytes (and [`WAITING_BYTES_MAX`] where events are put into order), at most [`WRAPPERS_MAX`]
//! wrappers are opened, and a record that cannot be read costs itself alone.

mod address;
mod azure_activity;
mod cloudtrail;
mod entra_sign_in;
mod file;
mod gcp_audit;
mod github;
mod k8s_audit;
mod markers;
mod moment;
mod okta;
mod order;
mod packed;
mod scan;
mod source;
mod stream;
mod words;

use std::io::{self, Read};

use clew_event::control_plane::{ApiCall, ApiSource, Claim};
use clew_event::json::{Json, JsonIndex, Kind, Value};
use clew_event::{Complaint, Event, EventId, EventKind, EventType, Text, TimestampNs};

pub(crate) use moment::{MONTHS, moment};
use words::Words;

pub use file::{COMPLAINTS_MAX, Record, WRAPPERS_MAX};
pub use order::{Log, Ordered, WAITING_BYTES_MAX, WAITING_MAX, Waiting};
pub(crate) use packed::base64;
pub use source::ZSTD_WINDOW_LOG_MAX;
pub(crate) use source::{Source, is_packed};
pub use stream::{CHUNK_BYTES, Records};

const SERVICE_ACCOUNT: &[u8] = b"system:serviceaccount:";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// An event for each record, in ascending order of time; records of one moment, and those
    /// that tell no time, behind those that stood before them.
    pub events: Vec<Event>,
    /// What could not be read, at most [`COMPLAINTS_MAX`] and one that counts the rest.
    pub complaints: Vec<Complaint>,
}

/// True where bytes that begin like `start` may be JSON, perhaps compressed by gzip or zstd; the
/// first 512 bytes are enough.
#[must_use]
pub fn is_json(start: &[u8]) -> bool {
    if !is_packed(start) {
        return begins_as_json(start);
    }
    let mut plain = Vec::new();
    // A cut stream ends in an error, behind what could be unpacked.
    Source::new(start).read(&mut plain, 64).ok();
    begins_as_json(&plain)
}

fn begins_as_json(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// Reads the bytes of a file as a whole; `name` is what complaints call it.
#[must_use]
pub fn decode(name: &str, bytes: &[u8]) -> Decoded {
    collected(Records::new(name, bytes))
}

/// Reads a log into memory as a whole, compressed or plain; [`Records`] reads one that may be long.
///
/// # Errors
/// None today: where `input` fails, what was read before is given beside a complaint.
pub fn read(name: &str, input: impl Read) -> io::Result<Decoded> {
    Ok(collected(Records::new(name, input)))
}

fn collected(records: impl Iterator<Item = Result<Event, Complaint>>) -> Decoded {
    let mut decoded = Decoded::default();
    for found in records {
        match found {
            Ok(event) => decoded.events.push(event),
            Err(complaint) => decoded.complaints.push(complaint),
        }
    }
    decoded.events.sort_by_key(|event| event.time);
    decoded
}

pub(crate) fn complaint(file: &str, place: &str, code: &str, message: String) -> Complaint {
    Complaint { file: file.into(), r#where: place.into(), code: code.into(), message }
}

/// What a record tells, before it is an event.
#[derive(Debug, Default)]
struct Told {
    call: ApiCall,
    /// `None` where the record tells no time.
    time: Option<TimestampNs>,
    /// What names the record in its log; empty where nothing does.
    id: Vec<u8>,
    /// The version of the record's form, where it is none that is known.
    unknown_version: Option<Text>,
}

fn told(source: ApiSource, record: &Json<'_>, words: &mut Words) -> Told {
    match source {
        ApiSource::KubernetesAudit => k8s_audit::told(record),
        ApiSource::Cloudtrail => cloudtrail::told(record, words),
        ApiSource::GcpAudit => gcp_audit::told(record),
        ApiSource::Github => github::told(record),
        ApiSource::Okta => okta::told(record),
        ApiSource::AzureActivity => azure_activity::told(record),
        ApiSource::EntraSignIn => entra_sign_in::told(record),
    }
}

/// The event of a record, which happened at `time`.
fn event(source: ApiSource, told: Told, time: TimestampNs, record: (Text, JsonIndex)) -> Event {
    let Told { call, id, .. } = told;
    let (record, index) = record;
    let id = event_id(source, if id.is_empty() { record.as_bytes() } else { &id });
    let call = Box::new(ApiCall { source, record, index, ..call });
    Event {
        id,
        time,
        arrived: time,
        event_type: EventType::PluginEvent,
        actor: None,
        kind: match source {
            ApiSource::KubernetesAudit => EventKind::KubernetesApi(call),
            ApiSource::Cloudtrail
            | ApiSource::GcpAudit
            | ApiSource::Github
            | ApiSource::Okta
            | ApiSource::AzureActivity
            | ApiSource::EntraSignIn => EventKind::CloudApi(call),
        },
    }
}

/// The same record has the same id wherever it is read.
fn event_id(source: ApiSource, id: &[u8]) -> EventId {
    foreign_id(source.name().as_bytes(), id)
}

/// The id of what no kernel told, which its highest bit says.
pub(crate) fn foreign_id(space: &[u8], id: &[u8]) -> EventId {
    const FOREIGN: u128 = 1 << 127;
    let mut hasher = blake3::Hasher::new();
    hasher.update(space);
    hasher.update(&[0]);
    hasher.update(id);
    let mut digest = [0; 16];
    hasher.finalize_xof().fill(&mut digest);
    EventId(u128::from_be_bytes(digest) | FOREIGN)
}

/// What stands at `path`; empty where nothing does.
fn text_at(record: &Json<'_>, path: &[&str]) -> Text {
    text_of(record.at(path))
}

/// What a value says; empty where there is none, and for `null`.
fn text_of(value: Option<Value<'_, '_>>) -> Text {
    let value = value.filter(|value| value.kind() != Kind::Null);
    value.map_or_else(Text::default, |value| (*value.as_text()).into())
}

/// The first of several values that says something.
fn first_of<const N: usize>(values: [Option<Value<'_, '_>>; N]) -> Text {
    let texts = values.into_iter().map(text_of);
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The first of several places where something stands.
fn first_text(record: &Json<'_>, paths: &[&[&str]]) -> Text {
    let texts = paths.iter().map(|path| text_at(record, path));
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn member<'j, 'a>(object: Option<Value<'j, 'a>>, name: &str) -> Option<Value<'j, 'a>> {
    object.and_then(|object| object.get(name))
}

fn time_at(record: &Json<'_>, path: &[&str]) -> Option<TimestampNs> {
    moment_of(record.at(path))
}

fn moment_of(value: Option<Value<'_, '_>>) -> Option<TimestampNs> {
    moment(std::str::from_utf8(&value?.string()?).ok()?)
}

/// The Kubernetes service account that a text ends in the name of, `system:serviceaccount:NS:NAME`.
fn service_account(text: Value<'_, '_>) -> Option<Claim> {
    let text = text.string()?;
    let start = memchr::memmem::find(&text, SERVICE_ACCOUNT)?;
    let is_part = start == 0 || text.get(start - 1) == Some(&b':');
    is_part.then(|| account_of(text.get(start..)?)).flatten()
}

fn account_of(name: &[u8]) -> Option<Claim> {
    let mut parts = name.strip_prefix(SERVICE_ACCOUNT)?.split(|&byte| byte == b':');
    let (namespace, name) = (parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && !namespace.is_empty() && !name.is_empty();
    is_whole.then(|| Claim::ServiceAccount { namespace: namespace.into(), name: name.into() })
}

#[cfg(test)]
mod tests;
