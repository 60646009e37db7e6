//! `clew run`: sensor, engine, store and page in one process.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clew_engine::{Appsec, Engine, Output, Settings, State, Tally};
use clew_event::{Event, EventKind};
use clew_intake::{Ack, SourceSpec};
use clew_notify::{Monitor, OutputFigures, Outputs};
use clew_rules::RuleSet;
use clew_sensor::{Sensor, Totals};
use clew_server::{Metrics, Publisher, RuleFigures, Server, Status};
use clew_store::Store;

use crate::Exit;
use crate::args::RunArgs;
use crate::engine;
use crate::inlet::Inlet;
use crate::live::{self, Hangup, POLL_SPAN, Stop};
use crate::print::{self, Form};
use crate::recorder::Recorder;
use crate::reload::Reload;
use crate::replay::Tapes;
use crate::requests;
use crate::sink::{Sink, Ways};

/// How often the figures are shown.
const STATUS_SPAN: Duration = Duration::from_secs(1);
/// How often the engine's state is kept: what a crash costs at most.
const SNAPSHOT_SPAN: Duration = Duration::from_secs(60);

/// Watches until an interrupt comes. Without the privilege to watch it says so, and still serves
/// what the store holds.
pub(crate) fn run(args: &RunArgs) -> Result<Exit> {
    let stop = Stop::on_interrupt()?;
    let form = Form::of_flag(args.json);
    let choice = engine::choose(&args.rules)?;
    let reload = Reload::new(&args.rules, &choice);
    let rules = choice.load().rules;
    let outputs = Outputs::start(args.output.clone(), &clew_notify::Settings::default())?;
    if args.json && outputs.has_standard_out() {
        anyhow::bail!(
            "`--json` and an output `stdout` would mix their lines: give `--output stdout` alone"
        );
    }
    let monitor = outputs.monitor();
    let hangup = Hangup::on_signal()?;
    let mut metrics = Metrics::default();
    metrics.rules_loaded = rules.len() as u64;
    let state = state_directory(args.state.as_deref())?;
    let store = Store::open(&state).context("cannot open the store")?;
    let mut source = Source::open(args, &state)?;
    let (inlet, committer) = Inlet::start(&args.source, &args.requests, &state)?;
    // What tapes left is not the state of this machine.
    let keeps_state = matches!(source, Source::Sensor(_)) || !args.source.is_empty();
    let mut engine = match store.load_snapshot()? {
        Some(snapshot) if keeps_state => resume(rules, &snapshot),
        _ => Engine::new(rules, Settings::default()),
    };
    engine.set_rule_rate(args.rules.rule_rate);
    engine.set_profiling(args.rules.profiling());
    if args.requests.no_http && args.source.is_empty() {
        engine.set_appsec(Appsec::Off);
    }
    if let (Source::Sensor(sensor), None) = (&mut source, &args.record) {
        narrow(sensor, &engine)?;
    }
    let status = Status {
        version: env!("CARGO_PKG_VERSION").into(),
        started: live::now(),
        sources: source.names(&args.source),
        ..Status::default()
    };
    let settings = clew_server::Settings { address: args.listen, ..Default::default() };
    let page = Server::start(&settings, store.reader()?, status.clone())
        .with_context(|| format!("cannot serve the page at {}", args.listen))?;
    eprintln!("page: {}", page.url());
    let printed = (!outputs.has_standard_out()).then_some(form);
    let ways = Ways { printed, outputs, committer };
    let publisher = page.publisher();
    let mut watch = Watch {
        engine,
        inlet,
        tape: args.record.as_deref().map(Recorder::create).transpose()?,
        sink: Sink::start(store, Some(page), ways),
        monitor: monitor.clone(),
        hangup,
        reload,
        figures: Figures::of(status),
        metrics,
        publisher,
        keeps_state,
        is_quiet: args.json || !std::io::stderr().is_terminal(),
    };
    watch.follow(&mut source, &stop)?;
    if let Source::Sensor(sensor) = &mut source {
        live::drain(sensor, |events| watch.take_in(events, Vec::new()))?;
    }
    watch.finish()?;
    tell_losses(&monitor);
    Ok(match source {
        Source::Nothing if args.source.is_empty() => Exit::Unable,
        Source::Sensor(_) | Source::Tapes(_) | Source::Nothing => Exit::Done,
    })
}

/// The end of the status line, where outputs could not send everything.
fn unsent_text(unsent: u64) -> String {
    if unsent == 0 { String::new() } else { format!("  {unsent} not sent") }
}

/// Says on standard error what outputs did not bring to its place.
fn tell_losses(monitor: &Monitor) {
    for OutputFigures { name, sent, failed, dropped, last_error, .. } in monitor.figures() {
        if failed + dropped > 0 {
            let reason = last_error.map_or_else(String::new, |error| format!(": {error}"));
            eprintln!("output {name}: {sent} sent, {failed} failed, {dropped} dropped{reason}");
        }
    }
}

