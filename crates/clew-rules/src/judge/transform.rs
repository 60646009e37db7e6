//! Values made of values: `tolower(proc.name)`, `len(proc.args)`, `concat(a, b)`.
//!
//! These allocate, unlike everything else that judges; no upstream rule uses one.

use std::borrow::Cow;

use clew_event::{FieldSource, FieldValue, Scalar};

use super::evaluate::Cache;
use super::predicate::Extract;
use crate::condition::Transformer;

/// A transformer with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transformed {
    pub transformer: Transformer,
    pub arguments: Box<[Input]>,
    /// The option that `getopt(…)[x]` asks for.
    pub selector: Option<u8>,
    /// True where the (first) argument is a list, whose length `len` tells.
    pub is_of_list: bool,
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    Extract(Extract),
    Text(Box<[u8]>),
    List(Box<[Self]>),
}

type Owned = FieldValue<'static>;

impl Transformed {
    pub(super) fn load<F: FieldSource>(&self, cache: &mut Cache<'_, F>) {
        self.arguments.iter().for_each(|argument| argument.load(cache));
    }

    pub(super) fn value<F: FieldSource>(&self, cache: &Cache<'_, F>) -> Owned {
        let argument = |index: usize| self.arguments.get(index);
        let texts = |index: usize| argument(index).and_then(|input| input.texts(cache));
        let single = |index: usize| texts(index).and_then(|texts| texts.into_iter().next());
        match self.transformer {
            Transformer::Tolower => self.map(cache, |text| Some(text.to_ascii_lowercase())),
            Transformer::Toupper => self.map(cache, |text| Some(text.to_ascii_uppercase())),
            Transformer::Basename => self.map(cache, |text| Some(basename(text).to_vec())),
            Transformer::B64 => self.map(cache, decode_base64),
            Transformer::Len => match (self.is_of_list, texts(0), single(0)) {
                (true, Some(texts), _) => length(texts.len()),
                (false, _, Some(text)) => length(text.len()),
                _ => FieldValue::Missing,
            },
            Transformer::Join => match (single(0), texts(1)) {
                (Some(separator), Some(texts)) => one(texts.join(separator.as_slice())),
                _ => FieldValue::Missing,
            },
            Transformer::Concat => {
                let parts = (0..self.arguments.len()).map(single).collect::<Option<Vec<_>>>();
                parts.map_or(FieldValue::Missing, |parts| one(parts.concat()))
            }
            Transformer::Getopt => match (texts(0), single(1)) {
                (Some(arguments), Some(options)) => getopt(&arguments, &options, self.selector),
                _ => FieldValue::Missing,
            },
            // Compiled away: it changes nothing.
            Transformer::Val => FieldValue::Missing,
        }
    }

    /// Applies `change` to every value; missing where it fails for one.
    fn map<F: FieldSource>(
        &self,
        cache: &Cache<'_, F>,
        change: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Owned {
        let Some(texts) = self.arguments.first().and_then(|input| input.texts(cache)) else {
            return FieldValue::Missing;
        };
        let changed = texts.iter().map(|text| change(text)).collect::<Option<Vec<_>>>();
        match changed {
            None => FieldValue::Missing,
            Some(texts) if self.is_of_list => many(texts),
            Some(texts) => texts.into_iter().next().map_or(FieldValue::Missing, one),
        }
    }
}

impl Input {
    fn load<F: FieldSource>(&self, cache: &mut Cache<'_, F>) {
        match self {
            Self::Extract(extract) => extract.load(cache),
            Self::Text(_) => {}
            Self::List(inputs) => inputs.iter().for_each(|input| input.load(cache)),
        }
    }

