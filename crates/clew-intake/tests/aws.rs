//! CloudTrail from S3 and SQS, against a stand-in for AWS that the test starts.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that cannot run says so")]

mod common;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::types::{Event as S3Event, NotificationConfiguration, QueueConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use clew_intake::OBJECT_BYTES_MAX;
use common::{DEADLINE, Run, gzip, trail};
use tokio::runtime::Runtime;

const FOLDER: &str = "AWSLogs/1/CloudTrail/us-east-1/2026/11/24/";

/// A running `moto_server` with a bucket that notifies a queue.
struct Stand {
    server: Child,
    endpoint: String,
    runtime: Runtime,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    folder: tempfile::TempDir,
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// Where `scripts/setup test` puts it, or `CLEW_MOTO_SERVER`.
fn program() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/moto/bin/moto_server");
    let program = std::env::var_os("CLEW_MOTO_SERVER").map_or_else(beside, PathBuf::from);
    if !program.exists() {
        eprintln!("SKIPPED: no `{}`: run scripts/setup test", program.display());
        return None;
    }
    Some(program)
}

impl Stand {
    fn start() -> Option<Self> {
        let program = program()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto_server does not listen");
            std::thread::yield_now();
        }
        let folder = tempfile::tempdir().unwrap();
        let credentials = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n";
        fs::write(folder.path().join("credentials"), credentials).unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let runtime = Runtime::new().unwrap();
        let config = runtime.block_on(config(&endpoint, &folder.path().join("credentials")));
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let mut stand = Self {
            server,
            endpoint,
            runtime,
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
            queue: String::new(),
            folder,
        };
        stand.queue = stand.runtime.block_on(stand.set_up());
        Some(stand)
    }

    async fn set_up(&self) -> String {
        let queue = self.sqs.create_queue().queue_name("q");
        // So short that what is left in the queue comes again at once.
        let queue = queue.attributes(QueueAttributeName::VisibilityTimeout, "1");
        let url = queue.send().await.unwrap().queue_url.unwrap();
        self.s3.create_bucket().bucket("logs").send().await.unwrap();
        let notify = QueueConfiguration::builder()
            .queue_arn("arn:aws:sqs:us-east-1:123456789012:q")
            .events(S3Event::S3ObjectCreated)
            .build()
            .unwrap();
        let notify = NotificationConfiguration::builder().queue_configurations(notify).build();
        let put = self.s3.put_bucket_notification_configuration().bucket("logs");
        put.notification_configuration(notify).send().await.unwrap();
        url
    }

    fn put(&self, key: &str, body: Vec<u8>) {
        let put = self.s3.put_object().bucket("logs").key(key).body(body.into());
        self.runtime.block_on(put.send()).unwrap();
    }

    fn source(&self, target: &str) -> String {
        let credentials = self.folder.path().join("credentials");
        format!(
            "{target},name=aws,region=us-east-1,endpoint={},credentials={}",
            self.endpoint,
            credentials.display()
        )
    }

    /// Messages in the queue, seen or not.
    fn waiting(&self) -> u32 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let ask = self.sqs.get_queue_attributes().queue_url(&self.queue);
        let ask = ask.set_attribute_names(Some(names.to_vec()));
        let answer = self.runtime.block_on(ask.send()).unwrap().attributes.unwrap();
        answer.values().map(|count| count.parse::<u32>().unwrap()).sum()
    }
}

async fn config(endpoint: &str, credentials: &Path) -> SdkConfig {
    use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
    let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, credentials);
    let http = aws_smithy_http_client::Builder::new().build_http();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .profile_files(files.build())
        .load()
        .await
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn objects_that_a_queue_tells_of_are_read_and_their_messages_deleted_once_committed() {
    let Some(stand) = Stand::start() else { return };
    let source = stand.source(&format!("sqs:{}", stand.queue));
    let mut run = Run::start(&[&source], stand.folder.path());
    stand.put(&format!("{FOLDER}a b.json.gz"), gzip(&trail(&names(&["a", "b"]))));
    let deadline = Instant::now() + DEADLINE;
    let delivered = loop {
        assert!(Instant::now() < deadline, "{:?}", run.figures());
        let delivered = run.intake.poll(std::time::Duration::from_millis(100));
        if let Some(delivered) = delivered.filter(|delivered| !delivered.events.is_empty()) {
            break delivered;
        }
    };
    assert_eq!(delivered.events.len(), 2);
    assert_ne!(stand.waiting(), 0, "the message is there until its events are committed");
    run.committer.commit(vec![delivered.ack]).unwrap();
    run.until("the queue is empty", |_| stand.waiting() == 0);
    // The same file, told of again under another name.
    stand.put(&format!("{FOLDER}again.json.gz"), gzip(&trail(&names(&["b", "c"]))));
    run.until_events(1);
    run.until("the queue is empty", |_| stand.waiting() == 0);
    let figures = run.figures();
    assert_eq!((figures.events, figures.duplicates, figures.parked), (3, 1, 0));
}

