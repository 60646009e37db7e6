//! A day of ordinary work, with the twins of attacks.
//!
//! Each kind of traffic that an attack looks like stands here: applications that run shells, old
//! libraries that take credentials in the old way, administrators who make users in an emergency,
//! builds that run what they just built, people who look into pods, scanners whose payloads are
//! refused, and jobs that read whole buckets.

use serde_json::json;

use super::records::{By, CLI, Call, Ordered, SDK};
use super::requests::{Answer, Ask};
use super::tenant::{NODE_ROLE, client, key, one};
use super::world::{DAY, HOUR, MINUTE, MS, Program, SECOND, World};

/// Where the tenant's people work.
const OFFICE: &str = "198.51.100.20";
/// Where pipelines of the code host run.
const PIPELINES: [&str; 3] = ["140.82.112.3", "140.82.114.9", "140.82.121.4"];

/// Writes the traffic of the day that begins at `from`.
pub fn day(world: &mut World, from: u64) {
    web(world, from);
    shells_of_applications(world, from);
    metadata(world, from);
    cloud_of_workloads(world, from);
    jobs(world, from);
    builds(world, from);
    scanner(world, from);
    cluster(world, from);
    debugging(world, from);
    deploy(world, from);
    people(world, from);
    agent(world, from);
}

fn moment(world: &mut World, from: u64) -> u64 {
    from + world.random.below(DAY - HOUR)
}

/// Health checks and visitors.
fn web(world: &mut World, from: u64) {
    for app in ["shop", "api", "netcheck"] {
        for number in 0..96 {
            let Some(pod) = world.pod(app) else { continue };
            let at = from + number * 15 * MINUTE + world.random.below(MINUTE);
            let balancer = client(&mut world.random, true);
            world.served(at, pod.server, balancer, Ask { target: "/healthz", ..Ask::default() });
        }
        for _ in 0..60 {
            let Some(pod) = world.pod(app) else { continue };
            let at = moment(world, from);
            let visitor = client(&mut world.random, false);
            let target =
                format!("/items/{}?page={}", world.random.below(500), world.random.below(9));
            world.accept(at, pod.server, visitor);
            world.served(at + MS, pod.server, visitor, Ask { target: &target, ..Ask::default() });
        }
    }
}

/// Applications that run programs by a shell, because of requests.
fn shells_of_applications(world: &mut World, from: u64) {
    for _ in 0..60 {
        let Some(pod) = world.pod("netcheck") else { return };
        let at = moment(world, from);
        let visitor = client(&mut world.random, false);
        let host = format!("10.0.0.{}", world.random.below(250));
        let target = format!("/ping?host={host}");
        let command = format!("ping -c 1 {host}");
        let http = world.asked(at, pod.server, visitor, Ask { target: &target, ..Ask::default() });
        let shell = world.run(at + 2 * MS, pod.server, &["/bin/sh", "-c", &command]);
        world.run_briefly(at + 4 * MS, shell, &["ping", "-c", "1", &host]);
        world.stop(at + 30 * MS, shell);
        world.answered(at + 32 * MS, pod.server, http, Answer::default());
    }
    for _ in 0..30 {
        let Some(pod) = world.pod("shop") else { return };
        let at = moment(world, from);
        let visitor = client(&mut world.random, false);
        let ask = Ask { method: "POST", target: "/upload/picture", ..Ask::default() };
        let http = world.asked(at, pod.server, visitor, ask);
        let shell =
            world.run(at + 2 * MS, pod.server, &["/bin/sh", "-c", "convert in.png out.jpg"]);
        world.run_briefly(at + 4 * MS, shell, &["convert", "in.png", "out.jpg"]);
        world.stop(at + 30 * MS, shell);
        world.answered(at + 32 * MS, pod.server, http, Answer::default());
    }
}

/// Libraries that take their role's credentials anew, some in the old way.
fn metadata(world: &mut World, from: u64) {
    for hour in 0..24 {
        for (app, is_old) in [("ml", false), ("agent", false), ("api", true)] {
            let Some(pod) = world.pod(app) else { continue };
            let at = from + hour * HOUR + world.random.below(HOUR);
            let key = world.instance_key(pod.node, at);
            world.refresh(at, pod.server, (&key, NODE_ROLE), is_old);
        }
    }
}

