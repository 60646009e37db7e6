//! How each API is used: endpoints, schemas, principals, objects, roles and flows, learned.
//!
//! Reading order: `path` (templates), `content` and `schema` (fields), `principal` and
//! `endpoint` (what is counted), `habit` (how counts become bits), `known` (roles),
//! `detect` (the OWASP API Security Top 10, item by item), `learn`, `openapi`.
//!
//! There is no learning mode: every exchange is judged by what was known before it, with as many
//! bits as that is worth, and is then learned. What would start a story is not learned from, until
//! four principals did the same. All tables are bounded and count what they gave up; time comes
//! from events, so that a replay learns the same.

mod bounded;
mod content;
mod custom;
mod detect;
mod endpoint;
mod exchange;
mod habit;
mod known;
mod learn;
mod openapi;
mod path;
mod principal;
mod schema;
mod sketch;
#[cfg(test)]
mod tests;
mod upstream;
mod value;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use clew_event::http::{HttpEvent, HttpResponse};
use clew_event::{Event, Text};
use serde::{Deserialize, Serialize};

use crate::detected::Detected;
use bounded::Bounded;
pub use custom::DESTINATIONS_MAX;
use custom::Destination;
use endpoint::Endpoint;
use exchange::Exchange;
use habit::{TELLING_BITS, surprisal};
use known::{Api, Attempts};
use path::Paths;
use principal::Principal;
use sketch::{Seen, hash64, mix};
use upstream::Upstream;
use verdict::{Item, Verdict};

/// Most APIs: hosts of workloads.
pub const APIS_MAX: usize = 256;
/// Most endpoints of all APIs.
pub const ENDPOINTS_MAX: usize = 4_096;
/// Most principals of all APIs.
pub const PRINCIPALS_MAX: usize = 8_192;
/// Most clients whose attempts to log in are counted.
pub const ATTEMPTS_MAX: usize = 8_192;
/// Most things that were told and are not told again within an hour.
pub const TOLD_MAX: usize = 8_192;
/// Most hosts of one workload that wait for a second source.
pub const HOSTS_PENDING_MAX: usize = 32;

/// What is told of one principal is not told again for so long.
const TOLD_NS: u64 = 3_600_000_000_000;
/// What rises to the next of these is told again at once.
const LEVELS: [f64; 3] = [5.0, TELLING_BITS, 12.0];
/// So many principals who do the same make it a custom.
const CUSTOM: u64 = 4;
/// Hosts that a workload serves in its first exchanges are its own.
const HOSTS_EXCHANGES: u32 = 64;

/// What was learned of every API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Apis {
    workloads: Bounded<Workload, APIS_MAX>,
    apis: Bounded<Api, APIS_MAX>,
    paths: Paths,
    endpoints: Bounded<Endpoint, ENDPOINTS_MAX>,
    /// Requests answered well, by version of what is the same but for its version.
    versions: Bounded<BTreeMap<u32, u32>, ENDPOINTS_MAX>,
    principals: Bounded<Principal, PRINCIPALS_MAX>,
    attempts: Bounded<Attempts, ATTEMPTS_MAX>,
    upstreams: Bounded<Upstream, APIS_MAX>,
    destinations: Bounded<Destination, DESTINATIONS_MAX>,
    /// Who did what would start a story.
    disputed: Bounded<Seen<8>, TOLD_MAX>,
    /// When it was told last, and how surprising it was.
    told: Bounded<Told, TOLD_MAX>,
    suppressed: u64,
    hosts_dropped: u64,
}

/// What was told of one principal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Told {
    time_ns: u64,
    /// How many of [`LEVELS`] it reached.
    level: usize,
}

/// The hosts of one workload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Workload {
    first_ns: u64,
    exchanges: u32,
    /// APIs that one source alone has asked for.
    pending: BTreeMap<u64, u32>,
}

