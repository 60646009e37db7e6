//! Whole lineages from records, in any order, and what rules are told of callers.

mod fields;
mod order;

use clew_event::control_plane::{ApiCall, ApiSource, Claim, Minted, MintedKind};
use clew_event::{Event, EventId, EventKind, EventType, TimestampNs};
use expect_test::{Expect, expect};

use super::graph::{IDENTITIES_MAX, PARENTS_MAX};
use super::key::{Identity, IdentityKind};
use super::lineage::{GENERATIONS_MAX, HEIRS_MAX, LATE, LINKS_MAX, Lineage};
use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/web";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12";

fn of_u32(count: usize) -> u32 {
    u32::try_from(count).expect("fits")
}

fn second(seconds: u64) -> TimestampNs {
    TimestampNs::from_unix_ns((1_700_000_000 + seconds) * 1_000_000_000)
}

fn event(id: u32, call: ApiCall) -> Event {
    let time = second(id.into());
    let call = Box::new(call);
    Event {
        id: EventId(id.into()),
        time,
        arrived: time,
        event_type: EventType::PluginEvent,
        actor: None,
        kind: match call.source {
            ApiSource::KubernetesAudit => EventKind::KubernetesApi(call),
            _ => EventKind::CloudApi(call),
        },
    }
}

/// A call to AWS by `credential` as `principal`.
fn aws(action: &str, credential: &str, principal: &str, claims: Vec<Claim>) -> ApiCall {
    ApiCall {
        source: ApiSource::Cloudtrail,
        service: "iam.amazonaws.com".into(),
        action: action.into(),
        principal: principal.into(),
        credential: credential.into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        source_address: "203.0.113.9".parse().ok(),
        user_agent: "aws-cli/2.1".into(),
        claims,
        ..ApiCall::default()
    }
}

fn cluster(action: &str, credential: &str, principal: &str, claims: Vec<Claim>) -> ApiCall {
    ApiCall {
        source: ApiSource::KubernetesAudit,
        account: "prod".into(),
        service: "".into(),
        ..aws(action, credential, principal, claims)
    }
}

fn minted(kind: MintedKind, id: &str, holder: &str, expires: Option<u64>) -> Claim {
    let expires = expires.map(second);
    Claim::Minted(Minted { kind, id: id.into(), holder: holder.into(), expires })
}

fn pod() -> Claim {
    Claim::Pod { uid: "uid-1".into(), name: "cart-0".into(), namespace: "shop".into() }
}

fn known(calls: impl IntoIterator<Item = (u32, ApiCall)>) -> Identities {
    let mut identities = Identities::default();
    for (id, call) in calls {
        observe(&mut identities, &event(id, call));
    }
    identities
}

fn observe(identities: &mut Identities, event: &Event) {
    let call = event.api_call().expect("a call");
    identities.observe(event, call);
}

fn credential(id: &str) -> Identity {
    Identity::new(IdentityKind::Credential, id)
}

fn show(lineage: &Lineage) -> String {
    let line = |link: &lineage::Link| {
        let (first, last) = (link.first.event.0, link.last.event.0);
        let until = link.until.map_or(String::new(), |until| format!(" until {until}"));
        let (class, count) = (link.class.name(), link.count);
        format!(
            "{:indent$}{} {} {} ({class}, {first}..{last} {count}x{until})\n",
            "",
            link.child,
            link.relation.name(),
            link.parent,
            indent = link.generation * 2
        )
    };
    let up: String = lineage.ancestors.iter().map(line).collect();
    let down: String = lineage.descendants.iter().map(line).collect();
    format!("root {}\nup\n{up}down\n{down}", lineage.root)
}

fn check(identities: &Identities, of: &Identity, expected: &Expect) {
    let lineage = identities.lineage(of, second(1000)).expect("is known");
    expected.assert_eq(&show(&lineage));
}

