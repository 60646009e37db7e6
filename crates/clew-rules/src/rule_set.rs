//! The rules that can run, and the judgment of events by them.

use clew_event::{EventType, FieldSource};

use crate::judge::evaluate::{Scratch, judge};
use crate::judge::program::Program;
use crate::load::Matching;
use crate::output::Format;
use crate::{Output, Rule, RuleIndex};

/// Rules, compiled.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// As many as `rules`.
    pub(crate) formats: Vec<Format>,
    /// One for each source that rules are for.
    pub(crate) programs: Vec<SourceProgram>,
    pub(crate) matching: Matching,
}

/// The rules for one source.
#[derive(Debug)]
pub(crate) struct SourceProgram {
    source: String,
    program: Program,
    scratch: Scratch,
}

impl SourceProgram {
    pub(crate) fn new(source: &str, program: Program) -> Self {
        let scratch = Scratch::for_program(&program);
        Self { source: source.to_owned(), program, scratch }
    }
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

    /// True where a rule may match events of that type from that source. Events for which this is
    /// false need not be judged at all.
    #[must_use]
    pub fn wants(&self, event_type: EventType, source: &str) -> bool {
        let program = self.programs.iter().find(|program| program.source == source);
        program.is_some_and(|program| !program.program.roots(event_type).is_empty())
    }

    /// Event types for which a rule can match, in ascending order.
    #[must_use]
    pub fn event_types(&self, index: RuleIndex) -> Vec<EventType> {
        let can_match = |event_type: &EventType| {
            self.programs.iter().any(|program| {
                program.program.roots(*event_type).iter().any(|(rule, _)| *rule == index.0)
            })
        };
        EventType::ALL.iter().copied().filter(can_match).collect()
    }

    /// Appends to `matches` the rules that an event matches, in order of definition.
    ///
    /// Nothing is allocated where no rule matches (unless a rule uses a transformer): values and
    /// verdicts of the event are kept in scratch space that the set holds, which is why it is
    /// taken mutably.
    pub fn judge<F: FieldSource>(
        &mut self,
        event_type: EventType,
        source: &str,
        fields: &F,
        matches: &mut Vec<RuleIndex>,
    ) {
        let matching = self.matching;
        let Some(SourceProgram { program, scratch, .. }) =
            self.programs.iter_mut().find(|program| program.source == source)
        else {
            return;
        };
        let roots = program.roots(event_type);
        judge(program, scratch, roots, fields, |rule| {
            matches.push(RuleIndex(rule));
            matching == Matching::All
        });
    }

    /// The sentence of a rule about an event, and the fields it names with their values.
    #[must_use]
    pub fn output<F: FieldSource>(&self, index: RuleIndex, fields: &F) -> Output {
        let Some(rule) = self.rule(index) else { return Output::default() };
        let format = self.formats.get(index.0 as usize);
        let program = self.programs.iter().find(|program| program.source == rule.source);
        match (format, program) {
            (Some(format), Some(program)) => format.fill(&program.program, fields),
            _ => Output::default(),
        }
    }
}
