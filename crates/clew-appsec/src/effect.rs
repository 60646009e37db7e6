//! What an application did because of a request, where a piece of the request is part of it.
//!
//! A payload is noise until its bytes come out at the other end: in the arguments of a child, in a
//! path, in a statement, as the other end of a connection. So each effect is compared with every
//! argument of the requests that may have caused it, in every decoded form. A piece that is found
//! there says which request it was, even where an event loop left that open; without one, the
//! bits shrink by the doubt. An effect that holds no payload says nothing: a program that always
//! gets the argument as one word, a file below the root, a value within quotes.

mod command;
mod file;
mod fragment;
mod host;
mod statement;

pub(crate) use host::METADATA_BITS;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use clew_event::EventId;
use clew_event::finding::Priority;
use clew_event::http::HttpRequest;
use clew_event::text::escaped;

use crate::attack::MATCH_BYTES_MAX;
use crate::detected::Detected;

/// A request that may have caused an effect.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The exchange: id of the event that told the request.
    pub exchange: EventId,
    /// The request itself.
    pub request: Arc<HttpRequest>,
    /// That the effect is of this request: 1 where its thread handled no other.
    pub probability: f64,
}

/// What an application did while it handled requests.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// A child took a program.
    Executed {
        /// File that runs.
        exe: &'a [u8],
        /// Arguments.
        argv: &'a [clew_event::Text],
        /// The file was written by this application after it started.
        is_dropped: bool,
    },
    /// A file was opened, made, renamed or removed.
    File {
        /// Path that it has.
        path: &'a [u8],
        /// Path as the application gave it.
        given: &'a [u8],
        /// It was made or written; else it was read.
        is_written: bool,
    },
    /// A connection was asked for.
    Connected {
        /// The other end.
        peer: SocketAddr,
        /// Names by which that address was looked up here.
        names: &'a [clew_event::Text],
    },
    /// A name was asked for.
    Resolved {
        /// The name.
        name: &'a [u8],
    },
    /// A statement was sent to a database.
    Queried {
        /// The statement as it was sent.
        statement: &'a [u8],
        /// Name of the database system: `postgresql`, `mysql`.
        system: &'a str,
    },
    /// Another service was asked.
    Requested {
        /// The request that the application sent.
        request: &'a HttpRequest,
        /// The other end.
        peer: Option<SocketAddr>,
    },
}

/// Most requests that one effect is compared with: an event loop may have thousands in flight.
pub const CAUSES_MAX: usize = 64;
/// Most bytes of requests that one effect is compared with, the likeliest request whatever its
/// length: who keeps many long requests in flight must not make each opened file dear.
pub const REQUESTS_BYTES_MAX: usize = 128 << 10;
/// Shorter pieces may be found by chance, so that they do not undo a doubt about the request.
const CHANCE_BYTES_MIN: usize = 5;

/// Adds what `effect` proves of the requests that may have caused it: at most one detection, of the
/// request that fits best. How many requests were passed over for their length.
pub fn judge(effect: &Effect<'_>, causes: &[Cause], found: &mut Vec<Detected>) -> u64 {
    let mut best: Option<(f64, Proof, &Cause)> = None;
    let mut likeliest: Vec<&Cause> = causes.iter().take(CAUSES_MAX).collect();
    likeliest.sort_by(|one, other| other.probability.total_cmp(&one.probability));
    let (mut read_bytes, mut passed_over) = (0, 0);
    for cause in likeliest {
        let bytes = length(&cause.request);
        if 0 < read_bytes && REQUESTS_BYTES_MAX < read_bytes + bytes {
            passed_over += 1;
            continue;
        }
        read_bytes += bytes;
        let Some(proof) = proof(effect, &cause.request) else { continue };
        let doubt = cause.probability.clamp(f64::MIN_POSITIVE, 1.0).log2();
        let is_certain = CHANCE_BYTES_MIN <= proof.piece.len();
        let bits = if is_certain { proof.bits } else { proof.bits + doubt };
        let is_better = best
            .as_ref()
            .is_none_or(|(other, _, at)| (*other, at.probability) < (bits, cause.probability));
        if 0.0 < bits && is_better {
            best = Some((bits, proof, cause));
        }
    }
    if let Some((bits, proof, cause)) = best {
        found.push(detected(bits, proof, cause));
    }
    passed_over
}

/// How long a request is, as far as it is kept.
fn length(request: &HttpRequest) -> usize {
    let fields = request.headers.iter().flat_map(|(name, value)| [name, value]);
    let texts = fields.chain([&request.path, &request.query, &request.body]);
    texts.map(|text| text.as_bytes().len()).sum()
}