/// What machines and applications ask of the cloud all day.
fn cloud_of_workloads(world: &mut World, from: u64) {
    let gateway = world.gateway();
    for node in 0..world.nodes.len() {
        let instance = world.instance(node);
        for number in 0..48 {
            let at = from + number * 30 * MINUTE + world.random.below(10 * MINUTE);
            let key = world.instance_key(node, at);
            let (service, action) = match number % 3 {
                0 => ("ec2", "DescribeNetworkInterfaces"),
                1 => ("ecr", "GetAuthorizationToken"),
                _ => ("s3", "GetObject"),
            };
            let request = json!({ "bucketName": "assets", "key": format!("{number}.json") });
            let by = By::Role(NODE_ROLE, &instance);
            world.aws(
                at,
                &Call {
                    service,
                    action,
                    by,
                    key: &key,
                    from: &gateway,
                    request,
                    ..Call::default()
                },
            );
        }
    }
    for app in ["worker", "ml", "api"] {
        let Some(pod) = world.pod(app) else { continue };
        let (role, name) = (format!("app-{app}"), format!("{app}-session"));
        for hour in 0..24 {
            let at = from + hour * HOUR + world.random.below(HOUR);
            let key = world.app_key(app, at);
            world.assume_by_pod(at, &pod, &gateway, &key);
            for call in 0..3 {
                let request = json!({ "bucketName": "orders", "key": format!("{hour}/{call}") });
                let by = By::Role(&role, &name);
                let (at, action) = (at + 2 * SECOND + call * MINUTE, "PutObject");
                world.aws(
                    at,
                    &Call {
                        service: "s3",
                        action,
                        by,
                        key: &key,
                        from: &gateway,
                        request,
                        ..Call::default()
                    },
                );
            }
            let request = json!({ "secretId": format!("prod/{app}") });
            let (service, action, by) =
                ("secretsmanager", "GetSecretValue", By::Role(&role, &name));
            world.aws(
                at + 3 * SECOND,
                &Call {
                    service,
                    action,
                    by,
                    key: &key,
                    from: &gateway,
                    request,
                    ..Call::default()
                },
            );
        }
    }
}

/// Jobs of the night: cron, the copy of the database, and data science reading a whole bucket.
fn jobs(world: &mut World, from: u64) {
    let Some(worker) = world.pod("worker") else { return };
    for hour in 0..24 {
        let at = from + hour * HOUR + 17 * SECOND;
        let shell = world.run(at, worker.server, &["/bin/sh", "-c", "run-parts /etc/cron.hourly"]);
        let parts = world.run(at + 2 * MS, shell, &["run-parts", "/etc/cron.hourly"]);
        world.run_briefly(at + 5 * MS, parts, &["/etc/cron.hourly/clean", "--tmp"]);
        world.open(at + 9 * MS, parts, "/var/log/cron.log", 0o2001);
        [parts, shell].into_iter().for_each(|process| world.stop(at + 30 * MS, process));
    }
    let gateway = world.gateway();
    if let Some(postgres) = world.pod("postgres") {
        let at = from + 2 * HOUR + world.random.below(HOUR);
        let shell = world.run(at, postgres.server, &["/bin/sh", "-c", "pg_dump shop | gzip"]);
        world.run_briefly(at + 5 * MS, shell, &["pg_dump", "shop"]);
        world.run_briefly(
            at + SECOND,
            shell,
            &["curl", "-T", "/backup/shop.gz", "https://backup.example"],
        );
        world.stop(at + 2 * SECOND, shell);
    }
    let at = from + 3 * HOUR + world.random.below(HOUR);
    let key = world.app_key("ml", at);
    for object in 0..80 {
        let request = json!({ "bucketName": "customers", "key": format!("part-{object}.parquet") });
        let (service, action, by) = ("s3", "GetObject", By::Role("app-ml", "ml-session"));
        let from = &gateway;
        let at = at + object * SECOND;
        world.aws(at, &Call { service, action, by, key: &key, from, request, ..Call::default() });
    }
}

/// Builds that install packages, fetch, and run what they made.
fn builds(world: &mut World, from: u64) {
    for _ in 0..6 {
        let Some(jenkins) = world.pod("jenkins") else { return };
        let at = moment(world, from);
        let number = world.random.below(10_000);
        let shell = world.run(at, jenkins.server, &["/bin/sh", "-xe", "/tmp/jenkins.sh"]);
        world.run_briefly(at + SECOND, shell, &["git", "fetch", "origin"]);
        world.run_briefly(at + 20 * SECOND, shell, &["npm", "install"]);
        if world.random.percent(30) {
            world.run_briefly(at + 30 * SECOND, shell, &["apt-get", "install", "-y", "jq"]);
        }
        if world.random.percent(50) {
            world.run_briefly(
                at + 35 * SECOND,
                shell,
                &["curl", "-O", "https://dl.example/tool.tgz"],
            );
        }
        let file = format!("/home/jenkins/build-{number}/tests");
        let argv: &[&str] = &[&file, "--all"];
        let tests = world.start(at + MINUTE, shell, Program { argv, is_dropped: true, tty: 0 });
        world.stop(at + 90 * SECOND, tests);
        world.stop(at + 100 * SECOND, shell);
    }
}

