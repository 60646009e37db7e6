//! Path traversal and upload: a path that an argument leads to.
//!
//! A server that reads what was asked for below its root is silent: `/css/a.css` never climbs. What
//! counts is a value that climbs above where it starts, or that is a whole path of the system.

use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use super::fragment::{self, Fragment, find};
use super::{Kind, Proof};
use crate::arguments::Place;

/// Folders that no application serves from.
const SYSTEM: &[&[u8]] = &[
    b"/etc/",
    b"/proc/",
    b"/root/",
    b"/sys/",
    b"/dev/",
    b"/boot/",
    b"/var/run/",
    b"/run/",
    b"/var/log/",
    b"/var/lib/",
    b"/var/spool/",
    b"/usr/",
    b"/bin/",
];
/// Files that are nobody's to read, wherever they are.
const SECRET: &[&[u8]] = &[
    b"/.ssh/",
    b"/.aws/",
    b"/.kube/",
    b"/.env",
    b"/.git/",
    b"/.docker/",
    b"/id_rsa",
    b"/.netrc",
    b"/wp-config.php",
    b"/.htpasswd",
    b"/.pgpass",
    b"/.npmrc",
];
/// Endings of programs that servers run.
const PROGRAMS: &[&[u8]] = &[
    b".php", b".phtml", b".phar", b".php5", b".php7", b".pht", b".jsp", b".jspx", b".asp",
    b".aspx", b".ashx", b".cgi", b".war", b".cfm",
];

/// A file as it was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened<'a> {
    pub(super) path: &'a [u8],
    pub(super) given: &'a [u8],
}

/// A file was read.
pub(super) fn read(opened: &Opened<'_>, request: &HttpRequest) -> Option<Proof> {
    if names_no_path(request) {
        return None;
    }
    fragment::best(request, |fragment| {
        if fragment.is_of_the_client() {
            return None;
        }
        climbs(opened, fragment).or_else(|| is_whole(opened, fragment))
    })
}

/// A file was made or written.
pub(super) fn written(opened: &Opened<'_>, request: &HttpRequest) -> Option<Proof> {
    let climbing = read(opened, request);
    if climbing.is_some() {
        return climbing;
    }
    let lower = opened.path.to_ascii_lowercase();
    if !PROGRAMS.iter().any(|end| lower.ends_with(end)) {
        return None;
    }
    fragment::best(request, |fragment| {
        let name = fragment.bytes.rsplit(|byte| b"/\\".contains(byte)).next()?;
        let is_named =
            matches!(fragment.place, Place::FileName | Place::Path | Place::Query | Place::Form);
        let is_it = is_named && 4 < name.len() && base_name(opened.path) == name;
        is_it.then(|| {
            let did = format!("wrote {}", escaped(opened.path));
            fragment.proof(Kind::Upload, 9.0, name, did)
        })
    })
}

/// Most opens belong to requests that cannot have named a path; they must cost next to nothing.
fn names_no_path(request: &HttpRequest) -> bool {
    let path = request.path.as_bytes();
    request.query.is_empty()
        && request.body.is_empty()
        && !path.contains(&b'%')
        && find(path, b"..").is_none()
        && find(path, b"//").is_none()
        && !is_telling(path)
}

fn is_telling(path: &[u8]) -> bool {
    SYSTEM.iter().any(|folder| path.starts_with(folder))
        || SECRET.iter().any(|part| find(path, part).is_some())
}

/// The value leaves where it starts, and the path ends as it does.
fn climbs(opened: &Opened<'_>, fragment: &Fragment<'_>) -> Option<Proof> {
    let value = plain(fragment.bytes);
    let mut depth = 0_i32;
    let mut is_above = false;
    let mut tail: Vec<&[u8]> = Vec::new();
    for part in value.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            // `....//` is what is left of a filter that takes `../` out once.
            dots if 1 < dots.len() && dots.iter().all(|&byte| byte == b'.') => {
                depth -= 1;
                is_above |= depth < 0;
                tail.pop();
            }
            part => {
                depth += 1;
                tail.push(part);
            }
        }
    }
    let tail = tail.join(&b'/');
    if !is_above || tail.is_empty() {
        return None;
    }
    let ends = opened.path.strip_suffix(tail.as_slice()).is_some_and(|head| head.ends_with(b"/"));
    if !ends {
        return None;
    }
    let is_given = find(opened.given, b"..").is_some();
    let bits = match (is_telling(opened.path), is_given) {
        (true, _) => 14.0,
        (false, true) => 10.0,
        (false, false) => 9.0,
    };
    let did = format!("opened {}", escaped(opened.path));
    Some(fragment.proof(Kind::Traversal, bits, fragment.bytes, did))
}

/// The value is the path.
fn is_whole(opened: &Opened<'_>, fragment: &Fragment<'_>) -> Option<Proof> {
    let value = plain(fragment.bytes);
    let value = match find(&value, b"resource=") {
        Some(at) => value.get(at + 9..)?,
        None => value.strip_prefix(b"file://").unwrap_or(&value),
    };
    let parts = value.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let joined: Vec<u8> = parts.flat_map(|part| b"/".iter().chain(part)).copied().collect();
    let is_it = value.starts_with(b"/") && 4 < joined.len() && joined == opened.path;
    let is_secret = is_telling(opened.path);
    // A tool that is given paths is given paths; what is no one's to read is another thing.
    if !is_it || (!is_secret && fragment.place == Place::Path) {
        return None;
    }
    let did = format!("opened {}", escaped(opened.path));
    Some(fragment.proof(Kind::Traversal, if is_secret { 12.0 } else { 5.0 }, fragment.bytes, did))
}

/// To the first zero byte, with `/` for `\`.
fn plain(value: &[u8]) -> Vec<u8> {
    let value = value.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
    value.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect()
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