fn proof(effect: &Effect<'_>, request: &HttpRequest) -> Option<Proof> {
    match effect {
        Effect::Executed { exe, argv, is_dropped } => {
            command::judge(&command::Child { exe, argv, is_dropped: *is_dropped }, request)
        }
        Effect::File { path, given, is_written } => {
            let opened = file::Opened { path, given };
            if *is_written { file::written(&opened, request) } else { file::read(&opened, request) }
        }
        Effect::Connected { peer, names } => host::connected(*peer, names, request),
        Effect::Resolved { name } => host::resolved(name, request),
        Effect::Queried { statement, system } => statement::judge(statement, system, request),
        Effect::Requested { request: sent, peer } => host::requested(sent, *peer, request),
    }
}

/// That a request had an effect, and by which of its bytes.
#[derive(Clone, Debug)]
struct Proof {
    kind: Kind,
    bits: f64,
    /// The argument, as it is told: `query `id``.
    argument: String,
    decoded: String,
    /// The piece of the request that was found; empty where none was.
    piece: Vec<u8>,
    /// What the application did with it.
    did: String,
    /// Host and port that were named, of a server-side request.
    destination: Option<String>,
}

/// What was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Command,
    Option,
    Code,
    Upload,
    DroppedProgram,
    Traversal,
    Statement,
    ServerRequest,
}

impl Kind {
    const fn rule(self) -> &'static str {
        match self {
            Self::Command => "Command of a request executed",
            Self::Option => "Option of a request given to a program",
            Self::Code => "Shell started by a request that holds code",
            Self::Upload => "Program of a request written",
            Self::DroppedProgram => "Program written by a request executed",
            Self::Traversal => "File named by a request opened",
            Self::Statement => "Statement changed by a request",
            Self::ServerRequest => "Address named by a request asked",
        }
    }

    const fn techniques(self) -> &'static [&'static str] {
        match self {
            Self::Command | Self::Code => &["T1059.004", "T1190"],
            Self::Option => &["T1190", "T1202"],
            Self::Upload => &["T1190", "T1505.003"],
            Self::DroppedProgram => &["T1059", "T1105", "T1505.003"],
            Self::Traversal => &["T1005", "T1190"],
            Self::Statement => &["T1190", "T1213.006"],
            Self::ServerRequest => &["T1190"],
        }
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::Command | Self::Option => "effect.rce",
            Self::Code => "effect.code",
            Self::Upload | Self::DroppedProgram => "effect.upload",
            Self::Traversal => "effect.lfi",
            Self::Statement => "effect.sqli",
            Self::ServerRequest => "effect.ssrf",
        }
    }
}

fn detected(bits: f64, proof: Proof, cause: &Cause) -> Detected {
    let cut =
        |bytes: &[u8]| escaped(bytes.get(..MATCH_BYTES_MAX.min(bytes.len())).unwrap_or_default());
    let request = &cause.request;
    let (method, path) = (cut(request.method.as_bytes()), cut(request.path.as_bytes()));
    let piece = cut(&proof.piece);
    let Proof { kind, argument, decoded, did, destination, .. } = proof;
    let by = if piece.is_empty() {
        "with no piece of it in sight".to_owned()
    } else if decoded.is_empty() {
        format!("which the {argument} holds: {piece}")
    } else {
        format!("which the {argument} holds once decoded ({decoded}): {piece}")
    };
    let mut techniques = kind.techniques().to_vec();
    if kind == Kind::ServerRequest && METADATA_BITS <= bits {
        techniques.push("T1552.005");
    }
    let mut fields = BTreeMap::from([
        ("http.argument", argument),
        ("http.attack", kind.tag().to_owned()),
        ("http.decoded", decoded),
        ("http.match", piece),
    ]);
    fields.extend(destination.map(|it| ("http.destination", it)));
    if cause.probability < 1.0 {
        fields.insert("http.probability", format!("{:.3}", cause.probability));
    }
    Detected {
        rule: Cow::Borrowed(kind.rule()),
        priority: if bits < 8.0 { Priority::Notice } else { Priority::Critical },
        techniques,
        tags: vec![kind.tag()],
        bits,
        entities: Vec::new(),
        events: vec![cause.exchange],
        output: format!("because of {method} {path} the application {did}, {by}"),
        fields,
    }
}

#[cfg(test)]
mod tests;
