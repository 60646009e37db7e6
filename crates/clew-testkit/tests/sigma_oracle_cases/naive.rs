//! Sigma's detections as their specification 2.1 says them, one rule and one event at a time.
//!
//! Written from that text alone, to be an opinion of its own: nothing is compiled, shared or
//! skipped. Texts are lists of characters in lower case, patterns are tried by plain recursion.
//! Where the text is silent, the choice stands in a comment.

use std::net::IpAddr;

use regex::RegexBuilder;
use serde_json::Value;

/// What stands at a field: `None` where it is absent; of a list its elements.
pub(crate) type Look<'a> = &'a dyn Fn(&str) -> Option<Vec<Value>>;

/// Where another engine reads the language differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quirk {
    /// `windash` changes each dash, not only those that begin a flag.
    EveryDash,
    /// `base64offset` keeps a last letter that what follows decides as well.
    LastLetter,
    /// A null is as absent as a field that is not there.
    NullIsAbsent,
    /// A list is no null, and a null among other values is not said of a field that is absent.
    NullInLists,
    /// Keywords are searched in values, not in names.
    WordsAreValues,
    /// `neq` asks that the field is there.
    NeqOfAbsent,
    /// Of `fieldref` a list is nothing, nor is what is no text, where an end is asked for.
    FieldrefOfLists,
    /// Wildcards do not stand for line breaks.
    WithinLines,
    /// An object has no text.
    ObjectsAreNoText,
}

pub(crate) const QUIRKS: [Quirk; 9] = [
    Quirk::WithinLines,
    Quirk::NullInLists,
    Quirk::NeqOfAbsent,
    Quirk::FieldrefOfLists,
    Quirk::EveryDash,
    Quirk::LastLetter,
    Quirk::NullIsAbsent,
    Quirk::WordsAreValues,
    Quirk::ObjectsAreNoText,
];

/// An event, and how to read rules about it.
pub(crate) struct Reading<'a> {
    pub(crate) look: Look<'a>,
    pub(crate) words: &'a [Value],
    pub(crate) quirks: &'a [Quirk],
}

impl Reading<'_> {
    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Values that count; `None` where the field is absent.
    fn values(&self, name: &str) -> Option<Vec<Value>> {
        let found = if name.is_empty() { Some(self.words.to_vec()) } else { (self.look)(name) };
        let mut found = found?;
        if self.has(Quirk::ObjectsAreNoText) {
            found.retain(|it| !it.is_object());
        }
        Some(found)
    }
}

