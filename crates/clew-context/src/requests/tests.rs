//! Who acts because of which request, server by server.

use std::time::Duration;

use clew_event::file::FileEvent;
use clew_event::http::HttpResponse;
use clew_event::process::Exited;
use clew_event::socket::Endpoints;
use clew_event::{EventType, Semantics};
use proptest::prelude::*;

use super::exchange::REQUEST_BYTES_MAX;
use super::handler::THREADS_MAX;
use super::*;
use crate::tests::builders::{HOST, event, exec, fork, key, program};
use crate::{Context, Limits};

/// A stream of events of few processes, told by pid, thread and milliseconds.
struct Stream {
    context: Context,
    next: u128,
    unit: Duration,
}

impl Stream {
    fn new() -> Self {
        Self::within(Limits::default())
    }

    fn within(limits: Limits) -> Self {
        let mut context = Context::new(limits);
        context.set_semantics(Semantics::Clew);
        Self { context, next: 1, unit: Duration::from_millis(1) }
    }

    fn tell(&mut self, mut event: Event, tid: u32, ms: u32) -> Event {
        event.id = EventId(self.next);
        self.next += 1;
        event.time = event.time.after(self.unit * ms);
        if let Some(actor) = &mut event.actor {
            actor.tid = tid;
        }
        if let EventKind::Http(http) = &mut event.kind
            && http.response.is_none()
        {
            http.exchange = event.id;
        }
        self.context.observe(&event);
        event
    }

    fn http(&mut self, (pid, tid): (u32, u32), http: HttpEvent, ms: u32) -> EventId {
        let of =
            if http.response.is_some() { EventType::HttpResponse } else { EventType::HttpRequest };
        self.tell(event(Some((pid, HOST)), of, EventKind::Http(Box::new(http))), tid, ms).id
    }

    /// A request that a thread reads.
    fn read(&mut self, at: (u32, u32), path: &str, ms: u32) -> EventId {
        self.http(at, HttpEvent { is_inbound: true, ..asking(path) }, ms)
    }

    /// Its response.
    fn answer(&mut self, at: (u32, u32), exchange: EventId, ms: u32) {
        let response = Some(Box::new(HttpResponse { status: 200, ..HttpResponse::default() }));
        let http = HttpEvent { exchange, is_inbound: true, response, ..HttpEvent::default() };
        self.http(at, http, ms);
    }

    fn fork(&mut self, (pid, tid): (u32, u32), child: u32, ms: u32) {
        self.tell(fork((pid, HOST), child), tid, ms);
    }

    fn thread(&mut self, (pid, tid): (u32, u32), made: u32, ms: u32) {
        let forked =
            Forked { child: key(pid), child_tid: made, is_thread: true, ..Forked::default() };
        self.tell(event(Some((pid, HOST)), EventType::Clone3, EventKind::Forked(forked)), tid, ms);
    }

    fn exit(&mut self, pid: u32, ms: u32) {
        let exited = EventKind::Exited(Exited::default());
        self.tell(event(Some((pid, HOST)), EventType::ProcessExit, exited), pid, ms);
    }

    /// What is done there, and because of what: exchange and probability in thousandths.
    fn acts(&mut self, (pid, tid): (u32, u32), ms: u32) -> Vec<(EventId, u32)> {
        let opened = EventKind::File(FileEvent::default());
        let opened = self.tell(event(Some((pid, HOST)), EventType::Openat, opened), tid, ms);
        thousandths(&self.causes(&opened))
    }

    fn causes(&self, event: &Event) -> Vec<Cause> {
        let mut causes = Vec::new();
        self.context.causes(event, &mut causes);
        causes
    }
}

