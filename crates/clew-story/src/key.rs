//! Names of the values that findings may have in common.
//!
//! A key is a hash, so that an attacker's long path costs 16 bytes like any other value. Whatever
//! is only unique inside a container carries the container in its key.

use std::fmt;

use clew_event::finding::EntityKind;
use clew_event::text::escaped;
use clew_event::{EventId, Finding, ProcessKey, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What kind of value a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A process: findings of it and of its descendants.
    Process = 1,
    /// A file in a container: findings that touched it or ran it.
    File = 2,
    /// A container: lines of findings in it.
    Container = 3,
    /// An address, seen from one container: lines that spoke with it.
    Peer = 4,
    /// A dropped program in a container: lines that ran it.
    Program = 5,
    /// A rule in a container: how often it fired there.
    Rule = 6,
    /// A rule, a process and a minute, in which more of the same counts once.
    Minute = 7,
    /// A request: findings in it and of its effects.
    Request = 8,
    /// An event: findings that it decided.
    Event = 9,
    /// A credential, user or role: who handed it out, and who acts with it.
    Identity = 10,
    /// A stolen credential at one address: what its thief did.
    Thief = 11,
    /// A credential of whoever calls an API: lines that called with it.
    Credential = 12,
    /// An address that asked: of an API, or of an application.
    Caller = 13,
    /// A file as requests ask for it: who had it written, and who asks for it.
    Served = 14,
    /// What may be a habit.
    Habit = 15,
    /// A machine or an account, by whose clock findings happened.
    Clock = 16,
}

/// The name of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u128);

