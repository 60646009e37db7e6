//! Which system calls are wanted, so that the others never leave the kernel.
//!
//! A call is known by its name and by what can be told from it before anything is read: whether it
//! failed, and for what kind of access a file was opened. That makes eight classes a call, one bit
//! each, which the sensor's programs look up before they do anything else.

use std::collections::BTreeMap;

use crate::event_type::EventType;

/// What can be told of a call before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallClass {
    /// `flags & 3` of an open (`O_RDONLY`, `O_WRONLY`, `O_RDWR` and 3); 0 for every other call.
    access_mode: u8,
    is_failed: bool,
}

impl CallClass {
    const ACCESS_MODE: u32 = 0o3;
    const WRITE_ONLY: u8 = 0o1;

    /// All classes of a call.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|number| Self { access_mode: number & 3, is_failed: 4 <= number })
    }

    /// The class of a call that returned `result`; `flags` are those of an open, else 0.
    #[must_use]
    pub fn of_call(event_type: EventType, flags: u32, result: i64) -> Self {
        let flags = if is_open(event_type) { flags & Self::ACCESS_MODE } else { 0 };
        let access_mode = u8::try_from(flags).unwrap_or_default();
        Self { access_mode, is_failed: result < 0 }
    }

    /// True where the call returned an error.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        self.is_failed
    }

    /// True where an open asked for reading.
    #[must_use]
    pub const fn is_reading(self) -> bool {
        self.access_mode != Self::WRITE_ONLY
    }

    /// True where an open asked for writing.
    #[must_use]
    pub const fn is_writing(self) -> bool {
        self.access_mode != 0
    }

    /// The bit of this class, as the sensor's programs compute it.
    const fn bit(self) -> u8 {
        1 << (self.access_mode + if self.is_failed { 4 } else { 0 })
    }
}

/// True for the calls whose access is told by their flags.
#[must_use]
pub const fn is_open(event_type: EventType) -> bool {
    matches!(event_type, EventType::Open | EventType::Openat | EventType::Openat2)
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

/// Whether opens of a path need not be told of again, whoever makes them, until the rules change.
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
}

impl InterestSet {
    /// Every class of every call.
    #[must_use]
    pub fn everything() -> Self {
        let all = EventType::ALL.iter().map(|event_type| (*event_type, CallClasses::ALL));
        Self { classes: all.collect() }
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
        let possible =
            || CallClass::all().filter(|class| is_open(event_type) || class.access_mode == 0);
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
