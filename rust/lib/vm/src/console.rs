//! The guest's serial console: a full log in a file, and waiting for text.
//!
//! A thread reads what the guest prints, writes the bytes to the log as they are, and keeps the text (see [`crate::Stripper`]) for
//! [`Console::expect`]. Each text is found once: a search starts behind the end of what the one before found.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Deadline, Result, Stripper, VmError};

/// Texts after which no guest comes back; waiting for something else ends at once when one of them appears.
pub const FATAL_TEXTS: [&str; 7] = [
    "Kernel panic - not syncing",
    "You are in emergency mode",
    "Entering emergency mode",
    "grub rescue>",
    "BdsDxe: No bootable option",
    // The firmware found nothing on the disks and turns to the network.
    ">>Start PXE over",
    "VFS: Unable to mount root",
];

/// Text that nobody waited for is dropped beyond this size, the oldest half first.
const KEEP: usize = 4 << 20;
/// Consumed text kept for error messages.
const CONTEXT: usize = 16 << 10;
/// Lines of the console in an error message.
const TAIL_LINES: usize = 40;

/// What the reader thread and the waiting side share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The end of what somebody has found.
    read: Vec<u8>,
    /// What came behind it.
    unread: Vec<u8>,
    /// How many bytes of text came before `unread`.
    before: u64,
    /// Counts what came.
    version: u64,
    /// Set when nothing more can come, with the reason.
    stopped: Option<String>,
    /// How often the machine was reset or ended, and what QEMU called the last time.
    resets: u64,
    reset: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more will come: wakes everybody who waits. The first reason given stays.
    pub(crate) fn stop(&self, reason: &str) {
        self.lock().stopped.get_or_insert_with(|| reason.to_owned());
        self.changed.notify_all();
    }

    /// The machine starts from its beginning, or ends, for the reason that QEMU gives.
    pub(crate) fn reset(&self, reason: &str) {
        let mut state = self.lock();
        state.resets = state.resets.wrapping_add(1);
        state.reset = Some(reason.to_owned());
    }

    fn append(&self, stripper: &mut Stripper, bytes: &[u8]) {
        let mut state = self.lock();
        stripper.push(bytes, &mut state.unread);
        state.version = state.version.wrapping_add(1);
        state.trim();
        drop(state);
        self.changed.notify_all();
    }
}

/// A text in what is unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found<'a> {
    /// Where it begins.
    at: usize,
    /// Which of those that were looked for it is.
    index: usize,
    text: &'a str,
}

impl State {
    /// Text that nobody reads is lost sometime.
    fn trim(&mut self) {
        if self.unread.len() > KEEP {
            self.unread.drain(..KEEP / 2);
            self.before = self.position(KEEP / 2);
        }
    }

    /// The first `len` unread bytes, which are read now.
    fn take(&mut self, len: usize) -> String {
        let text: Vec<u8> = self.unread.drain(..len).collect();
        self.before = self.position(len);
        self.read.extend_from_slice(&text);
        if self.read.len() > 2 * CONTEXT {
            // The end of it is context for messages.
            self.read.reverse();
            self.read.truncate(CONTEXT);
            self.read.reverse();
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The place of an unread byte, counted from the console's first one.
    #[expect(
        clippy::expect_used,
        reason = "nobody waits for 2^64 bytes of a console"
    )]
    fn position(&self, at: usize) -> u64 {
        let at = u64::try_from(at).ok();
        at.and_then(|at| self.before.checked_add(at))
            .expect("a place on a console")
    }

    /// The earliest of `texts` in what is unread. `searched` counts the bytes, from the console's first one, in which none of them
    /// begins.
    fn find<'a>(&self, texts: &[&'a str], searched: u64) -> Option<Found<'a>> {
        let from = match searched.checked_sub(self.before) {
            Some(from) => usize::try_from(from).ok()?,
            // They are gone, all the rest is to be searched.
            None => 0,
        };
        let found = texts.iter().enumerate().filter_map(|(index, text)| {
            let at = position(&self.unread, from, text.as_bytes())?;
            Some(Found { at, index, text })
        });
        found.min_by_key(|found| (found.at, found.index))
    }

    /// In how many bytes, from the console's first one, no text of at most `longest` bytes begins, if none was found.
    fn searched(&self, longest: usize) -> u64 {
        match self.unread.len().checked_sub(longest) {
            Some(at) => self.position(at),
            // The first unread byte may be the beginning of one.
            None => self.before,
        }
    }

    fn tail(&self) -> String {
        let text = [self.read.as_slice(), &self.unread].concat();
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<String> = text.lines().rev().take(TAIL_LINES).map(shown).collect();
        lines.reverse();
        if let Some(reason) = &self.reset {
            lines.push(format!(
                "(resets: {}, the last one: {reason})\n",
                self.resets
            ));
        }
        lines.concat()
    }
}

fn shown(line: &str) -> String {
    format!("  | {line}\n")
}

/// Where `needle` first stands in `text`, from `from` on.
fn position(text: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(from);
    }
    let mut places = text.windows(needle.len()).enumerate().skip(from);
    places.find_map(|(at, part)| (part == needle).then_some(at))
}

