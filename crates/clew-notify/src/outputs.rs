//! The outputs of a run: each finding and story goes to every output that asks for it.
//!
//! A line is written once a form, however many outputs share it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clew_event::{Finding, Story};

use crate::channel::Channel;
use crate::error::StartError;
use crate::file::AppendedFile;
use crate::form::{Form, Note, story_priority};
use crate::http::Http;
use crate::output::{self, OutputFigures, Shared};
use crate::program::Program;
use crate::spec::{OutputSpec, Target};
use crate::standard_out::StandardOut;
use crate::syslog::Syslog;

/// Outputs of one run; each has a thread and a queue.
pub const OUTPUTS_MAX: usize = 16;

/// What all outputs of a run share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the machine, for syslog.
    pub hostname: String,
    /// The wait before the second attempt; each further one is twice as long.
    pub first_wait: Duration,
    /// How long all outputs together may take to send what waits when they are closed.
    pub close_span: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            hostname: hostname.trim().to_owned(),
            first_wait: Duration::from_millis(250),
            close_span: Duration::from_secs(5),
        }
    }
}

/// All outputs of a run, with their threads; [`Outputs::close`] joins them.
#[derive(Debug)]
pub struct Outputs {
    outputs: Vec<Output>,
    close_span: Duration,
}

#[derive(Debug)]
struct Output {
    spec: OutputSpec,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Outputs {
    /// Starts a thread for each output. Nothing is sent yet, and no receiver has to be there.
    ///
    /// # Errors
    /// Where there are more than [`OUTPUTS_MAX`], a file cannot be opened or read, or there is no
    /// thread to be had.
    pub fn start(specs: Vec<OutputSpec>, settings: &Settings) -> Result<Self, StartError> {
        if specs.len() > OUTPUTS_MAX {
            return Err(StartError::TooMany { given: specs.len(), allowed: OUTPUTS_MAX });
        }
        let mut outputs = Vec::with_capacity(specs.len());
        for (name, spec) in unique_names(&specs).into_iter().zip(specs) {
            match Output::start(spec, name, settings) {
                Ok(output) => outputs.push(output),
                Err(error) => {
                    close(outputs, Duration::ZERO);
                    return Err(error);
                }
            }
        }
        Ok(Self { outputs, close_span: settings.close_span })
    }

    /// Hands a finding to every output that asks for it. Never waits.
    pub fn send(&self, finding: &Finding) {
        let mut lines = Lines::default();
        for Output { spec, shared, .. } in &self.outputs {
            if !spec.subjects.has_findings() || finding.priority > spec.priority_min {
                continue;
            }
            let line = lines.of(spec.form, || spec.form.finding(finding).map(Some));
            let note = |line| Note {
                line,
                priority: finding.priority,
                time: finding.time,
                subject: "finding",
            };
            hand(shared, line, note);
        }
    }

    /// Hands a revision of a story to every output that asks for it. Never waits.
    pub fn send_story(&self, story: &Story) {
        let mut lines = Lines::default();
        let priority = story_priority(story.severity);
        for Output { spec, shared, .. } in &self.outputs {
            if !spec.subjects.has_stories() || priority > spec.priority_min {
                continue;
            }
            let line = lines.of(spec.form, || spec.form.story(story));
            hand(shared, line, |line| Note {
                line,
                priority,
                time: story.span.1,
                subject: "story",
            });
        }
    }

    /// A handle for other threads.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: self.outputs.iter().map(|output| Arc::clone(&output.shared)).collect() }
    }

    /// True where an output writes to standard output.
    #[must_use]
    pub fn has_standard_out(&self) -> bool {
        self.outputs.iter().any(|output| output.spec.target == Target::Stdout)
    }

    /// Sends what waits, as far as the time for closing allows, and joins every thread.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        close(std::mem::take(&mut self.outputs), self.close_span);
    }
}

/// Closes all at once, so that a slow one takes no time from the others.
fn close(outputs: Vec<Output>, span: Duration) {
    let deadline = Instant::now() + span;
    for output in &outputs {
        output.shared.queue.close(deadline);
    }
    for output in outputs {
        if output.thread.join().is_err() {
            output.shared.fail("the output's thread panicked".to_owned());
        }
    }
}

fn hand(shared: &Shared, line: Written, note: impl Fn(Arc<str>) -> Note) {
    match line {
        Ok(Some(line)) => shared.push(note(line)),
        Ok(None) => {}
        Err(reason) => shared.fail(reason),
    }
}

