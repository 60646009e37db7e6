//! Prometheus's text exposition format, version 0.0.4.
//!
//! Written by hand, for it is three kinds of lines: what a figure is, of which type, and its
//! samples. Names of figures and labels are ours; values of labels are escaped.

use std::fmt::{Display, Write as _};

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Type of a family of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// A page of figures.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.name = name;
        // Writing to a string cannot fail, here and below.
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.suffixed_sample("", labels, value);
    }

    /// A sample of a part of the family, as a histogram has them.
    pub(super) fn suffixed_sample(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (place, (name, label)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            write!(self.text, "{before}{name}=\"").ok();
            self.push_escaped(label);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").ok();
    }

    fn push_escaped(&mut self, label: &str) {
        for character in label.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_type_and_samples() {
        let mut page = Exposition::default();
        page.family("clew_findings_total", Kind::Counter, "Findings.");
        page.sample(&[("rule", "a \"b\"\\\n"), ("priority", "Warning")], 3);
        page.sample(&[], 0.5);
        page.suffixed_sample("_sum", &[("le", "+Inf")], 1);
        assert_eq!(
            page.into_text(),
            "# HELP clew_findings_total Findings.\n# TYPE clew_findings_total counter\n\
             clew_findings_total{rule=\"a \\\"b\\\"\\\\\\n\",priority=\"Warning\"} 3\n\
             clew_findings_total 0.5\nclew_findings_total_sum{le=\"+Inf\"} 1\n"
        );
    }
}
