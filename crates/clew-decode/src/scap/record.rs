//! One event block: who, when, which call, and its parameters.

use clew_event::Text;

use super::bytes::{self, Bytes};

/// One event as it stands in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Nanoseconds since the epoch.
    pub(super) time_ns: u64,
    /// Thread in the initial pid namespace; -1 where none acted.
    pub(super) tid: i64,
    /// Number of the event type.
    pub(super) kind: u16,
    lengths: &'a [u8],
    values: &'a [u8],
    is_large: bool,
}

impl<'a> Record<'a> {
    /// The event of a block; `is_large` where lengths of parameters have 32 bits, `has_flags`
    /// where flags of the capture precede the event.
    pub(super) fn from_block(content: &'a [u8], is_large: bool, has_flags: bool) -> Option<Self> {
        let mut fields = Bytes(content);
        fields.u16()?;
        if has_flags {
            fields.u32()?;
        }
        let time_ns = fields.u64()?;
        let tid = fields.i64()?;
        fields.u32()?;
        let kind = fields.u16()?;
        let count = usize::try_from(fields.u32()?).ok()?;
        let width = if is_large { 4 } else { 2 };
        let lengths = fields.take(count.checked_mul(width)?)?;
        Some(Self { time_ns, tid, kind, lengths, values: fields.0, is_large })
    }

    /// The parameter of that number; `None` where the event has none or an empty one.
    pub(super) fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        let width = if self.is_large { 4 } else { 2 };
        let mut start = 0usize;
        let mut lengths = self.lengths.chunks_exact(width).map(|bytes| match *bytes {
            [a, b] => usize::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX),
            _ => 0,
        });
        for length in lengths.by_ref().take(index) {
            start = start.checked_add(length)?;
        }
        let end = start.checked_add(lengths.next()?)?;
        self.values.get(start..end).filter(|value| !value.is_empty())
    }

    /// A number of whatever width, not negative.
    pub(super) fn unsigned(&self, index: usize) -> Option<u64> {
        let bytes = self.bytes(index)?;
        let mut wide = [0; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(wide))
    }

    pub(super) fn u32(&self, index: usize) -> Option<u32> {
        u32::try_from(self.unsigned(index)?).ok()
    }

    /// A number of 64 bits: results, descriptors and process ids.
    pub(super) fn signed(&self, index: usize) -> Option<i64> {
        self.bytes(index)?.try_into().ok().map(i64::from_le_bytes)
    }

    /// What stands before the NUL byte that ends a text.
    pub(super) fn str(&self, index: usize) -> Option<&'a [u8]> {
        self.bytes(index).map(bytes::until_nul)
    }

    pub(super) fn text(&self, index: usize) -> Text {
        self.str(index).map_or_else(Text::default, Text::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_lengths() {
        let mut block = vec![1, 0];
        block.extend_from_slice(&7u64.to_le_bytes());
        block.extend_from_slice(&42i64.to_le_bytes());
        block.extend_from_slice(&0u32.to_le_bytes());
        block.extend_from_slice(&5u16.to_le_bytes());
        block.extend_from_slice(&3u32.to_le_bytes());
        block.extend_from_slice(&[8, 0, 0, 0, 4, 0]);
        block.extend_from_slice(&(-2i64).to_le_bytes());
        block.extend_from_slice(b"abc\0");
        let record = Record::from_block(&block, false, false).expect("whole");
        assert_eq!((record.time_ns, record.tid, record.kind), (7, 42, 5));
        assert_eq!(record.signed(0), Some(-2));
        assert_eq!(record.bytes(1), None);
        assert_eq!(record.str(2), Some(&b"abc"[..]));
        assert_eq!(record.bytes(3), None);
        block.truncate(block.len() - 1);
        let record = Record::from_block(&block, false, false).expect("its end is missing");
        assert_eq!(record.str(2), None);
    }
}
