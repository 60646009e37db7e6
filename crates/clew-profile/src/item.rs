//! An item: who did what, how, as one key that holds nothing a terminal or file would interpret.
//!
//! A key is a line of fields separated by tabs: class, who, how, and the parts of what. Bytes from
//! outside are escaped on the way in, so that no part contains a tab and a hostile name is itself
//! in a snapshot, on a page and in a file that people edit. A literal that begins with `{` gets a
//! backslash: nothing can call itself a hole.

use std::fmt;
use std::fmt::Write as _;

use clew_event::text::escaped;

use crate::class::Class;

/// Most parts of what; the rest is [`REST`].
pub const PARTS_MAX: usize = 16;
/// Longest part in bytes; a longer one is [`LONG`].
pub const PART_BYTES_MAX: usize = 128;
/// Stands for parts beyond [`PARTS_MAX`], or below a directory that is learned as a whole.
pub const REST: &str = "{**}";
/// Stands, with its first bytes behind, for a part beyond [`PART_BYTES_MAX`].
pub const LONG: &str = "{long}";

/// So many bytes of a long part are kept: enough to tell one script from another.
const HEAD_BYTES: usize = 48;
const SEPARATOR: char = '\t';
/// Class, who and how stand before the parts.
pub(crate) const FIELDS_BEFORE: usize = 3;

/// Builds keys in a buffer that is used again.
#[derive(Clone, Debug, Default)]
pub struct KeyBuilder {
    text: String,
    parts: usize,
    /// From here on a part may become a hole; those before are fixed by their class.
    fixed: usize,
}

impl KeyBuilder {
    /// Begins the item of a class.
    pub fn begin(&mut self, class: Class, who: &[u8], how: &str) -> &mut Self {
        self.text.clear();
        (self.parts, self.fixed) = (0, 0);
        self.text.push_str(class.name());
        self.text.push(SEPARATOR);
        push_safe(&mut self.text, who);
        self.text.push(SEPARATOR);
        self.text.push_str(how);
        self
    }

    /// Adds a part from outside.
    pub fn part(&mut self, part: &[u8]) -> &mut Self {
        if self.takes() {
            self.text.push(SEPARATOR);
            push_safe(&mut self.text, part);
        }
        self
    }

    /// Adds a part that is a hole or a word of ours.
    pub fn word(&mut self, word: &str) -> &mut Self {
        if self.takes() {
            self.text.push(SEPARATOR);
            self.text.push_str(word);
        }
        self
    }

    /// Says that the parts until now never become holes.
    pub const fn fix(&mut self) -> &mut Self {
        self.fixed = self.parts;
        self
    }

    /// The key, and how many of its parts never become holes.
    #[must_use]
    pub fn key(&self) -> (&str, usize) {
        (&self.text, self.fixed)
    }

    fn takes(&mut self) -> bool {
        self.parts += 1;
        if self.parts == PARTS_MAX {
            self.text.push(SEPARATOR);
            self.text.push_str(REST);
        }
        self.parts < PARTS_MAX
    }
}

/// Adds bytes so that they are one field: printable, bounded, and no hole.
fn push_safe(text: &mut String, bytes: &[u8]) {
    if PART_BYTES_MAX < bytes.len() {
        text.push_str(LONG);
        text.push(' ');
        text.push_str(&escaped(bytes.get(..HEAD_BYTES).unwrap_or_default()));
        return;
    }
    if bytes.first() == Some(&b'{') {
        text.push('\\');
    }
    match std::str::from_utf8(bytes) {
        Ok(plain) if bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) => text.push_str(plain),
        _ => text.push_str(&escaped(bytes)),
    }
}

/// A key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item<'a> {
    /// Its class.
    pub class: Class,
    /// Program, role or service account that acts.
    pub who: &'a str,
    /// Access, direction, method.
    pub how: &'a str,
    /// What it acts on.
    pub parts: Vec<&'a str>,
}

impl<'a> Item<'a> {
    /// Takes a key apart; `None` where it is none.
    #[must_use]
    pub fn of_key(key: &'a str) -> Option<Self> {
        let mut fields = key.split(SEPARATOR);
        let class = Class::from_name(fields.next()?)?;
        let (who, how) = (fields.next()?, fields.next()?);
        let parts: Vec<&str> = fields.collect();
        (parts.len() <= PARTS_MAX && key.bytes().all(|byte| byte == b'\t' || 0x20 <= byte))
            .then_some(Self { class, who, how, parts })
    }

    /// The key it was taken from.
    #[must_use]
    pub fn key(&self) -> String {
        let fields = [self.class.name(), self.who, self.how].into_iter();
        fields.chain(self.parts.iter().copied()).collect::<Vec<_>>().join("\t")
    }

    /// What it acts on, as people write it.
    #[must_use]
    pub fn what(&self) -> String {
        let joined = self.parts.join(self.class.separator());
        if self.class.separator() == "/" { format!("/{joined}") } else { joined }
    }
}

/// `nginx: read /etc/nginx/nginx.conf`, without the class.
impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.who.is_empty() {
            write!(f, "{}: ", self.who)?;
        }
        if !self.how.is_empty() {
            f.write_str(self.how)?;
            f.write_char(' ')?;
        }
        f.write_str(&self.what())
    }
}

/// Where each part of a key begins and ends.
pub(crate) fn places(key: &str) -> Vec<(usize, usize)> {
    let begins: Vec<usize> = key.match_indices(SEPARATOR).map(|(at, _)| at + 1).collect();
    let ends = begins.iter().skip(1).map(|begin| begin - 1).chain([key.len()]);
    let places = begins.iter().copied().zip(ends);
    places.skip(FIELDS_BEFORE - 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&[u8]]) -> String {
        let mut builder = KeyBuilder::default();
        builder.begin(Class::File, b"/bin/cat", "read");
        parts.iter().for_each(|part| {
            builder.part(part);
        });
        builder.key().0.to_owned()
    }

    #[test]
    fn a_hostile_name_is_one_printable_part_and_no_hole() {
        let key = key(&[
            b"tmp".as_slice(),
            b"{word}",
            b"a\tb\n\x1b",
            b"\xff",
            &[b'x'; PART_BYTES_MAX + 1],
        ]);
        let item = Item::of_key(&key).expect("a key");
        assert_eq!(item.key(), key);
        let long = format!("{LONG} {}", "x".repeat(HEAD_BYTES));
        let expected = ["tmp", "\\{word}", "a\\x09b\\x0a\\x1b", "\\xff", long.as_str()];
        assert_eq!(item.parts, expected);
        let shown = format!("/bin/cat: read /tmp/\\{{word}}/a\\x09b\\x0a\\x1b/\\xff/{long}");
        assert_eq!(item.to_string(), shown);
    }

    #[test]
    fn at_most_parts_max_parts_are_kept() {
        let key = key(&[b"a".as_slice(); 40]);
        let item = Item::of_key(&key).expect("a key");
        assert_eq!((item.parts.len(), item.parts.last()), (PARTS_MAX, Some(&REST)));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "file", "file\twho", "spoon\twho\thow", "file\twho\thow\ta\x1bb"] {
            assert_eq!(Item::of_key(text), None, "{text:?}");
        }
    }

    #[test]
    fn parts_are_found_where_they_stand() {
        let key = key(&[b"etc".as_slice(), b"passwd"]);
        let parts: Vec<_> = places(&key).into_iter().filter_map(|(a, b)| key.get(a..b)).collect();
        assert_eq!(parts, ["etc", "passwd"]);
    }
}
