//! The bytes of a tape: header, block header, index.
//!
//! Checksums are the first eight bytes of BLAKE3: they find damage, they prove no origin. A block
//! header has one of its own, so that a damaged length is told from a file that ends too early,
//! and no length is believed before it is checked.

use clew_event::TimestampNs;

/// First bytes of a tape.
pub const MAGIC: [u8; 8] = *b"CLEWTAPE";
/// Version of this layout. Another one is not read.
pub const FORMAT_VERSION: u16 = 1;
/// Begins every block; not valid UTF-8, so that no text in an event looks like it.
pub(super) const BLOCK_MARKER: [u8; 8] = *b"\xc1\xe3BLOCK\x9b";
/// Begins the index.
pub(super) const INDEX_MARKER: [u8; 8] = *b"\xc1\xe3INDEX\x9b";
/// Last bytes of a tape that was ended properly.
pub(super) const END: [u8; 8] = *b"CLEWTEND";

/// Longest name of a recorder.
pub const RECORDER_BYTES_MAX: usize = 256;
/// Most bytes of events in one block, before compression.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Most events in one block.
pub const BLOCK_EVENTS_MAX: u32 = 1 << 16;
/// Most bytes of one event.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Most blocks that one index lists: 12 days of one block a second. A longer tape is read as well,
/// a seek beyond goes on from the last one listed.
pub const INDEX_BLOCKS_MAX: usize = 1 << 20;

pub(super) const TAPE_HEADER_FIXED_BYTES: usize = 8 + 2 + 2 + 2;
pub(super) const CHECKSUM_BYTES: usize = 8;
pub(super) const BLOCK_HEADER_BYTES: usize = 8 + 4 * 4 + 3 * 8 + CHECKSUM_BYTES;
pub(super) const INDEX_ENTRY_BYTES: usize = 3 * 8 + 4;
/// The place of the index and [`END`].
pub(super) const TRAILER_BYTES: usize = 8 + 8;

const _: () = assert!(EVENT_BYTES_MAX < BLOCK_BYTES_MAX);

/// What a tape says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapeHeader {
    /// Version of the layout, [`FORMAT_VERSION`].
    pub format_version: u16,
    /// Version of the events in it, [`clew_event::SCHEMA_VERSION`].
    pub schema_version: u16,
    /// What recorded it, such as `clew 0.1.0`; cut at [`RECORDER_BYTES_MAX`].
    pub recorder: String,
}

impl TapeHeader {
    /// The header of a tape that `recorder` writes now.
    #[must_use]
    pub fn of_recorder(recorder: &str) -> Self {
        let cut = recorder.floor_char_boundary(RECORDER_BYTES_MAX);
        Self {
            format_version: FORMAT_VERSION,
            schema_version: clew_event::SCHEMA_VERSION,
            recorder: recorder.get(..cut).unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.recorder.len()).unwrap_or(0);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.format_version.to_le_bytes());
        bytes.extend(self.schema_version.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.recorder.bytes().take(usize::from(length)));
        let sum = checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }
}

/// What stands before the events of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockHeader {
    /// Its number on the tape, from 0; a hole tells that blocks were lost.
    pub number: u32,
    /// Length of the payload.
    pub compressed_bytes: u32,
    /// Length of the events, decompressed; at most [`BLOCK_BYTES_MAX`].
    pub uncompressed_bytes: u32,
    /// How many events.
    pub events: u32,
    /// Earliest event.
    pub first: TimestampNs,
    /// Latest event.
    pub last: TimestampNs,
    /// Checksum of the payload.
    pub(super) payload_checksum: u64,
}

impl BlockHeader {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = BLOCK_MARKER.to_vec();
        for number in [self.number, self.compressed_bytes, self.uncompressed_bytes, self.events] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.first.unix_ns(), self.last.unix_ns(), self.payload_checksum] {
            bytes.extend(number.to_le_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        debug_assert_eq!(bytes.len(), BLOCK_HEADER_BYTES);
        bytes
    }

    /// The header at the start of `bytes`; `None` where there is no intact one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..BLOCK_HEADER_BYTES)?;
        let (body, sum) = bytes.split_at_checked(BLOCK_HEADER_BYTES - CHECKSUM_BYTES)?;
        let mut fields = Fields(sum);
        if checksum(body) != fields.u64()? {
            return None;
        }
        fields = Fields(body.strip_prefix(&BLOCK_MARKER)?);
        let header = Self {
            number: fields.u32()?,
            compressed_bytes: fields.u32()?,
            uncompressed_bytes: fields.u32()?,
            events: fields.u32()?,
            first: TimestampNs::from_unix_ns(fields.u64()?),
            last: TimestampNs::from_unix_ns(fields.u64()?),
            payload_checksum: fields.u64()?,
        };
        header.is_within_bounds().then_some(header)
    }

    fn is_within_bounds(self) -> bool {
        let bound = zstd::zstd_safe::compress_bound(BLOCK_BYTES_MAX);
        self.events <= BLOCK_EVENTS_MAX
            && size(self.uncompressed_bytes) <= BLOCK_BYTES_MAX
            && size(self.compressed_bytes) <= bound
    }

    /// Length of the block with this header.
    pub(super) fn block_bytes(self) -> usize {
        BLOCK_HEADER_BYTES + size(self.compressed_bytes)
    }
}

