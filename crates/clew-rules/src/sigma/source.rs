//! Which events a Sigma log source means, and how its fields are asked of them.
//!
//! Field names are those of Sigma's taxonomy appendix, and where that is silent those that the
//! rules of SigmaHQ use (snapshot of August 2026): CloudTrail by the record's own names, Google by
//! `gcp.audit.*` and `data.protoPayload.*`, Azure by the columns of Log Analytics as well as by the
//! names of exported records, Linux by those of Sysmon and auditd.

use clew_event::field::FIELDS;
use clew_event::{EventType, Field, FieldArgument, FieldId};

use super::document::LogSource;

/// What stands behind a field name of a rule.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Field(Field),
    /// The same text for every event of the log source.
    Constant(&'static str),
    /// A word for some event types.
    Types(&'static [(&'static str, &'static [EventType])]),
}

/// Events that a log source means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Name of the source as other rules give it.
    pub source: &'static str,
    /// Types of the events; empty where the source has one.
    pub types: &'static [EventType],
    pub only: Only,
    /// Fields that help people, whatever the rule looks for.
    pub shown: &'static [&'static str],
    names: Names,
}

/// What else has to hold of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    All,
    /// Opens that can write, and succeeded.
    Writes,
    /// Calls on an address of the internet.
    Internet,
    /// Requests that came in.
    Inbound,
    /// Requests that were sent.
    Outbound,
}

/// How names become fields.
#[derive(Clone, Copy, Debug)]
enum Names {
    /// By this table alone.
    Table(&'static [(&'static str, Named)]),
    /// By the members of the record, some under another name.
    Record(&'static [(&'static str, &'static [&'static str])]),
    /// As [`Names::Record`]; what is not found is looked for under `properties` as well.
    Azure(&'static [(&'static str, &'static [&'static str])]),
    /// As [`Names::Record`], the payload by two prefixes.
    Google(&'static [(&'static str, &'static [&'static str])]),
}

