//! Where a JSON value ends, found without reading it.
//!
//! Only brackets and quotes are counted, so that a record that is broken inside is cut out as
//! surely as a good one, and the records around it are not lost. Whether it is JSON is found out
//! when it is read.

use clew_event::json::plain_length;

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

/// Passes over a value of which only the place between its brackets is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skipper {
    depth: usize,
    is_text: bool,
    is_escaped: bool,
    back: Option<bool>,
}

impl Skipper {
    /// So many brackets deep; 0 where the value begins.
    pub(super) fn inside(depth: usize) -> Self {
        Self { depth, is_text: false, is_escaped: false, back: None }
    }

    /// Behind the value, the array goes on in which it stands.
    pub(super) fn then(self, is_wrapped: Option<bool>) -> Self {
        Self { back: is_wrapped, ..self }
    }

    /// The array that goes on: whether it is wrapped.
    pub(super) fn back(self) -> Option<bool> {
        self.back
    }

    /// How many bytes are passed over, and whether the value ends with them. A text ends on its
    /// line at the latest.
    pub(super) fn skip(&mut self, text: &[u8]) -> (usize, bool) {
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\n' if self.is_text => return (at, true),
                b'\\' if self.is_text => self.is_escaped = true,
                b'"' => self.is_text = !self.is_text,
                _ if self.is_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => continue,
            }
            if self.depth == 0 && !self.is_text && !self.is_escaped {
                return (at + 1, true);
            }
        }
        (text.len(), false)
    }
}

/// Name of the member from `place` on, and where its value starts.
pub(super) fn member_start(text: &[u8], place: usize) -> Option<(&[u8], usize)> {
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
    fn a_value_is_passed_over_in_pieces() {
        let check = |text: &str, depth: usize, passed: &str, is_done: bool| {
            for cut in 0..text.len() {
                let mut skipper = Skipper::inside(depth);
                let (first, is_first) = skipper.skip(&text.as_bytes()[..cut]);
                let (rest, is_second) =
                    if is_first { (0, true) } else { skipper.skip(&text.as_bytes()[cut..]) };
                assert_eq!((&text[..first + rest], is_second), (passed, is_done), "{text} {cut}");
            }
        };
        check(r#"{"a":"}\"]","b":[1]} x"#, 0, r#"{"a":"}\"]","b":[1]}"#, true);
        check(r#","b":{}} x"#, 1, r#","b":{}}"#, true);
        check(r#"["a\\"] x"#, 0, r#"["a\\"]"#, true);
        check(r#"[[1] x"#, 0, r#"[[1] x"#, false);
        check("[\"a\nb", 0, "[\"a", true);
    }
}
