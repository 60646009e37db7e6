//! Learning and judging of a generated API: scenarios, harmless traffic, hostile traffic.

mod benign;
mod hostile;
mod scenarios;
mod shop;

use super::Apis;
use crate::detected::Detected;

/// The most bits of what has that tag.
fn bits(found: &[Detected], tag: &str) -> f64 {
    let of = found.iter().filter(|detected| detected.tags.contains(&tag));
    of.map(|detected| detected.bits).fold(0.0, f64::max)
}

/// What would start a story.
fn telling(found: &[Detected]) -> Vec<String> {
    let of = found.iter().filter(|detected| 8.0 <= detected.bits);
    of.map(|detected| format!("{:.1} {}: {}", detected.bits, detected.rule, detected.output))
        .collect()
}

impl Apis {
    /// As if all that was learned was learned since `first_ns`.
    fn squeeze(&mut self, first_ns: u64) {
        self.workloads.values_mut().for_each(|own| own.first_ns = first_ns);
        self.apis.values_mut().for_each(|api| api.first_ns = first_ns);
        self.endpoints.values_mut().for_each(|endpoint| endpoint.first_ns = first_ns);
    }
}
