//! Bytes that came from a watched machine: a path, an argument, a name.
//!
//! The kernel promises no encoding, and an attacker chooses the bytes. So they are kept as they
//! came (rules compare bytes), shared by reference count (an event and the process tree hold the
//! same path once), and only shown escaped, so that no terminal or page ever interprets them.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Immutable bytes, cheap to clone, shown escaped. Two words, plus the bytes.
///
/// `None` where there is nothing: most texts of most events are empty, and to count who shares
/// nothing would be most of what it costs to make and drop such an event.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Option<Arc<[u8]>>);

impl Text {
    /// The bytes as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// True where there is nothing; the sensor gives an empty text for what it could not read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// As UTF-8, each invalid byte as U+FFFD. Not escaped: for files and JSON, not for terminals.
    #[must_use]
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// What stands after the last `/`: the file's own name.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }
}

/// Shows `bytes` so that nothing in them can act on a terminal or break a line.
///
/// Printable Unicode stays; control characters, bidirectional overrides and invalid bytes become
/// `\x1b` or `\u{202e}`.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_harmless(character) {
                shown.push(character);
            } else if character.is_ascii() {
                let _ = write!(shown, "\\x{:02x}", u32::from(character));
            } else {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// False for what moves a cursor, hides text or turns its direction (Unicode Cc, Cf, Zl, Zp).
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&escaped(self.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", escaped(self.as_bytes()))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| bytes.into()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_bytes())
    }
}

/// In JSON: a string, invalid bytes as U+FFFD. In a tape: the bytes.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_str_lossy())
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            <Cow<'de, str>>::deserialize(deserializer).map(|text| Self::from(&*text))
        } else {
            <Cow<'de, serde_bytes::Bytes>>::deserialize(deserializer)
                .map(|bytes| Self::from(bytes.as_ref().as_ref()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_shown_text_acts_on_a_terminal() {
        let check = |bytes: &[u8], shown: &str| assert_eq!(Text::from(bytes).to_string(), shown);
        check(b"/bin/sh", "/bin/sh");
        check("caf\u{e9}".as_bytes(), "caf\u{e9}");
        check(b"a\x1b[31mb\nc", "a\\x1b[31mb\\x0ac");
        check("x\u{202e}y\u{85}".as_bytes(), "x\\u{202e}y\\u{85}");
        check(b"\xff\xfe", "\\xff\\xfe");
    }

    #[test]
    fn a_file_name_is_what_follows_the_last_slash() {
        let check = |path: &str, name: &[u8]| assert_eq!(Text::from(path).file_name(), name);
        check("/usr/bin/id", b"id");
        check("id", b"id");
        check("/tmp/", b"");
        check("", b"");
    }

    #[test]
    fn bytes_survive_a_tape_unchanged() -> Result<(), postcard::Error> {
        let text = Text::from(&b"\xff\x00/bin"[..]);
        let taped = postcard::to_stdvec(&text)?;
        assert_eq!(postcard::from_bytes::<Text>(&taped)?, text);
        Ok(())
    }
}
