//! What is answered: the store's records as they are, and the status.
//!
//! Errors are JSON too: `{"error": "…"}` with the whole chain of causes.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use clew_event::{EventId, FindingId, StoryId};
use clew_store::{StoreError, StoreReader, StorySummary};
use serde::Deserialize;
use serde_json::json;

use crate::live::Hub;
use crate::metrics::CONTENT_TYPE;
use crate::settings::Exposure;
use crate::update::Status;
use crate::{assets, guard};

/// Stories in a list where the asker gives no number.
const STORIES_DEFAULT: usize = 200;

/// What every handler works with.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    /// One reading connection: queries take well below a millisecond, so they may queue.
    pub(crate) reader: Arc<Mutex<StoreReader>>,
}

impl Shared {
    /// Runs `query` beside the event loop, which must not wait for a disk.
    async fn read<T: Send + 'static>(
        self,
        query: impl FnOnce(&StoreReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let run = move || query(&self.reader.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(run).await {
            Ok(outcome) => outcome.map_err(|error| Failure::of_server(&error)),
            Err(error) => Err(Failure::of_server(&error)),
        }
    }
}

pub(crate) fn router(shared: Shared, exposure: Exposure) -> Router {
    Router::new()
        .route("/", get(assets::page))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/health", get(health))
        .route("/api/status", get(status))
        .route("/api/stories", get(stories))
        .route("/api/stories/{id}", get(story))
        .route("/api/stories/{id}/graph", get(graph))
        .route("/api/findings/{id}", get(finding))
        .route("/api/events/{id}", get(event))
        .route("/api/live", get(live))
        .route("/metrics", get(metrics))
        .fallback(|| async { Failure::not_found() })
        .with_state(shared)
        .layer(middleware::from_fn_with_state(exposure, guard::guard))
}

/// An answer that is no record.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "there is no such record".to_owned() }
    }

    fn of_server(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

fn parsed<I: FromStr<Err: Display>>(id: &str) -> Result<I, Failure> {
    id.parse().map_err(|error: I::Err| Failure {
        status: StatusCode::BAD_REQUEST,
        message: error.to_string(),
    })
}

/// The stored JSON as it is.
fn record(body: Option<String>) -> Result<Response, Failure> {
    let body = body.ok_or_else(Failure::not_found)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

async fn health(State(shared): State<Shared>) -> Result<Response, Failure> {
    let counts = shared.read(StoreReader::counts).await?;
    Ok(Json(json!({ "status": "ok", "stored": counts })).into_response())
}

async fn status(State(shared): State<Shared>) -> Json<Status> {
    Json(shared.hub.status())
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<usize>,
}

async fn stories(
    State(shared): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<StorySummary>>, Failure> {
    let limit = query.limit.unwrap_or(STORIES_DEFAULT);
    shared.read(move |reader| reader.stories(limit)).await.map(Json)
}

async fn story(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parsed::<StoryId>(&id)?;
    record(shared.read(move |reader| reader.story_json(id)).await?)
}

async fn graph(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parsed::<StoryId>(&id)?;
    let story = shared.read(move |reader| reader.story(id)).await?;
    let story = story.ok_or_else(Failure::not_found)?;
    Ok(Json(clew_story::layout::process_graph(&story)).into_response())
}

async fn finding(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id = parsed::<FindingId>(&id)?;
    record(shared.read(move |reader| reader.finding_json(id)).await?)
}

async fn event(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parsed::<EventId>(&id)?;
    record(shared.read(move |reader| reader.event_json(id)).await?)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], shared.hub.exposition()).into_response()
}

async fn live(State(shared): State<Shared>) -> Response {
    match shared.hub.stream() {
        Some(stream) => Sse::new(stream).keep_alive(KeepAlive::default()).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response(),
    }
}