/// The serial console of a guest.
#[derive(Debug)]
pub struct Console {
    shared: Arc<Shared>,
    writer: UnixStream,
    log: PathBuf,
}

impl Console {
    /// Starts reading `stream`; everything read goes to the file `log` as well. When the other side has closed it, `ended` says why.
    pub fn attach(
        stream: UnixStream,
        log: &Path,
        ended: impl FnOnce() -> String + Send + 'static,
    ) -> Result<Self> {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            // Guests print what is their user's alone.
            .mode(0o600)
            .open(log)
            .map_err(VmError::io(format!("create {}", log.display())))?;
        let mut reader = stream
            .try_clone()
            .map_err(VmError::io("open the console twice"))?;
        // A guest that takes no input for this long is not going to.
        stream
            .set_write_timeout(Some(Duration::from_secs(60)))
            .map_err(VmError::io("set up the console"))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                let mut stripper = Stripper::default();
                let mut buffer = [0; 4096];
                let reason = loop {
                    match reader.read(&mut buffer) {
                        Ok(0) => break ended(),
                        Ok(len) => {
                            let (bytes, _) = buffer.split_at(len);
                            // The log is for people; a full disk must not end the guest.
                            let _ = file.write_all(bytes);
                            theirs.append(&mut stripper, bytes);
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        // It ended before it had read all that was typed.
                        Err(error) if error.kind() == ErrorKind::ConnectionReset => break ended(),
                        Err(error) => break format!("the console broke: {error}"),
                    }
                };
                theirs.stop(&reason);
            })
            .map_err(VmError::io("start the console's thread"))?;
        Ok(Self {
            shared,
            writer: stream,
            log: log.to_path_buf(),
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// The file with everything the guest printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits for `text`; gives back what stood before it.
    pub fn expect(&self, text: &str, deadline: Deadline) -> Result<String> {
        self.expect_any(&[text], deadline).map(|(_, before)| before)
    }

    /// Waits for the first of `texts` to appear; gives back its index and what stood before it. One of [`FATAL_TEXTS`], or the end
    /// of the guest, ends the wait with an error.
    pub fn expect_any(&self, texts: &[&str], deadline: Deadline) -> Result<(usize, String)> {
        let mut state = self.shared.lock();
        let mut seen = None;
        // A talkative guest must not have all it said searched again for every piece.
        let lens = texts.iter().chain(&FATAL_TEXTS).map(|text| text.len());
        let longest = lens.fold(0, usize::max);
        let mut searched = 0;
        loop {
            if seen != Some(state.version) {
                if let Some(found) = state.find(texts, searched) {
                    let before = state.take(found.at);
                    state.take(found.text.len());
                    return Ok((found.index, before));
                }
                if let Some(found) = state.find(&FATAL_TEXTS, searched) {
                    return Err(VmError::Fatal {
                        found: found.text.to_owned(),
                        wanted: list(texts),
                        tail: state.tail(),
                    });
                }
                seen = Some(state.version);
                searched = state.searched(longest);
            }
            if let Some(reason) = state.stopped.clone() {
                return Err(VmError::Stopped {
                    wanted: list(texts),
                    reason,
                    tail: state.tail(),
                });
            }
            let left = deadline.remaining();
            if left.is_zero() {
                return Err(VmError::Timeout {
                    wanted: list(texts),
                    seconds: deadline.seconds(),
                    tail: state.tail(),
                });
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Everything printed that nothing has been found in yet; it counts as read afterwards.
    pub fn take_unread(&self) -> String {
        let mut state = self.shared.lock();
        let all = state.unread.len();
        state.take(all)
    }

    /// How many bytes of text came that nobody has read.
    pub fn unread_len(&self) -> usize {
        self.shared.lock().unread.len()
    }

    /// Last lines printed, for messages.
    pub fn tail(&self) -> String {
        self.shared.lock().tail()
    }

    /// How often QEMU has reset or ended the machine; known where there is QMP.
    pub fn resets(&self) -> u64 {
        self.shared.lock().resets
    }

    /// What QEMU called the last reset, or the end, such as `guest-reset` or `guest-shutdown`.
    pub fn last_reset(&self) -> Option<String> {
        self.shared.lock().reset.clone()
    }

    /// The machine goes on as it did when it had been reset `resets` times: for who waits for `wanted` elsewhere than on the console.
    pub fn goes_on(&self, resets: u64, wanted: &str) -> Result<()> {
        let state = self.shared.lock();
        let reason = match (&state.stopped, &state.reset) {
            (Some(reason), _) => reason.clone(),
            (None, Some(reason)) if state.resets != resets => format!("it was reset: {reason}"),
            _ => return Ok(()),
        };
        Err(VmError::Stopped {
            wanted: wanted.to_owned(),
            reason,
            tail: state.tail(),
        })
    }

    /// Types `text` and Enter.
    pub fn send_line(&self, text: &str) -> Result<()> {
        let mut line = text.replace('\n', "\r");
        line.push('\r');
        self.send(line.as_bytes())
    }

    /// Types `bytes` as they are.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        (&self.writer).write_all(bytes).map_err(|error| {
            let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            match gone.contains(&error.kind()) {
                true => self.why_nobody_reads(),
                false => VmError::io("type on the guest's console")(error),
            }
        })
    }

    /// The other side has closed the console: whoever reads it is about to learn why.
    fn why_nobody_reads(&self) -> VmError {
        let mut state = self.shared.lock();
        loop {
            if let Some(reason) = state.stopped.clone() {
                return VmError::Stopped {
                    wanted: "what is typed".to_owned(),
                    reason,
                    tail: state.tail(),
                };
            }
            let woken = self.shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn list(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
    quoted.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (Console, UnixStream, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let (ours, guest) = UnixStream::pair().unwrap();
        let log = dir.path().join("console.log");
        let console = Console::attach(ours, &log, || "QEMU ended".to_owned()).unwrap();
        let mode = std::os::unix::fs::MetadataExt::mode(&log.metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
        (console, guest, dir)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(240))
    }

    #[test]
    fn texts_are_found_in_order_and_once() {
        let (console, mut guest, _dir) = console();
        guest.write_all(b"one \x1b[1mtwo\x1b[0m\r\nthree").unwrap();
        assert_eq!(console.expect("two", soon()).unwrap(), "one ");
        guest.write_all(b" four two").unwrap();
        let (index, before) = console.expect_any(&["two", "four"], soon()).unwrap();
        assert_eq!((index, before.as_str()), (1, "\nthree "));
        assert_eq!(console.expect("two", soon()).unwrap(), " ");
        let error = console
            .expect("two", Deadline::after(Duration::from_millis(50)))
            .unwrap_err();
        assert!(matches!(error, VmError::Timeout { .. }));
        assert!(error.to_string().contains("  | three four two"), "{error}");
        let raw = std::fs::read(console.log()).unwrap();
        assert_eq!(raw, b"one \x1b[1mtwo\x1b[0m\r\nthree four two");
    }

    #[test]
    fn a_panic_or_the_end_stops_the_wait() {
        let (console, mut guest, _dir) = console();
        guest
            .write_all(b"[ 1.0] Kernel panic - not syncing: no init\r\n")
            .unwrap();
        let error = console.expect("login:", soon()).unwrap_err();
        assert!(matches!(error, VmError::Fatal { .. }), "{error}");
        console.take_unread();
        drop(guest);
        let error = console.expect("login:", soon()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("stopped while `login:` was awaited (QEMU ended)"),
            "{error}"
        );
    }

    #[test]
    fn who_waits_elsewhere_learns_of_a_reset_and_of_the_end() {
        let (console, guest, _dir) = console();
        assert_eq!(console.last_reset(), None);
        console.shared.reset("guest-reset");
        assert_eq!(console.last_reset().as_deref(), Some("guest-reset"));
        let resets = console.resets();
        console.goes_on(resets, "an answer").unwrap();
        console.shared.reset("watchdog");
        let error = console.goes_on(resets, "an answer").unwrap_err();
        let want = "stopped while an answer was awaited (it was reset: watchdog)";
        assert!(error.to_string().contains(want), "{error}");
        assert!(console
            .tail()
            .ends_with("(resets: 2, the last one: watchdog)\n"));
        console.goes_on(console.resets(), "an answer").unwrap();
        drop(guest);
        let error = console.send(b"x").unwrap_err().to_string();
        let want = "stopped while what is typed was awaited (QEMU ended)";
        assert!(error.contains(want), "{error}");
        let wait = || console.goes_on(console.resets(), "an answer");
        while wait().is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let error = wait().unwrap_err().to_string();
        assert!(error.contains("QEMU ended"), "{error}");
    }

    #[test]
    fn a_flood_keeps_memory_bounded() {
        let (console, mut guest, _dir) = console();
        let line = [b'x'; 4096];
        for _ in 0..2100 {
            guest.write_all(&line).unwrap();
        }
        guest.write_all(b"end").unwrap();
        let before = console.expect("end", soon()).unwrap();
        assert!(before.len() <= KEEP + 4096);
        assert!(console.shared.lock().read.len() <= 2 * CONTEXT);
    }

    #[test]
    fn a_text_is_found_however_it_comes() {
        let flood = b"x".repeat(3 * KEEP);
        for cut in 0..=4 {
            let shared = Shared::default();
            let mut stripper = Stripper::default();
            let mut searched = 0;
            for piece in [&flood[..], &b"need"[..cut], &b"need"[cut..], b"x"] {
                for part in piece.chunks(1 << 20) {
                    shared.append(&mut stripper, part);
                    let state = shared.lock();
                    let found = state.find(&["need", "longer than that"], searched);
                    let whole = state.find(&["need", "longer than that"], 0);
                    assert_eq!(found, whole, "{cut}");
                    if found.is_none() {
                        searched = state.searched(16);
                    }
                }
            }
            assert!(shared.lock().find(&["need"], searched).is_some());
        }
    }

    #[test]
    fn typing_ends_with_enter() {
        let (console, mut guest, _dir) = console();
        console.send_line("a\nb").unwrap();
        let mut got = [0; 4];
        guest.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"a\rb\r");
    }
}
