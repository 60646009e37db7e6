//! Finds the records in a value of a log, whatever they are wrapped in.

use std::collections::VecDeque;

use clew_event::control_plane::ApiSource;
use clew_event::json::{Json, JsonIndex, Kind, Value, unescaped};
use clew_event::{Complaint, Event, Text, TimestampNs};

use super::markers::{self, Markers};
use super::packed::unpacked;
use super::scan::{member_start, skip_gaps, value_end};
use super::words::Words;
use super::{cloudtrail, complaint, event, told};

/// Most wrappers that are opened around a record: an array of batches of messages, whose texts
/// are records, takes five.
pub const WRAPPERS_MAX: usize = 8;
/// Most complaints about one file; of more, only the number is told.
pub const COMPLAINTS_MAX: usize = 100;

/// Members of wrappers that hold records, or texts that are records.
const WRAPPERS: [&str; 17] = [
    "Records",
    "records",
    "items",
    "entries",
    "receivedMessages",
    "logEvents",
    "Events",
    "events",
    "CloudTrailEvent",
    "awslogs",
    "detail",
    "payload",
    "body",
    "message",
    "data",
    "properties",
    "log",
];
/// First members of records, which are no wrappers.
const OF_RECORDS: [&[u8]; 6] =
    [b"eventVersion", b"level", b"auditID", b"protoPayload", b"insertId", b"userIdentity"];
/// How far into a wrapper its array of records begins, at most.
pub(super) const WRAPPER_START_BYTES_MAX: usize = 4096;
/// What CloudWatch Logs sends to see whether anyone listens.
const CONTROL: &[u8] = b"CWL CONTROL MESSAGE";

/// What was found in a log.
#[derive(Debug)]
pub(super) enum Found {
    Record(Record),
    Complaint(Complaint),
}

/// A record of a log, which may wait before it becomes an event.
#[derive(Debug)]
pub struct Record {
    pub(super) time: TimestampNs,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// It is one.
    Event(Box<Event>),
    /// A record of CloudTrail: less than half of what its event takes, and these wait by the
    /// ten thousands.
    Cloudtrail(Text, JsonIndex),
}

impl Record {
    pub(super) fn bytes(&self) -> usize {
        match &self.form {
            Form::Event(event) => event.api_call().map_or(0, |call| call.record.as_bytes().len()),
            Form::Cloudtrail(text, _) => text.as_bytes().len(),
        }
    }
}

/// What is known of the log so far, and what was found and not yet given.
#[derive(Debug)]
pub(super) struct File {
    name: String,
    found: VecDeque<Found>,
    /// Records found so far, good or bad.
    records: u64,
    complaints: usize,
    complaints_left_out: u64,
    last_time: TimestampNs,
    words: Words,
}

