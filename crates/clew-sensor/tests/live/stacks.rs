//! Through which libraries a call came.
//!
//! The library under test is compiled here as distributions compile theirs: without frame pointers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clew_event::file::FileOperation;
use clew_event::socket::SocketOperation;
use clew_event::stack::StackEvent;
use clew_event::{Event, EventKind};

use crate::watch::{Seen, watch};

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
	struct sockaddr_in to = { AF_INET, htons(9) };
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
	int result = ((int (*)(int (*)(void)))page)(function);
	/* Kept until it was read: the test removes it. */
	puts(path);
	fflush(stdout);
	getchar();
	return result;
}
"#;

const PROGRAM: &str = r#"
#include <string.h>
int telling_connect(void), telling_fork(const char *), telling_spawn(const char *);
int telling_open(const char *), telling_made(int (*)(void));
int main(int count, char **given) {
	if (!strcmp(given[1], "connect")) return telling_connect() < 0;
	if (!strcmp(given[1], "fork")) return telling_fork(given[2]) < 0;
	if (!strcmp(given[1], "spawn")) return telling_spawn(given[2]) < 0;
	if (!strcmp(given[1], "open")) return telling_open(given[2]) < 0;
	return telling_made(telling_connect) < 0;
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

fn run(command: &mut Command) {
    assert!(command.status().expect("it runs").success());
}

/// The stack of the one event that is meant, which must be told before it.
fn stack_of(seen: &Seen, is_meant: impl Fn(&Event) -> bool) -> StackEvent {
    let (place, event) =
        seen.events.iter().enumerate().find(|(_, event)| is_meant(event)).expect("it was told");
    let before = seen.events[..place].iter().rev();
    let is_same = |stack: &Event| {
        stack.actor.map(|actor| actor.process) == event.actor.map(|actor| actor.process)
    };
    let mut stacks = before.filter(|event| is_same(event)).filter_map(|event| match &event.kind {
        EventKind::Stack(stack) => Some(stack),
        _ => None,
    });
    let found = stacks.find(|stack| match event.kind {
        EventKind::Executed(_) => stack.of.is_none(),
        _ => stack.of == Some(event.id),
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
            && socket.endpoints.remote.is_some_and(|end| end.port() == 9))
}

fn is_exec(event: &Event, path: &Path) -> bool {
    let path = path.display().to_string();
    matches!(&event.kind, EventKind::Executed(executed) if executed.filename == path.as_str().into())
}

#[test]
fn a_connect_and_programs_are_told_with_the_library_they_came_through() {
    let Some(seen) = watch(|folder| {
        let telling = compiled(folder);
        for (way, program) in [("fork", "forked"), ("spawn", "spawned")] {
            std::fs::copy("/bin/true", folder.join(program)).expect("a program");
            run(Command::new(&telling).arg(way).arg(folder.join(program)));
        }
        run(Command::new(&telling).arg("connect"));
    }) else {
        return;
    };
    let through = ["libc.so.6", "libtelling.so", "telling", "libc.so.6", "telling"];
    assert_eq!(names(&stack_of(&seen, is_connect)), through);
    for program in ["forked", "spawned"] {
        let path = seen.folder.join(program);
        assert_eq!(names(&stack_of(&seen, |event| is_exec(event, &path))), through, "{program}");
    }
    let stack = stack_of(&seen, is_connect);
    let library = seen.folder.join("libtelling.so").display().to_string();
    assert_eq!(stack.frames[1].file, library.as_str().into());
}

#[test]
fn of_opens_those_of_files_with_telling_names_have_a_stack_and_no_others() {
    let Some(seen) = watch(|folder| {
        let telling = compiled(folder);
        for name in ["shadow", "harmless"] {
            std::fs::write(folder.join(name), "").expect("a file");
            run(Command::new(&telling).arg("open").arg(folder.join(name)));
        }
    }) else {
        return;
    };
    let open = |name: &str| {
        let path = seen.folder.join(name).display().to_string();
        move |event: &Event| {
            matches!(&event.kind, EventKind::File(file) if file.operation == FileOperation::Open
            && file.path == path.as_str().into() && event.actor.is_some_and(|actor| {
                actor.process.pid != std::process::id()
            }))
        }
    };
    let stack = stack_of(&seen, open("shadow"));
    assert_eq!(names(&stack)[..3], ["libc.so.6", "libtelling.so", "telling"]);
    let harmless = seen.events.iter().find(|event| open("harmless")(event)).expect("told");
    let is_of = |event: &Event| matches!(&event.kind, EventKind::Stack(stack) if stack.of == Some(harmless.id));
    assert!(!seen.events.iter().any(is_of));
}

#[test]
fn code_made_in_memory_is_told_by_the_name_its_maker_gave() {
    let mut child = None;
    let seen = watch(|folder| {
        let mut command = Command::new(compiled(folder));
        command.arg("made").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut made = command.spawn().expect("it runs");
        let mut path = String::new();
        let output = made.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut path).expect("told");
        child = Some((made, path.trim().to_owned()));
    });
    let Some((mut made, path)) = child else { return };
    drop(made.stdin.take());
    made.wait().expect("it ends");
    std::fs::remove_file(path).expect("the names");
    let Some(seen) = seen else { return };
    let through = ["libc.so.6", "libtelling.so", "Lorg/example/Made; run", "libtelling.so"];
    assert_eq!(names(&stack_of(&seen, is_connect))[..4], through);
}