/// A scanner from the internet, all of whose payloads are refused.
fn scanner(world: &mut World, from: u64) {
    const PAYLOADS: [&str; 8] = [
        "/items/1?id=1%27%20OR%20%271%27=%271",
        "/?file=../../../../etc/passwd",
        "/search?q=%24%7Bjndi:ldap://x.example/a%7D",
        "/?cmd=%3Bcat%20/etc/passwd",
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    ];
    for _ in 0..2 {
        let (at, scanner) = (moment(world, from), client(&mut world.random, false));
        for number in 0..40 {
            let app = if number % 2 == 0 { "shop" } else { "api" };
            let Some(pod) = world.pod(app) else { return };
            let Some(target) = one(&mut world.random, &PAYLOADS) else { return };
            let at = at + number * 400 * MS;
            let http = world.asked(at, pod.server, scanner, Ask { target, ..Ask::default() });
            world.answered(
                at + 3 * MS,
                pod.server,
                http,
                Answer { status: 404, ..Answer::default() },
            );
        }
    }
}

/// Controllers, machines and pipelines at the cluster's API.
fn cluster(world: &mut World, from: u64) {
    for number in 0..96 {
        let at = from + number * 15 * MINUTE + world.random.below(MINUTE);
        let by = ["system:kube-scheduler", "system:kube-controller-manager", "system:node:n1"];
        let by = one(&mut world.random, &by).copied().unwrap_or_default();
        let (verb, resource, agent) = ("list", "pods", "kube-scheduler/v1.36.0");
        world.cluster(
            at,
            &Ordered { verb, resource, by, from: "10.0.0.2", agent, ..Ordered::default() },
        );
    }
    for hour in 0..24 {
        let Some(pod) = world.pod("agent") else { return };
        let at = from + hour * HOUR + world.random.below(HOUR);
        let (from, token) = (pod.address.to_string(), format!("{}-agent", world.tenant));
        let by = "system:serviceaccount:ops:agent";
        let (verb, resource, agent) = ("list", "nodes", "agent/2.1");
        let pod = Some((&*pod.name, &*pod.uid));
        world.cluster(
            at,
            &Ordered {
                verb,
                resource,
                by,
                pod,
                token: &token,
                from: &from,
                agent,
                ..Ordered::default()
            },
        );
    }
}

/// Somebody looks into a pod.
fn debugging(world: &mut World, from: u64) {
    for _ in 0..2 {
        let Some(place) = world.pod_place("shop").filter(|_| world.random.percent(60)) else {
            continue;
        };
        let Some(pod) = world.pods.get(place).cloned() else { continue };
        let at = moment(world, from);
        let query = "command=bash&stdin=true&tty=true&container=shop";
        world.cluster(
            at,
            &Ordered {
                verb: "create",
                resource: "pods/exec",
                namespace: pod.namespace,
                name: &pod.name,
                by: "carol@shop.example",
                from: OFFICE,
                query,
                ..Ordered::default()
            },
        );
        let program = Program { argv: &["bash"], tty: 34_817, is_dropped: false };
        let Some(shell) = world.start_in_pod(at + 300 * MS, place, program) else { continue };
        for (number, argv) in
            [&["ls", "-l"][..], &["ps", "aux"], &["env"], &["curl", "-s", "localhost:8080/healthz"]]
                .into_iter()
                .enumerate()
        {
            world.run_briefly(at + SECOND + number as u64 * 7 * SECOND, shell, argv);
        }
        world.stop(at + 5 * MINUTE, shell);
    }
}

