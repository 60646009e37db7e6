//! The layers but entities, each undone once; `None` where nothing is to undo.

/// Shortest text that is tried as base64: below, ordinary words decode to text by chance.
const BASE64_BYTES_MIN: usize = 8;
/// Longest text that is tried as base64.
pub(super) const BASE64_BYTES_MAX: usize = 64 << 10;

/// `+` as a space, as forms write it.
#[must_use]
pub fn plus(bytes: &[u8]) -> Option<Vec<u8>> {
    bytes
        .contains(&b'+')
        .then(|| bytes.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect())
}

/// Percent coding, with `%uXXXX`. What is no code stays.
#[must_use]
pub fn percent(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'%') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_changed = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            if let Some(([high, low], behind)) = rest.split_first_chunk::<2>()
                && let (Some(high), Some(low)) = (hex(*high), hex(*low))
            {
                out.push(high << 4 | low);
                (rest, is_changed) = (behind, true);
                continue;
            }
            if let Some((b'u' | b'U', digits)) = rest.split_first()
                && let Some((code, behind)) = hex_number(digits, 4)
            {
                push_folded(&mut out, code);
                (rest, is_changed) = (behind, true);
                continue;
            }
        }
        out.push(byte);
    }
    is_changed.then_some(out)
}

/// Escapes of JavaScript, C and JSON: `\u0061`, `\u{61}`, `\x61`, `\n`; CSS's `\61 ` is not one.
#[must_use]
pub fn escapes(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'\\') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_changed = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'\\'
            && let Some((code, behind)) = escape(rest)
        {
            push_folded(&mut out, code);
            (rest, is_changed) = (behind, true);
            continue;
        }
        out.push(byte);
    }
    is_changed.then_some(out)
}

