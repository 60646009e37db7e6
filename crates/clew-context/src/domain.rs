//! Domain names by address, as the watched processes resolved them.
//!
//! Nothing is asked of any name server: only answers that were seen on the wire count, so a
//! replay gives the same names. Whoever runs a name server can name any address as he likes, so a
//! container sees names that it was told itself and those of its machine, never those of another
//! container; an answer of which it is not known who asked names nothing. In Kubernetes clients of
//! the API server ask no name server, but read its address from their environment: that counts as
//! an answer. Where the table is full, whoever has most names in it gives one up.

use std::net::IpAddr;
use std::time::Duration;

use clew_event::process::Executed;
use clew_event::socket::DnsEvent;
use clew_event::{BootId, ContainerId, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::fair::Fair;

/// Names that one address is kept with; the one told longest ago goes for a new one.
pub(crate) const NAMES_PER_ADDRESS_MAX: usize = 8;
/// A name is kept at least so long: programs keep addresses longer than they may.
const KEPT_SPAN_MIN: Duration = Duration::from_mins(10);
/// And at most so long.
const KEPT_SPAN_MAX: Duration = Duration::from_hours(24);

/// What Kubernetes tells each container of the API server, and the name it has there.
const SERVICE_VARIABLE: &[u8] = b"KUBERNETES_SERVICE_HOST=";
const SERVICE_NAME: &str = "kubernetes.default.svc.cluster.local";

/// Who was told a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) boot: BootId,
    /// `None` for the machine itself.
    pub(crate) container: Option<ContainerId>,
}

/// A name of an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Name {
    name: Text,
    until: TimestampNs,
}

/// The names of each address, the latest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Domains {
    table: Fair<Scope, IpAddr, Vec<Name>>,
    names_dropped: u64,
}

