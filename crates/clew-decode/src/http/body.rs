//! Keeps the beginning of a content and undoes its coding.

use std::io::Read;

use clew_event::http::HttpFlags;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Most of a request's content that is kept, coded and again decoded.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 << 10;
/// Most of a response's content that is kept, coded and again decoded.
pub const RESPONSE_BODY_BYTES_MAX: usize = 64 << 10;

/// By what gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How a content is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    #[default]
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or, as some send it, RFC 1951.
    Deflate,
    /// Another one, or several.
    Unknown,
}

impl Coding {
    /// As `Content-Encoding` says it.
    pub(super) fn of(value: &[u8]) -> Self {
        let is = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        match value {
            b"" => Self::Plain,
            _ if is("identity") => Self::Plain,
            _ if is("gzip") || is("x-gzip") => Self::Gzip,
            _ if is("deflate") => Self::Deflate,
            _ => Self::Unknown,
        }
    }
}

/// The content of one message as far as it came.
#[derive(Debug, Default)]
pub(super) struct Body {
    kept: Vec<u8>,
    /// How long it is, kept or not.
    pub(super) bytes: u64,
    coding: Coding,
    is_cut: bool,
    messages: Option<Messages>,
}

/// Where a content of gRPC stands: each message has a byte that says whether it is coded, and four
/// with its length, before it.
#[derive(Debug, Default)]
struct Messages {
    prefix: Vec<u8>,
    left: u32,
}

impl Messages {
    const PREFIX_BYTES: usize = 5;

    /// The next bytes that are of a message, cut off the front of `piece`; `None` at the
    /// end.
    fn next<'a>(&mut self, piece: &mut &'a [u8]) -> Option<&'a [u8]> {
        while self.left == 0 {
            let count = (Self::PREFIX_BYTES - self.prefix.len()).min(piece.len());
            let (prefix, rest) = piece.split_at_checked(count)?;
            *piece = rest;
            self.prefix.extend_from_slice(prefix);
            let [_, length @ ..] = *self.prefix.first_chunk::<{ Self::PREFIX_BYTES }>()?;
            self.left = u32::from_be_bytes(length);
            self.prefix.clear();
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        let (message, rest) = piece.split_at_checked(count).filter(|_| 0 < count)?;
        *piece = rest;
        self.left -= u32::try_from(count).unwrap_or(self.left);
        Some(message)
    }
}

impl Body {
    /// Nothing yet, of a content coded so.
    pub(super) fn new(coding: Coding) -> Self {
        Self { coding, ..Self::default() }
    }

    /// Nothing yet, of messages of gRPC of which some are coded so.
    pub(super) fn of_messages(coding: Coding) -> Self {
        Self { coding, messages: Some(Messages::default()), ..Self::default() }
    }

    /// Takes a piece; keeps up to `bytes_max` in all.
    pub(super) fn push(&mut self, mut piece: &[u8], bytes_max: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let Some(mut messages) = self.messages.take() else { return self.keep(piece, bytes_max) };
        while let Some(message) = messages.next(&mut piece) {
            self.keep(message, bytes_max);
        }
        self.messages = Some(messages);
    }

    fn keep(&mut self, piece: &[u8], bytes_max: usize) {
        let room = bytes_max.saturating_sub(self.kept.len());
        // Behind a gap nothing is kept: it would be taken for what followed.
        if !self.is_cut {
            self.kept.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        self.is_cut |= room < piece.len();
    }

    /// Passes over what was not seen.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_cut = true;
    }

    /// True where more would not be kept.
    pub(super) fn is_full(&self, bytes_max: usize) -> bool {
        self.is_cut || bytes_max <= self.kept.len()
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.kept.capacity()
    }

    /// What is kept, decoded, at most `bytes_max` of it. Leaves nothing.
    pub(super) fn take(&mut self, bytes_max: usize, flags: &mut HttpFlags) -> Vec<u8> {
        let kept = std::mem::take(&mut self.kept);
        if self.is_cut {
            flags.set(HttpFlags::BODY_CUT);
        }
        // With gRPC each message says whether it is coded; gzip shows it.
        let is_plain_message = self.messages.is_some() && !kept.starts_with(&GZIP);
        if kept.is_empty() || self.coding == Coding::Plain || is_plain_message {
            return kept;
        }
        let plain = match self.coding {
            Coding::Gzip => unpacked(MultiGzDecoder::new(kept.as_slice()), bytes_max),
            Coding::Deflate => {
                let plain = unpacked(ZlibDecoder::new(kept.as_slice()), bytes_max);
                if plain.0.is_empty() {
                    unpacked(DeflateDecoder::new(kept.as_slice()), bytes_max)
                } else {
                    plain
                }
            }
            Coding::Plain | Coding::Unknown => (Vec::new(), false),
        };
        let (mut plain, is_whole) = plain;
        if bytes_max < plain.len() {
            plain.truncate(bytes_max);
            flags.set(HttpFlags::BODY_CUT);
        } else if !is_whole && !self.is_cut || plain.is_empty() {
            flags.set(HttpFlags::UNDECODED);
        }
        plain
    }
}

/// At most one byte more than `bytes_max`, and whether it ended as it should. A stream that is cut
/// gives what can be unpacked.
fn unpacked(stream: impl Read, bytes_max: usize) -> (Vec<u8>, bool) {
    let mut plain = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let result = stream.take(limit).read_to_end(&mut plain);
    (plain, result.is_ok())
}
