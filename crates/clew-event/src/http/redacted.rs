//! Stars secrets in arguments and contents, so that an exchange may be stored.
//!
//! No format is parsed: contents are cut, nested and broken on purpose. A name of a secret followed
//! by a value in any of the usual forms (`name=value`, `"name": "value"`, `<name>value</name>`, a
//! part of a multipart form) is enough, and so is a number that checks as one of a payment card.

use std::sync::Arc;

use super::{HttpEvent, HttpFlags};
use crate::text::Text;

/// Parts of names of secrets, in lower case and without what is no letter or digit.
const SECRET_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "token",
    "authorization",
    "credential",
    "signature",
    "sessionid",
    "cardnumber",
    "securitycode",
];
/// Whole names.
const SECRET_NAMES: &[&str] =
    &["pwd", "pass", "pin", "cvv", "cvv2", "cvc", "otp", "ssn", "sig", "jwt", "sid", "auth", "pan"];
/// Names that only look like those of secrets.
const PUBLIC_NAMES: &[&str] = &["accesskeyid", "awsaccesskeyid", "tokentype", "expirestoken"];
/// Longest name of an argument.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Furthest that the content of a multipart form's part begins behind its name.
pub(super) const PART_HEAD_BYTES_MAX: usize = 512;
/// Fewest and most digits of a card's number (ISO/IEC 7812).
const CARD_DIGITS_MIN: usize = 13;
pub(super) const CARD_DIGITS_MAX: usize = 19;

impl HttpEvent {
    /// The exchange with values of secrets and card numbers starred in arguments, fields and
    /// contents. Everything else stays, attacks too, unless they stand where a secret belongs.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut event = self.clone();
        let request = Arc::make_mut(&mut event.request);
        let texts = [&mut request.query, &mut request.body];
        let fields = request.headers.iter_mut().map(|(_, value)| value);
        star_all(texts.into_iter().chain(fields), &mut request.flags);
        if let Some(response) = &mut event.response {
            let fields = response.headers.iter_mut().map(|(_, value)| value);
            star_all(fields.chain([&mut response.body]), &mut response.flags);
        }
        event
    }
}

fn star_all<'a>(texts: impl Iterator<Item = &'a mut Text>, flags: &mut HttpFlags) {
    for text in texts {
        if let Some(starred) = starred(text.as_bytes()) {
            *text = starred.into();
            flags.set(HttpFlags::REDACTED);
        }
    }
}

/// `None` where nothing is to be starred.
fn starred(text: &[u8]) -> Option<Vec<u8>> {
    let mut told = Vec::new();
    // What is before `kept` stands in `told` already.
    let (mut kept, mut at) = (0, 0);
    while let Some(&byte) = text.get(at) {
        if !is_of_name(byte) {
            at += 1;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| !is_of_name(byte)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(length)?;
        let found = if is_secret(word) { value(behind) } else { None };
        let (start, end) = match (found, card(rest)) {
            (Some((start, end)), _) => (at + length + start, at + length + end),
            (None, Some(end)) => (at, at + end),
            (None, None) => {
                at += length;
                continue;
            }
        };
        if start < end {
            told.extend_from_slice(text.get(kept..start)?);
            told.push(b'*');
            kept = end;
        }
        at = end.max(at + length);
    }
    (0 < kept).then(|| {
        told.extend_from_slice(text.get(kept..).unwrap_or_default());
        told
    })
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
}

fn is_secret(word: &[u8]) -> bool {
    if NAME_BYTES_MAX < word.len() {
        return false;
    }
    let letters = word.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let name: String = letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    // `max_tokens` and the like are numbers.
    !name.ends_with("tokens")
        && !PUBLIC_NAMES.contains(&name.as_str())
        && (SECRET_NAMES.contains(&name.as_str())
            || SECRET_PARTS.iter().any(|part| name.contains(part)))
}

/// From where to where the value lies that follows a name.
fn value(behind: &[u8]) -> Option<(usize, usize)> {
    let is_quoted = matches!(behind.first(), Some(b'"' | b'\'' | b'\\'));
    let mut at = skip(behind, 0, b"\\\"'");
    if is_quoted && matches!(behind.get(at), Some(b'\r' | b'\n' | b';')) {
        return part(behind);
    }
    at = skip(behind, at, b" \t\r\n");
    let sign = *behind.get(at)?;
    at += 1;
    match sign {
        b'>' => Some((at, end(behind, at, b"<"))),
        b'=' if !is_quoted => Some((at, end(behind, at, b"&; \t\r\n\"'<"))),
        b':' | b'=' => {
            at = skip(behind, at, b" \t\r\n");
            let open = skip(behind, at, b"\\");
            match behind.get(open) {
                Some(&quote @ (b'"' | b'\'')) => {
                    let start = open + 1;
                    Some((start, closing(behind, start, quote, open - at)))
                }
                _ => Some((at, end(behind, at, b",}]&; \t\r\n[{"))),
            }
        }
        _ => None,
    }
}

/// The content of a part of a multipart form whose name was just read.
fn part(behind: &[u8]) -> Option<(usize, usize)> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let head = behind.get(..PART_HEAD_BYTES_MAX).unwrap_or(behind);
    let start = memchr::memmem::find(head, HEAD_END)? + HEAD_END.len();
    let content = behind.get(start..)?;
    Some((start, start + memchr::memmem::find(content, b"\r\n--").unwrap_or(content.len())))
}

