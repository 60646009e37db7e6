//! Receivers: programs elsewhere send records by HTTP.
//!
//! A request is known by its token before anything of its body is read, one of SNS by the
//! signature in its body before anything else of that is. It is answered 200 once its
//! events are committed, so that a sender that keeps what was not acknowledged loses nothing; 429
//! where the queue is full.

mod auth;
mod event_grid;
mod fetch;
mod google;
mod otlp;
mod packed;
mod sns;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clew_decode::api_log::{self, Decoded};
use tokio::net::TcpListener;

use crate::error::StartError;
use crate::intake::now;
use crate::queue::{Feed, Place};
use crate::spec::{ReceiverSpec, Sender};
use auth::Guard;
use otlp::Export;
pub use otlp::GRPC_BYTES_MAX;
pub use sns::MESSAGE_BYTES_MAX;
use sns::Opened;

/// Longest body that is read; an API server splits its batches well below.
pub const BODY_BYTES_MAX: usize = 32 << 20;
/// How long a body may take to arrive, and then to be committed.
const REQUEST_SPAN: Duration = Duration::from_secs(30);
/// What a sender is asked to wait when the queue is full.
const RETRY_SECONDS: &str = "2";

/// A socket that listens, and who may send to it.
#[derive(Debug)]
pub(crate) struct Receiver {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    service: Arc<Service>,
}

/// What a sender is told.
enum Answer {
    /// What it sent is kept.
    Taken,
    /// What it asked of us before it sends, in JSON.
    Handshake(String),
    /// What it exported is kept.
    Exported(Export),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Taken => StatusCode::OK.into_response(),
            Self::Exported(export) => export.taken(),
            Self::Handshake(text) => {
                ([(header::CONTENT_TYPE, "application/json")], text).into_response()
            }
        }
    }
}

#[derive(Debug)]
struct Service {
    name: String,
    guard: Guard,
    feed: Feed,
}

impl Receiver {
    pub(crate) fn open(name: &str, spec: &ReceiverSpec, feed: Feed) -> Result<Self, StartError> {
        let address = spec.address;
        let tls = match &spec.tls {
            Some((cert, key)) => {
                let protocols: &[&[u8]] = match spec.sender {
                    Sender::Otlp { .. } => &[b"h2", b"http/1.1"],
                    _ => &[b"http/1.1"],
                };
                Some(tls::config(name, (cert, key), protocols)?)
            }
            None if address.ip().is_loopback() => None,
            None => return Err(StartError::InTheClear { name: name.to_owned(), address }),
        };
        let guard = Guard::of(name, &spec.sender)?;
        let listener = {
            // A tokio socket belongs to the runtime that is entered when it is made.
            let _entered = feed.handle.enter();
            std::net::TcpListener::bind(address)
                .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
                .and_then(TcpListener::from_std)
                .map_err(|source| StartError::Listen { name: name.to_owned(), address, source })?
        };
        if let Ok(address) = listener.local_addr() {
            let scheme = if tls.is_some() { "https" } else { "http" };
            feed.shared.change(|figures| figures.address = format!("{scheme}://{address}/"));
        }
        let service = Arc::new(Service { name: name.to_owned(), guard, feed });
        Ok(Self { listener, tls, service })
    }

    /// Serves until the intake stops.
    pub(crate) fn run(self) {
        let Self { listener, tls, service } = self;
        let feed = service.feed.clone();
        let router = Router::new()
            .route("/", post(take))
            .route("/{*path}", post(take))
            .with_state(Arc::clone(&service));
        let listener = tls::Listener::start(listener, tls, &feed);
        let served = feed.wait(async { axum::serve(listener, router).await });
        if let Some(Err(error)) = served {
            feed.shared.fail(format!("it no longer listens: {error}"));
        }
    }
}

async fn take(State(service): State<Arc<Service>>, request: Request<Body>) -> Response {
    let is_grpc = matches!(service.guard, Guard::Otlp(_)) && otlp::is_grpc(request.headers());
    match tokio::time::timeout(REQUEST_SPAN, service.take(request)).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(refusal)) if is_grpc => otlp::refusal(refusal),
        Err(_) if is_grpc => otlp::refusal(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(StatusCode::TOO_MANY_REQUESTS)) => {
            let retry = [(header::RETRY_AFTER, RETRY_SECONDS)];
            (StatusCode::TOO_MANY_REQUESTS, retry).into_response()
        }
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