/// One line of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Where the block begins, from the start of the tape.
    pub(super) offset: u64,
    pub(super) first: TimestampNs,
    pub(super) last: TimestampNs,
    pub(super) events: u32,
}

/// The index with its trailer, as it stands at `offset` of the tape.
pub(super) fn index_to_bytes(entries: &[IndexEntry], offset: u64) -> Vec<u8> {
    let listed = entries.get(..entries.len().min(INDEX_BLOCKS_MAX)).unwrap_or_default();
    let count = u32::try_from(listed.len()).unwrap_or(0);
    let mut bytes = INDEX_MARKER.to_vec();
    bytes.extend(count.to_le_bytes());
    for entry in listed {
        bytes.extend(entry.offset.to_le_bytes());
        bytes.extend(entry.first.unix_ns().to_le_bytes());
        bytes.extend(entry.last.unix_ns().to_le_bytes());
        bytes.extend(entry.events.to_le_bytes());
    }
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(END);
    bytes
}

/// The entries of an index that stands at `offset` and is all of `bytes`; `None` where any byte
/// of it is wrong.
pub(super) fn index_from_bytes(bytes: &[u8], offset: u64) -> Option<Vec<IndexEntry>> {
    let body = bytes.get(..bytes.len().checked_sub(CHECKSUM_BYTES + TRAILER_BYTES)?)?;
    let mut fields = Fields(bytes.get(body.len()..)?);
    let (sum, place) = (fields.u64()?, fields.u64()?);
    if sum != checksum(body) || place != offset || fields.0 != END {
        return None;
    }
    fields = Fields(body.strip_prefix(&INDEX_MARKER)?);
    let count = size(fields.u32()?);
    let mut entries = Vec::with_capacity(fields.0.len() / INDEX_ENTRY_BYTES);
    while !fields.0.is_empty() {
        entries.push(IndexEntry {
            offset: fields.u64()?,
            first: TimestampNs::from_unix_ns(fields.u64()?),
            last: TimestampNs::from_unix_ns(fields.u64()?),
            events: fields.u32()?,
        });
    }
    (entries.len() == count).then_some(entries)
}

/// How long the index is that starts with `start` (its marker and count).
pub(super) fn index_bytes(start: &[u8]) -> Option<usize> {
    let count = size(Fields(start.strip_prefix(&INDEX_MARKER)?).u32()?);
    (count <= INDEX_BLOCKS_MAX).then_some(
        INDEX_MARKER.len() + 4 + count * INDEX_ENTRY_BYTES + CHECKSUM_BYTES + TRAILER_BYTES,
    )
}

/// First eight bytes of BLAKE3.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().map_or(0, |start| u64::from_le_bytes(*start))
}

/// A length of at most 32 bits as the machine counts.
pub(super) fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Takes numbers off the front of bytes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader { number: 7, compressed_bytes: 9, events: 2, ..BlockHeader::default() }
    }

    #[test]
    fn a_block_header_survives_its_bytes() {
        assert_eq!(BlockHeader::from_bytes(&header().to_bytes()), Some(header()));
    }

    #[test]
    fn a_block_header_with_one_wrong_bit_is_none() {
        let bytes = header().to_bytes();
        for place in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[place] ^= 1;
            assert_eq!(BlockHeader::from_bytes(&wrong), None, "byte {place}");
        }
    }

    #[test]
    fn a_length_above_its_bound_is_refused_even_with_a_right_checksum() {
        let check = |header: BlockHeader, is_good: bool| {
            assert_eq!(BlockHeader::from_bytes(&header.to_bytes()).is_some(), is_good);
        };
        let bytes_max = u32::try_from(BLOCK_BYTES_MAX).expect("fits");
        check(BlockHeader { uncompressed_bytes: bytes_max, ..header() }, true);
        check(BlockHeader { uncompressed_bytes: bytes_max + 1, ..header() }, false);
        check(BlockHeader { compressed_bytes: bytes_max * 2, ..header() }, false);
        check(BlockHeader { events: BLOCK_EVENTS_MAX, ..header() }, true);
        check(BlockHeader { events: BLOCK_EVENTS_MAX + 1, ..header() }, false);
    }

    #[test]
    fn an_index_longer_than_index_blocks_max_is_refused_before_it_is_read() {
        let start = |count: usize| {
            let count = u32::try_from(count).expect("fits");
            [&INDEX_MARKER[..], &count.to_le_bytes()].concat()
        };
        assert!(index_bytes(&start(INDEX_BLOCKS_MAX)).is_some());
        assert_eq!(index_bytes(&start(INDEX_BLOCKS_MAX + 1)), None);
    }

    #[test]
    fn a_recorder_is_cut_at_recorder_bytes_max_between_characters() {
        let header = TapeHeader::of_recorder(&"\u{e9}".repeat(RECORDER_BYTES_MAX));
        assert_eq!(header.recorder.len(), RECORDER_BYTES_MAX);
        let odd = TapeHeader::of_recorder(&format!("x{}", "\u{e9}".repeat(RECORDER_BYTES_MAX)));
        assert_eq!(odd.recorder.len(), RECORDER_BYTES_MAX - 1);
    }
}
