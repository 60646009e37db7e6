//! Texts that carry a log packed: base64, mostly of gzip, as CloudWatch Logs and Pub/Sub send it.

use std::borrow::Cow;
use std::io::Read;

use clew_event::json::JSON_BYTES_MAX;
use flate2::read::MultiGzDecoder;

/// What a text means; `None` where it is not base64. Of what is packed, at most
/// [`JSON_BYTES_MAX`] bytes are unpacked.
pub(super) fn unpacked(text: &[u8]) -> Option<Cow<'static, [u8]>> {
    let plain = base64(text)?;
    if !plain.starts_with(&[0x1f, 0x8b]) {
        return Some(plain.into());
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(JSON_BYTES_MAX).unwrap_or(u64::MAX);
    // A cut stream ends in an error, behind what could be unpacked.
    MultiGzDecoder::new(plain.as_slice()).take(limit).read_to_end(&mut unpacked).ok();
    Some(unpacked.into())
}

/// RFC 4648, either alphabet, with or without `=`.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if digits.is_empty() || digits.len() % 4 == 1 {
        return None;
    }
    let mut plain = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            bits = bits << 6 | u32::from(digit(byte)?);
        }
        let missing = 4 - group.len();
        let [_, bytes @ ..] = (bits << (6 * missing)).to_be_bytes();
        plain.extend(bytes.get(..3 - missing)?);
    }
    Some(plain)
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_every_form() {
        let check = |text: &str, plain: Option<&str>| {
            assert_eq!(base64(text.as_bytes()).as_deref(), plain.map(str::as_bytes), "{text}");
        };
        check("eyJhIjoxfQ==", Some("{\"a\":1}"));
        check("eyJhIjoxfQ", Some("{\"a\":1}"));
        check("YWI=", Some("ab"));
        check("YWJj", Some("abc"));
        check("fn5-", Some("~~~"));
        check("fn5+", Some("~~~"));
        check("YWJjZ", None);
        check("{}", None);
        check("", None);
    }
}
