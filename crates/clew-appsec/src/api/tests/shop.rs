//! A generated web shop: its users, what they usually do, and how it answers.
//!
//! Everything comes from one seed. Sessions follow one another; within one a user logs in, looks
//! around, buys, reads own orders and changes the profile; three of them administer. People mistype
//! passwords, travel, change browsers, come anew, ask for what is gone; answers are slow at times.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use clew_event::http::{
    HttpEvent, HttpPrincipal, HttpPrincipalKind, HttpRequest, HttpResponse, HttpSource,
};
use clew_event::{Event, EventId, EventKind, EventType, Text, TimestampNs};

use crate::api::Apis;
use crate::detected::Detected;

pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const HOST: &str = "shop.example";
const ADMINS: usize = 3;
/// About six hundred exchanges of each user.
pub(super) const LEARNED: u64 = 16_000;

/// One exchange to make.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) body: String,
    pub(super) status: u16,
    pub(super) answer: String,
    pub(super) who: Option<HttpPrincipal>,
    pub(super) client: Ipv4Addr,
    pub(super) agent: String,
    pub(super) host: &'static str,
    pub(super) answer_headers: Vec<(Text, Text)>,
    pub(super) duration_ns: u64,
    pub(super) answer_bytes: Option<u64>,
    pub(super) is_inbound: bool,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) who: HttpPrincipal,
    pub(super) client: Ipv4Addr,
    pub(super) agent: String,
    pub(super) orders: Vec<u64>,
    id: u64,
}

#[derive(Clone)]
pub(super) struct Shop {
    pub(super) apis: Apis,
    pub(super) found: Vec<Detected>,
    pub(super) users: Vec<User>,
    pub(super) time_ns: u64,
    pub(super) exchanges: u64,
    random: u64,
    next_order: u64,
    products: u64,
}

impl Shop {
    /// An empty shop with `users`, three of whom administer it.
    pub(super) fn new(seed: u64, users: usize) -> Self {
        let mut shop = Self {
            apis: Apis::default(),
            found: Vec::new(),
            users: Vec::new(),
            time_ns: 1_750_000_000 * SECOND_NS,
            exchanges: 0,
            random: seed | 1,
            next_order: 10_000,
            products: 40,
        };
        for _ in 0..users {
            shop.join();
        }
        shop
    }

    /// One that has served [`LEARNED`]; always the same.
    pub(super) fn grown() -> Self {
        static GROWN: OnceLock<Shop> = OnceLock::new();
        GROWN.get_or_init(|| Self::served(42, LEARNED)).clone()
    }

    /// One that has served `exchanges`.
    pub(super) fn served(seed: u64, exchanges: u64) -> Self {
        let mut shop = Self::new(seed, 27);
        shop.serve(exchanges);
        shop.found.clear();
        shop
    }

    /// As if all that was learned was of the last minute.
    pub(super) fn squeeze(&mut self) {
        self.apis.squeeze(self.time_ns.saturating_sub(60 * SECOND_NS));
    }

    /// Serves sessions until so many more exchanges were made.
    pub(super) fn serve(&mut self, exchanges: u64) {
        let end = self.exchanges + exchanges;
        while self.exchanges < end {
            self.session();
        }
    }

    fn join(&mut self) {
        let id = self.users.len() as u64 + 100;
        let byte = u8::try_from(id % 250).unwrap_or(0);
        self.users.push(User {
            who: HttpPrincipal {
                kind: HttpPrincipalKind::Token,
                hash: format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into(),
                name: format!("user{id}").into(),
                algorithm: "RS256".into(),
                expires: None,
            },
            client: Ipv4Addr::new(198, 51, byte, 7),
            agent: format!("Mozilla/5.0 (browser {})", id % 5),
            orders: Vec::new(),
            id,
        });
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % bound
    }

    pub(super) fn is_one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// A request of `user` with its answer, to be changed before it is made.
    pub(super) fn ask(
        &self,
        user: usize,
        method: &'static str,
        target: &str,
        (body, answer): (&str, &str),
    ) -> Ask {
        let user = &self.users[user];
        Ask {
            method,
            target: target.to_owned(),
            body: body.to_owned(),
            status: if method == "POST" { 201 } else { 200 },
            answer: answer.to_owned(),
            who: Some(user.who.clone()),
            client: user.client,
            agent: user.agent.clone(),
            host: HOST,
            answer_headers: Vec::new(),
            duration_ns: 20_000_000,
            answer_bytes: None,
            is_inbound: true,
        }
    }

