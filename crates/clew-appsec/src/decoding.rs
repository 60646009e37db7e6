//! Undoes encodings under which an attack may hide.
//!
//! Each layer between an attacker and the place where a value acts may decode it once more: proxy,
//! framework, template, browser, shell. So a value is looked at in all [`Form`]s that some reader
//! may see. Their number, depth and bytes are bounded, since nested encodings multiply.

mod entities;
mod layers;

pub use entities::entities;
pub use layers::{base64, escapes, folded, percent, plus};

/// Most forms of one value that are looked at, with the value itself.
pub const FORMS_MAX: usize = 8;
/// Most layers that are undone, one over the other.
pub const LAYERS_MAX: u8 = 4;
/// Most bytes of all forms of one value together.
pub const FORMS_BYTES_MAX: usize = 256 << 10;

/// A layer that was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// `%2e`, `%u002e`.
    Percent,
    /// `&lt;`, `&#60;`.
    Entities,
    /// `\u0061`, `\x61`, `\n`.
    Escapes,
    /// Base64, of both alphabets.
    Base64,
    /// Overlong and full-width characters, zero bytes, invisible characters, UTF-7.
    Folded,
}

impl Layer {
    const ALL: [Self; 5] =
        [Self::Percent, Self::Entities, Self::Escapes, Self::Folded, Self::Base64];

    /// Its name in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Entities => "entities",
            Self::Escapes => "escapes",
            Self::Base64 => "base64",
            Self::Folded => "unicode",
        }
    }

    fn undo(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Percent => percent(bytes),
            Self::Entities => entities(bytes),
            Self::Escapes => escapes(bytes),
            Self::Base64 => base64(bytes),
            Self::Folded => folded(bytes),
        }
    }
}

/// A value as some reader may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What was undone, in this order.
    pub layers: Vec<Layer>,
}

/// All further forms of a value.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    /// Without the value itself.
    pub list: Vec<Form>,
    /// Forms that a bound left out.
    pub dropped_count: u32,
}

/// The forms of a value beside itself, the least decoded first.
#[must_use]
pub fn forms(value: &[u8]) -> Forms {
    let mut found = Forms::default();
    undo(value, value, &[], &mut found);
    let mut next = 0_usize;
    while let Some(form) = found.list.get(next) {
        if form.layers.len() < usize::from(LAYERS_MAX) {
            let form = form.clone();
            undo(value, &form.bytes, &form.layers, &mut found);
        }
        next += 1;
    }
    found
}

/// Adds what each layer makes of `bytes`, unless it is known.
fn undo(value: &[u8], bytes: &[u8], layers: &[Layer], found: &mut Forms) {
    for layer in Layer::ALL {
        let Some(bytes) = layer.undo(bytes) else { continue };
        let is_known = bytes == value || found.list.iter().any(|it| it.bytes == bytes);
        if is_known || bytes.is_empty() {
            continue;
        }
        let taken: usize = found.list.iter().map(|it| it.bytes.len()).sum();
        if FORMS_MAX <= found.list.len() + 1 || FORMS_BYTES_MAX < taken + bytes.len() {
            found.dropped_count = found.dropped_count.saturating_add(1);
            continue;
        }
        let layers = layers.iter().copied().chain([layer]).collect();
        found.list.push(Form { bytes, layers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        let found = forms(value.as_bytes());
        let is_found = found.list.iter().any(|form| form.bytes == expected.as_bytes());
        assert!(is_found, "{value} gives {found:?}");
    }

    #[test]
    fn undoes_layers_one_over_the_other() {
        check("%252e%252e%252f", "../");
        check("%u002e%u2215", "./");
        check("&#x3c;svg&gt;", "<svg>");
        check("&lt&colon;&Tab;", "<:\t");
        check("\\u0061lert\\x28", "alert(");
        check("cnVudGltZQ", "runtime");
        check("JTNjc3ZnJTNl", "<svg>");
        check("+ADw-script+AD4-", "<script>");
    }

    #[test]
    fn folds_characters_that_readers_take_for_others() {
        check("\u{ff1c}svg\u{ff1e}", "<svg>");
        check("se\0lect", "select");
        check("java\u{200b}script", "javascript");
        let overlong = forms(b"\xc0\xae\xc0\xae\xc0\xafetc");
        assert!(overlong.list.iter().any(|form| form.bytes == b"../etc"), "{overlong:?}");
    }

    #[test]
    fn leaves_plain_values_alone() {
        for value in ["shoes", "C:\\temp", "50% off", "a & b", "O'Neil", "2026-01-02T03:04:05Z"] {
            let found = forms(value.as_bytes());
            assert!(found.list.iter().all(|it| !it.layers.contains(&Layer::Base64)), "{found:?}");
        }
        assert!(forms(b"shoes").list.is_empty());
        assert!(forms(b"50% off").list.is_empty());
    }

    #[test]
    fn bounds_number_depth_and_bytes_and_counts_what_is_left_out() {
        let mut nested = "../".to_owned();
        for _ in 0..20 {
            nested = nested.replace('%', "%25").replace('.', "%2e");
        }
        let found = forms(nested.as_bytes());
        assert!(found.list.len() < FORMS_MAX);
        let depth_max = found.list.iter().map(|form| form.layers.len()).max().unwrap_or(0);
        assert_eq!(depth_max, usize::from(LAYERS_MAX));

        let digits = "YWFh".repeat(layers::BASE64_BYTES_MAX / 4);
        assert!(base64(digits.as_bytes()).is_some());
        assert!(base64((digits + "YWFh").as_bytes()).is_none());

        let large = "%41&lt;\\x41".repeat(FORMS_BYTES_MAX / 10);
        let found = forms(large.as_bytes());
        let bytes: usize = found.list.iter().map(|form| form.bytes.len()).sum();
        assert!(bytes <= FORMS_BYTES_MAX);
        assert!(0 < found.dropped_count);
    }
}
