//! Which classes of a system call some rule can match: what the kernel need not hand up.
//!
//! Nothing is lost by it: a class is left out only where what is known of it (whether the call
//! failed, what access an open asked for) makes every condition false. An unknown part of a
//! condition counts as if it might hold.

use clew_event::interest::{CallClass, CallClasses, QuietVerdict, is_open};
use clew_event::{EventType, FieldId, FieldSource, FieldValue, Scalar};

use crate::RuleSet;
use crate::judge::possible::{Known, can_hold};
use crate::judge::predicate::Slot;
use crate::judge::program::Program;
use crate::rule_set::is_exec;

impl RuleSet {
    /// The classes of a system call that a rule for `source` may match.
    #[must_use]
    pub fn classes(&self, event_type: EventType, source: &str) -> CallClasses {
        let mut classes = CallClasses::NONE;
        let Some(program) = self.program(source) else { return classes };
        for class in CallClass::all() {
            let known = |slot: Slot| known(program, slot, event_type, class);
            let is_no_exec = class.is_failed() && is_exec(event_type);
            let can_match = |&(rule, root): &(u32, u32)| {
                (!is_no_exec || self.judges_failed_execs(rule)) && can_hold(program, root, &known)
            };
            if program.roots(event_type).iter().any(can_match) {
                classes.add(class);
            }
        }
        classes
    }

    /// Whether no rule for `source` can match an event of that class on the file that `fields` tell
    /// of, whoever makes it: a verdict that may be kept for that file.
    ///
    /// Of `fields` only [`OF_PATH`] are asked.
    #[must_use]
    pub fn quiet_verdict<F: FieldSource>(
        &self,
        event_type: EventType,
        source: &str,
        class: CallClass,
        fields: &F,
    ) -> QuietVerdict {
        let Some(program) = self.program(source) else { return QuietVerdict::Always };
        let of_path = |slot: Slot| {
            let field = program.field(slot)?;
            if !OF_PATH.contains(&field.id) {
                return known(program, slot, event_type, class);
            }
            match fields.field(field.id, &field.argument) {
                FieldValue::Missing => Some(Known::Missing),
                FieldValue::One(value) => Some(Known::Exactly(value)),
                FieldValue::Many(_) => None,
            }
        };
        let unless_climbing = |slot: Slot| match program.field(slot)?.id {
            FieldId::FdNameraw => Some(Known::Without(b"..")),
            _ => of_path(slot),
        };
        let roots = || program.roots(event_type).iter().map(|(_, root)| *root);
        if !roots().any(|root| can_hold(program, root, &of_path)) {
            QuietVerdict::Always
        } else if !roots().any(|root| can_hold(program, root, &unless_climbing)) {
            QuietVerdict::UnlessClimbing
        } else {
            QuietVerdict::Told
        }
    }
}

/// Fields that the whole path of an opened file and `O_DIRECTORY` decide.
pub const OF_PATH: [FieldId; 5] = [
    FieldId::FdName,
    FieldId::FdDirectory,
    FieldId::FdFilename,
    FieldId::FdType,
    FieldId::FdTypechar,
];

/// What is known of a field of an event by its class.
///
/// As `clew-context` gives them: `creat` opens neither for reading nor for writing, and a
/// descriptor of an open that failed is negative or absent.
fn known(
    program: &Program,
    slot: Slot,
    event_type: EventType,
    class: CallClass,
) -> Option<Known<'static>> {
    let boolean = |holds: bool| Some(Known::Exactly(Scalar::Bool(holds)));
    let is_open = is_open(event_type);
    match program.field(slot)?.id {
        FieldId::EvtFailed => boolean(class.is_failed()),
        FieldId::EvtIsOpenRead => boolean(is_open && class.is_reading()),
        FieldId::EvtIsOpenWrite => boolean(is_open && class.is_writing()),
        FieldId::EvtRawres if class.is_failed() => Some(Known::Negative),
        FieldId::EvtRawres => Some(Known::NotNegative),
        FieldId::EvtRes if class.is_failed() => Some(Known::Not(b"SUCCESS")),
        FieldId::EvtRes => Some(Known::Exactly(Scalar::from("SUCCESS"))),
        FieldId::FdNum if class.is_failed() && is_open => Some(Known::NegativeOrMissing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SourceFile, load};

    fn bits(condition: &str, event_type: EventType) -> u8 {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: info\n"
        );
        let loaded = load(&[SourceFile { name: "r".into(), text }], &Options::default());
        assert_eq!(loaded.diagnostics, []);
        loaded.rules.classes(event_type, "syscall").bits()
    }

    #[test]
    fn only_classes_that_a_condition_does_not_exclude_are_wanted() {
        use EventType as E;
        // Bits 0 to 3 are opens that succeeded with access 0 (read), 1 (write), 2 (both) and 3.
        let check = |condition: &str, event_type, expected: u8| {
            assert_eq!(bits(condition, event_type), expected, "{condition}: {event_type:?}");
        };
        check("evt.type = openat", E::Openat, 0b1111_1111);
        check("evt.type = openat", E::Open, 0);
        check("evt.type in (open, openat) and evt.is_open_write = true", E::Open, 0b1110_1110);
        check("evt.type = openat and evt.is_open_read = true and fd.num >= 0", E::Openat, 0b1101);
        check("evt.type = openat and not evt.failed = true", E::Openat, 0b0000_1111);
        check("evt.type = connect and evt.failed = false", E::Connect, 0b0000_1111);
        check("evt.type = connect and evt.rawres < 0", E::Connect, 0b1111_0000);
        check("evt.type = connect and evt.rawres in (0, -115)", E::Connect, 0b1111_1111);
        check("evt.type = connect and (evt.res = SUCCESS or fd.sport = 22)", E::Connect, 0xff);
        check("evt.type = chmod and evt.res = SUCCESS", E::Chmod, 0b0000_1111);
        check("evt.type = chmod and evt.res != SUCCESS", E::Chmod, 0b1111_0000);
        check("evt.type = creat and evt.is_open_write = true", E::Creat, 0);
        check("evt.type = dup2 and fd.num >= 0", E::Dup2, 0xff);
        check("evt.type = open and not (fd.num < 0)", E::Open, 0xff);
    }
}
