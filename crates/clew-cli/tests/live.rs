//! The whole thread, live: real behavior in real containers, seen by `clew run`.
//!
//! `lab/scenario netcheck` fails unless there is exactly one story and it is whole; the tape it recorded is
//! then replayed without any privilege. `lab/behaviors/verify` performs what each stable Falco
//! rule and some incubating and sandbox ones are about, and near misses, under those rule files
//! unchanged. `lab/requests/verify` attacks web applications in six runtimes and their twins without
//! the holes. The other scenarios are played one after the other, and their tapes judged again.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// The lab's containers are of the whole machine: one scenario at a time.
static LAB: Mutex<()> = Mutex::new(());

/// Of 142 behaviors one needs a privileged container and one an answer of a name server. Without
/// this floor a machine where no container starts would prove every rule.
const CASES_OK_MIN: usize = 140;

/// Each attack on each application, one story of each, and none of each twin.
const ATTACKS_OK_MIN: usize = 45;

/// `nobody` of Debian: has no privilege.
const UNPRIVILEGED_UID: u32 = 65534;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Why the lab cannot run here, if it cannot.
fn hindrance() -> Option<&'static str> {
    let answers = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !clew_sensor::is_root() {
        return Some("it needs root");
    }
    if !answers("docker", &["info"]) {
        return Some("it needs a Docker daemon; `scripts/setup test` installs and starts one");
    }
    None
}

/// Says so where a script could not make its images, because they come from a mirror of Debian.
#[allow(clippy::print_stderr, reason = "what is skipped has to be seen")]
fn is_without_mirror(script: &Output, what: &str) -> bool {
    /// What `lab/images/build` exits with then.
    const NO_MIRROR: i32 = 4;
    let is_so = script.status.code() == Some(NO_MIRROR);
    if is_so {
        let told = String::from_utf8_lossy(&script.stderr);
        eprintln!("SKIPPED: {what}: {}", told.lines().last().unwrap_or_default());
    }
    is_so
}

fn replay(tape: &Path, arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_clew"))
        .arg("replay")
        .args(arguments)
        .arg(tape)
        .uid(UNPRIVILEGED_UID)
        .output()
}

fn run(name: &str, arguments: &[&OsStr]) -> Output {
    Command::new(repository().join("lab/scenario"))
        .args([name, "--clew", env!("CARGO_BIN_EXE_clew")])
        .args(arguments)
        .env("CLEW_LISTEN", "127.0.0.1:7374")
        .output()
        .unwrap()
}

/// Plays a scenario, which has to be told as expected; gives its tape, which anybody may read, and
/// what was said. `None` where its images cannot be made.
fn play(name: &str, folder: &Path) -> Option<(PathBuf, String)> {
    let tape = folder.join("tape");
    let played = run(name, &["--record".as_ref(), tape.as_ref()]);
    if is_without_mirror(&played, name) {
        return None;
    }
    let told = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(played.status.success(), "{told}\n{}", String::from_utf8_lossy(&played.stderr));
    make_readable(folder, &tape).unwrap();
    Some((tape, told))
}

#[test]
fn an_attack_in_a_container_becomes_one_story_that_replays_without_privilege() {
    if let Some(reason) = hindrance() {
        eprintln!("SKIPPED: the demo: {reason}");
        return;
    }
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let Some((tape, told)) = play("netcheck", folder.path()) else { return };
    let first = replay(&tape, &[]).unwrap();
    let second = replay(&tape, &[]).unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(first.stdout, second.stdout, "two replays of one tape differ");
    let lines = String::from_utf8(replay(&tape, &["--json"]).unwrap().stdout).unwrap();
    let stories: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["type"] == "story")
        .collect();
    let narrative = stories.last().unwrap()["narrative"].as_str().unwrap();
    let shown = narrative.lines().next().unwrap();
    assert!(told.contains(shown), "replay tells another story than live:\n{narrative}\n{told}");
}

const SCENARIOS: [&str; 7] =
    ["ssrf", "ci-key", "webshell", "runtime-socket", "exec-token", "miner", "ransom"];

