//! Plain text of TLS as the sensor tells it, of real programs of every library that it knows.
//!
//! Each server and client is a program of its own. A program that the machine lacks is said aloud;
//! `scripts/setup test` brings it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use clew_event::http::{HttpEvent, HttpSource};
use clew_event::{Actor, Event, EventKind};
use clew_sensor::tls::Selector;
use clew_sensor::{Sensor, Settings};

use crate::watch::{PATIENCE, start};

/// A sensor that looks into the TLS of some programs, and a folder with a certificate.
struct Watch {
    sensor: Sensor,
    events: Vec<Event>,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A program that is ended with the test.
struct Running(Child);

impl Running {
    /// Writes to its standard input.
    fn tell(&mut self, text: &str) {
        let input = self.0.stdin.as_mut().expect("a pipe");
        input.write_all(text.as_bytes()).expect("it reads");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: nginx takes its workers with it.
        Command::new("kill").arg(self.0.id().to_string()).status().ok();
        self.0.wait().ok();
    }
}

impl Watch {
    fn new(executables: &[&str]) -> Option<Self> {
        let settings = Settings { is_runtime_watched: false, ..Settings::default() };
        let (mut sensor, turn) = start(settings)?;
        let selectors = executables.iter().map(|one| Selector::Executable((*one).to_owned()));
        sensor.watch_tls(selectors.collect()).expect("looks into TLS");
        let folder = tempfile::tempdir().expect("a folder");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "key.pem"])
            .args(["-out", "cert.pem"])
            .current_dir(folder.path())
            .output();
        assert!(made.expect("runs openssl").status.success());
        Some(Self { sensor, events: Vec::new(), folder, _turn: turn })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program in the folder; `None`, and loudly, where the machine does not have it.
    fn run(&self, program: &str, arguments: &[&str]) -> Option<Running> {
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        if child.is_err() {
            eprintln!("skipped: there is no `{program}`: run `scripts/setup test`");
        }
        child.ok().map(Running)
    }

    fn poll(&mut self) {
        self.sensor.poll(Duration::from_millis(20), &mut self.events).expect("polls");
    }

    /// Polls until programs are in a file whose path has that in it, and so many run it; 0 where
    /// they are to be out of it again.
    fn wait_for_users(&mut self, end: &str, count: usize) {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.sensor.tls().expect("it runs");
            let found = status.attached.iter().find(|(path, _)| path.contains(end));
            if found.map_or(0, |(_, users)| *users) == count {
                return;
            }
            assert!(Instant::now() < until, "{end}: {status:?}");
            self.poll();
        }
    }

    /// Polls until a request of `path` was seen, answered or not.
    fn wait_for_request(&mut self, path: &str) {
        let until = Instant::now() + PATIENCE;
        let is_asked = |event: &Event| matches!(&event.kind, EventKind::Http(http) if http.request.path == path.into());
        while !self.events.iter().any(is_asked) {
            assert!(Instant::now() < until, "{:?}", self.sensor.tls());
            self.poll();
        }
    }

    /// Polls until that many requests of `path` are answered: each with who was seen.
    fn wait_for(&mut self, path: &str, count: usize) -> Vec<(Actor, HttpEvent)> {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.events.iter().filter_map(|event| match &event.kind {
                EventKind::Http(http)
                    if http.request.path == path.into() && http.response.is_some() =>
                {
                    Some((event.actor?, (**http).clone()))
                }
                _ => None,
            });
            let told: Vec<_> = told.collect();
            if count <= told.len() {
                return told;
            }
            let counts = self.sensor.http_counts();
            assert!(Instant::now() < until, "{told:?} {:?} {counts:?}", self.sensor.tls());
            self.poll();
        }
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("an address").port()
}

/// Waits until somebody listens.
fn wait_for_port(port: u16) {
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nobody listens on {port}");
        std::thread::yield_now();
    }
}

fn file(watch: &Watch, name: &str, text: &str) -> PathBuf {
    let path = watch.path().join(name);
    std::fs::write(&path, text).expect("writes");
    path
}

/// What the client and the server of one exchange told has to fit together.
fn check_both(told: &[(Actor, HttpEvent)], client: u32, server: u32, port: u16) {
    let of = |pid| told.iter().find(|(actor, _)| actor.process.pid == pid).expect("it was seen");
    let (_, asked) = of(client);
    let (_, served) = of(server);
    assert!(served.is_inbound && !asked.is_inbound, "{told:?}");
    let server_end: SocketAddr = ([127, 0, 0, 1], port).into();
    assert_eq!(asked.endpoints.remote, Some(server_end), "{asked:?}");
    assert_eq!(served.endpoints.local, Some(server_end), "{served:?}");
    assert_eq!(asked.endpoints.local, served.endpoints.remote);
    for (_, event) in told {
        assert_eq!(event.seen_by, HttpSource::Tls);
        assert_eq!(event.response.as_ref().map(|response| response.status), Some(200));
    }
}

const PYTHON_SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"python says " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

