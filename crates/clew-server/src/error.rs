//! Why the server could not start.

use std::io;
use std::net::SocketAddr;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is not of this machine's own loopback, and nobody asked for that.
    #[error(
        "`{address}` can be reached from other machines, and the page asks nobody who he is: \
         take a loopback address such as 127.0.0.1, or allow it explicitly"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: give another address, or stop who has it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server's thread or runtime cannot be made.
    #[error("cannot start the server's thread")]
    Thread {
        /// Why.
        source: io::Error,
    },
}
