//! Which hosts an application is asked for by design (API7).
//!
//! An endpoint that takes addresses (pictures, web hooks, feeds) asks whatever its users name: that
//! is its work. A host that [`CUSTOM`] sources named in the same argument of the same endpoint, or
//! one source on [`DAYS`] days, is its custom and is told no more; every new one is. Services that
//! hand out credentials never become a custom.

use clew_event::http::HttpRequest;
use clew_event::{Event, Text};
use serde::{Deserialize, Serialize};

use super::exchange::source;
use super::sketch::{Seen, hash64, mix};
use super::{Apis, CUSTOM, host};
use crate::detected::Detected;
use crate::effect::METADATA_BITS;

/// Most hosts of all arguments that are remembered.
pub const DESTINATIONS_MAX: usize = 8_192;

/// On so many days one source alone makes a custom.
const DAYS: u32 = 3;
const DAY_NS: u64 = 86_400_000_000_000;

/// Who named one host in one argument.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Destination {
    sources: Seen<8>,
    days: u32,
    last_day: u64,
}

impl Apis {
    /// Whether what `request` made `workload` do is what that argument of that endpoint is for; and
    /// takes it in.
    pub fn is_custom(
        &mut self,
        event: &Event,
        workload: &Text,
        request: &HttpRequest,
        detected: &Detected,
    ) -> bool {
        let Some(destination) = detected.fields.get("http.destination") else { return false };
        if METADATA_BITS <= detected.bits {
            return false;
        }
        let api = mix(hash64(workload.as_bytes()), hash64(&host(request.host.as_bytes())));
        let endpoint = self.paths.route(api, request.path.as_bytes()).key;
        let argument = detected.fields.get("http.argument").map_or(0, |it| hash64(it.as_bytes()));
        let key = mix(mix(endpoint, hash64(request.method.as_bytes())), argument);
        let key = mix(key, hash64(destination.as_bytes()));
        let known = self.destinations.or_insert_with(key, Destination::default);
        let is_custom = CUSTOM <= known.sources.distinct() || DAYS <= known.days;
        known.sources.add(source(api, request));
        let day = event.time.unix_ns() / DAY_NS;
        if known.last_day != day {
            known.last_day = day;
            known.days = known.days.saturating_add(1);
        }
        if is_custom {
            self.destinations.confirm(key);
            self.suppressed = self.suppressed.saturating_add(1);
        }
        is_custom
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use clew_event::http::HttpPrincipal;
    use clew_event::{EventId, EventKind, EventType, TimestampNs};

    use super::*;
    use crate::effect::{self, Cause, Effect};

    /// What is told of `who`, who makes the application ask `peer` by naming `url` on that day.
    fn fetch(apis: &mut Apis, day: u64, who: u32, (url, peer): (&str, [u8; 4])) -> usize {
        let principal =
            HttpPrincipal { hash: who.to_string().as_str().into(), ..HttpPrincipal::default() };
        let request = Arc::new(HttpRequest {
            method: "GET".into(),
            host: "shop".into(),
            path: "/avatar".into(),
            query: format!("url={url}").as_str().into(),
            principal: Some(principal),
            ..HttpRequest::default()
        });
        let time = TimestampNs::from_unix_ns(day * DAY_NS);
        let event = Event {
            id: EventId(1),
            time,
            arrived: time,
            event_type: EventType::Connect,
            actor: None,
            kind: EventKind::Http(Box::default()),
        };
        let causes =
            [Cause { exchange: EventId(1), request: Arc::clone(&request), probability: 1.0 }];
        let peer = SocketAddr::from((Ipv4Addr::from(peer), 80));
        let mut found = Vec::new();
        effect::judge(&Effect::Connected { peer, names: &[] }, &causes, &mut found);
        found.retain(|detected| !apis.is_custom(&event, &"shop".into(), &request, detected));
        found.len()
    }

    const PICTURES: (&str, [u8; 4]) = ("http://10.0.0.9/cat.png", [10, 0, 0, 9]);

    #[test]
    fn what_an_argument_is_for_is_told_of_the_first_four_who_do_it() {
        let mut apis = Apis::default();
        let told: Vec<_> = (0..8).map(|who| fetch(&mut apis, 1, who, PICTURES)).collect();
        assert_eq!(told, [1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(apis.counts().suppressed, 4);
        let database = ("http://10.0.0.7/", [10, 0, 0, 7]);
        assert_eq!(fetch(&mut apis, 1, 1, database), 1, "another host is new");
        let port = ("http://10.0.0.9:80/x", [10, 0, 0, 9]);
        assert_eq!(fetch(&mut apis, 1, 1, port), 0, "another page of a known host is not");
    }

    #[test]
    fn one_alone_makes_a_custom_in_days_and_not_by_asking_often() {
        let mut apis = Apis::default();
        let mut told = |day| fetch(&mut apis, day, 1, PICTURES);
        assert_eq!((0..50).map(|_| told(1)).sum::<usize>(), 50);
        assert_eq!((told(2), told(3), told(3)), (1, 1, 0));
    }

    #[test]
    fn a_service_that_hands_out_credentials_is_never_a_custom() {
        let mut apis = Apis::default();
        let metadata = ("http://169.254.169.254/latest/", [169, 254, 169, 254]);
        let told: usize = (0..20).map(|who| fetch(&mut apis, 1, who, metadata)).sum();
        assert_eq!(told, 20);
    }

    #[test]
    fn hosts_that_are_remembered_are_bounded() {
        let mut apis = Apis::default();
        for number in 0..u32::try_from(DESTINATIONS_MAX).unwrap_or(0) + 50 {
            let [_, a, b, c] = number.to_be_bytes();
            let url = format!("http://10.{a}.{b}.{c}/");
            fetch(&mut apis, 1, 1, (&url, [10, a, b, c]));
        }
        assert_eq!(apis.destinations.len(), DESTINATIONS_MAX);
        assert_eq!(apis.given_up(), 50);
    }
}
