//! `guest_vm status`: asks the running service.
//!
//! No HTTP client: a request is one line, and the answer is ours (RFC 9112).

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{ensure, Context};
use serde_json::Value;

/// The service answers at once.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Longer answers are not ours.
const MOST_BYTES: u64 = 1 << 20;

/// What the service at `address` says of itself, as JSON.
pub(crate) fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIME).with_context(|| {
        format!("cannot reach the runner at {address} (systemctl status guest-vm.service)")
    })?;
    let answer = exchange(&stream, address).context("cannot ask the runner")?;
    let text = String::from_utf8(answer).context("the runner's answer is not text")?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("the runner's answer has no end of its header")?;
    let line = head.lines().next().unwrap_or_default();
    ensure!(
        line.starts_with("HTTP/1.1 200 "),
        "the runner answered {line:?}, want 200"
    );
    Ok(body.trim_end().to_owned())
}

fn exchange(mut stream: &TcpStream, address: SocketAddr) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    let request = format!("GET /status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}

/// `/status` for people: a line for each thing that is known.
pub(crate) fn for_people(json: &str) -> anyhow::Result<String> {
    let status: Value = serde_json::from_str(json).context("the runner's answer is not JSON")?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    let said = |key: &str| match status.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    for (name, key) in [
        ("state", "state"),
        ("", "detail"),
        ("for", "state_seconds"),
        ("runs on", "accel"),
        ("pid", "pid"),
        ("starts", "starts"),
        ("failed", "failed_starts"),
        ("restarts", "resets"),
        ("panics", "panics"),
        ("watchdog", "watchdog_resets"),
        ("disk errors", "disk_errors"),
        ("last end", "last_exit"),
    ] {
        let unit = if key == "state_seconds" { " s" } else { "" };
        if let Some(value) = said(key) {
            line(name, &(base::text::one_line(&value) + unit));
        }
    }
    for remark in status
        .get("remarks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        line("remark", remark.as_str().unwrap_or_default());
    }
    if status.get("restart_needed") == Some(&Value::Bool(true)) {
        line(
            "remark",
            "the configuration changed: systemctl restart guest-vm.service",
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Shared;

    #[test]
    fn people_read_lines() {
        let status = Shared::new("1".to_owned(), Duration::from_secs(90));
        status.started(7, crate::qemu::Accel::Tcg, &["slow".to_owned()]);
        status.restart_needed(true);
        let text = for_people(&status.json().unwrap()).unwrap();
        for line in [
            "state        running\n",
            "runs on      tcg\n",
            "pid          7\n",
            "remark       slow\n",
            "remark       the configuration changed: systemctl restart guest-vm.service\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(for_people("x").is_err());
    }

    #[test]
    fn nobody_there_is_said() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let error = ask(address).unwrap_err().to_string();
        assert!(
            error.contains("systemctl status guest-vm.service"),
            "{error}"
        );
    }
}
