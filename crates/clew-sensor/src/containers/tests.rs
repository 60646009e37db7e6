//! The watcher against a runtime that is played: one that answers, one that hangs, none at all.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Barrier, Condvar};
use std::time::Instant;

use clew_event::EventKind;
use clew_event::container::{ContainerEvent, Lifecycle};

use super::follow::INSPECTIONS_MAX;
use super::*;

/// Longest that a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

fn settings(path: &Path, answer_span: Duration) -> Settings {
    let socket = Socket { runtime: "docker".to_owned(), path: path.to_owned() };
    Settings { sockets: vec![socket], answer_span }
}

fn id(number: usize) -> String {
    format!("{number:064x}")
}

/// A runtime in a folder of its own.
struct Fake {
    _folder: tempfile::TempDir,
    settings: Settings,
    state: Arc<State>,
}

/// What the played runtime says, and how it was asked.
#[derive(Default)]
struct State {
    running: Vec<String>,
    /// Lines of the stream of events; the stream ends when it is closed.
    news: Mutex<Option<Receiver<String>>>,
    /// How many questions about containers must be open before the first is answered.
    patience: usize,
    open: Mutex<usize>,
    opened: Condvar,
    open_most: AtomicUsize,
}

impl Fake {
    fn start(state: State) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fake.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.answer(stream));
            }
        });
        Self { settings: settings(&path, DEADLINE), _folder: folder, state }
    }
}

impl State {
    fn answer(&self, stream: UnixStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path.contains("/events") {
            self.tell_news(stream)
        } else if path.ends_with("/version") {
            reply(stream, r#"{"Version":"1.2","ApiVersion":"1.41"}"#)
        } else if path.contains("/containers/json") {
            let listed: Vec<_> =
                self.running.iter().map(|id| format!(r#"{{"Id":"{id}"}}"#)).collect();
            reply(stream, &format!("[{}]", listed.join(",")))
        } else if path.contains("/containers/") {
            self.wait_for_others();
            reply(stream, r#"{"Name":"/web","Config":{"Image":"shop:1"}}"#)
        } else {
            reply(stream, "{}")
        }
    }

    fn wait_for_others(&self) {
        let mut open = self.open.lock().expect("unpoisoned");
        *open += 1;
        self.open_most.fetch_max(*open, Ordering::Relaxed);
        self.opened.notify_all();
        let full = |open: &mut usize| {
            *open < self.patience && self.open_most.load(Ordering::Relaxed) < self.patience
        };
        let (mut open, _) =
            self.opened.wait_timeout_while(open, DEADLINE, full).expect("unpoisoned");
        *open -= 1;
    }

    fn tell_news(&self, mut stream: UnixStream) -> std::io::Result<()> {
        let news = self.news.lock().expect("unpoisoned").take();
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for line in news.iter().flatten() {
            write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
        }
        write!(stream, "0\r\n\r\n")
    }
}

fn reply(mut stream: UnixStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn wait_for(condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "it did not come");
        std::thread::yield_now();
    }
}

/// The next event about a container.
fn container(events: &Receiver<Event>) -> ContainerEvent {
    loop {
        let event = events.recv_timeout(DEADLINE).expect("an event");
        if let EventKind::Container(container) = event.kind {
            return *container;
        }
    }
}

#[test]
fn a_runtime_is_followed_from_its_list_to_its_news() {
    let (tell, news) = sync_channel(8);
    let running = vec![id(1)];
    let fake = Fake::start(State { running, news: Mutex::new(Some(news)), ..State::default() });
    let (sender, events) = sync_channel(4096);
    let watcher = watch(fake.settings.clone(), sender);
    let known = container(&events);
    assert_eq!((known.lifecycle, known.name), (Lifecycle::Known, "web".into()));
    let message = |action: &str, number: usize| {
        format!(r#"{{"Action":"{action}","Actor":{{"ID":"{}"}},"timeNano":7}}"#, id(number)) + "\n"
    };
    tell.send(message("start", 2)).expect("told");
    let started = container(&events);
    assert_eq!((started.lifecycle, started.image), (Lifecycle::Started, "shop:1".into()));
    for action in ["die", "destroy"] {
        tell.send(message(action, 2)).expect("told");
    }
    tell.send(message("die", 1)).expect("told");
    let ended = [container(&events), container(&events)];
    let ended = ended.map(|ended| (ended.lifecycle, ended.id.map(|id| id.0.to_string())));
    assert_eq!(ended, [(Lifecycle::Stopped, Some(id(2))), (Lifecycle::Stopped, Some(id(1)))]);
    assert_eq!(watcher.statuses()[0].reason, "version 1.2, API 1.41; running containers: 1");
    drop(tell);
    wait_for(|| !watcher.statuses()[0].is_available);
    watcher.stop();
    assert!(events.try_iter().all(|event| !matches!(event.kind, EventKind::Container(_))));
}

#[test]
fn at_most_inspections_max_questions_are_open_at_once() {
    let running = (0..4 * INSPECTIONS_MAX).map(id).collect();
    let fake = Fake::start(State { running, patience: INSPECTIONS_MAX, ..State::default() });
    let (sender, events) = sync_channel(4096);
    let watcher = watch(fake.settings.clone(), sender);
    for _ in 0..4 * INSPECTIONS_MAX {
        container(&events);
    }
    watcher.stop();
    assert_eq!(fake.state.open_most.load(Ordering::Relaxed), INSPECTIONS_MAX);
}

#[test]
fn a_runtime_that_hangs_is_reported_and_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hanging.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let settings = settings(&path, Duration::from_millis(50));
    let expected = format!("`{}` did not answer within 0.05 s", path.display());
    assert_eq!(probe_sockets(&settings)[0].reason, expected);
    let (sender, _events) = sync_channel(4096);
    let watcher = watch(settings, sender);
    wait_for(|| watcher.statuses()[0].reason == expected);
    watcher.stop();
    drop(listener);
}

#[test]
fn a_runtime_that_is_absent_is_reported_with_what_it_costs() {
    let settings = settings(Path::new("/nowhere/docker.sock"), DEADLINE);
    let status = probe_sockets(&settings).remove(0);
    assert_eq!(status.reason, "`/nowhere/docker.sock` is absent");
    assert!(status.fix.contains("without name and image"), "{}", status.fix);
    assert!(!status.is_available);
}

#[test]
fn a_runtime_that_speaks_another_language_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("odd.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            drop(stream.write_all(b"220 mail.example ESMTP\r\n"));
        }
    });
    let status = probe_sockets(&settings(&path, DEADLINE)).remove(0);
    assert!(status.reason.contains("cannot be asked"), "{}", status.reason);
}

#[test]
fn the_accounts_of_the_host_come_first() {
    let (sender, events) = sync_channel(4096);
    let watcher = watch(settings(Path::new("/nowhere"), DEADLINE), sender);
    let first = events.recv_timeout(DEADLINE).expect("an event");
    watcher.stop();
    let EventKind::Account(account) = first.kind else { panic!("{first:?}") };
    assert_eq!((account.container, account.name), (None, "root".into()));
}

#[test]
fn no_more_than_file_threads_max_files_are_read_at_once() {
    let runtime = runtime().expect("a runtime");
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let barrier = Arc::new(Barrier::new(FILE_THREADS_MAX));
    let reads: Vec<_> = (0..2 * FILE_THREADS_MAX)
        .map(|_| {
            let (now, most, barrier) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&barrier));
            runtime.spawn_blocking(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                barrier.wait();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    runtime.block_on(futures_util::future::join_all(reads));
    assert_eq!(most.load(Ordering::SeqCst), FILE_THREADS_MAX);
}
