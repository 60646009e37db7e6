//! What the modifiers that change a value make of it, from the appendix of modifiers.

use super::naive::{Piece, Quirk, pattern};

/// The patterns that a value stands for, its modifiers carried out in the order written.
///
/// # Errors
/// A value with wildcards cannot be encoded.
pub(crate) fn patterns(
    text: &str,
    modifiers: &[&str],
    quirks: &[Quirk],
) -> Result<Vec<Vec<Piece>>, String> {
    let is_changed =
        |it: &&str| it.starts_with("base64") || it.starts_with("utf16") || *it == "wide";
    if !modifiers.iter().any(is_changed) {
        return Ok(match modifiers.contains(&"windash") {
            true => windash(text, quirks).iter().map(|it| pattern(it)).collect(),
            false => vec![pattern(text)],
        });
    }
    let plain = |piece: Piece| match piece {
        Piece::One(it) => Ok(it),
        Piece::Any | Piece::Many => Err("wildcards are not encoded".to_owned()),
    };
    let text: String = pattern(text).into_iter().map(plain).collect::<Result<_, _>>()?;
    let mut several = vec![text.into_bytes()];
    for modifier in modifiers {
        several = several.into_iter().flat_map(|bytes| changed(&bytes, modifier, quirks)).collect();
    }
    let characters =
        |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).chars().map(Piece::One).collect();
    Ok(several.into_iter().map(characters).collect())
}

fn changed(bytes: &[u8], modifier: &str, quirks: &[Quirk]) -> Vec<Vec<u8>> {
    let units = || String::from_utf8_lossy(bytes).encode_utf16().collect::<Vec<u16>>();
    match modifier {
        "utf16le" | "wide" => vec![units().into_iter().flat_map(u16::to_le_bytes).collect()],
        "utf16be" => vec![units().into_iter().flat_map(u16::to_be_bytes).collect()],
        // "Prepends a byte order mark and encodes UTF16, e.g. cmd > FF FE 63 00 6d 00 64 00".
        "utf16" => {
            let units = units().into_iter().flat_map(u16::to_le_bytes);
            vec![[0xff, 0xfe].into_iter().chain(units).collect()]
        }
        "base64" => vec![base64(bytes)],
        "base64offset" => {
            let forms = (0..3).map(|before| offset(bytes, before, quirks));
            forms.filter(|form| !form.is_empty()).collect()
        }
        _ => vec![bytes.to_vec()],
    }
}

/// RFC 4648, bit by bit.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    bits.resize(bits.len().next_multiple_of(6), 0);
    let letter = |bits: &[u8]| LETTERS[bits.iter().fold(0, |sum, bit| sum * 2 + usize::from(*bit))];
    let mut text: Vec<u8> = bits.chunks(6).map(letter).collect();
    text.resize(text.len().next_multiple_of(4), b'=');
    text
}

/// The letters that the bytes alone decide, where so many others stand before them.
fn offset(bytes: &[u8], before: usize, quirks: &[Quirk]) -> Vec<u8> {
    let shifted = [vec![0; before], bytes.to_vec()].concat();
    let first = (before * 8).div_ceil(6);
    let last = match quirks.contains(&Quirk::LastLetter) {
        true => (shifted.len() * 8).div_ceil(6),
        false => shifted.len() * 8 / 6,
    };
    base64(&shifted)[first..last].to_vec()
}

/// "Converts `-` into `/`, en dash, em dash and horizontal bar" and back, of those that begin a
/// flag: behind no letter or digit, before one.
fn windash(text: &str, quirks: &[Quirk]) -> Vec<String> {
    const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
    let text: Vec<char> = text.chars().collect();
    let is_word = |at: Option<&char>| at.is_some_and(|it| it.is_alphanumeric() || *it == '_');
    let mut several = vec![String::new()];
    for (at, character) in text.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let begins = !is_word(before) && is_word(text.get(at + 1));
        let is_flag = DASHES.contains(character) && (begins || quirks.contains(&Quirk::EveryDash));
        let forms: &[char] = if is_flag { &DASHES } else { &[*character] };
        several = several
            .iter()
            .flat_map(|start| forms.iter().map(move |form| format!("{start}{form}")))
            .collect();
    }
    several
}
