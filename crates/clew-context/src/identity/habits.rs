//! What an identity usually does: when, how often, from where, with what, to what. No profile yet:
//! only what was seen at all, bounded.

use std::collections::BTreeSet;
use std::net::IpAddr;

use clew_event::TimestampNs;
use clew_event::control_plane::ApiCall;
use serde::{Deserialize, Serialize};

use super::sketch::{Sketch, hash32};

/// Most networks of one identity that are told apart.
pub const NETWORKS_MAX: usize = 32;
/// Most families of user agents.
pub const AGENTS_MAX: usize = 16;
/// Most services.
pub const SERVICES_MAX: usize = 64;
/// Most actions.
pub const ACTIONS_MAX: usize = 128;
/// Most regions; AWS has 38 in 2026.
pub const REGIONS_MAX: usize = 48;
/// Most reading actions in one minute that are told apart.
pub const READS_MAX: usize = 64;
/// Minutes that are kept, the newest: five and the running one, and two for clocks that are wrong.
pub const MINUTES_MAX: usize = 8;

const WINDOW_MINUTES: u32 = 5;

/// What is remembered of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Habits {
    /// First and last call; `None` before the first.
    span: Option<(TimestampNs, TimestampNs)>,
    calls: u64,
    errors: u64,
    networks: Sketch,
    agents: Sketch,
    regions: Sketch,
    /// Networks where it was outside its workload when it was first seen there.
    #[serde(default)]
    outside: Sketch,
    /// How an instance got its credentials.
    #[serde(default)]
    deliveries: BTreeSet<Delivery>,
    /// Only of whoever lives long enough: a principal, not a credential.
    more: Option<Box<More>>,
}

/// How an instance got a credential: version 2 of its metadata service asks for a token first,
/// which who can only make the instance send a request does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Delivery {
    V1,
    V2,
}

impl Delivery {
    /// As CloudTrail tells it in `userIdentity.sessionContext.ec2RoleDelivery`.
    pub(super) fn of(call: &ApiCall) -> Option<Self> {
        let told = ["userIdentity", "sessionContext", "ec2RoleDelivery"];
        let json = call.json()?;
        let told = json.at(&told)?;
        let versions = [("1.0", Self::V1), ("2.0", Self::V2)];
        versions.into_iter().find(|(name, _)| told.is(name)).map(|(_, version)| version)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct More {
    services: Sketch,
    actions: Sketch,
    /// Ascending.
    minutes: Vec<Minute>,
    /// The minutes that count in the last one that was asked for, together.
    #[serde(skip)]
    window: Option<Box<Minute>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    /// Minutes since the epoch.
    minute: u32,
    calls: u32,
    errors: u32,
    reads: Sketch,
}

/// What was known of an identity before a call, and what of the call was new to it. All zero and
/// false at its first call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is the answer of one field")]
pub(crate) struct Before {
    pub age_ns: u64,
    pub calls: u64,
    pub errors: u64,
    pub networks: u64,
    pub regions: u64,
    pub services: u64,
    pub calls_5m: u64,
    pub errors_5m: u64,
    pub reads_5m: u64,
    pub is_new_network: bool,
    pub is_new_agent: bool,
    pub is_new_region: bool,
    pub is_new_service: bool,
    pub is_new_action: bool,
}

/// One call, as hashes of what is remembered of it; `None` where it tells nothing of the kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    time: TimestampNs,
    is_error: bool,
    network: Option<u32>,
    agent: Option<u32>,
    region: Option<u32>,
    service: Option<u32>,
    action: u32,
    is_read: bool,
}

impl Traits {
    pub(super) fn of(call: &ApiCall, time: TimestampNs) -> Self {
        let (service, action) = (call.service.as_bytes(), call.action.as_bytes());
        let named = |bytes: &[u8]| (!bytes.is_empty()).then(|| hash32(&[bytes]));
        Self {
            time,
            is_error: !call.error.is_empty(),
            network: call.source_address.map(network),
            // A service that calls for the caller shows its own agent.
            agent: call.source_address.and_then(|_| agent(call.user_agent.as_bytes())),
            region: named(call.region.as_bytes()),
            service: named(service),
            action: hash32(&[service, action]),
            is_read: is_read(action),
        }
    }

    pub(super) const fn network(&self) -> Option<u32> {
        self.network
    }

    fn minute(&self) -> u32 {
        u32::try_from(self.time.unix_ns() / 60_000_000_000).unwrap_or(u32::MAX)
    }
}

/// The network of an address: its first 24 bits, in version 6 its first 64.
fn network(address: IpAddr) -> u32 {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            hash32(&[&[a, b, c]])
        }
        IpAddr::V6(address) => {
            let prefix = u64::try_from(address.to_bits() >> 64).unwrap_or_default();
            hash32(&[&prefix.to_be_bytes()])
        }
    }
}

