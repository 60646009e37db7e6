//! Who we are and where the hub lies: a connection string, as Azure's portal shows it.
//!
//! `Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…`, with
//! `EntityPath=HUB` where the key is one of a single hub. `UseDevelopmentEmulator=true` stands in
//! that of Azure's emulator, which is spoken to without TLS and has to lie on this machine.

use std::fmt;
use std::path::Path;

use crate::error::StartError;
use crate::web;

/// Where AMQP is spoken with TLS, and without.
const PORTS: (u16, u16) = (5671, 5672);

/// How a hub is reached.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_plain: bool,
    pub(super) key_name: String,
    pub(super) key: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}:{}", self.key_name, self.host, self.port)
    }
}

/// Reads the file of a connection string for `hub`.
pub(super) fn read(name: &str, path: &Path, hub: &str) -> Result<Account, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    parse(text.trim(), hub).map_err(|expected| StartError::Content {
        name: name.to_owned(),
        path: path.to_owned(),
        expected,
    })
}

/// An error is what was expected instead; it never holds what was given.
fn parse(text: &str, hub: &str) -> Result<Account, &'static str> {
    let part = |name: &str| {
        let parts = text.split(';').filter_map(|part| part.split_once('='));
        parts
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, it)| it.trim())
            .next()
    };
    let endpoint = part("Endpoint").and_then(|it| it.strip_prefix("sb://"));
    let (Some(endpoint), Some(key_name), Some(key)) =
        (endpoint, part("SharedAccessKeyName"), part("SharedAccessKey"))
    else {
        return Err("connection string with `Endpoint=sb://…`, `SharedAccessKeyName` and \
                    `SharedAccessKey`");
    };
    if part("EntityPath").is_some_and(|path| path != hub) {
        return Err("connection string of that event hub: its `EntityPath` names another");
    }
    let is_plain = part("UseDevelopmentEmulator").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let endpoint = endpoint.trim_end_matches('/');
    if is_plain && !web::is_private(&format!("http://{endpoint}")) {
        return Err("connection string of an emulator on this machine");
    }
    let usual = if is_plain { PORTS.1 } else { PORTS.0 };
    let (host, port) = match endpoint.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        None => (endpoint, Some(usual)),
        Some((host, port)) => (host, port.parse().ok()),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = port.filter(|_| !host.is_empty()).ok_or("connection string with a host")?;
    Ok(Account { host, port, is_plain, key_name: key_name.into(), key: key.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0+/=";

    fn place(endpoint: &str) -> Result<(String, u16, bool), &'static str> {
        let account = parse(&format!("Endpoint={endpoint};{KEY};EntityPath=h"), "h")?;
        assert_eq!((&*account.key_name, &*account.key), ("listen", "c2VjcmV0+/="));
        Ok((account.host, account.port, account.is_plain))
    }

    #[test]
    fn a_connection_string_says_where_the_hub_lies() {
        let azure = "ns.servicebus.windows.net".to_owned();
        assert_eq!(place("sb://ns.servicebus.windows.net/"), Ok((azure, 5671, false)));
        let local = |host: &str, port| Ok((host.to_owned(), port, true));
        let plain = ";UseDevelopmentEmulator=true";
        assert_eq!(place(&format!("sb://localhost{plain}")), local("localhost", 5672));
        assert_eq!(place(&format!("sb://[::1]:7/{plain}")), local("::1", 7));
        assert_eq!(place(&format!("sb://[::1]{plain}")), local("::1", 5672));
    }

    #[test]
    fn what_cannot_be_used_is_told_without_the_key() {
        assert!(place("sb://a.example;UseDevelopmentEmulator=true").is_err(), "in the clear");
        assert!(place("https://a.example").is_err() && place("sb://").is_err());
        assert!(place("sb://a:port").is_err());
        assert!(parse("", "h").is_err());
        assert!(parse(&format!("Endpoint=sb://a;{KEY};EntityPath=other"), "h").is_err());
        let account = parse(&format!("Endpoint=sb://a;{KEY}"), "h").unwrap();
        assert_eq!(format!("{account:?}"), "listen at a:5671");
    }
}
