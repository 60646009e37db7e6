//! What a value looks like: its shape, its characters, and whether it is sensitive.
//!
//! Shapes decide what may be a parameter of a path and what may name an object. Sensitive classes
//! are told by form alone: a card number by its length and check digit (ISO/IEC 7812), a password
//! hash by the prefix of its scheme (crypt(5)).

use serde::{Deserialize, Serialize};

/// Longest value that is looked at; what follows tells nothing more.
pub(super) const VALUE_BYTES_MAX: usize = 4096;

/// The form of one value.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shape {
    /// Letters, and whatever fits nothing else.
    #[default]
    Word,
    /// Letters and digits, with hyphens or underscores between.
    Slug,
    /// `v1`: part of a path that tells a version.
    Version,
    /// Decimal digits.
    Number,
    /// RFC 9562.
    Uuid,
    /// Crockford's base 32, 26 characters.
    Ulid,
    /// Twelve or more hexadecimal digits.
    Hex,
    /// `2026-11-25`, with or without a time.
    Date,
    /// `a@b.c`.
    Email,
    /// `https://…`.
    Url,
    /// Sixteen or more letters of both cases with digits.
    Token,
}

impl Shape {
    pub(super) const ALL: [Self; 11] = [
        Self::Word,
        Self::Slug,
        Self::Version,
        Self::Number,
        Self::Uuid,
        Self::Ulid,
        Self::Hex,
        Self::Date,
        Self::Email,
        Self::Url,
        Self::Token,
    ];

    pub(super) fn of(value: &[u8]) -> Self {
        let all = |is: fn(&u8) -> bool| value.iter().all(is);
        let has = |is: fn(&u8) -> bool| value.iter().any(is);
        if value.is_empty() {
            Self::Word
        } else if all(u8::is_ascii_digit) {
            Self::Number
        } else if is_uuid(value) {
            Self::Uuid
        } else if 12 <= value.len() && all(u8::is_ascii_hexdigit) && has(u8::is_ascii_digit) {
            Self::Hex
        } else if is_ulid(value) {
            Self::Ulid
        } else if is_date(value) {
            Self::Date
        } else if is_version(value) {
            Self::Version
        } else if is_url(value) {
            Self::Url
        } else if is_email(value) {
            Self::Email
        } else if all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && has(u8::is_ascii_digit)
        {
            let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
            if is_mixed && 16 <= value.len() { Self::Token } else { Self::Slug }
        } else {
            Self::Word
        }
    }

    /// True where such a part of a path is an id wherever it stands.
    pub(super) const fn is_id(self) -> bool {
        match self {
            Self::Number
            | Self::Uuid
            | Self::Ulid
            | Self::Hex
            | Self::Date
            | Self::Email
            | Self::Token => true,
            Self::Word | Self::Slug | Self::Version | Self::Url => false,
        }
    }

    /// True where such a value names the same thing wherever it stands.
    pub(super) const fn is_unique(self) -> bool {
        matches!(self, Self::Uuid | Self::Ulid | Self::Hex | Self::Token)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Slug => "slug",
            Self::Version => "version",
            Self::Number => "number",
            Self::Uuid => "uuid",
            Self::Ulid => "ulid",
            Self::Hex => "hex",
            Self::Date => "date",
            Self::Email => "email",
            Self::Url => "uri",
            Self::Token => "token",
        }
    }
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_ulid(value: &[u8]) -> bool {
    value.len() == 26
        && matches!(value.first(), Some(b'0'..=b'7'))
        && value.iter().all(|byte| {
            byte.is_ascii_digit()
                || (byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U'))
        })
}

fn is_date(value: &[u8]) -> bool {
    let is_day = |day: &[u8]| {
        day.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    value.get(..10).is_some_and(is_day) && matches!(value.get(10), None | Some(b'T' | b' '))
}

/// `v1`, `v2beta1`, `v1.1`.
fn is_version(value: &[u8]) -> bool {
    let [b'v' | b'V', digit, rest @ ..] = value else { return false };
    digit.is_ascii_digit()
        && rest.len() < 10
        && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
}

/// The number of a version, where it is one.
pub(super) fn version(value: &[u8]) -> Option<u32> {
    let digits = value.get(1..).filter(|_| is_version(value))?;
    let digits = digits.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_url(value: &[u8]) -> bool {
    let colon = value.iter().take(12).position(|byte| *byte == b':');
    let Some((scheme, rest)) = colon.and_then(|at| value.split_at_checked(at)) else {
        return value.starts_with(b"//") && 4 < value.len();
    };
    !scheme.is_empty()
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+')
        && rest.starts_with(b"://")
}

fn is_email(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|byte| *byte == b'@') else { return false };
    let (name, domain) = value.split_at_checked(at).unwrap_or_default();
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'%')
    };
    let domain = domain.get(1..).unwrap_or_default();
    !name.is_empty()
        && name.iter().all(is_plain)
        && domain.iter().all(is_plain)
        && domain.get(1..).is_some_and(|rest| rest.contains(&b'.'))
}

