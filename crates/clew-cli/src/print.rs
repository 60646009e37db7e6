//! Shows findings, stories and complaints: as JSON lines for machines, as text for people.
//!
//! The JSON lines are the machine interface that `ARCHITECTURE.md` fixes. In text, everything
//! that came from a watched machine is escaped, so that no name can act on a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clew_engine::{Forgotten, Output};
use clew_event::finding::{Finding, Priority};
use clew_event::story::{Severity, Story};
use clew_event::text::escaped;
use clew_event::{Complaint, TimestampNs};
use clew_notify::Line;
use serde::Serialize;

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Human,
}

impl Form {
    /// The form that `--json` asks for.
    pub(crate) const fn of_flag(is_json: bool) -> Self {
        if is_json { Self::Json } else { Self::Human }
    }
}

/// What a run or replay came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Events judged.
    pub(crate) events: u64,
    /// Findings made.
    pub(crate) findings: u64,
    /// Stories told.
    pub(crate) stories: u64,
    /// Events that were lost before they could be judged.
    pub(crate) lost: u64,
    /// Matches that made no finding because the rate of their rule was used up.
    pub(crate) suppressed: u64,
    /// What was given up for want of room or came too late, by kind, where there is any.
    pub(crate) forgotten: BTreeMap<&'static str, u64>,
    /// Complaints about the input.
    pub(crate) complaints: u64,
    /// From the first event to the last, by the clock of the events, so that two replays of a
    /// tape print the same.
    pub(crate) seconds: f64,
}

/// The kinds of which anything was given up.
pub(crate) fn forgotten(totals: &[(Forgotten, u64)]) -> BTreeMap<&'static str, u64> {
    let some = totals.iter().filter(|(_, count)| *count != 0);
    some.map(|(what, count)| (what.name(), *count)).collect()
}

/// Writes one line of the machine interface.
pub(crate) fn json_line(
    out: &mut impl Write,
    kind: &str,
    value: &impl Serialize,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { r#type: kind, value })?;
    writeln!(out)
}

/// Writes what the engine gave: findings, then what ties those of stories together, then stories.
pub(crate) fn output(out: &mut impl Write, form: Form, output: &Output) -> io::Result<()> {
    output.findings.iter().try_for_each(|it| finding(out, form, it))?;
    if form == Form::Json {
        output.links.iter().try_for_each(|link| json_line(out, "link", link))?;
    }
    output.stories.iter().try_for_each(|it| story(out, form, it))
}

/// Writes one finding.
pub(crate) fn finding(out: &mut impl Write, form: Form, finding: &Finding) -> io::Result<()> {
    if form == Form::Json {
        return json_line(out, "finding", finding);
    }
    writeln!(
        out,
        "{}  {:<9} {}  {}",
        clock(finding.time),
        priority(finding.priority),
        escaped(finding.rule.as_bytes()),
        escaped(finding.output.as_bytes()),
    )
}

/// Writes one revision of a story.
pub(crate) fn story(out: &mut impl Write, form: Form, story: &Story) -> io::Result<()> {
    if form == Form::Json {
        return json_line(out, "story", story);
    }
    writeln!(out)?;
    writeln!(
        out,
        "STORY {}  revision {}  {}  {:.0} bits",
        story.id,
        story.revision,
        severity(story.severity),
        story.likelihood_bits
    )?;
    for line in story.narrative.lines() {
        writeln!(out, "  {}", escaped(line.as_bytes()))?;
    }
    writeln!(out)
}

/// Writes one complaint.
pub(crate) fn complaint(out: &mut impl Write, form: Form, complaint: &Complaint) -> io::Result<()> {
    if form == Form::Json {
        return json_line(out, "complaint", complaint);
    }
    let Complaint { file, r#where, code, message } = complaint;
    writeln!(out, "{}: {where}: {message} [{code}]", escaped(file.as_bytes()))
}

/// Writes what it all came to.
pub(crate) fn summary(out: &mut impl Write, form: Form, summary: &Summary) -> io::Result<()> {
    if form == Form::Json {
        return json_line(out, "summary", summary);
    }
    let Summary { events, findings, stories, lost, suppressed, forgotten, complaints, seconds } =
        summary;
    let held_back = match suppressed {
        0 => String::new(),
        count => format!(" and {count} held back by their rate"),
    };
    let given_up: String =
        forgotten.iter().map(|(what, count)| format!(", {count} {what} forgotten")).collect();
    writeln!(
        out,
        "{events} events in {seconds:.1} s, {lost} lost{given_up}, {complaints} complaints: \
         {findings} findings{held_back}, {stories} stories"
    )
}

/// Time of day to the millisecond: enough to follow, short enough to read.
fn clock(time: TimestampNs) -> String {
    let mut clock = time.time_of_day();
    clock.truncate("00:00:00.000".len());
    clock
}

fn priority(priority: Priority) -> String {
    priority.name().to_uppercase().chars().take("EMERGENCY".len()).collect()
}

pub(crate) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_names_its_type_first() {
        let mut out = Vec::new();
        let summary = Summary { events: 3, seconds: 1.5, ..Summary::default() };
        super::summary(&mut out, Form::Json, &summary).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"type\":\"summary\",\"events\":3,\"findings\":0,\"stories\":0,\"lost\":0,\
             \"suppressed\":0,\"forgotten\":{},\"complaints\":0,\"seconds\":1.5}\n"
        );
    }

    #[test]
    fn what_was_forgotten_is_told_by_kind() {
        let totals = [(Forgotten::Identity, 3), (Forgotten::Request, 0), (Forgotten::ApiUse, 1)];
        let summary = Summary { forgotten: forgotten(&totals), ..Summary::default() };
        let mut out = Vec::new();
        super::summary(&mut out, Form::Human, &summary).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "0 events in 0.0 s, 0 lost, 1 api_use forgotten, 3 identity forgotten, 0 complaints: \
             0 findings, 0 stories\n"
        );
    }

    #[test]
    fn no_name_acts_on_the_terminal() {
        let mut out = Vec::new();
        let hostile = Complaint {
            file: "a\x1b[2Jb".into(),
            r#where: "byte 0".into(),
            code: "tape-truncated".into(),
            message: "it ends early".into(),
        };
        complaint(&mut out, Form::Human, &hostile).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a\\x1b[2Jb: byte 0: it ends early [tape-truncated]\n"
        );
    }

    #[test]
    fn the_clock_shows_milliseconds() {
        let time = TimestampNs::from_unix_ns(1_764_007_322_123_456_789);
        assert_eq!(clock(time), "18:02:02.123");
    }
}
