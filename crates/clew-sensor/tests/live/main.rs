//! What the sensor sees of a real kernel.
//!
//! Needs root and BPF; without them every test says so and does nothing. A test watches itself:
//! it acts, makes a directory of a name of its own as a mark, and polls until the mark is seen.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is test code, its helper functions too"
)]

mod calls;
mod connects;
mod dns;
mod files;
mod http;
mod interest;
mod life;
mod losses;
mod nginx;
mod privileges;
mod sockets;
mod stacks;
mod tls;
mod watch;
