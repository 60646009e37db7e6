//! Keeps the beginning of a content and undoes its coding.

use std::io::Read;

use clew_event::http::HttpFlags;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Most of a request's content that is kept, coded and again decoded.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 << 10;
/// Most of a response's content that is kept, coded and again decoded.
pub const RESPONSE_BODY_BYTES_MAX: usize = 64 << 10;

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
}

impl Body {
    /// Nothing yet, of a content coded so.
    pub(super) fn new(coding: Coding) -> Self {
        Self { coding, ..Self::default() }
    }

    /// Takes a piece; keeps up to `bytes_max` in all.
    pub(super) fn push(&mut self, piece: &[u8], bytes_max: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
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
        if kept.is_empty() || self.coding == Coding::Plain {
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
