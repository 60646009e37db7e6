//! The page in a real browser: it follows what happens, and every part of it can be used.

mod browser;
mod client;
mod fixture;

use browser::Browser;
use clew_event::Story;
use clew_notify::OutputFigures;
use clew_server::{Server, Settings, Status, Update};
use client::{filled_store, serve, settings};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const STEPS: &str = "document.querySelectorAll('.step').length";

#[test]
fn a_new_revision_is_drawn_in_place() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = filled_store(folder.path());
    let server = serve(store.reader()?);
    let story = fixture::shop::attack().story;
    let Some(mut page) = Browser::open(&server.story_url(story.id)) else { return Ok(()) };
    page.until(&format!("{STEPS} === 8"));
    page.value("document.querySelector('[data-focus^=\"step-\"]').click()");
    page.until("document.querySelector('.drawer .raw') !== null");
    let mut later = Story { revision: 9, title: "It went on".to_owned(), ..story };
    later.steps.extend(later.steps.last().cloned());
    store.put_story(&later)?;
    server.publish(Update::of_story(&later));
    page.until(&format!("{STEPS} === 9"));
    assert_eq!(page.value("document.querySelector('h1').textContent"), "It went on");
    assert_eq!(page.value("document.querySelector('.drawer').hidden"), false, "evidence stays");
    Ok(())
}

#[test]
fn a_new_story_and_the_status_appear_by_themselves() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = clew_store::Store::open(folder.path())?;
    let server = serve(store.reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    page.until("document.querySelector('.empty-title') !== null");
    page.until("document.querySelectorAll('#status dd').length === 4");
    let attack = fixture::shop::attack();
    attack.put(&mut store);
    server.publish(Update::of_story(&attack.story));
    page.until("document.querySelectorAll('.story-row').length === 1");
    server.publish(Update::of_finding(&attack.findings[0]));
    page.until("document.querySelector('.latest-rule') !== null");
    server.publish(Update::Status(Status { lost_total: 37, ..Status::default() }));
    page.until("document.querySelector('#status .is-lossy dd')?.textContent === '37'");
    Ok(())
}

#[test]
fn what_an_output_could_not_send_is_shown_with_the_reason() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(clew_store::Store::open(folder.path())?.reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    page.until("document.querySelectorAll('#status dd').length === 4");
    let last_error = Some("the answer is 503".to_owned());
    let name = "http:https://h".to_owned();
    let failing = OutputFigures { name, failed: 2, dropped: 3, last_error, ..Default::default() };
    let outputs = vec![OutputFigures::default(), failing];
    server.publish(Update::Status(Status { outputs, ..Status::default() }));
    page.until("document.querySelector('#status .is-lossy dd')?.textContent === '5'");
    let reason = page.value("document.querySelector('#status .is-lossy').title");
    assert_eq!(reason, "http:https://h: the answer is 503");
    Ok(())
}

#[test]
fn a_process_chosen_in_the_graph_shows_its_steps() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let story = fixture::shop::attack().story;
    let Some(mut page) = Browser::open(&server.story_url(story.id)) else { return Ok(()) };
    page.until("document.querySelector('.node.is-dropped') !== null");
    let click = "document.querySelector('.node.is-dropped').dispatchEvent(new MouseEvent('click'))";
    page.value(click);
    let chosen = "[...document.querySelectorAll('.step.is-chosen')].map((step) => step.id).join()";
    assert_eq!(page.value(chosen), "step-7,step-8");
    let pressed = "document.querySelector('.node.is-dropped').getAttribute('aria-pressed')";
    assert_eq!(page.value(pressed), "true");
    page.value(click);
    assert_eq!(page.value(chosen), "");
    Ok(())
}

#[test]
fn a_story_of_steps_max_steps_is_drawn_whole() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut store = filled_store(folder.path());
    let long = fixture::small::long();
    long.put(&mut store);
    let server = serve(store.reader()?);
    let Some(mut page) = Browser::open(&server.story_url(long.story.id)) else { return Ok(()) };
    page.until(&format!("{STEPS} === {}", Story::STEPS_MAX));
    let marks = page.value("document.querySelectorAll('.mark').length");
    assert_eq!(marks, Story::STEPS_MAX);
    let root = "document.querySelector('.node.is-root').getBoundingClientRect()";
    let frame = "document.querySelector('.graph-frame').getBoundingClientRect()";
    let is_seen = format!("{frame}.top <= {root}.top && {root}.bottom <= {frame}.bottom");
    assert_eq!(page.value(&is_seen), true, "the root is in sight");
    Ok(())
}

#[test]
fn the_keyboard_alone_leads_to_the_evidence_and_back() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    page.until("document.querySelectorAll('.story-row').length === 5");
    page.press("j");
    page.press("Enter");
    page.until(
        "location.hash.startsWith('#/story/s-7ad1') && document.querySelector('.step') !== null",
    );
    page.press("j");
    page.press("Enter");
    page.until("document.querySelector('.drawer .raw') !== null");
    assert_eq!(page.value("location.hash.endsWith('/step/1')"), true, "the address names it");
    page.press("Escape");
    page.until("document.querySelector('.drawer').hidden");
    page.press("Escape");
    page.until("document.querySelectorAll('.story-row').length === 5");
    Ok(())
}

#[test]
fn times_change_between_utc_and_local() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    page.until("document.querySelectorAll('.story-row').length === 5");
    let shown = "document.querySelector('.story-row time').textContent";
    let utc = page.value(shown);
    assert!(utc.as_str().is_some_and(|time| time.ends_with("19:02:11 – 19:02:12")), "{utc}");
    page.press("t");
    let offset = "new Date(1795546931000).getTimezoneOffset() === 0";
    let is_utc_here = page.value(offset) == true;
    assert_eq!(page.value(shown) == utc, is_utc_here);
    assert_eq!(page.value("localStorage.getItem('clew-zone')"), "local");
    Ok(())
}

#[test]
fn a_page_says_that_the_server_is_gone_and_comes_back_with_it() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = filled_store(folder.path());
    let server = serve(store.reader()?);
    let settings = Settings { address: server.address(), ..settings() };
    let Some(mut page) = Browser::open(&server.url()) else { return Ok(()) };
    page.until("document.querySelectorAll('#status dd').length === 4");
    server.stop()?;
    page.until("document.querySelector('#status .is-away') !== null");
    let server = Server::start(&settings, store.reader()?, Status::default())?;
    page.until("document.querySelector('#status .is-away') === null");
    page.until("document.querySelectorAll('.story-row').length === 5");
    server.stop()?;
    Ok(())
}
