//! API9: endpoints, versions and hosts that nobody knew of (improper inventory management).

use super::super::endpoint::Endpoint;
use super::super::exchange::Exchange;
use super::super::habit::surprisal;
use super::super::known::Known;
use super::super::verdict::{Item, Verdict, weight};

/// A new endpoint is more often a release than an attack.
const MOST_NEW_BITS: f64 = 10.0;
/// An old version with less than one in so many of the requests of a newer one is a zombie.
pub(in super::super) const ZOMBIE_SHARE: u32 = 20;

/// A template with a method that nobody had asked for, answered well.
pub(super) fn judge_new(known: &Known<'_>, exchange: &Exchange<'_>, found: &mut Vec<Verdict>) {
    let age_ns = known.api.age_ns(known.now_ns);
    let bits = surprisal(known.api.exchanges, known.api.singles, age_ns).min(MOST_NEW_BITS);
    let old = known.apis.newer_version(exchange.route.kin, exchange.route.version);
    let sentence = match old {
        Some(newer) => format!("a version nobody asked for, older than v{newer}, answers"),
        None => "nobody had asked for it, and it answers".to_owned(),
    };
    found.push(Verdict {
        item: Item::Inventory,
        rule: if old.is_some() { "Old version answers" } else { "Endpoint never seen before" },
        techniques: &["T1190", "T1595.003"],
        bits: bits * weight(exchange.response.status),
        sentence,
        object: "new".to_owned(),
    });
}

/// A version that hardly anybody uses any more, beside a newer one.
pub(super) fn judge_zombie(
    known: &Known<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let Some(newer) = known.apis.newer_version(endpoint.kin, endpoint.version) else {
        return;
    };
    if known.principal.has_used(exchange.endpoint) || endpoint.users.may_have(exchange.user()) {
        return;
    }
    let newer_oks = known.apis.version_oks(endpoint.kin, newer);
    if newer_oks < endpoint.oks.saturating_mul(ZOMBIE_SHARE) {
        return;
    }
    let bits = surprisal(newer_oks, endpoint.oks, endpoint.age_ns(known.now_ns));
    found.push(Verdict {
        item: Item::Inventory,
        rule: "Old version taken up",
        techniques: &["T1190"],
        bits: bits.min(MOST_NEW_BITS) * weight(exchange.response.status),
        sentence: format!("v{newer} had {newer_oks} requests, this version {}", endpoint.oks),
        object: "zombie".to_owned(),
    });
}

/// A host of the workload that nobody had asked for, answered well.
pub(in super::super) fn new_host(bits: f64, host: &str, exchange: &Exchange<'_>) -> Verdict {
    Verdict {
        item: Item::Inventory,
        rule: "Host never seen before",
        techniques: &["T1190", "T1595.003"],
        bits: bits.min(MOST_NEW_BITS) * weight(exchange.response.status),
        sentence: format!("the workload answers as `{host}`, which nobody had asked for"),
        object: host.to_owned(),
    }
}