impl File {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            found: VecDeque::new(),
            records: 0,
            complaints: 0,
            complaints_left_out: 0,
            last_time: TimestampNs::default(),
            words: Words::default(),
        }
    }

    pub(super) fn next(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// A value that stands in the log, or in an array (`depth` 1).
    pub(super) fn value(&mut self, json: Json<'_>, depth: usize) {
        if let (Some(source), _) = markers::of(json.root())
            && !is_kubernetes_of_azure(json.root())
        {
            return self.record(source, json);
        }
        self.open(json.root(), depth, None);
    }

    /// What may be a record, or what it is wrapped in. Recursion is bounded by [`WRAPPERS_MAX`].
    fn open(&mut self, value: Value<'_, '_>, depth: usize, github: Option<&[u8]>) {
        if WRAPPERS_MAX < depth {
            let message = format!("at most {WRAPPERS_MAX} wrappers are opened");
            return self.complain("json-wrapped-too-deeply", message);
        }
        match value.kind() {
            Kind::Array => value.items().for_each(|item| self.open(item, depth + 1, github)),
            Kind::Object => self.object(value, depth, github),
            Kind::String if 0 < depth => self.text(value, depth, github),
            _ => self.complain("json-malformed", "neither an object nor an array".into()),
        }
    }

    fn object(&mut self, value: Value<'_, '_>, depth: usize, github: Option<&[u8]>) {
        let (source, markers) = markers::of(value);
        match (github, source) {
            (Some(kind), _) if !markers.has(Markers::WEBHOOK_TYPE) => {
                return self.bytes(ApiSource::Github, &with_type(kind, value.raw()));
            }
            (_, Some(source)) if !is_kubernetes_of_azure(value) => {
                return self.bytes(source, value.raw());
            }
            _ => {}
        }
        // CloudTrail signs its files with others, which hold no records.
        if markers.has(Markers::DIGEST) {
            return;
        }
        if let Some(record) = of_event_grid(value) {
            return self.bytes(ApiSource::AzureActivity, &record);
        }
        let github = webhook_type(value);
        let is_wrapper = |(name, value): &(Value<'_, '_>, Value<'_, '_>)| {
            matches!(value.kind(), Kind::Object | Kind::Array | Kind::String)
                && WRAPPERS.iter().any(|wrapper| name.is(wrapper))
        };
        match value.members().find(is_wrapper) {
            Some((_, wrapped)) => self.open(wrapped, depth + 1, github.as_deref()),
            None => {
                let logs = ApiSource::ALL.map(ApiSource::name).join(", ");
                let message = format!("this is no record of a log that is known: {logs}");
                self.complain("json-unknown-record", message);
            }
        }
    }

    /// A record as a text, perhaps packed.
    fn text(&mut self, value: Value<'_, '_>, depth: usize, github: Option<&[u8]>) {
        let raw = value.raw();
        let inside = unescaped(raw.get(1..raw.len() - 1).unwrap_or_default());
        if inside.starts_with(CONTROL) {
            return;
        }
        let inside = unpacked(&inside).unwrap_or(inside);
        let begins_well = matches!(inside.get(skip_gaps(&inside, 0)), Some(b'{' | b'['));
        match Json::parse(&inside) {
            Ok(json) if begins_well => self.open(json.root(), depth + 1, github),
            Err(error) if begins_well => self.complain("json-malformed", error.to_string()),
            _ => self.complain("json-unknown-record", "a text is no record".into()),
        }
    }

    fn bytes(&mut self, source: ApiSource, text: &[u8]) {
        match Json::parse(text) {
            Ok(record) => self.record(source, record),
            Err(error) => self.complain("json-malformed", error.to_string()),
        }
    }

    fn record(&mut self, source: ApiSource, record: Json<'_>) {
        let text = Text::from(record.text());
        let (time, form, unknown_version) = if source == ApiSource::Cloudtrail {
            let (time, unknown_version) = cloudtrail::glance(&record);
            let time = time.unwrap_or(self.last_time);
            (time, Form::Cloudtrail(text, record.into_index()), unknown_version)
        } else {
            let mut told = told(source, &record, &mut self.words);
            let time = told.time.unwrap_or(self.last_time);
            let unknown_version = told.unknown_version.take();
            let event = event(source, told, time, (text, record.into_index()));
            (time, Form::Event(Box::new(event)), unknown_version)
        };
        self.last_time = time;
        self.found.push_back(Found::Record(Record { time, form }));
        self.records += 1;
        if let Some(version) = unknown_version {
            let message =
                format!("version `{version}` is not known: it was read as the last one that is");
            self.say("json-unknown-version", message);
        }
    }

    /// What a record that was found is the record of.
    pub(super) fn event(&mut self, Record { time, form }: Record) -> Event {
        const LOG: ApiSource = ApiSource::Cloudtrail;
        match form {
            Form::Event(event) => *event,
            Form::Cloudtrail(text, index) => {
                index.fetch(text.as_bytes());
                let json = Json::with_index(text.as_bytes(), &index);
                let told = json.map(|json| told(LOG, &json, &mut self.words)).unwrap_or_default();
                event(LOG, told, time, (text, index))
            }
        }
    }

    pub(super) fn complain(&mut self, code: &str, message: String) {
        self.records += 1;
        self.say(code, message);
    }

    /// Complains about the record that was found last.
    fn say(&mut self, code: &str, message: String) {
        let place = format!("record {}", self.records);
        self.say_at(&place, code, message);
    }

    pub(super) fn say_at(&mut self, place: &str, code: &str, message: String) {
        if COMPLAINTS_MAX <= self.complaints {
            self.complaints_left_out += 1;
            return;
        }
        self.complaints += 1;
        self.found.push_back(Found::Complaint(complaint(&self.name, place, code, message)));
    }

    /// Says what was left unsaid.
    pub(super) fn end(&mut self) {
        if self.complaints_left_out != 0 {
            let message = format!("{} more records could not be read", self.complaints_left_out);
            self.found.push_back(Found::Complaint(complaint(
                &self.name,
                "file",
                "json-more",
                message,
            )));
        }
    }
}

