//! Takes connections, at most so many at once.
//!
//! Every program of the machine can connect. Without a bound one of them could take all the
//! descriptors that the sensor and the store need; with it, it can only keep others from the page.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once; further ones wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 256;

/// A listener that waits for a free place before it accepts.
#[derive(Debug)]
pub(crate) struct BoundedListener {
    inner: TcpListener,
    places: Arc<Semaphore>,
}

impl BoundedListener {
    pub(crate) fn over(inner: TcpListener) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl axum::serve::Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = axum::serve::Listener::accept(&mut self.inner).await;
        (Connection { stream, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection and its place among [`CONNECTIONS_MAX`].
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::serve::Listener as _;

    use super::*;

    #[tokio::test]
    async fn connections_max_are_taken_and_the_next_when_one_ends() {
        let inner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = inner.local_addr().expect("an address");
        let mut listener = BoundedListener::over(inner);
        let mut clients = Vec::new();
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            clients.push(TcpStream::connect(address).await.expect("room in the queue"));
            taken.push(listener.accept().await);
        }
        clients.push(TcpStream::connect(address).await.expect("room in the queue"));
        let more = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(more.is_err(), "one too many");
        taken.pop();
        listener.accept().await;
    }
}
