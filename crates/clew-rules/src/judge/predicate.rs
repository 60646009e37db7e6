//! A field and a test: the leaves of conditions.

use std::borrow::Cow;

use clew_event::field::{Multiplicity, ValueKind};
use clew_event::{FieldSource, FieldValue, Scalar};

use super::any::AnyTest;
use super::evaluate::Cache;
use super::glob::Glob;
use super::test::{Test, contains_ignoring_case, orders, signed, unsigned};
use super::transform::Transformed;
use crate::condition::Operator;

/// Number of a field with its argument in a rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot(pub u32);

/// Where the values of one side of a comparison come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Extract {
    Field(Slot),
    Transformed(Box<Transformed>),
}

/// One comparison, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    pub left: Extract,
    pub check: Check,
    pub multiplicity: Multiplicity,
    /// True for `!=`, which has to hold for both ends of a connection.
    pub is_inequality: bool,
}

/// What is asked of the values.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    Exists,
    /// One value has to pass; of a list's `in`, all.
    Value(Test),
    /// As [`Check::Value`], for the operator `in` on lists.
    AllValues(Test),
    /// A test of Sigma's, of all values.
    Any(Box<AnyTest>),
    /// Comparison with the value of another field.
    Field {
        operator: Operator,
        kind: ValueKind,
        right: Extract,
    },
}

impl Predicate {
    /// True where the event passes. What an event does not have never passes.
    pub(crate) fn holds<F: FieldSource>(&self, cache: &mut Cache<'_, F>) -> bool {
        self.left.load(cache);
        if let Check::Field { right, .. } = &self.check {
            right.load(cache);
        }
        if let Check::Any(test) = &self.check {
            return self.any_holds(test, cache);
        }
        let left = self.left.value(cache);
        match &self.check {
            Check::Any(_) => false,
            Check::Exists => *left != FieldValue::Missing,
            Check::Value(test) => self.some(&left, |value| test.passes(value)),
            Check::AllValues(test) => every(&left, |value| test.passes(value)),
            Check::Field { operator, kind, right } => {
                let right = right.value(cache);
                let holds = |value: &Scalar<'_>| {
                    any(&right, |other| compare(*operator, *kind, value, other))
                };
                match (self.multiplicity, operator) {
                    (Multiplicity::List, Operator::In) => every(&left, holds),
                    _ => self.some(&left, holds),
                }
            }
        }
    }

    fn any_holds<F: FieldSource>(&self, test: &AnyTest, cache: &mut Cache<'_, F>) -> bool {
        let AnyTest::Field { right, .. } = test else {
            return test.passes(&self.left.value(cache), &FieldValue::Missing);
        };
        right.load(cache);
        test.passes(&self.left.value(cache), &right.value(cache))
    }

    /// Whether enough of several values pass: both ends for `!=`, else one.
    fn some(&self, values: &FieldValue<'_>, passes: impl Fn(&Scalar<'_>) -> bool) -> bool {
        if self.is_inequality && self.multiplicity == Multiplicity::Sides {
            every(values, passes)
        } else {
            any(values, passes)
        }
    }

    /// Roughly how long it takes, in comparisons of short texts.
    pub(super) fn cost(&self) -> u32 {
        let values = match self.multiplicity {
            Multiplicity::One => 1,
            Multiplicity::Sides => 2,
            Multiplicity::Ancestors | Multiplicity::List => 8,
        };
        let test = match &self.check {
            Check::Exists => 1,
            Check::Any(test) => test.cost(),
            Check::Value(test) | Check::AllValues(test) => test.cost(),
            Check::Field { .. } => 10,
        };
        let extract = match &self.left {
            Extract::Field(_) => 0,
            Extract::Transformed(_) => 30,
        };
        values * test + extract
    }
}

impl Extract {
    pub(crate) fn load<F: FieldSource>(&self, cache: &mut Cache<'_, F>) {
        match self {
            Self::Field(slot) => cache.load(*slot),
            Self::Transformed(transformed) => transformed.load(cache),
        }
    }

    /// The values, which have to be loaded.
    pub(crate) fn value<'c, 'a, F: FieldSource>(
        &self,
        cache: &'c Cache<'a, F>,
    ) -> Cow<'c, FieldValue<'a>> {
        match self {
            Self::Field(slot) => Cow::Borrowed(cache.value(*slot)),
            Self::Transformed(transformed) => Cow::Owned(transformed.value(cache)),
        }
    }
}

fn any(values: &FieldValue<'_>, passes: impl Fn(&Scalar<'_>) -> bool) -> bool {
    match values {
        FieldValue::Missing => false,
        FieldValue::One(value) => passes(value),
        FieldValue::Many(values) => values.iter().any(passes),
    }
}

fn every(values: &FieldValue<'_>, passes: impl Fn(&Scalar<'_>) -> bool) -> bool {
    match values {
        FieldValue::Missing => false,
        FieldValue::One(value) => passes(value),
        FieldValue::Many(values) => values.iter().all(passes),
    }
}

fn compare(operator: Operator, kind: ValueKind, left: &Scalar<'_>, right: &Scalar<'_>) -> bool {
    match kind {
        ValueKind::Text | ValueKind::Path | ValueKind::Bytes => match (left, right) {
            (Scalar::Text(left), Scalar::Text(right)) => compare_texts(operator, left, right),
            _ => false,
        },
        ValueKind::Signed => match (signed(left), signed(right)) {
            (Some(left), Some(right)) => orders(operator, left.cmp(&right)),
            _ => false,
        },
        ValueKind::Bool
        | ValueKind::Unsigned
        | ValueKind::Port
        | ValueKind::Time
        | ValueKind::Duration => match (unsigned(left), unsigned(right)) {
            (Some(left), Some(right)) => orders(operator, left.cmp(&right)),
            _ => false,
        },
        ValueKind::Ip | ValueKind::Net => match (left, right) {
            (Scalar::Ip(left), Scalar::Ip(right)) => orders(operator, left.cmp(right)),
            _ => false,
        },
    }
}

fn compare_texts(operator: Operator, left: &[u8], right: &[u8]) -> bool {
    match operator {
        Operator::Eq
        | Operator::In
        | Operator::Intersects
        | Operator::Ne
        | Operator::Lt
        | Operator::Le
        | Operator::Gt
        | Operator::Ge => orders(operator, left.cmp(right)),
        Operator::Contains | Operator::Bcontains => memchr::memmem::find(left, right).is_some(),
        Operator::Icontains => contains_ignoring_case(left, right),
        Operator::Startswith | Operator::Bstartswith => left.starts_with(right),
        Operator::Endswith => left.ends_with(right),
        Operator::Glob => Glob::new(right, false).matches(left),
        Operator::Iglob => Glob::new(right, true).matches(left),
        // Refused when the rule is checked.
        Operator::Regex | Operator::Pmatch => false,
    }
}