fn asking(path: &str) -> HttpEvent {
    let request = HttpRequest { method: "GET".into(), path: path.into(), ..<_>::default() };
    HttpEvent { request: Arc::new(request), ..HttpEvent::default() }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
fn thousandths(causes: &[Cause]) -> Vec<(EventId, u32)> {
    let part = |cause: &Cause| (cause.probability * 1000.0).round() as u32;
    causes.iter().map(|cause| (cause.exchange, part(cause))).collect()
}

#[test]
fn a_thread_that_handles_one_request_acts_for_it_until_it_answers() {
    let mut it = Stream::new();
    let (a, b) = (it.read((10, 11), "/a", 0), it.read((10, 12), "/b", 1));
    assert_eq!(it.acts((10, 11), 2), [(a, 1000)]);
    assert_eq!(it.acts((10, 12), 2), [(b, 1000)]);
    it.answer((10, 11), a, 3);
    it.answer((10, 12), b, 3);
    assert_eq!(it.acts((10, 11), 4), []);
    assert_eq!(it.context.counts().requests, 0);
}

#[test]
fn what_was_done_before_a_request_was_read_is_not_its_effect() {
    let mut it = Stream::new();
    it.read((10, 11), "/a", 5);
    assert_eq!(it.acts((10, 11), 4), []);
}

#[test]
fn a_child_of_a_worker_keeps_its_request_and_outlives_it() {
    let mut it = Stream::new();
    it.fork((1, 1), 10, 0);
    let a = it.read((10, 10), "/cgi?c=id", 1);
    it.fork((10, 10), 20, 2);
    it.tell(exec((20, HOST), program("sh", "sh -c id")), 20, 3);
    it.fork((20, 20), 30, 4);
    it.answer((10, 10), a, 5);
    let b = it.read((10, 10), "/next", 6);
    assert_eq!(it.acts((30, 30), 600_000), [(a, 1000)], "a grandchild, long after");
    assert_eq!(it.acts((10, 10), 7), [(b, 1000)], "the worker has gone on");
    assert_eq!(it.context.counts().requests_held, 1);
    it.exit(20, 700_000);
    assert_eq!(it.acts((30, 30), 700_001), [(a, 1000)]);
    it.exit(30, 700_002);
    assert_eq!(it.context.counts().requests_held, 0);
}

#[test]
fn a_worker_born_in_a_request_is_a_server_once_it_reads_and_a_back_door_stays_one() {
    let mut it = Stream::new();
    let a = it.read((10, 10), "/a", 0);
    it.fork((10, 10), 20, 1);
    it.fork((10, 10), 30, 1);
    it.tell(exec((30, HOST), program("door", "door")), 30, 2);
    it.answer((10, 10), a, 3);
    for pid in [20, 30] {
        let own = it.read((pid, pid), "/own", 4);
        assert_eq!(it.acts((pid, pid), 5), [(own, 1000)]);
        it.answer((pid, pid), own, 6);
    }
    assert_eq!(it.acts((20, 20), 8), []);
    assert_eq!(it.acts((30, 30), 8), [(a, 1000)]);
}

#[test]
fn a_thread_made_for_a_request_acts_for_it_and_is_free_afterwards() {
    let mut it = Stream::new();
    let (a, b) = (it.read((10, 11), "/a", 0), it.read((10, 12), "/b", 0));
    it.thread((10, 11), 20, 1);
    it.thread((10, 20), 21, 1);
    assert_eq!(it.acts((10, 21), 2), [(a, 1000)]);
    it.answer((10, 11), a, 3);
    assert_eq!(it.acts((10, 21), 4), [(b, 800)], "one of a pool: whatever is in flight");
}

#[test]
fn a_pool_shares_an_effect_among_what_its_process_has_in_flight() {
    let mut it = Stream::new();
    let (a, b) = (it.read((10, 11), "/a", 0), it.read((10, 11), "/b", 90));
    let shared = it.acts((10, 30), 100);
    assert_eq!(shared.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [a, b]);
    assert_eq!(shared.iter().map(|(_, part)| part).sum::<u32>(), 800);
    assert!(shared[0].1 < shared[1].1, "the later is the likelier: {shared:?}");
    assert_eq!(it.acts((99, 99), 100), [], "another process has no part in it");
}

#[test]
fn where_answers_come_from_other_threads_a_thread_proves_less() {
    let mut it = Stream::new();
    for n in 0..8 {
        let a = it.read((10, 11), "/", n * 10);
        it.answer((10, if n % 2 == 0 { 11 } else { 12 }), a, n * 10 + 5);
    }
    let a = it.read((10, 11), "/a", 100);
    assert_eq!(it.acts((10, 11), 101), [(a, 1000)], "nothing else is in flight");
    let b = it.read((10, 12), "/b", 101);
    assert_eq!(it.acts((10, 11), 102), [(a, 500), (b, 500)]);
}

#[test]
fn an_event_loop_shares_an_effect_among_all_in_flight() {
    let mut it = Stream::new();
    for n in 0..64 {
        it.read((10, 10), "/", n);
    }
    let opened = event(Some((10, HOST)), EventType::Openat, EventKind::File(FileEvent::default()));
    let opened = it.tell(opened, 10, 70);
    let causes = it.causes(&opened);
    assert_eq!(causes.len(), CAUSES_MAX);
    let sum: f64 = causes.iter().map(|cause| cause.probability).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    assert!(causes.is_sorted_by(|a, b| a.probability <= b.probability));
    it.read((10, 10), "/", 71);
    assert_eq!(it.acts((10, 10), 72).len(), CAUSES_MAX);
}

/// A simulated event loop, whose effects fall anywhere within spans of exponential length: of all
/// requests that were said to be the cause with a probability near `p`, a share of `p` was.
#[test]
fn the_probabilities_of_an_event_loop_are_calibrated() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut uniform = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        f64::from(u32::try_from(random >> 32).unwrap()) / 4_294_967_296.0
    };
    // Times in microseconds: reads every 2 ms, spans of 50 ms on average.
    let mut happenings = Vec::new();
    for n in 0..20_000_u32 {
        let read = f64::from(n) * 2_000.0;
        let span = -(1.0 - uniform()).ln() * 50_000.0;
        happenings.push((read, n, 0));
        happenings.push((read + span * uniform(), n, 1));
        happenings.push((read + span, n, 2));
    }
    happenings.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    let mut it = Stream { unit: Duration::from_micros(1), ..Stream::new() };
    let mut ids = std::collections::BTreeMap::new();
    let mut bins = [(0.0, 0.0, 0.0); 10];
    for (at, n, what) in happenings {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
        let us = at as u32;
        match what {
            0 => drop(ids.insert(n, it.read((10, 10), "/", us))),
            1 => {
                for (id, part) in it.acts((10, 10), us) {
                    let bin: &mut (f64, f64, f64) = &mut bins[(part / 100).min(9) as usize];
                    bin.0 += 1.0;
                    bin.1 += f64::from(part) / 1000.0;
                    bin.2 += if ids.get(&n) == Some(&id) { 1.0 } else { 0.0 };
                }
            }
            _ => it.answer((10, 10), ids[&n], us),
        }
    }
    for (count, said, was) in bins.into_iter().filter(|bin| 500.0 < bin.0) {
        let (said, was) = (said / count, was / count);
        assert!((said - was).abs() < 0.05, "said {said:.3}, was {was:.3} of {count}");
    }
}

