//! Compiles the tree of a condition: comparisons become predicates, the rest graph nodes.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::EventType;
use clew_event::field::ValueKind;

use super::macros::Macros;
use super::operand::Side;
use super::pool::{Key, Pool, RightKey};
use super::typing::Type;
use super::value;
use crate::condition::{Check, Expr, Modifier, Operand, Operator, Right, Test, Value};
use crate::diagnostic::{Code, Problem, nearest};
use crate::fields::{Registry, is_event_name};
use crate::judge::graph::{GRAPH_DEPTH_MAX, NodeId};
use crate::judge::predicate;
use crate::traced::Place;

/// What came to light about one condition or output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Mistakes: what they are in cannot be used.
    pub problems: Vec<Problem>,
    /// Fields that exist but are not provided, with where they are used first.
    pub missing_fields: BTreeMap<String, Place>,
    /// Event types that exist but are not seen, with where they are named first.
    pub missing_event_types: BTreeMap<String, Place>,
    /// Fields that are used, with their arguments as they are written.
    pub used_fields: BTreeSet<String>,
    /// Comparisons with `<NA>` that never hold.
    pub unsafe_absences: Vec<Place>,
    /// Uses of `evt.dir`.
    pub deprecated: Vec<Place>,
}

impl Findings {
    /// Takes over what is not here yet: macros that use one another would double it each time.
    pub(super) fn extend(&mut self, other: &Self) {
        add_new(&mut self.problems, &other.problems);
        for (name, place) in &other.missing_fields {
            self.missing_fields.entry(name.clone()).or_insert(*place);
        }
        for (name, place) in &other.missing_event_types {
            self.missing_event_types.entry(name.clone()).or_insert(*place);
        }
        self.used_fields.extend(other.used_fields.iter().cloned());
        add_new(&mut self.unsafe_absences, &other.unsafe_absences);
        add_new(&mut self.deprecated, &other.deprecated);
    }
}

fn add_new<T: Clone + PartialEq>(to: &mut Vec<T>, from: &[T]) {
    for item in from {
        if !to.contains(item) {
            to.push(item.clone());
        }
    }
}

/// Compiles conditions and outputs of rules for one source.
#[derive(Debug)]
pub(crate) struct Compiler<'a> {
    pub registry: &'a Registry,
    pub source: &'a str,
    pub pool: &'a mut Pool,
    pub macros: &'a mut Macros,
    pub findings: Findings,
    /// Parts entered and not left, macros included.
    pub depth: u16,
}

/// A comparison's right side and what stands before it.
struct Comparison<'a> {
    operator: Operator,
    modifier: Option<Modifier>,
    place: Place,
    operand: &'a Operand,
}

