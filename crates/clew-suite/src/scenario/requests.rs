//! Requests that processes answer or send, and their responses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use clew_event::http::{
    HttpEvent, HttpPrincipal, HttpPrincipalKind, HttpRequest, HttpResponse, HttpVersion,
    IssuedCredential,
};
use clew_event::socket::{Endpoints, Transport};
use clew_event::{EventKind, EventType, Text};

use super::line::Line;
use super::world::World;

/// Who asks where a line does not say: a network of the documentation (RFC 5737).
const CLIENT: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)), 40_000);
/// Where a server is reached.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 80);

/// `request`: one that the process reads, or with `to=` one that it sends.
pub(super) fn request(world: &mut World, line: &mut Line) -> Result<(), String> {
    let pid = line.need_as("pid")?;
    let actor = world.process(pid)?.actor;
    let sent_to: Option<SocketAddr> = line.take_as("to")?;
    let from: Option<SocketAddr> = line.take_as("from")?;
    let (local, remote) = match sent_to {
        Some(to) => (from.unwrap_or(SocketAddr::new(SERVER.ip(), CLIENT.port())), to),
        None => (SERVER, from.unwrap_or(CLIENT)),
    };
    let family = if remote.is_ipv4() { Endpoints::INET } else { Endpoints::INET6 };
    let (local, remote) = (Some(local), Some(remote));
    let http = HttpEvent {
        exchange: world.next_id(),
        is_inbound: sent_to.is_none(),
        endpoints: Endpoints { family, transport: Transport::Tcp, local, remote },
        request: Arc::new(asked(line, from.unwrap_or(CLIENT).ip())?),
        ..HttpEvent::default()
    };
    world.asked(pid, http.clone());
    world.push(EventType::HttpRequest, Some(actor), EventKind::Http(Box::new(http)));
    Ok(())
}

/// `response`: of the last request of that process that has none yet.
pub(super) fn response(world: &mut World, line: &mut Line) -> Result<(), String> {
    const TOOK_NS: u64 = 1_000_000;
    let pid = line.need_as("pid")?;
    let actor = world.process(pid)?.actor;
    let http = world.answered(pid).ok_or_else(|| format!("process {pid} has no `request` open"))?;
    let body: Text = line.take("body").unwrap_or_default().into();
    let issued = line.take("credential").map(|id| IssuedCredential {
        id: id.into(),
        role: line.take("role").unwrap_or_default().into(),
        ..IssuedCredential::default()
    });
    let response = HttpResponse {
        status: line.take_as("status")?.unwrap_or(200),
        duration_ns: TOOK_NS,
        headers: headers(line),
        body_bytes: line.take_as("bytes")?.unwrap_or(body.as_bytes().len() as u64),
        body,
        issued: issued.map(Box::new),
        ..HttpResponse::default()
    };
    let http = HttpEvent { response: Some(Box::new(response)), ..http };
    world.push(EventType::HttpResponse, Some(actor), EventKind::Http(Box::new(http)));
    Ok(())
}

fn asked(line: &mut Line, client: IpAddr) -> Result<HttpRequest, String> {
    let target = line.need("target")?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body: Text = line.take("body").unwrap_or_default().into();
    let principal = line.take("as").map(|name| (name, line.take("basic").is_some()));
    let principal = principal.map(|(name, is_basic)| HttpPrincipal {
        kind: if is_basic { HttpPrincipalKind::Basic } else { HttpPrincipalKind::Session },
        hash: name.clone().into(),
        name: name.into(),
        ..HttpPrincipal::default()
    });
    let host: Text = line.take("host").unwrap_or_else(|| "shop.example".to_owned()).into();
    let mut headers = headers(line);
    headers.insert(0, ("host".into(), host.clone()));
    Ok(HttpRequest {
        version: HttpVersion::Http11,
        method: line.take("method").unwrap_or_else(|| "GET".to_owned()).into(),
        host,
        path: path.into(),
        query: query.into(),
        headers,
        body_bytes: line.take_as("bytes")?.unwrap_or(body.as_bytes().len() as u64),
        body,
        client: Some(line.take_as("client")?.unwrap_or(client)),
        principal,
        trace: line.take("trace").unwrap_or_default().into(),
        ..HttpRequest::default()
    })
}

fn headers(line: &mut Line) -> Vec<(Text, Text)> {
    let taken = line.take_below("header.").into_iter();
    taken.map(|(name, value)| (name.to_lowercase().into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use clew_event::Event;

    use super::super::events;
    use super::*;

    fn last(text: &str) -> Vec<HttpEvent> {
        let told = events(&format!("exec pid=10 args=app\n{text}")).unwrap();
        let http = told.into_iter().filter_map(|Event { kind, .. }| match kind {
            EventKind::Http(http) => Some(*http),
            _ => None,
        });
        http.collect()
    }

    #[test]
    fn a_response_answers_the_last_request_that_has_none() {
        let told = last(
            "request pid=10 target=/a?x=1=2 header.User-Agent=curl
             request pid=10 target=/b to=10.0.0.2:80 method=POST body=hello
             response pid=10 status=404
             response pid=10",
        );
        let [a, b, b_answer, a_answer] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((a.is_inbound, a.request.query.to_string()), (true, "x=1=2".into()));
        assert_eq!(a.request.header("user-agent"), Some(&"curl".into()));
        assert_eq!((b.is_inbound, b.request.body_bytes), (false, 5));
        assert_eq!((b_answer.exchange, a_answer.exchange), (b.exchange, a.exchange));
        assert_eq!(b_answer.response.as_ref().unwrap().status, 404);
    }

    #[test]
    fn a_response_without_a_request_is_a_mistake() {
        let told = events("exec pid=10 args=app\nresponse pid=10").unwrap_err();
        assert_eq!(told.to_string(), "line 2: process 10 has no `request` open");
    }
}
