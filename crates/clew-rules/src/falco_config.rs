//! The configuration of a Falco installation, as far as it says which rules run and how.
//!
//! A security engineer has a `falco.yaml` that names rule files, switches rules off and adds to
//! outputs. Clew takes over what it can, and says of every other key why not: a key that is passed
//! over in silence would be a rule set that is not the one she runs.
//!
//! Facts about keys and defaults are of Falco 0.45 (`falco.yaml` and `falco --config-schema`).

mod keys;

use clew_event::Priority;
use serde::Serialize;

use crate::items::priority_named;
use crate::load::{AppendOutput, Matching, Selection, Selector, SourceFile};
use crate::yaml::{self, FileError, Node};
use keys::Taken;

/// What a configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FalcoConfig {
    /// Rule files and directories, in order.
    pub rules_files: Vec<String>,
    /// Rules switched on and off, in order.
    pub selection: Vec<Selection>,
    /// Additions to outputs, in order.
    pub append_output: Vec<AppendOutput>,
    /// Less urgent rules do not run.
    pub priority_min: Priority,
    /// How many rules may match one event.
    pub matching: Matching,
    /// What became of each key, in the order of the files.
    pub notes: Vec<KeyNote>,
}

impl Default for FalcoConfig {
    fn default() -> Self {
        Self {
            rules_files: Vec::new(),
            selection: Vec::new(),
            append_output: Vec::new(),
            priority_min: Priority::Debug,
            matching: Matching::First,
            notes: Vec::new(),
        }
    }
}

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyNote {
    /// The key: `rules_files`.
    pub key: String,
    /// Name of the file.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// Whether it has its effect here.
    pub is_taken: bool,
    /// What it does here, or why it does nothing.
    pub reason: String,
}

/// Why a configuration cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Name of the file.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: u32,
    /// What is wrong there.
    pub reason: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// Gives the value of an environment variable; a configuration may name them as `${NAME}`.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The files and directories that a configuration names as its continuation (`config_files`).
///
/// # Errors
/// [`ConfigError`] where the file is no YAML mapping.
pub fn continuations(
    file: &SourceFile,
    environment: Environment<'_>,
) -> Result<Vec<String>, ConfigError> {
    let reader = Reader::new(file, environment);
    let Some(root) = reader.root()? else { return Ok(Vec::new()) };
    let entries = root.get("config_files").and_then(Node::sequence).unwrap_or_default();
    let path = |entry: &Node| reader.text(entry.get("path").unwrap_or(entry));
    entries.iter().map(path).collect()
}

impl FalcoConfig {
    /// Reads a configuration and its continuations, in order: lists of later files add to those
    /// of earlier ones, everything else takes their place.
    ///
    /// # Errors
    /// [`ConfigError`] where a file is no YAML mapping, or a key that Clew takes has the wrong
    /// shape: rules that run by half would be worse than none.
    pub fn read(files: &[SourceFile], environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for file in files {
            let reader = Reader::new(file, environment);
            let Some(root) = reader.root()? else { continue };
            for (key, value) in root.mapping().unwrap_or_default() {
                config.take(&reader, key, value)?;
            }
        }
        Ok(config)
    }

    fn take(&mut self, reader: &Reader<'_>, key: &Node, value: &Node) -> Result<(), ConfigError> {
        let name = key.key_text().unwrap_or_default();
        let taken = keys::lookup(name);
        match name {
            "rules_files" | "rules_file" => self.rules_files.extend(reader.texts(value)?),
            "rules" => {
                for entry in reader.entries(value)? {
                    self.selection.extend(reader.selection(entry)?);
                }
            }
            "append_output" => {
                for entry in reader.entries(value)? {
                    self.append_output.push(reader.append_output(entry)?);
                }
            }
            "priority" => {
                let text = reader.text(value)?;
                let wrong = || reader.wrong(value, format!("`{text}` is no priority"));
                self.priority_min = priority_named(&text).ok_or_else(wrong)?;
            }
            "rule_matching" => match reader.text(value)?.as_str() {
                "first" => self.matching = Matching::First,
                "all" => self.matching = Matching::All,
                other => {
                    let reason = format!("`rule_matching` is `{other}`, not `first` or `all`");
                    return Err(reader.wrong(value, reason));
                }
            },
            _ => {}
        }
        self.notes.push(reader.note(key, value, taken));
        Ok(())
    }
}

