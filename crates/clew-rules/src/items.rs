//! Items of rule files: what each may say, read from YAML.

mod exception;
mod read;
mod reader;
pub(crate) mod version;

pub(crate) use exception::{Entry, Exception, push_quoted, with_exceptions};
pub(crate) use read::{priority_named, read_item};

use std::collections::BTreeSet;

use clew_event::Priority;

use crate::traced::{Place, Traced};

/// One item, decoded.
#[derive(Debug)]
pub(crate) enum Item {
    List {
        name: Name,
        items: Vec<Traced>,
        is_appended: bool,
    },
    Macro {
        name: Name,
        condition: Traced,
        is_appended: bool,
    },
    Rule(Box<RuleItem>),
    RuleChanges {
        name: Name,
        append: Option<Box<Changes>>,
        replace: Option<Box<Changes>>,
    },
    RuleEnabled {
        name: Name,
        is_enabled: bool,
    },
    /// A requirement that is met, or was reported.
    Requirement,
}

/// The name of an item and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub text: String,
    pub place: Place,
}

/// A whole rule.
#[derive(Clone, Debug)]
pub(crate) struct RuleItem {
    pub name: Name,
    pub condition: Traced,
    pub output: Traced,
    pub description: String,
    pub priority: Priority,
    pub source: String,
    pub tags: BTreeSet<String>,
    pub exceptions: Vec<Exception>,
    pub is_enabled: bool,
    pub warns_of_event_types: bool,
    pub skips_unknown_fields: bool,
}

/// What an item changes of a rule that is defined before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub source: String,
    pub condition: Option<Traced>,
    pub output: Option<Traced>,
    pub description: Option<String>,
    pub priority: Option<Priority>,
    pub tags: Option<BTreeSet<String>>,
    pub exceptions: Option<Vec<Exception>>,
    pub is_enabled: Option<bool>,
    pub warns_of_event_types: Option<bool>,
    pub skips_unknown_fields: Option<bool>,
    /// True where a key is given that has no effect here: `capture`, `capture_duration`.
    pub has_capture: bool,
}

impl Changes {
    /// True where nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.condition.is_none()
            && self.output.is_none()
            && self.description.is_none()
            && self.priority.is_none()
            && self.tags.is_none()
            && self.exceptions.is_none()
            && self.is_enabled.is_none()
            && self.warns_of_event_types.is_none()
            && self.skips_unknown_fields.is_none()
            && !self.has_capture
    }
}
