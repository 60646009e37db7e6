//! Texts as they are meant, and JSON without its blanks.

use std::borrow::Cow;

use memchr::memchr;

/// How many bytes at the start are neither a quote, nor a backslash, nor a control character.
///
/// Eight bytes at a time: most texts in records are short, and most bytes are in texts.
#[must_use]
pub fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The highest bit of each byte that is zero, exact up to the first one.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let below_blank = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let found = below_blank | quotes | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let plain = rest.iter().position(is_special).unwrap_or(rest.len());
    words.len() * 8 + plain
}

/// What a JSON text between its quotes means. A broken escape stays as it stands; half of a pair
/// of surrogates becomes U+FFFD.
#[must_use]
pub fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', text) else { return Cow::Borrowed(text) };
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        plain.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at..).unwrap_or_default();
        let length = push_escape(escape, &mut plain).min(escape.len());
        rest = escape.get(length..).unwrap_or_default();
        next = memchr(b'\\', rest);
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// Adds what the escape at the start of `escape` means; returns its length.
fn push_escape(escape: &[u8], plain: &mut Vec<u8>) -> usize {
    let simple = match escape.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'u') => return push_unicode(escape, plain),
        _ => {
            plain.push(b'\\');
            return 1;
        }
    };
    plain.push(simple);
    2
}

fn push_unicode(escape: &[u8], plain: &mut Vec<u8>) -> usize {
    let Some(first) = hexadecimal(escape) else {
        plain.push(b'\\');
        return 1;
    };
    let second = escape.get(6..).filter(|rest| rest.starts_with(b"\\u")).and_then(hexadecimal);
    let (code, length) = match second {
        Some(low @ 0xdc00..=0xdfff) if (0xd800..0xdc00).contains(&first) => {
            (0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), 12)
        }
        _ => (first, 6),
    };
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    length
}

/// The four digits behind `\u`.
fn hexadecimal(escape: &[u8]) -> Option<u32> {
    let digits = escape.get(2..6)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// JSON without the blanks between its values.
pub(super) fn compact(json: &[u8]) -> Cow<'_, [u8]> {
    if !json.iter().any(u8::is_ascii_whitespace) {
        return Cow::Borrowed(json);
    }
    let mut kept = Vec::with_capacity(json.len());
    let (mut is_inside, mut is_escaped) = (false, false);
    for &byte in json {
        if is_inside || !byte.is_ascii_whitespace() {
            kept.push(byte);
        }
        if byte == b'"' && !is_escaped {
            is_inside = !is_inside;
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    Cow::Owned(kept)
}

/// JSON without blanks, laid out by lines.
pub(super) fn indented(compact: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut is_inside, mut is_escaped) = (0, false, false);
    let mut before = 0;
    for (at, &byte) in compact.iter().enumerate() {
        let is_empty_end = matches!((before, byte), (b'{', b'}') | (b'[', b']'));
        if !is_inside && matches!(byte, b'}' | b']') && !is_empty_end {
            depth -= 1;
            push_line(&mut shown, depth);
        }
        shown.push(byte);
        if byte == b'"' && !is_escaped {
            is_inside = !is_inside;
        }
        is_escaped = byte == b'\\' && !is_escaped;
        let ends_at_once = matches!(compact.get(at + 1), Some(b'}' | b']'));
        match byte {
            _ if is_inside => {}
            b'{' | b'[' if !ends_at_once => {
                depth += 1;
                push_line(&mut shown, depth);
            }
            b',' => push_line(&mut shown, depth),
            b':' => shown.push(b' '),
            _ => {}
        }
        before = if is_inside { 0 } else { byte };
    }
    shown
}

fn push_line(shown: &mut Vec<u8>, depth: usize) {
    shown.push(b'\n');
    shown.extend(std::iter::repeat_n(b' ', depth * 2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_stand_on_their_own_lines() {
        let check = |json: &str, lines: &str| {
            assert_eq!(String::from_utf8(indented(json.as_bytes())).unwrap(), lines, "{json}");
        };
        check("1", "1");
        check("{}", "{}");
        check(
            r#"{"a":[],"b":[1,{"c":"[,]"}]}"#,
            "{\n  \"a\": [],\n  \"b\": [\n    1,\n    \
            {\n      \"c\": \"[,]\"\n    }\n  ]\n}",
        );
    }

    #[test]
    fn escapes_mean_what_json_says() {
        let check = |text: &str, plain: &str| {
            assert_eq!(&*unescaped(text.as_bytes()), plain.as_bytes(), "{text}");
        };
        check("plain", "plain");
        check(r#"a\"b\\c\/d"#, "a\"b\\c/d");
        check(r"\n\t\r\b\f", "\n\t\r\u{8}\u{c}");
        check(r"caf\u00e9\u003c", "café<");
        check(r"\ud83d\ude00!", "😀!");
        check(r"\ud83dx", "\u{fffd}x");
        check(r"\ude00", "\u{fffd}");
        check(r"\u12", r"\u12");
        check(r"\u+123", r"\u+123");
        check(r"\q", r"\q");
        check("\\", "\\");
    }

    #[test]
    fn plain_bytes_end_at_the_first_special_one() {
        for special in [b'"', b'\\', b'\n', 0, 0x1f] {
            for length in 0..40 {
                let mut text = vec![b' '; 60];
                text[..length].fill(0xff);
                text[length] = special;
                text[length + 1..].fill(b'"');
                assert_eq!(plain_length(&text), length, "{special}");
                assert_eq!(plain_length(&text[..length]), length);
            }
        }
    }

    #[test]
    fn blanks_go_but_not_those_inside_texts() {
        let check = |json: &str, kept: &str| {
            assert_eq!(&*compact(json.as_bytes()), kept.as_bytes(), "{json}");
        };
        check(r#"{"a":1}"#, r#"{"a":1}"#);
        check("{ \"a b\" : [ 1 ,\n 2 ] }", r#"{"a b":[1,2]}"#);
        check(r#"[ "x \" y" , "\\" , " " ]"#, r#"["x \" y","\\"," "]"#);
    }
}
