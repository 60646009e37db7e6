//! What an item asks of the values of its field: its modifiers carried out, in their order.

use std::net::IpAddr;

use super::detection::{Item, Value};
use super::value::{self, Part, parts, pieces};
use crate::diagnostic::{Code, Problem, nearest};
use crate::judge::any::{Number, Order, Place, TimePart};
use crate::judge::pattern::Piece;
use crate::judge::test::Network;

/// A test of values, before it is compiled; equal ones are one predicate.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spec {
    Null,
    Present,
    Fits { patterns: Vec<Vec<Piece>>, is_cased: bool },
    Regex(String),
    Networks(Vec<Network>),
    Number(Order, Number),
    Time(TimePart, Order, Number),
    Field { name: String, place: Place, is_cased: bool },
}

/// What an item asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub specs: Vec<Spec>,
    /// All have to hold, else one.
    pub is_all: bool,
    pub is_negated: bool,
}

/// The texts that one value becomes.
type Variants = Vec<Vec<Piece>>;

const NAMES: [&str; 33] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "dotall",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "ignorecase",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "multiline",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
];

/// What modifiers say of an item as a whole.
#[derive(Debug, Default)]
struct Kind {
    is_all: bool,
    is_negated: bool,
    is_cased: bool,
    is_regex: bool,
    flags: String,
    is_cidr: bool,
    is_presence: bool,
    is_field: bool,
    place: Option<Place>,
    order: Option<Order>,
    time: Option<TimePart>,
}

/// Carries out the modifiers of an item.
///
/// # Errors
/// A modifier is not known, or does not fit its value.
pub(super) fn asked(item: &Item) -> Result<Asked, Problem> {
    let kind = kind(item)?;
    let mut specs = Vec::new();
    for value in &item.values {
        match value {
            Value::Null => specs.push(Spec::Null),
            Value::Text(text) => specs.push(spec(item, &kind, text)?),
        }
    }
    let (mut is_all, mut is_negated) = (kind.is_all, kind.is_negated);
    if kind.is_presence {
        let truth = |text: &str| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        };
        let wanted = match item.values.as_slice() {
            [Value::Text(text)] => truth(text),
            _ => None,
        };
        let Some(wanted) = wanted else {
            return Err(problem(item, "`exists` takes `true` or `false`"));
        };
        (specs, is_all, is_negated) = (vec![Spec::Present], false, is_negated == wanted);
    }
    if !is_all {
        specs = merged(specs);
    }
    Ok(Asked { specs, is_all, is_negated })
}

fn problem(item: &Item, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaModifier, item.place, message)
}

fn kind(item: &Item) -> Result<Kind, Problem> {
    let mut kind = Kind::default();
    for modifier in &item.modifiers {
        match modifier.as_str() {
            "all" => kind.is_all = true,
            "neq" => kind.is_negated = true,
            "cased" => kind.is_cased = true,
            "re" => kind.is_regex = true,
            "i" | "ignorecase" => kind.flags.push('i'),
            "m" | "multiline" => kind.flags.push('m'),
            "s" | "dotall" => kind.flags.push('s'),
            "cidr" => kind.is_cidr = true,
            "exists" => kind.is_presence = true,
            "fieldref" => kind.is_field = true,
            "contains" => kind.place = Some(Place::Inside),
            "startswith" => kind.place = Some(Place::Start),
            "endswith" => kind.place = Some(Place::End),
            "lt" => kind.order = Some(Order::Less),
            "lte" => kind.order = Some(Order::LessOrEqual),
            "gt" => kind.order = Some(Order::Greater),
            "gte" => kind.order = Some(Order::GreaterOrEqual),
            "minute" => kind.time = Some(TimePart::Minute),
            "hour" => kind.time = Some(TimePart::Hour),
            "day" => kind.time = Some(TimePart::Day),
            "week" => kind.time = Some(TimePart::Week),
            "month" => kind.time = Some(TimePart::Month),
            "year" => kind.time = Some(TimePart::Year),
            other if NAMES.contains(&other) => {}
            other => {
                let unknown = problem(item, format!("`{other}` is no modifier"));
                return Err(match nearest(other, NAMES) {
                    Some(near) => unknown.help(format!("did you mean `{near}`?")),
                    None => unknown,
                });
            }
        }
    }
    if !kind.flags.is_empty() && !kind.is_regex {
        return Err(problem(item, "`i`, `m` and `s` stand behind `re`"));
    }
    let has_order = kind.order.is_some() || kind.time.is_some();
    let meanings = [kind.is_regex, kind.is_cidr, kind.is_presence, kind.is_field, has_order];
    if 1 < meanings.iter().filter(|meaning| **meaning).count() {
        return Err(problem(item, "these modifiers exclude one another"));
    }
    Ok(kind)
}

