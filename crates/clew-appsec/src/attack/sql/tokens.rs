//! A value as tokens of SQL, from within a string or from outside.
//!
//! Three dialects differ in comments, quotes and operators; where they disagree the reading that
//! serves an attacker is taken. Linear: every byte is looked at a bounded number of times.

use std::ops::Range;

use super::words;

/// In what the application puts the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Where a number or name stands.
    Bare,
    /// Within `'…'`.
    Single,
    /// Within `"…"`.
    Double,
    /// Within backticks.
    Backtick,
}

impl Quoting {
    pub(crate) const fn byte(self) -> Option<u8> {
        match self {
            Self::Bare => None,
            Self::Single => Some(b'\''),
            Self::Double => Some(b'"'),
            Self::Backtick => Some(b'`'),
        }
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is there any more.
    End,
    Number,
    /// A string that is closed within the value.
    Text,
    /// A string that the application's own quote has to close.
    OpenText,
    /// A name or a word of a natural language.
    Name,
    /// A known function, directly in front of `(`.
    Function,
    Variable,
    /// `null`, `true`, `false`.
    Constant,
    /// `and`, `or`, `xor`, `&&`.
    Logic,
    /// `||`, in one dialect logic, in others concatenation.
    Pipes,
    Not,
    Compare,
    /// `like`, `in`, `is`, `between`, …
    CompareWord,
    Arithmetic,
    Union,
    /// `all`, `distinct`.
    All,
    Select,
    From,
    Where,
    /// Begins another statement.
    Verb,
    /// `order`, `group`, `having`, `limit`, `procedure`, `into`, …
    Tail,
    By,
    /// `case`, `when`, `then`.
    Case,
    Open,
    Close,
    Comma,
    Semicolon,
    /// A comment that reaches the end; the value's rest is text.
    Comment,
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// All tokens; from within a string, those behind the quote that closes it, else `None`.
pub(crate) fn tokens(bytes: &[u8], quoting: Quoting) -> Option<Vec<Token>> {
    let mut lexer = Lexer { bytes, at: 0 };
    if let Some(quote) = quoting.byte() {
        lexer.at = closing(bytes, 0, quote)?;
    }
    let mut found = Vec::new();
    while let Some(token) = lexer.next() {
        found.push(token);
    }
    Some(found)
}

/// Whether a word or sign is there from which all that is judged without a quote begins. Most
/// values hold none, and need no tokens.
pub(super) fn may_leave_bare(bytes: &[u8]) -> bool {
    if bytes.windows(2).any(|it| matches!(it, b"||" | b"&&" | b"--" | b"/*")) {
        return true;
    }
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|it| it.is_ascii_alphabetic()) {
        rest = rest.get(start..).unwrap_or_default();
        let length = rest.iter().position(|it| !is_name(*it)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        rest = behind;
        let is_called = behind.iter().find(|it| !is_space(**it)) == Some(&b'(');
        if words::kind(word).is_some() || (is_called && words::is_function(word)) {
            return true;
        }
    }
    false
}

/// Behind the quote that ends the string in which `from` lies. A doubled quote does not end it; a
/// backslash may or may not, so it is taken to.
fn closing(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == quote)?;
        if bytes.get(at + 1) != Some(&quote) || bytes.len() == at + 2 {
            return Some(at + 1);
        }
        at += 2;
    }
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Option<Token> {
        self.skip_space();
        let start = self.at;
        let byte = *self.bytes.get(self.at)?;
        let kind = match byte {
            b'\'' | b'"' => self.text(byte),
            b'`' | b'[' => self.quoted_name(byte),
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'@' => self.variable(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => self.word(),
            b'-' if self.peek(1) == b'-' => self.rest(),
            b'#' => self.rest(),
            b'/' if self.peek(1) == b'*' => self.rest(),
            b'(' => self.one(Kind::Open),
            b')' => self.one(Kind::Close),
            b',' => self.one(Kind::Comma),
            b';' => self.one(Kind::Semicolon),
            b'|' if self.peek(1) == b'|' => self.run(b"|", Kind::Pipes),
            b'&' if self.peek(1) == b'&' => self.run(b"&", Kind::Logic),
            b'=' | b'<' | b'>' => self.run(b"=<>", Kind::Compare),
            b'!' if self.peek(1) == b'=' => self.run(b"!=", Kind::Compare),
            b'!' => self.one(Kind::Not),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'|' | b'&' | b'^' | b'~' => {
                self.run(b"+*/%|&^~", Kind::Arithmetic)
            }
            0 => self.rest(),
            _ => self.one(Kind::Other),
        };
        debug_assert!(start < self.at);
        Some(Token { kind, range: start..self.at })
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn run(&mut self, of: &[u8], kind: Kind) -> Kind {
        self.at += 1;
        while of.contains(&self.peek(0)) && self.at < self.bytes.len() {
            self.at += 1;
        }
        kind
    }

    fn rest(&mut self) -> Kind {
        self.at = self.bytes.len();
        Kind::Comment
    }

    /// Space, and comments that end within the value. What stands in `/*! … */` is no comment.
    fn skip_space(&mut self) {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let space = rest.iter().position(|&it| !is_space(it)).unwrap_or(rest.len());
            self.at += space;
            let rest = rest.get(space..).unwrap_or_default();
            if rest.starts_with(b"/*!") {
                let digits = rest.iter().skip(3).take_while(|it| it.is_ascii_digit()).count();
                self.at += 3 + digits;
            } else if rest.starts_with(b"*/") {
                self.at += 2;
            } else if rest.starts_with(b"/*")
                && let Some(end) = rest.windows(2).skip(2).position(|it| it == b"*/")
            {
                self.at += end + 4;
            } else if let Some(end) = line_comment(rest) {
                self.at += end;
            } else {
                return;
            }
        }
    }

    fn text(&mut self, quote: u8) -> Kind {
        let mut at = self.at + 1;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|&it| it == quote || it == b'\\') else {
                self.at = self.bytes.len();
                return Kind::OpenText;
            };
            at += end;
            if self.bytes.get(at) == Some(&b'\\') || self.bytes.get(at + 1) == Some(&quote) {
                at += 2;
                continue;
            }
            self.at = at + 1;
            return Kind::Text;
        }
    }

    /// `` `name` `` and `[name]`; a lone backtick closes the application's own.
    fn quoted_name(&mut self, open: u8) -> Kind {
        let close = if open == b'[' { b']' } else { open };
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        match rest.iter().take(128).position(|&it| it == close) {
            Some(end) => {
                self.at += end + 2;
                Kind::Name
            }
            None if open == b'`' => {
                self.at = self.bytes.len();
                Kind::OpenText
            }
            None => self.one(Kind::Other),
        }
    }

    /// Digits with point and exponent, `0x…`; `1st` is a name.
    fn number(&mut self) -> Kind {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_hex = rest.starts_with(b"0x") || rest.starts_with(b"0X");
        let mut length = if is_hex { 2 } else { 0 };
        while let Some(&byte) = rest.get(length) {
            let follows_exponent = matches!(byte, b'+' | b'-')
                && !is_hex
                && matches!(rest.get(length.wrapping_sub(1)), Some(b'e' | b'E'))
                && rest.get(length + 1).is_some_and(u8::is_ascii_digit);
            let is_exponent = matches!(byte, b'e' | b'E')
                && rest.get(length + 1).is_some_and(|it| !it.is_ascii_alphabetic());
            let is_part = byte.is_ascii_digit()
                || (is_hex && byte.is_ascii_hexdigit())
                || (!is_hex && (byte == b'.' || is_exponent));
            if !is_part && !follows_exponent {
                break;
            }
            length += 1;
        }
        self.at += length;
        let behind = rest.get(length..).unwrap_or_default();
        let letters = behind.iter().take(24).take_while(|it| is_name(**it)).count();
        let glued = behind.get(..letters).unwrap_or_default();
        // `1or 1=1`, `1union select` are read as number and word.
        if letters == 0 || words::kind(glued).is_some() {
            return Kind::Number;
        }
        self.at += behind.iter().take_while(|it| is_name(**it)).count();
        Kind::Name
    }

    fn variable(&mut self) -> Kind {
        self.at += 1;
        let start = self.at;
        while self.peek(0) == b'@' || is_name(self.peek(0)) {
            self.at += 1;
        }
        if self.at == start { Kind::Other } else { Kind::Variable }
    }

    fn word(&mut self) -> Kind {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|it| is_name(**it)).count();
        let word = rest.get(..length).unwrap_or_default();
        self.at += length.max(1);
        // Prefixes of strings: N'…', x'…', _utf8'…'.
        if length <= 8
            && self.peek(0) == b'\''
            && (matches!(word, b"n" | b"N" | b"x" | b"X" | b"b" | b"B" | b"e" | b"E")
                || word.first() == Some(&b'_'))
        {
            return self.text(b'\'');
        }
        if let Some(kind) = words::kind(word) {
            return kind;
        }
        self.skip_space();
        let is_called = self.peek(0) == b'(';
        if is_called && words::is_function(word) { Kind::Function } else { Kind::Name }
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13 | 0xa0)
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | 0x80..)
}

/// Length of a `-- ` or `#` comment that ends with its line, before the value ends.
fn line_comment(rest: &[u8]) -> Option<usize> {
    if !(rest.starts_with(b"--") || rest.starts_with(b"#")) {
        return None;
    }
    let end = rest.iter().position(|&it| it == b'\n')?;
    let behind = rest.get(end..)?;
    behind.iter().any(|&it| !is_space(it)).then_some(end + 1)
}
