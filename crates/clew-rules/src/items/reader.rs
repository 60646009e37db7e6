//! Reads the keys of one item, and says what is wrong with their values.

use crate::diagnostic::{Code, Problem, Report, nearest};
use crate::traced::{Place, Traced};
use crate::yaml::Node;

/// One mapping that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub node: &'a Node,
}

impl<'a> Reader<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self { node }
    }

    pub(super) fn place(self) -> Place {
        self.node.place
    }

    /// The text of a key that has to be there.
    pub(super) fn required(self, key: &str) -> Result<&'a Traced, Problem> {
        let message = format!("`{key}` is missing");
        self.optional(key)?.ok_or_else(|| Problem::new(Code::MissingKey, self.place(), message))
    }

    /// The text of a key that may be absent, but not empty.
    pub(super) fn optional(self, key: &str) -> Result<Option<&'a Traced>, Problem> {
        let Some(value) = self.node.get(key) else { return Ok(None) };
        match value.scalar() {
            Some(text) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(wrong(value, format!("`{key}` is empty"))),
            None if value.is_null() => Err(wrong(value, format!("`{key}` is empty"))),
            None => Err(wrong(value, format!("`{key}` has to be one value"))),
        }
    }

    /// The text of a key that may be absent or empty.
    pub(super) fn optional_or_empty(self, key: &str) -> Result<Option<&'a Traced>, Problem> {
        match self.node.get(key) {
            Some(value) if value.is_null() || value.scalar().is_some_and(Traced::is_empty) => {
                Ok(None)
            }
            _ => self.optional(key),
        }
    }

    pub(super) fn flag(self, key: &str) -> Result<Option<bool>, Problem> {
        let Some(text) = self.optional(key)? else { return Ok(None) };
        match boolean(text.as_str()) {
            Some(flag) => Ok(Some(flag)),
            None => {
                let message = format!("`{key}` is `{}`, not `true` or `false`", text.as_str());
                Err(Problem::new(Code::WrongValue, text.place_at(0), message))
            }
        }
    }

    /// The texts of a sequence.
    pub(super) fn texts(self, key: &str) -> Result<Option<Vec<&'a Traced>>, Problem> {
        let Some(value) = self.node.get(key) else { return Ok(None) };
        let Some(items) = value.sequence() else {
            return Err(wrong(value, format!("`{key}` has to be a list")));
        };
        let text = |item: &'a Node| {
            let message = format!("an item of `{key}` has to be one value");
            item.scalar().ok_or_else(|| wrong(item, message))
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Warns of keys that mean nothing here.
    pub(super) fn warn_of_other_keys(self, known: &[&str], report: &mut Report) {
        for (key, _) in self.node.mapping().unwrap_or_default() {
            let text = key.key_text().unwrap_or_default();
            if known.contains(&text) {
                continue;
            }
            let message = format!("unknown key `{text}`, ignored");
            let problem = Problem::new(Code::UnknownKey, key.place, message);
            report.warning(match nearest(text, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}

fn wrong(node: &Node, message: String) -> Problem {
    Problem::new(Code::WrongValue, node.place, message)
}

/// What the original's YAML reader takes for a truth value.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capitalized = text.chars().skip(1).all(|c| c.is_ascii_lowercase());
    let is_uniform = capitalized || text.chars().all(|c| c.is_ascii_uppercase());
    match lower.as_str() {
        "y" | "yes" | "true" | "on" if is_uniform => Some(true),
        "n" | "no" | "false" | "off" if is_uniform => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_values_are_those_of_the_original() {
        for text in ["true", "True", "TRUE", "yes", "on", "y", "Y"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["false", "No", "OFF", "n"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["tRue", "1", "", "enabled"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }
}
