//! Nanoseconds that judging one record of CloudTrail takes with all rules of SigmaHQ.
//!
//! The record is indexed in the measured time, and nothing matches, as nearly always. The rules are
//! looked for under `$CLEW_SHARED`, or in `shared/` beside the repository; without them nothing is
//! measured.
#![allow(missing_docs, reason = "criterion's macros make functions without any")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot read its input has nothing to say"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use clew_event::json::{Json, Kind};
use clew_event::{EventType, FieldArgument, FieldId, FieldSource, FieldValue, Scalar};
use clew_rules::{Options, SourceFile, load};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORD: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole",
"principalId":"AROAEXAMPLE:i-0abc","arn":"arn:aws:sts::123456789012:assumed-role/app/i-0abc",
"accountId":"123456789012","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":
{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::123456789012:role/app",
"accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-08-05T12:00:00Z",
"mfaAuthenticated":"false"}}},"eventTime":"2026-08-05T14:03:11Z","eventSource":"s3.amazonaws.com",
"eventName":"GetObject","awsRegion":"eu-central-1","sourceIPAddress":"10.0.0.7",
"userAgent":"[aws-sdk-go/1.44 (go1.20; linux; amd64)]","requestParameters":{"bucketName":"data",
"Host":"data.s3.eu-central-1.amazonaws.com","key":"a/b/c.json"},"responseElements":null,
"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256",
"bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":1234},
"requestID":"ABC","eventID":"9f1f7a1e-0000-4000-8000-000000000000","readOnly":true,
"managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data"}"#;

struct Record<'a>(Json<'a>);

impl FieldSource for Record<'_> {
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_> {
        let (FieldId::JsonMember, FieldArgument::Key(path)) = (id, argument) else {
            return FieldValue::Missing;
        };
        let found = path.split('.').try_fold(self.0.root(), |value, name| value.get(name));
        match found {
            None => FieldValue::Missing,
            Some(value) if value.kind() == Kind::Null => FieldValue::Many(Vec::new()),
            Some(value) => FieldValue::One(Scalar::Text(value.as_text())),
        }
    }
}

fn files(folder: &Path, found: &mut Vec<SourceFile>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push(SourceFile { name: path.display().to_string(), text });
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a benchmark is told by the environment where data lies, and says what it skips"
)]
fn judge(criterion: &mut Criterion) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    let mut sources = Vec::new();
    files(&folder.join("data/sigma-rules/rules"), &mut sources);
    if sources.is_empty() {
        eprintln!("SKIPPED: no rules of Sigma under {}; set CLEW_SHARED", folder.display());
        return;
    }
    let mut rules = load(&sources, &Options::default()).rules;
    let mut group = criterion.benchmark_group("sigma");
    group.throughput(Throughput::Bytes(RECORD.len() as u64));
    let mut matches = Vec::with_capacity(8);
    group.bench_function("cloudtrail/index-and-judge", |bencher| {
        bencher.iter(|| {
            let record = Record(Json::parse(RECORD.as_bytes()).expect("the record is JSON"));
            matches.clear();
            rules.judge(EventType::PluginEvent, "aws_cloudtrail", black_box(&record), &mut matches);
            matches.len()
        });
    });
    let record = Record(Json::parse(RECORD.as_bytes()).expect("the record is JSON"));
    group.bench_function("cloudtrail/judge", |bencher| {
        bencher.iter(|| {
            matches.clear();
            rules.judge(EventType::PluginEvent, "aws_cloudtrail", black_box(&record), &mut matches);
            matches.len()
        });
    });
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
