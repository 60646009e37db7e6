//! A server under test, and a client that sends exactly the bytes it is given.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic, in its helpers too")]
#![allow(dead_code, reason = "each test takes a part of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use clew_server::{Server, ServerHandle, Settings, Status};
use clew_store::{Store, StoreReader};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Settings with a free port.
pub(crate) fn settings() -> Settings {
    Settings { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() }
}

/// A server on a free port over `reader`.
pub(crate) fn serve(reader: StoreReader) -> ServerHandle {
    Server::start(&settings(), reader, Status::default()).expect("a free port")
}

/// A store in `folder` with all attacks of the fixture.
pub(crate) fn filled_store(folder: &Path) -> Store {
    let mut store = Store::open(folder).expect("a fresh folder");
    crate::fixture::shop::attack().put(&mut store);
    crate::fixture::small::all().iter().for_each(|attack| attack.put(&mut store));
    store
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(given, _)| *given == name).map(|(_, value)| value).next()
    }
}

/// The answer to a GET of `path`.
pub(crate) fn get(server: &ServerHandle, path: &str) -> Answer {
    let host = server.address().to_string();
    get_as(server, path, &[("Host", &host)])
}

/// The answer to a GET with these headers and no others.
pub(crate) fn get_as(server: &ServerHandle, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = send(server, path, headers, "close");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer before the deadline");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn send(
    server: &ServerHandle,
    path: &str,
    headers: &[(&str, &str)],
    connection: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("a listening server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a listening server");
    stream
}

/// An open live stream.
#[derive(Debug)]
pub(crate) struct Live(BufReader<TcpStream>);

/// Opens the live stream.
pub(crate) fn live(server: &ServerHandle) -> Live {
    let host = server.address().to_string();
    Live(BufReader::new(send(server, "/api/live", &[("Host", &host)], "keep-alive")))
}

impl Live {
    /// The body of the next event called `name`.
    pub(crate) fn next(&mut self, name: &str) -> serde_json::Value {
        let deadline = Instant::now() + DEADLINE;
        let mut is_next = false;
        while Instant::now() < deadline {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line before the deadline");
            match line.trim_end().split_once(": ") {
                Some(("event", event)) => is_next = event == name,
                Some(("data", body)) if is_next => {
                    return serde_json::from_str(body).expect("JSON");
                }
                _ => {}
            }
        }
        panic!("no `{name}` before the deadline")
    }
}
