//! A rule as the rest of Clew sees it: its name, urgency and sentence, without the condition.

use clew_event::Priority;

/// Number of a rule in its [`RuleSet`](crate::RuleSet), in the order of first definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u32);

/// A rule that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, by which later files change it and alerts carry it.
    pub name: String,
    /// One paragraph for people.
    pub description: String,
    /// How urgent its author calls it.
    pub priority: Priority,
    /// Source of the events it judges: `syscall`, `k8s_audit`, …
    pub source: String,
    /// All its tags, in ascending order, each once.
    pub tags: Vec<String>,
    /// ATT&CK techniques among its tags, such as `T1059.004`, in ascending order.
    pub techniques: Vec<String>,
    /// The sentence with its `%field`s, as the files say it.
    pub output: String,
    /// Number of the file that defines it, in the order given to `load`.
    pub file: u32,
    /// Line of its definition in that file, from 1.
    pub line: u32,
}

/// The ATT&CK technique ids among `tags`: `T` and four digits, perhaps `.` and three more.
pub(crate) fn techniques(tags: &[String]) -> Vec<String> {
    let mut found: Vec<String> = tags.iter().filter(|tag| is_technique(tag)).cloned().collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn is_technique(tag: &str) -> bool {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some(rest) = tag.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        None => digits(rest, 4),
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_are_told_from_other_tags() {
        let tags: Vec<String> =
            ["T1552.001", "mitre_discovery", "T1055", "T12", "T1055.1", "TA0007", "T1055"]
                .map(String::from)
                .to_vec();
        assert_eq!(techniques(&tags), ["T1055", "T1552.001"]);
    }
}
