//! What a unit runs, and whether it is in the tree (systemd.service(5), "Command lines").

use tree::{Kind, Tree};

use crate::error::Error;
use crate::syntax::{Content, Line};

/// Keys whose values are command lines.
const COMMANDS: [&str; 9] = [
    "ExecCondition",
    "ExecReload",
    "ExecReloadPost",
    "ExecStart",
    "ExecStartPost",
    "ExecStartPre",
    "ExecStop",
    "ExecStopPost",
    "ExecStopPre",
];
/// Where a program without a path is looked for.
const PATH: [&str; 4] = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"];
/// Folders that are filled when the machine runs.
const FILLED_LATER: [&str; 6] = ["/dev/", "/home/", "/proc/", "/run/", "/tmp/", "/var/"];
/// Keys that change where programs are.
const OTHER_ROOT: [&str; 6] = [
    "ExecSearchPath",
    "ExtensionDirectories",
    "ExtensionImages",
    "MountImages",
    "RootDirectory",
    "RootImage",
];

/// The programs that `lines` name and `tree` lacks: line and reason.
pub(super) fn missing(tree: &Tree, lines: &[Line]) -> Result<Vec<(usize, String)>, Error> {
    let assignments = || {
        lines.iter().filter_map(|line| match &line.content {
            Content::Assignment(key, value) => Some((line.number, key.as_str(), value.as_str())),
            _ => None,
        })
    };
    let mut out = Vec::new();
    if assignments().any(|(_, key, _)| OTHER_ROOT.contains(&key)) {
        return Ok(out);
    }
    for (number, key, value) in assignments().filter(|(_, key, _)| COMMANDS.contains(key)) {
        let words: Vec<&str> = value.split_whitespace().collect();
        for command in words.split(|word| *word == ";") {
            let Some(program) = command.first().and_then(|word| program(word)) else {
                continue;
            };
            if let Some(problem) = problem(tree, program)? {
                out.push((number, format!("{key}={program}: {problem}")));
            }
        }
    }
    Ok(out)
}

/// The program of a command line's first word; none if it may be missing, or depends on the machine.
fn program(word: &str) -> Option<&str> {
    let program = word.trim_start_matches(['@', ':', '+', '!', '|', '-']);
    let prefix = word.strip_suffix(program)?;
    let program = program.trim_matches(['"', '\'']);
    let later = FILLED_LATER.iter().any(|dir| program.starts_with(dir));
    let plain = !program.is_empty() && !program.contains(['%', '$', '\\']);
    (plain && !later && !prefix.contains('-')).then_some(program)
}

/// Why `program` cannot be run in `tree`.
fn problem(tree: &Tree, program: &str) -> Result<Option<&'static str>, Error> {
    let places: Vec<String> = match program.strip_prefix('/') {
        Some(path) => vec![path.to_owned()],
        None => PATH.iter().map(|dir| format!("{dir}/{program}")).collect(),
    };
    let mut problem = "there is no such program in the tree";
    for place in places {
        // A link in circles leads to no program either.
        let Ok(end) = tree.resolve(place.as_bytes(), true, "program of a unit") else {
            continue;
        };
        match tree
            .inode(&end)
            .map(|entry| (&entry.kind, entry.stamp.mode))
        {
            None => {}
            Some((Kind::File(_), mode)) if mode & 0o111 != 0 => return Ok(None),
            Some((Kind::File(_), _)) => problem = "it may not be executed (its mode)",
            Some(_) => problem = "it is no file",
        }
    }
    Ok(Some(problem))
}

/// What decides whether a service can be started at all (systemd.service(5), "ExecStart=").
#[derive(Debug, Default)]
pub(super) struct Service {
    start: bool,
    stop: bool,
    /// Than oneshot, which is also the type of a service that has none and no ExecStart=.
    other_type: bool,
    remains: bool,
    success_action: bool,
}

impl Service {
    /// Reads a file of the service; a later one overrides.
    pub(super) fn add(&mut self, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.section == "Service") {
            let Content::Assignment(key, value) = &line.content else {
                continue;
            };
            match key.as_str() {
                "ExecStart" => self.start = !value.is_empty(),
                "ExecStop" => self.stop = !value.is_empty(),
                "Type" => self.other_type = !["", "oneshot"].contains(&value.as_str()),
                "RemainAfterExit" => {
                    self.remains = ["1", "yes", "true", "on"].contains(&value.as_str())
                }
                _ => {}
            }
        }
        for line in lines.iter().filter(|line| line.section == "Unit") {
            if let Content::Assignment(key, value) = &line.content {
                if key == "SuccessAction" {
                    self.success_action = !["", "none"].contains(&value.as_str());
                }
            }
        }
    }

    pub(super) fn does_something(&self) -> bool {
        self.start || (!self.other_type && (self.success_action || (self.stop && self.remains)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        for (word, want) in [
            ("/usr/bin/a", Some("/usr/bin/a")),
            ("@+/usr/bin/a", Some("/usr/bin/a")),
            ("\"/usr/bin/a\"", Some("/usr/bin/a")),
            ("-/usr/bin/a", None),
            ("!!-/usr/bin/a", None),
            ("/opt/%i", None),
            ("/run/x", None),
            ("sh", Some("sh")),
            ("", None),
        ] {
            assert_eq!(program(word), want, "{word}");
        }
    }
}