fn spec(item: &Item, kind: &Kind, text: &str) -> Result<Spec, Problem> {
    if kind.is_presence {
        return Ok(Spec::Present);
    }
    if kind.is_regex {
        let flags = &kind.flags;
        let prefix = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
        return Ok(Spec::Regex(prefix + &super::regex::rewritten(text)));
    }
    if kind.is_cidr {
        let network = network(text);
        return network.map(|it| Spec::Networks(vec![it])).ok_or_else(|| {
            problem(item, format!("`{text}` is no network")).help("write `10.0.0.0/8` or so")
        });
    }
    if kind.is_field {
        let (name, place) = (text.to_owned(), kind.place.unwrap_or(Place::Whole));
        return Ok(Spec::Field { name, place, is_cased: kind.is_cased });
    }
    if kind.order.is_some() || kind.time.is_some() {
        let Some(number) = Number::read(text.as_bytes()) else {
            return Err(problem(item, format!("`{text}` is no number")));
        };
        let order = kind.order.unwrap_or(Order::Equal);
        return Ok(match kind.time {
            Some(part) => Spec::Time(part, order, number),
            None => Spec::Number(order, number),
        });
    }
    let mut patterns = vec![first_pieces(item, text)?];
    for modifier in &item.modifiers {
        patterns = changed(item, modifier, patterns)?;
    }
    if item.field.is_none() {
        // Keywords are found anywhere.
        patterns = patterns.into_iter().map(value::open_ended).map(value::open_fronted).collect();
    }
    Ok(Spec::Fits { patterns, is_cased: kind.is_cased })
}

/// A placeholder that a pipeline did not fill is an error: nobody knows what it stands for.
fn first_pieces(item: &Item, text: &str) -> Result<Vec<Piece>, Problem> {
    if !item.modifiers.iter().any(|modifier| modifier == "expand") {
        return Ok(pieces(text));
    }
    let mut plain = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => plain.push_str(&text),
            Part::Placeholder(name) => {
                let message = format!("nothing says what the placeholder `%{name}%` stands for");
                let unknown = Problem::new(Code::SigmaPlaceholder, item.place, message);
                return Err(unknown.help("give a pipeline with `value_placeholders` and `vars`"));
            }
        }
    }
    Ok(pieces(&plain))
}

fn changed(
    item: &Item,
    modifier: &str,
    patterns: Vec<Vec<Piece>>,
) -> Result<Vec<Vec<Piece>>, Problem> {
    let wildcards = || problem(item, format!("`{modifier}` cannot be used on wildcards"));
    let each = |change: &dyn Fn(&[Piece]) -> Option<Variants>| {
        let changed: Option<Vec<_>> = patterns.iter().map(|pieces| change(pieces)).collect();
        changed.map(|several| several.concat())
    };
    let wide = |order: fn(u16) -> [u8; 2], mark: &'static [u8]| {
        each(&move |pieces| Some(vec![value::utf16(pieces, order, mark)?])).ok_or_else(wildcards)
    };
    match modifier {
        "contains" => {
            Ok(patterns.into_iter().map(value::open_ended).map(value::open_fronted).collect())
        }
        "startswith" => Ok(patterns.into_iter().map(value::open_ended).collect()),
        "endswith" => Ok(patterns.into_iter().map(value::open_fronted).collect()),
        "base64" => each(&value::base64).ok_or_else(wildcards),
        "base64offset" => each(&value::base64_offset).ok_or_else(wildcards),
        "utf16le" | "wide" => wide(u16::to_le_bytes, b""),
        "utf16be" => wide(u16::to_be_bytes, b""),
        "utf16" => wide(u16::to_le_bytes, b"\xff\xfe"),
        "windash" => each(&value::windash).ok_or_else(|| {
            let message = format!("its dashes have over {} forms together", value::VARIANTS_MAX);
            problem(item, message).help("split the value")
        }),
        _ => Ok(patterns),
    }
}

fn network(text: &str) -> Option<Network> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    Network::new(address, bits.unwrap_or(whole))
}

/// Texts, and networks, of which one has to pass are one test.
fn merged(specs: Vec<Spec>) -> Vec<Spec> {
    let mut merged: Vec<Spec> = Vec::new();
    for spec in specs {
        let joined = merged.iter_mut().any(|other| match (other, &spec) {
            (
                Spec::Fits { patterns, is_cased },
                Spec::Fits { patterns: more, is_cased: also_cased },
            ) if is_cased == also_cased => {
                patterns.extend(more.iter().cloned());
                true
            }
            (Spec::Networks(networks), Spec::Networks(more)) => {
                networks.extend(more);
                true
            }
            (other, spec) => other == spec,
        });
        if !joined {
            merged.push(spec);
        }
    }
    merged
}
