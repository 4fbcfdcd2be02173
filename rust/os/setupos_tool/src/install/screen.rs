//! What an installation shows: on screens all of it, painted again and again; on serial lines, pipes and files a line for each thing
//! that happens, which are also the log.
//!
//! ```text
//! setupos: install: wipe: end tables and signatures of /dev/vdb
//! setupos: install: host: 30 %
//! setupos: install: drive: ! it holds 3 partitions: …
//! ```

use std::time::{Duration, Instant};

use steps::{Record, Status, Watcher};

use crate::bar::Bar;
use crate::console::Console;
use crate::screen::{frame, Screen, Style};

/// Screens are not painted more often.
const PAINT: Duration = Duration::from_millis(500);
/// Consoles are not read more often.
const READ: Duration = Duration::from_millis(200);

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Waits,
    Runs,
    Done,
    Failed,
}

/// The step that runs.
struct Now {
    plan: String,
    bar: Bar,
    /// Tenths that were told.
    tenth: u64,
}

/// Everything that is shown, and where.
pub(crate) struct Show {
    consoles: Vec<Console>,
    title: String,
    /// The checks and the steps that write, in order.
    checks: Vec<(&'static str, Mark)>,
    writes: Vec<(&'static str, Mark)>,
    now: Option<Now>,
    /// Remarks and problems, with their step.
    told: Vec<(Style, String)>,
    /// What came of it, in a frame.
    end: Option<(Style, Vec<String>)>,
    /// Everything that logs were told.
    pub(crate) log: String,
    painted: Option<Instant>,
    /// What was said of each console that does not work.
    complaints: Vec<Option<String>>,
}

impl Show {
    pub(crate) fn new(
        consoles: Vec<Console>,
        checks: &[&'static str],
        writes: &[&'static str],
    ) -> Self {
        let waits =
            |names: &[&'static str]| names.iter().map(|name| (*name, Mark::Waits)).collect();
        Self {
            complaints: vec![None; consoles.len()],
            consoles,
            title: "SetupOS installs HostOS and GuestOS.".to_owned(),
            checks: waits(checks),
            writes: waits(writes),
            now: None,
            told: Vec::new(),
            end: None,
            log: String::new(),
            painted: None,
        }
    }

    pub(crate) fn set_title(&mut self, title: String) {
        self.title = title;
    }

    /// A line for logs.
    pub(crate) fn say(&mut self, line: &str) {
        let line = crate::screen::plain(line);
        self.log.push_str(&line);
        self.log.push('\n');
        self.each(|console| match console.is_screen() {
            true => Ok(()),
            false => console.say(&line),
        });
    }

    /// What came of it: a frame everywhere, and `mark` as the last line of logs.
    pub(crate) fn end(&mut self, good: bool, lines: Vec<String>, mark: &str) {
        self.now = None;
        for row in frame(&lines, crate::screen::WIDTH) {
            self.say(&row);
        }
        let style = if good { Style::Good } else { Style::Bad };
        self.end = Some((style, lines));
        self.paint();
        self.say(mark);
    }

    /// Returns when somebody has typed `word` and Enter at one of the consoles, after everything that was typed before.
    pub(crate) fn wait_for(&mut self, word: &str) {
        let consoles = &mut self.consoles;
        let mut typed = || -> Vec<String> {
            let each = consoles.iter_mut().map(Console::typed);
            each.flatten().collect()
        };
        // Meant for something else, while the installation ran.
        drop(typed());
        while !typed().iter().any(|line| line == word) {
            std::thread::sleep(READ);
        }
    }

    /// Paints screens.
    fn paint(&mut self) {
        self.painted = Some(Instant::now());
        let screen = self.screen();
        self.each(|console| match console.is_screen() {
            true => console.show(&screen),
            false => Ok(()),
        });
    }

    fn each(&mut self, mut to: impl FnMut(&mut Console) -> std::io::Result<()>) {
        for (console, complaint) in self.consoles.iter_mut().zip(&mut self.complaints) {
            let error = to(console).err().map(|error| error.to_string());
            if let Some(error) = error.as_ref().filter(|_| error != *complaint) {
                let name = console.name();
                eprintln!("setupos_tool: cannot show the installation on {name}: {error}");
            }
            *complaint = error;
        }
    }

    fn screen(&self) -> Screen {
        let mut screen = Screen::default();
        screen.add("", Style::Title, &self.title);
        screen.add("", Style::Plain, "");
        let done = |mark| {
            let of = self.checks.iter().filter(|(_, m)| *m == mark);
            of.map(|(name, _)| *name).collect::<Vec<_>>().join("  ")
        };
        for (mark, style, what) in [
            (Mark::Done, Style::Good, "good:"),
            (Mark::Failed, Style::Bad, "failed:"),
            (Mark::Runs, Style::Plain, "running:"),
            (Mark::Waits, Style::Faint, "to come:"),
        ] {
            let names = done(mark);
            if !names.is_empty() {
                screen.add("Checks", style, format!("{what:<9}{names}"));
            }
        }
        for (name, mark) in &self.writes {
            let (style, sign) = match mark {
                Mark::Waits => (Style::Faint, "[ ]"),
                Mark::Runs => (Style::Plain, "[>]"),
                Mark::Done => (Style::Good, "[x]"),
                Mark::Failed => (Style::Bad, "[!]"),
            };
            screen.add("Writing", style, format!("{sign} {name}"));
        }
        if let Some(now) = &self.now {
            screen.add("Now", Style::Plain, &now.plan);
            if now.bar.of > 0 {
                screen.add("Now", Style::Plain, now.bar.text());
            }
        }
        for (style, text) in &self.told {
            screen.add("Found", *style, text);
        }
        if let Some((style, lines)) = &self.end {
            screen.frame(*style, lines);
        }
        screen
    }

    fn mark(&mut self, name: &str, mark: Mark) {
        for (known, old) in self.checks.iter_mut().chain(&mut self.writes) {
            if *known == name {
                *old = mark;
            }
        }
    }
}

impl Watcher for Show {
    fn begins(&mut self, _: usize, _: usize, name: &'static str, plan: &str) {
        self.mark(name, Mark::Runs);
        self.now = Some(Now {
            plan: format!("{name}: {plan}"),
            bar: Bar::new(),
            tenth: 0,
        });
        self.say(&format!("setupos: install: {name}: {plan}"));
        self.paint();
    }

    fn progress(&mut self, name: &'static str, done: u64, of: u64) {
        let Some(now) = &mut self.now else { return };
        (now.bar.done, now.bar.of) = (done, of);
        let tenth = steps::parts_done(done, of, 10);
        let news = tenth > now.tenth && tenth < 10;
        if news {
            now.tenth = tenth;
            self.say(&format!("setupos: install: {name}: {tenth}0 %"));
        }
        if self.painted.is_none_or(|last| last.elapsed() >= PAINT) {
            self.paint();
        }
    }

    fn ends(&mut self, _: usize, _: usize, record: &Record) {
        let name = record.name;
        self.mark(
            name,
            match record.status {
                Status::Done => Mark::Done,
                Status::Failed => Mark::Failed,
                Status::NotReached | Status::WouldRun => Mark::Waits,
            },
        );
        for note in &record.notes {
            self.told.push((Style::Faint, format!("{name}: {note}")));
            self.say(&format!("setupos: install: {name}: - {note}"));
        }
        for problem in &record.problems {
            self.told.push((Style::Bad, format!("{name}: ! {problem}")));
            self.say(&format!("setupos: install: {name}: ! {problem}"));
        }
        if record.status == Status::Done {
            self.say(&format!("setupos: install: {name}: done"));
        }
        self.now = None;
        self.paint();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_fit() {
        let lines = [
            "NOT INSTALLED".to_owned(),
            "a ".repeat(60),
            "\x1b[2J".to_owned(),
        ];
        for width in [20, 40, 79] {
            let rows = frame(&lines, width);
            let len = rows[0].len();
            assert!(len <= width);
            assert!(rows.iter().all(|row| row.len() == len), "{rows:?}");
            assert!(rows.iter().any(|row| row.starts_with("| ?[2J")));
        }
    }

    /// The busiest screen that there is fits 80 columns and 25 rows, and says the end.
    #[test]
    fn all_of_it_fits_the_smallest_screen() {
        let checks = [
            "identity", "config", "images", "drives", "network", "machine", "asked", "age", "time",
            "hardware", "link", "drive", "digests", "prepare",
        ];
        let writes = [
            "wipe",
            "host",
            "guest",
            "config-volume",
            "verify",
            "tables",
            "firmware",
        ];
        let mut show = Show::new(Vec::new(), &checks, &writes);
        for name in checks.iter().chain(&writes) {
            show.begins(
                1,
                1,
                name,
                "do something to /dev/nvme0n1 that takes its time",
            );
            show.progress(name, 50, 100);
            let screen = show.screen();
            let rows = screen.rows(Some(25), 79);
            assert!(rows.len() <= 25, "{name}: {}", rows.len());
            assert!(rows.iter().all(|row| row.text.len() <= 79));
            assert!(
                rows.iter().any(|row| row.text.contains("  50 %  ")),
                "{name}"
            );
            show.ends(
                1,
                1,
                &Record {
                    name,
                    status: Status::Done,
                    plan: String::new(),
                    problems: vec!["something is wrong here".repeat(4); 2],
                    notes: vec!["a remark".to_owned()],
                },
            );
        }
        let end = vec![
            "NOT INSTALLED".to_owned(),
            "Cause:  the drive is failing".to_owned(),
            "Remedy: take another one".to_owned(),
        ];
        show.end(false, end, "setupos: NOT INSTALLED: the drive is failing");
        let rows = show.screen().rows(Some(25), 79);
        assert!(rows.len() <= 25, "{}", rows.len());
        let text: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let text = text.join("\n");
        for want in [
            "NOT INSTALLED",
            "Cause:  the drive is failing",
            "Remedy: take another one",
        ] {
            assert!(text.contains(want), "{text}");
        }
        assert!(show
            .log
            .ends_with("setupos: NOT INSTALLED: the drive is failing\n"));
        assert!(show.log.contains("setupos: install: host: 50 %\n"));
        assert!(show
            .log
            .contains("setupos: install: drive: ! something is wrong here"));
    }
}
