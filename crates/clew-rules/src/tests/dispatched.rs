//! What is asked first decides nothing: all rules together say what each says alone.

use clew_event::{EventType, FieldArgument, FieldId, FieldSource, FieldValue, Scalar};
use proptest::prelude::*;

use crate::{Options, RuleIndex, RuleSet, SourceFile, load};

/// Name and source of a call.
#[derive(Clone, Debug)]
struct Call([FieldValue<'static>; 2]);

impl FieldSource for Call {
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_> {
        let Self([name, source]) = self;
        match (id, argument) {
            (FieldId::CtName, _) => single(name),
            (FieldId::CtSrc, _) => single(source),
            (FieldId::JsonMember, FieldArgument::Key(key)) if **key == *"eventName" => name.clone(),
            (FieldId::JsonMember, FieldArgument::Key(key)) if **key == *"eventSource" => {
                source.clone()
            }
            _ => FieldValue::Missing,
        }
    }
}

/// A field of one text has never several values.
fn single(value: &FieldValue<'static>) -> FieldValue<'static> {
    match value {
        FieldValue::Many(_) => FieldValue::Missing,
        one => one.clone(),
    }
}

fn value() -> impl Strategy<Value = FieldValue<'static>> {
    let text = prop::sample::select(vec!["Aa", "aa", "AA", "b", "B", "c", "1", ""]);
    let number = Just(FieldValue::One(Scalar::Unsigned(1)));
    let list = |text: &'static str| FieldValue::Many(vec!["x".into(), text.into()]);
    prop_oneof![
        1 => Just(FieldValue::Missing),
        6 => text.clone().prop_map(FieldValue::from),
        1 => number,
        1 => text.prop_map(list),
        1 => Just(FieldValue::Many(Vec::new())),
    ]
}

fn falco() -> impl Strategy<Value = String> {
    let text = || prop::sample::select(vec!["Aa", "aa", "b", "c", "1"]);
    let field = || prop::sample::select(vec!["ct.name", "ct.src"]);
    let one = || (field(), text(), text());
    (one(), one(), 0..6_usize).prop_map(|((f, a, b), (g, c, _), form)| match form {
        0 => format!("{f} = {a}"),
        1 => format!("{f} in ({a}, {b})"),
        2 => format!("not {f} in ({a}, {b})"),
        3 => format!("{f} in ({a}, {b}) and not {g} = {c}"),
        4 => format!("({f} = {a} or {g} = {c})"),
        _ => format!("{f} = {a} and {g} in ({b}, {c})"),
    })
}

fn sigma() -> impl Strategy<Value = String> {
    let text = || prop::sample::select(vec!["Aa", "aa", "b*", "c", "1"]);
    let field = || prop::sample::select(vec!["eventName", "eventSource", "eventName|cased"]);
    let condition = prop::sample::select(vec!["s", "not s", "s and t", "s or t", "s and not t"]);
    (field(), text(), text(), field(), text(), condition).prop_map(|(f, a, b, g, c, condition)| {
        format!("{{s: {{{f}: ['{a}', '{b}']}}, t: {{{g}: '{c}'}}, condition: {condition}}}")
    })
}

/// A file of each rule.
fn files(falco: &[String], sigma: &[String]) -> Vec<SourceFile> {
    let falco = falco.iter().enumerate().map(|(number, condition)| {
        format!(
            "- rule: f{number}\n  desc: d\n  condition: {condition}\n  output: o\n  \
             priority: info\n  source: aws_cloudtrail\n"
        )
    });
    let sigma = sigma.iter().enumerate().map(|(number, detection)| {
        format!(
            "title: s{number}\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection: {detection}\n"
        )
    });
    let named = |(number, text)| SourceFile { name: format!("{number}.yaml"), text };
    falco.chain(sigma).enumerate().map(named).collect()
}

fn told(rules: &mut RuleSet, call: &Call) -> Vec<String> {
    let mut matches: Vec<RuleIndex> = Vec::new();
    rules.judge(EventType::PluginEvent, "aws_cloudtrail", call, &mut matches);
    let name = |index: &RuleIndex| rules.rule(*index).map(|rule| rule.name.clone());
    matches.iter().filter_map(name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rules_that_wait_for_a_value_say_what_they_say_alone(
        falco in prop::collection::vec(falco(), 20),
        sigma in prop::collection::vec(sigma(), 20),
        calls in prop::collection::vec([value(), value()].prop_map(Call), 20),
    ) {
        let files = files(&falco, &sigma);
        let options = Options::default();
        let mut all = load(&files, &options).rules;
        prop_assert_eq!(all.len(), files.len());
        let mut alone: Vec<RuleSet> =
            files.iter().map(|file| load(std::slice::from_ref(file), &options).rules).collect();
        for call in &calls {
            let expected: Vec<String> =
                alone.iter_mut().flat_map(|rules| told(rules, call)).collect();
            prop_assert_eq!(told(&mut all, call), expected, "{:?}", call);
        }
    }
}
