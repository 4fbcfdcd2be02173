//! Just enough of an HTTP/1.0 client (RFC 1945) to ask the guest from outside.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use vm::{Deadline, Vm};

/// Longest answer taken.
const LIMIT: u64 = 1 << 20;

/// A status code and a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

/// GETs `path` from port `port` of this host, which leads into the machine, until it answers with 200, the machine stops or the time is over.
pub(crate) fn get_ok(vm: &Vm, port: u16, path: &str, deadline: Deadline) -> Result<String> {
    let resets = vm.console().resets();
    loop {
        let outcome = get(port, path).and_then(|answer| {
            ensure!(
                answer.code == 200,
                "status {}: {}",
                answer.code,
                answer.body.trim()
            );
            Ok(answer.body)
        });
        if outcome.is_ok() || deadline.expired() {
            return outcome.with_context(|| format!("GET {path}"));
        }
        vm.console()
            .goes_on(resets, &format!("an answer to GET {path}"))?;
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn get(port: u16, path: &str) -> Result<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let timeout = Duration::from_secs(30);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: guest\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = Vec::new();
    stream.take(LIMIT).read_to_end(&mut text)?;
    parse(&String::from_utf8_lossy(&text))
}

fn parse(text: &str) -> Result<Answer> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .with_context(|| format!("no HTTP answer but `{text}`"))?;
    let mut words = head.split_ascii_whitespace();
    let (Some(protocol), Some(code)) = (words.next(), words.next()) else {
        bail!("no HTTP answer: `{head}`");
    };
    ensure!(protocol.starts_with("HTTP/1."), "no HTTP answer: `{head}`");
    Ok(Answer {
        code: code.parse().with_context(|| format!("status `{code}`"))?,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parsed() -> Result<()> {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\n{}")?;
        assert_eq!((answer.code, answer.body.as_str()), (503, "{}"));
        for text in [
            "",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.0 x\r\n\r\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        Ok(())
    }
}
