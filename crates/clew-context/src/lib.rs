//! State of processes, containers and sockets, through which an event is seen.
#![forbid(unsafe_code)]
