//! A shell on the guest's serial console.
//!
//! A console is a poor channel: it echoes what is typed, breaks lines, and the kernel and the service manager talk on it at any time. So the login ends
//! in a plain `sh` without prompt, echo or line editor, the other talkers are asked to be quiet, and every command's output is framed
//! by numbered marks that are never typed in the form in which they are printed.

use std::cell::Cell;
use std::time::Duration;

use crate::{Console, Deadline, Result, VmError};

/// Longest line a terminal in canonical mode takes (Linux N_TTY: 4096 bytes with the line end).
const LONGEST_LINE: usize = 4000;

/// A console that says nothing for so long waits for somebody.
const QUIET: Duration = Duration::from_secs(30);
/// login(1) asks for a password sooner than this, or never.
const ASKED: Duration = Duration::from_secs(120);

/// How lines of EDK II begin, which says what it starts.
const FIRMWARE: &str = "BdsDxe: ";

/// The shell that commands are typed into. SIGRTMIN+21 (55) tells systemd to print no more status lines; `dmesg -n 1` leaves
/// the kernel only its last words.
const SETUP: &str = r#" exec env PS1= PS2= ENV= HISTFILE= LC_ALL=C.UTF-8 TERM=dumb SYSTEMD_PAGER= SYSTEMD_COLORS=0 /bin/sh -c 'stty sane -echo cols 1000; dmesg -n 1; kill -55 1; printf "@@%s@@\n" READY; exec /bin/sh' 2>/dev/null"#;

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status.
    pub status: i32,
    /// Standard output and error, without the last line end.
    pub text: String,
}

/// A logged-in shell; see [`Shell::login`].
#[derive(Debug)]
pub struct Shell<'a> {
    console: &'a Console,
    commands: Cell<u64>,
}

impl<'a> Shell<'a> {
    /// Logs in as `user`. The guest shows a login prompt or is about to.
    pub fn login(
        console: &'a Console,
        user: &str,
        password: &str,
        deadline: Deadline,
    ) -> Result<Self> {
        Self::await_prompt(console, deadline)?;
        Self::login_at_prompt(console, user, password, deadline)
    }

    /// Waits for a login prompt. A message of the kernel can tear one apart; when all is quiet, Enter brings another.
    pub fn await_prompt(console: &Console, deadline: Deadline) -> Result<()> {
        loop {
            let before = console.unread_len();
            match console.expect("login:", deadline.at_most(QUIET)) {
                Ok(_) => return Ok(()),
                Err(VmError::Timeout { .. }) if !deadline.expired() => {}
                Err(VmError::Timeout { .. }) => {
                    return console.expect("login:", deadline).map(drop)
                }
                Err(error) => return Err(error),
            }
            if console.unread_len() == before {
                console.send_line("")?;
            }
        }
    }

    /// Logs in as `user` at a login prompt that has been seen already.
    pub fn login_at_prompt(
        console: &'a Console,
        user: &str,
        password: &str,
        deadline: Deadline,
    ) -> Result<Self> {
        loop {
            console.send_line(user)?;
            // Echoed names and messages of other programs may come between; login(1) gives up after a minute and asks again.
            match console.expect("Password:", deadline.at_most(ASKED)) {
                Err(VmError::Timeout { .. }) if !deadline.expired() => {
                    console.send_line("")?;
                    Self::await_prompt(console, deadline)?;
                    continue;
                }
                other => other.map(drop)?,
            }
            console.send_line(password)?;
            let answers = ["Login incorrect", "timed out", "# ", "$ "];
            match console.expect_any(&answers, deadline)?.0 {
                0 => {
                    return Err(VmError::LoginRefused {
                        user: user.to_owned(),
                    })
                }
                1 => Self::await_prompt(console, deadline)?,
                _ => break,
            }
        }
        Self::set_up(console, deadline)
    }

    /// Takes over an interactive shell that somebody else started and that is about to show its prompt.
    pub fn take_over(console: &'a Console, deadline: Deadline) -> Result<Self> {
        console.expect_any(&["# ", "$ "], deadline)?;
        Self::set_up(console, deadline)
    }

    fn set_up(console: &'a Console, deadline: Deadline) -> Result<Self> {
        console.send_line(SETUP)?;
        console.expect("@@READY@@", deadline)?;
        Ok(Self {
            console,
            commands: Cell::new(0),
        })
    }

    /// Runs `command`, any text that `sh` takes, in a subshell with nothing on its standard input.
    pub fn run(&self, command: &str, deadline: Deadline) -> Result<Output> {
        let number = self.commands.get().wrapping_add(1);
        self.commands.set(number);
        let text = framed(command, number);
        if let Some(line) = text.lines().find(|line| line.len() > LONGEST_LINE) {
            return Err(VmError::LineTooLong {
                len: line.len(),
                limit: LONGEST_LINE,
            });
        }
        self.console.send_line(&text)?;
        self.mark(&format!("@@begin {number}@@\n"), command, deadline)?;
        let output = self.mark(&format!("\n@@end {number} "), command, deadline)?;
        let status = self.console.expect("@@", deadline)?;
        Ok(Output {
            status: status.parse().map_err(|_| VmError::Failed {
                program: command.to_owned(),
                status: status.clone(),
                detail: "the exit status came garbled over the console".to_owned(),
            })?,
            text: output.strip_suffix('\n').unwrap_or(&output).to_owned(),
        })
    }

