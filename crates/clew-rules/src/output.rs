//! What a rule says of an event.

use std::collections::BTreeMap;

/// A rule's sentence with its fields filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The sentence; `<NA>` stands for what the event does not have.
    pub text: String,
    /// The fields it names, as the rule writes them; null for what the event does not have.
    pub fields: BTreeMap<String, serde_json::Value>,
}
