//! Keys and certificates of senders, from the addresses at which their owners keep them.

use std::time::Duration;

use crate::web;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// How long it may take.
const SPAN: Duration = Duration::from_secs(10);

/// What stands at an address of `https`, whose host TLS proves.
pub(super) async fn get(address: String) -> Option<Vec<u8>> {
    tokio::task::spawn_blocking(move || {
        let is_proven = address.starts_with("https://");
        let mut answer = is_proven.then(|| web::agent(SPAN).get(&address).call().ok())??;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        body.ok().filter(|_| answer.status().is_success())
    })
    .await
    .ok()?
}
