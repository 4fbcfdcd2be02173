//! As much of GRUB's scripting as our script uses; anything else is a panic. Read from grub's script/execute.c and commands/test.c.

use std::collections::BTreeMap;

use grubenv::{Disk, Env, Limit, Slot, System, LIMIT_KEY};

const PARTITIONS: [&str; 4] = ["esp", "grub", "A_boot", "B_boot"];

struct Machine<'a> {
    disk: Disk,
    variables: BTreeMap<String, Vec<u8>>,
    functions: BTreeMap<&'a str, Vec<&'a str>>,
    /// What `chainloader` loaded.
    loaded: Option<Slot>,
}

/// How a list of commands ended.
enum End {
    /// With the truth of its last command.
    Went(bool),
    Booted(Slot),
    Restarted,
}

/// Runs `script` on `disk`: the slot whose system runs, and the disk afterwards.
pub(crate) fn run(script: &str, disk: Disk, limit: Limit) -> (Option<Slot>, Disk) {
    let script = script.replace(&format!("{{{{{LIMIT_KEY}}}}}"), &limit.to_string());
    let mut lines = script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut main = Vec::new();
    let mut functions = BTreeMap::new();
    while let Some(line) = lines.next() {
        match line.strip_prefix("function ") {
            Some(head) => {
                let name = head.strip_suffix(" {").unwrap();
                let body = lines.by_ref().take_while(|line| *line != "}").collect();
                functions.insert(name, body);
            }
            None => main.push(line),
        }
    }
    let variables = BTreeMap::from([("disk".to_owned(), b"hd0".to_vec())]);
    let mut machine = Machine {
        disk,
        variables,
        functions,
        loaded: None,
    };
    match machine.lines(&main, &[]) {
        End::Booted(slot) => (Some(slot), machine.disk),
        End::Restarted => (None, machine.disk),
        End::Went(_) => panic!("the script came to its end: no restart"),
    }
}

/// The index of the line that ends the block begun before `lines`, by one of `ends` at its own depth.
fn end_of(lines: &[&str], ends: &[&str]) -> usize {
    let mut depth = 0;
    for (index, line) in lines.iter().enumerate() {
        if depth == 0 && ends.iter().any(|end| line.split(' ').next() == Some(end)) {
            return index;
        }
        match line.split(' ').next() {
            Some("if" | "for") => depth += 1,
            Some("fi" | "done") => depth -= 1,
            _ => {}
        }
    }
    panic!("no end in {lines:?}");
}