const PYTHON_CLIENT: &str = r#"
import http.client, ssl, sys
sys.stdin.readline()
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]),
    context=ssl._create_unverified_context())
for path in sys.argv[2:]:
    connection.request("GET", path)
    print(connection.getresponse().read().decode())
sys.stdout.flush()
sys.stdin.read()
"#;

#[test]
fn a_python_server_and_client_are_seen_with_both_ends() {
    let Some(mut watch) = Watch::new(&["*/python3*"]) else { return };
    let port = free_port().to_string();
    let server = file(&watch, "server.py", PYTHON_SERVER).display().to_string();
    let client = file(&watch, "client.py", PYTHON_CLIENT).display().to_string();
    let Some(server) = watch.run("python3", &[&server, &port]) else { return };
    wait_for_port(port.parse().expect("a port"));
    let arguments = [client.as_str(), &port, "/one?a=1", "/two"];
    let Some(mut client) = watch.run("python3", &arguments) else { return };
    watch.wait_for_users("libssl.so.3", 2);
    client.tell("\n");
    let told = watch.wait_for("/two", 2);
    check_both(&told, client.0.id(), server.0.id(), port.parse().expect("a port"));
    let told = watch.wait_for("/one", 2);
    check_both(&told, client.0.id(), server.0.id(), port.parse().expect("a port"));
    assert_eq!(told[0].1.request.query, "a=1".into());
    let body = &told[0].1.response.as_ref().expect("a response").body;
    assert_eq!(body.to_string(), "python says /one?a=1");
    assert_eq!(told[0].1.connection, watch.wait_for("/two", 2)[0].1.connection);
}

#[test]
fn openssl_programs_are_seen_and_its_file_is_left_with_its_last_user() {
    let Some(mut watch) = Watch::new(&["*/openssl"]) else { return };
    let port = free_port();
    let text = port.to_string();
    let serve = ["s_server", "-quiet", "-accept", &text, "-cert", "cert.pem", "-key", "key.pem"];
    let Some(mut server) = watch.run("openssl", &serve) else { return };
    wait_for_port(port);
    let address = format!("127.0.0.1:{port}");
    let connect = ["s_client", "-quiet", "-connect", &address];
    let Some(mut client) = watch.run("openssl", &connect) else { return };
    watch.wait_for_users("libssl.so.3", 2);
    client.tell("GET /openssl HTTP/1.1\r\nHost: localhost\r\n\r\n");
    watch.wait_for_request("/openssl");
    server.tell("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
    let told = watch.wait_for("/openssl", 2);
    check_both(&told, client.0.id(), server.0.id(), port);
    drop(client);
    watch.wait_for_users("libssl.so.3", 1);
    drop(server);
    watch.wait_for_users("libssl.so.3", 0);
}

const NODE_SERVER: &str = r#"
const options = { key: fs.readFileSync("key.pem"), cert: fs.readFileSync("cert.pem") };
https.createServer(options, (request, response) => {
  request.resume().on("end", () => response.end("node says " + "x".repeat(100000)));
}).listen(+process.argv[1], "127.0.0.1");
"#;

const NODE_CLIENT: &str = r#"
const options = { host: "127.0.0.1", port: +process.argv[1], rejectUnauthorized: false };
process.stdin.once("data", () => {
  for (const path of process.argv.slice(2)) {
    https.get({ ...options, path }, (response) => response.resume());
  }
});
setInterval(() => {}, 1000);
"#;

#[test]
fn node_is_seen_though_its_library_has_no_socket() {
    let Some(mut watch) = Watch::new(&["*/node"]) else { return };
    let port = free_port();
    let text = port.to_string();
    let Some(server) = watch.run("node", &["-e", NODE_SERVER, &text]) else { return };
    wait_for_port(port);
    let paths = ["/n1", "/n2", "/n3", "/n4"];
    let arguments = [&["-e", NODE_CLIENT, &text], &paths[..]].concat();
    let Some(mut client) = watch.run("node", &arguments) else { return };
    watch.wait_for_users("/node", 2);
    client.tell("\n");
    for path in paths {
        let told = watch.wait_for(path, 2);
        check_both(&told, client.0.id(), server.0.id(), port);
        let length = told[0].1.response.as_ref().expect("a response").body_bytes;
        assert_eq!(length, 100_010);
    }
}

const GO_PROGRAM: &str = r#"
package main

import ("crypto/tls"; "fmt"; "io"; "net/http"; "os"; "time")

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "go says ", r.URL.Path) })
	if os.Args[1] == "serve" {
		server := http.Server{Addr: "127.0.0.1:" + os.Args[2]}
		// HTTP/1 only.
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		panic(server.ListenAndServeTLS("cert.pem", "key.pem"))
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	fmt.Scanln()
	for _, path := range os.Args[3:] {
		response, err := client.Get("https://127.0.0.1:" + os.Args[2] + path)
		if err != nil { panic(err) }
		io.ReadAll(response.Body)
		response.Body.Close()
	}
	time.Sleep(time.Hour)
}
"#;