impl Compiler<'_> {
    /// The node of a condition; what is wrong with it goes to the findings.
    pub(crate) fn condition(&mut self, expr: &Expr) -> NodeId {
        if self.depth == GRAPH_DEPTH_MAX {
            return self.refuse(too_deep(expr));
        }
        self.depth += 1;
        let node = self.part(expr);
        self.depth -= 1;
        // A macro that was compiled before may bring more depth than was entered.
        if GRAPH_DEPTH_MAX < self.pool.graph.depth(node) {
            return self.refuse(too_deep(expr));
        }
        node
    }

    fn part(&mut self, expr: &Expr) -> NodeId {
        match expr {
            Expr::And(parts) => {
                let parts = parts.iter().map(|part| self.condition(part)).collect();
                self.pool.graph.all(parts)
            }
            Expr::Or(parts) => {
                let parts = parts.iter().map(|part| self.condition(part)).collect();
                self.pool.graph.any(parts)
            }
            Expr::Not(part) => {
                let part = self.condition(part);
                self.pool.graph.negated(part)
            }
            Expr::Macro(name, place) => self.macro_use(name, *place),
            Expr::Check(check) => match self.check(check) {
                Ok(node) => node,
                Err(problem) => self.refuse(problem),
            },
        }
    }

    /// Notes a mistake; what stands for the part never holds.
    pub(super) fn refuse(&mut self, problem: Problem) -> NodeId {
        self.findings.problems.push(problem);
        self.pool.graph.constant(false)
    }

    fn check(&mut self, check: &Check) -> Result<NodeId, Problem> {
        let left = self.side(&check.left)?;
        self.note_deprecated(&check.left);
        match &check.test {
            Test::Exists => Ok(self.exists(left)),
            Test::Compare { operator, modifier, right, place } => {
                let comparison = Comparison {
                    operator: *operator,
                    modifier: *modifier,
                    place: *place,
                    operand: &check.left,
                };
                if !left.class.accepts(*operator) {
                    return Err(comparison.misfit(left.class));
                }
                match right {
                    Right::Operand(right) => self.with_field(&comparison, left, right),
                    Right::Value(value) => self.with_values(&comparison, left, &[value]),
                    Right::List(values) => {
                        let values: Vec<&Value> = values.iter().collect();
                        self.with_values(&comparison, left, &values)
                    }
                }
            }
        }
    }

    fn exists(&mut self, left: Side) -> NodeId {
        let Some(extract) = left.extract else { return self.pool.graph.constant(false) };
        let (modifier, right) = (None, RightKey::Nothing);
        let key = Key { left: extract.clone(), operator: None, modifier, right };
        let predicate = predicate::Predicate {
            left: extract,
            check: predicate::Check::Exists,
            multiplicity: left.class.multiplicity,
            is_inequality: false,
        };
        let added: Result<_, std::convert::Infallible> = self.pool.predicate(key, || Ok(predicate));
        match added {
            Ok(node) => node,
            Err(never) => match never {},
        }
    }

    fn with_values(
        &mut self,
        comparison: &Comparison<'_>,
        left: Side,
        values: &[&Value],
    ) -> Result<NodeId, Problem> {
        if let Some(holds) = certain_by_number(comparison, values) {
            return Ok(self.pool.graph.constant(holds));
        }
        self.check_event_types(comparison, values)?;
        self.note_absences(comparison, values);
        // Without a type the constants cannot be read; such fields are not provided anyway.
        let Some(kind) = left.class.kind else { return Ok(self.pool.graph.constant(false)) };
        let is_32_bits = left.class.is_32_bits;
        let (operator, modifier) = (comparison.operator, comparison.modifier);
        let made = value::test(kind, is_32_bits, operator, modifier, values)?;
        let Some(extract) = left.extract else { return Ok(self.pool.graph.constant(false)) };
        let is_all = left.class.is_list() && operator == Operator::In;
        let check =
            if is_all { predicate::Check::AllValues(made) } else { predicate::Check::Value(made) };
        let mut constants: Vec<Box<[u8]>> =
            values.iter().map(|value| value.bytes.clone()).collect();
        constants.sort_unstable();
        let right = RightKey::Values(constants);
        let key = Key { left: extract.clone(), operator: Some(operator), modifier, right };
        let predicate = predicate::Predicate {
            left: extract,
            check,
            multiplicity: left.class.multiplicity,
            is_inequality: operator == Operator::Ne,
        };
        self.pool.predicate(key, || Ok(predicate))
    }

    fn with_field(
        &mut self,
        comparison: &Comparison<'_>,
        left: Side,
        right: &Operand,
    ) -> Result<NodeId, Problem> {
        let place = right.place();
        let problem = |message: String| Problem::new(Code::RightField, place, message);
        let right = self.side(right)?;
        let operator = comparison.operator;
        if matches!(operator, Operator::Pmatch | Operator::Regex) {
            let message = format!("`{}` compares with constants only", operator.name());
            return Err(problem(message));
        }
        if left.class.is_left_only || left.class.kind == Some(ValueKind::Net) {
            return Err(problem(format!("`{}` compares with constants only", comparison.operand)));
        }
        if comparison.is_on_event_type() {
            return Err(problem("`evt.type` compares with constants only".to_owned()));
        }
        if right.class.is_left_only {
            return Err(problem("this field cannot stand on the right side".to_owned()));
        }
        if !left.class.fits(right.class) {
            let (left, right) = (left.class.name(), right.class.name());
            return Err(problem(format!("{left} is compared with {right}")));
        }
        let (Some(kind), Some(from), Some(with)) = (left.class.kind, left.extract, right.extract)
        else {
            return Ok(self.pool.graph.constant(false));
        };
        let right = RightKey::Extract(with.clone());
        let key = Key { left: from.clone(), operator: Some(operator), modifier: None, right };
        let predicate = predicate::Predicate {
            left: from,
            check: predicate::Check::Field { operator, kind, right: with },
            multiplicity: left.class.multiplicity,
            is_inequality: operator == Operator::Ne,
        };
        self.pool.predicate(key, || Ok(predicate))
    }

    /// Constants compared with `evt.type` have to be names of event types.
    fn check_event_types(
        &mut self,
        comparison: &Comparison<'_>,
        values: &[&Value],
    ) -> Result<(), Problem> {
        if !comparison.is_on_event_type() {
            return Ok(());
        }
        for value in values {
            let name = String::from_utf8_lossy(&value.bytes);
            if !is_event_name(&name) {
                let message = format!("`{name}` is no event type");
                let problem = Problem::new(Code::UnknownEventType, value.place, message);
                let names = EventType::ALL.iter().map(|known| known.name());
                return Err(match nearest(&name, names.filter(|name| !name.is_empty())) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
            if EventType::from_name(&name).is_none() {
                let missing = &mut self.findings.missing_event_types;
                missing.entry(name.into_owned()).or_insert(value.place);
            }
        }
        Ok(())
    }

    /// What audit fields do not have is absent, never the text `<NA>`.
    fn note_absences(&mut self, comparison: &Comparison<'_>, values: &[&Value]) {
        let Operand::Field(field) = comparison.operand else { return };
        let is_unsafe = field.name.starts_with("ka.") || field.name.starts_with("jevt.");
        let is_equality = matches!(
            comparison.operator,
            Operator::Eq | Operator::Ne | Operator::In | Operator::Intersects | Operator::Pmatch
        );
        if is_unsafe && is_equality {
            let absent = values.iter().filter(|value| &*value.bytes == b"<NA>");
            self.findings.unsafe_absences.extend(absent.map(|value| value.place));
        }
    }

    fn note_deprecated(&mut self, operand: &Operand) {
        if let Operand::Field(field) = operand
            && &*field.name == "evt.dir"
        {
            self.findings.deprecated.push(field.place);
        }
    }
}

impl Comparison<'_> {
    fn is_on_event_type(&self) -> bool {
        matches!(self.operand, Operand::Field(field) if &*field.name == "evt.type")
    }

    fn misfit(&self, class: Type) -> Problem {
        let message = format!(
            "`{}` does not fit `{}`, which is {}",
            self.operator.name(),
            self.operand,
            class.name()
        );
        Problem::new(Code::OperatorType, self.place, message)
    }
}

