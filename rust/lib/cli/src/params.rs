//! `@FILE` arguments: Bazel's parameter files in `multiline` format, one argument a line.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A parameter file that could not be read.
#[derive(Debug)]
pub struct ParamError {
    path: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for ParamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot read parameter file {}", self.path.display())
    }
}

impl std::error::Error for ParamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Replaces each `@FILE` after the program name by the lines of FILE. Files are not expanded further.
pub fn expand(args: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, ParamError> {
    let mut out = Vec::new();
    for (position, arg) in args.into_iter().enumerate() {
        match arg.as_bytes().strip_prefix(b"@") {
            Some(path) if position > 0 => {
                let path = PathBuf::from(OsString::from_vec(path.to_vec()));
                let text = std::fs::read(&path).map_err(|source| ParamError { path, source })?;
                let text = text.strip_suffix(b"\n").unwrap_or(&text);
                if !text.is_empty() {
                    out.extend(
                        text.split(|b| *b == b'\n')
                            .map(|l| OsString::from_vec(l.to_vec())),
                    );
                }
            }
            _ => out.push(arg),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("params");
        std::fs::write(&file, "--size\n\n@not-a-file\n").unwrap();
        let mut at = OsString::from("@");
        at.push(&file);
        let got = expand(["tool".into(), at, "last".into()]).unwrap();
        assert_eq!(got, ["tool", "--size", "", "@not-a-file", "last"]);
    }

    #[test]
    fn missing_file_is_named() {
        let error = expand(["tool".into(), "@/nonexistent/params".into()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read parameter file /nonexistent/params"
        );
    }
}
