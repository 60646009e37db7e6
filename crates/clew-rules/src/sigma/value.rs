//! Values of detection items: texts with wildcards, escapes and placeholders, and their encodings.

use crate::judge::pattern::Piece;

/// Most texts that the variants of one value may become; `windash` gives five for each dash.
pub(crate) const VARIANTS_MAX: usize = 625;

/// Characters by which a flag of a Windows command may begin.
const DASHES: [&str; 5] = ["-", "/", "\u{2013}", "\u{2014}", "\u{2015}"];

/// The pieces of a text as a rule writes it.
///
/// A backslash takes the meaning from a wildcard or another backslash behind it; before any other
/// character it is itself.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' => push_many(&mut pieces),
            '?' => pieces.push(Piece::One),
            '\\' => {
                let escaped = characters.next_if(|next| matches!(next, '*' | '?' | '\\'));
                push_text(&mut pieces, escaped.unwrap_or('\\'));
            }
            _ => push_text(&mut pieces, character),
        }
    }
    pieces
}

fn push_text(pieces: &mut Vec<Piece>, character: char) {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    push_bytes(pieces, bytes);
}

fn push_bytes(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.extend_from_slice(bytes),
        _ => pieces.push(Piece::Text(bytes.to_vec())),
    }
}

fn push_many(pieces: &mut Vec<Piece>) {
    if pieces.last() != Some(&Piece::Many) {
        pieces.push(Piece::Many);
    }
}

/// With anything behind it.
pub(super) fn open_ended(mut pieces: Vec<Piece>) -> Vec<Piece> {
    push_many(&mut pieces);
    pieces
}

/// With anything before it.
pub(super) fn open_fronted(mut pieces: Vec<Piece>) -> Vec<Piece> {
    if pieces.first() != Some(&Piece::Many) {
        pieces.insert(0, Piece::Many);
    }
    pieces
}

/// The bytes of a text without wildcards.
fn plain(pieces: &[Piece]) -> Option<&[u8]> {
    match pieces {
        [] => Some(b""),
        [Piece::Text(text)] => Some(text),
        _ => None,
    }
}

/// A text that is nothing but these bytes.
pub(super) fn of_bytes(bytes: Vec<u8>) -> Vec<Piece> {
    if bytes.is_empty() { Vec::new() } else { vec![Piece::Text(bytes)] }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 of RFC 4648, padded.
fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at) & 63) as usize;
            let letter = BASE64.get(index).copied().unwrap_or(b'=');
            text.push(if chunk.len() < at { b'=' } else { letter });
        }
    }
    text
}

/// `None` where it has wildcards.
pub(super) fn base64(pieces: &[Piece]) -> Option<Vec<Vec<Piece>>> {
    Some(vec![of_bytes(encoded(plain(pieces)?))])
}

/// What stays the same of the base64 of a longer text, by where in it the text stands: of the
/// first and last letters some bits belong to the neighbours.
pub(super) fn base64_offset(pieces: &[Piece]) -> Option<Vec<Vec<Piece>>> {
    let text = plain(pieces)?;
    let variant = |before: usize| {
        let mut shifted = vec![b' '; before];
        shifted.extend_from_slice(text);
        let whole = encoded(&shifted);
        let first = [0, 2, 3].get(before).copied().unwrap_or_default();
        let unsure = [0, 3, 2].get(shifted.len() % 3).copied().unwrap_or_default();
        let last = whole.len().saturating_sub(unsure);
        of_bytes(whole.get(first..last).unwrap_or_default().to_vec())
    };
    Some((0..3).map(variant).filter(|pieces| !pieces.is_empty()).collect())
}

/// UTF-16 by the way each unit becomes bytes, with what stands before the text. Wildcards stay.
pub(super) fn utf16(
    pieces: &[Piece],
    order: fn(u16) -> [u8; 2],
    mark: &[u8],
) -> Option<Vec<Piece>> {
    let mut wide = Vec::new();
    if !mark.is_empty() {
        push_bytes(&mut wide, mark);
    }
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                let text = std::str::from_utf8(text).ok()?;
                let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
                push_bytes(&mut wide, &bytes);
            }
            Piece::One | Piece::Many => wide.push(piece.clone()),
        }
    }
    Some(wide)
}

