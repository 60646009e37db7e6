//! A log of CloudTrail of any length, the same bytes for the same seed.
//!
//! An ordinary organization of four accounts at work: instances, pods and functions that describe,
//! list, decrypt and store; services that open sessions for them; a few people. Records have the
//! members and the order of members of real ones (mean 1.4 KB), every id is its own, a fifth of the
//! records stands before an earlier neighbour, credentials change every six hours, and some calls
//! are refused. Nothing in it is an attack, so what rules say of it is noise.

use std::fmt::Write as _;

/// Records of one batch, `{"Records":[…]}`, about as many as a file has.
pub const BATCH_RECORDS: usize = 5_000;

/// 2026-08-01.
const START_UNIX_S: u64 = 1_785_542_400;
const RECORDS_PER_S: u64 = 40;
const ACCOUNTS: [&str; 4] = ["210987654321", "210987654322", "210987654323", "210987654324"];
const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];
const WORKLOADS: u64 = 240;
const SESSION_S: u64 = 6 * 3600;

/// A call that workloads make: how often of 1,000, service, name, parameters, whether it only
/// reads, and further members.
struct Call(u64, &'static str, &'static str, &'static str, bool, &'static str);

const KMS_KEY: &str = r#","resources":[{"accountId":"@A","type":"AWS::KMS::Key","ARN":"arn:aws:kms:@R:@A:key/0e5d0ab6-097e-49d8-99ef-747ce3e5f8f4"}]"#;
const BUCKET: &str = r#","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::data-@A/in/@N.json"},{"accountId":"@A","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::data-@A"}]"#;

