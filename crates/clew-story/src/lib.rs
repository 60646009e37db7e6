//! Findings joined into one explained attack.
#![forbid(unsafe_code)]
