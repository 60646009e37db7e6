//! A hit as the engine is told of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clew_event::finding::Priority;
use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::class::Class;
use crate::arguments::Place;
use crate::decoding::Layer;
use crate::detected::{Detected, PAYLOAD_BITS_MAX};

/// Most bytes of a match that are told.
pub const MATCH_BYTES_MAX: usize = 64;
/// Most bytes of a match in an argument whose name says that it holds a secret.
pub(super) const SECRET_BYTES_MAX: usize = 16;
/// Most bytes of a name or path that are told.
const NAME_BYTES_MAX: usize = 64;

/// Something found in an argument.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) bits: f64,
    place: &'static str,
    name: String,
    decoded: String,
    says: &'static str,
    matched: String,
    is_secret: bool,
}

impl Hit {
    pub(super) fn new(place: Place, name: &[u8], layers: &[Layer], says: &'static str) -> Self {
        let decoded: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
        Self {
            bits: 0.0,
            place: place.name(),
            name: escaped(name.get(..NAME_BYTES_MAX.min(name.len())).unwrap_or_default()),
            decoded: decoded.join(", "),
            says,
            matched: String::new(),
            is_secret: is_secret(name),
        }
    }

    /// With the bytes that matched, of a value that is `value_bytes` long.
    pub(super) fn with(self, bits: f64, matched: &[u8], value_bytes: usize) -> Self {
        let most = match (self.is_secret, matched.len() < value_bytes) {
            (false, _) => MATCH_BYTES_MAX,
            (true, true) => SECRET_BYTES_MAX,
            (true, false) => 0,
        };
        let shown = matched.get(..most.min(matched.len())).unwrap_or_default();
        Self { bits, matched: escaped(shown), ..self }
    }

    fn argument(&self) -> Cow<'static, str> {
        if self.name.is_empty() {
            Cow::Borrowed(self.place)
        } else {
            Cow::Owned(format!("{} `{}`", self.place, self.name))
        }
    }
}

/// Names of arguments that hold secrets.
pub(crate) fn is_secret(name: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "passw",
        "pwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "authorization",
        "session",
        "credential",
        "card",
        "cvv",
        "ssn",
        "iban",
        "private",
    ];
    let lower = name.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.windows(word.len()).any(|it| it == word.as_bytes()))
}

/// The finding of one class, from its best hit and how many there were.
pub(super) fn detected(class: Class, hit: &Hit, count: u32, request: &HttpRequest) -> Detected {
    let more = f64::from(count.saturating_sub(1).min(4)) * 0.25;
    let bits = (hit.bits + more).min(PAYLOAD_BITS_MAX);
    let argument = hit.argument();
    let path = request.path.as_bytes();
    let path = escaped(path.get(..NAME_BYTES_MAX.min(path.len())).unwrap_or_default());
    let method = escaped(request.method.as_bytes());
    let matched = if hit.matched.is_empty() { "(kept back)" } else { hit.matched.as_str() };
    let decoded = if hit.decoded.is_empty() {
        String::new()
    } else {
        format!(" once decoded ({})", hit.decoded)
    };
    let output = format!("{method} {path}: the {argument} {}{decoded}: {matched}", hit.says);
    let fields = BTreeMap::from([
        ("http.argument", argument.into_owned()),
        ("http.attack", class.tag().to_owned()),
        ("http.decoded", hit.decoded.clone()),
        ("http.match", matched.to_owned()),
        ("http.matches", count.to_string()),
    ]);
    Detected {
        rule: Cow::Borrowed(class.rule()),
        priority: if bits < 2.0 { Priority::Informational } else { Priority::Notice },
        techniques: class.techniques().to_vec(),
        tags: vec![class.tag()],
        bits,
        entities: Vec::new(),
        events: Vec::new(),
        output,
        fields,
    }
}
