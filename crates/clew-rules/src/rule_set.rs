//! The rules that can run, and the judgment of events by them.

use clew_event::{EventType, FieldArgument, FieldId, FieldSource, FieldValue, Scalar, Semantics};

use crate::correlation::Correlation;
use crate::judge::evaluate::{Scratch, judge};
use crate::judge::program::Program;
use crate::load::Matching;
use crate::output::Format;
use crate::{Output, Rule, RuleIndex};

/// Rules, compiled.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// As many as `rules`.
    pub(crate) formats: Vec<Format>,
    /// In an order in which one stands behind those that it is about.
    pub(crate) correlations: Vec<Correlation>,
    /// Rules whose matches make no finding of their own.
    pub(crate) silent: rustc_hash::FxHashSet<u32>,
    /// One for each source that rules are for.
    pub(crate) programs: Vec<SourceProgram>,
    pub(crate) matching: Matching,
    pub(crate) semantics: Semantics,
    /// As many as `rules`: whether the condition asks how the call ended.
    pub(crate) asks_for_result: Vec<bool>,
}

/// The rules for one source.
#[derive(Clone, Debug)]
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
        self.program(source).is_some_and(|program| !program.roots(event_type).is_empty())
    }

    /// What judges events of that source.
    pub(crate) fn program(&self, source: &str) -> Option<&Program> {
        let program = self.programs.iter().find(|program| program.source == source);
        program.map(|program| &program.program)
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
        let is_no_exec = !self.semantics.is_falco() && is_exec(event_type) && has_failed(fields);
        let asks_for_result = &self.asks_for_result;
        let Some(SourceProgram { program, scratch, .. }) =
            self.programs.iter_mut().find(|program| program.source == source)
        else {
            return;
        };
        judge(program, scratch, event_type, fields, |rule| {
            if is_no_exec && !is_set(asks_for_result, rule) {
                return true;
            }
            matches.push(RuleIndex(rule));
            matching == Matching::All
        });
    }

    /// Who is followed where Clew and Falco differ; for the context that shows events.
    #[must_use]
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Whether a rule judges an `execve` that failed. In Falco each does, by the program that tried
    /// it, which did nothing new; else only one whose condition asks how the call ended.
    pub(crate) fn judges_failed_execs(&self, rule: u32) -> bool {
        self.semantics.is_falco() || is_set(&self.asks_for_result, rule)
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

/// Calls that put a program in place.
pub(crate) const fn is_exec(event_type: EventType) -> bool {
    matches!(event_type, EventType::Execve | EventType::Execveat)
}

pub(crate) fn has_failed(fields: &impl FieldSource) -> bool {
    let failed = fields.field(FieldId::EvtFailed, &FieldArgument::None);
    failed == FieldValue::One(Scalar::Bool(true))
}

fn is_set(of_rules: &[bool], rule: u32) -> bool {
    of_rules.get(rule as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clew_event::interest::CallClass;

    use super::*;
    use crate::{Options, SourceFile, load};

    struct Process(&'static str);

    impl FieldSource for Process {
        fn field(&self, id: FieldId, _: &FieldArgument) -> FieldValue<'_> {
            match id {
                FieldId::ProcName => FieldValue::from(self.0),
                FieldId::ProcPname => FieldValue::from("sshd"),
                _ => FieldValue::Missing,
            }
        }
    }

    fn rules() -> RuleSet {
        let text = "\
- rule: shell
  condition: evt.type = execve and proc.name in (sh, bash) and proc.pname = sshd
  output: o
  desc: d
  priority: info
- rule: other
  condition: evt.type = execve and proc.name in (sh, dash) and not fd.name exists
  output: o
  desc: d
  priority: info
";
        let files = [SourceFile { name: "rules.yaml".to_owned(), text: text.to_owned() }];
        load(&files, &Options::default()).rules
    }

    fn judged(rules: &mut RuleSet, name: &'static str) -> Vec<u32> {
        let mut matches = Vec::new();
        rules.judge(EventType::Execve, "syscall", &Process(name), &mut matches);
        matches.into_iter().map(|RuleIndex(number)| number).collect()
    }

    #[test]
    fn the_room_for_values_is_used_again_for_the_next_event() {
        let mut rules = rules();
        let room = rules.programs[0].scratch.room();
        assert_ne!(room.1, 0);
        for _ in 0..100 {
            assert_eq!(judged(&mut rules, "ls"), Vec::<u32>::new());
            assert_eq!(rules.programs[0].scratch.room(), room);
        }
    }

    #[test]
    fn verdicts_do_not_leak_into_later_events_even_when_the_count_wraps() {
        let mut rules = rules();
        for _ in 0..3 {
            assert_eq!(judged(&mut rules, "sh"), [0, 1]);
            assert_eq!(judged(&mut rules, "dash"), [1]);
        }
        rules.programs[0].scratch.skip_to((1 << 31) - 3);
        for _ in 0..3 {
            assert_eq!(judged(&mut rules, "sh"), [0, 1]);
            assert_eq!(judged(&mut rules, "bash"), [0]);
            assert_eq!(judged(&mut rules, "ls"), Vec::<u32>::new());
        }
    }

    #[test]
    fn the_first_rule_alone_matches_where_that_is_asked_for() {
        let mut rules = rules();
        rules.matching = Matching::First;
        assert_eq!(judged(&mut rules, "sh"), [0]);
        assert_eq!(judged(&mut rules, "dash"), [1]);
    }

    /// An `execve` that failed, tried by a shell.
    struct Tried;

    impl FieldSource for Tried {
        fn field(&self, id: FieldId, _: &FieldArgument) -> FieldValue<'_> {
            match id {
                FieldId::ProcName => "sh".into(),
                FieldId::EvtFailed => FieldValue::One(Scalar::Bool(true)),
                FieldId::EvtRes => "ENOENT".into(),
                _ => FieldValue::Missing,
            }
        }
    }

    #[test]
    fn a_failed_exec_is_judged_by_rules_that_ask_for_the_result_and_in_falco_by_all() {
        let text = "\
- macro: shell
  condition: evt.type in (execve, execveat) and proc.name = sh
- rule: any
  condition: shell
  output: o
  desc: d
  priority: info
- rule: failed
  condition: shell and evt.res startswith E
  output: o
  desc: d
  priority: info
";
        let files = [SourceFile { name: "rules.yaml".to_owned(), text: text.to_owned() }];
        let check = |semantics, expected: &[u32]| {
            let mut rules = load(&files, &Options { semantics, ..Options::default() }).rules;
            for matching in [Matching::All, Matching::First] {
                rules.matching = matching;
                let mut matches = Vec::new();
                rules.judge(EventType::Execve, "syscall", &Tried, &mut matches);
                let expected = if matching == Matching::All { expected } else { &expected[..1] };
                let numbers: Vec<u32> = matches.into_iter().map(|RuleIndex(n)| n).collect();
                assert_eq!(numbers, expected, "{semantics:?}");
            }
            let failed = CallClass::of_call(EventType::Execve, 0, -2);
            assert!(rules.classes(EventType::Execve, "syscall").has(failed));
        };
        check(Semantics::Clew, &[1]);
        check(Semantics::Falco, &[0, 1]);
    }

    #[test]
    fn events_that_no_rule_names_are_not_wanted() {
        let rules = rules();
        assert!(rules.wants(EventType::Execve, "syscall"));
        assert!(!rules.wants(EventType::Open, "syscall"));
        assert!(!rules.wants(EventType::Execve, "k8s_audit"));
        assert_eq!(rules.event_types(RuleIndex(0)), [EventType::Execve]);
    }
}
