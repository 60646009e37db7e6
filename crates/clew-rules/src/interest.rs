//! Which classes of a system call some rule can match: what the kernel need not hand up.
//!
//! Nothing is lost by it: a class is left out only where what is known of it (whether the call
//! failed, what access an open asked for) makes every condition false. An unknown part of a
//! condition counts as if it might hold.

use clew_event::interest::{CallClass, CallClasses, QuietVerdict, is_open, is_transfer};
use clew_event::{EventType, FieldId, FieldSource, FieldValue, Scalar};

use crate::judge::possible::{Known, can_hold, may_read};
use crate::judge::predicate::Slot;
use crate::judge::program::Program;
use crate::rule_set::is_exec;
use crate::{RuleIndex, RuleSet};

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

    /// True where a rule for `source` that may match such a call asks what was sent or received.
    #[must_use]
    pub fn reads_payload(&self, event_type: EventType, source: &str) -> bool {
        let Some(program) = self.program(source) else { return false };
        let is_shown = |rule: u32| {
            let rule = self.rule(RuleIndex(rule));
            rule.is_some_and(|rule| rule.output.contains("evt.buffer"))
        };
        let mut roots = program.roots(event_type).iter();
        is_transfer(event_type)
            && roots
                .any(|(rule, root)| may_read(program, *root, FieldId::EvtBuffer) || is_shown(*rule))
    }

    /// Whether no rule for `source` can match a call of which this is known, whoever makes it: a
    /// verdict that may be kept for what was opened or connected to.
    #[must_use]
    pub fn quiet_verdict<F: FieldSource>(
        &self,
        source: &str,
        call: &KnownCall<'_, F>,
    ) -> QuietVerdict {
        let Some(program) = self.program(source) else { return QuietVerdict::Always };
        let of_call = |slot: Slot| {
            let field = program.field(slot)?;
            if !call.decided.contains(&field.id) {
                return known(program, slot, call.event_type, call.class);
            }
            match call.fields.field(field.id, &field.argument) {
                FieldValue::Missing => Some(Known::Missing),
                FieldValue::One(value) => Some(Known::Exactly(value)),
                FieldValue::Many(_) => None,
            }
        };
        let unless_climbing = |slot: Slot| match program.field(slot)?.id {
            FieldId::FdNameraw => Some(Known::Without(b"..")),
            _ => of_call(slot),
        };
        let roots = || program.roots(call.event_type).iter().map(|(_, root)| *root);
        if !roots().any(|root| can_hold(program, root, &of_call)) {
            QuietVerdict::Always
        } else if !roots().any(|root| can_hold(program, root, &unless_climbing)) {
            QuietVerdict::UnlessClimbing
        } else {
            QuietVerdict::Told
        }
    }
}

/// What is known of calls that are told apart no further.
#[derive(Debug)]
pub struct KnownCall<'a, F> {
    /// The call.
    pub event_type: EventType,
    /// Its class.
    pub class: CallClass,
    /// Fields that are the same for all of them.
    pub decided: &'a [FieldId],
    /// Where these are read; no other is.
    pub fields: &'a F,
}

/// Fields that the whole path of an opened file and `O_DIRECTORY` decide.
pub const OF_PATH: [FieldId; 5] = [
    FieldId::FdName,
    FieldId::FdDirectory,
    FieldId::FdFilename,
    FieldId::FdType,
    FieldId::FdTypechar,
];

/// Fields that decide themselves by the result of a connect, the kind of its socket, and the
/// address and port of the other end: neither our own end, nor names, which come and go.
///
/// In Falco the addresses of the machine say which end is ours, so there [`OF_PEER_IN_FALCO`] are.
pub const OF_PEER: [FieldId; 15] = [
    FieldId::FdRip,
    FieldId::FdRnet,
    FieldId::FdRport,
    FieldId::EvtRes,
    FieldId::EvtRawres,
    FieldId::EvtFailed,
    FieldId::FdType,
    FieldId::FdTypechar,
    FieldId::FdSip,
    FieldId::FdSnet,
    FieldId::FdSport,
    FieldId::FdL4proto,
    FieldId::FdSockfamily,
    FieldId::FdIsServer,
    FieldId::FdConnected,
];

