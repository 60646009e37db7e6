//! What can be asked for: `KIND:TARGET,option=value,…`.
//!
//! A comma begins an option; one that belongs to a path or value is written twice. Secrets stand in
//! files that options name, so that none shows in a list of processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::SpecError;
use crate::web;

/// One source as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// The name by which people, figures and cursors know it.
    pub name: String,
    /// Where records come from.
    pub origin: Origin,
    /// How CloudTrail's digests are checked, where they are.
    pub digests: Option<DigestSpec>,
}

/// How CloudTrail's digests are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSpec {
    /// File of CloudTrail's public keys, as its `ListPublicKeys` answers; without it hashes are
    /// compared alone.
    pub keys: Option<PathBuf>,
    /// How long after a digest the files of a folder may still come.
    pub patience: Duration,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, or all files below a folder.
    Files(PathBuf, Content),
    /// Requests that a program elsewhere makes to us.
    Receiver(ReceiverSpec),
    /// A queue of SQS that tells of new objects in S3.
    Queue(QueueSpec),
    /// A bucket of S3 that is walked through.
    Bucket(BucketSpec),
    /// A subscription of Pub/Sub that is pulled.
    PubSub(PubSubSpec),
    /// An event hub of Azure that is read.
    EventHub(EventHubSpec),
}

/// What files hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Records of audit logs.
    #[default]
    Audit,
    /// Lines of access logs.
    Access,
}

/// How AWS is reached; what is not given comes from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSpec {
    /// The region.
    pub region: Option<String>,
    /// Where a stand-in for AWS, or a private endpoint, listens.
    pub endpoint: Option<String>,
    /// A file of credentials in AWS's own form.
    pub credentials: Option<PathBuf>,
}

/// A queue of SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its address.
    pub url: String,
    /// How it is reached.
    pub aws: AwsSpec,
    /// How often a message that cannot be read is taken before it is parked.
    pub receives: u32,
}

/// A bucket of S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSpec {
    /// Its name.
    pub bucket: String,
    /// With what keys begin.
    pub prefix: String,
    /// How it is reached.
    pub aws: AwsSpec,
    /// How long to wait between two rounds.
    pub every: Duration,
    /// The first day that is read, as it stands in keys: `2026/11/24`.
    pub from: Option<String>,
}

/// A subscription of Pub/Sub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubSubSpec {
    /// Its name: `projects/PROJECT/subscriptions/NAME`.
    pub subscription: String,
    /// Where Pub/Sub, or a stand-in for it, listens.
    pub endpoint: String,
    /// Who pulls.
    pub account: GoogleAccount,
    /// How often a message that cannot be read is taken before it is parked.
    pub receives: u32,
}

/// Who asks Google.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoogleAccount {
    /// A service account, by the file of its key.
    Key(PathBuf),
    /// The service account of the instance that we run on.
    Instance,
    /// Nobody: a stand-in wants no token.
    Nobody,
}

/// An event hub of Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHubSpec {
    /// Its name.
    pub hub: String,
    /// The group of consumers as which it is read.
    pub group: String,
    /// File of its connection string.
    pub credentials: PathBuf,
}

/// A receiver of HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverSpec {
    /// Who makes the requests.
    pub sender: Sender,
    /// Where we listen.
    pub address: SocketAddr,
    /// Certificate chain and key, in PEM; both or none.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Who makes requests, and by what they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The audit webhook of a Kubernetes API server: a bearer token.
    Kubernetes {
        /// File that holds the token.
        token: PathBuf,
    },
    /// An API destination of EventBridge: the key of its connection, in a header of its own.
    EventBridge {
        /// Name of the header.
        header: String,
        /// File that holds the key.
        token: PathBuf,
    },
    /// A subscription of SNS: its signature, by Amazon's certificate.
    Sns {
        /// The topic, by its ARN.
        topic: String,
        /// File of the certificate, where it is not to be fetched.
        certificate: Option<PathBuf>,
    },
    /// A push subscription of Pub/Sub: a token of its service account, signed by Google.
    PubSubPush {
        /// Whom tokens are meant for.
        audience: String,
        /// The service account.
        email: String,
        /// File of Google's keys, where they are not to be fetched.
        keys: Option<PathBuf>,
    },
    /// Programs that send OpenTelemetry's traces and logs: a bearer token.
    Otlp {
        /// File that holds the token.
        token: PathBuf,
    },
    /// A subscription of Event Grid: a bearer token, or one in the address.
    EventGrid {
        /// File that holds the token.
        token: PathBuf,
    },
}

