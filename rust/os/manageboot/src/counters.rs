//! What became of upgrades, for who watches the machine: counts in a file, and a line in the journal.
//!
//! The file is `{"installed": N, "refused": {"CAUSE": N}}`; it is in memory, so that it counts since the machine started.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use anyhow::Context;
use rustix::fs::{flock, FlockOperation};
use serde_json::{json, Value};
use update::{Error, Refusal};

/// Where the journal takes lines.
const JOURNAL: &str = "/dev/log";
/// A warning of a user's program (RFC 5424).
const WARNING: &str = "<12>";

/// What the bundle's reader has to say, if it is that which failed.
fn known(error: &anyhow::Error) -> Option<&Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// Whether the bundle is at fault.
pub(crate) fn is_refusal(error: &anyhow::Error) -> bool {
    known(error).is_some_and(Error::is_refusal)
}

/// Why an upgrade was not installed, in a word.
pub(crate) fn cause(error: &anyhow::Error) -> &'static str {
    let refusal = match known(error) {
        Some(Error::Refused(refusal)) => refusal,
        Some(_) => return "reading",
        None if error.chain().any(|cause| cause.is::<std::io::Error>()) => return "io",
        None => return "other",
    };
    match refusal {
        Refusal::NeverUnsigned { .. }
        | Refusal::TooFewSigners { .. }
        | Refusal::BadSignature { .. } => "signature",
        Refusal::Document(_) => "manifest",
        Refusal::Other { what, .. } => what,
        Refusal::Older { .. }
        | Refusal::NoOrder { .. }
        | Refusal::TooOldToCome { .. }
        | Refusal::OlderData { .. } => "version",
        Refusal::Expired { .. } => "expired",
        Refusal::Missing { .. } | Refusal::CutShort { .. } => "truncated",
        Refusal::Length { got, want } if got < want => "truncated",
        Refusal::Length { .. } | Refusal::More { .. } | Refusal::TooLong { .. } => "longer",
        Refusal::Base { .. } | Refusal::Delta { .. } => "delta",
        _ => "members",
    }
}

/// Counts the outcome in the file at `path`, and says in the journal what was refused. `why` is nothing for what was installed.
pub(crate) fn note(path: &Path, why: Option<&anyhow::Error>) -> anyhow::Result<()> {
    if let Some(error) = why {
        tell(Path::new(JOURNAL), &format!("upgrade refused: {error:#}"));
    }
    // Held until this returns: two that count at once would lose one.
    let _lock = lock(path)?;
    let mut counts = Counts::read(path)?;
    match why {
        None => counts.installed = count(counts.installed),
        Some(error) => {
            let refused = counts.refused.entry(cause(error).to_owned()).or_default();
            *refused = count(*refused);
        }
    }
    counts.write(path)
}

/// A lock on a file beside that at `path`, which is replaced and so can't have one itself. Waits: who counts is done at once.
fn lock(path: &Path) -> anyhow::Result<File> {
    let beside = path.with_extension("lock");
    let shown = || format!("cannot lock {}", beside.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(shown)?;
    }
    let file = File::create(&beside).with_context(shown)?;
    flock(&file, FlockOperation::LockExclusive).with_context(shown)?;
    Ok(file)
}

fn count(so_far: u64) -> u64 {
    base::past(so_far, 1)
}

/// A line in the journal, where there is one.
fn tell(journal: &Path, text: &str) {
    let line = format!("{WARNING}manageboot: {text}");
    let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(line.as_bytes(), journal));
}

#[derive(Default)]
struct Counts {
    installed: u64,
    refused: BTreeMap<String, u64>,
}

