//! One attack for each item of the OWASP API Top 10 (2023), on a grown profile and on a young one,
//! and its harmless twin.

use std::net::Ipv4Addr;

use super::shop::{SECOND_NS, Shop};
use super::{bits, telling};
use crate::detected::{Detected, PAYLOAD_BITS_MAX};

/// A user who has no part in administration.
const USER: usize = 5;
const OTHER: usize = 6;

/// Runs `attack` and `twin` on a grown profile, and `attack` on one of a minute; what is told of
/// the attack on the grown one.
fn check(
    tag: &str,
    attack: impl Fn(&mut Shop) -> Vec<Detected>,
    twin: impl Fn(&mut Shop) -> Vec<Detected>,
) -> Vec<Detected> {
    let mut grown = Shop::grown();
    let harmless = twin(&mut grown);
    assert_eq!(telling(&harmless), [""; 0], "{tag}: the twin");
    let found = attack(&mut grown);
    println!("{tag}: {:.1} bits, {:?}", bits(&found, tag), telling(&found).first());
    assert!(8.0 <= bits(&found, tag), "{tag}: {found:#?}");
    found
}

/// The same on a shop whose whole life is a minute: learned surprises have few bits.
fn check_young(tag: &str, attack: impl Fn(&mut Shop) -> Vec<Detected>, most: f64) {
    let mut young = Shop::grown();
    // A profile whose clock stood nearly still: as many exchanges, all of one minute.
    young.squeeze();
    let found = attack(&mut young);
    assert!(bits(&found, tag) <= most, "{tag}: {found:#?}");
}

fn order_of(shop: &Shop, user: usize) -> u64 {
    *shop.users[user].orders.last().expect("an order")
}

