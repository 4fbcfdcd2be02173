//! Programs that stand in for others: scripts that tests make and start. For tests alone.
//!
//! A test process has threads that start programs. Each of those is a copy of the process for an instant, with every file that it has open,
//! and the kernel starts no file that anybody has open for writing (`ETXTBSY`, execve(2)). So a test that wrote a script by itself and started it
//! would fail now and then, whenever another test started something in between. Here a shell writes it: the test's process never has it open.
#![allow(
    clippy::expect_used,
    reason = "only tests use this, and what fails here is to end them"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The name is given last: a program that runs under it goes on, and nobody starts half of one.
const WRITE: &str = r#"cat >"$0.new" && chmod 755 "$0.new" && exec mv -T "$0.new" "$0""#;

/// Makes the program `path` of `script`, which says by its first line what runs it, and the folders above it. A program that had
/// this name is replaced in one step.
///
/// # Panics
///
/// If it can't be made.
#[track_caller]
pub fn program(path: impl AsRef<Path>, script: &str) {
    let path = path.as_ref();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("the program's folder");
    }
    let mut shell = Command::new("/bin/sh")
        .args(["-c", WRITE])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell that writes the program");
    let mut stdin = shell.stdin.take().expect("it is piped");
    stdin
        .write_all(script.as_bytes())
        .expect("the shell reads the program");
    drop(stdin);
    let status = shell.wait().expect("the shell's end");
    assert!(status.success(), "{}: {status}", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it prints.
    fn said(path: &Path) -> String {
        let output = Command::new(path).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it has open for writing, whatever another thread starts has open, too, until that is another program. That a script is busy then is rare; this
    /// is not: it takes a while to write so much.
    #[test]
    fn this_process_never_has_it_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        let padding = "#".repeat(32 << 20);
        let script = format!("#!/bin/sh\necho made\nexit\n{padding}");
        std::thread::scope(|scope| {
            let making = scope.spawn(|| program(&path, &script));
            while !making.is_finished() {
                for number in 0..64 {
                    let open = std::fs::read_link(format!("/proc/self/fd/{number}"));
                    let ours = open.is_ok_and(|file| file.starts_with(dir.path()));
                    assert!(!ours, "descriptor {number}");
                }
            }
        });
        assert_eq!(said(&path), "made\n");
    }

    #[test]
    fn a_program_that_runs_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("-e it's a/program");
        // It is asked for the rest of itself when it was replaced.
        program(&path, "#!/bin/sh\necho one\nread go\necho old\n");
        let mut old = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        program(&path, "#!/bin/sh\necho new\n");
        writeln!(old.stdin.take().unwrap(), "go").unwrap();
        let output = old.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "one\nold\n");
        assert_eq!(said(&path), "new\n");
        let names = std::fs::metadata(path.with_extension("new"));
        assert!(names.is_err(), "{names:?}");
    }

    #[test]
    #[should_panic(expected = "exit status: 1")]
    fn what_cannot_be_made_ends_the_test() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        program(&folder, "#!/bin/sh\n");
    }
}
