//! The live stream: what is published reaches every open page as server-sent events.
//!
//! Each page has [`BACKLOG_MAX`] updates of room. One that reads too slowly loses the oldest and
//! is told so by a `lagged` event with their number, upon which it asks the store anew: so a slow
//! page costs no memory and misses nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::sse::Event as Message;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::metrics::Metrics;
use crate::update::{Status, Update};

/// Updates that wait for one page.
pub(crate) const BACKLOG_MAX: usize = 1024;
/// Pages that are served at once; a further one is refused and asks again.
pub(crate) const PAGES_MAX: usize = 64;

/// One update as it goes over the wire; made once for all pages.
#[derive(Clone, Debug)]
struct Line {
    name: &'static str,
    json: Arc<str>,
}

impl Line {
    fn of(name: &'static str, body: &impl Serialize) -> Option<Self> {
        serde_json::to_string(body).ok().map(|json| Self { name, json: json.into() })
    }

    fn message(&self) -> Message {
        Message::default().event(self.name).data(&*self.json)
    }
}

/// Takes updates from the owner's threads and hands them to the pages.
#[derive(Debug)]
pub(crate) struct Hub {
    lines: broadcast::Sender<Line>,
    status: Mutex<Status>,
    metrics: Mutex<Metrics>,
    pages: Arc<Semaphore>,
}

impl Hub {
    pub(crate) fn with_status(status: Status) -> Self {
        let (lines, _) = broadcast::channel(BACKLOG_MAX);
        let pages = Arc::new(Semaphore::new(PAGES_MAX));
        Self { lines, status: Mutex::new(status), metrics: Mutex::default(), pages }
    }

    /// Never waits. Without a page the update is only remembered where it is the status.
    pub(crate) fn publish(&self, update: Update) {
        let line = match &update {
            Update::Story(story) => Line::of("story", story),
            Update::Finding(finding) => Line::of("finding", finding),
            Update::Status(status) => Line::of("status", status),
        };
        if let Update::Status(status) = update {
            *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        }
        if let Some(line) = line {
            // An error says that no page listens.
            self.lines.send(line).ok();
        }
    }

    pub(crate) fn publish_metrics(&self, metrics: Metrics) {
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
    }

    /// The figures in Prometheus's text form.
    pub(crate) fn exposition(&self) -> String {
        let version = self.status().version;
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).exposition(&version)
    }

    pub(crate) fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The stream of one page, which begins with the status; `None` above [`PAGES_MAX`].
    pub(crate) fn stream(
        &self,
    ) -> Option<impl Stream<Item = Result<Message, Infallible>> + Send + use<>> {
        let page = Arc::clone(&self.pages).try_acquire_owned().ok()?;
        let lines = BroadcastStream::new(self.lines.subscribe());
        let first = Line::of("status", &self.status()).map(|line| line.message());
        Some(stream::iter(first).chain(lines.map(move |line| told(&page, line))).map(Ok))
    }
}

/// The message for what came out of the channel. Holds the page's place while the stream lives.
fn told(_page: &OwnedSemaphorePermit, line: Result<Line, BroadcastStreamRecvError>) -> Message {
    match line {
        Ok(line) => line.message(),
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            Message::default().event("lagged").data(missed.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_pages_max_are_served_at_once_and_a_place_comes_free() {
        let hub = Hub::with_status(Status::default());
        let mut pages: Vec<_> = (0..PAGES_MAX).map(|_| hub.stream()).collect();
        assert!(pages.iter().all(Option::is_some));
        assert!(hub.stream().is_none());
        pages.pop();
        assert!(hub.stream().is_some());
    }

    #[tokio::test]
    async fn a_page_above_backlog_max_is_told_how_much_it_missed() {
        let hub = Hub::with_status(Status::default());
        let stream = hub.stream().expect("a place");
        for _ in 0..BACKLOG_MAX + 3 {
            hub.publish(Update::Status(Status::default()));
        }
        let messages: Vec<_> = stream.take(2).map(|message| format!("{message:?}")).collect().await;
        assert!(messages[0].contains("event: status"), "{messages:?}");
        assert!(messages[1].contains("lagged") && messages[1].contains("data: 3"), "{messages:?}");
    }

    #[test]
    fn the_last_status_is_remembered_without_a_page() {
        let hub = Hub::with_status(Status::default());
        hub.publish(Update::Status(Status { events_total: 7, ..Status::default() }));
        assert_eq!(hub.status().events_total, 7);
    }
}
