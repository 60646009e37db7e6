//! What reading requests costs: system calls that are no request, requests, and a web server.
//!
//! `cargo run --release -p clew-sensor --example requests -- [ROUNDS [SECONDS]]`
//!
//! First a child reads a device, passes bytes of no protocol through a unix socket, and asks itself
//! over TCP; in each round without a sensor, with one that reads no requests, and with one that
//! does; CPU time of the child a call counts. Then `wrk` asks nginx over loopback with the last two
//! in turn, where both are installed; what was told is compared with what nginx was asked.

#![allow(clippy::indexing_slicing, reason = "two ways, numbered 0 and 1")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clew_event::interest::{CallClasses, InterestSet};
use clew_event::{Event, EventKind, EventType};
use clew_sensor::{Sensor, Settings};
use clew_wire::limits::KIND_STREAM;

/// Calls between two looks at the clock.
const STRIDE: u32 = 64;
/// How long the sensor does not know for sure what other sockets speak, and a little more.
const JOINING: Duration = Duration::from_secs(11);
const PORT: u16 = 18_463;
const LOADS: [&str; 3] = ["read of a device", "send and receive", "request to itself"];
const ASKED: &[u8] =
    b"GET /orders/7?expand=items HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, load, seconds] = arguments.as_slice()
        && mode == "work"
    {
        return work(load.parse()?, Duration::from_secs_f64(seconds.parse()?));
    }
    let number = |place: usize, default: u32| {
        arguments.get(place).map_or(Ok(default), |given| given.parse::<u32>())
    };
    let (rounds, span) = (number(0, 7)?, Duration::from_secs(number(1, 1)?.into()));
    let mut out = std::io::stdout().lock();
    for (load, name) in LOADS.iter().enumerate() {
        let (mut bare, mut added) = (Vec::new(), [Vec::new(), Vec::new()]);
        for _ in 0..rounds {
            let base_ns = call_ns(None, load, span)?;
            bare.push(base_ns);
            for (is_reading, all) in [false, true].into_iter().zip(&mut added) {
                all.push(call_ns(Some(&mut sensor(is_reading)?), load, span)? - base_ns);
            }
        }
        writeln!(out, "{name}: bare {:.0} ns", median(&mut bare))?;
        for (way, all) in ["requests not read", "requests read"].iter().zip(&mut added) {
            writeln!(out, "  {way}: {:+.0} ns, of {}", median(all), shown(all))?;
        }
    }
    drop(out);
    serve(rounds, span.max(Duration::from_secs(3)))
}

/// A sensor that hands nothing up but, if so, requests.
fn sensor(is_reading: bool) -> Result<Sensor> {
    let settings = Settings { is_runtime_watched: false, ..Settings::default() };
    let mut sensor = Sensor::start(settings)?;
    let mut wanted = InterestSet::default();
    if is_reading {
        wanted.add(EventType::HttpRequest, CallClasses::ALL);
    }
    sensor.set_interest(&wanted)?;
    // At first every socket may have been met in the middle of a message.
    let end = Instant::now() + if is_reading { JOINING } else { Duration::ZERO };
    while Instant::now() < end {
        sensor.poll(Duration::from_millis(50), &mut Vec::new())?;
    }
    Ok(sensor)
}

/// CPU nanoseconds a call of a child.
fn call_ns(sensor: Option<&mut Sensor>, load: usize, span: Duration) -> Result<f64> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["work", &load.to_string(), &span.as_secs_f64().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the load")?;
    if let Some(sensor) = sensor {
        watch(sensor, &mut child, |_| ())?;
    }
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    ensure!(child.wait()?.success(), "the load failed");
    text.trim().parse().context("no figure")
}