/// The name of the first product, without version: `aws-cli`, `kubectl`, `Mozilla`.
fn agent(user_agent: &[u8]) -> Option<u32> {
    let given = user_agent.strip_prefix(b"[").unwrap_or(user_agent);
    let family = given.split(|byte| matches!(byte, b'/' | b' ' | b',' | b']')).next()?;
    (!family.is_empty()).then(|| hash32(&[&family.to_ascii_lowercase()]))
}

/// What only looks; a name tells it in every log.
#[must_use]
pub fn is_read(action: &[u8]) -> bool {
    const VERBS: [&[u8]; 8] =
        [b"List", b"Describe", b"Get", b"BatchGet", b"Head", b"Lookup", b"get ", b"list "];
    VERBS.iter().any(|verb| action.starts_with(verb))
}

impl Habits {
    /// For an identity whose services, actions and rates are remembered too.
    pub(super) fn of_principal() -> Self {
        Self { more: Some(Box::default()), ..Self::default() }
    }

    /// Whether it was seen calling from the network.
    pub(super) fn knows_network(&self, network: u32) -> bool {
        !self.networks.is_new(network)
    }

    pub(super) fn has_networks(&self) -> bool {
        !self.networks.is_empty()
    }

    /// Whether it was outside its workload when it was first seen in the network.
    pub(super) fn is_outside(&self, network: u32) -> bool {
        !self.outside.is_empty() && !self.outside.is_new(network)
    }

    /// Takes down that it is outside its workload in the network.
    pub(super) fn note_outside(&mut self, network: u32) {
        self.outside.add(network, NETWORKS_MAX);
    }

    /// True where a credential came by version 1, and all before by version 2.
    pub(super) fn deliver(&mut self, delivery: Delivery) -> bool {
        let is_changed = delivery == Delivery::V1 && self.deliveries == [Delivery::V2].into();
        self.deliveries.insert(delivery);
        is_changed
    }

    pub(super) fn before(&self, call: &Traits) -> Before {
        let Some((first, _)) = self.span else { return Before::default() };
        let is_new = |sketch: &Sketch, hash: Option<u32>| hash.is_some_and(|h| sketch.is_new(h));
        let mut before = Before {
            age_ns: u64::try_from(call.time.since(first).as_nanos()).unwrap_or(u64::MAX),
            calls: self.calls,
            errors: self.errors,
            networks: self.networks.distinct(),
            regions: self.regions.distinct(),
            is_new_network: is_new(&self.networks, call.network),
            is_new_agent: is_new(&self.agents, call.agent),
            is_new_region: is_new(&self.regions, call.region),
            ..Before::default()
        };
        if let Some(more) = &self.more {
            before.services = more.services.distinct();
            before.is_new_service = is_new(&more.services, call.service);
            before.is_new_action = more.actions.is_new(call.action);
            let now = call.minute();
            let fresh;
            let window = match more.window.as_deref() {
                Some(window) if window.minute == now => window,
                Some(_) | None => {
                    fresh = more.window(now);
                    &fresh
                }
            };
            before.calls_5m = u64::from(window.calls);
            before.errors_5m = u64::from(window.errors);
            before.reads_5m = window.reads.distinct();
        }
        before
    }

    /// Takes in a call; one that `counts` not (a copy, a repetition) changes no number.
    pub(super) fn record(&mut self, call: &Traits, counts: bool) {
        let (first, last) = self.span.unwrap_or((call.time, call.time));
        self.span = Some((first.min(call.time), last.max(call.time)));
        self.calls += u64::from(counts);
        self.errors += u64::from(counts && call.is_error);
        for (sketch, hash, max) in [
            (&mut self.networks, call.network, NETWORKS_MAX),
            (&mut self.agents, call.agent, AGENTS_MAX),
            (&mut self.regions, call.region, REGIONS_MAX),
        ] {
            if let Some(hash) = hash {
                sketch.add(hash, max);
            }
        }
        if let Some(more) = &mut self.more {
            more.record(call, counts);
        }
    }
}

impl More {
    fn record(&mut self, call: &Traits, counts: bool) {
        if let Some(service) = call.service {
            self.services.add(service, SERVICES_MAX);
        }
        self.actions.add(call.action, ACTIONS_MAX);
        let now = call.minute();
        let place = self.minutes.partition_point(|minute| minute.minute < now);
        if self.minutes.get(place).is_none_or(|minute| minute.minute != now) {
            if MINUTES_MAX <= self.minutes.len() && place == 0 {
                return;
            }
            self.minutes.insert(place, Minute { minute: now, ..Minute::default() });
        }
        if let Some(minute) = self.minutes.get_mut(place) {
            minute.record(call, counts);
        }
        if MINUTES_MAX < self.minutes.len() {
            self.minutes.remove(0);
        }
        match &mut self.window {
            Some(window) if window.minute == now => window.record(call, counts),
            _ => self.window = Some(Box::new(self.window(now))),
        }
    }