    /// Its texts; `None` where the event does not have one of them.
    fn texts<F: FieldSource>(&self, cache: &Cache<'_, F>) -> Option<Vec<Vec<u8>>> {
        match self {
            Self::Text(text) => Some(vec![text.to_vec()]),
            Self::List(inputs) => {
                let lists = inputs.iter().map(|input| input.texts(cache));
                lists.collect::<Option<Vec<_>>>().map(|lists| lists.concat())
            }
            Self::Extract(extract) => match extract.value(cache).as_ref() {
                FieldValue::Missing => None,
                FieldValue::One(value) => Some(vec![text(value)]),
                FieldValue::Many(values) => Some(values.iter().map(text).collect()),
            },
        }
    }
}

fn text(value: &Scalar<'_>) -> Vec<u8> {
    match value {
        Scalar::Text(text) => text.to_vec(),
        Scalar::Bool(flag) => flag.to_string().into_bytes(),
        Scalar::Unsigned(number) => number.to_string().into_bytes(),
        Scalar::Signed(number) => number.to_string().into_bytes(),
        Scalar::Ip(address) => address.to_string().into_bytes(),
    }
}

fn one(text: Vec<u8>) -> Owned {
    FieldValue::One(Scalar::Text(Cow::Owned(text)))
}

fn many(texts: Vec<Vec<u8>>) -> Owned {
    FieldValue::Many(texts.into_iter().map(|text| Scalar::Text(Cow::Owned(text))).collect())
}

fn length(count: usize) -> Owned {
    FieldValue::One(Scalar::Unsigned(count as u64))
}

fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Decodes base 64 with or without padding; `None` where a character does not belong.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &character in group {
            bits = bits << 6 | sextet(character)?;
        }
        let missing = 4 - group.len();
        bits <<= 6 * missing;
        let [_, bytes @ ..] = bits.to_be_bytes();
        decoded.extend(bytes.iter().take(3 - missing.min(3)));
    }
    Some(decoded)
}

fn sextet(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Short options among `arguments` as `getopt(3)` finds them: each option and its value in turn,
/// or of the selected option the last value, or its name where it takes none.
fn getopt(arguments: &[Vec<u8>], options: &[u8], selector: Option<u8>) -> Owned {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut selected: Option<Vec<u8>> = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let cluster = match argument.as_slice() {
            b"--" => break,
            [b'-', b'-', ..] => continue,
            [b'-', cluster @ ..] if !cluster.is_empty() => cluster,
            _ => break,
        };
        for (index, &option) in cluster.iter().enumerate() {
            let Some(takes_value) = takes_value(options, option) else {
                found.push(b"?".to_vec());
                continue;
            };
            let name = vec![option];
            if !takes_value {
                if selector == Some(option) {
                    selected = Some(name.clone());
                }
                found.push(name);
                continue;
            }
            let attached = cluster.get(index + 1..).filter(|value| !value.is_empty());
            let value = attached.map(<[u8]>::to_vec).or_else(|| rest.next().cloned());
            if selector == Some(option) {
                selected = Some(value.clone().unwrap_or_default());
            }
            match value {
                Some(value) => found.extend([name, value]),
                None => found.push(Vec::new()),
            }
            break;
        }
    }
    match selector {
        Some(_) => selected.map_or(FieldValue::Missing, one),
        None => many(found),
    }
}

/// Whether an option takes a value; `None` where there is no such option.
fn takes_value(options: &[u8], option: u8) -> Option<bool> {
    let position = options.iter().position(|&byte| byte == option && byte != b':')?;
    Some(options.get(position + 1) == Some(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        let check = |text: &str, decoded: Option<&str>| {
            let expected = decoded.map(|text| text.as_bytes().to_vec());
            assert_eq!(decode_base64(text.as_bytes()), expected, "{text}");
        };
        check("aGVsbG8=", Some("hello"));
        check("aGVsbG8", Some("hello"));
        check("aGVsbA==", Some("hell"));
        check("aGVs", Some("hel"));
        check("", Some(""));
        check("a!", None);
    }

    #[test]
    fn options_are_found_as_a_program_would_find_them() {
        let check = |arguments: &[&str], options: &str, selector: Option<u8>, found: Owned| {
            let arguments: Vec<_> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
            assert_eq!(getopt(&arguments, options.as_bytes(), selector), found, "{arguments:?}");
        };
        let texts = |texts: &[&str]| many(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
        let text = |text: &str| one(text.as_bytes().to_vec());
        check(&["-nt", "5", "x"], "nt:", None, texts(&["n", "t", "5"]));
        check(&["-t5", "-n"], "nt:", None, texts(&["t", "5", "n"]));
        check(&["--exec", "-n", "--", "-t5"], "nt:", None, texts(&["n"]));
        check(&["-x"], "n", None, texts(&["?"]));
        check(&["-t5", "-t6"], "t:", Some(b't'), text("6"));
        check(&["-n"], "nt:", Some(b't'), FieldValue::Missing);
        check(&["-t"], "t:", Some(b't'), text(""));
    }
}
