//! What is read from an event hub, against a stand-in on another implementation of AMQP 1.0.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![allow(clippy::indexing_slicing, reason = "what is not there fails the test")]

mod common;
#[path = "common/stand_in_hub.rs"]
mod stand_in_hub;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clew_event::control_plane::ApiSource;
use clew_intake::Intake;
use common::{Run, record, trail};
use stand_in_hub::{Body, StandInHub};
use tokio::runtime::Runtime;

/// A change of a resource, as diagnostic settings send the activity log.
fn activity(name: &str) -> String {
    format!(
        r#"{{"time":"2026-11-24T10:00:00Z","resourceId":"/SUBSCRIPTIONS/S/X","operationName":"MICROSOFT.X/{name}/WRITE","category":"Administrative","resultType":"Success","correlationId":"{name}","callerIpAddress":"192.0.2.1","identity":{{"claims":{{"uti":"u"}}}}}}"#
    )
}

/// A sign-in, as Entra's diagnostic settings send it.
fn sign_in(name: &str) -> String {
    format!(
        r#"{{"time":"2026-11-24T10:00:00Z","operationName":"Sign-in activity","category":"SignInLogs","tenantId":"t","resultType":"0","callerIpAddress":"192.0.2.4","properties":{{"id":"{name}","userPrincipalName":"a@b","appDisplayName":"Portal"}}}}"#
    )
}

