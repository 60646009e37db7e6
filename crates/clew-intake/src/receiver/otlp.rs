//! Exports of OpenTelemetry: by HTTP at `/v1/traces` and `/v1/logs`, and by gRPC on the same port.
//!
//! Of gRPC only what one call with one message takes: five bytes before the message, and the
//! status behind the answer. Sources: the OTLP specification 1.x, and "gRPC over HTTP/2".

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clew_decode::otlp::{Encoding, Signal};
use http_body_util::{BodyExt as _, Full};

/// Longest message that is read by gRPC, as with all its servers where nothing else is said.
pub const GRPC_BYTES_MAX: usize = 4 << 20;
/// What stands before a message: whether it is packed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) is_grpc: bool,
}

impl Export {
    /// By address and type of content; `None` where it is nothing that is taken.
    pub(super) fn of(head: &Parts) -> Option<Self> {
        const SERVICES: &str = "/opentelemetry.proto.collector.";
        let is_grpc = is_grpc(&head.headers);
        let path = head.uri.path();
        let signal = match path.strip_prefix(SERVICES).unwrap_or(path) {
            "trace.v1.TraceService/Export" if is_grpc => Signal::Traces,
            "logs.v1.LogsService/Export" if is_grpc => Signal::Logs,
            "/v1/traces" if !is_grpc => Signal::Traces,
            "/v1/logs" if !is_grpc => Signal::Logs,
            _ => return None,
        };
        let is_json = content(&head.headers).starts_with(b"application/json");
        let encoding = if is_json { Encoding::Json } else { Encoding::Protobuf };
        Some(Self { signal, encoding, is_grpc })
    }

    /// The message in a body.
    pub(super) fn message(self, body: Bytes) -> Result<Bytes, StatusCode> {
        if !self.is_grpc {
            return Ok(body);
        }
        let (prefix, message) = body.split_first_chunk().ok_or(StatusCode::BAD_REQUEST)?;
        let [is_packed, length @ ..]: [u8; PREFIX_BYTES] = *prefix;
        let is_whole = u32::from_be_bytes(length) as usize == message.len() && is_packed <= 1;
        let message = body.slice(PREFIX_BYTES..);
        // Of the packings only gzip is read, which is known by its first bytes.
        match (is_whole, is_packed == 1 && !message.starts_with(&[0x1f, 0x8b])) {
            (false, _) => Err(StatusCode::BAD_REQUEST),
            (true, true) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (true, false) => Ok(message),
        }
    }

    /// That all of it was taken: an empty `Export…ServiceResponse`.
    pub(super) fn taken(self) -> Response {
        match (self.is_grpc, self.encoding) {
            (true, _) => {
                let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from(0))]);
                let message = Bytes::from_static(&[0; PREFIX_BYTES]);
                let body = Full::new(message).with_trailers(async { Some(Ok(trailers)) });
                ([(header::CONTENT_TYPE, GRPC)], Body::new(body)).into_response()
            }
            (false, Encoding::Json) => {
                ([(header::CONTENT_TYPE, "application/json")], "{}").into_response()
            }
            (false, Encoding::Protobuf) => {
                ([(header::CONTENT_TYPE, "application/x-protobuf")], "").into_response()
            }
        }
    }
}

/// A refusal in the words of gRPC: the status alone, with HTTP's own always 200.
pub(super) fn refusal(status: StatusCode) -> Response {
    let code = match status {
        StatusCode::BAD_REQUEST => 3,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::NOT_FOUND | StatusCode::UNSUPPORTED_MEDIA_TYPE => 12,
        // Which senders try again.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::UNAUTHORIZED => 16,
        _ => 13,
    };
    [(header::CONTENT_TYPE, GRPC), (STATUS, HeaderValue::from(code))].into_response()
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    content(headers).starts_with(b"application/grpc")
}

fn content(headers: &HeaderMap) -> &[u8] {
    headers.get(header::CONTENT_TYPE).map_or(&[], HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_grpc_is_as_long_as_it_says() {
        let export = Export { signal: Signal::Logs, encoding: Encoding::Protobuf, is_grpc: true };
        let check = |body: &'static [u8], expected: Result<&'static [u8], StatusCode>| {
            let found = export.message(Bytes::from_static(body));
            assert_eq!(found, expected.map(Bytes::from_static), "{body:?}");
        };
        check(b"\0\0\0\0\x02hi", Ok(b"hi"));
        check(b"\x01\0\0\0\x02\x1f\x8b", Ok(b"\x1f\x8b"));
        check(b"\x01\0\0\0\x02hi", Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        check(b"\0\0\0\0\x03hi", Err(StatusCode::BAD_REQUEST));
        check(b"\0\0\0\0\x01hi", Err(StatusCode::BAD_REQUEST));
        check(b"\x02\0\0\0\x02hi", Err(StatusCode::BAD_REQUEST));
        check(b"\0\0\0", Err(StatusCode::BAD_REQUEST));
    }
}
