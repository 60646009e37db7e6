//! Writes events onto a tape, block by block.

use std::io::{self, Write};
use std::time::Duration;

use clew_event::{Event, TimestampNs};

use super::format::{
    self, BLOCK_BYTES_MAX, BLOCK_EVENTS_MAX, BlockHeader, EVENT_BYTES_MAX, INDEX_BLOCKS_MAX,
    IndexEntry, TapeHeader,
};

/// A block is closed once it holds so many bytes: large enough to compress well, small enough
/// that damage costs little.
const BLOCK_BYTES: usize = 256 << 10;
/// A block is closed once its events span this, by their own time.
const BLOCK_SPAN: Duration = Duration::from_secs(1);
/// zstd's fast end: a recorder must keep up with the sensor.
const COMPRESSION_LEVEL: i32 = 3;

const _: () = assert!(BLOCK_BYTES + EVENT_BYTES_MAX + 8 <= BLOCK_BYTES_MAX);

/// Why a tape could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapeError {
    /// The file could not be written.
    #[error("cannot write the tape; what was written before can be replayed")]
    Io(#[from] io::Error),
    /// An event is longer than a tape takes; it was not written, the tape goes on.
    #[error("an event of {bytes} bytes is longer than the {EVENT_BYTES_MAX} a tape takes")]
    EventTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// An event could not be put into bytes; it was not written, the tape goes on.
    #[error("an event could not be put into bytes")]
    Encoding(#[from] postcard::Error),
}

/// Writes one tape. Dropped without [`TapeWriter::finish`] it loses what the last flush left.
#[derive(Debug)]
pub struct TapeWriter<W: Write> {
    tape: W,
    offset: u64,
    events: u64,
    /// At most [`INDEX_BLOCKS_MAX`] entries.
    index: Vec<IndexEntry>,
    /// The events of the block being filled, each a length and its bytes.
    pending: Vec<u8>,
    /// Header of that block; its counts and times are kept up, the rest is filled at the end.
    block: BlockHeader,
}

impl<W: Write> TapeWriter<W> {
    /// Begins a tape on `tape` and writes its header.
    ///
    /// # Errors
    /// Where `tape` cannot be written.
    pub fn create(mut tape: W, header: &TapeHeader) -> Result<Self, TapeError> {
        let bytes = header.to_bytes();
        tape.write_all(&bytes)?;
        tape.flush()?;
        Ok(Self {
            tape,
            offset: length(&bytes),
            events: 0,
            index: Vec::new(),
            pending: Vec::new(),
            block: BlockHeader::default(),
        })
    }

    /// Adds `event`. It reaches the file with its block: at the latest once a later event is a
    /// second younger, or by [`TapeWriter::flush`].
    ///
    /// # Errors
    /// Where the file cannot be written, or where this event cannot be taped.
    pub fn append(&mut self, event: &Event) -> Result<(), TapeError> {
        let bytes = postcard::to_stdvec(event)?;
        if EVENT_BYTES_MAX < bytes.len() {
            return Err(TapeError::EventTooLarge { bytes: bytes.len() });
        }
        if self.is_block_full(event.time) {
            self.flush()?;
        }
        if self.block.events == 0 {
            (self.block.first, self.block.last) = (event.time, event.time);
        }
        self.block.first = self.block.first.min(event.time);
        self.block.last = self.block.last.max(event.time);
        self.block.events += 1;
        self.events += 1;
        self.pending.extend(postcard::to_stdvec(&bytes.len())?);
        self.pending.extend(bytes);
        Ok(())
    }

    /// Events appended so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.offset
    }

    /// Closes the block that is being filled and hands it to the operating system, so that it
    /// survives a kill of this program. To be called once a second where events are rare.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn flush(&mut self) -> Result<(), TapeError> {
        if self.block.events == 0 {
            return Ok(());
        }
        let payload = zstd::bulk::compress(&self.pending, COMPRESSION_LEVEL)?;
        let header = BlockHeader {
            compressed_bytes: u32::try_from(payload.len()).map_err(io::Error::other)?,
            uncompressed_bytes: u32::try_from(self.pending.len()).map_err(io::Error::other)?,
            payload_checksum: format::checksum(&payload),
            ..self.block
        };
        let mut bytes = header.to_bytes();
        bytes.extend(payload);
        self.tape.write_all(&bytes)?;
        self.tape.flush()?;
        let BlockHeader { number, first, last, events, .. } = header;
        if self.index.len() < INDEX_BLOCKS_MAX {
            self.index.push(IndexEntry { offset: self.offset, first, last, events });
        }
        self.offset += length(&bytes);
        self.pending.clear();
        self.block = BlockHeader { number: number.wrapping_add(1), ..BlockHeader::default() };
        Ok(())
    }

    /// Writes what is left and the index, and gives the file back.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(mut self) -> Result<W, TapeError> {
        self.flush()?;
        self.tape.write_all(&format::index_to_bytes(&self.index, self.offset))?;
        self.tape.flush()?;
        Ok(self.tape)
    }

    fn is_block_full(&self, next: TimestampNs) -> bool {
        self.block.events != 0
            && (BLOCK_EVENTS_MAX <= self.block.events
                || BLOCK_BYTES <= self.pending.len()
                || BLOCK_SPAN <= next.since(self.block.first))
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::TapeReader;
    use super::*;
    use crate::samples::file_event;

    fn blocks_of(times_ms: &[u64]) -> Vec<u32> {
        let mut writer = TapeWriter::create(Vec::new(), &TapeHeader::of_recorder("test"))
            .expect("memory takes everything");
        for (number, time_ms) in times_ms.iter().enumerate() {
            let event = file_event(number, time_ms * 1_000_000, "/etc/passwd");
            writer.append(&event).expect("a small event");
        }
        writer.flush().expect("memory takes everything");
        writer.index.iter().map(|entry| entry.events).collect()
    }

    #[test]
    fn a_block_holds_at_most_a_second() {
        assert_eq!(blocks_of(&[0, 400, 999, 1000, 1500, 2600]), [3, 2, 1]);
        assert_eq!(blocks_of(&[5000, 4999, 5998]), [3], "an earlier event does not split");
    }

    #[test]
    fn a_block_holds_at_most_block_events_max() {
        let blocks = blocks_of(&vec![0; usize::try_from(BLOCK_EVENTS_MAX).expect("fits") + 1]);
        assert!(blocks.iter().all(|events| *events <= BLOCK_EVENTS_MAX), "{blocks:?}");
        assert!(1 < blocks.len());
    }

    #[test]
    fn an_event_above_event_bytes_max_is_refused_and_the_tape_goes_on() {
        let mut writer = TapeWriter::create(Vec::new(), &TapeHeader::of_recorder("test"))
            .expect("memory takes everything");
        let large = file_event(0, 0, &"x".repeat(EVENT_BYTES_MAX));
        assert!(matches!(writer.append(&large), Err(TapeError::EventTooLarge { .. })));
        writer.append(&file_event(1, 0, "/small")).expect("a small event");
        assert_eq!(writer.events(), 1);
        let tape = writer.finish().expect("memory takes everything");
        let reader = TapeReader::open("t", tape.as_slice()).expect("a tape");
        assert_eq!(reader.filter(Result::is_ok).count(), 1);
    }

    #[test]
    fn a_full_disk_is_an_error_with_its_cause() {
        let mut room = [0_u8; 40];
        let mut writer = TapeWriter::create(&mut room[..], &TapeHeader::of_recorder("test"))
            .expect("room for the header");
        writer.append(&file_event(0, 0, "/x")).expect("kept in memory");
        assert!(matches!(writer.flush(), Err(TapeError::Io(_))));
    }
}
