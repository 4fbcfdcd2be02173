//! One GET over a fresh connection to a service of this machine (RFC 9112, a message that ends with the connection), within a time and a length that
//! are bounded whatever the service does.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context};

/// Most bytes of an answer.
const MOST: usize = 64 * 1024;

/// Where to ask: `ADDRESS:PORT/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    address: SocketAddr,
    path: String,
}

impl Page {
    /// The page at `path`, which begins with a slash and has neither spaces nor anything that is not ASCII; nothing, if it is none.
    pub fn new(address: SocketAddr, path: impl Into<String>) -> Option<Self> {
        let path = path.into();
        let good = path.starts_with('/') && path.bytes().all(|c| c.is_ascii_graphic());
        good.then_some(Self { address, path })
    }
}

impl FromStr for Page {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let page = || {
            let (address, path) = text.split_once('/')?;
            Self::new(address.parse().ok()?, format!("/{path}"))
        };
        page().ok_or_else(|| format!("got {text:?}, want ADDRESS:PORT/PATH"))
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

/// The status code and the body, if all of it came before `patience` was over.
pub fn get(page: &Page, patience: Duration) -> anyhow::Result<(u16, String)> {
    exchange(page, patience).with_context(|| page.to_string())
}

fn exchange(page: &Page, patience: Duration) -> anyhow::Result<(u16, String)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&page.address, patience)?;
    let left = || {
        let left = patience.checked_sub(begun.elapsed());
        left.filter(|left| !left.is_zero())
            .with_context(|| format!("no whole answer after {} s", patience.as_secs_f32()))
    };
    let Page { address, path } = page;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left()?))?;
        let got = match stream.read(&mut buffer) {
            // So Linux says that the time is over.
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            got => got?,
        };
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

    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(240);

    #[test]
    fn places() {
        let page: Page = "127.0.0.1:7070/health".parse().unwrap();
        let address = "127.0.0.1:7070".parse().unwrap();
        assert_eq!(Some(&page), Page::new(address, "/health").as_ref());
        assert_eq!(page.to_string(), "http://127.0.0.1:7070/health");
        assert_eq!(Page::new(address, "health"), None);
        for bad in [
            "127.0.0.1:7070",
            "localhost:1/",
            "1.2.3.4/x",
            "1.2.3.4:5/ x",
        ] {
            let error = bad.parse::<Page>().unwrap_err();
            assert_eq!(error, format!("got {bad:?}, want ADDRESS:PORT/PATH"));
        }
    }

    /// What comes of a service that sends these parts, each after a pause, and closes.
    fn asked(
        parts: &[&[u8]],
        pause: Duration,
        patience: Duration,
    ) -> Result<(u16, String), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let page = Page::new(listener.local_addr().unwrap(), "/a/b").unwrap();
        std::thread::scope(|scope| {
            let service = scope.spawn(move || {
                let (mut stream, address) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines = lines.map(|line| line.unwrap());
                let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                for part in parts {
                    std::thread::sleep(pause);
                    // Who asked may be gone.
                    if stream.write_all(part).is_err() {
                        break;
                    }
                }
                (lines, address.ip())
            });
            let got = get(&page, patience).map_err(|error| format!("{error:#}"));
            let (lines, _) = service.join().unwrap();
            let host = format!("Host: {}", page.address);
            assert_eq!(lines, ["GET /a/b HTTP/1.1", &host, "Connection: close"]);
            got.map_err(|error| error.replace(&page.to_string(), "PAGE"))
        })
    }

    #[test]
    fn answers() {
        let at_once = |text: &str| asked(&[text.as_bytes()], Duration::ZERO, PATIENCE);
        let good = |code, body: &str| Ok((code, body.to_owned()));
        assert_eq!(
            at_once("HTTP/1.1 200 OK\r\nA: b\r\n\r\none\r\n\r\ntwo"),
            good(200, "one\r\n\r\ntwo")
        );
        assert_eq!(at_once("HTTP/1.0 503\r\n\r\n"), good(503, ""));
        let parts: [&[u8]; 3] = [b"HTTP/1.1 2", b"00 OK\r\n", b"\r\nall"];
        assert_eq!(
            asked(&parts, Duration::from_millis(5), PATIENCE),
            good(200, "all")
        );
        for bad in ["", "SSH-2.0-x 200\r\n", "HTTP/1.1 OK\r\n\r\n"] {
            let line = bad.trim_end();
            let want = format!("PAGE: answered {line:?}, which is not HTTP");
            assert_eq!(at_once(bad), Err(want));
        }
    }

    #[test]
    fn answers_end_somewhere() {
        let long = vec![b'x'; 1000];
        let most = asked(&[long.as_slice(); 100], Duration::ZERO, PATIENCE);
        assert_eq!(most, Err("PAGE: more than 65536 bytes".to_owned()));
        // Each part comes in time, and all of them don't.
        let slow = asked(
            &[b"x".as_slice(); 1000],
            Duration::from_millis(20),
            Duration::from_millis(300),
        );
        assert_eq!(slow, Err("PAGE: no whole answer after 0.3 s".to_owned()));
        // Nothing comes.
        let none = asked(
            &[b"x".as_slice()],
            Duration::from_secs(1),
            Duration::from_millis(100),
        );
        assert_eq!(none, Err("PAGE: no whole answer after 0.1 s".to_owned()));
    }

    #[test]
    fn nobody_there() {
        // Taken at one address, so nobody has it at another.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let page = Page::new(([127, 0, 0, 2], port).into(), "/").unwrap();
        let error = format!("{:#}", get(&page, PATIENCE).unwrap_err());
        assert!(
            error.starts_with(&format!("{page}: Connection refused")),
            "{error}"
        );
    }
}
