//! Chains of digests, signed by a key of the tests, whole and broken.

use std::collections::BTreeMap;

use clew_event::EventKind;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::*;

fn key() -> RsaKeyPair {
    let pem = include_bytes!("../../../tests/certificates/sender.key");
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    RsaKeyPair::from_pkcs8(key.secret_der()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bucket with a chain of three digests, an hour and a log file each.
struct Bucket {
    files: BTreeMap<String, Vec<u8>>,
    digests: Vec<(String, String)>,
}

impl Bucket {
    fn new() -> Self {
        let mut bucket = Self { files: BTreeMap::new(), digests: Vec::new() };
        for hour in 0..3 {
            bucket.files.insert(format!("f{hour}"), format!("records {hour}").into());
            bucket.write(hour);
        }
        bucket
    }

    /// Writes the digest of an hour as CloudTrail does, and signs it.
    fn write(&mut self, hour: usize) {
        let time = |hour| format!("2026-11-24T{hour:02}:00:00Z");
        let mut value = json!({
            "awsAccountId": "1", "digestStartTime": time(hour), "digestEndTime": time(hour + 1),
            "digestS3Bucket": "b", "digestS3Object": format!("d{hour}"),
            "digestPublicKeyFingerprint": "f", "digestSignatureAlgorithm": "SHA256withRSA",
            "logFiles": [{
                "s3Bucket": "b", "s3Object": format!("f{hour}"),
                "hashValue": hex(&sha256(&self.files[&format!("f{hour}")])),
            }],
        });
        if let Some((name, signature)) = self.digests.get(hour.wrapping_sub(1)) {
            value["previousDigestS3Bucket"] = json!("b");
            value["previousDigestS3Object"] = json!(name);
            value["previousDigestHashValue"] = json!(hex(&sha256(&self.files[name])));
            value["previousDigestSignature"] = json!(signature);
        }
        self.put(hour, &value);
    }

    fn put(&mut self, hour: usize, value: &Value) {
        let bytes = value.to_string().into_bytes();
        let signed = Digest::read(&bytes).unwrap().signed(&sha256(&bytes));
        let mut signature = vec![0; key().public().modulus_len()];
        key()
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .unwrap();
        self.digests.truncate(hour);
        self.digests.push((format!("d{hour}"), hex(&signature)));
        self.files.insert(format!("d{hour}"), bytes);
    }

    fn prove(&self, prover: &Prover, hour: usize) -> Proof {
        let (name, signature) = &self.digests[hour];
        let place = Place { bucket: "b".into(), key: name.clone() };
        let signature = Some(Some(&**signature));
        let bytes = &self.files[name];
        let met = Met { name, bytes, place: Some(&place), signature };
        prover.prove(&met, &mut |_, place| Ok(self.files.get(&place.key).cloned()))
    }

    /// Codes of what is wrong with the last two digests.
    fn codes(&self, prover: &Prover) -> Vec<String> {
        let proofs = [1, 2].map(|hour| self.prove(prover, hour));
        let complaints = proofs.iter().flat_map(|proof| &proof.decoded.complaints);
        complaints.map(|complaint| complaint.code.clone()).collect()
    }
}

fn prover(has_keys: bool) -> Prover {
    let value = STANDARD.encode(key().public_key().as_ref());
    let keys = has_keys.then(|| vec![Key { fingerprint: "f".into(), value }]);
    let chains = Mutex::new(BTreeSet::from(["d0".to_owned(), "d1".into(), "d2".into()]));
    Prover { keys, patience: Duration::ZERO, chains }
}

#[test]
fn a_whole_chain_is_proven() {
    let (bucket, prover) = (Bucket::new(), prover(true));
    for hour in 0..3 {
        let proof = bucket.prove(&prover, hour);
        assert_eq!((proof.proven, proof.altered, proof.missing), (1, 0, 0), "{proof:?}");
        assert_eq!(proof.decoded, Decoded::default());
    }
}

#[test]
fn a_log_file_that_is_changed_or_gone_is_told_and_leaves_a_blind_spot() {
    let prover = prover(false);
    let mut bucket = Bucket::new();
    bucket.files.insert("f1".into(), b"records 1 but one".into());
    assert_eq!(bucket.codes(&prover), ["cloudtrail-file-changed"]);
    bucket.files.remove("f1");
    let proof = bucket.prove(&prover, 1);
    assert!(proof.is_open && proof.missing == 1, "it may yet come");
    assert_eq!(proof.decoded.complaints[0].message, "`s3://b/f1` is gone");
    let [event] = &*proof.decoded.events else { panic!("{proof:?}") };
    assert!(matches!(&event.kind, EventKind::Lost(lost) if lost.count == 1));
}

#[test]
fn a_digest_that_is_changed_or_gone_is_told_by_the_next() {
    let prover = prover(false);
    let mut bucket = Bucket::new();
    bucket.files.insert("d1".into(), bucket.files["d0"].clone());
    let moved = ["cloudtrail-digest-moved", "cloudtrail-digest-changed"];
    assert_eq!(bucket.codes(&prover), moved);
    let mut bucket = Bucket::new();
    bucket.files.remove("d1");
    let codes = |proof: Proof| proof.decoded.complaints.into_iter().map(|it| it.code);
    assert!(codes(bucket.prove(&prover, 2)).eq(["cloudtrail-digest-missing"]));
    let copied = Prover { chains: Mutex::default(), ..prover };
    let proof = bucket.prove(&copied, 2);
    assert!(proof.is_open && proof.missing == 0, "a copy may begin in the middle");
}

#[test]
fn a_chain_that_is_computed_anew_lacks_the_signature() {
    let mut bucket = Bucket::new();
    bucket.files.insert("f1".into(), b"nothing happened".into());
    let signatures = bucket.digests.clone();
    bucket.write(1);
    bucket.write(2);
    assert_eq!(bucket.codes(&prover(true)), Vec::<String>::new(), "signed anew, all is well");
    // Whoever has no key leaves signatures as they were, or makes some up.
    bucket.digests[1].1.clone_from(&signatures[1].1);
    bucket.write_after_forgery();
    let forged = ["cloudtrail-digest-signature", "cloudtrail-digest-signature"];
    assert_eq!(bucket.codes(&prover(true)), forged);
    assert_eq!(bucket.codes(&prover(false)), Vec::<String>::new(), "hashes alone cannot tell");
}

impl Bucket {
    fn write_after_forgery(&mut self) {
        let forged = self.digests[1].clone();
        self.write(2);
        self.digests[1] = forged;
    }
}

#[test]
fn unsigned_digests_unknown_keys_and_uncovered_time_are_told() {
    let mut bucket = Bucket::new();
    bucket.digests[2].1.clear();
    assert_eq!(bucket.codes(&prover(true)), ["cloudtrail-digest-signature"]);
    let mut other = prover(true);
    other.keys.as_mut().unwrap()[0].fingerprint = "g".into();
    assert_eq!(Bucket::new().codes(&other).len(), 4, "each by itself and by the next");
    let mut bucket = Bucket::new();
    let mut value: Value = serde_json::from_slice(&bucket.files["d2"]).unwrap();
    value["digestStartTime"] = json!("2026-11-24T02:30:00Z");
    bucket.put(2, &value);
    assert_eq!(bucket.codes(&prover(true)), ["cloudtrail-digest-hole"]);
}

#[test]
fn faults_max_faults_are_told_and_chains_max_chains_remembered() {
    let mut bucket = Bucket::new();
    let mut value: Value = serde_json::from_slice(&bucket.files["d2"]).unwrap();
    let file = json!({"s3Bucket": "b", "s3Object": "none", "hashValue": "00".repeat(32)});
    value["logFiles"] = json!(vec![file; FAULTS_MAX + 2]);
    bucket.put(2, &value);
    let prover = prover(false);
    let proof = bucket.prove(&prover, 2);
    assert_eq!(proof.decoded.complaints.len(), FAULTS_MAX + 1);
    let last = proof.decoded.complaints.last().map(|last| &*last.message);
    assert_eq!(last, Some("2 more that is wrong with it is not told"));
    let known = prover.chains.lock().unwrap().len();
    let kept = (0..CHAINS_MAX).filter(|number| prover.remember(&number.to_string()).is_some());
    assert_eq!(kept.count(), CHAINS_MAX - known);
    assert!(prover.remember("d0").is_none(), "it is known already");
}

#[test]
fn what_is_longer_than_unpacked_bytes_max_is_not_hashed() {
    assert!(hash_of(b"0123", UNPACKED_BYTES_MAX).is_ok_and(|hash| hash == sha256(b"0123")));
    assert!(hash_of(b"0123", 3).is_err());
    assert!(hash_of(b"\x1f\x8bno gzip", UNPACKED_BYTES_MAX).is_err());
}

#[test]
fn what_is_no_digest_is_told() {
    let met = Met { name: "d", bytes: b"{}", place: None, signature: None };
    let proof = prover(false).prove(&met, &mut |_, _| panic!("nothing is fetched"));
    assert_eq!(proof.decoded.complaints[0].code, "cloudtrail-digest-unreadable");
}
