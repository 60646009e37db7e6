//! Which files a call came through: the stack of the thread that made it.

use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::text::Text;

/// The stack behind one event, told before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// The event that it belongs to; `None` where that is the next program that the process takes.
    pub of: Option<EventId>,
    /// From whoever made the call outwards, at most [`StackEvent::FRAMES_MAX`].
    pub frames: Vec<Frame>,
    /// True where there is more than was found or kept.
    pub is_truncated: bool,
}

/// Consecutive calls within one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Path of the file as the process sees it; empty for code that a runtime made in memory.
    pub file: Text,
    /// Where in the file the innermost of these calls returns to; for code in memory its address.
    pub offset: u64,
    /// Name that the runtime gave to code in memory; empty where it gave none.
    pub symbol: Text,
    /// True where the stack could only be searched for it: what stands there may be left over from
    /// an earlier call.
    pub is_likely: bool,
}

impl StackEvent {
    /// Frames that are kept.
    pub const FRAMES_MAX: usize = 16;
    /// Bytes of a frame's symbol that are kept.
    pub const SYMBOL_BYTES_MAX: usize = 256;
}

impl Frame {
    /// Last part of the file's path, or the symbol; empty for code in memory without a name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        match self.file.as_bytes().rsplit(|&byte| byte == b'/').next() {
            Some(name) if !name.is_empty() => name,
            Some(_) | None => self.symbol.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_called_by_its_file_or_its_symbol() {
        let frame = |file: &str, symbol: &str| Frame {
            file: file.into(),
            symbol: symbol.into(),
            ..Frame::default()
        };
        assert_eq!(frame("/usr/lib/libc.so.6", "").name(), b"libc.so.6");
        assert_eq!(frame("", "Lorg/apache/Main;").name(), b"Lorg/apache/Main;");
        assert_eq!(frame("", "").name(), b"");
    }
}
