//! The base image's pin: a file whose first line is `NAME@sha256:HEX` and whose other lines are its packages.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{At, Error, Result};

/// At most this many packages are named in an error.
const MAX_NAMED: usize = 10;

/// Stands in package lists for files that belong to none.
const NO_PACKAGE: &str = "-";

/// The base image at hand.
#[derive(Debug, Clone)]
pub struct BaseImage {
    /// SHA-256 of the image, as its digest file says (`sha256:` may stand before it).
    pub digest: String,
    /// Its packages: lines of `name version sha256`.
    pub packages: String,
}

/// What a FROM line was pinned to.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The whole pin file, if the reference came from one.
    pub text: Option<String>,
    /// The command that updates it, for the error.
    pub command: Option<String>,
    /// Whether the image at hand is of other packages than the locked ones: no pin knows it, and it may be another one.
    pub unlocked: bool,
}

impl BaseImage {
    /// Checks that `image`, named by the FROM at `at`, is this one.
    pub fn check(&self, at: &At, image: &str, pin: &Pin) -> Result<()> {
        let error = |problem: String| Error::Base {
            at: at.clone(),
            image: image.to_owned(),
            problem,
        };
        let have = digest(self.digest.trim()).ok_or_else(|| {
            error(format!(
                "the base image's digest {:?} is no SHA-256",
                self.digest.trim()
            ))
        })?;
        let wanted = image
            .split_once('@')
            .and_then(|(name, hex)| {
                digest(hex).filter(|_| !name.is_empty() && hex.starts_with("sha256:"))
            })
            .ok_or_else(|| {
                error("wanted an earlier stage, scratch, or NAME@sha256:HEX".to_owned())
            })?;
        if have == wanted || pin.unlocked {
            return Ok(());
        }
        let mut problem = format!("the base image built here is sha256:{have}");
        if let Some(text) = &pin.text {
            problem.push_str("; ");
            problem.push_str(&self.differences(text));
        }
        if let Some(command) = &pin.command {
            problem.push_str("; if that is meant, update the pin: ");
            problem.push_str(command);
        }
        Err(error(problem))
    }

    fn differences(&self, pin: &str) -> String {
        let pinned = packages(pin.lines().skip(1));
        let here = packages(self.packages.lines());
        if pinned.is_empty() {
            return "the pin lists no packages to compare".to_owned();
        }
        let names: BTreeSet<&str> = pinned.keys().chain(here.keys()).copied().collect();
        let differ: Vec<String> = names
            .into_iter()
            .filter_map(|name| difference(name, pinned.get(name), here.get(name)))
            .collect();
        if differ.is_empty() {
            return "its packages are the pinned ones, so the way it is made has changed"
                .to_owned();
        }
        let mut differ = differ.into_iter();
        let named: Vec<String> = differ.by_ref().take(MAX_NAMED).collect();
        let more = differ.len();
        let mut text = format!("packages that differ from the pin: {}", named.join(", "));
        if more > 0 {
            text.push_str(&format!(", and {more} more"));
        }
        text
    }
}

/// `sha256:HEX` or `HEX`, in lower case.
fn digest(text: &str) -> Option<&str> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.parse::<base::Sha256Digest>().is_ok().then_some(hex)
}

/// Name -> (version, rest of the line).
fn packages<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, (&'a str, &'a str)> {
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let (name, rest) = line.split_once(char::is_whitespace)?;
            let (version, hash) = rest
                .trim()
                .split_once(char::is_whitespace)
                .unwrap_or((rest.trim(), ""));
            Some((name, (version, hash.trim())))
        })
        .collect()
}

fn difference(
    name: &str,
    pinned: Option<&(&str, &str)>,
    here: Option<&(&str, &str)>,
) -> Option<String> {
    if name == NO_PACKAGE {
        return (pinned != here).then(|| "files of no package".to_owned());
    }
    match (pinned, here) {
        (Some(pinned), Some(here)) if pinned == here => None,
        (Some(pinned), Some(here)) if pinned.0 == here.0 => {
            Some(format!("{name} {} (other content)", here.0))
        }
        (Some(pinned), Some(here)) => Some(format!("{name} {} (pinned {})", here.0, pinned.0)),
        (Some(_), None) => Some(format!("{name} (pinned, not here)")),
        (None, Some(here)) => Some(format!("{name} {} (not pinned)", here.0)),
        (None, None) => None,
    }
}
