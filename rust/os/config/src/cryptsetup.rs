//! How cryptsetup, and what works like it, is given a key: on its standard input, so that it is in no file and on no command line.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use crate::DataKey;

/// What both headers of a LUKS2 volume take with their key slots, as cryptsetup makes it.
pub const HEADER: u64 = 16 << 20;
/// Exit status of cryptsetup: no key slot opens with this key.
pub const NO_SUCH_KEY: i32 = 2;

/// Runs a program that reads `key`, or nothing, from its standard input.
pub fn with_key(command: &mut Command, key: Option<&DataKey>) -> io::Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some((mut stdin, key)) = child.stdin.take().zip(key) {
        // Less than a pipe takes; one that ends before it reads says why by itself.
        let _ = stdin.write_all(key.digits().as_bytes());
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_nothing_else_comes_on_standard_input() {
        let digits = "0123456789abcdef".repeat(4);
        let key = DataKey::parse("k".as_ref(), digits.as_bytes()).unwrap();
        for (key, want) in [(Some(&key), digits.as_str()), (None, "")] {
            let output = with_key(&mut Command::new("cat"), key).unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), want);
        }
        let mut deaf = Command::new("sh");
        let output = with_key(deaf.args(["-c", "echo no >&2; exit 3"]), Some(&key)).unwrap();
        assert_eq!(
            (output.status.code(), &*output.stderr),
            (Some(3), &b"no\n"[..])
        );
    }
}
