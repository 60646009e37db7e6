//! Writes operands the way the original names them in output fields.

use std::fmt;

use super::{Argument, FieldUse, Operand, Value};

impl fmt::Display for FieldUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.argument {
            Some(argument) => write!(f, "[{argument}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Transformed { transformer, arguments, selector, .. } => {
                write!(f, "{}(", transformer.name())?;
                write_list(f, arguments)?;
                f.write_str(")")?;
                match selector {
                    Some(selector) => write!(f, "[{selector}]"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operand(operand) => operand.fmt(f),
            Self::Value(value) => value.fmt(f),
            Self::List(arguments) => {
                f.write_str("(")?;
                write_list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

/// Bare where that reads back the same, else in double quotes with escapes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        let needs_quotes = text.is_empty()
            || text.chars().any(|c| c.is_whitespace() || matches!(c, '=' | '\\' | '"' | '\''));
        if needs_quotes { write!(f, "\"{}\"", text.escape_debug()) } else { f.write_str(&text) }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, arguments: &[Argument]) -> fmt::Result {
    for (index, argument) in arguments.iter().enumerate() {
        if 0 < index {
            f.write_str(", ")?;
        }
        write!(f, "{argument}")?;
    }
    Ok(())
}