/// Figures of what was learned and given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiCounts {
    /// Hosts of workloads.
    pub apis: usize,
    /// Methods on templates.
    pub endpoints: usize,
    /// Principals and clients without one.
    pub principals: usize,
    /// Places in path trees, and templates that wait for a second source.
    pub places: usize,
    /// Entries that were given up because a table was full.
    pub evicted: u64,
    /// Fields and hosts that were not learned because there were too many.
    pub dropped: u64,
    /// Detections that were not told again.
    pub suppressed: u64,
}

impl Apis {
    /// Learns from an exchange that has its response, and adds what is strange about it.
    ///
    /// `workload` names the application that served it.
    pub fn observe(
        &mut self,
        event: &Event,
        exchange: &HttpEvent,
        workload: &Text,
        found: &mut Vec<Detected>,
    ) {
        let Some(response) = exchange.response.as_deref() else { return };
        if !exchange.is_inbound || response.status == 0 {
            return;
        }
        let host = host(exchange.request.host.as_bytes());
        let api = mix(hash64(workload.as_bytes()), hash64(&host));
        let read = self.read(event.time.unix_ns(), exchange, response, api);
        if let Some(verdict) = self.admit(&read, workload, &host) {
            self.tell(&read, vec![verdict], found);
        }
        if self.apis.get(api).is_none() {
            return;
        }
        self.count(&read);
        let (verdicts, judged) = self.judge(&read);
        let is_disputed = self.tell(&read, verdicts, found);
        self.learn(&read, &judged, is_disputed);
    }

    /// What was learned of the API that `workload` serves as `host`, as OpenAPI 3.1.
    ///
    /// `Null` where there is no such API. The same knowledge gives the same document.
    #[must_use]
    pub fn openapi(&self, workload: &Text, host: &Text) -> serde_json::Value {
        openapi::document(self, workload, host)
    }

    /// The APIs that are known: workload and host, in the order of their names.
    #[must_use]
    pub fn known(&self) -> Vec<(Text, Text)> {
        let names: BTreeSet<_> =
            self.apis.values().map(|api| (api.workload.clone(), api.host.clone())).collect();
        names.into_iter().collect()
    }

    /// Figures of what was learned and given up.
    #[must_use]
    pub fn counts(&self) -> ApiCounts {
        let fields = |endpoint: &Endpoint| {
            endpoint.query.dropped + endpoint.sent.dropped + endpoint.answer.dropped
        };
        ApiCounts {
            apis: self.apis.len(),
            endpoints: self.endpoints.len(),
            principals: self.principals.len(),
            places: self.paths.nodes() + self.paths.pending(),
            evicted: self.given_up(),
            dropped: self.hosts_dropped + self.endpoints.values().map(fields).sum::<u64>(),
            suppressed: self.suppressed,
        }
    }

