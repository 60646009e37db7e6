//! How the thread that reads the rings stands beside those it watches.
//!
//! Records wait in rings of fixed size. While there is room the reader has no more right to a CPU
//! than the programs whose requests it reads, which would wait for it; where a ring fills, it goes
//! first.

/// Niceness of a reader that has fallen behind.
const NICENESS: i32 = -10;

/// Part of a ring that is full when its reader begins to go first: an eighth.
const URGENT_PART: u64 = 8;

/// Part of a ring that is full when its reader stands back again: a sixty-fourth.
const CALM_PART: u64 = 64;

/// Whether the calling thread goes first.
#[derive(Debug)]
pub(crate) struct Urgency {
    is_urgent: bool,
    /// Niceness of a thread that keeps up.
    usual: i32,
}

impl Urgency {
    pub(crate) fn new() -> Self {
        Self { is_urgent: false, usual: rustix::process::getpriority_process(None).unwrap_or(0) }
    }

    /// Lets the calling thread go first, where it may, or stand back: what waits of each ring
    /// beside the size of the ring.
    pub(crate) fn judge(&mut self, rings: &[(u64, u64)]) {
        let is_urgent = is_urgent(self.is_urgent, rings);
        if self.is_urgent != is_urgent {
            self.is_urgent = is_urgent;
            let niceness = if is_urgent { self.usual.min(NICENESS) } else { self.usual };
            rustix::process::setpriority_process(None, niceness).ok();
        }
    }
}

fn is_urgent(was_urgent: bool, rings: &[(u64, u64)]) -> bool {
    let part = if was_urgent { CALM_PART } else { URGENT_PART };
    rings.iter().any(|&(waiting, size)| size / part < waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_goes_first_from_an_eighth_of_any_ring_on_until_it_has_almost_caught_up() {
        assert!(!is_urgent(false, &[(128, 1024), (0, 4096)]));
        assert!(is_urgent(false, &[(0, 4096), (129, 1024)]));
        assert!(is_urgent(true, &[(0, 4096), (17, 1024)]));
        assert!(!is_urgent(true, &[(64, 4096), (16, 1024)]));
    }
}
