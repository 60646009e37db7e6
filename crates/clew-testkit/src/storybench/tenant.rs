//! What every tenant has: three machines of a cluster, its applications, its people and its keys.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::random::Random;
use super::records::{By, Call, session};
use super::world::{HOUR, Pod, START, World};

/// Applications, with their first process. Several pods of one stand beside each other.
pub const APPS: [(&str, &str, &[&str]); 10] = [
    ("shop", "shop", &["/usr/sbin/php-fpm"]),
    ("shop", "shop", &["/usr/sbin/php-fpm"]),
    ("shop", "api", &["/usr/local/bin/gunicorn", "app:app"]),
    ("shop", "api", &["/usr/local/bin/gunicorn", "app:app"]),
    ("ops", "netcheck", &["/app/netcheck", "--port", "8080"]),
    ("ops", "worker", &["/usr/sbin/cron", "-f"]),
    ("data", "ml", &["/usr/bin/python3", "train.py"]),
    ("ci", "jenkins", &["/usr/bin/java", "-jar", "jenkins.war"]),
    ("shop", "postgres", &["/usr/lib/postgresql/bin/postgres"]),
    ("ops", "agent", &["/opt/agent/agent", "--collect"]),
];

/// Role of the machines.
pub const NODE_ROLE: &str = "eks-node";
/// How long a credential of a role stays the same.
const KEY_SPAN: u64 = 6 * HOUR;

/// A tenant with everything up, before its first day.
#[must_use]
pub fn tenant(number: u32, seed: u64) -> World {
    let mut world = World::new(number, seed);
    let nodes: Vec<usize> = (0..3).map(|_| world.add_node()).collect();
    for (place, (namespace, app, argv)) in APPS.into_iter().enumerate() {
        let node = nodes.get(place % nodes.len()).copied().unwrap_or_default();
        world.add_pod(START, node, (namespace, app), argv);
    }
    world
}

impl World {
    /// One of the pods of an application.
    pub fn pod(&mut self, app: &str) -> Option<Pod> {
        let place = self.pod_place(app)?;
        self.pods.get(place).cloned()
    }

    /// The place of one of the pods of an application.
    pub fn pod_place(&mut self, app: &str) -> Option<usize> {
        let found = self.pods.iter().enumerate().filter(|(_, pod)| pod.app == app);
        let found: Vec<usize> = found.map(|(place, _)| place).collect();
        let chosen = usize::try_from(self.random.below(found.len() as u64)).ok()?;
        found.get(chosen).copied()
    }

    /// Id of a machine at the cloud.
    #[must_use]
    pub fn instance(&self, node: usize) -> String {
        self.nodes.get(node).map(|node| node.instance.clone()).unwrap_or_default()
    }

    /// The credential that the metadata service of a machine hands out at that time: the same to
    /// whoever asks.
    #[must_use]
    pub fn instance_key(&self, node: usize, at: u64) -> String {
        key("ASIA", &[u64::from(self.tenant), node as u64, at / KEY_SPAN])
    }

    /// The credential of an application's role at that time.
    #[must_use]
    pub fn app_key(&self, app: &str, at: u64) -> String {
        let app = app.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte));
        key("ASIA", &[u64::from(self.tenant), app, at / KEY_SPAN])
    }

    /// A pod shows its token for the credential of its role.
    pub fn assume_by_pod(&mut self, at: u64, pod: &Pod, from: &str, key: &str) {
        let (account, role) = (self.account(0), format!("app-{}", pod.app));
        let subject = format!("system:serviceaccount:{}:{}", pod.namespace, pod.app);
        let role_arn = format!("arn:aws:iam::{account}:role/{role}");
        let name = format!("{}-session", pod.app);
        self.aws(
            at,
            &Call {
                action: "AssumeRoleWithWebIdentity",
                by: By::Web(&subject),
                from,
                request: serde_json::json!({ "roleArn": role_arn, "roleSessionName": name }),
                response: session(&account, (&role, &name), key),
                ..Call::default()
            },
        );
    }
}

/// A public id of a key, always the same for the same parts.
#[must_use]
pub fn key(prefix: &str, parts: &[u64]) -> String {
    let mixed = parts.iter().fold(0x51_u64, |sum, part| Random::new(sum ^ part).next());
    format!("{prefix}{mixed:016X}")
}

/// Somebody on the internet, or with `inside` the load balancer.
pub fn client(random: &mut Random, inside: bool) -> SocketAddr {
    let [.., a, b] = random.next().to_be_bytes();
    let address = match inside {
        true => Ipv4Addr::new(10, 255, 0, 1 + a % 4),
        false => Ipv4Addr::new(93, 184, a, b),
    };
    SocketAddr::new(IpAddr::V4(address), 40_000 + u16::from(b))
}

/// One of a list.
pub fn one<'a, T>(random: &mut Random, list: &'a [T]) -> Option<&'a T> {
    list.get(usize::try_from(random.below(list.len() as u64)).unwrap_or_default())
}
