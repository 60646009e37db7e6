//! The real server over a real socket: records, live stream, restart, and who is refused.

mod client;
mod fixture;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use clew_event::Story;
use clew_notify::OutputFigures;
use clew_server::{Exposure, Metrics, Server, ServerError, Settings, Status, Update};
use clew_store::Store;
use client::{filled_store, get, get_as, live, serve, settings};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn the_list_has_the_worst_story_first() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let list = get(&server, "/api/stories").json();
    let list = list.as_array().ok_or("a list")?;
    assert_eq!(list.len(), 5);
    assert_eq!(list[0]["severity"], "critical");
    assert_eq!(list[0]["containers"][0], "shop-status");
    assert_eq!(get(&server, "/api/stories?limit=2").json().as_array().map(Vec::len), Some(2));
    assert_eq!(get(&server, "/api/stories?limit=x").status, 400);
    Ok(())
}

#[test]
fn a_story_comes_with_its_graph_findings_and_events() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let attack = fixture::shop::attack();
    let answer = get(&server, &format!("/api/stories/{}", attack.story.id));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(serde_json::from_str::<Story>(&answer.body)?, attack.story);
    let graph = get(&server, &format!("/api/stories/{}/graph", attack.story.id)).json();
    assert_eq!(graph["nodes"].as_array().map(Vec::len), Some(attack.story.processes.len()));
    assert_eq!(graph["edges"].as_array().map(Vec::len), Some(attack.story.processes.len() - 1));
    let finding = get(&server, &format!("/api/findings/{}", attack.findings[3].id)).json();
    assert_eq!(finding["rule"], attack.findings[3].rule);
    let event = get(&server, &format!("/api/events/{}", attack.events[3].id));
    assert_eq!(serde_json::from_str::<clew_event::Event>(&event.body)?, attack.events[3]);
    Ok(())
}

#[test]
fn what_is_not_there_is_told_apart_from_what_is_no_id() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(Store::open(folder.path())?.reader()?);
    let absent = get(&server, "/api/stories/s-00000000000000000000000000000001");
    assert_eq!((absent.status, absent.json()["error"].is_string()), (404, true));
    assert_eq!(get(&server, "/api/stories/f-00000000000000000000000000000001").status, 400);
    assert_eq!(get(&server, "/api/findings/%3Cscript%3E").status, 400);
    assert_eq!(get(&server, "/api/nothing").status, 404);
    assert_eq!(get(&server, "/assets/..%2f..%2fCargo.toml").status, 404);
    let health = get(&server, "/api/health").json();
    assert_eq!((&health["status"], &health["stored"]["stories"]), (&"ok".into(), &0.into()));
    Ok(())
}

#[test]
fn the_live_stream_begins_with_the_status_and_tells_what_is_published() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let mut live = live(&server);
    assert_eq!(live.next("status")["events_total"], 0);
    let attack = fixture::shop::attack();
    server.publish(Update::of_story(&attack.story));
    assert_eq!(live.next("story")["revision"], attack.story.revision);
    let publisher = server.publisher();
    std::thread::scope(|scope| {
        scope.spawn(|| publisher.publish(Update::of_finding(&attack.findings[0])));
    });
    assert_eq!(live.next("finding")["rule"], attack.findings[0].rule);
    server.publish(Update::Status(Status { events_total: 9, ..Status::default() }));
    assert_eq!(live.next("status")["events_total"], 9);
    assert_eq!(get(&server, "/api/status").json()["events_total"], 9);
    Ok(())
}

#[test]
fn metrics_are_scraped_by_anyone_on_this_machine_and_parse() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let mut metrics = Metrics::default();
    metrics.stories_open = 3;
    let attack = fixture::shop::attack();
    let hostile = clew_event::Finding { rule: "a\"}\nb 9\n".into(), ..attack.findings[0].clone() };
    for finding in attack.findings.iter().chain([&hostile, &hostile]) {
        metrics.count_finding(finding);
    }
    let output = OutputFigures { name: "http:https://h".into(), sent: 7, ..Default::default() };
    metrics.outputs.push(output);
    server.publisher().publish_metrics(metrics);
    let answer = get(&server, "/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = parse_exposition(&answer.body)?;
    let value =
        |name: &str| samples.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    assert_eq!(value("clew_stories_open"), Some(3.0));
    assert_eq!(value("clew_output_sent_total{output=\"http:https://h\"}"), Some(7.0));
    let findings = samples.iter().filter(|(name, _)| name.starts_with("clew_findings_total{"));
    let total: f64 = findings.map(|(_, value)| value).sum();
    assert_eq!(total, attack.findings.len() as f64 + 2.0);
    assert!(value("process_resident_memory_bytes") > Some(1e6));
    Ok(())
}