#[test]
fn a_proxied_request_is_of_the_first_one() {
    let mut it = Stream::new();
    let ends = |local: &str, remote: &str| Endpoints {
        local: local.parse().ok(),
        remote: remote.parse().ok(),
        ..Endpoints::default()
    };
    let a = it.read((10, 10), "/x?u=1", 0);
    it.read((10, 10), "/y", 1);
    let sent = HttpEvent { endpoints: ends("10.0.0.1:5000", "10.0.0.2:80"), ..asking("/x?u=1") };
    let sent = it.http((10, 10), sent, 2);
    let seen = ends("[::ffff:10.0.0.2]:80", "[::ffff:10.0.0.1]:5000");
    let b = HttpEvent { is_inbound: true, endpoints: seen, ..asking("/x?u=1") };
    let b = it.http((20, 20), b, 3);
    let opened = event(Some((20, HOST)), EventType::Openat, EventKind::File(FileEvent::default()));
    let opened = it.tell(opened, 20, 4);
    let causes = it.causes(&opened);
    assert_eq!(thousandths(&causes), [(b, 1000)]);
    let first = causes[0].first.clone().expect("a first request");
    assert_eq!((first.exchange, first.request.path.clone()), (a, "/x?u=1".into()));
    assert!((first.probability - 1.0).abs() < 1e-9, "the one that it repeats");
    it.answer((20, 20), b, 5);
    it.answer((10, 10), sent, 6);
    it.answer((10, 10), a, 7);
    assert_eq!(it.acts((20, 20), 8), []);
    assert_eq!(it.context.counts().requests_held, 0);
}

#[test]
fn a_sent_request_is_of_the_one_whose_trace_it_carries() {
    let mut it = Stream::new();
    let traced = |id: char, path: &str| {
        let trace = format!("00-{}-00f067aa0ba902b7-01", id.to_string().repeat(32));
        let request = HttpRequest { path: path.into(), trace: trace.into(), ..<_>::default() };
        HttpEvent { request: Arc::new(request), ..HttpEvent::default() }
    };
    let a = it.http((10, 10), HttpEvent { is_inbound: true, ..traced('a', "/a") }, 0);
    it.http((10, 10), HttpEvent { is_inbound: true, ..traced('b', "/b") }, 1);
    let kind = EventKind::Http(Box::new(traced('a', "/b")));
    let sent = it.tell(event(Some((10, HOST)), EventType::HttpRequest, kind), 10, 2);
    assert_eq!(thousandths(&it.causes(&sent)), [(a, 1000)]);
}

