//! What can be asked for: `KIND:TARGET,option=value,…`.
//!
//! A comma begins an option. One that belongs to a path, command, address or value is written
//! twice. An option with a wrong name is an error, never a part of the path before it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clew_event::Priority;

use crate::error::SpecError;
use crate::form::Form;

/// How long one attempt may take where no `timeout` is given.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// The longest `timeout`, in seconds: the end of the program waits for it.
const TIMEOUT_SECONDS_MAX: u64 = 300;
/// The socket of the machine's syslog daemon.
const SYSLOG_SOCKET: &str = "/dev/log";

/// One output as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// Where to.
    pub target: Target,
    /// How it is written.
    pub form: Form,
    /// The least urgent priority that is sent.
    pub priority_min: Priority,
    /// What is sent.
    pub subjects: Subjects,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// What an output sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Findings and, where the form has them, each revision of a story.
    #[default]
    All,
    /// Findings alone.
    Findings,
    /// Stories alone.
    Stories,
}

impl Subjects {
    pub(crate) fn has_findings(self) -> bool {
        self != Self::Stories
    }

    pub(crate) fn has_stories(self) -> bool {
        self != Self::Findings
    }
}

/// Where an output sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File(PathBuf),
    /// A syslog daemon.
    Syslog(SyslogAddress),
    /// A program, run by the shell.
    Program {
        /// The command.
        command: String,
        /// How long it lives.
        lifetime: Lifetime,
    },
    /// An HTTP or HTTPS address.
    Http(HttpTarget),
}

/// Where a syslog daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A unix datagram socket.
    Unix(PathBuf),
    /// `host:port` by UDP.
    Udp(String),
    /// `host:port` by TCP.
    Tcp(String),
}

/// How long a program lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// It is started for each line, and its exit code says whether it took it.
    #[default]
    OneLine,
    /// It is kept and gets line after line.
    Kept,
}

/// An HTTP or HTTPS address with what goes along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpTarget {
    /// The whole address.
    pub url: String,
    /// Headers beside our own.
    pub headers: Vec<HeaderSpec>,
    /// Certificates of the only authorities that are believed.
    pub ca: Option<PathBuf>,
}

/// A header; its value stands in the option, or in a file so that it shows in no process list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderSpec {
    /// Its name.
    pub name: String,
    /// Its value where it stands in the option.
    pub value: String,
    /// The file that holds its value.
    pub file: Option<PathBuf>,
}

/// Without the value, which may be secret.
impl fmt::Debug for HeaderSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl HttpTarget {
    pub(crate) fn is_https(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// Scheme, host and port. A path or query may be secret, as may what stands before an `@`.
    fn origin(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("http", &self.url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

impl Target {
    /// The name by which people and metrics know it, without anything secret.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => format!("file:{}", path.display()),
            Self::Syslog(SyslogAddress::Unix(path)) => format!("syslog:unix:{}", path.display()),
            Self::Syslog(SyslogAddress::Udp(address)) => format!("syslog:udp:{address}"),
            Self::Syslog(SyslogAddress::Tcp(address)) => format!("syslog:tcp:{address}"),
            Self::Program { command, .. } => {
                format!("program:{}", command.split_whitespace().next().unwrap_or_default())
            }
            Self::Http(target) => format!("http:{}", target.origin()),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Program { .. } => "program",
            Self::Http(_) => "http",
        }
    }

    /// The options that this kind has.
    const fn options(&self) -> &'static [&'static str] {
        match self {
            Self::Stdout | Self::File(_) => &["format", "only", "priority"],
            Self::Syslog(_) => &["format", "only", "priority", "timeout"],
            Self::Program { .. } => &["format", "keep", "only", "priority", "timeout"],
            Self::Http(_) => &["ca", "format", "header", "only", "priority", "timeout"],
        }
    }
}

impl FromStr for OutputSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts = split_at_single_commas(text).into_iter();
        let target = parse_target(&parts.next().unwrap_or_default())?;
        let mut spec = Self {
            target,
            form: Form::default(),
            priority_min: Priority::Debug,
            subjects: Subjects::default(),
            timeout: TIMEOUT_DEFAULT,
        };
        for (index, part) in parts.enumerate() {
            spec.set(index + 1, &part)?;
        }
        if spec.form == Form::Falco && spec.subjects == Subjects::Stories {
            return Err(SpecError::NoStories);
        }
        Ok(spec)
    }
}

