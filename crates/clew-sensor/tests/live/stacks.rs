//! Through which libraries a call came.
//!
//! The library under test is compiled here as distributions compile theirs: without frame pointers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clew_event::socket::SocketOperation;
use clew_event::stack::StackEvent;
use clew_event::{Event, EventKind};
use clew_sensor::{Sensor, Settings};

use crate::watch::{PATIENCE, start};

/// Where the program connects to, which nothing else here does.
const PORT: u16 = 40_909;

const LIBRARY: &str = r#"
#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static char *const arguments[] = { "true", 0 };
__attribute__((noinline)) static void finish(int pid) { int status; waitpid(pid, &status, 0); }
int telling_connect(void) {
	struct sockaddr_in to = { AF_INET, htons(40909) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int result = connect(fd, (void *)&to, sizeof(to));
	close(fd);
	return result;
}
int telling_fork(const char *program) {
	int pid = fork();
	if (!pid) {
		execve(program, arguments, environ);
		_exit(1);
	}
	finish(pid);
	return pid;
}
int telling_spawn(const char *program) {
	int pid = 0;
	posix_spawn(&pid, program, 0, 0, arguments, environ);
	finish(pid);
	return pid;
}
int telling_open(const char *path) {
	int fd = open(path, O_RDONLY);
	close(fd);
	return fd;
}
/* Code that is made in memory: a frame around a call of `function`. */
int telling_made(int (*function)(void)) {
	static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
	void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64];
	memcpy(page, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	FILE *names = fopen(path, "w");
	fprintf(names, "%lx 8 Lorg/example/Made; run\n", (unsigned long)page);
	fclose(names);
	return ((int (*)(int (*)(void)))page)(function);
}
"#;

/// Stays until its input ends: what it has in memory is read when its call is told.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <string.h>
int telling_connect(void), telling_fork(const char *), telling_spawn(const char *);
int telling_open(const char *), telling_made(int (*)(void));
int main(int count, char **given) {
	int result = -1;
	if (!strcmp(given[1], "connect")) result = telling_connect();
	if (!strcmp(given[1], "fork")) result = telling_fork(given[2]);
	if (!strcmp(given[1], "spawn")) result = telling_spawn(given[2]);
	if (!strcmp(given[1], "open")) result = telling_open(given[2]);
	if (!strcmp(given[1], "made")) result = telling_made(telling_connect);
	getchar();
	return result < 0;
}
"#;

/// A program in `folder` that does something through a library of its own.
fn compiled(folder: &Path) -> PathBuf {
    let cc = |arguments: &[&str], output: &str, source: &str| {
        let path = folder.join(format!("{output}.c"));
        std::fs::write(&path, source).expect("written");
        let mut cc = Command::new("cc");
        cc.current_dir(folder).args(["-O2", "-fomit-frame-pointer", "-o", output]).arg(&path);
        assert!(cc.args(arguments).status().expect("a compiler").success());
    };
    cc(&["-shared", "-fPIC"], "libtelling.so", LIBRARY);
    cc(&["-L.", "-ltelling", "-Wl,-rpath=$ORIGIN"], "telling", PROGRAM);
    folder.join("telling")
}

/// What is told while `program` does something, up to the event that is meant.
fn told(
    sensor: &mut Sensor,
    program: &mut Command,
    is_meant: impl Fn(&Event) -> bool,
) -> (Vec<Event>, u32) {
    let mut child = program.stdin(Stdio::piped()).spawn().expect("it runs");
    let (mut events, end) = (Vec::new(), Instant::now() + PATIENCE);
    while !events.iter().any(&is_meant) && Instant::now() < end {
        sensor.poll(Duration::from_millis(100), &mut events).expect("polls");
    }
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
    (events, child.id())
}

/// The stack of the one event that is meant, which must be told before it.
fn stack_of(events: &[Event], is_meant: impl Fn(&Event) -> bool) -> StackEvent {
    let place = events.iter().position(is_meant).expect("it was told");
    let event = &events[place];
    let process = |event: &Event| event.actor.map(|actor| actor.process);
    let found = events[..place].iter().rev().find_map(|before| match (&before.kind, &event.kind) {
        (EventKind::Stack(stack), EventKind::Executed(_)) => {
            (stack.of.is_none() && process(before) == process(event)).then_some(stack)
        }
        (EventKind::Stack(stack), _) => (stack.of == Some(event.id)).then_some(stack),
        _ => None,
    });
    StackEvent::clone(found.expect("its stack was told before"))
}

/// The names of a stack's frames, which is whole and of which nothing is only likely.
fn names(stack: &StackEvent) -> Vec<String> {
    assert!(!stack.is_truncated && stack.frames.iter().all(|frame| !frame.is_likely), "{stack:?}");
    stack.frames.iter().map(|frame| String::from_utf8_lossy(frame.name()).into_owned()).collect()
}

fn is_connect(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Socket(socket)
        if socket.operation == SocketOperation::Connect
            && socket.endpoints.remote.is_some_and(|end| end.port() == PORT))
}