impl Service {
    async fn take(&self, request: Request<Body>) -> Result<Answer, StatusCode> {
        let (head, body) = request.into_parts();
        if !self.guard.admits(&head).await {
            return Err(self.refuse(StatusCode::UNAUTHORIZED));
        }
        let export = match self.guard {
            Guard::Otlp(_) => Some(Export::of(&head).ok_or(StatusCode::NOT_FOUND)?),
            _ => None,
        };
        let longest = match self.guard {
            Guard::Sns(_) => MESSAGE_BYTES_MAX,
            Guard::Otlp(_) if otlp::is_grpc(&head.headers) => GRPC_BYTES_MAX + otlp::PREFIX_BYTES,
            _ => BODY_BYTES_MAX,
        };
        let length = length(&head.headers).unwrap_or(longest);
        if longest < length {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut place = self.place(length)?;
        let body = to_bytes(body, longest).await;
        let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        // How long a message of gRPC is was not known before.
        drop(place.split(length.saturating_sub(body.len())));
        if matches!(self.guard, Guard::EventGrid(_))
            && let Some(answer) = event_grid::handshake(&head.headers, &body)?
        {
            return Ok(Answer::Handshake(answer));
        }
        let body = match export {
            Some(export) => export.message(body)?,
            None => body,
        };
        let Some(body) = self.open(body).await? else { return Ok(Answer::Taken) };
        let (body, room) = self.unpack(body).await?;
        room.into_iter().for_each(|room| place.merge(room));
        let decoded = self.decode(body, export).await;
        let receipt = self.feed.hand(decoded, Vec::new(), Some(place));
        receipt.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(export.map_or(Answer::Taken, Answer::Exported))
    }

    fn refuse(&self, status: StatusCode) -> StatusCode {
        self.feed.shared.change(|figures| figures.refused += 1);
        status
    }

    /// What is to be read of a body; `None` where that is nothing.
    async fn open(&self, body: Bytes) -> Result<Option<Bytes>, StatusCode> {
        let Guard::Sns(sns) = &self.guard else { return Ok(Some(body)) };
        match sns.open(&body, now()).await {
            None => Err(self.refuse(StatusCode::FORBIDDEN)),
            Some(Opened::Message(message)) => Ok(Some(message.into())),
            Some(Opened::Confirm(address)) => {
                self.feed.shared.note(format!("SNS asks to confirm: open {address}"));
                Ok(None)
            }
            Some(Opened::Nothing) => Ok(None),
        }
    }

    /// A body as it is read. Of a packed one the length that it tells has to have room too, and no
    /// more than that is unpacked.
    async fn unpack(&self, body: Bytes) -> Result<(Bytes, Option<Place>), StatusCode> {
        let Some(length) = packed::length(&body)? else { return Ok((body, None)) };
        let room = self.place(length)?;
        let unpacked = tokio::task::spawn_blocking(move || packed::unpack(&body, length)).await;
        let unpacked = unpacked.unwrap_or(Err(StatusCode::INTERNAL_SERVER_ERROR));
        Ok((unpacked?, Some(room)))
    }

    /// Room for so many bytes, or the answer to come again.
    fn place(&self, length: usize) -> Result<Place, StatusCode> {
        self.feed.try_place(length).ok_or_else(|| {
            self.feed.shared.change(|figures| figures.throttled += 1);
            StatusCode::TOO_MANY_REQUESTS
        })
    }

    /// Decodes beside the threads that wait on sockets.
    async fn decode(&self, body: Bytes, export: Option<Export>) -> Decoded {
        let (name, http) = (self.name.clone(), Arc::clone(&self.feed.http));
        let decoded = tokio::task::spawn_blocking(move || match export {
            None => api_log::decode(&name, &body),
            Some(Export { signal, encoding, .. }) => {
                clew_decode::otlp::decode(&http, &name, (signal, encoding), &body)
            }
        });
        // A decoder does not panic; where it were to, its request is not answered 200 for nothing.
        decoded.await.unwrap_or_default()
    }
}

/// The length of a body, where it is told.
fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
