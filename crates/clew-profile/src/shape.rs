//! The shape of a part: what a hole says of the values that fit it.
//!
//! Numbers, UUIDs and long hexadecimal words are drawn from an open set wherever they stand, and
//! become holes at once; so do long numbers and random endings within a name. A word, a path or a
//! URL becomes one only by evidence (`tree`).

use std::borrow::Cow;

use crate::item::PART_BYTES_MAX;

/// Hexadecimal words of this length or longer are random: four bytes.
const HEX_MIN: usize = 8;
/// A number of so many digits within a name is a time or an id; a shorter one may be a version, or
/// a part of an address.
const NUMBER_MIN: usize = 6;

/// The hole for a part that is never a name; `None` for all that may be one.
#[must_use]
pub(crate) fn volatile(part: &[u8]) -> Option<&'static str> {
    let is_number = !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if is_number {
        return Some("{number}");
    }
    if is_uuid(part) {
        return Some("{uuid}");
    }
    is_random_hex(part).then_some("{hex}")
}

/// The part with what is drawn from an open set as holes; `None` where nothing of it is.
///
/// Of a name: an ending as `mkstemp` draws it (`pkgcache.bin.{word}`), the id that it begins with
/// (`{hex}.pid`), and numbers that are long enough for times and ids (`{number}.tar`).
#[must_use]
pub(crate) fn drawn(part: &[u8]) -> Option<Cow<'static, str>> {
    if let Some(hole) = volatile(part) {
        return Some(Cow::Borrowed(hole));
    }
    let is_plain = part.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'{');
    let name =
        std::str::from_utf8(part).ok().filter(|_| is_plain && part.len() <= PART_BYTES_MAX)?;
    let ending = name.rfind(['.', '-', '_']).and_then(|at| name.split_at_checked(at + 1));
    if let Some((head, ending)) = ending
        && is_random_ending(ending.as_bytes())
    {
        return Some(Cow::Owned(format!("{head}{{word}}")));
    }
    if let Some((stem, rest)) = name.split_once('.')
        && is_random_hex(stem.as_bytes())
    {
        return Some(Cow::Owned(format!("{{hex}}.{rest}")));
    }
    without_long_numbers(name).map(Cow::Owned)
}

/// Six letters and digits, as the C library draws for `mkstemp`, or eight, as Python does, that
/// change their kind (upper, lower, digit) at least twice: nine of ten random ones do, and few
/// words (`Backup` changes once).
fn is_random_ending(ending: &[u8]) -> bool {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    };
    let changes = ending.windows(2).filter(|pair| match pair {
        [a, b] => kind(*a) != kind(*b),
        _ => false,
    });
    matches!(ending.len(), 6 | 8)
        && ending.iter().all(u8::is_ascii_alphanumeric)
        && 2 <= changes.count()
}

/// The name with each long run of digits as a hole; `None` where there is none.
fn without_long_numbers(name: &str) -> Option<String> {
    let mut shaped = String::new();
    let mut is_changed = false;
    for run in name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let is_long = NUMBER_MIN <= run.len() && run.iter().all(u8::is_ascii_digit);
        is_changed |= is_long;
        shaped.push_str(if is_long { "{number}" } else { std::str::from_utf8(run).ok()? });
    }
    is_changed.then_some(shaped)
}

/// A word with at least one digit and one letter among hexadecimal digits.
fn is_random_hex(part: &[u8]) -> bool {
    HEX_MIN <= part.len()
        && part.iter().all(u8::is_ascii_hexdigit)
        && part.iter().any(u8::is_ascii_digit)
        && part.iter().any(u8::is_ascii_alphabetic)
}

fn is_uuid(part: &[u8]) -> bool {
    let groups = || part.split(|&byte| byte == b'-');
    part.len() == 36
        && groups().map(<[u8]>::len).eq([8, 4, 4, 4, 12])
        && groups().all(|group| group.iter().all(u8::is_ascii_hexdigit))
}

/// The hole that a part of a key would become; a part that is a hole is itself.
///
/// What is before `=` in an option and what is behind the last dot of a name stays.
#[must_use]
pub(crate) fn hole(part: &str) -> String {
    if part.starts_with('{') {
        return part.to_owned();
    }
    if part.starts_with('-')
        && let Some((option, value)) = part.split_once('=')
    {
        return format!("{option}={}", hole(value));
    }
    if let Some(hole) = volatile(part.as_bytes()) {
        return hole.to_owned();
    }
    if part.contains("://") {
        return "{url}".to_owned();
    }
    let (name, extension) = match part.rsplit_once('.') {
        Some((name, extension)) if is_extension(name, extension) => (name, Some(extension)),
        _ => (part, None),
    };
    let hole = if name.contains('/') { "{path}" } else { "{word}" };
    extension.map_or_else(|| hole.to_owned(), |extension| format!("{hole}.{extension}"))
}

fn is_extension(name: &str, extension: &str) -> bool {
    !name.is_empty()
        && (1..=8).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_a_name_is_a_hole_at_once() {
        let check = |part: &str, hole| assert_eq!(volatile(part.as_bytes()), hole, "{part}");
        check("1234", Some("{number}"));
        check("6f1c2d3e4f5a6b7c", Some("{hex}"));
        check("123e4567-e89b-12d3-a456-426614174000", Some("{uuid}"));
        check("deadbeef", None);
        check("passwd", None);
        check("", None);
    }

    #[test]
    fn what_is_drawn_anew_within_a_name_is_a_hole_and_words_and_versions_are_none() {
        let check = |part: &str, shaped: Option<&str>| {
            assert_eq!(drawn(part.as_bytes()).as_deref(), shaped, "{part}");
        };
        check("1234", Some("{number}"));
        check("pkgcache.bin.0j1TAO", Some("pkgcache.bin.{word}"));
        check("runc.BEh5uO", Some("runc.{word}"));
        check("wgunicorn-04a3w8va", Some("wgunicorn-{word}"));
        check("c5080e00d92c.lower-test", Some("{hex}.lower-test"));
        check("1795627861.tar", Some("{number}.tar"));
        check("PostgreSQL.4000395394", Some("PostgreSQL.{number}"));
        for name in ["site.Backup", "a.sqlite", "python3.11", "10.20.30.40", "{word}.abC1dE"] {
            check(name, None);
        }
        check(&format!("{}.abC1dE", "x".repeat(PART_BYTES_MAX)), None);
        assert_eq!(drawn(b"\xff.abC1dE"), None, "bytes are escaped where they are kept");
    }

    #[test]
    fn a_hole_keeps_option_and_extension() {
        let check = |part: &str, expected: &str| assert_eq!(hole(part), expected);
        check("sess_x1y2", "{word}");
        check("report-april.pdf", "{word}.pdf");
        check("/srv/a/b.txt", "{path}.txt");
        check("--port=8080", "--port={number}");
        check("https://example.org/x", "{url}");
        check("{word}", "{word}");
        check(".bashrc", "{word}");
    }
}
