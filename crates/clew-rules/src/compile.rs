//! From parsed conditions to predicates and graph nodes, with every type checked.

mod condition;
mod macros;
mod operand;
mod pool;
mod typing;
mod value;

pub(crate) use condition::{Compiler, Findings};
pub(crate) use macros::{Macros, syntax_problem};
pub(crate) use pool::Pool;
pub(crate) use typing::certain;
#[cfg(test)]
pub(crate) use {macros::MACRO_DEPTH_MAX, value::REGEX_BYTES_MAX};
