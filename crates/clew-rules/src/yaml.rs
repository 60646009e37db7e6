//! YAML with places: scalars keep their text, and every byte of it its place in the file.
//!
//! Rules need the text as it was written (`010` is not eight, `yes` is not true) and errors need
//! places inside multi-line conditions, so the event stream of the parser is turned into our own
//! tree. Completed items of the top-level sequence survive an error behind them.

mod align;
mod build;

pub(crate) use build::{File, FileError, read};

use crate::traced::{Place, Traced};

/// Deepest nesting of sequences and mappings; rule files need five levels.
pub(crate) const YAML_DEPTH_MAX: usize = 64;

/// Most nodes of one file, aliases expanded. The largest upstream file has 12 thousand.
pub(crate) const YAML_NODES_MAX: usize = 1_000_000;

/// Largest rule file that is read. The largest upstream file has 95 KB.
pub(crate) const FILE_BYTES_MAX: usize = 16 << 20;

/// A node and where it starts.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub place: Place,
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Null,
    Scalar(Traced),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn scalar(&self) -> Option<&Traced> {
        match &self.content {
            Content::Scalar(text) => Some(text),
            Content::Null | Content::Sequence(_) | Content::Mapping(_) => None,
        }
    }

    /// The items of a sequence.
    pub(crate) fn sequence(&self) -> Option<&[Self]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            Content::Null | Content::Scalar(_) | Content::Mapping(_) => None,
        }
    }

    /// The pairs of a mapping, in the order of the file.
    pub(crate) fn mapping(&self) -> Option<&[(Self, Self)]> {
        match &self.content {
            Content::Mapping(pairs) => Some(pairs),
            Content::Null | Content::Scalar(_) | Content::Sequence(_) => None,
        }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let pairs = self.mapping()?;
        pairs.iter().find(|(k, _)| k.key_text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a key.
    pub(crate) fn key_text(&self) -> Option<&str> {
        self.scalar().map(Traced::as_str)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }
}
