//! Proves CloudTrail's files by its digests.
//!
//! A digest is checked as it is met: its own signature where S3 tells it, the hash and signature of
//! the digest before it, and each log file that it names, which is fetched once more. Nothing has
//! to be kept of what was read before, so a restart forgets nothing, and what is changed after it
//! was read is told as well. Kept are only the chains that were met, so that the first digest of a
//! copy that begins in the middle is no gap.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clew_decode::api_log::Decoded;
use clew_decode::digest::{Before, DIGEST_BYTES_MAX, Digest, Hash, LogFile, Place, unhex};
use clew_event::Complaint;
use flate2::read::MultiGzDecoder;
use ring::digest::{Context, SHA256};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

use crate::error::StartError;
use crate::ledger::Change;
use crate::queue::Feed;
use crate::spec::DigestSpec;

/// Complaints about one digest; of more, the number is told.
const FAULTS_MAX: usize = 20;
/// Chains that are remembered: 600 accounts in 33 regions.
const CHAINS_MAX: usize = 20_000;
/// Longest file that is unpacked to be hashed; CloudTrail's own have at most some 50 MB.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// With what the cursors of chains begin.
const CHAIN: &str = "chain ";

/// Checks digests of one source.
#[derive(Debug)]
pub(crate) struct Prover {
    keys: Option<Vec<Key>>,
    /// How long after a digest its files may still come.
    pub(crate) patience: Duration,
    chains: Mutex<BTreeSet<String>>,
}

/// A public key of CloudTrail, as its `ListPublicKeys` tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    fingerprint: String,
    /// `RSAPublicKey` of PKCS #1 in DER, in Base64.
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyList {
    public_key_list: Vec<Key>,
}

/// A digest as it was met.
#[derive(Debug)]
pub(crate) struct Met<'m> {
    /// What complaints call it.
    pub(crate) name: &'m str,
    /// Its bytes, packed or not.
    pub(crate) bytes: &'m [u8],
    /// Where it was met, where that is told.
    pub(crate) place: Option<&'m Place>,
    /// Its signature, where that stands beside it: an outer `None` for a folder.
    pub(crate) signature: Option<Option<&'m str>>,
}

/// What came of a digest.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Complaints, and a loss where files cannot be trusted.
    pub(crate) decoded: Decoded,
    /// True where a file, or the digest before, is not there: it may yet come.
    pub(crate) is_open: bool,
    chain: String,
    proven: u64,
    altered: u64,
    missing: u64,
}

impl Proof {
    /// Adds to the figures of the source, and remembers the chain; returns what is to be kept.
    pub(crate) fn settle(&self, prover: &Prover, feed: &Feed) -> Vec<Change> {
        feed.shared.change(|figures| {
            figures.files_proven += self.proven;
            figures.files_altered += self.altered;
            figures.gaps += self.missing;
        });
        if let Some(complaint) = self.decoded.complaints.first() {
            feed.shared.note(format!("`{}`: {}", complaint.file, complaint.message));
        }
        prover.remember(&self.chain).into_iter().collect()
    }
}

/// Fetches a file that a digest names; `None` where it is not there.
pub(crate) type Fetch<'f> = &'f mut dyn FnMut(&Digest, &Place) -> Result<Option<Vec<u8>>, String>;

impl Prover {
    /// Reads the keys, where a file of them is named, and which chains were met before.
    pub(crate) fn of(
        name: &str,
        spec: &DigestSpec,
        cursors: &[(String, String)],
    ) -> Result<Self, StartError> {
        let read = |path: &Path| {
            let text = std::fs::read(path).map_err(|source| StartError::File {
                name: name.to_owned(),
                path: path.to_owned(),
                source,
            })?;
            let list = serde_json::from_slice::<KeyList>(&text);
            list.map(|list| list.public_key_list).map_err(|_| StartError::Content {
                name: name.to_owned(),
                path: path.to_owned(),
                expected: "answer of `aws cloudtrail list-public-keys`",
            })
        };
        let keys = spec.keys.as_deref().map(read).transpose()?;
        let chains = cursors.iter().filter_map(|(key, _)| key.strip_prefix(CHAIN));
        let chains = Mutex::new(chains.map(str::to_owned).collect());
        Ok(Self { keys, patience: spec.patience, chains })
    }

