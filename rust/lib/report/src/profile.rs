//! Bazel's profile of a build: what each action took.
//!
//! The "JSON trace profile" of Bazel's documentation, which is the trace event format of Chromium: an object whose `traceEvents` are
//! spans (`ph` is `X`) with a start and a duration in microseconds. An action is a span of the category `action processing`, its
//! mnemonic is in `args`. Bazel writes it compressed by gzip unless the file's name says otherwise; both are read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::{gunzip, input};

/// What a profile is called in messages.
const WANT: &str =
    "a profile that Bazel wrote to its end (command.profile.gz, or the file of --profile)";
const NO_ACTION: &str = "no action in it: want the profile of a build that ran some";
const NO_TIME: &str = "a span without start or duration in whole microseconds";
const TOO_LONG: &str = "times that add up to more than 2^63 microseconds";
/// So many of the longest actions are kept.
const MOST: usize = 20;

/// What a build took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// From the first span's start to the last one's end, in microseconds.
    pub wall: u64,
    /// Of the chain of actions that nothing else could shorten, in microseconds; 0 if the profile has none.
    pub critical: u64,
    /// Kinds of actions, the longest together first.
    pub kinds: Vec<Kind>,
    /// The longest actions, in that order.
    pub longest: Vec<Action>,
}

/// All actions of one mnemonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// Their mnemonic.
    pub mnemonic: String,
    /// How many there were.
    pub count: u64,
    /// What they took together, in microseconds.
    pub sum: u64,
    /// What the longest took, in microseconds.
    pub longest: u64,
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What Bazel says of it while it runs.
    pub what: String,
    /// Its mnemonic.
    pub mnemonic: String,
    /// What it took, in microseconds.
    pub took: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    trace_events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    ph: String,
    // Counters have times with a fraction, spans never; what went before Bazel's clock began has a negative one.
    ts: Option<serde_json::Number>,
    dur: Option<serde_json::Number>,
    #[serde(default)]
    args: serde_json::Map<String, serde_json::Value>,
}

