//! What the sensor tells of a web server that people use.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use clew_event::EventKind;

use crate::watch::{PATIENCE, watch};

const ADDRESS: &str = "127.0.0.157:18457";
const REQUESTS: usize = 1000;
const CONNECTIONS: usize = 4;

/// Starts nginx in the foreground; `None`, and loudly, where it is not installed.
fn start(folder: &Path) -> Option<Child> {
    let root = folder.display();
    let settings = format!(
        "daemon off; worker_processes 2; pid {root}/pid; error_log {root}/error;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; server {{ listen {ADDRESS}; root {root};\n\
         location /made/ {{ return 200 made; }} }} }}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, settings).expect("writes");
    match Command::new("nginx").arg("-c").arg(&path).spawn() {
        Ok(server) => Some(server),
        Err(error) => {
            eprintln!("skipped: nginx does not run: {error}");
            None
        }
    }
}

/// Asks for a few pages through one connection.
fn ask(stream: &mut TcpStream, from: usize, count: usize) {
    for number in from..from + count {
        // A file goes out by `sendfile`, a text by `writev`.
        let path = if number % 2 == 0 { "made/" } else { "page?" };
        let asked = format!("GET /{path}{number} HTTP/1.1\r\nHost: clew.test\r\n\r\n");
        stream.write_all(asked.as_bytes()).expect("asks");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(b"made") && !answer.ends_with(b"page") {
            let size = stream.read(&mut buffer).expect("is answered");
            assert!(0 < size, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..size]);
        }
    }
}

#[test]
fn a_thousand_requests_to_nginx_are_all_told() {
    let folder = tempfile::tempdir().expect("a folder");
    // Its workers are another user.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("opens it");
    std::fs::write(folder.path().join("page"), "page").expect("writes");
    let Some(mut server) = start(folder.path()) else { return };
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(ADDRESS).is_err() {
        assert!(Instant::now() < end, "nginx does not answer");
    }
    let seen = watch(|_| {
        let asking = (0..CONNECTIONS).map(|number| {
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(ADDRESS).expect("connects");
                let count = REQUESTS / CONNECTIONS;
                ask(&mut stream, number * count, count);
            })
        });
        for asking in asking.collect::<Vec<_>>() {
            asking.join().expect("ends");
        }
    });
    let id = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
    server.wait().expect("ends");
    let Some(seen) = seen else { return };
    let mut told = Vec::new();
    for event in &seen.events {
        let EventKind::Http(http) = &event.kind else { continue };
        let is_own = event.actor.is_some_and(|actor| actor.process == seen.own_key());
        let address = http.endpoints.local.map(|local| local.to_string());
        let Some(response) = &http.response else { continue };
        if http.is_inbound && !is_own && address.as_deref() == Some(ADDRESS) {
            assert_eq!((response.status, response.body_bytes), (200, 4), "{http:?}");
            told.push(format!("{}{}", http.request.path, http.request.query));
        }
    }
    told.sort_unstable();
    let mut all: Vec<_> = (0..REQUESTS)
        .map(
            |number| {
                if number % 2 == 0 { format!("/made/{number}") } else { format!("/page{number}") }
            },
        )
        .collect();
    all.sort_unstable();
    assert_eq!(told, all);
}
