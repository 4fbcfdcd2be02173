//! The counter: a height is on the disk before anyone is told of it, so it never goes back, whatever ends the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::server::Status;
use crate::state::{State, StateDir};

/// Counts until `stop` changes.
pub(crate) async fn run(
    dir: StateDir,
    mut state: State,
    tick: Duration,
    status: Arc<Status>,
    mut stop: watch::Receiver<()>,
) {
    let dir = Arc::new(dir);
    let mut interval = tokio::time::interval(tick);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once.
    interval.tick().await;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stop.changed() => return,
        }
        let next = state.next();
        let (writer, written) = (Arc::clone(&dir), next.clone());
        // fsync may take long; requests should not wait for it.
        let saved = tokio::task::spawn_blocking(move || writer.save(&written)).await;
        let error = match saved {
            Ok(Ok(())) => {
                if status.set_height(next.height) {
                    tracing::info!(height = next.height, "state is written again");
                }
                state = next;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if status.set_storage_error() {
            tracing::error!(error, height = state.height, "cannot write the state");
        }
    }
}
