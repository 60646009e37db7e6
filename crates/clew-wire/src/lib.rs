//! Kernel records as the BPF programs write them, one definition for both languages.
//!
//! Reading order: [`record`] (the records), [`limits`] (kinds, flags and bounds), `layout` (what
//! makes a record out of a struct). A record is a [`record::Header`], the fixed part of its kind,
//! and then the bytes that the [`record::TextRef`]s of the fixed part point at. The C header
//! `bpf/lib/wire.h` is printed from here by `cargo xtask codegen` and asserts every size and
//! offset again, so that a difference between the languages stops the build.
//!
//! Invariant: every record is free of padding and valid for any bytes, so that reading one cannot
//! fail but by length. No allocation and no meaning lives here.
#![cfg_attr(not(any(test, feature = "codegen")), no_std)]

#[cfg(any(test, feature = "codegen"))]
pub mod c_header;
mod layout;
pub mod limits;
pub mod record;

pub use layout::{Record, as_bytes, read};