fn settings() -> Settings {
    Settings { is_runtime_watched: false, ..Settings::default() }
}

const THROUGH: [&str; 5] = ["libc.so.6", "libtelling.so", "telling", "libc.so.6", "telling"];

#[test]
fn a_connect_is_told_with_the_library_it_came_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = compiled(folder.path());
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    let (events, _) = told(&mut sensor, Command::new(&program).arg("connect"), is_connect);
    let stack = stack_of(&events, is_connect);
    assert_eq!(names(&stack), THROUGH);
    let library = folder.path().join("libtelling.so").canonicalize().expect("a path");
    assert_eq!(stack.frames[1].file.to_string(), library.display().to_string());
}

#[test]
fn a_program_is_told_with_the_library_that_forked_or_spawned_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = compiled(folder.path());
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    for way in ["fork", "spawn"] {
        let started = folder.path().join(format!("{way}ed"));
        std::fs::copy("/bin/true", &started).expect("a program");
        let path = started.display().to_string();
        let is_exec = |event: &Event| matches!(&event.kind, EventKind::Executed(it) if it.filename.to_string() == path);
        let (events, _) = told(&mut sensor, Command::new(&program).arg(way).arg(&started), is_exec);
        assert_eq!(names(&stack_of(&events, is_exec)), THROUGH, "{way}");
    }
}

#[test]
fn of_opens_those_of_files_with_telling_names_have_a_stack_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = compiled(folder.path());
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    for (name, is_telling) in [("shadow", true), ("harmless", false)] {
        let opened = folder.path().join(name);
        std::fs::write(&opened, "").expect("a file");
        let path = opened.display().to_string();
        let is_open = |event: &Event| matches!(&event.kind, EventKind::File(it) if it.path_given.to_string() == path);
        let (events, _) =
            told(&mut sensor, Command::new(&program).arg("open").arg(&opened), is_open);
        if is_telling {
            assert_eq!(names(&stack_of(&events, is_open)), THROUGH);
            continue;
        }
        let id = events.iter().find(|event| is_open(event)).expect("it was told").id;
        let is_of =
            |event: &Event| matches!(&event.kind, EventKind::Stack(it) if it.of == Some(id));
        assert!(!events.iter().any(is_of));
    }
}

#[test]
fn code_made_in_memory_is_told_by_the_name_its_maker_gave() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = compiled(folder.path());
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    let (events, pid) = told(&mut sensor, Command::new(&program).arg("made"), is_connect);
    std::fs::remove_file(format!("/tmp/perf-{pid}.map")).expect("the names");
    let through = ["libc.so.6", "libtelling.so", "Lorg/example/Made; run", "libtelling.so"];
    assert_eq!(names(&stack_of(&events, is_connect))[..4], through);
}
