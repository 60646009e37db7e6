//! Reads a tape: events, and complaints where something is missing.
//!
//! Nothing is believed before its checksum fits. After damage the reader looks for the next block
//! with an intact header and goes on there; what lay between is named in one complaint. Memory is
//! bounded by one block and one index, whatever the file claims.

use std::collections::VecDeque;
use std::io::{self, Read};

use clew_event::{Complaint, Event, SCHEMA_VERSION, TimestampNs};

use super::format::{
    self, BLOCK_HEADER_BYTES, BLOCK_MARKER, BlockHeader, CHECKSUM_BYTES, END, FORMAT_VERSION,
    Fields, INDEX_MARKER, IndexEntry, MAGIC, RECORDER_BYTES_MAX, TAPE_HEADER_FIXED_BYTES,
    TapeHeader,
};
use super::window::Window;

/// How often the reader looks for an intact block inside one whose payload is damaged. After
/// that it steps over the whole block: else a file made of headers would be hashed over and over.
pub const RESCANS_MAX: u32 = 64;

/// Events of one tape in the order in which they were appended, `Err` where some are missing.
/// Reading goes on after an `Err`.
#[derive(Debug)]
pub struct TapeReader<R> {
    file: String,
    header: TapeHeader,
    pub(super) window: Window<R>,
    /// Where the first block begins.
    pub(super) blocks_offset: u64,
    pub(super) index: Option<Vec<IndexEntry>>,
    block: Block,
    /// Number of the last block that was read.
    last_number: Option<u32>,
    /// True where the next block need not follow the last one: after damage or a seek.
    pub(super) is_hole_expected: bool,
    rescans: u32,
    complaints: VecDeque<Complaint>,
    pub(super) is_done: bool,
    /// Set by a seek: earlier events are passed over.
    pub(super) not_before: TimestampNs,
}

/// The block that is being read.
#[derive(Debug, Default)]
struct Block {
    offset: u64,
    header: BlockHeader,
    payload: Vec<u8>,
    position: usize,
    events_seen: u32,
}

impl<R: Read> TapeReader<R> {
    /// Opens the tape that `input` holds; complaints will call it `file`.
    ///
    /// # Errors
    /// `tape-unreadable` where `input` cannot be read, `tape-corrupt` where it is no tape,
    /// `tape-truncated` where it ends inside the header, `tape-version` where another version
    /// wrote it. The damage of a header that still tells its length is a complaint in the stream.
    pub fn open(file: &str, input: R) -> Result<Self, Complaint> {
        let mut reader = Self {
            file: file.to_owned(),
            header: TapeHeader::of_recorder(""),
            window: Window::at(input, 0),
            blocks_offset: 0,
            index: None,
            block: Block::default(),
            last_number: None,
            is_hole_expected: false,
            rescans: 0,
            complaints: VecDeque::new(),
            is_done: false,
            not_before: TimestampNs::default(),
        };
        match reader.read_header() {
            Ok(Ok(())) => Ok(reader),
            Ok(Err(complaint)) => Err(complaint),
            Err(error) => Err(reader.unreadable(&error)),
        }
    }

    /// What the tape says of itself.
    pub const fn header(&self) -> &TapeHeader {
        &self.header
    }

