//! Reads the head of an HTTP/1 message, as tolerantly as servers do.
//!
//! Whatever most servers accept is read, and what they disagree about is flagged: a field that goes
//! on in the next line, a line feed alone, several lengths. RFC 9112.

use std::borrow::Cow;

use clew_event::http::{HttpFlags, HttpVersion};
use memchr::memchr;

/// Most fields that are read of one head.
pub const FIELDS_MAX: usize = 128;
/// Longest method; the longest that is registered has 17 letters.
pub(super) const METHOD_BYTES_MAX: usize = 32;

/// One field, its name in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Cow<'a, [u8]>,
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a [u8],
    /// What HTTP/2 tells of the host.
    pub(super) authority: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: HttpVersion,
}

/// The first line of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) version: HttpVersion,
}

/// Fields of a head, and what is odd about them.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) flags: HttpFlags,
}

/// Reads the head of a request; `None` where it is none.
pub(super) fn request(head: &[u8]) -> Option<(Asked<'_>, Fields<'_>)> {
    let (line, rest) = cut_line(head);
    let method_end = memchr(b' ', line)?;
    let (method, rest_of_line) = line.split_at_checked(method_end)?;
    let rest_of_line = rest_of_line.trim_ascii();
    let target_end = rest_of_line.iter().rposition(|&byte| byte == b' ')?;
    let (target, version) = rest_of_line.split_at_checked(target_end)?;
    let version = version_of(version.trim_ascii_start())?;
    if !is_method(method) || target.is_empty() {
        return None;
    }
    let mut fields = fields(rest);
    mark_line_feed(line, &mut fields.flags);
    let target = target.trim_ascii_end();
    Some((Asked { method, authority: b"", target, version }, fields))
}

/// Reads the head of a response; `None` where it is none.
pub(super) fn response(head: &[u8]) -> Option<(Answered, Fields<'_>)> {
    let (line, rest) = cut_line(head);
    let (version, after) = line.split_at_checked(memchr(b' ', line)?)?;
    let version = version_of(version)?;
    let digits = after.trim_ascii_start().get(..3)?;
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if !(100..1000).contains(&status) {
        return None;
    }
    let mut fields = fields(rest);
    mark_line_feed(line, &mut fields.flags);
    Some((Answered { status, version }, fields))
}

/// The head by which HTTP/2 begins (RFC 9113, section 3.4), up to its empty line.
pub(super) const HTTP2_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// True where a request may begin so, as far as can be seen.
pub(super) fn may_be_request(bytes: &[u8]) -> bool {
    let known = HTTP2_HEAD.len().min(bytes.len());
    if bytes.get(..known) == HTTP2_HEAD.get(..known) {
        return true;
    }
    let method_end = memchr(b' ', bytes.get(..METHOD_BYTES_MAX + 1).unwrap_or(bytes));
    let method = bytes.get(..method_end.unwrap_or(bytes.len())).unwrap_or_default();
    if method_end == Some(0) || METHOD_BYTES_MAX < method.len() || !method.iter().all(is_letter) {
        return false;
    }
    // The whole first line must say HTTP.
    let Some(line_end) = memchr(b'\n', bytes) else { return true };
    let line = bytes.get(..line_end).unwrap_or_default().trim_ascii_end();
    method_end.is_some()
        && line.iter().rposition(|&byte| byte == b' ').is_some_and(|at| {
            version_of(line.get(at + 1..).unwrap_or_default()).is_some() && method.len() < at
        })
}

/// True where a request begins so, and hardly anything else.
pub(super) fn is_request(bytes: &[u8]) -> bool {
    let method_end = memchr(b' ', bytes.get(..METHOD_BYTES_MAX + 1).unwrap_or(bytes));
    method_end.is_some_and(|end| {
        2 < end && matches!(bytes.get(end + 1), Some(b'/' | b'h' | b'*')) && may_be_request(bytes)
    })
}

