//! Where a JSON value ends, found without reading it.
//!
//! Only brackets and quotes are counted, so that a record that is broken inside is cut out as
//! surely as a good one, and the records around it are not lost. Whether it is JSON is found out
//! when it is read.

use std::ops::Range;

use clew_event::json::plain_length;

/// Most members of an object that are looked at; records and wrappers have a few dozen.
pub(super) const MEMBERS_MAX: usize = 256;

/// The first byte from `at` on that is neither blank nor a comma.
pub(super) fn skip_gaps(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    at + rest.iter().position(|byte| !is_gap(byte)).unwrap_or(rest.len())
}

/// Where the value that starts at `at` ends; `None` where the text ends before it does, or where
/// a value stands behind another with nothing between.
pub(super) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => bracket_end(text, at),
        _ => {
            let rest = text.get(at..)?;
            let is_end = |byte: &u8| {
                byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']' | b'{' | b'[')
            };
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            (length != 0).then_some(at + length)
        }
    }
}

fn bracket_end(text: &[u8], at: usize) -> Option<usize> {
    let (mut depth, mut place, mut before) = (0_usize, at, b',');
    while let Some(&byte) = text.get(place) {
        match byte {
            b'"' | b'{' | b'[' if !matches!(before, b',' | b':' | b'{' | b'[') => return None,
            b'"' => place = string_end(text, place)? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return Some(place + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        place += 1;
    }
    None
}

/// A text ends on its line.
fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut place = at + 1;
    loop {
        place += plain_length(text.get(place..)?);
        match text.get(place)? {
            b'"' => return Some(place + 1),
            b'\\' => place += 2,
            _ => return None,
        }
    }
}

/// Values of an array that starts at `at`; stops where one has no end.
pub(super) fn items(text: &[u8], at: usize) -> impl Iterator<Item = Range<usize>> {
    let mut place = at + 1;
    std::iter::from_fn(move || {
        let start = skip_gaps(text, place);
        let end = value_end(text, start)?;
        place = end;
        Some(start..end)
    })
}

/// Names (between their quotes, as written) and values of an object that starts at `at`, at most
/// [`MEMBERS_MAX`].
pub(super) fn members(text: &[u8], at: usize) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut place = at + 1;
    let member = move || {
        let (name, start) = member_start(text, place)?;
        let end = value_end(text, start)?;
        place = end;
        Some((name, start..end))
    };
    std::iter::from_fn(member).take(MEMBERS_MAX)
}

/// Name and start of the first member whose value has no end, of an object that starts at `at`.
pub(super) fn open_member(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let place = members(text, at).last().map_or(at + 1, |(_, value)| value.end);
    member_start(text, place)
}

/// Name of the member from `place` on, and where its value starts.
fn member_start(text: &[u8], place: usize) -> Option<(&[u8], usize)> {
    let name = skip_gaps(text, place);
    let name_end = (text.get(name) == Some(&b'"')).then(|| string_end(text, name)).flatten()?;
    let colon = skip_gaps(text, name_end);
    let start = (text.get(colon) == Some(&b':')).then(|| skip_gaps(text, colon + 1))?;
    Some((text.get(name + 1..name_end - 1).unwrap_or_default(), start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_brackets_close() {
        let check = |text: &str, end: Option<usize>| {
            assert_eq!(value_end(text.as_bytes(), 0), end, "{text}");
        };
        check("{}", Some(2));
        check(r#"{"a":"}"} {"#, Some(9));
        check(r#"[[1],{"b":"\"]"}],"#, Some(17));
        check(r#""a\\" "#, Some(5));
        check("tru,", Some(3));
        check(r#"{"a":1"#, None);
        check("{\"a\":1\n{\"b\":2}}", None);
        check(r#""a\""#, None);
        check("\"a\nb\"", None);
        check("", None);
        check("]", None);
    }

    #[test]
    fn members_are_named_and_bounded() {
        let text = br#"{ "a" : 1, "b":{"c":[2]} ,"d":"x"}"#;
        let found: Vec<_> = members(text, 0)
            .map(|(name, value)| [name, &text[value]].map(String::from_utf8_lossy).join("="))
            .collect();
        assert_eq!(found, ["a=1", r#"b={"c":[2]}"#, "d=\"x\""]);
        let many: Vec<_> = (0..MEMBERS_MAX + 1).map(|n| format!("\"{n}\":0")).collect();
        let text = format!("{{{}}}", many.join(","));
        assert_eq!(members(text.as_bytes(), 0).count(), MEMBERS_MAX);
    }
}
