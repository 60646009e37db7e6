//! New objects, as a queue of SQS tells of them.
//!
//! A message is deleted once every event of its objects is committed. One that cannot be read stays
//! in the queue, which gives it again after its visibility timeout; after so many times it is
//! parked: kept in the ledger, shown, and deleted.

use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use clew_decode::api_log::Decoded;
use tokio::task::JoinSet;

use super::client::{self, Object, Objects, Taken};
use super::notification::{self, Notice};
use crate::intake::now;
use crate::ledger::{Change, Parked};
use crate::queue::Feed;
use crate::spec::QueueSpec;

/// Messages that are under way at once.
const MESSAGES_AT_ONCE: usize = 32;
/// How long the queue may let a question wait for messages.
const WAIT_SECONDS: i32 = 20;
/// What is waited after a failure.
const FAILURE_SPAN: Duration = Duration::from_secs(5);

/// Everything one message needs.
#[derive(Clone, Debug)]
struct Reader {
    objects: Objects,
    sqs: aws_sdk_sqs::Client,
    spec: QueueSpec,
    feed: Feed,
}

/// Reads until the intake stops.
pub(crate) fn run(spec: QueueSpec, feed: &Feed) {
    feed.wait(async {
        let config = client::config(&spec.aws).await;
        let (objects, sqs) = (Objects::of(&config), aws_sdk_sqs::Client::new(&config));
        Reader { objects, sqs, spec, feed: feed.clone() }.run().await;
    });
}

impl Reader {
    async fn run(self) {
        let mut tasks = JoinSet::new();
        loop {
            while MESSAGES_AT_ONCE <= tasks.len() + 10 {
                tasks.join_next().await;
            }
            let received = self
                .sqs
                .receive_message()
                .queue_url(&self.spec.url)
                .max_number_of_messages(10)
                .wait_time_seconds(WAIT_SECONDS)
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .send()
                .await;
            match received {
                Ok(answer) => {
                    for message in answer.messages.unwrap_or_default() {
                        let reader = self.clone();
                        tasks.spawn(async move { reader.take(message).await });
                    }
                }
                Err(error) => {
                    self.feed.shared.fail(client::chain(&error));
                    tokio::time::sleep(FAILURE_SPAN).await;
                }
            }
            while tasks.try_join_next().is_some() {}
        }
    }

    async fn take(&self, message: Message) {
        let body = message.body().unwrap_or_default();
        let is_kept = match notification::read(body) {
            None => self.refuse(&message, "it is no notification of S3".into()).await,
            Some(Notice::Test) => true,
            Some(Notice::Objects(objects)) => match self.read(&objects).await {
                Ok(last) => last.is_none_or(|is_kept| is_kept),
                Err(reason) => self.refuse(&message, reason).await,
            },
        };
        if let (true, Some(handle)) = (is_kept, message.receipt_handle()) {
            let delete = self.sqs.delete_message().queue_url(&self.spec.url);
            if let Err(error) = delete.receipt_handle(handle).send().await {
                self.feed.shared.fail(client::chain(&error));
            }
        }
    }

    /// Hands over all objects; whether they are committed, or `None` where none has records.
    async fn read(&self, objects: &[Object]) -> Result<Option<bool>, String> {
        let mut last = None;
        for object in objects {
            let Taken { decoded, changes, room: _room } =
                self.objects.take(object, &self.feed).await?;
            last = Some(self.feed.send(decoded, changes).await);
        }
        // Commits keep their order, so the last receipt speaks for all.
        Ok(match last {
            Some(receipt) => Some(receipt.await.is_ok()),
            None => None,
        })
    }

    /// Leaves a message in the queue, or parks it; true once it is parked.
    async fn refuse(&self, message: &Message, reason: String) -> bool {
        let attributes = message.attributes();
        let received = attributes
            .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount))
            .and_then(|count| count.parse::<u32>().ok());
        if received.is_none_or(|received| received < self.spec.receives) {
            self.feed.shared.fail(reason);
            return false;
        }
        let parked = Parked {
            time: now(),
            id: message.message_id().unwrap_or_default().to_owned(),
            reason: reason.clone(),
            body: message.body().unwrap_or_default().to_owned(),
        };
        self.feed.shared.change(|figures| figures.parked += 1);
        self.feed.shared.note(format!("parked message `{}`: {reason}", parked.id));
        let changes = vec![Change::Park(parked)];
        self.feed.hand(Decoded::default(), changes, None).await.is_ok()
    }
}
