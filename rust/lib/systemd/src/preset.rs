//! Preset files (systemd.preset(5)).

use std::collections::BTreeMap;

use tree::{Kind, Source, Tree};

use crate::error::Error;
use crate::lookup::{self, NULL};
use crate::name::{is_instance, Name};

/// Folders of preset files, the most important first.
pub(crate) const DIRS: [&[u8]; 4] = [
    b"etc/systemd/system-preset",
    b"run/systemd/system-preset",
    b"usr/local/lib/systemd/system-preset",
    b"usr/lib/systemd/system-preset",
];

/// What a preset says about a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    /// Enable it, or these instances of it if there are any.
    Enable(&'a [String]),
    /// Disable it.
    Disable,
    /// Leave it as it is.
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Enable,
    Disable,
    Ignore,
}

/// A line of a preset file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) verb: Verb,
    pub(crate) pattern: String,
    instances: Vec<String>,
}

impl Rule {
    /// Whether its pattern can mean several units.
    pub(crate) fn is_glob(&self) -> bool {
        self.pattern.contains(['*', '?', '['])
    }

    /// Whether its pattern means `unit`.
    pub(crate) fn fits(&self, unit: &str) -> bool {
        base::glob::matches(self.pattern.as_bytes(), unit.as_bytes())
    }
}

/// The lines of all preset files in order.
#[derive(Debug, Default)]
pub(crate) struct Presets(Vec<Rule>);

impl Presets {
    /// Reads the preset files of `tree`: by name, and of two with the same name the one from the more important folder.
    pub(crate) fn load<R>(tree: &Tree, mut read: R) -> Result<Self, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let mut files: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for dir in DIRS {
            let real = tree.resolve(dir, true, "preset folder")?;
            for (name, _) in tree.children(&real) {
                if name.ends_with(b".preset") && !name.starts_with(b".") {
                    let path = [&real[..], b"/", name].concat();
                    files.entry(name.to_vec()).or_insert(path);
                }
            }
        }
        let mut presets = Self::default();
        for path in files.values() {
            let end = tree.resolve(path, true, "preset file")?;
            match tree.inode(&end).map(|entry| &entry.kind) {
                Some(Kind::File(source)) => {
                    let text = read(*source)?;
                    presets.add(&String::from_utf8_lossy(&text));
                }
                Some(_) if end == NULL => {}
                None => {}
                Some(kind) => {
                    return Err(Error::PresetFile {
                        path: tree::display(path),
                        kind: kind.word(),
                    })
                }
            }
        }
        Ok(presets)
    }

    fn add(&mut self, text: &str) {
        self.0.extend(text.lines().filter_map(rule));
    }

    /// Whether a line names `unit` itself, whatever it says of it.
    pub(crate) fn name(&self, unit: &str) -> bool {
        self.0.iter().any(|rule| rule.pattern == unit)
    }

    /// The first line that matches `unit` decides; without one it is enabled.
    pub(crate) fn verdict(&self, unit: &str) -> Verdict<'_> {
        let name = Name::parse(unit);
        let template = name.and_then(|name| name.template());
        let instance = name.and_then(|name| name.instance);
        // `enable unit@.service x` speaks of the template, and of unit@x.service if that has a file of its own.
        let listed = |rule: &Rule| {
            template.as_ref() == Some(&rule.pattern)
                && rule
                    .instances
                    .iter()
                    .any(|one| Some(one.as_str()) == instance)
        };
        let fits = |rule: &&Rule| {
            base::glob::matches(rule.pattern.as_bytes(), unit.as_bytes()) || listed(rule)
        };
        match self.0.iter().find(fits) {
            None => Verdict::Enable(&[]),
            Some(rule) => match rule.verb {
                Verb::Enable if listed(rule) => Verdict::Enable(&[]),
                Verb::Enable => Verdict::Enable(&rule.instances),
                Verb::Disable => Verdict::Disable,
                Verb::Ignore => Verdict::Ignore,
            },
        }
    }
}

/// A line; comments and what systemd warns about and passes over give nothing.
pub(crate) fn rule(line: &str) -> Option<Rule> {
    let line = lookup::trim(line);
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (verb, rest) = line.split_once(lookup::SPACE)?;
    let rest = lookup::trim(rest);
    let verb = match verb {
        "enable" => Verb::Enable,
        "disable" => Verb::Disable,
        "ignore" => Verb::Ignore,
        _ => return None,
    };
    let mut instances = Vec::new();
    let mut pattern = rest;
    if let (Verb::Enable, Some((name, words))) = (verb, rest.split_once(lookup::SPACE)) {
        // Instances can be given for one template only.
        Name::parse(name).filter(Name::is_template)?;
        pattern = name;
        let words = words.split(lookup::SPACE).filter(|word| !word.is_empty());
        instances = words.map(str::to_owned).collect();
        if !instances.iter().all(|instance| is_instance(instance)) {
            instances.clear();
        }
    }
    Some(Rule {
        verb,
        pattern: pattern.to_owned(),
        instances,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut presets = Presets::default();
        presets.add(
            "# c\n; x\n\n  disable   a.service  \ndisable b.service # no\nDISABLE c.service\n\
             disable\tf.service\nbogus g.service\ndisable\nignore i.*\nenable t@.service x  y \n\
             enable u@.service x/y z\nenable v*@.service x\ndisable *",
        );
        let none: &[String] = &[];
        let some = ["x".to_owned(), "y".to_owned()];
        let cases = [
            ("a.service", Verdict::Disable),
            ("b.service", Verdict::Disable),
            ("i.socket", Verdict::Ignore),
            ("t@.service", Verdict::Enable(&some)),
            ("t@x.service", Verdict::Enable(none)),
            ("t@z.service", Verdict::Disable),
            ("u@.service", Verdict::Enable(none)),
            ("v@.service", Verdict::Disable),
        ];
        for (unit, want) in cases {
            assert_eq!(presets.verdict(unit), want, "{unit}");
        }
        assert_eq!(presets.0.len(), 7);
        assert_eq!(
            Presets::default().verdict("x.service"),
            Verdict::Enable(none)
        );
    }
}
