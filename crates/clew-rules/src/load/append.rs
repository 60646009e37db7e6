//! What the user adds to the outputs of rules: `append_output` of the original.
//!
//! Entries are applied in order; one may add text to the sentence and fields that alerts carry
//! beside it. Unlike the original, an addition that is wrong for a rule (a field that its source
//! does not have) costs the addition and not the rule: a typing mistake in an output must not
//! blind anybody.

use crate::items::RuleItem;

/// Fields that the original's plugins suggest for rules about system calls, in its order.
const SUGGESTED: [&str; 6] = [
    "container_id=%container.id",
    "container_name=%container.name",
    "container_image_repository=%container.image.repository",
    "container_image_tag=%container.image.tag",
    "k8s_pod_name=%k8s.pod.name",
    "k8s_ns_name=%k8s.ns.name",
];

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules for this source; all where it is empty.
    pub source: String,
    /// Only the rule of this name; all where it is empty.
    pub rule: String,
    /// Only rules that have all of these tags.
    pub tags: Vec<String>,
    /// Text that is added to the sentence, with `%field`s; nothing where it is empty.
    pub text: String,
    /// Names of fields that alerts carry, each with its text; `None` for the field of that name.
    pub fields: Vec<(String, Option<String>)>,
    /// Adds the container and the pod to the sentences of rules about system calls.
    pub is_suggested: bool,
}

/// One thing to add to a rule's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addition<'a> {
    /// Text with `%field`s, behind the sentence.
    Text(&'a str),
    /// A text with `%field`s that alerts carry under a name.
    NamedText(&'a str, &'a str),
    /// A field that alerts carry under its own name.
    Field(&'a str),
}

/// What is added to the output of a rule, sentences first, as in the original.
pub(super) fn additions<'a>(entries: &'a [AppendOutput], rule: &RuleItem) -> Vec<Addition<'a>> {
    let fitting = || entries.iter().filter(|entry| entry.fits(rule));
    let mut additions = Vec::new();
    for entry in fitting() {
        if !entry.text.is_empty() {
            additions.push(Addition::Text(&entry.text));
        }
        if entry.is_suggested && rule.source == "syscall" {
            additions.extend(SUGGESTED.map(Addition::Text));
        }
    }
    for entry in fitting() {
        additions.extend(entry.fields.iter().map(|(name, text)| match text {
            Some(text) => Addition::NamedText(name, text),
            None => Addition::Field(name),
        }));
    }
    additions
}

impl AppendOutput {
    fn fits(&self, rule: &RuleItem) -> bool {
        (self.source.is_empty() || self.source == rule.source)
            && (self.rule.is_empty() || self.rule == rule.name.text)
            && self.tags.iter().all(|tag| rule.tags.contains(tag))
    }
}
