//! What is kept for how long.
//!
//! Stories go by age and count, the oldest first. Findings and events go by age and count as
//! well, but never while a story pins them, and an event never before a finding that it proves.

use std::time::Duration;

use clew_event::TimestampNs;
use rusqlite::{Transaction, params};

use super::{RowError, schema, size_of_column};

/// How much is kept. Whatever exceeds either bound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long, by their own times.
    pub age: Duration,
    /// How many stories.
    pub stories_max: usize,
    /// How many findings that no story pins.
    pub findings_max: usize,
    /// How many events that prove nothing that is kept.
    pub events_max: usize,
}

impl Default for Retention {
    /// Thirty days; some hundred megabytes at most.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(30 * 24 * 3600),
            stories_max: 10_000,
            findings_max: 100_000,
            events_max: 100_000,
        }
    }
}

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Stories.
    pub stories: usize,
    /// Findings.
    pub findings: usize,
    /// Events.
    pub events: usize,
}

pub(super) fn prune(
    transaction: &Transaction<'_>,
    now: TimestampNs,
    retention: &Retention,
) -> Result<Pruned, RowError> {
    let age_ns = u64::try_from(retention.age.as_nanos()).unwrap_or(u64::MAX);
    let oldest = TimestampNs::from_unix_ns(now.unix_ns().saturating_sub(age_ns));
    let remove = |sql: &str, kept_max: usize| {
        transaction.execute(sql, params![schema::time_column(oldest), size_of_column(kept_max)])
    };
    let stories = remove(
        "DELETE FROM story WHERE last < ?1
         OR id IN (SELECT id FROM story ORDER BY last DESC, id LIMIT -1 OFFSET ?2)",
        retention.stories_max,
    )?;
    transaction.execute("DELETE FROM pin WHERE story NOT IN (SELECT id FROM story)", [])?;
    let findings = remove(
        "WITH free AS (SELECT id, time FROM finding
             WHERE NOT EXISTS (SELECT 1 FROM pin WHERE target = finding.id))
         DELETE FROM finding WHERE id IN (SELECT id FROM free WHERE time < ?1)
         OR id IN (SELECT id FROM free ORDER BY time DESC, id LIMIT -1 OFFSET ?2)",
        retention.findings_max,
    )?;
    transaction
        .execute("DELETE FROM finding_event WHERE finding NOT IN (SELECT id FROM finding)", [])?;
    let events = remove(
        "WITH free AS (SELECT id, time FROM event
             WHERE NOT EXISTS (SELECT 1 FROM pin WHERE target = event.id)
             AND NOT EXISTS (SELECT 1 FROM finding_event WHERE event = event.id))
         DELETE FROM event WHERE id IN (SELECT id FROM free WHERE time < ?1)
         OR id IN (SELECT id FROM free ORDER BY time DESC, id LIMIT -1 OFFSET ?2)",
        retention.events_max,
    )?;
    Ok(Pruned { stories, findings, events })
}
