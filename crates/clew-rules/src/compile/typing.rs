//! Which operators fit which types.

use clew_event::field::{Multiplicity, ValueKind};
use clew_event::{EventType, FieldId, Scalar};

use crate::condition::Operator;
use crate::judge::predicate::{Check, Extract, Predicate};

/// Type of one side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    /// `None` where it depends on the event.
    pub kind: Option<ValueKind>,
    pub multiplicity: Multiplicity,
    /// True for a field that compares in its own way, and never with a field.
    pub is_left_only: bool,
    /// True where the original compares 32 bits, so that -1 is 4294967295.
    pub is_32_bits: bool,
}

impl Type {
    pub(super) fn is_list(self) -> bool {
        self.multiplicity == Multiplicity::List
    }

    /// True where the operator fits.
    pub(super) fn accepts(self, operator: Operator) -> bool {
        use Operator as O;
        let is_equality = matches!(operator, O::Eq | O::Ne | O::In | O::Intersects);
        if self.is_list() {
            return matches!(operator, O::In | O::Intersects);
        }
        let Some(kind) = self.kind else { return true };
        match kind {
            ValueKind::Text | ValueKind::Path => !matches!(operator, O::Bcontains | O::Bstartswith),
            ValueKind::Bytes => {
                is_equality
                    || matches!(
                        operator,
                        O::Contains | O::Startswith | O::Endswith | O::Bcontains | O::Bstartswith
                    )
            }
            ValueKind::Bool | ValueKind::Ip | ValueKind::Net => is_equality,
            ValueKind::Unsigned
            | ValueKind::Signed
            | ValueKind::Port
            | ValueKind::Time
            | ValueKind::Duration => {
                is_equality || matches!(operator, O::Lt | O::Le | O::Gt | O::Ge)
            }
        }
    }

    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        if self.is_list() {
            return "a list";
        }
        match self.kind {
            None => "of any type",
            Some(ValueKind::Text | ValueKind::Path) => "a text",
            Some(ValueKind::Bytes) => "a buffer",
            Some(ValueKind::Bool) => "true or false",
            Some(ValueKind::Unsigned | ValueKind::Signed) => "a number",
            Some(ValueKind::Port) => "a port",
            Some(ValueKind::Ip) => "an address",
            Some(ValueKind::Net) => "a network",
            Some(ValueKind::Time) => "a point in time",
            Some(ValueKind::Duration) => "a span of time",
        }
    }

    /// True where values of both can be compared with one another.
    pub(super) fn fits(self, other: Self) -> bool {
        let plain = |kind: Option<ValueKind>| match kind {
            Some(ValueKind::Path) => Some(ValueKind::Text),
            _ => kind,
        };
        let is_same =
            self.kind.is_none() || other.kind.is_none() || plain(self.kind) == plain(other.kind);
        is_same && self.is_list() == other.is_list()
    }
}

/// The verdict of a predicate that is certain for events of a type: those on `evt.type`.
///
/// An event that rules never name has no `evt.type`, so nothing holds of it.
pub(crate) fn certain(
    predicate: &Predicate,
    slots: &[clew_event::Field],
    event_type: EventType,
) -> Option<bool> {
    let Extract::Field(slot) = predicate.left else { return None };
    let field = slots.get(slot.0 as usize)?;
    if field.id != FieldId::EvtType {
        return None;
    }
    let has_name = event_type != EventType::Other;
    match &predicate.check {
        Check::Exists => Some(has_name),
        Check::Value(test) => Some(has_name && test.passes(&Scalar::from(event_type.name()))),
        Check::AllValues(_) | Check::Any(_) | Check::Field { .. } => None,
    }
}
