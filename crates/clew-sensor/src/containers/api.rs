//! Questions to one runtime, each with a deadline.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, EventMessage};
use bollard::query_parameters::EventsOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use clew_event::{ContainerId, Text};
use futures_util::{Stream, TryStreamExt as _};

use super::facts;

/// What becomes of containers, by Docker's names and podman's.
const ACTIONS: [&str; 7] = ["create", "start", "die", "died", "destroy", "remove", "rename"];

/// Why a runtime cannot be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// It is not there.
    #[error("`{}` is absent", .0.display())]
    Absent(PathBuf),
    /// It does not answer.
    #[error("`{}` did not answer within {} s", .path.display(), .allowed.as_secs_f32())]
    Silent { path: PathBuf, allowed: Duration },
    /// It answered with an error, or not in its language.
    #[error("`{}` cannot be asked", .path.display())]
    Refused { path: PathBuf, source: Box<Error> },
    /// It ended the stream of events.
    #[error("`{}` stopped telling what happens", .0.display())]
    Ended(PathBuf),
}

impl Failure {
    /// The failure with its cause, in one line.
    pub(crate) fn told(&self) -> String {
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// What would help.
    pub(crate) fn fix(&self, runtime: &str) -> String {
        const WITHOUT: &str = "without it containers are told by id, without name and image";
        match self {
            Self::Absent(_) => format!("start {runtime} if its containers matter; {WITHOUT}"),
            Self::Silent { .. } | Self::Ended(_) => format!("look after {runtime}; {WITHOUT}"),
            Self::Refused { .. } => format!("run as root, or as a user of {runtime}; {WITHOUT}"),
        }
    }
}

/// One runtime that answered.
#[derive(Debug)]
pub(crate) struct Api {
    docker: Docker,
    path: PathBuf,
    answer_span: Duration,
    /// Name and version, as it told them.
    pub(crate) version: String,
}

impl Api {
    /// Finds the runtime and the version of the API that both speak.
    pub(crate) async fn connect(path: PathBuf, answer_span: Duration) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::Absent(path));
        }
        let refused = |source| Failure::Refused { path: path.clone(), source: Box::new(source) };
        // bollard's own deadline is in whole seconds; ours comes first.
        let bollard_seconds = answer_span.as_secs().saturating_add(1);
        let docker = Docker::connect_with_unix(
            &path.to_string_lossy(),
            bollard_seconds,
            API_DEFAULT_VERSION,
        )
        .map_err(refused)?;
        let silent = || Failure::Silent { path: path.clone(), allowed: answer_span };
        let docker = tokio::time::timeout(answer_span, docker.negotiate_version())
            .await
            .map_err(|_| silent())?
            .map_err(refused)?;
        let mut api = Self { docker, path, answer_span, version: String::new() };
        let version = api.ask(api.docker.version()).await?;
        api.version = format!(
            "version {}, API {}",
            version.version.as_deref().unwrap_or("unknown"),
            version.api_version.as_deref().unwrap_or("unknown"),
        );
        Ok(api)
    }

    /// Ids of the containers that run.
    pub(crate) async fn running(&self) -> Result<Vec<ContainerId>, Failure> {
        let containers = self.ask(self.docker.list_containers(None)).await?;
        Ok(containers.into_iter().filter_map(|container| id(&container.id?)).collect())
    }

    pub(crate) async fn inspect(
        &self,
        container: &ContainerId,
    ) -> Result<ContainerInspectResponse, Failure> {
        self.ask(self.docker.inspect_container(&container.0, None)).await
    }

    /// Digest of an image in its repository; empty for one that was built here.
    pub(crate) async fn digest(&self, image_id: &str) -> Result<Text, Failure> {
        let image = self.ask(self.docker.inspect_image(image_id)).await?;
        Ok(facts::digest(&image.repo_digests.unwrap_or_default()))
    }

    /// What becomes of containers from `since` (seconds since the epoch) on.
    pub(crate) fn events(
        &self,
        since: u64,
    ) -> impl Stream<Item = Result<EventMessage, Failure>> + Unpin {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        #[allow(
            clippy::disallowed_types,
            reason = "bollard asks for it; its order does not matter"
        )]
        let filters = HashMap::from([
            ("type".to_owned(), owned(&["container"])),
            ("event".to_owned(), owned(&ACTIONS)),
        ]);
        let options =
            EventsOptions { since: Some(since.to_string()), until: None, filters: Some(filters) };
        let path = self.path.clone();
        Box::pin(self.docker.events(Some(options)).map_err(move |source| Failure::Refused {
            path: path.clone(),
            source: Box::new(source),
        }))
    }

    /// That the stream of events ended.
    pub(crate) fn ended(&self) -> Failure {
        Failure::Ended(self.path.clone())
    }

    async fn ask<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.answer_span, question).await {
            Err(_) => Err(Failure::Silent { path: self.path.clone(), allowed: self.answer_span }),
            Ok(Err(source)) => {
                Err(Failure::Refused { path: self.path.clone(), source: Box::new(source) })
            }
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

/// A container id that may stand in a path of the API: 64 hexadecimal digits.
pub(crate) fn id(text: &str) -> Option<ContainerId> {
    const DIGITS: usize = 64;
    let is_id = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| ContainerId(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hexadecimal_digits_are_an_id() {
        assert!(id(&"0a".repeat(32)).is_some());
        assert!(id(&"0a".repeat(31)).is_none());
        assert!(id(&"../".repeat(64)).is_none());
        assert!(id(&"g".repeat(64)).is_none());
    }

    #[test]
    fn a_failure_is_told_with_its_cause_once() {
        let refused = Failure::Refused {
            path: "/x.sock".into(),
            source: Box::new(Error::RequestTimeoutError),
        };
        assert_eq!(
            refused.told(),
            format!("`/x.sock` cannot be asked: {}", Error::RequestTimeoutError)
        );
        let silent = Failure::Silent { path: "/x.sock".into(), allowed: Duration::from_secs(5) };
        assert_eq!(silent.told(), "`/x.sock` did not answer within 5 s");
    }
}
