//! A request as named arguments: the places where a client's bytes reach an application.
//!
//! Evidence must name the argument, and a value must be decoded as its place is: so the request is
//! taken apart once, for payloads and for effects. Number and bytes are bounded; what is left out
//! is counted.

mod body;
mod json;
mod multipart;
mod xml;

use std::borrow::Cow;

use clew_event::http::HttpRequest;

use crate::decoding;

/// Most arguments of one request.
pub const ARGUMENTS_MAX: usize = 256;
/// Longest name that is kept; it is shown, and matched as a value itself.
pub const NAME_BYTES_MAX: usize = 256;
/// Most bytes of a value that are looked at: half from its head, half from its tail, because
/// padding in front of a payload is the oldest way around a bound.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// Where an argument stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The whole path.
    Path,
    /// A pair of the query.
    Query,
    /// A pair of a form.
    Form,
    /// A field of a JSON document, named by its path.
    Json,
    /// A text or attribute of an XML document, named by its element.
    Xml,
    /// A part of a multipart form.
    Part,
    /// The name of an uploaded file.
    FileName,
    /// A cookie.
    Cookie,
    /// A header field.
    Header,
    /// Content of another type.
    Body,
}

impl Place {
    /// Its word in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Form => "form",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Part => "part",
            Self::FileName => "file name",
            Self::Cookie => "cookie",
            Self::Header => "header",
            Self::Body => "body",
        }
    }
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Where it stood.
    pub place: Place,
    /// Its name, decoded; empty where the place has none.
    pub name: Cow<'a, [u8]>,
    /// Its value, decoded once as its place is.
    pub value: Cow<'a, [u8]>,
}

/// The arguments of a request.
#[derive(Clone, Debug, Default)]
pub struct Arguments<'a> {
    /// In the order of the request.
    pub list: Vec<Argument<'a>>,
    /// Arguments that a bound left out, and values that were cut.
    pub dropped_count: u32,
}

impl<'a> Arguments<'a> {
    /// Takes a request apart.
    #[must_use]
    pub fn of(request: &'a HttpRequest) -> Self {
        let mut found = Self::default();
        let path = decoded(request.path.as_bytes(), false);
        found.push(Place::Path, Cow::Borrowed(b""), path);
        found.pairs(Place::Query, request.query.as_bytes());
        for (name, value) in &request.headers {
            match name.as_bytes() {
                b"cookie" => found.cookies(value.as_bytes()),
                name if is_routine(name) => {}
                name if is_file_name(name) => {
                    let value = decoded(value.as_bytes(), false);
                    found.push(Place::FileName, Cow::Borrowed(name), value);
                }
                name => {
                    let value = Cow::Borrowed(value.as_bytes());
                    found.push(Place::Header, Cow::Borrowed(name), value);
                }
            }
        }
        found.body(request);
        found
    }

    fn push(&mut self, place: Place, name: Cow<'a, [u8]>, value: Cow<'a, [u8]>) {
        if ARGUMENTS_MAX <= self.list.len() {
            self.dropped_count = self.dropped_count.saturating_add(1);
            return;
        }
        let is_cut = VALUE_BYTES_MAX < value.len() || NAME_BYTES_MAX < name.len();
        self.dropped_count = self.dropped_count.saturating_add(u32::from(is_cut));
        self.list.push(Argument { place, name: head(name), value: ends(value) });
    }

    /// `a=b&c=d`.
    fn pairs(&mut self, place: Place, bytes: &'a [u8]) {
        for pair in bytes.split(|&byte| byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let at = pair.iter().position(|&byte| byte == b'=');
            let (name, value) = pair.split_at(at.unwrap_or(pair.len()));
            let value = value.get(1..).unwrap_or_default();
            self.push(place, decoded(name, true), decoded(value, true));
        }
    }

    fn cookies(&mut self, bytes: &'a [u8]) {
        for pair in bytes.split(|&byte| byte == b';') {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            self.push(Place::Cookie, decoded(name, false), decoded(value, false));
        }
    }
}

/// Percent coding undone once; borrowed where there is none.
fn decoded(bytes: &[u8], has_plus: bool) -> Cow<'_, [u8]> {
    let spaced = if has_plus { decoding::plus(bytes) } else { None };
    match (decoding::percent(spaced.as_deref().unwrap_or(bytes)), spaced) {
        (Some(plain), _) => Cow::Owned(plain),
        (None, Some(spaced)) => Cow::Owned(spaced),
        (None, None) => Cow::Borrowed(bytes),
    }
}

fn head(name: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    Cow::Owned(name.iter().copied().take(NAME_BYTES_MAX).collect())
}

fn ends(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if value.len() <= VALUE_BYTES_MAX {
        return value;
    }
    let half = VALUE_BYTES_MAX / 2;
    let tail = value.len() - half;
    let kept = value.iter().take(half).chain(value.iter().skip(tail));
    Cow::Owned(kept.copied().collect())
}

/// Fields in which scripts in pages send the name of a file.
fn is_file_name(name: &[u8]) -> bool {
    matches!(name, b"x-filename" | b"x_filename" | b"x.filename" | b"x-file-name" | b"x-file_name")
}

/// Fields whose values the client's software writes, in forms that look like nothing else.
fn is_routine(name: &[u8]) -> bool {
    matches!(
        name,
        b"accept"
            | b"accept-charset"
            | b"accept-encoding"
            | b"accept-language"
            | b"cache-control"
            | b"connection"
            | b"content-length"
            | b"date"
            | b"dnt"
            | b"if-match"
            | b"if-modified-since"
            | b"if-none-match"
            | b"keep-alive"
            | b"pragma"
            | b"traceparent"
            | b"tracestate"
            | b"transfer-encoding"
            | b"upgrade-insecure-requests"
    ) || name.starts_with(b"sec-")
}

#[cfg(test)]
mod tests;
