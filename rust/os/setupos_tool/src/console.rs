//! The places where the screen is shown, none of which can hold up the others.
//!
//! A virtual terminal (`tty1`) and a terminal on stdout are *screens*: rows are written over the old ones, so nothing
//! flickers and kernel messages between them go. Everything else (serial lines, pipes, files) is a *log*: the screen once,
//! then only lines that are new, because somebody may be logged in there, and because logs are read by programs.
//!
//! Devices are opened and written without blocking. One that takes nothing for [`PATIENCE`] is left alone until the next
//! time.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;

use crate::screen::{wrap, Row, Screen, Style, WIDTH};
use crate::system::System;

/// How often a device that takes nothing is asked again, and how long in between.
const TRIES: u64 = 50;
const PAUSE_MS: u64 = 20;
/// So long it may take nothing. A serial line at 9600 baud empties its buffer in less.
pub(crate) const PATIENCE: Duration = Duration::from_millis(TRIES * PAUSE_MS);

/// Rows of a screen that does not say.
const ROWS: usize = 25;
/// A terminal that says it is narrower says nothing.
const NARROWEST: usize = 39;

/// Marks for programs that watch a log: the first screen is complete, all images are verified.
const SHOWN: &str = "setupos: status shown";
const VERIFIED: &str = "setupos: images verified";

enum Out {
    Stdout,
    Device(PathBuf, Option<File>),
}

/// A place where the screen is shown.
pub(crate) struct Console {
    out: Out,
    is_screen: bool,
    colour: bool,
    /// Rows that a screen has, if somebody said so.
    rows: Option<usize>,
    /// What is typed here, if anybody reads it.
    typed: Option<Typed>,
    /// What it shows; none before the first time, or when that is not known.
    shown: Option<Screen>,
}

impl Console {
    /// Standard output; over and over again if `watch`.
    pub(crate) fn stdout(watch: bool, colour: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            out: Out::Stdout,
            is_screen: is_terminal && watch,
            colour: is_terminal && colour,
            rows: Some(usize::MAX),
            typed: None,
            shown: None,
        }
    }

    /// A device; `rows` in place of what it says itself.
    pub(crate) fn device(path: PathBuf, rows: Option<usize>, colour: bool) -> Self {
        let is_screen = is_virtual_terminal(&path);
        Self {
            out: Out::Device(path, None),
            is_screen,
            colour: is_screen && colour,
            rows,
            typed: None,
            shown: None,
        }
    }

    /// What to call it.
    pub(crate) fn name(&self) -> String {
        match &self.out {
            Out::Stdout => "stdout".to_owned(),
            Out::Device(path, _) => path.display().to_string(),
        }
    }

    /// Whether it is standard output: without that there is nothing to go on for.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.out, Out::Stdout)
    }

    /// Whether it is painted again and again.
    pub(crate) fn is_screen(&self) -> bool {
        self.is_screen
    }

    /// Adds a line to a log.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Rows and columns of a terminal, as far as it knows them: a serial line knows neither, and is not opened for that.
    fn size(&mut self) -> (Option<usize>, Option<usize>) {
        let size = match &mut self.out {
            Out::Stdout => rustix::termios::tcgetwinsize(io::stdout()).ok(),
            Out::Device(path, file) if self.is_screen => {
                *file = file.take().or_else(|| open_device(path).ok());
                file.as_ref()
                    .and_then(|file| rustix::termios::tcgetwinsize(file).ok())
            }
            Out::Device(..) => None,
        };
        let known = |number: u16| (number > 0).then(|| usize::from(number));
        size.map_or((None, None), |size| {
            (known(size.ws_row), known(size.ws_col))
        })
    }

    /// Rows and columns that are used: one column less than there are, since a cursor behind the last one behaves differently everywhere.
    fn room(&mut self) -> (usize, usize) {
        let (rows, columns) = self.size();
        let columns = columns.and_then(|columns| columns.checked_sub(1));
        let columns = columns.filter(|columns| *columns >= NARROWEST);
        (self.rows.or(rows).unwrap_or(ROWS), columns.unwrap_or(WIDTH))
    }

    /// Lines that were typed here since the last call; the first call begins to read.
    pub(crate) fn typed(&mut self) -> Vec<String> {
        let Out::Device(path, _) = &self.out else {
            return Vec::new();
        };
        let typed = self.typed.get_or_insert_with(Typed::default);
        typed.lines(path)
    }

    /// Shows `screen`.
    pub(crate) fn show(&mut self, screen: &Screen) -> io::Result<()> {
        let bytes = match self.is_screen {
            true => self.repaint(screen),
            false => self.log(screen),
        };
        let before = self.shown.take();
        let result = if bytes.is_empty() {
            Ok(())
        } else {
            self.write(bytes.as_bytes())
        };
        match result {
            Ok(()) => self.shown = Some(screen.clone()),
            // Nobody knows what stands there: all of it once more, the next time.
            Err(_) if self.is_screen => {}
            // A log that took the first screen is not to get it again and again.
            Err(_) => self.shown = before,
        }
        result
    }

    /// All rows over the old ones.
    fn repaint(&mut self, screen: &Screen) -> String {
        let mut text = String::from(match self.shown {
            None => "\x1b[2J\x1b[H",
            Some(_) => "\x1b[H",
        });
        let (rows, columns) = self.room();
        let rows = screen.rows(Some(rows), columns);
        for (index, row) in rows.iter().enumerate() {
            // No line break after the last: on a full screen it would scroll.
            let end = if index == 0 { "" } else { "\r\n" };
            text.push_str(end);
            text.push_str(&self.painted(row));
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J");
        text
    }

    /// The screen, or what is new in it.
    fn log(&mut self, screen: &Screen) -> String {
        let mut text = String::new();
        let (_, columns) = self.room();
        match &self.shown {
            None => {
                for row in screen.rows(None, columns) {
                    text.push_str(&self.painted(&row));
                    text.push('\n');
                }
                text.push_str(&format!("{SHOWN}\n"));
            }
            Some(before) => {
                let new = screen.lines.iter();
                for line in new.filter(|line| !line.passing && !before.lines.contains(line)) {
                    let whole = match line.section {
                        "" => format!("setupos: {}", line.text),
                        section => format!("setupos: {}: {}", section.to_lowercase(), line.text),
                    };
                    for row in wrap(&whole, columns) {
                        text.push_str(&row);
                        text.push('\n');
                    }
                }
            }
        }
        let verified_before = self.shown.as_ref().is_some_and(|before| before.verified);
        if screen.verified && !verified_before {
            text.push_str(&format!("{VERIFIED}\n"));
        }
        text
    }

    fn painted(&self, row: &Row) -> String {
        let code = match row.style {
            _ if !self.colour => None,
            Style::Plain => None,
            Style::Title => Some(1),
            Style::Good => Some(32),
            Style::Bad => Some(31),
            Style::Faint => Some(2),
        };
        match code {
            Some(code) => format!("\x1b[{code}m{}\x1b[0m", row.text),
            None => row.text.clone(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.out {
            Out::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Out::Device(path, file) => {
                // Kept open: closing a serial line waits until it has sent everything.
                let mut open = match file.take() {
                    Some(open) => open,
                    None => open_device(path)?,
                };
                let result = write_patiently(&mut open, bytes);
                // After any other error the device may have gone, and come again under the same name.
                if result.as_ref().map_or_else(is_timeout, |()| true) {
                    *file = Some(open);
                }
                result
            }
        }
    }
}

/// What is typed at a terminal, in whole lines: the terminal itself waits for Enter.
#[derive(Default)]
struct Typed {
    file: Option<File>,
    /// The beginning of a line, should one come in pieces.
    rest: Vec<u8>,
}

impl Typed {
    fn lines(&mut self, path: &Path) -> Vec<String> {
        /// Nobody types a longer one that means something.
        const LONGEST: usize = 4096;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => match open_device_for(path, false) {
                // What is no terminal is not typed at.
                Ok(file) if file.is_terminal() => file,
                _ => return Vec::new(),
            },
        };
        let mut lines = Vec::new();
        let mut buffer = [0; 256];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => self.rest.extend(buffer.iter().take(len)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.file = Some(file);
                    break;
                }
                // It may have gone, and come again under the same name.
                Err(_) => break,
            }
        }
        while let Some(end) = self
            .rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
        {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line).trim().to_owned());
        }
        if self.rest.len() > LONGEST {
            self.rest.clear();
        }
        lines
    }
}

fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// Opens a device that is there for writing; never makes a file.
fn open_device(path: &Path) -> io::Result<File> {
    open_device_for(path, true)
}

fn open_device_for(path: &Path, writing: bool) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new()
        .read(!writing)
        .write(writing)
        .custom_flags(flags.bits())
        .open(path)
}

fn write_patiently(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    let mut tries = TRIES;
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                bytes = bytes.split_at(taken).1;
                tries = TRIES;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tries = tries.checked_sub(1).ok_or_else(|| {
                    let text = format!("it took nothing for {} s", PATIENCE.as_secs());
                    io::Error::new(io::ErrorKind::TimedOut, text)
                })?;
                std::thread::sleep(Duration::from_millis(PAUSE_MS));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `tty1`, not `ttyS0`.
fn is_virtual_terminal(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.strip_prefix("tty"));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The kernel's consoles and the first virtual terminal, sorted. `tty0` stands for the terminal in front, whichever
/// that is: the first one is meant.
pub(crate) fn all(system: &System) -> Vec<PathBuf> {
    let active = system.text("/sys/class/tty/console/active");
    let active = active.iter().flat_map(|text| text.split_ascii_whitespace());
    let mut names: Vec<&str> = active.collect();
    names.retain(|name| *name != "tty0" && !name.contains('/'));
    names.push("tty1");
    names.sort_unstable();
    names.dedup();
    let names = names.into_iter();
    names
        .map(|name| system.path(format!("/dev/{name}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_terminals_have_numbers() {
        for (path, is) in [
            ("/dev/tty1", true),
            ("/dev/tty63", true),
            ("/dev/tty", false),
            ("/dev/ttyS0", false),
            ("/dev/hvc0", false),
        ] {
            assert_eq!(is_virtual_terminal(Path::new(path)), is, "{path}");
        }
    }

    #[test]
    fn no_file_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ttyS0");
        let mut console = Console::device(path.clone(), None, false);
        assert!(console.show(&Screen::default()).is_err());
        assert!(!path.exists());
    }
}
