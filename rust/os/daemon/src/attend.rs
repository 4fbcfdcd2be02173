//! What such a service does all day.

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinHandle;

use crate::notify::Notifier;

/// Says that the service is ready, and then every `watchdog` that it lives, until `supervisor` ends. `server` serves until then: if it ends
/// before, that is an error.
pub async fn attend(
    supervisor: impl Future<Output = ()>,
    mut server: JoinHandle<()>,
    watchdog: Duration,
    notifier: &Notifier,
) -> anyhow::Result<()> {
    notifier.send("READY=1");
    let mut supervisor = std::pin::pin!(supervisor);
    let mut watchdog = tokio::time::interval(watchdog);
    loop {
        tokio::select! {
            () = &mut supervisor => break,
            _ = watchdog.tick() => notifier.send("WATCHDOG=1"),
            ended = &mut server => {
                ended.context("the server failed")?;
                anyhow::bail!("the server ended by itself");
            }
        }
    }
    // It was serving to the end, so that its pages could say "stopping".
    server.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFTEN: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn the_server_lasts_as_long_as_the_supervisor() {
        let notifier = Notifier::default();
        let server = tokio::spawn(std::future::pending());
        let held = server.abort_handle();
        let supervisor = tokio::time::sleep(OFTEN);
        attend(supervisor, server, OFTEN, &notifier).await.unwrap();
        while !held.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_is_an_error() {
        let notifier = Notifier::default();
        let server = tokio::spawn(async {});
        let ended = attend(std::future::pending(), server, OFTEN, &notifier).await;
        assert_eq!(ended.unwrap_err().to_string(), "the server ended by itself");
    }
}
