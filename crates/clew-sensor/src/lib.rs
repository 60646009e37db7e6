//! The sensor of one machine: BPF programs, process table, container runtimes.
#![deny(unsafe_code)]
