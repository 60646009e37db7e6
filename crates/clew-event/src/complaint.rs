//! What was wrong with the input, said beside the good part of it.

use serde::{Deserialize, Serialize};

/// One thing that could not be read; its neighbours were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// File or source.
    pub file: String,
    /// Where in it: `line 7`, `byte 4096`, `block 3`.
    pub r#where: String,
    /// Stable code, such as `tape-truncated`.
    pub code: String,
    /// What is wrong and what to do about it.
    pub message: String,
}
