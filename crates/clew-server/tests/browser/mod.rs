//! A real browser that a test looks through, by Chromium's DevTools protocol.
//!
//! Only what the tests need: one page, `Runtime.evaluate`, and key presses, over a WebSocket that
//! is spoken by hand.
#![allow(dead_code, reason = "each test takes a part of it")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may panic and speak, in its helpers too"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::DEADLINE;

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    profile: tempfile::TempDir,
    page: Option<TcpStream>,
    calls: u64,
}

impl Browser {
    /// Opens `address`; `None`, said loudly, where there is no browser.
    pub(crate) fn open(address: &str) -> Option<Self> {
        let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
        let Some(program) = places.iter().map(PathBuf::from).find(|place| place.exists()) else {
            eprintln!("SKIPPED: the page in a browser: no Chromium at any of {places:?}");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-sync", "--disable-background-networking"])
            .args(["--disable-component-update", "--remote-debugging-port=0"])
            .args(["--window-size=1400,1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(address)
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let mut browser = Self { child, profile, page: None, calls: 0 };
        browser.connect();
        browser.until("location.protocol === 'http:' && document.readyState === 'complete'");
        Some(browser)
    }

    fn connect(&mut self) {
        let active = self.profile.path().join("DevToolsActivePort");
        let port = wait_for("the browser's port", || {
            fs::read_to_string(&active).ok()?.lines().next()?.parse::<u16>().ok()
        });
        let path = wait_for("the page", || {
            let list = http(port, "GET /json/list HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
            let pages: Value = serde_json::from_str(list.get(list.find('[')?..)?).ok()?;
            let mut pages = pages.as_array()?.iter();
            let page = pages.find(|page| page["type"] == "page")?;
            let url = page["webSocketDebuggerUrl"].as_str()?;
            Some(url.get(url.find("/devtools")?..)?.to_owned())
        });
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the browser listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\
             \r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the browser listens");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        self.page = Some(stream);
    }

    /// The value of a JavaScript expression in the page; of a promise, what it gives.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let mut parameters = json!({ "expression": expression });
        parameters["returnByValue"] = true.into();
        parameters["awaitPromise"] = true.into();
        let result = self.call("Runtime.evaluate", &parameters);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until `expression` is true.
    pub(crate) fn until(&mut self, expression: &str) {
        wait_for(expression, || (self.value(expression) == true).then_some(()));
    }

    /// Presses and releases a key.
    pub(crate) fn press(&mut self, key: &str) {
        let mut pressed = match key {
            "Enter" => json!({ "key": key, "text": "\r", "windowsVirtualKeyCode": 13 }),
            "Escape" => json!({ "key": key, "windowsVirtualKeyCode": 27 }),
            letter => json!({ "key": key, "text": letter }),
        };
        pressed["type"] = "keyDown".into();
        self.call("Input.dispatchKeyEvent", &pressed);
        self.call("Input.dispatchKeyEvent", &json!({ "type": "keyUp", "key": key }));
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let text = json!({ "id": id, "method": method, "params": parameters }).to_string();
        let page = self.page.as_mut().expect("a connected page");
        page.write_all(&frame(text.as_bytes())).expect("the browser listens");
        loop {
            let answer: Value = serde_json::from_slice(&read_message(page)).expect("JSON");
            if answer["id"] == id {
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to close, it ends its own children; only then can its folder be removed.
        if let Some(page) = &mut self.page {
            let close = json!({ "id": 0, "method": "Browser.close" }).to_string();
            page.write_all(&frame(close.as_bytes())).ok();
        } else {
            self.child.kill().ok();
        }
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if deadline < Instant::now() {
                self.child.kill().ok();
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// Asks again until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not before the deadline: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The answer to a request of the browser's own server, as far as it comes in one piece.
fn http(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // It keeps the connection open: what came before the timeout is the answer.
    stream.read_to_end(&mut answer).ok();
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// A text frame as a client sends it (RFC 6455), masked with zeros.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short request");
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The next message; its frames put together.
fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = Vec::new();
    loop {
        let [head, length] = read_array(stream);
        let length = match length {
            126 => u64::from(u16::from_be_bytes(read_array(stream))),
            127 => u64::from_be_bytes(read_array(stream)),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a message fits in memory")];
        stream.read_exact(&mut payload).expect("a whole frame");
        message.extend(payload);
        if head & 0x80 != 0 {
            return message;
        }
    }
}

fn read_array<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    match stream.read_exact(&mut bytes) {
        Ok(()) => bytes,
        Err(error) => panic!("the browser does not answer: {error}"),
    }
}
