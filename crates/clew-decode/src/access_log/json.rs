//! The same as JSON: whoever writes the log names its members, so their meaning is guessed.
//!
//! Names are compared without what is no letter or digit. Known are the variables of nginx, the
//! examples of Envoy and of API Gateway, and what is usual beside them.

use std::borrow::Cow;

use clew_event::http::HttpVersion;
use clew_event::json::{Json, Kind, Value};

use super::line::{Line, number, span_ns, time, version};

/// Longest name that is looked at.
const NAME_BYTES_MAX: usize = 48;

pub(super) fn line(text: &[u8]) -> Option<Line<'_>> {
    let json = Json::parse(text).ok()?;
    let mut line = Line::default();
    let mut query = Cow::default();
    for (name, value) in json.root().members() {
        let is_plain = matches!(value.kind(), Kind::String | Kind::Number);
        if let Some(name) = name.string().filter(|_| is_plain) {
            take(&mut line, &mut query, &bare(&name), value);
        }
    }
    if !query.is_empty() && !line.asked.target.contains(&b'?') {
        line.asked.target = [&*line.asked.target, &query].join(&b'?').into();
    }
    let is_method = !line.asked.method.is_empty()
        && line.asked.method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    (is_method && !line.asked.target.is_empty() && 0 < line.status).then_some(line)
}

/// Letters and digits of a name, in lower case.
fn bare(name: &[u8]) -> Vec<u8> {
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name).to_ascii_lowercase();
    name.into_iter().filter(u8::is_ascii_alphanumeric).collect()
}

fn take<'a>(line: &mut Line<'a>, query: &mut Cow<'a, [u8]>, name: &[u8], value: Value<'_, 'a>) {
    let text = value.as_text();
    if text.is_empty() || *text == *b"-" {
        return;
    }
    match name {
        b"request" | b"requestline" => line.request_line(text),
        b"method" | b"requestmethod" | b"httpmethod" => line.asked.method = text,
        b"requesturi" | b"uri" | b"path" | b"url" | b"originalpath" | b"requestpath"
        | b"rawpath" => line.asked.target = text,
        b"resourcepath" if line.asked.target.is_empty() => line.asked.target = text,
        b"args" | b"querystring" | b"query" => *query = text,
        b"protocol" | b"serverprotocol" | b"httpversion" => line.asked.version = protocol(&text),
        b"status" | b"statuscode" | b"responsecode" => {
            line.status = number(&text).and_then(|it| it.try_into().ok()).unwrap_or_default();
        }
        b"bodybytessent" | b"bytessent" | b"responselength" | b"bytes" | b"size" => {
            line.response_bytes = number(&text).unwrap_or_default();
        }
        b"requestlength" | b"bytesreceived" => {
            line.request_bytes = number(&text).unwrap_or_default();
        }
        b"remoteaddr"
        | b"clientip"
        | b"remoteip"
        | b"ip"
        | b"sourceip"
        | b"client"
        | b"remotehost"
        | b"downstreamremoteaddress" => line.peer(&text),
        b"remoteuser" | b"user" | b"caller" => line.asked.user = text,
        _ => times(line, name, text),
    }
}

fn times<'a>(line: &mut Line<'a>, name: &[u8], text: Cow<'a, [u8]>) {
    match name {
        // API Gateway names so when a request came; nginx, how many seconds it took.
        b"requesttime" => match time(&text) {
            Some(began) => line.time = Some(began),
            None => {
                line.duration_ns = span_ns(&text, 1e9).unwrap_or_default();
                line.is_noted_at_end = true;
            }
        },
        b"duration" | b"responselatency" | b"latencyms" | b"durationms" => {
            line.duration_ns = span_ns(&text, 1e6).unwrap_or_default();
        }
        b"timelocal" | b"timeiso8601" | b"msec" => {
            line.is_noted_at_end = true;
            line.time = time(&text).or(line.time);
        }
        b"time" | b"timestamp" | b"ts" | b"starttime" | b"requesttimeepoch" | b"datetime" => {
            line.time = line.time.or_else(|| time(&text));
        }
        _ => fields(line, name, text),
    }
}

fn fields<'a>(line: &mut Line<'a>, name: &[u8], text: Cow<'a, [u8]>) {
    let field = match name {
        b"host" | b"httphost" | b"servername" | b"authority" | b"domainname" | b"vhost" => "host",
        b"useragent" | b"httpuseragent" | b"agent" => "user-agent",
        b"referer" | b"httpreferer" | b"referrer" => "referer",
        b"xforwardedfor" | b"httpxforwardedfor" | b"forwardedfor" => "x-forwarded-for",
        b"requestid" | b"xrequestid" | b"httpxrequestid" => "x-request-id",
        b"traceparent" | b"httptraceparent" => "traceparent",
        _ => return,
    };
    line.field(field, text);
}

fn protocol(text: &[u8]) -> HttpVersion {
    let whole = || [b"HTTP/", text].concat();
    version(text).or_else(|| version(&whole())).unwrap_or_default()
}
