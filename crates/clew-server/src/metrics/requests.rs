//! Figures of requests: what was read of sockets and TLS, and what was learned of APIs.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Kind};

/// How reading requests and learning from them stands. Keys are the label `what`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFigures {
    /// What was made of the pieces of connections.
    pub read: BTreeMap<&'static str, u64>,
    /// Sockets whose first bytes were looked at for whether they speak HTTP.
    pub sockets_judged: u64,
    /// What TLS is looked into; empty where no workload is selected.
    pub tls: BTreeMap<&'static str, u64>,
    /// What of selected workloads could not be looked into.
    pub tls_refused: BTreeMap<&'static str, u64>,
    /// What is known of APIs.
    pub apis: BTreeMap<&'static str, u64>,
    /// What APIs were found strange for, and was not told again.
    pub api_findings_suppressed: u64,
}

/// Writes a family a figure.
pub(super) fn write(page: &mut Exposition, figures: &RequestFigures) {
    let families = [
        (
            "clew_http_read_total",
            Kind::Counter,
            "What was made of pieces of connections: told, or why not.",
            &figures.read,
        ),
        ("clew_tls_watched", Kind::Gauge, "What TLS is looked into, and is not.", &figures.tls),
        (
            "clew_tls_refused_total",
            Kind::Counter,
            "What of selected workloads could not be looked into.",
            &figures.tls_refused,
        ),
        ("clew_apis_known", Kind::Gauge, "What was learned of APIs.", &figures.apis),
    ];
    for (name, kind, help, counts) in families {
        page.family(name, kind, help);
        for (what, count) in counts {
            page.sample(&[("what", what)], *count);
        }
    }
    let help = "Sockets whose first bytes were looked at for whether they speak HTTP.";
    page.family("clew_http_sockets_judged_total", Kind::Counter, help);
    page.sample(&[], figures.sockets_judged);
    let help = "What an API was found strange for, and was not told again.";
    page.family("clew_api_findings_suppressed_total", Kind::Counter, help);
    page.sample(&[], figures.api_findings_suppressed);
}
