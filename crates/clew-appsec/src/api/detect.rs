//! The detectors, one or more for each item of the OWASP API Security Top 10 (2023).
//!
//! All judge by what was known before the exchange and change nothing. API10 has its own way in
//! ([`super::Apis::observe_upstream`]), because it is about exchanges that the application asks
//! for.

pub(super) mod authentication;
pub(super) mod configuration;
pub(super) mod consumption;
pub(super) mod function;
pub(super) mod inventory;
pub(super) mod object;
pub(super) mod property;

use super::endpoint::Endpoint;
use super::exchange::{Asked, Exchange};
use super::known::Known;
use super::verdict::{Verdict, WORTH_BITS};

/// What was found out before, because learning needs it too.
#[derive(Debug, Default)]
pub(super) struct Odd {
    /// Objects that were not handed out to who asks for them.
    pub(super) strange: Vec<Asked>,
    /// Further endpoints of a role that the principal takes up.
    pub(super) companions: Option<usize>,
}

/// Everything strange about an exchange; `endpoint` is `None` where it is not known yet.
pub(super) fn judge(
    known: &Known<'_>,
    endpoint: Option<&Endpoint>,
    exchange: &Exchange<'_>,
    odd: &Odd,
) -> Vec<Verdict> {
    let mut found = Vec::new();
    authentication::judge_token(known, exchange, &mut found);
    configuration::judge(known, exchange, &mut found);
    if let Some(endpoint) = endpoint {
        object::judge(known, endpoint, (exchange, &odd.strange), &mut found);
        authentication::judge(known, endpoint, exchange, &mut found);
        property::judge(known, endpoint, exchange, &mut found);
        consumption::judge(known, endpoint, exchange, &mut found);
        if let Some(companions) = odd.companions {
            function::judge_function(known, endpoint, (exchange, companions), &mut found);
        }
        function::judge_flow(known, endpoint, exchange, &mut found);
        inventory::judge_zombie(known, endpoint, exchange, &mut found);
    } else if exchange.teaches_paths() && !known.apis.is_pending(exchange.endpoint) {
        inventory::judge_new(known, exchange, &mut found);
    }
    found.retain(|verdict| WORTH_BITS <= verdict.bits);
    found
}