    /// Checks a digest and what it names.
    pub(crate) fn prove(&self, met: &Met<'_>, fetch: Fetch<'_>) -> Proof {
        let mut faults = Faults::new(met.name);
        let mut proof = Proof::default();
        let (hash, digest) = match read(met.bytes) {
            Ok(read) => read,
            Err(reason) => {
                faults.add(&mut proof.altered, "cloudtrail-digest-unreadable", reason);
                proof.decoded.complaints = faults.told();
                return proof;
            }
        };
        if met.place.is_some_and(|place| *place != digest.place) {
            let message = format!("it was made for `{}`", shown(&digest.place));
            faults.add(&mut proof.altered, "cloudtrail-digest-moved", message);
        }
        if let Some(signature) = met.signature {
            let checked = self.check(&digest, &hash, signature.unwrap_or_default());
            faults.add_failed(&mut proof.altered, "cloudtrail-digest-signature", checked);
        }
        proof.chain = digest.chain();
        if let Some(before) = &digest.before {
            self.prove_before(&digest, before, (&mut faults, &mut proof), fetch);
        }
        for file in &digest.files {
            prove_file(&digest, file, (&mut faults, &mut proof), fetch);
        }
        if let lost @ 1.. = proof.altered + proof.missing {
            proof.decoded.events.push(digest.lost(lost));
        }
        proof.decoded.complaints = faults.told();
        proof
    }

    fn prove_before(
        &self,
        digest: &Digest,
        Before { place, hash, signature }: &Before,
        (faults, proof): (&mut Faults<'_>, &mut Proof),
        fetch: Fetch<'_>,
    ) {
        let name = shown(place);
        let bytes = match fetched(digest, place, fetch) {
            Ok(bytes) => bytes,
            Err(Unfetched::Failed(reason)) => {
                return faults.add(&mut proof.missing, "cloudtrail-digest-unread", reason);
            }
            Err(Unfetched::Missing) => {
                proof.is_open = true;
                // A copy, or a bucket that is cleaned, begins somewhere.
                if !self.is_known(&proof.chain) {
                    return;
                }
                let message = format!("the digest before it is gone: `{name}`");
                return faults.add(&mut proof.missing, "cloudtrail-digest-missing", message);
            }
        };
        let before = match read(&bytes) {
            Ok((found, before)) if found == *hash => before,
            _ => {
                let message = format!("the digest before it was changed: `{name}`");
                return faults.add(&mut proof.altered, "cloudtrail-digest-changed", message);
            }
        };
        if !digest.follows(&before) {
            let message = format!("between it and `{name}` is a time that no digest covers");
            faults.add(&mut proof.missing, "cloudtrail-digest-hole", message);
        }
        let checked = self.check(&before, hash, signature);
        faults.add_failed(&mut proof.altered, "cloudtrail-digest-signature", checked);
    }

    /// Whether the digest that has that hash is signed; right where no keys are known.
    fn check(&self, digest: &Digest, hash: &Hash, signature: &str) -> Result<(), String> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let name = shown(&digest.place);
        let key = keys.iter().find(|key| key.fingerprint == digest.key);
        let key = key.ok_or_else(|| format!("`{name}`: no key `{}` was given", digest.key))?;
        let signature = unhex(signature).filter(|signature| !signature.is_empty());
        let signature = signature.ok_or_else(|| format!("`{name}` is not signed"))?;
        let value = STANDARD.decode(&key.value).unwrap_or_default();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, value)
            .verify(digest.signed(hash).as_bytes(), &signature)
            .map_err(|_| format!("`{name}` is not signed by CloudTrail"))
    }

    fn is_known(&self, chain: &str) -> bool {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner).contains(chain)
    }

    fn remember(&self, chain: &str) -> Option<Change> {
        let mut chains = self.chains.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !chain.is_empty() && chains.len() < CHAINS_MAX;
        (is_new && chains.insert(chain.to_owned()))
            .then(|| Change::Move { key: format!("{CHAIN}{chain}"), value: "true".into() })
    }
}