/// The text with each dash that begins a flag in all its forms; `None` where that is more than
/// [`VARIANTS_MAX`].
pub(super) fn windash(pieces: &[Piece]) -> Option<Vec<Vec<Piece>>> {
    let mut variants: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut before = ' ';
    for piece in pieces {
        let Piece::Text(bytes) = piece else {
            variants.iter_mut().for_each(|variant| variant.push(piece.clone()));
            before = ' ';
            continue;
        };
        let text = String::from_utf8_lossy(bytes);
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let mut buffer = [0; 4];
            let itself: &str = character.encode_utf8(&mut buffer);
            let begins_flag = DASHES.contains(&itself)
                && !is_of_word(before)
                && characters.peek().copied().is_some_and(is_of_word);
            let forms: &[&str] = if begins_flag { &DASHES } else { &[itself] };
            if VARIANTS_MAX < variants.len() * forms.len() {
                return None;
            }
            variants = variants.iter().flat_map(|variant| with_each(variant, forms)).collect();
            before = character;
        }
    }
    Some(variants)
}

fn with_each(variant: &[Piece], forms: &[&str]) -> Vec<Vec<Piece>> {
    let with = |form: &&str| {
        let mut longer = variant.to_vec();
        push_bytes(&mut longer, form.as_bytes());
        longer
    };
    forms.iter().map(with).collect()
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A text with names between percent signs; a backslash before one takes its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Placeholder(String),
}

/// The parts of a text as a rule writes it.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        if let Some(behind) = rest.strip_prefix("\\%") {
            plain.push('%');
            rest = behind;
        } else if character == '%'
            && let Some((name, behind)) = after.split_once('%')
            && !name.is_empty()
            && name.chars().all(|it| is_of_word(it) || it == '-' || it == '.')
        {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = behind;
        } else {
            plain.push(character);
            rest = after;
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Piece::One => "<?>".to_owned(),
            Piece::Many => "<*>".to_owned(),
        };
        pieces.iter().map(piece).collect()
    }

    #[test]
    fn a_backslash_escapes_wildcards_and_itself() {
        let check =
            |text: &str, expected: &str| assert_eq!(shown(&pieces(text)), expected, "{text}");
        check(r"C:\Windows\x", r"C:\Windows\x");
        check(r"a\*b", "a*b");
        check(r"a\?b", "a?b");
        check(r"a\\*b", r"a\<*>b");
        check(r"a\\\*b", r"a\*b");
        check(r"\\\\host", r"\\host");
        check(r"\\\host", r"\\host");
        check(r"a**b?", "a<*>b<?>");
        check(r"end\", r"end\");
    }

    #[test]
    fn base64_is_that_of_the_standard_and_its_offsets_are_found_in_any_longer_text() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encoded(text.as_bytes()), expected.as_bytes());
        }
        let variants = base64_offset(&pieces("/bin/bash")).unwrap();
        assert_eq!(variants.len(), 3);
        for before in 0..7 {
            for after in 0..4 {
                let text = format!("{}/bin/bash{}", "x".repeat(before), "y".repeat(after));
                let whole = String::from_utf8(encoded(text.as_bytes())).unwrap();
                assert!(variants.iter().any(|it| whole.contains(&shown(it))), "{text}");
            }
        }
        assert_eq!(base64(&pieces("a*")), None);
    }

    #[test]
    fn a_dash_before_a_flag_has_five_forms_and_one_inside_a_word_has_one() {
        assert_eq!(windash(&pieces(" -a x-y")).unwrap().len(), 5);
        assert_eq!(windash(&pieces("-a /b")).unwrap().len(), 25);
        assert_eq!(windash(&pieces("-a -b -c -d")).unwrap().len(), VARIANTS_MAX);
        assert_eq!(windash(&pieces("-a -b -c -d -e")), None);
    }

    #[test]
    fn utf16_has_two_bytes_a_unit() {
        let wide = utf16(&pieces("a*"), u16::to_le_bytes, &[]).unwrap();
        assert_eq!(wide, [Piece::Text(b"a\0".to_vec()), Piece::Many]);
        let marked = utf16(&pieces("a"), u16::to_be_bytes, b"\xfe\xff").unwrap();
        assert_eq!(marked, [Piece::Text(b"\xfe\xff\0a".to_vec())]);
    }

    #[test]
    fn placeholders_stand_between_percent_signs() {
        let part = |text: &str| Part::Text(text.to_owned());
        let name = |text: &str| Part::Placeholder(text.to_owned());
        assert_eq!(parts("%a%"), [name("a")]);
        assert_eq!(parts(r"\%plain%name%x"), [part("%plain"), name("name"), part("x")]);
        assert_eq!(parts("100% sure"), [part("100% sure")]);
    }
}
