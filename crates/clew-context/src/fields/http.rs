//! `http.*`: a request or response itself; `request.*`: the request because of which something was
//! done. Clew's own: Falco has no such events.

use std::borrow::Cow;

use clew_event::http::{HttpEvent, HttpPrincipalKind, HttpRequest, HttpSource, HttpVersion};
use clew_event::{EventKind, FieldArgument, FieldId, FieldValue, Scalar, Text};

use super::{boolean, maybe, owned, text, unsigned};
use crate::requests::Likeliest;
use crate::view::View;

/// The value of a field of these families; `None` where it is of another one.
pub(super) fn value<'a>(
    view: &View<'a>,
    id: FieldId,
    of: &FieldArgument,
) -> Option<FieldValue<'a>> {
    if id.spec().name.starts_with("request.") {
        return Some(maybe(view.context.requests.likeliest(view.event), |it| because(&it, id)));
    }
    if !id.spec().name.starts_with("http.") {
        return None;
    }
    let EventKind::Http(http) = &view.event.kind else { return Some(FieldValue::Missing) };
    Some(told(http, id, of))
}

fn told<'a>(http: &'a HttpEvent, id: FieldId, of: &FieldArgument) -> FieldValue<'a> {
    use FieldId as F;
    let (request, response) = (&*http.request, http.response.as_deref());
    match id {
        F::HttpMethod => text(&request.method),
        F::HttpHost => not_empty(&request.host),
        F::HttpPath => text(&request.path),
        F::HttpQuery => not_empty(&request.query),
        F::HttpUri => uri(request),
        F::HttpUrl => url(http),
        F::HttpExtension => extension(&request.path),
        F::HttpWords => words(request),
        F::HttpVersion => version(request.version),
        F::HttpClient | F::HttpClientNet => {
            maybe(request.client, |client| FieldValue::One(Scalar::Ip(client)))
        }
        F::HttpUserAgent => maybe(request.header("user-agent"), text),
        F::HttpReferer => maybe(request.header("referer"), text),
        F::HttpContentType => maybe(request.header("content-type"), text),
        F::HttpRequestHeader => maybe(header(&request.headers, of), text),
        F::HttpRequestBody => not_empty(&request.body),
        F::HttpRequestBytes => unsigned(request.body_bytes),
        F::HttpIsInbound => boolean(http.is_inbound),
        F::HttpIsTls => boolean(http.seen_by == HttpSource::Tls),
        F::HttpPrincipal => maybe(request.principal.as_ref(), |it| {
            text(if it.name.is_empty() { &it.hash } else { &it.name })
        }),
        F::HttpPrincipalKind => maybe(request.principal.as_ref(), |it| kind(it.kind).into()),
        F::HttpTrace => not_empty(&request.trace),
        F::HttpExchange => owned(http.exchange.to_string()),
        F::HttpStatus => {
            maybe(response.filter(|it| it.status != 0), |it| unsigned(it.status.into()))
        }
        F::HttpResponseHeader => maybe(response.and_then(|it| header(&it.headers, of)), text),
        F::HttpResponseBody => maybe(response, |it| not_empty(&it.body)),
        F::HttpResponseBytes => maybe(response, |it| unsigned(it.body_bytes)),
        F::HttpDuration => maybe(response, |it| unsigned(it.duration_ns)),
        _ => FieldValue::Missing,
    }
}

fn because<'a>(cause: &Likeliest<'a>, id: FieldId) -> FieldValue<'a> {
    use FieldId as F;
    let request = cause.request;
    match id {
        F::RequestMethod => text(&request.method),
        F::RequestHost => not_empty(&request.host),
        F::RequestPath => text(&request.path),
        F::RequestQuery => not_empty(&request.query),
        F::RequestUri => uri(request),
        F::RequestClient => maybe(request.client, |client| FieldValue::One(Scalar::Ip(client))),
        F::RequestUserAgent => maybe(request.header("user-agent"), text),
        F::RequestPrincipal => maybe(request.principal.as_ref(), |it| {
            text(if it.name.is_empty() { &it.hash } else { &it.name })
        }),
        F::RequestExchange => owned(cause.exchange.to_string()),
        F::RequestProbability => unsigned(percent(cause.probability)),
        _ => FieldValue::Missing,
    }
}

