//! The message itself: methods, lengths that readers may disagree about, ranges, sessions in
//! addresses.

use clew_event::http::{HttpFlags, HttpRequest};

use super::class::Class;
use super::told::Hit;
use super::{Hits, keep};
use crate::arguments::{Arguments, Place};

/// Ranges of one request up to here are what readers of documents ask for.
pub(super) const RANGES_MAX: usize = 5;

pub(super) fn judge(request: &HttpRequest, arguments: &Arguments<'_>, hits: &mut Hits) {
    let mut tell = |bits: f64, name: &str, says: &'static str, shown: &[u8]| {
        let hit = Hit::new(Place::Header, name.as_bytes(), &[], says);
        keep(hits, Class::Protocol, hit.with(bits, shown, shown.len() + 1));
    };
    let flags = request.flags;
    if flags.has(HttpFlags::AMBIGUOUS_LENGTH) {
        tell(4.0, "content-length", "has several lengths, of which two readers may take two", b"");
    }
    if flags.has(HttpFlags::FOLDED_FIELD) {
        tell(1.5, "", "has a field that goes on in the next line", b"");
    }
    let method = request.method.as_bytes();
    if !method.is_empty() && !is_method(method) {
        tell(1.5, "method", "has a method that no application knows", method);
    }
    if let Some(range) = request.header("range")
        && RANGES_MAX < range.as_bytes().split(|&byte| byte == b',').count()
    {
        tell(1.5, "range", "asks for many ranges at once", range.as_bytes());
    }
    if let Some(kind) = request.header("content-type")
        && kind.as_bytes().windows(7).filter(|it| it.eq_ignore_ascii_case(b"charset")).count() > 1
    {
        tell(1.5, "content-type", "has several character sets", kind.as_bytes());
    }
    if 0 < arguments.dropped_count {
        let count = arguments.dropped_count.to_string();
        tell(1.0, "", "has more arguments, or longer ones, than are looked at", count.as_bytes());
    }
    for argument in &arguments.list {
        let is_given = matches!(argument.place, Place::Query | Place::Form | Place::Json);
        if is_given && is_session(&argument.name) {
            let hit = Hit::new(argument.place, &argument.name, &[], "gives a session by its id");
            keep(hits, Class::Fixation, hit.with(1.0, &argument.value, argument.value.len()));
        }
    }
}

/// Methods of RFC 9110, 5789 and of WebDAV and its kin.
fn is_method(method: &[u8]) -> bool {
    const METHODS: &[&[u8]] = &[
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"PATCH",
        b"DELETE",
        b"OPTIONS",
        b"CONNECT",
        b"PROPFIND",
        b"PROPPATCH",
        b"MKCOL",
        b"COPY",
        b"MOVE",
        b"LOCK",
        b"UNLOCK",
        b"REPORT",
        b"SEARCH",
        b"MKCALENDAR",
        b"ACL",
        b"CHECKOUT",
        b"MERGE",
        b"PURGE",
        b"LINK",
        b"UNLINK",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"NOTIFY",
        b"QUERY",
    ];
    METHODS.contains(&method)
}

/// Names under which servers look for a session in an address.
fn is_session(name: &[u8]) -> bool {
    const NAMES: &[&str] = &[
        "jsessionid",
        "phpsessid",
        "phpsession",
        "phpsessionid",
        "aspsessionid",
        "asp.net_sessionid",
        "cfid",
        "cftoken",
        "cfsid",
        "jservsession",
        "jwsession",
        "viewstateuserkey",
        "zend_session_id",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}
