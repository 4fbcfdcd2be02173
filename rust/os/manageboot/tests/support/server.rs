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

fn serve<S: Read + Write>(
    stream: S,
    file: &File,
    deed: &Deed,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut from = 0;
    let mut same = true;
    let mut asked = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(start) = line.strip_prefix("range: bytes=") {
            from = start.trim_end_matches('-').parse().unwrap();
            asked = format!("from {from}");
        }
        if let Some(tag) = line.strip_prefix("if-range: ") {
            same = tag == file.etag;
        }
        if line.is_empty() {
            break;
        }
    }
    log.lock().unwrap().push(asked);
    let out = stream.get_mut();
    let (len, etag) = (file.bytes.len(), file.etag);
    let most = match deed {
        Deed::Status(status) => {
            return write!(
                out,
                "HTTP/1.1 {status} no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        Deed::SendInChunks(most, ended) => {
            let most = file.bytes.len().min(*most);
            write!(out, "HTTP/1.1 200 OK\r\nETag: {etag}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{most:x}\r\n")?;
            out.write_all(&file.bytes[..most])?;
            out.write_all(if *ended { b"\r\n0\r\n\r\n" } else { b"\r\n" })?;
            return out.flush();
        }
        Deed::UnaskedRange => {
            write!(out, "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes 0-{}/{len}\r\nContent-Length: {len}\r\n\r\n", len - 1)?;
            out.write_all(&file.bytes)?;
            return out.flush();
        }
        Deed::Send(most) | Deed::SendPart(most) => *most,
        Deed::SendWithoutRanges(most) => {
            same = false;
            *most
        }
        other => unreachable!("{other:?}"),
    };
    let from = if same { from } else { 0 };
    let rest = &file.bytes[from..];
    let range = match from {
        0 => String::new(),
        _ => format!("Content-Range: bytes {from}-{}/{len}\r\n", len - 1),
    };
    let said = match deed {
        Deed::SendPart(most) => rest.len().min(*most),
        _ => rest.len(),
    };
    let status = if from > 0 {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    write!(
        out,
        "HTTP/1.1 {status}\r\nETag: {etag}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n",
        said
    )?;
    out.write_all(&rest[..most.min(rest.len())])?;
    out.flush()
}
