//! Can a condition hold of any event of which a little is known?
//!
//! Three values instead of two: what is not known of a predicate stays open, and a node is false
//! only where what is known makes it false. So the answer "no" is certain, and "yes" means "not
//! excluded".

use clew_event::{FieldId, Scalar};
use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};

use super::predicate::{Check, Extract, Predicate, Slot};
use super::program::{FlatNode, Program};
use super::test::Test;
use crate::condition::Operator;

/// What is known of the value of a field.
#[derive(Clone, Debug)]
pub(crate) enum Known<'a> {
    Exactly(Scalar<'a>),
    /// There is no value.
    Missing,
    /// A number below 0.
    Negative,
    /// A number below 0, or no value.
    NegativeOrMissing,
    /// A number from 0.
    NotNegative,
    /// A text other than these.
    NoneOf(&'static [&'static str]),
    /// A text that this one is no part of, or no value.
    Without(&'static [u8]),
}

impl Known<'_> {
    /// The verdict of a predicate on such a value, where it is certain.
    fn verdict(&self, predicate: &Predicate) -> Option<bool> {
        let test = match &predicate.check {
            Check::Exists if matches!(self, Self::Missing) => return Some(false),
            Check::Exists if matches!(self, Self::NegativeOrMissing | Self::Without(_)) => {
                return None;
            }
            Check::Exists => return Some(true),
            Check::Value(test) => test,
            Check::AllValues(_) | Check::Any(_) | Check::Field { .. } => return None,
        };
        match self {
            Self::Exactly(value) => Some(test.passes(value)),
            Self::Missing => Some(false),
            Self::Negative => numbers(test, i64::MIN, -1),
            // What is missing passes no test, so only "false" is certain.
            Self::NegativeOrMissing => numbers(test, i64::MIN, -1).filter(|passes| !passes),
            Self::NotNegative => numbers(test, 0, i64::MAX),
            Self::NoneOf(texts) => {
                let is_one = |constant: &[u8]| texts.iter().any(|text| text.as_bytes() == constant);
                match test {
                    Test::TextIn(set) if set.iter().all(|constant| is_one(constant)) => Some(false),
                    Test::TextDiffers(constant) if is_one(constant) => Some(true),
                    _ => None,
                }
            }
            Self::Without(part) => needs(test, part).then_some(false),
        }
    }
}

/// True where every text that passes has `part` in it.
fn needs(test: &Test, part: &[u8]) -> bool {
    let is_in = |text: &[u8]| memmem::find(text, part).is_some();
    match test {
        Test::TextIn(set) => set.iter().all(|constant| is_in(constant)),
        Test::Contains(finder) => is_in(finder.needle()),
        Test::StartsWith(constant) | Test::EndsWith(constant) => is_in(constant),
        Test::Glob(glob) => glob.needs(part),
        _ => false,
    }
}

/// Whether all numbers from `low` to `high` pass, or none.
fn numbers(test: &Test, low: i64, high: i64) -> Option<bool> {
    match test {
        Test::Signed(operator, constant) => {
            let within = low <= *constant && *constant <= high;
            let (none, all) = match operator {
                Operator::Eq | Operator::In | Operator::Intersects => (!within, false),
                Operator::Ne => (false, !within),
                Operator::Lt => (*constant <= low, high < *constant),
                Operator::Le => (*constant < low, high <= *constant),
                Operator::Gt => (high <= *constant, *constant < low),
                Operator::Ge => (high < *constant, *constant <= low),
                _ => (false, false),
            };
            if none { Some(false) } else { all.then_some(true) }
        }
        Test::SignedIn(set) => {
            let has_some = set.iter().any(|number| low <= *number && *number <= high);
            (!has_some).then_some(false)
        }
        _ => None,
    }
}

/// True unless what `known` tells of fields excludes that the node holds.
pub(crate) fn can_hold<'a>(
    program: &Program,
    root: u32,
    known: &dyn Fn(Slot) -> Option<Known<'a>>,
) -> bool {
    let mut search = Search { program, known, found: FxHashMap::default() };
    search.node(root) != Some(false)
}