impl Origin {
    /// The name of the kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Files(_, Content::Audit) => "files",
            Self::Files(_, Content::Access) => "accesslog",
            Self::Queue(_) => "sqs",
            Self::Bucket(_) => "s3",
            Self::PubSub(_) => "pubsub",
            Self::EventHub(_) => "eventhub",
            Self::Receiver(ReceiverSpec { sender, .. }) => match sender {
                Sender::Kubernetes { .. } => "kubernetes",
                Sender::EventBridge { .. } => "eventbridge",
                Sender::Sns { .. } => "sns",
                Sender::PubSubPush { .. } => "pubsub-push",
                Sender::EventGrid { .. } => "eventgrid",
                Sender::Otlp { .. } => "otlp",
            },
        }
    }
}

/// Every kind with what is written behind it, and its options beside `name`.
const KINDS: [(&str, &str, &[&str]); 12] = [
    ("files", "files:PATH", &["digests", "digest-keys"]),
    ("accesslog", "accesslog:PATH", &[]),
    (
        "sqs",
        "sqs:URL",
        &["region", "endpoint", "credentials", "receives", "digests", "digest-keys"],
    ),
    (
        "s3",
        "s3:BUCKET[/PREFIX]",
        &["region", "endpoint", "credentials", "every", "from", "digests", "digest-keys"],
    ),
    ("kubernetes", "kubernetes:ADDRESS:PORT", &["token", "cert", "key"]),
    ("eventbridge", "eventbridge:ADDRESS:PORT", &["token", "header", "cert", "key"]),
    ("sns", "sns:ADDRESS:PORT", &["topic", "certificate", "cert", "key"]),
    ("pubsub-push", "pubsub-push:ADDRESS:PORT", &["audience", "email", "keys", "cert", "key"]),
    (
        "pubsub",
        "pubsub:projects/PROJECT/subscriptions/NAME",
        &["credentials", "endpoint", "receives"],
    ),
    ("eventhub", "eventhub:HUB", &["credentials", "group"]),
    ("eventgrid", "eventgrid:ADDRESS:PORT", &["token", "cert", "key"]),
    ("otlp", "otlp:ADDRESS:PORT", &["token", "cert", "key"]),
];

/// How often a message is taken before it is parked, where nothing else is asked for.
const RECEIVES_DEFAULT: u32 = 5;
/// Seconds between two rounds through a bucket: CloudTrail writes a file each 5 minutes.
const EVERY_SECONDS_DEFAULT: u32 = 60;

/// Copying a bucket brings its digests before the files that they name.
const PATIENCE: Duration = Duration::from_secs(600);

/// Options by name, as they were given.
struct Options {
    kind: &'static str,
    given: Vec<(String, String)>,
}

impl Options {
    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.given.iter().position(|(given, _)| given == name)?;
        Some(self.given.swap_remove(place).1)
    }

    fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.take(name).map(PathBuf::from)
    }

    fn aws(&mut self) -> AwsSpec {
        AwsSpec {
            region: self.take("region"),
            endpoint: self.take("endpoint"),
            credentials: self.path("credentials"),
        }
    }

    /// A number from 1 up.
    fn number(&mut self, name: &'static str, default: u32) -> Result<u32, SpecError> {
        let Some(given) = self.take(name) else { return Ok(default) };
        let number = given.parse().ok().filter(|number| 0 < *number);
        number.ok_or(SpecError::Value { name, given, allowed: "a whole number from 1 up" })
    }

    /// Keys alone ask for it too.
    fn digests(&mut self) -> Result<Option<DigestSpec>, SpecError> {
        let (asked, keys) = (self.take("digests"), self.path("digest-keys"));
        if let Some(given) = asked.as_ref().filter(|asked| *asked != "yes").cloned() {
            return Err(SpecError::Value { name: "digests", given, allowed: "`yes`" });
        }
        let is_asked = asked.is_some() || keys.is_some();
        Ok(is_asked.then_some(DigestSpec { keys, patience: PATIENCE }))
    }

    fn must(&mut self, option: &'static str, value: &'static str) -> Result<String, SpecError> {
        self.take(option).ok_or(SpecError::Missing { kind: self.kind, option, value })
    }

    fn must_path(&mut self, option: &'static str) -> Result<PathBuf, SpecError> {
        self.must(option, "PATH").map(PathBuf::from)
    }
}

