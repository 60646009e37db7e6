//! How many requests a core judges: ordinary ones, and attacks.
#![allow(missing_docs, reason = "a bench has no readers of its interface")]

use std::hint::black_box;
use std::sync::Arc;

use clew_appsec::attack::Attacks;
use clew_event::http::{HttpEvent, HttpRequest};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36";

fn event(method: &str, path: &str, query: &str, body: &str) -> HttpEvent {
    let headers = [
        ("host", "shop.example"),
        ("user-agent", AGENT),
        ("accept", "text/html,application/xhtml+xml"),
        ("accept-language", "en-US,en;q=0.9"),
        ("referer", "https://shop.example/catalog?page=2"),
        ("content-type", "application/json"),
    ];
    let request = HttpRequest {
        method: method.into(),
        host: "shop.example".into(),
        path: path.into(),
        query: query.into(),
        headers: headers.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        body: body.into(),
        ..HttpRequest::default()
    };
    HttpEvent { is_inbound: true, request: Arc::new(request), ..HttpEvent::default() }
}

fn judge(criterion: &mut Criterion) {
    let attacks = Attacks::new();
    let ordinary = [
        event("GET", "/static/css/site.css", "v=20260102", ""),
        event("GET", "/catalog/shoes", "page=2&sort=price_desc&color=dark+blue", ""),
        event("GET", "/api/v1/orders/8c1f0a52-6a1e-4a7e-9d0a-5b1f0a526a1e", "", ""),
        event("POST", "/api/v1/cart", "", r#"{"sku":"A-1029","count":2,"note":"a gift for Ann"}"#),
    ];
    let hostile = [
        event("GET", "/item", "id=1%27%20UNION%20SELECT%20a,b%20FROM%20users--%20", ""),
        event("GET", "/view", "f=..%252f..%252fetc%252fpasswd", ""),
    ];
    let mut group = criterion.benchmark_group("judge");
    for (name, events) in [("ordinary", &ordinary[..]), ("hostile", &hostile[..])] {
        group.throughput(Throughput::Elements(u64::try_from(events.len()).unwrap_or(1)));
        group.bench_function(name, |bencher| {
            let mut found = Vec::new();
            bencher.iter(|| {
                found.clear();
                for event in events {
                    attacks.judge(black_box(event), &mut found);
                }
                found.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