impl Machine<'_> {
    fn lines(&mut self, mut lines: &[&str], args: &[Vec<u8>]) -> End {
        let mut truth = true;
        while let Some((line, rest)) = lines.split_first() {
            let end = if let Some(head) = line.strip_prefix("if ") {
                let fi = end_of(rest, &["fi"]);
                lines = &rest[fi + 1..];
                self.condition(head, &rest[..fi], args)
            } else if let Some(head) = line.strip_prefix("for ") {
                let done = end_of(rest, &["done"]);
                lines = &rest[done + 1..];
                assert_eq!(head, "partition in ($disk,gpt*); do");
                self.each(&rest[..done], args)
            } else {
                lines = rest;
                self.command(line, args)
            };
            match end {
                End::Went(went) => truth = went,
                end => return end,
            }
        }
        End::Went(truth)
    }

    fn each(&mut self, body: &[&str], args: &[Vec<u8>]) -> End {
        for number in 1..=PARTITIONS.len() {
            let value = format!("(hd0,gpt{number})").into_bytes();
            self.variables.insert("partition".to_owned(), value);
            let End::Went(_) = self.lines(body, args) else {
                panic!("a start inside of a loop");
            };
        }
        End::Went(true)
    }

    fn condition(&mut self, head: &str, body: &[&str], args: &[Vec<u8>]) -> End {
        let condition = head.strip_suffix("; then").unwrap();
        let end = end_of(&[body, &["fi"]].concat(), &["elif", "else", "fi"]);
        match self.command(condition, args) {
            End::Went(true) => self.lines(&body[..end], args),
            End::Went(false) => match body.get(end) {
                None => End::Went(true),
                Some(&"else") => self.lines(&body[end + 1..], args),
                Some(line) => {
                    let head = line.strip_prefix("elif ").unwrap();
                    self.condition(head, &body[end + 1..], args)
                }
            },
            end => end,
        }
    }

    /// The words of a line: quotes keep blanks, a `$name` outside of them is split at blanks.
    fn words(&self, line: &str, args: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut words = Vec::new();
        let mut word: Option<Vec<u8>> = None;
        let mut quoted = false;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(word.take()),
                '$' => {
                    let mut name = String::new();
                    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        name.push(c);
                    }
                    let value = match name.as_str() {
                        "1" => args[0].clone(),
                        name => self.variables.get(name).cloned().unwrap_or_default(),
                    };
                    assert!(
                        quoted || !value.contains(&b' '),
                        "{line}: an unquoted value with blanks"
                    );
                    if quoted || !value.is_empty() {
                        word.get_or_insert_default().extend(value);
                    }
                }
                c => {
                    let mut utf8 = [0; 4];
                    let text = c.encode_utf8(&mut utf8).as_bytes();
                    word.get_or_insert_default().extend(text);
                }
            }
        }
        words.extend(word);
        words
    }

    fn command(&mut self, line: &str, args: &[Vec<u8>]) -> End {
        if let Some((name, value)) = line.strip_prefix("set ").and_then(|it| it.split_once('=')) {
            let mut words = self.words(value, args);
            assert!(words.len() <= 1, "{line}");
            let value = words.pop().unwrap_or_default();
            self.variables.insert(name.to_owned(), value);
            return End::Went(true);
        }
        let words = self.words(line, args);
        let (name, rest) = words.split_first().unwrap();
        let name = std::str::from_utf8(name).unwrap();
        if let Some(body) = self.functions.get(name).cloned() {
            return self.lines(&body, rest);
        }
        match name {
            "[" => End::Went(self.test(rest)),
            "true" | "echo" | "sleep" => End::Went(true),
            "false" => End::Went(false),
            "probe" => self.probe(&rest[2]),
            "load_env" => self.load_env(rest),
            "save_env" => self.save_env(rest),
            "chainloader" => self.chainloader(rest),
            "boot" => match self.loaded.take() {
                Some(slot) => End::Booted(slot),
                None => panic!("nothing loaded"),
            },
            "reboot" => End::Restarted,
            other => panic!("{other}"),
        }
    }

    fn probe(&mut self, partition: &[u8]) -> End {
        let number = std::str::from_utf8(partition).unwrap();
        let number = number
            .strip_prefix("(hd0,gpt")
            .unwrap()
            .strip_suffix(')')
            .unwrap();
        let name = PARTITIONS[number.parse::<usize>().unwrap() - 1];
        let id = format!("{{{{partuuid:{name}}}}}").into_bytes();
        self.variables.insert("id".to_owned(), id);
        End::Went(true)
    }

    /// Whether each of the conditions between `-a` holds; the last word is `]`.
    fn test(&self, words: &[Vec<u8>]) -> bool {
        let words = words
            .iter()
            .map(|word| std::str::from_utf8(word).unwrap())
            .collect::<Vec<_>>();
        let (end, words) = words.split_last().unwrap();
        assert_eq!(*end, "]");
        words
            .split(|word| *word == "-a")
            .all(|condition| match condition {
                // GRUB looks for operators everywhere, so a value must not be able to be one.
                [left, "=", right] if left.starts_with('x') => left == right,
                [left, "!=", right] if left.starts_with('x') => left != right,
                [left, "-gt", right] => left.parse::<u8>().unwrap() > right.parse::<u8>().unwrap(),
                ["-f", path] => self.complete(path),
                other => panic!("{other:?}"),
            })
    }

    fn complete(&self, path: &str) -> bool {
        let slot = match path.split_once('/').unwrap() {
            ("(hd0,gpt3)", "uki.efi" | "uki.efi.sig") => Slot::A,
            ("(hd0,gpt4)", "uki.efi" | "uki.efi.sig") => Slot::B,
            _ => panic!("{path}"),
        };
        self.disk.system(slot) != System::Absent
    }

    fn env(&mut self, path: &[u8]) -> &mut Env {
        match path {
            b"(hd0,gpt2)/grubenv" => &mut self.disk.main,
            b"(hd0,gpt1)/EFI/BOOT/grubenv" => &mut self.disk.spare,
            other => panic!("{other:?}"),
        }
    }

    fn load_env(&mut self, words: &[Vec<u8>]) -> End {
        assert_eq!(words[..2], [b"--skip-sig".to_vec(), b"--file".to_vec()]);
        let Some(block) = self.env(&words[2]).block.clone() else {
            return End::Went(false);
        };
        for (name, value) in block.variables() {
            if words[3..].iter().any(|wanted| wanted == name) {
                let name = std::str::from_utf8(name).unwrap().to_owned();
                self.variables.insert(name, value.to_vec());
            }
        }
        End::Went(true)
    }

    fn save_env(&mut self, words: &[Vec<u8>]) -> End {
        assert_eq!(words[0], b"--file");
        let variables = self.variables.clone();
        let env = self.env(&words[1]);
        let Some(mut block) = env.block.clone().filter(|_| env.writable) else {
            return End::Went(false);
        };
        for name in &words[2..] {
            let name = std::str::from_utf8(name).unwrap();
            // As grub_envblk_set; a variable that is not set is removed, which does not occur.
            if block.set(name, &variables[name]).is_err() {
                return End::Went(false);
            }
        }
        env.block = Some(block);
        End::Went(true)
    }

    fn chainloader(&mut self, words: &[Vec<u8>]) -> End {
        let slot = match [&words[0][..], &words[1]] {
            [b"(hd0,gpt3)/uki.efi", b"@1"] => Slot::A,
            [b"(hd0,gpt4)/uki.efi", b"@2"] => Slot::B,
            _ => panic!("{words:?}"),
        };
        let loads = self.disk.system(slot) == System::Loads;
        self.loaded = loads.then_some(slot);
        End::Went(loads)
    }
}
