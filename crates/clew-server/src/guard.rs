//! Who is answered, and with which headers.
//!
//! A web site that somebody visits can make his browser ask this server. It cannot read answers
//! (there is no CORS header), except by DNS rebinding: its own name resolves to 127.0.0.1, so the
//! browser believes that both are one. Then the `Host` header carries its name: only `localhost`
//! and numbers are answered. What other sites embed or fetch is refused as well, so that they
//! cannot hold connections.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::settings::Exposure;

/// The headers of every answer. Nothing runs that does not come from this server as a file, and
/// nobody may frame the page.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses who must not be answered, and adds the headers.
pub(crate) async fn guard(
    State(exposure): State<Exposure>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = if !is_host_ours(request.headers(), exposure) {
        let message = "this server is asked by its number or as localhost";
        (StatusCode::MISDIRECTED_REQUEST, message).into_response()
    } else if is_embedded(request.headers()) {
        (StatusCode::FORBIDDEN, "other sites may not use this server").into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_host_ours(headers: &HeaderMap, exposure: Exposure) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = host_name(host);
    match (name.parse::<IpAddr>(), exposure) {
        (Ok(_), Exposure::Anywhere) => true,
        (Ok(address), Exposure::LoopbackOnly) => address.is_loopback(),
        (Err(_), _) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// The host without its port, and without the brackets of IPv6.
fn host_name(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// True where another site's page asks, other than by a link that somebody followed.
fn is_embedded(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    let is_foreign = says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site");
    is_foreign && !says("sec-fetch-mode", "navigate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_and_own_numbers_are_answered() {
        let check = |host: &'static str, exposure, is_ours: bool| {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(is_host_ours(&headers, exposure), is_ours, "{host}");
        };
        for host in ["localhost", "LOCALHOST:7373", "127.0.0.1:7373", "[::1]:7373", "127.9.9.9"] {
            check(host, Exposure::LoopbackOnly, true);
        }
        for host in ["evil.example:7373", "localhost.evil.example", "192.0.2.1", "", "[::1", "::1"]
        {
            check(host, Exposure::LoopbackOnly, false);
        }
        check("192.0.2.1:7373", Exposure::Anywhere, true);
        check("evil.example", Exposure::Anywhere, false);
        assert!(!is_host_ours(&HeaderMap::new(), Exposure::Anywhere));
    }

    #[test]
    fn a_link_may_be_followed_here_but_nothing_embedded() {
        let check = |site: &'static str, mode: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([
                (HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(site)),
                (HeaderName::from_static("sec-fetch-mode"), HeaderValue::from_static(mode)),
            ]);
            assert_eq!(is_embedded(&headers), expected, "{site} {mode}");
        };
        check("cross-site", "no-cors", true);
        check("same-site", "cors", true);
        check("cross-site", "navigate", false);
        check("same-origin", "cors", false);
        check("none", "navigate", false);
    }
}
