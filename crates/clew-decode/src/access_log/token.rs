//! A line of text into its parts: bare ones, quoted ones, and times in brackets.

use std::borrow::Cow;

/// Most parts of a line that are read.
pub const TOKENS_MAX: usize = 64;

/// How a part stands in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bare,
    Quoted,
    Bracketed,
}

/// One part, without what stands around it, and as it was before it was escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) form: Form,
    pub(super) text: Cow<'a, [u8]>,
}

impl<'a> Token<'a> {
    /// What it says; nothing where it is the `-` that stands for that.
    pub(super) fn said(&self) -> Cow<'a, [u8]> {
        if *self.text == *b"-" { Cow::default() } else { self.text.clone() }
    }

    pub(super) fn is(&self, form: Form) -> bool {
        self.form == form
    }
}

/// The parts of a line.
pub(super) fn tokens(line: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() && tokens.len() < TOKENS_MAX {
        let (form, length, behind) = match rest.first() {
            Some(b'"') => (Form::Quoted, quoted(rest), 1),
            Some(b'[') => (Form::Bracketed, memchr::memchr(b']', rest), 1),
            _ => (Form::Bare, Some(memchr::memchr(b' ', rest).unwrap_or(rest.len())), 0),
        };
        // What never closes is the rest of the line.
        let length = length.unwrap_or(rest.len());
        let text = rest.get(behind..length).unwrap_or_default();
        let text = if form == Form::Quoted { unescaped(text) } else { Cow::Borrowed(text) };
        tokens.push(Token { form, text });
        rest = rest.get(length + behind..).unwrap_or_default().trim_ascii_start();
    }
    tokens
}

/// Where the quote that closes stands.
fn quoted(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        if rest.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// As servers escape: `\xHH` (nginx, Apache), and a backslash before a letter or itself.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let Some((&letter, behind)) = rest.split_first() else { break };
        rest = behind;
        plain.push(match letter {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => match hex(rest) {
                Some(byte) => {
                    rest = rest.get(2..).unwrap_or_default();
                    byte
                }
                None => b'x',
            },
            other => other,
        });
    }
    plain.into()
}

fn hex(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let found: Vec<_> = tokens(line.as_bytes());
        let found: Vec<_> = found.iter().map(|it| String::from_utf8_lossy(&it.text)).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn parts_are_cut_where_servers_cut_them_and_read_as_they_were() {
        check("a - [b c]\"d e\" 1", &["a", "-", "b c", "d e", "1"]);
        check(r#""a\"b" "\x22\x0a" "\\" x"#, &["a\"b", "\"\n", "\\", "x"]);
        check("\"never closed", &["never closed"]);
        check("[never closed", &["never closed"]);
        check(r#""ends in \"#, &["ends in "]);
        check(r#""\xg""#, &["xg"]);
    }

    #[test]
    fn of_a_line_tokens_max_parts_are_read() {
        assert_eq!(tokens("x ".repeat(TOKENS_MAX + 1).as_bytes()).len(), TOKENS_MAX);
    }
}
