//! The `[Install]` section of a unit and its drop-ins.

use tree::Tree;

use crate::error::{Error, Problem};
use crate::expand::expand;
use crate::lookup::Search;
use crate::name::{is_instance, is_valid, Name};
use crate::syntax;

/// What a unit asks for when it is enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Install {
    pub(crate) alias: Vec<String>,
    pub(crate) wanted_by: Vec<String>,
    pub(crate) required_by: Vec<String>,
    pub(crate) upheld_by: Vec<String>,
    pub(crate) also: Vec<String>,
    pub(crate) default_instance: Option<String>,
}

impl Install {
    /// Reads the files of the unit `name` in order: its own at `path`, then the drop-ins.
    pub(crate) fn load<R>(
        tree: &Tree,
        search: &Search,
        name: &str,
        path: &[u8],
        read: &mut R,
    ) -> Result<Self, Error>
    where
        R: FnMut(tree::Source) -> Result<Vec<u8>, tree::Error>,
    {
        let mut install = Self::default();
        let mut files = vec![path.to_vec()];
        files.extend(search.drop_ins(tree, name)?);
        for path in files {
            let end = tree.resolve(&path, true, name)?;
            let mut text = Vec::new();
            // Between the pieces of a file with holes are zeros, which say nothing to systemd.
            for (_, source) in tree.inode(&end).into_iter().flat_map(|e| e.kind.pieces()) {
                text.append(&mut read(source)?);
            }
            if !text.is_empty() {
                install.add(name, &path, &String::from_utf8_lossy(&text))?;
            }
        }
        Ok(install)
    }

    fn add(&mut self, name: &str, path: &[u8], text: &str) -> Result<(), Error> {
        let refuse = |line, reason| Error::Unit {
            path: tree::display(path),
            line,
            reason,
        };
        let assignments = syntax::install(text).map_err(|r| refuse(r.line, r.reason))?;
        for assignment in assignments {
            let (key, value) = (assignment.key.as_str(), assignment.value.as_str());
            let list = match key {
                "Alias" => &mut self.alias,
                "WantedBy" => &mut self.wanted_by,
                "RequiredBy" => &mut self.required_by,
                "UpheldBy" => &mut self.upheld_by,
                "Also" => {
                    let words = also(name, value);
                    let words = words.map_err(|reason| refuse(assignment.line, reason))?;
                    self.also.extend(words);
                    continue;
                }
                "DefaultInstance" => {
                    let instance = default_instance(name, value);
                    self.default_instance =
                        instance.map_err(|reason| refuse(assignment.line, reason))?;
                    continue;
                }
                _ => continue,
            };
            if value.is_empty() {
                list.clear();
            }
            // A value with an open quote is passed over whole.
            list.extend(syntax::words(value).into_iter().flatten());
        }
        Ok(())
    }

    /// The name that specifiers and links of the unit `name` use: of a template, its default instance.
    pub(crate) fn effective(&self, name: &str) -> String {
        let template = Name::parse(name).filter(Name::is_template);
        let instance = self.default_instance.as_deref();
        let named = template.zip(instance);
        let named = named.and_then(|(template, instance)| template.with_instance(instance));
        named.unwrap_or_else(|| name.to_owned())
    }

    /// The units of `Also=` with their specifiers filled in.
    pub(crate) fn also_of(&self, name: &str) -> Result<Vec<String>, Problem> {
        let name = self.effective(name);
        self.also.iter().map(|text| expand(text, &name)).collect()
    }
}

/// Words that cannot become names stop systemd; those with specifiers show it only when they are filled in.
fn also(name: &str, value: &str) -> Result<Vec<String>, String> {
    let words = syntax::words(value).ok_or_else(|| format!("'{value}' has an open quote"))?;
    for word in &words {
        let filled = expand(word, name);
        let bad = match filled {
            Ok(filled) => !is_valid(&filled),
            Err(problem) => return Err(problem.to_string()),
        };
        if bad {
            return Err(format!("Also={word} is no unit name"));
        }
    }
    Ok(words)
}

fn default_instance(name: &str, value: &str) -> Result<Option<String>, String> {
    let template = Name::parse(name).is_some_and(|name| name.is_template());
    if value.is_empty() || !template {
        return Ok(None);
    }
    let instance = expand(value, name).map_err(|problem| problem.to_string())?;
    match is_instance(&instance) {
        true => Ok(Some(instance)),
        false => Err(format!("DefaultInstance={value} is no instance name")),
    }
}
