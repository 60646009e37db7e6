//! A window of bytes that moves over an input and knows where it stands.
//!
//! Reading resumes after damage by looking for the next marker, which may lie in bytes already
//! read: so they stay in the window until they are consumed. It never holds more than the largest
//! block and one read.

use std::io::{self, Read};

/// Bytes asked of the input at a time.
const READ_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer was consumed.
    start: usize,
    /// Place of the first byte that was not consumed, from the start of the input.
    offset: u64,
    is_at_end: bool,
}

impl<R: Read> Window<R> {
    pub(super) const fn at(input: R, offset: u64) -> Self {
        Self { input, buffer: Vec::new(), start: 0, offset, is_at_end: false }
    }

    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) const fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// Forgets what was read: the input now stands at `offset`.
    pub(super) fn restart(&mut self, offset: u64) {
        self.buffer.clear();
        (self.start, self.offset, self.is_at_end) = (0, offset, false);
    }

    /// The next `count` bytes, or fewer where the input ends.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.start < count && !self.is_at_end {
            self.read_more()?;
        }
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        Ok(rest.get(..count).unwrap_or(rest))
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let limit = u64::try_from(READ_BYTES).unwrap_or(u64::MAX);
        let got = self.input.by_ref().take(limit).read_to_end(&mut self.buffer)?;
        self.is_at_end = got < READ_BYTES;
        Ok(())
    }

    /// Moves on by `count` bytes, at most to the end of what was peeked.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.start);
        self.start += count;
        self.offset += u64::try_from(count).unwrap_or(0);
    }

    /// Moves on to the next place where one of `markers` stands, or to the end.
    pub(super) fn skip_to(&mut self, markers: &[[u8; 8]]) -> io::Result<()> {
        loop {
            let bytes = self.peek(READ_BYTES)?;
            if bytes.len() < 8 {
                let count = bytes.len();
                self.consume(count);
                return Ok(());
            }
            let found = bytes
                .windows(8)
                .position(|window| markers.iter().any(|marker| marker.as_slice() == window));
            let count = found.unwrap_or(bytes.len() - 7);
            self.consume(count);
            if found.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: [u8; 8] = *b"--HERE--";

    #[test]
    fn finds_a_marker_wherever_a_read_ends() {
        for place in (0..40).chain(READ_BYTES - 9..READ_BYTES + 2) {
            let mut input = vec![b'-'; place];
            input.extend(MARKER);
            input.push(b'x');
            let mut window = Window::at(input.as_slice(), 0);
            window.skip_to(&[MARKER]).expect("memory reads");
            assert_eq!(window.offset(), u64::try_from(place).expect("fits"));
            window.consume(8);
            assert_eq!(window.peek(9).expect("memory reads"), b"x");
        }
    }

    #[test]
    fn without_a_marker_moves_to_the_end() {
        let mut window = Window::at(&b"--HERE-"[..], 5);
        window.skip_to(&[MARKER]).expect("memory reads");
        assert_eq!((window.offset(), window.peek(1).expect("memory reads")), (12, &b""[..]));
    }
}