    /// Entries that were given up because a table was full.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.paths.evicted()
            + self.workloads.evicted()
            + self.apis.evicted()
            + self.endpoints.evicted()
            + self.versions.evicted()
            + self.principals.evicted()
            + self.attempts.evicted()
            + self.upstreams.evicted()
            + self.destinations.evicted()
            + self.disputed.evicted()
            + self.told.evicted()
    }

    fn read<'a>(
        &self,
        time_ns: u64,
        http: &'a HttpEvent,
        response: &'a HttpResponse,
        api: u64,
    ) -> Exchange<'a> {
        let route = self.paths.route(api, http.request.path.as_bytes());
        Exchange::read(time_ns, http, response, (api, route))
    }

    /// Makes the API of an exchange where it is one; a verdict where its host is new.
    fn admit(&mut self, read: &Exchange<'_>, workload: &Text, host: &[u8]) -> Option<Verdict> {
        let key = hash64(workload.as_bytes());
        let first_ns = read.time_ns;
        let own =
            self.workloads.or_insert_with(key, || Workload { first_ns, ..Workload::default() });
        if self.apis.get(read.api).is_some() {
            own.exchanges = own.exchanges.saturating_add(u32::from(read.is_ok()));
            return None;
        }
        if !read.teaches_paths() {
            return None;
        }
        let is_early = own.exchanges < HOSTS_EXCHANGES;
        let waits_for = own.pending.get(&read.api).copied();
        if is_early || waits_for.is_some_and(|source| source != read.source) {
            own.exchanges = own.exchanges.saturating_add(1);
            own.pending.remove(&read.api);
            self.workloads.confirm(key);
            let new = || Api {
                workload: workload.clone(),
                host: host.into(),
                first_ns,
                ..Api::default()
            };
            self.apis.or_insert_with(read.api, new);
            return None;
        }
        if waits_for.is_some() {
            return None;
        }
        if HOSTS_PENDING_MAX <= own.pending.len() {
            self.hosts_dropped = self.hosts_dropped.saturating_add(1);
            return None;
        }
        let singles = u32::try_from(own.pending.len()).unwrap_or(u32::MAX);
        let bits = surprisal(own.exchanges, singles, first_ns.saturating_sub(own.first_ns));
        own.pending.insert(read.api, read.source);
        let host = clew_event::text::escaped(host);
        Some(detect::inventory::new_host(bits, &host, read))
    }

    /// Adds what was not told lately; true where the exchange should not be learned from.
    fn tell(
        &mut self,
        read: &Exchange<'_>,
        verdicts: Vec<Verdict>,
        found: &mut Vec<Detected>,
    ) -> bool {
        let mut is_disputed = false;
        for verdict in verdicts {
            let what = mix(hash64(verdict.rule.as_bytes()), hash64(verdict.object.as_bytes()));
            let what = mix(read.endpoint, what);
            if TELLING_BITS <= verdict.bits && verdict.item != Item::Inventory {
                let users = self.disputed.or_insert_with(what, Seen::default);
                users.add(read.user());
                is_disputed |= users.distinct() < CUSTOM;
            }
            let mut is_new = false;
            let level = LEVELS.iter().filter(|least| **least <= verdict.bits).count();
            let now = Told { time_ns: read.time_ns, level };
            let last = self.told.or_insert_with(mix(what, read.who), || {
                is_new = true;
                now
            });
            // What becomes worse is told again: the attempt that succeeds, after those that failed.
            let is_worse = last.level < now.level;
            let is_late = TOLD_NS <= now.time_ns.saturating_sub(last.time_ns);
            if !is_new && !is_worse && !is_late {
                self.suppressed = self.suppressed.saturating_add(1);
                continue;
            }
            *last = now;
            let method = &read.request.method;
            let name = self.endpoints.get(read.endpoint).map(Endpoint::name);
            let name = name.unwrap_or_else(|| format!("{method} {}", read.route.template()));
            found.push(verdict.detected(read, &name));
        }
        is_disputed
    }

    fn is_pending(&self, endpoint: u64) -> bool {
        self.paths.is_pending(endpoint)
    }

    /// The newest version above `version` of what is the same but for its version.
    fn newer_version(&self, kin: u64, version: Option<u32>) -> Option<u32> {
        let newest = *self.versions.get(kin)?.last_key_value()?.0;
        version.filter(|version| *version < newest).map(|_| newest)
    }

    fn version_oks(&self, kin: u64, version: u32) -> u32 {
        self.versions.get(kin).and_then(|versions| versions.get(&version)).copied().unwrap_or(0)
    }
}

/// Keys of the attempts to log in of this client, and of all.
fn attempt_keys(read: &Exchange<'_>) -> [u64; 2] {
    let client = read.request.client.map_or(0, |client| hash64(client.to_string().as_bytes()));
    [mix(read.endpoint, client), mix(read.endpoint, 1)]
}

/// A host without port, in lower case.
fn host(given: &[u8]) -> Vec<u8> {
    let colon = given.iter().rposition(|byte| *byte == b':');
    let has_port =
        |at: &usize| given.get(at + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit));
    let end = colon.filter(has_port).unwrap_or(given.len());
    given.get(..end).unwrap_or(given).to_ascii_lowercase()
}