impl Domains {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Fair::new(max), names_dropped: 0 }
    }

    /// Names that `scope` knows the address by at `now`; those of its machine where it knows none.
    pub(crate) fn names(&self, scope: Scope, address: IpAddr, now: TimestampNs) -> Vec<&Text> {
        if self.table.len() == 0 {
            return Vec::new();
        }
        let machine = Scope { boot: scope.boot, container: None };
        let known = |scope| {
            let names = self.table.get(&(scope, address)).into_iter().flatten();
            names.filter(|name| now <= name.until).map(|name| &name.name).collect::<Vec<_>>()
        };
        let own = known(scope);
        if own.is_empty() { known(machine) } else { own }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many addresses and names were given up for want of room.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted().saturating_add(self.names_dropped)
    }

    pub(crate) fn observe(&mut self, scope: &Scope, event: &DnsEvent, now: TimestampNs) {
        let span = Duration::from_secs(event.ttl_seconds.into());
        let until = now.after(span.clamp(KEPT_SPAN_MIN, KEPT_SPAN_MAX));
        for address in &event.addresses {
            for name in event.aliases.iter().rev().chain([&event.name]) {
                self.put(scope, *address, Name { name: name.clone(), until });
            }
        }
    }

    /// Takes in what a program was told of the API server.
    pub(crate) fn observe_environment(&mut self, scope: &Scope, executed: &Executed) {
        let Some(around) = executed.surroundings.as_deref() else { return };
        let mut variables = around.environment.as_bytes().split(|byte| *byte == 0);
        let host = variables.find_map(|variable| variable.strip_prefix(SERVICE_VARIABLE));
        let address = host.and_then(|host| std::str::from_utf8(host).ok()?.parse().ok());
        if let Some(address) = address {
            let until = TimestampNs::from_unix_ns(u64::MAX);
            self.put(scope, address, Name { name: SERVICE_NAME.into(), until });
        }
    }

    fn put(&mut self, scope: &Scope, address: IpAddr, name: Name) {
        let key = (scope.clone(), address.to_canonical());
        let mut names = self.table.remove(&key).unwrap_or_default();
        names.retain(|known| known.name != name.name);
        names.insert(0, name);
        if NAMES_PER_ADDRESS_MAX < names.len() {
            names.pop();
            self.names_dropped = self.names_dropped.saturating_add(1);
        }
        self.table.insert(key, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_event::process::Surroundings;

    const ADDRESS: [u8; 4] = [192, 0, 2, 1];

    fn scope(container: Option<&str>) -> Scope {
        let container = container.map(|id| ContainerId(id.into()));
        Scope { boot: BootId(1), container }
    }

    fn answer(name: &str, ttl_seconds: u32) -> DnsEvent {
        let addresses = vec![ADDRESS.into()];
        DnsEvent { name: name.into(), addresses, ttl_seconds, ..DnsEvent::default() }
    }

    fn names(domains: &Domains, scope: Scope, seconds: u64) -> Vec<String> {
        let now = TimestampNs::from_unix_ns(seconds * 1_000_000_000);
        domains.names(scope, ADDRESS.into(), now).into_iter().map(Text::to_string).collect()
    }

    #[test]
    fn a_container_knows_its_own_names_and_its_machines_but_not_its_neighbours() {
        let mut domains = Domains::new(9);
        let now = TimestampNs::from_unix_ns(0);
        domains.observe(&scope(Some("a")), &answer("a.example", 1), now);
        assert_eq!(names(&domains, scope(Some("b")), 0), [""; 0]);
        domains.observe(&scope(None), &answer("host.example", 1), now);
        assert_eq!(names(&domains, scope(Some("a")), 0), ["a.example"]);
        assert_eq!(names(&domains, scope(Some("b")), 0), ["host.example"]);
        assert_eq!(names(&domains, scope(None), 0), ["host.example"]);
    }

    #[test]
    fn a_name_is_kept_as_long_as_its_answer_says_within_bounds() {
        let check = |ttl_seconds: u32, kept: Duration| {
            let mut domains = Domains::new(9);
            domains.observe(&scope(None), &answer("x", ttl_seconds), TimestampNs::from_unix_ns(0));
            assert_eq!(names(&domains, scope(None), kept.as_secs()), ["x"]);
            assert_eq!(names(&domains, scope(None), kept.as_secs() + 1), [""; 0]);
        };
        check(0, KEPT_SPAN_MIN);
        check(3_600, Duration::from_hours(1));
        check(u32::MAX, KEPT_SPAN_MAX);
    }

    #[test]
    fn an_address_has_a_bounded_number_of_names_and_counts_what_it_gives_up() {
        let mut domains = Domains::new(9);
        for number in 0..=NAMES_PER_ADDRESS_MAX {
            let name = format!("n{number}");
            domains.observe(&scope(None), &answer(&name, 1), TimestampNs::from_unix_ns(0));
        }
        let kept = names(&domains, scope(None), 0);
        assert_eq!((kept.len(), kept[0].as_str()), (NAMES_PER_ADDRESS_MAX, "n8"));
        assert!(!kept.contains(&"n0".to_owned()));
        assert_eq!((domains.len(), domains.evicted()), (1, 1));
    }

    #[test]
    fn a_container_with_many_names_takes_none_of_its_neighbours() {
        let mut domains = Domains::new(4);
        let now = TimestampNs::from_unix_ns(0);
        domains.observe(&scope(Some("a")), &answer("a.example", 1), now);
        for number in 0..100_u8 {
            let addresses = vec![[198, 51, 100, number].into()];
            let message = DnsEvent { addresses, ..answer("flood.example", 1) };
            domains.observe(&scope(Some("b")), &message, now);
        }
        assert_eq!(names(&domains, scope(Some("a")), 0), ["a.example"]);
        assert_eq!((domains.len(), domains.evicted()), (4, 97));
    }

    #[test]
    fn the_environment_of_a_container_names_the_api_server() {
        let mut domains = Domains::new(9);
        let environment = Text::from(&b"ENV=x\0KUBERNETES_SERVICE_HOST=192.0.2.1\0"[..]);
        let around = Surroundings { environment, ..Surroundings::default() };
        let executed = Executed { surroundings: Some(Box::new(around)), ..Executed::default() };
        domains.observe_environment(&scope(Some("a")), &executed);
        assert_eq!(names(&domains, scope(Some("a")), 1 << 30), [SERVICE_NAME]);
        assert_eq!(names(&domains, scope(Some("b")), 0), [""; 0]);
    }
}
