//! Kernel records as the BPF programs write them.

