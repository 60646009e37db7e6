//! Connections, with TLS or without, at most so many at once.
//!
//! A handshake has a task of its own and a time, so that one that hangs keeps nobody else waiting.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use crate::error::StartError;
use crate::queue::Feed;

/// Connections of one receiver at once; further ones wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 128;
/// How long a handshake may take.
const HANDSHAKE_SPAN: Duration = Duration::from_secs(10);

/// Reads certificate chain and key; `protocols` are offered, the best first.
pub(super) fn config(
    name: &str,
    (cert, key): (&Path, &Path),
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, StartError> {
    let content = |path: &Path, expected| StartError::Content {
        name: name.to_owned(),
        path: path.to_owned(),
        expected,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|_| content(cert, "certificate in PEM"))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|_| content(key, "key in PEM"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|_| content(key, "key that fits the certificate"))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Gives connections whose handshake is done.
pub(super) struct Listener {
    ready: mpsc::Receiver<Connection>,
    address: SocketAddr,
}

impl Listener {
    /// Accepts on a task until it is dropped or the intake stops.
    pub(super) fn start(socket: TcpListener, tls: Option<Arc<ServerConfig>>, feed: &Feed) -> Self {
        let address = socket.local_addr().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let (sender, ready) = mpsc::channel(1);
        let tls = tls.map(TlsAcceptor::from);
        let feed = feed.clone();
        feed.handle.clone().spawn(async move {
            tokio::select! {
                () = feed.stopped() => {}
                () = accept_all(socket, tls, sender) => {}
            }
        });
        Self { ready, address }
    }
}

async fn accept_all(
    mut socket: TcpListener,
    tls: Option<TlsAcceptor>,
    sender: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        // It waits by itself where the machine has no descriptors left.
        let (stream, _) = axum::serve::Listener::accept(&mut socket).await;
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE_SPAN, shake(stream, tls)).await;
            if let Ok(Ok(stream)) = shaken {
                // Where nobody listens any more the connection is closed.
                sender.send(Connection { stream, _place: place }).await.ok();
            }
        });
    }
}

async fn shake(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    Ok(match tls {
        None => Box::pin(stream),
        Some(tls) => Box::pin(tls.accept(stream).await?),
    })
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => (connection, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}
type Stream = Pin<Box<dyn Duplex>>;

/// A connection and its place among [`CONNECTIONS_MAX`].
pub(super) struct Connection {
    stream: Stream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}