#[derive(Clone, Copy, Debug)]
enum Named {
    Id(FieldId),
    Argument(u32),
    /// A field of the request's head.
    Header(&'static str),
    Either(FieldId, FieldId),
    Constant(&'static str),
    Types(&'static [(&'static str, &'static [EventType])]),
}

use EventType as E;
use FieldId as F;

const EXECS: &[EventType] = &[E::Execve, E::Execveat];
const OPENS: &[EventType] = &[E::Open, E::Openat, E::Openat2, E::Creat];
const PATHS: &[EventType] = &[
    E::Open,
    E::Openat,
    E::Openat2,
    E::Creat,
    E::Rename,
    E::Renameat,
    E::Renameat2,
    E::Link,
    E::Linkat,
    E::Symlink,
    E::Symlinkat,
    E::Unlink,
    E::Unlinkat,
    E::Mkdir,
    E::Mkdirat,
    E::Rmdir,
    E::Chmod,
    E::Fchmodat,
    E::Chown,
    E::Lchown,
    E::Fchownat,
    E::Truncate,
    E::Mount,
    E::Umount2,
];
const AUDIT_TYPES: &[(&str, &[EventType])] =
    &[("EXECVE", EXECS), ("PATH", PATHS), ("SYSCALL", EventType::ALL)];

const OF_PROCESS: &[(&str, Named)] = &[
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("ParentImage", Named::Id(F::ProcPexepath)),
    ("ParentCommandLine", Named::Id(F::ProcPcmdline)),
    ("CurrentDirectory", Named::Id(F::ProcCwd)),
    ("User", Named::Id(F::UserName)),
    ("LogonId", Named::Id(F::UserLoginuid)),
    ("ProcessId", Named::Id(F::ProcPid)),
    ("ParentProcessId", Named::Id(F::ProcPpid)),
    ("Computer", Named::Id(F::EvtHostname)),
];
const OF_FILE: &[(&str, Named)] = &[
    ("TargetFilename", Named::Id(F::FdName)),
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("User", Named::Id(F::UserName)),
    ("ProcessId", Named::Id(F::ProcPid)),
];
const OF_DELETION: &[(&str, Named)] = &[
    ("TargetFilename", Named::Id(F::FsPathName)),
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("User", Named::Id(F::UserName)),
    ("ProcessId", Named::Id(F::ProcPid)),
];
const OF_CONNECTION: &[(&str, Named)] = &[
    ("DestinationIp", Named::Id(F::FdSip)),
    ("DestinationPort", Named::Id(F::FdSport)),
    ("DestinationHostname", Named::Id(F::FdSipName)),
    ("SourceIp", Named::Id(F::FdCip)),
    ("SourcePort", Named::Id(F::FdCport)),
    ("Protocol", Named::Id(F::FdL4proto)),
    // Only connections that a process of ours opens are connects.
    ("Initiated", Named::Constant("true")),
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("User", Named::Id(F::UserName)),
    ("ProcessId", Named::Id(F::ProcPid)),
];
const OF_DNS: &[(&str, Named)] = &[
    ("query", Named::Id(F::DnsName)),
    ("QueryName", Named::Id(F::DnsName)),
    ("record_type", Named::Id(F::DnsType)),
    ("answer", Named::Id(F::DnsAnswers)),
    ("QueryResults", Named::Id(F::DnsAnswers)),
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("User", Named::Id(F::UserName)),
    ("ProcessId", Named::Id(F::ProcPid)),
];
/// The names of W3C's extended log format, and those that rules for proxies made of them.
const OF_REQUEST: &[(&str, Named)] = &[
    ("cs-method", Named::Id(F::HttpMethod)),
    ("c-uri", Named::Either(F::HttpUri, F::HttpUrl)),
    ("cs-uri", Named::Either(F::HttpUri, F::HttpUrl)),
    ("c-uri-stem", Named::Id(F::HttpPath)),
    ("cs-uri-stem", Named::Id(F::HttpPath)),
    ("c-uri-query", Named::Id(F::HttpQuery)),
    ("cs-uri-query", Named::Either(F::HttpUri, F::HttpQuery)),
    ("c-uri-extension", Named::Id(F::HttpExtension)),
    ("sc-status", Named::Id(F::HttpStatus)),
    ("c-useragent", Named::Id(F::HttpUserAgent)),
    ("cs-user-agent", Named::Id(F::HttpUserAgent)),
    ("cs-referer", Named::Id(F::HttpReferer)),
    ("cs-referrer", Named::Id(F::HttpReferer)),
    ("cs-host", Named::Id(F::HttpHost)),
    ("cs-bytes", Named::Id(F::HttpRequestBytes)),
    ("sc-bytes", Named::Id(F::HttpResponseBytes)),
    ("cs-cookie", Named::Header("cookie")),
    ("cs-content-type", Named::Id(F::HttpContentType)),
    ("cs-version", Named::Id(F::HttpVersion)),
    ("c-ip", Named::Id(F::HttpClient)),
    ("src_ip", Named::Id(F::HttpClient)),
    ("dst_ip", Named::Id(F::FdSip)),
    ("s-port", Named::Id(F::FdSport)),
    ("Image", Named::Id(F::ProcExepath)),
    ("CommandLine", Named::Id(F::ProcExeline)),
    ("User", Named::Id(F::UserName)),
    ("ProcessId", Named::Id(F::ProcPid)),
];
const OF_AUDITD: &[(&str, Named)] = &[
    ("type", Named::Types(AUDIT_TYPES)),
    ("SYSCALL", Named::Id(F::EvtType)),
    ("syscall", Named::Id(F::EvtType)),
    ("exe", Named::Id(F::ProcExepath)),
    ("comm", Named::Id(F::ProcName)),
    ("euid", Named::Id(F::UserUid)),
    ("auid", Named::Id(F::UserLoginuid)),
    ("pid", Named::Id(F::ProcPid)),
    ("ppid", Named::Id(F::ProcPpid)),
    ("name", Named::Either(F::FsPathName, F::FdName)),
    ("a0", Named::Argument(0)),
    ("a1", Named::Argument(1)),
    ("a2", Named::Argument(2)),
    ("a3", Named::Argument(3)),
    ("a4", Named::Argument(4)),
    ("a5", Named::Argument(5)),
    ("a6", Named::Argument(6)),
    ("a7", Named::Argument(7)),
];
const OF_KUBERNETES: &[(&str, &[&str])] = &[
    ("apiGroup", &["objectRef.apiGroup"]),
    ("hostPath", &["requestObject.spec.volumes.hostPath"]),
    ("capabilities", &["requestObject.spec.containers.securityContext.capabilities"]),
];
const OF_GOOGLE: &[(&str, &[&str])] = &[
    ("gcp.audit.method_name", &["protoPayload.methodName"]),
    ("gcp.audit.service_name", &["protoPayload.serviceName"]),
    ("gcp.audit.resource_name", &["protoPayload.resourceName"]),
    (
        "gcp.audit.authentication_info.principal_email",
        &["protoPayload.authenticationInfo.principalEmail"],
    ),
    ("data.protoPayload.resource.type", &["resource.type"]),
    ("data.protoPayload.logName", &["logName"]),
];
const OF_AZURE: &[(&str, &[&str])] = &[
    ("operationName", &["operationName", "operationName.value", "operationNameValue"]),
    ("OperationNameValue", &["operationName", "operationName.value", "operationNameValue"]),
    ("CategoryValue", &["category", "category.value", "categoryValue"]),
    ("ResourceProviderValue", &["resourceProviderName.value", "resourceProviderValue"]),
    (
        "properties.message",
        &[
            "properties.message",
            "operationName",
            "activityDisplayName",
            "properties.activityDisplayName",
        ],
    ),
    ("ResultType", &["resultType", "properties.status.errorCode", "status.errorCode"]),
    (
        "ResultDescription",
        &["resultDescription", "properties.status.failureReason", "status.failureReason"],
    ),
    ("Username", &["properties.userPrincipalName", "userPrincipalName", "identity"]),
    ("ClientApp", &["properties.clientAppUsed", "clientAppUsed"]),
    ("ActivityDetails", &["operationName", "properties.activityDetails"]),
];

const CLOUDTRAIL: Target = Target {
    source: "aws_cloudtrail",
    types: &[],
    only: Only::All,
    shown: &["eventName", "userIdentity.arn", "sourceIPAddress"],
    names: Names::Record(&[]),
};
const GOOGLE: Target = Target {
    source: "gcp_auditlog",
    shown: &["gcp.audit.method_name", "gcp.audit.authentication_info.principal_email"],
    names: Names::Google(OF_GOOGLE),
    ..CLOUDTRAIL
};
const KUBERNETES: Target = Target {
    source: "k8s_audit",
    shown: &["verb", "objectRef.resource", "objectRef.name", "user.username"],
    names: Names::Record(OF_KUBERNETES),
    ..CLOUDTRAIL
};
const AZURE: Target = Target {
    source: "azure_activity",
    shown: &["operationName", "callerIpAddress"],
    names: Names::Azure(OF_AZURE),
    ..CLOUDTRAIL
};
const ENTRA: Target =
    Target { source: "entra_signin", shown: &["Username", "callerIpAddress"], ..AZURE };
const OKTA: Target = Target {
    source: "okta",
    shown: &["eventType", "actor.alternateId", "client.ipAddress"],
    names: Names::Record(&[]),
    ..CLOUDTRAIL
};
const PROCESS: Target = Target {
    source: "syscall",
    types: EXECS,
    only: Only::All,
    shown: &["CommandLine", "Image", "ParentImage", "User"],
    names: Names::Table(OF_PROCESS),
};
const FILE: Target = Target {
    types: OPENS,
    only: Only::Writes,
    shown: &["TargetFilename", "Image"],
    names: Names::Table(OF_FILE),
    ..PROCESS
};
const DELETION: Target = Target {
    types: &[E::Unlink, E::Unlinkat],
    only: Only::All,
    names: Names::Table(OF_DELETION),
    ..FILE
};
const CONNECTION: Target = Target {
    types: &[E::Connect],
    only: Only::Internet,
    shown: &["DestinationIp", "DestinationPort", "Image"],
    names: Names::Table(OF_CONNECTION),
    ..PROCESS
};
const DNS: Target = Target {
    types: &[E::Dns],
    only: Only::All,
    shown: &["query", "record_type", "Image"],
    names: Names::Table(OF_DNS),
    ..PROCESS
};
/// Exchanges that a server answered: rules ask for the status as well as for the request.
const WEBSERVER: Target = Target {
    types: &[E::HttpResponse],
    only: Only::Inbound,
    shown: &["cs-method", "cs-host", "c-uri", "sc-status", "c-ip"],
    names: Names::Table(OF_REQUEST),
    ..PROCESS
};
/// Exchanges that a process of ours asked for.
const PROXY: Target = Target {
    only: Only::Outbound,
    shown: &["cs-method", "cs-host", "c-uri", "sc-status", "Image"],
    ..WEBSERVER
};
const AUDITD: Target =
    Target { types: &[], shown: &["exe", "name"], names: Names::Table(OF_AUDITD), ..PROCESS };

/// Stands for events that Clew does not see, so that their rules are checked as well.
pub(super) const ANY: Target = Target { source: "", shown: &[], ..CLOUDTRAIL };

/// The events that a log source means.
///
/// # Errors
/// Why Clew does not see them.
pub(super) fn target(log: &LogSource) -> Result<Target, &'static str> {
    let [category, product, service] =
        [&log.category, &log.product, &log.service].map(String::as_str);
    match (category, product, service) {
        (_, "aws", "cloudtrail") => Ok(CLOUDTRAIL),
        (_, "gcp", "gcp.audit") => Ok(GOOGLE),
        (_, "kubernetes", "audit") => Ok(KUBERNETES),
        (_, "azure", "activitylogs" | "auditlogs") => Ok(AZURE),
        (_, "azure", "signinlogs") => Ok(ENTRA),
        (_, "okta", "okta") => Ok(OKTA),
        ("process_creation", "linux", "") => Ok(PROCESS),
        ("file_event", "linux", "") => Ok(FILE),
        ("file_delete", "linux", "") => Ok(DELETION),
        ("network_connection", "linux", "") => Ok(CONNECTION),
        ("", "linux", "auditd") => Ok(AUDITD),
        ("webserver", "" | "apache" | "nginx", "" | "apache" | "nginx") => Ok(WEBSERVER),
        ("proxy", "", "") => Ok(PROXY),
        ("dns", "", "") | ("dns_query", "linux", "") => Ok(DNS),
        _ => Err(unseen(category, product, service)),
    }
}

fn unseen(category: &str, product: &str, service: &str) -> &'static str {
    match (category, product, service) {
        (_, "windows" | "macos", _) => "Clew watches Linux",
        ("webserver" | "proxy", ..) | (_, "apache" | "nginx", _) => {
            "of web servers their requests are seen, not their error logs"
        }
        (_, "azure", _) => "alerts of Entra ID Protection and PIM are not read",
        (_, "github", _) => "of GitHub its webhooks are read, not its audit log",
        (_, "linux", _) => "log files of services are not read",
        _ => "it is not read",
    }
}

impl Target {
    /// What stands behind a name; nothing where Clew does not know it.
    pub(super) fn sources(&self, name: &str) -> Vec<Source> {
        // What Clew itself knows of the caller is called as in the other language.
        if name.starts_with("identity.")
            && let Some(spec) = FIELDS.iter().find(|spec| spec.name == name)
        {
            return vec![Source::Field(Field { id: spec.id, argument: FieldArgument::None })];
        }
        let own = |table: &[(&str, &'static [&'static str])]| {
            table.iter().find(|(other, _)| *other == name).map(|(_, paths)| *paths)
        };
        match self.names {
            Names::Table(table) => {
                let named = table.iter().find(|(other, _)| *other == name).map(|(_, named)| named);
                named.map(of_named).unwrap_or_default()
            }
            Names::Record(table) => members(own(table).unwrap_or(&[name])),
            Names::Azure(table) => match (own(table), name.strip_prefix("properties.")) {
                (Some(paths), _) => members(paths),
                (None, Some(inner)) => members(&[name, inner]),
                (None, None) => members(&[name, &format!("properties.{name}")]),
            },
            Names::Google(table) => {
                let inner = name.strip_prefix("data.").unwrap_or(name);
                members(own(table).unwrap_or(&[inner]))
            }
        }
    }