fn skip(text: &[u8], from: usize, letters: &[u8]) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !letters.contains(byte)).unwrap_or(rest.len())
}

fn end(text: &[u8], from: usize, letters: &[u8]) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| letters.contains(byte)).unwrap_or(rest.len())
}

/// Where the quote stands that closes a text, before which there are as many backslashes as before
/// the one that opened it: text within text has more.
fn closing(text: &[u8], from: usize, quote: u8, backslashes: usize) -> usize {
    let mut before = 0;
    for (at, &byte) in text.iter().enumerate().skip(from) {
        match byte {
            b'\\' => before += 1,
            _ if byte == quote && before <= backslashes => return at - before,
            // An escaped backslash before the closing quote.
            _ if byte == quote && backslashes == 0 && before % 2 == 0 => return at,
            _ => before = 0,
        }
    }
    text.len()
}

/// Where a card's number ends that begins here.
fn card(rest: &[u8]) -> Option<usize> {
    if !rest.first()?.is_ascii_digit() {
        return None;
    }
    let (mut digits, mut end) = (Vec::with_capacity(CARD_DIGITS_MAX + 1), 0);
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits.len() <= CARD_DIGITS_MAX => {
                digits.push(u32::from(byte - b'0'));
                end = at + 1;
            }
            b' ' | b'-' if end == at => {}
            _ => break,
        }
    }
    let is_alone = rest.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let is_long = (CARD_DIGITS_MIN..=CARD_DIGITS_MAX).contains(&digits.len());
    (is_alone && is_long && is_checked(&digits)).then_some(end)
}

/// Luhn's sum (ISO/IEC 7812-1, annex B), and not all digits alike.
fn is_checked(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit < 5 { digit * 2 } else { digit * 2 - 9 };
    let digit = |(at, &digit): (usize, &u32)| if at % 2 == 1 { doubled(digit) } else { digit };
    digits.iter().rev().enumerate().map(digit).sum::<u32>() % 10 == 0
        && digits.iter().any(|digit| Some(digit) != digits.first())
}

#[cfg(test)]
mod tests {
    use super::super::{HttpRequest, HttpResponse};
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = starred(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{text}");
    }