impl FromStr for SourceSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts = split_at_single_commas(text).into_iter();
        let target = parts.next().unwrap_or_default();
        let (kind, rest) = target.split_once(':').unwrap_or((&target, ""));
        let known = KINDS.iter().find(|(name, ..)| *name == kind && !rest.is_empty());
        let Some(&(kind, _, allowed)) = known else {
            let forms: Vec<_> = KINDS.iter().map(|(_, form, _)| *form).collect();
            return Err(SpecError::Kind { given: target, allowed: listed(&forms) });
        };
        let mut options = read_options(kind, allowed, parts)?;
        let name = options.take("name").unwrap_or_else(|| target.clone());
        let digests = options.digests()?;
        let origin = origin(kind, rest, &mut options)?;
        Ok(Self { name, origin, digests })
    }
}

fn read_options(
    kind: &'static str,
    allowed: &[&str],
    parts: impl Iterator<Item = String>,
) -> Result<Options, SpecError> {
    let mut given = Vec::new();
    for (index, part) in parts.enumerate() {
        let option = part.split_once('=');
        match option.filter(|(name, _)| *name == "name" || allowed.contains(name)) {
            Some((name, value)) => given.push((name.to_owned(), value.to_owned())),
            None => {
                // What stands behind `=` may be secret by mistake.
                let given = option.map_or(part.as_str(), |(name, _)| name).to_owned();
                let allowed = listed(&[&["name"], allowed].concat());
                return Err(SpecError::Option { place: index + 1, given, kind, allowed });
            }
        }
    }
    Ok(Options { kind, given })
}

fn origin(kind: &str, rest: &str, options: &mut Options) -> Result<Origin, SpecError> {
    let sender = match kind {
        "files" => return Ok(Origin::Files(rest.into(), Content::Audit)),
        "accesslog" => return Ok(Origin::Files(rest.into(), Content::Access)),
        "sqs" => {
            let receives = options.number("receives", RECEIVES_DEFAULT)?;
            return Ok(Origin::Queue(QueueSpec { url: rest.into(), aws: options.aws(), receives }));
        }
        "s3" => return bucket(rest, options).map(Origin::Bucket),
        "pubsub" => return pubsub(rest, options).map(Origin::PubSub),
        "eventhub" => return eventhub(rest, options).map(Origin::EventHub),
        "otlp" => Sender::Otlp { token: options.must_path("token")? },
        "eventgrid" => Sender::EventGrid { token: options.must_path("token")? },
        "eventbridge" => {
            let header = options.take("header").unwrap_or_else(|| "x-api-key".to_owned());
            Sender::EventBridge { header, token: options.must_path("token")? }
        }
        "sns" => Sender::Sns {
            topic: options.must("topic", "ARN")?,
            certificate: options.path("certificate"),
        },
        "pubsub-push" => Sender::PubSubPush {
            audience: options.must("audience", "URL")?,
            email: options.must("email", "ADDRESS")?,
            keys: options.path("keys"),
        },
        _ => Sender::Kubernetes { token: options.must_path("token")? },
    };
    let address = rest.parse().map_err(|_| SpecError::Value {
        name: "address",
        given: rest.to_owned(),
        allowed: "an address and a port: `0.0.0.0:8443`, `[::1]:8443`",
    })?;
    let tls = match (options.path("cert"), options.path("key")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(options.must_path("key").err().unwrap_or_else(none)),
        (None, Some(_)) => return Err(options.must_path("cert").err().unwrap_or_else(none)),
    };
    Ok(Origin::Receiver(ReceiverSpec { sender, address, tls }))
}

