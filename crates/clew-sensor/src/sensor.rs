//! The sensor as its callers see it: start it, then poll events.
//!
//! Order of the stream: the node, its cgroups, its processes, then what happens. A poll gives a
//! bounded batch in order of time and never blocks longer than it is told.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use clew_decode::http::{self, Assembler};
use clew_decode::kernel::Decoder;
use clew_event::container::CgroupEvent;
use clew_event::interest::{InterestSet, QuietVerdict};
use clew_event::kernel::{LossReason, Lost, NodeStarted};
use clew_event::{BootId, Event, EventId, EventKind, EventType, TimestampNs};
use clew_wire::limits::{CGROUP_MEMORY, CGROUP_PIDS, CGROUP_VERSION_2, RECORD_BYTES_MAX};
use clew_wire::record::Config;

use crate::cgroups::{Controller, Hierarchy};
use crate::containers::{self, RuntimeStatus, Watcher};
use crate::dns::Dns;
use crate::http::Http;
use crate::losses::{Losses, Totals};
use crate::order::Order;
use crate::quiet::{Quiet, Quieted};
use crate::rings::{Clock, Ends, Rings, Wait};
use crate::stacks::{self, StackCounts};
use crate::sys::Ring;
use crate::tier::{self, RingSizes, T0, T0s};
use crate::tls::{self, Tls};
use crate::{blind, node, processes};

/// Events of other watchers that wait for the next poll; a sender waits when there are more.
pub const INJECTED_EVENTS_MAX: usize = 1024;

/// Rounds that are read to find what happened while the processes were listed.
pub const BOOTSTRAP_ROUNDS_MAX: usize = 4;

/// Bytes of the smallest ring: it must hold the largest record, and be whole pages (of 64 KiB on
/// some machines).
pub const RING_BYTES_MIN: u32 = 1 << 16;

const _: () = assert!(2 * RECORD_BYTES_MAX < RING_BYTES_MIN as usize, "a record must fit");

/// How often losses are told.
const LOSSES_SPAN_NS: u64 = 1_000_000_000;

/// How long bulk records may gather while there is a flow of them.
const GATHER_SPAN: Duration = Duration::from_millis(2);

/// How long a held event waits for the others of its time.
const HOLD_SPAN: Duration = Duration::from_millis(1);

/// Where other watchers of this machine (container runtimes) put events into the stream.
///
/// An event without an id is given one. At most [`INJECTED_EVENTS_MAX`] wait for the next poll;
/// sending more waits, and fails once the sensor is gone.
pub type Injector = SyncSender<Event>;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of the ring of processes, credentials and the kernel; a power of two.
    pub priority_ring_bytes: u32,
    /// Bytes of the ring of files and sockets; a power of two.
    pub bulk_ring_bytes: u32,
    /// Bytes of the ring of pieces of connections; a power of two.
    pub stream_ring_bytes: u32,
    /// How requests and responses are read from sockets that speak HTTP; `None`: not at all.
    pub http: Option<http::Settings>,
    /// True where it is told which libraries calls came through.
    pub has_stacks: bool,
    /// True where the sensor's own process shall be reported too, as tests do.
    pub is_self_reported: bool,
    /// True where container runtimes are asked for names, images and accounts.
    pub is_runtime_watched: bool,
}

impl Settings {
    fn sizes(&self) -> Result<RingSizes, SensorError> {
        let sizes = RingSizes {
            priority: self.priority_ring_bytes,
            bulk: self.bulk_ring_bytes,
            stream: self.stream_ring_bytes,
        };
        let is_bad = |given: &u32| !given.is_power_of_two() || *given < RING_BYTES_MIN;
        match [sizes.priority, sizes.bulk, sizes.stream].into_iter().find(is_bad) {
            Some(given_bytes) => Err(SensorError::RingSize { given_bytes }),
            None => Ok(sizes),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            priority_ring_bytes: 4 << 20,
            bulk_ring_bytes: 8 << 20,
            stream_ring_bytes: 16 << 20,
            http: Some(http::Settings::default()),
            has_stacks: true,
            is_self_reported: false,
            is_runtime_watched: true,
        }
    }
}

