//! Statements that applications send to databases.

use serde::{Deserialize, Serialize};

use crate::socket::Endpoints;
use crate::text::Text;

/// One statement, as it was sent.
///
/// It may hold what visitors entered: detectors judge it as it is, and [`QueryEvent::redacted`] is
/// what may be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryEvent {
    /// The connection, unique within its boot.
    pub connection: u64,
    /// Both ends, from the side of the watched process.
    pub endpoints: Endpoints,
    /// True where the watched process is the database.
    pub is_inbound: bool,
    /// The protocol that was spoken.
    pub system: DatabaseSystem,
    /// The statement, without values that were sent apart from it.
    pub statement: Text,
    /// It is longer than what is kept.
    pub is_cut: bool,
    /// W3C `traceparent` of the span that told it; empty where it was seen going by.
    pub trace: Text,
}

impl QueryEvent {
    /// The same without what stands within quotes.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut quote = None;
        let mut starred = Vec::with_capacity(self.statement.as_bytes().len());
        for &byte in self.statement.as_bytes() {
            match quote {
                Some(open) if byte == open => quote = None,
                Some(_) => {
                    if starred.last() != Some(&b'*') {
                        starred.push(b'*');
                    }
                    continue;
                }
                None if matches!(byte, b'\'' | b'"') => quote = Some(byte),
                None => {}
            }
            starred.push(byte);
        }
        Self { statement: starred.into(), ..self.clone() }
    }
}

/// A database's protocol.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseSystem {
    /// PostgreSQL, version 3 of its protocol.
    #[default]
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
}

impl DatabaseSystem {
    /// The name that OpenTelemetry gives it (`db.system.name`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_within_quotes_is_not_stored() {
        let check = |statement: &str, stored: &str| {
            let query = QueryEvent { statement: statement.into(), ..QueryEvent::default() };
            assert_eq!(query.redacted().statement, stored.into());
        };
        check(
            "SELECT a FROM b WHERE c = 'me' AND d = \"x'y\"",
            "SELECT a FROM b WHERE c = '*' AND d = \"*\"",
        );
        check("SELECT '' OR '1'='1", "SELECT '' OR '*'='*");
        check("SELECT 1", "SELECT 1");
    }
}
