//! Generates a CloudTrail file of any size, or reads one and says how fast.
//!
//! `cargo run --release -p clew-decode --example cloudtrail -- write 1000 > file.json` writes a
//! file of so many megabytes; `… -- read file.json` prints megabytes a second of one core and the
//! most memory that was held.
#![allow(clippy::print_stdout, reason = "a figure is printed for people")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures time")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::time::Instant;

use clew_decode::api_log::Records;

fn record(number: u64) -> String {
    let second = number / 40;
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let (service, name) = match number % 4 {
        0 => ("ec2", "DescribeInstances"),
        1 => ("s3", "GetObject"),
        2 => ("sts", "AssumeRole"),
        _ => ("s3", "ListBuckets"),
    };
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLE{user:03}:session-{user}","arn":"arn:aws:sts::111122223333:assumed-role/workload-{user}/session-{user}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{user:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLEEXAMPLE{user:03}","arn":"arn:aws:iam::111122223333:role/workload-{user}","accountId":"111122223333","userName":"workload-{user}"}},"attributes":{{"creationDate":"2024-08-01T09:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2024-08-01T{hour:02}:{minute:02}:{second:02}Z","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"198.51.100.{address}","userAgent":"aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/{service}#1.58.2","requestParameters":{{"bucketName":"data-{user}","key":"reports/2024/{number}.parquet","Host":"data-{user}.s3.eu-central-1.amazonaws.com","maxResults":1000}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":{number}}},"requestID":"{number:032x}","eventID":"{number:08x}-1111-4111-8111-111111111111","readOnly":true,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::data-{user}/reports/2024/{number}.parquet"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::data-{user}"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"data-{user}.s3.eu-central-1.amazonaws.com"}}}}"#,
        user = number * 7 % 100,
        address = number * 13 % 250,
    )
}

fn write(megabytes: u64) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    out.write_all(b"{\"Records\":[")?;
    let (mut written, mut number) = (0, 0);
    while written < megabytes * 1_000_000 {
        let record = record(number);
        out.write_all(if number == 0 { b"" } else { b"," })?;
        out.write_all(record.as_bytes())?;
        written += record.len() as u64;
        number += 1;
    }
    out.write_all(b"]}")
}

#[allow(clippy::cast_precision_loss, reason = "sizes of files are small")]
fn read(path: &str) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let (mut events, mut complaints) = (0_u64, 0_u64);
    for found in Records::new(path, File::open(path)?) {
        match found {
            Ok(_) => events += 1,
            Err(_) => complaints += 1,
        }
    }
    let (seconds, bytes) = (began.elapsed().as_secs_f64(), fs::metadata(path)?.len() as f64);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let rate = bytes / 1e6 / seconds;
    println!("{events} events, {complaints} complaints, {rate:.0} MB/s, {peak}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", megabytes] => Ok(write(megabytes.parse()?)?),
        ["read", path] => read(path),
        _ => Err("usage: cloudtrail write MEGABYTES | read FILE".into()),
    }
}