/// Why the sensor cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SensorError {
    /// The kernel refused the first tier, without which nothing is seen.
    #[error("the kernel refused the programs of tier T0: run `clew doctor`")]
    Refused(#[source] libbpf_rs::Error),
    /// The programs are loaded but cannot be used.
    #[error("the loaded programs cannot be used")]
    Unusable(#[source] libbpf_rs::Error),
    /// The kernel makes no ring buffer of that size.
    #[error(
        "a ring buffer of {given_bytes} bytes was asked for: give a power of two of at least \
         {RING_BYTES_MIN}"
    )]
    RingSize {
        /// Size that was asked for.
        given_bytes: u32,
    },
    /// A ring buffer cannot be mapped.
    #[error("a ring buffer cannot be mapped")]
    Ring(#[source] std::io::Error),
    /// Waiting for the ring buffers fails.
    #[error("the ring buffers cannot be waited for")]
    Wait(#[source] std::io::Error),
    /// The list of processes cannot be read.
    #[error("the list of processes cannot be read")]
    List(#[source] std::io::Error),
}

/// The running sensor.
#[derive(Debug)]
pub struct Sensor {
    rings: Rings,
    order: Order,
    losses: Losses,
    losses_told_ns: u64,
    /// Told by the next poll.
    waiting: Vec<Event>,
    injected: Receiver<Event>,
    injector: SyncSender<Event>,
    runtimes: Option<Watcher>,
    runtimes_lost_told: u64,
    numbers: Numbers,
    clock: Clock,
    t0: T0,
    t0s: Option<T0s>,
    dns: Option<Dns>,
    http: Option<Http>,
    tls: Option<Tls>,
    stack_programs: Option<stacks::Programs>,
    sight: Sight,
    quiet: Option<Quiet>,
}

/// What was told of the machine, to be told anew when what is not seen of TLS changes.
#[derive(Debug)]
struct Sight {
    node: NodeStarted,
    tls: Vec<String>,
}

/// Numbers events that no CPU numbered.
#[derive(Debug)]
struct Numbers {
    boot: BootId,
    next: u64,
}

impl Numbers {
    /// Number of the CPU in ids of such events.
    const NO_CPU: u16 = u16::MAX;

    fn next(&mut self) -> EventId {
        let id = EventId::from_kernel(self.boot, Self::NO_CPU, self.next);
        self.next += 1;
        id
    }
}

impl Sensor {
    /// Loads what this kernel allows, and begins to watch.
    ///
    /// # Errors
    /// Where not even processes can be watched: the kernel lacks BTF or a ring buffer, or the
    /// caller lacks `CAP_BPF` and `CAP_PERFMON`.
    pub fn start(settings: Settings) -> Result<Self, SensorError> {
        let mut t0 = T0::load(settings.sizes()?).map_err(SensorError::Refused)?;
        let loaded = T0s::load(&t0);
        let mut blind_spots = blind::refused(loaded.as_ref());
        let mut t0s = loaded.ok();
        let dns = Dns::load(&t0);
        let clock = Clock;
        let hierarchy = Hierarchy::detect();
        configure(&t0, &hierarchy, &settings)?;
        // Numbers go on where an earlier run in this boot cannot have come: no CPU makes more
        // than a million records a second.
        let first_number = clock.boot_ns() / 1_000;
        let losses = losses(&t0, first_number).map_err(SensorError::Unusable)?;
        let begun = clock.unix();
        t0.attach().map_err(SensorError::Unusable)?;
        if let Some(tier) = &mut t0s {
            stacks::choose_opens(tier).map_err(SensorError::Unusable)?;
            tier.attach().map_err(SensorError::Unusable)?;
        }
        let started = settings.has_stacks.then(|| stacks::Programs::start(&t0));
        blind_spots.extend(started.as_ref().and_then(|it| it.as_ref().err()).map(blind::stackless));
        let stack_programs = started.and_then(Result::ok);
        let dns = dns.and_then(Dns::attached);
        blind_spots.extend(dns.as_ref().err().map(blind::nameless));
        let dns = dns.ok();
        let http = t0s.as_ref().filter(|_| settings.http.is_some()).map(|t0s| Http::load(&t0, t0s));
        let http_refusal = http.as_ref().and_then(|loaded| loaded.as_ref().err());
        blind_spots.extend(http_refusal.map(blind::requestless));
        let http = http.and_then(Result::ok);
        let tiers = ["T0", "T0s"].into_iter().take(1 + usize::from(t0s.is_some()));
        let tiers = tiers.chain(dns.is_some().then_some("T0d"));
        let tiers = tiers.chain(http.is_some().then_some("T0h"));
        let tiers = tiers.chain(stack_programs.is_some().then_some("T0x"));
        let node = node::started(tiers.map(str::to_owned).collect(), blind_spots);
        let decoder = Decoder::new(node.boot, node.boot_unix_ns);
        let (injector, injected) = sync_channel(INJECTED_EVENTS_MAX);
        let table = t0s.as_ref().map(|tier| tier.map("quiet")).transpose();
        let quiet = table.map_err(SensorError::Unusable)?.map(Quiet::new);
        let mut sensor = Self {
            rings: rings(&t0, &settings, decoder)?,
            order: Order::default(),
            losses,
            losses_told_ns: clock.boot_ns(),
            waiting: Vec::new(),
            injected,
            injector,
            runtimes: None,
            runtimes_lost_told: 0,
            numbers: Numbers { boot: node.boot, next: first_number },
            clock,
            t0,
            t0s,
            dns,
            http,
            tls: None,
            stack_programs,
            sight: Sight { node: node.clone(), tls: Vec::new() },
            quiet,
        };
        sensor.tell_what_is_there(begun, node, hierarchy.list(), &decoder)?;
        sensor.read_http(&InterestSet::everything())?;
        sensor.tell_stacks(settings.has_stacks)?;
        if settings.is_runtime_watched {
            let runtimes = containers::watch(containers::Settings::default(), sensor.injector());
            sensor.runtimes = Some(runtimes);
        }
        Ok(sensor)
    }

    /// Where other watchers put events into the stream.
    #[must_use]
    pub fn injector(&self) -> Injector {
        self.injector.clone()
    }

    /// Lets the kernel hand up system calls of these classes only; at the start it hands up all.
    ///
    /// Processes, cgroups, changes of credentials and calls by the 32-bit entry are always told.
    /// Call it whenever the rules change: what was found quiet before is forgotten.
    ///
    /// # Errors
    /// Where the kernel refuses; it then hands up at least what it did before, or what was wanted.
    pub fn set_interest(&mut self, wanted: &InterestSet) -> Result<(), SensorError> {
        if let Some(tier) = &self.t0s {
            tier.set_interest(wanted).map_err(SensorError::Unusable)?;
        }
        if let Some(dns) = &mut self.dns {
            dns.set_interest(wanted).map_err(SensorError::Unusable)?;
        }
        self.read_http(wanted)?;
        if let Some(quiet) = &mut self.quiet {
            let generation = quiet.next_generation();
            let mut config = self.t0.configuration().map_err(SensorError::Unusable)?;
            config.quiet_generation = generation;
            self.t0.configure(&config).map_err(SensorError::Unusable)?;
        }
        Ok(())
    }

    /// Reads requests and responses where they are wanted.
    fn read_http(&mut self, wanted: &InterestSet) -> Result<(), SensorError> {
        match (&mut self.http, &mut self.t0s) {
            (Some(http), Some(t0s)) => {
                http.set_interest(wanted, t0s).map_err(SensorError::Unusable)
            }
            _ => Ok(()),
        }
    }

    /// What was made of the pieces of connections.
    #[must_use]
    pub fn http_counts(&self) -> http::Counts {
        self.rings.http().counts()
    }

    /// What was made of the stacks of calls.
    #[must_use]
    pub fn stack_counts(&self) -> StackCounts {
        self.rings.stacks().counts()
    }

    /// Looks into the TLS of processes that one of `selectors` means, from now on and instead of
    /// those before; of none where there are none. Call it before the first poll: containers are
    /// selected once their names were told.
    ///
    /// # Errors
    /// Where the kernel refuses the programs; then no TLS is looked into.
    pub fn watch_tls(&mut self, selectors: Vec<tls::Selector>) -> Result<(), SensorError> {
        self.tls = None;
        if !selectors.is_empty() {
            self.tls = Some(Tls::start(&self.t0, selectors).map_err(SensorError::Unusable)?);
        }
        Ok(())
    }

    /// What TLS is looked into; `None` where nothing is selected.
    #[must_use]
    pub fn tls(&self) -> Option<tls::Status> {
        self.tls.as_ref().map(Tls::status)
    }

    /// Sockets whose first bytes were looked at for whether they speak HTTP.
    #[must_use]
    pub fn judged_sockets(&self) -> u64 {
        self.http.as_ref().map_or(0, Http::judged)
    }

    /// Keeps opens and connects like `event` back from now on as far as `verdict` says that no rule
    /// can match one, whoever makes it; it is asked once for each call, access and path, or result,
    /// kind of socket and peer.
    ///
    /// Nothing is kept back before the first [`Sensor::set_interest`], and each one of those
    /// begins anew.
    pub fn quiet(&mut self, event: &Event, verdict: impl FnOnce() -> QuietVerdict) {
        if let Some(quiet) = &mut self.quiet {
            quiet.learn(event, verdict);
        }
    }

    /// What the kernel kept back since it was last told, of at most `marks_max` marks; the next
    /// call goes on behind them.
    pub fn take_quieted(&mut self, marks_max: usize) -> Vec<Quieted> {
        self.quiet.as_mut().map(|quiet| quiet.take_counts(marks_max)).unwrap_or_default()
    }

    /// Adds what happened to `events`, in order of time; waits up to `timeout` for something.
    ///
    /// It may give nothing, and gives a bounded number: poll again without delay.
    ///
    /// # Errors
    /// Where the kernel does not let it wait, which no later call will mend.
    pub fn poll(&mut self, timeout: Duration, events: &mut Vec<Event>) -> Result<(), SensorError> {
        if !self.waiting.is_empty() {
            events.append(&mut self.waiting);
            return Ok(());
        }
        let before = events.len();
        let end_ns = self.clock.boot_ns().saturating_add(duration_ns(timeout));
        loop {
            self.add_injected(events);
            self.rings.drain(&mut self.order, &self.clock);
            self.order.release(events);
            self.add_losses(events);
            let now_ns = self.clock.boot_ns();
            if events.len() > before || now_ns >= end_ns {
                return Ok(());
            }
            let wait = self.next_wait(Duration::from_nanos(end_ns - now_ns));
            self.rings.wait(&wait).map_err(|errno| SensorError::Wait(errno.into()))?;
        }
    }

    /// Stops watching. What was already recorded, and what was lost, comes out of the next polls.
    pub fn detach(&mut self) {
        self.runtimes = None;
        if let Some(tier) = &mut self.t0s {
            tier.detach();
        }
        self.dns = None;
        self.http = None;
        self.tls = None;
        self.stack_programs = None;
        self.t0.detach();
        self.losses_told_ns = 0;
    }

    /// Counters since the start; for each kind, offered = seen + quieted + lost once all is drained.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            seen: *self.rings.seen(),
            malformed: self.rings.malformed(),
            ..Totals::default()
        };
        for counts in self.losses.read() {
            add(&mut totals.offered, &counts.offered);
            add(&mut totals.offered, &counts.quieted);
            add(&mut totals.lost, &counts.dropped);
            add(&mut totals.quieted, &counts.quieted);
            totals.unread += counts.unread;
        }
        totals
    }

    /// A flow of bulk records gathers; held events need only a moment; else any record wakes.
    fn next_wait(&self, left: Duration) -> Wait {
        if self.rings.is_busy() {
            Wait::PriorityRecord(left.min(GATHER_SPAN))
        } else if self.order.is_holding() {
            Wait::PriorityRecord(left.min(HOLD_SPAN))
        } else {
            Wait::AnyRecord(left)
        }
    }

    fn add_injected(&mut self, events: &mut Vec<Event>) {
        for mut event in self.injected.try_iter().take(INJECTED_EVENTS_MAX) {
            if event.id == EventId(0) {
                event.id = self.numbers.next();
            }
            event.arrived = self.clock.unix();
            if let Some(tls) = &self.tls {
                tls.hear(&event);
            }
            events.push(event);
        }
    }

    /// Tells anew what cannot be seen, where that of TLS is another than before.
    fn add_blindness(&mut self, now: TimestampNs, events: &mut Vec<Event>) {
        if self.http.is_none() {
            return;
        }
        let sentences = blind::of_tls(self.tls());
        if sentences == self.sight.tls {
            return;
        }
        self.sight.tls.clone_from(&sentences);
        let mut node = self.sight.node.clone();
        node.boot_unix_ns = NodeStarted::GOES_ON;
        node.blind_spots.extend(sentences);
        events.push(unnumbered(&mut self.numbers, now, EventKind::NodeStarted(Box::new(node))));
    }

    fn add_losses(&mut self, events: &mut Vec<Event>) {
        let now_ns = self.clock.boot_ns();
        if now_ns.saturating_sub(self.losses_told_ns) < LOSSES_SPAN_NS {
            return;
        }
        self.losses_told_ns = now_ns;
        let now = self.clock.unix();
        for lost in self.losses.since_last(self.rings.malformed()) {
            events.push(unnumbered(&mut self.numbers, now, EventKind::Lost(lost)));
        }
        self.add_blindness(now, events);
        let dropped = self.runtimes.as_ref().map_or(0, |runtimes| runtimes.counts().dropped);
        if dropped > self.runtimes_lost_told {
            let lost = Lost {
                cpu: u16::MAX,
                reason: LossReason::QueueFull,
                record: "container".into(),
                count: dropped - self.runtimes_lost_told,
            };
            self.runtimes_lost_told = dropped;
            events.push(unnumbered(&mut self.numbers, now, EventKind::Lost(lost)));
        }
    }

    /// Whether each container runtime answers; empty where none is watched.
    #[must_use]
    pub fn runtimes(&self) -> Vec<RuntimeStatus> {
        self.runtimes.as_ref().map(Watcher::statuses).unwrap_or_default()
    }

    /// Fills the first polls: the node, its cgroups and its processes as of `begun`.
    fn tell_what_is_there(
        &mut self,
        begun: TimestampNs,
        node: NodeStarted,
        cgroups: Vec<CgroupEvent>,
        decoder: &Decoder,
    ) -> Result<(), SensorError> {
        let mut list = Vec::new();
        let mut reader = self.t0.list().map_err(SensorError::Unusable)?;
        reader.read_to_end(&mut list).map_err(SensorError::List)?;
        let mut listed = processes::decode(&list, decoder, self.clock.unix());
        for _ in 0..BOOTSTRAP_ROUNDS_MAX {
            if self.rings.drain(&mut self.order, &self.clock) {
                break;
            }
        }
        processes::without_seen_live(&mut listed, self.order.held());
        let is_initial_namespace = self.is_initial_namespace();
        let told = &mut self.waiting;
        told.push(unnumbered(&mut self.numbers, begun, EventKind::NodeStarted(Box::new(node))));
        for cgroup in cgroups {
            told.push(unnumbered(&mut self.numbers, begun, EventKind::Cgroup(cgroup)));
        }
        for mut event in listed {
            event.id = self.numbers.next();
            event.time = begun;
            if is_initial_namespace {
                processes::add_arguments(&mut event);
            }
            told.push(event);
        }
        Ok(())
    }

    /// Has stacks told from now on, where this machine's `/proc` can tell what they mean.
    fn tell_stacks(&self, is_wanted: bool) -> Result<(), SensorError> {
        let has_stacks = u32::from(is_wanted && self.is_initial_namespace());
        let config = self.t0.configuration().map_err(SensorError::Unusable)?;
        let config = Config { has_stacks, ..config };
        self.t0.configure(&config).map_err(SensorError::Unusable)
    }

    /// Whether pids in `/proc` are those of the kernel's records.
    fn is_initial_namespace(&self) -> bool {
        self.t0.configuration().is_ok_and(|config| config.own_tgid == std::process::id())
    }
}

