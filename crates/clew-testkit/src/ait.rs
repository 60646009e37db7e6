//! Alerts of other detectors as findings: the AIT alert data set (AIT-ADS), told as stories.
//!
//! Eight tenants, 2.66 million alerts of Wazuh, Suricata and AMiner over four to six days each,
//! with one attack of ten labelled steps in each (Landauer, Skopik, Wurzenberger: *Introducing a
//! New Alert Data Set for Multi-Step Attack Analysis*, CSET 2024). Read in the form in which the
//! authors' tools print it, one line an alert:
//! `time,name,ip,host,short,time_label,event_label`.
//!
//! An alert there has a second, a rule and a host; no process, user or peer. So nothing can be
//! causal, and what is measured is how far surprise and shared places carry by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clew_event::finding::{ContainerFacts, Subject};
use clew_event::{ContainerId, EventId, Finding, FindingId, Priority, Story, StoryId, TimestampNs};
use clew_story::{Settings, Stories};

/// First line of a file of the set.
const HEAD: &str = "time,name,ip,host,short,time_label,event_label";
/// Surprisal of a finding at most: as much as the most urgent rule of ours has.
const BITS_MAX: f64 = 12.0;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// One line of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert<'a> {
    /// Unix time.
    pub second: u64,
    /// Detector and rule: `Wazuh: IDS event.`
    pub name: &'a str,
    /// Where.
    pub host: &'a str,
    /// Step of the attack that it is of.
    pub step: Option<&'a str>,
}

impl<'a> Alert<'a> {
    /// Reads one line; `None` where it is none. An alert is of a step by the event that it is
    /// about, or by its time where the set knows no more.
    #[must_use]
    pub fn from_line(line: &'a str) -> Option<Self> {
        let (time, rest) = line.split_once(',')?;
        // Names of rules may have commas, what follows has none.
        let mut parts = rest.rsplitn(6, ',');
        let (event, time_label) = (parts.next()?, parts.next()?);
        let (_short, host, _ip, name) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Events are labelled by other words for the same steps.
        let is_step = |label: &&str| !matches!(*label, "false_positive" | "-" | "");
        let step = Some(time_label).filter(is_step).or_else(|| Some(event).filter(is_step));
        let second = time.split('.').next()?.parse().ok()?;
        Some(Self { second, name, host, step })
    }
}

/// How surprising rules are at each host, learned from the alerts before.
#[derive(Debug, Default)]
struct Surprise<'a> {
    counts: BTreeMap<&'a str, BTreeMap<&'a str, u32>>,
    /// Rules seen at any host.
    rules: BTreeSet<&'a str>,
}

impl<'a> Surprise<'a> {
    /// Bits of this alert after all before it, and learns it: the estimate of Krichevsky and
    /// Trofimov, half an alert assumed for each rule that is known and one for all that are not.
    fn learn(&mut self, alert: &Alert<'a>) -> f64 {
        self.rules.insert(alert.name);
        let rules = f64::from(u32::try_from(self.rules.len()).unwrap_or(u32::MAX));
        let counts = self.counts.entry(alert.host).or_default();
        let seen: f64 = counts.values().map(|count| f64::from(*count)).sum();
        let count = counts.entry(alert.name).or_default();
        let chance = (f64::from(*count) + 0.5) / (seen + 0.5 * (rules + 1.0));
        *count = count.saturating_add(1);
        (-chance.log2()).clamp(0.0, BITS_MAX)
    }
}

/// What became of the alerts of one tenant, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Alerts read.
    pub alerts: u64,
    /// Lines that are no alert.
    pub complaints: u64,
    /// Alerts counted once a rule, host and minute.
    pub findings: u64,
    /// Those of an attack.
    pub attack_findings: u64,
    /// Those of an attack that stories hold, as far as they list their steps.
    pub attack_findings_told: u64,
    /// Steps of the attack that have alerts.
    pub steps: u64,
    /// Steps of the attack that stories hold an alert of.
    pub steps_told: u64,
    /// Stories.
    pub stories: u64,
    /// Stories without an alert of an attack.
    pub stories_false: u64,
    /// Days from the first alert to the last.
    pub days: f64,
}

