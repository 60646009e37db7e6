//! Moves a reader to a moment, by the index, or by a walk over the block headers without it.

use std::io::{self, Read, Seek, SeekFrom};

use clew_event::TimestampNs;

use super::format::{
    self, BLOCK_HEADER_BYTES, BLOCK_MARKER, BlockHeader, END, INDEX_BLOCKS_MAX, INDEX_MARKER,
    IndexEntry, TRAILER_BYTES,
};
use super::reader::TapeReader;

impl<R: Read + Seek> TapeReader<R> {
    /// Moves to `time`: the next events are those at or after it, in the order of the tape.
    ///
    /// Blocks are in order of time up to what lay in the sensor's rings, so reading starts with
    /// the first block that reaches `time`.
    ///
    /// # Errors
    /// Where the tape cannot be read or sought.
    pub fn seek(&mut self, time: TimestampNs) -> io::Result<()> {
        let index = match self.index.take() {
            Some(index) => index,
            None => self.find_index()?,
        };
        let after = index.iter().find(|entry| time <= entry.last).or(index.last());
        let offset = after.map_or(self.blocks_offset, |entry| entry.offset);
        self.index = Some(index);
        self.move_to(offset)?;
        self.leave_block();
        self.not_before = time;
        Ok(())
    }

    /// First and last moment of the tape; `None` where it holds no intact block.
    ///
    /// Reading starts anew afterwards.
    ///
    /// # Errors
    /// Where the tape cannot be read or sought.
    pub fn span(&mut self) -> io::Result<Option<(TimestampNs, TimestampNs)>> {
        self.seek(TimestampNs::default())?;
        let index = self.index.as_deref().unwrap_or_default();
        let first = index.iter().map(|entry| entry.first).min();
        Ok(first.zip(index.iter().map(|entry| entry.last).max()))
    }

    fn move_to(&mut self, offset: u64) -> io::Result<()> {
        self.window.input_mut().seek(SeekFrom::Start(offset))?;
        self.window.restart(offset);
        Ok(())
    }

    fn find_index(&mut self) -> io::Result<Vec<IndexEntry>> {
        match self.read_index_at_end()? {
            Some(index) => Ok(index),
            None => self.walk(),
        }
    }

    fn read_index_at_end(&mut self) -> io::Result<Option<Vec<IndexEntry>>> {
        let length = self.window.input_mut().seek(SeekFrom::End(0))?;
        let trailer_bytes = u64::try_from(TRAILER_BYTES).unwrap_or(u64::MAX);
        let Some(trailer_at) = length.checked_sub(trailer_bytes) else { return Ok(None) };
        self.move_to(trailer_at)?;
        let trailer = self.window.peek(TRAILER_BYTES)?;
        let Some(mut place) = trailer.strip_suffix(&END).map(format::Fields) else {
            return Ok(None);
        };
        let Some(offset) = place.u64().filter(|offset| *offset < trailer_at) else {
            return Ok(None);
        };
        self.move_to(offset)?;
        let start = self.window.peek(INDEX_MARKER.len() + 4)?;
        let Some(length) = format::index_bytes(start) else { return Ok(None) };
        Ok(format::index_from_bytes(self.window.peek(length)?, offset))
    }

    /// The index as the block headers give it. Payloads are passed over unread.
    fn walk(&mut self) -> io::Result<Vec<IndexEntry>> {
        let mut index = Vec::new();
        self.move_to(self.blocks_offset)?;
        while index.len() < INDEX_BLOCKS_MAX {
            self.window.skip_to(&[BLOCK_MARKER])?;
            let offset = self.window.offset();
            let start = self.window.peek(BLOCK_HEADER_BYTES)?;
            if start.is_empty() {
                break;
            }
            let Some(header) = BlockHeader::from_bytes(start) else {
                self.window.consume(1);
                continue;
            };
            let BlockHeader { first, last, events, .. } = header;
            index.push(IndexEntry { offset, first, last, events });
            let block_bytes = u64::try_from(header.block_bytes()).unwrap_or(u64::MAX);
            self.move_to(offset.saturating_add(block_bytes))?;
        }
        Ok(index)
    }
}
