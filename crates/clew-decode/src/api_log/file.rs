//! Finds the records of a file, whatever they are wrapped in.

use std::ops::Range;

use clew_event::TimestampNs;
use clew_event::control_plane::ApiSource;
use clew_event::json::{JSON_BYTES_MAX, Json, unescaped};

use super::scan::{items, members, open_member, skip_gaps, value_end};
use super::{Decoded, complaint, event};

/// Most wrappers that are opened around a record: an array of batches of messages, whose texts
/// are records, takes five.
pub const WRAPPERS_MAX: usize = 8;
/// Most complaints about one file; of more, only the number is told.
pub const COMPLAINTS_MAX: usize = 100;

/// Members of wrappers that hold records, or texts that are records.
const WRAPPERS: [&[u8]; 14] = [
    b"Records",
    b"records",
    b"items",
    b"entries",
    b"logEvents",
    b"Events",
    b"events",
    b"CloudTrailEvent",
    b"detail",
    b"payload",
    b"body",
    b"message",
    b"properties",
    b"log",
];

type Member<'t> = (&'t [u8], Range<usize>);

pub(super) fn decode(name: &str, bytes: &[u8]) -> Decoded {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut file = File {
        name,
        decoded: Decoded::default(),
        records: 0,
        complaints_left_out: 0,
        last_time: TimestampNs::default(),
    };
    file.lines(bytes);
    let File { mut decoded, complaints_left_out, .. } = file;
    if complaints_left_out != 0 {
        let message = format!("{complaints_left_out} more records could not be read");
        decoded.complaints.push(complaint(name, "file", "json-more", message));
    }
    decoded
}

struct File<'n> {
    name: &'n str,
    decoded: Decoded,
    /// Records found so far, good or bad.
    records: u64,
    complaints_left_out: u64,
    last_time: TimestampNs,
}

impl File<'_> {
    /// Values one behind the other, mostly one a line. Once a value had no end, only those that
    /// end on their line are read, so that each byte is looked at a bounded number of times.
    fn lines(&mut self, text: &[u8]) {
        let mut at = skip_gaps(text, 0);
        let mut is_one_a_line = false;
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let line_end = at + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = text.get(..line_end).unwrap_or_default();
            let mut end = value_end(line, at);
            let mut behind = line_end;
            if end.is_none() && !is_one_a_line {
                end = value_end(text, at);
                is_one_a_line = end.is_none();
                if is_one_a_line {
                    behind = self.records_of_open(text, at).unwrap_or(line_end);
                }
            }
            match end {
                Some(end) => self.value(text, at..end, 0, None),
                None => self.complain("json-malformed", "the record has no end".into()),
            }
            at = skip_gaps(text, end.unwrap_or(behind));
        }
    }

    /// The records of an array that has no end, or of a wrapper around one; where they end.
    fn records_of_open(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let array = match text.get(at)? {
            b'[' => at,
            b'{' => open_member(text, at).filter(|(name, _)| WRAPPERS.contains(name))?.1,
            _ => return None,
        };
        (text.get(array) == Some(&b'[')).then_some(())?;
        let mut end = None;
        for item in items(text, array) {
            end = Some(item.end);
            self.value(text, item, 1, None);
        }
        let rest = text.get(end?..).unwrap_or_default();
        Some(end? + memchr::memchr(b'\n', rest).unwrap_or(rest.len()))
    }

    /// A record, or what it is wrapped in. Recursion is bounded by [`WRAPPERS_MAX`].
    fn value(&mut self, text: &[u8], at: Range<usize>, depth: usize, github: Option<&[u8]>) {
        if WRAPPERS_MAX < depth {
            let message = format!("at most {WRAPPERS_MAX} wrappers are opened");
            return self.complain("json-wrapped-too-deeply", message);
        }
        match text.get(at.start) {
            Some(b'[') => self.array(text, at, depth, github),
            Some(b'{') => self.object(text, at, depth, github),
            Some(b'"') if 0 < depth => {
                let inside = text.get(at.start + 1..at.end - 1).unwrap_or_default();
                let inside = unescaped(inside);
                let start = skip_gaps(&inside, 0);
                match value_end(&inside, start) {
                    Some(end) if matches!(inside.get(start), Some(b'{' | b'[')) => {
                        self.value(&inside, start..end, depth + 1, github);
                    }
                    _ => self.complain("json-unknown-record", "a text is no record".into()),
                }
            }
            _ => self.complain("json-malformed", "neither an object nor an array".into()),
        }
    }

    fn array(&mut self, text: &[u8], at: Range<usize>, depth: usize, github: Option<&[u8]>) {
        let mut end = at.start + 1;
        for item in items(text.get(..at.end).unwrap_or_default(), at.start) {
            end = item.end;
            self.value(text, item, depth + 1, github);
        }
        if skip_gaps(text, end) + 1 != at.end {
            self.complain("json-malformed", "an array is broken: its rest was not read".into());
        }
    }

    fn object(&mut self, text: &[u8], at: Range<usize>, depth: usize, github: Option<&[u8]>) {
        let record = text.get(at.clone()).unwrap_or_default();
        let (mut seen, mut markers) = (Vec::new(), Markers::default());
        for member in members(text.get(..at.end).unwrap_or_default(), at.start) {
            markers.see(member.0);
            seen.push(member);
            // A record is known by its first few members; the rest need not be looked at.
            if github.is_none()
                && let Some(source) = markers.source()
            {
                return self.record(source, record);
            }
        }
        match (github, markers.source()) {
            (Some(kind), _) if !markers.has(Markers::WEBHOOK_TYPE) => {
                return self.record(ApiSource::Github, &with_type(kind, record));
            }
            (_, Some(source)) => return self.record(source, record),
            (_, None) => {}
        }
        let members = seen;
        let github = webhook_type(text, &members);
        let wrapped = members.iter().find(|(name, value)| {
            WRAPPERS.contains(name) && matches!(text.get(value.start), Some(b'{' | b'[' | b'"'))
        });
        match wrapped {
            Some((_, value)) => self.value(text, value.clone(), depth + 1, github.as_deref()),
            None => self.unknown(record),
        }
    }

    fn unknown(&mut self, record: &[u8]) {
        match Json::parse(record) {
            Ok(_) => {
                let logs = ApiSource::ALL.map(ApiSource::name).join(", ");
                let message = format!("this is no record of a log that is known: {logs}");
                self.complain("json-unknown-record", message);
            }
            Err(error) => self.complain("json-malformed", error.to_string()),
        }
    }

    fn record(&mut self, source: ApiSource, text: &[u8]) {
        match Json::parse(text) {
            Ok(record) => {
                let (event, unknown_version) = event(source, &record, text, self.last_time);
                self.last_time = event.time;
                self.decoded.events.push(event);
                self.records += 1;
                if let Some(version) = unknown_version {
                    let message = format!(
                        "version `{version}` is not known: it was read as the last one that is"
                    );
                    self.say("json-unknown-version", message);
                }
            }
            Err(_) if JSON_BYTES_MAX < text.len() => {
                let message = format!("{} bytes, at most {JSON_BYTES_MAX} are read", text.len());
                self.complain("json-record-too-long", message);
            }
            Err(error) => self.complain("json-malformed", error.to_string()),
        }
    }

    fn complain(&mut self, code: &str, message: String) {
        self.records += 1;
        self.say(code, message);
    }

    /// Complains about the record that was found last.
    fn say(&mut self, code: &str, message: String) {
        if COMPLAINTS_MAX <= self.decoded.complaints.len() {
            self.complaints_left_out += 1;
            return;
        }
        let place = format!("record {}", self.records);
        self.decoded.complaints.push(complaint(self.name, &place, code, message));
    }
}

