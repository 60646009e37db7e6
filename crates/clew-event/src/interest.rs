//! Which system calls are wanted, so that the others never leave the kernel.
//!
//! A call is known by its name and by what can be told from it before anything is read: whether it
//! failed, for what kind of access a file was opened, over what kind of socket something was sent.
//! That makes eight classes a call, one bit each, which the sensor's programs look up before they
//! do anything else. What was sent or received is a wish of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::event_type::EventType;

/// What can be told of a call before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallClass {
    /// Of an open `flags & 3` (`O_RDONLY`, `O_WRONLY`, `O_RDWR` and 3), of a transfer the kind of
    /// socket ([`CallClass::DATAGRAM`] and so on); 0 for every other call.
    detail: u8,
    is_failed: bool,
}

impl CallClass {
    const ACCESS_MODE: u32 = 0o3;
    const WRITE_ONLY: u8 = 0o1;

    /// Over an internet socket that is not TCP.
    pub const DATAGRAM: u32 = 0;
    /// Over TCP.
    pub const TCP: u32 = 1;
    /// Over a socket of another family: unix, netlink.
    pub const LOCAL: u32 = 2;

    /// All classes of a call.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|number| Self { detail: number & 3, is_failed: 4 <= number })
    }

    /// The class of a call that returned `result`; `detail` are the flags of an open, the kind of
    /// socket of a transfer, and of no account for every other call.
    #[must_use]
    pub fn of_call(event_type: EventType, detail: u32, result: i64) -> Self {
        let has_detail = is_open(event_type) || is_transfer(event_type);
        let detail = if has_detail { detail & Self::ACCESS_MODE } else { 0 };
        Self { detail: u8::try_from(detail).unwrap_or_default(), is_failed: result < 0 }
    }

    /// True where the call returned an error.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        self.is_failed
    }

    /// True where an open asked for reading.
    #[must_use]
    pub const fn is_reading(self) -> bool {
        self.detail != Self::WRITE_ONLY
    }

    /// True where an open asked for writing.
    #[must_use]
    pub const fn is_writing(self) -> bool {
        self.detail != 0
    }

    /// The kind of socket of a transfer.
    #[must_use]
    pub fn socket(self) -> u32 {
        self.detail.into()
    }

    /// The bit of this class, as the sensor's programs compute it.
    const fn bit(self) -> u8 {
        1 << (self.detail + if self.is_failed { 4 } else { 0 })
    }
}

/// True for the calls whose access is told by their flags.
#[must_use]
pub const fn is_open(event_type: EventType) -> bool {
    matches!(event_type, EventType::Open | EventType::Openat | EventType::Openat2)
}

/// True for calls that send or receive.
#[must_use]
pub const fn is_transfer(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::Sendto | E::Sendmsg | E::Sendmmsg | E::Recvfrom | E::Recvmsg | E::Recvmmsg
    )
}

/// How many details of a call there are.
const fn details(event_type: EventType) -> u8 {
    if is_open(event_type) {
        4
    } else if is_transfer(event_type) {
        3
    } else {
        1
    }
}

/// A set of classes of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallClasses(u8);

impl CallClasses {
    /// No call at all.
    pub const NONE: Self = Self(0);
    /// Every call.
    pub const ALL: Self = Self(u8::MAX);

    /// The set as the sensor's programs read it.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True where no class is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True where that class is in it.
    #[must_use]
    pub const fn has(self, class: CallClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// Adds a class.
    pub const fn add(&mut self, class: CallClass) {
        self.0 |= class.bit();
    }

    /// The classes that are in either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether opens of a path or connects to a peer need not be told of again, whoever makes them,
/// until the rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuietVerdict {
    /// A rule may match one.
    Told,
    /// No rule can match one whose caller gave a path without `..`.
    UnlessClimbing,
    /// No rule can match one.
    Always,
}

/// The wanted classes of every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterestSet {
    classes: BTreeMap<EventType, CallClasses>,
    payloads: BTreeSet<EventType>,
}

impl InterestSet {
    /// Every class of every call, but not what was sent and received.
    #[must_use]
    pub fn everything() -> Self {
        let all = EventType::ALL.iter().map(|event_type| (*event_type, CallClasses::ALL));
        Self { classes: all.collect(), payloads: BTreeSet::new() }
    }

    /// Wants the first bytes of what such a call sent or received.
    pub fn add_payload(&mut self, event_type: EventType) {
        self.payloads.insert(event_type);
    }

    /// True where the first bytes of what such a call sent or received are wanted.
    #[must_use]
    pub fn has_payload(&self, event_type: EventType) -> bool {
        self.payloads.contains(&event_type)
    }

    /// The wanted classes of a call.
    #[must_use]
    pub fn classes(&self, event_type: EventType) -> CallClasses {
        self.classes.get(&event_type).copied().unwrap_or_default()
    }

    /// True where calls of that class are wanted.
    #[must_use]
    pub fn has(&self, event_type: EventType, class: CallClass) -> bool {
        self.classes(event_type).has(class)
    }