impl OutputSpec {
    fn set(&mut self, place: usize, part: &str) -> Result<(), SpecError> {
        let Some((name, value)) = part.split_once('=') else {
            return Err(SpecError::NoValue { place, given: part.to_owned() });
        };
        let allowed = self.target.options();
        let Some(&option) = allowed.iter().find(|&&option| option == name) else {
            let kind = self.target.kind();
            return Err(SpecError::Option {
                place,
                given: name.to_owned(),
                kind,
                allowed: listed(allowed),
            });
        };
        let wrong = |allowed| SpecError::Value { place, option, given: value.to_owned(), allowed };
        match (option, &mut self.target) {
            ("format", _) => {
                self.form = parse_form(value).ok_or_else(|| wrong("`falco`, `clew` or `ocsf`"))?;
            }
            ("priority", _) => {
                self.priority_min = parse_priority(value).ok_or_else(|| wrong(PRIORITIES))?;
            }
            ("only", _) => {
                self.subjects =
                    parse_subjects(value).ok_or_else(|| wrong("`findings` or `stories`"))?;
            }
            ("timeout", _) => {
                self.timeout = parse_timeout(value)
                    .ok_or_else(|| wrong("a number of seconds from 1 to 300"))?;
            }
            ("keep", Target::Program { lifetime, .. }) => {
                *lifetime = parse_lifetime(value).ok_or_else(|| wrong("`yes` or `no`"))?;
            }
            ("ca", Target::Http(target)) => target.ca = Some(PathBuf::from(value)),
            ("header", Target::Http(target)) => {
                // The value may be secret, so the message does not repeat it.
                let header = parse_header(value).ok_or_else(|| SpecError::Value {
                    place,
                    option,
                    given: "…".to_owned(),
                    allowed: "`NAME: VALUE`, or `NAME: @PATH` of a file that holds the value",
                })?;
                target.headers.push(header);
            }
            _ => debug_assert!(false, "`{option}` is allowed, but nothing takes it"),
        }
        Ok(())
    }
}

const PRIORITIES: &str = "`emergency`, `alert`, `critical`, `error`, `warning`, `notice`, \
                          `informational` or `debug`";

fn parse_target(text: &str) -> Result<Target, SpecError> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let missing = |allowed| SpecError::Target { given: text.to_owned(), allowed };
    match kind {
        "stdout" if rest.is_empty() => Ok(Target::Stdout),
        "stdout" => Err(missing("stdout")),
        "file" if rest.is_empty() => Err(missing("file:PATH")),
        "file" => Ok(Target::File(PathBuf::from(rest))),
        "syslog" => parse_syslog(rest)
            .map(Target::Syslog)
            .ok_or_else(|| missing("syslog[:unix:PATH|:udp:HOST:PORT|:tcp:HOST:PORT]")),
        "program" if rest.trim().is_empty() => Err(missing("program:COMMAND")),
        "program" => {
            Ok(Target::Program { command: rest.to_owned(), lifetime: Lifetime::default() })
        }
        // `http:https://host/path`, and the address alone, which can mean nothing else.
        "http" | "https" => {
            let url = if rest.starts_with("//") { text } else { rest };
            if !is_address(url) {
                return Err(missing("http:http://HOST[:PORT]/PATH or http:https://HOST/PATH"));
            }
            Ok(Target::Http(HttpTarget { url: url.to_owned(), ..HttpTarget::default() }))
        }
        _ => Err(SpecError::Kind { given: kind.to_owned() }),
    }
}

