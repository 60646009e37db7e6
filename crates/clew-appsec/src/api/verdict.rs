//! What a detector says, and how it becomes a [`Detected`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use clew_event::finding::{Entity, EntityKind, Priority};

use super::exchange::Exchange;
use super::habit::TELLING_BITS;
use crate::detected::Detected;

/// Fewer bits are not worth a word.
pub(super) const WORTH_BITS: f64 = 2.0;

/// An item of the OWASP API Security Top 10 (2023).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Item {
    Object,
    Authentication,
    Property,
    Consumption,
    Function,
    Flow,
    Address,
    Configuration,
    Inventory,
    Upstream,
}

impl Item {
    const fn tag(self) -> &'static str {
        match self {
            Self::Object => "OWASP_API1",
            Self::Authentication => "OWASP_API2",
            Self::Property => "OWASP_API3",
            Self::Consumption => "OWASP_API4",
            Self::Function => "OWASP_API5",
            Self::Flow => "OWASP_API6",
            Self::Address => "OWASP_API7",
            Self::Configuration => "OWASP_API8",
            Self::Inventory => "OWASP_API9",
            Self::Upstream => "OWASP_API10",
        }
    }
}

/// One thing that is strange about an exchange.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) item: Item,
    pub(super) rule: &'static str,
    pub(super) techniques: &'static [&'static str],
    pub(super) bits: f64,
    /// What the sentence says after the endpoint.
    pub(super) sentence: String,
    /// Object, field or account that it is about; part of what is told once.
    pub(super) object: String,
}

/// How much of a surprise is left by how it was answered: a blocked attempt is the background.
pub(super) const fn weight(status: u16) -> f64 {
    match status {
        200..300 => 1.0,
        300..400 => 0.7,
        500.. => 0.6,
        _ => 0.3,
    }
}

impl Verdict {
    /// As it leaves the crate. `endpoint` is the method with the template.
    pub(super) fn detected(self, exchange: &Exchange<'_>, endpoint: &str) -> Detected {
        let who = exchange.who_name();
        let request = exchange.request;
        let mut fields = BTreeMap::from([
            ("api.endpoint", endpoint.to_owned()),
            ("api.host", request.host.to_string()),
            ("api.principal", who.clone()),
            ("api.status", exchange.response.status.to_string()),
        ]);
        let mut entities = Vec::new();
        if let Some(principal) = &request.principal {
            entities.push(Entity {
                kind: EntityKind::User,
                id: principal.hash.to_string(),
                name: who.clone(),
            });
        }
        if !self.object.is_empty() {
            fields.insert("api.object", self.object.clone());
        }
        let host = request.host.to_string();
        let id = format!("{endpoint} at {host}");
        entities.push(Entity { kind: EntityKind::Resource, id: id.clone(), name: id });
        Detected {
            rule: Cow::Borrowed(self.rule),
            priority: priority(self.bits),
            techniques: self.techniques.to_vec(),
            tags: vec![self.item.tag()],
            bits: self.bits,
            entities,
            events: vec![exchange.http.exchange],
            output: format!(
                "{who} at {endpoint} of {host}: {} (answered {})",
                self.sentence, exchange.response.status
            ),
            fields,
        }
    }
}

fn priority(bits: f64) -> Priority {
    if 12.0 <= bits {
        Priority::Error
    } else if TELLING_BITS <= bits {
        Priority::Warning
    } else if 5.0 <= bits {
        Priority::Notice
    } else {
        Priority::Informational
    }
}