impl Figures {
    /// Adds those of another tenant.
    pub fn add(&mut self, other: &Self) {
        self.alerts += other.alerts;
        self.complaints += other.complaints;
        self.findings += other.findings;
        self.attack_findings += other.attack_findings;
        self.attack_findings_told += other.attack_findings_told;
        self.steps += other.steps;
        self.steps_told += other.steps_told;
        self.stories += other.stories;
        self.stories_false += other.stories_false;
        self.days += other.days;
    }

    /// Head of the table.
    pub const TABLE_HEAD: &str = "| tenant | alerts | once a minute | stories | alerts a story | \
        steps told | findings of the attack told | false stories a day |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|\n";

    /// A row of the table.
    #[must_use]
    pub fn row(&self, name: &str) -> String {
        let mut row = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            row,
            "| {name} | {} | {} | {} | {:.0} | {} of {} ({:.2}) | {:.2} | {:.2} |",
            self.alerts,
            self.findings,
            self.stories,
            ratio(self.alerts, self.stories),
            self.steps_told,
            self.steps,
            ratio(self.steps_told, self.steps),
            ratio(self.attack_findings_told, self.attack_findings),
            float(self.stories_false) / self.days.max(1.0),
        );
        row
    }
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole.max(1))
}

/// Tells the alerts of one tenant; `None` where the text is no file of the set.
#[must_use]
pub fn tell(text: &str) -> Option<Figures> {
    let lines = text.strip_prefix(HEAD)?.lines().filter(|line| !line.is_empty());
    let mut figures = Figures::default();
    let mut alerts: Vec<Alert<'_>> = Vec::new();
    for line in lines {
        match Alert::from_line(line) {
            Some(alert) => alerts.push(alert),
            None => figures.complaints += 1,
        }
    }
    // The set is nearly in order of time; stories take it in any, surprise does not.
    alerts.sort_by_key(|alert| alert.second);
    let span = alerts.first().zip(alerts.last());
    figures.days = span.map_or(0.0, |(a, z)| float(z.second - a.second) / SECONDS_PER_DAY);
    figures.alerts = alerts.len() as u64;
    let mut stories = Stories::new(Settings::default());
    let mut surprise = Surprise::default();
    let mut of_step: BTreeMap<FindingId, &str> = BTreeMap::new();
    let mut minutes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut told: BTreeMap<StoryId, Story> = BTreeMap::new();
    let mut revisions = Vec::new();
    for alert in &alerts {
        let minute = minutes.insert((alert.host, alert.name), alert.second / 60);
        if minute == Some(alert.second / 60) {
            continue;
        }
        figures.findings += 1;
        let finding = finding(alert, figures.findings, surprise.learn(alert));
        of_step.extend(alert.step.map(|step| (finding.id, step)));
        stories.join(&finding, &mut revisions);
        told.extend(revisions.drain(..).map(|story| (story.id, story)));
    }
    told.retain(|_, story| !story.steps.is_empty());
    judge(&mut figures, &of_step, &told);
    Some(figures)
}

/// The alert as a finding; its host is the place where it happened.
fn finding(alert: &Alert<'_>, number: u64, bits: f64) -> Finding {
    let event = EventId(number.into());
    let host = ContainerFacts {
        id: ContainerId(alert.host.into()),
        name: alert.host.into(),
        image: "".into(),
        pod: "".into(),
    };
    Finding {
        id: FindingId(number.into()),
        time: TimestampNs::from_unix_ns(alert.second.saturating_mul(1_000_000_000)),
        source: alert.name.split(':').next().unwrap_or_default().to_owned(),
        rule: alert.name.to_owned(),
        priority: Priority::Notice,
        techniques: Vec::new(),
        tags: Vec::new(),
        bits,
        entities: Vec::new(),
        events: vec![event],
        output: alert.name.to_owned(),
        output_fields: BTreeMap::new(),
        hostname: alert.host.to_owned(),
        subject: Subject { container: Some(host), ..Subject::default() },
    }
}