    fn read_header(&mut self) -> io::Result<Result<(), Complaint>> {
        let fixed = self.window.peek(TAPE_HEADER_FIXED_BYTES)?.to_vec();
        let Some(rest) = fixed.strip_prefix(&MAGIC) else {
            let is_start = MAGIC.starts_with(&fixed);
            let code = if is_start { "tape-truncated" } else { "tape-corrupt" };
            let message = "this is no tape: it does not begin with `CLEWTAPE`";
            return Ok(Err(self.complaint("byte 0", code, message)));
        };
        let mut fields = Fields(rest);
        let (Some(format_version), Some(schema_version), Some(length)) =
            (fields.u16(), fields.u16(), fields.u16())
        else {
            return Ok(Err(self.truncated_header()));
        };
        let length = usize::from(length).min(RECORDER_BYTES_MAX);
        let body_bytes = TAPE_HEADER_FIXED_BYTES + length;
        let bytes = self.window.peek(body_bytes + CHECKSUM_BYTES)?.to_vec();
        let (Some(body), Some(mut sum)) =
            (bytes.get(..body_bytes), bytes.get(body_bytes..).map(Fields))
        else {
            return Ok(Err(self.truncated_header()));
        };
        let Some(sum) = sum.u64() else { return Ok(Err(self.truncated_header())) };
        if sum != format::checksum(body) {
            let message = "the tape's header is damaged; its blocks are read all the same";
            let complaint = self.complaint("header, byte 0", "tape-corrupt", message);
            self.complaints.push_back(complaint);
            self.window.consume(MAGIC.len());
            self.window.skip_to(&[BLOCK_MARKER, INDEX_MARKER])?;
            self.blocks_offset = self.window.offset();
            return Ok(Ok(()));
        }
        let recorder = body.get(TAPE_HEADER_FIXED_BYTES..).unwrap_or_default();
        let recorder = String::from_utf8_lossy(recorder).into_owned();
        self.header = TapeHeader { format_version, schema_version, recorder };
        if format_version != FORMAT_VERSION || schema_version != SCHEMA_VERSION {
            return Ok(Err(self.other_version()));
        }
        self.window.consume(body_bytes + CHECKSUM_BYTES);
        self.blocks_offset = self.window.offset();
        Ok(Ok(()))
    }

    fn truncated_header(&self) -> Complaint {
        self.complaint("header", "tape-truncated", "the tape ends inside its header")
    }

    fn other_version(&self) -> Complaint {
        let TapeHeader { format_version, schema_version, recorder } = &self.header;
        let message = format!(
            "the tape has format {format_version} and events of version {schema_version}, this \
             program reads format {FORMAT_VERSION} and version {SCHEMA_VERSION}: replay it with \
             what recorded it, `{}`",
            clew_event::text::escaped(recorder.as_bytes())
        );
        self.complaint("header", "tape-version", &message)
    }

    /// Reads the next block or the index, or steps over damage.
    fn advance(&mut self) -> io::Result<()> {
        let start = self.window.peek(BLOCK_HEADER_BYTES)?;
        if start.is_empty() {
            self.is_done = true;
            let message = "the tape ends without its index: its recorder was killed, or the end \
                           is missing; everything before was read";
            self.complain("tape-truncated", message);
            return Ok(());
        }
        if start.starts_with(&INDEX_MARKER) {
            return self.read_index();
        }
        let is_cut = start.len() < BLOCK_HEADER_BYTES;
        match BlockHeader::from_bytes(start) {
            Some(header) => self.read_block(header),
            None => self.step_over(None, is_cut),
        }
    }

    fn read_block(&mut self, header: BlockHeader) -> io::Result<()> {
        let bytes = self.window.peek(header.block_bytes())?;
        let is_cut = bytes.len() < header.block_bytes();
        let packed = bytes.get(BLOCK_HEADER_BYTES..).unwrap_or_default();
        if is_cut || format::checksum(packed) != header.payload_checksum {
            return self.step_over(Some(header), is_cut);
        }
        let size = format::size(header.uncompressed_bytes);
        let Some(payload) = zstd::bulk::decompress(packed, size).ok().filter(|p| p.len() == size)
        else {
            return self.step_over(Some(header), false);
        };
        let offset = self.window.offset();
        let number = header.number;
        let is_repeated = self.last_number.is_some_and(|last| number <= last);
        if is_repeated && !self.is_hole_expected {
            self.complain("tape-corrupt", "this block stands on the tape twice; it was left out");
            self.window.consume(header.block_bytes());
            return Ok(());
        }
        let next = self.last_number.map_or(0, |last| last.wrapping_add(1));
        if next < number && !self.is_hole_expected {
            let message = format!("{} blocks are missing before this one", number - next);
            self.complain("tape-corrupt", &message);
        }
        self.window.consume(header.block_bytes());
        (self.last_number, self.is_hole_expected) = (Some(number), false);
        self.block = Block { offset, header, payload, position: 0, events_seen: 0 };
        Ok(())
    }

