//! Follows one runtime: connects, tells what runs, then what becomes of it; again after a failure.
//!
//! Nothing is missed between the list and the events: events are asked for from before the list
//! on, and what is told twice does no harm. While one container is asked about, others are heard:
//! at most [`INSPECTIONS_MAX`] questions are open at once, and no event is read before the
//! containers of earlier ones are being asked about.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bollard::models::EventMessage;
use clew_event::container::{AccountEvent, ContainerEvent, Lifecycle};
use clew_event::{ContainerId, EventKind, EventType, Text, TimestampNs};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, future};
use tokio::sync::watch::Receiver;

use super::accounts::{self, Accounts};
use super::outbox::{Outbox, now};
use super::{Api, Failure, RuntimeStatus, Settings, Shared, Socket, api, facts};

/// Questions about containers that are open at once, at each runtime.
pub(super) const INSPECTIONS_MAX: usize = 8;
/// Images whose digest is remembered.
const IMAGES_MAX: usize = 1024;
/// How soon a runtime that failed is asked again; doubled each time it fails.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// How late it is asked again at most.
const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// Longest that account files are read.
const ACCOUNTS_SPAN: Duration = Duration::from_secs(1);

/// Follows every runtime until `stopped` is closed.
pub(crate) async fn all(
    settings: &Settings,
    shared: &Shared,
    outbox: &Outbox,
    mut stopped: Receiver<()>,
) {
    let work = async {
        tell_accounts(outbox, now(), read(accounts::of_host).await).await;
        let followers = settings.sockets.iter().enumerate().map(|(position, socket)| {
            let follower = Follower {
                socket,
                answer_span: settings.answer_span,
                outbox,
                present: BTreeSet::new(),
                digests: RefCell::default(),
            };
            follower.follow(move |status| shared.report(position, status))
        });
        future::join_all(followers).await;
    };
    tokio::select! {
        () = work => {}
        // Nothing is ever sent: the channel closes when the watcher is dropped.
        _ = stopped.changed() => {}
    }
}

/// Connects to a runtime and tells how it does.
pub(crate) async fn greet(
    socket: &Socket,
    answer_span: Duration,
) -> Result<(Api, RuntimeStatus), Failure> {
    let api = Api::connect(socket.path.clone(), answer_span).await?;
    let running_count = api.running().await?.len();
    let status = RuntimeStatus {
        name: socket.runtime.clone(),
        is_available: true,
        reason: format!("{}; running containers: {running_count}", api.version),
        fix: String::new(),
    };
    Ok((api, status))
}

/// One runtime and what is known of it.
struct Follower<'a> {
    socket: &'a Socket,
    answer_span: Duration,
    outbox: &'a Outbox,
    /// What is there by the last word of the runtime, so no more than it has.
    present: BTreeSet<ContainerId>,
    digests: RefCell<Digests>,
}

/// Digests by image id, at most [`IMAGES_MAX`].
type Digests = BTreeMap<String, Text>;

/// A container about which the runtime is asked.
struct Question {
    id: ContainerId,
    lifecycle: Lifecycle,
    time: TimestampNs,
}

/// What was learned of it.
struct Learned {
    question: Question,
    facts: ContainerEvent,
    accounts: Accounts,
}

/// What a message of the runtime says.
enum News {
    Began(Question),
    Ended(ContainerId, TimestampNs),
}

impl Follower<'_> {
    /// Never ends by itself.
    async fn follow(mut self, report: impl Fn(RuntimeStatus)) {
        let mut wait = BACKOFF_FIRST;
        loop {
            let failure = match greet(self.socket, self.answer_span).await {
                Ok((api, status)) => {
                    report(status);
                    wait = BACKOFF_FIRST;
                    self.listen(&api).await
                }
                Err(failure) => failure,
            };
            report(RuntimeStatus::failed(self.socket, &failure));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(BACKOFF_LAST);
        }
    }

    /// Tells what runs and what becomes of it, until the runtime fails.
    async fn listen(&mut self, api: &Api) -> Failure {
        let began = now();
        let mut events = api.events(began.unix_ns() / 1_000_000_000);
        let listed: BTreeSet<_> = match api.running().await {
            Ok(listed) => listed.into_iter().collect(),
            Err(failure) => return failure,
        };
        let gone: Vec<_> = self.present.difference(&listed).cloned().collect();
        for id in gone {
            self.end(id, began).await;
        }
        let known = |id: &ContainerId| Question {
            id: id.clone(),
            lifecycle: Lifecycle::Known,
            time: began,
        };
        let mut waiting: VecDeque<_> = listed.iter().map(known).collect();
        self.present = listed;
        let (runtime, digests) = (self.socket.runtime.as_str(), RefCell::default());
        digests.swap(&self.digests);
        let mut open = FuturesUnordered::new();
        let failure = loop {
            while open.len() < INSPECTIONS_MAX
                && let Some(question) = waiting.pop_front()
            {
                open.push(learn(api, runtime, &digests, question));
            }
            tokio::select! {
                Some(learned) = open.next() => match learned {
                    Some(learned) => self.tell(learned).await,
                    None => self.outbox.count_not_inspected(),
                },
                message = events.next(), if waiting.is_empty() => match message {
                    Some(Ok(message)) => match news(&message) {
                        Some(News::Began(question)) => {
                            self.present.insert(question.id.clone());
                            waiting.push_back(question);
                        }
                        Some(News::Ended(id, time)) => self.end(id, time).await,
                        None => {}
                    },
                    Some(Err(failure)) => break failure,
                    None => break api.ended(),
                },
            }
        };
        drop(open);
        digests.swap(&self.digests);
        failure
    }

    async fn tell(&self, learned: Learned) {
        let Learned { question, mut facts, accounts } = learned;
        // It may have ended while it was asked about; its facts are needed all the same.
        let is_present = self.present.contains(&question.id);
        facts.lifecycle = if is_present { question.lifecycle } else { Lifecycle::Stopped };
        // Rules know a container's start by this kind, and mean no other news of it.
        let event_type = match facts.lifecycle {
            Lifecycle::Started => EventType::Container,
            Lifecycle::Known | Lifecycle::Stopped => EventType::Other,
        };
        self.outbox.send(question.time, event_type, EventKind::Container(Box::new(facts))).await;
        tell_accounts(self.outbox, question.time, accounts).await;
    }

    async fn end(&mut self, id: ContainerId, time: TimestampNs) {
        if !self.present.remove(&id) {
            return;
        }
        let ended = ContainerEvent {
            lifecycle: Lifecycle::Stopped,
            id: Some(id),
            runtime: self.socket.runtime.as_str().into(),
            ..ContainerEvent::default()
        };
        self.outbox.send(time, EventType::Other, EventKind::Container(Box::new(ended))).await;
    }
}

