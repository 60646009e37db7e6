//! Character references of HTML and XML.

use super::layers::push_folded;

/// References that attacks are written with; HTML has 2,231, of which browsers need few.
const NAMES: &[(&str, u8)] = &[
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("nbsp", b' '),
    ("newline", b'\n'),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sol", b'/'),
    ("tab", b'\t'),
    ("vert", b'|'),
];
/// Names that browsers take without the semicolon.
const BARE: &[&str] = &["amp", "gt", "lt", "quot", "nbsp"];

/// Resolves references; `None` where there is none.
#[must_use]
pub fn entities(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'&') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut is_changed = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'&'
            && let Some((code, behind)) = reference(rest)
        {
            push_folded(&mut out, code);
            (rest, is_changed) = (behind, true);
            continue;
        }
        out.push(byte);
    }
    is_changed.then_some(out)
}

fn reference(rest: &[u8]) -> Option<(u32, &[u8])> {
    if let Some(number) = rest.strip_prefix(b"#") {
        return match number.strip_prefix(b"x").or_else(|| number.strip_prefix(b"X")) {
            Some(digits) => numeric(digits, 16),
            None => numeric(number, 10),
        };
    }
    let end = rest.iter().take(9).position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(8);
    let name = rest.get(..end.min(rest.len()))?;
    let behind = rest.get(name.len()..)?;
    let is_known = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    let (_, byte) = NAMES.iter().find(|(known, _)| is_known(known))?;
    match behind.strip_prefix(b";") {
        Some(behind) => Some((u32::from(*byte), behind)),
        // `&lt=5` is an argument of a query that was not split.
        None if BARE.iter().any(|known| is_known(known)) && !behind.starts_with(b"=") => {
            Some((u32::from(*byte), behind))
        }
        None => None,
    }
}

fn numeric(digits: &[u8], radix: u32) -> Option<(u32, &[u8])> {
    let mut code = 0_u32;
    let mut rest = digits;
    while let Some((&byte, behind)) = rest.split_first()
        && let Some(digit) = char::from(byte).to_digit(radix)
    {
        code = code.checked_mul(radix)?.checked_add(digit)?;
        rest = behind;
    }
    if rest.len() == digits.len() {
        return None;
    }
    Some((code, rest.strip_prefix(b";").unwrap_or(rest)))
}
