//! Filters: conditions that are added to rules from outside, such as an exception of one site.
//!
//! As in pySigma a rule matches where its own condition and the filter's hold, so that a filter
//! that keeps something away says `not`.

use super::condition::Expr;
use super::document::{FilterDocument, RuleDocument};

impl FilterDocument {
    /// True where the filter names the rule, or every rule, and the log source is the same.
    fn is_for(&self, rule: &RuleDocument) -> bool {
        let is_named = self.rules.is_empty()
            || self.rules.iter().any(|name| rule.meta.is_called(name.as_str()));
        is_named && self.log.covers(&rule.log)
    }

    /// Adds its searches and its condition to a rule that it is for.
    pub(super) fn add_to(&self, rule: &mut RuleDocument) {
        if !self.is_for(rule) {
            return;
        }
        let before = rule.detection.searches.len();
        rule.detection.searches.extend(self.detection.searches.iter().cloned());
        let own = std::mem::replace(&mut rule.detection.condition, Expr::All(Vec::new()));
        rule.detection.condition = Expr::All(vec![own, moved(&self.detection.condition, before)]);
    }
}

/// The condition where its searches stand so much further back.
fn moved(expr: &Expr, by: usize) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| moved(part, by)).collect();
    match expr {
        Expr::Search(number) => Expr::Search(number + by),
        Expr::Not(inner) => Expr::Not(Box::new(moved(inner, by))),
        Expr::All(parts) => Expr::All(all(parts)),
        Expr::Any(parts) => Expr::Any(all(parts)),
        Expr::Words(words, inner) => Expr::Words(words.clone(), Box::new(moved(inner, by))),
    }
}
