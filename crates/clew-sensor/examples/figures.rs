//! Prints what a running `clew` costs beside Falco's figures: CPU, losses, tax a call, memory.
//!
//! `cargo build --release -p clew-cli && cargo run --release -p clew-sensor --example figures --
//! target/release/clew [--seconds N] -- run --rules RULES.yaml …`
//!
//! Opens and closes of one file are made at 5 k, 20 k and 50 k pairs a second and without a bound,
//! each beside ten execs and ten connections a second. The tax is the CPU time of the caller for a
//! pair, with `clew` and without it in turn, so that what else the machine does falls on both; the
//! median of the rounds is told, and how far the rounds lie apart.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

const RATES: [u64; 4] = [5_000, 20_000, 50_000, 0];
/// Rounds of the tax, and the seconds of each half.
const ROUNDS: usize = 7;
const ROUND_SECONDS: f64 = 2.0;
/// Opens between two looks at the clock.
const STRIDE: u64 = 32;
/// Execs and connections a second.
const RARE_A_SECOND: u64 = 10;
/// How long `clew` may take until it judges.
const START_SPAN: Duration = Duration::from_secs(20);
/// Time for the figures to be published and the cache to be warm.
const SETTLE_SPAN: Duration = Duration::from_secs(3);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["work", seconds, rate] => work(seconds.parse()?, rate.parse()?),
        ["rare", seconds] => rare(seconds.parse()?),
        [clew, "--seconds", seconds, "--", run @ ..] => measure(clew, seconds.parse()?, run),
        [clew, "--", run @ ..] => measure(clew, 10.0, run),
        _ => bail!("give: CLEW [--seconds N] -- run --rules FILE …"),
    }
}

fn measure(clew: &str, seconds: f64, run: &[&str]) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", machine())?;
    writeln!(
        out,
        "| pairs/s | made/s | CPU s | CPU % | events | quieted | lost | execs lost | sockets lost | RSS MB |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|---|")?;
    for rate in RATES {
        let running = Running::start(clew, run)?;
        warm_up()?;
        let (before, cpu_before) = (running.counts()?, running.cpu_seconds()?);
        let others = spawn(&["rare", &seconds.to_string()])?;
        let (opens, _) = end(spawn(&["work", &seconds.to_string(), &rate.to_string()])?)?;
        let cpu = running.cpu_seconds()? - cpu_before;
        end(others)?;
        std::thread::sleep(SETTLE_SPAN);
        let after = running.counts()?;
        let grown = |name: &str| after.of(name) - before.of(name);
        writeln!(
            out,
            "| {} | {:.0} | {cpu:.2} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
            if rate == 0 { "unthrottled".to_owned() } else { rate.to_string() },
            opens / seconds,
            cpu / seconds * 100.0,
            grown("clew_events_total"),
            grown("clew_events_quieted_total"),
            grown("clew_events_lost_total"),
            after.with("clew_events_lost_total", "record=\"exec\""),
            after.with("clew_events_lost_total", "record=\"socket\""),
            running.resident_mb()?,
        )?;
    }
    tax(clew, run, &mut out)
}

/// Pairs of rounds, with `clew` and without.
fn tax(clew: &str, run: &[&str], out: &mut impl std::io::Write) -> Result<()> {
    let mut added = Vec::new();
    let mut bare = Vec::new();
    for _ in 0..ROUNDS {
        let without = pair_ns()?;
        let running = Running::start(clew, run)?;
        warm_up()?;
        let with = pair_ns()?;
        drop(running);
        bare.push(without);
        added.push((with - without) / 2.0);
    }
    let (low, median, high) = spread(&mut added);
    let (_, bare_ns, _) = spread(&mut bare);
    writeln!(
        out,
        "\ntax: {median:.0} ns a system call ({low:.0} to {high:.0} in {ROUNDS} rounds); \
         a bare open and close takes {bare_ns:.0} ns"
    )?;
    Ok(())
}

fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len() - 1))
}

fn pair_ns() -> Result<f64> {
    let (opens, cpu) = end(spawn(&["work", &ROUND_SECONDS.to_string(), "0"])?)?;
    Ok(cpu * 1e9 / opens)
}

fn warm_up() -> Result<()> {
    end(spawn(&["work", "0.5", "1000"])?)?;
    Ok(())
}

