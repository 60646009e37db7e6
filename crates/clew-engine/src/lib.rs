//! One pure step from an event to findings and stories.
#![forbid(unsafe_code)]
