//! Reads an item: which kind it is, and what it says.

use std::collections::BTreeSet;

use clew_event::Priority;

use super::exception::Exception;
use super::reader::Reader;
use super::version::{self, ENGINE_VERSION, Version};
use super::{Changes, Item, Name, RuleItem};
use crate::condition::is_identifier;
use crate::diagnostic::{Code, Problem, Report};
use crate::traced::Traced;
use crate::yaml::Node;

const RULE_KEYS: [&str; 15] = [
    "rule",
    "condition",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "tags",
    "exceptions",
    "override",
    "append",
];
const APPENDABLE: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const REPLACEABLE: [&str; 11] = [
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "capture",
    "capture_duration",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

/// Reads one item of a file; `None` where it is wrong or unknown, which is reported.
pub(crate) fn read_item(node: &Node, report: &mut Report) -> Option<Item> {
    if node.is_null() {
        return None;
    }
    match decode(node, report) {
        Ok(item) => item,
        Err(problem) => {
            report.error(problem);
            None
        }
    }
}

fn decode(node: &Node, report: &mut Report) -> Result<Option<Item>, Problem> {
    let reader = Reader::new(node);
    if node.mapping().is_none() {
        let message = "an item has to be a mapping with `rule`, `macro` or `list`";
        return Err(Problem::new(Code::WrongValue, node.place, message));
    }
    if node.get("required_engine_version").is_some() {
        reader.warn_of_other_keys(&["required_engine_version"], report);
        return engine_version(reader).map(Some);
    }
    if node.get("required_plugin_versions").is_some() {
        reader.warn_of_other_keys(&["required_plugin_versions"], report);
        return plugin_versions(node).map(Some);
    }
    if node.get("list").is_some() {
        reader.warn_of_other_keys(&["list", "items", "append", "override"], report);
        return list(reader, report).map(Some);
    }
    if node.get("macro").is_some() {
        reader.warn_of_other_keys(&["macro", "condition", "append", "override"], report);
        return macro_item(reader, report).map(Some);
    }
    if node.get("rule").is_some() {
        reader.warn_of_other_keys(&RULE_KEYS, report);
        return rule(reader, report).map(Some);
    }
    let message = "an item without `rule`, `macro`, `list` or a required version, ignored";
    report.warning(Problem::new(Code::UnknownItem, node.place, message));
    Ok(None)
}

fn engine_version(reader: Reader<'_>) -> Result<Item, Problem> {
    let text = reader.required("required_engine_version")?;
    let required = Version::parse_engine(text.as_str());
    let ours = Version::parse(ENGINE_VERSION);
    let problem = |message: String| Problem::new(Code::EngineVersion, text.place_at(0), message);
    match (ours, required) {
        (Some(ours), Some(required)) if ours.satisfies(required) => Ok(Item::Requirement),
        (_, None) => Err(problem(format!("`{}` is no version", text.as_str()))
            .help("write a number, or a version such as `0.57.0`")),
        _ => {
            let given = text.as_str();
            Err(problem(format!("engine version {given} is required, this is {ENGINE_VERSION}")))
        }
    }
}

fn plugin_versions(node: &Node) -> Result<Item, Problem> {
    let value = node.get("required_plugin_versions");
    let Some(plugins) = value.and_then(Node::sequence) else {
        let message = "`required_plugin_versions` has to be a list";
        return Err(Problem::new(Code::WrongValue, node.place, message));
    };
    for plugin in plugins {
        let alternatives = plugin.get("alternatives").and_then(Node::sequence).unwrap_or_default();
        let mut is_met = false;
        let mut names = BTreeSet::new();
        for option in std::iter::once(plugin).chain(alternatives) {
            let reader = Reader::new(option);
            let (name, text) = (reader.required("name")?, reader.required("version")?);
            let Some(version) = Version::parse(text.as_str()) else {
                let message = format!("`{}` is no version", text.as_str());
                return Err(Problem::new(Code::PluginVersion, text.place_at(0), message));
            };
            if !names.insert(name.as_str()) {
                let message = format!("plugin `{}` is named twice", name.as_str());
                return Err(Problem::new(Code::PluginVersion, name.place_at(0), message));
            }
            is_met |= version::plugin(name.as_str()).is_some_and(|ours| ours.satisfies(version));
        }
        if !is_met {
            let names: Vec<_> = names.into_iter().collect();
            let message = format!("no plugin does what is required: {}", names.join(", "));
            return Err(Problem::new(Code::PluginVersion, plugin.place, message));
        }
    }
    Ok(Item::Requirement)
}

fn list(reader: Reader<'_>, report: &mut Report) -> Result<Item, Problem> {
    let name = name(reader, "list")?;
    if !is_bare_string(&name.text) {
        let message = format!("conditions cannot call a list `{}`", name.text);
        report.warning(Problem::new(Code::InvalidName, name.place, message));
    }
    let missing = || Problem::new(Code::MissingKey, reader.place(), "`items` is missing");
    let items = reader.texts("items")?.ok_or_else(missing)?.into_iter().cloned().collect();
    let is_appended = is_appended(reader, "items", report)?;
    Ok(Item::List { name, items, is_appended })
}

fn macro_item(reader: Reader<'_>, report: &mut Report) -> Result<Item, Problem> {
    let name = name(reader, "macro")?;
    if !is_identifier(&name.text) {
        let message = format!("conditions cannot call a macro `{}`", name.text);
        report.warning(Problem::new(Code::InvalidName, name.place, message));
    }
    let condition = reader.required("condition")?.clone();
    let is_appended = is_appended(reader, "condition", report)?;
    Ok(Item::Macro { name, condition, is_appended })
}

/// Whether a list or macro adds to an earlier one; both have just one key to change.
fn is_appended(reader: Reader<'_>, key: &str, report: &mut Report) -> Result<bool, Problem> {
    let is_appended = legacy_append(reader, report)?;
    let overrides = overrides(reader, &[key], &[key])?;
    reject_both(reader, is_appended, &overrides)?;
    Ok(is_appended || overrides.append.contains(&key))
}

fn rule(reader: Reader<'_>, report: &mut Report) -> Result<Item, Problem> {
    let name = name(reader, "rule")?;
    let is_appended = legacy_append(reader, report)?;
    let overrides = overrides(reader, &APPENDABLE, &REPLACEABLE)?;
    reject_both(reader, is_appended, &overrides)?;
    if !overrides.is_empty() {
        return rule_overrides(reader, name, &overrides, report);
    }
    if is_appended {
        let keys = ["condition", "exceptions"].into_iter();
        let keys: Vec<_> = keys.filter(|key| reader.node.get(key).is_some()).collect();
        let append = Some(Box::new(changes(reader, &keys, true, report)?));
        return Ok(Item::RuleChanges { name, append, replace: None });
    }
    let body = ["condition", "output", "desc", "priority"];
    if body.iter().any(|key| reader.node.get(key).is_some()) {
        return whole_rule(reader, name, report).map(|rule| Item::Rule(Box::new(rule)));
    }
    let missing = || {
        let message = "`condition`, `output`, `desc` and `priority` are missing";
        Problem::new(Code::MissingKey, reader.place(), message)
    };
    let is_enabled = reader.flag("enabled")?.ok_or_else(missing)?;
    let message = "a rule with `enabled` alone is going to be dropped";
    let problem = Problem::new(Code::Deprecated, name.place, message);
    report.warning(problem.help("write `override: {enabled: replace}`"));
    Ok(Item::RuleEnabled { name, is_enabled })
}

fn rule_overrides(
    reader: Reader<'_>,
    name: Name,
    overrides: &Overrides<'_>,
    report: &mut Report,
) -> Result<Item, Problem> {
    let named = |key: &&str| overrides.append.contains(key) || overrides.replace.contains(key);
    let present = REPLACEABLE.iter().filter(|key| reader.node.get(key).is_some());
    if let Some(key) = present.copied().find(|key| !named(key)) {
        let place = reader.node.get(key).map_or(reader.place(), |node| node.place);
        let message = format!("`{key}` is given, but `override` does not say what to do with it");
        return Err(Problem::new(Code::Override, place, message)
            .help(format!("add `{key}: replace` to `override`")));
    }
    let part = |keys: &[&str], is_appended: bool, report: &mut Report| {
        let some = (!keys.is_empty()).then(|| changes(reader, keys, is_appended, report));
        some.transpose().map(|changes| changes.map(Box::new))
    };
    let append = part(&overrides.append, true, report)?;
    let replace = part(&overrides.replace, false, report)?;
    Ok(Item::RuleChanges { name, append, replace })
}

/// What an item changes of a rule, of the keys named; each has to be there.
fn changes(
    reader: Reader<'_>,
    keys: &[&str],
    is_appended: bool,
    report: &mut Report,
) -> Result<Changes, Problem> {
    let source = reader.optional_or_empty("source")?;
    let mut changes =
        Changes { source: source.map(text).unwrap_or_default(), ..Changes::default() };
    for &key in keys {
        if reader.node.get(key).is_none() {
            let message = format!("`override` names `{key}`, which is not given");
            return Err(Problem::new(Code::Override, reader.place(), message));
        }
        match key {
            "condition" => changes.condition = Some(reader.required(key)?.clone()),
            "output" => changes.output = Some(reader.required(key)?.clone()),
            "desc" => changes.description = Some(text(reader.required(key)?)),
            "priority" => changes.priority = Some(priority(reader)?),
            "tags" => changes.tags = Some(tags(reader)?),
            "exceptions" => {
                let exceptions = Exception::read_all(reader.node, is_appended, report)?;
                changes.exceptions = Some(exceptions);
            }
            "enabled" => changes.is_enabled = reader.flag(key)?,
            "warn_evttypes" => changes.warns_of_event_types = reader.flag(key)?,
            "skip-if-unknown-filter" => changes.skips_unknown_fields = reader.flag(key)?,
            _ => {
                reader.required(key)?;
                changes.has_capture = true;
            }
        }
    }
    Ok(changes)
}

fn whole_rule(reader: Reader<'_>, name: Name, report: &mut Report) -> Result<RuleItem, Problem> {
    let condition = reader.required("condition")?.clone();
    let output = reader.required("output")?.trimmed();
    let description = text(reader.required("desc")?);
    let priority = priority(reader)?;
    let source = reader.optional("source")?.map_or_else(|| "syscall".to_owned(), text);
    reader.flag("capture")?;
    capture_duration(reader)?;
    Ok(RuleItem {
        name,
        condition,
        output,
        description,
        priority,
        source,
        tags: tags(reader)?,
        exceptions: Exception::read_all(reader.node, false, report)?,
        is_enabled: reader.flag("enabled")?.unwrap_or(true),
        warns_of_event_types: reader.flag("warn_evttypes")?.unwrap_or(true),
        skips_unknown_fields: reader.flag("skip-if-unknown-filter")?.unwrap_or(false),
    })
}

fn capture_duration(reader: Reader<'_>) -> Result<(), Problem> {
    let Some(text) = reader.optional("capture_duration")? else { return Ok(()) };
    match text.as_str().parse::<u32>() {
        Ok(_) => Ok(()),
        Err(_) => {
            let message = format!("`capture_duration` is `{}`, no number", text.as_str());
            Err(Problem::new(Code::WrongValue, text.place_at(0), message))
        }
    }
}

fn name(reader: Reader<'_>, key: &str) -> Result<Name, Problem> {
    let name = reader.required(key)?;
    Ok(Name { text: text(name), place: name.place_at(0) })
}

fn text(traced: &Traced) -> String {
    traced.as_str().to_owned()
}

fn tags(reader: Reader<'_>) -> Result<BTreeSet<String>, Problem> {
    Ok(reader.texts("tags")?.unwrap_or_default().into_iter().map(text).collect())
}

fn priority(reader: Reader<'_>) -> Result<Priority, Problem> {
    let given = reader.required("priority")?;
    priority_named(given.as_str()).ok_or_else(|| {
        let message = format!("`{}` is no priority", given.as_str());
        let names = Priority::ALL.map(Priority::name).join(", ");
        Problem::new(Code::WrongValue, given.place_at(0), message)
            .help(format!("priorities are {names}"))
    })
}

/// The priority of that name, in letters of any case; `info` is short for one.
pub(crate) fn priority_named(name: &str) -> Option<Priority> {
    let is_named = |known: &str| name.eq_ignore_ascii_case(known);
    let found = Priority::ALL.into_iter().find(|priority| is_named(priority.name()));
    found.or_else(|| is_named("info").then_some(Priority::Informational))
}

fn legacy_append(reader: Reader<'_>, report: &mut Report) -> Result<bool, Problem> {
    let is_appended = reader.flag("append")?.unwrap_or(false);
    if is_appended {
        let message = "`append: true` is going to be dropped";
        let problem = Problem::new(Code::Deprecated, reader.place(), message);
        report.warning(problem.help("write `override` with `append` for the key to add to"));
    }
    Ok(is_appended)
}

/// Keys that an `override` names, by what is to be done with them.
#[derive(Debug, Default)]
struct Overrides<'a> {
    append: Vec<&'a str>,
    replace: Vec<&'a str>,
}