#[test]
fn what_spans_tell_is_of_the_request_whose_trace_they_carry() {
    use clew_event::query::QueryEvent;

    let trace = |id: char, span: char| -> Text {
        let [id, span] = [(id, 32), (span, 16)].map(|(digit, n)| digit.to_string().repeat(n));
        format!("00-{id}-{span}-01").into()
    };
    let span = |it: &mut Stream, trace: Text, is_inbound: bool, ms: u32| {
        let request = Arc::new(HttpRequest { trace, ..HttpRequest::default() });
        let http = HttpEvent { is_inbound, request, ..HttpEvent::default() };
        it.tell(event(None, EventType::HttpRequest, EventKind::Http(Box::new(http))), 0, ms)
    };
    let query = |it: &mut Stream, trace: Text, ms: u32| {
        let query = EventKind::Query(Box::new(QueryEvent { trace, ..QueryEvent::default() }));
        let told = it.tell(event(None, EventType::DbQuery, query), 0, ms);
        thousandths(&it.causes(&told))
    };
    let mut it = Stream::new();
    let a = span(&mut it, trace('a', '1'), true, 0).id;
    let b = span(&mut it, trace('b', '1'), true, 1).id;
    assert_eq!(query(&mut it, trace('a', '2'), 2), [(a, 1000)]);
    assert_eq!(query(&mut it, trace('b', '2'), 2), [(b, 1000)]);
    assert_eq!(query(&mut it, trace('c', '2'), 2), []);
    assert_eq!(query(&mut it, trace('0', '2'), 2), [], "no trace");
    let sent = span(&mut it, trace('a', '3'), false, 3);
    assert_eq!(thousandths(&it.causes(&sent)), [(a, 1000)]);
    let inner = span(&mut it, trace('a', '4'), true, 4).id;
    assert_eq!(query(&mut it, trace('a', '5'), 5), [(a, 1000)], "the first of the trace");
    for exchange in [inner, sent.id, a, b] {
        let response = Some(Box::new(HttpResponse::default()));
        let http = HttpEvent { exchange, response, is_inbound: true, ..HttpEvent::default() };
        it.tell(event(None, EventType::HttpResponse, EventKind::Http(Box::new(http))), 0, 6);
    }
    assert_eq!(query(&mut it, trace('a', '2'), 7), []);
    assert_eq!((it.context.counts().requests, it.context.counts().requests_held), (0, 0));
}

#[test]
fn a_span_of_a_database_is_of_the_request_that_was_seen_on_a_socket() {
    use clew_event::query::QueryEvent;

    let mut it = Stream::new();
    let trace = Text::from(format!("00-{}-00f067aa0ba902b7-01", "a".repeat(32)));
    let request = Arc::new(HttpRequest { trace: trace.clone(), ..HttpRequest::default() });
    let a = it.http((10, 10), HttpEvent { is_inbound: true, request, ..<_>::default() }, 0);
    let query = EventKind::Query(Box::new(QueryEvent { trace, ..QueryEvent::default() }));
    let told = it.tell(event(None, EventType::DbQuery, query), 0, 1);
    assert_eq!(thousandths(&it.causes(&told)), [(a, 1000)]);
}

#[test]
fn a_credential_that_a_process_was_handed_is_of_that_process() {
    use clew_event::http::IssuedCredential;

    use crate::identity::key::{Identity, IdentityKind};

    let mut it = Stream::new();
    let sent = it.http((10, 10), asking("/latest/meta-data/iam/security-credentials/role"), 0);
    let issued = IssuedCredential { id: "ASIAEXAMPLE".into(), ..IssuedCredential::default() };
    let response = HttpResponse { issued: Some(Box::new(issued)), ..HttpResponse::default() };
    let response = Some(Box::new(response));
    it.http((10, 10), HttpEvent { exchange: sent, response, ..HttpEvent::default() }, 1);
    let credential = Identity::new(IdentityKind::Credential, "ASIAEXAMPLE");
    let now = event(None, EventType::Other, EventKind::Lost(<_>::default())).time;
    let lineage = it.context.identities().lineage(&credential, now).expect("known");
    assert_eq!(lineage.root, Identity::new(IdentityKind::Process, key(10).to_string()));
}

#[test]
fn a_response_without_its_request_and_a_request_told_twice_change_nothing() {
    let mut it = Stream::new();
    it.answer((10, 10), EventId(77), 0);
    assert_eq!(it.context.counts().requests, 0);
    let a = it.read((10, 10), "/a", 1);
    let again =
        EventKind::Http(Box::new(HttpEvent { exchange: a, is_inbound: true, ..asking("/a") }));
    let mut again = event(Some((10, HOST)), EventType::HttpRequest, again);
    again.id = a;
    it.context.observe(&again);
    assert_eq!(it.acts((10, 10), 2), [(a, 1000)]);
}

