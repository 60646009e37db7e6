//! Domain names by address, as the watched machines last resolved them.
//!
//! Nothing is asked of any name server: only answers that were seen on the wire count, so a
//! replay gives the same names.

use std::net::IpAddr;

use clew_event::Text;
use clew_event::socket::DnsEvent;
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};

/// Addresses with the name they were last given as the answer for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Domains {
    table: Bounded<IpAddr, Text>,
}

impl Domains {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Bounded::new(max) }
    }

    pub(crate) fn get(&self, address: IpAddr) -> Option<&Text> {
        self.table.get(&address)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn observe(&mut self, event: &DnsEvent) {
        for address in &event.addresses {
            self.table.insert(address.to_canonical(), event.name.clone(), Standing::Live);
        }
    }
}
