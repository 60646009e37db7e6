//! The evasion suite, live: three deeds hidden in many ways, none of which may pass unseen and
//! unadmitted.
//!
//! A binary of its own: cargo runs test binaries one after another, so it never meets the lab's
//! other scenarios, which take down every container of the lab when they end.

use std::path::Path;
use std::process::Command;

fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Why the lab cannot run here, if it cannot.
fn hindrance() -> Option<&'static str> {
    if !clew_sensor::is_root() {
        return Some("it needs root");
    }
    if !answers("docker", &["info"]) {
        return Some("it needs a Docker daemon; `scripts/setup test` installs and starts one");
    }
    None
}

#[test]
fn every_evasion_is_seen_or_named_as_a_blind_spot() {
    if let Some(reason) = hindrance() {
        eprintln!("SKIPPED: the evasion suite: {reason}");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/evasion/verify");
    let verify = Command::new(script)
        .args(["--clew", env!("CARGO_BIN_EXE_clew")])
        .env("CLEW_LISTEN", "127.0.0.1:7378")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&verify.stdout);
    assert!(verify.status.success(), "{told}\n{}", String::from_utf8_lossy(&verify.stderr));
    assert!(told.matches(" truth").count() >= 20, "{told}");
    assert_eq!(told.matches("MISSED").count(), 0, "{told}");
}
