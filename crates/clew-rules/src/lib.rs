//! Rules in Falco's language, checked, compiled and judged.
#![forbid(unsafe_code)]
