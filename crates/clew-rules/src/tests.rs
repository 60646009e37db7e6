//! Tests that take more than one module.

mod bounds;
mod dispatched;
