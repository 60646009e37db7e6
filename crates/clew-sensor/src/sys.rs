//! The one place with unsafe code: a BPF ring buffer, mapped into memory and read in place.
//!
//! libbpf's own reader hands each record to a callback and cannot stop at a position taken
//! earlier, which the merge of two rings needs. The layout is that of the kernel's
//! `kernel/bpf/ringbuf.c`: a page with the consumer's position, a page with the producer's, then
//! the records twice in a row, so that one that wraps is still contiguous. Each record has a
//! header of eight bytes, the first four of which are its length and two flags.
#![allow(unsafe_code, reason = "memory shared with the kernel cannot be read otherwise")]

use std::ffi::c_void;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
const HEADER_BYTES: usize = 8;
/// The position is written back after this many records: each write costs the producers a cache
/// miss, and each delay keeps room from them.
const RECORDS_PER_RELEASE: u32 = 32;

/// A mapping that is undone on drop.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapping {
    fn new(
        fd: BorrowedFd<'_>,
        flags: ProtFlags,
        offset: u64,
        length: usize,
    ) -> Result<Self, rustix::io::Errno> {
        // SAFETY: with a null address the kernel chooses a free range, so no mapping of ours is
        // replaced; the descriptor is borrowed for the whole call.
        let start =
            unsafe { mmap(std::ptr::null_mut(), length, flags, MapFlags::SHARED, fd, offset) }?;
        NonNull::new(start).map(|start| Self { start, length }).ok_or(rustix::io::Errno::NOMEM)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range came from `mmap` in `new`, is owned by this value alone, and no
        // reference into it outlives the `Ring` that owns this value.
        unsafe { munmap(self.start.as_ptr(), self.length) }.ok();
    }
}

/// The reading end of one ring buffer. Only one may exist for a map.
#[derive(Debug)]
pub(crate) struct Ring {
    consumer: Mapping,
    records: Mapping,
    page: usize,
    size: usize,
    fd: OwnedFd,
}

// SAFETY: the mappings belong to the process, not to a thread, and are reached through `&mut self`
// or atomics only.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring of `size` bytes (a power of two) behind `fd`.
    pub(crate) fn map(fd: OwnedFd, size: usize) -> Result<Self, rustix::io::Errno> {
        use std::os::fd::AsFd;
        let page = rustix::param::page_size();
        if !size.is_power_of_two() || size < page {
            return Err(rustix::io::Errno::INVAL);
        }
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapping::new(fd.as_fd(), writable, 0, page)?;
        let offset = u64::try_from(page).map_err(|_| rustix::io::Errno::INVAL)?;
        let records = Mapping::new(fd.as_fd(), ProtFlags::READ, offset, page + 2 * size)?;
        Ok(Self { consumer, records, page, size, fd })
    }

    /// The descriptor to wait on.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }

    /// Bytes ever written, unfinished records included: the end of a later [`Self::drain`].
    pub(crate) fn written(&self) -> u64 {
        // SAFETY: the first page of `records` begins with the producer's position, which is
        // aligned, lives as long as the mapping, and is only ever accessed atomically.
        unsafe { self.records.start.cast::<AtomicU64>().as_ref() }.load(Ordering::Acquire)
    }

    /// Bytes that wait to be read, and bytes that may.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let waiting = self.written().saturating_sub(self.consumed().load(Ordering::Relaxed));
        (waiting, u64::try_from(self.size).unwrap_or(u64::MAX))
    }

    fn consumed(&self) -> &AtomicU64 {
        // SAFETY: the page of `consumer` begins with the consumer's position, which is aligned,
        // lives as long as the mapping, and is only ever accessed atomically.
        unsafe { self.consumer.start.cast::<AtomicU64>().as_ref() }
    }

    /// Hands up to `records_max` records that begin before `end` to `each`, and frees them.
    ///
    /// True where all of them were handed over; false where there are more, or where one is still
    /// being written, behind which others may be complete.
    pub(crate) fn drain(
        &mut self,
        end: u64,
        records_max: u32,
        mut each: impl FnMut(&[u8]),
    ) -> bool {
        let mut position = self.consumed().load(Ordering::Relaxed);
        let mut count = 0;
        let is_exhausted = loop {
            if position >= end {
                break true;
            }
            if count == records_max {
                break false;
            }
            let Some((record, next)) = self.record(position) else {
                break false;
            };
            if let Some(record) = record {
                each(record);
            }
            position = next;
            count += 1;
            if count % RECORDS_PER_RELEASE == 0 {
                self.consumed().store(position, Ordering::Release);
            }
        };
        self.consumed().store(position, Ordering::Release);
        is_exhausted
    }

    /// The record at `position` (`None` inside where it was discarded) and the position behind
    /// it; `None` where it is still being written.
    fn record(&self, position: u64) -> Option<(Option<&[u8]>, u64)> {
        let size = u64::try_from(self.size).ok()?;
        let place = usize::try_from(position & (size - 1)).ok()?;
        // SAFETY: `place < size`, records begin one page into the mapping and are mapped twice,
        // so the header at `place` lies inside it.
        let header = unsafe { self.records.start.byte_add(self.page + place) };
        // SAFETY: positions are multiples of eight, so the header is aligned; the kernel writes
        // its length atomically, with release order once the record is complete.
        let length = unsafe { header.cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire);
        if length & BUSY != 0 {
            return None;
        }
        let bytes = usize::try_from(length & !DISCARDED).ok()?;
        if bytes > self.size - HEADER_BYTES {
            return None;
        }
        let step = u64::try_from((bytes + HEADER_BYTES).next_multiple_of(HEADER_BYTES)).ok()?;
        if length & DISCARDED != 0 {
            return Some((None, position + step));
        }
        // SAFETY: the header lies inside the mapping (above) and so do the `bytes` behind it,
        // because records are mapped twice and `bytes <= size - 8`.
        let start = unsafe { header.byte_add(HEADER_BYTES) }.cast::<u8>();
        // SAFETY: the kernel has finished the record (acquire above) and does not touch it before
        // `consumed` moves past it, which happens only after the slice is gone.
        let record = unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) };
        Some((Some(record), position + step))
    }
}