/// [`OF_PEER`] without what Falco reads otherwise.
pub const OF_PEER_IN_FALCO: &[FieldId] = OF_PEER.split_at(3).1;

/// Fields that the result of a connect, the kind of its socket and the path of the other end
/// decide.
pub const OF_PATH_OF_PEER: [FieldId; 9] = [
    FieldId::EvtRes,
    FieldId::EvtRawres,
    FieldId::EvtFailed,
    FieldId::FdName,
    FieldId::FdType,
    FieldId::FdTypechar,
    FieldId::FdL4proto,
    FieldId::FdSockfamily,
    FieldId::FdConnected,
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
        FieldId::EvtRes if class.is_failed() => Some(Known::NoneOf(&["SUCCESS"])),
        FieldId::EvtRes => Some(Known::Exactly(Scalar::from("SUCCESS"))),
        FieldId::FdNum if class.is_failed() && is_open => Some(Known::NegativeOrMissing),
        field if is_transfer(event_type) => known_of_socket(field, class.socket()),
        _ => None,
    }
}

/// What the kind of socket tells.
fn known_of_socket(field: FieldId, kind: u32) -> Option<Known<'static>> {
    match field {
        FieldId::FdL4proto if kind == CallClass::TCP => Some(Known::Exactly(Scalar::from("tcp"))),
        FieldId::FdL4proto => Some(Known::NoneOf(&["tcp"])),
        FieldId::FdTypechar if kind == CallClass::LOCAL => Some(Known::NoneOf(&["4", "6"])),
        FieldId::FdType if kind == CallClass::LOCAL => Some(Known::NoneOf(&["ipv4", "ipv6"])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SourceFile, load};

    fn rules(condition: &str, output: &str) -> RuleSet {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: {condition}\n  output: {output}\n  priority: info\n"
        );
        let loaded = load(&[SourceFile { name: "r".into(), text }], &Options::default());
        assert_eq!(loaded.diagnostics, []);
        loaded.rules
    }

    fn bits(condition: &str, event_type: EventType) -> u8 {
        rules(condition, "o").classes(event_type, "syscall").bits()
    }

    #[test]
    fn a_payload_is_asked_for_where_a_rule_that_may_match_reads_or_shows_it() {
        use EventType as E;
        let check = |condition: &str, output: &str, event_type, expected| {
            let is_read = rules(condition, output).reads_payload(event_type, "syscall");
            assert_eq!(is_read, expected, "{condition}: {output}: {event_type:?}");
        };
        let condition = "evt.type = recvfrom and (fd.sport = 1 or not evt.buffer bcontains cafe)";
        check(condition, "o", E::Recvfrom, true);
        check(condition, "o", E::Sendto, false);
        check("evt.type in (recvfrom, openat)", "o", E::Recvfrom, false);
        check("evt.type in (recvfrom, openat)", "\"%evt.buffer\"", E::Recvfrom, true);
        check("evt.type in (recvfrom, openat)", "\"%evt.buffer\"", E::Openat, false);
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
        // Of transfers they are datagrams, TCP, and sockets of other families.
        check("evt.type = sendto and fd.l4proto != tcp", E::Sendto, 0b1101_1101);
        check("evt.type = sendto and fd.l4proto = tcp", E::Sendto, 0b0010_0010);
        check("evt.type = recvfrom and fd.type in (ipv4, ipv6)", E::Recvfrom, 0b1011_1011);
        check("evt.type = recvmsg and (fd.typechar = 4 or fd.typechar = 6)", E::Recvmsg, 0xbb);
    }
}
