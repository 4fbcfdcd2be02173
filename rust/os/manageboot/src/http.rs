//! A file from a web server, read front to back over as many connections as it takes.
//!
//! When a connection ends early, the next one asks for the rest (RFC 9110: `Range`, `If-Range`). What has to hold for going on:
//!
//! | the server answers       | then                                                                                      |
//! |--------------------------|-------------------------------------------------------------------------------------------|
//! | 206, from where we stand | it goes on, if length and validator (strong `ETag`, else `Last-Modified`) are as before     |
//! | 200                      | it knows no ranges: the same file is read again up to there; another one is refused         |
//! | 408, 425, 429, 5xx       | it is asked again later, as after a connection that was lost                                |
//! | anything else            | the end                                                                                     |
//!
//! Nothing here is trusted: whoever reads checks what comes by the signed digests of its parts.

use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context};
use base::{as_usize, past, url};
use ureq::http::{HeaderMap, Response};
use ureq::tls::{parse_pem, PemItem, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, BodyReader};

use crate::names::Names;

/// The first wait before another try; waits double up to [`LAST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LAST_WAIT: Duration = Duration::from_secs(30);

/// How servers are spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// Certificates (PEM) of who may vouch for a server.
    pub(crate) ca_certs: PathBuf,
    /// How long a server may say nothing.
    pub(crate) timeout: Duration,
    /// Tries in a row that bring nothing.
    pub(crate) tries: u64,
}

/// A file that is being fetched.
pub(crate) struct Download {
    agent: Agent,
    /// With user, password and query: for requests alone, never said.
    url: String,
    tries: u64,
    /// Tries in a row that brought nothing.
    failed: u64,
    /// What was said of the file on the first connection.
    file: Option<FileId>,
    /// How much was read.
    at: u64,
    body: Option<BodyReader<'static>>,
}

/// By what a file is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileId {
    len: Option<u64>,
    validator: Option<String>,
}

/// Why there is no body.
enum Trouble {
    /// It may pass.
    Passing(anyhow::Error),
    /// It won't.
    Lasting(anyhow::Error),
}

impl From<ureq::Error> for Trouble {
    fn from(error: ureq::Error) -> Self {
        if let ureq::Error::BadUri(_) = error {
            // The crate's words have all of it.
            return Self::Lasting(anyhow!("it is no URL that can be asked for"));
        }
        // A certificate that is not right comes as invalid data.
        let passing = match &error {
            ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
            ureq::Error::Timeout(_)
            | ureq::Error::ConnectionFailed
            | ureq::Error::HostNotFound
            | ureq::Error::BodyStalled => true,
            _ => false,
        };
        match passing {
            true => Self::Passing(error.into()),
            false => Self::Lasting(error.into()),
        }
    }
}

impl Download {
    /// Asks for `url`; returns when the server began to answer.
    pub(crate) fn open(url: &str, manners: &Manners) -> anyhow::Result<Self> {
        let mut download = Self {
            agent: agent(url, manners)?,
            url: url.to_owned(),
            tries: manners.tries,
            failed: 0,
            file: None,
            at: 0,
            body: None,
        };
        download.connect()?;
        Ok(download)
    }

    /// The file's length, if the server said it.
    pub(crate) fn len(&self) -> Option<u64> {
        self.file.as_ref()?.len
    }

    /// Tries until there is a body, or no hope.
    fn connect(&mut self) -> io::Result<()> {
        loop {
            match self.ask() {
                Ok(body) => {
                    self.body = Some(body);
                    return Ok(());
                }
                Err(Trouble::Passing(error)) => self.wait(&error)?,
                Err(Trouble::Lasting(error)) => return Err(Self::failure(&error)),
            }
        }
    }

    fn failure(error: &anyhow::Error) -> io::Error {
        io::Error::other(format!("{error:#}"))
    }

    /// Waits before the next try, if there is to be one.
    fn wait(&mut self, error: &anyhow::Error) -> io::Result<()> {
        self.failed = past(self.failed, 1);
        if self.failed >= self.tries {
            let error = Self::failure(error);
            return Err(io::Error::other(format!(
                "{error}; gave up after {} tries",
                self.failed
            )));
        }
        let doubled = std::iter::successors(Some(FIRST_WAIT), |wait| wait.checked_mul(2));
        // No more than there are below the longest.
        let wait = doubled.take(as_usize(self.failed).min(16)).last();
        let wait = wait.unwrap_or(FIRST_WAIT).min(LAST_WAIT);
        let line = if io::stderr().is_terminal() { "\r" } else { "" };
        eprintln!(
            "{line}manageboot: {}: {error:#}; byte {}, again in {} ms",
            url::shown(&self.url),
            self.at,
            wait.as_millis()
        );
        std::thread::sleep(wait);
        Ok(())
    }

