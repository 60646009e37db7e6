//! Cuts one direction of an HTTP/2 connection into what its frames carry (RFC 9113, section 4).
//!
//! Content is passed on as it comes. Only blocks of fields are kept until they are whole, up to
//! [`BLOCK_BYTES_MAX`], so neither a frame of 16 MiB nor a flood of continuations takes room.

/// Longest block of fields that is kept; the rest is passed over.
pub const BLOCK_BYTES_MAX: usize = 64 << 10;

const HEAD_BYTES: usize = 9;
const USUAL_FRAME_BYTES: u32 = 1 << 14;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 32;

/// What frames carry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A block of fields.
    Fields(Fields),
    /// Some of a stream's content.
    Data(u32, &'a [u8]),
    /// A stream's content ended.
    End(u32),
    /// A stream was given up.
    Reset(u32),
    /// No stream beyond that one will be answered.
    GoAway(u32),
    /// This cannot be HTTP/2, so the place is lost.
    Broken,
}

/// A block of fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) stream: u32,
    pub(super) block: Vec<u8>,
    /// The stream has no content, or none any more.
    pub(super) is_last: bool,
    /// It tells of a stream that the server will begin.
    pub(super) is_promise: bool,
    /// Not all of the block was seen or kept.
    pub(super) is_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bytes: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Head {
    const fn of(bytes: [u8; HEAD_BYTES]) -> Self {
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = bytes;
        Self {
            bytes: u32::from_be_bytes([0, l1, l2, l3]),
            kind,
            flags,
            stream: u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]),
        }
    }

    const fn is_padded(self) -> bool {
        self.flags & PADDED != 0 && matches!(self.kind, DATA | HEADERS | PUSH_PROMISE)
    }

    /// True where all that the specification says of such a frame holds.
    const fn is_usual(self) -> bool {
        let known = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY,
            SETTINGS | PING => 1,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            _ => 0,
        };
        let is_of_stream = match self.kind {
            SETTINGS | PING | GOAWAY => self.stream == 0,
            WINDOW_UPDATE => true,
            _ => self.stream != 0,
        };
        let is_long_enough = match self.kind {
            PRIORITY => self.bytes == 5,
            RST_STREAM | WINDOW_UPDATE => self.bytes == 4,
            SETTINGS => self.bytes.is_multiple_of(6),
            PING => self.bytes == 8,
            GOAWAY => 8 <= self.bytes,
            _ => true,
        };
        self.kind <= CONTINUATION
            && self.flags & !known == 0
            && is_of_stream
            && is_long_enough
            && self.bytes <= USUAL_FRAME_BYTES
    }
}

/// True where a piece of `moved` bytes, of which `bytes` were seen, is made of frames and hardly of
/// anything else.
pub(super) fn is_frames(mut bytes: &[u8], moved: u64) -> bool {
    let is_all_seen = u64::try_from(bytes.len()) == Ok(moved);
    let mut has_head = false;
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let head = Head::of(*head);
        if !head.is_usual() {
            return false;
        }
        has_head = true;
        bytes = match usize::try_from(head.bytes).ok().and_then(|length| rest.get(length..)) {
            Some(rest) => rest,
            // Content may go on in the next piece; nothing else is cut as a rule.
            None => return head.kind == DATA || !is_all_seen,
        };
    }
    has_head && (bytes.is_empty() || !is_all_seen)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The client's greeting, of which so many bytes are still to come.
    Greeting(usize),
    Head,
    Payload {
        head: Head,
        left: u32,
        /// Bytes at the end that mean nothing; `None` before they were told.
        padding: Option<u32>,
    },
    /// After a gap: a piece may begin with a frame.
    Lost,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Payload of a frame that is kept until it is whole.
    kept: Vec<u8>,
    is_kept_cut: bool,
    /// A block that goes on in the next frame.
    block: Option<Fields>,
}

impl Frames {
    /// A direction that begins with so many bytes of greeting.
    pub(super) const fn new(greeting_bytes: usize) -> Self {
        Self {
            state: State::Greeting(greeting_bytes),
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            kept: Vec::new(),
            is_kept_cut: false,
            block: None,
        }
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.kept.capacity() + self.block.as_ref().map_or(0, |fields| fields.block.capacity())
    }

    /// Gives up the place, and waits for a piece that begins with a frame.
    pub(super) fn lose(&mut self) {
        *self = Self { state: State::Lost, ..Self::new(0) };
    }

    /// Hears that a piece begins.
    pub(super) fn begin(&mut self, bytes: &[u8], moved: u64) {
        if self.state == State::Lost && is_frames(bytes, moved) {
            self.state = State::Head;
        }
    }

    /// Passes over bytes that were not seen; gives the stream whose content they are of, and false
    /// where the place is lost.
    pub(super) fn gap(&mut self, bytes: u64) -> (Option<u32>, bool) {
        let State::Payload { head, left, padding } = self.state else {
            self.lose();
            return (None, false);
        };
        let Some(left) = u32::try_from(bytes).ok().and_then(|bytes| left.checked_sub(bytes)) else {
            self.lose();
            return ((head.kind == DATA).then_some(head.stream), false);
        };
        self.is_kept_cut = true;
        self.state = State::Payload { head, left, padding: padding.or(Some(0)) };
        ((head.kind == DATA).then_some(head.stream), true)
    }

