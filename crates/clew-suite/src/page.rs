//! The cases of a markdown file: a claim, the events it is about, what is expected.
//!
//! A page looks like this, so that it is documentation, specification and test in one:
//! `## rule_name`, below it `### Fires on …` or `### Silent on …`, below that one `event` block
//! and one `findings` block. Everything else on the page is for people.

use std::ops::Range;

/// What a case says of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The rule finds something in these events.
    FiresOn,
    /// The rule finds nothing in them.
    SilentOn,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The rule it is about.
    pub rule: String,
    /// What it says of the rule.
    pub claim: Claim,
    /// Its heading, as people read it.
    pub title: String,
    /// Line of the heading, from 1.
    pub line: usize,
    /// The events, one a line.
    pub events: String,
    /// The expected findings, one a line.
    pub findings: String,
    /// Where those lines stand in the page, in bytes.
    pub findings_at: Range<usize>,
}

/// A page that cannot be taken apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PageError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// The cases of a page, in its order.
///
/// # Errors
/// A claim without its rule or without one of its two blocks, or a block that does not end.
pub fn cases(page: &str) -> Result<Vec<Case>, PageError> {
    let mut reader = Reader::default();
    let mut offset = 0;
    for (number, line) in (1..).zip(page.split_inclusive('\n')) {
        let told = reader.read(number, line.trim_end(), offset);
        told.map_err(|reason| PageError { line: number, reason })?;
        offset += line.len();
        reader.keep(line);
    }
    reader.finish(page.lines().count())
}

/// The page with other lines in the `findings` blocks, one text a case.
#[must_use]
pub fn with_findings(page: &str, cases: &[Case], findings: &[String]) -> String {
    let mut written = page.to_owned();
    for (case, findings) in cases.iter().zip(findings).rev() {
        written.replace_range(case.findings_at.clone(), findings);
    }
    written
}

/// A block that has begun: its language, where its lines begin, its lines.
#[derive(Debug)]
struct Block {
    language: String,
    start: usize,
    text: String,
    is_new: bool,
}

/// A case that is not complete yet.
#[derive(Debug)]
struct Draft {
    claim: Claim,
    title: String,
    line: usize,
    events: Option<String>,
    findings: Option<(String, Range<usize>)>,
}

#[derive(Debug, Default)]
struct Reader {
    rule: Option<String>,
    draft: Option<Draft>,
    block: Option<Block>,
    cases: Vec<Case>,
}

impl Reader {
    /// Takes in one line that begins at byte `offset` of the page.
    fn read(&mut self, number: usize, line: &str, offset: usize) -> Result<(), String> {
        if let Some(block) = self.block.take_if(|_| line == "```") {
            return self.close(block, offset);
        }
        if let Some(block) = &self.block {
            let is_fence = line.starts_with("```");
            let fault = || format!("the `{}` block before this one does not end", block.language);
            return if is_fence { Err(fault()) } else { Ok(()) };
        }
        if let Some(language) = line.strip_prefix("```") {
            let start = offset + line.len() + 1;
            let (language, text) = (language.to_owned(), String::new());
            self.block = Some(Block { language, start, text, is_new: true });
        } else if let Some(title) = line.strip_prefix("### ") {
            self.complete()?;
            self.draft = claim_of(title).map(|claim| Draft {
                claim,
                title: title.to_owned(),
                line: number,
                events: None,
                findings: None,
            });
        } else if let Some(title) = line.strip_prefix("## ") {
            self.complete()?;
            self.rule = Some(title.trim_matches('`').to_owned());
        }
        Ok(())
    }

    /// Adds a line to the block it stands in, but not the fence that opened it.
    fn keep(&mut self, line: &str) {
        if let Some(block) = &mut self.block
            && !std::mem::take(&mut block.is_new)
        {
            block.text.push_str(line);
        }
    }

    fn close(&mut self, block: Block, end: usize) -> Result<(), String> {
        let Some(draft) = &mut self.draft else { return Ok(()) };
        let is_second = match block.language.as_str() {
            "event" => draft.events.replace(block.text).is_some(),
            "findings" => draft.findings.replace((block.text, block.start..end)).is_some(),
            _ => false,
        };
        if is_second {
            return Err(format!("a case has one `{}` block; this is its second", block.language));
        }
        Ok(())
    }

    /// Turns the draft into a case.
    fn complete(&mut self) -> Result<(), String> {
        let Some(draft) = self.draft.take() else { return Ok(()) };
        let at = |what: &str| format!("`{}` of line {} {what}", draft.title, draft.line);
        let rule = self.rule.clone().ok_or_else(|| at("stands below no rule"))?;
        let events = draft.events.ok_or_else(|| at("has no `event` block"))?;
        let (findings, findings_at) =
            draft.findings.ok_or_else(|| at("has no `findings` block"))?;
        let Draft { claim, title, line, .. } = draft;
        self.cases.push(Case { rule, claim, title, line, events, findings, findings_at });
        Ok(())
    }

    fn finish(mut self, line: usize) -> Result<Vec<Case>, PageError> {
        if let Some(block) = &self.block {
            let reason = format!("a `{}` block does not end", block.language);
            return Err(PageError { line, reason });
        }
        self.complete().map_err(|reason| PageError { line, reason })?;
        Ok(self.cases)
    }
}

fn claim_of(title: &str) -> Option<Claim> {
    let title = title.to_lowercase();
    if title.starts_with("fires on") {
        Some(Claim::FiresOn)
    } else if title.starts_with("silent on") {
        Some(Claim::SilentOn)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Tactic\n\n## `a_rule`\n\n### Fires on x\n\n```event\nexec pid=1\n```\n\n\
                        ```findings\nold\n```\n\n### Silent on y\n\n```event\nexec pid=2\n```\n\n\
                        ```findings\n```\n";

    #[test]
    fn a_page_is_taken_apart_into_its_cases() {
        let cases = cases(PAGE).unwrap();
        let [fires, silent] = cases.as_slice() else { panic!("{cases:?}") };
        assert_eq!((fires.rule.as_str(), fires.claim, fires.line), ("a_rule", Claim::FiresOn, 5));
        assert_eq!((fires.events.as_str(), fires.findings.as_str()), ("exec pid=1\n", "old\n"));
        assert_eq!((silent.rule.as_str(), silent.claim), ("a_rule", Claim::SilentOn));
        assert_eq!((silent.events.as_str(), silent.findings.as_str()), ("exec pid=2\n", ""));
    }

    #[test]
    fn findings_are_rewritten_and_nothing_else() {
        let found = cases(PAGE).unwrap();
        let written = with_findings(PAGE, &found, &["new\n".into(), "one\ntwo\n".into()]);
        let expected =
            PAGE.replace("old\n", "new\n").replace("findings\n```\n", "findings\none\ntwo\n```\n");
        // The first block has a line of its own before its end, so only the second one matched.
        assert_eq!(written, expected);
        assert_eq!(cases(&written).unwrap()[1].findings, "one\ntwo\n");
    }

    #[test]
    fn a_page_with_a_hole_is_refused() {
        let check = |from: &str, to: &str, told: &str| {
            let error = cases(&PAGE.replace(from, to)).unwrap_err();
            assert!(error.reason.contains(told), "{error}");
        };
        check("## `a_rule`\n", "\n", "stands below no rule");
        check("```event\nexec pid=1\n```\n", "", "has no `event` block");
        check("```findings\nold\n```\n", "", "has no `findings` block");
        check("```event\nexec pid=2\n```\n", "```event\nexec pid=2\n", "does not end");
        check("```findings\nold", "```event\nx\n```\n```findings\nold", "its second");
    }
}
