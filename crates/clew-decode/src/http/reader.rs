//! Cuts one direction of an HTTP/1 connection into heads and contents.
//!
//! It knows where a message ends and nothing of what it means: who reads a head says how long the
//! content is ([`Reader::expect`]), because that of a response depends on its request. Lengths are
//! only counted down, so a chunk of a gigabyte costs nothing.

use std::borrow::Cow;

use memchr::memchr;

/// Longest head that is kept; the rest is passed over.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// Longest line of a chunk's size, and longest part behind the last chunk.
pub(super) const CHUNK_LINE_BYTES_MAX: u32 = 16 << 10;

/// Most digits of a chunk's size; 60 bits are more than any.
pub(super) const SIZE_DIGITS_MAX: u8 = 15;

/// A part of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// All of a head with its empty line, or its beginning where it is too long.
    Head(Cow<'a, [u8]>),
    /// Some of the content.
    Body(&'a [u8]),
    /// The message ended.
    End,
    /// This cannot be HTTP, so the place is lost.
    Broken,
}

/// How long a content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// That many bytes.
    Bytes(u64),
    /// In chunks.
    Chunked,
    /// Until the connection ends.
    UntilEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// The head is too long and passed over up to its empty line; whether a line just began, and
    /// how long the content is.
    LongHead {
        at_line: bool,
        then: Length,
    },
    Body {
        left: u64,
    },
    ChunkSize {
        size: u64,
        digits: u8,
        line_bytes: u32,
    },
    ChunkData {
        left: u64,
    },
    ChunkEnd,
    Trailer {
        at_line: bool,
        bytes: u32,
    },
    UntilEnd,
    /// A message ended, which is still to be told.
    Ended,
    /// After a gap: the start of a piece may be the start of a message.
    Lost {
        was_chunked: bool,
    },
}

