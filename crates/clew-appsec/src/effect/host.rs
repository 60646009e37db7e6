//! Server-side request forgery: an argument names the other end of what the application asks.
//!
//! Hosts are compared as addresses, because an attacker writes `0xA9FEA9FE`, `2852039166`,
//! `0251.0376.0251.0376` or `[::ffff:a9fe:a9fe]` for 169.254.169.254. A port that the argument gives
//! has to be the port that was asked, so that `next=http://localhost:8080/` does not explain a
//! connection to the database beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clew_event::Text;
use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::fragment::{self, Fragment, find};
use super::{Kind, Proof};

/// From here on it is a service that hands out credentials.
pub(crate) const METADATA_BITS: f64 = 15.0;
/// Most addresses that are read in one value.
pub(super) const HOSTS_MAX: usize = 16;
/// Longest host name, RFC 1035.
pub(super) const HOST_BYTES_MAX: usize = 253;

/// A host that an argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named<'a> {
    host: &'a [u8],
    address: Option<IpAddr>,
    port: Option<u16>,
    /// It stood in an address with a scheme, not alone.
    has_scheme: bool,
}

impl Named<'_> {
    fn proof(&self, fragment: &Fragment<'_>, bits: f64, did: String) -> Proof {
        let host = escaped(self.host).to_ascii_lowercase();
        let destination = self.port.map_or(host.clone(), |port| format!("{host}:{port}"));
        let proof = fragment.proof(Kind::ServerRequest, bits, self.host, did);
        Proof { destination: Some(destination), ..proof }
    }
}

/// A connection was asked for.
pub(super) fn connected(peer: SocketAddr, names: &[Text], request: &HttpRequest) -> Option<Proof> {
    let ip = peer.ip().to_canonical();
    fragment::best(request, |fragment| {
        let named = named(fragment).into_iter().find(|named| {
            let is_host = named.address == Some(ip)
                || names.iter().any(|name| is_same(name.as_bytes(), named.host));
            is_host && named.port.is_none_or(|port| port == peer.port())
        })?;
        let did = format!("connected to {peer}");
        Some(named.proof(fragment, bits_of(ip), did))
    })
}

/// A name was asked for.
pub(super) fn resolved(name: &[u8], request: &HttpRequest) -> Option<Proof> {
    fragment::best(request, |fragment| {
        let named = named(fragment).into_iter().find(|named| is_same(name, named.host))?;
        // A word alone is a name by chance.
        if !named.has_scheme && !named.host.contains(&b'.') {
            return None;
        }
        let did = format!("looked up {}", escaped(name));
        Some(named.proof(fragment, bits_of_name(name), did))
    })
}

/// Another service was asked.
pub(super) fn requested(
    sent: &HttpRequest,
    peer: Option<SocketAddr>,
    request: &HttpRequest,
) -> Option<Proof> {
    let host = without_port(sent.host.as_bytes());
    let ip = peer.map(|peer| peer.ip().to_canonical()).or_else(|| address(host));
    fragment::best(request, |fragment| {
        let named = named(fragment).into_iter().find(|named| {
            let is_host = is_same(host, named.host) || (ip.is_some() && named.address == ip);
            let fits = |port| peer.is_none_or(|peer| peer.port() == port);
            is_host && named.has_scheme && named.port.is_none_or(fits)
        })?;
        let bits = ip.map_or_else(|| bits_of_name(host), bits_of).max(bits_of_name(host));
        let did = format!("asked {} for {}", escaped(host), sent.path);
        Some(named.proof(fragment, bits, did))
    })
}

fn is_same(name: &[u8], other: &[u8]) -> bool {
    let bare = |name: &'_ [u8]| name.strip_suffix(b".").unwrap_or(name).len();
    let (name, other) = (name.get(..bare(name)), other.get(..bare(other)));
    match (name, other) {
        (Some(name), Some(other)) => !name.is_empty() && name.eq_ignore_ascii_case(other),
        _ => false,
    }
}

/// How far an address is from what a client may ask itself.
fn bits_of(ip: IpAddr) -> f64 {
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match ip {
        IpAddr::V4(ip) if ip == ALIBABA => METADATA_BITS + 1.0,
        IpAddr::V4(ip) if ip.is_link_local() => METADATA_BITS + 1.0,
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => 12.0,
        IpAddr::V4(ip) if ip.is_private() || is_shared(ip) => 10.0,
        IpAddr::V6(ip) if ip == AWS => METADATA_BITS + 1.0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => METADATA_BITS,
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() => 12.0,
        IpAddr::V6(ip) if ip.is_unique_local() => 10.0,
        _ => 6.0,
    }
}

