//! Requests and their effects, from context to `clew-appsec`.
//!
//! A request is judged when it was read, an exchange is learned from when it was answered, and
//! what a process does because of a request is held against that request.

use std::net::SocketAddr;

use clew_appsec::api::Apis;
use clew_appsec::attack::Attacks;
use clew_appsec::detected::Detected;
use clew_appsec::effect::{self, Effect};
use clew_context::View;
use clew_context::requests::Cause;
use clew_event::file::{FileEvent, FileOperation};
use clew_event::http::HttpEvent;
use clew_event::process::{Executed, ExecutedFlags};
use clew_event::socket::{SocketEvent, SocketOperation};
use clew_event::{Event, EventKind, Text};
use serde::{Deserialize, Serialize};

/// Whether requests and their effects are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appsec {
    /// They are.
    #[default]
    On,
    /// Requests are seen by rules alone.
    Off,
}

/// The patterns of attacks, and room for what is found.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    attacks: Attacks,
    causes: Vec<Cause>,
    found: Vec<Detected>,
    /// Requests that an effect was not compared with.
    pub(crate) passed_over: u64,
    /// For effects of one of several requests, which one.
    of: Vec<Option<Cause>>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self { attacks: Attacks::new(), ..Self::default() }
    }

    /// Fills in what an event gives by itself and as an effect of requests.
    pub(crate) fn judge(&mut self, event: &Event, view: &View<'_>, apis: &mut Apis) {
        self.found.clear();
        self.of.clear();
        match &event.kind {
            EventKind::Http(http) if http.is_inbound => {
                self.attacks.judge(http, &mut self.found);
                if http.response.is_some() {
                    apis.observe(event, http, &view.workload(), &mut self.found);
                }
            }
            EventKind::Http(http) if http.response.is_none() => self.requested(view, http),
            EventKind::Http(http) => {
                apis.observe_upstream(event, http, &view.workload(), &mut self.found);
            }
            EventKind::Query(query) if !query.is_inbound => {
                let (statement, system) = (query.statement.as_bytes(), query.system.name());
                self.effect(view, &Effect::Queried { statement, system });
            }
            EventKind::Executed(executed) => self.executed(view, executed),
            EventKind::File(file) if 0 <= file.result => self.file(view, file),
            EventKind::Socket(socket) if socket.operation == SocketOperation::Connect => {
                self.connected(view, socket);
            }
            EventKind::Dns(message) if !message.is_answer => {
                self.effect(view, &Effect::Resolved { name: message.name.as_bytes() });
            }
            _ => {}
        }
        if let ([Some(cause)], [detected]) = (self.of.as_slice(), self.found.as_slice())
            && apis.is_custom(event, &view.workload(), &cause.request, detected)
        {
            self.take().for_each(drop);
        }
    }

    /// Takes out what the last event gave, each with the request that it is proved to be of.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Detected, Option<Cause>)> {
        let of = self.of.drain(..).chain(std::iter::repeat(None));
        self.found.drain(..).zip(of)
    }

    fn executed(&mut self, view: &View<'_>, executed: &Executed) {
        if !self.has_causes(view) {
            return;
        }
        let argv = executed.argv.as_bytes();
        let argv = argv.strip_suffix(b"\0").unwrap_or(argv);
        let argv: Vec<Text> = argv.split(|&byte| byte == 0).map(Text::from).collect();
        let is_dropped = executed.flags.has(ExecutedFlags::UPPER_LAYER)
            || executed.flags.has(ExecutedFlags::MEMFD);
        let exe = executed.exe.as_bytes();
        self.judge_effect(&Effect::Executed { exe, argv: &argv, is_dropped });
    }

    fn file(&mut self, view: &View<'_>, file: &FileEvent) {
        /// `O_CREAT` and `O_TRUNC` on every machine that Clew runs on.
        const MAKES: u32 = 0o1100;
        let is_written = match file.operation {
            FileOperation::Open => file.is_open_for_writing() || file.flags & MAKES != 0,
            FileOperation::Rename
            | FileOperation::Link
            | FileOperation::Symlink
            | FileOperation::Unlink
            | FileOperation::MakeDirectory
            | FileOperation::RemoveDirectory
            | FileOperation::Truncate => true,
            FileOperation::ChangeMode
            | FileOperation::ChangeOwner
            | FileOperation::ChangeDirectory
            | FileOperation::ChangeRoot => return,
        };
        let (path, given) = (file.path.as_bytes(), file.path_given.as_bytes());
        self.effect(view, &Effect::File { path, given, is_written });
        // A rename makes its second path.
        if file.operation == FileOperation::Rename {
            let other = file.other.as_bytes();
            self.effect(view, &Effect::File { path: other, given: other, is_written });
        }
    }

    fn connected(&mut self, view: &View<'_>, socket: &SocketEvent) {
        let Some(peer) = socket.endpoints.remote else { return };
        if !self.has_causes(view) {
            return;
        }
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let names = view.names_of(peer.ip());
        self.judge_effect(&Effect::Connected { peer, names: &names });
    }

    fn requested(&mut self, view: &View<'_>, http: &HttpEvent) {
        let peer = http.endpoints.remote;
        self.effect(view, &Effect::Requested { request: &http.request, peer });
    }

    fn effect(&mut self, view: &View<'_>, effect: &Effect<'_>) {
        if self.has_causes(view) {
            self.judge_effect(effect);
        }
    }

    /// Looks up because of which requests the event may be.
    fn has_causes(&mut self, view: &View<'_>) -> bool {
        self.causes.clear();
        view.causes(&mut self.causes);
        !self.causes.is_empty()
    }

    fn judge_effect(&mut self, effect: &Effect<'_>) {
        let causes = self.causes.iter().map(|cause| effect::Cause {
            exchange: cause.exchange,
            request: cause.request.clone(),
            probability: cause.probability,
        });
        let causes: Vec<_> = causes.collect();
        self.passed_over += effect::judge(effect, &causes, &mut self.found);
        for detected in self.found.iter().skip(self.of.len()) {
            let proved = self.causes.iter().find(|cause| detected.events.contains(&cause.exchange));
            self.of.push(proved.map(|cause| proved_by(cause, detected.bits)));
        }
    }
}

/// A cause whose request holds what the effect shows: its odds are so many bits better.
fn proved_by(cause: &Cause, bits: f64) -> Cause {
    let raised = |probability: f64| {
        let weight = probability * bits.max(0.0).exp2();
        let raised = weight / (weight + 1.0 - probability);
        (raised * 1e6).round() / 1e6
    };
    let mut proved = Cause { probability: raised(cause.probability), ..cause.clone() };
    if let Some(first) = &mut proved.first
        && 0.0 < cause.probability
    {
        first.probability *= proved.probability / cause.probability;
    }
    proved
}

#[cfg(test)]
mod tests {
    use clew_event::EventId;

    use super::*;

    #[test]
    fn what_an_effect_shows_of_a_request_raises_its_odds() {
        let check = |before: f64, bits: f64, after: f64| {
            let cause = Cause {
                exchange: EventId(1),
                request: std::sync::Arc::default(),
                probability: before,
                first: None,
            };
            assert!((proved_by(&cause, bits).probability - after).abs() < 1e-3);
        };
        check(1.0, 0.0, 1.0);
        check(0.5, 0.0, 0.5);
        check(1.0 / 64.0, 12.0, 0.985);
        check(0.8, 3.0, 0.970);
    }
}
