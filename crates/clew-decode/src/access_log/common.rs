//! The common log format and what grew out of it.
//!
//! `client ident user [time] "request" status bytes`, in `combined` with `"referer" "agent"`; with
//! the virtual host in front (`vhost_combined`). Behind that, each site has its own: addresses are
//! those of proxies, `name=value` and a number with a fraction say how long it took. API Gateway's
//! form has no blank before the request, and the id of the request at the end.

use std::borrow::Cow;

use super::line::{Line, address, is_addresses, number, span_ns, status, time};
use super::token::{Form, Token};

/// Most parts before the time: a name of a user may have blanks.
const BEFORE_TIME: usize = 16;

pub(super) fn line<'a>(tokens: &[Token<'a>]) -> Option<Line<'a>> {
    let at = tokens.iter().take(BEFORE_TIME).position(|token| token.is(Form::Bracketed))?;
    let (before, rest) = tokens.split_at_checked(at)?;
    let [noted, request, answered, rest @ ..] = rest else { return None };
    if !request.is(Form::Quoted) {
        return None;
    }
    let mut line =
        Line { time: Some(time(&noted.text)?), is_noted_at_end: true, ..Line::default() };
    line.status = status(answered)?;
    line.request_line(request.text.clone());
    callers(&mut line, before)?;
    let rest = match rest.split_first() {
        Some((bytes, rest)) if bytes.is(Form::Bare) => {
            line.response_bytes = number(&bytes.text).unwrap_or_default();
            rest
        }
        _ => rest,
    };
    let rest = match rest {
        [referer, agent, rest @ ..] if referer.is(Form::Quoted) && agent.is(Form::Quoted) => {
            line.field("referer", referer.text.clone());
            line.field("user-agent", agent.text.clone());
            rest
        }
        _ => rest,
    };
    rest.iter().for_each(|token| further(&mut line, token));
    Some(line)
}

/// Virtual host, client and user.
fn callers<'a>(line: &mut Line<'a>, before: &[Token<'a>]) -> Option<()> {
    let before = match before {
        [host, client, _, _, ..] if address(&host.text).is_none() && is_client(client) => {
            line.field("host", host.text.clone());
            before.get(1..)?
        }
        _ => before,
    };
    let [client, _, user @ ..] = before else { return None };
    line.peer(&client.text);
    line.asked.user = match user {
        [] => return None,
        [one] => one.said(),
        several => {
            let texts: Vec<&[u8]> = several.iter().map(|token| &*token.text).collect();
            Cow::Owned(texts.join(&b' '))
        }
    };
    Some(())
}

fn is_client(token: &Token<'_>) -> bool {
    address(&token.text).is_some()
}

/// What stands behind the fixed parts tells by itself what it is.
fn further<'a>(line: &mut Line<'a>, token: &Token<'a>) {
    let text = &token.text;
    let (name, value) = match memchr::memchr(b'=', text) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (&b""[..], &**text),
    };
    let is_time = matches!(name, b"rt" | b"request_time")
        || name.is_empty() && value.contains(&b'.') && line.duration_ns == 0;
    if is_time && let Some(duration_ns) = span_ns(value, 1e9) {
        line.duration_ns = duration_ns;
    } else if is_trace(value) {
        line.field("traceparent", Cow::Owned(value.to_vec()));
    } else if name.is_empty() && is_addresses(value) {
        line.field("x-forwarded-for", text.clone());
    }
}

/// W3C Trace Context: `00-TRACE-PARENT-FLAGS`.
fn is_trace(text: &[u8]) -> bool {
    let lengths: Vec<usize> = text.split(|&byte| byte == b'-').map(<[u8]>::len).collect();
    lengths == [2, 32, 16, 2] && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}
