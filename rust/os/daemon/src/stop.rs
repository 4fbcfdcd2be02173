//! Requests to stop, counted: whoever asks a second time is in a hurry.

use anyhow::Context;
use base::past;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;

/// Counts SIGTERMs and SIGINTs from now on.
pub fn signals() -> anyhow::Result<watch::Receiver<u64>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let (sender, receiver) = watch::channel(0_u64);
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal, "asked to stop");
            sender.send_modify(|count| *count = past(*count, 1));
        }
    });
    Ok(receiver)
}

/// Ready when `count` requests have come.
pub async fn requests(stop: &mut watch::Receiver<u64>, count: u64) {
    if stop.wait_for(|got| *got >= count).await.is_err() {
        // No one is left to ask.
        std::future::pending::<()>().await;
    }
}
