//! API4: more of anything than anyone ever took (unrestricted resource consumption).

use super::super::content::Leaf;
use super::super::endpoint::Endpoint;
use super::super::exchange::Exchange;
use super::super::known::Known;
use super::super::schema::{Schema, excess, number};
use super::super::verdict::{Item, Verdict};

/// Fields that say how many of something to give.
const PAGE_SIZES: [&str; 12] = [
    "limit",
    "size",
    "count",
    "per_page",
    "perpage",
    "page_size",
    "pagesize",
    "first",
    "top",
    "take",
    "rows",
    "max",
];

/// Less is no burden, however unusual.
const RATE_MIN: u64 = 40;
const SENT_BYTES_MIN: u64 = 64 << 10;
const ANSWER_BYTES_MIN: u64 = 256 << 10;
const DURATION_US_MIN: u64 = 2_000_000;
const PAGE_SIZE_MIN: u64 = 100;
/// Fewer slow answers to one principal within ten minutes are chance.
const SLOW_MIN: u32 = 3;

/// An answer that took longer than nearly all others ever did.
pub(in super::super) fn is_slow(endpoint: &Endpoint, exchange: &Exchange<'_>) -> bool {
    let age_ns = endpoint.age_ns(exchange.time_ns);
    let duration_us = exchange.response.duration_ns / 1000;
    0.0 < excess(&endpoint.duration_us, duration_us, DURATION_US_MIN, age_ns)
}

pub(super) fn judge(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    let used = known.principal.uses.get(&exchange.endpoint);
    let rate = used.map_or(0, |used| u64::from(used.exchanges));
    let sent = exchange.request.body_bytes;
    let answered = exchange.response.body_bytes;
    let duration_us = exchange.response.duration_ns / 1000;
    let slow = used.map_or(0, |used| used.slow);
    let measures = [
        ("exchanges within ten minutes", rate, &endpoint.rate, RATE_MIN),
        ("bytes sent", sent, &endpoint.sent_bytes, SENT_BYTES_MIN),
        ("bytes answered", answered, &endpoint.answer_bytes, ANSWER_BYTES_MIN),
        ("microseconds to answer", duration_us, &endpoint.duration_us, DURATION_US_MIN),
    ];
    let mut say = |what: &str, value: u64, usual: u64, bits: f64| {
        found.push(Verdict {
            item: Item::Consumption,
            rule: "Resources taken beyond measure",
            techniques: &["T1499.003"],
            bits,
            sentence: format!("{value} {what}; it was about {usual} at most"),
            object: what.to_owned(),
        });
    };
    for (what, value, spread, least) in measures {
        let bits = excess(spread, value, least, age_ns);
        // One slow answer may be the machine's fault.
        let is_once = what.starts_with("microseconds") && slow < SLOW_MIN;
        let bits = if is_once { bits * 0.3 } else { bits };
        if 0.0 < bits {
            say(what, value, spread.range().map_or(0, |(_, most)| most), bits);
        }
    }
    for (schema, leaves) in [(&endpoint.query, &exchange.query), (&endpoint.sent, &exchange.sent)] {
        for (leaf, asked, most, bits) in page_sizes(schema, leaves, age_ns) {
            let what = format!("as `{}`", clew_event::text::escaped(leaf.name.as_bytes()));
            say(&what, asked, most, if exchange.is_ok() { bits } else { bits * 0.3 });
        }
    }
}

fn page_sizes<'a>(
    schema: &'a Schema,
    leaves: &'a [Leaf<'a>],
    age_ns: u64,
) -> impl Iterator<Item = (&'a Leaf<'a>, u64, u64, f64)> {
    leaves.iter().filter_map(move |leaf| {
        let name = leaf.last_name().to_ascii_lowercase();
        let asked = number(leaf).filter(|_| PAGE_SIZES.contains(&name.as_str()))?;
        let spread = &schema.field(leaf)?.numbers;
        let bits = excess(spread, asked, PAGE_SIZE_MIN, age_ns);
        (0.0 < bits).then(|| (leaf, asked, spread.range().map_or(0, |(_, most)| most), bits))
    })
}