/// The key of an instance opens a session, which makes a user and a key for it; that key is used.
fn theft() -> Vec<(u32, ApiCall)> {
    let instance = Claim::Instance { id: "i-0abcdef12".into() };
    let chain = "arn:aws:sts::111122223333:assumed-role/admin/x";
    vec![
        (
            1,
            aws(
                "AssumeRole",
                "",
                "ec2.amazonaws.com",
                vec![minted(MintedKind::Session, "ASIA1", "", Some(9000)), instance],
            ),
        ),
        (2, aws("ListUsers", "ASIA1", SESSION, vec![])),
        (
            3,
            aws(
                "AssumeRole",
                "ASIA1",
                SESSION,
                vec![minted(MintedKind::Session, "ASIA2", chain, Some(5000))],
            ),
        ),
        (4, aws("CreateUser", "ASIA2", chain, vec![minted(MintedKind::User, "bob", "", None)])),
        (
            5,
            aws(
                "CreateAccessKey",
                "ASIA2",
                chain,
                vec![minted(MintedKind::AccessKey, "AKIA3", "bob", None)],
            ),
        ),
        (6, aws("GetObject", "AKIA3", "arn:aws:iam::111122223333:user/bob", vec![])),
    ]
}

#[test]
fn a_key_that_an_attacker_made_leads_back_to_the_instance() {
    let identities = known(theft());
    let expected = expect![[r#"
        root instance i-0abcdef12
        up
          credential AKIA3 minted by credential ASIA2 (causal, 5..5 1x)
            credential ASIA2 minted by credential ASIA1 (causal, 3..3 1x until 2023-11-14T23:36:40.000000000Z)
              credential ASIA1 minted by service ec2.amazonaws.com (causal, 1..1 1x until 2023-11-15T00:43:20.000000000Z)
              credential ASIA1 held by instance i-0abcdef12 (identity, 1..1 1x)
              credential ASIA1 acts as session arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12 (identity, 2..3 2x)
                session arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12 held by instance i-0abcdef12 (identity, 2..3 2x)
                session arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12 session of role arn:aws:iam::111122223333:role/web (identity, 2..3 2x)
            credential ASIA2 acts as session arn:aws:sts::111122223333:assumed-role/admin/x (causal, 3..5 3x until 2023-11-14T23:36:40.000000000Z)
              session arn:aws:sts::111122223333:assumed-role/admin/x session of role arn:aws:iam::111122223333:role/admin (identity, 3..5 3x)
          credential AKIA3 acts as user arn:aws:iam::111122223333:user/bob (causal, 5..6 2x)
            user arn:aws:iam::111122223333:user/bob minted by credential ASIA2 (causal, 4..4 1x)
        down
    "#]];
    check(&identities, &credential("AKIA3"), &expected);
    let expected = expect![[r#"
        root instance i-0abcdef12
        up
        down
          credential ASIA1 held by instance i-0abcdef12 (identity, 1..1 1x)
            credential ASIA2 minted by credential ASIA1 (causal, 3..3 1x until 2023-11-14T23:36:40.000000000Z)
              credential AKIA3 minted by credential ASIA2 (causal, 5..5 1x)
              user arn:aws:iam::111122223333:user/bob minted by credential ASIA2 (causal, 4..4 1x)
                credential AKIA3 acts as user arn:aws:iam::111122223333:user/bob (causal, 5..6 2x)
          session arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12 held by instance i-0abcdef12 (identity, 2..3 2x)
            credential ASIA1 acts as session arn:aws:sts::111122223333:assumed-role/web/i-0abcdef12 (identity, 2..3 2x)
    "#]];
    check(&identities, &Identity::new(IdentityKind::Instance, "i-0abcdef12"), &expected);
}

#[test]
fn the_token_of_a_pod_leads_to_the_pod_though_its_node_asked_for_it() {
    let node = "system:node:n1";
    let of_pod = "system:serviceaccount:shop:cart";
    let identities = known([
        (
            1,
            cluster(
                "create serviceaccounts/token",
                "X509SHA256=1",
                node,
                vec![minted(MintedKind::Token, "JTI=1", of_pod, Some(3600))],
            ),
        ),
        (2, cluster("list secrets", "JTI=1", of_pod, vec![pod()])),
        (
            3,
            cluster(
                "create serviceaccounts/token",
                "JTI=1",
                of_pod,
                vec![minted(MintedKind::Token, "JTI=2", "system:serviceaccount:ops:root", None)],
            ),
        ),
        (4, cluster("list secrets", "JTI=2", "system:serviceaccount:ops:root", vec![])),
    ]);
    let root = |id: &str| identities.root_of(&credential(id), second(10)).to_string();
    assert_eq!(root("JTI=1"), "pod uid-1");
    assert_eq!(root("JTI=2"), "pod uid-1");
    assert_eq!(root("X509SHA256=1"), "node n1");
}

#[test]
fn a_session_of_a_service_account_or_of_a_person_leads_to_them() {
    let web_identity = ApiCall {
        principal_kind: "WebIdentityUser".into(),
        ..aws(
            "AssumeRoleWithWebIdentity",
            "",
            "system:serviceaccount:shop:cart",
            vec![
                minted(MintedKind::Session, "ASIA1", SESSION, None),
                Claim::ServiceAccount { namespace: "shop".into(), name: "cart".into() },
            ],
        )
    };
    let sso = "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_1/ann@example.org";
    let signed_in = Claim::SignedIn { name: "eve".into() };
    let identities = known([
        (1, web_identity),
        (2, aws("ListUsers", "ASIA1", SESSION, vec![])),
        (3, aws("ListUsers", "ASIA2", sso, vec![])),
        (4, aws("ListUsers", "ASIA3", "arn:aws:sts::1:assumed-role/r/s", vec![signed_in])),
        (5, aws("ListUsers", "AKIA4", "arn:aws:iam::1:root", vec![])),
    ]);
    let root = |id: &str| identities.root_of(&credential(id), second(10)).to_string();
    assert_eq!(root("ASIA1"), "service account shop/cart");
    assert_eq!(root("ASIA2"), "person ann@example.org");
    assert_eq!(root("ASIA3"), "person eve");
    assert_eq!(root("AKIA4"), "user arn:aws:iam::1:root");
}

#[test]
fn whoever_is_impersonated_keeps_an_own_root_and_shows_by_whom() {
    let call = ApiCall {
        issuer: "system:serviceaccount:shop:cart".into(),
        ..cluster("list secrets", "X509SHA256=9", "ann", vec![])
    };
    let identities = known([(1, call)]);
    let account = Identity::new(IdentityKind::ServiceAccount, "shop/cart");
    let expected = expect![[r#"
        root service account shop/cart
        up
          service account shop/cart impersonated by credential X509SHA256=9 (causal, 1..1 1x)
            credential X509SHA256=9 acts as user ann (identity, 1..1 1x)
        down
    "#]];
    check(&identities, &account, &expected);
}

#[test]
fn a_user_of_a_cluster_leads_to_the_cloud_identity_behind_it() {
    let cloud = Claim::Cloud { principal: SESSION.into(), credential: "ASIA1".into() };
    let identities = known([(1, cluster("list secrets", "ASIA1", "masters", vec![cloud]))]);
    let root = identities.root_of(&credential("ASIA1"), second(10)).clone();
    assert_eq!(root.to_string(), "instance i-0abcdef12");
    let masters = Identity::new(IdentityKind::User, "masters");
    let lineage = identities.lineage(&masters, second(10)).expect("is known");
    let first = lineage.ancestors.first().map(|link| (link.class, link.parent.clone()));
    assert_eq!(first, Some((Class::Shared, credential("ASIA1"))));
}

#[test]
fn a_credential_that_a_process_fetched_is_whose_it_is_before_its_first_use() {
    let mut identities = Identities::default();
    let process = ProcessKey { pid: 7, start_ns: 5, ..ProcessKey::default() };
    identities.register_pending(&Pending {
        credential: "ASIA1".into(),
        process: Some(process),
        container: Some(ContainerId("c1".into())),
        pod: "uid-1".into(),
        expires: Some(second(3600)),
        event: EventId(9),
        time: second(9),
    });
    observe(&mut identities, &event(20, aws("ListUsers", "ASIA1", SESSION, vec![])));
    let judged = identities.judged(EventId(20)).expect("the last call");
    assert_eq!(judged.workload, Some(Identity::new(IdentityKind::Pod, "uid-1")));
    let root = |time| identities.root_of(&credential("ASIA1"), time).to_string();
    assert_eq!(root(second(20)), "pod uid-1");
    assert_eq!(root(second(3600 + 29 * 60)), "pod uid-1");
    assert_ne!(root(second(3600 + 31 * 60)), "pod uid-1");
}

#[test]
fn a_binding_of_one_half_hour_after_the_end_holds_and_no_longer() {
    let identities = known(theft());
    let links = |time| {
        let lineage = identities.lineage(&credential("ASIA2"), time).expect("is known");
        let mut links = lineage.ancestors.iter();
        links.find(|link| link.relation == Relation::Minted).map(|link| link.is_valid)
    };
    assert_eq!(links(second(5000 + 29 * 60)), Some(true));
    assert_eq!(links(second(5000 + 31 * 60)), Some(false));
    assert_eq!(links(second(2)), Some(true), "clocks differ by two seconds");
    assert_eq!(links(second(0)), Some(false));
}

#[test]
fn identities_beyond_the_bound_go_in_the_order_of_their_ends_and_are_counted() {
    let mut identities = Identities::new(24);
    let flood = (10..300).map(|id| {
        let session = format!("arn:aws:sts::1:assumed-role/flood/{id}");
        (id, aws("ListUsers", &format!("ASIA{id}"), &session, vec![]))
    });
    for (id, call) in theft().into_iter().chain(flood) {
        observe(&mut identities, &event(id, call));
        assert!(identities.len() <= 24);
    }
    assert!(500 < identities.dropped());
    let root = identities.root_of(&credential("AKIA3"), second(9)).clone();
    assert_eq!(root.to_string(), "instance i-0abcdef12");
    assert_eq!(Identities::default().graph.len(), 0);
    assert_eq!(IDENTITIES_MAX, 131_072);
}

#[test]
fn an_identity_has_at_most_parents_max_parents() {
    let user = "system:serviceaccount:shop:cart";
    let calls = (1..=20).map(|id| (id, cluster("list", "JTI=1", &format!("{user}{id}"), vec![])));
    let identities = known(calls);
    let node = identities.graph.get(&credential("JTI=1")).expect("is known");
    assert_eq!(node.parents.len(), PARENTS_MAX);
    assert_eq!(identities.dropped(), 20 - PARENTS_MAX as u64);
}

#[test]
fn a_lineage_shows_at_most_links_max_and_generations_max() {
    let sessions = (1..=of_u32(GENERATIONS_MAX) + 8).map(|id| {
        let (from, to) = (format!("ASIA{id}"), format!("ASIA{}", id + 1));
        let made = minted(MintedKind::Session, &to, "", None);
        (id, aws("AssumeRole", &from, "arn:aws:iam::1:user/ann", vec![made]))
    });
    let identities = known(sessions);
    let last = credential(&format!("ASIA{}", GENERATIONS_MAX + 9));
    let lineage = identities.lineage(&last, second(100)).expect("is known");
    let generations = lineage.ancestors.iter().map(|link| link.generation);
    assert_eq!(generations.max(), Some(GENERATIONS_MAX));
    assert!(0 < lineage.links_dropped);
    let wide = (1..=of_u32(LINKS_MAX) + 5).map(|id| {
        let made = minted(MintedKind::Session, &format!("ASIA{id}"), "", None);
        (id, aws("AssumeRole", "AKIA1", "arn:aws:iam::1:user/ann", vec![made]))
    });
    let lineage = known(wide).lineage(&credential("AKIA1"), second(900)).expect("is known");
    assert_eq!((lineage.descendants.len(), lineage.links_dropped), (LINKS_MAX, 5));
}

#[test]
fn at_most_heirs_max_heirs_are_looked_at_and_each_once() {
    let child = |id: u32| minted(MintedKind::Session, &format!("ASIAX{id}"), "", None);
    let call = |id| (id, aws("AssumeRole", "ASIA1", SESSION, vec![child(id)]));
    let identities = known((10..10 + of_u32(HEIRS_MAX)).map(call));
    let maker = credential("ASIA1");
    let heirs = identities.heirs(&maker);
    assert_eq!((heirs.len(), heirs[0]), (HEIRS_MAX, &maker));
    assert_eq!(heirs.iter().collect::<BTreeSet<_>>().len(), HEIRS_MAX);
}

#[test]
fn who_never_asks_what_was_told_late_keeps_the_last_alone() {
    let mut identities = Identities::default();
    for id in 1..9 {
        let session = format!("ASIAX{id}");
        observe(&mut identities, &event(id * 2, aws("ListUsers", &session, SESSION, vec![])));
        let made = minted(MintedKind::Session, &session, "", None);
        observe(
            &mut identities,
            &event(id * 2 + 1, aws("AssumeRole", "ASIA1", SESSION, vec![made])),
        );
    }
    assert_eq!(identities.take_late(), [credential("ASIAX8")]);
}

#[test]
fn a_call_waits_while_the_making_of_its_credential_may_be_told() {
    let minting = (
        1,
        aws("AssumeRole", "ASIA0", SESSION, vec![minted(MintedKind::Session, "ASIA1", "", None)]),
    );
    let used = |at: u64| {
        let mut event = event(20, aws("ListUsers", "ASIA1", SESSION, vec![]));
        event.time = second(at);
        event
    };
    let waits = |before: Vec<(u32, ApiCall)>, at: u64| {
        let (mut identities, event) = (known(before), used(at));
        observe(&mut identities, &event);
        identities.unclaimed(&event).is_some()
    };
    let first = || (2, aws("ListUsers", "ASIA1", SESSION, vec![]));
    assert!(waits(vec![first()], 1 + LATE.as_secs()));
    assert!(!waits(vec![first()], 2 + LATE.as_secs()), "its time is over");
    // That of its maker may be told, too.
    assert!(waits(vec![minting.clone(), first()], 20));
    assert!(!waits(vec![minting], 2 + LATE.as_secs()), "its maker is old");
}

#[test]
fn a_cycle_of_bindings_has_an_end() {
    let made = |id: &str| vec![minted(MintedKind::Session, id, "", None)];
    let user = "arn:aws:iam::1:user/ann";
    let identities = known([
        (1, aws("AssumeRole", "ASIA1", user, made("ASIA2"))),
        (2, aws("AssumeRole", "ASIA2", user, made("ASIA1"))),
    ]);
    let lineage = identities.lineage(&credential("ASIA1"), second(5)).expect("is known");
    assert_eq!(lineage.ancestors.len() + lineage.descendants.len(), 6);
}

#[test]
fn an_identity_is_found_by_any_of_its_names() {
    let identities = known(theft());
    let find = |name: &str| identities.find(name).map(|found| found.to_string());
    assert_eq!(find("AKIA3").as_deref(), Some("credential AKIA3"));
    let user = Some("user arn:aws:iam::111122223333:user/bob");
    assert_eq!(find("arn:aws:iam::111122223333:user/path/bob").as_deref(), user);
    assert_eq!(find(ROLE).as_deref(), Some(&*format!("role {ROLE}")));
    assert_eq!(find("AKIA9"), None);
}

#[test]
fn who_makes_a_flood_of_keys_in_one_account_pushes_out_none_of_another() {
    const ROOM: usize = 1_000;
    let mut identities = Identities::new(ROOM);
    for (id, call) in theft() {
        observe(&mut identities, &event(id, call));
    }
    let lineage = |identities: &Identities| {
        show(&identities.lineage(&credential("AKIA3"), second(9)).expect("is known"))
    };
    let before = lineage(&identities);
    // Keys for users live longest, so nothing that is short-lived elsewhere would outlive them.
    for id in 10..50_010 {
        let made = vec![minted(MintedKind::AccessKey, &format!("AKIAF{id}"), "eve", None)];
        let mut call = aws("CreateAccessKey", "ASIAE", "arn:aws:iam::999:user/eve", made);
        call.account = "999".into();
        observe(&mut identities, &event(id, call));
    }
    assert_eq!(identities.len(), ROOM);
    assert_eq!(lineage(&identities), before);
    assert!(49_000 < identities.dropped());
    assert!(identities.find("AKIAF50009").is_some() && identities.find("AKIAF10").is_none());
}