fn not_empty(value: &Text) -> FieldValue<'_> {
    if value.is_empty() { FieldValue::Missing } else { text(value) }
}

fn header<'a>(headers: &'a [(Text, Text)], of: &FieldArgument) -> Option<&'a Text> {
    let FieldArgument::Key(name) = of else { return None };
    let is_named = |known: &Text| known.as_bytes().eq_ignore_ascii_case(name.as_bytes());
    headers.iter().find(|(known, _)| is_named(known)).map(|(_, value)| value)
}

fn uri(request: &HttpRequest) -> FieldValue<'_> {
    if request.query.is_empty() {
        return text(&request.path);
    }
    owned([request.path.as_bytes(), request.query.as_bytes()].join(&b'?'))
}

fn url(http: &HttpEvent) -> FieldValue<'_> {
    let request = &http.request;
    let scheme: &[u8] = if http.seen_by == HttpSource::Tls { b"https://" } else { b"http://" };
    let mut url = [scheme, request.host.as_bytes(), request.path.as_bytes()].concat();
    if !request.query.is_empty() {
        url.push(b'?');
        url.extend_from_slice(request.query.as_bytes());
    }
    FieldValue::One(Scalar::Text(Cow::Owned(url)))
}

fn extension(path: &Text) -> FieldValue<'_> {
    let last = path.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    match last.iter().rposition(|&byte| byte == b'.') {
        Some(dot) => last.get(dot + 1..).unwrap_or_default().into(),
        None => FieldValue::Missing,
    }
}

fn words(request: &HttpRequest) -> FieldValue<'_> {
    let borrowed = |text: &'_ Text| Cow::Owned(text.as_bytes().to_vec());
    let mut words = vec![borrowed(&request.method), borrowed(&request.host)];
    words.push(match request.query.is_empty() {
        true => borrowed(&request.path),
        false => Cow::Owned([request.path.as_bytes(), request.query.as_bytes()].join(&b'?')),
    });
    let heads = ["referer", "user-agent"].into_iter().filter_map(|name| request.header(name));
    words.extend(heads.map(borrowed));
    FieldValue::Many(words.into_iter().map(Scalar::Text).collect())
}

fn version<'a>(version: HttpVersion) -> FieldValue<'a> {
    match version {
        HttpVersion::Unknown => FieldValue::Missing,
        HttpVersion::Http10 => "1.0".into(),
        HttpVersion::Http11 => "1.1".into(),
        HttpVersion::Http2 => "2".into(),
        HttpVersion::Http3 => "3".into(),
    }
}

