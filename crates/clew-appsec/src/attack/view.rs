//! Ways in which an interpreter reads past what only hides.
//!
//! A shell joins `c'a't` and `c\at`; SQL and PHP take a comment for a space. A view is what is left
//! when that is done; it is for patterns, never for evidence of where bytes stood.

/// How a value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// As it is.
    Plain,
    /// Without quotes, backslashes, carets and empty expansions, as a shell would run it.
    Shell,
    /// Without comments.
    Stripped,
}

/// The value in that view; `None` where it is the same.
pub(super) fn of(view: View, bytes: &[u8]) -> Option<Vec<u8>> {
    match view {
        View::Plain => None,
        View::Shell => shell(bytes),
        View::Stripped => stripped(bytes),
    }
}

fn shell(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.iter().any(|it| b"'\"\\^$".contains(it)) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'\'' | b'"' | b'^' | b'\\' => {}
            b'$' => match expansion(rest) {
                Some((becomes, behind)) => {
                    out.extend_from_slice(becomes);
                    rest = behind;
                }
                None => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    (out != bytes).then_some(out)
}

/// `$@`, `$u`, `$()`, `${IFS}` and the like: what is empty or a space where an attacker writes it.
fn expansion(rest: &[u8]) -> Option<(&'static [u8], &[u8])> {
    for space in [&b"{IFS}"[..], b"IFS$9", b"IFS"] {
        if let Some(behind) = rest.strip_prefix(space) {
            return Some((b" ", behind));
        }
    }
    let (&first, behind) = rest.split_first()?;
    match first {
        b'@' | b'*' | b'!' | b'?' | b'-' | b'$' | b'#' | b'_' | b'0'..=b'9' => Some((b"", behind)),
        b'a'..=b'z' if !behind.first().is_some_and(u8::is_ascii_lowercase) => Some((b"", behind)),
        b'{' | b'(' => {
            let close = if first == b'{' { b'}' } else { b')' };
            let end = behind.iter().take(8).position(|&it| it == close)?;
            let inner = behind.get(..end)?;
            let is_empty = inner.iter().all(u8::is_ascii_alphanumeric) && inner != b"id";
            is_empty.then(|| (&b""[..], behind.get(end + 1..).unwrap_or_default()))
        }
        _ => None,
    }
}

fn stripped(bytes: &[u8]) -> Option<Vec<u8>> {
    let has_line = bytes.contains(&b'\n') || bytes.contains(&b'\r');
    let has_block = bytes.windows(2).any(|it| it == b"/*");
    if !has_line && !has_block {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        let end = if rest.starts_with(b"/*") {
            rest.windows(2).skip(2).position(|it| it == b"*/").map(|at| at + 4)
        } else if has_line && (byte == b'#' || rest.starts_with(b"//")) && !out.ends_with(b":") {
            rest.iter().position(|it| matches!(it, b'\n' | b'\r')).map(|at| at + 1)
        } else {
            None
        };
        match end {
            Some(end) => {
                // `/*!50000union*/` is run.
                if let Some(inner) =
                    rest.get(2..end.saturating_sub(2)).and_then(|it| it.strip_prefix(b"!"))
                {
                    out.push(b' ');
                    out.extend(inner.iter().skip_while(|it| it.is_ascii_digit()));
                }
                out.push(b' ');
                rest = rest.get(end..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    (out != bytes).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(view: View, value: &str, expected: &str) {
        let seen = of(view, value.as_bytes()).unwrap_or_else(|| value.as_bytes().to_vec());
        assert_eq!(String::from_utf8_lossy(&seen), expected);
    }

    #[test]
    fn reads_as_a_shell_does() {
        check(View::Shell, "c'a't /et\"c\"/pa\\sswd", "cat /etc/passwd");
        check(View::Shell, ";c$@at$IFS/etc", ";cat /etc");
        check(View::Shell, "cat${IFS}/etc$u/passwd", "cat /etc/passwd");
        check(View::Shell, "plain", "plain");
    }

    #[test]
    fn reads_past_comments() {
        check(View::Stripped, "un/**/ion/*x*/select", "un ion select");
        check(View::Stripped, "/*!50000union*/", " union ");
        check(View::Stripped, "exec#c\n()", "exec ()");
        check(View::Stripped, "http://a/*", "http://a/*");
    }
}
