//! The two pages.

use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use daemon::Page;

use crate::node;
use crate::status::Shared;

/// What the pages tell of.
#[derive(Debug, Clone)]
struct Known {
    status: Shared,
    connections: serve::Counters,
    node: node::Files,
}

/// All pages.
pub(crate) fn router(status: Shared, connections: serve::Counters, node: node::Files) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(Known {
            status,
            connections,
            node,
        })
}

async fn front_page() -> &'static str {
    "orchestrator: /health, /metrics\n"
}

/// 200 when the replica answers, 503 and the reason when not.
async fn health(State(known): State<Known>) -> Response {
    let (code, body) = match known.status.health() {
        Ok(()) => (StatusCode::OK, serde_json::json!({ "status": "ok" })),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({ "status": "unavailable", "reason": reason }),
        ),
    };
    (code, Json(body)).into_response()
}

async fn metrics(State(known): State<Known>) -> Response {
    let kind = [(header::CONTENT_TYPE, Page::CONTENT_TYPE)];
    let mut page = known.status.metrics();
    connections(&mut page, &known.connections);
    known.node.metrics(&mut page);
    (kind, page.into_text()).into_response()
}

/// What strangers do to our own port.
fn connections(page: &mut Page, counters: &serve::Counters) {
    page.gauge(
        "orchestrator_connections_open",
        "Connections that are open now.",
    )
    .value(counters.open());
    page.counter(
        "orchestrator_connections_total",
        "Connections that were accepted.",
    )
    .value(counters.accepted());
    page.counter(
        "orchestrator_connections_closed_total",
        "Connections closed by us: to make room for later ones, or because they took too long.",
    )
    .labelled(&[("why", "room")], counters.made_room())
    .labelled(&[("why", "time")], counters.timed_out());
    page.counter(
        "orchestrator_accept_failures_total",
        "Connections not accepted for want of descriptors or memory.",
    )
    .value(counters.not_accepted());
}
