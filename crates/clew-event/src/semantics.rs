//! Whose answer is given where Clew's and Falco's differ.

use serde::{Deserialize, Serialize};

/// Who is followed where the two differ; `docs/falco-differences.md` lists every difference.
///
/// Each quirk of Falco's stands at one place in the code, which asks [`Semantics::is_falco`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Semantics {
    /// What is documented, and what is true of the machine.
    #[default]
    Clew,
    /// What Falco 0.45 does, quirks included.
    Falco,
}

impl Semantics {
    /// True where Falco's answer is asked for.
    #[must_use]
    pub const fn is_falco(self) -> bool {
        matches!(self, Self::Falco)
    }
}