/// 100.64.0.0/10, RFC 6598: networks of pods.
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xc0 == 64
}

fn bits_of_name(name: &[u8]) -> f64 {
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_suffix(b".").unwrap_or(&lower);
    if let Some(ip) = address(lower) {
        return bits_of(ip);
    }
    if matches!(lower, b"metadata.google.internal" | b"metadata" | b"instance-data") {
        METADATA_BITS
    } else if !lower.contains(&b'.')
        || [&b".internal"[..], b".local", b".svc", b".localhost", b".localdomain"]
            .iter()
            .any(|end| lower.ends_with(end))
    {
        10.0
    } else {
        6.0
    }
}

/// Hosts in a value: of each address with a scheme, of `//host`, or the value itself.
fn named<'a>(fragment: &Fragment<'a>) -> Vec<Named<'a>> {
    if fragment.is_of_the_client() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut rest = fragment.bytes;
    while let Some(at) = find(rest, b"//")
        && found.len() < HOSTS_MAX
    {
        let (before, behind) = rest.split_at(at);
        rest = behind.get(2..).unwrap_or_default();
        let scheme = before.strip_suffix(b":").map(|it| {
            let letters =
                it.iter().rev().take(12).take_while(|it| it.is_ascii_alphanumeric()).count();
            it.get(it.len() - letters..).unwrap_or_default().to_ascii_lowercase()
        });
        let port = match scheme.as_deref() {
            Some(b"http") => Some(80),
            Some(b"https") => Some(443),
            Some(b"ftp") => Some(21),
            _ => None,
        };
        found.extend(authority(rest, port, true));
    }
    if found.is_empty() && fragment.bytes.len() <= HOST_BYTES_MAX {
        found.extend(authority(fragment.bytes, None, false));
    }
    found
}

/// `user@host:port` in front of a path.
fn authority(bytes: &[u8], default: Option<u16>, has_scheme: bool) -> Option<Named<'_>> {
    let bytes = bytes.trim_ascii_start();
    let ends = |byte: &u8| {
        matches!(byte, b'/' | b'?' | b'#' | b'\\' | b'"' | b'\'' | b'<' | b'>' | 0..=0x20)
    };
    let end = bytes.iter().take(HOST_BYTES_MAX * 2).position(ends).unwrap_or(bytes.len());
    let whole = bytes.get(..end)?;
    let host = whole.rsplit(|&byte| byte == b'@').next()?;
    let bare = without_port(host);
    if bare.is_empty() || HOST_BYTES_MAX < bare.len() {
        return None;
    }
    let port = host.get(bare.len()..).and_then(|it| {
        let digits = it.strip_prefix(b"]").unwrap_or(it).strip_prefix(b":")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    });
    let bare = bare.strip_prefix(b"[").unwrap_or(bare);
    let bare = bare.strip_suffix(b"]").unwrap_or(bare);
    Some(Named { host: bare, address: address(bare), port: port.or(default), has_scheme })
}

/// A host without `:port`, with the brackets of an IPv6 address.
fn without_port(host: &[u8]) -> &[u8] {
    if host.starts_with(b"[") {
        let end = host.iter().position(|&byte| byte == b']').map_or(host.len(), |at| at + 1);
        return host.get(..end).unwrap_or_default();
    }
    let colons = host.iter().filter(|&&byte| byte == b':').count();
    match host.iter().position(|&byte| byte == b':') {
        Some(at) if colons == 1 => host.get(..at).unwrap_or_default(),
        _ => host,
    }
}

/// An address in any notation that `inet_aton` takes, or of IPv6, mapped ones as IPv4.
fn address(host: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(host).ok()?;
    let text = text.strip_prefix('[').unwrap_or(text);
    let text = text.strip_suffix(']').unwrap_or(text);
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some(IpAddr::V6(ip).to_canonical());
    }
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let parts: Vec<u64> = text.split('.').take(5).map(number).collect::<Option<_>>()?;
    let (&last, heads) = parts.split_last()?;
    if 3 < heads.len() || heads.iter().any(|&part| 255 < part) {
        return None;
    }
    let mut bits = 0_u64;
    for head in heads {
        bits = bits << 8 | head;
    }
    let left = 32 - 8 * u32::try_from(heads.len()).ok()?;
    // More than fits wraps, as some readers do it.
    let last = if heads.is_empty() { last & 0xffff_ffff } else { last };
    if last >> left != 0 {
        return None;
    }
    u32::try_from(bits << left | last).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn number(part: &str) -> Option<u64> {
    let lower = part.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    match lower.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u64::from_str_radix(digits, 8).ok(),
        _ => lower.parse().ok(),
    }
}
