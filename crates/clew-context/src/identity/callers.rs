//! Callers that were there lately, under the names of their identities.
//!
//! Few callers make most calls, and to take a name apart costs more than to know it again. What is
//! kept follows from the call alone, so it is no part of a snapshot, and a caller that was pushed
//! out is made anew.

use std::sync::Arc;

use clew_event::Text;
use clew_event::control_plane::{ApiCall, ApiSource};

use super::claims::Caller;
use super::sketch::hash64;

/// Most callers that are kept.
const CALLERS_MAX: usize = 2048;

/// The callers, each at the place that its hash gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Callers(Vec<Option<(Key, Arc<Caller>)>>);

/// All that a caller follows from: log, caller, kind, issuer, credential, account.
type Key = (ApiSource, [Text; 5]);

fn texts(call: &ApiCall) -> [&Text; 5] {
    [&call.principal, &call.principal_kind, &call.issuer, &call.credential, &call.account]
}

impl Callers {
    pub(super) fn of(&mut self, call: &ApiCall) -> Arc<Caller> {
        let hash = hash64(&[call.principal.as_bytes(), call.credential.as_bytes()]);
        let place = usize::try_from(hash).unwrap_or_default() % CALLERS_MAX;
        self.0.resize(CALLERS_MAX, None);
        let texts = texts(call);
        if let Some(Some(((source, known), caller))) = self.0.get(place)
            && *source == call.source
            && known.iter().eq(texts)
        {
            return caller.clone();
        }
        let caller = Arc::new(Caller::of(call));
        if let Some(kept) = self.0.get_mut(place) {
            *kept = Some(((call.source, texts.map(Clone::clone)), caller.clone()));
        }
        caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_that_of_the_call_whoever_called_before_and_few_are_kept() {
        let mut callers = Callers::default();
        let call = ApiCall {
            source: ApiSource::Cloudtrail,
            principal: "arn:aws:sts::1:assumed-role/web/s".into(),
            credential: "ASIA1".into(),
            ..ApiCall::default()
        };
        let first = callers.of(&call);
        assert!(Arc::ptr_eq(&first, &callers.of(&call.clone())));
        let change: [fn(&mut ApiCall); 6] = [
            |call| call.source = ApiSource::KubernetesAudit,
            |call| call.principal = "ann".into(),
            |call| call.principal_kind = "IAMUser".into(),
            |call| call.issuer = "arn:aws:iam::1:role/web".into(),
            |call| call.credential = "ASIA2".into(),
            |call| call.account = "1".into(),
        ];
        for change in change {
            let mut other = call.clone();
            change(&mut other);
            let expected = format!("{:?}", Caller::of(&other));
            assert_eq!(format!("{:?}", callers.of(&other)), expected);
            assert_eq!(format!("{:?}", callers.of(&call)), format!("{first:?}"));
        }
        for number in 0..2 * CALLERS_MAX {
            callers.of(&ApiCall { principal: number.to_string().into(), ..call.clone() });
        }
        assert_eq!(callers.0.len(), CALLERS_MAX);
    }
}