/// What a gap did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// It lies within the content of one message.
    Within,
    /// Where messages begin is not known any more.
    Lost,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// Start of a head that came in several pieces.
    head: Vec<u8>,
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self { state: State::Head, head: Vec::new() }
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.head.capacity()
    }

    /// A head's beginning that is kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.head
    }

    /// True where the head that was given goes on.
    pub(super) fn is_long_head(&self) -> bool {
        matches!(self.state, State::LongHead { .. })
    }

    /// True between messages.
    pub(super) fn is_between(&self) -> bool {
        self.state == State::Head && self.head.is_empty()
    }

    /// True where a message's start is waited for.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    /// True where a content ends with the connection.
    pub(super) fn is_until_end(&self) -> bool {
        self.state == State::UntilEnd
    }

    /// Says how long the content is whose head was just given.
    pub(super) fn expect(&mut self, length: Length) {
        if let State::LongHead { then, .. } = &mut self.state {
            *then = length;
            return;
        }
        self.state = match length {
            Length::Bytes(0) => State::Ended,
            Length::Bytes(left) => State::Body { left },
            Length::Chunked => State::ChunkSize { size: 0, digits: 0, line_bytes: 0 },
            Length::UntilEnd => State::UntilEnd,
        };
    }

    /// Gives up the message that is read and waits for the next one's start.
    pub(super) fn lose(&mut self) {
        let was_chunked = matches!(
            self.state,
            State::ChunkSize { .. }
                | State::ChunkData { .. }
                | State::ChunkEnd
                | State::Lost { was_chunked: true }
        );
        self.state = State::Lost { was_chunked };
        self.head = Vec::new();
    }

    /// Passes over bytes that were not seen.
    pub(super) fn gap(&mut self, bytes: u64) -> Gap {
        match &mut self.state {
            State::Body { left } | State::ChunkData { left } if bytes <= *left => {
                *left -= bytes;
                if *left == 0 {
                    let is_whole = matches!(self.state, State::Body { .. });
                    self.state = if is_whole { State::Ended } else { State::ChunkEnd };
                }
                Gap::Within
            }
            State::UntilEnd => Gap::Within,
            _ => {
                self.lose();
                Gap::Lost
            }
        }
    }

    /// Hears that a piece begins: after a gap that may be the start of a message, as `is_start`
    /// knows it. Gives true where the lost message seems to end with this piece.
    pub(super) fn begin(&mut self, bytes: &[u8], is_start: impl Fn(&[u8]) -> bool) -> bool {
        let State::Lost { was_chunked } = self.state else { return false };
        if is_start(bytes) {
            self.state = State::Head;
            return false;
        }
        was_chunked && (bytes == b"0\r\n\r\n" || bytes.ends_with(b"\r\n0\r\n\r\n"))
    }

    /// The next part, which is cut off the front of `input`; `None` where more is needed.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        loop {
            if input.is_empty() && self.state != State::Ended {
                return None;
            }
            let part = match self.state {
                State::Ended => {
                    self.state = State::Head;
                    Some(Part::End)
                }
                State::Head => self.head(input)?,
                State::Body { left } | State::ChunkData { left } => {
                    Some(Part::Body(self.content(left, input)))
                }
                State::UntilEnd => Some(Part::Body(std::mem::take(input))),
                State::Lost { .. } => {
                    *input = &[];
                    return None;
                }
                State::LongHead { at_line, then } => {
                    self.long_head(at_line, then, input);
                    None
                }
                State::ChunkSize { .. } => self.chunk_size(input),
                State::ChunkEnd => self.chunk_end(input),
                State::Trailer { at_line, bytes } => self.trailer(at_line, bytes, input),
            };
            if part.is_some() {
                return part;
            }
        }
    }

    /// The outer `None` where the head is not whole; the inner never.
    #[expect(clippy::option_option, reason = "the caller's loop goes on with the inner one")]
    fn head<'a>(&mut self, input: &mut &'a [u8]) -> Option<Option<Part<'a>>> {
        if self.head.is_empty() {
            // Servers pass over empty lines before a message.
            let start = input.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
            *input = input.get(start.unwrap_or(input.len())..).unwrap_or_default();
            if let Some(end) = head_end(input, 0) {
                let (head, rest) = input.split_at_checked(end)?;
                *input = rest;
                return Some(Some(Part::Head(head.into())));
            }
        }
        let known = self.head.len();
        let room = HEAD_BYTES_MAX.saturating_sub(known);
        let taken = input.get(..room.min(input.len())).unwrap_or_default();
        self.head.extend_from_slice(taken);
        if let Some(end) = head_end(&self.head, known.saturating_sub(3)) {
            *input = input.get(end.saturating_sub(known)..).unwrap_or_default();
            let mut head = std::mem::take(&mut self.head);
            head.truncate(end);
            return Some(Some(Part::Head(head.into())));
        }
        *input = input.get(taken.len()..).unwrap_or_default();
        if self.head.len() < HEAD_BYTES_MAX {
            return None;
        }
        let at_line = self.head.ends_with(b"\n");
        self.state = State::LongHead { at_line, then: Length::Bytes(0) };
        Some(Some(Part::Head(std::mem::take(&mut self.head).into())))
    }

    fn long_head(&mut self, mut at_line: bool, then: Length, input: &mut &[u8]) {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if byte == b'\n' && at_line {
                self.state = State::Head;
                self.expect(then);
                return;
            }
            at_line = byte == b'\n' || byte == b'\r' && at_line;
        }
        self.state = State::LongHead { at_line, then };
    }

    fn content<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> &'a [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (content, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
        *input = rest;
        self.gap(u64::try_from(count).unwrap_or(u64::MAX));
        content
    }

    fn chunk_size<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        let State::ChunkSize { mut size, mut digits, mut line_bytes } = self.state else {
            return None;
        };
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if byte == b'\n' && 0 < digits {
                self.state = match size {
                    0 => State::Trailer { at_line: true, bytes: 0 },
                    left => State::ChunkData { left },
                };
                return None;
            }
            // What follows the digits, after `;` mostly, means nothing to anybody.
            match char::from(byte).to_digit(16) {
                Some(digit) if line_bytes == u32::from(digits) && digits < SIZE_DIGITS_MAX => {
                    size = size << 4 | u64::from(digit);
                    digits += 1;
                }
                None if 0 < digits && line_bytes < CHUNK_LINE_BYTES_MAX => {}
                Some(_) if u32::from(digits) < line_bytes && line_bytes < CHUNK_LINE_BYTES_MAX => {}
                _ => return Some(Part::Broken),
            }
            line_bytes += 1;
        }
        self.state = State::ChunkSize { size, digits, line_bytes };
        None
    }

    fn chunk_end<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        let (&byte, rest) = input.split_first()?;
        match byte {
            b'\r' => {}
            b'\n' => self.state = State::ChunkSize { size: 0, digits: 0, line_bytes: 0 },
            _ => return Some(Part::Broken),
        }
        *input = rest;
        None
    }

    fn trailer<'a>(
        &mut self,
        mut at_line: bool,
        mut bytes: u32,
        input: &mut &'a [u8],
    ) -> Option<Part<'a>> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if byte == b'\n' && at_line {
                self.state = State::Ended;
                return None;
            }
            at_line = byte == b'\n' || byte == b'\r' && at_line;
            bytes += 1;
            if CHUNK_LINE_BYTES_MAX < bytes {
                return Some(Part::Broken);
            }
        }
        self.state = State::Trailer { at_line, bytes };
        None
    }
}

/// Where the head ends, behind its empty line; `from` is where the search begins.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr(b'\n', bytes.get(at..)?) {
        at += found + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}