    fn read_index(&mut self) -> io::Result<()> {
        let offset = self.window.offset();
        let start = self.window.peek(INDEX_MARKER.len() + 4)?;
        let is_cut = start.len() < INDEX_MARKER.len() + 4;
        let Some(length) = format::index_bytes(start) else {
            return self.step_over(None, is_cut);
        };
        let bytes = self.window.peek(length)?;
        // A file that still has its last bytes was not cut: its count is wrong.
        let is_cut = bytes.len() < length && !bytes.ends_with(&END);
        let Some(entries) = format::index_from_bytes(bytes, offset) else {
            return self.step_over(None, is_cut);
        };
        self.window.consume(length);
        self.is_done = true;
        if !self.window.peek(1)?.is_empty() {
            self.complain("tape-corrupt", "bytes follow the end of the tape; they were left out");
        }
        let blocks_read = self.last_number.map_or(0, |last| u64::from(last) + 1);
        let blocks_listed = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if blocks_read < blocks_listed && !self.is_hole_expected {
            let message = format!("{} blocks are missing at the end", blocks_listed - blocks_read);
            self.complain("tape-corrupt", &message);
        }
        self.index = Some(entries);
        Ok(())
    }

    /// Moves to the next intact header, or to the end, and says what was left out. `header` is
    /// that of the damaged block where it is intact; `is_cut` says that the input ended in it.
    fn step_over(&mut self, header: Option<BlockHeader>, is_cut: bool) -> io::Result<()> {
        let (start, place) = (self.window.offset(), self.place());
        self.window.consume(match header {
            Some(header) if RESCANS_MAX <= self.rescans => header.block_bytes(),
            _ => 1,
        });
        self.rescans = self.rescans.saturating_add(1);
        let is_at_end = self.find_intact()?;
        let lost_bytes = self.window.offset() - start;
        let events = header.map_or_else(String::new, |header| {
            format!(" with {} events from {} to {}", header.events, header.first, header.last)
        });
        let (code, what) = match (is_at_end, is_cut) {
            (true, true) => ("tape-truncated", "the tape ends inside this part"),
            (true, false) => ("tape-corrupt", "this part is damaged, and nothing intact follows"),
            (false, _) => ("tape-corrupt", "this part is damaged; reading goes on after it"),
        };
        let message = format!("{what}: {lost_bytes} bytes{events} were left out");
        let complaint = self.complaint(&place, code, &message);
        self.complaints.push_back(complaint);
        self.is_hole_expected = true;
        self.is_done = is_at_end;
        Ok(())
    }

    /// Moves to the next intact header of a block or the next intact index; true at the end.
    fn find_intact(&mut self) -> io::Result<bool> {
        loop {
            self.window.skip_to(&[BLOCK_MARKER, INDEX_MARKER])?;
            let offset = self.window.offset();
            let start = self.window.peek(BLOCK_HEADER_BYTES)?;
            if start.is_empty() {
                return Ok(true);
            }
            if BlockHeader::from_bytes(start).is_some() {
                return Ok(false);
            }
            if let Some(length) = format::index_bytes(start) {
                let bytes = self.window.peek(length)?;
                if format::index_from_bytes(bytes, offset).is_some() {
                    return Ok(false);
                }
            }
            self.window.consume(1);
        }
    }

