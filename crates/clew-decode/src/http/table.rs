//! Connections by their key, in the order in which they were last seen.
//!
//! The order is a list linked through the slots, so that both finding a connection and giving up
//! the one that was quiet for longest cost the same however many there are.

use rustc_hash::FxHashMap;

/// Which connection a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Cookie of the socket, or address of a library's object.
    pub(super) connection: u64,
    /// The boot.
    pub(super) boot: u32,
    /// With TLS the process, as two of them may have an object at the same address; else 0.
    pub(super) owner: u32,
    /// It was read at a TLS library: the same socket also carries what is encrypted.
    pub(super) is_tls: bool,
}

const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Slot<T> {
    key: Key,
    older: usize,
    newer: usize,
    value: Option<T>,
}

/// Values by key, from the oldest to the newest.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
    by_key: FxHashMap<Key, usize>,
    oldest: usize,
    newest: usize,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: FxHashMap::default(),
            oldest: NONE,
            newest: NONE,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The value of `key`, made where there is none, as the newest.
    pub(super) fn touch(&mut self, key: Key, make: impl FnOnce() -> T) -> Option<&mut T> {
        let at = match self.by_key.get(&key) {
            Some(&at) => at,
            None => self.insert(key, make()),
        };
        if self.newest != at {
            self.unlink(at);
            self.link(at);
        }
        self.slots.get_mut(at)?.value.as_mut()
    }

    /// The value of `key`, which stays as old as it is.
    pub(super) fn get(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(*self.by_key.get(&key)?)?.value.as_mut()
    }

    /// Takes the value out.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let at = self.by_key.remove(&key)?;
        self.unlink(at);
        self.free.push(at);
        self.slots.get_mut(at)?.value.take()
    }

    /// The one that was not seen for longest.
    pub(super) fn oldest(&self) -> Option<(Key, &T)> {
        let slot = self.slots.get(self.oldest)?;
        Some((slot.key, slot.value.as_ref()?))
    }

    fn insert(&mut self, key: Key, value: T) -> usize {
        let slot = Slot { key, older: NONE, newer: NONE, value: Some(value) };
        let at = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(at) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.by_key.insert(key, at);
        self.link(at);
        at
    }

    fn link(&mut self, at: usize) {
        let older = std::mem::replace(&mut self.newest, at);
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.older, slot.newer) = (older, NONE);
        }
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
    }

    fn unlink(&mut self, at: usize) {
        let Some((older, newer)) = self.slots.get(at).map(|slot| (slot.older, slot.newer)) else {
            return;
        };
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(connection: u64) -> Key {
        Key { connection, boot: 0, owner: 0, is_tls: false }
    }

    #[test]
    fn the_oldest_is_what_was_not_touched_for_longest() {
        let mut table = Table::new();
        for number in [1, 2, 3, 1] {
            table.touch(key(number), || number);
        }
        assert_eq!(table.oldest(), Some((key(2), &2)));
        assert_eq!(table.remove(key(2)), Some(2));
        assert_eq!(table.remove(key(2)), None);
        table.touch(key(4), || 4);
        let mut order = Vec::new();
        while let Some((key, _)) = table.oldest() {
            order.extend(table.remove(key));
        }
        assert_eq!((order, table.len(), table.slots.len()), (vec![3, 1, 4], 0, 3));
        table.touch(key(5), || 5);
        assert_eq!(table.oldest(), Some((key(5), &5)));
    }
}
