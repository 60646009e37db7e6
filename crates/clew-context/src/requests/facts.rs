//! What a finding says of the request that caused it.

use std::sync::Arc;

use clew_event::finding::RequestFacts;
use clew_event::http::{HttpEvent, HttpRequest};
use clew_event::{EventId, Text};

/// Most bytes of a target that are told; a query that does not fit is left out.
pub(crate) const TARGET_BYTES_MAX: usize = 1_024;

/// The facts of a request, without what is secret.
pub(crate) fn of(exchange: EventId, request: &HttpRequest, probability: f64) -> RequestFacts {
    RequestFacts {
        exchange,
        started: request.started,
        method: request.method.clone(),
        host: request.host.clone(),
        target: target(request),
        client: client(request),
        probability,
    }
}

/// The same text for an address whatever family the socket is of, as calls to an API name it.
fn client(request: &HttpRequest) -> Text {
    let address = request.client.map(|client| client.to_canonical().to_string());
    address.map_or_else(Text::default, Text::from)
}

fn target(request: &HttpRequest) -> Text {
    let asked = HttpRequest {
        path: request.path.clone(),
        query: request.query.clone(),
        ..HttpRequest::default()
    };
    let told = HttpEvent { request: Arc::new(asked), ..HttpEvent::default() }.redacted();
    let (path, query) = (told.request.path.as_bytes(), told.request.query.as_bytes());
    if query.is_empty() || TARGET_BYTES_MAX < path.len() + 1 + query.len() {
        return path.get(..TARGET_BYTES_MAX).unwrap_or(path).into();
    }
    [path, query].join(&b'?').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, query: &str) -> String {
        let request =
            HttpRequest { path: path.into(), query: query.into(), ..HttpRequest::default() };
        target(&request).to_string()
    }

    #[test]
    fn a_target_is_told_without_the_secrets_in_it() {
        assert_eq!(told("/a", ""), "/a");
        assert_eq!(told("/a", "f=../../etc/passwd&x"), "/a?f=../../etc/passwd&x");
        assert_eq!(told("/a", "API_Key=1&u=2"), "/a?API_Key=*&u=2");
    }

    #[test]
    fn a_client_has_one_name_whatever_family_the_socket_is_of() {
        let told = |address: &str| {
            let address = address.parse().ok();
            client(&HttpRequest { client: address, ..HttpRequest::default() }).to_string()
        };
        assert_eq!(told("::ffff:198.51.100.7"), "198.51.100.7");
        assert_eq!(told("198.51.100.7"), "198.51.100.7");
        assert_eq!(told("2001:db8::7"), "2001:db8::7");
        assert_eq!(told(""), "");
    }

    #[test]
    fn a_target_has_at_most_target_bytes_max() {
        let long = "x".repeat(TARGET_BYTES_MAX);
        assert_eq!(told(&long, "a=b"), long);
        assert_eq!(told(&format!("{long}y"), ""), long);
        let query = "x".repeat(TARGET_BYTES_MAX - 3);
        assert_eq!(told("/a", &query), format!("/a?{query}"));
        assert_eq!(told("/ab", &query), "/ab");
    }
}