/// Whether a wrapper around an array of records begins here: `Some` of how far the array lies, or
/// of `None` where none does; `None` where more has to be read to know.
pub(super) fn is_wrapper_start(text: &[u8]) -> Option<Option<usize>> {
    let start = text.get(..WRAPPER_START_BYTES_MAX).unwrap_or(text);
    let is_all = start.len() < text.len();
    let mut place = 1;
    while let Some((name, value)) = member_start(start, place) {
        let is_wrapper = WRAPPERS.iter().any(|wrapper| wrapper.as_bytes() == name);
        match start.get(value) {
            Some(b'[') if is_wrapper => return Some(Some(value + 1)),
            _ if OF_RECORDS.contains(&name) => return Some(None),
            _ => {}
        }
        let Some(end) = value_end(start, value) else { break };
        place = end;
    }
    let is_over = is_all || start.get(skip_gaps(start, place)) == Some(&b'}');
    is_over.then_some(None)
}

/// AKS gives its audit log as a text in a record of the form of Azure's activity log.
fn is_kubernetes_of_azure(record: Value<'_, '_>) -> bool {
    let [operation, properties] = record.pick(["operationName", "properties"]);
    let log = operation.and(properties).and_then(|properties| properties.get("log"));
    log.is_some_and(|log| log.kind() == Kind::String)
}

/// What Event Grid tells of an operation on a resource, as a record of Azure's activity log: it has
/// the same members, but its id and time stand around it, and the resource has another name.
fn of_event_grid(event: Value<'_, '_>) -> Option<Vec<u8>> {
    let [kind, id, time, operation] = event.pick(["eventType", "id", "eventTime", "data"]);
    if !kind?.string()?.starts_with(b"Microsoft.Resources.") {
        return None;
    }
    let resource = operation?.get("resourceUri")?;
    let rest = operation?.raw().strip_prefix(b"{")?;
    let [id, time, resource] = [id?, time?, resource].map(Value::raw);
    let start: [&[u8]; 6] =
        [b"{\"eventDataId\":", id, b",\"eventTimestamp\":", time, b",\"resourceId\":", resource];
    Some([&start.concat(), b",".as_slice(), rest].concat())
}

/// The type of a message of GitHub, which stands in the headers of its request.
fn webhook_type(wrapper: Value<'_, '_>) -> Option<Vec<u8>> {
    let is_type = |name: Value<'_, '_>| {
        name.string().is_some_and(|name| name.eq_ignore_ascii_case(b"x-github-event"))
    };
    let (_, value) = wrapper.get("headers")?.members().find(|(name, _)| is_type(*name))?;
    let kind = value.string()?;
    let is_plain = kind.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_plain.then(|| kind.into_owned())
}

/// The record with its type as the member that rules ask for.
fn with_type(kind: &[u8], record: &[u8]) -> Vec<u8> {
    let rest = record.get(1..).unwrap_or_default();
    let comma: &[u8] = if rest.get(skip_gaps(rest, 0)) == Some(&b'}') { b"" } else { b"," };
    [b"{\"webhook_type\":\"", kind, b"\"", comma, rest].concat()
}