    /// Wants these classes of a call too.
    pub fn add(&mut self, event_type: EventType, classes: CallClasses) {
        let known = self.classes.entry(event_type).or_default();
        *known = known.or(classes);
    }

    /// What is left out of `event_type`, in words; `None` where all of it is wanted.
    #[must_use]
    pub fn left_out(&self, event_type: EventType) -> Option<String> {
        let classes = self.classes(event_type);
        let name = event_type.name();
        let wanted = |class: &CallClass| classes.has(*class);
        let possible = || CallClass::all().filter(|class| class.detail < details(event_type));
        if !possible().any(|class| wanted(&class)) {
            return Some(name.to_owned());
        }
        let mut parts = Vec::new();
        let is_out = |is_meant: &dyn Fn(CallClass) -> bool| {
            !possible().filter(|class| is_meant(*class)).any(|class| wanted(&class))
        };
        if is_out(&|class| class.is_failed()) {
            parts.push("failed");
        }
        if is_out(&|class| !class.is_failed()) {
            parts.push("successful");
        }
        if is_open(event_type) && is_out(&|class| !class.is_failed() && !class.is_writing()) {
            parts.push("read-only");
        }
        if is_open(event_type) && is_out(&|class| !class.is_failed() && !class.is_reading()) {
            parts.push("write-only");
        }
        let kinds = [
            (CallClass::DATAGRAM, "over datagrams"),
            (CallClass::TCP, "over TCP"),
            (CallClass::LOCAL, "over local sockets"),
        ];
        for (kind, words) in kinds {
            let is_meant = |class: CallClass| !class.is_failed() && class.socket() == kind;
            if is_transfer(event_type) && is_out(&is_meant) {
                parts.push(words);
            }
        }
        let is_all = possible().all(|class| wanted(&class));
        (!is_all).then(|| format!("{name} ({})", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_bit_of_its_own() {
        let mut classes = CallClasses::NONE;
        for class in CallClass::all() {
            assert!(!classes.has(class));
            classes.add(class);
            assert!(classes.has(class));
        }
        assert_eq!(classes, CallClasses::ALL);
    }

    #[test]
    fn access_is_told_of_opens_only() {
        let reading = CallClass::of_call(EventType::Openat, 0o100, 3);
        assert!(reading.is_reading() && !reading.is_writing() && !reading.is_failed());
        let writing = CallClass::of_call(EventType::Open, 0o1101, -13);
        assert!(!writing.is_reading() && writing.is_writing() && writing.is_failed());
        let both = CallClass::of_call(EventType::Openat2, 0o2, 0);
        assert!(both.is_reading() && both.is_writing());
        let class = CallClass::of_call(EventType::Connect, 0o1, 0);
        assert_eq!(class, CallClass::of_call(EventType::Connect, 0, 0));
    }

    #[test]
    fn a_transfer_is_known_by_its_kind_of_socket_and_its_payload_is_asked_for_by_itself() {
        let class = |kind| CallClass::of_call(EventType::Recvfrom, kind, 5);
        assert_ne!(class(CallClass::DATAGRAM), class(CallClass::TCP));
        assert_eq!(class(CallClass::LOCAL).socket(), CallClass::LOCAL);
        let mut interest = InterestSet::everything();
        assert!(!interest.has_payload(EventType::Recvfrom));
        interest.add_payload(EventType::Recvfrom);
        assert!(interest.has_payload(EventType::Recvfrom));
        assert!(!interest.has_payload(EventType::Sendto));
        let mut datagrams = InterestSet::default();
        let mut classes = CallClasses::NONE;
        classes.add(class(CallClass::DATAGRAM));
        datagrams.add(EventType::Recvfrom, classes);
        let told = datagrams.left_out(EventType::Recvfrom);
        assert_eq!(told.as_deref(), Some("recvfrom (failed, over TCP, over local sockets)"));
    }

    #[test]
    fn what_is_left_out_is_told_in_words() {
        let mut interest = InterestSet::default();
        let told = |interest: &InterestSet, event_type| interest.left_out(event_type);
        assert_eq!(told(&interest, EventType::Mkdir).as_deref(), Some("mkdir"));
        let mut classes = CallClasses::NONE;
        classes.add(CallClass::of_call(EventType::Openat, 0o1, 3));
        classes.add(CallClass::of_call(EventType::Openat, 0o2, 3));
        interest.add(EventType::Openat, classes);
        let expected = Some("openat (failed, read-only)");
        assert_eq!(told(&interest, EventType::Openat).as_deref(), expected);
        classes = CallClasses::NONE;
        classes.add(CallClass::of_call(EventType::Chmod, 0, 0));
        interest.add(EventType::Chmod, classes);
        assert_eq!(told(&interest, EventType::Chmod).as_deref(), Some("chmod (failed)"));
        assert_eq!(told(&InterestSet::everything(), EventType::Openat), None);
    }
}
