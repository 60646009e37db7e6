//! The page itself: complete, without markup made from text, and drawn by a real browser.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may panic and speak, in its helpers too"
)]

mod client;
mod fixture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clew_server::ServerHandle;
use client::{DEADLINE, filled_store, get, serve};
use fixture::small::HOSTILE_NAME;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web")
}

/// Name and text of every file of the page.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(web())
        .expect("the page's folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_of_the_page_is_served_with_its_type() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    for (name, text) in files() {
        let path = if name == "index.html" { "/".to_owned() } else { format!("/assets/{name}") };
        let answer = get(&server, &path);
        assert_eq!((answer.status, answer.body.as_str()), (200, text.as_str()), "{name}");
        let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
    }
    Ok(())
}

#[test]
fn the_page_makes_no_markup_from_text_and_needs_nothing_from_elsewhere() {
    const FORBIDDEN: &[&str] = &[
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
        "createContextualFragment",
        "srcdoc",
        "javascript:",
        "https://",
        "@import",
    ];
    for (name, text) in files() {
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{name} has `{word}`");
        }
        let foreign = text.matches("http://").count() - text.matches("http://www.w3.org").count();
        assert_eq!(foreign, 0, "{name} asks another server");
    }
    let page = fs::read_to_string(web().join("index.html")).expect("the page");
    assert!(!page.contains("<style") && !page.contains(" style="), "styles come from files");
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script type=\"module\" src=").count()
    );
}

#[test]
fn hostile_names_are_served_as_json_and_nothing_else() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let hostile = fixture::small::hostile();
    let answer = get(&server, &format!("/api/stories/{}", hostile.story.id));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(!answer.body.contains('\u{1b}'), "control characters are escaped");
    assert_eq!(answer.json()["title"], HOSTILE_NAME);
    Ok(())
}

/// The browser to test with, or why there is none.
fn browser() -> Option<PathBuf> {
    let places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = places.iter().map(PathBuf::from).find(|place| place.exists());
    if found.is_none() {
        eprintln!("SKIPPED: no chromium in {places:?}, so no browser has drawn the page");
    }
    found
}

/// What the browser made of the page at `address`, as markup.
fn drawn(browser: &Path, server: &ServerHandle, address: &str) -> String {
    let profile = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("{}{address}", server.url()))
        .stdout(fs::File::create(profile.path().join("dom")).expect("a file"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the browser starts");
    let deadline = Instant::now() + DEADLINE * 3;
    while child.try_wait().expect("a child").is_none() {
        if deadline < Instant::now() {
            child.kill().expect("a child");
            panic!("the browser did not end before the deadline");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    fs::read_to_string(profile.path().join("dom")).expect("text")
}

#[test]
fn a_browser_draws_the_list() -> Outcome {
    let Some(browser) = browser() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let dom = drawn(&browser, &server, "?still#/");
    assert_eq!(dom.matches("class=\"story-row").count(), 5, "{dom}");
    assert!(dom.contains("Web shell in shop-status ran a dropped binary"), "{dom}");
    let shown = "&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\u{202e}gnp.exe";
    assert!(dom.contains(shown), "hostile names are shown escaped");
    assert!(!dom.contains("<img src=\"x\""), "and make no element");
    Ok(())
}

#[test]
fn a_browser_draws_a_story_with_graph_timeline_and_evidence() -> Outcome {
    let Some(browser) = browser() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let story = fixture::shop::attack().story;
    let dom = drawn(&browser, &server, &format!("?still#/story/{}/step/4", story.id));
    let count = |needle: &str| dom.matches(needle).count();
    assert_eq!(count("class=\"node "), story.processes.len(), "{dom}");
    assert_eq!(count("class=\"mark\""), story.steps.len());
    assert_eq!(count("class=\"step-open\""), story.steps.len());
    assert_eq!(count("is-dropped"), 1, "the dropped binary is marked");
    assert!(dom.contains("Why this is one attack"), "the narrative is told");
    assert!(dom.contains("class=\"raw\""), "the raw event is in the drawer");
    Ok(())
}

#[test]
fn a_browser_shows_hostile_names_of_a_story_escaped() -> Outcome {
    let Some(browser) = browser() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let story = fixture::small::hostile().story;
    let dom = drawn(&browser, &server, &format!("?still#/story/{}", story.id));
    assert!(dom.contains("\\x1b[31m\\u{202e}gnp.exe"), "{dom}");
    assert!(!dom.contains("<img src=\"x\"") && !dom.contains("<script>alert"), "{dom}");
    assert!(!dom.contains('\u{202e}') && !dom.contains('\u{1b}'), "nothing turns the text");
    Ok(())
}
