//! Escapes of quoted strings.

/// The bytes that a quoted string stands for; `quoted` has its quotes around it.
///
/// # Errors
/// What is wrong with an escape, and its offset in `quoted`.
pub(super) fn unescape(quoted: &str) -> Result<Box<[u8]>, (usize, String)> {
    let quote = quoted.as_bytes().first().copied().unwrap_or(b'"');
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let mut unescaped = Vec::with_capacity(inner.len());
    let mut bytes = inner.bytes().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        if byte != b'\\' {
            unescaped.push(byte);
            continue;
        }
        // A lone backslash at the end cannot be: the quote behind it would not have closed.
        let Some((_, escaped)) = bytes.next() else { break };
        unescaped.push(match escaped {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            // The original keeps `\ ` as a backslash because rules in the wild rely on it.
            b' ' | b'\\' => b'\\',
            b'/' => b'/',
            b'"' | b'\'' if escaped == quote => escaped,
            b'"' => return Err((offset + 1, "`\\\"` inside single quotes".to_owned())),
            b'\'' => return Err((offset + 1, "`\\'` inside double quotes".to_owned())),
            b'x' => {
                let digits = [bytes.next(), bytes.next()].map(|digit| digit.map(|(_, d)| d));
                hexadecimal(digits)
                    .ok_or_else(|| (offset + 1, "`\\x` needs two hexadecimal digits".to_owned()))?
            }
            _ => {
                let rest = inner.get(offset + 1..).unwrap_or_default();
                let character = rest.chars().next().unwrap_or_default();
                let message = format!("`\\{}` is not an escape", character.escape_debug());
                return Err((offset + 1, message));
            }
        });
    }
    Ok(unescaped.into())
}

fn hexadecimal(digits: [Option<u8>; 2]) -> Option<u8> {
    let mut value = 0_u8;
    for digit in digits {
        let digit = char::from(digit?).to_digit(16)?;
        value = value << 4 | u8::try_from(digit).ok()?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_what_the_original_makes_of_them() {
        let check = |quoted: &str, bytes: &[u8]| {
            assert_eq!(unescape(quoted).unwrap().as_ref(), bytes, "{quoted}");
        };
        check(r#""plain""#, b"plain");
        check(r#""a\\b\/c""#, b"a\\b/c");
        check(r#""\b\f\n\r\t""#, b"\x08\x0c\n\r\t");
        check(r#""say \"hi\"""#, b"say \"hi\"");
        check(r"'it\'s'", b"it's");
        check(r#""two\ words""#, b"two\\words");
        check(r#""\x41\xfF""#, b"A\xff");
        check(r#""""#, b"");
    }

    #[test]
    fn a_wrong_escape_is_refused_where_it_stands() {
        let check = |quoted: &str, at: usize| {
            assert_eq!(unescape(quoted).unwrap_err().0, at, "{quoted}");
        };
        check(r#""a\d""#, 2);
        check(r#""\x4""#, 1);
        check(r#""\xg0""#, 1);
        check(r#"'\"'"#, 1);
        check(r#""\'""#, 1);
    }
}
