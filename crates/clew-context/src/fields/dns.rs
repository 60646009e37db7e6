//! `dns.*`: what was asked of a name server, and what it answered. Clew's own: Falco has no such
//! events.

use std::borrow::Cow;
use std::net::SocketAddr;

use clew_event::socket::DnsEvent;
use clew_event::{EventKind, FieldId, FieldValue, Scalar};

use super::{boolean, fd, maybe, owned, text};
use crate::view::View;

/// Types of records by their numbers (IANA, "DNS Parameters"), in ascending order.
const TYPES: [(u16, &str); 17] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (41, "OPT"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (252, "AXFR"),
    (255, "ANY"),
];

/// Response codes by their numbers (RFC 1035, RFC 2136).
const RESPONSES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

/// The value of a field of this family; missing for other events.
pub(crate) fn value<'a>(view: &View<'a>, id: FieldId) -> FieldValue<'a> {
    let EventKind::Dns(event) = &view.event.kind else { return FieldValue::Missing };
    match id {
        FieldId::DnsName => text(&event.name),
        FieldId::DnsType => record_type(event.record_type),
        FieldId::DnsAnswers => answers(event),
        FieldId::DnsRcode if event.is_answer => response(event.response_code),
        FieldId::DnsIsAnswer => boolean(event.is_answer),
        FieldId::DnsServer => maybe(event.server, fd::ip),
        _ => FieldValue::Missing,
    }
}

/// By number where it has no name here, as RFC 3597 writes it.
fn record_type<'a>(number: u16) -> FieldValue<'a> {
    match TYPES.binary_search_by_key(&number, |(number, _)| *number) {
        Ok(found) => maybe(TYPES.get(found), |(_, name)| (*name).into()),
        Err(_) => owned(format!("TYPE{number}")),
    }
}

fn response<'a>(code: u8) -> FieldValue<'a> {
    match RESPONSES.get(usize::from(code)) {
        Some(name) => (*name).into(),
        None => owned(code.to_string()),
    }
}

fn answers(event: &DnsEvent) -> FieldValue<'_> {
    let aliases = event.aliases.iter().map(|name| Scalar::Text(Cow::Borrowed(name.as_bytes())));
    let shown = |address: &std::net::IpAddr| Scalar::Text(address.to_string().into_bytes().into());
    let all: Vec<_> = aliases.chain(event.addresses.iter().map(shown)).collect();
    if all.is_empty() { FieldValue::Missing } else { FieldValue::Many(all) }
}

/// The domain names by which the acting process, or its machine, knows the address.
pub(crate) fn names<'a>(view: &View<'a>, end: SocketAddr) -> FieldValue<'a> {
    let Some(scope) = view.scope() else { return FieldValue::Missing };
    let names = view.context.domains.names(scope, fd::address(end), view.event.time);
    match names.as_slice() {
        [] => FieldValue::Missing,
        [one] => text(one),
        _ => {
            let scalar = |name: &'a clew_event::Text| Scalar::Text(name.as_bytes().into());
            FieldValue::Many(names.into_iter().map(scalar).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::builders::{INSIDE, event, shell_in_container, table};
    use clew_event::EventType;
    use expect_test::{Expect, expect};

    fn check(asked: DnsEvent, expected: &Expect) {
        let context = shell_in_container();
        let event = event(Some((30, INSIDE)), EventType::Dns, EventKind::Dns(Box::new(asked)));
        let names = [
            "evt.type",
            "evt.category",
            "proc.name",
            "fd.name",
            "dns.name",
            "dns.type",
            "dns.answers",
            "dns.rcode",
            "dns.is_answer",
            "dns.server",
        ];
        expected.assert_eq(&table(&context.view(&event), &names));
    }

    #[test]
    fn a_question_has_a_name_and_no_answers() {
        let server = Some(([10, 0, 0, 10], 53).into());
        let asked =
            DnsEvent { name: "x.example".into(), record_type: 16, server, ..DnsEvent::default() };
        check(
            asked,
            &expect![[r#"
            evt.type = "dns"
            evt.category = "net"
            proc.name = "sh"
            fd.name = -
            dns.name = "x.example"
            dns.type = "TXT"
            dns.answers = -
            dns.rcode = -
            dns.is_answer = false
            dns.server = 10.0.0.10
        "#]],
        );
    }

    #[test]
    fn an_answer_tells_all_that_the_name_stands_for() {
        let answered = DnsEvent {
            name: "x.example".into(),
            record_type: 1,
            addresses: vec![[192, 0, 2, 1].into()],
            aliases: vec!["y.example".into()],
            is_answer: true,
            ..DnsEvent::default()
        };
        check(
            answered,
            &expect![[r#"
            evt.type = "dns"
            evt.category = "net"
            proc.name = "sh"
            fd.name = -
            dns.name = "x.example"
            dns.type = "A"
            dns.answers = ["y.example", "192.0.2.1"]
            dns.rcode = "NOERROR"
            dns.is_answer = true
            dns.server = -
        "#]],
        );
    }

    #[test]
    fn what_has_no_name_is_told_by_its_number() {
        let answered = DnsEvent {
            record_type: 999,
            response_code: 16,
            is_answer: true,
            ..DnsEvent::default()
        };
        check(
            answered,
            &expect![[r#"
            evt.type = "dns"
            evt.category = "net"
            proc.name = "sh"
            fd.name = -
            dns.name = ""
            dns.type = "TYPE999"
            dns.answers = -
            dns.rcode = "16"
            dns.is_answer = true
            dns.server = -
        "#]],
        );
        assert!(TYPES.is_sorted());
    }
}
