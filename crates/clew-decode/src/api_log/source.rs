//! The bytes of a log, unpacked as they are read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Longest window of zstd that is unpacked, as a power of two: 32 MiB, more than any level needs
/// but the ones for archives.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// True where bytes begin as those of a packer that is known.
pub(crate) fn is_packed(start: &[u8]) -> bool {
    start.starts_with(&GZIP) || start.starts_with(&ZSTD)
}

pub(crate) enum Source<R: Read> {
    /// Nothing was read yet; nothing is left once that failed.
    New(Option<R>),
    Plain(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<R>>>),
}

impl<R: Read> fmt::Debug for Source<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R) -> Self {
        Self::New(Some(input))
    }

    /// Adds up to `wanted` bytes to `text`, none only at the end. What was unpacked before a fault
    /// is added beside the error.
    pub(crate) fn read(&mut self, text: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        let is_first = matches!(self, Self::New(_));
        if let Self::New(input) = self {
            let Some(input) = input.take() else { return Ok(()) };
            *self = open(BufReader::with_capacity(64 << 10, input))?;
        }
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        match self {
            Self::New(_) => 0,
            Self::Plain(input) => input.take(limit).read_to_end(text)?,
            Self::Gzip(input) => input.take(limit).read_to_end(text)?,
            Self::Zstd(input) => input.take(limit).read_to_end(text)?,
        };
        if is_first && text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        Ok(())
    }
}

fn open<R: Read>(mut input: BufReader<R>) -> io::Result<Source<R>> {
    let start = input.fill_buf()?;
    if start.starts_with(&GZIP) {
        return Ok(Source::Gzip(Box::new(MultiGzDecoder::new(input))));
    }
    if start.starts_with(&ZSTD) {
        let mut decoder = zstd::Decoder::with_buffer(input)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(Source::Zstd(Box::new(decoder)));
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        let message = "this is UTF-16, and logs are UTF-8: convert it";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Source::Plain(input))
}