#[test]
fn what_cannot_be_read_is_parked_after_so_many_times_and_costs_its_neighbours_nothing() {
    let Some(stand) = Stand::start() else { return };
    let source = stand.source(&format!("sqs:{},receives=2", stand.queue));
    stand.put(&format!("{FOLDER}broken.json.gz"), b"\x1f\x8bno gzip".to_vec());
    let send = stand.sqs.send_message().queue_url(&stand.queue).message_body("hello");
    stand.runtime.block_on(send.send()).unwrap();
    stand.put(&format!("{FOLDER}good.json.gz"), gzip(&trail(&names(&["a"]))));
    let mut run = Run::start(&[&source], stand.folder.path());
    run.until("both are parked", |run| run.figures().parked == 2);
    run.until("the queue is empty", |_| stand.waiting() == 0);
    assert_eq!(run.names(), ["a"]);
    let parked = run.committer.parked("aws").unwrap();
    let mut reasons: Vec<_> = parked.iter().map(|parked| parked.reason.as_str()).collect();
    reasons.sort_unstable();
    assert!(reasons[0].starts_with("`s3://logs/AWSLogs/"), "{reasons:?}");
    assert_eq!(reasons[1], "it is no notification of S3");
    assert!(parked.iter().any(|parked| parked.body == "hello"));
    assert!(run.figures().notes.iter().any(|note| note.starts_with("parked message")));
}

#[test]
fn a_bucket_is_walked_from_where_the_last_commit_was() {
    let Some(stand) = Stand::start() else { return };
    let key = |region: &str, minute: u32| {
        format!(
            "AWSLogs/1/CloudTrail/{region}/2026/11/24/1_CloudTrail_{region}_20261124T10{minute:02}Z_x.json.gz"
        )
    };
    let put = |key: &str, name: &str| stand.put(key, gzip(&trail(&names(&[name]))));
    put(&key("us-east-1", 0), "a");
    put(&key("eu-west-1", 5), "b");
    stand.put("AWSLogs/1/CloudTrail-Digest/us-east-1/2026/11/24/d.json.gz", gzip("{}"));
    stand.put(&key("us-east-1", 7), vec![b' '; OBJECT_BYTES_MAX + 1]);
    let source = stand.source("s3:logs/AWSLogs/") + ",every=1";
    let mut run = Run::start(&[&source], stand.folder.path());
    run.until_events(2);
    run.until("the object that is too long is parked", |run| run.figures().parked == 1);
    let mut found = run.names();
    found.sort();
    assert_eq!(found, ["a", "b"]);
    drop(run);
    // One is newer, and one was delivered late.
    put(&key("us-east-1", 10), "c");
    put(&key("us-east-1", 2), "d");
    let mut run = Run::start(&[&source], stand.folder.path());
    run.until_events(2);
    assert_eq!(run.names(), ["d", "c"]);
    assert_eq!(run.figures().duplicates, 0, "nothing is read twice");
}

/// A digest that names files by what they hold, and is not signed.
fn digest(key: &str, files: &[(&str, &str)]) -> String {
    let file = |(key, text): &(&str, &str)| {
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        serde_json::json!({"s3Bucket": "logs", "s3Object": key, "hashValue": hash})
    };
    let files: Vec<_> = files.iter().map(file).collect();
    serde_json::json!({
        "awsAccountId": "1", "digestStartTime": "2026-11-24T10:00:00Z",
        "digestEndTime": "2026-11-24T11:00:00Z", "digestS3Bucket": "logs", "digestS3Object": key,
        "digestPublicKeyFingerprint": "f", "previousDigestS3Bucket": null, "logFiles": files,
    })
    .to_string()
}

#[test]
fn a_log_file_that_was_changed_in_its_bucket_is_told_once_its_digest_comes() {
    let Some(stand) = Stand::start() else { return };
    let [good, changed, gone] = ["a", "b", "c"].map(|name| format!("{FOLDER}{name}.json.gz"));
    let [a, b] = ["a", "b"].map(|name| trail(&names(&[name])));
    stand.put(&good, gzip(&a));
    stand.put(&changed, gzip(&b));
    let key = "AWSLogs/1/CloudTrail-Digest/us-east-1/2026/11/24/1_CloudTrail-Digest_us-east-1_t_us-east-1_20261124T110000Z.json.gz";
    let files = [(&*good, &*a), (&*changed, &*a), (&*gone, &*a)];
    stand.put(key, gzip(&digest(key, &files)));
    for source in ["s3:logs/AWSLogs/".to_owned(), format!("sqs:{}", stand.queue)] {
        let state = tempfile::tempdir().unwrap();
        let mut run = Run::start(&[&(stand.source(&source) + ",digests=yes")], state.path());
        run.until("the digest is checked", |run| run.figures().files_proven == 1);
        run.until_events(3);
        let mut codes: Vec<_> = run.complaints.iter().map(|it| it.code.as_str()).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["cloudtrail-file-changed", "cloudtrail-file-missing"]);
        let figures = run.figures();
        assert_eq!((figures.files_altered, figures.gaps, figures.parked), (1, 1, 0));
        assert_eq!(run.events.iter().filter(|event| event.api_call().is_none()).count(), 1);
    }
}