fn records(records: &[String]) -> String {
    format!(r#"{{"records":[{}]}}"#, records.join(","))
}

/// A source that reads this hub, with its connection string beside the state.
fn source(hub: &StandInHub, key: &str, folder: &Path) -> String {
    let credentials = folder.join("hub");
    fs::write(&credentials, format!("{}\n", hub.connection_string(key))).unwrap();
    format!("eventhub:logs,credentials={},name=azure", credentials.display())
}

fn setting(partitions: usize) -> (tempfile::TempDir, Runtime, StandInHub) {
    let runtime = Runtime::new().unwrap();
    let hub = StandInHub::serve(&runtime, partitions);
    (tempfile::tempdir().unwrap(), runtime, hub)
}

#[test]
fn all_partitions_are_read_and_after_a_restart_from_where_they_were() {
    let (folder, _runtime, hub) = setting(2);
    let source = source(&hub, "k3y", folder.path());
    hub.write(0, records(&[activity("a"), sign_in("b")]));
    hub.write(1, records(&[activity("c")]));
    hub.write(1, record("d"));
    let mut run = Run::start(&[&source], folder.path());
    run.until_events(4);
    let sources: BTreeSet<_> = run.events.iter().map(|it| it.api_call().unwrap().source).collect();
    let expected = [ApiSource::AzureActivity, ApiSource::EntraSignIn, ApiSource::Cloudtrail];
    assert_eq!(sources, expected.into());
    let figures = run.figures();
    assert_eq!((figures.failures, figures.complaints, figures.gaps), (0, 0, 0));
    drop(run);
    hub.write(1, records(&[activity("e")]));
    let mut run = Run::start(&[&source], folder.path());
    run.until_events(1);
    assert_eq!(run.names(), ["MICROSOFT.X/e/WRITE"]);
    assert_eq!(run.figures().duplicates, 0, "nothing is asked for another time");
    let asked: BTreeSet<_> = hub.asked().into_iter().collect();
    let by = |partition: u8, offset: &str| {
        format!(
            "logs/ConsumerGroups/$Default/Partitions/{partition} \
             amqp.annotation.x-opt-offset > '{offset}'"
        )
    };
    assert_eq!(asked, [by(0, "-1"), by(0, "0"), by(1, "-1"), by(1, "10")].into());
}

#[test]
fn what_cannot_be_read_is_parked_and_hides_no_neighbour() {
    let (folder, _runtime, hub) = setting(1);
    hub.write(0, record("a"));
    hub.write(0, "hello");
    hub.put(0, Some(Body::Number(7)));
    hub.write(0, record("b"));
    let mut run = Run::start(&[&source(&hub, "k3y", folder.path())], folder.path());
    run.until_events(2);
    assert_eq!(run.names(), ["a", "b"]);
    let places: Vec<_> = run.complaints.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(places, ["event 1 of partition `0`", "event 2 of partition `0`"]);
    let figures = run.figures();
    assert_eq!((figures.parked, figures.complaints, figures.failures), (2, 2, 0));
    let parked = run.committer.parked("azure").unwrap();
    assert_eq!((parked[0].id.as_str(), parked[0].body.as_str()), ("0/1", "hello"));
}

#[test]
fn a_connection_that_breaks_is_told_and_made_anew() {
    let (folder, _runtime, hub) = setting(2);
    hub.write(0, record("a"));
    let mut run = Run::start(&[&source(&hub, "k3y", folder.path())], folder.path());
    run.until_events(1);
    hub.cut();
    run.until("the break is told", |run| run.figures().failures == 1);
    let notes = run.figures().notes;
    assert!(notes[0].starts_with(&format!("`{}`: ", hub.address)), "{notes:?}");
    hub.write(0, record("b"));
    hub.write(1, record("c"));
    run.until_events(3);
    assert_eq!(run.figures().duplicates, 0);
}

#[test]
fn a_key_that_is_refused_is_told_and_tried_again() {
    let (folder, _runtime, hub) = setting(1);
    let mut run = Run::start(&[&source(&hub, "0ther", folder.path())], folder.path());
    run.until("it is told twice", |run| run.figures().failures == 2);
    let note = format!("`{}`: key `listen` was refused", hub.address);
    assert_eq!(run.figures().notes, [note]);
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[test]
fn events_that_are_gone_are_a_gap() {
    let (folder, _runtime, hub) = setting(1);
    hub.write(0, record("a"));
    hub.write(0, record("b"));
    hub.put(0, None);
    let mut run = Run::start(&[&source(&hub, "k3y", folder.path())], folder.path());
    run.until_events(2);
    let figures = run.figures();
    let note = "1 events before event 2 of partition `0` were gone before they came";
    assert_eq!((figures.gaps, figures.notes), (1, vec![note.to_owned()]));
}

#[test]
fn what_is_not_committed_is_read_again() {
    let (folder, _runtime, hub) = setting(1);
    let source = source(&hub, "k3y", folder.path());
    hub.write(0, record("a"));
    let mut run = Run::start(&[&source], folder.path());
    let delivered = std::iter::from_fn(|| Some(run.intake.poll(common::DEADLINE))).flatten().next();
    assert_eq!(delivered.as_ref().unwrap().events.len(), 1);
    drop((delivered, run));
    let mut run = Run::start(&[&source], folder.path());
    run.until_events(1);
}

#[test]
fn many_events_and_long_ones_come_whole_and_once() {
    let (folder, _runtime, hub) = setting(3);
    let names = |from: usize| (from..from + 1000).map(|it| it.to_string()).collect::<Vec<_>>();
    let long = trail(&names(100_000));
    assert!(2 * (64 << 10) < long.len(), "it takes several frames");
    hub.write(2, long);
    // More than may come before more is asked for.
    for name in names(0) {
        hub.write(name.len() % 3, record(&name));
    }
    let mut run = Run::start(&[&source(&hub, "k3y", folder.path())], folder.path());
    run.until_events(2000);
    let figures = run.figures();
    assert_eq!((figures.duplicates, figures.complaints, figures.failures), (0, 0, 0));
}

#[test]
fn a_connection_string_that_cannot_be_used_is_told_without_its_key() {
    let (folder, _runtime, hub) = setting(1);
    let source = source(&hub, "s3cret", folder.path()).replace(":logs,", ":other,");
    let error = Intake::start(vec![source.parse().unwrap()], folder.path()).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("its `EntityPath` names another") && !told.contains("s3cret"), "{told}");
}