fn read_order(shop: &mut Shop, user: usize, order: u64) -> Vec<Detected> {
    let answer = format!(r#"{{"id":{order},"total":9,"status":"sent"}}"#);
    let ask = shop.ask(user, "GET", &format!("/api/v2/orders/{order}"), ("", &answer));
    shop.make(ask, 5_000)
}

#[test]
fn api1_an_order_of_another_is_read() {
    let attack = |shop: &mut Shop| read_order(shop, USER, order_of(shop, OTHER));
    let found = check("OWASP_API1", attack, |shop| read_order(shop, USER, order_of(shop, USER)));
    let told = found.iter().find(|told| told.rule == "Object of another accessed");
    let told = told.expect("the detector of objects");
    assert!(told.output.contains("user105 at GET /api/v2/orders/{number}"), "{}", told.output);
    assert_eq!(told.fields["api.object"], "order in the path");
    check_young("OWASP_API1", attack, 4.0);
}

#[test]
fn api1_a_refused_access_is_the_background() {
    let mut shop = Shop::grown();
    let order = order_of(&shop, OTHER);
    let mut ask = shop.ask(USER, "GET", &format!("/api/v2/orders/{order}"), ("", ""));
    ask.status = 403;
    let found = shop.make(ask, 5_000);
    assert!(bits(&found, "OWASP_API1") < 8.0, "{found:?}");
}

#[test]
fn api1_orders_are_enumerated() {
    let walk = |shop: &mut Shop, status: u16| {
        let mut found = Vec::new();
        for order in 500_000..500_030_u64 {
            let mut ask = shop.ask(USER, "GET", &format!("/api/v2/orders/{order}"), ("", ""));
            ask.status = status;
            found.extend(shop.make(ask, 500));
        }
        found
    };
    let own = |shop: &mut Shop| {
        let orders = shop.users[USER].orders.clone();
        orders.into_iter().flat_map(|order| read_order(shop, USER, order)).collect()
    };
    let found = check("OWASP_API1", |shop| walk(shop, 404), own);
    assert!(found.iter().any(|told| told.rule == "Objects enumerated"), "{found:?}");
}

fn log_in(shop: &mut Shop, account: &str, secret: &str, status: u16) -> Vec<Detected> {
    let body = format!(r#"{{"username":"{account}","password":"{secret}"}}"#);
    let mut ask = shop.ask(USER, "POST", "/api/v2/login", (&body, r#"{"token":"opaque"}"#));
    (ask.who, ask.status, ask.client) = (None, status, Ipv4Addr::new(192, 0, 2, 66));
    shop.make(ask, 1_000)
}

#[test]
fn api2_credentials_are_stuffed_and_passwords_sprayed() {
    let stuff = |shop: &mut Shop| {
        let mut found = Vec::new();
        for number in 0..60 {
            found.extend(log_in(shop, &format!("a{number}"), &format!("s{number}"), 401));
        }
        found.extend(log_in(shop, "user101", "hunter2", 200));
        found
    };
    let spray = |shop: &mut Shop| {
        let each = |number| log_in(shop, &format!("a{number}"), "Summer2026!", 401);
        (0..60).flat_map(each).collect()
    };
    let mistype = |shop: &mut Shop| {
        let mut found = Vec::new();
        for number in 0..5 {
            found.extend(log_in(shop, "user101", &format!("s{number}"), 401));
        }
        found.extend(log_in(shop, "user101", "right", 200));
        found
    };
    let found = check("OWASP_API2", stuff, mistype);
    let stuffed: Vec<_> =
        found.iter().filter(|told| told.tags == ["OWASP_API2"] && 8.0 <= told.bits).collect();
    assert!(stuffed.iter().all(|told| told.rule == "Credentials stuffed"), "{stuffed:?}");
    assert!(stuffed.iter().any(|told| told.output.contains("then succeeded")), "{stuffed:?}");
    assert_eq!(stuffed[0].techniques, ["T1110.004"]);
    let found = check("OWASP_API2", spray, mistype);
    assert!(found.iter().any(|told| told.techniques == ["T1110.003"]), "{found:?}");
    check_young("OWASP_API2", stuff, 4.0);
}

#[test]
fn api2_a_token_is_reused_from_elsewhere() {
    let use_from = |shop: &mut Shop, client, agent: &str| {
        let profile = |shop: &Shop| {
            let answer = r#"{"id":105,"name":"user 105","role":"user"}"#;
            shop.ask(USER, "GET", "/api/v2/profile", ("", answer))
        };
        let own = profile(shop);
        shop.make(own, 1_000);
        let mut ask = profile(shop);
        (ask.client, ask.agent) = (client, agent.to_owned());
        shop.make(ask, 60_000)
    };
    let thief = Ipv4Addr::new(192, 0, 2, 9);
    let attack = |shop: &mut Shop| use_from(shop, thief, "python-requests/2.32");
    // Who travels keeps the program.
    let twin = |shop: &mut Shop| {
        let agent = shop.users[USER].agent.clone();
        use_from(shop, Ipv4Addr::new(192, 0, 3, 9), &agent)
    };
    check("OWASP_API2", attack, twin);
    check_young("OWASP_API2", attack, 4.0);
}

#[test]
fn api2_a_token_that_is_unsigned_or_expired_is_accepted_and_so_is_none() {
    let with = |shop: &mut Shop, algorithm: &str, expires_s: i64, has_token: bool| {
        let mut ask = shop.ask(USER, "GET", "/api/v2/orders", ("", r#"{"items":[]}"#));
        let now_s = i64::try_from(shop.time_ns / SECOND_NS).expect("in range");
        let who = ask.who.as_mut().expect("a principal");
        (who.algorithm, who.expires) = (algorithm.into(), Some(now_s + expires_s));
        ask.who = ask.who.filter(|_| has_token);
        shop.make(ask, 1_000)
    };
    let valid = |shop: &mut Shop| with(shop, "RS256", 60, true);
    check("OWASP_API2", |shop| with(shop, "none", 60, true), valid);
    check("OWASP_API2", |shop| with(shop, "RS256", -4_000, true), valid);
    check("OWASP_API2", |shop| with(shop, "", 0, false), valid);
}

fn change_profile(shop: &mut Shop, more: &str, answered: &str) -> Vec<Detected> {
    let body = format!(r#"{{"name":"user 105","avatar":"cat1.png"{more}}}"#);
    let answer = format!(r#"{{"id":105,"name":"user 105","role":"{answered}"}}"#);
    let ask = shop.ask(USER, "PATCH", "/api/v2/profile", (&body, &answer));
    shop.make(ask, 4_000)
}

#[test]
fn api3_a_property_is_written_that_nobody_writes() {
    let attack = |shop: &mut Shop| change_profile(shop, r#","role":"admin""#, "admin");
    let found = check("OWASP_API3", attack, |shop| change_profile(shop, "", "user"));
    assert!(found.iter().any(|told| told.output.contains("`role`")), "{found:?}");
    check_young("OWASP_API3", attack, 4.0);
    let ignored = change_profile(&mut Shop::grown(), r#","role":"admin""#, "user");
    assert!(bits(&ignored, "OWASP_API3") < 8.0, "{ignored:?}");
}

#[test]
fn api3_an_answer_holds_more_than_ever() {
    let read = |shop: &mut Shop, more: &str| {
        let answer = format!(r#"{{"id":105,"name":"user 105","role":"user"{more}}}"#);
        let ask = shop.ask(USER, "GET", "/api/v2/profile", ("", &answer));
        shop.make(ask, 4_000)
    };
    let more = r#","hash":"$2b$12$abcdefghijklmnopqrstuvwx""#;
    let found = check("OWASP_API3", |shop| read(shop, more), |shop| read(shop, ""));
    let rules: Vec<_> = found.iter().map(|told| told.rule.as_ref()).collect();
    assert!(rules.contains(&"Answer beyond its schema"), "{rules:?}");
    assert!(rules.contains(&"Sensitive value in an answer"), "{rules:?}");
}

#[test]
fn api4_more_is_taken_than_ever() {
    let page = |shop: &mut Shop, limit: u64| {
        let target = format!("/api/v2/products?page=1&limit={limit}");
        let ask =
            shop.ask(USER, "GET", &target, ("", r#"{"items":[{"slug":"shoe-1","price":12}]}"#));
        shop.make(ask, 2_000)
    };
    check("OWASP_API4", |shop| page(shop, 100_000), |shop| page(shop, 50));
    check_young("OWASP_API4", |shop| page(shop, 100_000), 4.0);
    let export = |shop: &mut Shop, times: u64, bytes: u64| {
        let mut found = Vec::new();
        for _ in 0..times {
            let mut ask = shop.ask(USER, "GET", "/api/v2/orders", ("", r#"{"items":[]}"#));
            ask.answer_bytes = Some(bytes);
            found.extend(shop.make(ask, 500));
        }
        found
    };
    check("OWASP_API4", |shop| export(shop, 200, 20), |shop| export(shop, 3, 20));
    check("OWASP_API4", |shop| export(shop, 1, 50 << 20), |shop| export(shop, 1, 400));
}

#[test]
fn api5_a_user_takes_up_what_only_administrators_use() {
    let remove = |shop: &mut Shop, user| {
        let target = "/api/v2/admin/users/101";
        let ask = shop.ask(user, "DELETE", target, ("", r#"{"done":true}"#));
        shop.make(ask, 4_000)
    };
    let found = check("OWASP_API5", |shop| remove(shop, USER), |shop| remove(shop, 1));
    assert!(found.iter().any(|told| told.output.contains("only a role of 3")), "{found:?}");
    check_young("OWASP_API5", |shop| remove(shop, USER), 4.0);
}

#[test]
fn api6_steps_are_left_out_or_taken_too_fast() {
    let step = |shop: &mut Shop, target: &str, body: &str, answer: &str, wait_ms| {
        let ask = shop.ask(USER, "POST", target, (body, answer));
        shop.make(ask, wait_ms)
    };
    let buy = |shop: &mut Shop, wait_ms| {
        let cart = r#"{"product":"shoe-1","quantity":1}"#;
        step(shop, "/api/v2/cart", cart, r#"{"items":2}"#, 3_600_000);
        let address = r#"{"address":"Main Street 7","express":false}"#;
        let order = r#"{"order_id":990}"#;
        let mut found = step(shop, "/api/v2/checkout", address, order, wait_ms);
        let paid = r#"{"order_id":990,"amount":5}"#;
        found.extend(step(shop, "/api/v2/payments", paid, r#"{"status":"paid"}"#, wait_ms));
        found
    };
    // Pays an order that no checkout came before.
    let skip = |shop: &mut Shop| {
        let order = order_of(shop, USER);
        let paid = format!(r#"{{"order_id":{order},"amount":0}}"#);
        step(shop, "/api/v2/payments", &paid, r#"{"status":"paid"}"#, 4_000)
    };
    check("OWASP_API6", skip, |shop| buy(shop, 4_000));
    let found = check("OWASP_API6", |shop| buy(shop, 20), |shop| buy(shop, 4_000));
    assert!(found.iter().any(|told| told.rule == "Steps of a flow too fast"), "{found:?}");
    check_young("OWASP_API6", skip, 4.0);
}

#[test]
fn api7_an_address_where_none_was_is_a_hint_and_no_more() {
    let mut shop = Shop::grown();
    let body = r#"{"name":"user 105","avatar":"http://169.254.169.254/latest/"}"#;
    let answer = r#"{"id":105,"name":"user 105","role":"user"}"#;
    let ask = shop.ask(USER, "PATCH", "/api/v2/profile", (body, answer));
    let found = shop.make(ask, 4_000);
    let hint = bits(&found, "OWASP_API7");
    assert!((3.0..=PAYLOAD_BITS_MAX).contains(&hint), "{found:?}");
}

#[test]
fn api8_the_inside_shows() {
    let broken = |shop: &mut Shop, answer: &str| {
        let mut ask = shop.ask(USER, "GET", "/api/v2/products/shoe-1", ("", answer));
        ask.status = 500;
        shop.make(ask, 4_000)
    };
    let trace = "Traceback (most recent call last):\n  File \"/app/shop.py\", line 7";
    check("OWASP_API8", |shop| broken(shop, trace), |shop| broken(shop, r#"{"error":"x"}"#));
    let open = |shop: &mut Shop, target: &str, status| {
        let mut ask = shop.ask(USER, "GET", target, ("", r#"{"x":1}"#));
        ask.status = status;
        shop.make(ask, 4_000)
    };
    let page = "/actuator/env";
    check("OWASP_API8", |shop| open(shop, page, 200), |shop| open(shop, page, 404));
    let shared = |shop: &mut Shop, origin: &str| {
        let mut ask = shop.ask(USER, "GET", "/api/v2/orders", ("", r#"{"items":[]}"#));
        ask.answer_headers = vec![
            ("access-control-allow-origin".into(), origin.into()),
            ("access-control-allow-credentials".into(), "true".into()),
        ];
        shop.make(ask, 4_000)
    };
    let own = "https://shop.example";
    check("OWASP_API8", |shop| shared(shop, "*"), |shop| shared(shop, own));
}

#[test]
fn api9_an_unknown_endpoint_and_an_old_version_and_a_shadow_host_answer() {
    let get = |shop: &mut Shop, target: &str, host, status| {
        let mut ask = shop.ask(USER, "GET", target, ("", r#"{"items":[]}"#));
        (ask.host, ask.status) = (host, status);
        shop.make(ask, 4_000)
    };
    let host = super::shop::HOST;
    let known = |shop: &mut Shop| get(shop, "/api/v2/orders", host, 200);
    check("OWASP_API9", |shop| get(shop, "/internal/dump", host, 200), known);
    let found = check("OWASP_API9", |shop| get(shop, "/api/v1/orders", host, 200), known);
    assert!(found.iter().any(|told| told.rule == "Old version answers"), "{found:?}");
    let absent = |shop: &mut Shop| get(shop, "/internal/dump", host, 404);
    check("OWASP_API9", |shop| get(shop, "/api/v2/orders", "old.example", 200), absent);
    check_young("OWASP_API9", |shop| get(shop, "/internal/dump", host, 200), 4.0);
}

#[test]
fn api10_another_service_answers_with_what_harms() {
    let ask_rates = |shop: &mut Shop, times: u32, text: &str| {
        let mut found = Vec::new();
        for _ in 0..times {
            let answer = format!(r#"{{"rate":1.07,"text":"{text}"}}"#);
            let mut ask = shop.ask(USER, "GET", "/rates", ("", &answer));
            (ask.host, ask.is_inbound) = ("rates.example", false);
            found.extend(shop.make(ask, 60_000));
        }
        found
    };
    let attack = |shop: &mut Shop| ask_rates(shop, 1, "1'; DROP TABLE rates; --");
    check("OWASP_API10", attack, |shop| ask_rates(shop, 1_000, "all is well"));
}

/// A user who was handed more objects than are remembered, and has used the newest for a day since;
/// `per_read` says how many of its reads of orders are of one that is forgotten.
fn overwhelmed(forgotten_reads: u64) -> Shop {
    let mut shop = Shop::grown();
    for page in 0..64_u64 {
        let items: Vec<String> =
            (0..250).map(|n| format!(r#"{{"id":{}}}"#, (1_u64 << 40) + page * 250 + n)).collect();
        let answer = format!(r#"{{"items":[{}]}}"#, items.join(","));
        let ask = shop.ask(USER, "GET", "/api/v2/export", ("", &answer));
        shop.make(ask, 60_000);
    }
    let own = order_of(&shop, USER);
    for read in 0..600 {
        let list = shop.ask(
            USER,
            "GET",
            "/api/v2/orders",
            ("", &format!(r#"{{"items":[{{"id":{own}}}]}}"#)),
        );
        shop.make(list, 60_000);
        let order = if read < forgotten_reads { 7_000_000 + read } else { own };
        read_order(&mut shop, USER, order);
    }
    shop.found.clear();
    shop
}

#[test]
fn api1_is_told_of_whoever_was_handed_more_than_is_remembered_and_keeps_to_the_newest() {
    let mut shop = overwhelmed(0);
    let other = order_of(&shop, OTHER);
    let found = read_order(&mut shop, USER, other);
    assert!(8.0 <= bits(&found, "OWASP_API1"), "{found:#?}");
}

#[test]
fn whoever_works_through_what_is_forgotten_is_no_thief() {
    let mut shop = overwhelmed(300);
    for order in 8_000_000..8_000_050 {
        let found = read_order(&mut shop, USER, order);
        assert!(bits(&found, "OWASP_API1") < 2.0, "{found:#?}");
    }
}
