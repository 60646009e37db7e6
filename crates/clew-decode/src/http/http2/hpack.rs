//! Reads blocks of fields of HTTP/2 (RFC 7541), as one who only listens.
//!
//! What was inserted before we listened, or in a gap, is not known. The newest entries have the
//! lowest numbers, so what is inserted afterwards is known by its number all the same; any other
//! number gives no field rather than a guess.

use std::collections::VecDeque;

use clew_event::Text;

use super::huffman;
use crate::http::head::FIELDS_MAX;
use crate::http::reader::HEAD_BYTES_MAX;

/// Most bytes of a dynamic table, counted as RFC 7541 counts; the usual size is 4096. Of a larger
/// one the oldest entries are not known.
pub const TABLE_BYTES_MAX: usize = 64 << 10;
/// What an entry costs beside its bytes (section 4.1).
const ENTRY_BYTES: usize = 32;
const USUAL_TABLE_BYTES: usize = 4096;

/// Appendix A.
const STATICS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The static table, once for all connections.
#[derive(Debug)]
pub(in crate::http) struct Statics(Vec<Entry>);

type Entry = (Text, Text);

impl Statics {
    pub(in crate::http) fn new() -> Self {
        Self(STATICS.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }
}

/// Fields of a block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Block {
    pub(in crate::http) fields: Vec<Entry>,
    /// Some are missing: not known, or too many.
    pub(in crate::http) is_cut: bool,
    bytes: usize,
}

impl Block {
    fn push(&mut self, entry: Option<Entry>) {
        let Some(entry) = entry else {
            self.is_cut = true;
            return;
        };
        self.bytes = self.bytes.saturating_add(bytes_of(&entry));
        if FIELDS_MAX <= self.fields.len() || HEAD_BYTES_MAX < self.bytes {
            self.is_cut = true;
        } else {
            self.fields.push(entry);
        }
    }
}

/// One direction's table.
#[derive(Debug)]
pub(in crate::http) struct Decoder {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

impl Decoder {
    pub(in crate::http) const fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: USUAL_TABLE_BYTES }
    }

    /// Bytes that are kept.
    pub(in crate::http) const fn buffered(&self) -> usize {
        self.bytes
    }

    /// Forgets all: blocks were not seen.
    pub(in crate::http) fn lose(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Reads a block to its end, or as far as it can be read: then the table is lost too.
    pub(in crate::http) fn decode(&mut self, statics: &Statics, mut block: &[u8]) -> Block {
        let mut found = Block::default();
        while !block.is_empty() {
            if self.step(statics, &mut block, &mut found).is_none() {
                found.is_cut = true;
                self.lose();
                break;
            }
        }
        found
    }

    /// Reads one representation (section 6); `None` where it is none.
    fn step(&mut self, statics: &Statics, block: &mut &[u8], found: &mut Block) -> Option<()> {
        let first = *block.first()?;
        if first & 0x80 != 0 {
            let index = integer(block, 7)?.checked_sub(1)?;
            found.push(self.entry(statics, index).cloned());
        } else if first & 0x40 != 0 {
            let entry = self.literal(statics, block, 6)?;
            // An entry of which half is not known still takes its place.
            let (name, value) = entry;
            found.push(name.clone().map(|name| (name, value.clone())));
            self.insert((name.unwrap_or_default(), value));
        } else if first & 0x20 != 0 {
            self.bytes_max = integer(block, 5)?.min(TABLE_BYTES_MAX);
            self.evict(self.bytes_max);
        } else {
            let (name, value) = self.literal(statics, block, 4)?;
            found.push(name.map(|name| (name, value)));
        }
        Some(())
    }

    /// A name, where it is known, and a value.
    fn literal(
        &self,
        statics: &Statics,
        block: &mut &[u8],
        bits: u32,
    ) -> Option<(Option<Text>, Text)> {
        let name = match integer(block, bits)?.checked_sub(1) {
            None => Some(string(block)?),
            Some(index) => self.entry(statics, index).map(|(name, _)| name.clone()),
        };
        Some((name, string(block)?))
    }

    /// The entry of that index, from 0; `None` where it is not known.
    fn entry<'a>(&'a self, statics: &'a Statics, index: usize) -> Option<&'a Entry> {
        let known = match index.checked_sub(STATICS.len()) {
            None => statics.0.get(index),
            Some(dynamic) => self.entries.get(dynamic),
        };
        known.filter(|(name, _)| !name.is_empty())
    }

    fn insert(&mut self, entry: Entry) {
        let bytes = bytes_of(&entry);
        self.evict(self.bytes_max.saturating_sub(bytes));
        // What is larger than the table empties it (section 4.4).
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.entries.push_front(entry);
        }
    }

    fn evict(&mut self, bytes_max: usize) {
        while bytes_max < self.bytes
            && let Some(oldest) = self.entries.pop_back()
        {
            self.bytes -= bytes_of(&oldest);
        }
    }
}