fn judge(
    figures: &mut Figures,
    of_step: &BTreeMap<FindingId, &str>,
    told: &BTreeMap<StoryId, Story>,
) {
    let mut steps_told: BTreeSet<&str> = BTreeSet::new();
    for story in told.values() {
        let steps = story.steps.iter().filter_map(|step| of_step.get(&step.finding));
        let steps: Vec<&str> = steps.copied().collect();
        figures.stories_false += u64::from(steps.is_empty());
        figures.attack_findings_told += steps.len() as u64;
        steps_told.extend(steps);
    }
    figures.stories = told.len() as u64;
    figures.attack_findings = of_step.len() as u64;
    figures.steps = of_step.values().collect::<BTreeSet<_>>().len() as u64;
    figures.steps_told = steps_told.len() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made up here, in the form of the set: a day of routine, one attack in its last minutes.
    fn sample() -> String {
        let mut text = format!("{HEAD}\n");
        for minute in 0..1_440 {
            let second = 1_700_000_000 + minute * 60;
            for (name, host) in [("Wazuh: IDS event.", "gate"), ("Wazuh: Login, good", "mail")] {
                let _ = writeln!(text, "{second},{name},10.0.0.1,{host},X,false_positive,-");
            }
        }
        for (second, name, step) in [
            (1_700_086_000, "AMiner: New path", "webshell"),
            (1_700_086_020, "Wazuh: New shell", "reverse_shell"),
            (1_700_086_021, "Wazuh: New shell", "reverse_shell"),
            (1_700_086_060, "Wazuh: Became root", "privilege_escalation"),
        ] {
            let _ = writeln!(text, "{second}.5,{name},10.0.0.1,gate,X,{step},-");
        }
        text
    }

    #[test]
    fn a_line_is_an_alert_with_the_step_it_is_of() {
        let line = "1642213952,Wazuh: a, b,172.17.131.81,mail,W-Sys-Cav,false_positive,dnsteal";
        let alert = Alert::from_line(line).unwrap();
        let expected = Alert {
            second: 1_642_213_952,
            name: "Wazuh: a, b",
            host: "mail",
            step: Some("dnsteal"),
        };
        assert_eq!(alert, expected);
        assert_eq!(Alert::from_line("x,Wazuh: a,1,mail,W,false_positive,-"), None);
        assert_eq!(Alert::from_line("1642213952,Wazuh"), None);
    }

    #[test]
    fn what_is_seen_daily_surprises_less_than_what_never_was() {
        let mut surprise = Surprise::default();
        let alert = |name| Alert { second: 0, name, host: "h", step: None };
        let last = (0..10_000).map(|_| surprise.learn(&alert("daily"))).last().unwrap();
        assert!(last < 0.01, "{last}");
        assert!((surprise.learn(&alert("new")) - BITS_MAX).abs() < 1e-9);
    }

    #[test]
    fn an_attack_after_a_day_of_routine_is_one_story_and_routine_is_none() {
        let figures = tell(&sample()).unwrap();
        assert_eq!((figures.alerts, figures.findings, figures.complaints), (2_884, 2_883, 0));
        assert_eq!((figures.stories, figures.stories_false), (1, 0));
        assert_eq!((figures.steps_told, figures.steps), (3, 3));
        assert!(figures.row("all").contains("| 3 of 3 (1.00) | 1.00 | 0.00 |"));
        let mut both = figures.clone();
        both.add(&figures);
        assert_eq!((both.alerts, both.stories), (5_768, 2));
    }

    #[test]
    fn lines_that_are_no_alert_are_counted_and_other_files_are_not_told() {
        let figures = tell(&(sample() + "rubbish\n")).unwrap();
        assert_eq!((figures.alerts, figures.complaints), (2_884, 1));
        assert_eq!(tell("something else\n"), None);
    }
}
