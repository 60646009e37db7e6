//! Learning and judging of a generated API.