fn prove_file(
    digest: &Digest,
    file: &LogFile,
    (faults, proof): (&mut Faults<'_>, &mut Proof),
    fetch: Fetch<'_>,
) {
    let name = shown(&file.place);
    let unread = |error| Unfetched::Failed(format!("`{name}`: {error}"));
    let hash = fetched(digest, &file.place, fetch)
        .and_then(|bytes| hash_of(&bytes, UNPACKED_BYTES_MAX).map_err(unread));
    match hash {
        Ok(hash) if hash == file.hash => proof.proven += 1,
        Ok(_) => {
            let message = format!("`{name}` was changed after it was written");
            faults.add(&mut proof.altered, "cloudtrail-file-changed", message);
        }
        Err(Unfetched::Missing) => {
            proof.is_open = true;
            let message = format!("`{name}` is gone");
            faults.add(&mut proof.missing, "cloudtrail-file-missing", message);
        }
        Err(Unfetched::Failed(reason)) => {
            faults.add(&mut proof.missing, "cloudtrail-file-unread", reason);
        }
    }
}

/// A digest and its hash.
fn read(bytes: &[u8]) -> Result<(Hash, Digest), String> {
    let bytes = unpacked(bytes).map_err(|error| error.to_string())?;
    let digest = Digest::read(&bytes).map_err(|error| error.to_string())?;
    Ok((sha256(&bytes), digest))
}

enum Unfetched {
    Missing,
    Failed(String),
}

/// A file as it lies there.
fn fetched(digest: &Digest, place: &Place, fetch: Fetch<'_>) -> Result<Vec<u8>, Unfetched> {
    fetch(digest, place).map_err(Unfetched::Failed)?.ok_or(Unfetched::Missing)
}

/// Reads what is perhaps packed.
fn reader(bytes: &[u8]) -> Box<dyn Read + '_> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    }
}

/// A digest, unpacked; of one that is too long, enough to tell.
fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    reader(bytes).take(DIGEST_BYTES_MAX as u64 + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

/// The hash of what a file holds, unpacked; an error where that is longer than `longest`.
fn hash_of(bytes: &[u8], longest: u64) -> io::Result<Hash> {
    let (mut context, mut length) = (Context::new(&SHA256), 0);
    let (mut reader, mut part) = (reader(bytes), vec![0; 64 << 10]);
    loop {
        let read = reader.read(&mut part)?;
        let Some(read @ [_, ..]) = part.get(..read) else { return Ok(finish(context)) };
        length += read.len() as u64;
        if longest < length {
            return Err(io::Error::other(format!("it has more than {longest} bytes")));
        }
        context.update(read);
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    finish(context)
}

fn finish(context: Context) -> Hash {
    // SHA-256 has 32 bytes.
    context.finish().as_ref().try_into().unwrap_or_default()
}

fn shown(Place { bucket, key }: &Place) -> String {
    format!("s3://{bucket}/{key}")
}

/// What is wrong with one digest.
struct Faults<'f> {
    file: &'f str,
    told: Vec<Complaint>,
    untold: usize,
}

impl<'f> Faults<'f> {
    const fn new(file: &'f str) -> Self {
        Self { file, told: Vec::new(), untold: 0 }
    }

    fn add(&mut self, count: &mut u64, code: &str, message: String) {
        *count += 1;
        if FAULTS_MAX <= self.told.len() {
            self.untold += 1;
            return;
        }
        self.told.push(self.complaint(code, message));
    }

    fn add_failed(&mut self, count: &mut u64, code: &str, checked: Result<(), String>) {
        if let Err(message) = checked {
            self.add(count, code, message);
        }
    }

    fn complaint(&self, code: &str, message: String) -> Complaint {
        let (file, place) = (self.file.to_owned(), "digest".to_owned());
        Complaint { file, r#where: place, code: code.to_owned(), message }
    }

    fn told(mut self) -> Vec<Complaint> {
        if 0 < self.untold {
            let message = format!("{} more that is wrong with it is not told", self.untold);
            self.told.push(self.complaint("cloudtrail-digest-more", message));
        }
        self.told
    }
}

#[cfg(test)]
mod tests;
