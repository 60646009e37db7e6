//! Addresses as audit logs write them.

use std::net::{IpAddr, SocketAddr};

/// An address, perhaps with a port; `None` for the names that stand in its place
/// (`cloudformation.amazonaws.com`, `private`).
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_addresses() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                address(text.as_bytes()).map(|address| address.to_string()).as_deref(),
                expected
            );
        };
        check("205.251.233.176", Some("205.251.233.176"));
        check("::1", Some("::1"));
        check("10.0.0.1:443", Some("10.0.0.1"));
        check("cloudformation.amazonaws.com", None);
        check("", None);
    }
}
