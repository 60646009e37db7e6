//! What one process handles, and how likely each request is the cause of what a thread does.
//!
//! A thread that handles one request acts for it: probability 1. An event loop handles several at
//! once; then the recent ones are the likelier. If an effect falls anywhere between a request and
//! its response, and those spans are exponential with mean τ, then of the requests that are still
//! in flight one of age `a` acts now at a rate of about ln(1 + τ/a) (the exponential integral
//! e^x·E1(x) lies between half of ln(1 + 2/x) and ln(1 + 1/x)). So the weight is ln(1 + τ/a),
//! with the process's own mean for τ, and the weights are made to sum to what is to be shared.
//!
//! Runtimes that move work between threads (Go, executors) are known by responses that another
//! thread wrote than had read the request. Their share of all responses is how likely a thread
//! that read a request acts for another one.

use clew_event::{EventId, TimestampNs};
use serde::{Deserialize, Serialize};

use super::exchange::Share;

/// Most requests among which one effect is shared; of more, the latest.
pub const CAUSES_MAX: usize = 64;
/// Most requests in flight in one process, and as many that it sent; of more, the oldest go.
pub(crate) const OF_PROCESS_MAX: usize = 1_024;
/// Most threads of one process that are known to have been made for a request.
pub(crate) const THREADS_MAX: usize = 256;

/// The whole, in millionths.
pub(crate) const WHOLE: u32 = 1_000_000;
/// That a thread which read no request acts for one in flight, and not for its runtime: collecting
/// garbage, writing logs. A guess until a lab measures it; below what counts as certain.
const HANDED_ON: u32 = 800_000;
/// Mean span of a request until a response was seen.
const SPAN_NS: u64 = 100_000_000;
/// Least age of a request: below it, order is noise.
const AGE_NS_MIN: u64 = 1_000;
/// Responses of which it is remembered whether they stayed on their thread.
const ANSWERS_MAX: u32 = 1_024;

/// One request in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InFlight {
    pub(crate) exchange: EventId,
    pub(crate) tid: u32,
    pub(crate) read: TimestampNs,
}

/// One process that handles requests, or was made because of one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Handler {
    /// In the order in which they were read.
    pub(crate) in_flight: Vec<InFlight>,
    /// Requests that it sent because of others, until they are answered.
    pub(crate) sent: Vec<EventId>,
    /// Because of which it was made.
    pub(crate) born_of: Vec<Share>,
    /// It took another program since then.
    pub(crate) has_executed: bool,
    /// Threads made while their maker handled a request, for as long as that is in flight.
    threads: Vec<(u32, Vec<Share>)>,
    stayed: u32,
    moved: u32,
    span_ns: u64,
}

impl Handler {
    /// A process that was made because of these.
    pub(crate) fn born_of(born_of: Vec<Share>) -> Self {
        Self { born_of, ..Self::default() }
    }

