//! What one line tells, and the parts that forms have in common.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use clew_event::TimestampNs;
use clew_event::http::HttpVersion;

use super::token::{Form, Token, tokens};
use super::{alb, common, envoy, json};
use crate::api_log::{MONTHS, moment};
use crate::http::Told;

/// An exchange as a line tells it.
#[derive(Debug, Default)]
pub(crate) struct Line<'a> {
    pub(super) time: Option<TimestampNs>,
    /// The time is the end of the exchange, else its beginning.
    pub(super) is_noted_at_end: bool,
    pub(super) duration_ns: u64,
    pub(super) asked: Told<'a>,
    /// Port of the other end; 0 where it is not told.
    pub(super) port: u16,
    pub(super) status: u16,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` where it is of no form that is known.
    pub(crate) fn of(line: &'a [u8]) -> Option<Self> {
        if line.starts_with(b"{") {
            return json::line(line);
        }
        let tokens = tokens(line);
        match tokens.first()?.form {
            Form::Bracketed => envoy::line(&tokens),
            Form::Bare | Form::Quoted => alb::line(&tokens).or_else(|| common::line(&tokens)),
        }
    }

    /// Adds a field that is told, unless that is nothing.
    pub(super) fn field(&mut self, name: &'static str, value: Cow<'a, [u8]>) {
        if !value.is_empty() && *value != *b"-" {
            self.asked.fields.push((Cow::Borrowed(name.as_bytes()), value));
        }
    }

    /// Takes a request line: `GET /path HTTP/1.1`. What is none (a handshake of TLS) stays whole.
    pub(super) fn request_line(&mut self, line: Cow<'a, [u8]>) {
        let is_upper = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
        let method_end = memchr::memchr(b' ', &line).filter(|&end| {
            0 < end && line.get(..end).is_some_and(|method| method.iter().all(is_upper))
        });
        let Some(method_end) = method_end else {
            self.asked.target = if *line == *b"-" { Cow::default() } else { line };
            return;
        };
        let last = memchr::memrchr(b' ', &line).filter(|&last| method_end < last);
        let version = last.and_then(|last| version(line.get(last + 1..)?));
        let target_end = if version.is_some() { last } else { None }.unwrap_or(line.len());
        self.asked.version = version.unwrap_or_default();
        self.asked.method = part(&line, 0, method_end);
        self.asked.target = part(&line, method_end + 1, target_end);
    }

    /// Takes the other end, with or without its port.
    pub(super) fn peer(&mut self, text: &[u8]) {
        if let Some((address, port)) = address(text) {
            (self.asked.peer, self.port) = (Some(address), port);
        }
    }
}

fn part<'a>(text: &Cow<'a, [u8]>, from: usize, to: usize) -> Cow<'a, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(from..to).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(from..to).unwrap_or_default().to_vec()),
    }
}

/// `HTTP/1.1`, as Apache and all others write it.
pub(crate) fn version(text: &[u8]) -> Option<HttpVersion> {
    Some(match text.strip_prefix(b"HTTP/")? {
        b"1.0" => HttpVersion::Http10,
        b"1.1" => HttpVersion::Http11,
        b"2" | b"2.0" => HttpVersion::Http2,
        b"3" | b"3.0" => HttpVersion::Http3,
        _ => HttpVersion::Unknown,
    })
}

/// An address with its port, or 0.
pub(super) fn address(text: &[u8]) -> Option<(IpAddr, u16)> {
    let text = std::str::from_utf8(text).ok()?;
    let with_port = text.parse::<SocketAddr>().ok().map(|it| (it.ip(), it.port()));
    with_port.or_else(|| Some((text.parse().ok()?, 0)))
}

/// True for one address, or several with commas.
pub(super) fn is_addresses(text: &[u8]) -> bool {
    text.split(|&byte| byte == b',').all(|hop| address(hop.trim_ascii()).is_some())
}

/// A status of three digits; 0 for `-`.
pub(super) fn status(token: &Token<'_>) -> Option<u16> {
    match &*token.text {
        b"-" => Some(0),
        digits if digits.len() == 3 => number(digits)?.try_into().ok(),
        _ => None,
    }
}

pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// So many units of `unit_ns` nanoseconds; `None` for what is no number, or negative.
pub(super) fn span_ns(text: &[u8], unit_ns: f64) -> Option<u64> {
    let units: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates"
    )]
    (units.is_finite() && 0.0 <= units).then_some((units * unit_ns) as u64)
}

/// `10/Oct/2000:13:55:36 -0700`, what audit logs write, or a number since 1970 in seconds, or in
/// smaller units where it is so large. Without a zone it is UTC.
pub(super) fn time(text: &[u8]) -> Option<TimestampNs> {
    let text = std::str::from_utf8(text).ok()?;
    of_servers(text).or_else(|| moment(text)).or_else(|| since_1970(text))
}

fn of_servers(text: &str) -> Option<TimestampNs> {
    let mut parts = text.splitn(3, '/');
    let (day, month, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (year, rest) = rest.split_once(':')?;
    let (clock, zone) = rest.split_once(' ').unwrap_or((rest, "Z"));
    TimestampNs::from_rfc3339(&format!("{year}-{month:02}-{day}T{clock}{zone}"))
}

fn since_1970(text: &str) -> Option<TimestampNs> {
    let unit_ns = match text.split('.').next()?.len() {
        9..=10 => 1e9,
        13 => 1e6,
        16 => 1e3,
        19 => return Some(TimestampNs::from_unix_ns(text.parse().ok()?)),
        _ => return None,
    };
    span_ns(text.as_bytes(), unit_ns).map(TimestampNs::from_unix_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let check = |text: &str, expected: Option<&str>| {
            let found = time(text.as_bytes()).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("10/Oct/2000:13:55:36 -0700", Some("2000-10-10T20:55:36.000000000Z"));
        check("10/Oct/2000:13:55:36.25 +0000", Some("2000-10-10T13:55:36.250000000Z"));
        check("10/Oct/2000:13:55:36", Some("2000-10-10T13:55:36.000000000Z"));
        check("2016-04-15T20:17:00.310Z", Some("2016-04-15T20:17:00.310000000Z"));
        check("1700000000", Some("2023-11-14T22:13:20.000000000Z"));
        check("1700000000.5", Some("2023-11-14T22:13:20.500000000Z"));
        check("1700000000500", Some("2023-11-14T22:13:20.500000000Z"));
        check("1700000000500000000", Some("2023-11-14T22:13:20.500000000Z"));
        check("99/Oct/2000:13:55:36 +0000", None);
        check("10/Okt/2000:13:55:36 +0000", None);
        check("yesterday", None);
        check("", None);
    }
}