    /// The next event of the present block; `None` where it holds no more.
    fn next_in_block(&mut self) -> Option<Result<Event, Complaint>> {
        let Block { header, payload, position, events_seen, .. } = &mut self.block;
        let rest = payload.get(*position..).filter(|rest| !rest.is_empty())?;
        let split = postcard::take_from_bytes::<usize>(rest)
            .ok()
            .and_then(|(length, bytes)| bytes.split_at_checked(length));
        let Some((bytes, after)) = split else {
            let left = header.events.saturating_sub(*events_seen);
            *position = payload.len();
            let message = format!("the last {left} events of this block cannot be told apart");
            return Some(Err(self.event_complaint(&message)));
        };
        *position = payload.len() - after.len();
        *events_seen = events_seen.saturating_add(1);
        Some(postcard::from_bytes(bytes).map_err(|_| {
            let message = format!(
                "event {} of this block has a form that this program does not know; it was left \
                 out",
                self.block.events_seen
            );
            self.event_complaint(&message)
        }))
    }

    fn event_complaint(&self, message: &str) -> Complaint {
        let place = format!("block {}, byte {}", self.block.header.number, self.block.offset);
        self.complaint(&place, "tape-corrupt", message)
    }

    /// Where the reader stands, in words.
    fn place(&self) -> String {
        let next = self.last_number.map_or(0, |last| u64::from(last) + 1);
        format!("block {next}, byte {}", self.window.offset())
    }

    /// Queues a complaint about the place where the reader stands.
    fn complain(&mut self, code: &str, message: &str) {
        let complaint = self.complaint(&self.place(), code, message);
        self.complaints.push_back(complaint);
    }

    fn complaint(&self, place: &str, code: &str, message: &str) -> Complaint {
        Complaint {
            file: self.file.clone(),
            r#where: place.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Complaint {
        let message = format!("the tape cannot be read on: {error}");
        self.complaint(&format!("byte {}", self.window.offset()), "tape-unreadable", &message)
    }
}

impl<R> TapeReader<R> {
    /// Forgets the block that is being read, so that reading goes on from where the window is.
    pub(super) fn leave_block(&mut self) {
        self.block = Block::default();
        (self.last_number, self.is_hole_expected, self.is_done) = (None, true, false);
    }
}

impl<R: Read> Iterator for TapeReader<R> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(complaint) = self.complaints.pop_front() {
                return Some(Err(complaint));
            }
            match self.next_in_block() {
                Some(Ok(event)) if event.time < self.not_before => {}
                Some(next) => return Some(next),
                None if self.is_done => return None,
                None => {
                    if let Err(error) = self.advance() {
                        self.is_done = true;
                        return Some(Err(self.unreadable(&error)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TapeWriter;
    use super::super::format::BLOCK_BYTES_MAX;
    use super::*;

    #[test]
    fn a_payload_that_unpacks_to_more_than_block_bytes_max_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; BLOCK_BYTES_MAX * 8], 3).expect("memory");
        assert!(bomb.len() < BLOCK_BYTES_MAX / 100, "it is a bomb");
        for claimed in [1, BLOCK_BYTES_MAX, BLOCK_BYTES_MAX * 8] {
            let header = BlockHeader {
                compressed_bytes: u32::try_from(bomb.len()).expect("fits"),
                uncompressed_bytes: u32::try_from(claimed).expect("fits"),
                payload_checksum: format::checksum(&bomb),
                ..BlockHeader::default()
            };
            let tape = TapeWriter::create(Vec::new(), &TapeHeader::of_recorder("test"))
                .and_then(TapeWriter::finish)
                .expect("memory");
            let start = tape.len() - INDEX_MARKER.len() - 4 - CHECKSUM_BYTES - 16;
            let hostile = [&tape[..start], &header.to_bytes(), &bomb].concat();
            let reader = TapeReader::open("t", hostile.as_slice()).expect("a header");
            let got: Vec<_> = reader.collect();
            let codes: Vec<_> =
                got.iter().map(|item| item.as_ref().map_err(|c| &*c.code)).collect();
            assert_eq!(codes, [Err("tape-corrupt")], "claims {claimed}");
        }
    }
}