    /// Waits for a mark of `command`; gives back what stood before it. When the firmware speaks, nobody is left to print one.
    fn mark(&self, mark: &str, command: &str, deadline: Deadline) -> Result<String> {
        match self.console.expect_any(&[mark, FIRMWARE], deadline)? {
            (0, before) => Ok(before),
            _ => Err(VmError::Restarted {
                command: command.to_owned(),
            }),
        }
    }

    /// Types `command` and does not wait: for what ends the guest.
    pub fn send(&self, command: &str) -> Result<()> {
        self.console.send_line(command)
    }

    /// Runs `command` every few seconds until `done` likes its output; gives back the last output either way.
    pub fn poll(
        &self,
        command: &str,
        deadline: Deadline,
        done: impl Fn(&Output) -> bool,
    ) -> Result<Output> {
        loop {
            let output = self.run(command, deadline)?;
            if done(&output) || deadline.remaining() < Duration::from_secs(2) {
                return Ok(output);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// `command` between marks. The closing parenthesis stands on a line of its own, so that a comment or here-document may come last.
fn framed(command: &str, number: u64) -> String {
    format!(
        "printf '@@%s {number}@@\\n' begin; (\n{command}\n) </dev/null 2>&1; printf '\\n@@%s {number} %d@@\\n' end $?"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    #[test]
    fn framed_commands_run_in_a_real_shell() {
        for (command, status, text) in [
            ("echo hello", 0, "hello\n"),
            ("printf 'no end'", 0, "no end"),
            ("exit 7", 7, ""),
            ("echo a # comment", 0, "a\n"),
            ("cat <<X\nhere\nX", 0, "here\n"),
            ("echo err >&2; false", 1, "err\n"),
            ("cat", 0, ""),
        ] {
            let script = framed(command, 3);
            assert!(!script.contains("@@begin 3"), "the echo looks like a mark");
            assert!(!script.contains("@@end 3"));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                format!("@@begin 3@@\n{text}\n@@end 3 {status}@@\n"),
                "{command}"
            );
        }
    }

    /// A guest's getty and shell, played by `sh` behind a socket; `$` in the script's answers is a prompt.
    fn guest(banner: &'static str) -> (Console, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let console =
            Console::attach(ours, &dir.path().join("log"), || "it ended".to_owned()).unwrap();
        std::thread::spawn(move || play(banner, theirs));
        (console, dir)
    }

    fn read_line(stream: &mut UnixStream) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\r' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    fn play(banner: &str, mut stream: UnixStream) {
        stream.write_all(b"host login: ").unwrap();
        let user = read_line(&mut stream);
        write!(stream, "{user}\r\nPassword: ").unwrap();
        if read_line(&mut stream) != "right" {
            stream
                .write_all(b"\r\nLogin incorrect\r\nhost login: ")
                .unwrap();
            return;
        }
        stream.write_all(banner.as_bytes()).unwrap();
        read_line(&mut stream);
        stream.write_all(b"@@READY@@\r\n").unwrap();
        let mut shell = Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(stream.try_clone().map(std::os::fd::OwnedFd::from).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        loop {
            let line = read_line(&mut stream);
            if line == "bye" {
                break;
            }
            writeln!(input, "{line}").unwrap();
        }
        drop(input);
        shell.wait().unwrap();
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(240))
    }

    #[test]
    fn login_and_commands() {
        let (console, _dir) = guest("\r\nLinux host 6.12\r\nroot@host:~# ");
        let shell = Shell::login(&console, "root", "right", soon()).unwrap();
        let output = shell.run("echo one; exit 3", soon()).unwrap();
        assert_eq!((output.status, output.text.as_str()), (3, "one"));
        let output = shell.run("printf 'a\\n\\nb'", soon()).unwrap();
        assert_eq!((output.status, output.text.as_str()), (0, "a\n\nb"));
        let output = shell.poll("echo x", soon(), |o| o.text == "x").unwrap();
        assert_eq!(output.status, 0);
        let error = shell.run(&"x".repeat(5000), soon()).unwrap_err();
        assert!(matches!(error, VmError::LineTooLong { len: 5000, .. }));
        // It asks for no command's end until the deadline when there is no shell any more.
        let error = shell.run("printf '%s starting Boot0001\\n' BdsDxe:; kill $$", soon());
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("the machine restarted during"), "{error}");
        shell.send("bye").unwrap();
    }

    #[test]
    fn a_wrong_password_is_refused() {
        let (console, _dir) = guest("");
        let error = Shell::login(&console, "root", "wrong", soon()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "login as root was refused on the console"
        );
    }
}
