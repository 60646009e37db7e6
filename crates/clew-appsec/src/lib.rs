//! Attacks in requests to applications, what they effected, and how each API is used.
//!
//! Reading order: [`detected`] (what comes out), [`arguments`] and [`decoding`] (a request as named
//! values, each in the forms that readers may see), [`attack`] (a payload in a request: a suspicion),
//! [`effect`] (what the application then did: proof), [`api`] (endpoints, objects, principals and
//! roles, learned). The engine calls the three and makes findings of what they say.
//!
//! Invariant: a payload alone never starts a story. Its bits are few, because scanners are the
//! background of the internet; an effect that contains a piece of the request has many.
#![forbid(unsafe_code)]

pub mod api;
pub mod arguments;
pub mod attack;
pub mod decoding;
pub mod detected;
pub mod effect;

pub use detected::Detected;