/// Leaves in the kernel what the engine does not read, and says what that is. A tape keeps all, for
/// rules to come.
fn narrow(sensor: &mut Sensor, engine: &Engine) -> Result<()> {
    let interest = engine.interest();
    sensor.set_interest(&interest)?;
    let left_out = clew_sensor::left_out(&interest);
    if !left_out.is_empty() {
        eprintln!("left in the kernel, for no rule reads them: {}", left_out.join(", "));
    }
    Ok(())
}

fn rule_figures((rule, tally): (&str, Tally)) -> RuleFigures {
    let Tally { matches, suppressed, .. } = tally;
    RuleFigures { rule: rule.to_owned(), matches, suppressed }
}

/// The engine as it was left, or a new one where its state cannot be read.
fn resume(rules: RuleSet, snapshot: &[u8]) -> Engine {
    match State::read(snapshot) {
        Ok(state) => Engine::resume(rules, state),
        Err(error) => {
            eprintln!("beginning with an empty state: {}", live::chain(&error));
            Engine::new(rules, Settings::default())
        }
    }
}

/// Where the state is kept.
fn state_directory(given: Option<&Path>) -> Result<PathBuf> {
    let home =
        || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share/clew"));
    match given {
        Some(directory) => Ok(directory.to_owned()),
        None if clew_sensor::is_root() => Ok(PathBuf::from("/var/lib/clew")),
        None => home().context("no home directory is known: say `--state DIR`"),
    }
}

/// Where events come from.
enum Source {
    Sensor(Box<Sensor>),
    Tapes(Tapes),
    Nothing,
}

impl Source {
    fn open(args: &RunArgs, state: &Path) -> Result<Self> {
        if !args.files.is_empty() {
            return Ok(Self::Tapes(Tapes::open(&args.files)));
        }
        if args.no_sensor {
            return Ok(Self::Nothing);
        }
        let settings = args.requests.sensor(requests::kept_key(state)?);
        Ok(match Sensor::start(settings) {
            Ok(mut sensor) => {
                args.requests.watch_tls(&mut sensor);
                Self::Sensor(Box::new(sensor))
            }
            Err(error) => {
                let _ = live::unable(&error);
                eprintln!("the page shows what the store holds; interrupt to stop");
                Self::Nothing
            }
        })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Sensor(_) => "kernel sensor",
            Self::Tapes(_) => "tape",
            Self::Nothing => "none",
        }
    }

    /// Everything that is watched.
    fn names(&self, specs: &[SourceSpec]) -> Vec<String> {
        let own = match self {
            Self::Nothing if !specs.is_empty() => None,
            Self::Sensor(_) | Self::Tapes(_) | Self::Nothing => Some(self.name().to_owned()),
        };
        own.into_iter().chain(specs.iter().map(|spec| spec.name.clone())).collect()
    }

    /// How long to wait for what other sources bring: they come first where there is nothing else.
    const fn inlet_span(&self) -> Duration {
        match self {
            Self::Sensor(_) | Self::Tapes(_) => Duration::ZERO,
            Self::Nothing => POLL_SPAN,
        }
    }

    /// Adds the next events; waits for them at most `span`.
    fn poll(&mut self, span: Duration, events: &mut Vec<Event>) -> Result<()> {
        /// Events of a tape taken at once, so that an interrupt is noticed.
        const TAPED_EVENTS_AT_ONCE: usize = 4096;
        match self {
            Self::Sensor(sensor) => sensor.poll(span, events)?,
            Self::Tapes(tapes) => {
                for item in tapes.take(TAPED_EVENTS_AT_ONCE) {
                    match item {
                        Ok(event) => events.push(event),
                        Err(complaint) => {
                            print::complaint(&mut std::io::stderr(), Form::Human, &complaint)?;
                        }
                    }
                }
                if events.is_empty() {
                    std::thread::sleep(span);
                }
            }
            Self::Nothing => {}
        }
        Ok(())
    }
}

/// The figures of the status line, and when they were last shown.
struct Figures {
    status: Status,
    shown: Instant,
    kept: Instant,
}

impl Figures {
    fn of(status: Status) -> Self {
        let now = Instant::now();
        Self { status, shown: now, kept: now }
    }
}

/// Everything that follows events.
struct Watch {
    engine: Engine,
    inlet: Inlet,
    tape: Option<Recorder>,
    sink: Sink,
    monitor: Monitor,
    hangup: Hangup,
    reload: Reload,
    figures: Figures,
    metrics: Metrics,
    publisher: Publisher,
    /// False for tapes: what they left is not the state of this machine.
    keeps_state: bool,
    is_quiet: bool,
}

impl Watch {
    fn follow(&mut self, source: &mut Source, stop: &Stop) -> Result<()> {
        let mut events = Vec::new();
        while !stop.is_asked() {
            events.clear();
            let acks = self.inlet.take(source.inlet_span(), &mut events)?;
            let span = if acks.is_empty() { POLL_SPAN } else { Duration::ZERO };
            source.poll(span, &mut events)?;
            self.take_in(&events, acks)?;
            if let Source::Sensor(sensor) = source {
                self.keep_back(sensor, &events);
            }
            self.show_figures(source)?;
            self.keep_state()?;
            let rules = if self.hangup.take() {
                self.monitor.reopen();
                self.reload.again()
            } else {
                self.reload.at_change()
            };
            if let Some(rules) = rules {
                self.take_rules(rules, source)?;
            }
        }
        Ok(())
    }

