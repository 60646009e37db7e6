//! What harmless traffic costs.

use super::shop::{LEARNED, Shop};
use super::telling;

/// Exchanges that are counted after those that are learned from.
const COUNTED: u64 = 100_000;

#[test]
fn harmless_exchanges_start_a_story_in_at_most_one_of_ten_thousand() {
    let mut shop = Shop::grown();
    shop.serve(COUNTED);
    let told = telling(&shop.found);
    println!("{} of {COUNTED} exchanges, all findings {}", told.len(), shop.found.len());
    println!("{}", told.join("\n"));
    assert!(told.len() as u64 * 10_000 <= COUNTED, "{} of {COUNTED}", told.len());
    assert!(9 < shop.apis.counts().endpoints, "{:?}", shop.apis.counts());
}

#[test]
fn a_restored_profile_judges_and_learns_as_the_one_that_was_kept() {
    let mut shop = Shop::served(7, 3_000);
    let kept = serde_json::to_string(&shop.apis).expect("serializes");
    let mut other = Shop::served(7, 3_000);
    other.apis = serde_json::from_str(&kept).expect("reads back");
    shop.serve(2_000);
    other.serve(2_000);
    assert_eq!(shop.found, other.found);
    assert_eq!(
        serde_json::to_string(&shop.apis).expect("serializes"),
        serde_json::to_string(&other.apis).expect("serializes"),
    );
}

#[test]
fn what_was_learned_is_told_as_openapi() {
    let shop = Shop::grown();
    let told = shop.apis.openapi(&"shop".into(), &"Shop.example:443".into());
    let paths: Vec<&String> = told["paths"].as_object().expect("paths").keys().collect();
    let expected = [
        "/api/v2/admin/reports",
        "/api/v2/admin/users",
        "/api/v2/admin/users/{number}",
        "/api/v2/cart",
        "/api/v2/checkout",
        "/api/v2/export",
        "/api/v2/login",
        "/api/v2/orders",
        "/api/v2/orders/{number}",
        "/api/v2/payments",
        "/api/v2/products",
    ];
    for path in expected {
        assert!(paths.iter().any(|known| *known == path), "{path} of {paths:?}");
    }
    let order = &told["paths"]["/api/v2/orders/{number}"]["get"];
    assert_eq!(order["x-clew-owner-only"], serde_json::json!(["order in the path"]));
    assert_eq!(order["parameters"][0]["schema"]["type"], "integer");
    let admin = |path: &str, method: &str| &told["paths"][path][method]["x-clew-role"];
    assert!(admin("/api/v2/admin/users", "get").is_number());
    assert_eq!(admin("/api/v2/admin/users", "get"), admin("/api/v2/admin/reports", "get"));
    assert!(order["x-clew-role"].is_null());
    assert_eq!(
        told,
        Shop::served(42, LEARNED).apis.openapi(&"shop".into(), &"shop.example".into())
    );
    assert!(shop.apis.openapi(&"shop".into(), &"other".into()).is_null());
    assert_eq!(shop.apis.known(), [("shop".into(), "shop.example".into())]);
}