    /// One request.
    fn ask(&mut self) -> Result<BodyReader<'static>, Trouble> {
        let mut request = self.agent.get(&self.url);
        // Bytes as they lie there: what is compressed on the way can't be gone on with.
        request = request.header("Accept-Encoding", "identity");
        if self.at > 0 {
            request = request.header("Range", format!("bytes={}-", self.at));
            if let Some(validator) = self.file.as_ref().and_then(|file| file.validator.as_ref()) {
                request = request.header("If-Range", validator);
            }
        }
        let response = request.call()?;
        match response.status().as_u16() {
            200 => self.whole(response),
            206 if self.at > 0 => self.rest(response),
            status @ (408 | 425 | 429 | 500..=599) => Err(Trouble::Passing(anyhow!(
                "the server answers with status {status}"
            ))),
            status => Err(Trouble::Lasting(anyhow!(
                "the server answers with status {status}"
            ))),
        }
    }

    /// The file from its beginning.
    fn whole(&mut self, response: Response<Body>) -> Result<BodyReader<'static>, Trouble> {
        let headers = response.headers();
        let len = header(headers, "content-length").and_then(|text| text.parse().ok());
        let found = FileId {
            len,
            validator: validator(headers),
        };
        self.same_file(found).map_err(Trouble::Lasting)?;
        let mut body = response.into_body().into_reader();
        let mut seen = (&mut body).take(self.at);
        match io::copy(&mut seen, &mut io::sink()) {
            Ok(got) if got == self.at => Ok(body),
            Ok(got) => Err(Trouble::Passing(anyhow!(
                "the connection ended at byte {got}"
            ))),
            Err(error) => Err(Trouble::Passing(error.into())),
        }
    }

    /// What is left of the file.
    fn rest(&mut self, response: Response<Body>) -> Result<BodyReader<'static>, Trouble> {
        let headers = response.headers();
        let range = header(headers, "content-range").unwrap_or("");
        let parsed = content_range(range);
        let Some((_, total)) = parsed.filter(|(start, _)| *start == self.at) else {
            return Err(Trouble::Lasting(anyhow!(
                "the server was asked for byte {} and on, and answers with Content-Range {range:?}",
                self.at
            )));
        };
        let known = self.file.as_ref();
        let found = FileId {
            len: total.or(known.and_then(|file| file.len)),
            validator: validator(headers).or(known.and_then(|file| file.validator.clone())),
        };
        self.same_file(found).map_err(Trouble::Lasting)?;
        Ok(response.into_body().into_reader())
    }

    /// Refuses another file than the one that was begun with.
    fn same_file(&mut self, found: FileId) -> anyhow::Result<()> {
        if let Some(known) = &self.file {
            ensure!(
                *known == found,
                "the file on the server changed while it was read (it was {known}, now it is {found}): start again"
            );
        }
        self.file = Some(found);
        Ok(())
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.len {
            Some(len) => write!(f, "{len} bytes")?,
            None => f.write_str("of unknown length")?,
        }
        match &self.validator {
            Some(validator) => write!(f, ", {validator}"),
            None => Ok(()),
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let len = self.len();
            let Some(body) = &mut self.body else {
                self.connect()?;
                continue;
            };
            let error = match body.read(buffer) {
                Ok(0) => match len {
                    Some(len) if self.at < len => anyhow!("the connection ended, of {len} bytes"),
                    _ => return Ok(0),
                },
                Ok(got) => {
                    self.at = past(self.at, got);
                    self.failed = 0;
                    return Ok(got);
                }
                // A signal is none: where there is a timeout, ureq reads on by itself.
                Err(error) => error.into(),
            };
            self.body = None;
            self.wait(&error)?;
        }
    }
}

fn agent(url: &str, manners: &Manners) -> anyhow::Result<Agent> {
    let silence = Some(manners.timeout);
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        // The environment says nothing here.
        .proxy(None)
        .user_agent("manageboot")
        .timeout_resolve(silence)
        .timeout_connect(silence)
        .timeout_recv_response(silence)
        .timeout_per_read(silence);
    if url.starts_with("https://") {
        config = config.https_only(true).tls_config(tls(manners)?);
    }
    let connector = DefaultConnector::default();
    Ok(Agent::with_parts(
        config.build(),
        connector,
        Names::of_machine(),
    ))
}

fn tls(manners: &Manners) -> anyhow::Result<TlsConfig> {
    let path = &manners.ca_certs;
    let pem = std::fs::read(path)
        .with_context(|| format!("cannot read {}, by which servers are known", path.display()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| path.display().to_string())?
        {
            certificates.push(certificate);
        }
    }
    ensure!(
        !certificates.is_empty(),
        "{} holds no certificate",
        path.display()
    );
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(certificates))
        .build())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// By what `If-Range` may ask: a weak tag is no use for ranges.
fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = header(headers, "etag").filter(|tag| !tag.starts_with("W/"));
    let validator = strong.or_else(|| header(headers, "last-modified"))?;
    Some(validator.to_owned())
}

/// First byte and whole length of `bytes 5-9/10`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let whole = total.is_none_or(|total: u64| end.checked_add(1) == Some(total));
    (start <= end && whole).then_some((start, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for bad in [
            "",
            "bytes 5-9",
            "bytes 9-5/10",
            "bytes 5-8/10",
            "5-9/10",
            "bytes */10",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    /// What may pass is tried again, and what is wrong with the server or the request is not.
    #[test]
    fn errors_pass_or_last() {
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        for (error, passes) in [
            (io(io::ErrorKind::ConnectionReset), true),
            (io(io::ErrorKind::InvalidData), false),
            (ureq::Error::ConnectionFailed, true),
            (ureq::Error::HostNotFound, true),
            (ureq::Error::TooManyRedirects, false),
            (ureq::Error::BadUri("x".into()), false),
        ] {
            let shown = error.to_string();
            let passing = matches!(Trouble::from(error), Trouble::Passing(_));
            assert_eq!(passing, passes, "{shown}");
        }
    }

    #[test]
    fn weak_tags_tell_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert("etag", "W/\"1\"".parse().unwrap());
        assert_eq!(validator(&headers), None);
        headers.insert("last-modified", "yesterday".parse().unwrap());
        assert_eq!(validator(&headers).as_deref(), Some("yesterday"));
        headers.insert("etag", "\"1\"".parse().unwrap());
        assert_eq!(validator(&headers).as_deref(), Some("\"1\""));
    }
}
