//! Which reader a content has.

use std::borrow::Cow;

use clew_event::http::{HttpFlags, HttpRequest};

use super::{Arguments, Place};

/// Shortest run of printable bytes in a binary message that is an argument.
const RUN_BYTES_MIN: usize = 4;

impl<'a> Arguments<'a> {
    pub(super) fn body(&mut self, request: &'a HttpRequest) {
        let body = request.body.as_bytes();
        if body.is_empty() {
            return;
        }
        let kind = request.header("content-type").map(|it| it.as_bytes().to_ascii_lowercase());
        let kind = kind.unwrap_or_default();
        let is = |word: &str| kind.windows(word.len()).any(|part| part == word.as_bytes());
        let first = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        if request.flags.has(HttpFlags::GRPC) || is("protobuf") {
            self.runs(body);
        } else if is("multipart/") {
            let given = request.header("content-type").map_or(&b""[..], |it| it.as_bytes());
            self.multipart(given, body);
        } else if is("json") || (matches!(first, Some(b'{' | b'[')) && !is("xml")) {
            self.json(body);
        } else if is("xml") || (first == Some(b'<') && !is("form")) {
            self.xml(body);
        } else if kind.is_empty() || is("form") {
            self.pairs(Place::Form, body);
        } else if !(is("tar") && is_archive(body)) {
            self.push(Place::Body, Cow::Borrowed(b""), Cow::Borrowed(body));
        }
    }

    /// Texts within a binary message, such as strings of Protocol Buffers.
    fn runs(&mut self, body: &'a [u8]) {
        for run in body.split(|byte| *byte < 0x20 && !matches!(byte, 9 | 10 | 13)) {
            if RUN_BYTES_MIN <= run.len() {
                self.push(Place::Body, Cow::Borrowed(b""), Cow::Borrowed(run));
            }
        }
    }
}

/// A tar holds files, and no argument: what stands in a `Dockerfile` that `docker build` sends begins
/// no command. Asked only of a content that is called so and that no reader takes for arguments;
/// its magic (`ustar`, POSIX.1) has to be there too. What such a request makes is told by its effect.
fn is_archive(body: &[u8]) -> bool {
    body.get(257..262) == Some(b"ustar")
}
