//! The page: files of `web/`, built into the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One file of the page.
struct Asset {
    name: &'static str,
    mime: &'static str,
    text: &'static str,
}

macro_rules! asset {
    ($name:literal, $mime:literal) => {
        Asset { name: $name, mime: $mime, text: include_str!(concat!("../../../web/", $name)) }
    };
}

const PAGE: &str = include_str!("../../../web/index.html");

const ASSETS: &[Asset] = &[
    asset!("base.css", "text/css; charset=utf-8"),
    asset!("steps.css", "text/css; charset=utf-8"),
    asset!("steps.js", "text/javascript; charset=utf-8"),
    asset!("stories.css", "text/css; charset=utf-8"),
    asset!("story.css", "text/css; charset=utf-8"),
    asset!("clew.svg", "image/svg+xml"),
    asset!("dom.js", "text/javascript; charset=utf-8"),
    asset!("evidence.js", "text/javascript; charset=utf-8"),
    asset!("graph.js", "text/javascript; charset=utf-8"),
    asset!("live.js", "text/javascript; charset=utf-8"),
    asset!("main.js", "text/javascript; charset=utf-8"),
    asset!("narrative.js", "text/javascript; charset=utf-8"),
    asset!("raw.js", "text/javascript; charset=utf-8"),
    asset!("status.js", "text/javascript; charset=utf-8"),
    asset!("stories.js", "text/javascript; charset=utf-8"),
    asset!("story.js", "text/javascript; charset=utf-8"),
    asset!("techniques.js", "text/javascript; charset=utf-8"),
    asset!("time.js", "text/javascript; charset=utf-8"),
    asset!("timeline.js", "text/javascript; charset=utf-8"),
    asset!("words.js", "text/javascript; charset=utf-8"),
];

pub(crate) async fn page() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response()
}

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.mime)], asset.text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
