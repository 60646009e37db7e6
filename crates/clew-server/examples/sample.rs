//! Serves the page with sample stories, to work on it without a sensor.
//!
//! `cargo run -p clew-server --example sample` prints the address and runs until Enter.
#![expect(clippy::print_stdout, reason = "an example speaks to whoever started it")]

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use clew_server::{Server, Settings, Status, Update};
use clew_store::Store;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut store = Store::open(folder.path())?;
    let shop = fixture::shop::attack();
    shop.put(&mut store);
    fixture::small::all().iter().for_each(|attack| attack.put(&mut store));
    fixture::small::long().put(&mut store);
    let port = std::env::args().nth(1).map_or(Ok(7399), |port| port.parse())?;
    let settings = Settings { address: ([127, 0, 0, 1], port).into(), ..Settings::default() };
    let mut status = status();
    let server = Server::start(&settings, store.reader()?, status.clone())?;
    println!("{}\n{}", server.url(), server.story_url(shop.story.id));
    let (entered, enter) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        std::io::stdin().lines().next();
        drop(entered);
    });
    while enter.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        status.events_total += 48_211;
        server.publish(Update::Status(status.clone()));
    }
    server.stop()?;
    Ok(())
}

fn status() -> Status {
    Status {
        events_total: 81_402_113,
        events_per_second: 48_211.0,
        lost_total: 37,
        quieted_total: 1_240_000,
        suppressed_total: 0,
        rules: Vec::new(),
        findings_total: 212,
        stories_open: 5,
        sources: vec!["kernel T0, T0s".to_owned(), "docker".to_owned()],
        source_figures: Vec::new(),
        blind_spots: vec!["Requests to applications are not read.".to_owned()],
        started: fixture::at(0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        outputs: Vec::new(),
    }
}
