//! What the host keeps of a guest's last report, for its other programs: the file `guest.json`.
//!
//! ```json
//! {"format":1,"version":"1.2.3","healthy":true,"boot_id":"5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11","height":42,"reported":317}
//! ```
//!
//! | field | |
//! |---|---|
//! | `format` | 1 |
//! | `version` | what the guest says that it runs |
//! | `healthy` | whether its services answer |
//! | `boot_id` | this start of the guest, a UUID; another one after it restarted |
//! | `height` | how far its work is, or `null` where the guest did not know |
//! | `reported` | seconds since the host's kernel started (`CLOCK_BOOTTIME`) when the report came: no clock that somebody sets |
//!
//! The file is replaced as a whole at each report, and read whole. All of it is the guest's word: it says nothing that the host may trust
//! beyond what concerns the guest itself.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::message::{self, Report};

/// Where the host's programs find it.
pub const PATH: &str = "/run/ic/guest.json";
/// The version of the format.
pub const FORMAT: u32 = 1;
/// The most bytes of the file; more is refused unread.
pub const MOST_BYTES: u64 = 4096;

/// A guest's last report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestReport {
    /// [`FORMAT`].
    pub format: u32,
    /// What the guest runs.
    pub version: String,
    /// Whether its services answer.
    pub healthy: bool,
    /// This start of the guest.
    pub boot_id: String,
    /// How far its work is, where it knows.
    pub height: Option<u64>,
    /// Seconds since the host's kernel started.
    pub reported: u64,
}

impl GuestReport {
    /// What is kept of a report that came at `reported`.
    pub fn of(report: &Report, reported: u64) -> Self {
        Self {
            format: FORMAT,
            version: report.version.clone(),
            healthy: report.healthy,
            boot_id: report.boot_id.clone(),
            height: report.height,
            reported,
        }
    }

    /// Reads and checks the file's content.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let len = bytes.len();
        if base::as_u64(len) > MOST_BYTES {
            let problem = format!("got {len} bytes, want at most {MOST_BYTES}");
            message::all_right(WHAT, vec![problem])?;
        }
        let report: Self = message::json(WHAT, bytes)?;
        let mut problems = Vec::new();
        if report.format != FORMAT {
            let got = report.format;
            problems.push(format!("format: got {got}, want {FORMAT}"));
        }
        let said = Report {
            version: report.version.clone(),
            healthy: report.healthy,
            boot_id: report.boot_id.clone(),
            height: report.height,
            upgrade: None,
        };
        said.problems(&mut problems);
        message::all_right(WHAT, problems)?;
        Ok(report)
    }

    /// The file's content: one line.
    pub fn to_json(&self) -> Result<String, Error> {
        let text = serde_json::to_string(self);
        let mut text = text.map_err(|source| Error::Json { what: WHAT, source })?;
        text.push('\n');
        Ok(text)
    }
}

const WHAT: &str = "the guest's report";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"format\":1,\"version\":\"1.2.3\",\"healthy\":true,\"boot_id\":\"5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11\",\"height\":42,\"reported\":317}\n";

    #[test]
    fn the_text_of_the_page() {
        let report = GuestReport::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(report.to_json().unwrap(), TEXT);
        assert_eq!((report.height, report.reported), (Some(42), 317));
        let unknown = TEXT.replace("42", "null");
        let report = GuestReport::parse(unknown.as_bytes()).unwrap();
        assert_eq!(report.height, None);
        assert_eq!(report.to_json().unwrap(), unknown);
    }

    #[test]
    fn what_is_not_so_is_refused() {
        for (from, to, want) in [
            ("\"format\":1", "\"format\":2", "format: got 2, want 1"),
            ("1.2.3", "1 2", "version: got \"1 2\""),
            ("5f1a7b68", "5F1A7B68", "boot_id: got \"5F1A7B68"),
            ("317}", "317,\"more\":1}", "unknown field `more`"),
            (",\"reported\":317", "", "missing field `reported`"),
            ("42", "-1", "invalid value"),
        ] {
            let error = GuestReport::parse(TEXT.replace(from, to).as_bytes()).unwrap_err();
            let shown = match error {
                Error::Json { what, source } => format!("{what}: {source}"),
                error => error.to_string(),
            };
            let starts = shown.starts_with("the guest's report: ");
            assert!(starts && shown.contains(want), "{shown}");
        }
        let long = " ".repeat(4096) + TEXT;
        let error = GuestReport::parse(long.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("want at most 4096"), "{error}");
    }
}