#[rustfmt::skip]
const CALLS: [Call; 17] = [
    Call(160, "kms", "Decrypt", r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data-@A/in/@N.json"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#, true, KMS_KEY),
    Call(60, "kms", "GenerateDataKey", r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data-@A"},"keySpec":"AES_256","keyId":"arn:aws:kms:@R:@A:key/0e5d0ab6-097e-49d8-99ef-747ce3e5f8f4"}"#, true, KMS_KEY),
    Call(120, "s3", "GetObject", r#"{"bucketName":"data-@A","Host":"data-@A.s3.@R.amazonaws.com","key":"in/@N.json"}"#, true, BUCKET),
    Call(110, "s3", "PutObject", r#"{"bucketName":"data-@A","Host":"data-@A.s3.@R.amazonaws.com","key":"out/@N.json","x-amz-server-side-encryption":"aws:kms"}"#, false, BUCKET),
    Call(90, "ec2", "DescribeInstances", r#"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"}]}}]}}"#, true, ""),
    Call(50, "ec2", "DescribeNetworkInterfaces", r#"{"networkInterfaceIdSet":{},"filterSet":{"items":[{"name":"attachment.instance-id","valueSet":{"items":[{"value":"i-0@N"}]}}]}}"#, true, ""),
    Call(40, "ec2", "DescribeSecurityGroups", r#"{"securityGroupSet":{},"securityGroupIdSet":{},"filterSet":{}}"#, true, ""),
    Call(60, "ssm", "UpdateInstanceInformation", r#"{"instanceId":"i-0@N","agentVersion":"3.3.1732.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.1.10","computerName":"ip-10-0-1-10.ec2.internal","agentName":"amazon-ssm-agent"}"#, false, ""),
    Call(40, "elasticloadbalancing", "DescribeTargetHealth", r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:@R:@A:targetgroup/web/7a1b2c3d4e5f6071"}"#, true, ""),
    Call(40, "autoscaling", "DescribeAutoScalingGroups", r#"{"maxRecords":100,"autoScalingGroupNames":["workers-@W"]}"#, true, ""),
    Call(40, "logs", "CreateLogStream", r#"{"logGroupName":"/aws/lambda/worker-@W","logStreamName":"2026/08/01/[$LATEST]@N"}"#, false, ""),
    Call(40, "monitoring", "DescribeAlarms", r#"{"maxRecords":100,"alarmNamePrefix":"worker-@W"}"#, true, ""),
    Call(40, "dynamodb", "DescribeTable", r#"{"tableName":"orders-@W"}"#, true, ""),
    Call(30, "ecr", "BatchGetImage", r#"{"registryId":"@A","repositoryName":"worker","imageIds":[{"imageTag":"1.@W"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.index.v1+json"]}"#, true, ""),
    Call(30, "sqs", "GetQueueAttributes", r#"{"queueUrl":"https://sqs.@R.amazonaws.com/@A/orders","attributeNames":["ApproximateNumberOfMessages"]}"#, true, ""),
    Call(30, "sts", "GetCallerIdentity", "null", true, ""),
    Call(20, "iam", "ListRoles", r#"{"maxItems":100}"#, true, ""),
];

/// Writes the log record by record.
#[derive(Clone, Debug)]
pub struct Log {
    random: u64,
    records: u64,
}

impl Log {
    /// The log of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { random: seed, records: 0 }
    }

    /// Appends the next batch, one object on a line of its own.
    pub fn batch(&mut self, text: &mut String) {
        text.push_str("{\"Records\":[");
        for number in 0..BATCH_RECORDS {
            if number != 0 {
                text.push(',');
            }
            self.record(text);
        }
        text.push_str("]}\n");
    }

    /// Appends the next record.
    pub fn record(&mut self, text: &mut String) {
        let second = START_UNIX_S + self.records / RECORDS_PER_S;
        self.records += 1;
        let late_s = if self.below(5) == 0 { self.below(120) } else { 0 };
        match self.below(100) {
            0..8 => self.session(second - late_s, text),
            8..12 => self.person(second - late_s, text),
            _ => self.workload(second - late_s, text),
        }
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let [a, b, c] = [high >> 32, high >> 16 & 0xffff, high & 0xfff];
        format!("{a:08x}-{b:04x}-4{c:03x}-a{:03x}-{:012x}", low >> 52, low & 0xffff_ffff_ffff)
    }

    /// A service opens the session that a workload then works in.
    fn session(&mut self, second: u64, text: &mut String) {
        let worker = Worker::of(self.below(WORKLOADS), second);
        let Worker { account, region, role, name, key, .. } = &worker;
        let _ = write!(
            text,
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}},"eventTime":"{}","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"{region}","sourceIPAddress":"ec2.amazonaws.com","userAgent":"ec2.amazonaws.com","requestParameters":{{"roleArn":"arn:aws:iam::{account}:role/{role}","roleSessionName":"{name}"}},"responseElements":{{"credentials":{{"accessKeyId":"{key}","sessionToken":"IQoJb3JpZ2luX2VjEXAMPLE","expiration":"{}"}},"assumedRoleUser":{{"assumedRoleId":"AROAEXAMPLE{role}:{name}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{name}"}}}},"requestID":"{}","eventID":"{}","readOnly":true,"resources":[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"arn:aws:iam::{account}:role/{role}"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","sharedEventID":"{}","eventCategory":"Management"}}"#,
            moment(second),
            moment(worker.opened + SESSION_S),
            self.uuid(),
            self.uuid(),
            self.uuid(),
        );
    }

    fn workload(&mut self, second: u64, text: &mut String) {
        let worker = Worker::of(self.below(WORKLOADS), second);
        let mut left = self.below(1_000);
        let found = CALLS.iter().find(|call| {
            let is_it = left < call.0;
            left = if is_it { left } else { left - call.0 };
            is_it
        });
        let Some(call) = found.or(CALLS.first()) else { return };
        let Worker { account, region, role, name, key, number, opened } = &worker;
        let _ = write!(
            text,
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{role}:{name}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{name}","accountId":"{account}","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{role}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"{}","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}},"#,
            moment(*opened),
        );
        let address = format!("10.{}.{}.{}", number % 4, number / 24, number % 200 + 10);
        self.rest(second, (call, account, region), (&address, of(&AGENTS, 0), *number), text);
    }

    fn person(&mut self, second: u64, text: &mut String) {
        let number = self.below(12);
        let account = of(&ACCOUNTS, number);
        let _ = write!(
            text,
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE{number:09}","arn":"arn:aws:iam::{account}:user/person-{number}","accountId":"{account}","accessKeyId":"AKIAEXAMPLE{number:09}","userName":"person-{number}"}},"#,
        );
        let mut reading = CALLS.iter().filter(|call| call.4 && call.5.is_empty());
        let Some(call) = reading.nth(usize::try_from(self.below(9)).unwrap_or_default()) else {
            return;
        };
        let address = format!("198.51.100.{}", number + 10);
        self.rest(
            second,
            (call, account, of(&REGIONS, 0)),
            (&address, of(&AGENTS, 1), number),
            text,
        );
    }

    /// What stands behind the caller.
    fn rest(
        &mut self,
        second: u64,
        (call, account, region): (&Call, &str, &str),
        (address, agent, number): (&str, &str, u64),
        text: &mut String,
    ) {
        let Call(_, service, name, parameters, reads, more) = call;
        let object = format!("{:012x}", self.next() >> 16);
        let filled = |template: &str| {
            let text = template.replace("@A", account).replace("@R", region);
            text.replace("@N", &object).replace("@W", &number.to_string())
        };
        let error = match self.below(100) {
            0 => r#""errorCode":"ThrottlingException","errorMessage":"Rate exceeded","#,
            _ => "",
        };
        let is_data = *service == "s3";
        let (management, category) = if is_data { (false, "Data") } else { (true, "Management") };
        let _ = write!(
            text,
            r#""eventTime":"{}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{agent}",{error}"requestParameters":{},"responseElements":null,"requestID":"{}","eventID":"{}","readOnly":{reads}{},"eventType":"AwsApiCall","managementEvent":{management},"recipientAccountId":"{account}","eventCategory":"{category}","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#,
            moment(second),
            filled(parameters),
            self.uuid(),
            self.uuid(),
            filled(more),
        );
    }
}

const AGENTS: [&str; 2] = [
    "[aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/client#1.58.2]",
    "[aws-cli/2.17.20 md/awscrt#0.20.11 ua/2.0 os/linux#6.5.0 md/arch#x86_64 lang/python#3.11.8 cfg/retry-mode#standard]",
];

/// One of a list, over and over.
fn of(list: &'static [&'static str], number: u64) -> &'static str {
    let place = usize::try_from(number).unwrap_or_default();
    list.iter().cycle().nth(place % list.len()).unwrap_or(&"")
}

/// A workload with the session that it has at that time.
struct Worker {
    number: u64,
    account: &'static str,
    region: &'static str,
    role: String,
    name: String,
    key: String,
    opened: u64,
}

impl Worker {
    fn of(number: u64, second: u64) -> Self {
        let opened = (second - number * 60) / SESSION_S * SESSION_S + number * 60;
        let name = match number % 3 {
            0 => format!("i-0{:016x}", number * 0x1234_5678_9abc),
            1 => format!("eks-main-worker-{number:03}-8d6f2c1e"),
            _ => format!("worker-{number}"),
        };
        Self {
            number,
            account: of(&ACCOUNTS, number),
            region: of(&REGIONS, number),
            role: format!("workload-{:02}", number % 30),
            name,
            key: format!("ASIA{:016X}", number << 44 | opened),
            opened,
        }
    }
}

/// As CloudTrail writes it. The log lasts less than a month, and some sessions are older.
fn moment(unix_s: u64) -> String {
    const DAY_S: u64 = 86_400;
    let s = unix_s + DAY_S - START_UNIX_S;
    let (month, day) = if s < DAY_S { (7, 31) } else { (8, s / DAY_S) };
    let (hour, minute, second) = (s / 3600 % 24, s / 60 % 60, s % 60);
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_json_of_the_promised_size_and_the_same_for_the_same_seed() {
        let (mut text, mut again) = (String::new(), String::new());
        Log::new(1).batch(&mut text);
        Log::new(1).batch(&mut again);
        assert_eq!(text, again);
        assert_eq!(text.matches("\"eventID\"").count(), BATCH_RECORDS);
        let mean = text.len() / BATCH_RECORDS;
        assert!((1_350..1_450).contains(&mean), "{mean}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        Log::new(2).batch(&mut again);
        assert!(!again.ends_with(&text));
    }

    #[test]
    fn moments_are_written_as_dates() {
        assert_eq!(moment(START_UNIX_S - 1), "2026-07-31T23:59:59Z");
        assert_eq!(moment(START_UNIX_S + 90_061), "2026-08-02T01:01:01Z");
    }
}
