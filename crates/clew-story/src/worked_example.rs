//! The worked example of `docs/story-math.md`, computed from the code that tells stories.

use clew_event::Finding;

use crate::attack::{Tactic, technique};
use crate::forest::Forest;
use crate::habit::Habits;
use crate::order;
use crate::sample::at_ms;
use crate::scenario::{attack, honest_request};
use crate::score::{Looks, TIE_BITS_MAX, weigh};
use crate::tie::{Shared, per_day, price};
use crate::{Settings, Stories, trail};

const PAGE: &str = include_str!("../../../docs/story-math.md");

fn row(text: &mut String, what: &str, bits: f64) {
    text.push_str(&format!("{what:<58}{bits:>7.2}\n"));
}

/// The score of the lab's first attack, after two honest shells of the same server.
fn score() -> String {
    let (honest, attack) = ([honest_request(50, 0), honest_request(60, 900)], attack(100, 1_000));
    let mut stories = Stories::new(Settings::default());
    let mut revisions = Vec::new();
    for finding in honest.iter().chain(&attack) {
        stories.join(finding, &mut revisions);
    }
    let story = revisions.pop().unwrap();

    let mut forest = Forest::default();
    for finding in honest {
        forest.insert(finding);
    }
    let mut text = String::new();
    for finding in &attack {
        let node = forest.insert(finding.clone());
        let bits = weigh(&forest, &Habits::default(), &[node], &[node].into()).finding_bits;
        let rule = match finding.bits - bits {
            0.0 => finding.rule.clone(),
            less => format!("{}: {} less {less:.2}", finding.rule, finding.bits),
        };
        row(&mut text, &rule, bits);
    }
    let ties = story.steps.iter().filter_map(|step| Some((step.edge.as_ref()?, step.finding)));
    let own = |id| attack.iter().find(|finding| finding.id == id).map_or(0.0, |it| it.bits);
    let ties: Vec<f64> =
        ties.map(|(edge, id)| edge.bits.clamp(0.0, TIE_BITS_MAX).min(own(id))).collect();
    row(&mut text, &format!("{} causal ties", ties.len()), ties.iter().sum());
    let known = |finding: &Finding| finding.techniques.iter().find_map(|id| technique(id));
    let tactics: Vec<Tactic> = attack.iter().filter_map(known).map(|it| it.tactic).collect();
    for pair in tactics.windows(2) {
        let names: Vec<_> = pair.iter().map(|tactic| tactic.name()).collect();
        row(&mut text, &names.join(" -> "), order::bits(pair));
    }
    row(&mut text, "sum", story.likelihood_bits);
    let needed = Looks::default().bits_needed(at_ms(0), &Settings::default());
    row(&mut text, "needed: log2(16 looks / 0.01)", needed);
    text
}

/// Bits for two lines in one container, by how far apart they are and how busy it is.
fn prices() -> String {
    let mut text =
        "                          1 s     10 min       1 h    by chance a day\n".to_owned();
    for (name, weight) in
        [("quiet (n = 0)", 0.0), ("one other (n = 1)", 1.0), ("busy (n = 100)", 100.0)]
    {
        let rate = trail::rate_per_second(weight, false);
        let bits = |seconds| price(Shared::Container, seconds, rate);
        let (near, middle, far) = (bits(1.0), bits(600.0), bits(3_600.0));
        let chance = per_day(rate);
        text.push_str(&format!("{name:<20}{near:>10.2}{middle:>10.2}{far:>10.2}{chance:>19.2}\n"));
    }
    text
}

fn check(computed: &str) {
    let stands = PAGE.contains(&format!("```text\n{computed}```\n"));
    assert!(stands, "docs/story-math.md should hold\n```text\n{computed}```");
}

#[test]
fn the_score_on_the_page_is_the_one_that_is_computed() {
    check(&score());
}

#[test]
fn the_prices_on_the_page_are_those_that_are_computed() {
    check(&prices());
}

#[test]
fn the_constants_on_the_page_are_those_of_the_code() {
    let settings = Settings::default();
    for said in [
        format!("at most {TIE_BITS_MAX:.0} bits to the score"),
        format!("half-life of {:.0} h", trail::HALF_LIFE_SECONDS / 3_600.0),
        format!("pseudo count of {}", trail::PSEUDO_COUNT),
        format!("α = {}", settings.false_stories_per_day),
        format!("at least {:.0} bits", settings.seed_bits),
        format!("more than {:.0} bits", settings.join_bits_min),
        format!("at most {:.0} bits", order::ORDER_BITS_MAX),
        format!("{:.0} bits, once in a million", crate::tie::CAUSAL_BITS),
    ] {
        assert!(PAGE.contains(&said), "docs/story-math.md should say `{said}`");
    }
}