/// True where a response begins so, and hardly anything else.
pub(super) fn is_response(bytes: &[u8]) -> bool {
    let Some([_, b' ', digits @ ..]) = bytes.strip_prefix(b"HTTP/1.") else { return false };
    matches!(digits, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', ..])
}

const fn is_letter(byte: &u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'-' | b'_')
}

/// RFC 9110, section 5.6.2: a token.
fn is_method(method: &[u8]) -> bool {
    !method.is_empty()
        && method.len() <= METHOD_BYTES_MAX
        && method
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn version_of(text: &[u8]) -> Option<HttpVersion> {
    match text.strip_prefix(b"HTTP/1.")? {
        [b'0'] => Some(HttpVersion::Http10),
        [b'1'..=b'9'] => Some(HttpVersion::Http11),
        _ => None,
    }
}

/// The first line without its end, and what follows it.
fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    (line, bytes.get(end + 1..).unwrap_or_default())
}

fn mark_line_feed(line: &[u8], flags: &mut HttpFlags) {
    if !line.ends_with(b"\r") {
        flags.set(HttpFlags::BARE_LINE_FEED);
    }
}

fn fields(mut rest: &[u8]) -> Fields<'_> {
    let mut found = Fields { fields: Vec::with_capacity(16), flags: HttpFlags::default() };
    while !rest.is_empty() {
        let (raw, after) = cut_line(rest);
        rest = after;
        mark_line_feed(raw, &mut found.flags);
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            found.flags.set(HttpFlags::FOLDED_FIELD);
            if let Some(field) = found.fields.last_mut() {
                let value = field.value.to_mut();
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        if FIELDS_MAX <= found.fields.len() {
            found.flags.set(HttpFlags::HEADERS_CUT);
            break;
        }
        let colon = memchr(b':', line).unwrap_or(line.len());
        let name = line.get(..colon).unwrap_or_default();
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        // Some servers take a space before the colon as part of the name, some drop it.
        if name.ends_with(b" ") || name.ends_with(b"\t") {
            found.flags.set(HttpFlags::FOLDED_FIELD);
        }
        found.fields.push(Field { name: name.trim_ascii(), value: value.into() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_servers_read_it() {
        let head = b"POST  /a b?c HTTP/1.0\r\nHost: x\r\nA : 1\r\n\t2\nB:\r\n\r\n";
        let (asked, found) = request(head).expect("a request");
        assert_eq!((asked.method, asked.target), (&b"POST"[..], &b"/a b?c"[..]));
        assert_eq!(asked.version, HttpVersion::Http10);
        let fields: Vec<_> = found.fields.iter().map(|it| (it.name, it.value.as_ref())).collect();
        assert_eq!(fields, [(&b"Host"[..], &b"x"[..]), (b"A", b"1 2"), (b"B", b"")]);
        assert!(found.flags.has(HttpFlags::FOLDED_FIELD));
        assert!(found.flags.has(HttpFlags::BARE_LINE_FEED));
    }

    #[test]
    fn what_only_begins_like_http_is_told_apart_as_soon_as_it_can_be() {
        let check = |bytes: &[u8], is_possible| {
            assert_eq!(may_be_request(bytes), is_possible, "{}", bytes.escape_ascii());
        };
        check(b"G", true);
        check(b"GET /a", true);
        check(b"GET /a HTTP/1.1\r\n", true);
        check(b"EHLO mail.example.com\r\n", false);
        check(b"OPTIONS rtsp://a RTSP/1.0\r\n", false);
        check(b"SSH-2.0-OpenSSH\r\n", false);
        check(b"\x16\x03\x01", false);
        check(b"GET HTTP/1.1\r\n", false);
        assert!(is_response(b"HTTP/1.1 200") && !is_response(b"220 mail"));
    }

    #[test]
    fn fields_beyond_the_most_are_left_out() {
        let head = ["GET / HTTP/1.1\r\n", &"a: b\r\n".repeat(FIELDS_MAX + 1), "\r\n"].concat();
        let (_, found) = request(head.as_bytes()).expect("a request");
        assert_eq!(found.fields.len(), FIELDS_MAX);
        assert!(found.flags.has(HttpFlags::HEADERS_CUT));
    }
}
