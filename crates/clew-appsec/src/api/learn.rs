//! Judging an exchange, and then learning from it.

use super::Apis;
use super::detect::{Odd, authentication, configuration, consumption, function, object, property};
use super::endpoint::Endpoint;
use super::exchange::{Asked, Exchange};
use super::habit::Habit;
use super::known::{Api, Attempts, Known};
use super::path::{self, Standing};
use super::principal::{Principal, WINDOW_NS};
use super::sketch::hash32;
use super::verdict::Verdict;
use super::{attempt_keys, detect};

/// A principal with so many good answers is kept before those without.
const CONFIRMED_OKS: u32 = 8;
/// After so many, taking up a role is late.
const LATE_OKS: u32 = 16;
/// Templates that one source may count as new.
const FIRSTS_COUNTED: u32 = 8;

/// What judging found out that learning needs.
#[derive(Debug, Default)]
pub(super) struct Judged {
    odd: Odd,
    is_late: bool,
    is_move: bool,
    step_before: (u64, Option<u64>),
}

impl Apis {
    /// Counts what is counted before it is judged: rates, and attempts to log in.
    pub(super) fn count(&mut self, read: &Exchange<'_>) {
        let Some(endpoint) = self.endpoints.get_mut(read.endpoint) else { return };
        endpoint.exchanges = endpoint.exchanges.saturating_add(1);
        endpoint.last_ns = endpoint.last_ns.max(read.time_ns);
        if endpoint.statuses.len() < 64 || endpoint.statuses.contains_key(&read.response.status) {
            *endpoint.statuses.entry(read.response.status).or_default() += 1;
        }
        let principal = self.principals.or_insert_with(read.who, Principal::default);
        if let Some(used) = principal.use_of(read.endpoint) {
            if let Some(over) = used.count(read.time_ns) {
                endpoint.rate.add(u64::from(over.exchanges));
                endpoint.strange.add(over.strange);
            }
            used.slow = used.slow.saturating_add(u32::from(consumption::is_slow(endpoint, read)));
        }
        let Some(secret) = read.sent_field(&authentication::SECRETS) else { return };
        let failed = authentication::is_failed_login(read).then(|| {
            let account = read.sent_field(&authentication::ACCOUNTS);
            (account.map_or(0, |account| hash32(&account.value)), hash32(&secret.value))
        });
        for (key, spread) in attempt_keys(read).into_iter().zip(&mut endpoint.failed) {
            let attempts = self.attempts.or_insert_with(key, Attempts::default);
            let window = read.time_ns / WINDOW_NS;
            if attempts.window != window {
                let accounts = attempts.accounts.distinct();
                if 0 < accounts && !attempts.is_tainted {
                    spread.add(accounts + 1);
                }
                spread.add(1);
                *attempts = Attempts { window, ..Attempts::default() };
            }
            if let Some((account, secret)) = failed {
                attempts.accounts.add(account);
                attempts.secrets.add(secret);
            }
        }
    }

    /// Judges by what was known before, and changes only what is counted for judging.
    pub(super) fn judge(&mut self, read: &Exchange<'_>) -> (Vec<Verdict>, Judged) {
        let nobody = Principal::default();
        let Some(known) = self.known_of(read, &nobody) else { return Default::default() };
        let strange = object::strange(&known, read);
        // What is forgotten comes in any number, and is no enumeration.
        if let Some(who) = self.principals.get_mut(read.who).filter(|who| !who.handed_out.is_over)
            && let Some(used) = who.uses.get_mut(&read.endpoint)
        {
            for asked in &strange {
                used.count_strange(asked.hash, asked.number, read.is_refused());
            }
        }
        let Some(known) = self.known_of(read, &nobody) else { return Default::default() };
        let endpoint = self.endpoints.get(read.endpoint);
        let companions = endpoint.and_then(|endpoint| function::taken_up(&known, endpoint, read));
        let odd = Odd { strange, companions };
        let verdicts = detect::judge(&known, endpoint, read, &odd);
        let is_late = LATE_OKS <= known.principal.oks && companions.is_some();
        let is_move = authentication::is_move(&known, read);
        let step_before = function::step_before(&known, read);
        (verdicts, Judged { odd, is_late, is_move, step_before })
    }