/// Whether the verdict of the node may depend on a field. Of a value that is made out of others it
/// is not asked which those are.
pub(crate) fn may_read(program: &Program, root: u32, field: FieldId) -> bool {
    let is_of = |extract: &Extract| match extract {
        Extract::Field(slot) => program.field(*slot).is_some_and(|known| known.id == field),
        Extract::Transformed(_) => true,
    };
    if !program.slots.iter().any(|known| known.id == field) {
        return false;
    }
    let (mut waiting, mut seen) = (vec![root], FxHashSet::default());
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        match program.nodes.get(id as usize) {
            Some(FlatNode::Constant(_)) | None => {}
            Some(FlatNode::Predicate(predicate)) => {
                let found = program.predicates.get(predicate.0 as usize);
                let is_read = found.is_some_and(|(predicate, _)| {
                    let right = match &predicate.check {
                        Check::Field { right, .. } => Some(right),
                        _ => None,
                    };
                    is_of(&predicate.left) || right.is_some_and(is_of)
                });
                if is_read {
                    return true;
                }
            }
            Some(FlatNode::Not(inner)) => waiting.push(*inner),
            Some(FlatNode::All(parts) | FlatNode::Any(parts)) => {
                waiting.extend(program.parts(parts));
            }
        }
    }
    false
}

struct Search<'p, 'a> {
    program: &'p Program,
    known: &'p dyn Fn(Slot) -> Option<Known<'a>>,
    found: FxHashMap<u32, Option<bool>>,
}

impl Search<'_, '_> {
    /// Recursion is bounded by `GRAPH_DEPTH_MAX`.
    fn node(&mut self, id: u32) -> Option<bool> {
        if let Some(found) = self.found.get(&id) {
            return *found;
        }
        let program = self.program;
        let verdict = match program.nodes.get(id as usize)? {
            FlatNode::Constant(holds) => Some(*holds),
            FlatNode::Predicate(predicate) => {
                let (predicate, _) = program.predicates.get(predicate.0 as usize)?;
                match predicate.left {
                    Extract::Field(slot) => {
                        (self.known)(slot).and_then(|known| known.verdict(predicate))
                    }
                    Extract::Transformed(_) => None,
                }
            }
            FlatNode::Not(inner) => self.node(*inner).map(|holds| !holds),
            FlatNode::All(parts) => self.several(program.parts(parts), false),
            FlatNode::Any(parts) => self.several(program.parts(parts), true),
        };
        self.found.insert(id, verdict);
        verdict
    }

    /// `deciding` is the verdict that one part has to have for the whole to have it.
    fn several(&mut self, parts: &[u32], deciding: bool) -> Option<bool> {
        let mut verdict = Some(!deciding);
        for part in parts {
            match self.node(*part) {
                Some(holds) if holds == deciding => return Some(deciding),
                Some(_) => {}
                None => verdict = None,
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::glob::Glob;
    use super::*;

    #[test]
    fn a_text_is_needed_only_where_each_that_passes_has_it() {
        let glob = |pattern: &[u8]| Test::Glob(Box::new(Glob::new(pattern, false)));
        let contains = |part| Test::Contains(Box::new(memmem::Finder::new(part)));
        let set =
            |texts: &[&[u8]]| Test::TextIn(texts.iter().map(|text| Box::from(*text)).collect());
        let check = |test: Test, expected| assert_eq!(needs(&test, b".."), expected, "{test:?}");
        check(contains("../"), true);
        check(contains("."), false);
        check(Test::StartsWith(Box::from(*b"../x")), true);
        check(Test::EndsWith(Box::from(*b"./x")), false);
        check(glob(b"*../*../*"), true);
        check(glob(b"*.?*"), false);
        check(glob(b"*.*.*"), false);
        check(set(&[b"a/..", b"../b"]), true);
        check(set(&[b"a/..", b"b"]), false);
    }

    #[test]
    fn a_range_passes_whole_or_not_at_all_or_is_open() {
        use Operator as O;
        let check = |operator, constant, negative, others| {
            let test = Test::Signed(operator, constant);
            assert_eq!(numbers(&test, i64::MIN, -1), negative, "{test:?}");
            assert_eq!(numbers(&test, 0, i64::MAX), others, "{test:?}");
        };
        check(O::Ge, 0, Some(false), Some(true));
        check(O::Gt, -1, Some(false), Some(true));
        check(O::Lt, 0, Some(true), Some(false));
        check(O::Le, -1, Some(true), Some(false));
        check(O::Gt, 0, Some(false), None);
        check(O::Le, 0, Some(true), None);
        check(O::Ge, -1, None, Some(true));
        check(O::Lt, -1, None, Some(false));
        check(O::Eq, 0, Some(false), None);
        check(O::Ne, 0, Some(true), None);
        check(O::Eq, -1, None, Some(false));
        check(O::Ne, -1, None, Some(true));
        let set = Test::SignedIn(Box::from([-13, -1]));
        assert_eq!((numbers(&set, i64::MIN, -1), numbers(&set, 0, i64::MAX)), (None, Some(false)));
    }
}