/// Events are numbered from 1, so some comparisons of `evt.num` are certain: `evt.num=0` is the
/// idiom for a condition that never holds.
fn certain_by_number(comparison: &Comparison<'_>, values: &[&Value]) -> Option<bool> {
    let Operand::Field(field) = comparison.operand else { return None };
    if &*field.name != "evt.num" || field.argument.is_some() || comparison.modifier.is_some() {
        return None;
    }
    let numbers: Option<Vec<u64>> =
        values.iter().map(|value| std::str::from_utf8(&value.bytes).ok()?.parse().ok()).collect();
    let numbers = numbers?;
    if comparison.operator == Operator::In {
        return numbers.iter().all(|number| *number == 0).then_some(false);
    }
    let [number] = numbers.as_slice() else { return None };
    match (comparison.operator, number) {
        (Operator::Eq, 0) | (Operator::Lt, 0 | 1) | (Operator::Le, 0) => Some(false),
        (Operator::Ne, 0) | (Operator::Gt, 0) | (Operator::Ge, 0 | 1) => Some(true),
        _ => None,
    }
}

fn too_deep(expr: &Expr) -> Problem {
    let message = format!("with its macros the condition is over {GRAPH_DEPTH_MAX} deep");
    Problem::new(Code::ConditionLimit, first_place(expr), message)
}

fn first_place(expr: &Expr) -> Place {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.first().map(first_place).unwrap_or_default(),
        Expr::Not(part) => first_place(part),
        Expr::Macro(_, place) => *place,
        Expr::Check(check) => check.place,
    }
}