    fn known_of<'a>(&'a self, read: &Exchange<'_>, nobody: &'a Principal) -> Option<Known<'a>> {
        Some(Known {
            apis: self,
            api: self.apis.get(read.api)?,
            principal: self.principals.get(read.who).unwrap_or(nobody),
            now_ns: read.time_ns,
        })
    }

    /// Learns from an exchange. One that is disputed teaches habits only, which know of that.
    pub(super) fn learn(&mut self, read: &Exchange<'_>, judged: &Judged, is_disputed: bool) {
        let Some(api) = self.apis.get_mut(read.api) else { return };
        api.learn_habits(read, judged);
        let principal = self.principals.or_insert_with(read.who, Principal::default);
        let endpoint = self.endpoints.get_mut(read.endpoint);
        let is_known = endpoint.is_some();
        if let Some(endpoint) = endpoint {
            endpoint.learn_habits(read, &judged.odd.strange, principal);
            if is_disputed {
                self.taint(read);
                return;
            }
            endpoint.learn(read, judged);
        } else if is_disputed {
            return;
        }
        if read.is_ok() {
            api.exchanges = api.exchanges.saturating_add(1);
            if read.request.principal.is_some() {
                api.principals.add(read.user());
            }
            principal.learn(read);
            if CONFIRMED_OKS <= principal.oks {
                self.principals.confirm(read.who);
            }
        }
        if read.teaches_paths() {
            self.learn_path(read, is_known);
        }
    }

    /// What is counted in this window teaches nothing.
    fn taint(&mut self, read: &Exchange<'_>) {
        let principal = self.principals.get_mut(read.who);
        if let Some(used) = principal.and_then(|who| who.uses.get_mut(&read.endpoint)) {
            used.is_tainted = true;
        }
        for key in attempt_keys(read) {
            if let Some(attempts) = self.attempts.get_mut(key) {
                attempts.is_tainted = true;
            }
        }
    }

    fn learn_path(&mut self, read: &Exchange<'_>, is_known: bool) {
        let by = path::Asked { source: read.source, time_ns: read.time_ns };
        if let Some(version) = read.route.version.filter(|_| is_known) {
            let versions = self.versions.or_insert_with(read.route.kin, Default::default);
            if versions.len() < 16 || versions.contains_key(&version) {
                *versions.entry(version).or_default() += 1;
            }
        }
        if is_known {
            self.paths.learn_known(&read.route, by);
            return;
        }
        let standing = self.paths.learn_new(&read.route, read.endpoint, by);
        let Some(api) = self.apis.get_mut(read.api) else { return };
        let principal = self.principals.or_insert_with(read.who, Principal::default);
        match standing {
            Standing::New if principal.firsts < FIRSTS_COUNTED => {
                principal.firsts += 1;
                api.singles = api.singles.saturating_add(1);
            }
            Standing::New | Standing::Waiting => {}
            Standing::Confirmed => {
                api.singles = api.singles.saturating_sub(1);
                let endpoint = Endpoint {
                    api: read.api,
                    method: read.request.method.clone(),
                    template: read.route.template().into(),
                    version: read.route.version,
                    kin: read.route.kin,
                    first_ns: read.time_ns,
                    last_ns: read.time_ns,
                    exchanges_before: api.exchanges,
                    ..Endpoint::default()
                };
                self.endpoints.or_insert_with(read.endpoint, || endpoint);
                self.endpoints.confirm(read.endpoint);
                self.apis.confirm(read.api);
            }
        }
    }
}

fn learn_habit(habit: &mut Habit, is_odd: bool, who: u32, age_ns: u64) {
    if is_odd {
        let bits = habit.bits(age_ns);
        habit.except(who, bits);
    } else {
        habit.keep();
    }
}

impl Api {
    fn learn_habits(&mut self, read: &Exchange<'_>, judged: &Judged) {
        let age_ns = self.age_ns(read.time_ns);
        let learn = |habit: &mut Habit, is_odd| learn_habit(habit, is_odd, read.user(), age_ns);
        learn(&mut self.moves, judged.is_move);
        learn(&mut self.leaks, configuration::leak(read).is_some());
        learn(&mut self.open_line, configuration::is_open_line(read));
        if read.is_ok() {
            learn(&mut self.unsigned, authentication::is_unsigned(read));
            learn(&mut self.expired, authentication::is_expired(read));
            learn(&mut self.shared, configuration::is_shared(read));
        }
    }
}

impl Endpoint {
    fn learn_habits(&mut self, read: &Exchange<'_>, strange: &[Asked], principal: &mut Principal) {
        if !read.is_ok() {
            return;
        }
        let (age_ns, who) = (self.age_ns(read.time_ns), read.user());
        learn_habit(&mut self.anonymous, read.request.principal.is_none(), who, age_ns);
        let classes = property::sensitive(&read.answer);
        let newest = self.answer.sensitive_bits(classes, age_ns);
        self.answer.learn_sensitive(classes, who, newest);
        if read.request.principal.is_none() {
            return;
        }
        for asked in read.asked() {
            let is_strange = strange.iter().any(|other| other.place == asked.place);
            if principal.handed_out.is_over {
                principal.recall.note(is_strange, read.time_ns);
            } else if let Some(habit) = self.owned_mut(&asked.place) {
                learn_habit(habit, is_strange, who, age_ns);
            }
        }
    }

    fn learn(&mut self, read: &Exchange<'_>, judged: &Judged) {
        if !read.is_ok() {
            return;
        }
        let who = read.user();
        self.oks = self.oks.saturating_add(1);
        if self.users.add(who) && judged.is_late {
            self.late_users = self.late_users.saturating_add(1);
        }
        for (place, part) in read.route.parts.iter().filter(|part| part.hole.is_some()).enumerate()
        {
            if self.parameters.len() <= place {
                self.parameters.push(Default::default());
            }
            if let Some(values) = self.parameters.get_mut(place) {
                values.add(hash32(&part.value));
            }
        }
        self.query.learn(&read.query, who);
        self.sent.learn(&read.sent, who);
        self.answer.learn(&read.answer, who);
        self.sent_bytes.add(read.request.body_bytes);
        self.answer_bytes.add(read.response.body_bytes);
        self.duration_us.add(read.response.duration_ns / 1000);
        if read.is_step() && read.request.principal.is_some() {
            let (before, gap_ms) = judged.step_before;
            self.steps.learn(before, gap_ms);
        }
    }
}

impl Principal {
    /// Learns from an exchange that was answered well.
    fn learn(&mut self, read: &Exchange<'_>) {
        self.last_ns = self.last_ns.max(read.time_ns);
        self.oks = self.oks.saturating_add(1);
        if let Some(used) = self.uses.get_mut(&read.endpoint) {
            used.oks = used.oks.saturating_add(1);
        }
        if let Some(network) = read.network {
            self.networks.add(network);
        }
        if let Some(agent) = read.agent {
            self.agents.add(agent);
        }
        if read.is_step() {
            self.step = Some((read.endpoint, read.time_ns));
        }
        if read.request.principal.is_some() {
            let asked = read.asked().into_iter().map(|asked| asked.hash);
            for object in read.handed_out().into_iter().chain(asked) {
                self.handed_out.add(object);
            }
        }
    }
}