    /// Lets the kernel keep back what no rule can match. A sensor that was not narrowed, as for a
    /// tape, keeps back nothing.
    fn keep_back(&self, sensor: &mut Sensor, events: &[Event]) {
        for event in events {
            sensor.quiet(event, || self.engine.quiet_verdict(event));
        }
    }

    /// Judges by other rules from now on; what was learned and told stays.
    fn take_rules(&mut self, rules: RuleSet, source: &mut Source) -> Result<()> {
        self.metrics.rules_loaded = rules.len() as u64;
        self.engine.set_rules(rules);
        match (source, &self.tape) {
            (Source::Sensor(sensor), None) => narrow(sensor, &self.engine),
            _ => Ok(()),
        }
    }

    fn take_in(&mut self, events: &[Event], acks: Vec<Ack>) -> Result<()> {
        if let Some(tape) = &mut self.tape {
            tape.append(events)?;
        }
        let mut output = Output::default();
        let began = Instant::now();
        for event in events {
            self.metrics.count_event(event);
            if let EventKind::NodeStarted(node) = &event.kind {
                self.figures.status.blind_spots.clone_from(&node.blind_spots);
            }
            self.engine.step(event, &mut output);
        }
        if !events.is_empty() {
            self.metrics.count_batch(began.elapsed());
        }
        output.findings.iter().for_each(|finding| self.metrics.count_finding(finding));
        if !output.is_empty() {
            self.sink.send(output)?;
        }
        self.sink.commit(acks)
    }

    /// Tells how much the kernel kept back until now.
    fn count_quieted(&mut self, source: &Source) {
        let Source::Sensor(sensor) = source else { return };
        let quieted = sensor.totals().quieted;
        self.figures.status.quieted_total = Totals::sum(&quieted);
        self.metrics.quieted = Totals::by_record(&quieted).collect();
    }

    fn show_figures(&mut self, source: &Source) -> Result<()> {
        let span = self.figures.shown.elapsed();
        if span < STATUS_SPAN {
            return Ok(());
        }
        self.count_quieted(source);
        let sensor = if let Source::Sensor(sensor) = source { Some(&**sensor) } else { None };
        self.metrics.requests = requests::figures(sensor, &self.engine);
        let counts = self.engine.counts();
        let stories = self.engine.stories().counts();
        self.figures.shown = Instant::now();
        let status = &mut self.figures.status;
        let rate = (counts.events - status.events_total) as f64 / span.as_secs_f64();
        status.events_total = counts.events;
        status.events_per_second = rate;
        status.lost_total = counts.lost;
        status.findings_total = counts.findings;
        status.suppressed_total = counts.suppressed;
        status.rules = self.engine.tallies().map(rule_figures).collect();
        status.stories_open = stories.stories_open;
        status.outputs = self.monitor.figures();
        status.source_figures = self.inlet.figures();
        self.metrics.sources.clone_from(&status.source_figures);
        self.metrics.findings_suppressed = counts.suppressed;
        let forgotten = self.engine.forgotten().into_iter();
        self.metrics.forgotten = forgotten.map(|(what, count)| (what.name(), count)).collect();
        let unlearned = self.engine.apis().counts().dropped;
        self.metrics.forgotten.insert("api_field", unlearned);
        let evidence = self.engine.evidence_dropped();
        self.metrics.forgotten.insert("correlation_evidence", evidence);
        let unclaimed = self.engine.unclaimed_dropped();
        self.metrics.forgotten.insert("unclaimed_call", unclaimed);
        self.metrics.stories_open = stories.stories_open;
        self.metrics.stories_told = stories.stories_told;
        self.metrics.outputs.clone_from(&status.outputs);
        self.publisher.publish_metrics(self.metrics.clone());
        let unsent = status.outputs.iter().map(|output| output.failed + output.dropped).sum();
        self.sink.status(status.clone())?;
        if !self.is_quiet {
            let mut err = std::io::stderr();
            write!(
                err,
                "\r\x1b[K{rate:.0} events/s  {} lost  {} findings  {} stories{}",
                counts.lost,
                counts.findings,
                stories.stories_told,
                unsent_text(unsent)
            )?;
            err.flush()?;
        }
        Ok(())
    }

    fn keep_state(&mut self) -> Result<()> {
        if !self.keeps_state || self.figures.kept.elapsed() < SNAPSHOT_SPAN {
            return Ok(());
        }
        self.figures.kept = Instant::now();
        self.sink.state(self.engine.snapshot()?, live::now())
    }

    fn finish(self) -> Result<()> {
        // What still waits is delivered again by the next run.
        drop(self.inlet);
        if let Some(tape) = self.tape {
            tape.finish()?;
        }
        if self.keeps_state {
            self.sink.state(self.engine.snapshot()?, live::now())?;
        }
        self.sink.close()
    }
}
