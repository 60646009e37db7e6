//! What a finding says of the request that caused it.

use std::borrow::Cow;

use clew_event::finding::RequestFacts;
use clew_event::http::HttpRequest;
use clew_event::{EventId, Text};

/// Most bytes of a target that are told; a query that does not fit is left out.
pub(crate) const TARGET_BYTES_MAX: usize = 1_024;

/// Names of arguments whose value is a secret, in lower case and without `-` and `_`.
const SECRET_NAMES: [&str; 16] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "authorization",
    "clientsecret",
    "code",
    "idtoken",
    "key",
    "password",
    "passwd",
    "pwd",
    "refreshtoken",
    "secret",
    "sessionid",
    "signature",
    "token",
];

/// The facts of a request, without what is secret.
pub(crate) fn of(exchange: EventId, request: &HttpRequest, probability: f64) -> RequestFacts {
    RequestFacts {
        exchange,
        started: request.started,
        method: request.method.clone(),
        host: request.host.clone(),
        target: target(request),
        client: request.client.map_or_else(Text::default, |client| client.to_string().into()),
        probability,
    }
}

fn target(request: &HttpRequest) -> Text {
    let path = request.path.as_bytes();
    if TARGET_BYTES_MAX < path.len() {
        return path.get(..TARGET_BYTES_MAX).unwrap_or_default().into();
    }
    let query = request.query.as_bytes();
    if query.is_empty() || TARGET_BYTES_MAX < path.len() + 1 + query.len() {
        return request.path.clone();
    }
    let arguments = query.split(|&byte| byte == b'&').map(without_secret);
    [path, &arguments.collect::<Vec<_>>().join(&b'&')].join(&b'?').into()
}

/// One argument of a query, its value as one star where it is a secret.
fn without_secret(argument: &[u8]) -> Cow<'_, [u8]> {
    let Some(end) = argument.iter().position(|&byte| byte == b'=') else { return argument.into() };
    let name = argument.get(..end).unwrap_or_default();
    let plain = name.iter().filter(|byte| !matches!(byte, b'-' | b'_'));
    let plain: Vec<u8> = plain.map(u8::to_ascii_lowercase).collect();
    if SECRET_NAMES.iter().any(|secret| secret.as_bytes() == plain) {
        return [name, b"=*"].concat().into();
    }
    argument.into()
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
        assert_eq!(told("/a", "API_Key=1&u=2&access-token=3"), "/a?API_Key=*&u=2&access-token=*");
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
