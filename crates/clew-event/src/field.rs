//! Access to events by the names that rules use.
//!
//! [`FIELDS`] says which fields there are, of which type, and with which argument; a
//! [`FieldSource`] (an event seen through its context) gives the values. Rules are checked
//! against the first and judged against the second, so neither knows the other.

use std::borrow::Cow;
use std::net::IpAddr;

#[path = "field_table.rs"]
mod table;

pub use table::{FIELDS, FieldId};

/// One field with its argument: `proc.name`, `proc.aname[2]`, `evt.arg.flags`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// Which field.
    pub id: FieldId,
    /// Its argument.
    pub argument: FieldArgument,
}

/// What stands in brackets, or after the dot of `evt.arg.`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldArgument {
    /// Nothing.
    #[default]
    None,
    /// A number: `proc.aname[2]`.
    Index(u32),
    /// A name or pattern: `evt.arg.flags`, `container.mount.dest[/proc*]`.
    Key(Box<str>),
}

/// What there is to know about a field before any event.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Which field.
    pub id: FieldId,
    /// Its name in rules.
    pub name: &'static str,
    /// Type of its values: decides which operators fit and how right-hand sides are read.
    pub kind: ValueKind,
    /// How many values it has, and what comparing them means.
    pub multiplicity: Multiplicity,
    /// Whether it takes an argument.
    pub argument: ArgumentForm,
    /// One sentence for people.
    pub doc: &'static str,
}

/// Type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// Bytes compared as text.
    Text,
    /// A path, which `pmatch` splits by `/`.
    Path,
    /// Bytes compared as bytes.
    Bytes,
    /// True or false.
    Bool,
    /// A whole number that is not negative.
    Unsigned,
    /// A whole number.
    Signed,
    /// A port number.
    Port,
    /// An address, compared with addresses and networks.
    Ip,
    /// An address, compared with networks.
    Net,
    /// Nanoseconds since the epoch.
    Time,
    /// A span in nanoseconds.
    Duration,
}

/// How many values a field has, and what comparing them means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Multiplicity {
    /// At most one.
    One,
    /// The two ends of a connection: `=` holds where either does, `!=` where both differ.
    Sides,
    /// Without an index all ancestors from the parent up: holds where it does for any.
    Ancestors,
    /// A list: only `in`, `intersects` and `exists`.
    List,
}

/// Whether a field takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgumentForm {
    /// Never.
    None,
    /// Always: a name, a number or a pattern.
    Required,
    /// A name, or nothing.
    Optional,
    /// A number, or nothing.
    OptionalIndex,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Bytes of any kind: text, path, buffer.
    Text(Cow<'a, [u8]>),
    /// True or false.
    Bool(bool),
    /// A number that is not negative: counts, ports, times, spans.
    Unsigned(u64),
    /// A number.
    Signed(i64),
    /// An address.
    Ip(IpAddr),
}

impl<'a> From<&'a [u8]> for Scalar<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Scalar<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }
}

/// What a field has to say about one event.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum FieldValue<'a> {
    /// Nothing: no comparison with it holds, not even `!=`.
    #[default]
    Missing,
    /// One value.
    One(Scalar<'a>),
    /// Several, compared as the field's [`Multiplicity`] says.
    Many(Vec<Scalar<'a>>),
}

impl<'a, T: Into<Scalar<'a>>> From<T> for FieldValue<'a> {
    fn from(value: T) -> Self {
        Self::One(value.into())
    }
}

/// An event that can be asked for fields.
pub trait FieldSource {
    /// The value of a field; [`FieldValue::Missing`] where this event has none.
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_ids() {
        for (index, spec) in FIELDS.iter().enumerate() {
            assert_eq!(spec.id as usize, index, "{}", spec.name);
            assert_eq!(spec.id.spec().name, spec.name);
        }
    }

    #[test]
    fn no_two_fields_have_one_name() {
        let mut names: Vec<_> = FIELDS.iter().map(|spec| spec.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}