fn configure(t0: &T0, hierarchy: &Hierarchy, settings: &Settings) -> Result<(), SensorError> {
    let cgroup_hierarchy = match hierarchy.controller {
        None => CGROUP_VERSION_2,
        Some(Controller::Memory) => CGROUP_MEMORY,
        Some(Controller::Pids) => CGROUP_PIDS,
    };
    let is_own_reported = u32::from(settings.is_self_reported);
    let config = Config { is_own_reported, cgroup_hierarchy, ..Config::default() };
    t0.configure(&config).map_err(SensorError::Unusable)?;
    // Reading the start of the list tells the programs who the sensor is.
    let mut list = t0.list().map_err(SensorError::Unusable)?;
    list.read(&mut [0]).map_err(SensorError::List)?;
    Ok(())
}

fn losses(t0: &T0, first_number: u64) -> Result<Losses, libbpf_rs::Error> {
    let losses = Losses::new(t0.map("counts")?);
    losses.begin_at(first_number, libbpf_rs::num_possible_cpus()?)?;
    Ok(losses)
}

fn rings(t0: &T0, settings: &Settings, decoder: Decoder) -> Result<Rings, SensorError> {
    let map = |name: &str, given_bytes: u32| {
        let handle = t0.map(name).map_err(SensorError::Unusable)?;
        let fd = tier::descriptor(&handle).map_err(SensorError::Ring)?;
        let size = usize::try_from(given_bytes).unwrap_or(usize::MAX);
        Ring::map(fd, size).map_err(|errno| SensorError::Ring(errno.into()))
    };
    let priority = map("ring_priority", settings.priority_ring_bytes)?;
    let bulk = map("ring_bulk", settings.bulk_ring_bytes)?;
    let stream = map("ring_stream", settings.stream_ring_bytes)?;
    let http = Assembler::new(settings.http.clone().unwrap_or_default());
    let sleeping = t0.map("sleeping").map_err(SensorError::Unusable)?;
    Ok(Rings::new(Ends { priority, bulk, stream }, sleeping, decoder, http))
}

fn unnumbered(numbers: &mut Numbers, time: TimestampNs, kind: EventKind) -> Event {
    let id = numbers.next();
    Event { id, time, arrived: time, event_type: EventType::Other, actor: None, kind }
}

fn add<const N: usize>(sum: &mut [u64; N], part: &[u64; N]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part;
    }
}

fn duration_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