    /// Makes an exchange after `wait_ms`, and gives what was found in it.
    pub(super) fn make(&mut self, ask: Ask, wait_ms: u64) -> Vec<Detected> {
        self.time_ns += wait_ms * 1_000_000;
        self.exchanges += 1;
        let id = EventId(u128::from(self.exchanges));
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let mut headers = answer_headers();
        headers.extend(ask.answer_headers);
        let http = HttpEvent {
            exchange: id,
            seen_by: HttpSource::Tls,
            is_inbound: ask.is_inbound,
            request: Arc::new(HttpRequest {
                started: TimestampNs::from_unix_ns(self.time_ns),
                method: ask.method.into(),
                host: ask.host.into(),
                path: path.into(),
                query: query.into(),
                headers: vec![
                    ("user-agent".into(), ask.agent.into()),
                    ("content-type".into(), "application/json".into()),
                ],
                body: ask.body.as_str().into(),
                body_bytes: ask.body.len() as u64,
                client: Some(IpAddr::V4(ask.client)),
                principal: ask.who,
                ..HttpRequest::default()
            }),
            response: Some(Box::new(HttpResponse {
                status: ask.status,
                duration_ns: ask.duration_ns,
                headers,
                body: ask.answer.as_str().into(),
                body_bytes: ask.answer_bytes.unwrap_or(ask.answer.len() as u64),
                ..HttpResponse::default()
            })),
            ..HttpEvent::default()
        };
        let event = Event {
            id,
            time: TimestampNs::from_unix_ns(self.time_ns),
            arrived: TimestampNs::from_unix_ns(self.time_ns),
            event_type: EventType::HttpResponse,
            actor: None,
            kind: EventKind::Http(Box::new(http.clone())),
        };
        let before = self.found.len();
        if ask.is_inbound {
            self.apis.observe(&event, &http, &"shop".into(), &mut self.found);
        } else {
            self.apis.observe_upstream(&event, &http, &"shop".into(), &mut self.found);
        }
        self.found[before..].to_vec()
    }

    /// As [`Self::make`], as slow and after as long as people and machines are.
    fn people(&mut self, mut ask: Ask) {
        ask.duration_ns = 2_000_000 << self.below(7);
        if self.is_one_in(2000) {
            ask.duration_ns *= 20;
        }
        let wait_ms = 1_000 << self.below(5);
        let jitter = self.below(1_000);
        self.make(ask, wait_ms + jitter);
    }

