//! Traffic made to fill memory, to blind, or to teach.

use std::net::Ipv4Addr;

use super::shop::{HOST, SECOND_NS, Shop};
use super::{bits, telling};
use crate::api::exchange::OBJECTS_MAX;
use crate::api::path::{NODES_MAX, PENDING_MAX};
use crate::api::upstream::HARMFUL_FIELDS_MAX;
use crate::api::{
    APIS_MAX, ATTEMPTS_MAX, ENDPOINTS_MAX, HOSTS_PENDING_MAX, PRINCIPALS_MAX, TOLD_MAX,
};

fn get(shop: &mut Shop, target: &str, user: usize) {
    let ask = shop.ask(user, "GET", target, ("", r#"{"ok":true}"#));
    shop.make(ask, 10);
}

#[test]
fn random_paths_of_one_source_make_no_endpoint_and_leave_those_that_are_known() {
    let mut shop = Shop::grown();
    let before = shop.apis.counts();
    for number in 0..100_000_u64 {
        let target = format!("/r{number}/x{}", number.wrapping_mul(0x9e37_79b9) % 9973);
        let mut ask = shop.ask(5, "GET", &target, ("", r#"{"ok":true}"#));
        (ask.who, ask.client) = (None, Ipv4Addr::new(192, 0, 2, 66));
        shop.make(ask, 10);
    }
    let after = shop.apis.counts();
    assert_eq!(after.endpoints, before.endpoints);
    assert!(after.places <= before.places + PENDING_MAX, "{after:?}");
    assert!(100_000 - PENDING_MAX as u64 - TOLD_MAX as u64 <= after.evicted, "{after:?}");
    // What is known is still judged.
    let order = shop.users[6].orders.last().copied().expect("an order");
    let answer = format!(r#"{{"id":{order},"total":9,"status":"sent"}}"#);
    let ask = shop.ask(5, "GET", &format!("/api/v2/orders/{order}"), ("", &answer));
    let found = shop.make(ask, 10);
    assert!(8.0 <= bits(&found, "OWASP_API1"), "{found:?}");
}

#[test]
fn many_sources_and_endpoints_and_principals_stay_within_bounds() {
    let mut shop = Shop::new(1, 27);
    for number in 0..ENDPOINTS_MAX + 100 {
        for user in [3, 4] {
            get(&mut shop, &format!("/e{number}/list"), user);
        }
    }
    for number in 0..PRINCIPALS_MAX as u64 + 100 {
        let mut ask = shop.ask(3, "POST", "/login", (r#"{"user":"a","password":"b"}"#, ""));
        ask.who.as_mut().expect("a principal").hash = format!("{number:016x}").into();
        let [_, _, high, low] = u32::try_from(number).expect("small").to_be_bytes();
        ask.client = Ipv4Addr::new(10, 9, high, low);
        shop.make(ask, 10);
    }
    let counts = shop.apis.counts();
    assert_eq!((counts.endpoints, counts.principals), (ENDPOINTS_MAX, PRINCIPALS_MAX));
    assert!(counts.places <= NODES_MAX + PENDING_MAX);
    assert!(shop.apis.attempts.len() <= ATTEMPTS_MAX && shop.apis.told.len() <= TOLD_MAX);
    assert!(shop.apis.disputed.len() <= TOLD_MAX && 200 <= counts.evicted, "{counts:?}");
}

#[test]
fn invented_hosts_make_no_api() {
    let mut shop = Shop::grown();
    for number in 0..1_000_u32 {
        let mut ask = shop.ask(5, "GET", "/", ("", r#"{"ok":true}"#));
        ask.host = Box::leak(format!("host{number}.example").into_boxed_str());
        shop.make(ask, 10);
    }
    let counts = shop.apis.counts();
    assert_eq!((counts.apis, counts.dropped), (1, 1_000 - HOSTS_PENDING_MAX as u64));
    let mut many = Shop::new(1, 27);
    for number in 0..APIS_MAX + 10 {
        let host: &'static str = Box::leak(format!("h{number}.example").into_boxed_str());
        for user in [3, 4] {
            let mut ask = many.ask(user, "GET", "/", ("", r#"{"ok":true}"#));
            ask.host = host;
            many.make(ask, 10);
        }
    }
    assert!(many.apis.counts().apis <= APIS_MAX && 0 < many.apis.counts().evicted);
}

#[test]
fn huge_documents_are_read_within_bounds() {
    let mut shop = Shop::grown();
    let items: Vec<String> = (0..50_000).map(|id| format!(r#"{{"id":{id},"f{id}":1}}"#)).collect();
    let answer = format!(r#"{{"items":[{}]}}"#, items.join(","));
    let deep = "[".repeat(200_000);
    for body in [answer.as_str(), deep.as_str()] {
        let ask = shop.ask(5, "POST", "/api/v2/cart", (body, body));
        shop.make(ask, 10);
        let ask = shop.ask(5, "GET", "/api/v2/orders", ("", body));
        shop.make(ask, 10);
    }
    let ids: Vec<String> = (0..OBJECTS_MAX + 9).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
    let ask = shop.ask(5, "GET", "/api/v2/orders", ("", &format!("[{}]", ids.join(","))));
    shop.make(ask, 10);
    let kept = serde_json::to_vec(&shop.apis).expect("serializes").len();
    assert!(kept < 4 << 20, "{kept} bytes");
}

#[test]
fn one_principal_teaches_no_detector_to_be_silent() {
    let mut shop = Shop::grown();
    let foreign = shop.users[6].orders.clone();
    let mut told = 0;
    for order in foreign.iter().cycle().take(500) {
        let answer = format!(r#"{{"id":{order},"total":9,"status":"sent"}}"#);
        let ask = shop.ask(5, "GET", &format!("/api/v2/orders/{order}"), ("", &answer));
        told += telling(&shop.make(ask, 1_800_000)).len();
    }
    assert!(100 < told, "{told}");
}

#[test]
fn fields_that_always_carry_harm_are_usual() {
    let mut shop = Shop::new(1, 27);
    for number in 0..HARMFUL_FIELDS_MAX * 4 {
        let answer = format!(r#"{{"f{number}":"<script>"}}"#);
        let mut ask = shop.ask(5, "GET", "/pages", ("", &answer));
        (ask.host, ask.is_inbound) = ("pages.example", false);
        assert_eq!(telling(&shop.make(ask, SECOND_NS / 1_000_000)), [""; 0]);
    }
    let upstream = shop.apis.upstreams.values().next().expect("the service");
    assert!(upstream.fields_kept() <= HARMFUL_FIELDS_MAX);
    assert!(shop.apis.openapi(&"shop".into(), &HOST.into()).is_null());
}