fn bytes_of((name, value): &Entry) -> usize {
    name.as_bytes().len() + value.as_bytes().len() + ENTRY_BYTES
}

/// Section 5.1; nothing of use has more than 28 bits.
fn integer(block: &mut &[u8], bits: u32) -> Option<usize> {
    let (&first, rest) = block.split_first()?;
    *block = rest;
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value < most {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let (&byte, rest) = block.split_first()?;
        *block = rest;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Section 5.2.
fn string(block: &mut &[u8]) -> Option<Text> {
    let is_coded = *block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length)?;
    *block = rest;
    if is_coded { huffman::decoded(bytes).map(Text::from) } else { Some(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: String = hex.split_whitespace().collect();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn check(decoder: &mut Decoder, hex: &str, fields: &[&str], table_bytes: usize) {
        let found = decoder.decode(&Statics::new(), &bytes(hex));
        let shown: Vec<_> = found.fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        assert_eq!(shown, fields);
        assert!(!found.is_cut);
        assert_eq!(decoder.bytes, table_bytes);
    }

    const FIRST: [&str; 4] =
        [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];

    #[test]
    fn representations_are_read_as_in_appendix_c_2() {
        let mut decoder = Decoder::new();
        let custom = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
        check(&mut decoder, custom, &["custom-key: custom-header"], 55);
        check(&mut decoder, "040c 2f73 616d 706c 652f 7061 7468", &[":path: /sample/path"], 55);
        let secret = "1008 7061 7373 776f 7264 0673 6563 7265 74";
        check(&mut decoder, secret, &["password: secret"], 55);
        check(&mut decoder, "82", &[":method: GET"], 55);
    }

    #[test]
    fn requests_are_read_as_in_appendix_c_3_and_c_4() {
        let second = [&FIRST[..], &["cache-control: no-cache"]].concat();
        let third = [
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ];
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::new();
            check(&mut decoder, blocks[0], &FIRST, 57);
            check(&mut decoder, blocks[1], &second, 110);
            check(&mut decoder, blocks[2], &third, 164);
        }
    }

    #[test]
    fn responses_are_read_and_entries_given_up_as_in_appendix_c_5_and_c_6() {
        let first = [
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ];
        let second = [":status: 307", first[1], first[2], first[3]];
        let third = [
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ];
        for blocks in [
            [
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                 6c65 2e63 6f6d",
                "4803 3330 37c1 c0bf",
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
            ],
            [
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                "4883 640e ffc1 c0bf",
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ],
        ] {
            let mut decoder = Decoder { bytes_max: 256, ..Decoder::new() };
            check(&mut decoder, blocks[0], &first, 222);
            check(&mut decoder, blocks[1], &second, 222);
            check(&mut decoder, blocks[2], &third, 215);
        }
    }

    #[test]
    fn what_was_not_seen_is_not_guessed() {
        let mut decoder = Decoder::new();
        let statics = Statics::new();
        // An unknown entry, one whose name is unknown, and one that is inserted now.
        let found = decoder.decode(&statics, &bytes("be 7f00 0178 4001 6101 62 be c0"));
        let known = ("a".into(), "b".into());
        let expected = Block { fields: vec![known.clone(), known], is_cut: true, bytes: 68 };
        assert_eq!(found, expected);
        let found = decoder.decode(&statics, &bytes("be bf"));
        assert_eq!(found.fields.len(), 1);
    }

    #[test]
    fn a_block_that_grows_without_end_is_cut() {
        let mut decoder = Decoder::new();
        let long = "b".repeat(4000);
        let mut block = [b"\x40\x01a\x7f".as_slice(), &[0xa1, 0x1e], long.as_bytes()].concat();
        block.extend(std::iter::repeat_n(0xbe, 60_000));
        let found = decoder.decode(&Statics::new(), &block);
        assert!(found.is_cut && found.fields.len() <= FIELDS_MAX);
        assert!(found.fields.iter().map(bytes_of).sum::<usize>() <= HEAD_BYTES_MAX);
        assert!(!found.fields.is_empty());
    }

    #[test]
    fn a_table_is_never_larger_than_its_bound() {
        let mut decoder = Decoder::new();
        // A size of 2^21, then entries of 1000 bytes.
        let mut block = vec![0x3f, 0xe1, 0xff, 0x7f];
        for _ in 0..200 {
            block.extend([0x40, 0x01, b'a', 0x7f, 0xc9, 0x06]);
            block.extend([b'b'; 1000 - 32]);
        }
        decoder.decode(&Statics::new(), &block);
        assert!(TABLE_BYTES_MAX - 1001 < decoder.bytes && decoder.bytes <= TABLE_BYTES_MAX);
    }

    #[test]
    fn what_is_no_block_ends_there() {
        for bad in ["80", "ffff ffff ffff 00", "4005 61", "0001 6183 ffff ff"] {
            let found = Decoder::new().decode(&Statics::new(), &bytes(bad));
            assert!(found.is_cut && found.fields.is_empty(), "{bad}");
        }
    }
}
