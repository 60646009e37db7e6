//! One exchange, read for what is learned and judged of it.

use std::net::IpAddr;

use clew_event::http::{HttpEvent, HttpRequest, HttpResponse};

use super::content::{Kind, Leaf, body, form};
use super::path::{Route, noun};
use super::schema::number;
use super::sketch::{fold, hash32, hash64, mix};
use super::value::Shape;

/// Most objects of one exchange, asked for or handed out.
pub(super) const OBJECTS_MAX: usize = 256;

/// One exchange with its response.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) http: &'a HttpEvent,
    pub(super) request: &'a HttpRequest,
    pub(super) response: &'a HttpResponse,
    pub(super) time_ns: u64,
    pub(super) api: u64,
    pub(super) route: Route<'a>,
    /// The route with its method.
    pub(super) endpoint: u64,
    /// Key of the principal, or of the client where there is none.
    pub(super) who: u64,
    /// Who counts as one when it teaches.
    pub(super) source: u32,
    /// The network, and the client's program.
    pub(super) network: Option<u32>,
    pub(super) agent: Option<u32>,
    pub(super) query: Vec<Leaf<'a>>,
    pub(super) sent: Vec<Leaf<'a>>,
    pub(super) answer: Vec<Leaf<'a>>,
}

/// An object that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where it stands: `order in the path`, `account_id in the body`.
    pub(super) place: String,
    pub(super) value: String,
    pub(super) hash: u32,
    pub(super) number: Option<u64>,
}

impl<'a> Exchange<'a> {
    pub(super) fn read(
        time_ns: u64,
        http: &'a HttpEvent,
        response: &'a HttpResponse,
        (api, route): (u64, Route<'a>),
    ) -> Self {
        let request = &*http.request;
        let network = request.client.map(network);
        let content_type = |given: Option<&'a clew_event::Text>| -> &'a [u8] {
            given.map_or(&[], clew_event::Text::as_bytes)
        };
        Self {
            http,
            request,
            response,
            time_ns,
            api,
            endpoint: mix(route.key, hash64(request.method.as_bytes())),
            route,
            who: who(api, request),
            source: source(api, request),
            network,
            agent: request.header("user-agent").map(|agent| hash32(agent.as_bytes())),
            query: form(request.query.as_bytes()),
            sent: body(request.body.as_bytes(), content_type(request.header("content-type"))),
            answer: body(response.body.as_bytes(), content_type(response.header("content-type"))),
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// Answered in a way that shows that the path exists.
    pub(super) fn teaches_paths(&self) -> bool {
        (200..400).contains(&self.response.status)
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.response.status, 401 | 403 | 404)
    }

    /// Changes something: a step of a flow.
    pub(super) fn is_step(&self) -> bool {
        !matches!(self.request.method.as_bytes(), b"GET" | b"HEAD" | b"OPTIONS") && self.is_ok()
    }

    /// The lower half tells principals apart in sketches.
    pub(super) fn user(&self) -> u32 {
        fold(self.who)
    }

    /// How people call who asked.
    pub(super) fn who_name(&self) -> String {
        match (&self.request.principal, self.request.client) {
            (Some(principal), _) if !principal.name.is_empty() => principal.name.to_string(),
            (Some(principal), _) => principal.hash.to_string().chars().take(8).collect(),
            (None, Some(client)) => client.to_string(),
            (None, None) => "an unknown client".to_owned(),
        }
    }

    /// The objects that the request names, each place once.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let mut asked = Vec::new();
        for (place, part) in self.route.parts.iter().enumerate() {
            let Some(shape) = part.hole else { continue };
            let noun = self.route.noun(place);
            asked.push(Asked {
                hash: object(&noun, &part.value, shape),
                place: format!("{noun} in the path"),
                value: clew_event::text::escaped(&part.value),
                number: std::str::from_utf8(&part.value).ok().and_then(|text| text.parse().ok()),
            });
        }
        for (leaves, place) in [(&self.query, "query"), (&self.sent, "body")] {
            for leaf in leaves.iter().filter(|leaf| names_object(leaf)) {
                asked.push(Asked {
                    hash: object(&noun_of(leaf), &leaf.value, leaf.shape()),
                    place: format!("{} in the {place}", leaf.name),
                    value: clew_event::text::escaped(&leaf.value),
                    number: number(leaf),
                });
            }
        }
        asked.truncate(OBJECTS_MAX);
        asked
    }

    /// The objects that the response hands out.
    pub(super) fn handed_out(&self) -> Vec<u32> {
        let mut objects = Vec::new();
        let own = self.route.noun(self.route.parts.len());
        for leaf in self.answer.iter().filter(|leaf| names_object(leaf)) {
            let shape = leaf.shape();
            let named = noun_of(leaf);
            objects.push(object(&named, &leaf.value, shape));
            if is_bare(leaf.last_name()) && named != own {
                objects.push(object(&own, &leaf.value, shape));
            }
        }
        if let Some(location) = self.response.header("location") {
            let path = location.as_bytes().split(|byte| *byte == b'?').next().unwrap_or_default();
            let mut parts = path.rsplit(|byte| *byte == b'/');
            if let (Some(value), Some(before)) = (parts.next(), parts.next()) {
                let before = noun(&String::from_utf8_lossy(before));
                objects.push(object(&before, value, Shape::of(value)));
            }
        }
        objects.truncate(OBJECTS_MAX);
        objects
    }

    /// The value of the first field of that kind in query and body.
    pub(super) fn sent_field(&self, names: &[&str]) -> Option<&Leaf<'a>> {
        let has_name = |leaf: &&Leaf<'_>| {
            let name = leaf.last_name().to_ascii_lowercase();
            names.contains(&name.as_str())
        };
        self.sent.iter().chain(&self.query).find(has_name)
    }
}