fn is_address(url: &str) -> bool {
    let has_scheme = url.starts_with("http://") || url.starts_with("https://");
    has_scheme && url.parse::<ureq::http::Uri>().is_ok_and(|uri| uri.host().is_some())
}

fn parse_syslog(rest: &str) -> Option<SyslogAddress> {
    if rest.is_empty() {
        return Some(SyslogAddress::Unix(SYSLOG_SOCKET.into()));
    }
    match rest.split_once(':')? {
        ("unix", path) if !path.is_empty() => Some(SyslogAddress::Unix(path.into())),
        ("udp", address) if has_port(address) => Some(SyslogAddress::Udp(address.to_owned())),
        ("tcp", address) if has_port(address) => Some(SyslogAddress::Tcp(address.to_owned())),
        _ => None,
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

fn parse_form(value: &str) -> Option<Form> {
    Form::ALL.into_iter().find(|(_, name)| *name == value).map(|(form, _)| form)
}

/// As in rule files: in any case, and `info` for `informational`.
fn parse_priority(value: &str) -> Option<Priority> {
    let value = if value.eq_ignore_ascii_case("info") { "informational" } else { value };
    Priority::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(value))
}

fn parse_subjects(value: &str) -> Option<Subjects> {
    match value {
        "findings" => Some(Subjects::Findings),
        "stories" => Some(Subjects::Stories),
        _ => None,
    }
}

fn parse_lifetime(value: &str) -> Option<Lifetime> {
    match value {
        "yes" => Some(Lifetime::Kept),
        "no" => Some(Lifetime::OneLine),
        _ => None,
    }
}

fn parse_timeout(value: &str) -> Option<Duration> {
    let seconds =
        value.parse().ok().filter(|seconds| (1..=TIMEOUT_SECONDS_MAX).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

fn parse_header(text: &str) -> Option<HeaderSpec> {
    let (name, value) = text.split_once(':')?;
    let (name, value) = (name.trim().to_owned(), value.trim());
    if name.is_empty() || value.is_empty() {
        return None;
    }
    Some(match value.strip_prefix('@') {
        Some(path) => HeaderSpec { name, file: Some(path.into()), ..HeaderSpec::default() },
        None => HeaderSpec { name, value: value.to_owned(), file: None },
    })
}

/// Splits at each comma that stands alone; of two in a row one stays, as text.
fn split_at_single_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_separator = character == ',' && characters.next_if_eq(&',').is_none();
        if is_separator {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn parsed(text: &str) -> OutputSpec {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_kind_is_read_as_it_is_written() {
        let check = |text, expected| assert_eq!(parsed(text).target, expected, "{text}");
        check("stdout", Target::Stdout);
        check("file:/var/log/a:b,,c.json", Target::File("/var/log/a:b,c.json".into()));
        check("syslog", Target::Syslog(SyslogAddress::Unix("/dev/log".into())));
        check("syslog:unix:/run/x", Target::Syslog(SyslogAddress::Unix("/run/x".into())));
        check("syslog:udp:[::1]:514", Target::Syslog(SyslogAddress::Udp("[::1]:514".into())));
        check("syslog:tcp:logs:6514", Target::Syslog(SyslogAddress::Tcp("logs:6514".into())));
        let command = "jq . >> /tmp/x".to_owned();
        check("program:jq . >> /tmp/x", Target::Program { command, lifetime: Lifetime::OneLine });
        let http = |url: &str| Target::Http(HttpTarget { url: url.into(), ..Default::default() });
        check("http:https://host/path?a=1,,2", http("https://host/path?a=1,2"));
        check("https://host/path", http("https://host/path"));
    }

    #[test]
    fn options_are_read() {
        let spec = parsed(
            "http:http://h/,format=falco,priority=INFO,timeout=3,ca=/ca.pem,\
             header=Authorization: Bearer a=b,header=X-Token: @/run/token,only=findings",
        );
        assert_eq!((spec.form, spec.priority_min), (Form::Falco, Priority::Informational));
        assert_eq!((spec.timeout, spec.subjects), (Duration::from_secs(3), Subjects::Findings));
        let Target::Http(target) = spec.target else { panic!("{:?}", spec.target) };
        assert_eq!(target.ca, Some("/ca.pem".into()));
        assert_eq!(target.headers[0].value, "Bearer a=b");
        assert_eq!(target.headers[1].file, Some("/run/token".into()));
        let Target::Program { lifetime, .. } = parsed("program:x,keep=yes").target else {
            panic!("no program");
        };
        assert_eq!(lifetime, Lifetime::Kept);
    }

    #[test]
    fn nothing_secret_is_named() {
        let spec = parsed("http:https://user:word@host:8/hook/secret?key=1,header=A: token");
        assert_eq!(spec.target.name(), "http:https://host:8");
        assert_eq!(parsed("program:send --key secret").target.name(), "program:send");
        assert!(!format!("{spec:?}").contains("token"));
        let error = "http:http://h,header=token".parse::<OutputSpec>().unwrap_err();
        assert!(!error.to_string().contains("token"), "{error}");
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_what_is_allowed() {
        let check = |text: &str, expected: Expect| {
            expected.assert_eq(&text.parse::<OutputSpec>().unwrap_err().to_string());
        };
        check(
            "",
            expect![
                "`` is no kind of output; allowed are `stdout`, `file:PATH`, `syslog`, `syslog:unix:PATH`, `syslog:udp:HOST:PORT`, `syslog:tcp:HOST:PORT`, `program:COMMAND`, `http:URL`"
            ],
        );
        check(
            "slack:x",
            expect![
                "`slack` is no kind of output; allowed are `stdout`, `file:PATH`, `syslog`, `syslog:unix:PATH`, `syslog:udp:HOST:PORT`, `syslog:tcp:HOST:PORT`, `program:COMMAND`, `http:URL`"
            ],
        );
        check("file:", expect!["`file:` does not name a place; allowed is `file:PATH`"]);
        check("stdout:x", expect!["`stdout:x` does not name a place; allowed is `stdout`"]);
        check(
            "syslog:udp:localhost",
            expect![
                "`syslog:udp:localhost` does not name a place; allowed is `syslog[:unix:PATH|:udp:HOST:PORT|:tcp:HOST:PORT]`"
            ],
        );
        check(
            "http:host/path",
            expect![
                "`http:host/path` does not name a place; allowed is `http:http://HOST[:PORT]/PATH or http:https://HOST/PATH`"
            ],
        );
        check(
            "file:/a,b",
            expect![
                "option 1 is `b`, but an option is `name=value`; a comma inside of a path, command, address or value is written twice (`,,`)"
            ],
        );
        check(
            "file:/a,format=falco,header=A: b",
            expect!["option 2 is `header`, but `file` takes `format`, `only`, `priority`"],
        );
        check(
            "stdout,format=xml",
            expect!["option 1, `format`, is `xml`; allowed is `falco`, `clew` or `ocsf`"],
        );
        check(
            "stdout,format=clew,priority=high",
            expect![
                "option 2, `priority`, is `high`; allowed is `emergency`, `alert`, `critical`, `error`, `warning`, `notice`, `informational` or `debug`"
            ],
        );
        check(
            "stdout,only=stories,format=falco",
            expect![
                "`format=falco` has no stories, but `only=stories` asks for nothing else: take `format=clew` or `format=ocsf`"
            ],
        );
        check(
            "syslog,timeout=301",
            expect!["option 1, `timeout`, is `301`; allowed is a number of seconds from 1 to 300"],
        );
    }

    #[test]
    fn a_timeout_may_be_timeout_seconds_max_long() {
        let longest = Duration::from_secs(TIMEOUT_SECONDS_MAX);
        assert_eq!(parse_timeout(&TIMEOUT_SECONDS_MAX.to_string()), Some(longest));
        assert_eq!(parse_timeout(&(TIMEOUT_SECONDS_MAX + 1).to_string()), None);
        assert_eq!(parse_timeout("0"), None);
    }
}
