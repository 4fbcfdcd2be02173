//! The pages.

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::Router;
use daemon::Page;

use crate::status::Shared;

/// All pages.
pub(crate) fn router(status: Shared) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/ready", get(ready))
        .route("/status", get(state))
        .route("/metrics", get(metrics))
        .with_state(status)
}

async fn front_page() -> &'static str {
    "guest_vm: /ready, /status, /metrics\n"
}

/// 200 when the guest came up or none is installed, 503 when not; a line that says so.
async fn ready(State(status): State<Shared>) -> Response {
    let (code, text) = match status.ready() {
        Ok(text) => (StatusCode::OK, text),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    };
    (code, text + "\n").into_response()
}

async fn state(State(status): State<Shared>) -> Response {
    match status.json() {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, text + "\n").into_response()
        }
        Err(error) => {
            let text = format!("{error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

async fn metrics(State(status): State<Shared>) -> Response {
    let kind = [(header::CONTENT_TYPE, Page::CONTENT_TYPE)];
    (kind, status.metrics()).into_response()
}
