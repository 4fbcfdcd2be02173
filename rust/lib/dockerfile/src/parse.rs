//! From logical lines to the [`Dockerfile`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{At, Error, Result};
use crate::ir::{Arg, Copy, CopySource, Dockerfile, HereDoc, Instruction, Run, Stage, Step};
use crate::lines::{split, Found, Line};
use crate::words::{flags, is_blank, json_array, shell_words, Template};

/// Parses the Dockerfile `text`; `file` is its name in messages.
pub fn parse(file: &str, text: &[u8]) -> Result<Dockerfile> {
    let lines = split(file, text)?;
    let mut out = Dockerfile {
        file: Arc::from(file),
        args: Vec::new(),
        stages: Vec::new(),
    };
    let mut names = BTreeSet::new();
    let mut near_miss = None;
    for line in lines.lines {
        let miss = line.found.near_miss.clone();
        let here = (line.at.clone(), miss);
        add(&mut out, &mut names, line, lines.escape)
            .map_err(|error| blame(error, near_miss.take()))?;
        near_miss = Some(here);
    }
    if out.stages.is_empty() {
        return Err(Error::NoStage { file: out.file });
    }
    Ok(out)
}

/// What is no instruction after a word like `>f<<EOF` was meant to be a here-document.
fn blame(error: Error, before: Option<(At, Option<String>)>) -> Error {
    match (error, before) {
        (Error::Unsupported { at, .. }, Some((opener, Some(word)))) => Error::Word {
            problem: format!(
                "line {} is no instruction, and no builder reads a here-document here (put a blank before <<)",
                at.line
            ),
            at: opener,
            word,
        },
        (error, _) => error,
    }
}

fn add(out: &mut Dockerfile, names: &mut BTreeSet<String>, line: Line, escape: char) -> Result<()> {
    let parser = Arguments {
        instruction: known(&line)?,
        at: &line.at,
        escape,
    };
    let instruction = match parser.instruction {
        "FROM" => {
            let stage = parser.from(&line.rest)?;
            if let Some(name) = &stage.name {
                if !names.insert(name.clone()) {
                    return Err(parser.error(format!("there is already a stage called {name}")));
                }
            }
            out.stages.push(stage);
            return Ok(());
        }
        "ARG" => Instruction::Arg(parser.arg(&line.rest)?),
        "ENV" => Instruction::Env(parser.env(&line.rest)?),
        "LABEL" => Instruction::Label(parser.label(&line.rest)?),
        "USER" => Instruction::User(parser.single(&line.rest, "user[:group]")?),
        "WORKDIR" => Instruction::Workdir(parser.single(&line.rest, "a path")?),
        "COPY" => Instruction::Copy(parser.copy(&line.rest, line.found.heredocs)?),
        _ => Instruction::Run(parser.run(&line.rest, line.found)?),
    };
    match (out.stages.last_mut(), instruction) {
        (Some(stage), instruction) => stage.steps.push(Step {
            at: line.at,
            text: format!("{} {}", line.keyword, line.rest),
            instruction,
        }),
        (None, Instruction::Arg(args)) => {
            out.args
                .extend(args.into_iter().map(|arg| (line.at.clone(), arg)));
        }
        (None, _) => {
            return Err(Error::BeforeFrom {
                at: line.at.clone(),
                instruction: parser.instruction,
            });
        }
    }
    Ok(())
}

fn known(line: &Line) -> Result<&'static str> {
    [
        "FROM", "ARG", "ENV", "COPY", "RUN", "USER", "WORKDIR", "LABEL",
    ]
    .into_iter()
    .find(|name| *name == line.keyword)
    .ok_or_else(|| Error::Unsupported {
        at: line.at.clone(),
        instruction: line.keyword.clone(),
    })
}

/// Parses the arguments of one instruction.
struct Arguments<'a> {
    instruction: &'static str,
    at: &'a At,
    escape: char,
}

