//! Measures what looking into TLS costs: nginx under load, with and without it, in turns.
//!
//! `cargo run --release -p clew-sensor --example tls -- [ROUNDS] [SECONDS] [CONNECTIONS]`; it needs
//! root, nginx, wrk and openssl. Printed are requests a second of each turn, and at the end the
//! medians, their ratio, and the time that nginx itself spent on a request.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clew_sensor::tls::Selector;
use clew_sensor::{Sensor, Settings};

const PORT: u16 = 8443;
const CONFIGURATION: &str = "
daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000;
  server {
    listen 127.0.0.1:8443 ssl;
    ssl_certificate cert.pem; ssl_certificate_key key.pem;
    location / { return 200 'a short answer'; }
  }
}";

/// One turn.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    requests_per_second: f64,
    nginx_us_per_request: f64,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut next = |default| arguments.next().unwrap_or(Ok(default));
    let (rounds, seconds, connections) = (next(5)?, next(5)?, next(16)?);
    let folder = tempfile::tempdir()?;
    let openssl = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .status()?;
    anyhow::ensure!(openssl.success(), "no certificate");
    std::fs::write(folder.path().join("nginx.conf"), CONFIGURATION)?;
    let mut nginx = Command::new("nginx")
        .args(["-c", "nginx.conf", "-p"])
        .arg(folder.path())
        .spawn()
        .context("there is no `nginx`")?;
    let measured = measure(rounds, seconds, (connections, nginx.id()));
    // Asked, not killed: it takes its worker with it.
    Command::new("kill").arg(nginx.id().to_string()).status()?;
    nginx.wait()?;
    let (off, on) = measured?;
    let (off, on) = (median(off), median(on));
    println!("median without {off:.1?}\nmedian with    {on:.1?}");
    println!(
        "ratio of requests {:.3}, more time of nginx a request {:.1} us",
        on.requests_per_second / off.requests_per_second,
        on.nginx_us_per_request - off.nginx_us_per_request
    );
    Ok(())
}

fn measure(rounds: u32, seconds: u32, load: (u32, u32)) -> Result<(Vec<Turn>, Vec<Turn>)> {
    let mut sensor = Sensor::start(Settings::default())?;
    let (mut off, mut on) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (selectors, turns) in
            [(Vec::new(), &mut off), (vec![Selector::Executable("*/nginx".to_owned())], &mut on)]
        {
            sensor.watch_tls(selectors)?;
            let turn = run(&mut sensor, seconds, load)?;
            println!("{} {turn:.1?}", if sensor.tls().is_some() { "with   " } else { "without" });
            turns.push(turn);
        }
    }
    println!("{:?}", sensor.http_counts());
    Ok((off, on))
}

/// Loads nginx, whose first process is given, over so many connections.
fn run(sensor: &mut Sensor, seconds: u32, (connections, nginx): (u32, u32)) -> Result<Turn> {
    let worker = worker(nginx)?;
    let before = ticks(worker)?;
    let mut load = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")])
        .arg(format!("https://127.0.0.1:{PORT}/"))
        .stdout(Stdio::piped())
        .spawn()
        .context("there is no `wrk`")?;
    let mut events = Vec::new();
    while load.try_wait()?.is_none() {
        sensor.poll(Duration::from_millis(10), &mut events)?;
        events.clear();
    }
    let requests = requests(load)?;
    let spent = ticks(worker)? - before;
    Ok(Turn {
        requests_per_second: requests / f64::from(seconds),
        // A tick is 10 ms (`USER_HZ`).
        nginx_us_per_request: spent * 10_000.0 / requests,
    })
}

fn requests(load: Child) -> Result<f64> {
    let text = String::from_utf8(load.wait_with_output()?.stdout)?;
    let line = text.lines().find(|line| line.contains(" requests in ")).context("no figure")?;
    Ok(line.split_whitespace().next().context("no figure")?.parse()?)
}

/// The worker of nginx.
fn worker(nginx: u32) -> Result<u32> {
    let listed = Command::new("pgrep").args(["-P", &nginx.to_string()]).output()?;
    Ok(String::from_utf8(listed.stdout)?.lines().next().context("no worker")?.parse()?)
}

/// Time that a process spent, in ticks.
fn ticks(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = text.rsplit(") ").next().context("stat")?.split(' ').collect();
    let field = |at: usize| -> Result<f64> { Ok(fields.get(at).context("stat")?.parse()?) };
    Ok(field(11)? + field(12)?)
}

fn median(mut turns: Vec<Turn>) -> Turn {
    turns.sort_by(|left, right| left.requests_per_second.total_cmp(&right.requests_per_second));
    turns.get(turns.len() / 2).copied().unwrap_or_default()
}
