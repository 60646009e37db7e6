//! How many alerts a second each output brings to a receiver on this machine, and what handing
//! them over costs the engine's side.
#![allow(clippy::expect_used, reason = "a benchmark may panic")]

#[path = "../tests/receivers/mod.rs"]
mod receivers;

use std::hint::black_box;
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use clew_notify::{Form, Outputs};
use criterion::{BenchmarkGroup, Criterion, Throughput};
use receivers::web::{Answer, WebServer};
use receivers::{finding, outputs, wait_for};

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// From handing over until all of them have arrived.
fn arrive(outputs: &Outputs, count: u64) -> Duration {
    let finding = finding(1);
    let before = wait_for(outputs, |_| true).sent;
    let began = Instant::now();
    for _ in 0..count {
        outputs.send(&finding);
    }
    wait_for(outputs, |figures| figures.sent + figures.failed == before + count);
    began.elapsed()
}

fn output(group: &mut Group<'_>, name: &str, count: u64, spec: &str) {
    let outputs = outputs(&[spec]);
    group.throughput(Throughput::Elements(count));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| arrive(&outputs, count)).sum());
    });
    let figures = wait_for(&outputs, |_| true);
    assert_eq!((figures.failed, figures.dropped), (0, 0), "{figures:?}");
    outputs.close();
}

fn all_outputs(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut group = criterion.benchmark_group("output");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    output(&mut group, "file", 4000, &format!("file:{},format=falco", path("alerts")));

    let unix = UnixDatagram::bind(path("log")).expect("a socket");
    std::thread::spawn(move || {
        let mut packet = [0; 65_536];
        while unix.recv(&mut packet).is_ok() {}
    });
    output(&mut group, "syslog-unix", 4000, &format!("syslog:unix:{},format=falco", path("log")));

    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = udp.local_addr().expect("an address");
    output(&mut group, "syslog-udp", 4000, &format!("syslog:udp:{address},format=falco"));

    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = tcp.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        for mut stream in tcp.incoming().flatten() {
            while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
        }
    });
    output(&mut group, "syslog-tcp", 4000, &format!("syslog:tcp:{address},format=falco"));

    let web = WebServer::start(|_| Answer::Code(200));
    output(&mut group, "http", 1000, &format!("http:http://{}/,format=falco", web.address));
    drop(web);
    let ca = receivers::web::certificate("authority.pem");
    let web = WebServer::start_tls();
    let spec = format!("http:https://{}/,format=falco,ca={}", web.address, ca.display());
    output(&mut group, "https", 1000, &spec);
    drop(web);

    output(&mut group, "program-kept", 4000, "program:cat > /dev/null,format=falco,keep=yes");
    output(&mut group, "program-each", 50, "program:cat > /dev/null,format=falco");
    group.finish();
}

fn forms(criterion: &mut Criterion) {
    let finding = finding(1);
    let mut group = criterion.benchmark_group("output-form");
    group.throughput(Throughput::Elements(1));
    for (form, name) in Form::ALL {
        group.bench_function(name, |bencher| {
            bencher.iter(|| form.finding(black_box(&finding)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    forms(&mut criterion);
    all_outputs(&mut criterion);
    criterion.final_summary();
}
