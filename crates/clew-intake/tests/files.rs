//! Files and folders as programs really write them: growing, rotated, cut, packed, broken.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use common::{Run, gzip, record, trail};

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn line(name: &str) -> String {
    record(name) + "\n"
}

fn source(path: &Path) -> String {
    format!("files:{}", path.display())
}

#[test]
fn a_growing_file_is_read_as_it_grows_and_only_to_the_end_of_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    append(&path, &line("a"));
    let mut run = Run::start(&[&source(&path)], &folder.path().join("state"));
    run.until_events(1);
    let (begin, rest) = (&line("b")[..40], &line("b")[40..]);
    append(&path, begin);
    append(&path, &(rest.to_owned() + &line("c")));
    run.until_events(3);
    assert_eq!(run.names(), ["a", "b", "c"]);
    assert_eq!(run.complaints, []);
    // The last line of a file that nobody writes to any more needs no end.
    append(&path, &record("d"));
    run.until_events(4);
    assert!(run.events.iter().all(|event| event.time < event.arrived));
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    append(&path, &line("a"));
    let mut run = Run::start(&[&source(&path)], &folder.path().join("state"));
    run.until_events(1);
    append(&path, &line("b"));
    fs::rename(&path, folder.path().join("audit.log.1")).unwrap();
    append(&path, &line("c"));
    append(&folder.path().join("audit.log.1"), &line("d"));
    run.until_events(4);
    let mut names = run.names();
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!((run.figures().duplicates, run.figures().gaps), (0, 0));
}

#[test]
fn a_file_that_was_copied_and_cut_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    append(&path, &line("a"));
    let mut run = Run::start(&[&source(&path)], &folder.path().join("state"));
    run.until_events(1);
    File::create(&path).unwrap();
    // Longer than it was before, so that only its beginning tells that it is another.
    append(&path, &(line("b") + &line("c")));
    run.until_events(3);
    assert_eq!(run.names(), ["a", "b", "c"]);
}

#[test]
fn whole_files_of_every_packing_are_taken_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("AWSLogs/1/CloudTrail/us-east-1/2026/11/24");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("a.json.gz"), gzip(&trail(&["a".into(), "b".into()]))).unwrap();
    let packed = zstd::encode_all(trail(&["c".into()]).as_bytes(), 1).unwrap();
    fs::write(logs.join("c.json.zst"), packed).unwrap();
    fs::write(logs.join("d.json"), trail(&["d".into()]).replace(',', ",\n")).unwrap();
    fs::write(logs.join("e.json"), trail(&["e".into()])).unwrap();
    let cut = gzip(&trail(&["f".into(), "g".into()]));
    fs::write(logs.join("f.json.gz"), &cut[..cut.len() - 12]).unwrap();
    let mut run = Run::start(&[&source(folder.path())], &folder.path().join(".state"));
    run.until("all", |run| run.figures().batches == 5);
    let mut names = run.names();
    names.sort();
    assert!(names.starts_with(&["a", "b", "c", "d", "e"].map(String::from)), "{names:?}");
    assert!(run.complaints.iter().any(|complaint| complaint.code == "json-cut-short"));
    // The same records again, in another file, count once.
    fs::write(logs.join("again.json.gz"), gzip(&trail(&["a".into(), "z".into()]))).unwrap();
    run.until("again", |run| run.names().contains(&"z".into()));
    assert_eq!(run.figures().duplicates, 1);
}

#[test]
fn a_restart_goes_on_where_the_last_commit_was() {
    let folder = tempfile::tempdir().unwrap();
    let (path, state) = (folder.path().join("audit.log"), folder.path().join("state"));
    append(&path, &(line("a") + &line("b")));
    Run::start(&[&source(&path)], &state).until_events(2);
    append(&path, &line("c"));
    {
        // Taken, and not committed: as if it were killed here.
        let mut run = Run::start(&[&source(&path)], &state);
        let delivered = loop {
            if let Some(delivered) = run.intake.poll(common::DEADLINE) {
                break delivered;
            }
        };
        assert_eq!(delivered.events.len(), 1);
    }
    fs::rename(&path, folder.path().join("audit.log.1")).unwrap();
    append(&path, &line("d"));
    let mut run = Run::start(&[&source(&path)], &state);
    run.until_events(2);
    assert_eq!(run.names(), ["c", "d"]);
    assert_eq!(run.figures().duplicates, 0);
}