/// A line in each form, written when the first output asks for it.
#[derive(Debug, Default)]
struct Lines(Vec<(Form, Written)>);

/// A line, none where the form has none, or why it cannot be written.
type Written = Result<Option<Arc<str>>, String>;

impl Lines {
    fn of(
        &mut self,
        form: Form,
        write: impl FnOnce() -> serde_json::Result<Option<String>>,
    ) -> Written {
        if let Some((_, line)) = self.0.iter().find(|(known, _)| *known == form) {
            return line.clone();
        }
        let line = write()
            .map(|line| line.map(Into::into))
            .map_err(|error| format!("cannot be written as JSON: {error}"));
        self.0.push((form, line.clone()));
        line
    }
}

/// Names by which the outputs are told apart: the second of two equal ones ends in `#2`.
fn unique_names(specs: &[OutputSpec]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(specs.len());
    for spec in specs {
        let name = spec.target.name();
        let mut unique = name.clone();
        let mut number = 1;
        while names.contains(&unique) {
            number += 1;
            unique = format!("{name}#{number}");
        }
        names.push(unique);
    }
    names
}

impl Output {
    fn start(spec: OutputSpec, name: String, settings: &Settings) -> Result<Self, StartError> {
        let channel = channel(&spec, &name, settings)?;
        let shared = Shared::new(name.clone());
        let first_wait = settings.first_wait;
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("clew-output".to_owned())
            .spawn(move || output::work(channel, &of_thread, first_wait))
            .map_err(|source| StartError::Thread { name, source })?;
        Ok(Self { spec, shared, thread })
    }
}

fn channel(
    spec: &OutputSpec,
    name: &str,
    settings: &Settings,
) -> Result<Box<dyn Channel>, StartError> {
    let timeout = spec.timeout;
    Ok(match &spec.target {
        Target::Stdout => Box::new(StandardOut),
        Target::File(path) => {
            let opening = |source| StartError::Open { name: name.to_owned(), source };
            Box::new(AppendedFile::open(path).map_err(opening)?)
        }
        Target::Syslog(address) => {
            Box::new(Syslog::new(address.clone(), &settings.hostname, timeout))
        }
        Target::Program { command, lifetime } => {
            Box::new(Program::new(command, *lifetime, timeout))
        }
        Target::Http(target) => Box::new(Http::new(target, name, timeout)?),
    })
}

/// Looks at the outputs, and asks them to open their files anew, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    shared: Vec<Arc<Shared>>,
}

impl Monitor {
    /// What became of the lines of each output, in the order in which they were given.
    #[must_use]
    pub fn figures(&self) -> Vec<OutputFigures> {
        self.shared.iter().map(|shared| shared.figures()).collect()
    }

    /// Asks every output to open its file, connection or program anew before the next line.
    pub fn reopen(&self) {
        for shared in &self.shared {
            shared.is_reopen_asked.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(texts: &[&str]) -> Vec<OutputSpec> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn equal_outputs_are_told_apart() {
        let specs = specs(&["stdout", "stdout", "http:http://h/a", "http:http://h/b", "stdout"]);
        assert_eq!(
            unique_names(&specs),
            ["stdout", "stdout#2", "http:http://h", "http:http://h#2", "stdout#3"]
        );
    }

    #[test]
    fn outputs_max_may_be_given_and_not_one_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |number| format!("file:{}", folder.path().join(format!("{number}")).display());
        let texts: Vec<_> = (0..=OUTPUTS_MAX).map(path).collect();
        let start = |number: usize| {
            let specs = texts.iter().take(number).map(|text| text.parse().unwrap()).collect();
            Outputs::start(specs, &Settings::default())
        };
        start(OUTPUTS_MAX).unwrap().close();
        let error = start(OUTPUTS_MAX + 1).unwrap_err();
        assert!(matches!(error, StartError::TooMany { given, .. } if given == OUTPUTS_MAX + 1));
    }

    #[test]
    fn a_form_is_written_once_for_all_outputs_that_share_it() {
        let mut lines = Lines::default();
        let first = lines.of(Form::Falco, || Ok(Some("a".to_owned())));
        let second = lines.of(Form::Falco, || Ok(Some("never written".to_owned())));
        assert_eq!(first, second);
    }

    #[test]
    fn where_one_output_cannot_begin_none_is_left_running() {
        let specs = specs(&["stdout", "file:/nonexistent/folder/clew.json"]);
        let error = Outputs::start(specs, &Settings::default()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder/clew.json"), "{error}");
    }
}