    /// The next part, which is cut off the front of `input`; `None` where more is needed.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        loop {
            match self.state {
                State::Greeting(0) => self.state = State::Head,
                State::Greeting(left) => {
                    let seen = left.min(input.len());
                    if seen == 0 {
                        return None;
                    }
                    *input = input.get(seen..)?;
                    self.state = State::Greeting(left - seen);
                }
                State::Head => {
                    if !self.read_head(input) {
                        return None;
                    }
                    let head = Head::of(self.head);
                    self.head_bytes = 0;
                    let is_misplaced = matches!(head.kind, DATA | HEADERS | CONTINUATION)
                        && head.stream == 0
                        || self.block.is_some() && head.kind != CONTINUATION;
                    if is_misplaced {
                        return Some(Part::Broken);
                    }
                    let padding = if head.is_padded() { None } else { Some(0) };
                    (self.kept, self.is_kept_cut) = (Vec::new(), false);
                    self.state = State::Payload { head, left: head.bytes, padding };
                }
                State::Payload { head, left: 0, .. } => {
                    self.state = State::Head;
                    if let Some(part) = self.end_frame(head) {
                        return Some(part);
                    }
                }
                State::Payload { .. } => {
                    if input.is_empty() {
                        return None;
                    }
                    if let Some(part) = self.payload(input) {
                        return Some(part);
                    }
                }
                State::Lost => {
                    *input = &[];
                    return None;
                }
            }
        }
    }

    /// True where the head is whole.
    fn read_head(&mut self, input: &mut &[u8]) -> bool {
        let room = self.head.get_mut(self.head_bytes..).unwrap_or_default();
        let count = room.len().min(input.len());
        for (place, byte) in room.iter_mut().zip(*input) {
            *place = *byte;
        }
        *input = input.get(count..).unwrap_or_default();
        self.head_bytes += count;
        self.head_bytes == HEAD_BYTES
    }

    fn payload<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        let State::Payload { head, left, padding } = self.state else { return None };
        let Some(padding) = padding else {
            let (&padding, rest) = input.split_first()?;
            *input = rest;
            self.state = State::Payload { head, left: left - 1, padding: Some(u32::from(padding)) };
            return None;
        };
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at_checked(count)?;
        *input = rest;
        let meant = usize::try_from(left.saturating_sub(padding)).unwrap_or(0).min(count);
        let left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        self.state = State::Payload { head, left, padding: Some(padding) };
        let meant = bytes.get(..meant)?;
        match head.kind {
            DATA => return (!meant.is_empty()).then_some(Part::Data(head.stream, meant)),
            HEADERS | RST_STREAM | PUSH_PROMISE | GOAWAY | CONTINUATION => {
                let room = BLOCK_BYTES_MAX.saturating_sub(self.kept.len());
                self.is_kept_cut |= room < meant.len();
                self.kept.extend_from_slice(meant.get(..room).unwrap_or(meant));
            }
            _ => {}
        }
        None
    }

    fn end_frame<'a>(&mut self, head: Head) -> Option<Part<'a>> {
        let mut kept = std::mem::take(&mut self.kept);
        let has = |flag: u8| head.flags & flag != 0;
        match head.kind {
            DATA => has(END_STREAM).then_some(Part::End(head.stream)),
            RST_STREAM => Some(Part::Reset(head.stream)),
            GOAWAY => {
                let last = kept.first_chunk().map(|last| u32::from_be_bytes(*last));
                last.map(|last| Part::GoAway(last & 0x7fff_ffff))
            }
            HEADERS | PUSH_PROMISE => {
                let skipped = match head.kind {
                    PUSH_PROMISE => 4,
                    _ if has(HAS_PRIORITY) => 5,
                    _ => 0,
                };
                kept.drain(..skipped.min(kept.len()));
                self.block = Some(Fields {
                    stream: head.stream,
                    block: kept,
                    is_last: head.kind == HEADERS && has(END_STREAM),
                    is_promise: head.kind == PUSH_PROMISE,
                    is_cut: self.is_kept_cut,
                });
                self.end_block(has(END_HEADERS))
            }
            CONTINUATION => {
                let Some(fields) = &mut self.block else { return Some(Part::Broken) };
                if fields.stream != head.stream {
                    return Some(Part::Broken);
                }
                let room = BLOCK_BYTES_MAX.saturating_sub(fields.block.len());
                fields.is_cut |= self.is_kept_cut || room < kept.len();
                kept.truncate(room);
                fields.block.append(&mut kept);
                self.end_block(has(END_HEADERS))
            }
            _ => None,
        }
    }

    fn end_block<'a>(&mut self, is_end: bool) -> Option<Part<'a>> {
        if is_end { self.block.take().map(Part::Fields) } else { None }
    }
}
