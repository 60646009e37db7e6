//! The engine's state as bytes, and back.
//!
//! A snapshot with the events after it gives the same engine as all events. Rules are not part
//! of it: a restart may bring new ones.

use clew_appsec::api::Apis;
use clew_context::Context;
use clew_profile::Profiles;
use clew_rules::{Correlations, RuleSet};
use clew_story::Stories;
use serde::{Deserialize, Serialize};

use crate::engine::{Counts, Engine, Settings};
use crate::tally::Tallies;
use crate::told::Told;
use crate::unclaimed::Unclaimed;
use crate::witnesses::Witnesses;

/// Version of the snapshot's form; another one is refused, and the engine begins anew.
pub const SNAPSHOT_VERSION: u16 = 5;

/// Why a snapshot could not be taken back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It was written by another version.
    #[error(
        "snapshot has version {given}, this Clew reads {SNAPSHOT_VERSION}: \
         delete it to begin with an empty state"
    )]
    Version {
        /// The snapshot's version.
        given: u16,
    },
    /// It is damaged.
    #[error("snapshot cannot be read: delete it to begin with an empty state")]
    Malformed(#[source] serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u16,
    counts: Counts,
    context: &'a Context,
    stories: &'a Stories,
    tallies: &'a Tallies,
    correlations: &'a Correlations,
    told: &'a Told,
    witnesses: &'a Witnesses,
    unclaimed: &'a Unclaimed,
    apis: &'a Apis,
    profiles: &'a Profiles,
}

/// An engine's state without its rules, as it was kept.
#[derive(Debug, Deserialize)]
pub struct State {
    counts: Counts,
    context: Context,
    stories: Stories,
    #[serde(default)]
    tallies: Tallies,
    #[serde(default)]
    correlations: Correlations,
    #[serde(default)]
    told: Told,
    #[serde(default)]
    witnesses: Witnesses,
    #[serde(default)]
    unclaimed: Unclaimed,
    apis: Apis,
    #[serde(default)]
    profiles: Profiles,
}

impl State {
    /// Reads what [`Engine::snapshot`] wrote.
    ///
    /// # Errors
    /// [`RestoreError`] when it is of another version or damaged.
    pub fn read(snapshot: &[u8]) -> Result<Self, RestoreError> {
        #[derive(Deserialize)]
        struct Head {
            version: u16,
        }
        let head: Head = serde_json::from_slice(snapshot).map_err(RestoreError::Malformed)?;
        if head.version != SNAPSHOT_VERSION {
            return Err(RestoreError::Version { given: head.version });
        }
        serde_json::from_slice(snapshot).map_err(RestoreError::Malformed)
    }

    /// What was learned of workloads, without the rest.
    #[must_use]
    pub fn into_profiles(self) -> Profiles {
        self.profiles
    }

    /// What was known of machines and identities, without the rest.
    #[must_use]
    pub fn into_context(self) -> Context {
        self.context
    }
}

impl Engine {
    /// The whole state as JSON.
    ///
    /// # Errors
    /// When a part cannot be written as JSON, which is a defect of that part.
    pub fn snapshot(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Written {
            version: SNAPSHOT_VERSION,
            counts: self.counts,
            context: &self.context,
            stories: &self.stories,
            tallies: &self.tallies,
            correlations: &self.correlations,
            told: &self.told,
            witnesses: &self.witnesses,
            unclaimed: &self.unclaimed,
            apis: &self.apis,
            profiles: &self.profiles,
        })
    }

    /// An engine that goes on from `state` with `rules`. Requests and their effects are judged,
    /// unless [`Engine::set_appsec`] says otherwise.
    #[must_use]
    pub fn resume(rules: RuleSet, state: State) -> Self {
        let mut engine = Self::new(rules, Settings::default());
        let State { counts, context, stories, tallies, correlations, told, .. } = state;
        let (witnesses, apis, profiles) = (state.witnesses, state.apis, state.profiles);
        engine.context = context;
        engine.context.set_semantics(engine.rules.semantics());
        (engine.counts, engine.stories, engine.told, engine.apis) = (counts, stories, told, apis);
        (engine.tallies, engine.correlations) = (tallies, correlations);
        (engine.witnesses, engine.profiles) = (witnesses, profiles);
        engine.unclaimed = state.unclaimed;
        engine
    }
}
