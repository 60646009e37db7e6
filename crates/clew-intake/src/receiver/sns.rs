//! What SNS sends: signed by Amazon's key, of the one topic that was asked for, and not long ago.
//!
//! Anybody may have SNS sign messages of a topic of their own, so the topic is part of what is
//! checked. A request to confirm a subscription is shown with its address; whoever owns the
//! topic opens it, we never do.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clew_event::TimestampNs;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY as SHA1, RSA_PKCS1_2048_8192_SHA256 as SHA256,
    UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use serde::Deserialize;
use webpki::EndEntityCert;

use super::fetch;

/// Longest request of SNS that is read: a message of 256 KiB with every character escaped.
pub const MESSAGE_BYTES_MAX: usize = 2 << 20;
/// How old a message may be; SNS tries for less than that.
const REPLAY_SPAN: Duration = Duration::from_secs(3600);
/// How far the clock of the sender may go before ours.
const SKEW_SPAN: Duration = Duration::from_secs(300);
/// How often a certificate is fetched at most, whatever is sent to us.
const FETCH_SPAN: Duration = Duration::from_secs(10);

/// Checks what comes of one topic.
#[derive(Debug)]
pub(super) struct Sns {
    topic: String,
    given: Option<CertificateDer<'static>>,
    fetched: Mutex<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    tried: Option<Instant>,
    certificate: Option<(String, CertificateDer<'static>)>,
}

/// What a request brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// A message.
    Message(String),
    /// The address that confirms a subscription.
    Confirm(String),
    /// Nothing that concerns us.
    Nothing,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    certificate: String,
    subject: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe: Option<String>,
    token: Option<String>,
}

impl Sns {
    pub(super) fn of(topic: String, given: Option<CertificateDer<'static>>) -> Self {
        Self { topic, given, fetched: Mutex::default() }
    }

    /// `None` where the request is not SNS's, of another topic, or too old.
    pub(super) async fn open(&self, body: &Bytes, now: TimestampNs) -> Option<Opened> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let time = TimestampNs::from_rfc3339(&envelope.timestamp)?;
        let is_now = now <= time.after(REPLAY_SPAN) && time <= now.after(SKEW_SPAN);
        if envelope.topic_arn != self.topic || !is_now {
            return None;
        }
        let certificate = self.certificate(&envelope.certificate).await?;
        envelope.is_signed_by(&certificate).then(|| match (&*envelope.kind, envelope.subscribe) {
            ("Notification", _) => Opened::Message(envelope.message),
            ("SubscriptionConfirmation", Some(address)) => Opened::Confirm(address),
            _ => Opened::Nothing,
        })
    }

    /// The certificate that was given, else the one at `address`: fetched once.
    async fn certificate(&self, address: &str) -> Option<CertificateDer<'static>> {
        if !is_of_sns(address) {
            return None;
        }
        if let Some(given) = &self.given {
            return Some(given.clone());
        }
        {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            match &fetched.certificate {
                Some((from, certificate)) if from == address => return Some(certificate.clone()),
                _ => {}
            }
            if fetched.tried.is_some_and(|tried| tried.elapsed() < FETCH_SPAN) {
                return None;
            }
            fetched.tried = Some(Instant::now());
        }
        let pem = fetch::get(address.to_owned()).await?;
        let certificate = CertificateDer::from_pem_slice(&pem).ok()?;
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.certificate = Some((address.to_owned(), certificate.clone()));
        Some(certificate)
    }
}

/// True for `https://sns.REGION.amazonaws.com/…`, and the same in China; TLS proves the host.
fn is_of_sns(address: &str) -> bool {
    let Some((host, _)) = address.strip_prefix("https://").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    region.is_some_and(|region| {
        !region.is_empty()
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl Envelope {
    /// What SNS signs: names and values, a line each, in order of the names.
    fn signed(&self) -> String {
        let is_message = self.kind == "Notification";
        let members = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref().filter(|_| is_message)),
            ("SubscribeURL", self.subscribe.as_ref().filter(|_| !is_message)),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| !is_message)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        let line = |(name, value): (&str, Option<&String>)| Some(format!("{name}\n{}\n", value?));
        members.into_iter().filter_map(line).collect()
    }

    fn is_signed_by(&self, certificate: &CertificateDer<'_>) -> bool {
        let by = match &*self.signature_version {
            "1" => Rsa { is_sha1: true },
            "2" => Rsa { is_sha1: false },
            _ => return false,
        };
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        let certificate = EndEntityCert::try_from(certificate);
        certificate.is_ok_and(|certificate| {
            certificate.verify_signature(&by, self.signed().as_bytes(), &signature).is_ok()
        })
    }
}

/// RSA with the older or the newer hash: SNS signs by SHA-1 unless its topic is told otherwise.
#[derive(Debug)]
struct Rsa {
    is_sha1: bool,
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let by = if self.is_sha1 { &SHA1 } else { &SHA256 };
        UnparsedPublicKey::new(by, key).verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PKCS1_SHA256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:1:trail";
    const SIGNATURE: &str = include_str!("../../tests/certificates/signature-v1");

    fn open(topic: &str, text: &str, minutes: u64) -> Option<Opened> {
        let pem = include_bytes!("../../tests/certificates/sender.pem");
        let sns = Sns::of(topic.to_owned(), CertificateDer::from_pem_slice(pem).ok());
        let now = TimestampNs::from_rfc3339("2026-11-24T10:00:00Z")?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let now = now.after(Duration::from_secs(60 * minutes));
        runtime.block_on(sns.open(&Bytes::from(text.to_owned()), now))
    }

    fn message(text: &str, address: &str) -> String {
        format!(
            r#"{{"Type":"Notification","MessageId":"m","TopicArn":"{TOPIC}","Message":"{text}","Timestamp":"2026-11-24T10:00:00.000Z","SignatureVersion":"1","Signature":"{SIGNATURE}","SigningCertURL":"{address}"}}"#
        )
    }

    #[test]
    fn a_message_signed_by_sha_1_is_opened_and_any_other_word_of_it_is_not() {
        let address = "https://sns.us-east-1.amazonaws.com/a.pem";
        let good = message("hello", address);
        assert_eq!(open(TOPIC, &good, 59), Some(Opened::Message("hello".into())));
        assert_eq!(open(TOPIC, &good, 61), None, "it is replayed");
        assert_eq!(open("arn:aws:sns:us-east-1:1:other", &good, 0), None);
        assert_eq!(open(TOPIC, &message("hallo", address), 0), None);
        let newer = good.replace(r#"Version":"1""#, r#"Version":"2""#);
        assert_eq!(open(TOPIC, &newer, 0), None);
        assert_eq!(open(TOPIC, &message("hello", "https://sns.evil.com/a.pem"), 0), None);
        assert_eq!(open(TOPIC, "{\"Type\":", 0), None);
    }

    #[test]
    fn certificates_come_from_sns_alone() {
        let of_sns = |host: &str| is_of_sns(&format!("https://{host}/a.pem"));
        assert!(of_sns("sns.us-east-1.amazonaws.com") && of_sns("sns.cn-north-1.amazonaws.com.cn"));
        for host in [
            "sns.amazonaws.com",
            "sns.x.y.amazonaws.com",
            "sns.u@evil.amazonaws.com",
            "sns.us-east-1.amazonaws.com.evil.com",
            "sns.us-east-1.amazonaws.com:444",
            "evil.com#sns.us-east-1.amazonaws.com",
        ] {
            assert!(!of_sns(host), "{host}");
        }
        assert!(!is_of_sns("http://sns.us-east-1.amazonaws.com/a.pem"));
    }
}
