//! Envoy's default format, and Istio's, which tells more in between.
//!
//! `[time] "request" status flags received sent duration upstream "forwarded" "agent" "id" "host"
//! "upstream"`; Istio has three parts more behind the flags, and six at the end.
//! Source: the pages "Access logging" of Envoy and "Envoy Access Logs" of Istio.

use super::line::{Line, number, span_ns, status, time};
use super::token::{Form, Token};

pub(super) fn line<'a>(tokens: &[Token<'a>]) -> Option<Line<'a>> {
    let [noted, request, answered, _flags, rest @ ..] = tokens else { return None };
    if !request.is(Form::Quoted) {
        return None;
    }
    let mut line = Line { time: Some(time(&noted.text)?), ..Line::default() };
    line.status = status(answered)?;
    line.request_line(request.text.clone());
    let is_istio = rest.first().is_some_and(|token| number(&token.text).is_none());
    let rest = rest.get(if is_istio { 3 } else { 0 }..)?;
    let [received, sent, duration, _upstream, forwarded, agent, id, host, further @ ..] = rest
    else {
        return None;
    };
    line.request_bytes = number(&received.text)?;
    line.response_bytes = number(&sent.text)?;
    line.duration_ns = span_ns(&duration.text, 1e6).unwrap_or_default();
    line.field("x-forwarded-for", forwarded.text.clone());
    line.field("user-agent", agent.text.clone());
    line.field("x-request-id", id.text.clone());
    line.field("host", host.text.clone());
    // Upstream, cluster, local ends of both sides, then the client.
    if is_istio && let Some(client) = further.get(4) {
        line.peer(&client.text);
    }
    Some(line)
}
