//! An event made of fields, for tests.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::BTreeMap;

use clew_event::{FieldArgument, FieldId, FieldSource, FieldValue, Scalar};
use clew_rules::{Loaded, Options, RuleIndex, SourceFile, load};

/// Fields by their names with arguments, as rules write them: `proc.aname[2]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    values: BTreeMap<String, FieldValue<'static>>,
}

impl Fields {
    pub(crate) fn with(mut self, name: &str, value: FieldValue<'static>) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn with_text(self, name: &str, text: &str) -> Self {
        self.with(name, FieldValue::One(Scalar::Text(text.as_bytes().to_vec().into())))
    }
}

impl FieldSource for Fields {
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_> {
        let name = id.spec().name;
        let found = match argument {
            FieldArgument::None => self.values.get(name),
            FieldArgument::Index(index) => self.values.get(&format!("{name}[{index}]")),
            FieldArgument::Key(key) => self
                .values
                .get(&format!("{name}[{key}]"))
                .or_else(|| self.values.get(&format!("{name}.{key}"))),
        };
        match found {
            None | Some(FieldValue::Missing) => FieldValue::Missing,
            Some(FieldValue::One(value)) => FieldValue::One(borrowed(value)),
            Some(FieldValue::Many(values)) => {
                FieldValue::Many(values.iter().map(borrowed).collect())
            }
        }
    }
}

fn borrowed(value: &Scalar<'static>) -> Scalar<'static> {
    value.clone()
}

/// Loads one file.
pub(crate) fn load_text(text: &str) -> Loaded {
    let files = [SourceFile { name: "rules.yaml".to_owned(), text: text.to_owned() }];
    load(&files, &Options::default())
}

/// A file with one rule of that condition.
pub(crate) fn rule_file(condition: &str) -> String {
    let indented = condition.replace('\n', "\n    ");
    format!("- rule: r\n  desc: d\n  condition: |\n    {indented}\n  output: o\n  priority: info\n")
}

/// Names of the rules that an event matches, in order.
pub(crate) fn matching(loaded: &mut Loaded, fields: &Fields, event_type: &str) -> Vec<String> {
    let event_type = clew_event::EventType::from_name(event_type).unwrap_or_default();
    let mut matches: Vec<RuleIndex> = Vec::new();
    loaded.rules.judge(event_type, "syscall", fields, &mut matches);
    let name = |index: RuleIndex| loaded.rules.rule(index).unwrap().name.clone();
    matches.into_iter().map(name).collect()
}
