//! Where the server listens, and for whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Port of the page.
pub const PORT: u16 = 7373;

/// Where the server listens, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who may reach it.
    pub exposure: Exposure,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            exposure: Exposure::LoopbackOnly,
        }
    }
}

/// Who may reach the server. There is no sign-on yet, so other machines must be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Programs of this machine.
    #[default]
    LoopbackOnly,
    /// Whoever reaches the address, by its number; a host name is refused all the same.
    Anywhere,
}
