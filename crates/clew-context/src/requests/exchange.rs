//! The requests that are kept, open or held, within bounds.
//!
//! A request is open until its response; then it stays as long as somebody holds it: a process
//! that was started because of it, or a request that was made because of it. Both kinds have a
//! shelf with bounds of its own, so that a flood of requests cannot push out the one of which a
//! back door lives, and many back doors cannot push out what is in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use clew_event::http::HttpEvent;
use clew_event::{Actor, Event, EventId, EventKind, EventType, TimestampNs};
use serde::{Deserialize, Serialize};

/// Most bytes of requests on each of the two shelves.
pub(crate) const REQUEST_BYTES_MAX: usize = 32 << 20;

/// One part of a cause: a request, and how likely it is the one, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) exchange: EventId,
    pub(crate) millionths: u32,
}

/// Both ends of a connection, from one side.
pub(crate) type Ends = (SocketAddr, SocketAddr);

/// One request that is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// The thread that read or sent it.
    pub(crate) actor: Actor,
    /// When it was read whole, and when that was heard of.
    pub(crate) read: TimestampNs,
    arrived: TimestampNs,
    pub(crate) http: Box<HttpEvent>,
    pub(crate) ends: Option<Ends>,
    /// The first requests because of which it was made.
    pub(crate) causes: Vec<Share>,
    pub(crate) is_open: bool,
    /// The event that told it was given out as evidence.
    #[serde(default)]
    is_given: bool,
    /// How many processes and requests hold it.
    holders: u32,
}

impl Exchange {
    /// An open request that nobody holds, told by an event of that thread.
    pub(crate) fn new(
        (event, actor): (&Event, &Actor),
        http: &HttpEvent,
        causes: Vec<Share>,
    ) -> Self {
        Self {
            actor: *actor,
            read: event.time,
            arrived: event.arrived,
            http: Box::new(http.clone()),
            ends: ends(http),
            causes,
            is_open: true,
            is_given: false,
            holders: 0,
        }
    }

    fn bytes(&self) -> usize {
        const FIXED: usize = 512;
        let request = &*self.http.request;
        let texts = [&request.method, &request.host, &request.path, &request.query, &request.body];
        let texts = texts.iter().map(|text| text.as_bytes().len());
        let fields = request.headers.iter();
        let fields =
            fields.map(|(name, value)| 64 + name.as_bytes().len() + value.as_bytes().len());
        FIXED + texts.chain(fields).sum::<usize>()
    }
}

/// Requests of one kind, the oldest first, with their bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Shelf {
    by_age: BTreeSet<(TimestampNs, EventId)>,
    bytes: usize,
}

impl Shelf {
    fn put(&mut self, id: EventId, exchange: &Exchange) {
        if self.by_age.insert((exchange.read, id)) {
            self.bytes = self.bytes.saturating_add(exchange.bytes());
        }
    }

    fn take(&mut self, id: EventId, exchange: &Exchange) {
        if self.by_age.remove(&(exchange.read, id)) {
            self.bytes = self.bytes.saturating_sub(exchange.bytes());
        }
    }

    fn oldest(&self) -> Option<(TimestampNs, EventId)> {
        self.by_age.first().copied()
    }

    fn is_over(&self, max: usize) -> bool {
        max < self.by_age.len() || REQUEST_BYTES_MAX < self.bytes && 1 < self.by_age.len()
    }
}

/// All requests that are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Exchanges {
    table: BTreeMap<EventId, Exchange>,
    open: Shelf,
    held: Shelf,
    max: usize,
}

impl Exchanges {
    /// Keeps at most `max` open and `max` held ones, and at least one of each.
    pub(crate) fn new(max: usize) -> Self {
        let (open, held) = (Shelf::default(), Shelf::default());
        Self { table: BTreeMap::new(), open, held, max: max.max(1) }
    }

    pub(crate) fn get(&self, id: EventId) -> Option<&Exchange> {
        self.table.get(&id)
    }

    /// The event that told a request, to be kept as evidence; once.
    pub(crate) fn give(&mut self, id: EventId) -> Option<Event> {
        let exchange = self.table.get_mut(&id).filter(|exchange| !exchange.is_given)?;
        exchange.is_given = true;
        Some(Event {
            id,
            time: exchange.read,
            arrived: exchange.arrived,
            event_type: EventType::HttpRequest,
            // Traces tell of no process.
            actor: Some(exchange.actor).filter(|actor| *actor != Actor::default()),
            kind: EventKind::Http(exchange.http.clone()),
        })
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.by_age.len()
    }

    pub(crate) fn held_count(&self) -> usize {
        self.held.by_age.len()
    }

    /// Puts an open request in its place; its causes are held for it.
    pub(crate) fn insert(&mut self, id: EventId, exchange: Exchange) {
        self.hold(&exchange.causes);
        self.open.put(id, &exchange);
        self.table.insert(id, exchange);
    }

    /// The open request that is the first to go: one of too many, or read at or before `before`.
    pub(crate) fn overdue(&self, before: TimestampNs) -> Option<EventId> {
        let (read, id) = self.open.oldest()?;
        (self.open.is_over(self.max) || read <= before).then_some(id)
    }

    /// True where there are more open ones than there may be.
    pub(crate) fn is_over(&self) -> bool {
        self.open.is_over(self.max)
    }

    /// One holder more of each.
    pub(crate) fn hold(&mut self, shares: &[Share]) {
        for share in shares {
            if let Some(exchange) = self.table.get_mut(&share.exchange) {
                exchange.holders = exchange.holders.saturating_add(1);
            }
        }
    }

    /// One holder less of each; what is closed and held by nobody goes, and with it what it held.
    pub(crate) fn release(&mut self, shares: Vec<Share>) {
        let mut pending = shares;
        while let Some(share) = pending.pop() {
            if let Some(exchange) = self.table.get_mut(&share.exchange) {
                exchange.holders = exchange.holders.saturating_sub(1);
                if exchange.holders == 0 && !exchange.is_open {
                    pending.extend(self.remove(share.exchange));
                }
            }
        }
    }

    /// The request is answered, or its process ended. Gives how many held ones went for want of
    /// room.
    pub(crate) fn close(&mut self, id: EventId) -> u64 {
        let Some(exchange) = self.table.get_mut(&id) else { return 0 };
        self.open.take(id, exchange);
        exchange.is_open = false;
        if exchange.holders == 0 {
            let held = self.remove(id);
            self.release(held);
            return 0;
        }
        self.held.put(id, exchange);
        let mut evicted = 0;
        while self.held.is_over(self.max)
            && let Some((_, oldest)) = self.held.oldest()
        {
            let held = self.remove(oldest);
            self.release(held);
            evicted += 1;
        }
        evicted
    }

    /// Takes a request out; gives what it held.
    fn remove(&mut self, id: EventId) -> Vec<Share> {
        let Some(exchange) = self.table.remove(&id) else { return Vec::new() };
        self.open.take(id, &exchange);
        self.held.take(id, &exchange);
        exchange.causes
    }
}

/// Both ends, each in the form of its own family: a socket of IPv6 that takes IPv4 names it so.
pub(crate) fn ends(http: &HttpEvent) -> Option<Ends> {
    let plain = |end: SocketAddr| (end.ip().to_canonical(), end.port()).into();
    Some((plain(http.endpoints.local?), plain(http.endpoints.remote?)))
}
