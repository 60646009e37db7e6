//! Credentials that metadata services hand out: only their public ids leave this module.
//!
//! What such a service answers is read here and dropped, whatever it is and whether or not it could
//! be read. An application that was made to fetch a credential may pass it on in a response of its
//! own; there the secret is starred.
//!
//! Addresses and forms: AWS "Retrieve security credentials from instance metadata", "Task IAM role"
//! and "EKS Pod Identity"; Google "About VM metadata"; Azure "How to use managed identities".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clew_event::http::{HttpEvent, HttpRequest, IssuedCredential};
use clew_event::{Text, TimestampNs};
use memchr::memmem;
use serde_json::Value;

use crate::api_log::base64;

/// Longest public id, role or moment that is read.
pub(super) const WORD_BYTES_MAX: usize = 256;

const SERVICES: &[IpAddr] = &[
    // AWS, Google, Azure and most others; Google's on nodes of Kubernetes.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 252)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    // Tasks of ECS, and pods of EKS.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23)),
    // Azure's host, and Alibaba.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

const HOSTS: &[&[u8]] = &[
    b"169.254.169.254",
    b"169.254.170.2",
    b"169.254.170.23",
    b"[fd00:ec2::254]",
    b"[fd00:ec2::23]",
    b"metadata.google.internal",
    b"metadata",
];

/// Path at which Azure's App Service hands out tokens, on an address of the machine itself.
const APP_SERVICE_PATH: &[u8] = b"/msi/token";

/// True where the answer is a metadata service's: by its address, or by the host that was asked for
/// where a proxy stands between.
pub(super) fn is_hidden(exchange: &HttpEvent) -> bool {
    let request = &exchange.request;
    let host = request.host.as_bytes().to_ascii_lowercase();
    let name = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !host.ends_with(b"]") => host.get(..colon).unwrap_or_default(),
        _ => &host,
    };
    is_service(exchange) || HOSTS.contains(&name)
}

fn is_service(exchange: &HttpEvent) -> bool {
    let ends = &exchange.endpoints;
    let server = if exchange.is_inbound { ends.local } else { ends.remote };
    server.is_some_and(|server| SERVICES.contains(&server.ip().to_canonical()))
        || exchange.request.path.as_bytes().to_ascii_lowercase().ends_with(APP_SERVICE_PATH)
}

/// The credential in an answer to the watched process that came at `time`; `None` where there is
/// none, or the answer is not of a metadata service itself: a proxy may say anything.
pub(super) fn issued(
    exchange: &HttpEvent,
    body: &[u8],
    time: TimestampNs,
) -> Option<Box<IssuedCredential>> {
    if exchange.is_inbound || !is_service(exchange) {
        return None;
    }
    let request = &exchange.request;
    let mut issued = aws(request, body).or_else(|| oauth(request, body, time))?;
    issued.has_token = ["x-aws-ec2-metadata-token", "metadata-flavor", "metadata", "authorization"]
        .iter()
        .any(|name| request.header(name).is_some());
    Some(Box::new(issued))
}

/// `{"AccessKeyId":"ASIA…","Expiration":"2026-…Z",…}`, as far as it came.
fn aws(request: &HttpRequest, body: &[u8]) -> Option<IssuedCredential> {
    let id = member(body, "AccessKeyId").filter(|id| id.iter().all(u8::is_ascii_alphanumeric))?;
    let role = behind(request.path.as_bytes(), b"/security-credentials/")
        .or_else(|| member(body, "RoleArn"))
        .unwrap_or_default();
    let expires = member(body, "Expiration").and_then(|text| std::str::from_utf8(text).ok());
    Some(IssuedCredential {
        id: id.into(),
        role: role.into(),
        expires: expires.and_then(TimestampNs::from_rfc3339),
        has_token: false,
    })
}

/// `{"access_token":"…","expires_in":3599,…}` of Google and Azure. Google's tokens have no public
/// id; of Azure's it is `uti`, by which sign-ins and activity name it.
fn oauth(request: &HttpRequest, body: &[u8], time: TimestampNs) -> Option<IssuedCredential> {
    let token = member_start(body, "access_token")?;
    let token = token.split(|&byte| byte == b'"').next().unwrap_or_default();
    let claims = token.split(|&byte| byte == b'.').nth(1).and_then(base64).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    let claim = |name: &str| {
        let text = claims.get(name).and_then(Value::as_str).filter(|it| it.len() <= WORD_BYTES_MAX);
        text.map(Text::from)
    };
    let account = behind(request.path.as_bytes(), b"/service-accounts/");
    let account = account.map(|it| it.split(|&byte| byte == b'/').next().unwrap_or_default());
    let role = account.or_else(|| member(body, "client_id")).map(Text::from);
    let seconds = number(body, "expires_in").map(std::time::Duration::from_secs);
    Some(IssuedCredential {
        id: claim("uti").unwrap_or_default(),
        role: role.or_else(|| claim("appid")).unwrap_or_default(),
        expires: seconds.map(|seconds| time.after(seconds)),
        has_token: false,
    })
}

fn behind<'a>(path: &'a [u8], marker: &[u8]) -> Option<&'a [u8]> {
    let rest = path.get(memmem::find(path, marker)? + marker.len()..)?;
    let rest = rest.get(..WORD_BYTES_MAX).unwrap_or(rest);
    (!rest.is_empty()).then_some(rest)
}

/// What follows the first quote of the value of a JSON member, or its first digit.
fn member_start<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let quoted = format!("\"{name}\"");
    let rest = body.get(memmem::find(body, quoted.as_bytes())? + quoted.len()..)?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    Some(rest.strip_prefix(b"\"").unwrap_or(rest))
}

/// Text of a JSON member that came whole.
fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let rest = member_start(body, name)?;
    let end = memchr::memchr(b'"', rest.get(..=WORD_BYTES_MAX).unwrap_or(rest))?;
    rest.get(..end).filter(|text| !text.is_empty())
}

fn number(body: &[u8], name: &str) -> Option<u64> {
    let digits = member_start(body, name)?.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Stars secret and session token of AWS credentials in JSON or XML, wherever they are; true where
/// there were any.
pub(super) fn star_secrets(body: &mut Vec<u8>) -> bool {
    if memmem::find(body, b"ecretAccessKey").is_none() {
        return false;
    }
    for name in ["ecretAccessKey", "essionToken", "\"Token", "\\\"Token"] {
        let mut from = 0;
        while let Some(at) = body.get(from..).and_then(|rest| memmem::find(rest, name.as_bytes())) {
            from += at + name.len();
            star_value(body, &mut from);
        }
    }
    true
}

/// Stars the value behind a name that ends at `from`, which is moved behind the value: what is
/// between the next letters that are of a value and the next that are not.
fn star_value(body: &mut Vec<u8>, from: &mut usize) {
    const BETWEEN: &[u8] = b"\"'\\:=> \t\r\n";
    let is_value = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-.~%".contains(byte);
    let rest = body.get(*from..).unwrap_or_default();
    let start = rest.iter().position(|byte| !BETWEEN.contains(byte)).unwrap_or(rest.len());
    // `=` is between in a form and at the end of a value in base64.
    let value = rest.get(start..).unwrap_or_default();
    let length = value.iter().position(|byte| !is_value(byte)).unwrap_or(value.len());
    if 0 < start && 0 < length {
        let start = *from + start;
        body.splice(start..start + length, [b'*']);
        *from = start + 1;
    }
}
