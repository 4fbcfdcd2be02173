//! A web server with one file, that misbehaves as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What it does on one connection; the last of several on all that follow.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Sends what was asked for, but not more than so many bytes of it.
    Send(usize),
    /// The same, from the beginning whatever was asked for.
    SendWithoutRanges(usize),
    /// The same, without saying how much it is: in a chunk, after which comes the end of all, if so it says.
    SendInChunks(usize, bool),
    /// Begins with what was asked for, and says of the rest that it has no more than so many bytes.
    SendPart(usize),
    /// Answers as if a range had been asked for.
    UnaskedRange,
    /// Answers with another status.
    Status(u16),
    /// Accepts, and says nothing.
    Silence,
    /// From now on the file is another one.
    Change(Vec<u8>, &'static str),
}

/// A server for as long as the test runs.
pub struct Server {
    pub url: String,
    /// First lines and ranges of what was asked for.
    pub asked: Arc<Mutex<Vec<String>>>,
}

struct File {
    bytes: Vec<u8>,
    etag: &'static str,
}

impl Server {
    pub fn http(bytes: Vec<u8>, deeds: Vec<Deed>) -> Self {
        Self::start("http", bytes, deeds, None)
    }

    /// With the certificate of `tests/data`.
    pub fn https(bytes: Vec<u8>, deeds: Vec<Deed>) -> Self {
        let data = super::data();
        let chain = CertificateDer::pem_file_iter(data.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(data.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        Self::start("https", bytes, deeds, Some(Arc::new(config)))
    }

    fn start(
        scheme: &str,
        bytes: Vec<u8>,
        deeds: Vec<Deed>,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/update.tar", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut file = File {
                bytes,
                etag: "\"one\"",
            };
            let mut deeds = deeds.into_iter();
            let mut deed = deeds.next().unwrap();
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                while let Deed::Change(bytes, etag) = deed {
                    file = File { bytes, etag };
                    deed = deeds.next().unwrap();
                }
                match &deed {
                    Deed::Silence => held.push(stream),
                    deed => {
                        // Whoever was refused closes the connection: the next one is what counts.
                        let _ = match &tls {
                            None => serve(stream, &file, deed, &log),
                            Some(config) => {
                                let session = rustls::ServerConnection::new(Arc::clone(config));
                                let stream = rustls::StreamOwned::new(session.unwrap(), stream);
                                serve(stream, &file, deed, &log)
                            }
                        };
                    }
                }
                deed = deeds.next().unwrap_or(deed);
            }
        });
        Self { url, asked }
    }
}

/// What was asked for.
#[derive(Default)]
struct Request {
    /// The first byte, if not all are wanted.
    from: Option<usize>,
    /// Of this file only.
    tag: Option<String>,
}

impl Request {
    /// Nothing, if the connection ends before it does.
    fn read(stream: &mut impl BufRead) -> std::io::Result<Option<Self>> {
        let mut request = Self::default();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(start) = line.strip_prefix("range: bytes=") {
                request.from = Some(start.trim_end_matches('-').parse().unwrap());
            }
            if let Some(tag) = line.strip_prefix("if-range: ") {
                request.tag = Some(tag.to_owned());
            }
            if line.is_empty() {
                return Ok(Some(request));
            }
        }
    }

    /// The first byte that this file is sent from.
    fn begin(&self, file: &File) -> usize {
        let same = self.tag.as_ref().is_none_or(|tag| tag == file.etag);
        self.from.filter(|_| same).unwrap_or(0)
    }
}

fn serve<S: Read + Write>(
    stream: S,
    file: &File,
    deed: &Deed,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(request) = Request::read(&mut stream)? else {
        return Ok(());
    };
    let asked = request.from.map(|from| format!("from {from}"));
    log.lock().unwrap().push(asked.unwrap_or_default());
    let out = stream.get_mut();
    let (len, etag) = (file.bytes.len(), file.etag);
    match deed {
        Deed::Status(status) => write!(
            out,
            "HTTP/1.1 {status} no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?,
        Deed::SendInChunks(most, ended) => {
            let most = len.min(*most);
            write!(out, "HTTP/1.1 200 OK\r\nETag: {etag}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{most:x}\r\n")?;
            out.write_all(&file.bytes[..most])?;
            out.write_all(if *ended { b"\r\n0\r\n\r\n" } else { b"\r\n" })?;
        }
        Deed::UnaskedRange => {
            write!(out, "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes 0-{}/{len}\r\nContent-Length: {len}\r\n\r\n", len - 1)?;
            out.write_all(&file.bytes)?;
        }
        Deed::Send(most) => send(out, file, request.begin(file), *most, len)?,
        Deed::SendPart(most) => send(out, file, request.begin(file), *most, *most)?,
        Deed::SendWithoutRanges(most) => send(out, file, 0, *most, len)?,
        other => unreachable!("{other:?}"),
    }
    out.flush()
}

/// Sends at most `most` bytes from `from` on, and says that there are as many as there are, but no more than `said`.
fn send(
    out: &mut impl Write,
    file: &File,
    from: usize,
    most: usize,
    said: usize,
) -> std::io::Result<()> {
    let (len, etag, rest) = (file.bytes.len(), file.etag, &file.bytes[from..]);
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        _ => (
            "206 Partial Content",
            format!("Content-Range: bytes {from}-{}/{len}\r\n", len - 1),
        ),
    };
    write!(
        out,
        "HTTP/1.1 {status}\r\nETag: {etag}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n",
        rest.len().min(said)
    )?;
    out.write_all(&rest[..most.min(rest.len())])
}
