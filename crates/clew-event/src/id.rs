//! Names of things: newtypes, so that a process is never passed where a container is meant.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One boot of one machine, as the first 32 bits of a hash of `/proc/sys/kernel/random/boot_id`.
///
/// It keeps processes of two machines, or of two boots, apart on one tape.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct BootId(pub u32);

/// A process that is never confused with a later one of the same pid.
///
/// Linux gives out pids again; the start time (nanoseconds since boot, `task->start_boottime` of
/// the thread-group leader) tells the two apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Start of the thread-group leader, nanoseconds since boot; 0 where it is not known.
    pub start_ns: u64,
    /// Thread-group id in the machine's initial pid namespace.
    pub pid: u32,
    /// The boot in which it ran.
    pub boot: BootId,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.boot.0, self.pid, self.start_ns)
    }
}

/// A cgroup, by the id of its directory in the version 2 hierarchy (`kernfs_node.id`), or in the
/// version 1 hierarchy that the sensor follows where a container has no version 2 path of its own.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct CgroupId(pub u64);

/// Full container id as the runtime gives it: 64 hexadecimal digits with Docker and containerd.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(pub std::sync::Arc<str>);

impl ContainerId {
    /// How many digits people and rules use of a container id (Docker's short form).
    pub const SHORT_DIGITS: usize = 12;

    /// The first twelve digits, the form that rules compare with.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..Self::SHORT_DIGITS).unwrap_or(&self.0)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:032x}"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let digits = text.strip_prefix($prefix).ok_or(ParseIdError)?;
                if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(ParseIdError);
                }
                u128::from_str_radix(digits, 16).map(Self).map_err(|_| ParseIdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    u128::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

/// A text that is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: expected a prefix and 32 hexadecimal digits")
    }
}

impl std::error::Error for ParseIdError {}

id128! {
    /// One event, unique over all machines: the same observation always has the same id.
    EventId, "e-"
}
id128! {
    /// One finding; made from what caused it, so that a replay gives the same id.
    FindingId, "f-"
}
id128! {
    /// One story; made from its root, so that a replay gives the same id.
    StoryId, "s-"
}

impl EventId {
    /// The id of the `sequence`-th record that `cpu` of this boot gave to the sensor.
    ///
    /// High half: boot; then 16 bits of CPU and 48 bits of sequence, so that a hole in the
    /// sequence of one CPU shows what was lost.
    #[must_use]
    pub fn from_kernel(boot: BootId, cpu: u16, sequence: u64) -> Self {
        const SEQUENCE_BITS: u32 = 48;
        let sequence = u128::from(sequence & ((1 << SEQUENCE_BITS) - 1));
        Self((u128::from(boot.0) << 64) | (u128::from(cpu) << SEQUENCE_BITS) | sequence)
    }

    /// The id of the `number`-th event, from 0, that is told by one record of the sensor: several
    /// requests may come in one piece. The first keeps the record's own id.
    #[must_use]
    pub const fn part(self, number: u16) -> Self {
        Self(self.0 | (number as u128) << 96)
    }
}

/// Upper 32 bits of the ids of events from captures; no boot of the sensor and no hash of a
/// provider's id begins so, but for one in four thousand million of the latter.
const CAPTURE: u128 = 0x8000_5ca9;
const CAPTURE_NUMBER_BITS: u32 = 40;

impl EventId {
    /// The id of an event of a capture that another tool recorded: `number` is the one by which
    /// that tool knows it, from 1; `ordinal` tells apart several events that come of one.
    #[must_use]
    pub fn from_capture(boot: BootId, number: u64, ordinal: u32) -> Self {
        const ORDINAL_BITS: u32 = 24;
        let number = u128::from(number & ((1 << CAPTURE_NUMBER_BITS) - 1));
        let ordinal = u128::from(ordinal & ((1 << ORDINAL_BITS) - 1));
        let low = (ordinal << CAPTURE_NUMBER_BITS) | number;
        Self((CAPTURE << 96) | (u128::from(boot.0) << 64) | low)
    }

    /// The number by which the tool that recorded a capture knows the event; `None` for events of
    /// other sources.
    #[must_use]
    pub fn capture_number(self) -> Option<u64> {
        let number = u64::try_from(self.0 & ((1 << CAPTURE_NUMBER_BITS) - 1)).ok()?;
        (self.0 >> 96 == CAPTURE).then_some(number)
    }
}

/// The form of a [`ProcessKey`] in JSON: its text; in a tape: its three numbers.
impl Serialize for ProcessKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.start_ns, self.pid, self.boot).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ProcessKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            let (start_ns, pid, boot) = Deserialize::deserialize(deserializer)?;
            Ok(Self { start_ns, pid, boot })
        }
    }
}

impl std::str::FromStr for ProcessKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut parts = text.split('-');
        let (Some(boot), Some(pid), Some(start), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseIdError);
        };
        Ok(Self {
            boot: BootId(u32::from_str_radix(boot, 16).map_err(|_| ParseIdError)?),
            pid: pid.parse().map_err(|_| ParseIdError)?,
            start_ns: start.parse().map_err(|_| ParseIdError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_survives_its_text() {
        let id = EventId::from_kernel(BootId(7), 3, 99);
        assert_eq!(id.to_string(), "e-00000000000000070003000000000063");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("f-00".parse::<EventId>(), Err(ParseIdError));
    }

    #[test]
    fn an_event_of_a_capture_keeps_its_number() {
        let id = EventId::from_capture(BootId(7), 57, 3);
        assert_eq!(id.capture_number(), Some(57));
        assert_ne!(id, EventId::from_capture(BootId(7), 57, 2));
        assert_eq!(EventId::from_kernel(BootId(7), 3, 99).capture_number(), None);
    }

    #[test]
    fn a_process_key_survives_its_text() {
        let key = ProcessKey { boot: BootId(0xab), pid: 42, start_ns: 5 };
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("ab-42".parse::<ProcessKey>(), Err(ParseIdError));
    }

    #[test]
    fn a_short_container_id_has_twelve_digits() {
        let check = |id: &str, short: &str| assert_eq!(ContainerId(id.into()).short(), short);
        check("0123456789abcdef", "0123456789ab");
        check("abc", "abc");
    }
}
