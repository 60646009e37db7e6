//! Puts the pieces of one direction into their order.
//!
//! The sensor sorts by time, and calls on two processors may still change places. What comes early
//! waits for what is missing, for a moment and within bounds; then the missing is a gap.

use std::collections::VecDeque;

use super::exchange::Moment;
use super::reader::Reader;

/// Most pieces of one direction that wait for an earlier one.
pub const REORDER_PIECES_MAX: usize = 32;
/// Most bytes of them.
pub const REORDER_BYTES_MAX: usize = 256 << 10;
/// How long they wait: 20 ms.
pub const REORDER_NS_MAX: u64 = 20_000_000;

/// A piece, or what is left of it.
#[derive(Clone, Debug)]
pub(super) struct Waiting<B> {
    pub(super) position: u64,
    pub(super) moved: u64,
    pub(super) bytes: B,
    pub(super) moment: Moment,
    /// No earlier byte of the piece was read already.
    pub(super) is_begin: bool,
}

impl<B: AsRef<[u8]>> Waiting<B> {
    fn end(&self) -> u64 {
        self.position.saturating_add(self.moved)
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Direction {
    /// Where the next byte belongs.
    pub(super) next: u64,
    pub(super) waiting: VecDeque<Waiting<Vec<u8>>>,
    waiting_bytes: usize,
    pub(super) reader: Reader,
}

impl Direction {
    pub(super) const fn new() -> Self {
        Self { next: 0, waiting: VecDeque::new(), waiting_bytes: 0, reader: Reader::new() }
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.reader.buffered()
            + self.waiting_bytes
            + self.waiting.len() * size_of::<Waiting<Vec<u8>>>()
    }

    /// True where something waits that is older than the time it may, or there is too much.
    pub(super) fn is_overdue(&self, now_ns: u64) -> bool {
        let oldest = self.waiting.iter().map(|it| it.moment.time.unix_ns()).min();
        REORDER_PIECES_MAX <= self.waiting.len()
            || REORDER_BYTES_MAX <= self.waiting_bytes
            || oldest.is_some_and(|oldest| oldest.saturating_add(REORDER_NS_MAX) < now_ns)
    }

    /// Keeps a piece until its turn.
    pub(super) fn wait(&mut self, piece: Waiting<&[u8]>) {
        let at = self.waiting.partition_point(|it| it.position <= piece.position);
        self.waiting_bytes += piece.bytes.len();
        let Waiting { position, moved, bytes, moment, is_begin } = piece;
        self.waiting
            .insert(at, Waiting { position, moved, bytes: bytes.to_vec(), moment, is_begin });
    }

    /// The first of those that wait.
    pub(super) fn pop(&mut self) -> Option<Waiting<Vec<u8>>> {
        let first = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(first.bytes.len());
        Some(first)
    }

    /// Cuts off what was read already; `None` where that is all of it.
    pub(super) fn trim<'a>(&self, mut piece: Waiting<&'a [u8]>) -> Option<Waiting<&'a [u8]>> {
        let next = self.next;
        if piece.position < next {
            if piece.end() <= next {
                return None;
            }
            let known = next - piece.position;
            let cut = usize::try_from(known).unwrap_or(usize::MAX).min(piece.bytes.len());
            piece.bytes = piece.bytes.get(cut..).unwrap_or_default();
            piece.position = next;
            piece.moved -= known;
            piece.is_begin = false;
        }
        Some(piece)
    }
}
