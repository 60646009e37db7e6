//! Does one value pass?

use std::cmp::Ordering;
use std::net::IpAddr;

use clew_event::Scalar;
use memchr::memmem;
use rustc_hash::FxHashSet;

use super::glob::Glob;
use super::paths::PathPrefixes;
use crate::condition::{Modifier, Operator};

/// A test of one value against constants.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// Equals one of these.
    TextIn(FxHashSet<Box<[u8]>>),
    TextDiffers(Box<[u8]>),
    /// Compares byte by byte; the second says which outcome passes.
    TextOrder(Operator, Box<[u8]>),
    Contains(Box<memmem::Finder<'static>>),
    /// In lower case.
    ContainsIgnoringCase(Box<[u8]>),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Glob(Box<Glob>),
    Regex(Box<regex::bytes::Regex>),
    PathPrefix(Box<PathPrefixes>),
    /// The first for `false`, the second for `true`.
    Bool([bool; 2]),
    /// In ascending order.
    UnsignedIn(Box<[u64]>),
    Unsigned(Operator, u64),
    /// In ascending order.
    SignedIn(Box<[i64]>),
    Signed(Operator, i64),
    AddressIn(Box<[IpAddr]>),
    AddressDiffers(IpAddr),
    NetworkIn(Box<[Network]>),
    NetworkDiffers(Network),
    /// Several tests, of which so many have to pass.
    Several(Modifier, Box<[Self]>),
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// `None` where the prefix is longer than the address.
    pub(crate) fn new(address: IpAddr, prefix_bits: u8) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix_bits <= bits).then_some(Self { address, prefix_bits })
    }

    /// False for an address of the other family.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            _ => false,
        }
    }
}

impl Test {
    /// True where the value passes; a value of another type never does.
    pub(crate) fn passes(&self, value: &Scalar<'_>) -> bool {
        match self {
            Self::Several(modifier, tests) => several(*modifier, tests, value),
            Self::Bool(accepted) => match value {
                Scalar::Bool(flag) => *flag && accepted[1] || !*flag && accepted[0],
                _ => false,
            },
            Self::UnsignedIn(set) => {
                unsigned(value).is_some_and(|number| set.binary_search(&number).is_ok())
            }
            Self::Unsigned(operator, constant) => {
                unsigned(value).is_some_and(|number| orders(*operator, number.cmp(constant)))
            }
            Self::SignedIn(set) => {
                signed(value).is_some_and(|number| set.binary_search(&number).is_ok())
            }
            Self::Signed(operator, constant) => {
                signed(value).is_some_and(|number| orders(*operator, number.cmp(constant)))
            }
            Self::AddressIn(set) => address(value).is_some_and(|address| set.contains(&address)),
            Self::AddressDiffers(constant) => {
                address(value).is_some_and(|address| address != *constant)
            }
            Self::NetworkIn(set) => address(value)
                .is_some_and(|address| set.iter().any(|network| network.contains(address))),
            Self::NetworkDiffers(network) => {
                address(value).is_some_and(|address| !network.contains(address))
            }
            _ => match value {
                Scalar::Text(text) => self.passes_text(text),
                _ => false,
            },
        }
    }

    fn passes_text(&self, text: &[u8]) -> bool {
        match self {
            Self::TextIn(set) => set.contains(text),
            Self::TextDiffers(constant) => *text != **constant,
            Self::TextOrder(operator, constant) => orders(*operator, text.cmp(constant)),
            Self::Contains(finder) => finder.find(text).is_some(),
            Self::ContainsIgnoringCase(needle) => contains_ignoring_case(text, needle),
            Self::StartsWith(prefix) => text.starts_with(prefix),
            Self::EndsWith(suffix) => text.ends_with(suffix),
            Self::Glob(glob) => glob.matches(text),
            // Expressions speak of characters; bytes that are none count as U+FFFD.
            Self::Regex(regex) => regex.is_match(String::from_utf8_lossy(text).as_bytes()),
            Self::PathPrefix(prefixes) => prefixes.matches(text),
            Self::Bool(_)
            | Self::UnsignedIn(_)
            | Self::Unsigned(..)
            | Self::SignedIn(_)
            | Self::Signed(..)
            | Self::AddressIn(_)
            | Self::AddressDiffers(_)
            | Self::NetworkIn(_)
            | Self::NetworkDiffers(_)
            | Self::Several(..) => false,
        }
    }

    /// Roughly how long it takes, in comparisons of short texts.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Self::Bool(_)
            | Self::UnsignedIn(_)
            | Self::Unsigned(..)
            | Self::SignedIn(_)
            | Self::Signed(..) => 1,
            Self::TextDiffers(_)
            | Self::TextOrder(..)
            | Self::StartsWith(_)
            | Self::EndsWith(_)
            | Self::AddressIn(_)
            | Self::AddressDiffers(_)
            | Self::NetworkDiffers(_) => 2,
            Self::TextIn(_) | Self::NetworkIn(_) => 3,
            Self::Contains(_) => 6,
            Self::PathPrefix(_) | Self::Glob(_) | Self::ContainsIgnoringCase(_) => 12,
            Self::Regex(_) => 30,
            Self::Several(_, tests) => tests.iter().map(Self::cost).sum(),
        }
    }
}

fn several(modifier: Modifier, tests: &[Test], value: &Scalar<'_>) -> bool {
    let mut passed = tests.iter().filter(|test| test.passes(value));
    match modifier {
        Modifier::Anyof => passed.next().is_some(),
        Modifier::Oneof => passed.next().is_some() && passed.next().is_none(),
        Modifier::Allof => !tests.is_empty() && passed.count() == tests.len(),
    }
}

/// True where the operator accepts that outcome; operators that do not order accept none.
pub(crate) fn orders(operator: Operator, outcome: Ordering) -> bool {
    match operator {
        Operator::Eq | Operator::In | Operator::Intersects => outcome.is_eq(),
        Operator::Ne => outcome.is_ne(),
        Operator::Lt => outcome.is_lt(),
        Operator::Le => outcome.is_le(),
        Operator::Gt => outcome.is_gt(),
        Operator::Ge => outcome.is_ge(),
        Operator::Contains
        | Operator::Icontains
        | Operator::Bcontains
        | Operator::Startswith
        | Operator::Bstartswith
        | Operator::Endswith
        | Operator::Glob
        | Operator::Iglob
        | Operator::Regex
        | Operator::Pmatch => false,
    }
}

/// Letters of ASCII only, like `strcasestr` in the C locale. `needle` is in lower case.
pub(crate) fn contains_ignoring_case(text: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

/// A number as the original compares it: a negative one wraps.
pub(crate) fn unsigned(value: &Scalar<'_>) -> Option<u64> {
    match value {
        Scalar::Unsigned(number) => Some(*number),
        Scalar::Signed(number) => Some(number.cast_unsigned()),
        Scalar::Bool(flag) => Some(u64::from(*flag)),
        Scalar::Text(_) | Scalar::Ip(_) => None,
    }
}

pub(crate) fn signed(value: &Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Signed(number) => Some(*number),
        Scalar::Unsigned(number) => Some(number.cast_signed()),
        Scalar::Bool(flag) => Some(i64::from(*flag)),
        Scalar::Text(_) | Scalar::Ip(_) => None,
    }
}

fn address(value: &Scalar<'_>) -> Option<IpAddr> {
    match value {
        Scalar::Ip(address) => Some(*address),
        _ => None,
    }
}
