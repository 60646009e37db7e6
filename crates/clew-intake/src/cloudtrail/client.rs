//! How AWS is reached, and reading one object.

use std::path::Path;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use axum::body::Bytes;
use clew_decode::api_log::{Decoded, Ordered, Records};
use clew_decode::digest::{Digest, Place};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::proof::{Met, Prover};
use crate::ledger::Change;
use crate::queue::Feed;
use crate::spec::AwsSpec;

/// Longest object that is read, as it lies there; CloudTrail's own have at most some 50 MB unpacked.
pub const OBJECT_BYTES_MAX: usize = 64 << 20;

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Object {
    /// Digests prove that files were not changed; they hold no records.
    pub(super) fn has_records(&self) -> bool {
        !self.is_digest() && !self.key.ends_with('/')
    }

    pub(super) fn is_digest(&self) -> bool {
        self.key.contains("/CloudTrail-Digest/") && !self.key.ends_with('/')
    }
}

/// Credentials come from the usual places in the usual order: environment, files, web identity,
/// container, instance.
pub(super) async fn config(spec: &AwsSpec) -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = &spec.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &spec.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(path) = &spec.credentials {
        loader = loader.profile_files(profile_files(path));
    }
    loader.load().await
}

fn profile_files(path: &Path) -> EnvConfigFiles {
    EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, path).build()
}

/// The last part of what an object holds, what it changes, and its room, which is to be kept until
/// all of it is sent.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) decoded: Decoded,
    pub(super) changes: Vec<Change>,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Reads objects, so many bytes at once as the longest one has.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    pub(super) client: aws_sdk_s3::Client,
    room: Arc<Semaphore>,
}

impl Objects {
    /// Stand-ins for S3 have no names for buckets, so these stand in the path there.
    pub(super) fn of(config: &SdkConfig) -> Self {
        let is_stand_in = config.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(is_stand_in);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        Self { client, room: Arc::new(Semaphore::new(OBJECT_BYTES_MAX)) }
    }

    /// Hands over an object's records up to the last part, which is for the caller to send; of a
    /// digest, what is wrong with it.
    pub(super) async fn take(&self, object: &Object, feed: &Feed) -> Result<Taken, String> {
        match &feed.prover {
            _ if object.has_records() => self.read(object, feed).await,
            Some(prover) if object.is_digest() => self.prove(object, prover, feed).await,
            Some(_) | None => Ok(Taken::default()),
        }
    }

    async fn read(&self, object: &Object, feed: &Feed) -> Result<Taken, String> {
        let name = format!("s3://{}/{}", object.bucket, object.key);
        let at = |reason: String| format!("`{name}`: {reason}");
        let got = self.get(&object.bucket, &object.key).await.map_err(at)?;
        let Got { bytes, room, .. } = got.ok_or_else(|| at("it is gone".to_owned()))?;
        let (decoding, feed) = (name.clone(), feed.clone());
        let last = tokio::task::spawn_blocking(move || {
            feed.stream(Ordered::new(Records::new(&decoding, &*bytes)))
        });
        match last.await.map_err(|error| at(chain(&error)))? {
            Some(Ok(decoded)) => Ok(Taken { decoded, changes: Vec::new(), room: Some(room) }),
            Some(Err(Decoded { complaints, .. })) => {
                let reason = complaints.first().map_or("", |complaint| &complaint.message);
                Err(at(format!("nothing of it could be read: {reason}")))
            }
            None => Err(at("the intake stops".to_owned())),
        }
    }

    /// Checks a digest and the files that it names, as they lie in the bucket now.
    async fn prove(
        &self,
        object: &Object,
        prover: &Arc<Prover>,
        feed: &Feed,
    ) -> Result<Taken, String> {
        let place = Place { bucket: object.bucket.clone(), key: object.key.clone() };
        let name = format!("s3://{}/{}", object.bucket, object.key);
        let at = |reason: String| format!("`{name}`: {reason}");
        let got = self.get(&place.bucket, &place.key).await.map_err(at)?;
        let Got { bytes, signature, .. } = got.ok_or_else(|| at("it is gone".to_owned()))?;
        let (objects, handle, prover) = (self.clone(), feed.handle.clone(), Arc::clone(prover));
        let (called, feed) = (name.clone(), feed.clone());
        let proof = tokio::task::spawn_blocking(move || {
            let mut fetch = |_: &Digest, place: &Place| {
                let Place { bucket, key } = place;
                let got = handle.block_on(objects.get(bucket, key));
                let got = got.map_err(|reason| format!("`s3://{bucket}/{key}`: {reason}"))?;
                Ok(got.map(|got| got.bytes.to_vec()))
            };
            let signature = Some(signature.as_deref());
            let met = Met { name: &called, bytes: &bytes, place: Some(&place), signature };
            let proof = prover.prove(&met, &mut fetch);
            let changes = proof.settle(&prover, &feed);
            Taken { decoded: proof.decoded, changes, room: None }
        });
        proof.await.map_err(|error| at(chain(&error)))
    }

    /// An object as it lies there; `None` where it is gone.
    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Got>, String> {
        let answer = match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(chain(&error)),
        };
        let length = answer.content_length().and_then(|length| u32::try_from(length).ok());
        let length = length.filter(|length| *length as usize <= OBJECT_BYTES_MAX);
        let length = length.ok_or_else(|| format!("longer than {OBJECT_BYTES_MAX} bytes"))?;
        let room = Arc::clone(&self.room).acquire_many_owned(length).await;
        let room = room.map_err(|error| chain(&error))?;
        let signature = answer.metadata().and_then(|all| all.get("signature")).cloned();
        let bytes = answer.body.collect().await.map_err(|error| chain(&error))?.into_bytes();
        Ok(Some(Got { bytes, signature, room }))
    }
}

/// An object, what stands beside it as its signature, and its room.
struct Got {
    bytes: Bytes,
    signature: Option<String>,
    room: OwnedSemaphorePermit,
}

/// An error with its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
