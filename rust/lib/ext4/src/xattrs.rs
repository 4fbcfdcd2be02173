//! Extended attributes that mke2fs leaves behind: from an archive it takes `security.capability` only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tree::{Kind, Tree};

use crate::error::Error;
use crate::params::Params;

/// The program of the build environment.
const PROGRAM: &str = "/usr/sbin/debugfs";
/// What mke2fs takes over itself.
const TAKEN: &[u8] = b"security.capability";

/// Sets the other attributes of `tree` in `image`, through debugfs.
pub(crate) fn set(tree: &Tree, params: &Params, image: &Path, dir: &Path) -> Result<(), Error> {
    let mut script = Vec::new();
    let mut count = 0u32;
    for (path, entry) in tree.entries() {
        if matches!(entry.kind, Kind::HardLink { .. }) {
            continue;
        }
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| *name != TAKEN) {
            let file = dir.join(format!("xattr{count}"));
            fs::write(&file, value).map_err(Error::io("write an extended attribute"))?;
            count = count.saturating_add(1);
            let quoted = |text: &[u8]| {
                quote(text).ok_or_else(|| Error::Xattr {
                    path: tree::display(path),
                    reason: "a line break in a name".to_owned(),
                })
            };
            script.extend_from_slice(b"ea_set -f ");
            script.extend(quoted(file.as_os_str().as_encoded_bytes())?);
            script.push(b' ');
            script.extend(quoted(&[b"/", &path[..]].concat())?);
            script.push(b' ');
            script.extend(quoted(name)?);
            script.push(b'\n');
        }
    }
    if script.is_empty() {
        return Ok(());
    }
    let file = dir.join("script");
    fs::write(&file, script).map_err(Error::io("write a debugfs script"))?;
    run(params, image, &file)
}

fn run(params: &Params, image: &Path, script: &Path) -> Result<(), Error> {
    let output = Command::new(PROGRAM)
        .env_clear()
        .env("SOURCE_DATE_EPOCH", params.mtime.to_string())
        .env("E2FSPROGS_FAKE_TIME", params.mtime.to_string())
        .env("LC_ALL", "C")
        .args(["-w", "-f"])
        .args([script, image])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start {
            program: PathBuf::from(PROGRAM),
            source,
        })?;
    // It ends well whatever becomes of its commands; the first line of stderr is its version.
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().skip(1).collect();
    if output.status.success() && said.is_empty() {
        return Ok(());
    }
    Err(Error::Xattr {
        path: image.display().to_string(),
        reason: said.join("; "),
    })
}

/// A word of a debugfs command: in double quotes, a quote in it doubled.
fn quote(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![b'"'];
    for byte in text {
        match byte {
            b'\n' => return None,
            b'"' => out.extend_from_slice(b"\"\""),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
    Some(out)
}
