//! Does one of a field's values pass? The tests of Sigma.
//!
//! Where Falco types each field, Sigma compares texts: a number is compared as it is written, a
//! list passes where one of its values does. What an event does not have passes `null` alone.

use std::io::Write;
use std::net::IpAddr;

use clew_event::{FieldValue, Scalar};

use super::pattern::Patterns;
use super::predicate::Extract;
use super::test::Network;

/// A test of all values of a field.
#[derive(Clone, Debug)]
pub(crate) enum AnyTest {
    /// There is no value.
    Null,
    /// The field is there, with a value or without.
    Present,
    Fits(Patterns),
    Regex(Box<regex::bytes::Regex>),
    Networks(Box<[Network]>),
    Number(Order, Number),
    /// A part of the time that a value tells.
    Time(TimePart, Order, Number),
    /// A value of another field.
    Field {
        place: Place,
        is_cased: bool,
        right: Extract,
    },
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Differs,
}

/// Where the value of another field has to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Whole,
    Start,
    End,
    Inside,
}

/// A part of a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A number, whole ones exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    /// A number in decimal digits.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        if let Ok(number) = text.parse() {
            return Some(Self::Whole(number));
        }
        let begins =
            text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
        text.parse().ok().filter(|number: &f64| begins && number.is_finite()).map(Self::Fraction)
    }

    /// The nearest number with a fraction.
    #[allow(clippy::cast_precision_loss, reason = "only numbers with a fraction are compared so")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Fraction(number) => number,
        }
    }
}

impl Order {
    /// True where `left` stands so to `right`.
    pub(crate) fn holds(self, left: Number, right: Number) -> bool {
        let outcome = match (left, right) {
            (Number::Whole(left), Number::Whole(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().partial_cmp(&right.as_f64()),
        };
        outcome.is_some_and(|outcome| match self {
            Self::Equal => outcome.is_eq(),
            Self::Less => outcome.is_lt(),
            Self::LessOrEqual => outcome.is_le(),
            Self::Greater => outcome.is_gt(),
            Self::GreaterOrEqual => outcome.is_ge(),
            Self::Differs => outcome.is_ne(),
        })
    }
}

impl AnyTest {
    /// True where a value passes; `right` gives the values of the other field.
    pub(crate) fn passes(&self, values: &FieldValue<'_>, right: &FieldValue<'_>) -> bool {
        match self {
            Self::Null => is_without_value(values),
            Self::Present => *values != FieldValue::Missing,
            Self::Fits(patterns) => {
                any(values, |value| with_text(value, |text| patterns.fit(text)))
            }
            Self::Regex(regex) => any(values, |value| {
                with_text(value, |text| match std::str::from_utf8(text) {
                    Ok(_) => regex.is_match(text),
                    // Expressions speak of characters; bytes that are none count as U+FFFD.
                    Err(_) => regex.is_match(String::from_utf8_lossy(text).as_bytes()),
                })
            }),
            Self::Networks(networks) => any(values, |value| {
                address(value).is_some_and(|it| networks.iter().any(|network| network.contains(it)))
            }),
            Self::Number(order, constant) => {
                any(values, |value| number(value).is_some_and(|it| order.holds(it, *constant)))
            }
            Self::Time(part, order, constant) => any(values, |value| {
                time_part(*part, value).is_some_and(|it| order.holds(it, *constant))
            }),
            Self::Field { place, is_cased, .. } => any(values, |value| {
                with_text(value, |left| {
                    any(right, |other| {
                        with_text(other, |right| stands(*place, *is_cased, left, right))
                    })
                })
            }),
        }
    }

    /// Roughly how long it takes, in comparisons of short texts.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Self::Null | Self::Present => 1,
            Self::Fits(patterns) => patterns.cost(),
            Self::Regex(_) => 60,
            Self::Networks(_) | Self::Number(..) => 6,
            Self::Time(..) | Self::Field { .. } => 20,
        }
    }
}

pub(crate) fn any(values: &FieldValue<'_>, passes: impl Fn(&Scalar<'_>) -> bool) -> bool {
    match values {
        FieldValue::Missing => false,
        FieldValue::One(value) => passes(value),
        FieldValue::Many(values) => values.iter().any(passes),
    }
}

fn is_without_value(values: &FieldValue<'_>) -> bool {
    match values {
        FieldValue::Missing => true,
        FieldValue::One(_) => false,
        FieldValue::Many(values) => values.is_empty(),
    }
}

