//! A small storybench: floors below which one attack is no longer one story.
//!
//! The full size, with what is missed and why, stands in `docs/storybench.md`.

use clew_testkit::storybench::attacks::TEMPLATES;
use clew_testkit::storybench::order;
use clew_testkit::storybench::report::Report;
use clew_testkit::storybench::run::{Observed, Plan, observe, rules, scene};
use clew_testkit::storybench::truth::Variant;

const PLAN: Plan = Plan { seed: 3, tenants: 63, days: 1 };

/// Tenants of one attack each: one of every template, and variants that are hard in a way of
/// their own (the place among the variants times the templates, and the place of the template).
const TENANTS: [u32; 4] = [0, 2, 5, 9 * 2 + 7];

fn observed(tenant: u32) -> Result<Observed, String> {
    Ok(observe(&PLAN, tenant, rules()?))
}

#[test]
fn one_attack_is_one_story_as_far_as_it_is_today() -> Result<(), String> {
    let mut report = Report::new(&Plan { tenants: 4, ..PLAN });
    let mut findings_of_attacks = 0;
    for tenant in TENANTS {
        let observed = observed(tenant)?;
        findings_of_attacks += observed.units.iter().filter(|unit| unit.truth.is_some()).count();
        report.add(&observed);
        let equal = order::shuffle(&observed, PLAN.seed, 2);
        assert!(0.999 <= equal.mean, "tenant {tenant}: the order of arrival matters: {equal:?}");
    }
    let (name, stories) = &report.ways[0];
    assert_eq!((*name, report.attacks), ("stories", TENANTS.len()));
    assert!(20 < findings_of_attacks, "too few findings to tell anything: {findings_of_attacks}");
    let table = report.table();
    assert!(0.95 <= stories.completeness.value(), "{table}");
    assert!(0.98 <= stories.purity.value(), "{table}");
    assert!(0.99 <= stories.exactly_one.value(), "{table}");
    assert!(f64::from(stories.false_clusters) <= 12.5 * report.tenant_days, "{table}");
    for (baseline, metrics) in &report.ways[1..] {
        assert!(metrics.b_f1() < stories.b_f1(), "{baseline} does better\n{table}");
    }
    Ok(())
}

#[test]
fn the_same_seed_makes_the_same_events_and_another_makes_others() {
    let events = |seed| scene(&Plan { seed, tenants: 63, ..PLAN }, 0).into_arrivals().0;
    let first = events(1);
    assert_eq!(first, events(1));
    assert_ne!(first, events(2));
    assert!(first.windows(2).all(|pair| pair[0].arrived <= pair[1].arrived));
}

#[test]
fn every_kind_of_attack_is_made_with_all_its_steps_and_a_cause_for_each() {
    let kinds = u32::try_from(TEMPLATES.len() * Variant::ALL.len()).unwrap_or_default();
    for tenant in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9 * 3, kinds - 1] {
        let (events, truths) = scene(&PLAN, tenant).into_arrivals();
        let known: std::collections::BTreeSet<_> = events.iter().map(|event| event.id).collect();
        assert!(!truths.attacks.is_empty(), "tenant {tenant} has no attack");
        for attack in truths.attacks.values() {
            let of = || truths.events.values().filter(|truth| truth.attack == attack.id);
            let steps: std::collections::BTreeSet<_> = of().map(|truth| truth.step).collect();
            assert_eq!(steps.len(), attack.steps.len(), "{attack:?}");
            assert!(4 < steps.len(), "{attack:?}");
            assert!(of().all(|truth| truth.cause.is_none_or(|cause| known.contains(&cause))));
            assert!(of().all(|truth| truth.cause.is_some() == (truth.step != 0)), "{attack:?}");
        }
    }
}
