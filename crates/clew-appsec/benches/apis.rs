//! Nanoseconds that learning and judging one exchange takes, by how much is known already.
//!
//! Flat is what it must be: tables are looked up by hash, paths are as deep as they are, and what
//! is beyond a bound is given up. 200 principals read one of so many endpoints, or of so many
//! objects of one endpoint; the answer is a document of four fields.
#![allow(missing_docs, reason = "criterion's macros make functions without any")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clew_appsec::api::Apis;
use clew_event::http::{HttpEvent, HttpPrincipal, HttpRequest, HttpResponse, HttpSource};
use clew_event::{Event, EventId, EventKind, EventType, Text, TimestampNs};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [u64; 4] = [100, 1_000, 10_000, 100_000];
const PRINCIPALS: u64 = 200;
/// So many exchanges are made beforehand and used again and again.
const EXCHANGES: u64 = 4_096;

fn exchange(number: u64, path: &str, object: u64) -> (Event, HttpEvent) {
    let user = number % PRINCIPALS;
    let byte = u8::try_from(user).unwrap_or(0);
    let time = TimestampNs::from_unix_ns(1_750_000_000_000_000_000 + number * 50_000_000);
    let id = EventId(u128::from(number));
    let body = format!(r#"{{"id":{object},"total":9.5,"status":"sent","owner":"user{user}"}}"#);
    let http = HttpEvent {
        exchange: id,
        seen_by: HttpSource::Tls,
        is_inbound: true,
        request: Arc::new(HttpRequest {
            method: "GET".into(),
            host: "shop.example".into(),
            path: path.into(),
            query: "page=1&limit=20".into(),
            headers: vec![("user-agent".into(), "Mozilla/5.0".into())],
            client: Some(IpAddr::V4(Ipv4Addr::new(198, 51, byte, 7))),
            principal: Some(HttpPrincipal {
                hash: format!("{user:016x}").into(),
                ..HttpPrincipal::default()
            }),
            ..HttpRequest::default()
        }),
        response: Some(Box::new(HttpResponse {
            status: 200,
            duration_ns: 9_000_000,
            headers: vec![("content-type".into(), "application/json".into())],
            body_bytes: body.len() as u64,
            body: body.into(),
            ..HttpResponse::default()
        })),
        ..HttpEvent::default()
    };
    let event = Event {
        id,
        time,
        arrived: time,
        event_type: EventType::HttpResponse,
        actor: None,
        kind: EventKind::Http(Box::new(http.clone())),
    };
    (event, http)
}

/// The `number`-th exchange over `size` endpoints: each is asked for by two principals in a row.
fn over_endpoints(number: u64, size: u64) -> (Event, HttpEvent) {
    let endpoint = (number / 2) % size;
    exchange(number, &format!("/api/v2/part{}/list{endpoint}", endpoint % 64), 7)
}

/// The same over `size` objects of one endpoint.
fn over_objects(number: u64, size: u64) -> (Event, HttpEvent) {
    let object = number.wrapping_mul(0x9e37_79b9) % size;
    exchange(number, &format!("/api/v2/orders/{object}"), object)
}

/// Makes the `number`-th exchange over so many.
type Make = fn(u64, u64) -> (Event, HttpEvent);

fn observe(criterion: &mut Criterion) {
    let workload = Text::from("shop");
    let kinds: [(&str, Make); 2] = [("endpoints", over_endpoints), ("objects", over_objects)];
    for (kind, make) in kinds {
        let mut group = criterion.benchmark_group(format!("apis {kind}"));
        group.throughput(Throughput::Elements(1));
        for size in SIZES {
            let mut apis = Apis::default();
            let mut found = Vec::new();
            for number in 0..size * 4 {
                let (event, http) = make(number, size);
                apis.observe(&event, &http, &workload, &mut found);
                found.clear();
            }
            // Spread over all that is known.
            let step = (size * 2 / EXCHANGES).max(1) * 2;
            let exchanges: Vec<_> =
                (0..EXCHANGES).map(|number| make(size * 4 + number * step, size)).collect();
            let mut next = exchanges.iter().cycle();
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    if let Some((event, http)) = next.next() {
                        apis.observe(event, http, &workload, &mut found);
                    }
                    black_box(&found);
                    found.clear();
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = observe
}
criterion_main!(benches);