/// The members by which records are told apart, as a set of bits.
#[derive(Clone, Copy, Default)]
struct Markers(u16);

impl Markers {
    const AUDIT_ID: u16 = 1;
    const EVENT_SOURCE: u16 = 1 << 1;
    const EVENT_NAME: u16 = 1 << 2;
    const PROTO_PAYLOAD: u16 = 1 << 3;
    const EVENT_TYPE: u16 = 1 << 4;
    const PUBLISHED: u16 = 1 << 5;
    const ACTOR: u16 = 1 << 6;
    const SENDER: u16 = 1 << 7;
    const ABOUT: u16 = 1 << 8;
    const WEBHOOK_TYPE: u16 = 1 << 9;
    const INSIGHT: u16 = 1 << 10;

    fn see(&mut self, name: &[u8]) {
        self.0 |= match name {
            b"auditID" => Self::AUDIT_ID,
            b"eventSource" => Self::EVENT_SOURCE,
            b"eventName" => Self::EVENT_NAME,
            b"protoPayload" => Self::PROTO_PAYLOAD,
            b"eventType" => Self::EVENT_TYPE,
            b"published" => Self::PUBLISHED,
            b"actor" => Self::ACTOR,
            b"sender" => Self::SENDER,
            b"repository" | b"organization" | b"hook" => Self::ABOUT,
            b"webhook_type" => Self::WEBHOOK_TYPE,
            b"insightDetails" => Self::INSIGHT,
            _ => 0,
        };
    }

    fn has(self, all: u16) -> bool {
        self.0 & all == all
    }

    /// The log that a record with these members is of.
    fn source(self) -> Option<ApiSource> {
        const BY: [(u16, ApiSource); 7] = [
            (Markers::AUDIT_ID, ApiSource::KubernetesAudit),
            (Markers::EVENT_SOURCE | Markers::EVENT_NAME, ApiSource::Cloudtrail),
            (Markers::INSIGHT, ApiSource::Cloudtrail),
            (Markers::PROTO_PAYLOAD, ApiSource::GcpAudit),
            (Markers::EVENT_TYPE | Markers::PUBLISHED | Markers::ACTOR, ApiSource::Okta),
            (Markers::WEBHOOK_TYPE, ApiSource::Github),
            (Markers::SENDER | Markers::ABOUT, ApiSource::Github),
        ];
        BY.iter().find(|(all, _)| self.has(*all)).map(|(_, source)| *source)
    }
}

/// The type of a message of GitHub, which stands in the headers of its request.
fn webhook_type<'t>(text: &'t [u8], wrapper: &[Member<'_>]) -> Option<Vec<u8>> {
    let (_, headers) = wrapper.iter().find(|(name, _)| *name == b"headers")?;
    let is_type = |(name, _): &Member<'t>| name.eq_ignore_ascii_case(b"x-github-event");
    let (_, value) = members(text.get(..headers.end)?, headers.start).find(is_type)?;
    let quoted = text.get(value)?.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = quoted.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_plain.then(|| quoted.to_vec())
}

/// The record with its type as the member that rules ask for.
fn with_type(kind: &[u8], record: &[u8]) -> Vec<u8> {
    let rest = record.get(1..).unwrap_or_default();
    let comma: &[u8] = if rest.get(skip_gaps(rest, 0)) == Some(&b'}') { b"" } else { b"," };
    [b"{\"webhook_type\":\"", kind, b"\"", comma, rest].concat()
}
