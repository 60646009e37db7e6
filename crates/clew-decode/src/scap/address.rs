//! Socket addresses and pairs of them, as events carry them.

use std::net::{IpAddr, SocketAddr};

use clew_event::Text;
use clew_event::socket::Endpoints;

use super::bytes::{Bytes, text};

/// One end, or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Internet(SocketAddr),
    Unix(Text),
}

/// Both ends: who asked first, or the path of a unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    Internet { source: SocketAddr, destination: SocketAddr },
    Unix(Text),
}

/// An address: family, then address and port, or a path.
pub(super) fn address(bytes: &[u8]) -> Option<Address> {
    let mut fields = Bytes(bytes);
    let family = fields.u8()?;
    if u16::from(family) == Endpoints::UNIX {
        return Some(Address::Unix(text(fields.0)));
    }
    end(&mut fields, family).map(Address::Internet)
}

/// A pair: family, then source and destination, or two kernel addresses and a path.
pub(super) fn pair(bytes: &[u8]) -> Option<Pair> {
    const KERNEL_ADDRESSES_BYTES: usize = 16;
    let mut fields = Bytes(bytes);
    let family = fields.u8()?;
    if u16::from(family) == Endpoints::UNIX {
        fields.take(KERNEL_ADDRESSES_BYTES)?;
        return Some(Pair::Unix(text(fields.0)));
    }
    let source = end(&mut fields, family)?;
    let destination = end(&mut fields, family)?;
    Some(Pair::Internet { source, destination })
}

fn end(fields: &mut Bytes<'_>, family: u8) -> Option<SocketAddr> {
    let ip: IpAddr = match u16::from(family) {
        Endpoints::INET => fields.array::<4>()?.into(),
        Endpoints::INET6 => fields.array::<16>()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, fields.u16()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_pairs_are_read_by_their_family() {
        let local = [2, 127, 0, 0, 1, 0x90, 0x1f];
        assert_eq!(address(&local), "127.0.0.1:8080".parse().ok().map(Address::Internet));
        assert_eq!(address(b"\x01/run/x\0"), Some(Address::Unix("/run/x".into())));
        let both = [2, 10, 0, 0, 1, 1, 0, 10, 0, 0, 2, 80, 0];
        let expected = Pair::Internet {
            source: "10.0.0.1:1".parse().expect("address"),
            destination: "10.0.0.2:80".parse().expect("address"),
        };
        assert_eq!(pair(&both), Some(expected));
        assert_eq!(pair(&both[..12]), None);
        assert_eq!(pair(&[77]), None);
    }
}