/// Key of the principal, or of the client where there is none.
fn who(api: u64, request: &HttpRequest) -> u64 {
    let who = match (&request.principal, request.client) {
        (Some(principal), _) => hash64(principal.hash.as_bytes()),
        (None, Some(client)) => hash64(client.to_string().as_bytes()),
        (None, None) => 0,
    };
    mix(api, who)
}

/// Who counts as one when it teaches: the principal, or the network where there is none.
pub(super) fn source(api: u64, request: &HttpRequest) -> u32 {
    if request.principal.is_some() {
        fold(who(api, request))
    } else {
        request.client.map_or(0, network)
    }
}

/// Hash of an object. One whose id is unique is the same under every name.
fn object(noun: &str, value: &[u8], shape: Shape) -> u32 {
    let value = hash64(value);
    if shape.is_unique() { fold(value) } else { fold(mix(hash64(noun.as_bytes()), value)) }
}

fn is_bare(name: &str) -> bool {
    matches!(name, "id" | "_id" | "Id" | "ID" | "uuid" | "guid" | "slug")
}

/// `order` of `order_id` and `orderId`; of a bare `id` what holds it: `user` of `user.id`.
fn noun_of(leaf: &Leaf<'_>) -> String {
    let last = leaf.last_name();
    if is_bare(last) {
        let holder = leaf.name.rsplit('.').nth(1).unwrap_or_default();
        return noun(holder.trim_end_matches("[]"));
    }
    let stem = ["_id", "-id", "Id", "ID", "_uuid", "Uuid"]
        .iter()
        .find_map(|suffix| last.strip_suffix(suffix));
    noun(stem.unwrap_or(last))
}

fn names_object(leaf: &Leaf<'_>) -> bool {
    let last = leaf.last_name();
    let is_named = is_bare(last)
        || ["_id", "-id", "Id", "ID", "_uuid", "Uuid"].iter().any(|end| last.ends_with(end));
    let can_name = matches!(leaf.kind, Kind::Number | Kind::Text) && !leaf.value.is_empty();
    can_name && (is_named || matches!(leaf.shape(), Shape::Uuid | Shape::Ulid))
}

/// The network of an address: its first 24 bits, in version 6 its first 64.
fn network(address: IpAddr) -> u32 {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            hash32(&[a, b, c])
        }
        IpAddr::V6(address) => {
            let prefix = u64::try_from(address.to_bits() >> 64).unwrap_or_default();
            hash32(&prefix.to_be_bytes())
        }
    }
}
