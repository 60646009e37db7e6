//! Requests to the tenant's applications and by them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use clew_event::http::{HttpEvent, HttpRequest, HttpResponse, HttpVersion, IssuedCredential};
use clew_event::{EventKind, EventType, Text, TimestampNs};

use super::world::{MS, Process, World, endpoints};

/// What is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// `GET` where it is empty.
    pub method: &'a str,
    /// Host asked for; the shop's where it is empty.
    pub host: &'a str,
    /// Path, and query behind a `?`.
    pub target: &'a str,
    /// Content.
    pub body: &'a str,
    /// One further field.
    pub header: Option<(&'a str, &'a str)>,
}

/// Where a metadata service answers.
pub const METADATA: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254)), 80);

impl World {
    /// A process reads a request.
    pub fn asked(
        &mut self,
        at: u64,
        server: Process,
        client: SocketAddr,
        ask: Ask<'_>,
    ) -> HttpEvent {
        self.exchange(at, server, (client, true), ask)
    }

    /// A process sends a request.
    pub fn asks(&mut self, at: u64, process: Process, to: SocketAddr, ask: Ask<'_>) -> HttpEvent {
        self.exchange(at, process, (to, false), ask)
    }

    fn exchange(
        &mut self,
        at: u64,
        process: Process,
        (remote, is_inbound): (SocketAddr, bool),
        ask: Ask<'_>,
    ) -> HttpEvent {
        let (path, query) = ask.target.split_once('?').unwrap_or((ask.target, ""));
        let host: Text = if ask.host.is_empty() { "shop.example" } else { ask.host }.into();
        let field = |(name, value): (&str, &str)| (Text::from(name), Text::from(value));
        let headers = [("host", host.to_string())].into_iter();
        let headers = headers.map(|(name, value)| (Text::from(name), Text::from(value.as_str())));
        let request = HttpRequest {
            started: TimestampNs::from_unix_ns(at),
            version: HttpVersion::Http11,
            method: if ask.method.is_empty() { "GET" } else { ask.method }.into(),
            host: host.clone(),
            path: path.into(),
            query: query.into(),
            headers: headers.chain(ask.header.map(field)).collect(),
            body: ask.body.into(),
            body_bytes: ask.body.len() as u64,
            client: is_inbound.then_some(remote.ip()),
            ..HttpRequest::default()
        };
        let http = HttpEvent {
            exchange: self.next_id(),
            connection: at,
            is_inbound,
            endpoints: endpoints(remote),
            request: Arc::new(request),
            ..HttpEvent::default()
        };
        let kind = EventKind::Http(Box::new(http.clone()));
        self.push(at, EventType::HttpRequest, Some(process.actor), kind);
        http
    }

    /// The response to a request, with a credential if it hands one out.
    pub fn answered(&mut self, at: u64, process: Process, http: HttpEvent, answer: Answer<'_>) {
        let issued = answer.credential.map(|(id, role)| IssuedCredential {
            id: id.into(),
            role: role.into(),
            expires: Some(TimestampNs::from_unix_ns(at + 6 * super::world::HOUR)),
            has_token: answer.has_token,
        });
        let response = HttpResponse {
            status: answer.status,
            duration_ns: at.saturating_sub(http.request.started.unix_ns()),
            headers: vec![("content-type".into(), "application/json".into())],
            body: answer.body.into(),
            body_bytes: answer.body.len() as u64,
            issued: issued.map(Box::new),
            ..HttpResponse::default()
        };
        let http = HttpEvent { response: Some(Box::new(response)), ..http };
        let kind = EventKind::Http(Box::new(http));
        self.push(at, EventType::HttpResponse, Some(process.actor), kind);
    }

    /// A request with its response, a few milliseconds apart.
    pub fn served(&mut self, at: u64, server: Process, client: SocketAddr, ask: Ask<'_>) {
        let http = self.asked(at, server, client, ask);
        self.answered(at + 4 * MS, server, http, Answer::default());
    }

    /// A library of the cloud takes the role's credential, by version 2 of the service, or as old
    /// libraries do by version 1.
    pub fn refresh(&mut self, at: u64, process: Process, (key, role): (&str, &str), is_old: bool) {
        let token = ("x-aws-ec2-metadata-token", "AQAE");
        let header = (!is_old).then_some(token);
        self.connect(at, process, METADATA);
        let host = "169.254.169.254";
        if !is_old {
            let header = Some(("x-aws-ec2-metadata-token-ttl-seconds", "21600"));
            let ask = Ask { method: "PUT", host, target: "/latest/api/token", header, body: "" };
            let http = self.asks(at, process, METADATA, ask);
            self.answered(at + MS, process, http, Answer::default());
        }
        let target = format!("/latest/meta-data/iam/security-credentials/{role}");
        let ask = Ask { host, target: &target, header, ..Ask::default() };
        let http = self.asks(at + 2 * MS, process, METADATA, ask);
        let credential = Some((key, role));
        let answer = Answer { credential, has_token: !is_old, ..Answer::default() };
        self.answered(at + 3 * MS, process, http, answer);
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Status.
    pub status: u16,
    /// Content.
    pub body: &'a str,
    /// Public id and role of a credential that is handed out.
    pub credential: Option<(&'a str, &'a str)>,
    /// The service asked for a session token first.
    pub has_token: bool,
}

impl Default for Answer<'_> {
    fn default() -> Self {
        Self { status: 200, body: "{}", credential: None, has_token: false }
    }
}
