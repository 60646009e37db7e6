//! Points in time as audit logs write them.

use clew_event::TimestampNs;

pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// RFC 3339, the same with a blank and without zone (UTC, as exports of logs have it), or the
/// words in which AWS tells when something ends (`Aug 1, 2024, 11:45:22 AM`); `None` for the rest.
pub(crate) fn moment(text: &str) -> Option<TimestampNs> {
    TimestampNs::from_rfc3339(text).or_else(|| without_zone(text)).or_else(|| in_words(text))
}

fn without_zone(text: &str) -> Option<TimestampNs> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let is_bare = date.len() == 10 && !time.contains([' ', 'Z', '+', '-']);
    is_bare.then(|| TimestampNs::from_rfc3339(&format!("{date}T{time}Z"))).flatten()
}

/// With or without a comma behind the year, as records of different years have it.
fn in_words(text: &str) -> Option<TimestampNs> {
    let mut words = text.split([' ', ',', '\u{202f}']).filter(|word| !word.is_empty());
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let day: u8 = words.next()?.parse().ok()?;
    let year: u16 = words.next()?.parse().ok()?;
    let (hour, rest) = words.next()?.split_once(':')?;
    let half_day = match (words.next()?, words.next()) {
        ("AM", None) => 0,
        ("PM", None) => 12,
        _ => return None,
    };
    let hour = hour.parse::<u8>().ok().filter(|hour| (1..=12).contains(hour))? % 12 + half_day;
    TimestampNs::from_rfc3339(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{rest}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_logs_write() {
        let check = |text: &str, expected: Option<&str>| {
            let found = moment(text).map(|time| time.to_string());
            let expected = expected.map(|start| format!("{start}.000000000Z"));
            assert_eq!(found, expected, "{text}");
        };
        check("2024-08-01T11:45:22Z", Some("2024-08-01T11:45:22"));
        check("2024-08-01T13:45:22+02:00", Some("2024-08-01T11:45:22"));
        check("2024-08-01 11:45:22", Some("2024-08-01T11:45:22"));
        check("2024-08-01T11:45:22.000", Some("2024-08-01T11:45:22"));
        check("Aug 1, 2024, 11:45:22 AM", Some("2024-08-01T11:45:22"));
        check("Jul 10, 2023 12:01:52 PM", Some("2023-07-10T12:01:52"));
        check("Jul 10, 2023 12:01:52\u{202f}AM", Some("2023-07-10T00:01:52"));
        check("Jul 10, 2023 13:01:52 PM", None);
        check("Jul 10, 2023 0:01:52 PM", None);
        check("Jul 10, 2023 1:01:52 PM CET", None);
        check("2024-08-01", None);
        check("Juli 1, 2024, 11:45:22 AM", None);
        check("", None);
    }
}