/// Which kinds of characters a value has; one bit a kind.
pub(super) fn characters(value: &[u8]) -> u16 {
    value.iter().take(VALUE_BYTES_MAX).fold(0, |kinds, byte| {
        kinds
            | match byte {
                b'a'..=b'z' => 1,
                b'A'..=b'Z' => 1 << 1,
                b'0'..=b'9' => 1 << 2,
                b' ' => 1 << 3,
                b'-' | b'_' | b'.' | b',' | b'@' | b'+' | b':' => 1 << 4,
                b'\'' | b'"' | b'`' => 1 << 5,
                b'<' | b'>' => 1 << 6,
                b'/' | b'\\' => 1 << 7,
                b'(' | b')' | b'[' | b']' | b'{' | b'}' => 1 << 8,
                b';' | b'|' | b'&' | b'$' => 1 << 9,
                b'%' | b'#' | b'*' | b'=' | b'!' | b'?' | b'^' | b'~' => 1 << 10,
                0..=31 | 127 => 1 << 11,
                128.. => 1 << 12,
            }
    })
}

/// What must not get into the wrong hands; each is a bit of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sensitive {
    Email,
    Card,
    SocialSecurity,
    WebToken,
    PrivateKey,
    PasswordHash,
}

impl Sensitive {
    pub(super) const ALL: [Self; 6] = [
        Self::Email,
        Self::Card,
        Self::SocialSecurity,
        Self::WebToken,
        Self::PrivateKey,
        Self::PasswordHash,
    ];

    /// Its class, where a value has one.
    pub(super) fn of(value: &[u8], shape: Shape) -> Option<Self> {
        const HASHES: [&[u8]; 8] =
            [b"$2a$", b"$2b$", b"$2y$", b"$argon2", b"$6$", b"$5$", b"pbkdf2_sha", b"{SSHA}"];
        let value = value.get(..VALUE_BYTES_MAX).unwrap_or(value);
        let begins = |prefix: &&[u8]| value.starts_with(prefix);
        if shape == Shape::Email {
            Some(Self::Email)
        } else if is_card(value) {
            Some(Self::Card)
        } else if is_social_security(value) {
            Some(Self::SocialSecurity)
        } else if value.starts_with(b"eyJ") && value.iter().filter(|b| **b == b'.').count() == 2 {
            Some(Self::WebToken)
        } else if value.starts_with(b"-----BEGIN") && find(value, b"PRIVATE KEY") {
            Some(Self::PrivateKey)
        } else if 16 < value.len() && HASHES.iter().any(begins) {
            Some(Self::PasswordHash)
        } else {
            None
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Email => "email address",
            Self::Card => "card number",
            Self::SocialSecurity => "social security number",
            Self::WebToken => "JSON web token",
            Self::PrivateKey => "private key",
            Self::PasswordHash => "password hash",
        }
    }
}

/// 13 to 19 digits, grouped or not, that begin as cards do and whose check digit is right.
fn is_card(value: &[u8]) -> bool {
    if !(13..=23).contains(&value.len()) || !matches!(value.first(), Some(b'3'..=b'6')) {
        return false;
    }
    let mut digits = 0;
    let mut sum = 0_u32;
    for byte in value.iter().rev() {
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0') << (digits % 2);
                sum += if 9 < digit { digit - 9 } else { digit };
                digits += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    (13..=19).contains(&digits) && sum.is_multiple_of(10)
}

/// `123-45-6789`.
fn is_social_security(value: &[u8]) -> bool {
    value.len() == 11
        && value.iter().enumerate().all(|(place, byte)| match place {
            3 | 6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether `needle` stands in `hay`.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(hay, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_shape_it_looks_like() {
        let check = |value: &str, shape| assert_eq!(Shape::of(value.as_bytes()), shape, "{value}");
        check("orders", Shape::Word);
        check("red-shoe-42", Shape::Slug);
        check("v2", Shape::Version);
        check("42", Shape::Number);
        check("0b26f9d4-7bd1-4c1a-9c30-5d3a8e7f1a22", Shape::Uuid);
        check("01ARZ3NDEKTSV4RRFFQ69G5FAV", Shape::Ulid);
        check("5f43a1c09be2", Shape::Hex);
        check("2026-11-25", Shape::Date);
        check("a.b@example.org", Shape::Email);
        check("http://169.254.169.254/", Shape::Url);
        check("//evil.example", Shape::Url);
        check("aB3dEfGh1jKlMnOp", Shape::Token);
        check("", Shape::Word);
        assert_eq!((version(b"v12beta1"), version(b"vault")), (Some(12), None));
    }

    #[test]
    fn sensitive_values_are_told_by_their_form() {
        let check = |value: &str, class| {
            assert_eq!(Sensitive::of(value.as_bytes(), Shape::of(value.as_bytes())), class);
        };
        check("4111 1111 1111 1111", Some(Sensitive::Card));
        check("4111111111111112", None);
        check("078-05-1120", Some(Sensitive::SocialSecurity));
        check("eyJhbGciOiJub25lIn0.e30.", Some(Sensitive::WebToken));
        check("-----BEGIN RSA PRIVATE KEY-----", Some(Sensitive::PrivateKey));
        check("$2b$12$abcdefghijklmnopqrstuv", Some(Sensitive::PasswordHash));
        check("a@example.org", Some(Sensitive::Email));
        check("1700000000000", None);
    }

    #[test]
    fn only_the_first_bytes_of_a_long_value_are_looked_at() {
        let mut long = vec![b'a'; VALUE_BYTES_MAX];
        long.push(b'<');
        assert_eq!(characters(&long), 1);
    }
}
