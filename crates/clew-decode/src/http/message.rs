//! Makes what is told out of the parts of a message.

use std::net::IpAddr;

use clew_event::Text;
use clew_event::http::{HttpFlags, HttpRequest, HttpResponse, HttpVersion};

use super::assembler::Settings;
use super::body::Coding;
use super::fields::{Kind, Names, Sorted, told, value};
use super::head::Asked;
use super::principal;

pub use super::fields::FIELD_BYTES_MAX;

/// Longest path, query or host that is kept, each.
pub const TARGET_BYTES_MAX: usize = 16 << 10;

/// What every message is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: &'a Names,
}

/// What the fields say of the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) length: Option<u64>,
    pub(super) is_chunked: bool,
    pub(super) coding: Coding,
    pub(super) flags: HttpFlags,
}

impl Content {
    /// RFC 9112, section 6.3: chunks win over a length. Of several lengths the first is taken, as
    /// most do that refuse none.
    pub(super) fn of(fields: &[Sorted<'_>]) -> Self {
        let mut content = Self::default();
        let mut has_coding = false;
        for field in fields {
            match field.kind {
                Kind::ContentLength => content.length(&field.value),
                Kind::TransferEncoding => {
                    has_coding = true;
                    let last = field.value.rsplit(|&byte| byte == b',').next().unwrap_or_default();
                    content.is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
                    if !content.is_chunked {
                        content.flags.set(HttpFlags::AMBIGUOUS_LENGTH);
                    }
                }
                Kind::ContentEncoding if content.coding == Coding::Plain => {
                    content.coding = Coding::of(&field.value);
                }
                _ => {}
            }
        }
        if has_coding && content.length.is_some() {
            content.flags.set(HttpFlags::AMBIGUOUS_LENGTH);
        }
        content
    }

    fn length(&mut self, value: &[u8]) {
        for text in value.split(|&byte| byte == b',') {
            let text = text.trim_ascii();
            let length = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            if length.is_none() || !text.iter().all(u8::is_ascii_digit) {
                self.flags.set(HttpFlags::AMBIGUOUS_LENGTH);
            }
            match (self.length, length) {
                (None, Some(_)) => self.length = length,
                (Some(known), Some(other)) if known != other => {
                    self.flags.set(HttpFlags::AMBIGUOUS_LENGTH);
                }
                _ => {}
            }
        }
    }
}

/// A request without its content.
pub(super) fn request(
    reading: Reading<'_>,
    asked: Asked<'_>,
    fields: &[Sorted<'_>],
    peer: Option<IpAddr>,
) -> HttpRequest {
    let mut flags = HttpFlags::default();
    let (host, target) = authority(asked);
    let host = if host.is_empty() { value(fields, Kind::Host) } else { host };
    let question = memchr::memchr(b'?', target);
    let (path, query) = target.split_at(question.unwrap_or(target.len()));
    let query = query.strip_prefix(b"?").unwrap_or(query);
    HttpRequest {
        version: asked.version,
        method: asked.method.into(),
        host: cut(host, &mut flags),
        path: cut(path, &mut flags),
        query: cut(query, &mut flags),
        headers: told(fields, &mut flags),
        client: principal::client(reading.settings, fields, peer),
        principal: principal::of(&reading.settings.key, fields),
        trace: cut(value(fields, Kind::TraceParent), &mut flags),
        flags,
        ..HttpRequest::default()
    }
}

/// A response without its content.
pub(super) fn response(status: u16, fields: &[Sorted<'_>]) -> HttpResponse {
    let mut flags = HttpFlags::default();
    let headers = told(fields, &mut flags);
    HttpResponse { status, headers, flags, ..HttpResponse::default() }
}

/// Host and path of a target: `http://host/path` as proxies get it, `host:port` of `CONNECT`.
fn authority<'a>(asked: Asked<'a>) -> (&'a [u8], &'a [u8]) {
    if asked.version == HttpVersion::Http2 {
        return (asked.authority, asked.target);
    }
    if asked.method == b"CONNECT" {
        return (asked.target, b"");
    }
    let lower = asked.target.get(..8).unwrap_or(asked.target).to_ascii_lowercase();
    let start = if lower.starts_with(b"http://") {
        7
    } else if lower.starts_with(b"https://") {
        8
    } else {
        return (b"", asked.target);
    };
    let rest = asked.target.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    rest.split_at(end)
}

fn cut(text: &[u8], flags: &mut HttpFlags) -> Text {
    text.get(..TARGET_BYTES_MAX).map_or_else(
        || text.into(),
        |kept| {
            if kept.len() < text.len() {
                flags.set(HttpFlags::TARGET_CUT);
            }
            kept.into()
        },
    )
}