/// A `clew run` of its own state and port, stopped when dropped.
struct Running {
    child: Child,
    address: String,
    state: PathBuf,
}

impl Running {
    fn start(clew: &str, run: &[&str]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let state = std::env::temp_dir().join(format!("clew-figures-{port}"));
        let mut command = Command::new(clew);
        command.args(run).arg("--state").arg(&state).args(["--listen", &address, "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{clew}`"))?;
        let told = child.stderr.take().context("no standard error")?;
        let running = Self { child, address, state };
        // What it says later must not fill the pipe.
        let mut lines = BufReader::new(told).lines();
        let is_serving = lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("page:"));
        ensure!(is_serving, "`{clew}` ended before it served its page");
        std::thread::spawn(move || lines.for_each(drop));
        let end = Instant::now() + START_SPAN;
        while running.counts().map_or(0.0, |counts| counts.of("clew_events_total")) == 0.0 {
            ensure!(Instant::now() < end, "no event was judged in {START_SPAN:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(running)
    }

    fn counts(&self) -> Result<Counts> {
        let mut stream = TcpStream::connect(&self.address)?;
        let host = &self.address;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        ensure!(
            page.starts_with("HTTP/1.1 200"),
            "no metrics: {}",
            page.lines().next().unwrap_or("")
        );
        Ok(Counts(page))
    }

    /// User and system time of all threads, which the clock ticks of `/proc/PID/stat` count.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(self.proc("stat"))?;
        let (_, behind) = stat.rsplit_once(") ").context("no command in `stat`")?;
        let ticks: f64 = behind.split(' ').skip(11).take(2).flat_map(str::parse::<f64>).sum();
        Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
    }

    fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no `VmRSS`")?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.state).ok();
    }
}

/// A page of metrics.
struct Counts(String);

impl Counts {
    fn of(&self, name: &str) -> f64 {
        self.with(name, "")
    }

    /// Sum of the samples of a figure that have that label.
    fn with(&self, name: &str, label: &str) -> f64 {
        let samples = self.0.lines().filter_map(|line| line.strip_prefix(name));
        samples
            .filter(|sample| sample.starts_with(['{', ' ']) && sample.contains(label))
            .filter_map(|sample| sample.rsplit_once(' ')?.1.parse::<f64>().ok())
            // The sum of nothing is -0.
            .sum::<f64>()
            + 0.0
    }
}

fn spawn(arguments: &[&str]) -> Result<Child> {
    let own = std::env::current_exe()?;
    let child = Command::new(own).args(arguments).stdout(Stdio::piped()).spawn();
    child.context("cannot start the load")
}

/// Waits for a load: how many it made, and the seconds of CPU it took.
fn end(mut child: Child) -> Result<(f64, f64)> {
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the load failed");
    let (made, cpu) = text.trim().split_once(' ').context("no figures")?;
    Ok((made.parse()?, cpu.parse()?))
}

/// Opens and closes a file at that rate; prints how often, and its CPU time.
fn work(seconds: f64, rate: u64) -> Result<()> {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        for _ in 0..STRIDE {
            drop(std::fs::File::open("/etc/hostname")?);
        }
        count += STRIDE;
        let due_ns = (count * 1_000_000_000).checked_div(rate).unwrap_or(0);
        std::thread::sleep(Duration::from_nanos(due_ns).saturating_sub(begun.elapsed()));
    }
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a short run")]
    let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    writeln!(std::io::stdout(), "{count} {cpu_seconds}")?;
    Ok(())
}

/// Execs and connections at [`RARE_A_SECOND`].
fn rare(seconds: f64) -> Result<()> {
    let begun = Instant::now();
    let server = TcpListener::bind("127.0.0.1:0")?;
    let mut count = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        ensure!(Command::new("/bin/true").status()?.success(), "`true` failed");
        drop(TcpStream::connect(server.local_addr()?)?);
        drop(server.accept()?);
        count += 1;
        let due = Duration::from_secs(count) / u32::try_from(RARE_A_SECOND)?;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    writeln!(std::io::stdout(), "{count} 0")?;
    Ok(())
}

fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let load = read("/proc/loadavg");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = load.split(' ').next().unwrap_or("?");
    format!("{cpus} CPUs, load average {load} before it began\n")
}
