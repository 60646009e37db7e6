//! API10: what other services answer, when it carries something that harms whoever believes it
//! (unsafe consumption of APIs).

use clew_event::http::HttpEvent;
use clew_event::{Event, Text};
use serde::{Deserialize, Serialize};

use super::habit::Habit;
use super::sketch::{Seen, hash32, hash64, mix};
use super::value::find;
use super::verdict::{Item, Verdict, WORTH_BITS};
use super::{Apis, host};
use crate::detected::Detected;

/// Most fields of one service in which such values are usual.
pub(super) const HARMFUL_FIELDS_MAX: usize = 32;

/// What is known of one service that a workload asks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Upstream {
    first_ns: u64,
    /// Exceptions are answers that carry something harmful.
    harmful: Habit,
    /// Fields that did so.
    fields: Seen<HARMFUL_FIELDS_MAX>,
}

#[cfg(test)]
impl Upstream {
    pub(super) fn fields_kept(&self) -> usize {
        self.fields.kept().len()
    }
}

/// Text that is code to whoever does not expect it: SQL, markup, templates, shells, look-ups.
const HARMFUL: [&[u8]; 18] = [
    b"<script",
    b"javascript:",
    b"onerror=",
    b"union select",
    b"' or '",
    b"' or 1=1",
    b"'; drop table",
    b"${jndi:",
    b"{{7*7}}",
    b"__import__(",
    b"$(curl",
    b"$(id)",
    b"; curl ",
    b"|sh",
    b"../../",
    b"<!entity",
    b"__proto__",
    b"169.254.169.254",
];

impl Apis {
    /// Learns from an exchange that the application asked for, and adds what in its answer would
    /// harm whoever believes it.
    pub fn observe_upstream(
        &mut self,
        event: &Event,
        exchange: &HttpEvent,
        workload: &Text,
        found: &mut Vec<Detected>,
    ) {
        let Some(response) = exchange.response.as_deref() else { return };
        if exchange.is_inbound || !(200..300).contains(&response.status) {
            return;
        }
        let host = host(exchange.request.host.as_bytes());
        let key = mix(hash64(workload.as_bytes()), hash64(&host));
        let read = self.read(event.time.unix_ns(), exchange, response, mix(key, 1));
        let harmful = read.answer.iter().find_map(|leaf| {
            let value = leaf.value.to_ascii_lowercase();
            let words = HARMFUL.into_iter().find(|words| find(&value, words))?;
            Some((leaf.name.clone(), words))
        });
        let first_ns = read.time_ns;
        let upstream =
            self.upstreams.or_insert_with(key, || Upstream { first_ns, ..Upstream::default() });
        let Some((name, words)) = harmful else {
            upstream.harmful.keep();
            return;
        };
        let bits = upstream.harmful.bits(first_ns.saturating_sub(upstream.first_ns));
        upstream.harmful.except(hash32(name.as_bytes()), bits);
        let is_usual = upstream.fields.may_have(hash32(name.as_bytes()));
        if bits < WORTH_BITS {
            upstream.fields.add(hash32(name.as_bytes()));
        }
        if bits < WORTH_BITS || is_usual {
            return;
        }
        let verdict = Verdict {
            item: Item::Upstream,
            rule: "Harmful answer of another service",
            techniques: &["T1199"],
            bits,
            sentence: format!(
                "its field `{}` has `{}`, as no answer before",
                clew_event::text::escaped(name.as_bytes()),
                clew_event::text::escaped(words)
            ),
            object: name,
        };
        self.tell(&read, vec![verdict], found);
    }
}
