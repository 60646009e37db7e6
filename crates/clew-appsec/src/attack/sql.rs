//! Tells SQL injection by the structure of a value, read from where the application may put it.
//!
//! A value is cut into tokens as if it stood bare, and as if it stood within each kind of quote
//! that it holds. What is judged is whether it *leaves its place*: a quote closed and something of
//! SQL behind it, a condition added, a statement begun, a rest cut off by a comment. Prose has the
//! words but not the structure: `union was a great select` has no operand behind its `select`.

mod tokens;
mod words;

use std::ops::Range;

pub(crate) use tokens::{Kind, Quoting, Token, tokens};

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) bits: f64,
    pub(super) range: Range<usize>,
    pub(super) says: &'static str,
}

/// The most telling structure in `bytes`, whatever quotes it is read within.
pub(super) fn judge(bytes: &[u8]) -> Option<Found> {
    let mut best: Option<Found> = None;
    for quoting in [Quoting::Single, Quoting::Double, Quoting::Backtick, Quoting::Bare] {
        if quoting == Quoting::Bare && !tokens::may_leave_bare(bytes) {
            continue;
        }
        let Some(tokens) = tokens(bytes, quoting) else { continue };
        let found = Scan { bytes, tokens: &tokens, quoting }.judge();
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| best.bits < found.bits)
        {
            best = Some(found);
        }
    }
    best
}

struct Scan<'a> {
    bytes: &'a [u8],
    tokens: &'a [Token],
    quoting: Quoting,
}

