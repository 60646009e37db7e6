//! CloudTrail's digest files: what an hour's log files hashed to when they were written.
//!
//! A digest names log files with the SHA-256 of what they hold unpacked, and the digest before it
//! with its hash and its signature. So each digest proves the one before it, back to where the
//! chain begins; only the newest is proven by nothing but its own signature, which S3 keeps beside
//! it (`x-amz-meta-signature`). Signed is a text of four lines: when the digest ends, where it
//! lies, its hash, and the signature before (AWS, "Custom implementations of CloudTrail log file
//! integrity validation"). Whoever can write to the bucket can compute hashes anew but no
//! signature, so without CloudTrail's keys a chain shows what was removed or changed carelessly.
//!
//! Reading and comparing alone stand here: hashes are computed, and keys kept, by who has them.

use clew_event::kernel::{LossReason, Lost};
use clew_event::{Event, EventKind, EventType, TimestampNs};
use serde::Deserialize;

use crate::api_log::foreign_id;

/// Longest digest that is read, unpacked: some 30,000 log files.
pub const DIGEST_BYTES_MAX: usize = 16 << 20;

/// SHA-256.
pub type Hash = [u8; 32];

/// What one digest file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Where CloudTrail put it.
    pub place: Place,
    /// By which key it is signed.
    pub key: String,
    /// The digest before it; `None` where a chain begins.
    pub before: Option<Before>,
    /// Log files of the hour.
    pub files: Vec<LogFile>,
    start: String,
    end: String,
}

/// An object of S3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

/// A log file as it was when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where it lies.
    pub place: Place,
    /// Hash of what it holds, unpacked.
    pub hash: Hash,
}

/// The digest before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// Where it lies.
    pub place: Place,
    /// Hash of what it holds, unpacked.
    pub hash: Hash,
    /// Its signature, in hexadecimal.
    pub signature: String,
}

/// Why a file is no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Longer than any.
    #[error("it has {given} bytes, at most {DIGEST_BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        given: usize,
    },
    /// Not of that form.
    #[error("it is no digest: {0}")]
    Form(#[from] serde_json::Error),
    /// A hash that is none, or of another kind.
    #[error("`{given}` is no SHA-256")]
    Hash {
        /// What stands there.
        given: String,
    },
}

impl Digest {
    /// Reads a digest, unpacked.
    ///
    /// # Errors
    /// Where it is none, or longer than [`DIGEST_BYTES_MAX`].
    pub fn read(bytes: &[u8]) -> Result<Self, DigestError> {
        if DIGEST_BYTES_MAX < bytes.len() {
            return Err(DigestError::TooLong { given: bytes.len() });
        }
        let form: Form = serde_json::from_slice(bytes)?;
        let before = match (form.previous_digest_s3_bucket, form.previous_digest_s3_object) {
            (Some(bucket), Some(key)) => Some(Before {
                place: Place { bucket, key },
                hash: hash(form.previous_digest_hash_value.as_deref().unwrap_or_default())?,
                signature: form.previous_digest_signature.unwrap_or_default(),
            }),
            _ => None,
        };
        let file = |file: FileForm| {
            let place = Place { bucket: file.s3_bucket, key: file.s3_object };
            Ok(LogFile { place, hash: hash(&file.hash_value)? })
        };
        Ok(Self {
            place: Place { bucket: form.digest_s3_bucket, key: form.digest_s3_object },
            key: form.digest_public_key_fingerprint,
            before,
            files: form.log_files.into_iter().map(file).collect::<Result<_, DigestError>>()?,
            start: form.digest_start_time,
            end: form.digest_end_time,
        })
    }

    /// The text that its signature is of, where the digest's own bytes have that hash.
    #[must_use]
    pub fn signed(&self, hash: &Hash) -> String {
        let Self { place: Place { bucket, key }, end, .. } = self;
        let before = self.before.as_ref().map_or("null", |before| &before.signature);
        format!("{end}\n{bucket}/{key}\n{}\n{before}", hex(hash))
    }

