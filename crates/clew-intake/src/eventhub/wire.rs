//! A connection: TLS, who we are by SASL PLAIN, and frames to and fro.
//!
//! One task reads and writes. While it waits for anything, it says in time that it is still there.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::account::Account;
use super::frame::{self, FRAME_BYTES_MAX, Frame, Layer};
use super::value::Value;

/// After how long without a word a connection counts as broken; we ask to hear twice within it.
const SILENCE_SPAN: Duration = Duration::from_secs(120);
/// How often we say that we are there, where we are not asked for more.
const BEAT_SPAN: Duration = Duration::from_secs(30);
/// How long sending may take.
const SEND_SPAN: Duration = Duration::from_secs(30);

const SASL: &[u8; 8] = b"AMQP\x03\x01\x00\x00";
const AMQP: &[u8; 8] = b"AMQP\x00\x01\x00\x00";

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// An open connection.
pub(super) struct Wire {
    stream: Pin<Box<dyn Duplex>>,
    received: Vec<u8>,
    layer: Layer,
    beat_span: Duration,
    beat: Instant,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// The machine's own authorities.
pub(super) fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl Wire {
    /// Connects, proves who we are, and opens.
    pub(super) async fn open(account: &Account, roots: RootCertStore) -> Result<Self, String> {
        let (host, port) = (&*account.host, account.port);
        let stream = TcpStream::connect((host, port)).await.map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        let stream: Pin<Box<dyn Duplex>> = if account.is_plain {
            Box::pin(stream)
        } else {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(told)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(host.to_owned()).map_err(told)?;
            Box::pin(
                TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(told)?,
            )
        };
        let mut wire = Self::over(stream);
        wire.prove(account).await?;
        wire.layer = Layer::Amqp;
        wire.greet(AMQP).await?;
        let name = Value::text(&format!("clew-{}", std::process::id()));
        let idle_ms = u32::try_from(SILENCE_SPAN.as_millis() / 2).unwrap_or(u32::MAX);
        wire.send(&Frame::of(
            frame::OPEN,
            vec![
                name,
                Value::text(host),
                Value::Uint(u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX)),
                Value::Ushort(0),
                Value::Uint(idle_ms),
            ],
        ))
        .await?;
        let open = wire.expect(frame::OPEN).await?;
        if let Some(idle_ms) = open.number(4).filter(|idle_ms| 0 < *idle_ms) {
            wire.beat_span = BEAT_SPAN.min(Duration::from_millis((idle_ms / 2).max(100).into()));
            wire.beat = Instant::now() + wire.beat_span;
        }
        Ok(wire)
    }

    fn over(stream: Pin<Box<dyn Duplex>>) -> Self {
        let (received, beat) = (Vec::new(), Instant::now() + BEAT_SPAN);
        Self { stream, received, layer: Layer::Sasl, beat_span: BEAT_SPAN, beat }
    }

    /// Both ends of one that is open already.
    #[cfg(test)]
    pub(super) fn pair() -> [Self; 2] {
        let (one, other) = tokio::io::duplex(1 << 20);
        [one, other].map(|end| Self { layer: Layer::Amqp, ..Self::over(Box::pin(end)) })
    }

    async fn prove(&mut self, account: &Account) -> Result<(), String> {
        self.greet(SASL).await?;
        let offered = self.expect(frame::MECHANISMS).await?;
        let one = std::slice::from_ref(offered.field(0));
        let mut names = offered.field(0).items().iter().chain(one);
        if !names.any(|name| name.as_text() == Some("PLAIN")) {
            return Err("the server does not take a key by SASL PLAIN".into());
        }
        let proof = format!("\0{}\0{}", account.key_name, account.key);
        let fields =
            vec![Value::symbol("PLAIN"), Value::Bytes(proof.into()), Value::text(&account.host)];
        self.send(&Frame::of(frame::INIT, fields)).await?;
        match self.expect(frame::OUTCOME).await?.number(0) {
            Some(0) => Ok(()),
            Some(1) => Err(format!("key `{}` was refused", account.key_name)),
            _ => Err("the server could not look at the key".into()),
        }
    }

    async fn greet(&mut self, ours: &[u8; 8]) -> Result<(), String> {
        self.write(ours).await?;
        while self.received.len() < ours.len() {
            self.fill(None).await?;
        }
        let theirs: Vec<u8> = self.received.drain(..ours.len()).collect();
        if theirs == ours { Ok(()) } else { Err("the server does not speak AMQP 1.0".into()) }
    }

    /// The next frame, which has to say this.
    pub(super) async fn expect(&mut self, code: u64) -> Result<Frame, String> {
        loop {
            match self.frame(None).await? {
                Some(frame) if frame.code == code => return Ok(frame),
                Some(frame) if frame.code == frame::CLOSE => return Err(closed(&frame)),
                Some(frame) if !frame.is_empty() => {
                    return Err(format!("frame {:#x} came instead of {code:#x}", frame.code));
                }
                _ => {}
            }
        }
    }

