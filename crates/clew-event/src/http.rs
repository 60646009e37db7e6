//! Requests to and by watched applications, with their responses.
//!
//! One exchange is told twice: when its request was read ([`HttpEvent::response`] is `None`,
//! `http_request`), because what the application does next is its effect, and when its response
//! was read or will not come any more (`http_response`). Both carry the whole request, so that
//! nobody who reads the second has to remember the first.
//!
//! Of credentials only a keyed hash or a public id is here: the decoder drops `Authorization`,
//! cookies and keys. Arguments and bodies are as they came, because an attack may lie in a
//! password field; [`HttpEvent::redacted`] is what may be stored.

mod redacted;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::socket::Endpoints;
use crate::text::Text;
use crate::time::TimestampNs;

/// One exchange as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEvent {
    /// Id of the event that told the request; of that event itself its own.
    pub exchange: EventId,
    /// The connection, unique within its boot: the kernel's socket cookie; 0 where none is known.
    pub connection: u64,
    /// How it was seen.
    pub seen_by: HttpSource,
    /// True where the watched process is the server.
    pub is_inbound: bool,
    /// Both ends, from the side of the watched process.
    pub endpoints: Endpoints,
    /// What was asked.
    pub request: Arc<HttpRequest>,
    /// What was answered; `None` in the event that tells the request.
    pub response: Option<Box<HttpResponse>>,
}

/// How an exchange was seen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum HttpSource {
    /// As bytes on a socket.
    #[default]
    Socket,
    /// As bytes that a TLS library gave or took.
    Tls,
    /// As a span that the application sent itself (OpenTelemetry).
    Span,
    /// As a line of an access log.
    Log,
}

/// Version of the protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum HttpVersion {
    /// Not told.
    #[default]
    Unknown,
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2, with or without gRPC within.
    Http2,
    /// HTTP/3; told by logs and spans only.
    Http3,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// When its first byte was seen.
    pub started: TimestampNs,
    /// Version of the protocol.
    pub version: HttpVersion,
    /// `GET`, `POST`, …, as given.
    pub method: Text,
    /// Host asked for (`Host` or `:authority`), as given.
    pub host: Text,
    /// Path as given, still encoded.
    pub path: Text,
    /// What follows the first `?`, still encoded.
    pub query: Text,
    /// Fields in their order, names in lower case, without credentials.
    pub headers: Vec<(Text, Text)>,
    /// The first bytes of the content, without transfer and content coding.
    pub body: Text,
    /// How long the content is: as declared, or as seen.
    pub body_bytes: u64,
    /// Who is believed to have asked: the last address in `Forwarded` or `X-Forwarded-For` that
    /// no trusted proxy added, else the other end.
    pub client: Option<IpAddr>,
    /// As whom it was asked.
    pub principal: Option<HttpPrincipal>,
    /// W3C `traceparent`.
    pub trace: Text,
    /// What could not be seen, or was given in a way that readers may disagree about.
    pub flags: HttpFlags,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// Status; 0 where no response was seen.
    pub status: u16,
    /// From the request's first byte to the response's last, nanoseconds.
    pub duration_ns: u64,
    /// Fields in their order, names in lower case, without credentials.
    pub headers: Vec<(Text, Text)>,
    /// The first bytes of the content, without transfer and content coding.
    pub body: Text,
    /// How long the content is: as declared, or as seen.
    pub body_bytes: u64,
    /// A credential of a cloud that it hands out, by its public id.
    pub issued: Option<Box<IssuedCredential>>,
    /// What could not be seen.
    pub flags: HttpFlags,
}

/// As whom a request was made. Who can read this cannot act as that principal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HttpPrincipal {
    /// What tells it.
    pub kind: HttpPrincipalKind,
    /// Keyed hash of what tells it, the same for the same principal: 16 hexadecimal digits.
    pub hash: Text,
    /// Name within it, where that is no secret: `sub` of a token, name of a basic user.
    pub name: Text,
    /// `alg` of a JSON web token.
    pub algorithm: Text,
    /// `exp` of a JSON web token, seconds since the epoch.
    pub expires: Option<i64>,
}

/// What tells a principal.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum HttpPrincipalKind {
    /// A cookie that holds a session.
    #[default]
    Session,
    /// A JSON web token.
    Token,
    /// Another bearer token.
    Bearer,
    /// User and password in `Authorization: Basic`.
    Basic,
    /// A key in a field of its own (`X-Api-Key`).
    ApiKey,
    /// A client certificate's subject, told by a log or span.
    Certificate,
}

/// A cloud credential that was handed out in a response of a metadata service.
///
/// Secret and session token never get here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCredential {
    /// Its public id (`ASIA…`).
    pub id: Text,
    /// The role it acts as, as the service names it.
    pub role: Text,
    /// Until when it may be used.
    pub expires: Option<TimestampNs>,
    /// True where the service asked for a session token first (IMDSv2, or `Metadata-Flavor`).
    pub has_token: bool,
}

/// What could not be seen of a message, or readers may disagree about; a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpFlags(pub u32);

impl HttpFlags {
    /// The content is longer than what is kept.
    pub const BODY_CUT: Self = Self(1);
    /// Fields were left out: too many, or too long.
    pub const HEADERS_CUT: Self = Self(1 << 1);
    /// Bytes within the message were not seen.
    pub const GAP: Self = Self(1 << 2);
    /// The connection ended, or another message began, before this one was whole.
    pub const UNFINISHED: Self = Self(1 << 3);
    /// `Content-Length` and `Transfer-Encoding` together, or several lengths that differ.
    pub const AMBIGUOUS_LENGTH: Self = Self(1 << 4);
    /// A field continued on the next line.
    pub const FOLDED_FIELD: Self = Self(1 << 5);
    /// A line ended by a line feed alone.
    pub const BARE_LINE_FEED: Self = Self(1 << 6);
    /// Path or host is longer than what is kept.
    pub const TARGET_CUT: Self = Self(1 << 7);
    /// The content's coding could not be undone, or would take too much room.
    pub const UNDECODED: Self = Self(1 << 8);
    /// The connection goes on in another protocol (`101`, `CONNECT`).
    pub const UPGRADED: Self = Self(1 << 9);
    /// Values were starred so that it may be stored.
    pub const REDACTED: Self = Self(1 << 10);
    /// A gRPC message: [`HttpRequest::body`] is the message without its five-byte prefix.
    pub const GRPC: Self = Self(1 << 11);

    /// True where all of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets `other` as well.
    pub const fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl HttpEvent {
    /// About how much memory its texts take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let request = &self.request;
        let texts = [&request.method, &request.host, &request.path, &request.query, &request.body];
        let answer = self.response.as_deref();
        let answer_body = answer.map_or(0, |response| response.body.as_bytes().len());
        let fields = request.headers.iter().chain(answer.iter().flat_map(|it| &it.headers));
        let fields = fields.map(|(name, value)| name.as_bytes().len() + value.as_bytes().len());
        texts.iter().map(|text| text.as_bytes().len()).chain(fields).sum::<usize>() + answer_body
    }
}

impl HttpRequest {
    /// The first field of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Text> {
        header(&self.headers, name)
    }
}

impl HttpResponse {
    /// The first field of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Text> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(Text, Text)], name: &str) -> Option<&'a Text> {
    headers.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()).map(|(_, value)| value)
}
