//! The order in which records arrive makes no difference.

use clew_event::control_plane::CallStage;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::identity::commands::{WAITING_MAX, WAITING_PODS_MAX};

/// Something that the graph is told.
#[derive(Clone, Debug)]
enum Told {
    Call(Event),
    Pending(Pending),
    Started(Start),
    Placed,
}

fn place() -> Place {
    Place {
        namespace: "shop".into(),
        pod: "cart-0".into(),
        uid: "uid-1".into(),
        container: "cart".into(),
    }
}

fn start(pid: u32, at: u64, command: &str) -> Start {
    let process = ProcessKey { pid, start_ns: at, ..ProcessKey::default() };
    Start::of(EventId(u128::from(pid) + 1000), second(at), process, &command.into())
}

fn command(id: u32, caller: &str, stage: CallStage) -> Event {
    let asked = Claim::PodCommand {
        namespace: "shop".into(),
        pod: "cart-0".into(),
        container: "cart".into(),
        command: vec!["sh".into(), "-c".into(), "id".into()],
    };
    event(id, ApiCall { stage, ..cluster("get pods/exec", caller, "ann", vec![asked]) })
}

fn copies() -> [ApiCall; 2] {
    let shared = || Claim::Shared { id: "shared-1".into() };
    let made = || minted(MintedKind::Session, "ASIA8", "arn:aws:sts::2:assumed-role/r/s", None);
    let ours = aws("AssumeRole", "AKIA7", "arn:aws:iam::1:user/ann", vec![made(), shared()]);
    let theirs = ApiCall {
        principal_kind: "AWSAccount".into(),
        account: "2".into(),
        ..aws("AssumeRole", "", "111122223333", vec![shared(), made()])
    };
    [ours, theirs]
}

fn apply(identities: &mut Identities, told: &Told) {
    let container = ContainerId("c1".into());
    match told {
        Told::Call(event) => observe(identities, event),
        Told::Pending(pending) => identities.register_pending(pending),
        Told::Started(start) => identities.start(&container, Some(&place()), start.clone()),
        Told::Placed => {
            identities.start(&container, None, start(50, 40, "sh\0-c\0id\0"));
            identities.place(&container, Some(&place()));
        }
    }
}

/// Everything that can be told, some of it twice.
fn everything() -> Vec<Told> {
    let mut told: Vec<Told> =
        theft().into_iter().map(|(id, call)| Told::Call(event(id, call))).collect();
    let [ours, theirs] = copies();
    told.extend([
        Told::Call(event(20, ours.clone())),
        Told::Call(event(21, theirs)),
        Told::Call(event(20, ours)),
        Told::Call(event(22, cluster("list secrets", "JTI=1", "ann", vec![pod()]))),
        Told::Call(event(22, cluster("list secrets", "JTI=1", "ann", vec![pod()]))),
        Told::Call(command(40, "X509SHA256=9", CallStage::Started)),
        Told::Call(command(41, "JTI=1", CallStage::Complete)),
        Told::Started(start(60, 41, "sh\0-c\0id")),
        Told::Started(start(61, 42, "sleep\x001")),
        Told::Placed,
        Told::Pending(Pending {
            credential: "ASIA1".into(),
            process: Some(start(60, 41, "").process),
            container: Some(ContainerId("c1".into())),
            pod: "uid-1".into(),
            expires: Some(second(7000)),
            event: EventId(70),
            time: second(43),
        }),
    ]);
    told
}

/// The state with each list in ascending order: some are kept in the order of arrival, which
/// decides what is given up first.
fn canonical(identities: &Identities) -> Value {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_key(Value::to_string);
            }
            Value::Object(members) => members.values_mut().for_each(sort),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::to_value(identities).expect("serializes");
    sort(&mut value);
    value
}

fn lineages(identities: &Identities) -> String {
    let names = ["AKIA3", "ASIA8", "JTI=1", "X509SHA256=9", "uid-1", "i-0abcdef12"];
    names
        .iter()
        .filter_map(|name| identities.lineage(&identities.find(name)?, second(50)))
        .map(|lineage| show(&lineage))
        .collect()
}