impl Counts {
    /// Nothing yet, if there is no such file. One that says something else is not counted on from: a counter that goes back to 0 is how
    /// a restart of the machine looks.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Self::parse(&text).with_context(|| {
            format!(
                "{}: want {{\"installed\": N, \"refused\": {{\"CAUSE\": N}}}}; nothing is counted until the file is removed",
                path.display()
            )
        })
    }

    fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let number = |of: &str, value: Option<&Value>| {
            let count = value.and_then(Value::as_u64);
            let count = count.filter(|count| *count < u64::MAX);
            count.with_context(|| format!("{of} is no number"))
        };
        let value: Value = serde_json::from_slice(text).context("it is no JSON")?;
        let refused = value.get("refused").and_then(Value::as_object);
        let refused = refused.context("\"refused\" is no object")?.iter();
        Ok(Self {
            installed: number("\"installed\"", value.get("installed"))?,
            refused: refused
                .map(|(cause, count)| Ok((cause.clone(), number(cause, Some(count))?)))
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// Replaces the file in one step.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let shown = || format!("cannot write {}", path.display());
        let text = json!({"installed": self.installed, "refused": self.refused}).to_string();
        let new = path.with_extension("new");
        std::fs::write(&new, text + "\n").with_context(shown)?;
        std::fs::rename(&new, path).with_context(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/ic/manageboot.json");
        let error = anyhow::anyhow!("x");
        note(&path, Some(&error)).unwrap();
        note(&path, None).unwrap();
        note(&path, Some(&error)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"installed\":1,\"refused\":{\"other\":2}}\n");
        for (damage, why) in [
            ("", "it is no JSON"),
            ("{}", "\"refused\" is no object"),
            (
                "{\"installed\":1,\"refused\":7}",
                "\"refused\" is no object",
            ),
            (
                "{\"installed\":-1,\"refused\":{}}",
                "\"installed\" is no number",
            ),
            (
                "{\"installed\":1,\"refused\":{\"io\":\"2\"}}",
                "io is no number",
            ),
            // After which there would be none.
            (
                "{\"installed\":18446744073709551615,\"refused\":{}}",
                "\"installed\" is no number",
            ),
        ] {
            std::fs::write(&path, damage).unwrap();
            let said = format!("{:#}", note(&path, None).unwrap_err());
            let want = "nothing is counted until the file is removed: ";
            assert!(said.contains(&format!("{want}{why}")), "{damage}: {said}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let said = format!("{:#}", note(&path, None).unwrap_err());
        assert!(said.starts_with("cannot read "), "{said}");
    }

    #[test]
    fn a_line_in_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // Without a journal there is nobody to tell.
        tell(&path, "lost");
        let journal = UnixDatagram::bind(&path).unwrap();
        // What was told is there.
        journal.set_nonblocking(true).unwrap();
        tell(&path, "upgrade refused: x");
        let mut line = [0; 100];
        let got = journal.recv(&mut line).unwrap();
        assert_eq!(&line[..got], b"<12>manageboot: upgrade refused: x");
    }

    #[test]
    fn none_is_lost_when_several_count_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/ic/manageboot.json");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        note(&path, None).unwrap();
                    }
                });
            }
        });
        assert_eq!(Counts::read(&path).unwrap().installed, 200);
    }

    #[test]
    fn causes() {
        let refused = |refusal| anyhow::Error::from(Error::Refused(refusal)).context("update.tar");
        let (got, want) = (1, 2);
        for (error, want) in [
            (refused(Refusal::Length { got, want }), "truncated"),
            (refused(Refusal::Length { got: 3, want }), "longer"),
            (refused(Refusal::TooLong { most: 1 }), "longer"),
            (
                refused(update::Manifest::parse(b"{").unwrap_err().into()),
                "manifest",
            ),
            (
                refused(Refusal::Missing {
                    want: "root.img".into(),
                }),
                "truncated",
            ),
            (
                refused(Refusal::CutShort {
                    member: "root.img".into(),
                    at: 1,
                }),
                "truncated",
            ),
            (
                refused(Refusal::NeverUnsigned { env: "prod".into() }),
                "signature",
            ),
            (Error::Read(std::io::Error::other("gone")).into(), "reading"),
            (std::io::Error::other("gone").into(), "io"),
            (anyhow::anyhow!("x"), "other"),
        ] {
            assert_eq!(cause(&error), want, "{error:#}");
        }
    }
}
