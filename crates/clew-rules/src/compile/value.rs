//! Reads constants as the type they are compared with asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clew_event::field::ValueKind;
use memchr::memmem;
use regex::bytes::RegexBuilder;
use rustc_hash::FxHashSet;

use crate::condition::{Modifier, Operator, Value};
use crate::diagnostic::{Code, Problem};
use crate::judge::glob::Glob;
use crate::judge::paths::PathPrefixes;
use crate::judge::test::{Network, Test};

/// Largest compiled regular expression, and largest cache of its lazy automaton.
pub(crate) const REGEX_BYTES_MAX: usize = 1 << 20;

/// The test that a value passes an operator with constants.
///
/// # Errors
/// A constant is not of the type.
pub(super) fn test(
    kind: ValueKind,
    is_32_bits: bool,
    operator: Operator,
    modifier: Option<Modifier>,
    values: &[&Value],
) -> Result<Test, Problem> {
    let Some(modifier) = modifier else {
        return plain_test(kind, is_32_bits, operator, values);
    };
    let is_address = matches!(kind, ValueKind::Ip | ValueKind::Net);
    let operator = if is_address && operator != Operator::Ne { Operator::Eq } else { operator };
    let tests = values.iter().map(|value| plain_test(kind, is_32_bits, operator, &[value]));
    Ok(Test::Several(modifier, tests.collect::<Result<_, _>>()?))
}

fn plain_test(
    kind: ValueKind,
    is_32_bits: bool,
    operator: Operator,
    values: &[&Value],
) -> Result<Test, Problem> {
    match kind {
        ValueKind::Text | ValueKind::Path | ValueKind::Bytes => text_test(kind, operator, values),
        ValueKind::Bool => bool_test(operator, values),
        ValueKind::Signed => {
            let numbers = read_all(values, signed)?;
            Ok(match (is_set(operator), numbers.first()) {
                (false, Some(number)) => Test::Signed(operator, *number),
                _ => Test::SignedIn(sorted(numbers)),
            })
        }
        ValueKind::Unsigned | ValueKind::Port | ValueKind::Time | ValueKind::Duration => {
            let read = |value: &Value| match kind {
                ValueKind::Port => port(value),
                _ => unsigned(value, is_32_bits),
            };
            let numbers = read_all(values, read)?;
            Ok(match (is_set(operator), numbers.first()) {
                (false, Some(number)) => Test::Unsigned(operator, *number),
                _ => Test::UnsignedIn(sorted(numbers)),
            })
        }
        ValueKind::Ip => {
            let addresses = read_all(values, address)?;
            Ok(match (operator, addresses.first()) {
                (Operator::Ne, Some(address)) => Test::AddressDiffers(*address),
                _ => Test::AddressIn(sorted(addresses)),
            })
        }
        ValueKind::Net => {
            let networks = read_all(values, network)?;
            Ok(match (operator, networks.first()) {
                (Operator::Ne, Some(network)) => Test::NetworkDiffers(*network),
                _ => Test::NetworkIn(sorted(networks)),
            })
        }
    }
}

/// True for operators that ask whether the value is one of the constants.
fn is_set(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::In | Operator::Intersects)
}

fn text_test(kind: ValueKind, operator: Operator, values: &[&Value]) -> Result<Test, Problem> {
    if kind != ValueKind::Bytes
        && let Some(value) = values.iter().find(|value| value.bytes.contains(&0))
    {
        return Err(problem(value, "a text cannot hold a NUL byte"));
    }
    let texts: FxHashSet<Box<[u8]>> = values.iter().map(|value| value.bytes.clone()).collect();
    let Some(first) = values.first() else { return Ok(Test::TextIn(texts)) };
    let bytes = first.bytes.clone();
    Ok(match operator {
        Operator::Eq | Operator::In | Operator::Intersects => Test::TextIn(texts),
        Operator::Ne => Test::TextDiffers(bytes),
        Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => {
            Test::TextOrder(operator, bytes)
        }
        Operator::Contains => contains(&bytes),
        Operator::Icontains => Test::ContainsIgnoringCase(bytes.to_ascii_lowercase().into()),
        Operator::Bcontains => contains(&hexadecimal(first)?),
        Operator::Startswith => Test::StartsWith(bytes),
        Operator::Bstartswith => Test::StartsWith(hexadecimal(first)?.into()),
        Operator::Endswith => Test::EndsWith(bytes),
        Operator::Glob => Test::Glob(Box::new(Glob::new(&bytes, false))),
        Operator::Iglob => Test::Glob(Box::new(Glob::new(&bytes, true))),
        Operator::Regex => regex(first)?,
        Operator::Pmatch => {
            let prefixes = PathPrefixes::new(values.iter().map(|value| &*value.bytes));
            Test::PathPrefix(Box::new(prefixes))
        }
    })
}

fn contains(needle: &[u8]) -> Test {
    Test::Contains(Box::new(memmem::Finder::new(needle).into_owned()))
}

