//! How processes, files and times are named in sentences: escaped, quoted and bounded.

use clew_event::finding::{ProcessFacts, RequestFacts};
use clew_event::text::escaped;
use clew_event::{Finding, Text};

/// Characters of a command line or headline that a sentence shows.
pub(crate) const SHOWN_MAX: usize = 160;

/// Files through which a call came that a sentence names.
pub(crate) const LIBRARIES_TOLD_MAX: usize = 3;

/// Characters of the command line with which a story began.
pub(crate) const COMMAND_MAX: usize = 512;

/// At most `max` characters, with `…` where something was left out.
pub(crate) fn short(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `name`, escaped, in back-ticks.
pub(crate) fn quoted(text: &Text) -> String {
    format!("`{}`", short(&text.to_string(), SHOWN_MAX))
}

/// `` `cat` (pid 101) ``
pub(crate) fn process(facts: &ProcessFacts) -> String {
    let name = if facts.name.is_empty() { &facts.exe } else { &facts.name };
    if name.is_empty() {
        return format!("pid {}", facts.key.pid);
    }
    format!("{} (pid {})", quoted(name), facts.key.pid)
}

/// `` `cat /etc/shadow` (pid 101) ``, with much of the command line: where a story began, it is
/// what came in.
pub(crate) fn command(facts: &ProcessFacts) -> String {
    if facts.command_line.is_empty() {
        return process(facts);
    }
    let line = short(&facts.command_line.to_string(), COMMAND_MAX);
    format!("`{line}` (pid {})", facts.key.pid)
}

/// `` `GET /ping?host=x` ``
pub(crate) fn request(facts: &RequestFacts) -> String {
    let asked = [facts.method.as_bytes(), facts.target.as_bytes()].join(&b' ');
    format!("`{}`", short(&escaped(&asked), COMMAND_MAX))
}

/// `` in container `shop` (image `shop:1`) on node `n4` ``
pub(crate) fn place(finding: &Finding) -> String {
    if is_call_alone(finding) {
        return short_place(finding);
    }
    let node = escaped(finding.hostname.as_bytes());
    let node = if node.is_empty() { node } else { format!(" on node `{node}`") };
    let Some(container) = &finding.subject.container else {
        return format!("outside any container{node}");
    };
    let name = container_name(finding).unwrap_or_default();
    let image = if container.image.is_empty() {
        String::new()
    } else {
        format!(" (image {})", quoted(&container.image))
    };
    format!("in container `{name}`{image}{node}")
}

/// The container's name, or its short id until the runtime told the name.
pub(crate) fn container_name(finding: &Finding) -> Option<String> {
    let container = finding.subject.container.as_ref()?;
    let name = container.name.to_string();
    Some(if name.is_empty() { escaped(container.id.short().as_bytes()) } else { name })
}

/// The same, as short as a title needs it.
pub(crate) fn short_place(finding: &Finding) -> String {
    match (container_name(finding), &finding.subject.call) {
        (Some(name), _) => format!("in container `{name}`"),
        (None, Some(call)) if is_call_alone(finding) => {
            format!("in account {}", quoted(&call.account))
        }
        (None, _) => format!("on node `{}`", escaped(finding.hostname.as_bytes())),
    }
}

/// True for a call to an API of which no process is known.
fn is_call_alone(finding: &Finding) -> bool {
    finding.subject.call.is_some() && finding.subject.lineage.is_empty()
}

/// The finding's own words: its output without the fields after ` | `, or in the older style of
/// rules, without the fields in brackets at its end.
pub(crate) fn headline(finding: &Finding) -> String {
    let output = escaped(finding.output.as_bytes());
    let words = match output.split_once(" | ") {
        Some((words, _)) => words,
        None => output.split_once(" (").map_or(output.as_str(), |(words, _)| words),
    };
    let words = words.trim().trim_end_matches(['.', '|', ' ']);
    if words.is_empty() {
        return escaped(finding.rule.as_bytes());
    }
    short(words, SHOWN_MAX)
}

/// What was done, by whom and to what, in one sentence.
pub(crate) fn deed(finding: &Finding) -> String {
    let words = headline(finding);
    let mut more = Vec::new();
    if let Some(process) = finding.subject.lineage.first() {
        let line = process.command_line.to_string();
        let beginning: String = line.chars().take(SHOWN_MAX / 4).collect();
        if !words.contains(&beginning) {
            more.push(quoted(&process.command_line));
        }
        more.push(format!("pid {}", process.key.pid));
    }
    for (what, value) in [("file", &finding.subject.file), ("peer", &finding.subject.peer)] {
        let shown = value.to_string();
        if !value.is_empty() && !words.contains(&shown) && !more.iter().any(|m| m.contains(&shown))
        {
            more.push(format!("{what} {}", quoted(value)));
        }
    }
    let libraries = telling_libraries(finding);
    if !libraries.is_empty() {
        more.push(format!("through {}", listed(&libraries)));
    }
    if more.is_empty() { format!("{words}.") } else { format!("{words} ({}).", more.join(", ")) }
}

/// The nearest files that a call came through, but for what every call comes through: the C library
/// and the program itself.
fn telling_libraries(finding: &Finding) -> Vec<String> {
    let program =
        finding.subject.lineage.first().map_or(&b""[..], |process| process.exe.file_name());
    let is_telling = |name: &&Text| {
        let name = name.as_bytes();
        let is_of_all = ["libc.", "libc-", "ld-"].iter().any(|of| name.starts_with(of.as_bytes()));
        !is_of_all && name != program
    };
    let telling = finding.subject.libraries.iter().filter(is_telling);
    telling.take(LIBRARIES_TOLD_MAX).map(quoted).collect()
}

/// `1, 2 and 3`
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// How sure a tie of so many bits is, as an adverb; nothing where it is a fact.
pub(crate) fn certainty(bits: f64) -> &'static str {
    if 10.0 <= bits {
        ""
    } else if 4.0 <= bits {
        "very likely "
    } else {
        "possibly "
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process as facts};

    fn sample(output: &str) -> Finding {
        let sh = facts(100, "sh", "sh -c id", 0);
        let mut finding = Sample::new("a_rule", 1).lineage(&[sh]).file("/etc/shadow").finding();
        finding.output = output.into();
        finding
    }

    #[test]
    fn a_deed_says_once_who_did_what_to_what() {
        let check = |output: &str, deed_told: &str| assert_eq!(deed(&sample(output)), deed_told);
        check(
            "Sensitive file opened | file=/etc/shadow user=root",
            "Sensitive file opened (`sh -c id`, pid 100, file `/etc/shadow`).",
        );
        check(
            "netcheck ran sh -c id on /etc/shadow | a=b",
            "netcheck ran sh -c id on /etc/shadow (pid 100).",
        );
        check(
            "x ran sh -c id (now) on /etc/shadow | a=b",
            "x ran sh -c id (now) on /etc/shadow (pid 100).",
        );
        check("Old style (user=root)", "Old style (`sh -c id`, pid 100, file `/etc/shadow`).");
        check("", "a_rule (`sh -c id`, pid 100, file `/etc/shadow`).");
    }

    #[test]
    fn a_deed_names_the_libraries_that_it_came_through_within_a_bound() {
        let told = |libraries: &[&str]| {
            let mut finding = sample("Shadow read | file=/etc/shadow");
            finding.subject.lineage[0].exe = "/usr/bin/python3".into();
            finding.subject.libraries = libraries.iter().map(|name| Text::from(*name)).collect();
            deed(&finding).split_once("shadow`").unwrap().1.to_owned()
        };
        assert_eq!(told(&["ld-linux-x86-64.so.2", "libc.so.6", "python3"]), ").");
        assert_eq!(told(&["libc.so.6", "_yaml.so", "python3"]), ", through `_yaml.so`).");
        let many = ["a.so"; LIBRARIES_TOLD_MAX + 1];
        assert_eq!(told(&many), ", through `a.so`, `a.so` and `a.so`).");
    }

    #[test]
    fn nothing_that_an_attacker_writes_breaks_a_line_or_grows_without_bound() {
        let hostile = format!("a\x1b[2J\n{}", "x".repeat(10_000));
        let told = deed(&sample(&hostile));
        let shell = facts(1, "sh", &hostile, 0);
        assert!(command(&shell).chars().count() < COMMAND_MAX + 20);
        assert!(!command(&shell).contains('\n'));
        assert!(!told.contains(['\n', '\x1b']));
        assert!(told.chars().count() < 2 * SHOWN_MAX + 100, "{}", told.len());
    }

    #[test]
    fn certainty_words_follow_the_bits() {
        let check = |bits, word: &str| assert_eq!(certainty(bits), word);
        check(20.0, "");
        check(7.5, "very likely ");
        check(2.5, "possibly ");
    }
}
