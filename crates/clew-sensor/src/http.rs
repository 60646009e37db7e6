//! The programs that read what goes through sockets that speak HTTP.
//!
//! They have the calls that send and receive before the handlers of T0s, and lead them on. Where
//! nobody wants requests they are taken off: a read or write then costs nothing.

use clew_event::EventType;
use clew_event::interest::InterestSet;
use libbpf_rs::{Link, MapCore, MapFlags, Object};

use crate::rings::Clock;
use crate::tier::{self, SHARED_MAPS, T0, T0s, load_sharing};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/http.bpf.o"));

/// Calls that send or receive by their number on x86-64 (`syscall_64.tbl`), with their program:
/// `read`, `write`, `readv`, `writev`, `sendfile`, `sendto`, `recvfrom`, `sendmsg`, `recvmsg`,
/// `splice`, `recvmmsg`, `sendmmsg`, `preadv2` and `pwritev2`.
const CALLS: &[(u32, &str)] = &[
    (0, ON_MOVED),
    (1, ON_MOVED),
    (19, ON_MOVED),
    (20, ON_MOVED),
    (40, ON_MOVED),
    (44, ON_MOVED),
    (45, ON_MOVED),
    (46, ON_MOVED),
    (47, ON_MOVED),
    (275, "on_spliced"),
    (299, ON_MOVED),
    (307, ON_MOVED),
    (327, ON_MOVED),
    (328, ON_MOVED),
];
const ON_MOVED: &str = "on_moved";

/// How long after the start a socket may be met in the middle of a message.
const JOINING_NS: u64 = 10_000_000_000;

/// The loaded programs.
#[derive(Debug)]
pub(crate) struct Http {
    object: Object,
    attached: Option<Link>,
}

impl Http {
    /// Loads the programs onto the maps of `t0` and `t0s`; none runs yet.
    pub(crate) fn load(t0: &T0, t0s: &T0s) -> Result<Self, libbpf_rs::Error> {
        let shared = [SHARED_MAPS, &["interest", "quiet"]].concat();
        let shared_map = |name: &str| t0.map(name).or_else(|_| t0s.map(name));
        Ok(Self { object: load_sharing(OBJECT, &shared, shared_map)?, attached: None })
    }

    /// Lets the programs run only where requests are wanted.
    pub(crate) fn set_interest(
        &mut self,
        wanted: &InterestSet,
        t0s: &mut T0s,
    ) -> Result<(), libbpf_rs::Error> {
        let is_wanted = [EventType::HttpRequest, EventType::HttpResponse]
            .iter()
            .any(|event_type| !wanted.classes(*event_type).is_empty());
        if !is_wanted {
            self.attached = None;
            t0s.give_back(wanted)
        } else if self.attached.is_none() {
            let joined_ns = (Clock.boot_ns() + JOINING_NS).to_ne_bytes();
            let joining = tier::map(&self.object, "joining")?;
            joining.update(&0_u32.to_ne_bytes(), &joined_ns, MapFlags::ANY)?;
            self.attached = Some(tier::attach(&self.object, "on_state")?);
            t0s.take_first(CALLS, &self.object, wanted)
        } else {
            Ok(())
        }
    }

    /// Sockets whose first bytes were looked at.
    pub(crate) fn judged(&self) -> u64 {
        let judged = tier::map(&self.object, "judged")
            .and_then(|judged| judged.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY));
        let values = judged.ok().flatten().unwrap_or_default();
        let numbers = values.iter().filter_map(|value| value.first_chunk::<8>());
        numbers.map(|number| u64::from_ne_bytes(*number)).sum()
    }
}
