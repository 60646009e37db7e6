//! Which rules the user switches on and off, whatever the files say.
//!
//! As in the original, entries are commands carried out in order, and the last one that fits a
//! rule decides. In a name `*` stands for any characters; a tag is compared as a whole.

use clew_event::Priority;

use super::{Options, Status};

/// Whether a rule that has nothing wrong may match.
pub(crate) fn status(options: &Options, name: &str, tags: &[String], priority: Priority) -> Status {
    if !is_enabled(&options.selection, true, name, tags.iter().map(String::as_str)) {
        return Status::Disabled;
    }
    // More urgent priorities come first.
    if options.priority_min < priority { Status::LessUrgent } else { Status::Runs }
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Switches on, else off.
    pub is_enabled: bool,
    /// Which rules.
    pub selector: Selector,
}

/// Which rules a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Those whose name fits this, in which `*` stands for any characters.
    Name(String),
    /// Those with this tag.
    Tag(String),
}

impl Selector {
    /// True for a rule of that name with these tags.
    #[must_use]
    pub fn fits<'a>(&self, name: &str, tags: impl IntoIterator<Item = &'a str>) -> bool {
        match self {
            Self::Name(pattern) => fits_pattern(pattern, name),
            Self::Tag(tag) => tags.into_iter().any(|other| other == tag),
        }
    }
}

/// Whether a rule is on after all commands.
pub(super) fn is_enabled<'a>(
    selection: &[Selection],
    by_files: bool,
    name: &str,
    tags: impl IntoIterator<Item = &'a str> + Clone,
) -> bool {
    let last = selection.iter().rev().find(|entry| entry.selector.fits(name, tags.clone()));
    last.map_or(by_files, |entry| entry.is_enabled)
}

/// The parts between `*` have to follow one another; taking each as early as it goes is enough.
fn fits_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let check = |pattern: &str, name: &str, fits: bool| {
            assert_eq!(fits_pattern(pattern, name), fits, "{pattern} {name}");
        };
        check("*", "", true);
        check("*", "Any rule", true);
        check("Any rule", "Any rule", true);
        check("Any", "Any rule", false);
        check("Any*", "Any rule", true);
        check("*rule", "Any rule", true);
        check("A*y*le", "Any rule", true);
        check("A*z*le", "Any rule", false);
        check("ab*ba", "aba", false);
        check("*a*", "bcb", false);
        check("A?y rule", "Any rule", false);
    }

    #[test]
    fn the_last_command_that_fits_decides() {
        let entry = |is_enabled, selector| Selection { is_enabled, selector };
        let selection = [
            entry(false, Selector::Name("*".to_owned())),
            entry(true, Selector::Tag("network".to_owned())),
            entry(false, Selector::Name("Noisy*".to_owned())),
        ];
        let check = |name: &str, tags: &[&str], by_files: bool, is_on: bool| {
            let tags = tags.iter().copied();
            assert_eq!(is_enabled(&selection, by_files, name, tags), is_on, "{name}");
        };
        check("Quiet", &["network"], false, true);
        check("Quiet", &["file"], true, false);
        check("Noisy connect", &["network"], true, false);
        assert!(is_enabled(&[], true, "x", []) && !is_enabled(&[], false, "x", []));
    }
}
