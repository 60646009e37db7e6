//! What Event Grid asks before it sends: that we give back a code, so that nobody is sent events who
//! did not ask for them (Azure, "Endpoint validation with Event Grid event schema").

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

const KIND: &str = "aeg-event-type";

/// The answer to a question; `None` where records are sent.
pub(super) fn handshake(headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, StatusCode> {
    let kind = headers.get(KIND).map(axum::http::HeaderValue::as_bytes);
    match kind {
        Some(b"Notification") => Ok(None),
        Some(b"SubscriptionValidation") => {
            let code = code(body).ok_or(StatusCode::BAD_REQUEST)?;
            Ok(Some(json!({"validationResponse": code}).to_string()))
        }
        // It tells that it no longer sends.
        Some(b"SubscriptionDeletion") => Ok(Some("{}".to_owned())),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

fn code(body: &[u8]) -> Option<String> {
    let events: Value = serde_json::from_slice(body).ok()?;
    let event = events.as_array().filter(|events| events.len() == 1)?.first()?;
    let is_asked = event.get("eventType")? == "Microsoft.EventGrid.SubscriptionValidationEvent";
    let code = event.pointer("/data/validationCode")?.as_str()?;
    is_asked.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, body: &str) -> Result<Option<String>, u16> {
        let headers = HeaderMap::from_iter([(KIND.parse().unwrap(), kind.parse().unwrap())]);
        handshake(&headers, body.as_bytes()).map_err(|status| status.as_u16())
    }

    #[test]
    fn the_code_is_given_back_to_who_asks_for_it() {
        let event = r#"[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"512d38b6","validationUrl":"https://x"}}]"#;
        let given = answer("SubscriptionValidation", event);
        assert_eq!(given, Ok(Some(r#"{"validationResponse":"512d38b6"}"#.into())));
        assert_eq!(answer("Notification", event), Ok(None));
        assert_eq!(answer("SubscriptionDeletion", "[]"), Ok(Some("{}".into())));
        for body in ["", "[]", "{}", "[{\"data\":{\"validationCode\":\"a\"}}]"] {
            assert_eq!(answer("SubscriptionValidation", body), Err(400), "{body}");
        }
        assert_eq!(answer("other", event), Err(400));
        assert_eq!(handshake(&HeaderMap::new(), b"[]"), Err(StatusCode::BAD_REQUEST));
    }
}