/// What `then` makes of a value as it is written.
pub(crate) fn with_text<T>(value: &Scalar<'_>, then: impl FnOnce(&[u8]) -> T) -> T {
    // The longest address has 45 characters, the longest number 20.
    let mut buffer = [0; 48];
    let mut rest = buffer.as_mut_slice();
    let written = match value {
        Scalar::Text(text) => return then(text),
        Scalar::Bool(true) => return then(b"true"),
        Scalar::Bool(false) => return then(b"false"),
        Scalar::Unsigned(number) => write!(rest, "{number}"),
        Scalar::Signed(number) => write!(rest, "{number}"),
        Scalar::Ip(address) => write!(rest, "{address}"),
    };
    let left = rest.len();
    debug_assert!(written.is_ok(), "the buffer holds every number and address");
    let length = buffer.len() - left;
    then(buffer.get(..length).unwrap_or_default())
}

/// The number that a value is, also where it is written as a text.
pub(crate) fn number(value: &Scalar<'_>) -> Option<Number> {
    match value {
        Scalar::Unsigned(number) => Some(Number::Whole((*number).into())),
        Scalar::Signed(number) => Some(Number::Whole((*number).into())),
        Scalar::Text(text) => Number::read(text),
        Scalar::Bool(_) | Scalar::Ip(_) => None,
    }
}

fn address(value: &Scalar<'_>) -> Option<IpAddr> {
    match value {
        Scalar::Ip(address) => Some(*address),
        Scalar::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        Scalar::Bool(_) | Scalar::Unsigned(_) | Scalar::Signed(_) => None,
    }
}

fn stands(place: Place, is_cased: bool, left: &[u8], right: &[u8]) -> bool {
    let is_ascii = left.is_ascii() && right.is_ascii();
    if !is_cased && !is_ascii {
        let lower = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase().into_bytes();
        return stands(place, true, &lower(left), &lower(right));
    }
    let equal = |a: &[u8], b: &[u8]| if is_cased { a == b } else { a.eq_ignore_ascii_case(b) };
    let Some(spare) = left.len().checked_sub(right.len()) else { return false };
    let at = |from: usize| left.get(from..from + right.len()).is_some_and(|it| equal(it, right));
    match place {
        Place::Whole => spare == 0 && at(0),
        Place::Start => at(0),
        Place::End => at(spare),
        Place::Inside => (0..=spare).any(at),
    }
}

/// A part of a time written as `2026-08-05T14:03:11Z` or so, or of a number of seconds,
/// milliseconds, microseconds or nanoseconds since 1970; zones are not looked at.
fn time_part(part: TimePart, value: &Scalar<'_>) -> Option<Number> {
    let time = match value {
        Scalar::Text(text) => Date::read(text).or_else(|| match Number::read(text)? {
            Number::Whole(number) => Date::from_unix(number.try_into().ok()?),
            Number::Fraction(_) => None,
        })?,
        Scalar::Unsigned(number) => Date::from_unix((*number).try_into().ok()?)?,
        Scalar::Signed(number) => Date::from_unix(*number)?,
        Scalar::Bool(_) | Scalar::Ip(_) => return None,
    };
    let number = match part {
        TimePart::Minute => time.minute?,
        TimePart::Hour => time.hour?,
        TimePart::Day => time.day,
        TimePart::Week => time.week(),
        TimePart::Month => time.month,
        TimePart::Year => time.year,
    };
    Some(Number::Whole(number.into()))
}

/// A date, perhaps with a time of day.
#[derive(Clone, Copy, Debug)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: Option<i64>,
    minute: Option<i64>,
}

impl Date {
    fn read(text: &[u8]) -> Option<Self> {
        let digits = |from: usize, to: usize| {
            let part = text.get(from..to)?;
            part.iter().try_fold(0_i64, |number, byte| {
                byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
            })
        };
        let is_separated = text.get(4) == Some(&b'-') && text.get(7) == Some(&b'-');
        let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
        let is_date = is_separated && (1..=12).contains(&month) && (1..=31).contains(&day);
        let has_time =
            matches!(text.get(10), Some(b'T' | b't' | b' ')) && text.get(13) == Some(&b':');
        let hour = digits(11, 13).filter(|hour| has_time && *hour < 24);
        let minute = digits(14, 16).filter(|minute| has_time && *minute < 60);
        is_date.then_some(Self { year, month, day, hour, minute })
    }

