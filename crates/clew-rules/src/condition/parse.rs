//! Recursive descent over the grammar of conditions.

use super::lex::{Cursor, identifier_length};
use super::{
    Argument, CONDITION_DEPTH_MAX, Check, Expr, FieldUse, Modifier, Operand, Operator, Right, Test,
    Transformer, Value,
};
use crate::traced::{Place, Traced};

/// Why a text is not a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub place: Place,
    pub message: String,
    /// True for a wrong escape, which has its own code.
    pub is_escape: bool,
    /// True where a bound is exceeded.
    pub is_limit: bool,
}

type Parsed<T> = Result<T, Box<SyntaxError>>;

const NUMERIC: [(&str, Operator); 4] =
    [("<=", Operator::Le), ("<", Operator::Lt), (">=", Operator::Ge), (">", Operator::Gt)];
const SYMBOLS: [(&str, Operator); 3] =
    [("==", Operator::Eq), ("=", Operator::Eq), ("!=", Operator::Ne)];
const WORDS: [Operator; 9] = [
    Operator::Glob,
    Operator::Iglob,
    Operator::Contains,
    Operator::Icontains,
    Operator::Bcontains,
    Operator::Startswith,
    Operator::Bstartswith,
    Operator::Endswith,
    Operator::Regex,
];
const LISTS: [Operator; 3] = [Operator::Intersects, Operator::In, Operator::Pmatch];
const MODIFIERS: [Modifier; 3] = [Modifier::Oneof, Modifier::Anyof, Modifier::Allof];
const TRANSFORMERS: [Transformer; 8] = [
    Transformer::Tolower,
    Transformer::Toupper,
    Transformer::B64,
    Transformer::Basename,
    Transformer::Len,
    Transformer::Join,
    Transformer::Concat,
    Transformer::Getopt,
];

/// Parses a whole condition.
///
/// # Errors
/// The first thing that does not fit, as deep as the grammar got.
pub(crate) fn parse(text: &Traced) -> Result<Expr, SyntaxError> {
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0 };
    parser.whole().map_err(|error| *error)
}