#[test]
fn a_static_go_program_without_symbols_is_seen_with_both_ends() {
    let Some(mut watch) = Watch::new(&["*/go-tls"]) else { return };
    file(&watch, "main.go", GO_PROGRAM);
    let build = ["build", "-ldflags", "-s -w", "-o", "go-tls", "main.go"];
    let mut compiler = Command::new("go");
    compiler.args(build).env("CGO_ENABLED", "0").current_dir(watch.path());
    let Ok(built) = compiler.output() else {
        eprintln!("skipped: there is no `go`: run `scripts/setup test`");
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let program = watch.path().join("go-tls").display().to_string();
    let port = free_port();
    let text = port.to_string();
    let Some(server) = watch.run(&program, &["serve", &text]) else { return };
    wait_for_port(port);
    let paths = ["/g1", "/g2", "/g3"];
    let arguments = [&["ask", &text], &paths[..]].concat();
    let Some(mut client) = watch.run(&program, &arguments) else { return };
    watch.wait_for_users("/go-tls", 2);
    client.tell("\n");
    for path in paths {
        let told = watch.wait_for(path, 2);
        check_both(&told, client.0.id(), server.0.id(), port);
        let body = &told[0].1.response.as_ref().expect("a response").body;
        assert_eq!(body.to_string(), format!("go says {path}"));
    }
}

#[test]
fn a_gnutls_server_is_seen_beside_an_openssl_client() {
    let Some(mut watch) = Watch::new(&["*/gnutls-serv", "*/openssl"]) else { return };
    let port = free_port();
    let text = port.to_string();
    let serve = ["--http", "-p", &text, "--x509certfile", "cert.pem", "--x509keyfile", "key.pem"];
    let Some(server) = watch.run("gnutls-serv", &serve) else { return };
    wait_for_port(port);
    let address = format!("127.0.0.1:{port}");
    let connect = ["s_client", "-quiet", "-connect", &address];
    let Some(mut client) = watch.run("openssl", &connect) else { return };
    watch.wait_for_users("libgnutls.so", 1);
    watch.wait_for_users("libssl.so.3", 1);
    client.tell("GET /gnutls HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let told = watch.wait_for("/gnutls", 2);
    let server = told.iter().find(|(actor, _)| actor.process.pid == server.0.id());
    let (_, served) = server.expect("the server is seen");
    assert!(served.is_inbound && served.endpoints.local.is_some(), "{served:?}");
}

const NGINX: &str = "
daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;
  scgi_temp_path t5;
  server {
    listen 127.0.0.1:PORT ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { return 200 'nginx says $uri'; }
  }
}
";

#[test]
fn workers_of_nginx_that_were_made_before_and_after_are_seen() {
    let Some(mut watch) = Watch::new(&["*/nginx", "*/python3*"]) else { return };
    let port = free_port();
    let folder = watch.path().display().to_string();
    file(&watch, "nginx.conf", &NGINX.replace("PORT", &port.to_string()));
    let Some(_server) = watch.run("nginx", &["-p", &folder, "-c", "nginx.conf"]) else { return };
    wait_for_port(port);
    let client = file(&watch, "client.py", PYTHON_CLIENT).display().to_string();
    let text = port.to_string();
    let paths = ["/x1", "/x2", "/x3"];
    let arguments = [&[client.as_str(), &text], &paths[..]].concat();
    let started = (0..4).filter_map(|_| watch.run("python3", &arguments));
    let mut clients: Vec<_> = started.collect();
    // The first process of nginx and its two workers.
    watch.wait_for_users("libssl.so.3", 3 + clients.len());
    clients.iter_mut().for_each(|client| client.tell("\n"));
    for path in paths {
        let told = watch.wait_for(path, 2 * clients.len());
        for client in &clients {
            let of_client = |(actor, _): &&(Actor, HttpEvent)| actor.process.pid == client.0.id();
            let (_, asked) = told.iter().find(of_client).expect("the client is seen");
            let local = asked.endpoints.local;
            let served = told.iter().filter(|(_, event)| event.is_inbound);
            let matched = served.filter(|(_, event)| event.endpoints.remote == local).count();
            assert_eq!(matched, 1, "{told:?}");
        }
    }
}

#[test]
fn a_library_without_names_of_functions_is_told() {
    let Some(mut watch) = Watch::new(&["*/silent"]) else { return };
    let sleep = std::fs::read("/bin/sleep").expect("a program");
    let program = watch.path().join("silent");
    std::fs::write(&program, [&sleep[..], b"/rustls-0.23.31/src/conn.rs"].concat())
        .expect("writes");
    let mut rights = std::fs::metadata(&program).expect("it is there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    std::fs::set_permissions(&program, rights).expect("may run");
    let program = program.display().to_string();
    let Some(_running) = watch.run(&program, &["100"]) else { return };
    let until = Instant::now() + PATIENCE;
    loop {
        let status = watch.sensor.tls().expect("it runs");
        if status.blind_spots.iter().any(|spot| spot.contains("silent") && spot.contains("rustls"))
        {
            return;
        }
        assert!(Instant::now() < until, "{status:?}");
        watch.poll();
    }
}
