//! The store keeps what it is given, over restarts, and says what is wrong with its file.

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use clew_event::control_plane::{ApiCall, CallStage};
use clew_event::story::Severity;
use clew_event::{EventId, EventKind, FindingId, StoryId, TimestampNs};

use super::reader::STORIES_MAX;
use super::*;
use crate::samples::{file_event, finding, story};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn a_store_can_move_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<Store>();
    is_send::<StoreReader>();
}

#[test]
fn what_was_put_survives_a_restart() -> Outcome {
    let folder = tempfile::tempdir()?;
    let event = file_event(1, 5, "/etc/shadow");
    let mut store = Store::open(folder.path())?;
    store.put(Batch {
        findings: &[finding(1, 5)],
        stories: &[story(1, 5)],
        events: std::slice::from_ref(&event),
        ..Batch::default()
    })?;
    store.save_snapshot(b"state")?;
    store.save_snapshot(b"later state")?;
    drop(store);
    let store = Store::open(folder.path())?;
    assert_eq!(store.findings(&[FindingId(9), FindingId(1)])?, [finding(1, 5)]);
    assert_eq!(store.story(StoryId(1))?, Some(story(1, 5)));
    assert_eq!(store.story(StoryId(2))?, None);
    let raw = store.event_json(EventId(1))?.ok_or("no event")?;
    assert_eq!(serde_json::from_str::<Event>(&raw)?, event);
    assert_eq!(store.load_snapshot()?.as_deref(), Some(&b"later state"[..]));
    Ok(())
}

#[test]
fn of_the_parts_of_one_call_the_one_that_tells_most_is_kept() -> Outcome {
    let part = |number, stage| {
        let call = Box::new(ApiCall { stage, ..ApiCall::default() });
        Event { kind: EventKind::KubernetesApi(call), ..file_event(number, 5, "") }
    };
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let stages = [CallStage::Received, CallStage::Started, CallStage::Complete];
    let events: Vec<_> = stages.iter().map(|stage| part(1, *stage)).collect();
    store.put_events(&events)?;
    let raw = store.event_json(EventId(1))?.ok_or("no event")?;
    assert_eq!(serde_json::from_str::<Event>(&raw)?, part(1, CallStage::Complete));
    let events: Vec<_> = stages.iter().rev().map(|stage| part(2, *stage)).collect();
    store.put_events(&events)?;
    let raw = store.event_json(EventId(2))?.ok_or("no event")?;
    assert_eq!(serde_json::from_str::<Event>(&raw)?, part(2, CallStage::Complete));
    Ok(())
}

#[test]
fn a_story_taken_back_is_found_by_its_id_only() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    store.put_story(&story(1, 5))?;
    store.put_story(&Story { revision: 2, steps: Vec::new(), ..story(1, 5) })?;
    assert_eq!(store.stories(9)?, []);
    assert_eq!(store.story(StoryId(1))?.map(|story| story.revision), Some(2));
    Ok(())
}

#[test]
fn a_story_gives_way_to_a_later_revision_only() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    for (revision, title) in [(1, "first"), (3, "third"), (2, "second")] {
        let title = title.to_owned();
        store.put_story(&Story { revision, title, ..story(1, 5) })?;
    }
    let titles: Vec<String> = store.stories(9)?.into_iter().map(|story| story.title).collect();
    assert_eq!(titles, ["third"]);
    assert_eq!(store.story(StoryId(1))?.map(|story| story.revision), Some(3));
    Ok(())
}

#[test]
fn the_worst_story_comes_first() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let ranked = [
        (1, Severity::High, 10.0, 50),
        (2, Severity::Critical, 9.0, 10),
        (3, Severity::High, 12.0, 20),
        (4, Severity::High, 10.0, 60),
    ];
    for (number, severity, likelihood_bits, time) in ranked {
        store.put_story(&Story { severity, likelihood_bits, ..story(number, time) })?;
    }
    let ids: Vec<u128> = store.stories(3)?.iter().map(|story| story.id.0).collect();
    assert_eq!(ids, [2, 3, 4]);
    Ok(())
}

#[test]
fn a_list_is_cut_at_stories_max() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let stories: Vec<Story> = (0..=STORIES_MAX).map(|number| story(number, 5)).collect();
    store.put(Batch { stories: &stories, ..Batch::default() })?;
    assert_eq!(store.stories(usize::MAX)?.len(), STORIES_MAX);
    Ok(())
}

#[test]
fn a_reader_sees_what_the_writer_committed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let reader = store.reader()?;
    store.put_finding(&finding(1, 5))?;
    assert_eq!(reader.finding(FindingId(1))?, Some(finding(1, 5)));
    assert_eq!(reader.counts()?.findings, 1);
    Ok(())
}