impl Arguments<'_> {
    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Arguments {
            at: self.at.clone(),
            instruction: self.instruction,
            problem: problem.into(),
        }
    }

    fn flag(&self, flag: &str, wanted: &'static str) -> Error {
        Error::Flag {
            at: self.at.clone(),
            instruction: self.instruction,
            flag: flag.to_owned(),
            wanted,
        }
    }

    fn word(&self, text: &str) -> Result<Template> {
        Template::word(text, self.escape).map_err(|problem| Error::Word {
            at: self.at.clone(),
            word: text.to_owned(),
            problem,
        })
    }

    fn from(&self, rest: &str) -> Result<Stage> {
        let (flags, rest) = flags(rest);
        if let Some(flag) = flags.first() {
            return Err(self.flag(flag, "the base image has one platform"));
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, as_, name] if as_.eq_ignore_ascii_case("as") => {
                (image, Some(name.to_lowercase()))
            }
            _ => return Err(self.error(format!("wanted IMAGE or IMAGE AS NAME, got {rest:?}"))),
        };
        if let Some(name) = name.as_ref().filter(|name| !is_stage_name(name)) {
            return Err(self.error(format!(
                "{name:?} is no stage name; wanted a letter, then letters, digits, - _ . (not \"scratch\")"
            )));
        }
        Ok(Stage {
            at: self.at.clone(),
            image: self.word(image)?,
            name,
            steps: Vec::new(),
        })
    }

    fn arg(&self, rest: &str) -> Result<Vec<Arg>> {
        let words = self.some_words(rest, "NAME or NAME=default")?;
        let parse = |word: String| {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(self.word(default)?)),
                None => (word.as_str(), None),
            };
            Ok(Arg {
                name: self.name(name)?,
                default,
            })
        };
        words.into_iter().map(parse).collect()
    }

    fn env(&self, rest: &str) -> Result<Vec<(String, Template)>> {
        let pairs = self.pairs(rest)?;
        pairs
            .into_iter()
            .map(|(name, value)| Ok((self.name(&name)?, self.word(&value)?)))
            .collect()
    }

    fn label(&self, rest: &str) -> Result<Vec<(Template, Template)>> {
        let pairs = self.pairs(rest)?;
        pairs
            .into_iter()
            .map(|(name, value)| Ok((self.word(&name)?, self.word(&value)?)))
            .collect()
    }

    fn pairs(&self, rest: &str) -> Result<Vec<(String, String)>> {
        let words = self.some_words(rest, "NAME=value")?;
        let split = |word: String| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(self.error(format!("wanted NAME=value, got {word:?}"))),
        };
        words.into_iter().map(split).collect()
    }

    fn some_words(&self, rest: &str, wanted: &str) -> Result<Vec<String>> {
        let words = shell_words(rest, self.escape);
        if words.is_empty() {
            return Err(self.error(format!("wanted {wanted}, got nothing")));
        }
        Ok(words)
    }

    fn name(&self, name: &str) -> Result<String> {
        let mut bytes = name.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(name.to_owned())
        } else {
            Err(self.error(format!(
                "{name:?} is no variable name; wanted letters, digits and _"
            )))
        }
    }

    fn single(&self, rest: &str, wanted: &str) -> Result<Template> {
        if rest.is_empty() {
            return Err(self.error(format!("wanted {wanted}, got nothing")));
        }
        if let Some(flag) = flags(rest).0.first() {
            return Err(self.flag(flag, "it takes no flags"));
        }
        self.word(rest)
    }

    fn copy(&self, rest: &str, heredocs: Vec<HereDoc>) -> Result<Copy> {
        const WANTED: &str = "supported are --from, --chown, --chmod";
        let (flags, rest) = flags(rest);
        let (mut from, mut chown, mut chmod) = (None, None, None);
        for flag in &flags {
            let (name, value) = flag
                .split_once('=')
                .ok_or_else(|| self.flag(flag, WANTED))?;
            let slot = match name {
                "--from" => &mut from,
                "--chown" => &mut chown,
                "--chmod" => &mut chmod,
                _ => return Err(self.flag(flag, WANTED)),
            };
            if value.is_empty() {
                return Err(self.error(format!("{name} has no value")));
            }
            if slot.replace(self.word(value)?).is_some() {
                return Err(self.error(format!("{name} given twice")));
            }
        }
        let from = from.map(|from| self.stage_name(&from)).transpose()?;
        if let Some(mode) = chmod.as_ref().and_then(Template::as_literal) {
            mode_bits(&mode).map_err(|problem| self.error(problem))?;
        }
        let (sources, dest) = self.copy_paths(rest, heredocs)?;
        if from.is_some()
            && sources
                .iter()
                .any(|source| matches!(source, CopySource::HereDoc(_)))
        {
            return Err(self.error("a here-document cannot come --from a stage"));
        }
        Ok(Copy {
            from,
            chown,
            chmod,
            sources,
            dest,
        })
    }

    fn stage_name(&self, from: &Template) -> Result<String> {
        from.as_literal()
            .ok_or_else(|| self.error("--from takes no variables: name a stage or give its number"))
    }

    fn copy_paths(
        &self,
        rest: &str,
        heredocs: Vec<HereDoc>,
    ) -> Result<(Vec<CopySource>, Template)> {
        let mut words: Vec<String> = match json_array(rest) {
            Some(words) => words,
            None => rest
                .split(is_blank)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        let dest = words
            .pop()
            .filter(|_| !words.is_empty())
            .ok_or_else(|| self.error(format!("wanted sources and a destination, got {rest:?}")))?;
        let mut heredocs = heredocs.into_iter();
        let mut sources = Vec::new();
        for word in words {
            if word
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .starts_with("<<")
            {
                let heredoc = heredocs
                    .next()
                    .ok_or_else(|| self.error(format!("{word:?} is no here-document")))?;
                self.file_name(&heredoc.name)?;
                sources.push(CopySource::HereDoc(heredoc));
            } else if word.contains("://") {
                let shown = base::url::shown(&word);
                return Err(self.error(format!(
                    "source {shown:?} is remote; a build has no network"
                )));
            } else {
                sources.push(CopySource::Path(self.word(&word)?));
            }
        }
        if heredocs.next().is_some() {
            return Err(self.error("the destination cannot be a here-document"));
        }
        let dest = self.word(&dest)?;
        if let Some(dest) = dest
            .as_literal()
            .filter(|dest| sources.len() > 1 && !dest.ends_with('/'))
        {
            return Err(self.error(several_sources(&dest)));
        }
        Ok((sources, dest))
    }

    /// A here-document that becomes a file is called by its delimiter.
    fn file_name(&self, name: &str) -> Result<()> {
        match base::path::check_name(name.as_ref()) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error(format!("here-document {error}"))),
        }
    }

    fn run(&self, rest: &str, found: Found) -> Result<Run> {
        let (flags, rest) = flags(rest);
        // These two ask for what every step gets.
        let harmless = ["--network=none", "--security=sandbox"];
        if let Some(flag) = flags.iter().find(|flag| !harmless.contains(&flag.as_str())) {
            return Err(self.flag(
                flag,
                "a step has no network, no mounts and no devices (only --network=none is taken)",
            ));
        }
        if rest.is_empty() {
            return Err(self.error("wanted a command, got nothing"));
        }
        if let Some(command) = json_array(rest) {
            if command.first().is_none_or(String::is_empty) {
                return Err(self.error("the exec form names no program"));
            }
            return Ok(Run::Exec(command));
        }
        // The whole command is one here-document: its body is the script. Otherwise the shell reads them itself.
        match found.heredocs.as_slice() {
            [only] if found.alone && only.body.starts_with("#!") => {
                self.file_name(&only.name)?;
                Ok(Run::Script {
                    name: only.name.clone(),
                    body: only.body.clone(),
                })
            }
            [only] if found.alone => Ok(Run::Shell(only.body.clone())),
            heredocs => {
                let mut script = rest.to_owned();
                for heredoc in heredocs {
                    script.push('\n');
                    script.push_str(&heredoc.raw);
                    script.push_str(&heredoc.name);
                }
                Ok(Run::Shell(script))
            }
        }
    }
}

fn is_stage_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name != "scratch"
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// What Docker asks of the destination of several sources.
pub(crate) fn several_sources(dest: &str) -> String {
    format!("several sources need a destination that is a directory and ends with /, got {dest:?}")
}

/// Reads an octal mode as `--chmod` takes it.
pub(crate) fn mode_bits(text: &str) -> Result<u32, String> {
    let wanted = || format!("--chmod={text}: wanted an octal mode such as 0755");
    if text.is_empty() || text.len() > 5 {
        return Err(wanted());
    }
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777 && text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(wanted)
}