    /// Which unit it is follows from how large it is: seconds up to the year 5138.
    fn from_unix(number: i64) -> Option<Self> {
        let seconds = match number {
            0..100_000_000_000 => number,
            100_000_000_000..100_000_000_000_000 => number / 1_000,
            100_000_000_000_000..100_000_000_000_000_000 => number / 1_000_000,
            100_000_000_000_000_000.. => number / 1_000_000_000,
            i64::MIN..0 => return None,
        };
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
        let shifted = seconds / 86_400 + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
        Some(Self { year, month, day, hour: Some(hour), minute: Some(minute) })
    }

    /// Week of the year as ISO 8601 counts: the first one holds the year's first Thursday.
    fn week(self) -> i64 {
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        // Weekday of 31 December, Sunday as 0: years of 53 weeks end or follow on a Thursday.
        let last_day = |year: i64| (year + year / 4 - year / 100 + year / 400) % 7;
        let weeks = |year: i64| 52 + i64::from(last_day(year) == 4 || last_day(year - 1) == 3);
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let index = usize::try_from(self.month - 1).unwrap_or_default();
        let leap_day = i64::from(is_leap(self.year) && 2 < self.month);
        let of_year = before.get(index).copied().unwrap_or_default() + self.day + leap_day;
        // Monday as 1.
        let weekday = (last_day(self.year - 1) + of_year + 6) % 7 + 1;
        match (of_year - weekday + 10) / 7 {
            0 => weeks(self.year - 1),
            week if weeks(self.year) < week => 1,
            week => week,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(part: TimePart, text: &str) -> Option<i128> {
        match time_part(part, &Scalar::from(text))? {
            Number::Whole(number) => Some(number),
            Number::Fraction(_) => None,
        }
    }

    #[test]
    fn fields_are_compared_without_regard_to_case() {
        let check = |place, is_cased, left: &str, right: &str, expected: bool| {
            let found = stands(place, is_cased, left.as_bytes(), right.as_bytes());
            assert_eq!(found, expected, "{place:?} {left} {right}");
        };
        check(Place::Whole, false, "aB", "Ab", true);
        check(Place::Whole, false, "\u{c9}b", "\u{e9}B", true);
        check(Place::Whole, true, "\u{c9}b", "\u{e9}b", false);
        check(Place::Inside, false, "x\u{c9}x", "\u{e9}", true);
        check(Place::End, false, "x\u{c9}x", "\u{e9}", false);
    }

    #[test]
    fn a_time_is_taken_apart() {
        let check = |text: &str, expected: [Option<i128>; 6]| {
            use TimePart as P;
            let parts = [P::Minute, P::Hour, P::Day, P::Week, P::Month, P::Year];
            assert_eq!(parts.map(|it| part(it, text)), expected, "{text}");
        };
        let all = |parts: [i128; 6]| parts.map(Some);
        check("2026-08-05T14:03:11Z", all([3, 14, 5, 32, 8, 2026]));
        check("2021-01-03 00:00", all([0, 0, 3, 53, 1, 2021]));
        check("2024-12-30T23:59", all([59, 23, 30, 1, 12, 2024]));
        check("1785938591", all([3, 14, 5, 32, 8, 2026]));
        check("1785938591000", all([3, 14, 5, 32, 8, 2026]));
        check("951782400", all([0, 0, 29, 9, 2, 2000]));
        check("2026-08-05", [None, None, Some(5), Some(32), Some(8), Some(2026)]);
        check("yesterday", [None; 6]);
    }

    #[test]
    fn numbers_are_compared_exactly_and_texts_that_are_numbers_too() {
        let check = |text: &str, order: Order, constant: &str, expected: bool| {
            let constant = Number::read(constant.as_bytes()).unwrap();
            let test = AnyTest::Number(order, constant);
            let found = test.passes(&FieldValue::from(text), &FieldValue::Missing);
            assert_eq!(found, expected, "{text} {order:?} {constant:?}");
        };
        check("18446744073709551616", Order::Greater, "18446744073709551615", true);
        check("10", Order::Less, "9", false);
        check("1.5", Order::GreaterOrEqual, "1.5", true);
        check("-3", Order::LessOrEqual, "-3", true);
        check("nan", Order::Less, "9", false);
        check("inf", Order::Greater, "9", false);
        check("", Order::Less, "9", false);
    }
}