fn after(told: &[Told]) -> Identities {
    let mut identities = Identities::default();
    told.iter().for_each(|told| apply(&mut identities, told));
    identities
}

proptest! {
    #[test]
    fn any_order_gives_the_same_lineages_and_the_same_state(
        told in Just(everything()).prop_shuffle()
    ) {
        let (sorted, shuffled) = (after(&everything()), after(&told));
        prop_assert_eq!(lineages(&shuffled), lineages(&sorted));
        prop_assert!(canonical(&shuffled) == canonical(&sorted));
    }

    #[test]
    fn a_restored_graph_goes_on_as_the_one_that_was_kept(
        told in Just(everything()).prop_shuffle(), at in 0_usize..22, max in 3_usize..40
    ) {
        let mut kept = Identities::new(max);
        told.iter().take(at).for_each(|told| apply(&mut kept, told));
        let stored = serde_json::to_string(&kept).expect("serializes");
        let mut restored: Identities = serde_json::from_str(&stored).expect("deserializes");
        for told in told.iter().skip(at) {
            apply(&mut kept, told);
            apply(&mut restored, told);
            prop_assert!(restored.len() <= max);
        }
        prop_assert_eq!(lineages(&restored), lineages(&kept));
        prop_assert!(canonical(&restored) == canonical(&kept));
    }
}

#[test]
fn copies_for_several_accounts_count_once() {
    let [ours, theirs] = copies();
    let identities = known([(20, ours.clone()), (21, theirs), (22, ours)]);
    let lineage = identities.lineage(&credential("ASIA8"), second(50)).expect("is known");
    let acts_as = lineage.ancestors.iter().find(|link| link.relation == Relation::ActsAs);
    assert_eq!(acts_as.map(|link| (link.count, link.last.event)), Some((1, EventId(22))));
}

#[test]
fn a_command_is_the_process_that_was_started_for_it() {
    let check = |at: u64, argv: &str, container: &str, expected: Option<Class>| {
        let mut identities = Identities::default();
        let place = Place { container: container.into(), ..place() };
        let started = start(60, 0, argv);
        let time = TimestampNs::from_unix_ns(second(0).unix_ns() + at);
        let started = Start { time, ..started };
        observe(&mut identities, &command(1, "JTI=1", CallStage::Started));
        identities.start(&ContainerId("c1".into()), Some(&place), started.clone());
        let process = Identity::new(IdentityKind::Process, started.process.to_string());
        let lineage = identities.lineage(&process, second(5));
        let link = lineage.and_then(|lineage| lineage.ancestors.first().cloned());
        assert_eq!(link.map(|link| link.class), expected, "{at} {argv} {container}");
    };
    let ms = 1_000_000;
    check(1000 * ms, "sh\0-c\0id", "cart", Some(Class::Causal));
    check(1000 * ms, "sh\0-c\0id\0", "cart", Some(Class::Causal));
    check(1000 * ms, "sh\0-c\0ls", "cart", Some(Class::Shared));
    check(1000 * ms, "sh\0-c\0id", "other", None);
    check(801 * ms, "sh\0-c\0id", "cart", Some(Class::Causal));
    check(799 * ms, "sh\0-c\0id", "cart", None);
    check(6000 * ms, "sh\0-c\0id", "cart", Some(Class::Causal));
    check(6001 * ms, "sh\0-c\0id", "cart", None);
}

#[test]
fn what_waits_is_bounded_and_counted() {
    let mut identities = Identities::default();
    for id in 0..=of_u32(WAITING_MAX) {
        identities.start(&ContainerId("c1".into()), None, start(id, 1, "sh"));
    }
    assert_eq!(identities.dropped(), 1);
    for pod in 0..=WAITING_PODS_MAX {
        let id = ContainerId(format!("d{pod}").into());
        identities.start(&id, None, start(1, 1, "sh"));
        let place = Place { pod: format!("p{pod}").into(), ..place() };
        identities.start(&id, Some(&place), start(1, 1, "sh"));
    }
    assert_eq!(identities.commands.lengths(), (WAITING_PODS_MAX, WAITING_PODS_MAX));
    assert_eq!(identities.dropped(), 1 + 2 + 1);
}