type Verdict = Option<(f64, usize, &'static str)>;

impl Scan<'_> {
    fn kind(&self, at: usize) -> Kind {
        self.tokens.get(at).map_or(Kind::End, |token| token.kind)
    }

    fn text(&self, at: usize) -> &[u8] {
        let range = self.tokens.get(at).map(|token| token.range.clone());
        range.and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    fn is_word(&self, at: usize, words: &[&str]) -> bool {
        let text = self.text(at);
        words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn judge(&self) -> Option<Found> {
        let mut best: Verdict = None;
        let mut start = 0;
        let mut keep = |at: usize, verdict: Verdict| {
            if let Some(verdict) = verdict
                && best.is_none_or(|best| best.0 < verdict.0)
            {
                (best, start) = (Some(verdict), at);
            }
        };
        if self.quoting != Quoting::Bare {
            keep(0, self.leaves_quote());
        }
        for (at, token) in self.tokens.iter().enumerate() {
            let verdict = match token.kind {
                Kind::Union => self.union(at),
                Kind::Select => self.select(at),
                Kind::Verb => self.statement(at),
                Kind::Logic | Kind::Pipes => self.condition(at),
                Kind::Tail => self.tail(at),
                Kind::Case => self.case(at),
                Kind::Number if at == 0 => self.cut_off(at),
                Kind::Function => self.call(at),
                _ => None,
            };
            keep(at, verdict);
        }
        let (bits, end, says) = best?;
        let last = self.tokens.get(end.min(self.tokens.len().saturating_sub(1)))?;
        let first = self.tokens.get(start)?;
        Some(Found { bits, range: first.range.start..last.range.end, says })
    }

    /// What directly follows a quote that the value closes.
    fn leaves_quote(&self) -> Verdict {
        let mut at = 0;
        while self.kind(at) == Kind::Close {
            at += 1;
        }
        let next = at + 1;
        match self.kind(at) {
            Kind::Comment if self.cuts(at) => {
                Some((3.0, at, "closes a quote and cuts off the rest"))
            }
            Kind::Semicolon => match self.kind(next) {
                Kind::End => Some((1.5, at, "closes a quote and ends the statement")),
                Kind::Comment => Some((3.0, next, "closes a quote and cuts off the rest")),
                Kind::Select | Kind::Verb => Some((3.0, next, "begins another statement")),
                _ => None,
            },
            Kind::Logic | Kind::Pipes => self.quoted_condition(next),
            Kind::Not if self.kind(next) == Kind::CompareWord => self.quoted_operand(next + 1),
            Kind::Compare | Kind::CompareWord | Kind::Arithmetic | Kind::Not => {
                self.quoted_operand(next)
            }
            Kind::Union if matches!(self.kind(next), Kind::Select | Kind::All | Kind::Open) => {
                Some((2.5, next, "joins another query"))
            }
            Kind::Verb if self.kind(next) != Kind::End => self.quoted_verb(at),
            Kind::Tail => match self.kind(next) {
                Kind::By => Some((2.5, next, "closes a quote and adds a clause")),
                Kind::Number | Kind::Function | Kind::Open => {
                    Some((2.5, next, "closes a quote and adds a clause"))
                }
                Kind::Name if self.is_word(next, &["outfile", "dumpfile", "analyse"]) => {
                    Some((3.5, next, "closes a quote and writes a file"))
                }
                _ => None,
            },
            Kind::Function | Kind::Select => {
                Some((2.0, next, "closes a quote and calls a function"))
            }
            _ => None,
        }
    }

    fn quoted_verb(&self, at: usize) -> Verdict {
        let is_prose =
            matches!(self.kind(at + 1), Kind::Name) && matches!(self.kind(at + 2), Kind::Name);
        let is_telling =
            self.is_word(at, &["waitfor", "exec", "alter", "drop", "insert", "declare"]);
        (is_telling && !is_prose).then_some((2.5, at + 1, "closes a quote and begins a statement"))
    }

    /// Behind `' or`, where a condition must stand.
    fn quoted_condition(&self, from: usize) -> Verdict {
        let mut at = from;
        while matches!(self.kind(at), Kind::Not | Kind::Open | Kind::Arithmetic) {
            at += 1;
        }
        let says = "closes a quote and adds a condition";
        let next = at + 1;
        match self.kind(at) {
            Kind::OpenText if self.reopens(at) => Some((3.0, at, says)),
            Kind::Text | Kind::Number | Kind::Constant | Kind::Variable => match self.kind(next) {
                Kind::Name | Kind::Other | Kind::From | Kind::Where | Kind::OpenText => None,
                Kind::Text if self.kind(at) == Kind::Number => None,
                _ => Some((3.5, next, says)),
            },
            Kind::Function | Kind::Select => Some((3.5, next, says)),
            Kind::Name => match self.kind(next) {
                Kind::Compare | Kind::Comment => Some((3.0, next + 1, says)),
                Kind::CompareWord | Kind::Not => match self.kind(next + 1) {
                    Kind::Name => {
                        (self.kind(next + 2) == Kind::Comment).then_some((2.5, next + 2, says))
                    }
                    Kind::End | Kind::Other => None,
                    _ => Some((2.5, next + 1, says)),
                },
                Kind::OpenText if self.text(next).len() < 2 => Some((2.0, next, says)),
                _ => None,
            },
            Kind::Other if self.is_word(at, &["?"]) && self.kind(next) == Kind::Comment => {
                Some((2.0, next, says))
            }
            _ => None,
        }
    }

    /// Behind `' =`, `' like`, `' ||`.
    fn quoted_operand(&self, from: usize) -> Verdict {
        let mut at = from;
        while matches!(self.kind(at), Kind::Not | Kind::Open | Kind::Arithmetic | Kind::CompareWord)
        {
            at += 1;
        }
        let says = "closes a quote and goes on with an operator";
        let next = at + 1;
        match self.kind(at) {
            Kind::OpenText if self.reopens(at) => Some((2.5, at, says)),
            Kind::Comment if from == at && self.cuts(at) => Some((2.0, at, says)),
            Kind::Function | Kind::Select => Some((3.0, next, says)),
            Kind::Text | Kind::Number | Kind::Constant | Kind::Name => match self.kind(next) {
                Kind::Comment if self.cuts(next) => Some((2.5, next, says)),
                Kind::Semicolon if self.kind(at) == Kind::Number => Some((2.0, next, says)),
                Kind::Compare | Kind::Pipes if self.kind(at) != Kind::Name => {
                    Some((2.5, next, says))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A string of the same quote, which the application's own will close; not a quoted word.
    fn reopens(&self, at: usize) -> bool {
        match self.text(at) {
            [quote, first, ..] => {
                Some(*quote) == self.quoting.byte() && !b" +&\t'\"".contains(first)
            }
            _ => false,
        }
    }

    /// A comment that cuts off what the application puts behind it, not a dash in a sentence.
    fn cuts(&self, at: usize) -> bool {
        let text = self.text(at);
        let most = if text.starts_with(b"#") { 0 } else { 2 };
        let lead = text.iter().take_while(|it| b"-#/*+ ".contains(it)).count();
        let behind = text.get(lead..).unwrap_or_default();
        behind.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty()).count() <= most
    }

    fn union(&self, at: usize) -> Verdict {
        let mut next = at + 1;
        while matches!(self.kind(next), Kind::All | Kind::Open) {
            next += 1;
        }
        if self.is_word(next, &["values"]) && matches!(self.kind(next), Kind::Function) {
            return Some((3.0, next, "joins another query"));
        }
        if self.kind(next) != Kind::Select {
            let is_cut = next == at + 2 && self.kind(next) == Kind::End;
            return is_cut.then_some((1.0, at, "begins to join another query"));
        }
        if self.kind(next + 1) == Kind::End {
            return Some((2.0, next, "joins another query"));
        }
        self.list(next + 1).then_some((4.0, next + 1, "joins another query"))
    }

    /// Whether what stands there can be what a query selects.
    fn list(&self, at: usize) -> bool {
        match self.kind(at) {
            Kind::Number
            | Kind::Text
            | Kind::OpenText
            | Kind::Constant
            | Kind::Function
            | Kind::Variable
            | Kind::Open
            | Kind::Arithmetic
            | Kind::All
            | Kind::Case
            | Kind::Select => true,
            Kind::Name | Kind::Verb => {
                matches!(
                    self.kind(at + 1),
                    Kind::Comma
                        | Kind::From
                        | Kind::Open
                        | Kind::Comment
                        | Kind::Pipes
                        | Kind::Semicolon
                        | Kind::Arithmetic
                        | Kind::Close
                        | Kind::Where
                ) && !self.is_prose(at + 1)
            }
            _ => false,
        }
    }

    /// `from the …`: words that no table is called.
    fn is_prose(&self, from: usize) -> bool {
        self.kind(from) == Kind::From
            && (self.is_word(from + 1, &["the", "a", "an", "our", "your", "my", "this", "these"])
                || (self.kind(from + 1) == Kind::Name && self.kind(from + 2) == Kind::Name))
    }

    fn select(&self, at: usize) -> Verdict {
        let is_nested = 0 < at && self.kind(at - 1) == Kind::Open;
        let is_next = 0 < at && matches!(self.kind(at - 1), Kind::Semicolon | Kind::Number);
        let has_list = self.list(at + 1);
        if is_nested && has_list {
            return Some((3.5, at + 1, "holds a query in parentheses"));
        }
        if is_next && has_list {
            return Some((3.0, at + 1, "begins another statement"));
        }
        if self.kind(at + 1) == Kind::Function && !self.is_word(at + 1, &["user", "quote"]) {
            return Some((2.0, at + 1, "holds a query"));
        }
        // A list and a source within reach.
        let source = (at + 1..at + 40).find(|&it| self.kind(it) == Kind::From)?;
        let is_source = matches!(self.kind(source + 1), Kind::Name | Kind::Open | Kind::Function);
        let is_plain = self.kind(at + 1) == Kind::Name
            && matches!(self.kind(source + 2), Kind::Name | Kind::Other);
        (has_list && is_source && !is_plain && !self.is_prose(source)).then_some((
            2.5,
            source + 1,
            "holds a whole query",
        ))
    }

    /// Another statement, with what must follow its first word.
    fn statement(&self, at: usize) -> Verdict {
        let next = at + 1;
        let is_told = match self.text(at).to_ascii_lowercase().as_slice() {
            b"insert" | b"replace" => {
                self.is_word(next, &["into"]) && !self.is_prose_behind(next + 1)
            }
            b"update" => self.is_word(next + 1, &["set"]) && self.kind(next + 3) == Kind::Compare,
            b"delete" => {
                self.kind(next) == Kind::From
                    && matches!(
                        self.kind(next + 2),
                        Kind::End | Kind::Where | Kind::Comment | Kind::Semicolon
                    )
            }
            b"drop" | b"alter" | b"create" | b"truncate" | b"rename" => {
                const OBJECTS: &[&str] = &[
                    "table",
                    "database",
                    "view",
                    "index",
                    "procedure",
                    "function",
                    "user",
                    "login",
                    "schema",
                    "trigger",
                    "role",
                    "extension",
                ];
                let word = if self.is_word(next, &["or"]) { next + 2 } else { next };
                (self.is_word(word, OBJECTS)
                    && self.kind(word + 1) == Kind::Name
                    && !matches!(self.kind(word + 2), Kind::Name | Kind::From | Kind::Logic))
                    || (self.kind(next) == Kind::Name && self.kind(next + 1) == Kind::Semicolon)
            }
            b"exec" | b"execute" => {
                matches!(self.kind(next), Kind::Variable)
                    || (self.kind(next) == Kind::Open
                        && matches!(
                            self.kind(next + 1),
                            Kind::Variable | Kind::Text | Kind::OpenText
                        ))
                    || ["xp_", "sp_", "master."].iter().any(|head| {
                        self.text(next).to_ascii_lowercase().starts_with(head.as_bytes())
                    })
                    || self.is_word(next, &["immediate"])
            }
            b"declare" | b"set" => self.kind(next) == Kind::Variable,
            b"waitfor" => self.is_word(next, &["delay", "time"]),
            b"shutdown" | b"print" => {
                0 < at
                    && self.kind(at - 1) == Kind::Semicolon
                    && !matches!(self.kind(next), Kind::Open)
            }
            b"load" => self.is_word(next + 1, &["infile"]),
            b"copy" => self.is_word(next + 2, &["program"]) || self.kind(next) == Kind::Open,
            b"if" => {
                0 < at && self.kind(at - 1) == Kind::Semicolon && self.kind(next) == Kind::Open
            }
            _ => false,
        };
        let bits = if 0 < at && self.kind(at - 1) == Kind::Semicolon { 4.0 } else { 2.0 };
        is_told.then_some((bits, next, "begins another statement"))
    }

    fn is_prose_behind(&self, at: usize) -> bool {
        !(self.kind(at) == Kind::Name
            && (self.is_word(at + 1, &["values"])
                || matches!(
                    self.kind(at + 1),
                    Kind::Open | Kind::Select | Kind::End | Kind::Function
                )))
    }

    /// `or 1=1` and its many cousins, where no quote is to be closed.
    fn condition(&self, at: usize) -> Verdict {
        use Kind::{Close, Constant, End, Name, Number, Semicolon, Text, Variable};
        let before = if at == 0 { End } else { self.kind(at - 1) };
        if !matches!(before, End | Number | Close | Text | Constant | Name | Semicolon | Variable) {
            return None;
        }
        let mut from = at + 1;
        while matches!(self.kind(from), Kind::Not | Kind::Open)
            || (self.kind(from) == Kind::Arithmetic && self.kind(at) == Kind::Logic)
        {
            from += 1;
        }
        let says = "adds a condition";
        let is_behind_word = before == Name;
        match (self.kind(from), self.kind(from + 1)) {
            (Kind::Function, _) if self.kind(at) == Kind::Logic => Some((2.5, from + 1, says)),
            (Kind::Select, _) => Some((3.0, from + 1, says)),
            (_, Kind::Compare) => self.comparison(from, before),
            (Text, Kind::CompareWord | Kind::Not) => Some((2.5, from + 2, says)),
            (Number | Constant, Kind::CompareWord | Kind::Not) if !is_behind_word => {
                (!matches!(self.kind(from + 2), Name | End)).then_some((2.5, from + 2, says))
            }
            (Number | Constant, Kind::Comment | Semicolon) if !is_behind_word => {
                let cuts = self.kind(from + 1) != Kind::Comment || self.cuts(from + 1);
                cuts.then_some((2.0, from + 1, says))
            }
            (Number | Text, Kind::Arithmetic)
                if !is_behind_word && matches!(self.kind(from + 2), Number | Text) =>
            {
                let is_fraction =
                    self.text(from + 1) == b"/" && self.kind(from + 3) != Kind::Compare;
                (!is_fraction).then_some((2.0, from + 2, says))
            }
            (Constant, End) if before == Number => Some((2.0, from, says)),
            (Kind::Comment, _) if matches!(before, Text | Number) && self.cuts(from) => {
                Some((2.0, from, says))
            }
            _ => None,
        }
    }

    /// `1=1`, `a=a`, `'x'<'y'` at `from`, whose operator is the next token.
    fn comparison(&self, from: usize, before: Kind) -> Verdict {
        use Kind::{Arithmetic, Constant, Function, Name, Number, Open, OpenText, Text};
        let says = "adds a condition";
        let right = self.kind(from + 2);
        let is_told = match self.kind(from) {
            Number | Text | Constant => matches!(
                right,
                Number | Text | OpenText | Constant | Function | Open | Arithmetic | Name
            ),
            Name if right == Name => self.text(from).eq_ignore_ascii_case(self.text(from + 2)),
            Name => before != Name && matches!(right, Text | OpenText | Number),
            _ => false,
        };
        let bits = if self.kind(from) == Name { 2.5 } else { 3.5 };
        is_told.then_some((bits, from + 2, says))
    }

    fn tail(&self, at: usize) -> Verdict {
        let says = "adds a clause";
        if self.kind(at + 1) == Kind::By {
            let is_column = matches!(self.kind(at + 2), Kind::Number | Kind::Function)
                || (self.kind(at + 2) == Kind::Name && self.kind(at + 3) == Kind::Comment);
            let ends = matches!(
                self.kind(at + 3),
                Kind::End | Kind::Comment | Kind::Comma | Kind::Semicolon | Kind::Open | Kind::Tail
            );
            return (is_column && ends).then_some((2.0, at + 2, says));
        }
        if self.is_word(at, &["having"])
            && matches!(self.kind(at + 1), Kind::Number | Kind::Text | Kind::Function)
        {
            let is_compared =
                self.kind(at + 2) == Kind::Compare || self.kind(at + 1) == Kind::Function;
            return is_compared.then_some((2.5, at + 2, says));
        }
        if self.is_word(at, &["into"]) && self.is_word(at + 1, &["outfile", "dumpfile"]) {
            return Some((3.5, at + 1, "writes a file"));
        }
        if self.is_word(at, &["procedure"]) && self.is_word(at + 1, &["analyse"]) {
            return Some((3.0, at + 1, says));
        }
        None
    }

    fn case(&self, at: usize) -> Verdict {
        let is_told = self.is_word(at, &["case"])
            && (self.is_word(at + 1, &["when"]) || self.is_word(at + 2, &["when"]))
            && (at..at + 16).any(|it| self.is_word(it, &["then"]));
        is_told.then_some((2.5, at + 1, "holds a condition"))
    }

    /// `1--`, `1/*`: a number and nothing that could follow it.
    fn cut_off(&self, at: usize) -> Verdict {
        let is_cut = self.quoting == Quoting::Bare
            && self.kind(at + 1) == Kind::Comment
            && self.text(at + 1).starts_with(b"--")
            && self.text(at + 1).iter().all(|byte| matches!(byte, b'-' | b' ' | b'+'));
        is_cut.then_some((1.0, at + 1, "cuts off the rest"))
    }

    /// A function within a value that is nothing but an expression.
    fn call(&self, at: usize) -> Verdict {
        const TELLING: &[&str] = &[
            "sleep",
            "benchmark",
            "pg_sleep",
            "load_file",
            "extractvalue",
            "updatexml",
            "dbms_pipe.receive_message",
            "utl_http.request",
            "utl_inaddr.get_host_address",
            "openrowset",
            "group_concat",
            "sys_context",
            "xmltype",
            "is_srvrolemember",
            "randomblob",
            "load_extension",
            "generate_series",
            "name_const",
            "pg_read_file",
            "sqlite_version",
            "unhex",
        ];
        if self.is_word(at, TELLING) {
            return (self.kind(at + 2) != Kind::Close).then_some((
                2.5,
                at + 2,
                "calls a function of a database",
            ));
        }
        let before = if at == 0 { Kind::End } else { self.kind(at - 1) };
        let is_operand = matches!(before, Kind::Arithmetic | Kind::Compare | Kind::Pipes)
            && 1 < at
            && matches!(self.kind(at - 2), Kind::Number | Kind::Text | Kind::Close);
        is_operand.then_some((2.0, at + 1, "calls a function of a database"))
    }
}
