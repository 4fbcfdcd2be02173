//! Asks the replica's status endpoint: one HTTP/1.1 GET over a fresh connection.
//!
//! What keeps us from asking, such as having no descriptor left, is our own trouble and says nothing of the replica.
//!
//! No HTTP client: a request is one line, and of the answer only the status line counts (RFC 9112 section 4).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::status::{Shared, Trouble};

const PATH: &str = "/api/v2/status";
/// Time between two questions to a replica that does not answer.
const EAGER: Duration = Duration::from_millis(250);
/// A status line is far shorter.
const MOST_BYTES: usize = 256;

/// What to ask and how often.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) target: SocketAddr,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) unresponsive_after: Duration,
}

/// Asks for ever; says so through `unresponsive` when one run of the replica has not answered for too long.
pub(crate) async fn run(settings: Settings, status: Shared, unresponsive: Arc<Notify>) {
    loop {
        // A replica that was just started is asked more often, so that /health soon says so.
        let pause = if status.health().is_ok() {
            settings.interval
        } else {
            settings.interval.min(EAGER)
        };
        tokio::time::sleep(pause).await;
        let Some(run) = status.running() else {
            continue;
        };
        let begun = Instant::now();
        let result = match tokio::time::timeout(settings.timeout, ask(settings.target)).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::Replica(format!(
                "no answer within {:?}",
                settings.timeout
            ))),
        };
        let silence = status.probed(run, result, begun.elapsed());
        if !settings.unresponsive_after.is_zero() && silence >= settings.unresponsive_after {
            unresponsive.notify_one();
        }
    }
}

/// Asks once.
async fn ask(target: SocketAddr) -> Result<(), Trouble> {
    let exchange = async {
        let mut stream = TcpStream::connect(target).await?;
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let mut buffer = [0; MOST_BYTES];
        while answer.len() < MOST_BYTES && !answer.contains(&b'\n') {
            match stream.read(&mut buffer).await? {
                0 => break,
                n => answer.extend(buffer.iter().take(n)),
            }
        }
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchange
        .await
        .map_err(|error| match serve::is_own_want(&error) {
            true => Trouble::Own(error.to_string()),
            false => Trouble::Replica(error.to_string()),
        })?;
    let line = answer.iter().copied().take_while(|byte| *byte != b'\n');
    let line: Vec<u8> = line.collect();
    judge(&String::from_utf8_lossy(&line)).map_err(Trouble::Replica)
}

/// Whether a status line says yes.
fn judge(line: &str) -> Result<(), String> {
    let line = line.trim_end();
    let code = || {
        let (version, rest) = line.split_once(' ')?;
        let code = rest.split(' ').next()?;
        let code: u16 = code.parse().ok()?;
        version.starts_with("HTTP/1.").then_some(code)
    };
    match code() {
        Some(200) => Ok(()),
        Some(code) => Err(format!("answered {code}")),
        _ if line.is_empty() => Err("closed the connection without an answer".to_owned()),
        _ => Err(format!(
            "answered {:?}, which is not HTTP",
            line.chars().take(40).collect::<String>()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        let table = [
            ("HTTP/1.1 200 OK\r", Ok(())),
            ("HTTP/1.0 200", Ok(())),
            ("HTTP/1.1 503 Service Unavailable\r", Err("answered 503")),
            ("", Err("closed the connection without an answer")),
            (
                "SSH-2.0-x 200",
                Err("answered \"SSH-2.0-x 200\", which is not HTTP"),
            ),
            (
                "HTTP/1.1 OK",
                Err("answered \"HTTP/1.1 OK\", which is not HTTP"),
            ),
        ];
        for (line, want) in table {
            assert_eq!(judge(line), want.map_err(str::to_owned), "{line:?}");
        }
    }
}
