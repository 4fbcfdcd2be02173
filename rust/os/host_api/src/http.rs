//! One GET over a fresh connection to a service of this machine (RFC 9112, a message that ends with the connection).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context};

/// Most bytes of an answer.
const MOST: usize = 64 * 1024;

/// Where to ask: `ADDRESS:PORT/PATH`.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    address: SocketAddr,
    path: String,
}

impl FromStr for Page {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("got {text:?}, want ADDRESS:PORT/PATH");
        let (address, path) = text.split_once('/').ok_or_else(wanted)?;
        let address = address.parse().map_err(|_| wanted())?;
        match path.bytes().all(|c| c.is_ascii_graphic()) {
            true => Ok(Self {
                address,
                path: format!("/{path}"),
            }),
            false => Err(wanted()),
        }
    }
}

/// The status code and the body.
pub(crate) fn get(page: &Page, patience: Duration) -> anyhow::Result<(u16, String)> {
    exchange(page, patience).with_context(|| format!("http://{}{}", page.address, page.path))
}

fn exchange(page: &Page, patience: Duration) -> anyhow::Result<(u16, String)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&page.address, patience)?;
    let left = || {
        let left = patience.checked_sub(begun.elapsed());
        left.filter(|left| !left.is_zero())
            .with_context(|| format!("no whole answer after {} s", patience.as_secs()))
    };
    let Page { address, path } = page;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left()?))?;
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        answer.extend(buffer.iter().take(got));
        ensure!(answer.len() <= MOST, "more than {MOST} bytes");
    }
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().unwrap_or_default();
    let code = || {
        let (version, rest) = line.split_once(' ')?;
        let code = rest.split(' ').next()?.parse().ok()?;
        version.starts_with("HTTP/1.").then_some(code)
    };
    let code = code().with_context(|| {
        let line = base::text::shorten(line);
        format!("answered {line:?}, which is not HTTP")
    })?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((code, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let page: Page = "127.0.0.1:7070/health".parse().unwrap();
        assert_eq!(page.path, "/health");
        for bad in [
            "127.0.0.1:7070",
            "localhost:1/",
            "1.2.3.4/x",
            "1.2.3.4:5/ x",
        ] {
            assert!(bad.parse::<Page>().is_err(), "{bad}");
        }
    }
}