fn bucket(rest: &str, options: &mut Options) -> Result<BucketSpec, SpecError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let every = options.number("every", EVERY_SECONDS_DEFAULT)?;
    Ok(BucketSpec {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        aws: options.aws(),
        every: Duration::from_secs(every.into()),
        from: options.take("from"),
    })
}

/// A stand-in on this machine wants no token where none is named.
fn pubsub(subscription: &str, options: &mut Options) -> Result<PubSubSpec, SpecError> {
    let value = |name, given, allowed| Err(SpecError::Value { name, given, allowed });
    let is_name = subscription.starts_with("projects/") && subscription.contains("/subscriptions/");
    if !is_name {
        let allowed = "`projects/PROJECT/subscriptions/NAME`";
        return value("subscription", subscription.to_owned(), allowed);
    }
    let endpoint = options.take("endpoint");
    let account = match (options.path("credentials"), &endpoint) {
        (Some(path), _) => GoogleAccount::Key(path),
        (None, Some(endpoint)) if endpoint.starts_with("http://") => GoogleAccount::Nobody,
        (None, _) => GoogleAccount::Instance,
    };
    let endpoint = endpoint.unwrap_or_else(|| "https://pubsub.googleapis.com".to_owned());
    if !web::is_private(&endpoint) {
        return value("endpoint", endpoint, "an address of `https`, or one on this machine");
    }
    let receives = options.number("receives", RECEIVES_DEFAULT)?;
    let endpoint = endpoint.trim_end_matches('/').to_owned();
    Ok(PubSubSpec { subscription: subscription.to_owned(), endpoint, account, receives })
}

fn eventhub(hub: &str, options: &mut Options) -> Result<EventHubSpec, SpecError> {
    let is_name = hub.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
    if !is_name {
        let allowed = "the name of an event hub: letters, digits, `.`, `_` and `-`";
        // A connection string, put here by mistake, is a secret.
        let given = hub.split(['=', ';']).next().unwrap_or_default().to_owned();
        return Err(SpecError::Value { name: "hub", given, allowed });
    }
    let credentials = options.must_path("credentials")?;
    let group = options.take("group").unwrap_or_else(|| "$Default".to_owned());
    Ok(EventHubSpec { hub: hub.to_owned(), group, credentials })
}

fn none() -> SpecError {
    SpecError::Missing { kind: "receiver", option: "cert", value: "PATH" }
}

