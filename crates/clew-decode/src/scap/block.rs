//! Blocks of a capture: type, length, content, length again; plain or compressed by gzip.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::bytes::Bytes;

/// Longest block that is kept in memory: a list of descriptors of a thread with 65,536 of them.
/// A longer block is passed over and told.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;
/// Type and length before the content.
const HEADER_BYTES: u32 = 8;
/// Type, length and length again.
const FRAME_BYTES: u32 = 12;

const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const SECTION_MAGIC: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
const GZIP: [u8; 2] = [0x1f, 0x8b];
const START_BYTES: usize = 12;

/// Blocks, one after another.
pub(super) struct Blocks<'a> {
    input: Box<dyn BufRead + 'a>,
    content: Vec<u8>,
    offset: u64,
}

/// What came of reading one block.
#[derive(Debug)]
pub(super) enum Next<'b> {
    /// A block and what it holds.
    Block { kind: u32, content: &'b [u8] },
    /// A block longer than [`BLOCK_BYTES_MAX`], passed over.
    TooLong { length: u32 },
    /// The input ended where a block ends.
    End,
    /// The input cannot be read further.
    Broken(String),
}

impl<'a> Blocks<'a> {
    /// Blocks of bytes that may be compressed.
    pub(super) fn new(input: impl Read + 'a) -> Self {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        let is_gzip = input.fill_buf().is_ok_and(|start| start.starts_with(&GZIP));
        let input: Box<dyn BufRead + 'a> = if is_gzip {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        Self { input, content: Vec::new(), offset: 0 }
    }

    /// Byte of the plain capture at which the next block begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn next(&mut self) -> Next<'_> {
        match self.input.fill_buf() {
            Ok([]) => return Next::End,
            Ok(_) => {}
            Err(error) => return Next::Broken(error.to_string()),
        }
        match self.read() {
            Ok(Ok(kind)) => Next::Block { kind, content: &self.content },
            Ok(Err(length)) => Next::TooLong { length },
            Err(error) => Next::Broken(error.to_string()),
        }
    }

    /// Type of the block whose content now is in the buffer, or the length of one too long.
    fn read(&mut self) -> io::Result<Result<u32, u32>> {
        let mut header = [0; HEADER_BYTES as usize];
        self.input.read_exact(&mut header)?;
        let mut fields = Bytes(&header);
        let (kind, length) = fields.u32().zip(fields.u32()).unwrap_or_default();
        let bad = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let Some(content_length) = length.checked_sub(FRAME_BYTES) else {
            return Err(bad(format!("a block of {length} bytes, least is {FRAME_BYTES}")));
        };
        let start = self.offset;
        self.offset = start.saturating_add(length.into());
        let kept = content_length as usize;
        if BLOCK_BYTES_MAX < kept {
            let rest = u64::from(content_length) + 4;
            let passed = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())?;
            let is_whole = passed == rest;
            return if is_whole { Ok(Err(length)) } else { Err(bad("cut short".to_owned())) };
        }
        self.fill(kept)?;
        let mut trailer = [0; 4];
        self.input.read_exact(&mut trailer)?;
        if u32::from_le_bytes(trailer) != length {
            return Err(bad("the two lengths of a block differ".to_owned()));
        }
        Ok(Ok(kind))
    }

    /// Reads as much as is there, so that a length alone makes nobody allocate.
    fn fill(&mut self, length: usize) -> io::Result<()> {
        self.content.clear();
        if self.content.capacity() < length {
            let read = (&mut self.input).take(length as u64).read_to_end(&mut self.content)?;
            if read < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(());
        }
        self.content.resize(length, 0);
        self.input.read_exact(&mut self.content)
    }
}

/// Whether bytes that begin like `start` are a capture; the first 512 bytes of a compressed one
/// are enough.
#[must_use]
pub fn is_scap(start: &[u8]) -> bool {
    if !start.starts_with(&GZIP) {
        return is_section(start);
    }
    let mut plain = [0; START_BYTES];
    let is_read = MultiGzDecoder::new(start).read_exact(&mut plain).is_ok();
    is_read && is_section(&plain)
}

fn is_section(start: &[u8]) -> bool {
    start.starts_with(&SECTION_HEADER) && start.get(8..12) == Some(&SECTION_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_known_by_its_first_bytes() {
        let start = [0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a];
        assert!(is_scap(&start));
        assert!(!is_scap(&start[..8]));
        assert!(!is_scap(b"{\"type\":1}"));
        assert!(!is_scap(&[0x1f, 0x8b]));
    }

    #[test]
    fn a_block_longer_than_block_bytes_max_is_passed_over() {
        let length = u32::try_from(BLOCK_BYTES_MAX).expect("fits") + 13;
        let mut bytes = vec![0; BLOCK_BYTES_MAX + 13];
        bytes[..4].copy_from_slice(&7u32.to_le_bytes());
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[9, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0]);
        let mut blocks = Blocks::new(&bytes[..]);
        assert!(matches!(blocks.next(), Next::TooLong { length: found } if found == length));
        assert!(matches!(blocks.next(), Next::Block { kind: 9, content: [] }));
        assert!(matches!(blocks.next(), Next::End));
    }
}