    fn session(&mut self) {
        let pause_s = 60 + self.below(1_200);
        self.time_ns += pause_s * SECOND_NS;
        if self.is_one_in(60) && self.users.len() < 200 {
            self.join();
        }
        let users = self.users.len() as u64;
        let user = usize::try_from(self.below(users)).unwrap_or(0);
        if self.is_one_in(40) {
            let byte = u8::try_from(self.below(250)).unwrap_or(0);
            self.users[user].client = Ipv4Addr::new(203, 0, byte, 9);
        }
        if self.is_one_in(80) {
            let version = self.below(90);
            self.users[user].agent = format!("Mozilla/5.0 (browser {version})");
        }
        self.log_in(user);
        for _ in 0..=self.below(5) {
            self.look(user);
        }
        if self.is_one_in(3) {
            self.buy(user);
        }
        self.read_orders(user);
        if self.is_one_in(3) {
            self.change_profile(user);
        }
        if user < ADMINS {
            self.administer(user);
        }
        if self.is_one_in(300) {
            self.people(self.ask(user, "GET", "/api/v2/export", ("", r#"{"rows":3}"#)));
        }
    }

    fn log_in(&mut self, user: usize) {
        let name = self.users[user].who.name.clone();
        let number = self.below(1 << 30);
        loop {
            let is_right = !self.is_one_in(20);
            let secret = if is_right { 7 } else { number };
            let body = format!(r#"{{"username":"{name}","password":"pw-{name}-{secret}"}}"#);
            let answer = if is_right { r#"{"token":"opaque"}"# } else { r#"{"error":"wrong"}"# };
            let mut ask = self.ask(user, "POST", "/api/v2/login", (&body, answer));
            ask.who = None;
            ask.status = if is_right { 200 } else { 401 };
            self.people(ask);
            if is_right {
                return;
            }
        }
    }

    fn look(&mut self, user: usize) {
        let (page, limit) =
            (self.below(6), [10, 20, 20, 50][usize::try_from(self.below(4)).unwrap_or(0)]);
        if self.is_one_in(50) {
            self.products += 1;
        }
        let product = self.below(self.products);
        let answer = format!(r#"{{"items":[{{"slug":"shoe-{product}","price":12}}]}}"#);
        let target = format!("/api/v2/products?page={page}&limit={limit}");
        self.people(self.ask(user, "GET", &target, ("", &answer)));
        let other = self.below(self.products);
        let answer = format!(r#"{{"slug":"shoe-{other}","price":12,"text":"A shoe"}}"#);
        let mut ask =
            self.ask(user, "GET", &format!("/api/v2/products/shoe-{other}"), ("", &answer));
        if self.is_one_in(50) {
            (ask.status, ask.answer) = (404, r#"{"error":"gone"}"#.to_owned());
        } else if self.is_one_in(200) {
            (ask.status, ask.answer) = (500, r#"{"error":"try again"}"#.to_owned());
        }
        self.people(ask);
    }

    fn buy(&mut self, user: usize) {
        for _ in 0..=self.below(3) {
            let (product, quantity) = (self.below(self.products), 1 + self.below(3));
            let body = format!(r#"{{"product":"shoe-{product}","quantity":{quantity}}}"#);
            self.people(self.ask(user, "POST", "/api/v2/cart", (&body, r#"{"items":2}"#)));
        }
        if self.is_one_in(4) {
            return;
        }
        let coupon = if self.is_one_in(20) { r#","coupon":"SPRING""# } else { "" };
        let body = format!(r#"{{"address":"Main Street 7","express":false{coupon}}}"#);
        let order = self.next_order;
        self.next_order += 1 + self.below(3);
        let answer = format!(r#"{{"order_id":{order}}}"#);
        self.people(self.ask(user, "POST", "/api/v2/checkout", (&body, &answer)));
        self.users[user].orders.push(order);
        let amount = self.below(200);
        let body = format!(r#"{{"order_id":{order},"amount":{amount}}}"#);
        self.people(self.ask(user, "POST", "/api/v2/payments", (&body, r#"{"status":"paid"}"#)));
    }

    fn read_orders(&mut self, user: usize) {
        let orders = self.users[user].orders.clone();
        let recent: Vec<String> =
            orders.iter().rev().take(20).map(|id| format!(r#"{{"id":{id},"total":9}}"#)).collect();
        let answer = format!(r#"{{"items":[{}]}}"#, recent.join(","));
        self.people(self.ask(user, "GET", "/api/v2/orders", ("", &answer)));
        for _ in 0..self.below(4) {
            let Ok(place) = usize::try_from(self.below(orders.len().max(1) as u64)) else { return };
            let Some(id) = orders.get(place) else { return };
            let note = if self.is_one_in(50) { r#","note":"at the door""# } else { "" };
            let answer = format!(r#"{{"id":{id},"total":9,"status":"sent"{note}}}"#);
            let mut ask = self.ask(user, "GET", &format!("/api/v2/orders/{id}"), ("", &answer));
            if self.is_one_in(100) {
                (ask.status, ask.answer) = (404, r#"{"error":"gone"}"#.to_owned());
            }
            self.people(ask);
        }
        if self.is_one_in(500) {
            // A link that somebody else sent.
            let mut ask = self.ask(user, "GET", "/api/v2/orders/10001", ("", r#"{"error":"no"}"#));
            ask.status = 403;
            self.people(ask);
        }
    }

    fn change_profile(&mut self, user: usize) {
        let id = self.users[user].id;
        let answer = format!(r#"{{"id":{id},"name":"user {id}","role":"user"}}"#);
        self.people(self.ask(user, "GET", "/api/v2/profile", ("", &answer)));
        let avatar = self.below(30);
        let body = format!(r#"{{"name":"user {id}","avatar":"cat{avatar}.png"}}"#);
        self.people(self.ask(user, "PATCH", "/api/v2/profile", (&body, &answer)));
    }

    fn administer(&mut self, user: usize) {
        let answer = r#"{"items":[{"id":101,"name":"user 101"},{"id":102,"name":"user 102"}]}"#;
        self.people(self.ask(user, "GET", "/api/v2/admin/users", ("", answer)));
        self.people(self.ask(user, "GET", "/api/v2/admin/reports", ("", r#"{"total":9}"#)));
        if self.is_one_in(2) {
            let ask = self.ask(user, "DELETE", "/api/v2/admin/users/101", ("", r#"{"done":true}"#));
            self.people(ask);
        }
    }
}

fn answer_headers() -> Vec<(Text, Text)> {
    vec![("content-type".into(), "application/json".into())]
}