    /// The next frame, or `None` at that time. Nothing is lost when it is given up.
    pub(super) async fn frame(&mut self, until: Option<Instant>) -> Result<Option<Frame>, String> {
        loop {
            if let Some(frame) = frame::next(&mut self.received, self.layer)? {
                return Ok(Some(frame));
            }
            if !self.fill(until).await? {
                return Ok(None);
            }
        }
    }

    /// Waits for bytes; false where that time comes first.
    async fn fill(&mut self, until: Option<Instant>) -> Result<bool, String> {
        let silence = Instant::now() + SILENCE_SPAN;
        self.received.reserve(FRAME_BYTES_MAX);
        loop {
            let end = until.unwrap_or(silence).min(silence).min(self.beat);
            let read = tokio::time::timeout_at(end, self.stream.read_buf(&mut self.received)).await;
            match read {
                Ok(Ok(0)) => return Err("the server hung up".into()),
                Ok(read) => return read.map(|_| true).map_err(told),
                Err(_) if self.beat <= Instant::now() => self.send(&Frame::default()).await?,
                Err(_) if until.is_some_and(|until| until <= Instant::now()) => return Ok(false),
                Err(_) if silence <= Instant::now() => {
                    return Err(format!("nothing was heard for {} s", SILENCE_SPAN.as_secs()));
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for something else, and says meanwhile that we are there.
    pub(super) async fn while_alive<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, String> {
        tokio::pin!(work);
        loop {
            match tokio::time::timeout_at(self.beat, &mut work).await {
                Ok(done) => return Ok(done),
                Err(_) => self.send(&Frame::default()).await?,
            }
        }
    }

    pub(super) async fn send(&mut self, frame: &Frame) -> Result<(), String> {
        self.write(&frame.write(self.layer)).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        self.beat = Instant::now() + self.beat_span;
        let written = tokio::time::timeout(SEND_SPAN, write).await;
        written.map_err(|_| "the server takes nothing any more".to_owned())?.map_err(told)
    }
}

/// Why the server closes.
pub(super) fn closed(frame: &Frame) -> String {
    format!("the server closed the connection: {}", frame.error(0))
}

/// An error with its causes.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn certificate(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../clew-notify/tests/certificates").join(name)
    }

    fn trusting(names: &[&str]) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for name in names {
            roots.add(CertificateDer::from_pem_file(certificate(name)).unwrap()).unwrap();
        }
        roots
    }

    /// A server that wants to hear us each 200 ms; ends once it was told that we are there.
    async fn serve(listener: TcpListener, proof: &str) -> Result<(), String> {
        let chain = vec![CertificateDer::from_pem_file(certificate("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .unwrap();
        let (stream, _) = listener.accept().await.map_err(told)?;
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.map_err(told)?;
        let mut wire = Wire::over(Box::pin(stream));
        wire.greet(SASL).await?;
        wire.send(&Frame::of(frame::MECHANISMS, vec![Value::symbol("PLAIN")])).await?;
        let asked = wire.expect(frame::INIT).await?;
        let is_known = *asked.field(1) == Value::Bytes(proof.into());
        let outcome = Value::Ubyte(if is_known { 0 } else { 1 });
        wire.send(&Frame::of(frame::OUTCOME, vec![outcome])).await?;
        wire.layer = Layer::Amqp;
        wire.greet(AMQP).await?;
        wire.expect(frame::OPEN).await?;
        let fields = [vec![Value::text("s")], vec![Value::Null; 3], vec![Value::Uint(200)]];
        wire.send(&Frame::of(frame::OPEN, fields.concat())).await?;
        let heard = wire.frame(None).await?.unwrap();
        if heard.is_empty() { Ok(()) } else { Err(format!("{heard:?}")) }
    }

    async fn meet(roots: RootCertStore, proof: &str) -> (Result<(), String>, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (key_name, key) = ("listen".to_owned(), "k3y".to_owned());
        let host = "localhost".to_owned();
        let account = Account { host, port, is_plain: false, key_name, key };
        let client = async {
            // How the server leaves does not matter.
            Wire::open(&account, roots).await?.frame(None).await.ok();
            Ok(())
        };
        tokio::join!(serve(listener, proof), client)
    }

    #[tokio::test]
    async fn a_server_is_told_in_time_that_we_are_there() {
        let met = meet(trusting(&["authority.pem"]), "\0listen\0k3y").await;
        assert_eq!(met.0, Ok(()));
    }

    #[tokio::test]
    async fn a_key_is_sent_to_no_server_that_no_authority_knows() {
        let (server, client) = meet(trusting(&["stranger.pem"]), "").await;
        assert!(client.unwrap_err().starts_with("invalid peer certificate"), "{server:?}");
        assert!(server.is_err());
        let refused = meet(trusting(&["authority.pem"]), "\0listen\0other").await.1;
        assert_eq!(refused, Err("key `listen` was refused".to_owned()));
    }
}
