//! Plain text of TLS as the sensor tells it, of real programs of every library that it knows.
//!
//! Each server and client is a program of its own. A program that the machine lacks is said aloud;
//! `scripts/setup test` brings it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use clew_event::http::{HttpEvent, HttpSource};
use clew_event::{Actor, Event, EventKind};
use clew_sensor::tls::Selector;
use clew_sensor::{Sensor, Settings};

use crate::watch::{PATIENCE, start};

/// A sensor that looks into the TLS of some programs, and a folder with a certificate.
struct Watch {
    sensor: Sensor,
    events: Vec<Event>,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Watch {
    fn new(executables: &[&str]) -> Option<Self> {
        let settings = Settings { is_runtime_watched: false, ..Settings::default() };
        let (mut sensor, turn) = start(settings)?;
        let selectors = executables.iter().map(|one| Selector::Executable((*one).to_owned()));
        sensor.watch_tls(selectors.collect()).expect("looks into TLS");
        let folder = tempfile::tempdir().expect("a folder");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "key.pem"])
            .args(["-out", "cert.pem"])
            .current_dir(folder.path())
            .output();
        assert!(made.expect("runs openssl").status.success());
        Some(Self { sensor, events: Vec::new(), folder, _turn: turn })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program in the folder; `None`, and loudly, where the machine does not have it.
    fn run(&self, program: &str, arguments: &[&str]) -> Option<Running> {
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        if child.is_err() {
            eprintln!("skipped: there is no `{program}`: run `scripts/setup test`");
        }
        child.ok().map(Running)
    }

    fn poll(&mut self) {
        self.sensor.poll(Duration::from_millis(20), &mut self.events).expect("polls");
    }

    /// Polls until programs are in a file whose path ends like that.
    fn wait_for_file(&mut self, end: &str, is_there: bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.sensor.tls().expect("it runs");
            if status.attached.iter().any(|(path, _)| path.ends_with(end)) == is_there {
                return;
            }
            assert!(Instant::now() < until, "{end}: {status:?}");
            self.poll();
        }
    }

    /// Polls until that many requests of `path` are answered: each with who was seen.
    fn wait_for(&mut self, path: &str, count: usize) -> Vec<(Actor, HttpEvent)> {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.events.iter().filter_map(|event| match &event.kind {
                EventKind::Http(http)
                    if http.request.path == path.into() && http.response.is_some() =>
                {
                    Some((event.actor?, (**http).clone()))
                }
                _ => None,
            });
            let told: Vec<_> = told.collect();
            if count <= told.len() {
                return told;
            }
            let counts = self.sensor.http_counts();
            assert!(Instant::now() < until, "{told:?} {:?} {counts:?}", self.sensor.tls());
            self.poll();
        }
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("an address").port()
}

/// Waits until somebody listens.
fn wait_for_port(port: u16) {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nobody listens on {port}");
        std::thread::yield_now();
    }
}

fn file(watch: &Watch, name: &str, text: &str) -> PathBuf {
    let path = watch.path().join(name);
    std::fs::write(&path, text).expect("writes");
    path
}

/// What the client and the server of one exchange told has to fit together.
fn check_both(told: &[(Actor, HttpEvent)], client: u32, server: u32, port: u16) {
    let of = |pid| told.iter().find(|(actor, _)| actor.process.pid == pid).expect("it was seen");
    let (_, asked) = of(client);
    let (_, served) = of(server);
    assert!(served.is_inbound && !asked.is_inbound, "{told:?}");
    let server_end: SocketAddr = ([127, 0, 0, 1], port).into();
    assert_eq!(asked.endpoints.remote, Some(server_end), "{asked:?}");
    assert_eq!(served.endpoints.local, Some(server_end), "{served:?}");
    assert_eq!(asked.endpoints.local, served.endpoints.remote);
    for (_, event) in told {
        assert_eq!(event.seen_by, HttpSource::Tls);
        assert_eq!(event.response.as_ref().map(|response| response.status), Some(200));
    }
}

const PYTHON_SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"python says " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

const PYTHON_CLIENT: &str = r#"
import http.client, ssl, sys
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]),
    context=ssl._create_unverified_context())
for path in sys.argv[2:]:
    connection.request("GET", path)
    print(connection.getresponse().read().decode())
sys.stdout.flush()
sys.stdin.read()
"#;

#[test]
fn a_python_server_and_client_are_seen_with_both_ends() {
    let Some(mut watch) = Watch::new(&["*/python3*"]) else { return };
    let port = free_port().to_string();
    let server = file(&watch, "server.py", PYTHON_SERVER).display().to_string();
    let client = file(&watch, "client.py", PYTHON_CLIENT).display().to_string();
    let Some(server) = watch.run("python3", &[&server, &port]) else { return };
    wait_for_port(port.parse().expect("a port"));
    let arguments = [client.as_str(), &port, "/one?a=1", "/two"];
    let Some(client) = watch.run("python3", &arguments) else { return };
    let told = watch.wait_for("/two", 2);
    check_both(&told, client.0.id(), server.0.id(), port.parse().expect("a port"));
    let told = watch.wait_for("/one", 2);
    check_both(&told, client.0.id(), server.0.id(), port.parse().expect("a port"));
    assert_eq!(told[0].1.request.query, "a=1".into());
    let body = &told[0].1.response.as_ref().expect("a response").body;
    assert_eq!(body.to_string(), "python says /one?a=1");
    assert_eq!(told[0].1.connection, watch.wait_for("/two", 2)[0].1.connection);
}