impl Overrides<'_> {
    fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }
}

fn overrides<'a>(
    reader: Reader<'a>,
    appendable: &[&str],
    replaceable: &[&str],
) -> Result<Overrides<'a>, Problem> {
    let mut overrides = Overrides::default();
    let Some(node) = reader.node.get("override") else { return Ok(overrides) };
    let Some(pairs) = node.mapping() else {
        return Err(Problem::new(Code::Override, node.place, "`override` has to be a mapping"));
    };
    for (key_node, operation) in pairs {
        let key = key_node.key_text().unwrap_or_default();
        let refused = |what: &str| {
            let message = format!("`{key}` cannot be {what}");
            Err(Problem::new(Code::Override, key_node.place, message))
        };
        match operation.key_text() {
            Some("append") if appendable.contains(&key) => overrides.append.push(key),
            Some("append") => return refused("appended to"),
            Some("replace") if replaceable.contains(&key) => overrides.replace.push(key),
            Some("replace") => return refused("replaced"),
            _ => {
                let message = format!("`{key}` has to be `append` or `replace`");
                return Err(Problem::new(Code::Override, operation.place, message));
            }
        }
    }
    Ok(overrides)
}

fn reject_both(
    reader: Reader<'_>,
    is_appended: bool,
    overrides: &Overrides<'_>,
) -> Result<(), Problem> {
    if is_appended && !overrides.is_empty() {
        let message = "`append` and `override` cannot stand together";
        return Err(Problem::new(Code::Override, reader.place(), message)
            .help("drop `append`, `override` says the same"));
    }
    Ok(())
}

/// What a list's name may be, so that it can be found in a condition.
fn is_bare_string(text: &str) -> bool {
    let is_delimiter =
        |c: char| matches!(c, '(' | ')' | '"' | '\'' | '=' | ',' | ' ' | '\t' | '\n' | '\r');
    !text.is_empty() && !text.contains(is_delimiter)
}