#[test]
fn a_request_without_a_response_ends_after_request_life_or_with_its_process() {
    let life = u32::try_from(REQUEST_LIFE.as_millis()).unwrap();
    let mut it = Stream::new();
    let a = it.read((10, 10), "/a", 0);
    let b = it.read((20, 20), "/b", life - 1);
    assert_eq!(it.acts((10, 10), life - 1), [(a, 1000)]);
    let c = it.read((30, 30), "/c", life);
    assert_eq!(it.acts((10, 10), life), []);
    it.exit(20, life);
    assert_eq!(it.acts((20, 20), life), []);
    assert_eq!(it.acts((30, 30), life), [(c, 1000)]);
    assert_eq!((it.context.counts().requests, b), (1, EventId(2)));
}

#[test]
fn requests_beyond_a_bound_are_given_up_and_counted() {
    let mut it = Stream::within(Limits { requests_max: 3, ..Limits::default() });
    for n in 0..5 {
        it.read((10 + n, 10), "/", n);
    }
    let counts = it.context.counts();
    assert_eq!(counts.requests, 3);
    assert!(2 <= counts.requests_dropped, "{counts:?}");
    assert_eq!(Limits::default().requests_max, REQUESTS_MAX);

    let mut it = Stream::new();
    for n in 0..=u32::try_from(OF_PROCESS_MAX).unwrap() {
        it.read((10, 10), "/", n);
    }
    assert_eq!((it.context.counts().requests, it.context.counts().requests_dropped), (1024, 1));

    let mut it = Stream::new();
    let large = vec![b'x'; REQUEST_BYTES_MAX / 4];
    for n in 0..8 {
        let request = HttpRequest { body: large.clone().into(), ..HttpRequest::default() };
        let request = Arc::new(request);
        it.http((10, 10), HttpEvent { is_inbound: true, request, ..HttpEvent::default() }, n);
    }
    assert_eq!((it.context.counts().requests, it.context.counts().requests_dropped), (3, 5));
}

#[test]
fn threads_beyond_threads_max_and_processes_beyond_handlers_max_are_not_followed() {
    let mut it = Stream::new();
    let a = it.read((10, 10), "/", 0);
    it.read((10, 11), "/", 0);
    let threads = u32::try_from(THREADS_MAX).unwrap();
    for tid in 0..=threads {
        it.thread((10, 10), 100 + tid, 1);
    }
    assert_eq!(it.acts((10, 99 + threads), 2), [(a, 1000)]);
    assert_eq!(it.acts((10, 100 + threads), 2).len(), 2, "like one of a pool");
    for child in 0..u32::try_from(HANDLERS_MAX).unwrap() {
        it.fork((10, 10), 1_000 + child, 3);
    }
    assert_eq!(it.context.counts().requests_dropped, 1);
    assert_eq!(it.acts((1_000, 1_000), 4), []);
    assert_eq!(it.acts((1_001, 1_001), 4), [(a, 1000)]);
}

proptest! {
    #[test]
    fn whatever_happens_bounds_hold_and_probabilities_sum_to_one_at_most(
        steps in prop::collection::vec((0..8_u8, 1..5_u32, 1..5_u32, 0..400_u32), 0..120)
    ) {
        let mut it = Stream::within(Limits { requests_max: 4, ..Limits::default() });
        let mut known = vec![EventId(0)];
        for (what, pid, other, seconds) in steps {
            let (at, ms) = ((pid, other), seconds * 1000);
            match what {
                0 | 1 => known.push(it.read(at, "/", ms)),
                2 => it.answer(at, known[known.len() * pid as usize / 5], ms),
                3 => it.fork(at, other, ms),
                4 => it.thread(at, other, ms),
                5 => it.exit(pid, ms),
                6 => drop(it.http(at, asking("/"), ms)),
                _ => drop(it.tell(exec((pid, HOST), program("p", "p")), other, ms)),
            }
            let sum: u32 = it.acts((other, pid), ms).iter().map(|(_, part)| part).sum();
            prop_assert!(sum <= 1004, "{sum}");
            let counts = it.context.counts();
            prop_assert!(counts.requests <= 4 && counts.requests_held <= 4, "{counts:?}");
        }
        for pid in 1..5 {
            it.exit(pid, 0);
        }
        it.context.observe(&event(None, EventType::Other, EventKind::Lost(<_>::default())));
        let counts = it.context.counts();
        prop_assert_eq!((counts.requests, counts.requests_held), (0, 0));
    }
}
