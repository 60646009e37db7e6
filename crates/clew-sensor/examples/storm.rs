//! Floods the sensor with opens, beside one exec a second, and proves that every loss is counted.
//!
//! `cargo run --release -p clew-sensor --example storm -- [SECONDS [THREADS [RATE]]]`
//!
//! RATE is the number of opens a second over all threads; 0 is as fast as they go. First the cost
//! of an open and close is measured without and with the sensor; then the storm begins. The opens
//! are made by a child, because the sensor leaves its own process out.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clew_event::interest::{InterestSet, QuietVerdict};
use clew_event::{Event, EventKind};
use clew_sensor::{Sensor, Settings, Totals};
use clew_wire::limits::{KIND_EXEC, KIND_FILE, KINDS, kind_name};

const TAX_SPAN: Duration = Duration::from_secs(3);
/// Opens between two looks at the clock.
const STRIDE: u64 = 32;

#[derive(Clone, Copy, Debug)]
struct Load {
    seconds: f64,
    threads: u64,
    opens_per_second: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rest @ ..] = arguments.as_slice()
        && mode == "work"
    {
        return work(load(rest)?);
    }
    let load = load(&arguments)?;
    let mut out = std::io::stdout().lock();
    Tax::measure(&mut out)?;
    let mut sensor = Sensor::start(Settings::default())?;
    storm(&mut sensor, load, &mut out)
}

fn load(arguments: &[String]) -> Result<Load> {
    let number = |place: usize, default: f64| -> Result<f64> {
        let given = arguments.get(place).map(|given| given.parse());
        given.unwrap_or(Ok(default)).context("give numbers: SECONDS THREADS RATE")
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "arguments of a tool for developers"
    )]
    Ok(Load {
        seconds: number(0, 60.0)?,
        threads: number(1, 1.0)? as u64,
        opens_per_second: number(2, 200_000.0)? as u64,
    })
}

/// What an open and close costs, without the sensor and with it, in the same run: CPU time of the
/// caller, so that what else runs on the machine hardly counts.
struct Tax;

impl Tax {
    fn measure(out: &mut impl Write) -> Result<()> {
        let bare_ns = Self::pair_ns(None, false)?;
        let mut sensor = Sensor::start(Settings::default())?;
        let watched_ns = Self::pair_ns(Some(&mut sensor), false)?;
        let mut wanted = InterestSet::everything();
        sensor.set_interest(&wanted)?;
        let quiet_ns = Self::pair_ns(Some(&mut sensor), true)?;
        wanted = InterestSet::default();
        sensor.set_interest(&wanted)?;
        let unwanted_ns = Self::pair_ns(Some(&mut sensor), false)?;
        writeln!(out, "open+close bare: {bare_ns:.0} ns")?;
        for (name, pair_ns) in [
            ("watched", watched_ns),
            ("watched, path found quiet", quiet_ns),
            ("watched, opens not wanted", unwanted_ns),
        ] {
            let (added, ratio) = (pair_ns - bare_ns, pair_ns / bare_ns);
            writeln!(out, "{name}: {pair_ns:.0} ns, {added:.0} ns more a pair, ratio {ratio:.2}")?;
        }
        let kept_back = Totals::sum(&sensor.totals().quieted);
        writeln!(out, "kept back: {kept_back}")?;
        Ok(())
    }

    /// With `is_quiet`, opens that succeed are found quiet as they come.
    fn pair_ns(sensor: Option<&mut Sensor>, is_quiet: bool) -> Result<f64> {
        let load = Load { seconds: TAX_SPAN.as_secs_f64(), threads: 1, opens_per_second: 0 };
        let child = begin(load)?;
        if let Some(sensor) = sensor {
            let end = Instant::now() + TAX_SPAN;
            let mut events = Vec::new();
            while Instant::now() < end {
                sensor.poll(Duration::from_millis(50), &mut events)?;
                for event in events.drain(..).filter(|_| is_quiet) {
                    sensor.quiet(&event, || QuietVerdict::Always);
                }
                events.clear();
            }
        }
        let (opens, cpu_seconds) = end(child)?;
        Ok(cpu_seconds * 1e9 / opens)
    }
}

fn begin(load: Load) -> Result<Child> {
    let Load { seconds, threads, opens_per_second } = load;
    let own = std::env::current_exe()?;
    let arguments = [seconds.to_string(), threads.to_string(), opens_per_second.to_string()];
    let child = Command::new(own).arg("work").args(arguments).stdout(Stdio::piped()).spawn();
    child.context("cannot start the load")
}

/// Waits for the load; the number of opens it made, and the seconds of CPU it took.
fn end(mut child: Child) -> Result<(f64, f64)> {
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the load failed");
    let (opens, cpu_seconds) = text.trim().split_once(' ').context("no figures")?;
    Ok((opens.parse()?, cpu_seconds.parse()?))
}