/// Parses a field or a transformer at `offset`; also gives the offset behind it.
///
/// # Errors
/// The text there is neither.
pub(crate) fn parse_field(text: &Traced, offset: usize) -> Result<(Operand, usize), SyntaxError> {
    let mut cursor = Cursor::new(text);
    cursor.offset = offset;
    let mut parser = Parser { cursor, depth: 0 };
    let operand = parser.field_or_transformer().map_err(|error| *error)?;
    match operand {
        Some(operand) => Ok((operand, parser.cursor.offset)),
        None => Err(*parser.error("expected a field".to_owned())),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    /// Grammar rules entered and not left, at most [`CONDITION_DEPTH_MAX`].
    depth: u32,
}

impl Parser<'_> {
    fn whole(&mut self) -> Parsed<Expr> {
        if self.cursor.rest().is_empty() {
            return Err(self.error("the condition is empty".to_owned()));
        }
        let expr = self.or()?;
        if self.cursor.is_at_end() {
            Ok(expr)
        } else {
            let found = self.found();
            Err(self.error(format!("expected `and`, `or` or the end, found {found}")))
        }
    }

    fn or(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.cursor.blanks();
        let mut operands = vec![self.and()?];
        self.cursor.blanks();
        while self.cursor.symbol("or") {
            operands.push(self.behind_keyword("or", Self::and)?);
            self.cursor.blanks();
        }
        self.leave();
        Ok(single_or(operands, Expr::Or))
    }

    fn and(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.cursor.blanks();
        let mut operands = vec![self.not()?];
        self.cursor.blanks();
        while self.cursor.symbol("and") {
            operands.push(self.behind_keyword("and", Self::not)?);
            self.cursor.blanks();
        }
        self.leave();
        Ok(single_or(operands, Expr::And))
    }

    /// What stands behind `and` or `or`: a blank and an operand, or parentheses at once.
    fn behind_keyword(
        &mut self,
        keyword: &str,
        operand: impl FnOnce(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        if self.cursor.blanks() {
            operand(self)
        } else if self.cursor.symbol("(") {
            self.inside_parentheses()
        } else {
            Err(self.error(format!("expected a blank or `(` after `{keyword}`")))
        }
    }

    fn not(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.cursor.blanks();
        let mut is_negated = false;
        while self.cursor.not() {
            is_negated = !is_negated;
        }
        let expr = if self.cursor.symbol("not(") {
            is_negated = !is_negated;
            self.inside_parentheses()?
        } else {
            self.check()?
        };
        self.leave();
        Ok(if is_negated { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn inside_parentheses(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.cursor.blanks();
        let expr = self.or()?;
        self.cursor.blanks();
        self.expect(")", "to close the parenthesis")?;
        self.leave();
        Ok(expr)
    }

    fn check(&mut self) -> Parsed<Expr> {
        self.enter()?;
        self.cursor.blanks();
        let expr = if self.cursor.symbol("(") {
            self.inside_parentheses()?
        } else {
            self.comparison_or_macro()?
        };
        self.leave();
        Ok(expr)
    }

    fn comparison_or_macro(&mut self) -> Parsed<Expr> {
        let place = self.cursor.place();
        if let Some(left) = self.field_or_transformer()? {
            let test = self.test()?;
            return Ok(Expr::Check(Box::new(Check { place, left, test })));
        }
        match self.cursor.identifier() {
            Some(name) => Ok(Expr::Macro(name.into(), place)),
            None => {
                let found = self.found();
                Err(self.error(format!("expected a comparison, a macro or `(`, found {found}")))
            }
        }
    }

    fn field_or_transformer(&mut self) -> Parsed<Option<Operand>> {
        let place = self.cursor.place();
        if let Some(name) = self.cursor.field_name() {
            return self.behind_field_name(name.into(), place).map(Some);
        }
        match self.transformer_name() {
            Some(transformer) => self.behind_transformer(transformer, place).map(Some),
            None => Ok(None),
        }
    }

    fn behind_field_name(&mut self, name: Box<str>, place: Place) -> Parsed<Operand> {
        let argument = self.bracketed()?;
        Ok(Operand::Field(FieldUse { name, argument, place }))
    }

    fn bracketed(&mut self) -> Parsed<Option<Box<str>>> {
        if !self.cursor.symbol("[") {
            return Ok(None);
        }
        let argument = match self.quoted()? {
            Some(bytes) => String::from_utf8_lossy(&bytes).into(),
            None => match self.cursor.bare_field_argument() {
                Some(bare) => bare.into(),
                None => return Err(self.error("expected an argument after `[`".to_owned())),
            },
        };
        self.expect("]", "to close the argument")?;
        Ok(Some(argument))
    }

    fn transformer_name(&mut self) -> Option<Transformer> {
        let start = self.cursor;
        for transformer in TRANSFORMERS {
            if self.cursor.symbol(transformer.name()) && self.cursor.symbol("(") {
                return Some(transformer);
            }
            self.cursor = start;
        }
        None
    }

    fn behind_transformer(&mut self, transformer: Transformer, place: Place) -> Parsed<Operand> {
        self.enter()?;
        self.cursor.blanks();
        let mut arguments = Vec::new();
        loop {
            self.cursor.blanks();
            arguments.push(self.transformer_argument()?);
            self.cursor.blanks();
            if !self.cursor.symbol(",") {
                break;
            }
        }
        self.expect(")", "to close the transformer")?;
        let selector = self.bracketed()?;
        self.leave();
        Ok(Operand::Transformed { transformer, arguments, selector, place })
    }

    fn transformer_argument(&mut self) -> Parsed<Argument> {
        if self.cursor.symbol("(") {
            return self.transformer_list();
        }
        self.transformer_item()
    }

    fn transformer_list(&mut self) -> Parsed<Argument> {
        let mut items = Vec::new();
        self.cursor.blanks();
        if self.cursor.symbol(")") {
            return Ok(Argument::List(items));
        }
        loop {
            self.cursor.blanks();
            items.push(self.transformer_item()?);
            self.cursor.blanks();
            if !self.cursor.symbol(",") {
                break;
            }
        }
        self.expect(")", "to close the list")?;
        Ok(Argument::List(items))
    }

    fn transformer_item(&mut self) -> Parsed<Argument> {
        let place = self.cursor.place();
        if let Some(number) = self.cursor.number() {
            return Ok(Argument::Value(Value { bytes: number.as_bytes().into(), place }));
        }
        if let Some(bytes) = self.quoted()? {
            return Ok(Argument::Value(Value { bytes, place }));
        }
        match self.field_or_transformer()? {
            Some(operand) => Ok(Argument::Operand(operand)),
            None => {
                let found = self.found();
                Err(self.error(format!(
                    "expected a field, a transformer, a quoted string or a number, found {found}"
                )))
            }
        }
    }

    fn test(&mut self) -> Parsed<Test> {
        self.cursor.blanks();
        let place = self.cursor.place();
        if self.cursor.symbol("exists") {
            return Ok(Test::Exists);
        }
        if let Some((_, operator)) = NUMERIC.into_iter().find(|(s, _)| self.cursor.symbol(s)) {
            let right = self.number_or_operand()?;
            return Ok(Test::Compare { operator, modifier: None, right, place });
        }
        if let Some((_, operator)) = SYMBOLS.into_iter().find(|(s, _)| self.cursor.symbol(s)) {
            let had_blank = self.cursor.blanks();
            return self.behind_string_operator(operator, had_blank, place);
        }
        if let Some(operator) = WORDS.into_iter().find(|word| self.cursor.word(word.name())) {
            return self.behind_string_operator(operator, true, place);
        }
        if let Some(operator) = LISTS.into_iter().find(|word| self.cursor.symbol(word.name())) {
            let right = self.list_or_operand()?;
            return Ok(Test::Compare { operator, modifier: None, right, place });
        }
        let found = self.found();
        Err(self.error(format!("expected an operator, found {found}")))
    }

    fn behind_string_operator(
        &mut self,
        operator: Operator,
        had_blank: bool,
        place: Place,
    ) -> Parsed<Test> {
        let before = self.cursor;
        if had_blank
            && let Some(modifier) = MODIFIERS.into_iter().find(|m| self.cursor.word(m.name()))
            && list_follows(self.cursor.rest())
        {
            let right = match self.list()? {
                Some(right) => right,
                None => self.list_name()?,
            };
            return Ok(Test::Compare { operator, modifier: Some(modifier), right, place });
        }
        self.cursor = before;
        self.cursor.blanks();
        let right = match self.right_operand()? {
            Some(operand) => Right::Operand(operand),
            None => Right::Value(self.string()?),
        };
        Ok(Test::Compare { operator, modifier: None, right, place })
    }

    fn number_or_operand(&mut self) -> Parsed<Right> {
        self.cursor.blanks();
        if let Some(operand) = self.right_operand()? {
            return Ok(Right::Operand(operand));
        }
        let place = self.cursor.place();
        match self.cursor.number() {
            Some(number) => Ok(Right::Value(Value { bytes: number.as_bytes().into(), place })),
            None => {
                let found = self.found();
                Err(self.error(format!(
                    "expected a number, `val(field)` or a transformer, found {found}"
                )))
            }
        }
    }

    fn list_or_operand(&mut self) -> Parsed<Right> {
        self.cursor.blanks();
        if let Some(list) = self.list()? {
            return Ok(list);
        }
        match self.right_operand()? {
            Some(operand) => Ok(Right::Operand(operand)),
            None => self.list_name(),
        }
    }

    /// A list's name that was not substituted, because no list has it: the value of that name.
    fn list_name(&mut self) -> Parsed<Right> {
        let place = self.cursor.place();
        match self.cursor.identifier() {
            Some(name) => Ok(Right::List(vec![Value { bytes: name.as_bytes().into(), place }])),
            None => {
                let found = self.found();
                Err(self.error(format!("expected a list in parentheses, found {found}")))
            }
        }
    }

    fn list(&mut self) -> Parsed<Option<Right>> {
        if !self.cursor.symbol("(") {
            return Ok(None);
        }
        let mut values = Vec::new();
        self.cursor.blanks();
        if self.cursor.symbol(")") {
            return Ok(Some(Right::List(values)));
        }
        loop {
            self.cursor.blanks();
            values.push(self.string()?);
            self.cursor.blanks();
            if !self.cursor.symbol(",") {
                break;
            }
        }
        self.expect(")", "to close the list")?;
        Ok(Some(Right::List(values)))
    }

    fn string(&mut self) -> Parsed<Value> {
        let place = self.cursor.place();
        if let Some(bytes) = self.quoted()? {
            return Ok(Value { bytes, place });
        }
        match self.cursor.bare_string() {
            Some(bare) => Ok(Value { bytes: bare.as_bytes().into(), place }),
            None if self.cursor.rest().starts_with(['"', '\'']) => {
                Err(self.error("the quote is not closed".to_owned()))
            }
            None => {
                let found = self.found();
                Err(self.error(format!("expected a value, found {found}")))
            }
        }
    }

    /// `val(field)` or a transformer.
    fn right_operand(&mut self) -> Parsed<Option<Operand>> {
        let place = self.cursor.place();
        if self.cursor.symbol("val(") {
            self.cursor.blanks();
            let field_place = self.cursor.place();
            let Some(name) = self.cursor.field_name() else {
                return Err(self.error("expected a field inside `val(…)`".to_owned()));
            };
            let field = self.behind_field_name(name.into(), field_place)?;
            self.cursor.blanks();
            self.expect(")", "to close `val(`")?;
            let selector = self.bracketed()?;
            let arguments = vec![Argument::Operand(field)];
            let transformer = Transformer::Val;
            return Ok(Some(Operand::Transformed { transformer, arguments, selector, place }));
        }
        match self.transformer_name() {
            Some(transformer) => self.behind_transformer(transformer, place).map(Some),
            None => Ok(None),
        }
    }

    fn quoted(&mut self) -> Parsed<Option<Box<[u8]>>> {
        self.cursor.quoted_string().map_err(|(offset, message)| {
            Box::new(SyntaxError {
                place: self.cursor.place_at(offset),
                message,
                is_escape: true,
                is_limit: false,
            })
        })
    }

    fn expect(&mut self, symbol: &str, purpose: &str) -> Parsed<()> {
        if self.cursor.symbol(symbol) {
            return Ok(());
        }
        let found = self.found();
        Err(self.error(format!("expected `{symbol}` {purpose}, found {found}")))
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth < CONDITION_DEPTH_MAX {
            return Ok(());
        }
        let mut error = self.error("the condition is nested too deep".to_owned());
        error.is_limit = true;
        Err(error)
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn error(&self, message: String) -> Box<SyntaxError> {
        let place = self.cursor.place();
        Box::new(SyntaxError { place, message, is_escape: false, is_limit: false })
    }

    /// What stands at the cursor, for messages.
    fn found(&self) -> String {
        let rest = self.cursor.rest().trim_start();
        let length = identifier_length(rest).unwrap_or(1);
        match rest.get(..length).or_else(|| rest.get(..rest.chars().next()?.len_utf8())) {
            None | Some("") => "the end".to_owned(),
            Some(token) => format!("`{token}`"),
        }
    }
}

fn single_or(mut operands: Vec<Expr>, several: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        Some(last) => {
            operands.push(last);
            several(operands)
        }
        None => several(operands),
    }
}

/// True where a modifier is one: a list follows, or a name that is no keyword.
fn list_follows(rest: &str) -> bool {
    let is_keyword = ["and", "or", "not"].iter().any(|keyword| {
        rest.strip_prefix(keyword).is_some_and(|behind| {
            !behind.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        })
    });
    rest.starts_with('(') || (identifier_length(rest).is_some() && !is_keyword)
}
