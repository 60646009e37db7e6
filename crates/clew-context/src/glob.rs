//! Shell patterns, as in `container.mount.dest[/proc*]`.
//!
//! `*` stands for any bytes (also `/`), `?` for one, `[a-z]` and `[!a-z]` for one of a set, `\`
//! takes the next byte as it is: POSIX `fnmatch` with no flags. Takes at most the product of both
//! lengths in steps.

/// True where `pattern` matches the whole of `text`.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when the present attempt fails: after the last `*`, one byte further.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        if let Some((after_pattern, after_text)) = match_one(pattern, text) {
            (pattern, text) = (after_pattern, after_text);
            continue;
        }
        let Some((after_star, [_, further @ ..])) = retry else { return false };
        retry = Some((after_star, further));
        (pattern, text) = (after_star, further);
    }
}

/// Matches the first element of a pattern other than `*` with the first byte of the text.
fn match_one<'p, 't>(pattern: &'p [u8], text: &'t [u8]) -> Option<(&'p [u8], &'t [u8])> {
    let (&byte, after_text) = text.split_first()?;
    let after_pattern = match pattern {
        [b'?', rest @ ..] => rest,
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((is_in, after_set)) => is_in.then_some(after_set)?,
            None => (byte == b'[').then_some(rest)?,
        },
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest)?,
        [] => return None,
    };
    Some((after_pattern, after_text))
}

/// Whether `byte` is in the set that begins here, and what follows it; `None` where it never ends.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (is_negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut is_in, mut is_first) = (false, true);
    loop {
        rest = match rest {
            [b']', after @ ..] if !is_first => return Some((is_in != is_negated, after)),
            [low, b'-', high, after @ ..] if *high != b']' => {
                is_in |= (*low..=*high).contains(&byte);
                after
            }
            [one, after @ ..] => {
                is_in |= *one == byte;
                after
            }
            [] => return None,
        };
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_those_of_a_shell() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        };
        check("/proc*", "/proc", true);
        check("/proc*", "/proc/1/root", true);
        check("/proc", "/proc/1", false);
        check("*.sock", "/var/run/docker.sock", true);
        check("*a*b", "xaxaxb", true);
        check("*a*b", "xaxax", false);
        check("/?tc", "/etc", true);
        check("[a-c]x", "bx", true);
        check("[!a-c]x", "bx", false);
        check("[]]", "]", true);
        check("[a", "[a", true);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("", "", true);
        check("*", "", true);
    }
}
