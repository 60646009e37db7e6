//! A tape: a recorded, replayable stream of events in one file.
//!
//! A tape is a header, then blocks, then an index:
//!
//! | part | bytes |
//! |---|---|
//! | header | `CLEWTAPE`, format version, schema version, length and text of the recorder, checksum |
//! | block | marker, [`BlockHeader`] with its own checksum and that of the payload, payload |
//! | index | marker, one entry a block, checksum, where the index begins, `CLEWTEND` |
//!
//! A payload is one zstd frame of events, each a length and its postcard bytes, so that an event
//! this version does not know is skipped without its neighbours. All numbers are little-endian.
//! A block is written in one piece when it holds a second of events, or enough of them: a recorder
//! that is killed leaves everything up to there. Without its index a tape is read just as well,
//! the index only saves the scan before a seek.
//!
//! Reading order: [`mod@format`] (the bytes), [`writer`], [`reader`] over a `window`, `seek`.
//! Invariant: whatever the bytes, reading ends, takes a few blocks of memory, and either gives
//! back exactly what was appended or says what is missing.

pub mod format;
pub mod reader;
mod seek;
mod window;
pub mod writer;

pub use format::{BlockHeader, TapeHeader};
pub use reader::TapeReader;
pub use writer::{TapeError, TapeWriter};

/// True where `start`, the first bytes of a file, say that it is a tape.
#[must_use]
pub fn is_tape(start: &[u8]) -> bool {
    start.starts_with(&format::MAGIC)
}
