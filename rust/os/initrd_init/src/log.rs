//! What is said: records of the kernel's log, which its console shows and the system's journal keeps.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

static KMSG: OnceLock<File> = OnceLock::new();

/// A record of the kernel's log takes 1024 bytes with all that is around it.
const LONGEST: usize = 900;

/// Opens the log; before that everything goes to standard error, which is the console.
pub(crate) fn open() {
    // Otherwise ten records in five seconds are heard, and others dropped.
    let _ = std::fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
    if let Ok(file) = File::options().write(true).open("/dev/kmsg") {
        // Opened once.
        let _ = KMSG.set(file);
    }
}

/// What was done.
pub(crate) fn info(text: &str) {
    say(6, text);
}

/// What is odd, and does not end the start.
pub(crate) fn warning(text: &str) {
    say(4, text);
}

/// What ends the start.
pub(crate) fn error(text: &str) {
    say(2, text);
}

/// Records of a level as in `linux/kern_levels.h`. Where the log takes none, standard error is tried; nobody is left to tell when that fails.
fn say(level: u8, text: &str) {
    for part in parts(&text.replace('\n', " ")) {
        let logged = KMSG.get().is_some_and(|mut file| {
            file.write_all(format!("<{level}>initrd: {part}").as_bytes())
                .is_ok()
        });
        if !logged {
            let _ = writeln!(std::io::stderr(), "initrd: {part}");
        }
    }
}

/// A text in parts that a record holds each.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in text.chars() {
        match parts.last_mut() {
            Some(part) if part.len() < LONGEST => part.push(letter),
            _ => parts.push(letter.into()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_long_text_is_lost() {
        let text = "äb".repeat(1000);
        let parts = parts(&text);
        assert_eq!(parts.len(), 4);
        assert!(parts.iter().all(|part| part.len() < 910));
        assert_eq!(parts.concat(), text);
    }
}