    /// What keywords are searched in; `None` where there is no record.
    pub(super) fn words(&self) -> Option<Field> {
        match self.names {
            Names::Table(_) if self.types == WEBSERVER.types => {
                Some(Field { id: F::HttpWords, argument: FieldArgument::None })
            }
            Names::Table(_) => None,
            Names::Record(_) | Names::Azure(_) | Names::Google(_) => {
                Some(Field { id: F::JsonWords, argument: FieldArgument::None })
            }
        }
    }
}

fn of_named(named: &Named) -> Vec<Source> {
    let field = |id: FieldId| Source::Field(Field { id, argument: FieldArgument::None });
    match *named {
        Named::Id(id) => vec![field(id)],
        Named::Either(first, second) => vec![field(first), field(second)],
        Named::Argument(number) => {
            let argument = FieldArgument::Index(number);
            vec![Source::Field(Field { id: F::ProcArgv, argument })]
        }
        Named::Header(name) => {
            let argument = FieldArgument::Key(name.into());
            vec![Source::Field(Field { id: F::HttpRequestHeader, argument })]
        }
        Named::Constant(text) => vec![Source::Constant(text)],
        Named::Types(types) => vec![Source::Types(types)],
    }
}

fn members(paths: &[&str]) -> Vec<Source> {
    let member = |path: &&str| {
        Source::Field(Field { id: F::JsonMember, argument: FieldArgument::Key((*path).into()) })
    };
    paths.iter().map(member).collect()
}
