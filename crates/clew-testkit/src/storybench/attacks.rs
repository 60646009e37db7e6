//! Attacks, step by step, each step with the one that it needed.
//!
//! A template says what is done; the [`Variant`] says how fast, and what of it is seen.

mod cloud;
mod host;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clew_event::{EventId, TimestampNs};

use super::records::{By, CLI, Call};
use super::requests::{Answer, Ask};
use super::tenant::key;
use super::truth::{Attack, AttackId, Step, Variant};
use super::world::{DAY, Layer, MINUTE, MS, Mark, Pod, Process, SECOND, World};

/// A kind of attack.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// About how many steps it has, over which its time is spread.
    steps: u64,
    /// The application that it begins at, where it begins at one.
    app: &'static str,
    /// The layer that is blind in [`Variant::Blind`].
    blind: Layer,
    play: fn(&mut Play<'_>),
}

/// All templates.
pub const TEMPLATES: [Template; 9] = [
    Template {
        name: "ssrf to bucket",
        steps: 9,
        app: "api",
        blind: Layer::Http,
        play: cloud::ssrf_to_bucket,
    },
    Template {
        name: "rce to secrets",
        steps: 7,
        app: "worker",
        blind: Layer::Http,
        play: cloud::rce_to_secrets,
    },
    Template {
        name: "exec to daemonset",
        steps: 6,
        app: "shop",
        blind: Layer::Kernel,
        play: host::exec_to_daemonset,
    },
    Template {
        name: "escape to registry",
        steps: 7,
        app: "shop",
        blind: Layer::Http,
        play: host::escape_to_registry,
    },
    Template {
        name: "leaked pipeline key",
        steps: 6,
        app: "",
        blind: Layer::Kernel,
        play: cloud::leaked_pipeline_key,
    },
    Template { name: "miner", steps: 6, app: "shop", blind: Layer::Http, play: host::miner },
    Template {
        name: "bucket ransom",
        steps: 6,
        app: "",
        blind: Layer::Kernel,
        play: cloud::bucket_ransom,
    },
    Template {
        name: "role chain",
        steps: 6,
        app: "",
        blind: Layer::Kernel,
        play: cloud::role_chain,
    },
    Template {
        name: "web shell",
        steps: 5,
        app: "shop",
        blind: Layer::Http,
        play: host::web_shell,
    },
];

/// An attack that is being made.
#[derive(Debug)]
struct Play<'a> {
    world: &'a mut World,
    id: AttackId,
    /// The attacker's address.
    attacker: Ipv4Addr,
    /// Place of the pod it begins at.
    target: Option<usize>,
    /// What events of it are marked with.
    mark: Mark,
    at: u64,
    gap: u64,
    /// The last event of each step.
    ends: Vec<Option<EventId>>,
}

/// Makes attacks of that kind and variant from `at` on: one, or five where they are interleaved.
pub fn play(
    world: &mut World,
    template: &Template,
    variant: Variant,
    (at, first): (u64, u32),
) -> u32 {
    let span = match variant {
        Variant::Slow => 3 * DAY,
        Variant::Fast => 40 * SECOND,
        _ => 25 * MINUTE,
    };
    let count = if variant == Variant::Interleaved { 5 } else { 1 };
    let target = world.pod_place(template.app);
    for number in 0..count {
        let id = AttackId(first + number);
        let [.., high, low] = id.0.to_be_bytes();
        let attack = Attack {
            id,
            tenant: world.tenant,
            template: template.name,
            variant,
            steps: Vec::new(),
            began: TimestampNs::from_unix_ns(at + u64::from(number) * 4 * MINUTE),
            last_arrived: TimestampNs::default(),
        };
        let blind = (variant == Variant::Blind).then_some(template.blind);
        let is_late = variant == Variant::Late;
        let mut play = Play {
            id,
            // A network of its own: whoever was seen in one is known in it.
            attacker: Ipv4Addr::new(185, low, high, 10),
            target,
            mark: Mark { attack: id, step: 0, cause: None, blind, is_late },
            at: attack.began.unix_ns(),
            gap: span / template.steps,
            ends: Vec::new(),
            world,
        };
        play.world.truths.attacks.insert(id, attack);
        (template.play)(&mut play);
        play.end_step();
        play.world.mark = None;
    }
    count
}

impl Play<'_> {
    /// Begins the next step, some time after the last.
    fn step(&mut self, name: &'static str, parent: Option<usize>) -> usize {
        self.end_step();
        let number = self.ends.len();
        if 0 < number {
            self.at += self.gap / 2 + self.world.random.below(self.gap);
        }
        let cause = parent.and_then(|parent| self.ends.get(parent).copied().flatten());
        self.ends.push(None);
        if let Some(attack) = self.world.truths.attacks.get_mut(&self.id) {
            attack.steps.push(Step { name, parent });
        }
        self.mark = Mark { step: number, cause, ..self.mark };
        self.world.mark = Some(self.mark);
        self.world.last = None;
        number
    }

    fn end_step(&mut self) {
        if let (Some(end), Some(last)) = (self.ends.last_mut(), self.world.last) {
            *end = Some(last);
        }
    }

    /// A moment later.
    fn then(&mut self, span: u64) -> u64 {
        self.at += span;
        self.at
    }

    fn client(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.attacker), 51_000)
    }

    fn target(&self) -> Option<Pod> {
        self.world.pods.get(self.target?).cloned()
    }

    /// A new lasting key, or a temporary one.
    fn key(&self, prefix: &str, number: u64) -> String {
        key(prefix, &[u64::from(self.world.tenant), u64::from(self.id.0), number])
    }

    /// A request in whose handling the server starts a shell, which stays.
    fn exploit(&mut self, pod: &Pod, target: &str, command: &str) -> Process {
        let at = self.then(10 * MS);
        let client = self.client();
        let http = self.world.asked(at, pod.server, client, Ask { target, ..Ask::default() });
        let shell = self.world.run(at + 2 * MS, pod.server, &["/bin/sh", "-c", command]);
        self.world.answered(at + 20 * MS, pod.server, http, Answer::default());
        shell
    }

    /// The shell runs a program.
    fn run(&mut self, shell: Process, argv: &[&str]) -> Process {
        let at = self.then(50 * MS);
        self.world.run_briefly(at, shell, argv)
    }

    /// A call from the attacker's address by a prompt.
    fn call(&mut self, call: &Call<'_>) {
        let at = self.then(SECOND);
        let from = self.attacker.to_string();
        self.world.aws(at, &Call { from: &from, agent: CLI, ..call.clone() });
    }

    /// The first thing that whoever finds a key asks.
    fn who_am_i(&mut self, by: By<'_>, key: &str) {
        self.call(&Call { by, key, ..Call::default() });
    }
}
