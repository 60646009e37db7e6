//! What rules are told of a caller.

use super::*;
use crate::identity::judged::CREDENTIALS_MAX;
use crate::tests::builders::{shown, table};
use crate::{Context, View};

const NAMES: [&str; 14] = [
    "identity.principal",
    "identity.principal.kind",
    "identity.principal.calls",
    "identity.principal.is_new_network",
    "identity.principal.is_new_agent",
    "identity.credential.networks",
    "identity.credential.is_outside",
    "identity.credential.outside",
    "identity.credential.root",
    "identity.root.kind",
    "identity.lineage.depth",
    "identity.minted_by",
    "identity.workload",
    "identity.is_workload",
];

fn told(context: &mut Context, id: u32, call: ApiCall, names: &[&str]) -> String {
    let event = event(id, call);
    context.observe(&event);
    table(&context.view(&event), names)
}

fn from(address: &str, call: ApiCall) -> ApiCall {
    ApiCall { source_address: address.parse().ok(), ..call }
}

#[test]
fn a_key_taken_from_an_instance_is_outside_where_the_instance_never_was() {
    let mut context = Context::default();
    let by_instance = |address: &str| from(address, aws("ListUsers", "ASIA1", SESSION, vec![]));
    let outside = |context: &mut Context, id, address: &str| {
        told(context, id, by_instance(address), &["identity.credential.outside"])
    };
    let value = |value: &str| format!("identity.credential.outside = \"{value}\"\n");
    assert_eq!(outside(&mut context, 1, "10.1.2.3"), value("unknown"));
    assert_eq!(outside(&mut context, 2, "10.1.2.99"), value("no"));
    assert_eq!(outside(&mut context, 3, "AWS Internal"), value("no"));
    assert_eq!(outside(&mut context, 4, "10.9.9.9"), value("private"));
    let stolen = ApiCall { user_agent: "Boto3/1.9".into(), ..by_instance("198.51.100.7") };
    expect![[r#"
        identity.principal = "arn:aws:iam::111122223333:role/web"
        identity.principal.kind = "role"
        identity.principal.calls = 4
        identity.principal.is_new_network = true
        identity.principal.is_new_agent = true
        identity.credential.networks = 2
        identity.credential.is_outside = true
        identity.credential.outside = "public"
        identity.credential.root = "i-0abcdef12"
        identity.root.kind = "instance"
        identity.lineage.depth = 1
        identity.minted_by = -
        identity.workload = "i-0abcdef12"
        identity.is_workload = true
    "#]]
    .assert_eq(&told(&mut context, 5, stolen, &NAMES));
}

#[test]
fn the_next_key_of_an_instance_is_known_where_the_one_before_was() {
    let mut context = Context::default();
    let call = |key: &str, address: &str| from(address, aws("ListUsers", key, SESSION, vec![]));
    let names = ["identity.credential.outside"];
    for id in 1..=of_u32(CREDENTIALS_MAX) + 4 {
        told(&mut context, id, call(&format!("ASIA{id}"), "10.1.2.3"), &names);
    }
    let same = told(&mut context, 200, call("ASIA999", "10.1.2.4"), &names);
    assert_eq!(same, "identity.credential.outside = \"no\"\n");
    let other = told(&mut context, 201, call("ASIA998", "198.51.100.1"), &names);
    assert_eq!(other, "identity.credential.outside = \"public\"\n");
}

#[test]
fn a_key_made_by_a_stolen_session_tells_where_it_comes_from() {
    let mut context = Context::default();
    let mut last = String::new();
    for (id, call) in theft() {
        last = told(&mut context, id, call, &NAMES);
    }
    expect![[r#"
        identity.principal = "arn:aws:iam::111122223333:user/bob"
        identity.principal.kind = "user"
        identity.principal.calls = 0
        identity.principal.is_new_network = false
        identity.principal.is_new_agent = false
        identity.credential.networks = 0
        identity.credential.is_outside = false
        identity.credential.outside = "no"
        identity.credential.root = "i-0abcdef12"
        identity.root.kind = "instance"
        identity.lineage.depth = 3
        identity.minted_by = "ASIA2"
        identity.workload = "i-0abcdef12"
        identity.is_workload = true
    "#]]
    .assert_eq(&last);
}

#[test]
fn a_region_that_the_account_never_used_is_new_to_it() {
    let mut context = Context::default();
    let call = |user: &str, region: &str| {
        let user = format!("arn:aws:iam::111122223333:user/{user}");
        ApiCall { region: region.into(), ..aws("RunInstances", "AKIA1", &user, vec![]) }
    };
    let names = ["identity.account.is_new_region", "identity.principal.is_new_region"];
    told(&mut context, 1, call("ann", "eu-west-1"), &names);
    let both = told(&mut context, 2, call("ann", "ap-east-1"), &names);
    let expected =
        "identity.account.is_new_region = true\nidentity.principal.is_new_region = true\n";
    assert_eq!(both, expected);
    told(&mut context, 3, call("bob", "eu-west-1"), &names);
    let known = told(&mut context, 4, call("bob", "ap-east-1"), &names);
    assert_eq!(known, expected.replacen("true", "false", 1));
}

#[test]
fn a_burst_of_looking_is_counted_up_to_the_call() {
    let mut context = Context::default();
    let names = ["identity.principal.reads_5m", "identity.principal.errors_5m"];
    let call = |action: &str| ApiCall {
        error: "AccessDenied".into(),
        ..aws(action, "AKIA1", "arn:aws:iam::1:user/ann", vec![])
    };
    for (id, action) in ["ListUsers", "ListRoles", "ListRoles", "CreateUser"].iter().enumerate() {
        told(&mut context, of_u32(id), call(action), &names);
    }
    let shown = told(&mut context, 9, call("GetUser"), &names);
    assert_eq!(shown, "identity.principal.reads_5m = 2\nidentity.principal.errors_5m = 4\n");
}

#[test]
fn the_age_of_a_key_counts_from_its_making() {
    let mut context = Context::default();
    let made = minted(MintedKind::AccessKey, "AKIA3", "bob", None);
    let user = "arn:aws:iam::111122223333:user/bob";
    told(&mut context, 1, aws("CreateAccessKey", "AKIA1", user, vec![made]), &[]);
    let names = ["identity.credential.age", "identity.principal.age"];
    let shown = told(&mut context, 11, aws("ListUsers", "AKIA3", user, vec![]), &names);
    let expected = "identity.credential.age = 10000000000\nidentity.principal.age = 10000000000\n";
    assert_eq!(shown, expected);
}

#[test]
fn only_the_last_call_is_judged_and_no_event_of_a_kernel() {
    let mut context = Context::default();
    let first = event(1, aws("ListUsers", "AKIA1", "arn:aws:iam::1:user/ann", vec![]));
    let second = event(2, aws("ListUsers", "AKIA1", "arn:aws:iam::1:user/ann", vec![]));
    context.observe(&first);
    context.observe(&second);
    let calls = |view: View<'_>| shown(&view, "identity.principal.calls");
    assert_eq!(calls(context.view(&first)), "-");
    assert_eq!(calls(context.view(&second)), "1");
    let kernel = crate::tests::builders::node();
    assert_eq!(calls(context.view(&kernel)), "-");
}