    /// True where it begins when `before` ends, so that no digest was left out between them.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.start == before.end
    }

    /// Of which chain it is: its name without its time, as each trail has in each region.
    #[must_use]
    pub fn chain(&self) -> String {
        let name = self.place.key.rsplit('/').next().unwrap_or_default();
        let name = name.split('.').next().unwrap_or_default();
        let is_time = |part: &str| part.len() == 16 && part.ends_with('Z');
        name.split('_').filter(|part| !is_time(part)).collect::<Vec<_>>().join("_")
    }

    /// What is told where so many of its log files are changed or gone: stories of that hour have
    /// a blind spot.
    #[must_use]
    pub fn lost(&self, count: u64) -> Event {
        let time = TimestampNs::from_rfc3339(&self.end).unwrap_or_default();
        let lost = Lost {
            cpu: u16::MAX,
            reason: LossReason::AuditFile,
            record: "cloudtrail".into(),
            count,
        };
        Event {
            id: foreign_id(b"cloudtrail digest", self.place.key.as_bytes()),
            time,
            arrived: time,
            event_type: EventType::default(),
            actor: None,
            kind: EventKind::Lost(lost),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    digest_start_time: String,
    digest_end_time: String,
    #[serde(rename = "digestS3Bucket")]
    digest_s3_bucket: String,
    #[serde(rename = "digestS3Object")]
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    #[serde(rename = "previousDigestS3Bucket")]
    previous_digest_s3_bucket: Option<String>,
    #[serde(rename = "previousDigestS3Object")]
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    #[serde(default)]
    log_files: Vec<FileForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileForm {
    #[serde(rename = "s3Bucket")]
    s3_bucket: String,
    #[serde(rename = "s3Object")]
    s3_object: String,
    hash_value: String,
}

fn hash(text: &str) -> Result<Hash, DigestError> {
    let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| DigestError::Hash { given: text.chars().take(80).collect() })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that stand in a text in hexadecimal.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "p/AWSLogs/1/CloudTrail-Digest/us-east-2/2026/11/24/1_CloudTrail-Digest_us-east-2_trail_us-east-2_20261124T150131Z.json.gz";

    fn text(before: &str, hash: &str) -> String {
        format!(
            r#"{{"awsAccountId":"1","digestStartTime":"2026-11-24T14:01:31Z","digestEndTime":"2026-11-24T15:01:31Z","digestS3Bucket":"b","digestS3Object":"{KEY}","digestPublicKeyFingerprint":"31e8","digestSignatureAlgorithm":"SHA256withRSA",{before},"logFiles":[{{"s3Bucket":"b","s3Object":"f","hashValue":"{hash}","hashAlgorithm":"SHA-256"}}]}}"#
        )
    }

    fn first() -> String {
        let nothing = r#""previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestSignature":null"#;
        text(nothing, &"0a".repeat(32))
    }

    #[test]
    fn a_digest_names_its_files_and_the_text_that_is_signed() {
        let digest = Digest::read(first().as_bytes()).unwrap();
        assert_eq!(digest.files[0].hash, [10; 32]);
        assert_eq!(digest.chain(), "1_CloudTrail-Digest_us-east-2_trail_us-east-2");
        let zeros = "00".repeat(32);
        assert_eq!(
            digest.signed(&[0; 32]),
            format!("2026-11-24T15:01:31Z\nb/{KEY}\n{zeros}\nnull")
        );
        let before = r#""previousDigestS3Bucket":"b","previousDigestS3Object":"d","previousDigestHashValue":"HASH","previousDigestSignature":"50ab""#;
        let second = text(&before.replace("HASH", &"ff".repeat(32)), &zeros);
        let second = Digest::read(second.as_bytes()).unwrap();
        assert!(second.signed(&[0; 32]).ends_with("\n50ab"));
        assert_eq!(second.before.as_ref().map(|before| before.hash), Some([255; 32]));
        assert!(!second.follows(&digest), "both are of one hour");
    }

    #[test]
    fn what_is_no_digest_is_an_error() {
        let error = |text: &str| Digest::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{}").starts_with("it is no digest: missing field"));
        assert!(error("[").starts_with("it is no digest"));
        let short = text(r#""previousDigestS3Bucket":null"#, "0a0");
        assert_eq!(error(&short), "`0a0` is no SHA-256");
        let odd = text(r#""previousDigestS3Bucket":null"#, &"é".repeat(32));
        assert!(error(&odd).ends_with("is no SHA-256"));
        let long = first() + &" ".repeat(DIGEST_BYTES_MAX);
        assert!(error(&long).ends_with("bytes, at most 16777216 are read"));
    }

    #[test]
    fn files_that_are_gone_are_lost_to_the_hour_of_their_digest() {
        let digest = Digest::read(first().as_bytes()).unwrap();
        let event = digest.lost(2);
        assert_eq!(event.time, TimestampNs::from_rfc3339("2026-11-24T15:01:31Z").unwrap());
        assert_eq!(event.id, digest.lost(2).id);
        assert!(matches!(event.kind, EventKind::Lost(lost) if lost.count == 2));
    }
}