/// Takes what the sensor tells until `child` has ended, and what was told of it.
fn watch(sensor: &mut Sensor, child: &mut Child, mut each: impl FnMut(&Event)) -> Result<()> {
    let mut events = Vec::new();
    let mut end = None;
    while end.is_none_or(|end| Instant::now() < end) {
        sensor.poll(Duration::from_millis(20), &mut events)?;
        events.drain(..).for_each(|event| each(&event));
        if end.is_none() && child.try_wait()?.is_some() {
            end = Some(Instant::now() + Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Makes calls of one kind; prints CPU nanoseconds a call.
fn work(load: usize, span: Duration) -> Result<()> {
    let mut device = std::fs::File::open("/dev/zero")?;
    let (mut one, mut other) = UnixStream::pair()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let mut server = listener.accept()?.0;
    let mut buffer = [0; 4096];
    let (begin, begin_ns, mut count) = (Instant::now(), cpu_ns(), 0);
    while begin.elapsed() < span {
        for _ in 0..STRIDE {
            match load {
                0 => device.read_exact(&mut buffer[..1])?,
                1 => {
                    one.write_all(b"\x01 of no protocol")?;
                    other.read(&mut buffer).map(drop)?;
                }
                _ => {
                    client.write_all(ASKED)?;
                    server.read(&mut buffer).map(drop)?;
                    server.write_all(ANSWER)?;
                    client.read(&mut buffer).map(drop)?;
                }
            }
        }
        count += STRIDE;
    }
    writeln!(std::io::stdout(), "{}", (cpu_ns() - begin_ns) / f64::from(count))?;
    Ok(())
}

/// nginx with a small page.
struct Server {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().display();
        std::fs::write(folder.path().join("index.html"), "x".repeat(600))?;
        let settings = format!(
            "daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error;\n\
             events {{ worker_connections 512; }}\n\
             http {{ access_log off; keepalive_requests 100000000;\n\
             server {{ listen 127.0.0.1:{PORT}; root {root};\n\
             location = /status {{ stub_status; }} }} }}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, settings)?;
        // The workers are another user.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open)?;
        let process = Command::new("nginx").arg("-c").arg(&path).spawn()?;
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            ensure!(Instant::now() < end, "nginx does not answer");
        }
        Ok(Self { process, _folder: folder })
    }

    /// Requests that nginx has counted, this one included.
    fn asked() -> Result<u64> {
        let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
        write!(stream, "GET /status HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let counts = text.lines().rev().find(|line| line.starts_with(' ')).context("no counts")?;
        counts.split_whitespace().nth(2).context("no requests")?.parse().context("no number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
        self.process.wait().ok();
    }
}

/// Requests a second, and the 99th percentile of their time, with and without reading in turn.
fn serve(rounds: u32, span: Duration) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let Ok(server) = Server::start() else {
        writeln!(out, "nginx and wrk: left out, since nginx is not installed")?;
        return Ok(());
    };
    let (mut rates, mut slowest, mut ratios) = ([vec![], vec![]], [vec![], vec![]], vec![]);
    let (mut asked, mut told, mut lost) = (0, 0, 0);
    for _ in 0..rounds {
        for is_reading in [false, true] {
            let mut sensor = sensor(is_reading)?;
            let before = Server::asked()?;
            let mut load = Command::new("wrk")
                .args(["-t1", "-c16", "--latency", &format!("-d{}s", span.as_secs())])
                .arg(format!("http://127.0.0.1:{PORT}/"))
                .stdout(Stdio::piped())
                .spawn()
                .context("wrk is not installed")?;
            let mut answered = 0;
            watch(&mut sensor, &mut load, |event| {
                let is_inbound = |http: &clew_event::http::HttpEvent| {
                    http.is_inbound && http.response.as_ref().is_some_and(|it| it.status == 200)
                };
                answered +=
                    u64::from(matches!(&event.kind, EventKind::Http(http) if is_inbound(http)));
            })?;
            let mut text = String::new();
            load.stdout.take().context("no output")?.read_to_string(&mut text)?;
            let number = |name| -> Option<f64> {
                let line = text.lines().find_map(|line| line.trim().strip_prefix(name))?;
                let digits = line.trim().trim_end_matches(|c: char| c.is_alphabetic());
                let unit = if line.ends_with("us") { 0.001 } else { 1.0 };
                digits.parse::<f64>().ok().map(|number| number * unit)
            };
            let way = usize::from(is_reading);
            rates[way].push(number("Requests/sec:").context("no rate")?);
            slowest[way].push(number("99%").context("no percentile")?);
            if is_reading {
                // What asks for the counts is a request too.
                asked += Server::asked()? - before - 1;
                told += answered;
                lost += sensor.totals().lost[usize::from(KIND_STREAM)];
            }
        }
        let [without, with] = [&rates[0], &rates[1]].map(|all| all.last().copied().unwrap_or(1.0));
        ratios.push((with / without - 1.0) * 100.0);
    }
    for (way, name) in ["requests not read", "requests read"].iter().enumerate() {
        let (rate, slow) = (median(&mut rates[way]), median(&mut slowest[way]));
        writeln!(out, "nginx, {name}: {rate:.0} requests/s, p99 {slow:.2} ms (medians)")?;
    }
    writeln!(out, "throughput by pairs: {:+.1} %, of {}", median(&mut ratios), shown(&ratios))?;
    writeln!(out, "requests told {told} of {asked} asked, pieces lost {lost}")?;
    drop(server);
    Ok(())
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn shown(sorted: &[f64]) -> String {
    let [first, last] = [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or_default());
    format!("{first:+.1} to {last:+.1} in {} rounds", sorted.len())
}

/// CPU time of this process.
fn cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a short run")]
    let ns = time.tv_sec as f64 * 1e9 + time.tv_nsec as f64;
    ns
}
