//! HTTP and HTTPS: one POST a line, on a connection that is kept.
//!
//! What may pass (no connection, no answer in time, 408, 425, 429 and 5xx) is tried again; any
//! other answer is a refusal of this very line. A redirect is a refusal too: alerts go where the
//! command line says. No proxy is taken from the environment, for the same reason.
//!
//! The authorities that are believed are the machine's own list, or those of `ca=PATH` alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::channel::{Channel, Delivered, Failure};
use crate::error::StartError;
use crate::form::Note;
use crate::spec::{HeaderSpec, HttpTarget};

/// Where machines keep the authorities they believe, as Debian, Fedora, SUSE and Alpine do.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Bytes of an answer that are read so that the connection can be kept; a longer one costs the
/// connection, and nothing else.
pub const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Posts to an address.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    url: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Http {
    /// Reads what the options name; connects with the first line.
    ///
    /// # Errors
    /// Where a file cannot be read, holds no certificate, or a header is not allowed.
    pub(crate) fn new(
        target: &HttpTarget,
        name: &str,
        timeout: Duration,
    ) -> Result<Self, StartError> {
        let headers: Result<_, _> =
            target.headers.iter().map(|header| read_header(header, name)).collect();
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("clew/", env!("CARGO_PKG_VERSION")));
        if target.is_https() {
            let authorities = authorities(target.ca.as_deref(), name)?;
            config = config.tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::Specific(Arc::new(authorities)))
                    .unversioned_rustls_crypto_provider(Arc::new(
                        rustls::crypto::ring::default_provider(),
                    ))
                    .build(),
            );
        }
        Ok(Self { agent: config.build().new_agent(), url: target.url.clone(), headers: headers? })
    }
}

impl Channel for Http {
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut answer =
            request.send(&*note.line).map_err(|error| Failure::passing("cannot post", &error))?;
        let status = answer.status().as_u16();
        // Read to its end, so that the connection can be kept; what it says concerns nobody.
        answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok();
        judge(status)
    }
}

/// What an answer means for the line.
fn judge(status: u16) -> Result<Delivered, Failure> {
    match status {
        200..=299 => Ok(Delivered::Whole),
        408 | 425 | 429 | 500..=599 => Err(Failure::Passing(format!("the answer is {status}"))),
        _ => Err(Failure::Lasting(format!("the answer is {status}"))),
    }
}

fn read_header(header: &HeaderSpec, output: &str) -> Result<(HeaderName, HeaderValue), StartError> {
    let HeaderSpec { name, value, file } = header;
    let value = match file {
        Some(path) => read(path, output, "header")?.trim().to_owned(),
        None => value.clone(),
    };
    let parsed = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value));
    let (Ok(header), Ok(mut value)) = parsed else {
        return Err(StartError::Header { name: output.to_owned(), header: name.clone() });
    };
    value.set_sensitive(true);
    Ok((header, value))
}

fn authorities(
    given: Option<&Path>,
    output: &str,
) -> Result<Vec<Certificate<'static>>, StartError> {
    let found = || AUTHORITIES.iter().map(PathBuf::from).find(|path| path.exists());
    let path = given.map(Path::to_owned).or_else(found);
    let Some(path) = path else {
        return Err(StartError::NoAuthorities { name: output.to_owned() });
    };
    let text = read(&path, output, "ca")?;
    // A list of a machine may hold one that cannot be read; the others still count.
    let certificates: Vec<_> = parse_pem(text.as_bytes())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(StartError::Certificates { name: output.to_owned(), path });
    }
    Ok(certificates)
}

fn read(path: &Path, output: &str, option: &'static str) -> Result<String, StartError> {
    let named = |source| StartError::Read {
        name: output.to_owned(),
        option,
        path: path.to_owned(),
        source,
    };
    fs::read_to_string(path).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_may_change_are_asked_for_again() {
        for status in [200, 202, 204] {
            assert_eq!(judge(status), Ok(Delivered::Whole), "{status}");
        }
        for status in [408, 425, 429, 500, 503] {
            assert!(matches!(judge(status), Err(Failure::Passing(_))), "{status}");
        }
        for status in [301, 302, 400, 401, 404, 413] {
            assert!(matches!(judge(status), Err(Failure::Lasting(_))), "{status}");
        }
    }
}