#[test]
fn broken_lines_and_times_years_off_cost_themselves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let ahead = line("b").replace("2026-", "2526-");
    append(&path, &(line("a") + "{\"cut\n" + &ahead + &line("c")));
    let mut run = Run::start(&[&source(&path)], &folder.path().join("state"));
    run.until_events(3);
    let codes: Vec<_> = run.complaints.iter().map(|complaint| &*complaint.code).collect();
    assert_eq!(codes, ["json-malformed", "event-time-off"]);
    let figures = run.figures();
    assert_eq!((figures.times_off, figures.complaints), (1, 2));
    assert!(figures.watermark < figures.last_event);
    assert!(figures.last_event.unwrap().to_string().starts_with("2026-11-24T10:00:00"));
    assert!(run.events.iter().all(|event| event.time <= event.arrived));
}

#[test]
fn a_packed_file_is_taken_in_parts_and_a_restart_amid_them_loses_nothing() {
    const RECORDS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let (logs, state) = (folder.path().join("logs"), folder.path().join("state"));
    fs::create_dir(&logs).unwrap();
    let names: Vec<_> = (0..RECORDS).map(|number| number.to_string()).collect();
    fs::write(logs.join("all.json.gz"), gzip(&trail(&names))).unwrap();
    let mut run = Run::start(&[&source(&logs)], &state);
    let first = run.intake.poll(common::DEADLINE).unwrap();
    assert!(first.events.len() < RECORDS / 2, "{}", first.events.len());
    run.committer.commit(vec![first.ack]).unwrap();
    drop(run);
    let mut run = Run::start(&[&source(&logs)], &state);
    run.until_events(RECORDS - first.events.len());
    assert_eq!(run.figures().duplicates, first.events.len() as u64);
    drop(run);
    let mut run = Run::start(&[&source(&logs)], &state);
    append(&logs.join("more.jsonl"), &line("more"));
    run.until_events(1);
    assert_eq!((run.names(), run.figures().duplicates), (vec!["more".to_owned()], 0));
}

#[test]
fn a_digest_waits_for_the_files_that_it_names_and_then_tells_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("AWSLogs");
    let at = |key: &str| folder.path().join(key);
    let digest =
        "AWSLogs/1/CloudTrail-Digest/r/2026/11/24/1_CloudTrail-Digest_r_t_r_20261124T110000Z.json";
    let (late, never) =
        ("AWSLogs/1/CloudTrail/r/2026/11/24/a.json", "AWSLogs/1/CloudTrail/r/b.json");
    let text = trail(&["a".to_owned()]);
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = |key: &str| serde_json::json!({"s3Bucket": "b", "s3Object": key, "hashValue": hash});
    let content = serde_json::json!({
        "digestStartTime": "2026-11-24T10:00:00Z", "digestEndTime": "2026-11-24T11:00:00Z",
        "digestS3Bucket": "b", "digestS3Object": digest, "digestPublicKeyFingerprint": "f",
        "logFiles": [file(late), file(never)],
    });
    for key in [digest, late] {
        fs::create_dir_all(at(key).parent().unwrap()).unwrap();
    }
    fs::write(at(digest), content.to_string()).unwrap();
    let mut spec: clew_intake::SourceSpec =
        format!("files:{},digests=yes", copy.display()).parse().unwrap();
    spec.digests.as_mut().unwrap().patience = std::time::Duration::from_secs(3);
    let state = folder.path().join("state");
    let (intake, committer) = clew_intake::Intake::start(vec![spec], &state).unwrap();
    let mut run = Run { intake, committer, events: Vec::new(), complaints: Vec::new() };
    fs::write(at(late), &text).unwrap();
    run.until("the digest is checked", |run| run.figures().files_proven == 1);
    run.until("what is missing is told", |run| !run.complaints.is_empty());
    let told: Vec<_> = run.complaints.iter().map(|it| (&*it.code, &*it.message)).collect();
    let gone = format!("`s3://b/{never}` is gone");
    assert_eq!(told, [("cloudtrail-file-missing", &*gone)]);
    assert_eq!(run.figures().gaps, 1);
}

#[test]
fn an_access_log_is_followed_and_what_was_packed_of_it_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let line = |path: &str| {
        format!("192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] \"GET {path} HTTP/1.1\" 200 1\n")
    };
    let path = logs.join("access.log");
    let begin = line("/a") + &line("/a") + "no line of a log\n";
    append(&path, &begin);
    let source = format!("accesslog:{}", logs.display());
    let mut run = Run::start(&[&source], &folder.path().join("state"));
    run.until_events(2);
    append(&path, &line("/b"));
    run.until_events(3);
    fs::write(logs.join("access.log.1.gz"), gzip(&(begin + &line("/b") + &line("/c")))).unwrap();
    run.until_events(4);
    assert_eq!((run.figures().duplicates, run.figures().gaps), (3, 0));
    assert_eq!(run.complaints[0].code, "access-log-malformed");
    assert!(run.events.iter().all(|it| matches!(it.kind, clew_event::EventKind::Http(_))));
}
