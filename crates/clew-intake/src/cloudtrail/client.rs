//! How AWS is reached, and reading one object.

use std::path::Path;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clew_decode::api_log::{Decoded, Ordered, Records};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
        !self.key.contains("/CloudTrail-Digest/") && !self.key.ends_with('/')
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

/// The last part of what an object holds, and its room.
pub(super) type Read = (Decoded, OwnedSemaphorePermit);

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

    /// Hands over an object's records up to the last part, which is for the caller to send. Its
    /// room is to be kept until then.
    pub(super) async fn read(&self, object: &Object, feed: &Feed) -> Result<Read, String> {
        let Object { bucket, key } = object;
        let name = format!("s3://{bucket}/{key}");
        let at = |reason: String| format!("`{name}`: {reason}");
        let answer = self.client.get_object().bucket(bucket).key(key).send().await;
        let answer = answer.map_err(|error| at(chain(&error)))?;
        let length = answer.content_length().and_then(|length| u32::try_from(length).ok());
        let length = length.filter(|length| *length as usize <= OBJECT_BYTES_MAX);
        let length = length.ok_or_else(|| at(format!("longer than {OBJECT_BYTES_MAX} bytes")))?;
        let room = Arc::clone(&self.room).acquire_many_owned(length).await;
        let room = room.map_err(|error| at(chain(&error)))?;
        let bytes = answer.body.collect().await.map_err(|error| at(chain(&error)))?.into_bytes();
        let (decoding, feed) = (name.clone(), feed.clone());
        let last = tokio::task::spawn_blocking(move || {
            feed.stream(Ordered::new(Records::new(&decoding, &*bytes)))
        });
        match last.await.map_err(|error| at(chain(&error)))? {
            Some(Ok(last)) => Ok((last, room)),
            Some(Err(Decoded { complaints, .. })) => {
                let reason = complaints.first().map_or("", |complaint| &complaint.message);
                Err(at(format!("nothing of it could be read: {reason}")))
            }
            None => Err(at("the intake stops".to_owned())),
        }
    }
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
