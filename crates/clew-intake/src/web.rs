//! How services elsewhere are asked: by HTTP, their host proven by the machine's authorities.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Asks for what takes at most `span`. Only what lies on this machine, or on the link on which
/// clouds tell an instance of itself, is asked without TLS.
pub(crate) fn agent(span: Duration) -> Agent {
    let authorities = rustls_native_certs::load_native_certs().certs;
    let authorities: Vec<_> =
        authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(authorities)))
        .unversioned_rustls_crypto_provider(provider);
    Agent::config_builder()
        .max_redirects(0)
        .timeout_global(Some(span))
        .http_status_as_error(false)
        .tls_config(tls.build())
        .build()
        .into()
}

/// True where what is sent to an address cannot be read on the way.
pub(crate) fn is_private(address: &str) -> bool {
    const PLAIN: [&str; 5] =
        ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "metadata.google.internal"];
    if address.starts_with("https://") {
        return true;
    }
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let is_port = |rest: &str| {
        let port = rest.strip_prefix(':');
        rest.is_empty() || port.is_some_and(|port| port.bytes().all(|it| it.is_ascii_digit()))
    };
    PLAIN.iter().any(|plain| host.strip_prefix(plain).is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_tls_or_stay_on_the_machine() {
        let private =
            ["https://a.example/x", "http://127.0.0.1:80/x", "http://[::1]:1", "http://localhost"];
        assert!(private.iter().all(|address| is_private(address)));
        let open = [
            "http://a.example",
            "http://127.0.0.1.example",
            "http://localhost:1@a.example",
            "ftp://x",
            "",
        ];
        assert!(!open.iter().any(|address| is_private(address)));
    }
}
