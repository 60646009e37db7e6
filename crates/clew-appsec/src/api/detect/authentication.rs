//! API2: who asks is not who they say (broken authentication).

use super::super::endpoint::Endpoint;
use super::super::exchange::Exchange;
use super::super::habit::Habit;
use super::super::known::{Attempts, Known};
use super::super::schema::excess;
use super::super::verdict::{Item, Verdict, weight};

/// Bits of what no sound application answers well, before anything is learned of it.
const UNSIGNED_BITS: f64 = 10.0;
const EXPIRED_BITS: f64 = 9.0;
/// Attempts that came to something.
const SUCCESS_WEIGHT: f64 = 1.3;
/// Seconds by which clocks may differ.
const LEEWAY_S: u64 = 300;
/// Fewer accounts that failed in ten minutes are people who mistype.
const CLIENT_ACCOUNTS_MIN: u64 = 8;
const ALL_ACCOUNTS_MIN: u64 = 24;
/// A principal was active so shortly before that it cannot have moved.
const ACTIVE_NS: u64 = 1_800_000_000_000;

/// Fields that hold a secret, and those that name an account.
pub(in super::super) const SECRETS: [&str; 7] =
    ["password", "passwd", "pwd", "pass", "pin", "otp", "secret"];
pub(in super::super) const ACCOUNTS: [&str; 6] =
    ["username", "user", "email", "login", "account", "phone"];

/// An attempt to log in that failed.
pub(in super::super) fn is_failed_login(exchange: &Exchange<'_>) -> bool {
    matches!(exchange.response.status, 400 | 401 | 403 | 422 | 429)
        && exchange.sent_field(&SECRETS).is_some()
}

/// A token that says of itself that it is not signed.
pub(in super::super) fn is_unsigned(exchange: &Exchange<'_>) -> bool {
    let principal = exchange.request.principal.as_ref();
    principal.is_some_and(|who| who.algorithm.as_bytes().eq_ignore_ascii_case(b"none"))
}

/// A token whose time was over.
pub(in super::super) fn is_expired(exchange: &Exchange<'_>) -> bool {
    let now_s = exchange.time_ns / 1_000_000_000;
    let expires = exchange.request.principal.as_ref().and_then(|who| who.expires);
    expires.is_some_and(|at| u64::try_from(at).unwrap_or(0).saturating_add(LEEWAY_S) < now_s)
}

/// A network and a program that are both new to a principal that was active just before.
pub(in super::super) fn is_move(known: &Known<'_>, exchange: &Exchange<'_>) -> bool {
    let (Some(network), Some(agent)) = (exchange.network, exchange.agent) else { return false };
    let principal = known.principal;
    exchange.request.principal.is_some()
        && !principal.networks.kept().is_empty()
        && !principal.networks.may_have(network)
        && !principal.agents.may_have(agent)
        && exchange.time_ns.saturating_sub(principal.last_ns) < ACTIVE_NS
}

/// Bits of what is wrong anywhere, less where this API does it all the time.
pub(in super::super) fn known_wrong(habit: &Habit, age_ns: u64, bits: f64) -> f64 {
    habit.bits(age_ns).max(bits) * (1.0 - f64::from(habit.odd_percent()) / 100.0)
}

/// What the token itself tells.
pub(super) fn judge_token(known: &Known<'_>, exchange: &Exchange<'_>, found: &mut Vec<Verdict>) {
    if !exchange.is_ok() {
        return;
    }
    let age_ns = known.api.age_ns(known.now_ns);
    let mut wrong = |rule, bits, sentence: &str| {
        found.push(Verdict {
            item: Item::Authentication,
            rule,
            techniques: &["T1078", "T1190"],
            bits,
            sentence: sentence.to_owned(),
            object: rule.to_owned(),
        });
    };
    if is_unsigned(exchange) {
        let bits = known_wrong(&known.api.unsigned, age_ns, UNSIGNED_BITS);
        wrong("Token without signature accepted", bits, "its token says `alg: none`");
    }
    if is_expired(exchange) {
        let bits = known_wrong(&known.api.expired, age_ns, EXPIRED_BITS);
        wrong("Expired token accepted", bits, "its token has expired");
    }
    if is_move(known, exchange) {
        let sentence = "its credential comes from a network and a program that are both new to \
                        it, while it was active from another";
        wrong("Credential reused from elsewhere", known.api.moves.bits(age_ns), sentence);
    }
}

pub(super) fn judge<'a>(
    known: &Known<'a>,
    endpoint: &Endpoint,
    exchange: &Exchange<'_>,
    found: &mut Vec<Verdict>,
) {
    let age_ns = endpoint.age_ns(known.now_ns);
    if exchange.request.principal.is_none() && exchange.is_ok() {
        found.push(Verdict {
            item: Item::Authentication,
            rule: "Answered without a principal",
            techniques: &["T1190"],
            bits: endpoint.anonymous.bits(age_ns) * weight(exchange.response.status),
            sentence: format!(
                "no credential was given, as with {} of 100 answers",
                endpoint.anonymous.odd_percent()
            ),
            object: "anonymous".to_owned(),
        });
    }
    if exchange.sent_field(&SECRETS).is_none() {
        return;
    }
    let (client, all) = attempts(known, exchange);
    let [failed_by_client, failed_by_all] = &endpoint.failed;
    let many = |attempts: Option<&'a Attempts>, usual, least| {
        let attempts = attempts?;
        let accounts = attempts.accounts.distinct();
        let bits = excess(usual, accounts + 1, least, age_ns);
        (0.0 < bits).then_some((attempts, accounts, bits))
    };
    let by_client = many(client, failed_by_client, CLIENT_ACCOUNTS_MIN);
    let by_all = many(all, failed_by_all, ALL_ACCOUNTS_MIN);
    let (whose, worst) = match (by_client, by_all) {
        (Some(worst), _) => ("one client", worst),
        (None, Some(worst)) => ("many clients", worst),
        (None, None) => return,
    };
    let (attempts, accounts, bits) = worst;
    let secrets = attempts.secrets.distinct();
    let is_spraying = secrets * 4 <= accounts;
    found.push(Verdict {
        item: Item::Authentication,
        rule: if is_spraying { "Passwords sprayed" } else { "Credentials stuffed" },
        techniques: if is_spraying { &["T1110.003"] } else { &["T1110.004"] },
        // That it fails is the attack; where it succeeds at last, an account is lost.
        bits: if exchange.is_ok() { bits * SUCCESS_WEIGHT } else { bits },
        sentence: format!(
            "{whose} failed for {accounts} accounts with {secrets} passwords within ten minutes{}",
            if exchange.is_ok() { ", and then succeeded" } else { "" }
        ),
        object: if exchange.is_ok() { "success" } else { "attempts" }.to_owned(),
    });
}

/// Attempts of this client, and of all, in this window.
fn attempts<'a>(
    known: &Known<'a>,
    exchange: &Exchange<'_>,
) -> (Option<&'a Attempts>, Option<&'a Attempts>) {
    let [client, all] = super::super::attempt_keys(exchange);
    let window = exchange.time_ns / super::super::principal::WINDOW_NS;
    let of = |key| known.apis.attempts.get(key).filter(|attempts| attempts.window == window);
    (of(client), of(all))
}