#[test]
fn each_scenario_is_told_as_its_page_expects_live_and_again_from_its_tape() {
    if let Some(reason) = hindrance() {
        eprintln!("SKIPPED: the scenarios: {reason}");
        return;
    }
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for name in SCENARIOS {
        let state = tempfile::tempdir().unwrap();
        let Some((tape, _)) = play(name, state.path()) else { return };
        let (is_as_expected, report) = judge_again(name, name, state.path(), &tape);
        assert!(is_as_expected, "from the tape of {name}:\n{report}");
        let other = if name == "ssrf" { "webshell" } else { "ssrf" };
        let (is_as_expected, report) = judge_again(name, other, state.path(), &tape);
        assert!(!is_as_expected, "{name} is told as another:\n{report}");
    }
}

/// What the lab's judge says of a tape of one scenario by the page of another.
fn judge_again(name: &str, page: &str, state: &Path, tape: &Path) -> (bool, String) {
    let judge = repository().join("lab/judge");
    let lines = replay(tape, &["--json"]).unwrap();
    assert!(lines.status.success(), "{name}: {}", String::from_utf8_lossy(&lines.stderr));
    let text = String::from_utf8(lines.stdout).unwrap();
    // When a line came is of no account here, yet each has to say.
    let stamped = text.replace("{\"type\":", "{\"at\":0,\"type\":");
    std::fs::write(state.join("lines"), stamped).unwrap();
    std::fs::write(state.join("marks"), "begun 0\n").unwrap();
    let page = repository().join("lab/scenarios").join(page).join("scenario.md");
    let told = Command::new(judge).arg("verdict").arg(page).arg(state).arg("--text").output();
    let told = told.unwrap();
    (told.status.success(), String::from_utf8_lossy(&told.stdout).into_owned())
}

#[test]
fn each_falco_rule_fires_on_its_behavior_and_on_no_near_miss() {
    let shared = std::env::var_os("CLEW_SHARED").map_or(repository().join("../shared"), Into::into);
    let rules = ["falco_rules", "falco-incubating_rules", "falco-sandbox_rules"]
        .map(|name| shared.join("data/falco-rules").join(name).with_extension("yaml"));
    let is_absent = rules.iter().any(|file| !file.exists());
    let absent = || is_absent.then_some("it needs Falco's rule files in ../shared");
    if let Some(reason) = hindrance().or_else(absent) {
        eprintln!("SKIPPED: the behaviors of Falco's rules: {reason}");
        return;
    }
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let verify = Command::new(repository().join("lab/behaviors/verify"))
        .args(["--clew", env!("CARGO_BIN_EXE_clew")])
        .args(rules.iter().flat_map(|file| [Path::new("--rules"), file.as_path()]))
        .env("CLEW_LISTEN", "127.0.0.1:7376")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&verify.stdout);
    assert!(verify.status.success(), "{told}\n{}", String::from_utf8_lossy(&verify.stderr));
    let ok_count = told.lines().filter(|line| line.starts_with("ok: ")).count();
    assert!(CASES_OK_MIN <= ok_count, "{ok_count} of {CASES_OK_MIN} cases are ok:\n{told}");
}

#[test]
fn each_attack_on_a_web_application_is_proven_by_its_effect_and_its_twin_is_silent() {
    if let Some(reason) = hindrance() {
        eprintln!("SKIPPED: the attacks on web applications: {reason}");
        return;
    }
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let verify = Command::new(repository().join("lab/requests/verify"))
        .args(["--clew", env!("CARGO_BIN_EXE_clew")])
        .env("CLEW_LISTEN", "127.0.0.1:7377")
        .output()
        .unwrap();
    if is_without_mirror(&verify, "the attacks on web applications") {
        return;
    }
    let told = String::from_utf8_lossy(&verify.stdout);
    assert!(verify.status.success(), "{told}\n{}", String::from_utf8_lossy(&verify.stderr));
    let ok_count = told.lines().filter(|line| line.starts_with("ok: ")).count();
    assert!(ATTACKS_OK_MIN <= ok_count, "{ok_count} of {ATTACKS_OK_MIN} are ok:\n{told}");
}

/// The tape and its folder, for everybody: the replay runs as nobody.
fn make_readable(folder: &Path, tape: &Path) -> io::Result<()> {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    set_permissions(folder, Permissions::from_mode(0o755))?;
    set_permissions(tape, Permissions::from_mode(0o644))
}
