//! API3: fields that this principal may not write or read (broken object property level
//! authorization); API7: a field that suddenly names an address; and arguments unlike all before.

use super::super::content::Leaf;
use super::super::endpoint::Endpoint;
use super::super::exchange::Exchange;
use super::super::known::{Known, experience};
use super::super::schema::Schema;
use super::super::value::{Sensitive, Shape};
use super::super::verdict::{Item, Verdict, weight};
use crate::detected::PAYLOAD_BITS_MAX;

/// A field that nobody reflects may as well have been ignored.
const IGNORED_WEIGHT: f64 = 0.3;
/// A value that could harm whoever it belongs to.
const SENSITIVE_BITS: f64 = 2.0;

/// The sensitive classes of an answer, as a set in the order of [`Sensitive::ALL`].
pub(in super::super) fn sensitive(leaves: &[Leaf<'_>]) -> u8 {
    leaves.iter().fold(0, |set, leaf| {
        Sensitive::of(&leaf.value, leaf.shape()).map_or(set, |class| set | 1 << (class as u8))
    })
}

pub(super) fn judge(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    judge_written(known, endpoint, exchange, found);
    if exchange.is_ok() {
        judge_read(known, endpoint, exchange, found);
    }
    judge_addresses(known, endpoint, exchange, found);
    judge_arguments(known, endpoint, exchange, found);
}

/// Mass assignment: a field that was never sent, or never by this role, and is in the answer.
fn judge_written(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    if !exchange.is_step() {
        return;
    }
    let age_ns = endpoint.age_ns(known.now_ns);
    let bits_of = |leaf: &Leaf<'_>| match endpoint.sent.field(leaf) {
        None => endpoint.sent.new_field_bits(age_ns),
        Some(field) if field.users.may_have(exchange.user()) => 0.0,
        Some(field) => match known.role_apart(&field.users, exchange.endpoint) {
            Some(_) => endpoint.sent.new_field_bits(age_ns) * experience(known.principal),
            None => 0.0,
        },
    };
    let is_reflected = |leaf: &Leaf<'_>| {
        let same =
            |other: &&Leaf<'_>| other.last_name() == leaf.last_name() && other.value == leaf.value;
        exchange.answer.iter().any(|other| same(&other))
    };
    let weighed = |leaf| {
        let weight = if is_reflected(leaf) { 1.0 } else { IGNORED_WEIGHT };
        (leaf, bits_of(leaf) * weight)
    };
    let worst = exchange.sent.iter().map(weighed).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((leaf, bits)) = worst else { return };
    found.push(Verdict {
        item: Item::Property,
        rule: "Property written that is never written",
        techniques: &["T1190", "T1565.001"],
        bits: bits * weight(exchange.response.status),
        sentence: format!(
            "sent the field `{}`, which this role never sends here{}",
            shown(&leaf.name),
            if is_reflected(leaf) { ", and the answer has it" } else { "" }
        ),
        object: leaf.name.clone(),
    });
}

/// Fields and sensitive classes that the answers of this endpoint never had.
fn judge_read(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    let new = exchange.answer.iter().find(|leaf| endpoint.answer.field(leaf).is_none());
    if let Some(leaf) = new {
        found.push(Verdict {
            item: Item::Property,
            rule: "Answer beyond its schema",
            techniques: &["T1190", "T1213"],
            bits: endpoint.answer.new_field_bits(age_ns),
            sentence: format!("the answer has the field `{}`, as none before", shown(&leaf.name)),
            object: leaf.name.clone(),
        });
    }
    let classes = sensitive(&exchange.answer);
    for (place, class) in Sensitive::ALL.into_iter().enumerate() {
        let habit = endpoint.answer.sensitive.get(place).filter(|_| classes & 1 << place != 0);
        let bits = habit.map_or(0.0, |habit| habit.bits(age_ns));
        if 1.0 <= bits {
            found.push(Verdict {
                item: Item::Property,
                rule: "Sensitive value in an answer",
                techniques: &["T1190", "T1213"],
                bits: bits + SENSITIVE_BITS,
                sentence: format!("the answer holds a {}, as none before", class.name()),
                object: class.name().to_owned(),
            });
        }
    }
}

/// The hook of server-side request forgery: only its effect proves it.
fn judge_addresses(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    let of = |schema: &Schema, leaf: &Leaf<'_>| {
        let field = schema.field(leaf).filter(|_| leaf.shape() == Shape::Url)?;
        Some(field.addresses.bits(age_ns))
    };
    let query = exchange.query.iter().filter_map(|leaf| Some((leaf, of(&endpoint.query, leaf)?)));
    let sent = exchange.sent.iter().filter_map(|leaf| Some((leaf, of(&endpoint.sent, leaf)?)));
    let Some((leaf, bits)) = query.chain(sent).max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    found.push(Verdict {
        item: Item::Address,
        rule: "Address in a field that never had one",
        techniques: &["T1190"],
        bits: bits.min(PAYLOAD_BITS_MAX),
        sentence: format!(
            "`{}` is `{}`, an address, which it never was",
            shown(&leaf.name),
            clew_event::text::escaped(leaf.value.get(..128).unwrap_or(&leaf.value))
        ),
        object: leaf.name.clone(),
    });
}

/// Deviations of form. They never start a story: with 1,000 learned requests 3.4 % of harmless ones
/// deviate still (CSIC 2010).
fn judge_arguments(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    let mut odd = endpoint.query.oddities(&exchange.query, age_ns);
    odd.extend(endpoint.sent.oddities(&exchange.sent, age_ns));
    let Some(worst) = odd.iter().max_by(|a, b| a.bits.total_cmp(&b.bits)) else { return };
    found.push(Verdict {
        item: Item::Property,
        rule: "Arguments unlike all before",
        techniques: &["T1190"],
        bits: worst.bits.min(PAYLOAD_BITS_MAX),
        sentence: format!("`{}` {}; {} things are odd", shown(&worst.name), worst.what, odd.len()),
        object: worst.name.clone(),
    });
}

fn shown(name: &str) -> String {
    clew_event::text::escaped(name.as_bytes())
}