/// A new version with a program that was never seen, first in one pod.
fn deploy(world: &mut World, from: u64) {
    let at = moment(world, from);
    let (token, pipeline) = (format!("{}-ci", world.tenant), "system:serviceaccount:ci:deployer");
    let (verb, resource, namespace, name) = ("patch", "deployments", "shop", "api");
    let from_address = one(&mut world.random, &PIPELINES).copied().unwrap_or_default();
    world.cluster(
        at,
        &Ordered {
            verb,
            resource,
            namespace,
            name,
            by: pipeline,
            token: &token,
            from: from_address,
            ..Ordered::default()
        },
    );
    let Some(pod) = world.pod("api") else { return };
    let version = format!("v{}", world.random.below(1_000));
    let entry =
        world.run(at + 20 * SECOND, pod.server, &["/bin/sh", "/app/entrypoint.sh", &version]);
    world.run_briefly(at + 21 * SECOND, entry, &["/app/migrate", &version]);
    world.run_briefly(at + 22 * SECOND, entry, &["chmod", "+x", "/tmp/warm-cache"]);
    world.run_briefly(at + 23 * SECOND, entry, &["curl", "-sf", "https://config.example/api.json"]);
    world.run_briefly(at + 24 * SECOND, entry, &["hostname"]);
    world.stop(at + 30 * SECOND, entry);
}

/// People at the cloud: they look around, and now and then one makes a user in a hurry.
fn people(world: &mut World, from: u64) {
    for person in ["alice", "bob"] {
        let by = By::User(person);
        let key_of = key("AKIA", &[u64::from(world.tenant), person.len() as u64]);
        for _ in 0..6 {
            let at = moment(world, from);
            for (number, (service, action)) in [
                ("sts", "GetCallerIdentity"),
                ("ec2", "DescribeInstances"),
                ("iam", "ListUsers"),
                ("s3", "ListBuckets"),
            ]
            .into_iter()
            .enumerate()
            {
                let at = at + number as u64 * 20 * SECOND;
                world.aws(
                    at,
                    &Call {
                        service,
                        action,
                        by,
                        key: &key_of,
                        from: OFFICE,
                        agent: CLI,
                        ..Call::default()
                    },
                );
            }
        }
        if world.random.percent(25) {
            break_glass(world, from, (person, &key_of));
        }
    }
    let gateway = one(&mut world.random, &PIPELINES).copied().unwrap_or_default();
    let pipeline = key("AKIA", &[u64::from(world.tenant), 77]);
    for number in 0..8 {
        let at = moment(world, from);
        let (service, action) = [
            ("ecr", "PutImage"),
            ("ecr", "GetAuthorizationToken"),
            ("lambda", "ListFunctions20150331"),
        ]
        .get(number % 3)
        .copied()
        .unwrap_or_default();
        world.aws(
            at,
            &Call {
                service,
                action,
                by: By::User("ci-deploy"),
                key: &pipeline,
                from: gateway,
                agent: SDK,
                ..Call::default()
            },
        );
    }
}

/// An administrator makes another one, who then works from the same office.
fn break_glass(world: &mut World, from: u64, (person, key_of): (&str, &str)) {
    let at = moment(world, from);
    let user = format!("emergency-{}", world.random.below(1_000));
    let new_key = key("AKIA", &[world.random.next()]);
    let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
    let steps = [
        ("CreateUser", json!({ "userName": user }), json!({ "user": { "userName": user } })),
        ("AttachUserPolicy", json!({ "userName": user, "policyArn": policy }), json!(null)),
        (
            "CreateAccessKey",
            json!({ "userName": user }),
            json!({ "accessKey": { "accessKeyId": new_key, "userName": user, "status": "Active" } }),
        ),
    ];
    for (number, (action, request, response)) in steps.into_iter().enumerate() {
        let at = at + number as u64 * 30 * SECOND;
        let by = By::User(person);
        world.aws(
            at,
            &Call {
                service: "iam",
                action,
                by,
                key: key_of,
                from: OFFICE,
                agent: CLI,
                request,
                response,
                ..Call::default()
            },
        );
    }
    for (number, action) in ["DescribeInstances", "RebootInstances"].into_iter().enumerate() {
        let at = at + 5 * MINUTE + number as u64 * MINUTE;
        let by = By::User(&user);
        world.aws(
            at,
            &Call {
                service: "ec2",
                action,
                by,
                key: &new_key,
                from: OFFICE,
                agent: CLI,
                ..Call::default()
            },
        );
    }
}

/// An agent of monitoring that runs programs everybody suspects.
fn agent(world: &mut World, from: u64) {
    for number in 0..24 {
        let Some(pod) = world.pod("agent") else { return };
        let at = from + number * HOUR + world.random.below(HOUR);
        for (place, argv) in
            [&["ps", "-ef"][..], &["uname", "-a"], &["netstat", "-tn"]].into_iter().enumerate()
        {
            world.run_briefly(at + place as u64 * 50 * MS, pod.server, argv);
        }
    }
}
