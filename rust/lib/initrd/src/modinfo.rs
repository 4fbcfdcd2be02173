//! What a module says of itself: its section `.modinfo`, `KEY=VALUE` again and again, each ended by a NUL.

use crate::error::Error;

const SECTION: &[u8] = b".modinfo";

/// The files of firmware that the module at `path` may ask the kernel for; names that are no text are none that a tree is asked for.
pub(crate) fn firmware<'a>(path: &str, module: &'a [u8]) -> Result<Vec<&'a str>, Error> {
    let sections = elf::sections(module).map_err(|source| Error::Module {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let section = sections.iter().find(|section| section.name == SECTION);
    let section = section.ok_or_else(|| Error::NoModinfo {
        path: path.to_owned(),
    })?;
    let values = section.bytes.split(|byte| *byte == 0);
    let names = values.filter_map(|value| value.strip_prefix(b"firmware="));
    Ok(names
        .filter_map(|name| std::str::from_utf8(name).ok())
        .collect())
}
