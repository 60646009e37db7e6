//! The shape of a part: what a hole says of the values that fit it.
//!
//! Numbers, UUIDs and long hexadecimal words are drawn from an open set wherever they stand, and
//! become holes at once. A word, a path or a URL becomes one only by evidence (`tree`).

/// Hexadecimal words of this length or longer are random: four bytes.
const HEX_MIN: usize = 8;

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
