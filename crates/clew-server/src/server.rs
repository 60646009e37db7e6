//! Runs the server on a thread of its own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use clew_store::StoreReader;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::api::{self, Shared};
use crate::error::ServerError;
use crate::listener::BoundedListener;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::settings::{Exposure, Settings};
use crate::update::{Status, Update};

/// Threads that wait for the disk; there is one connection, so more would only queue.
const DISK_THREADS: usize = 2;

/// The HTTP server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Listens, and answers from `reader` and what is published, until the handle stops it or is
    /// dropped. `status` is how things stand until the first one is published.
    ///
    /// # Errors
    /// Where the address can be reached from elsewhere and `settings` do not say so, where it
    /// cannot be listened on, or where no thread can be made.
    pub fn start(
        settings: &Settings,
        reader: StoreReader,
        status: Status,
    ) -> Result<ServerHandle, ServerError> {
        let Settings { address, exposure } = *settings;
        if exposure == Exposure::LoopbackOnly && !address.ip().is_loopback() {
            return Err(ServerError::Exposed { address });
        }
        let listening = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let hub = Arc::new(Hub::with_status(status));
        let shared = Shared { hub: Arc::clone(&hub), reader: Arc::new(Mutex::new(reader)) };
        let (stop, stopped) = oneshot::channel();
        let starting = |source| ServerError::Thread { source };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(DISK_THREADS)
            .build()
            .map_err(starting)?;
        let thread = thread::Builder::new()
            .name("clew-server".to_owned())
            .spawn(move || serve(&runtime, listener, (shared, exposure), stopped))
            .map_err(starting)?;
        Ok(ServerHandle {
            publisher: Publisher { hub },
            address,
            running: Some(Running { stop, thread }),
        })
    }
}

/// Answers until it is told to stop. What is under way then is cut off: open pages connect anew.
fn serve(
    runtime: &Runtime,
    listener: TcpListener,
    (shared, exposure): (Shared, Exposure),
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    runtime.block_on(async {
        let listener = BoundedListener::over(tokio::net::TcpListener::from_std(listener)?);
        let serving = axum::serve(listener, api::router(shared, exposure));
        tokio::select! {
            outcome = serving.into_future() => outcome,
            _ = stopped => Ok(()),
        }
    })
}

/// The owner's end of a running server; it ends with it.
#[derive(Debug)]
pub struct ServerHandle {
    publisher: Publisher,
    address: SocketAddr,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl ServerHandle {
    /// Hands `update` to every open page. Never waits.
    pub fn publish(&self, update: Update) {
        self.publisher.publish(update);
    }

    /// A publisher for another thread.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Where the page is: `http://127.0.0.1:7373/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where the page of one story is.
    #[must_use]
    pub fn story_url(&self, id: clew_event::StoryId) -> String {
        format!("{}#/story/{id}", self.url())
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server and joins its thread.
    ///
    /// # Errors
    /// Where it had ended by itself, with the reason.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(Running { stop, thread }) = self.running.take() else { return Ok(()) };
        // An error says that it has already ended; joining tells why.
        stop.send(()).ok();
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the server's thread panicked")))
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        // There is nobody to tell; who wants to know calls `stop`.
        self.end().ok();
    }
}

/// Hands updates to every open page, from any thread.
#[derive(Clone, Debug)]
pub struct Publisher {
    hub: Arc<Hub>,
}

impl Publisher {
    /// Hands `update` to every open page. Never waits.
    pub fn publish(&self, update: Update) {
        self.hub.publish(update);
    }

    /// Puts the figures of `/metrics` in place. Never waits longer than one page of them takes.
    pub fn publish_metrics(&self, metrics: Metrics) {
        self.hub.publish_metrics(metrics);
    }
}
