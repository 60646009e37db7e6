//! API1: objects of others (broken object level authorization).
//!
//! Of each place that names objects it is learned how often principals ask for what was never
//! handed out to them. Where that never happens, one who does, and is answered, stands out; where
//! objects are public it happens all the time and has no bits. Of a principal that was handed more
//! than is remembered, it is also asked how often it asks for what is forgotten.

use super::super::endpoint::Endpoint;
use super::super::exchange::{Asked, Exchange};
use super::super::habit::LEARNED_BITS_MAX;
use super::super::known::Known;
use super::super::schema::excess;
use super::super::verdict::{Item, Verdict, weight};

/// Fewer strange objects in ten minutes are no enumeration.
const ENUMERATED_MIN: u64 = 12;

/// The objects that were not handed out to who asks for them.
pub(in super::super) fn strange(known: &Known<'_>, exchange: &Exchange<'_>) -> Vec<Asked> {
    let Some(principal) = &exchange.request.principal else { return Vec::new() };
    let handed_out = &known.principal.handed_out;
    let is_strange = |asked: &Asked| {
        !handed_out.has(asked.hash) && asked.value.as_bytes() != principal.name.as_bytes()
    };
    exchange.asked().into_iter().filter(is_strange).collect()
}

pub(super) fn judge(
    known: &Known<'_>,
    endpoint: &Endpoint,
    (exchange, strange): (&Exchange<'_>, &[Asked]),
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    let weight = weight(exchange.response.status);
    // It may have been handed out and forgotten.
    let most = match known.principal.handed_out.is_over {
        true => known.principal.recall.bits(known.now_ns),
        false => LEARNED_BITS_MAX,
    };
    let worst = strange
        .iter()
        .filter_map(|asked| Some((asked, endpoint.owned(&asked.place)?)))
        .map(|(asked, habit)| (asked, habit, habit.bits(age_ns).min(most)))
        .max_by(|a, b| a.2.total_cmp(&b.2));
    if let Some((asked, habit, bits)) = worst {
        found.push(Verdict {
            item: Item::Object,
            rule: "Object of another accessed",
            techniques: &["T1078", "T1190"],
            bits: bits * weight,
            sentence: format!(
                "asked for {} ({}), which was never handed out to it; {} of 100 accesses are so",
                asked.value,
                asked.place,
                habit.odd_percent()
            ),
            object: asked.place.clone(),
        });
    }
    let Some(used) = known.principal.uses.get(&exchange.endpoint) else { return };
    let count = used.strange.distinct();
    let refused = u64::from(used.refused) * 2;
    let in_sequence = u64::from(used.in_sequence) * 2;
    if count < ENUMERATED_MIN || (refused < count && in_sequence < count) {
        return;
    }
    found.push(Verdict {
        item: Item::Object,
        rule: "Objects enumerated",
        techniques: &["T1190", "T1213"],
        // That most were refused is what enumeration looks like; the answer takes nothing off.
        bits: excess(&endpoint.strange, count, ENUMERATED_MIN, age_ns),
        sentence: format!(
            "asked for {count} objects within ten minutes that were not handed out to it, {} of \
             them refused or absent, {} in sequence",
            used.refused, used.in_sequence
        ),
        object: "enumeration".to_owned(),
    });
}