impl Key {
    fn of(kind: KeyKind, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind as u8]);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        Self(u128::from_be_bytes(digest))
    }

    pub(crate) fn habit(parts: &[&[u8]]) -> Self {
        Self::of(KeyKind::Habit, parts)
    }

    /// By whose clock the finding happened.
    pub(crate) fn clock(finding: &Finding) -> Self {
        let account = finding.subject.call.as_ref().map(|call| call.account.as_bytes());
        Self::of(KeyKind::Clock, &[finding.hostname.as_bytes(), account.unwrap_or_default()])
    }

    pub(crate) fn process(process: ProcessKey) -> Self {
        Self::of(KeyKind::Process, &[&process_bytes(process)])
    }

    /// The request that the finding is about, or is an effect of.
    pub(crate) fn request(finding: &Finding) -> Option<Self> {
        let exchange = finding.subject.request.as_ref()?.exchange;
        Some(Self::of(KeyKind::Request, &[&exchange.0.to_le_bytes()]))
    }

    /// The file `path` where the finding happened; `None` where there is none.
    pub(crate) fn file(finding: &Finding, path: &Text) -> Option<Self> {
        let scope = scope(finding);
        (!path.is_empty()).then(|| Self::of(KeyKind::File, &[&scope, path.as_bytes()]))
    }

    /// The file that a request had written, by the paths that later requests may ask for it: its
    /// folder and name; its name alone only where the server's files begin in its folder, or
    /// whoever uploads an `index.php` anywhere would be the cause of all that visitors ask for.
    pub(crate) fn uploaded(finding: &Finding) -> impl Iterator<Item = Self> {
        let subject = &finding.subject;
        let is_of_request = subject.request.as_ref().is_some_and(|it| 0.5 < it.probability);
        let path = subject.file.as_bytes();
        let alone = if is_in_root(path) { end(path, 1) } else { None };
        let ends = (subject.is_written && is_of_request).then(|| [alone, end(path, 2)]);
        let scope = scope(finding);
        ends.into_iter().flatten().flatten().map(move |end| Self::served_at(&scope, end))
    }

    /// The file that its request asks for, by the end of its path.
    pub(crate) fn served(finding: &Finding) -> Option<Self> {
        let request = finding.subject.request.as_ref().filter(|it| 0.5 < it.probability)?;
        let target = request.target.as_bytes();
        let path = target.split(|&byte| byte == b'?').next()?;
        let asked = end(path, 2).or_else(|| end(path, 1))?;
        Some(Self::served_at(&scope(finding), asked))
    }

    fn served_at(scope: &[u8], path: &[u8]) -> Self {
        Self::of(KeyKind::Served, &[scope, path])
    }

    /// An event that decides a finding.
    pub(crate) fn event(event: EventId) -> Self {
        Self::of(KeyKind::Event, &[&event.0.to_le_bytes()])
    }

    /// An identity that acts, by its name in findings.
    pub(crate) fn identity(kind: EntityKind, id: &str) -> Self {
        Self::of(KeyKind::Identity, &[&[kind as u8], id.as_bytes()])
    }

    /// What the finding's call was made with: its credential, and in whose name.
    pub(crate) fn acts_with(finding: &Finding) -> impl Iterator<Item = Self> {
        let call = finding.subject.call.iter();
        call.flat_map(|call| {
            let with =
                [(EntityKind::Credential, &call.credential), (EntityKind::User, &call.principal)];
            let named = with.into_iter().filter(|(_, id)| !id.is_empty());
            named.map(|(kind, id)| Self::identity(kind, &escaped(id.as_bytes())))
        })
    }

    /// The processes that the finding is about, as calls to an API may have started them.
    pub(crate) fn started(finding: &Finding) -> impl Iterator<Item = Self> {
        let lineage = finding.subject.lineage.iter();
        lineage.map(|facts| Self::identity(EntityKind::Process, &facts.key.to_string()))
    }

    /// What the finding's event handed out.
    pub(crate) fn makes(finding: &Finding) -> impl Iterator<Item = Self> {
        finding.subject.makes.iter().map(|made| Self::identity(made.kind, &made.id))
    }

    /// A credential that is used outside its workload, at the address where it is.
    pub(crate) fn thief(finding: &Finding) -> Option<Self> {
        let call = finding.subject.call.as_ref().filter(|call| call.is_outside)?;
        let is_known = !call.credential.is_empty() && !call.address.is_empty();
        let parts = [call.credential.as_bytes(), call.address.as_bytes()];
        is_known.then(|| Self::of(KeyKind::Thief, &parts))
    }

    /// The credential that it called with, unless it was taken from a workload: that is many
    /// thieves', each of whom [`Self::thief`] names, and what handed it out leads back.
    pub(crate) fn credential(finding: &Finding) -> Option<Self> {
        let call = finding.subject.call.as_ref().filter(|call| !call.is_outside)?;
        let id = &call.credential;
        (!id.is_empty()).then(|| Self::of(KeyKind::Credential, &[id.as_bytes()]))
    }

    pub(crate) fn caller(finding: &Finding) -> Option<Self> {
        Some(Self::of(KeyKind::Caller, &[caller_address(finding)?.as_bytes()]))
    }

    /// The pod, or else the container, that something ran in or whose credential called.
    pub(crate) fn container(finding: &Finding) -> Option<Self> {
        let of_call = finding.subject.call.as_ref().map(|call| &call.workload);
        let name = match &finding.subject.container {
            Some(container) if container.pod.is_empty() => container.id.0.as_bytes(),
            Some(container) => container.pod.as_bytes(),
            None => of_call.filter(|workload| !workload.is_empty())?.as_bytes(),
        };
        Some(Self::of(KeyKind::Container, &[name]))
    }

    pub(crate) fn peer(finding: &Finding) -> Option<Self> {
        let address = peer_address(&finding.subject.peer);
        let scope = scope(finding);
        (!address.is_empty()).then(|| Self::of(KeyKind::Peer, &[&scope, address]))
    }

    /// The program of the finding's process, if it was dropped.
    pub(crate) fn program(finding: &Finding) -> Option<Self> {
        let process = finding.subject.lineage.first()?;
        let is_named = process.is_dropped && !process.exe.is_empty();
        let scope = scope(finding);
        is_named.then(|| Self::of(KeyKind::Program, &[&scope, process.exe.as_bytes()]))
    }

    pub(crate) fn rule(finding: &Finding) -> Self {
        Self::of(KeyKind::Rule, &[&scope(finding), finding.rule.as_bytes()])
    }

    pub(crate) fn minute(finding: &Finding) -> Self {
        const NS_PER_MINUTE: u64 = 60_000_000_000;
        let actor = match (finding.subject.lineage.first(), &finding.subject.call) {
            (Some(process), _) => process_bytes(process.key).to_vec(),
            (None, Some(call)) => {
                let call = [&call.credential, &call.principal, &call.address, &call.action];
                call.map(|part| part.as_bytes()).join(&0)
            }
            (None, None) => scope(finding),
        };
        let minute = (finding.time.unix_ns() / NS_PER_MINUTE).to_le_bytes();
        // What one request did is not told by what another did.
        let request = finding.subject.request.as_ref();
        let exchange = request.map_or([0; 16], |request| request.exchange.0.to_le_bytes());
        Self::of(KeyKind::Minute, &[&actor, finding.rule.as_bytes(), &minute, &exchange])
    }
}

