//! Parts of a multipart form: name, name of the file, fields of its own, head of the content.

use std::borrow::Cow;

use super::{Arguments, Place, decoded};

/// Most bytes of an uploaded file that are looked at: a script tells itself in its first lines.
pub(super) const FILE_BYTES_MAX: usize = 4 << 10;
/// Longest boundary, RFC 2046 section 5.1.1.
pub(super) const BOUNDARY_BYTES_MAX: usize = 70;

impl<'a> Arguments<'a> {
    pub(super) fn multipart(&mut self, kind: &[u8], body: &'a [u8]) {
        let Some(boundary) = boundary(kind) else {
            self.push(Place::Body, Cow::Borrowed(b""), Cow::Borrowed(body));
            return;
        };
        let delimiter: Vec<u8> = b"--".iter().chain(boundary).copied().collect();
        let mut rest = body;
        while let Some(at) = rest.windows(delimiter.len()).position(|it| it == delimiter) {
            let part = rest.get(at + delimiter.len()..).unwrap_or_default();
            let end = part.windows(delimiter.len()).position(|it| it == delimiter);
            let (part, behind) = part.split_at(end.unwrap_or(part.len()));
            self.part(part);
            rest = behind;
        }
    }

    fn part(&mut self, part: &'a [u8]) {
        let mut rest = part.strip_prefix(b"\r\n").or(part.strip_prefix(b"\n")).unwrap_or(b"");
        let mut name: Cow<'a, [u8]> = Cow::Borrowed(b"");
        let mut is_file = false;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, behind) = rest.split_at(at);
            rest = behind.get(1..).unwrap_or_default();
            let line = line.trim_ascii();
            if line.is_empty() {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if lower.starts_with(b"content-disposition") {
                if let Some(value) = parameter(line, &lower, b"filename") {
                    is_file = true;
                    self.push(Place::FileName, Cow::Borrowed(b"filename"), value);
                }
                name = parameter(line, &lower, b"name").unwrap_or_default();
            } else {
                self.push(Place::Header, Cow::Borrowed(b"part"), Cow::Borrowed(line));
            }
        }
        let content = rest.strip_suffix(b"\n").unwrap_or(rest);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let length = if is_file { FILE_BYTES_MAX.min(content.len()) } else { content.len() };
        let content = content.get(..length).unwrap_or_default();
        if !content.is_empty() || !name.is_empty() {
            self.push(Place::Part, name, Cow::Borrowed(content));
        }
    }
}

fn boundary(kind: &[u8]) -> Option<&[u8]> {
    let lower = kind.to_ascii_lowercase();
    let at = lower.windows(9).position(|it| it == b"boundary=")?;
    let value = kind.get(at + 9..)?;
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&byte| byte == b'"').next()?,
        None => value.split(|byte| matches!(byte, b';' | b' ' | b',')).next()?,
    };
    (!value.is_empty() && value.len() <= BOUNDARY_BYTES_MAX).then_some(value)
}

/// The value of `name="…"`, where a `\"` does not end it; `name*=` with percent coding as well.
fn parameter<'a>(line: &'a [u8], lower: &[u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let starts = |at: usize| at == 0 || lower.get(at - 1).is_some_and(|it| b"; \t".contains(it));
    let at = (0..lower.len()).find(|&at| {
        let behind = lower.get(at..).and_then(|it| it.strip_prefix(name));
        starts(at) && behind.is_some_and(|it| it.starts_with(b"=") || it.starts_with(b"*="))
    })?;
    let value = line.get(at + name.len()..)?;
    let (is_coded, value) = match value.strip_prefix(b"*=") {
        Some(value) => (true, value),
        None => (false, value.get(1..)?),
    };
    if is_coded {
        return Some(decoded(value, false));
    }
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return value.split(|&byte| byte == b';').next().map(Cow::Borrowed);
    };
    let mut is_escaped = false;
    let end = quoted.iter().position(|&byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    quoted.get(..end.unwrap_or(quoted.len())).map(Cow::Borrowed)
}
