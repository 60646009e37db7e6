//! API5: a function of another role (broken function level authorization); API6: the steps of a
//! flow in another order, or faster than anyone takes them.

use super::super::endpoint::{Endpoint, STEPS_MAX};
use super::super::exchange::Exchange;
use super::super::habit::surprisal;
use super::super::known::{Known, experience, late_percent};
use super::super::verdict::{Item, Verdict, weight};

/// A step so long ago is no step before.
pub(in super::super) const FLOW_NS: u64 = 1_800_000_000_000;
/// How much faster than anyone else is too fast.
const FASTER: u64 = 8;

/// A principal takes up an endpoint that only another role uses.
///
/// Its bits are how rarely anyone took up this endpoint after having used the API without it,
/// less where most of its users came to it so, and where the principal has hardly been seen.
pub(super) fn judge_function(
    known: &Known<'_>,
    endpoint: &Endpoint,
    (exchange, companions): (&Exchange<'_>, usize),
    found: &mut Vec<Verdict>,
) {
    let without = known
        .api
        .exchanges
        .saturating_sub(endpoint.exchanges_before)
        .saturating_sub(endpoint.exchanges);
    let bits = surprisal(without, endpoint.late_users, endpoint.age_ns(known.now_ns));
    let early = 1.0 - f64::from(late_percent(endpoint)) / 100.0;
    found.push(Verdict {
        item: Item::Function,
        rule: "Function of another role used",
        techniques: &["T1068", "T1190"],
        bits: bits * early * early * experience(known.principal) * weight(exchange.response.status),
        sentence: format!(
            "only a role of {} principals uses it, which also uses {companions} endpoints that \
             this one never did",
            endpoint.users.distinct()
        ),
        object: "role".to_owned(),
    });
}

/// How many further endpoints of another role there are, where this is one that the principal has
/// never used.
pub(in super::super) fn taken_up(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
) -> Option<usize> {
    if known.principal.has_used(exchange.endpoint) || endpoint.users.may_have(exchange.user()) {
        return None;
    }
    known.role_apart(&endpoint.users, exchange.endpoint)
}

/// The step before, and milliseconds since.
pub(in super::super) fn step_before(
    known: &Known<'_>,
    exchange: &Exchange<'_>,
) -> (u64, Option<u64>) {
    let recent = known.principal.step.and_then(|(endpoint, time_ns)| {
        let gap_ns = exchange.time_ns.checked_sub(time_ns)?;
        (gap_ns < FLOW_NS).then_some((endpoint, gap_ns / 1_000_000))
    });
    recent.map_or((0, None), |(endpoint, gap_ms)| (endpoint, Some(gap_ms)))
}

/// A step after one that it never followed, or at a speed that nobody has.
pub(super) fn judge_flow(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    if !exchange.is_step() || exchange.request.principal.is_none() {
        return;
    }
    let age_ns = endpoint.age_ns(known.now_ns);
    let steps = &endpoint.steps;
    let (before, gap_ms) = step_before(known, exchange);
    let mut say = |rule, bits, sentence| {
        found.push(Verdict {
            item: Item::Flow,
            rule,
            techniques: &["T1190"],
            bits,
            sentence,
            object: rule.to_owned(),
        });
    };
    if !steps.before.contains_key(&before) && steps.before.len() < STEPS_MAX {
        let name = known.apis.endpoints.get(before).map(Endpoint::name);
        say(
            "Steps of a flow out of order",
            surprisal(steps.total, steps.singles(), age_ns),
            format!(
                "came after {}; of {} times it never did",
                name.as_deref().unwrap_or("no other step"),
                steps.total
            ),
        );
    }
    let Some(gap_ms) = gap_ms else { return };
    let faster = steps.gaps_ms.at_most(gap_ms.saturating_mul(FASTER).max(1));
    if faster <= steps.gaps_ms.total() / 1024 {
        say(
            "Steps of a flow too fast",
            surprisal(steps.gaps_ms.total(), faster, age_ns),
            format!(
                "came {gap_ms} ms after the step before; nobody takes less than {} ms",
                steps.gaps_ms.range().map_or(0, |(least, _)| least)
            ),
        );
    }
}
