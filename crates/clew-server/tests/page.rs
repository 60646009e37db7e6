//! The page itself: complete, without markup made from text, and drawn by a real browser.
#![expect(clippy::expect_used, reason = "a test may panic, in its helpers too")]

mod browser;
mod client;
mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use browser::Browser;
use clew_server::ServerHandle;
use client::{filled_store, get, serve};
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

/// What the browser made of the page at `address` once `condition` holds, as markup.
fn drawn(server: &ServerHandle, address: &str, condition: &str) -> Option<String> {
    let mut page = Browser::open(&format!("{}{address}", server.url()))?;
    page.until(condition);
    let markup = page.value("document.documentElement.outerHTML");
    markup.as_str().map(str::to_owned)
}

#[test]
fn a_browser_draws_the_list() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let rows = "document.querySelectorAll('.story-row').length === 5";
    let Some(dom) = drawn(&server, "#/", rows) else { return Ok(()) };
    assert!(dom.contains("Web shell in shop-status ran a dropped binary"), "{dom}");
    let shown = "&lt;img src=x onerror=alert(1)&gt;\\x1b[31m\\u{202e}gnp.exe";
    assert!(dom.contains(shown), "hostile names are shown escaped");
    assert!(!dom.contains("<img src=\"x\""), "and make no element");
    Ok(())
}

#[test]
fn a_browser_draws_a_story_with_graph_timeline_and_evidence() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let story = fixture::shop::attack().story;
    let address = format!("#/story/{}/step/4", story.id);
    let raw = "document.querySelector('.drawer .raw') !== null";
    let Some(dom) = drawn(&server, &address, raw) else { return Ok(()) };
    let count = |needle: &str| dom.matches(needle).count();
    assert_eq!(count("class=\"node "), story.processes.len(), "{dom}");
    assert_eq!(count("class=\"bead mark\""), story.steps.len());
    assert_eq!(count("class=\"step-open\""), story.steps.len());
    assert_eq!(count("is-dropped"), 1, "the dropped binary is marked");
    assert!(dom.contains("Why this is one attack"), "the narrative is told");
    assert!(dom.contains("Raw event"), "the raw event is in the drawer");
    Ok(())
}

#[test]
fn a_browser_shows_hostile_names_of_a_story_escaped() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let story = fixture::small::hostile().story;
    let step = "document.querySelector('.step') !== null";
    let Some(dom) = drawn(&server, &format!("#/story/{}", story.id), step) else { return Ok(()) };
    assert!(dom.contains("\\x1b[31m\\u{202e}gnp.exe"), "{dom}");
    assert!(!dom.contains("<img src=\"x\"") && !dom.contains("<script>alert"), "{dom}");
    assert!(!dom.contains('\u{202e}') && !dom.contains('\u{1b}'), "nothing turns the text");
    Ok(())
}

#[test]
fn the_page_escapes_exactly_what_the_terminal_escapes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    let ranges = [(0, 0x3000), (0xfe00, 0x1_0000), (0xe_0000, 0xe_0100)];
    for (from, to) in ranges {
        let shown = page.value(&format!(
            "import('/assets/dom.js').then(({{ shown }}) => Array.from({{ length: {to} - {from} }}, \
             (_, index) => shown(String.fromCodePoint({from} + index))))"
        ));
        let shown = shown.as_array().ok_or("a list")?;
        for (code, shown) in (from..to).zip(shown) {
            let Some(character) = char::from_u32(code) else { continue };
            let expected = clew_event::text::escaped(character.to_string().as_bytes());
            assert_eq!(shown.as_str(), Some(expected.as_str()), "U+{code:04X}");
        }
    }
    Ok(())
}

#[test]
fn spans_and_odds_read_as_people_say_them() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    let mut check = |module: &str, call: &str, expected: &str| {
        let value = page.value(&format!("import('/assets/{module}').then((m) => m.{call})"));
        assert_eq!(value, expected, "{call}");
    };
    check("time.js", "duration(165e3)", "165 µs");
    check("time.js", "duration(46e6)", "46 ms");
    check("time.js", "duration(1.8e9)", "1.8 s");
    check("time.js", "duration(59.99e9)", "60.0 s");
    check("time.js", "duration(200e9)", "3 min 20 s");
    check("time.js", "duration(7500e9)", "2 h 5 min");
    check("time.js", "duration(273600e9)", "3 d 4 h");
    check("time.js", "clock(1795546931118214803)", "19:02:11.118");
    check("words.js", "odds(12)", "1 in 4,096");
    check("words.js", "odds(94.2)", "1 in 10²⁸");
    check("words.js", "certainty(10)", "An attack");
    check("words.js", "certainty(9.9)", "Very likely an attack");
    check("words.js", "certainty(3.9)", "Possibly an attack");
    Ok(())
}

#[test]
fn a_raw_record_is_shown_as_it_came() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    let json =
        r#"{"inode":18446744073709551615,"path":"a\u001b \"{[,:]}\"","none":[],"ok":[true,{}]}"#;
    let shown = page.value(&format!(
        "import('/assets/raw.js').then((m) => m.rawView({}).textContent)",
        serde_json::to_string(json)?
    ));
    let shown = shown.as_str().ok_or("text")?;
    assert_eq!(
        shown,
        "{\n  \"inode\": 18446744073709551615,\n  \"path\": \"a\\u001b \\\"{[,:]}\\\"\",\n  \
         \"none\": [],\n  \"ok\": [\n    true,\n    {}\n  ]\n}"
    );
    Ok(())
}
