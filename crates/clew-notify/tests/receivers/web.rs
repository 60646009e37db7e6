//! A real HTTP or HTTPS server that answers as a test tells it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Says this code.
    Code(u16),
    /// Says 200 with so many bytes.
    Long(usize),
    /// Says nothing for as long as the client waits.
    Hang,
}

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Request line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

type Rule = dyn Fn(usize) -> Answer + Send + Sync;

/// A listening server; it ends with the value.
pub(crate) struct WebServer {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Receiver<Request>,
    pub(crate) connections: Arc<AtomicUsize>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the threads of all connections share.
#[derive(Clone)]
struct Shared {
    rule: Arc<Rule>,
    requests: Sender<Request>,
    request_count: Arc<AtomicUsize>,
    tls: Option<Arc<ServerConfig>>,
}

impl WebServer {
    /// Serves HTTP; `rule` is asked with the number of the request.
    pub(crate) fn start(rule: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(rule), None)
    }

    /// Serves HTTPS by the certificate of `tests/certificates`.
    pub(crate) fn start_tls() -> Self {
        let chain = CertificateDer::from_pem_file(certificate("server.pem")).expect("PEM");
        let key = PrivateKeyDer::from_pem_file(certificate("server.key")).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("a key that fits");
        Self::with(Arc::new(|_| Answer::Code(200)), Some(Arc::new(config)))
    }

    fn with(rule: Arc<Rule>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let shared = Shared { rule, requests: sender, request_count: Arc::default(), tls };
        let (counted, stopped) = (Arc::clone(&connections), Arc::clone(&is_stopped));
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming().flatten() {
                    if stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                    let shared = shared.clone();
                    scope.spawn(move || shared.serve(stream));
                }
            });
        });
        Self { address, requests, connections, is_stopped, thread: Some(thread) }
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        TcpStream::connect(self.address).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).ok();
        match &self.tls {
            None => self.answer_all(stream),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).expect("a session");
                self.answer_all(StreamOwned::new(session, stream));
            }
        }
    }

    /// Answers until the client closes.
    fn answer_all<S: Read + Write>(&self, stream: S) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            self.requests.send(request).ok();
            let number = self.request_count.fetch_add(1, Ordering::Relaxed);
            match (self.rule)(number) {
                Answer::Hang => {
                    let mut rest = Vec::new();
                    reader.read_to_end(&mut rest).ok();
                    return;
                }
                Answer::Code(code) => say(reader.get_mut(), code, 2),
                Answer::Long(length) => say(reader.get_mut(), 200, length),
            }
        }
    }
}

/// Writes an answer; who has gone is noticed by the next read.
fn say(stream: &mut impl Write, code: u16, length: usize) {
    let body = "x".repeat(length);
    let answer = format!("HTTP/1.1 {code} X\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).ok();
}

fn read_request<S: Read>(reader: &mut BufReader<S>) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: String::from_utf8(body).ok()? })
}

/// A file of `tests/certificates`.
pub(crate) fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)
}