impl Profile {
    /// Reads the profile at `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        let read = input::open(path)?.read_to_end(&mut bytes);
        read.map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        if bytes.starts_with(&gunzip::MAGIC) {
            bytes = gunzip::gunzip(&bytes).map_err(|source| Error::Gzip {
                path: path.to_owned(),
                source,
            })?;
        }
        let document: Document = serde_json::from_slice(&bytes).map_err(|source| Error::Json {
            path: path.to_owned(),
            want: WANT,
            source,
        })?;
        let wrong = |reason| Error::Profile {
            path: path.to_owned(),
            reason,
        };
        let profile = Self::of(document.trace_events).map_err(wrong)?;
        match profile.kinds.is_empty() {
            true => Err(wrong(NO_ACTION)),
            false => Ok(profile),
        }
    }

    /// Adds up, or says what is wrong.
    fn of(events: Vec<Event>) -> Result<Self, &'static str> {
        let mut spans = Vec::new();
        for event in events.into_iter().filter(|event| event.ph == "X") {
            let at = event.ts.as_ref().and_then(serde_json::Number::as_i64);
            let took = event.dur.as_ref().and_then(serde_json::Number::as_u64);
            spans.push((at.ok_or(NO_TIME)?, took.ok_or(NO_TIME)?, event));
        }
        Self::sums(spans).ok_or(TOO_LONG)
    }

    /// Adds up; `None` if a sum fits into no number.
    fn sums(spans: Vec<(i64, u64, Event)>) -> Option<Self> {
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        let mut actions = Vec::new();
        let (mut first, mut end, mut critical) = (i64::MAX, i64::MIN, 0u64);
        for (at, took, event) in spans {
            first = first.min(at);
            end = end.max(at.checked_add_unsigned(took)?);
            match event.cat.as_str() {
                "critical path component" => critical = critical.checked_add(took)?,
                "action processing" => {
                    let mnemonic = event.args.get("mnemonic").and_then(|value| value.as_str());
                    let mnemonic = mnemonic.unwrap_or("?").to_owned();
                    let kind = kinds.entry(mnemonic.clone()).or_default();
                    kind.count = kind.count.checked_add(1)?;
                    kind.sum = kind.sum.checked_add(took)?;
                    kind.longest = kind.longest.max(took);
                    actions.push(Action {
                        what: event.name,
                        mnemonic,
                        took,
                    });
                }
                _ => {}
            }
        }
        actions.sort_by(|a, b| (b.took, &a.what).cmp(&(a.took, &b.what)));
        actions.truncate(MOST);
        let named = |(mnemonic, kind): (String, Kind)| Kind { mnemonic, ..kind };
        let mut kinds: Vec<Kind> = kinds.into_iter().map(named).collect();
        kinds.sort_by(|a, b| (b.sum, &a.mnemonic).cmp(&(a.sum, &b.mnemonic)));
        Some(Self {
            wall: end.abs_diff(first),
            critical,
            kinds,
            longest: actions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"otherData": {"bazel_version": "x"}, "traceEvents": [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "Critical Path"}},
        {"name": "CPU usage (Bazel)", "ph": "C", "ts": 1.5, "pid": 1, "args": {"cpu": 0.5}},
        {"cat": "critical path component", "name": "action 'b'", "ph": "X", "ts": -100, "dur": 70, "pid": 1, "tid": 0},
        {"cat": "action processing", "name": "Writing a", "ph": "X", "ts": 100, "dur": 20, "pid": 1, "args": {"mnemonic": "FileWrite"}, "tid": 5},
        {"cat": "action processing", "name": "Laying out b", "ph": "X", "ts": 120, "dur": 70, "pid": 1, "args": {"mnemonic": "MkExt4"}, "tid": 5},
        {"cat": "action processing", "name": "Writing c", "ph": "X", "ts": 300, "dur": 30, "pid": 1, "args": {"mnemonic": "FileWrite"}, "tid": 6}
    ]}"#;

    fn read(bytes: &[u8]) -> Result<Profile, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Profile::read(file.path())
    }

    #[test]
    fn sums() {
        let got = read(TEXT.as_bytes()).unwrap();
        let kind = |mnemonic: &str, count, sum, longest| Kind {
            mnemonic: mnemonic.to_owned(),
            count,
            sum,
            longest,
        };
        assert_eq!(
            got.kinds,
            [kind("MkExt4", 1, 70, 70), kind("FileWrite", 2, 50, 30)]
        );
        assert_eq!((got.wall, got.critical), (430, 70));
        let longest: Vec<_> = got.longest.iter().map(|a| (&*a.what, a.took)).collect();
        assert_eq!(
            longest,
            [("Laying out b", 70), ("Writing c", 30), ("Writing a", 20)]
        );
        assert_eq!(
            read(&gunzip::tests::gzip(TEXT.as_bytes(), "-6")).unwrap(),
            got
        );
    }

    #[test]
    fn refusals() {
        let cut = gunzip::tests::gzip(TEXT.as_bytes(), "-6");
        let error = read(&cut[..cut.len() / 2]).unwrap_err().to_string();
        assert!(error.ends_with("cannot be decompressed"), "{error}");
        for bytes in [&b"[]"[..], &TEXT.as_bytes()[..400], b""] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(
                error.contains(": not a profile that Bazel wrote"),
                "{error}"
            );
        }
        let error = read(br#"{"traceEvents": []}"#).unwrap_err().to_string();
        assert!(error.contains(": no action in it"), "{error}");
        let error = read(TEXT.replace("\"dur\": 70", "\"tid\": 1").as_bytes());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("a span without start or duration"),
            "{error}"
        );
        let long = TEXT.replace("\"dur\": 70", "\"dur\": 18446744073709551615");
        let error = read(long.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("more than 2^63 microseconds"), "{error}");
    }
}
