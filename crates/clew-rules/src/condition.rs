//! Conditions: Falco's filter language as text and as a tree.
//!
//! The grammar is that of the original (`userspace/libsinsp/filter/parser.h` of falcosecurity/libs,
//! July 2026), quirks included: what it accepts and what it refuses is what rules rely on.

mod ast;
mod escape;
mod lex;
mod parse;
mod print;

use crate::traced::Traced;
pub(crate) use ast::{
    Argument, Check, Expr, FieldUse, Modifier, Operand, Operator, Right, Test, Transformer, Value,
};

pub(crate) use parse::{SyntaxError, parse, parse_field};

/// Deepest nesting of a condition, counted in grammar rules as the original counts: about 200
/// pairs of parentheses.
pub(crate) const CONDITION_DEPTH_MAX: u32 = 1000;

/// Longest condition after lists are substituted. The longest of the upstream files has 13 KB.
pub(crate) const CONDITION_BYTES_MAX: usize = 1 << 20;

/// True for what a condition reads as one string, bare or in quotes.
pub(crate) fn is_one_string(text: &Traced) -> bool {
    lex::Cursor::new(text).is_one_string()
}

/// True for what may name a macro: a letter, then letters, digits and `_`.
pub(crate) fn is_identifier(text: &str) -> bool {
    lex::identifier_length(text) == Some(text.len())
}