/// Opens and closes a file at the asked rate; prints how often, and its CPU time.
fn work(load: Load) -> Result<()> {
    let one = move || -> Result<u64> {
        let begin = Instant::now();
        let span = Duration::from_secs_f64(load.seconds);
        let mut count = 0;
        while begin.elapsed() < span {
            for _ in 0..STRIDE {
                drop(std::fs::File::open("/etc/hostname")?);
            }
            count += STRIDE;
            let total_ns = count * load.threads * 1_000_000_000;
            let due_ns = total_ns.checked_div(load.opens_per_second).unwrap_or(0);
            std::thread::sleep(Duration::from_nanos(due_ns).saturating_sub(begin.elapsed()));
        }
        Ok(count)
    };
    let threads: Vec<_> = (0..load.threads).map(|_| std::thread::spawn(one)).collect();
    let mut count = 0;
    for thread in threads {
        match thread.join() {
            Ok(made) => count += made?,
            Err(_) => bail!("a thread of the load panicked"),
        }
    }
    writeln!(std::io::stdout(), "{count} {}", cpu())?;
    Ok(())
}

/// What came out of the sensor.
#[derive(Debug, Default)]
struct Seen {
    events: u64,
    execs: u64,
    told_lost: u64,
    held_max: usize,
    /// Argument by which the execs of this run are known.
    mark: String,
}

impl Seen {
    fn take(&mut self, events: &mut Vec<Event>) {
        self.held_max = self.held_max.max(events.len());
        for event in events.drain(..) {
            self.events += 1;
            match &event.kind {
                EventKind::Lost(lost) => self.told_lost += lost.count,
                EventKind::Executed(executed) => {
                    let argv = executed.argv.as_bytes();
                    let mark = self.mark.as_bytes();
                    let has_mark = argv.windows(mark.len()).any(|part| part == mark);
                    self.execs += u64::from(has_mark);
                }
                _ => {}
            }
        }
    }
}

fn storm(sensor: &mut Sensor, load: Load, out: &mut impl Write) -> Result<()> {
    let mark = format!("clew-storm-{}-exec", std::process::id());
    let mut seen = Seen { mark: mark.clone(), ..Seen::default() };
    let mut events = Vec::new();
    let drain = |sensor: &mut Sensor, seen: &mut Seen, events: &mut Vec<Event>, span| {
        let end = Instant::now() + span;
        while Instant::now() < end {
            sensor.poll(Duration::from_millis(50), events)?;
            seen.take(events);
        }
        anyhow::Ok(())
    };
    drain(sensor, &mut seen, &mut events, Duration::from_millis(500))?;
    seen.events = 0;
    let cpu_before = cpu();
    let begun = Instant::now();
    let child = begin(load)?;
    let mut execs_made = 0;
    while begun.elapsed().as_secs_f64() < load.seconds {
        let made = Command::new("/bin/true").arg(&mark).spawn().context("cannot exec")?.wait()?;
        ensure!(made.success(), "`true` failed");
        execs_made += 1;
        drain(sensor, &mut seen, &mut events, Duration::from_secs(1))?;
    }
    let (opens, _) = end(child)?;
    let (cpu_used, events_taken) = (cpu() - cpu_before, seen.events);
    // Nothing of the rest of the machine shall be on its way when the sums are compared.
    sensor.detach();
    drain(sensor, &mut seen, &mut events, Duration::from_millis(1500))?;
    let rate = opens / load.seconds;
    writeln!(out, "\n{opens:.0} opens in {:.0} s: {rate:.0} a second", load.seconds)?;
    writeln!(out, "execs made {execs_made}, seen {}", seen.execs)?;
    writeln!(
        out,
        "sensor: {:.1} % of one CPU, {:.0} ns an event, largest batch {}",
        cpu_used / load.seconds * 100.0,
        cpu_used * 1e9 / events_taken.max(1) as f64,
        seen.held_max
    )?;
    let after = sensor.totals();
    report(&after, &seen, out)?;
    let offered = after.offered.get(usize::from(KIND_FILE)).copied().unwrap_or(0);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let is_complete = offered as f64 >= opens;
    ensure!(is_complete, "{opens} opens were made, but {offered} offered");
    ensure!(seen.execs == execs_made, "{execs_made} execs made, {} seen", seen.execs);
    writeln!(out, "every open was offered, every exec seen")?;
    Ok(())
}

/// One line a kind; an error where the equation does not hold.
fn report(totals: &Totals, seen: &Seen, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{:<12} {:>12} {:>12} {:>12}", "kind", "offered", "seen", "lost")?;
    let mut is_whole = totals.malformed == 0;
    let kept = totals.lost.iter().zip(&totals.quieted);
    let counts = totals.offered.iter().zip(&totals.seen).zip(kept);
    for (kind, ((offered, arrived), (lost, quieted))) in (0..KINDS).zip(counts) {
        if *offered > 0 {
            writeln!(out, "{:<12} {offered:>12} {arrived:>12} {lost:>12}", kind_name(kind))?;
        }
        is_whole &= *offered == arrived + lost + quieted && (kind != KIND_EXEC || *lost == 0);
    }
    let lost = Totals::sum(&totals.lost);
    writeln!(out, "losses told in the stream: {}", seen.told_lost)?;
    writeln!(out, "malformed {}, unread texts {}", totals.malformed, totals.unread)?;
    ensure!(is_whole, "offered is not seen + lost, or an exec was lost");
    ensure!(seen.told_lost == lost, "{lost} lost, but {} told", seen.told_lost);
    writeln!(out, "offered = seen + counted; no exec lost")?;
    Ok(())
}

/// CPU time of this process in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a short run")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
