//! Shell patterns as `fnmatch(3)` with no flags reads them.
//!
//! `*` and `?` match `/` and a leading dot too, and a backslash takes the next byte literally.
//! Matching bytes with at most one point to go back to takes time in proportion to the pattern
//! times the text, whatever an attacker names a file.

/// A pattern, ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Box<[Part]>,
    ignores_case: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// Any one character of UTF-8, or any one byte that is not part of one.
    AnyOne,
    AnyMany,
    /// One byte of a set.
    Set {
        is_negated: bool,
        ranges: Box<[(u8, u8)]>,
    },
    /// An incomplete escape at the end: matches nothing.
    Nothing,
}

impl Glob {
    pub(crate) fn new(pattern: &[u8], ignores_case: bool) -> Self {
        let mut parts = Vec::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            parts.push(match byte {
                b'*' => Part::AnyMany,
                b'?' => Part::AnyOne,
                b'\\' => match rest.split_first() {
                    Some((&escaped, behind)) => {
                        rest = behind;
                        Part::Byte(escaped)
                    }
                    None => Part::Nothing,
                },
                b'[' => match parse_set(rest) {
                    Some((set, behind)) => {
                        rest = behind;
                        set
                    }
                    None => Part::Byte(b'['),
                },
                _ => Part::Byte(byte),
            });
        }
        Self { parts: parts.into(), ignores_case }
    }

    /// True where `part` stands in the pattern, so that every text that matches has it; without
    /// regard to letters, of which `part` must have none.
    pub(crate) fn needs(&self, part: &[u8]) -> bool {
        self.parts.windows(part.len().max(1)).any(|window| {
            let mut pairs = window.iter().zip(part);
            pairs.all(|(ours, byte)| matches!(ours, Part::Byte(own) if own == byte))
        })
    }

    /// True where the pattern describes the whole text.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let (mut part, mut at) = (0, 0);
        // Where to go on when what follows the last `*` does not fit: one byte further.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let advanced = match self.parts.get(part) {
                Some(Part::AnyMany) => {
                    retry = Some((part + 1, at));
                    Some(0)
                }
                Some(other) => self.length_of_match(other, text.get(at..).unwrap_or_default()),
                None if at == text.len() => return true,
                None => None,
            };
            match (advanced, retry) {
                (Some(length), _) => {
                    part += 1;
                    at += length;
                }
                (None, Some((behind_star, from))) if from < text.len() => {
                    retry = Some((behind_star, from + 1));
                    (part, at) = (behind_star, from + 1);
                }
                (None, _) => return false,
            }
        }
    }

    fn length_of_match(&self, part: &Part, text: &[u8]) -> Option<usize> {
        let &first = text.first()?;
        let is_match = match part {
            Part::Byte(byte) => {
                *byte == first || self.ignores_case && byte.eq_ignore_ascii_case(&first)
            }
            Part::AnyOne => return Some(character_length(text)),
            Part::Set { is_negated, ranges } => {
                let holds = |byte: u8| ranges.iter().any(|&(lo, hi)| lo <= byte && byte <= hi);
                let is_in = holds(first)
                    || self.ignores_case
                        && (holds(first.to_ascii_lowercase()) || holds(first.to_ascii_uppercase()));
                if is_in == *is_negated {
                    return None;
                }
                return Some(if *is_negated { character_length(text) } else { 1 });
            }
            Part::AnyMany | Part::Nothing => false,
        };
        is_match.then_some(1)
    }
}

/// Bytes of the first character; 1 where it is not UTF-8.
fn character_length(text: &[u8]) -> usize {
    let length = match text.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    let is_whole = text.get(..length).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
    if is_whole { length } else { 1 }
}

/// Parses what stands behind `[`; `None` where no `]` closes it.
fn parse_set(pattern: &[u8]) -> Option<(Part, &[u8])> {
    let (is_negated, mut rest) = match pattern.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, pattern),
    };
    let mut ranges = Vec::new();
    let mut is_first = true;
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        if byte == b']' && !is_first {
            return Some((Part::Set { is_negated, ranges: ranges.into() }, rest));
        }
        is_first = false;
        if byte == b'[' && rest.first() == Some(&b':') {
            rest = push_class(rest, &mut ranges)?;
            continue;
        }
        let (lo, behind) = set_byte(byte, rest)?;
        rest = behind;
        let hi = match rest {
            [b'-', end, behind @ ..] if *end != b']' => {
                let (hi, behind) = set_byte(*end, behind)?;
                rest = behind;
                hi
            }
            _ => lo,
        };
        ranges.push((lo, hi));
    }
}

fn set_byte(byte: u8, rest: &[u8]) -> Option<(u8, &[u8])> {
    if byte != b'\\' {
        return Some((byte, rest));
    }
    let (&escaped, behind) = rest.split_first()?;
    Some((escaped, behind))
}

/// `[:alpha:]` and the like; `rest` starts at the colon. `None` where it is not closed.
fn push_class<'a>(rest: &'a [u8], ranges: &mut Vec<(u8, u8)>) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b":]")?;
    let accepts: fn(&u8) -> bool = match rest.get(1..end)? {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, 0x20..=0x7e),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | 0x09..=0x0d),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => |_| false,
    };
    ranges.extend((0..=0x7f).filter(accepts).map(|byte| (byte, byte)));
    rest.get(end + 2..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_the_c_library_matches() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let glob = Glob::new(pattern.as_bytes(), false);
            assert_eq!(glob.matches(text.as_bytes()), expected, "{pattern} {text}");
        };
        check("/home/*/.ssh/*", "/home/a/b/.ssh/id_rsa", true);
        check("/home/*/.ssh/*", "/home/.ssh/id_rsa", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("a*b*c", "aXbXbXc", true);
        check("a*b*c", "aXbXbX", false);
        check("?.log", "\u{e9}.log", true);
        check("??.log", "\u{e9}.log", false);
        check("[a-c]x", "bx", true);
        check("[!a-c]x", "bx", false);
        check("[^a-c]x", "dx", true);
        check("[]]", "]", true);
        check("[a-]", "-", true);
        check("[[:digit:]_]", "7", true);
        check("[[:digit:]_]", "a", false);
        check("[abc", "[abc", true);
        check(r"\*", "*", true);
        check(r"\*", "a", false);
        check(r"a\", "a", false);
        check(r"[\]]", "]", true);
        check("ABC", "abc", false);
    }

    #[test]
    fn case_is_ignored_where_asked() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let glob = Glob::new(pattern.as_bytes(), true);
            assert_eq!(glob.matches(text.as_bytes()), expected, "{pattern} {text}");
        };
        check("*.ExE", "A.eXe", true);
        check("[a-c]", "B", true);
        check("[!a-c]", "B", false);
        check("*.exe", "a.com", false);
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        let glob = Glob::new("*a".repeat(30).as_bytes(), false);
        assert!(!glob.matches(&[b'b'; 10_000]));
        assert!(!glob.matches("ab".repeat(5_000).as_bytes()));
    }
}
