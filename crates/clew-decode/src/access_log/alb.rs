//! Logs of Application Load Balancers of AWS.
//!
//! `type time elb client:port target:port three-durations status target-status received sent
//! "request" "agent" cipher protocol group "trace" "domain" …`. Source: the page "Access logs for
//! your Application Load Balancer" of AWS.

use super::line::{Line, number, span_ns, status, time};
use super::token::{Form, Token};

const KINDS: [&[u8]; 6] = [b"http", b"https", b"h2", b"grpcs", b"ws", b"wss"];

pub(super) fn line<'a>(tokens: &[Token<'a>]) -> Option<Line<'a>> {
    let [kind, noted, _elb, client, _target, spans @ ..] = tokens else { return None };
    let [first, second, third, answered, _target_status, received, sent, request, rest @ ..] =
        spans
    else {
        return None;
    };
    if !KINDS.contains(&&*kind.text) || !request.is(Form::Quoted) {
        return None;
    }
    let mut line =
        Line { time: Some(time(&noted.text)?), is_noted_at_end: true, ..Line::default() };
    line.status = status(answered)?;
    line.request_line(request.text.clone());
    line.peer(&client.text);
    // A span is -1 where there was none.
    let spans = [first, second, third].map(|span| span_ns(&span.text, 1e9).unwrap_or_default());
    line.duration_ns = spans.into_iter().fold(0, u64::saturating_add);
    line.request_bytes = number(&received.text).unwrap_or_default();
    line.response_bytes = number(&sent.text).unwrap_or_default();
    if let [agent, _cipher, _protocol, _group, trace, ..] = rest {
        line.field("user-agent", agent.text.clone());
        line.field("x-amzn-trace-id", trace.text.clone());
    }
    Some(line)
}