/// Asks about one container; `None` where the runtime does not answer.
async fn learn(
    api: &Api,
    runtime: &str,
    digests: &RefCell<Digests>,
    question: Question,
) -> Option<Learned> {
    let answer = api.inspect(&question.id).await.ok()?;
    let mut facts = facts::of_answer(runtime, question.id.clone(), answer);
    facts.image_digest = digest(api, digests, &facts.image_id.to_str_lossy()).await;
    let (pid, id) = (facts.pid, question.id.clone());
    let accounts = match pid {
        0 => Accounts::default(),
        pid => read(move || accounts::of_container(pid, &id)).await,
    };
    Some(Learned { question, facts, accounts })
}

/// The digest of an image, asked for once.
async fn digest(api: &Api, digests: &RefCell<Digests>, image_id: &str) -> Text {
    if let Some(known) = digests.borrow().get(image_id) {
        return known.clone();
    }
    let Ok(digest) = api.digest(image_id).await else { return Text::default() };
    remember(&mut digests.borrow_mut(), image_id, digest.clone());
    digest
}

fn remember(digests: &mut Digests, image_id: &str, digest: Text) {
    if IMAGES_MAX <= digests.len() {
        digests.clear();
    }
    digests.insert(image_id.to_owned(), digest);
}

fn news(message: &EventMessage) -> Option<News> {
    let id = api::id(message.actor.as_ref()?.id.as_deref()?)?;
    let time_ns = message.time_nano.and_then(|time| u64::try_from(time).ok());
    let time = time_ns.map_or_else(now, TimestampNs::from_unix_ns);
    match message.action.as_deref()? {
        "start" => Some(News::Began(Question { id, lifecycle: Lifecycle::Started, time })),
        // Told before its first process runs, so that its first events have its name already.
        "create" | "rename" => {
            Some(News::Began(Question { id, lifecycle: Lifecycle::Known, time }))
        }
        "die" | "died" | "destroy" | "remove" => Some(News::Ended(id, time)),
        _ => None,
    }
}

async fn tell_accounts(outbox: &Outbox, time: TimestampNs, accounts: Accounts) {
    outbox.count_accounts_dropped(accounts.dropped);
    for account in accounts.told {
        let account: AccountEvent = account;
        outbox.send(time, EventType::Other, EventKind::Account(account)).await;
    }
}

/// Reads files where it may block; gives up after [`ACCOUNTS_SPAN`].
async fn read(files: impl FnOnce() -> Accounts + Send + 'static) -> Accounts {
    let mut reading = tokio::task::spawn_blocking(files);
    match tokio::time::timeout(ACCOUNTS_SPAN, &mut reading).await {
        Ok(read) => read.unwrap_or_default(),
        Err(_) => {
            reading.abort();
            Accounts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    fn message(action: &str, id: &str) -> EventMessage {
        EventMessage {
            action: Some(action.to_owned()),
            actor: Some(EventActor { id: Some(id.to_owned()), attributes: None }),
            time_nano: Some(7),
            ..EventMessage::default()
        }
    }

    #[test]
    fn news_are_creations_starts_renames_and_ends() {
        let id = "0".repeat(64);
        let told = |action: &str| match news(&message(action, &id)) {
            Some(News::Began(question)) => format!("{:?}", question.lifecycle),
            Some(News::Ended(_, time)) => format!("ended at {}", time.unix_ns()),
            None => "nothing".to_owned(),
        };
        assert_eq!(told("start"), "Started");
        assert_eq!(told("create"), "Known");
        assert_eq!(told("rename"), "Known");
        for action in ["die", "died", "destroy", "remove"] {
            assert_eq!(told(action), "ended at 7");
        }
        assert_eq!(told("exec_create: sh"), "nothing");
        assert!(news(&message("start", "../../etc")).is_none());
    }

    #[test]
    fn no_more_than_images_max_digests_are_remembered() {
        let mut digests = Digests::new();
        for image in 0..=IMAGES_MAX {
            remember(&mut digests, &image.to_string(), Text::default());
        }
        assert!(digests.len() <= IMAGES_MAX);
    }
}