fn escape(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (&kind, behind) = rest.split_first()?;
    match kind {
        b'u' | b'U' => match behind.split_first() {
            Some((b'{', digits)) => {
                let end = digits.iter().take(8).position(|&byte| byte == b'}')?;
                let (code, _) = hex_number(digits, end)?;
                Some((code, digits.get(end + 1..)?))
            }
            _ => hex_number(behind, 4),
        },
        b'x' | b'X' => hex_number(behind, 2),
        b'n' => Some((10, behind)),
        b'r' => Some((13, behind)),
        b't' => Some((9, behind)),
        b'/' | b'"' | b'\'' | b'`' => Some((u32::from(kind), behind)),
        b'0'..=b'7' => {
            let ([a, b, c], behind) = rest.split_first_chunk::<3>()?;
            let digit = |byte: &u8| (b'0'..=b'7').contains(byte).then(|| u32::from(byte - b'0'));
            Some((digit(a)? << 6 | digit(b)? << 3 | digit(c)?, behind))
        }
        _ => None,
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn hex_number(bytes: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    if digits == 0 || 6 < digits || bytes.len() < digits {
        return None;
    }
    let (digits, behind) = bytes.split_at(digits);
    let code = digits.iter().try_fold(0_u32, |code, &byte| Some(code << 4 | u32::from(hex(byte)?)));
    Some((code?, behind))
}

/// Adds a character, as ASCII where readers take it for such.
pub(super) fn push_folded(out: &mut Vec<u8>, code: u32) {
    if let Ok(byte) = u8::try_from(ascii_of(code)) {
        // What is below U+0100 is taken as a byte, as servers without Unicode do.
        out.push(byte);
    } else if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// The ASCII character which best-fit tables (Windows code page 1252, NFKC) give for `code`.
fn ascii_of(code: u32) -> u32 {
    match code {
        0xff01..=0xff5e => code - 0xfee0,
        0x2215 | 0x2044 => u32::from(b'/'),
        0x2216 | 0xfe68 => u32::from(b'\\'),
        0x2018 | 0x2019 | 0x02b9 | 0x02bc | 0x2032 => u32::from(b'\''),
        0x201c | 0x201d | 0x02ba | 0x2033 => u32::from(b'"'),
        0x2039 | 0x3008 | 0xfe64 => u32::from(b'<'),
        0x203a | 0x3009 | 0xfe65 => u32::from(b'>'),
        0x2024 | 0xfe52 | 0x3002 | 0xff61 => u32::from(b'.'),
        0x2460..=0x2468 => code - 0x2460 + u32::from(b'1'),
        0x24ea => u32::from(b'0'),
        0x2000..=0x200a | 0x3000 | 0xa0 => u32::from(b' '),
        0x24b6..=0x24cf => code - 0x24b6 + u32::from(b'A'),
        0x24d0..=0x24e9 => code - 0x24d0 + u32::from(b'a'),
        _ => code,
    }
}

/// Overlong and full-width characters as ASCII, without zero bytes and what nobody sees; UTF-7.
#[must_use]
pub fn folded(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.is_ascii() && !bytes.contains(&0) && !bytes.windows(3).any(|it| it == b"+AD") {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            0 => {}
            b'+' => match utf7(rest) {
                Some((code, behind)) => {
                    push_folded(&mut out, code);
                    rest = behind;
                }
                None => out.push(byte),
            },
            0xc0..=0xf7 => match lenient(byte, rest) {
                Some((code, behind)) => {
                    if !is_invisible(code) {
                        push_character(&mut out, code);
                    }
                    rest = behind;
                }
                None => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    (out != bytes).then_some(out)
}

const fn is_invisible(code: u32) -> bool {
    matches!(code, 0xad | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfeff)
}

/// Keeps characters that have no ASCII twin as they are.
fn push_character(out: &mut Vec<u8>, code: u32) {
    if ascii_of(code) < 0x80 {
        push_folded(out, code);
    } else if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// A character of UTF-8, also where a strict reader refuses it as overlong.
fn lenient(first: u8, rest: &[u8]) -> Option<(u32, &[u8])> {
    let (mut code, count) = match first {
        0xc0..=0xdf => (u32::from(first & 0x1f), 1),
        0xe0..=0xef => (u32::from(first & 0x0f), 2),
        _ => (u32::from(first & 0x07), 3),
    };
    if rest.len() < count {
        return None;
    }
    let (tail, behind) = rest.split_at(count);
    for byte in tail {
        if byte & 0xc0 != 0x80 {
            return None;
        }
        code = code << 6 | u32::from(byte & 0x3f);
    }
    Some((code, behind))
}

/// `ADw-`: one character of UTF-7 behind its `+`.
fn utf7(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, behind) = rest.split_first_chunk::<3>()?;
    let bits =
        digits.iter().try_fold(0_u32, |bits, &byte| Some(bits << 6 | u32::from(sextet(byte)?)))?;
    let code = bits >> 2;
    if !(0x20..0x7f).contains(&code) {
        return None;
    }
    Some((code, behind.strip_prefix(b"-").unwrap_or(behind)))
}

/// Base64 of either alphabet, with or without padding, where text comes out.
#[must_use]
pub fn base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = bytes.trim_ascii();
    // Data URLs and schemes in front of it.
    let bytes = match bytes.windows(7).position(|it| it == b"base64,") {
        Some(at) => bytes.get(at + 7..)?,
        None => bytes,
    };
    let digits = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    if !(BASE64_BYTES_MIN..=BASE64_BYTES_MAX).contains(&digits.len()) || digits.len() % 4 == 1 {
        return None;
    }
    if !digits.iter().all(|&byte| sextet(byte).is_some()) {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            bits = bits << 6 | u32::from(sextet(byte)?);
        }
        bits <<= 6 * (4 - group.len());
        out.extend(bits.to_be_bytes().into_iter().skip(1).take(group.len() - 1));
    }
    is_text(&out).then_some(out)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Nearly all printable, or the head of a serialized object.
fn is_text(bytes: &[u8]) -> bool {
    let printable_count = bytes
        .iter()
        .filter(|&&byte| (0x20..0x7f).contains(&byte) || matches!(byte, 9 | 10 | 13))
        .count();
    bytes.starts_with(b"\xac\xed\0\x05") || bytes.len() * 9 <= printable_count * 10
}
