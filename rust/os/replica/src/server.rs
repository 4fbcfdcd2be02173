//! The endpoints: `/api/v2/status` for programs, `/` for people.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::state::State;

const IMPLEMENTATION: &str = "stand-in replica";

/// What the endpoints tell.
#[derive(Debug)]
pub(crate) struct Status {
    version: String,
    started: Instant,
    boots: u64,
    starts: u64,
    height: AtomicU64,
    storage_ok: AtomicBool,
}

impl Status {
    pub(crate) fn new(version: String, state: &State) -> Self {
        Self {
            version,
            started: Instant::now(),
            boots: state.boots,
            starts: state.starts,
            height: AtomicU64::new(state.height),
            storage_ok: AtomicBool::new(true),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.height.load(Ordering::Relaxed)
    }

    /// A height is on the disk; says whether the one before could not be written.
    pub(crate) fn set_height(&self, height: u64) -> bool {
        self.height.store(height, Ordering::Relaxed);
        !self.storage_ok.swap(true, Ordering::Relaxed)
    }

    /// A height could not be written; says whether that is news.
    pub(crate) fn set_storage_error(&self) -> bool {
        self.storage_ok.swap(false, Ordering::Relaxed)
    }

    fn to_response(&self) -> Response {
        let healthy = self.storage_ok.load(Ordering::Relaxed);
        let (code, health) = if healthy {
            (StatusCode::OK, "healthy")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "storage_error")
        };
        let body = serde_json::json!({
            "implementation": IMPLEMENTATION,
            "version": self.version,
            "replica_health_status": health,
            "uptime_seconds": self.started.elapsed().as_secs(),
            "boots": self.boots,
            "starts": self.starts,
            "height": self.height(),
        });
        (code, Json(body)).into_response()
    }
}

/// All endpoints.
pub(crate) fn router(status: Arc<Status>) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/api/v2/status", get(status_page))
        .with_state(status)
}

async fn status_page(Shared(status): Shared<Arc<Status>>) -> Response {
    status.to_response()
}

async fn front_page(Shared(status): Shared<Arc<Status>>) -> String {
    format!(
        "This is a stand-in replica (version {}). It is not a replica: it answers /api/v2/status, keeps a counter on \
         disk and computes nothing.\n",
        status.version
    )
}
