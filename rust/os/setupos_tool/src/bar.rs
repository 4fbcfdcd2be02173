//! How far something is that takes long: a bar, the rate, the time left.

use std::time::{Duration, Instant};

use crate::screen::size;

/// Cells of the bar.
const CELLS: u32 = 40;

/// So many bytes of so many are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) done: u64,
    pub(crate) of: u64,
    pub(crate) begun: Instant,
}

impl Bar {
    /// Nothing is done yet, now.
    pub(crate) fn new() -> Self {
        Self {
            done: 0,
            of: 0,
            begun: Instant::now(),
        }
    }

    /// `[#####.....]  50 %  120.0 MiB/s  0:32 left`
    pub(crate) fn text(&self) -> String {
        let full = steps::parts_done(self.done, self.of, CELLS);
        let cells = (0..u64::from(CELLS)).map(|cell| if cell < full { '#' } else { '.' });
        let cells: String = cells.collect();
        let percent = steps::parts_done(self.done, self.of, 100);
        let (rate, left) = pace(self.done, self.of, self.begun.elapsed());
        let left = left.map_or_else(String::new, |left| format!("  {left} left"));
        format!("[{cells}] {percent:>3} %  {}/s{left}", size(rate))
    }
}

/// Bytes a second, and the time left as `M:SS`, unless it can't be told.
fn pace(done: u64, of: u64, elapsed: Duration) -> (u64, Option<String>) {
    let elapsed = elapsed.max(Duration::from_millis(1));
    // More than that is no rate of a drive.
    let rate = cli::rate(done, elapsed).unwrap_or(0);
    let left = of.saturating_sub(done).checked_div(rate);
    let left = left.map(|seconds| format!("{}:{:02}", seconds / 60, seconds % 60));
    (rate, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(pace(0, 100, second), (0, None));
        assert_eq!(pace(10, 100, second), (10, Some("0:09".to_owned())));
        assert_eq!(pace(10, 10_010, second), (10, Some("16:40".to_owned())));
        assert_eq!(
            pace(u64::MAX, u64::MAX, second),
            (u64::MAX, Some("0:00".to_owned()))
        );
        assert_eq!(pace(1, 2, Duration::ZERO), (1000, Some("0:00".to_owned())));
    }
}