/// The samples of a page in Prometheus's text form, with labels as they stand there; an error
/// where a line is none, a sample comes twice, or a family was not announced.
fn parse_exposition(page: &str) -> Result<Vec<(String, f64)>, Box<dyn std::error::Error>> {
    let mut samples: Vec<(String, f64)> = Vec::new();
    let mut families: Vec<&str> = Vec::new();
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            families.push(kind.split(' ').next().ok_or("no name")?);
        }
        if line.starts_with("# ") {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').ok_or_else(|| format!("no sample: {line}"))?;
        let family = name.split('{').next().unwrap_or(name);
        let is_known = families.last().is_some_and(|known| family.starts_with(known));
        let is_whole = name.contains('{') == name.ends_with('}');
        if !is_known || !is_whole || samples.iter().any(|(known, _)| known == name) {
            return Err(format!("not a sample of its family: {line}").into());
        }
        samples.push((name.to_owned(), value.parse()?));
    }
    Ok(samples)
}

#[test]
fn stories_survive_a_restart_of_the_whole_program() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = filled_store(folder.path());
    let server = serve(store.reader()?);
    let before = get(&server, "/api/stories").body;
    server.stop()?;
    drop(store);
    let store = Store::open(folder.path())?;
    let server = serve(store.reader()?);
    assert_eq!(get(&server, "/api/stories").body, before);
    Ok(())
}

#[test]
fn a_stopped_server_gives_its_port_back_even_with_an_open_page() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(Store::open(folder.path())?.reader()?);
    let mut page = live(&server);
    page.next("status");
    let address = server.address();
    server.stop()?;
    TcpListener::bind(address)?;
    Ok(())
}

#[test]
fn an_address_that_others_reach_must_be_asked_for() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let address = SocketAddr::from((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    let refused = Settings { address, exposure: Exposure::LoopbackOnly };
    let error = Server::start(&refused, store.reader()?, Status::default());
    assert!(matches!(error, Err(ServerError::Exposed { .. })));
    let asked = Settings { address, exposure: Exposure::Anywhere };
    Server::start(&asked, store.reader()?, Status::default())?.stop()?;
    Ok(())
}

#[test]
fn a_taken_port_is_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let settings = Settings { address: taken.local_addr()?, ..settings() };
    let error = Server::start(&settings, store.reader()?, Status::default()).err();
    let message = error.ok_or("started")?.to_string();
    assert!(message.contains(&taken.local_addr()?.to_string()), "{message}");
    Ok(())
}

#[test]
fn another_sites_name_or_embedding_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(filled_store(folder.path()).reader()?);
    let host = server.address().to_string();
    let rebound = get_as(&server, "/api/stories", &[("Host", "evil.example:7373")]);
    assert_eq!(rebound.status, 421);
    assert!(!rebound.body.contains("shop-status"));
    let embedded = [("Host", host.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(get_as(&server, "/api/live", &embedded).status, 403);
    assert_eq!(get_as(&server, "/api/stories", &[]).status, 421, "no host is no host of ours");
    let local = format!("localhost:{}", server.address().port());
    assert_eq!(get_as(&server, "/api/stories", &[("Host", &local)]).status, 200);
    Ok(())
}

#[test]
fn every_answer_forbids_foreign_scripts_and_frames() -> Outcome {
    let folder = tempfile::tempdir()?;
    let server = serve(Store::open(folder.path())?.reader()?);
    for path in ["/", "/assets/main.js", "/api/stories", "/nothing"] {
        let answer = get(&server, path);
        let policy = answer.header("content-security-policy").ok_or("no policy")?;
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    Ok(())
}
