//! The two pages.

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::status::Shared;

/// All pages.
pub(crate) fn router(status: Shared) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(status)
}

async fn front_page() -> &'static str {
    "orchestrator: /health, /metrics\n"
}

/// 200 when the replica answers, 503 and the reason when not.
async fn health(State(status): State<Shared>) -> Response {
    let (code, body) = match status.health() {
        Ok(()) => (StatusCode::OK, serde_json::json!({ "status": "ok" })),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({ "status": "unavailable", "reason": reason }),
        ),
    };
    (code, Json(body)).into_response()
}

async fn metrics(State(status): State<Shared>) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, status.metrics()).into_response()
}
