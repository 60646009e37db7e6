//! HTTP interface and page.
#![forbid(unsafe_code)]
