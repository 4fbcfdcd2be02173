//! Just enough of an HTTP/1.1 server (RFC 9112, ranges of RFC 9110) to hand a bundle to a guest in ways in which a network can.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use anyhow::{Context, Result};
use base::{as_usize, past};
use plan::Reader;

/// Where a guest of QEMU's own network finds this host.
const HOST: &str = "10.0.2.2";
/// So much is sent at once.
const PIECE: u64 = 64 << 10;
/// A request has no more lines than this.
const LINES: usize = 100;

/// What becomes of the bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The connection ends each time after so many bytes.
    Drops(u64),
    /// There is only the first half.
    Short,
    /// There is one more, a zero.
    Longer,
}

/// A bundle that a guest can fetch; as long as this program runs.
#[derive(Debug)]
pub(crate) struct Feed {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Feed {
    /// Serves the bundle at `path` in each of these ways, by number.
    pub(crate) fn start(path: &Path, ways: &'static [Way]) -> Result<Self> {
        let image = Arc::new(Reader::open_any(path)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let port = listener.local_addr().context("cannot listen")?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                theirs.fetch_add(1, Ordering::SeqCst);
                let image = Arc::clone(&image);
                // A client that hangs up is none of ours any more.
                std::thread::spawn(move || answer(&stream, &image, ways));
            }
        });
        Ok(Self { port, connections })
    }

    /// What the guest calls the bundle in the way of this number.
    pub(crate) fn url(&self, number: usize) -> String {
        format!("http://{HOST}:{}/{number}/update.tar", self.port)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// What a client asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    head: bool,
    number: Option<usize>,
    /// The first byte, if not all are wanted.
    from: Option<u64>,
}

fn answer(mut stream: &TcpStream, image: &Reader, ways: &[Way]) -> Result<()> {
    let lines = BufReader::new(stream).lines().take(LINES);
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let asked = asked(&lines);
    let way = asked.number.and_then(|number| ways.get(number));
    let Some(way) = way else {
        let none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return Ok(stream.write_all(none.as_bytes())?);
    };
    let len = length(image, *way);
    let from = asked.from.unwrap_or(0).min(len);
    let status = match asked.from {
        Some(_) => format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{len}",
            len.saturating_sub(1)
        ),
        None => "200 OK".to_owned(),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nAccept-Ranges: bytes\r\nETag: \"one\"\r\nConnection: close\r\n\r\n",
        len.abs_diff(from)
    )?;
    if asked.head {
        return Ok(());
    }
    let end = match way {
        Way::Drops(after) => from.saturating_add(*after).min(len),
        _ => len,
    };
    let mut at = from;
    while at < end {
        let mut bytes = vec![0; as_usize(PIECE.min(end.abs_diff(at)))];
        fill(image, &mut bytes, at)?;
        stream.write_all(&bytes)?;
        at = past(at, bytes.len());
    }
    Ok(())
}

fn asked(lines: &[String]) -> Asked {
    let mut words = lines.first().map_or("", String::as_str).split(' ');
    let head = words.next() == Some("HEAD");
    let number = words
        .next()
        .and_then(|path| path.split('/').nth(1)?.parse().ok());
    let from = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let range = value.trim().strip_prefix("bytes=")?.split('-').next()?;
        name.eq_ignore_ascii_case("range")
            .then(|| range.parse().ok())?
    });
    Asked { head, number, from }
}

fn length(image: &Reader, way: Way) -> u64 {
    match way {
        Way::Short => image.len() / 2,
        Way::Longer => image.len().saturating_add(1),
        Way::Drops(_) => image.len(),
    }
}

fn fill(image: &Reader, bytes: &mut [u8], at: u64) -> Result<()> {
    // What lies behind the end stays zero.
    let have = as_usize(image.len().saturating_sub(at)).min(bytes.len());
    let (known, _) = bytes.split_at_mut(have);
    image.read_at(known, at)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Read;

    const WAYS: &[Way] = &[Way::Drops(70_000), Way::Short, Way::Longer];

    /// The answer's head and body, as far as they came.
    fn get(feed: &Feed, number: usize, more: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, feed.port)).unwrap();
        write!(
            stream,
            "GET /{number}/update.tar HTTP/1.1\r\nHost: x\r\n{more}\r\n"
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        (head, bytes[end + 4..].to_vec())
    }

    #[test]
    fn a_bundle_comes_in_all_ways() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("update.tar");
        let bundle: Vec<u8> = (0..200_000u32)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect();
        std::fs::write(&path, &bundle).unwrap();
        let feed = Feed::start(&path, WAYS).unwrap();
        assert!(feed.url(2).ends_with("/2/update.tar"));
        let (head, body) = get(&feed, 0, "");
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n"),
            "{head}"
        );
        assert!(body == bundle[..70_000]);
        let (head, body) = get(&feed, 0, "Range: bytes=150000-\r\n");
        let range = "206 Partial Content\r\nContent-Range: bytes 150000-199999/200000";
        assert!(head.contains(range), "{head}");
        assert!(head.contains("Content-Length: 50000"), "{head}");
        assert!(body == bundle[150_000..]);
        assert!(get(&feed, 1, "").1 == bundle[..100_000]);
        let (_, longer) = get(&feed, 2, "");
        assert!(longer[..200_000] == bundle && longer[200_000..] == [0]);
        assert!(get(&feed, 3, "").0.starts_with("HTTP/1.1 404"));
        assert_eq!(feed.connections(), 5);
    }
}