    #[test]
    fn values_of_secrets_are_starred_in_every_form() {
        check("user=bob&password=s3cret&x=1", "user=bob&password=*&x=1");
        check("user[new_password]=a%20b;api_key=k", "user[new_password]=*;api_key=*");
        check(
            r#"{"user":"bob","passWord" : "a\"b","n":1}"#,
            r#"{"user":"bob","passWord" : "*","n":1}"#,
        );
        check(r#"{"pin":1234,"client_secret":"x"}"#, r#"{"pin":*,"client_secret":"*"}"#);
        check(r#"{"a":"{\"token\":\"t\",\"b\":1}"}"#, r#"{"a":"{\"token\":\"*\",\"b\":1}"}"#);
        check(r#"{"token":"a\\","b":"c"}"#, r#"{"token":"*","b":"c"}"#);
        check("<Password>x y</Password><a>b</a>", "<Password>*</Password><a>b</a>");
        check(
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhush\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n*\r\n--b--",
        );
        check("password: hush\nuser: bob", "password: *\nuser: bob");
        check("password=", "password=");
        check(r#"{"token":"cut off in the mid"#, r#"{"token":"*"#);
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "id=1' OR '1'='1&name=bob",
            r#"{"AccessKeyId":"AKIA","token_type":"bearer","max_tokens":5}"#,
            "compass=north&pass-through",
            "the password is needed",
            "order 4111111111111112, phone 0123456789012, id4111111111111111",
            "00000000000000",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn card_numbers_are_starred_within_their_bounds() {
        check("card 4111 1111 1111 1111, 12/30", "card *, 12/30");
        check("{\"n\":\"5500-0000-0000-0004\"}", "{\"n\":\"*\"}");
        let number = |digits: usize| {
            let known = "4".to_owned() + &"0".repeat(digits - 2);
            let digits =
                |text: &str| text.bytes().map(|it| u32::from(it - b'0')).collect::<Vec<_>>();
            let mut texts = (0..10).map(|last| format!("{known}{last}"));
            texts.find(|text| is_checked(&digits(text))).expect("one checks")
        };
        check(&number(CARD_DIGITS_MAX), "*");
        check(&number(CARD_DIGITS_MAX + 1), &number(CARD_DIGITS_MAX + 1));
        check(&number(CARD_DIGITS_MIN - 1), &number(CARD_DIGITS_MIN - 1));
    }

    #[test]
    fn names_and_heads_of_parts_are_read_up_to_their_bounds() {
        let name = |bytes: usize| "p".repeat(bytes - 8) + "password";
        check(&format!("{}=x", name(NAME_BYTES_MAX)), &format!("{}=*", name(NAME_BYTES_MAX)));
        let long = format!("{}=x", name(NAME_BYTES_MAX + 1));
        check(&long, &long);
        let part = |bytes: usize, content: &str| {
            format!("name=\"password\"\r\nA: {}\r\n\r\n{content}\r\n--", "b".repeat(bytes))
        };
        check(&part(PART_HEAD_BYTES_MAX - 20, "x"), &part(PART_HEAD_BYTES_MAX - 20, "*"));
        check(&part(PART_HEAD_BYTES_MAX, "x"), &part(PART_HEAD_BYTES_MAX, "x"));
    }

    #[test]
    fn an_exchange_says_that_it_was_redacted() {
        let request = HttpRequest {
            query: "token=t".into(),
            body: "q=1".into(),
            headers: vec![("referer".into(), "http://h/?sig=abc".into())],
            ..HttpRequest::default()
        };
        let response = HttpResponse { body: "{\"otp\":\"1\"}".into(), ..HttpResponse::default() };
        let event = HttpEvent {
            request: Arc::new(request),
            response: Some(Box::new(response)),
            ..HttpEvent::default()
        };
        let redacted = event.redacted();
        assert_eq!(redacted.request.query, "token=*".into());
        assert_eq!(redacted.request.header("referer"), Some(&"http://h/?sig=*".into()));
        assert!(redacted.request.flags.has(HttpFlags::REDACTED));
        let response = redacted.response.as_ref().expect("a response");
        assert_eq!(response.body, "{\"otp\":\"*\"}".into());
        assert!(response.flags.has(HttpFlags::REDACTED));
        assert_eq!(redacted.redacted(), redacted);
        assert!(!HttpEvent::default().redacted().request.flags.has(HttpFlags::REDACTED));
    }
}
