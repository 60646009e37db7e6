//! `clew replay`: tapes judged as if they happened now.
//!
//! Nothing here reads a clock: two replays of the same tapes print the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use clew_decode::access_log::{self, Lines};
use clew_decode::api_log::{self, Ordered, Records};
use clew_decode::{http, scap};
use clew_engine::{Engine, Output, Settings};
use clew_event::{Complaint, Event, StoryId, TimestampNs};
use clew_store::tape::TapeReader;

use crate::Exit;
use crate::args::ReplayArgs;
use crate::engine;
use crate::print::{self, Form, Summary};

/// Judges the tapes and prints what follows.
pub(crate) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let form = Form::of_flag(args.json);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut engine = Engine::new(engine::rules(&args.rules)?, Settings::default());
    engine.set_rule_rate(args.rules.rule_rate);
    engine.set_profiling(args.rules.profiling());
    let mut tapes = Tapes::open(&args.files);
    let mut output = Output::default();
    let mut told: BTreeMap<StoryId, bool> = BTreeMap::new();
    let mut span: Option<(TimestampNs, TimestampNs)> = None;
    for item in tapes.by_ref() {
        match item {
            Ok(event) => {
                let (first, last) = span.unwrap_or((event.time, event.time));
                span = Some((first.min(event.time), last.max(event.time)));
                engine.step(&event, &mut output);
                for story in &output.stories {
                    // One without a step was merged into another or taken back.
                    told.insert(story.id, !story.steps.is_empty());
                }
                print_output(&mut out, form, &mut output)?;
            }
            Err(complaint) => print::complaint(&mut out, form, &complaint)?,
        }
    }
    let counts = engine.counts();
    let summary = Summary {
        events: counts.events,
        findings: counts.findings,
        stories: told.values().map(|&is_open| u64::from(is_open)).sum(),
        lost: counts.lost,
        suppressed: counts.suppressed,
        forgotten: print::forgotten(&engine.forgotten()),
        complaints: tapes.complaints,
        seconds: span.map_or(0.0, |(first, last)| last.since(first).as_secs_f64()),
    };
    print::summary(&mut out, form, &summary)?;
    out.flush()?;
    Ok(if tapes.is_any_readable { Exit::Done } else { Exit::BadInput })
}

fn print_output(out: &mut impl Write, form: Form, output: &mut Output) -> io::Result<()> {
    print::output(out, form, output)?;
    output.clear();
    Ok(())
}

/// Several tapes as one stream in event time; each tape keeps its own order.
pub(crate) struct Tapes {
    readers: Vec<Head>,
    waiting: Vec<Complaint>,
    /// Complaints given so far.
    pub(crate) complaints: u64,
    /// At least one file could be read as a tape.
    pub(crate) is_any_readable: bool,
}

/// One tape and its next event.
struct Head {
    reader: Reader,
    next: Option<Event>,
}

/// Events of one file, whatever its format.
type Reader = Box<dyn Iterator<Item = Result<Event, Complaint>>>;

/// A file that was opened, and whether it is known to be readable.
type Opened = (Reader, bool);

/// Opens a tape of Clew's, a capture of Falco's or sysdig's, an access log, or a JSON file of an
/// audit log, by how the file begins.
fn reader(name: &str, file: File) -> Result<Opened, Complaint> {
    let mut file = BufReader::new(file);
    if file.fill_buf().is_ok_and(scap::is_scap) {
        return Ok((Box::new(scap::Reader::new(name, file)), true));
    }
    if file.fill_buf().is_ok_and(access_log::is_access_log) {
        return Ok((
            Box::new(Ordered::new(Lines::new(&http::Settings::default(), name, file))),
            true,
        ));
    }
    if file.fill_buf().is_ok_and(api_log::is_json) {
        // Whether it is a log is known when its first record was looked at.
        return Ok((Box::new(Ordered::new(Records::new(name, file))), false));
    }
    Ok((Box::new(TapeReader::open(name, file)?), true))
}

fn unreadable(name: &str, error: &io::Error) -> Complaint {
    Complaint {
        file: name.to_owned(),
        r#where: "file".into(),
        code: "file-unreadable".into(),
        message: error.to_string(),
    }
}

impl Tapes {
    /// Opens all files; one that cannot be opened is a complaint, the others are read.
    pub(crate) fn open(files: &[PathBuf]) -> Self {
        let mut tapes = Self {
            readers: Vec::new(),
            waiting: Vec::new(),
            complaints: 0,
            is_any_readable: false,
        };
        for path in files {
            let name = path.display().to_string();
            match File::open(path) {
                Ok(file) => match reader(&name, file) {
                    Ok((reader, is_readable)) => {
                        let mut head = Head { reader, next: None };
                        let complaints = tapes.waiting.len();
                        head.advance(&mut tapes.waiting);
                        let is_clean = tapes.waiting.len() == complaints;
                        tapes.is_any_readable |= is_readable || is_clean || head.next.is_some();
                        tapes.readers.push(head);
                    }
                    Err(complaint) => tapes.waiting.push(complaint),
                },
                Err(error) => tapes.waiting.push(unreadable(&name, &error)),
            }
        }
        tapes
    }
}

impl Head {
    /// Reads up to the next event; complaints on the way are kept aside.
    fn advance(&mut self, complaints: &mut Vec<Complaint>) {
        self.next = loop {
            match self.reader.next() {
                Some(Ok(event)) => break Some(event),
                Some(Err(complaint)) => complaints.push(complaint),
                None => break None,
            }
        };
    }
}

impl Iterator for Tapes {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.waiting.is_empty() {
            self.complaints += 1;
            return Some(Err(self.waiting.remove(0)));
        }
        let earliest = self
            .readers
            .iter_mut()
            .filter(|head| head.next.is_some())
            .min_by_key(|head| head.next.as_ref().map(|event| event.time))?;
        let event = earliest.next.take()?;
        earliest.advance(&mut self.waiting);
        Some(Ok(event))
    }
}