/// Splits at each comma that stands alone; of two in a row one stays, as text.
fn split_at_single_commas(text: &str) -> Vec<String> {
    let whole = text.replace(",,", "\0");
    whole.split(',').map(|part| part.replace('\0', ",")).collect()
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SourceSpec {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        text.parse::<SourceSpec>().unwrap_err().to_string()
    }

    #[test]
    fn each_kind_is_read_as_it_is_written() {
        let spec = parsed("files:/var/log/a,,b,name=audit");
        assert_eq!((spec.name.as_str(), spec.origin.kind()), ("audit", "files"));
        assert_eq!(spec.origin, Origin::Files("/var/log/a,b".into(), Content::Audit));
        assert_eq!(parsed("accesslog:/a").origin, Origin::Files("/a".into(), Content::Access));
        let spec = parsed("kubernetes:127.0.0.1:8443,token=/t,cert=/c,key=/k");
        assert_eq!(spec.name, "kubernetes:127.0.0.1:8443");
        let Origin::Receiver(receiver) = spec.origin else { panic!("no receiver") };
        assert_eq!(receiver.sender, Sender::Kubernetes { token: "/t".into() });
        assert_eq!(receiver.tls, Some(("/c".into(), "/k".into())));
    }

    #[test]
    fn clouds_are_reached_as_their_options_say() {
        let spec =
            parsed("sqs:https://sqs.eu-west-1.amazonaws.com/1/q,region=eu-west-1,receives=3");
        let Origin::Queue(queue) = spec.origin else { panic!("no queue") };
        assert_eq!((queue.receives, queue.aws.region.as_deref()), (3, Some("eu-west-1")));
        assert_eq!(queue.url, "https://sqs.eu-west-1.amazonaws.com/1/q");
        let spec = parsed("s3:logs/AWSLogs/,endpoint=http://[::1]:1,every=5,from=2026/11/24");
        let Origin::Bucket(bucket) = spec.origin else { panic!("no bucket") };
        assert_eq!((&*bucket.bucket, &*bucket.prefix), ("logs", "AWSLogs/"));
        assert_eq!(bucket.every, Duration::from_secs(5));
        assert_eq!(bucket.from.as_deref(), Some("2026/11/24"));
        assert!(error("sqs:https://q,receives=0").ends_with("allowed is a whole number from 1 up"));
    }

    #[test]
    fn google_is_asked_in_the_name_of_a_key_or_of_the_instance() {
        let of = |options: &str| parsed(&format!("pubsub:projects/p/subscriptions/s{options}"));
        let account = |options: &str| match of(options).origin {
            Origin::PubSub(spec) => spec.account,
            _ => panic!("no subscription"),
        };
        assert_eq!(account(""), GoogleAccount::Instance);
        assert_eq!(account(",credentials=/k"), GoogleAccount::Key("/k".into()));
        assert_eq!(account(",endpoint=http://127.0.0.1:1/"), GoogleAccount::Nobody);
        assert!(error("pubsub:s").starts_with("`subscription` is `s`; allowed is `projects/"));
        let open = "pubsub:projects/p/subscriptions/s,endpoint=http://a.example";
        assert!(error(open).starts_with("`endpoint` is `http://a.example`"));
    }

    #[test]
    fn a_hub_is_read_by_the_connection_string_of_a_file() {
        let hub = |options: &str| parsed(&format!("eventhub:logs,credentials=/c{options}"));
        let Origin::EventHub(spec) = hub("").origin else { panic!("no hub") };
        assert_eq!((&*spec.hub, &*spec.group), ("logs", "$Default"));
        assert_eq!(spec.credentials, PathBuf::from("/c"));
        let Origin::EventHub(spec) = hub(",group=clew").origin else { panic!("no hub") };
        assert_eq!(spec.group, "clew");
        assert_eq!(error("eventhub:logs"), "`eventhub` needs `credentials=PATH`");
        let secret = error("eventhub:Endpoint=sb://a/;SharedAccessKey=k,credentials=/c");
        assert!(secret.starts_with("`hub` is `Endpoint`; allowed is"), "{secret}");
    }

    #[test]
    fn digests_are_checked_where_that_is_asked_for() {
        assert_eq!(parsed("files:/a").digests, None);
        let digests = parsed("s3:b,digests=yes").digests.unwrap();
        assert_eq!((digests.keys, digests.patience), (None, PATIENCE));
        let digests = parsed("files:/a,digest-keys=/k").digests.unwrap();
        assert_eq!(digests.keys.as_deref(), Some("/k".as_ref()));
        assert_eq!(error("sqs:https://q,digests=no"), "`digests` is `no`; allowed is `yes`");
    }

    #[test]
    fn mistakes_say_what_is_allowed_and_nothing_secret() {
        assert!(error("syslog:x").starts_with("`syslog:x` is no source; allowed are `files:PATH`"));
        assert!(error("files:").starts_with("`files:` is no source"));
        assert_eq!(
            error("kubernetes:[::1]:1,tokn=secret"),
            "option 1 is `tokn`, but `kubernetes` takes `name`, `token`, `cert`, `key`"
        );
        assert_eq!(error("kubernetes:[::1]:1"), "`kubernetes` needs `token=PATH`");
        assert_eq!(error("kubernetes:[::1]:1,token=/t,cert=/c"), "`kubernetes` needs `key=PATH`");
        assert!(error("kubernetes:host,token=/t").starts_with("`address` is `host`; allowed is"));
    }
}
