//! Keys and certificates of senders, from the addresses at which their owners keep them.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// How long it may take.
const SPAN: Duration = Duration::from_secs(10);

/// What stands at an address, whose host TLS proves by the machine's authorities.
pub(super) async fn get(address: String) -> Option<Vec<u8>> {
    tokio::task::spawn_blocking(move || {
        let authorities = rustls_native_certs::load_native_certs().certs;
        let authorities: Vec<_> =
            authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(authorities)))
            .unversioned_rustls_crypto_provider(provider);
        let agent: Agent = Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .timeout_global(Some(SPAN))
            .tls_config(tls.build())
            .build()
            .into();
        let mut answer = agent.get(&address).call().ok()?;
        answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok()
    })
    .await
    .ok()?
}
