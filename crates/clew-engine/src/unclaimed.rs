//! Calls with credentials whose making was not told yet: when it is, they are judged again.
//!
//! The records of an account come in any order, minutes apart: what a stolen credential did often
//! comes before the call that handed it out, and nothing in it is strange by itself.

use std::collections::BTreeMap;

use clew_context::identity::habits::is_read;
use clew_context::identity::judged::Judged;
use clew_context::identity::key::Identity;
use clew_context::identity::lineage::LATE;
use clew_event::control_plane::ApiCall;
use clew_event::json::JsonIndex;
use clew_event::{Event, EventKind, Text, TimestampNs};
use serde::{Deserialize, Serialize, Serializer};

use crate::evidence;

/// Most credentials of which calls wait.
pub(crate) const CREDENTIALS_MAX: usize = 256;
/// Most calls that wait of one: a thief soon does what the credential was stolen for. Where there are
/// more, one that only reads makes room, so that nobody hides a deed behind many looks.
pub(crate) const CALLS_MAX: usize = 16;
/// Longest record of one that waits, in bytes; together at most 32 MiB.
pub(crate) const RECORD_BYTES_MAX: usize = 8 << 10;

/// A call that may mean more once it is known whose its credential is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    #[serde(serialize_with = "without_secrets")]
    pub event: Event,
    pub judged: Judged,
    /// The rules that matched it so far.
    pub matched: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Young {
    credential: Identity,
    /// That it was the so manieth to come.
    turn: u64,
    /// Whose share of the room it takes.
    account: Text,
    /// Its first calls in the order in which they came.
    waiting: Vec<Waiting>,
}

impl Young {
    /// Makes room by the first call that only reads; false where there is none.
    fn give_up_a_look(&mut self) -> bool {
        let look = self.waiting.iter().position(|it| it.event.api_call().is_some_and(is_look));
        look.map(|at| self.waiting.remove(at)).is_some()
    }

    /// Whether a record of its making may still come at that time.
    fn is_in_time(&self, time: TimestampNs) -> bool {
        self.waiting.first().is_some_and(|first| time.since(first.event.time) < LATE)
    }
}

fn is_look(call: &ApiCall) -> bool {
    is_read(call.action.as_bytes())
}

/// The first calls of young credentials.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Unclaimed {
    /// Ascending by credential.
    young: Vec<Young>,
    turns: u64,
    dropped: u64,
}

impl Unclaimed {
    /// Keeps a call, as long as there is room for its credential's.
    pub(crate) fn keep(
        &mut self,
        event: &Event,
        judged: &Judged,
        matched: impl FnOnce() -> Vec<String>,
    ) {
        let (Some(call), Some(credential)) = (event.api_call(), judged.credential()) else {
            return;
        };
        let place = self.place_of(credential);
        let known = place.ok().and_then(|at| self.young.get_mut(at));
        let is_long = RECORD_BYTES_MAX < call.record.as_bytes().len();
        let is_full = known.as_ref().is_some_and(|young| CALLS_MAX <= young.waiting.len());
        self.dropped += u64::from(is_long || is_full);
        let makes_room = || !is_look(call) && known.is_some_and(Young::give_up_a_look);
        if is_long || is_full && !makes_room() {
            return;
        }
        let mut event = event.clone();
        if let EventKind::KubernetesApi(call) | EventKind::CloudApi(call) = &mut event.kind {
            // It can be made again.
            call.index = JsonIndex::default();
        }
        let time = event.time;
        let waiting = Waiting { event, judged: judged.clone(), matched: matched() };
        let at = place.unwrap_or_else(|at| {
            self.turns += 1;
            let (credential, turn) = (credential.clone(), self.turns);
            let (account, waiting) = (call.account.clone(), Vec::new());
            self.young.insert(at, Young { credential, turn, account, waiting });
            at
        });
        if let Some(young) = self.young.get_mut(at) {
            young.waiting.push(waiting);
        }
        if CREDENTIALS_MAX < self.young.len() {
            self.give_up(time);
        }
    }

    fn place_of(&self, credential: &Identity) -> Result<usize, usize> {
        self.young.binary_search_by(|young| young.credential.cmp(credential))
    }

    /// The account with most gives up its oldest, so that none pushes out those of others.
    fn give_up(&mut self, time: TimestampNs) {
        let mut counts: BTreeMap<&Text, usize> = BTreeMap::new();
        self.young.iter().for_each(|young| *counts.entry(&young.account).or_default() += 1);
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        let all = self.young.iter().enumerate();
        let of_most = all.filter(|(_, young)| most.is_some_and(|(of, _)| young.account == *of));
        let oldest = of_most.min_by_key(|(_, young)| young.turn).map(|(at, _)| at);
        if let Some(at) = oldest {
            let gone = self.young.remove(at);
            // One whose time is over is no loss.
            self.dropped += if gone.is_in_time(time) { gone.waiting.len() as u64 } else { 0 };
        }
    }

