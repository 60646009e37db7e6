//! How fast connections are read: requests with their responses, and large contents.
//!
//! A request has the fields that a browser sends, and its response those of an application server;
//! a large content is a megabyte in pieces of 16 KiB, as the sensor gives them.
#![allow(missing_docs, reason = "criterion's macros make functions without any")]
#![expect(clippy::expect_used, reason = "a benchmark of broken input has nothing to say")]

use clew_decode::http::{Assembler, Piece};
use clew_event::socket::Endpoints;
use clew_event::{Actor, Event, EventId, TimestampNs};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const FIELDS: [(&str, &str); 9] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("referer", "https://shop.example.com/products?page=2"),
    ("cookie", "theme=dark; sessionid=0123456789abcdef0123456789abcdef"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-request-id", "5b2b7f2e-1df5-4f2c-9a4b-0f4a3d7c9a11"),
    ("cache-control", "no-cache"),
];
const ANSWERED: [(&str, &str); 5] = [
    ("server", "nginx/1.25.3"),
    ("date", "Tue, 24 Nov 2026 18:00:00 GMT"),
    ("content-type", "application/json"),
    ("vary", "Accept-Encoding"),
    ("x-content-type-options", "nosniff"),
];
const BODY: &str = r#"{"id":4711,"name":"A thing","price":19.99,"tags":["a","b","c"],"stock":7}"#;
const LARGE_BYTES: usize = 1 << 20;
const PIECE_BYTES: usize = 16 << 10;
const REQUESTS: u64 = 100;

/// A connection that is fed.
struct Feed {
    assembler: Assembler,
    endpoints: Endpoints,
    events: Vec<Event>,
    connection: u64,
    positions: [u64; 2],
    now: u64,
}

impl Feed {
    fn new() -> Self {
        Self {
            assembler: Assembler::default(),
            endpoints: Endpoints::default(),
            events: Vec::new(),
            connection: 1,
            positions: [0; 2],
            now: 1,
        }
    }

    fn give(&mut self, is_sent: bool, bytes: &[u8]) {
        self.now += 1000;
        let [received, sent] = &mut self.positions;
        let count = if is_sent { sent } else { received };
        let (position, moved) = (*count, bytes.len() as u64);
        *count += moved;
        let piece = Piece {
            id: EventId(u128::from(self.now)),
            time: TimestampNs::from_unix_ns(self.now),
            arrived: TimestampNs::from_unix_ns(self.now),
            actor: Actor::default(),
            connection: self.connection,
            endpoints: &self.endpoints,
            is_accepted: true,
            is_sent,
            is_tls: false,
            is_end: false,
            position,
            moved,
            bytes,
        };
        self.assembler.take(&piece, &mut self.events);
    }

    fn told(&mut self) -> usize {
        let count = self.events.len();
        self.events.clear();
        count
    }
}

fn head(first: &str, fields: &[(&str, &str)]) -> String {
    let fields: String =
        fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first}\r\n{fields}")
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Literals that are not put into the table: the slowest form of usual ones.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.bytes());
        }
    }
    block
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http/requests");
    group.throughput(Throughput::Elements(REQUESTS));
    let request =
        head("GET /products/4711?ref=home HTTP/1.1\r\nHost: shop.example.com", &FIELDS) + "\r\n";
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", BODY.len());
    let response = head(&length, &ANSWERED) + "\r\n" + BODY;
    group.bench_function("http1", |bench| {
        let mut feed = Feed::new();
        bench.iter(|| {
            for _ in 0..REQUESTS {
                feed.give(false, request.as_bytes());
                feed.give(true, response.as_bytes());
            }
            assert_eq!(feed.told() as u64, 2 * REQUESTS);
        });
    });
    let asked = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "shop.example.com"),
        (":path", "/products/4711?ref=home"),
    ];
    let asked = block(&[&asked[..], &FIELDS].concat());
    let answered = block(&[&[(":status", "200")][..], &ANSWERED].concat());
    group.bench_function("http2", |bench| {
        let mut feed = Feed::new();
        feed.give(false, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut stream = 1;
        bench.iter(|| {
            for _ in 0..REQUESTS {
                feed.give(false, &frame(1, 5, stream, &asked));
                let head = frame(1, 4, stream, &answered);
                feed.give(true, &[head, frame(0, 1, stream, BODY.as_bytes())].concat());
                stream = (stream + 2) & 0x7fff_ffff;
            }
            assert_eq!(feed.told() as u64, 2 * REQUESTS);
        });
    });
    group.finish();
}

fn contents(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http/contents");
    group.throughput(Throughput::Bytes(LARGE_BYTES as u64));
    let content = vec![b'x'; LARGE_BYTES];
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
    let chunked: Vec<u8> = content
        .chunks(PIECE_BYTES - 8)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .chain(*b"0\r\n\r\n")
        .collect();
    for (name, head, content) in [
        ("http1", length.as_str(), &content),
        ("http1_chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &chunked),
    ] {
        group.bench_function(name, |bench| {
            let mut feed = Feed::new();
            bench.iter(|| {
                feed.give(false, b"GET / HTTP/1.1\r\n\r\n");
                feed.give(true, head.as_bytes());
                content.chunks(PIECE_BYTES).for_each(|piece| feed.give(true, piece));
                assert_eq!(feed.told(), 2);
            });
        });
    }
    let frames: Vec<Vec<u8>> =
        content.chunks(PIECE_BYTES - 9).map(|piece| frame(0, 0, 0, piece)).collect();
    group.bench_function("http2", |bench| {
        let mut feed = Feed::new();
        feed.give(false, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut frames = frames.clone();
        let mut stream: u32 = 1;
        bench.iter(|| {
            feed.give(false, &frame(1, 5, stream, &block(&[(":method", "GET"), (":path", "/")])));
            feed.give(true, &frame(1, 4, stream, &block(&[(":status", "200")])));
            for frame in &mut frames {
                let number = frame.get_mut(5..9).expect("a frame has a head");
                number.copy_from_slice(&stream.to_be_bytes());
                feed.give(true, frame);
            }
            feed.give(true, &frame(0, 1, stream, b""));
            stream = (stream + 2) & 0x7fff_ffff;
            assert_eq!(feed.told(), 2);
        });
    });
    group.finish();
}

criterion_group!(benches, requests, contents);
criterion_main!(benches);