/// Reads nodes of one file.
struct Reader<'a> {
    file: &'a SourceFile,
    environment: Environment<'a>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a SourceFile, environment: Environment<'a>) -> Self {
        Self { file, environment }
    }

    /// The mapping that the file is; `None` for an empty file.
    fn root(&self) -> Result<Option<Node>, ConfigError> {
        let yaml::File { items, errors, mappings } = yaml::read(&self.file.text, 0);
        for error in errors {
            let (place, reason) = match error {
                FileError::Syntax(place, reason) => (place, format!("this is not YAML: {reason}")),
                FileError::Limit(place, reason) => (place, reason),
                FileError::NotASequence(place) if mappings.is_empty() => {
                    (place, "a configuration has to be a mapping of keys".to_owned())
                }
                FileError::NotASequence(_) => continue,
            };
            return Err(ConfigError { file: self.file.name.clone(), line: place.line, reason });
        }
        match items.first() {
            Some(item) => {
                let reason = "a configuration has to be a mapping of keys; is this a rule file?";
                Err(self.wrong(item, reason.to_owned()))
            }
            None => Ok(mappings.into_iter().next()),
        }
    }

    fn wrong(&self, node: &Node, reason: String) -> ConfigError {
        ConfigError { file: self.file.name.clone(), line: node.place.line, reason }
    }

    /// The text of a scalar, variables put in.
    fn text(&self, node: &Node) -> Result<String, ConfigError> {
        match node.key_text() {
            Some(text) => Ok(expanded(text, self.environment)),
            None => Err(self.wrong(node, "one value is wanted here".to_owned())),
        }
    }

    /// The texts of a sequence, or the one of a scalar.
    fn texts(&self, node: &Node) -> Result<Vec<String>, ConfigError> {
        match node.sequence() {
            Some(items) => items.iter().map(|item| self.text(item)).collect(),
            None if node.is_null() => Ok(Vec::new()),
            None => Ok(vec![self.text(node)?]),
        }
    }

    fn entries<'n>(&self, node: &'n Node) -> Result<&'n [Node], ConfigError> {
        match node.sequence() {
            Some(items) => Ok(items),
            None if node.is_null() => Ok(&[]),
            None => Err(self.wrong(node, "a list is wanted here".to_owned())),
        }
    }

    fn flag(&self, node: &Node) -> Result<bool, ConfigError> {
        let text = self.text(node)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.wrong(node, format!("`{text}` is not `true` or `false`"))),
        }
    }

    /// `- disable: {rule: …}` or `- enable: {tag: …}`; with both a rule and a tag, both count.
    fn selection(&self, entry: &Node) -> Result<Vec<Selection>, ConfigError> {
        let wrong = || {
            let reason = "write `- enable:` or `- disable:` with `rule: NAME` or `tag: NAME`";
            self.wrong(entry, reason.to_owned())
        };
        let mut found = Vec::new();
        for (key, target) in entry.mapping().ok_or_else(wrong)? {
            let is_enabled = match key.key_text() {
                Some("enable") => true,
                Some("disable") => false,
                _ => return Err(wrong()),
            };
            if let Some(rule) = target.get("rule") {
                let selector = Selector::Name(self.text(rule)?);
                found.push(Selection { is_enabled, selector });
            }
            if let Some(tag) = target.get("tag") {
                found.push(Selection { is_enabled, selector: Selector::Tag(self.text(tag)?) });
            }
        }
        if found.is_empty() { Err(wrong()) } else { Ok(found) }
    }

    fn append_output(&self, entry: &Node) -> Result<AppendOutput, ConfigError> {
        let mut append = AppendOutput::default();
        for (key, value) in entry.mapping().unwrap_or_default() {
            match key.key_text() {
                Some("match") => {
                    for (key, value) in value.mapping().unwrap_or_default() {
                        match key.key_text() {
                            Some("source") => append.source = self.text(value)?,
                            Some("rule") => append.rule = self.text(value)?,
                            Some("tags") => append.tags = self.texts(value)?,
                            _ => return Err(self.wrong(key, "no such condition".to_owned())),
                        }
                    }
                }
                Some("extra_output") => append.text = self.text(value)?,
                Some("extra_fields") => {
                    for field in self.entries(value)? {
                        append.fields.push(self.extra_field(field)?);
                    }
                }
                Some("suggested_output") => append.is_suggested = self.flag(value)?,
                _ => return Err(self.wrong(key, "no such key of `append_output`".to_owned())),
            }
        }
        Ok(append)
    }

    /// A field by its name, or a name with a text.
    fn extra_field(&self, node: &Node) -> Result<(String, Option<String>), ConfigError> {
        match node.mapping() {
            None => Ok((self.text(node)?, None)),
            Some([(key, value)]) => Ok((self.text(key)?, Some(self.text(value)?))),
            Some(_) => Err(self.wrong(node, "one name with one text is wanted here".to_owned())),
        }
    }

    fn note(&self, key: &Node, value: &Node, taken: Taken) -> KeyNote {
        let name = key.key_text().unwrap_or_default();
        let is_off = value.get("enabled").and_then(Node::key_text) == Some("false");
        let (is_taken, reason) = match taken {
            Taken::Yes(reason) => (true, reason),
            Taken::No(_) if is_off => (true, "it is off there, too"),
            Taken::No(_) if keys::is_so_here(name, value.key_text().unwrap_or_default()) => {
                (true, "it is so here anyway")
            }
            Taken::No(reason) => (false, reason),
        };
        let text_of = |part: &str| self.text(value.get(part)?).ok();
        let option = keys::output_option(name, &text_of).filter(|_| !is_taken);
        KeyNote {
            key: name.to_owned(),
            file: self.file.name.clone(),
            line: key.place.line,
            is_taken,
            reason: option.unwrap_or_else(|| reason.to_owned()),
        }
    }
}

/// The text with `${NAME}` replaced; a variable that is not set is empty, as in the original.
fn expanded(text: &str, environment: Environment<'_>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else { break };
        match before.strip_suffix('$') {
            // `$${NAME}` is the text `${NAME}`.
            Some(before) => {
                expanded.push_str(before);
                expanded.push_str(&format!("${{{name}}}"));
            }
            None => {
                expanded.push_str(before);
                expanded.push_str(&environment(name).unwrap_or_default());
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    expanded
}