/// The whole text has to match, as in the original. `.` is any character but a line feed, `^` and
/// `$` stand at lines. Perl's classes such as `\d`, which the original refuses, are taken.
fn regex(value: &Value) -> Result<Test, Problem> {
    let Ok(pattern) = std::str::from_utf8(&value.bytes) else {
        return Err(problem(value, "a regular expression has to be UTF-8"));
    };
    let built = RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .multi_line(true)
        .build();
    match built {
        Ok(regex) => Ok(Test::Regex(Box::new(regex))),
        Err(error) => {
            let detail = error.to_string();
            let reason = detail.lines().last().unwrap_or_default().trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            Err(problem(value, &format!("the regular expression cannot be used: {reason}")))
        }
    }
}

fn bool_test(operator: Operator, values: &[&Value]) -> Result<Test, Problem> {
    let flags = read_all(values, |value| match &*value.bytes {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(problem(value, &format!("`{value}` is neither `true` nor `false`"))),
    })?;
    let is_accepted = |flag: bool| flags.contains(&flag) != (operator == Operator::Ne);
    Ok(Test::Bool([is_accepted(false), is_accepted(true)]))
}

fn read_all<T>(
    values: &[&Value],
    read: impl Fn(&Value) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    values.iter().map(|value| read(value)).collect()
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Box<[T]> {
    values.sort_unstable();
    values.dedup();
    values.into()
}

/// Decimal, like `sscanf("%lu")`: a sign is allowed, and a negative number wraps.
fn unsigned(value: &Value, is_32_bits: bool) -> Result<u64, Problem> {
    let number = integer(value)?;
    let number = match u64::try_from(number) {
        Ok(number) => number,
        Err(_) if number < 0 => i64::try_from(number).map_or(u64::MAX, i64::cast_unsigned),
        Err(_) => u64::MAX,
    };
    Ok(if is_32_bits { number & u64::from(u32::MAX) } else { number })
}

fn signed(value: &Value) -> Result<i64, Problem> {
    let number = integer(value)?;
    Ok(i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX }))
}

fn integer(value: &Value) -> Result<i128, Problem> {
    let text = std::str::from_utf8(&value.bytes).unwrap_or_default();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let refused = problem(value, &format!("`{value}` is no whole number"));
        return Err(refused.help("numbers are decimal, without a fraction or exponent"));
    }
    // Longer ones saturate, and what has more than 38 digits is larger than any value.
    let magnitude = digits.parse::<i128>().unwrap_or(i128::MAX);
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Names of services that rules may write instead of a port, as in `/etc/services`.
const SERVICES: [(&str, u64); 24] = [
    ("bootpc", 68),
    ("bootps", 67),
    ("domain", 53),
    ("finger", 79),
    ("ftp", 21),
    ("http", 80),
    ("https", 443),
    ("imap2", 143),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("mysql", 3306),
    ("nfs", 2049),
    ("ntp", 123),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgresql", 5432),
    ("rsync", 873),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("syslog", 514),
    ("telnet", 23),
    ("tftp", 69),
];

fn port(value: &Value) -> Result<u64, Problem> {
    let text = std::str::from_utf8(&value.bytes).unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    if let Some((_, port)) = SERVICES.iter().find(|(name, _)| *name == text) {
        return Ok(*port);
    }
    match text.parse::<u16>() {
        Ok(port) => Ok(u64::from(port)),
        Err(_) => Err(problem(value, &format!("`{value}` is no port, nor a service Clew knows"))
            .help("write the number of the port, 0 to 65535")),
    }
}

fn address(value: &Value) -> Result<IpAddr, Problem> {
    parse_address(&value.bytes).ok_or_else(|| problem(value, &format!("`{value}` is no address")))
}

fn network(value: &Value) -> Result<Network, Problem> {
    let refused = || {
        problem(value, &format!("`{value}` is no network"))
            .help("write an address, a slash and the bits of the prefix: `10.0.0.0/8`")
    };
    let text = std::str::from_utf8(&value.bytes).map_err(|_| refused())?;
    let (address, bits) = text.split_once('/').ok_or_else(refused)?;
    let address = parse_address(address.as_bytes()).ok_or_else(refused)?;
    let bits = bits.parse().map_err(|_| refused())?;
    Network::new(address, bits).ok_or_else(refused)
}

/// With a dot IPv4, else IPv6, as the original tells them apart; so `::ffff:1.2.3.4` is neither.
fn parse_address(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains('.') {
        text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    } else {
        text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    }
}

fn hexadecimal(value: &Value) -> Result<Vec<u8>, Problem> {
    let digits = value.bytes.iter().map(|&byte| char::from(byte).to_digit(16));
    let digits: Option<Vec<u32>> = digits.collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits
            .chunks_exact(2)
            .filter_map(|pair| {
                pair.iter().try_fold(0_u8, |byte, &digit| {
                    u8::try_from(digit).ok().map(|digit| byte << 4 | digit)
                })
            })
            .collect()),
        _ => Err(problem(value, &format!("`{value}` is no hexadecimal text"))
            .help("write two digits a byte: `cafe`")),
    }
}

fn problem(value: &Value, message: &str) -> Problem {
    Problem::new(Code::Value, value.place, message)
}