/// True where the `detection` of a rule holds of an event.
///
/// # Errors
/// The rule is not of the language.
pub(crate) fn holds(detection: &Value, reading: &Reading<'_>) -> Result<bool, String> {
    let members = detection.as_object().ok_or("no mapping")?;
    let judge = |name: &str| search(&members[name], reading);
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().filter(|it| *it != "condition").collect();
    let conditions = match &members["condition"] {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    for condition in conditions {
        let text = condition.as_str().ok_or("a condition is a text")?;
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut tokens: Vec<&str> = spaced.split_whitespace().rev().collect();
        let found = any(&mut tokens, &names, &judge)?;
        if !tokens.is_empty() {
            return Err(format!("{tokens:?} is left of {text}"));
        }
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

type Judge<'a> = &'a dyn Fn(&str) -> Result<bool, String>;

/// "or" binds least, then "and", then "not", then "x of": all sides are judged.
fn any(tokens: &mut Vec<&str>, names: &[&str], judge: Judge<'_>) -> Result<bool, String> {
    let mut found = all(tokens, names, judge)?;
    while tokens.last() == Some(&"or") {
        tokens.pop();
        found |= all(tokens, names, judge)?;
    }
    Ok(found)
}

fn all(tokens: &mut Vec<&str>, names: &[&str], judge: Judge<'_>) -> Result<bool, String> {
    let mut found = one(tokens, names, judge)?;
    while tokens.last() == Some(&"and") {
        tokens.pop();
        found &= one(tokens, names, judge)?;
    }
    Ok(found)
}

fn one(tokens: &mut Vec<&str>, names: &[&str], judge: Judge<'_>) -> Result<bool, String> {
    match tokens.pop() {
        Some("not") => Ok(!one(tokens, names, judge)?),
        Some("(") => {
            let found = any(tokens, names, judge)?;
            (tokens.pop() == Some(")")).then_some(found).ok_or_else(|| "no )".to_owned())
        }
        Some(count @ ("1" | "all" | "any")) if tokens.last() == Some(&"of") => {
            tokens.pop();
            let wanted = tokens.pop().ok_or("of what?")?;
            // "them" leaves out what begins with an underscore.
            let fits = |name: &str| match wanted {
                "them" => !name.starts_with('_'),
                _ => is_like(&pattern(wanted), &name.chars().collect::<Vec<_>>()),
            };
            let of: Vec<bool> =
                names.iter().filter(|it| fits(it)).map(|it| judge(it)).collect::<Result<_, _>>()?;
            Ok(if count == "all" { of.iter().all(|it| *it) } else { of.contains(&true) })
        }
        Some(name) if names.contains(&name) => judge(name),
        other => Err(format!("{other:?} is no search")),
    }
}

/// A list is "or", a map is "and", a plain value is searched in the whole event.
fn search(node: &Value, reading: &Reading<'_>) -> Result<bool, String> {
    match node {
        Value::Array(parts) => {
            let parts: Vec<bool> =
                parts.iter().map(|it| search(it, reading)).collect::<Result<_, _>>()?;
            Ok(parts.contains(&true))
        }
        Value::Object(items) => {
            let items: Vec<bool> = items
                .iter()
                .map(|(key, values)| item(key, values, reading))
                .collect::<Result<_, _>>()?;
            Ok(items.iter().all(|it| *it))
        }
        keyword => item("", keyword, reading),
    }
}

fn item(key: &str, values: &Value, reading: &Reading<'_>) -> Result<bool, String> {
    let (name, modifiers) = key.split_once('|').unwrap_or((key, ""));
    let modifiers: Vec<&str> = modifiers.split('|').filter(|it| !it.is_empty()).collect();
    let has = |name: &str| modifiers.contains(&name);
    let found = reading.values(name);
    let values = match values {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    if has("exists") {
        let wanted = values[0].as_bool().ok_or("exists takes a truth")?;
        let is_null = reading.has(Quirk::NullIsAbsent) && found == Some(vec![Value::Null]);
        return Ok((found.is_some() && !is_null) == wanted);
    }
    if found.is_none() && has("neq") && reading.has(Quirk::NeqOfAbsent) {
        return Ok(false);
    }
    let is_null = match (&found, reading.has(Quirk::NullInLists)) {
        (Some(found), true) => *found == [Value::Null],
        (None, true) => values.len() == 1,
        (found, false) => found.iter().flatten().all(Value::is_null),
    };
    let is_list = found.as_ref().is_some_and(|it| it.len() != 1);
    if has("fieldref") && is_list && reading.has(Quirk::FieldrefOfLists) {
        let is_itself = values.iter().any(|value| value.as_str() == Some(name));
        return Ok(has("neq") != is_itself);
    }
    let mut found = found.unwrap_or_default();
    found.retain(|it| !it.is_null());
    let mut verdicts = Vec::new();
    for value in &values {
        verdicts.push(if value.is_null() {
            is_null
        } else {
            matches(value, (&modifiers, name.is_empty()), &found, reading)?
        });
    }
    let verdict = if has("all") { verdicts.iter().all(|it| *it) } else { verdicts.contains(&true) };
    Ok(verdict != has("neq"))
}

/// True where one of the values that stand at the field passes.
fn matches(
    value: &Value,
    (modifiers, is_keyword): (&[&str], bool),
    found: &[Value],
    reading: &Reading<'_>,
) -> Result<bool, String> {
    let has = |name: &str| modifiers.contains(&name);
    let text = text_of(value);
    let any = |test: &dyn Fn(&str) -> bool| found.iter().any(|it| test(&text_of(it)));
    if has("re") {
        let mut regex = RegexBuilder::new(&text);
        let regex = regex.case_insensitive(has("i")).multi_line(has("m"));
        let regex = regex.dot_matches_new_line(has("s")).build().map_err(|it| it.to_string())?;
        return Ok(any(&|it| regex.is_match(it)));
    }
    if has("cidr") {
        let (network, bits) = text.split_once('/').ok_or("no network")?;
        let network: IpAddr = network.parse().map_err(|_| "no address")?;
        let bits: u32 = bits.parse().map_err(|_| "no length")?;
        return Ok(any(&|it| it.parse().is_ok_and(|address| is_within(address, network, bits))));
    }
    if has("fieldref") {
        let others = reading.values(&text).unwrap_or_default();
        if others.len() != 1 && reading.has(Quirk::FieldrefOfLists) {
            return Ok(false);
        }
        return Ok(others.iter().filter(|it| !it.is_null()).any(|other| {
            let other: Vec<Piece> = text_of(other).chars().map(Piece::One).collect();
            let other = placed(other, modifiers);
            any(&|it| fits(&other, it, has("cased")))
        }));
    }
    if let Some(part) = TIMES.iter().find(|part| has(part)) {
        let wanted: f64 = text.parse().map_err(|_| "no number")?;
        return Ok(any(&|it| time_part(it, part).is_some_and(|it| order(modifiers, it, wanted))));
    }
    if ORDERS.iter().any(|it| has(it)) {
        let wanted: f64 = text.parse().map_err(|_| "no number")?;
        return Ok(any(&|it| it.parse().is_ok_and(|it| order(modifiers, it, wanted))));
    }
    let within_lines = reading.has(Quirk::WithinLines);
    let patterns = super::encoding::patterns(&text, modifiers, reading.quirks)?;
    Ok(patterns.into_iter().any(|pattern| {
        let is_wild = within_lines && pattern.iter().any(|it| !matches!(it, Piece::One(_)));
        let pattern = placed(pattern, if is_keyword { &["contains"] } else { modifiers });
        any(&|it| fits(&pattern, it, has("cased")) && !(is_wild && it.contains('\n')))
    }))
}

/// "All values are treated as case-insensitive strings": numbers and truths as JSON writes them.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A character, `?` or `*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece {
    One(char),
    Any,
    Many,
}

/// "The backslash character `\` is used for escaping of wildcards `*` and `?` as well as the
/// backslash character itself"; before anything else it is plain.
pub(crate) fn pattern(text: &str) -> Vec<Piece> {
    let text: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1);
        match text[at] {
            '\\' if next.is_some_and(|it| ['*', '?', '\\'].contains(it)) => {
                pieces.push(Piece::One(text[at + 1]));
                at += 1;
            }
            '*' => pieces.push(Piece::Many),
            '?' => pieces.push(Piece::Any),
            other => pieces.push(Piece::One(other)),
        }
        at += 1;
    }
    pieces
}

fn placed(mut pattern: Vec<Piece>, modifiers: &[&str]) -> Vec<Piece> {
    let has = |name: &str| modifiers.contains(&name);
    if has("contains") || has("startswith") {
        pattern.push(Piece::Many);
    }
    if has("contains") || has("endswith") {
        pattern.insert(0, Piece::Many);
    }
    pattern
}

fn fits(pattern: &[Piece], text: &str, is_cased: bool) -> bool {
    if is_cased {
        return is_like(pattern, &text.chars().collect::<Vec<_>>());
    }
    let lower = |it: char| it.to_lowercase().next().unwrap_or(it);
    let of = |piece: &Piece| match piece {
        Piece::One(it) => Piece::One(lower(*it)),
        other => *other,
    };
    let pattern: Vec<Piece> = pattern.iter().map(of).collect();
    is_like(&pattern, &text.chars().map(lower).collect::<Vec<_>>())
}

/// The plain recursion, with the first star retried at each place.
fn is_like(pattern: &[Piece], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Piece::Many, [])) => true,
        Some((Piece::Many, rest)) => (0..=text.len()).any(|at| is_like(rest, &text[at..])),
        Some((Piece::Any, rest)) => !text.is_empty() && is_like(rest, &text[1..]),
        Some((Piece::One(it), rest)) => text.first() == Some(it) && is_like(rest, &text[1..]),
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let beyond: u32 = width - bits;
    address.checked_shr(beyond).unwrap_or(0_u128) == network.checked_shr(beyond).unwrap_or(0_u128)
}

