//! The rules that can run, and the judgment of events by them.

use clew_event::{EventType, FieldSource};

use crate::{Output, Rule, RuleIndex};

/// Rules, compiled.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// How many rules can match.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True where there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule of that number.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }

    /// All rules, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        (0..).map(RuleIndex).zip(&self.rules)
    }

    /// Appends to `matches` the rules that an event matches, in order of definition.
    ///
    /// Nothing is allocated where no rule matches: values and verdicts of the event are kept in
    /// scratch space that the set holds, which is why it is taken mutably.
    pub fn judge<F: FieldSource>(
        &mut self,
        event_type: EventType,
        source: &str,
        fields: &F,
        matches: &mut Vec<RuleIndex>,
    ) {
        let _ = (event_type, source, fields, matches);
    }

    /// The sentence of a rule about an event, and the fields it names with their values.
    #[must_use]
    pub fn output<F: FieldSource>(&self, index: RuleIndex, fields: &F) -> Output {
        let _ = (index, fields);
        Output::default()
    }
}
