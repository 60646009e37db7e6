//! Undoes the Huffman code of HPACK (RFC 7541, appendix B).
//!
//! The code is canonical: among codes of one length, and from shorter to longer ones, they count up
//! in the order of the symbols. So the lengths alone tell it. Codes of up to eight bits, which is
//! nearly every letter of a field, are looked up in one step.

/// Length of each symbol's code in bits; the last is the end of a string, which never occurs.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
    6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23,
    23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26,
    27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const SYMBOLS: usize = 257;
const LONGEST: usize = 30;
const END: u16 = 256;

/// For each length: its first code, the place of that code's symbol, and how many there are.
const FIRSTS: [(u32, u16, u16); LONGEST + 1] = firsts();
const IN_ORDER: [u16; SYMBOLS] = in_order();
/// By the next eight bits: symbol and length of a code; length 0 where the code is longer.
const SHORT: [(u8, u8); 256] = short();

/// The text, or `None` where it is none. At most eight fifths as long as `coded`.
pub(super) fn decoded(coded: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(coded.len() * 8 / 5);
    let (mut bits, mut count) = (0_u64, 0_u32);
    let mut coded = coded.iter();
    loop {
        while count <= 56
            && let Some(&byte) = coded.next()
        {
            bits = bits << 8 | u64::from(byte);
            count += 8;
        }
        let window = if count < 32 { bits << (32 - count) } else { bits >> (count - 32) };
        let window = u32::try_from(window & 0xffff_ffff).unwrap_or(0);
        let (symbol, length) = match SHORT.get(usize::try_from(window >> 24).unwrap_or(0)) {
            Some(&(symbol, length)) if 0 < length => (u16::from(symbol), u32::from(length)),
            _ => long(window)?,
        };
        if count < length || symbol == END {
            // What is left fills up the last byte: fewer than eight bits, all set.
            let is_padding = count < 8 && bits & ((1 << count) - 1) == (1 << count) - 1;
            return is_padding.then_some(plain);
        }
        plain.push(u8::try_from(symbol).ok()?);
        count -= length;
    }
}

/// Symbol and length of the code at the front of `window`.
fn long(window: u32) -> Option<(u16, u32)> {
    (1_u32..).zip(FIRSTS.iter().skip(1)).find_map(|(length, &(first, place, many))| {
        let nth = (window >> (32 - length)).checked_sub(first)?;
        let nth = u16::try_from(nth).ok().filter(|&nth| nth < many)?;
        Some((*IN_ORDER.get(usize::from(place + nth))?, length))
    })
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which checks it")]
const fn firsts() -> [(u32, u16, u16); LONGEST + 1] {
    let mut firsts = [(0, 0, 0); LONGEST + 1];
    let (mut length, mut code, mut place) = (1, 0, 0);
    while length <= LONGEST {
        let (mut symbol, mut many) = (0, 0);
        while symbol < SYMBOLS {
            many += (LENGTHS[symbol] as usize == length) as u16;
            symbol += 1;
        }
        firsts[length] = (code, place, many);
        code = (code + many as u32) << 1;
        place += many;
        length += 1;
    }
    firsts
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which checks it")]
const fn in_order() -> [u16; SYMBOLS] {
    let mut order = [0; SYMBOLS];
    let (mut length, mut place) = (1, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                #[expect(clippy::cast_possible_truncation, reason = "below 257")]
                let symbol = symbol as u16;
                order[place] = symbol;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which checks it")]
const fn short() -> [(u8, u8); 256] {
    let mut short = [(0, 0); 256];
    let mut length = 1;
    while length <= 8 {
        let (first, place, many) = FIRSTS[length];
        let mut nth = 0;
        while nth < many {
            #[expect(clippy::cast_possible_truncation, reason = "short codes are of letters")]
            let entry = (IN_ORDER[(place + nth) as usize] as u8, length as u8);
            let start = ((first + nth as u32) << (8 - length)) as usize;
            let mut fill = 0;
            while fill < 1 << (8 - length) {
                short[start + fill] = entry;
                fill += 1;
            }
            nth += 1;
        }
        length += 1;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(plain: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for &byte in plain {
            let place = IN_ORDER.iter().position(|&it| it == u16::from(byte)).expect("known");
            let length = usize::from(LENGTHS[usize::from(byte)]);
            let (first, from, _) = FIRSTS[length];
            let code = first + u32::try_from(place - usize::from(from)).expect("few");
            bits += &format!("{code:0length$b}");
        }
        bits += &"1".repeat(bits.len().wrapping_neg() % 8);
        let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("bits");
        (0..bits.len()).step_by(8).map(byte).collect()
    }

    #[test]
    fn every_byte_survives_its_code() {
        for byte in 0..=255 {
            for plain in [vec![byte], vec![byte, b'a', byte], vec![byte; 9]] {
                assert_eq!(decoded(&coded(&plain)), Some(plain));
            }
        }
        assert_eq!(decoded(b""), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        // The end of a string; more than seven bits of padding; padding with a zero.
        for bad in [&[0xff; 4][..], &[0xff], &[0b0001_1111, 0xff], &[0b0001_1110]] {
            assert_eq!(decoded(bad), None, "{bad:x?}");
        }
        assert_eq!(decoded(&[0b0001_1111]), Some(b"a".to_vec()));
    }
}
