//! Tests that are longer than the code beside which they would stand, and what all tests share.

mod argument;
pub(crate) mod builders;
mod falco;
mod fd;
mod properties;
mod record;