const fn kind(kind: HttpPrincipalKind) -> &'static str {
    match kind {
        HttpPrincipalKind::Session => "session",
        HttpPrincipalKind::Token => "token",
        HttpPrincipalKind::Bearer => "bearer",
        HttpPrincipalKind::Basic => "basic",
        HttpPrincipalKind::ApiKey => "api_key",
        HttpPrincipalKind::Certificate => "certificate",
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a probability lies between 0 and 1"
)]
fn percent(probability: f64) -> u64 {
    (probability * 100.0) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clew_event::file::FileEvent;
    use clew_event::http::{HttpPrincipal, HttpResponse};
    use clew_event::socket::Endpoints;
    use clew_event::{EventId, EventType};

    use super::*;
    use crate::tests::builders::{INSIDE, event, shell_in_container, shown};

    fn http() -> HttpEvent {
        let request = HttpRequest {
            version: HttpVersion::Http11,
            method: "POST".into(),
            host: "shop".into(),
            path: "/a".into(),
            query: "b=c".into(),
            headers: vec![("user-agent".into(), "curl".into())],
            client: Some([198, 51, 100, 7].into()),
            principal: Some(HttpPrincipal { hash: "ab".into(), ..HttpPrincipal::default() }),
            ..HttpRequest::default()
        };
        HttpEvent {
            exchange: EventId(7),
            is_inbound: true,
            endpoints: Endpoints {
                family: Endpoints::INET,
                local: "10.0.0.1:80".parse().ok(),
                remote: "198.51.100.7:4000".parse().ok(),
                ..Endpoints::default()
            },
            request: Arc::new(request),
            ..HttpEvent::default()
        }
    }

    #[test]
    fn a_request_is_asked_by_its_parts() {
        let context = shell_in_container();
        let kind = EventKind::Http(Box::new(http()));
        let event = event(Some((30, INSIDE)), EventType::HttpRequest, kind);
        let view = context.view(&event);
        let check = |name: &str, value: &str| assert_eq!(shown(&view, name), value, "{name}");
        check("http.method", "\"POST\"");
        check("http.uri", "\"/a?b=c\"");
        check("http.url", "\"http://shop/a?b=c\"");
        check("http.version", "\"1.1\"");
        check("http.client", "198.51.100.7");
        check("http.client.net", "198.51.100.7");
        check("http.user_agent", "\"curl\"");
        check("http.request.header[User-Agent]", "\"curl\"");
        check("http.referer", "-");
        check("http.extension", "-");
        check("http.words", r#"["POST", "shop", "/a?b=c", "curl"]"#);
        check("http.status", "-");
        check("http.principal", "\"ab\"");
        check("http.principal.kind", "\"session\"");
        check("http.is_inbound", "true");
        check("request.uri", "\"/a?b=c\"");
        check("proc.name", "\"sh\"");
        check("fd.sip", "10.0.0.1");
        check("fd.sport", "80");
        check("fd.cip", "198.51.100.7");
        check("fd.cport", "4000");
    }

    #[test]
    fn a_response_is_asked_with_its_request() {
        let context = shell_in_container();
        let response = HttpResponse {
            status: 404,
            duration_ns: 5,
            headers: vec![("server".into(), "nginx".into())],
            body: "no".into(),
            body_bytes: 2,
            ..HttpResponse::default()
        };
        let http = HttpEvent { response: Some(Box::new(response)), ..http() };
        let kind = EventKind::Http(Box::new(http));
        let event = event(Some((30, INSIDE)), EventType::HttpResponse, kind);
        let view = context.view(&event);
        let check = |name: &str, value: &str| assert_eq!(shown(&view, name), value, "{name}");
        check("http.status", "404");
        check("http.path", "\"/a\"");
        check("http.response.header[server]", "\"nginx\"");
        check("http.response.body", "\"no\"");
        check("http.response.bytes", "2");
        check("http.duration", "5");
    }

    #[test]
    fn an_effect_is_asked_for_the_request_behind_it() {
        let mut context = shell_in_container();
        let kind = EventKind::Http(Box::new(http()));
        context.observe(&event(Some((30, INSIDE)), EventType::HttpRequest, kind));
        let file = EventKind::File(FileEvent::default());
        let opened = event(Some((30, INSIDE)), EventType::Openat, file.clone());
        let view = context.view(&opened);
        let check = |name: &str, value: &str| assert_eq!(shown(&view, name), value, "{name}");
        check("request.path", "\"/a\"");
        check("request.client", "198.51.100.7");
        check("request.probability", "100");
        check("request.exchange", "\"e-00000000000000000000000000000007\"");
        check("http.path", "-");
        let elsewhere = event(Some((20, INSIDE)), EventType::Openat, file);
        assert_eq!(shown(&context.view(&elsewhere), "request.path"), "-");
    }
}