    /// How many calls of a credential wait.
    pub(crate) fn count_of(&self, credential: &Identity) -> usize {
        let young = self.place_of(credential).ok().and_then(|at| self.young.get(at));
        young.map_or(0, |young| young.waiting.len())
    }

    /// The call of a credential that came as that one, from 0, to be judged again.
    pub(crate) fn get_mut(&mut self, (of, at): (&Identity, usize)) -> Option<&mut Waiting> {
        let young = self.place_of(of).ok().and_then(|at| self.young.get_mut(at))?;
        young.waiting.get_mut(at)
    }

    /// Calls for which there was no room, or that went before their time was over.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn without_secrets<S: Serializer>(event: &Event, serializer: S) -> Result<S::Ok, S::Error> {
    evidence::kept(event).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use clew_context::Context;
    use clew_context::identity::key::IdentityKind;
    use clew_event::control_plane::ApiSource;
    use clew_event::{EventId, EventType};

    use super::*;

    fn call(id: u128, (account, key): (&str, String), record_bytes: usize) -> Event {
        let call = ApiCall {
            source: ApiSource::Cloudtrail,
            account: account.into(),
            credential: key.as_str().into(),
            principal: "arn:aws:sts::1:assumed-role/web/s".into(),
            record: "x".repeat(record_bytes).as_str().into(),
            ..ApiCall::default()
        };
        Event {
            id: EventId(id),
            time: TimestampNs::from_unix_ns(1 << 60),
            arrived: TimestampNs::default(),
            event_type: EventType::Other,
            actor: None,
            kind: EventKind::CloudApi(Box::new(call)),
        }
    }

    fn keep(unclaimed: &mut Unclaimed, event: &Event) {
        let mut context = Context::default();
        context.observe(event);
        unclaimed.keep(event, context.identities().unclaimed(event).unwrap(), Vec::new);
    }

    fn count_of(unclaimed: &Unclaimed, key: &str) -> usize {
        unclaimed.count_of(&Identity::new(IdentityKind::Credential, key))
    }

    #[test]
    fn at_most_calls_max_of_record_bytes_max_wait_of_a_credential_and_the_rest_is_counted() {
        let mut unclaimed = Unclaimed::default();
        keep(&mut unclaimed, &call(0, ("1", "ASIA".into()), RECORD_BYTES_MAX + 1));
        for id in 1..=CALLS_MAX as u128 + 2 {
            keep(&mut unclaimed, &call(id, ("1", "ASIA".into()), RECORD_BYTES_MAX));
        }
        assert_eq!((count_of(&unclaimed, "ASIA"), unclaimed.dropped()), (CALLS_MAX, 3));
    }

    #[test]
    fn a_deed_behind_many_looks_waits_in_the_place_of_one() {
        let mut unclaimed = Unclaimed::default();
        let many = CALLS_MAX as u128;
        for id in 0..many * 3 {
            let mut event = call(id, ("1", "ASIA".into()), 0);
            if let EventKind::CloudApi(call) = &mut event.kind {
                call.action = if id < many * 2 { "ListUsers" } else { "CreateUser" }.into();
            }
            keep(&mut unclaimed, &event);
        }
        let waiting = unclaimed.young[0].waiting.iter().map(|it| it.event.id.0);
        assert!(waiting.eq(many * 2..many * 3));
        assert_eq!(unclaimed.dropped(), CALLS_MAX as u64 * 2);
    }

    #[test]
    fn an_account_that_makes_up_credentials_gives_up_its_own_oldest() {
        let mut unclaimed = Unclaimed::default();
        keep(&mut unclaimed, &call(0, ("1", "ASIAOTHER".into()), 0));
        for id in 1..=CREDENTIALS_MAX as u128 + 1 {
            keep(&mut unclaimed, &call(id, ("2", format!("ASIA{id}")), 0));
        }
        assert_eq!((unclaimed.young.len(), unclaimed.dropped()), (CREDENTIALS_MAX, 2));
        let counts = ["ASIAOTHER", "ASIA2", "ASIA3"].map(|key| count_of(&unclaimed, key));
        assert_eq!(counts, [1, 0, 1]);
    }

    #[test]
    fn one_whose_time_is_over_is_no_loss() {
        let mut unclaimed = Unclaimed::default();
        for id in 0..=CREDENTIALS_MAX as u128 {
            let mut event = call(id, ("2", format!("ASIA{id}")), 0);
            event.time = event.time.after(LATE * u32::try_from(id).unwrap());
            keep(&mut unclaimed, &event);
        }
        assert_eq!((unclaimed.young.len(), unclaimed.dropped()), (CREDENTIALS_MAX, 0));
    }
}
