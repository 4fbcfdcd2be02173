//! `guest_vm status`: asks the running service.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{ensure, Context};
use http_get::Page;
use serde_json::Value;

/// The service answers at once.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// What the service at `address` says of itself, as JSON.
pub(crate) fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let page = Page::new(address, "/status").context("no page /status")?;
    let (code, body) = http_get::get(&page, ANSWER_TIME)
        .context("cannot ask the runner (systemctl status guest-vm.service)")?;
    ensure!(code == 200, "the runner answered {code}, want 200");
    Ok(body.trim_end().to_owned())
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
        // Taken at one address, so nobody has it at another.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = ask(([127, 0, 0, 2], port).into()).unwrap_err().to_string();
        assert!(
            error.contains("systemctl status guest-vm.service"),
            "{error}"
        );
    }
}
