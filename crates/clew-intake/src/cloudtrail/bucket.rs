//! New objects, found by walking through a bucket.
//!
//! Below the prefix that was given, folders are opened until one holds years or files: that is the
//! folder of one account and region, with a cursor of its own. An object that cannot be read is
//! tried a few times, and then parked, so that the cursor never passes over it unseen.

use std::collections::BTreeMap;
use std::time::Duration;

use clew_decode::api_log::Decoded;

use super::client::{self, Object, Objects, Taken};
use super::cursor::Cursor;
use crate::intake::now;
use crate::ledger::{Change, Parked};
use crate::queue::Feed;
use crate::spec::BucketSpec;

/// Folders with cursors of one bucket: 600 accounts in 33 regions.
pub(crate) const FOLDERS_AT_ONCE: usize = 20_000;
/// How often an object is tried before it is parked.
const TRIES: u32 = 3;
/// What is waited between two of them.
const TRY_SPAN: Duration = Duration::from_secs(1);

/// Walks until the intake stops.
pub(crate) fn run(spec: BucketSpec, cursors: Vec<(String, String)>, feed: &Feed) {
    let read = |(folder, value): (String, String)| {
        Some((folder, serde_json::from_str::<Cursor>(&value).ok()?))
    };
    let cursors = cursors.into_iter().filter_map(read).collect();
    feed.wait(async {
        let objects = Objects::of(&client::config(&spec.aws).await);
        let feed = feed.clone();
        Walker { objects, spec, cursors, feed }.run().await;
    });
}

struct Walker {
    objects: Objects,
    spec: BucketSpec,
    cursors: BTreeMap<String, Cursor>,
    feed: Feed,
}

/// One page of a list.
#[derive(Default)]
struct Page {
    folders: Vec<String>,
    keys: Vec<String>,
    next: Option<String>,
}

impl Walker {
    async fn run(mut self) {
        loop {
            if let Err(reason) = self.round().await {
                self.feed.shared.fail(reason);
            }
            tokio::time::sleep(self.spec.every).await;
        }
    }

    async fn round(&mut self) -> Result<(), String> {
        for folder in self.folders().await? {
            self.walk(&folder).await?;
        }
        Ok(())
    }

    /// The folders that hold years or files.
    async fn folders(&self) -> Result<Vec<String>, String> {
        let (mut open, mut found) = (vec![self.spec.prefix.clone()], Vec::new());
        while let Some(prefix) = open.pop() {
            let (mut page, mut below) = (Page::default(), Vec::new());
            let mut has_files = false;
            loop {
                page = self.list(&prefix, true, page.next.as_deref(), None).await?;
                has_files |= !page.keys.is_empty();
                below.append(&mut page.folders);
                if page.next.is_none() || has_files {
                    break;
                }
            }
            if has_files || below.iter().any(|folder| is_year(folder)) {
                found.push(prefix);
            } else {
                let proves = self.feed.prover.is_some();
                below.retain(|folder| proves || !folder.ends_with("/CloudTrail-Digest/"));
                open.append(&mut below);
            }
            if FOLDERS_AT_ONCE < found.len() + open.len() {
                self.feed
                    .shared
                    .note(format!("more than {FOLDERS_AT_ONCE} folders: the rest waits"));
                break;
            }
        }
        found.truncate(FOLDERS_AT_ONCE);
        Ok(found)
    }

    /// Hands over what is new in one folder.
    async fn walk(&mut self, folder: &str) -> Result<(), String> {
        let from =
            self.spec.from.as_ref().map_or_else(String::new, |from| format!("{folder}{from}"));
        let mut cursor = self.cursors.get(folder).cloned().unwrap_or_else(|| Cursor::from(from));
        let (after, mut next) = (cursor.after.clone(), None);
        loop {
            let page = self.list(folder, false, next.as_deref(), Some(&after)).await?;
            for key in &page.keys {
                if !cursor.has(key) {
                    self.take(folder, key, &mut cursor).await;
                }
            }
            self.cursors.insert(folder.to_owned(), cursor.clone());
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    async fn take(&self, folder: &str, key: &str, cursor: &mut Cursor) {
        let object = Object { bucket: self.spec.bucket.clone(), key: key.to_owned() };
        let read = self.read(&object).await;
        cursor.add(key);
        let value = serde_json::to_string(cursor).unwrap_or_default();
        let mut changes = vec![Change::Move { key: folder.to_owned(), value }];
        let (decoded, _room) = match read {
            Ok(Taken { decoded, changes: more, room }) => {
                changes.extend(more);
                (decoded, room)
            }
            Err(reason) => {
                changes.push(Change::Park(self.give_up(key, reason)));
                (Decoded::default(), None)
            }
        };
        self.feed.send(decoded, changes).await;
    }

    async fn read(&self, object: &Object) -> Result<Taken, String> {
        for _ in 1..TRIES {
            match self.objects.take(object, &self.feed).await {
                Ok(taken) => return Ok(taken),
                Err(reason) => self.feed.shared.fail(reason),
            }
            tokio::time::sleep(TRY_SPAN).await;
        }
        self.objects.take(object, &self.feed).await
    }

    fn give_up(&self, key: &str, reason: String) -> Parked {
        self.feed.shared.change(|figures| {
            figures.parked += 1;
            figures.gaps += 1;
        });
        self.feed.shared.note(format!("parked: {reason}"));
        Parked { time: now(), id: key.to_owned(), reason, body: String::new() }
    }

    async fn list(
        &self,
        prefix: &str,
        is_flat: bool,
        next: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, String> {
        let answer = self
            .objects
            .client
            .list_objects_v2()
            .bucket(&self.spec.bucket)
            .prefix(prefix)
            .set_delimiter(is_flat.then(|| "/".to_owned()))
            .set_start_after(after.filter(|after| !after.is_empty()).map(str::to_owned))
            .set_continuation_token(next.map(str::to_owned))
            .send()
            .await
            .map_err(|error| client::chain(&error))?;
        let folders = answer.common_prefixes.unwrap_or_default();
        let keys = answer.contents.unwrap_or_default();
        Ok(Page {
            folders: folders.into_iter().filter_map(|folder| folder.prefix).collect(),
            keys: keys.into_iter().filter_map(|object| object.key).collect(),
            next: answer.next_continuation_token,
        })
    }
}

/// `…/2026/`
fn is_year(folder: &str) -> bool {
    let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_told_from_accounts_and_regions() {
        assert!(is_year("AWSLogs/1/CloudTrail/us-east-1/2026/"));
        assert!(!is_year("AWSLogs/123456789012/") && !is_year("AWSLogs/") && !is_year(""));
    }
}
