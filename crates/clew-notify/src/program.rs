//! A program that gets lines on its standard input.
//!
//! The command is run by `/bin/sh -c`, as Falco does. Nothing of an alert is ever part of the
//! command: it arrives on standard input alone. Its standard output is thrown away, because ours
//! may be the machine interface; what it says on standard error is seen beside ours.
//!
//! It has a process group of its own, so that whatever it started ends with it when its time is
//! over.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::channel::{Channel, Delivered, Failure};
use crate::form::Note;
use crate::spec::Lifetime;

/// Runs a program.
#[derive(Debug)]
pub(crate) struct Program {
    command: String,
    lifetime: Lifetime,
    timeout: Duration,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// `None` once it was closed.
    input: Option<ChildStdin>,
}

impl Program {
    /// Starts it with the first line.
    pub(crate) fn new(command: &str, lifetime: Lifetime, timeout: Duration) -> Self {
        Self { command: command.to_owned(), lifetime, timeout, running: None }
    }

    /// One run for one line. What it did cannot be undone, so a line that failed is not repeated.
    fn run_once(&self, line: &[u8]) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut running = Running::start(&self.command)
            .map_err(|error| Failure::passing("cannot start the program", &error))?;
        // Some programs do not read all of it, and still end well.
        let written = running.write(line, deadline);
        match (running.end(deadline), written) {
            (Ok(Some(status)), _) if status.success() => Ok(()),
            (Ok(Some(status)), _) => {
                Err(Failure::Lasting(format!("the program ended with {status}")))
            }
            (Ok(None), _) => {
                Err(Failure::Lasting("the program was ended: its time was over".into()))
            }
            (Err(error), _) => Err(Failure::passing("cannot wait for the program", &error)),
        }
    }

    /// Hands a line to the program that is kept; one that has ended is started by the next
    /// attempt, which comes after a wait.
    fn hand(&mut self, line: &[u8]) -> Result<(), Failure> {
        if let Some(running) = &mut self.running
            && let Ok(Some(status)) = running.child.try_wait()
        {
            self.running = None;
            return Err(Failure::Passing(format!("the program ended with {status}")));
        }
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let started = Running::start(&self.command)
                    .map_err(|error| Failure::passing("cannot start the program", &error))?;
                self.running.insert(started)
            }
        };
        let written = running.write(line, Instant::now() + self.timeout);
        if written.is_err() {
            // Half a line may be in the pipe: the next one goes to a new program.
            self.running = None;
        }
        written.map_err(|error| Failure::passing("the program does not read", &error))
    }
}

impl Channel for Program {
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure> {
        let line = format!("{}\n", note.line);
        match self.lifetime {
            Lifetime::OneLine => self.run_once(line.as_bytes())?,
            Lifetime::Kept => self.hand(line.as_bytes())?,
        }
        Ok(Delivered::Whole)
    }

    /// A program that is kept may have opened files that were moved away: it is started anew.
    fn reopen(&mut self) {
        if let Some(running) = self.running.take() {
            let deadline = Instant::now() + self.timeout;
            // How it ended concerns nobody: all its lines are with it.
            running.end(deadline).ok();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.reopen();
    }
}

impl Running {
    fn start(command: &str) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()?;
        let input = child.stdin.take();
        if let Some(input) = &input {
            rustix::io::ioctl_fionbio(input, true)?;
        }
        Ok(Self { child, input })
    }

    /// Writes all of `bytes` until `deadline`.
    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let Some(input) = &mut self.input else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut rest = bytes;
        while !rest.is_empty() {
            match input.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !wait(PollFd::new(input, PollFlags::OUT), deadline)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes its input and waits for its end until `deadline`; `None` where it had to be killed.
    fn end(mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        self.input = None;
        let pid = Pid::from_child(&self.child);
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        let has_ended = wait(PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN), deadline)?;
        if !has_ended {
            return Ok(None);
        }
        self.child.wait().map(Some)
    }
}

impl Drop for Running {
    /// Ends the program and all it started; what has ended before is not there to be killed.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // The group cannot be another one's: its leader is not yet waited for.
            kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
            self.child.wait().ok();
        }
    }
}

/// Waits until `watched` is ready; false at `deadline`.
fn wait(watched: PollFd<'_>, deadline: Instant) -> io::Result<bool> {
    let mut watched = [watched];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
