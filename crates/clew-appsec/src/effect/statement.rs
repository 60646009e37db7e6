//! SQL injection: a piece of a request is more than one token of a statement.
//!
//! Whatever a client sends, it is a value; so a statement in which it is replaced by one literal has
//! the same structure. Where the piece reaches over several tokens it has become structure. Lists
//! of numbers and a column with its direction are what applications let through on purpose.

use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::fragment::{self, Fragment, find};
use super::{Kind, Proof};
use crate::attack::sql::{self, Quoting, tokens};

/// Shortest piece that is looked for.
pub(super) const PIECE_BYTES_MIN: usize = 3;
/// Longest statement that is read.
pub(super) const STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a statement that are told.
pub(super) const SHOWN_BYTES_MAX: usize = 96;

pub(super) fn judge(statement: &[u8], system: &str, request: &HttpRequest) -> Option<Proof> {
    let statement = statement.get(..STATEMENT_BYTES_MAX.min(statement.len()))?;
    let read = readable(statement, system);
    let tokens = tokens(&read, Quoting::Bare)?;
    fragment::best(request, |fragment| in_tokens(statement, &tokens, fragment))
}

/// PostgreSQL takes a backslash in a string for itself.
fn readable(statement: &[u8], system: &str) -> Vec<u8> {
    let keeps = system == "postgresql" && find(statement, b"E'").is_none();
    let read = |&byte: &u8| if keeps && byte == b'\\' { b'_' } else { byte };
    statement.iter().map(read).collect()
}

fn in_tokens(statement: &[u8], tokens: &[sql::Token], fragment: &Fragment<'_>) -> Option<Proof> {
    let piece = fragment.bytes.trim_ascii();
    let has_syntax = piece.iter().any(|byte| b"'\"`;#=()-/*|&<>\\".contains(byte));
    if piece.len() < PIECE_BYTES_MIN {
        return None;
    }
    let start = find(statement, piece)?;
    let end = start + piece.len();
    let within: Vec<sql::Kind> = tokens
        .iter()
        .filter(|token| start < token.range.end && token.range.start < end)
        .map(|token| token.kind)
        .collect();
    if within.len() < 2 || is_let_through(&within) {
        return None;
    }
    use sql::Kind::{Comment, Logic, Number, Pipes, Select, Semicolon, Union, Verb};
    // A few plain words may be words of the statement itself.
    let joins = within.contains(&Union) || (within.contains(&Logic) && within.contains(&Number));
    if !has_syntax && !joins {
        return None;
    }
    let is_telling = within
        .iter()
        .any(|kind| matches!(kind, Comment | Logic | Pipes | Select | Semicolon | Union | Verb));
    let shown = statement.get(..SHOWN_BYTES_MAX.min(statement.len())).unwrap_or_default();
    let did = format!("sent the statement `{}`", escaped(shown));
    Some(fragment.proof(Kind::Statement, if is_telling { 16.0 } else { 10.0 }, piece, did))
}

/// Numbers with commas, dates, a call of nothing: what filters and sort orders look like.
fn is_let_through(kinds: &[sql::Kind]) -> bool {
    use sql::Kind::{Arithmetic, Comma, Name, Number, Text};
    kinds.iter().all(|kind| matches!(kind, Number | Comma | Arithmetic | Name))
        || kinds.iter().all(|kind| matches!(kind, Text | Comma))
}