#[test]
fn a_second_writer_is_told_who_is_in_the_way() -> Outcome {
    let folder = tempfile::tempdir()?;
    let first = Store::open(folder.path())?;
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse { .. })));
    drop(first);
    Store::open(folder.path())?;
    Ok(())
}

#[test]
fn a_story_keeps_its_evidence_and_the_rest_goes_by_age_and_count() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    for (number, time) in [(1, 10), (2, 10), (3, 900), (4, 901), (5, 902)] {
        let event = file_event(number, time, "/x");
        let (findings, events) = (&[finding(number, time)], &[event]);
        store.put(Batch { findings, events, ..Batch::default() })?;
    }
    store.put_events(&[file_event(6, 905, "/proves-nothing")])?;
    store.put_story(&story(1, 950))?;
    let retention = Retention {
        age: Duration::from_nanos(500),
        findings_max: 2,
        events_max: 0,
        ..Retention::default()
    };
    let pruned = store.prune(TimestampNs::from_unix_ns(1000), &retention)?;
    assert_eq!(pruned, Pruned { stories: 0, findings: 2, events: 3 });
    let kept: Vec<u128> = (1..=6).filter(|n| is_there(&store, *n)).collect();
    assert_eq!(kept, [1, 4, 5], "1 is pinned, 2 is old, 3 is one too many, 6 proves nothing");
    let pruned = store.prune(TimestampNs::from_unix_ns(2000), &retention)?;
    assert_eq!(pruned, Pruned { stories: 1, findings: 3, events: 3 });
    Ok(())
}

fn is_there(store: &Store, number: u128) -> bool {
    let finding = store.finding(FindingId(number)).ok().flatten().is_some();
    let event = store.event_json(EventId(number)).ok().flatten().is_some();
    assert_eq!(finding, event, "a finding and its event stay together");
    finding
}

#[test]
fn at_most_stories_max_of_a_retention_stay() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    for number in 1..=3 {
        store.put_story(&story(number, u64::try_from(number)?))?;
    }
    let retention = Retention { stories_max: 2, ..Retention::default() };
    assert_eq!(store.prune(TimestampNs::from_unix_ns(9), &retention)?.stories, 1);
    assert_eq!(store.story(StoryId(1))?, None, "the oldest goes");
    Ok(())
}

#[test]
fn a_damaged_file_is_named_with_the_way_out() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, [b'x'; 8192])?;
    let error = Store::open(folder.path()).err().ok_or("opened")?;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert!(error.source().is_some(), "the cause stands apart");
    Ok(())
}

#[test]
fn damage_inside_a_file_is_an_error_where_it_is_met() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let stories: Vec<Story> = (0..200).map(|number| story(number, 5)).collect();
    store.put(Batch { stories: &stories, ..Batch::default() })?;
    drop(store);
    let path = folder.path().join(FILE_NAME);
    let mut bytes = fs::read(&path)?;
    for page in bytes.chunks_mut(4096).skip(2) {
        page.fill(0x5a);
    }
    fs::write(&path, bytes)?;
    let error = Store::open(folder.path()).and_then(|store| store.stories(9)).err();
    assert!(matches!(error, Some(StoreError::Damaged { .. })), "{error:?}");
    Ok(())
}

#[test]
fn a_newer_or_foreign_file_is_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    drop(Store::open(folder.path())?);
    let connection = Connection::open(folder.path().join(FILE_NAME))?;
    connection.execute_batch("PRAGMA user_version = 99")?;
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Newer { found: 99, .. })));
    connection.execute_batch("PRAGMA application_id = 7")?;
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Foreign { .. })));
    let other = tempfile::tempdir()?;
    let connection = Connection::open(other.path().join(FILE_NAME))?;
    connection.execute_batch("CREATE TABLE theirs (x)")?;
    assert!(matches!(Store::open(other.path()), Err(StoreError::Foreign { .. })));
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_made_is_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "")?;
    assert!(matches!(Store::open(&file.join("state")), Err(StoreError::Folder { .. })));
    Ok(())
}

#[test]
fn a_snapshot_above_snapshot_bytes_max_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let large = vec![0; SNAPSHOT_BYTES_MAX + 1];
    let refused = store.save_snapshot(&large);
    assert!(matches!(refused, Err(StoreError::SnapshotTooLarge { .. })));
    assert_eq!(store.load_snapshot()?, None);
    Ok(())
}

#[test]
fn nobody_else_may_read_the_folder() -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let mut store = Store::open(&state)?;
    store.put_finding(&finding(1, 5))?;
    assert_eq!(fs::metadata(&state)?.permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&state)? {
        let entry = entry?;
        assert_eq!(entry.metadata()?.permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    Ok(())
}