/// Where whoever acted is, as far as that is known: where a call came from, or the request that
/// this is more likely of than not. Whoever attacks by one often goes on by the other. A workload
/// that calls from where it is acts for whoever made it.
pub(crate) fn caller_address(finding: &Finding) -> Option<&Text> {
    let subject = &finding.subject;
    let request = subject.request.as_ref().filter(|request| 0.5 < request.probability);
    let address = match &subject.call {
        Some(call) if call.workload.is_empty() || call.is_outside => Some(&call.address),
        Some(_) => None,
        None => request.map(|request| &request.client),
    };
    address.filter(|address| !address.is_empty())
}

/// True where the folder is called as those are in which a server's files begin.
fn is_in_root(path: &[u8]) -> bool {
    const ROOTS: [&[u8]; 7] =
        [b"html", b"htdocs", b"www", b"public", b"public_html", b"wwwroot", b"ROOT"];
    path.rsplit(|&byte| byte == b'/').nth(1).is_some_and(|folder| ROOTS.contains(&folder))
}

/// The last `count` names of a path, with slashes between them; `None` where it has fewer, or ends
/// in a slash.
fn end(path: &[u8], count: usize) -> Option<&[u8]> {
    let names = path.rsplit(|&byte| byte == b'/').take(count);
    let (mut bytes, mut found) = (0, 0);
    for name in names.take_while(|name| !name.is_empty()) {
        (bytes, found) = (bytes + name.len() + 1, found + 1);
    }
    (found == count).then(|| path.get(path.len() + 1 - bytes..)).flatten()
}

/// The address of an `address:port`, without the brackets of version 6.
pub(crate) fn peer_address(peer: &Text) -> &[u8] {
    let bytes = peer.as_bytes();
    let end = bytes.iter().rposition(|&byte| byte == b':').unwrap_or(bytes.len());
    let address = bytes.get(..end).unwrap_or_default();
    address.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(address)
}

fn process_bytes(process: ProcessKey) -> [u8; 16] {
    let word = (u128::from(process.start_ns) << 64)
        | (u128::from(process.pid) << 32)
        | u128::from(process.boot.0);
    word.to_le_bytes()
}

/// Where the finding's paths and addresses mean what they say.
fn scope(finding: &Finding) -> Vec<u8> {
    let subject = &finding.subject;
    match (&subject.container, subject.lineage.first(), &subject.call) {
        (Some(container), _, _) => container.id.0.as_bytes().to_vec(),
        (None, Some(process), _) => process.key.boot.0.to_le_bytes().to_vec(),
        (None, None, Some(call)) => call.account.as_bytes().to_vec(),
        (None, None, None) => finding.hostname.as_bytes().to_vec(),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_without_its_port() {
        let check = |peer: &str, address: &str| {
            assert_eq!(peer_address(&peer.into()), address.as_bytes(), "{peer}");
        };
        check("10.0.0.2:4444", "10.0.0.2");
        check("[fd00::2]:53", "fd00::2");
        check("10.0.0.2", "10.0.0.2");
        check("", "");
    }

    #[test]
    fn the_end_of_a_path_is_its_last_names() {
        let check = |path: &str, count, expected: Option<&str>| {
            assert_eq!(end(path.as_bytes(), count), expected.map(str::as_bytes), "{path}");
        };
        check("/var/www/uploads/1.php", 1, Some("1.php"));
        check("/var/www/uploads/1.php", 2, Some("uploads/1.php"));
        check("/1.php", 1, Some("1.php"));
        check("/1.php", 2, None);
        check("1.php", 1, Some("1.php"));
        check("/uploads/", 1, None);
        check("", 1, None);
    }

    #[test]
    fn no_two_ways_to_split_a_value_share_a_key() {
        let a = Key::of(KeyKind::File, &[b"ab", b"c"]);
        assert_ne!(a, Key::of(KeyKind::File, &[b"a", b"bc"]));
        assert_ne!(a, Key::of(KeyKind::Peer, &[b"ab", b"c"]));
    }
}
