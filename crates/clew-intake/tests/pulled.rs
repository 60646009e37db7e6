//! What is pulled from Pub/Sub, against a small stand-in for it that this test serves: it gives each
//! message again until it is acknowledged, and tokens to who signs with the key of the tests.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![allow(clippy::indexing_slicing, reason = "what is not there fails the test")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Run, record};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SUBSCRIPTION: &str = "projects/p/subscriptions/s";

/// Messages by their ids, and what was asked.
#[derive(Debug, Default)]
struct Kept {
    messages: BTreeMap<String, String>,
    tokens_given: u32,
    /// Questions that are answered 503 first.
    faults: u32,
}

type Stand = Arc<Mutex<Kept>>;

fn serve(runtime: &Runtime, stand: &Stand) -> String {
    let router = Router::new()
        .route("/token", post(token))
        .fallback(post(answer))
        .with_state(Arc::clone(stand));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

/// Gives a token for a claim of the account of the tests, for this place and this scope.
async fn token(State(stand): State<Stand>, body: String) -> Result<Json<Value>, StatusCode> {
    let claim = body.split('&').find_map(|part| part.strip_prefix("assertion=")).unwrap();
    let parts: Vec<_> = claim.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let is_good = body.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer")
        && claims["iss"] == "clew@p.iam.gserviceaccount.com"
        && claims["scope"] == "https://www.googleapis.com/auth/pubsub"
        && claims["aud"].as_str().is_some_and(|it| it.ends_with("/token"))
        && claims["exp"].as_u64() == claims["iat"].as_u64().map(|iat| iat + 3600)
        && is_signed(&format!("{}.{}", parts[0], parts[1]), parts[2]);
    stand.lock().unwrap().tokens_given += 1;
    let token = json!({"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"});
    if is_good { Ok(Json(token)) } else { Err(StatusCode::BAD_REQUEST) }
}

fn is_signed(text: &str, signature: &str) -> bool {
    use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    let public = key().public_key().as_ref().to_vec();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(text.as_bytes(), &signature)
        .is_ok()
}

fn pem() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates/sender.key");
    fs::read_to_string(path).unwrap()
}

fn key() -> ring::signature::RsaKeyPair {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;
    let key = PrivateKeyDer::from_pem_slice(pem().as_bytes()).unwrap();
    ring::signature::RsaKeyPair::from_pkcs8(key.secret_der()).unwrap()
}

async fn answer(
    State(stand): State<Stand>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    if headers.get("authorization").is_none_or(|token| token != "Bearer t0ken") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut stand = stand.lock().unwrap();
    if 0 < stand.faults {
        stand.faults -= 1;
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let verb = uri.path().strip_prefix(&format!("/v1/{SUBSCRIPTION}:")).unwrap_or_default();
    match verb {
        "pull" => {
            let received: Vec<_> = stand
                .messages
                .iter()
                .map(|(id, data)| {
                    let data = STANDARD.encode(data);
                    json!({"ackId": id, "message": {"data": data, "messageId": id}})
                })
                .collect();
            let nothing = received.is_empty();
            Ok(Json(if nothing { json!({}) } else { json!({"receivedMessages": received}) }))
        }
        "acknowledge" => {
            for id in body["ackIds"].as_array().unwrap() {
                stand.messages.remove(id.as_str().unwrap());
            }
            Ok(Json(json!({})))
        }
        _ => Err(StatusCode::NOT_FOUND),
    }
}

#[test]
fn messages_are_pulled_until_they_are_acknowledged_and_counted_once() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    let stand = Stand::default();
    let endpoint = serve(&runtime, &stand);
    let account = json!({
        "type": "service_account", "client_email": "clew@p.iam.gserviceaccount.com",
        "private_key_id": "k", "private_key": pem(), "token_uri": format!("{endpoint}/token"),
    });
    let credentials = folder.path().join("account.json");
    fs::write(&credentials, account.to_string()).unwrap();
    let put = |id: &str, data: String| stand.lock().unwrap().messages.insert(id.into(), data);
    put("1", record("a"));
    put("2", record("b"));
    put("3", record("a"));
    put("4", "hello".into());
    let source = format!(
        "pubsub:{SUBSCRIPTION},endpoint={endpoint},credentials={},receives=2",
        credentials.display()
    );
    let mut run = Run::start(&[&source], folder.path());
    run.until("what cannot be read is parked", |run| run.figures().parked == 1);
    run.until("all are acknowledged", |_| stand.lock().unwrap().messages.is_empty());
    assert_eq!(run.names(), ["a", "b"]);
    let figures = run.figures();
    assert_eq!((figures.events, figures.duplicates, figures.failures), (2, 1, 1));
    let parked = run.committer.parked(&format!("pubsub:{SUBSCRIPTION}")).unwrap();
    assert_eq!(parked[0].id, "4");
    assert_eq!(stand.lock().unwrap().tokens_given, 1, "a token is kept while it is good");
    // A service that is ill for a while loses nothing.
    stand.lock().unwrap().faults = 1;
    put("5", record("c"));
    run.until_events(3);
    assert_eq!(run.figures().failures, 2);
}

#[test]
fn what_is_not_committed_is_not_acknowledged() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), Runtime::new().unwrap());
    let stand = Stand::default();
    let endpoint = serve(&runtime, &stand);
    let account = json!({
        "client_email": "clew@p.iam.gserviceaccount.com", "private_key_id": "k",
        "private_key": pem(), "token_uri": format!("{endpoint}/token"),
    });
    let credentials = folder.path().join("account.json");
    fs::write(&credentials, account.to_string()).unwrap();
    stand.lock().unwrap().messages.insert("1".into(), record("a"));
    let options = format!("endpoint={endpoint},credentials={}", credentials.display());
    let source = format!("pubsub:{SUBSCRIPTION},{options}");
    let mut run = Run::start(&[&source], folder.path());
    let delivered = loop {
        if let Some(delivered) = run.intake.poll(common::DEADLINE) {
            break delivered;
        }
    };
    assert_eq!(delivered.events.len(), 1);
    drop((delivered, run));
    assert_eq!(stand.lock().unwrap().messages.len(), 1, "it stays with Pub/Sub");
    let mut run = Run::start(&[&source], folder.path());
    run.until_events(1);
    run.until("it is acknowledged", |_| stand.lock().unwrap().messages.is_empty());
}
