//! How far something is that takes its time, for a person at a terminal.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One line on stderr that is written again and again: share, rate, time left. Only on a terminal, and only after two seconds: what takes
/// less needs no word.
///
/// Several threads may say how far they are.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: u64,
    start: Instant,
    /// When to write next; none where nobody looks.
    next: Option<Mutex<Instant>>,
}

impl Progress {
    const FIRST: Duration = Duration::from_secs(2);
    const EVERY: Duration = Duration::from_millis(200);

    /// Of `total` bytes; `what` is done with them, such as `writing`.
    pub fn new(what: &'static str, total: u64) -> Self {
        let start = Instant::now();
        let next = std::io::stderr().is_terminal().then(|| {
            let next = start.checked_add(Self::FIRST);
            Mutex::new(next.unwrap_or(start))
        });
        Self {
            what,
            total,
            start,
            next,
        }
    }

    /// So many bytes are done.
    pub fn show(&self, done: u64) {
        let Some(Ok(mut next)) = self.next.as_ref().map(Mutex::lock) else {
            return;
        };
        let now = Instant::now();
        if now < *next {
            return;
        }
        *next = now.checked_add(Self::EVERY).unwrap_or(now);
        let text = line(done, self.total, now.duration_since(self.start));
        // What is longer than this line of the one before is cleared.
        eprint!("\r{} {text}\x1b[K", self.what);
    }

    /// Takes the line away, for what is said next.
    pub fn end(&self) {
        if self.next.is_some() {
            eprint!("\r\x1b[K");
        }
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// ` 42 %, 31.0 MB/s, 0:17 left`. For a person: what can't be computed is left out.
fn line(done: u64, total: u64, elapsed: Duration) -> String {
    let wide = u128::from;
    let hundred = wide(done).checked_mul(100);
    let percent = hundred.and_then(|all| all.checked_div(wide(total)));
    let mut text = percent.map_or_else(String::new, |percent| format!("{percent:3} %"));
    let rate = rate(done, elapsed);
    if let Some(rate) = rate {
        text.push_str(&format!(", {}/s", base::text::bytes(rate)));
    }
    let left = total.checked_sub(done);
    let seconds = left
        .zip(rate)
        .and_then(|(left, rate)| left.checked_div(rate));
    if let Some(seconds) = seconds {
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        text.push_str(&format!(", {minutes}:{seconds:02} left"));
    }
    text
}

/// Bytes a second.
pub fn rate(done: u64, elapsed: Duration) -> Option<u64> {
    let millis = elapsed.as_millis();
    let rate = u128::from(done).checked_mul(1000)?.checked_div(millis)?;
    u64::try_from(rate).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let at = |done, millis| line(done, 1_000_000_000, Duration::from_millis(millis));
        assert_eq!(at(420_000_000, 10_000), " 42 %, 42.0 MB/s, 0:13 left");
        assert_eq!(at(1_000_000_000, 1), "100 %, 1.0 TB/s, 0:00 left");
        assert_eq!(at(0, 5000), "  0 %, 0 B/s");
        assert_eq!(at(5, 0), "  0 %");
        assert_eq!(line(7, 0, Duration::from_secs(1)), ", 7 B/s");
        assert_eq!(
            line(1_000_000, 1_000_000_000, Duration::from_secs(10)),
            "  0 %, 100.0 kB/s, 166:30 left"
        );
    }
}