    /// True where nothing is to be remembered but how it handles requests.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.born_of.is_empty()
    }

    /// Because of which requests that thread acts at that time; what it adds sums to 1 at most.
    pub(crate) fn share(&self, tid: u32, now: TimestampNs, shares: &mut Vec<Share>) {
        let past = || self.in_flight.iter().filter(|it| it.read <= now);
        let is_own = |it: &&InFlight| it.tid == tid;
        let others = past().any(|it| it.tid != tid);
        if past().any(|it| is_own(&it)) {
            let own = if others { self.stays() } else { WHOLE };
            self.split(past().filter(is_own), own, now, shares);
            self.split(past().filter(|it| it.tid != tid), WHOLE - own, now, shares);
        } else if let Some((_, made_for)) = self.threads.iter().find(|(made, _)| *made == tid)
            && self.moved == 0
        {
            shares.extend_from_slice(made_for);
        } else if !self.born_of.is_empty() {
            shares.extend_from_slice(&self.born_of);
        } else {
            self.split(past(), HANDED_ON, now, shares);
        }
    }

    /// A thread was made because of these.
    pub(crate) fn make_thread(&mut self, tid: u32, made_for: Vec<Share>) {
        self.threads.retain(|(made, _)| *made != tid);
        if self.threads.len() < THREADS_MAX {
            self.threads.push((tid, made_for));
        }
    }

    pub(crate) fn end_thread(&mut self, tid: u32) {
        self.threads.retain(|(made, _)| *made != tid);
    }

    /// A request of this process is no longer in flight.
    pub(crate) fn close(&mut self, exchange: EventId) {
        self.in_flight.retain(|it| it.exchange != exchange);
        self.sent.retain(|sent| *sent != exchange);
        for (_, made_for) in &mut self.threads {
            made_for.retain(|share| share.exchange != exchange);
        }
        self.threads.retain(|(_, made_for)| !made_for.is_empty());
    }

    /// A response was written after that long, by the thread that had read the request or not.
    pub(crate) fn answer(&mut self, has_moved: bool, took_ns: u64) {
        if ANSWERS_MAX <= self.stayed.saturating_add(self.moved) {
            (self.stayed, self.moved) = (self.stayed / 2, self.moved / 2);
        }
        if has_moved {
            self.moved += 1;
        } else {
            self.stayed += 1;
        }
        // The mean of about the last eight.
        self.span_ns = if self.span_ns == 0 {
            took_ns.max(1)
        } else {
            (self.span_ns - self.span_ns / 8).saturating_add(took_ns / 8).max(1)
        };
    }

    /// That a thread which read a request acts for it, where others are in flight too.
    fn stays(&self) -> u32 {
        let answers = u64::from(self.stayed) + u64::from(self.moved);
        if self.moved == 0 {
            return WHOLE;
        }
        u32::try_from(u64::from(self.stayed) * u64::from(WHOLE) / answers).unwrap_or(WHOLE)
    }

    /// Shares `whole` among requests by how long ago each was read.
    fn split<'a>(
        &self,
        among: impl DoubleEndedIterator<Item = &'a InFlight>,
        whole: u32,
        now: TimestampNs,
        shares: &mut Vec<Share>,
    ) {
        if whole == 0 {
            return;
        }
        let room = CAUSES_MAX.saturating_sub(shares.len());
        let latest: Vec<&InFlight> = among.rev().take(room).collect();
        if let [only] = latest.as_slice() {
            shares.push(Share { exchange: only.exchange, millionths: whole });
            return;
        }
        let weights: Vec<f64> = latest.iter().map(|it| self.weight(now, it.read)).collect();
        let sum: f64 = weights.iter().sum();
        let mut left = whole;
        for (it, weight) in latest.iter().zip(weights).rev() {
            let part = millionths(f64::from(whole) * weight / sum).min(left);
            left -= part;
            shares.push(Share { exchange: it.exchange, millionths: part });
        }
        // What rounding left goes to the latest, which is the likeliest.
        if let Some(last) = shares.last_mut() {
            last.millionths += left;
        }
    }

    fn weight(&self, now: TimestampNs, read: TimestampNs) -> f64 {
        let age = now.unix_ns().saturating_sub(read.unix_ns()).max(AGE_NS_MIN);
        let span = if self.span_ns == 0 { SPAN_NS } else { self.span_ns };
        (real(span) / real(age)).ln_1p()
    }
}

/// Nanoseconds as they can be divided; exact below 104 days.
#[allow(clippy::cast_precision_loss, reason = "a weight needs no more than 53 bits")]
const fn real(ns: u64) -> f64 {
    ns as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a whole of at most a million"
)]
fn millionths(part: f64) -> u32 {
    part as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_server_answered_long_ago_is_forgotten_after_answers_max() {
        let mut handler = Handler::default();
        for _ in 0..ANSWERS_MAX {
            handler.answer(true, 1);
        }
        assert_eq!(handler.stays(), 0);
        for _ in 0..4 * ANSWERS_MAX {
            handler.answer(false, 1);
        }
        assert!(WHOLE / 2 < handler.stays());
        assert!(handler.stayed + handler.moved <= ANSWERS_MAX);
    }
}
