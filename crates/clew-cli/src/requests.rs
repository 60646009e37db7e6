//! How requests are read from sockets, and the key by which principals are told.
//!
//! Of a password or a session only a keyed hash is kept. The key is made once for each state
//! folder, so that a principal stays the same from one run to the next, and whoever gets at stories
//! and tapes cannot try passwords and short keys without it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args as ClapArgs;
use clew_decode::http::Settings;
use clew_engine::Engine;
use clew_sensor::Sensor;
use clew_sensor::tls::Selector;
use clew_server::RequestFigures;

use crate::live;

/// File of the state folder that holds the key.
const KEY_FILE: &str = "principals.key";

/// A network: address and length of its prefix.
pub(crate) type Network = (IpAddr, u8);

/// What is read of requests, and through which libraries.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct RequestArgs {
    /// Look into the TLS of these workloads: `all`, `exe=GLOB` (path of the executable),
    /// `container=GLOB` (its name) or `image=GLOB`; may be repeated.
    ///
    /// It costs them microseconds a call, and needs OpenSSL, BoringSSL, GnuTLS or Go.
    #[arg(long, value_name = "SELECTOR,…", value_delimiter = ',', conflicts_with = "no_http")]
    pub(crate) tls: Vec<Selector>,
    /// Do not read requests from sockets; what `--source` brings is judged all the same.
    #[arg(long)]
    pub(crate) no_http: bool,
    /// Do not tell through which libraries programs, connections and sensitive files are asked for.
    #[arg(long)]
    pub(crate) no_stacks: bool,
    /// Believe proxies in these networks where a request came from [default: loopback and private
    /// addresses]; may be repeated.
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxy: Vec<Network>,
}

impl RequestArgs {
    /// The sensor that they ask for, with the key of the principals.
    pub(crate) fn sensor(&self, key: [u8; 32]) -> clew_sensor::Settings {
        let http = (!self.no_http).then(|| self.reading(key));
        clew_sensor::Settings { http, has_stacks: !self.no_stacks, ..Default::default() }
    }

    /// How requests are read, of whatever source.
    pub(crate) fn reading(&self, key: [u8; 32]) -> Settings {
        let mut http = Settings { key, ..Settings::default() };
        if !self.trusted_proxy.is_empty() {
            http.trusted_proxies.clone_from(&self.trusted_proxy);
        }
        http
    }

    /// Looks into the TLS of the selected workloads; where it cannot, the rest is seen all the same.
    pub(crate) fn watch_tls(&self, sensor: &mut Sensor) {
        if let Err(error) = sensor.watch_tls(self.tls.clone()) {
            eprintln!("TLS is not looked into: {}", live::chain(&error));
        }
    }
}

/// What was read of requests until now, and learned from them.
pub(crate) fn figures(sensor: Option<&Sensor>, engine: &Engine) -> RequestFigures {
    let apis = engine.apis().counts();
    let mut figures = RequestFigures {
        apis: BTreeMap::from([
            ("api", apis.apis as u64),
            ("endpoint", apis.endpoints as u64),
            ("principal", apis.principals as u64),
            ("place", apis.places as u64),
        ]),
        api_findings_suppressed: apis.suppressed,
        ..RequestFigures::default()
    };
    let Some(sensor) = sensor else { return figures };
    let read = sensor.http_counts();
    figures.read = BTreeMap::from([
        ("request", read.requests),
        ("statement", read.statements),
        ("response", read.responses),
        ("unanswered", read.unanswered),
        ("unasked", read.unasked),
        ("gap", read.gaps),
        ("repeated", read.repeated),
        ("not_http", read.not_http),
        ("idle", read.idle),
        ("dropped", read.dropped),
    ]);
    figures.sockets_judged = sensor.judged_sockets();
    if let Some(tls) = sensor.tls() {
        figures.tls = BTreeMap::from([
            ("process", tls.processes as u64),
            ("file", tls.attached.len() as u64),
            ("use_of_file", tls.attached.iter().map(|(_, users)| *users as u64).sum()),
            ("blind_file", tls.blind_spots.len() as u64),
        ]);
        figures.tls_refused = BTreeMap::from([
            ("process", tls.counts.processes_refused),
            ("file", tls.counts.files_refused),
            ("container", tls.counts.containers_refused),
            ("news", tls.counts.news_missed),
        ]);
    }
    figures
}

/// A network as `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<Network, String> {
    let fault = || format!("`{text}` is no network: give ADDRESS/LENGTH, such as 10.0.0.0/8");
    let (address, length) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| fault())?;
    let length_max = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(length_max), |length| length.parse().map_err(|_| fault()))?;
    if length_max < length { Err(fault()) } else { Ok((address, length)) }
}

/// The key of the state folder, made where there is none.
///
/// # Errors
/// Where the folder cannot be written, or the file is not a key.
pub(crate) fn kept_key(state: &Path) -> Result<[u8; 32]> {
    let path = state.join(KEY_FILE);
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().ok().with_context(|| {
            format!("`{}` is not a key of 32 bytes: remove it to make a new one", path.display())
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = new_key()?;
            keep(&path, &key).with_context(|| format!("cannot write `{}`", path.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// A random key.
pub(crate) fn new_key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    let source = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key));
    source.context("cannot read `/dev/urandom`")?;
    Ok(key)
}

/// Writes the key under another name first, so that it is whole or absent.
fn keep(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let written = path.with_extension("key.new");
    match fs::remove_file(&written) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&written, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_network_has_an_address_and_a_length_that_it_can_have() {
        let check = |text: &str, expected: Option<(&str, u8)>| {
            let expected = expected.map(|(address, length)| (address.parse().unwrap(), length));
            assert_eq!(network(text).ok(), expected, "{text}");
        };
        check("10.0.0.0/8", Some(("10.0.0.0", 8)));
        check("192.0.2.1", Some(("192.0.2.1", 32)));
        check("2001:db8::/32", Some(("2001:db8::", 32)));
        check("2001:db8::1", Some(("2001:db8::1", 128)));
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", ""] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_key(folder.path()).unwrap();
        assert_eq!(kept_key(folder.path()).unwrap(), first);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(kept_key(other.path()).unwrap(), first);
        let path = folder.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "short").unwrap();
        assert!(kept_key(folder.path()).unwrap_err().to_string().contains("remove it"));
    }

    #[test]
    fn the_sensor_reads_requests_with_the_key_and_the_proxies_unless_told_not_to() {
        let trusted_proxy = vec![network("192.0.2.0/24").unwrap()];
        let args = RequestArgs { trusted_proxy: trusted_proxy.clone(), ..RequestArgs::default() };
        let http = args.sensor([7; 32]).http.unwrap();
        assert_eq!((http.key, http.trusted_proxies), ([7; 32], trusted_proxy));
        let http = RequestArgs::default().sensor([7; 32]).http.unwrap();
        assert_eq!(http.trusted_proxies, Settings::default().trusted_proxies);
        assert!(RequestArgs::default().sensor([7; 32]).has_stacks);
        let none = RequestArgs { no_http: true, no_stacks: true, ..RequestArgs::default() };
        assert!(!none.sensor([7; 32]).has_stacks);
        assert!(none.sensor([7; 32]).http.is_none());
    }
}