const ORDERS: [&str; 4] = ["lt", "lte", "gt", "gte"];
const TIMES: [&str; 6] = ["minute", "hour", "day", "week", "month", "year"];

fn order(modifiers: &[&str], value: f64, wanted: f64) -> bool {
    let has = |name: &str| modifiers.contains(&name);
    if has("lt") {
        value < wanted
    } else if has("lte") {
        value <= wanted
    } else if has("gt") {
        wanted < value
    } else if has("gte") {
        wanted <= value
    } else {
        (value - wanted).abs() < f64::EPSILON
    }
}

/// The text names no format: `2026-08-05T14:03:11Z` and small numbers of seconds since 1970 are
/// read. Weeks are those of ISO.
fn time_part(text: &str, part: &str) -> Option<f64> {
    if let Ok(seconds @ 0..86_400) = text.parse::<i64>() {
        let clock = format!("1970-01-01T{:02}:{:02}:00Z", seconds / 3600, seconds / 60 % 60);
        return time_part(&clock, part);
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.len() != 20 || !text.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let found = match part {
        "year" => year,
        "month" => month,
        "day" => day,
        "hour" => number(11, 13)?,
        "minute" => number(14, 16)?,
        _ => week(year, month, day),
    };
    i32::try_from(found).ok().map(f64::from)
}

/// The week of a date is the one of its Thursday, counted from the Thursday of the first.
fn week(year: i64, month: i64, day: i64) -> i64 {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = |year: i64| 365 + i64::from(is_leap(year));
    let months = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = months.iter().zip(1..month).map(|(days, _)| days).sum();
    let ordinal = before + day - 1;
    // 1970-01-01 was a Thursday; 0 is Monday.
    let epoch: i64 = (1970..year).map(length).sum::<i64>() + ordinal;
    let weekday = (epoch + 3) % 7;
    let thursday = ordinal - weekday + 3;
    if thursday < 0 {
        (length(year - 1) + thursday) / 7 + 1
    } else if thursday < length(year) {
        thursday / 7 + 1
    } else {
        1
    }
}
