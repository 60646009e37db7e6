//! Promises that hold for any sequence of events.