    /// The running minute and those before it that count, together.
    fn window(&self, now: u32) -> Minute {
        let recent = |minute: &&Minute| {
            now.saturating_sub(WINDOW_MINUTES) <= minute.minute && minute.minute <= now
        };
        let mut window = Minute { minute: now, ..Minute::default() };
        for minute in self.minutes.iter().filter(recent) {
            window.calls = window.calls.saturating_add(minute.calls);
            window.errors = window.errors.saturating_add(minute.errors);
            window.reads.merge(&minute.reads, READS_MAX);
        }
        window
    }
}

impl Minute {
    fn record(&mut self, call: &Traits, counts: bool) {
        self.calls = self.calls.saturating_add(u32::from(counts));
        self.errors = self.errors.saturating_add(u32::from(counts && call.is_error));
        if call.is_read {
            self.reads.add(call.action, READS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(minute: u64, address: &str, agent: &str, action: &str) -> Traits {
        let call = ApiCall {
            service: "iam.amazonaws.com".into(),
            action: action.into(),
            source_address: address.parse().ok(),
            user_agent: agent.into(),
            region: "eu-west-1".into(),
            ..ApiCall::default()
        };
        Traits::of(&call, TimestampNs::from_unix_ns(minute * 60_000_000_000))
    }

    #[test]
    fn a_call_is_judged_by_those_before_it() {
        let mut habits = Habits::of_principal();
        let first = call(100, "203.0.113.9", "aws-cli/2.1 Python/3", "ListUsers");
        assert_eq!(habits.before(&first), Before::default());
        habits.record(&first, true);
        let near = habits.before(&call(101, "203.0.113.200", "aws-cli/1.9", "ListUsers"));
        assert!(!near.is_new_network && !near.is_new_agent && !near.is_new_action);
        assert_eq!((near.age_ns, near.calls, near.reads_5m), (60_000_000_000, 1, 1));
        let far = habits.before(&call(101, "198.51.100.1", "Boto3/1.9", "CreateUser"));
        assert!(far.is_new_network && far.is_new_agent && far.is_new_action);
        assert!(!far.is_new_region && !far.is_new_service);
    }

    #[test]
    fn a_call_by_a_service_is_from_no_network() {
        let mut habits = Habits::default();
        habits.record(&call(1, "203.0.113.9", "aws-cli/2", "ListUsers"), true);
        let inside = habits.before(&call(2, "AWS Internal", "AWS Internal", "ListUsers"));
        assert!(!inside.is_new_network && !inside.is_new_agent);
    }

    #[test]
    fn networks_are_24_bits_or_64() {
        let network = |address: &str| call(1, address, "", "").network();
        assert_eq!(network("10.1.2.3"), network("::ffff:10.1.2.99"));
        assert_ne!(network("10.1.2.3"), network("10.1.3.3"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    }

    #[test]
    fn a_delivery_by_version_1_is_a_change_once_and_only_after_version_2() {
        let check = |told: &[Delivery], changed: &[bool]| {
            let mut habits = Habits::default();
            let found: Vec<_> = told.iter().map(|it| habits.deliver(*it)).collect();
            assert_eq!(found, changed);
        };
        use Delivery::{V1, V2};
        check(&[V2, V2, V1, V1, V2, V1], &[false, false, true, false, false, false]);
        check(&[V1, V2, V1], &[false; 3]);
    }

    #[test]
    fn rates_are_of_the_last_minutes_and_at_most_minutes_max_are_kept() {
        let mut habits = Habits::of_principal();
        for minute in 100..130 {
            habits.record(&call(minute, "", "", &format!("List{minute}")), true);
        }
        let before = habits.before(&call(129, "", "", "ListUsers"));
        assert_eq!((before.calls_5m, before.reads_5m), (6, 6));
        let minutes = |habits: &Habits| habits.more.as_ref().map(|more| more.minutes.len());
        assert_eq!(minutes(&habits), Some(MINUTES_MAX));
        habits.record(&call(100, "", "", "ListUsers"), true);
        assert_eq!(habits.before(&call(129, "", "", "ListUsers")).calls_5m, 6);
        assert_eq!(habits.calls, 31);
    }

    #[test]
    fn what_one_identity_may_use_is_bounded() {
        let mut habits = Habits::of_principal();
        for number in 0..500_u32 {
            let mut call = call(1, &format!("10.{}.{}.1", number / 250, number % 250), "", "");
            let hash = hash32(&[&number.to_le_bytes()]);
            (call.agent, call.region, call.service) = (Some(hash), Some(hash), Some(hash));
            (call.action, call.is_read) = (hash, true);
            habits.record(&call, true);
        }
        let more = habits.more.as_ref().expect("a principal");
        let kept = [&habits.networks, &habits.agents, &habits.regions, &more.services];
        assert_eq!(kept.map(Sketch::kept), [NETWORKS_MAX, AGENTS_MAX, REGIONS_MAX, SERVICES_MAX]);
        let reads = more.minutes.first().map(|minute| minute.reads.kept());
        assert_eq!((more.actions.kept(), reads), (ACTIONS_MAX, Some(READS_MAX)));
    }
}
