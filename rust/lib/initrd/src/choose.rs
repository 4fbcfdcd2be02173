//! Which modules follow from those that are wanted.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::index::Index;
use crate::names::{canonical, Name};

/// The modules of an initial RAM disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// All of them, as the kernel says their names.
    pub(crate) modules: BTreeSet<String>,
    /// What is loaded at once, as it was written and in the order given, without what is built in.
    pub(crate) at_once: Vec<String>,
}

/// What `available` and `at_once` ask for, and all that these need or wish for and that is there.
pub(crate) fn choose(index: &Index, available: &[Name], at_once: &[Name]) -> Result<Chosen, Error> {
    let mut todo = Vec::new();
    for name in available.iter().chain(at_once) {
        todo.extend(asked(index, name)?);
    }
    let mut modules = BTreeSet::new();
    while let Some(name) = todo.pop() {
        let Some(module) = index.modules.get(&name) else {
            continue;
        };
        todo.extend(
            module
                .needs
                .iter()
                .filter(|need| !modules.contains(*need))
                .cloned(),
        );
        let wishes = index.wishes.get(&name).into_iter().flatten();
        let wishes = wishes.flat_map(|wish| wished(index, wish));
        todo.extend(wishes.filter(|wish| !modules.contains(*wish)).cloned());
        modules.insert(name);
    }
    let mut seen = BTreeSet::new();
    let loaded = at_once.iter().filter(|name| {
        let name = canonical(&name.name).into_owned();
        modules.contains(&name) && seen.insert(name)
    });
    let at_once = loaded.map(|name| name.name.clone()).collect();
    check_needs(index, &modules)?;
    Ok(Chosen { modules, at_once })
}

/// The module that a list asks for; nothing if it is built in.
fn asked(index: &Index, wanted: &Name) -> Result<Option<String>, Error> {
    let name = canonical(&wanted.name).into_owned();
    if index.modules.contains_key(&name) {
        return Ok(Some(name));
    }
    if index.builtin.contains(&name) {
        return Ok(None);
    }
    let known: Vec<&str> = index.modules.keys().map(String::as_str).collect();
    Err(Error::UnknownModule {
        origin: wanted.origin.clone(),
        line: wanted.line,
        release: index.release.clone(),
        name: wanted.name.clone(),
        hint: base::text::hint(&name, &known),
    })
}

/// The modules that a wish is about, as modprobe(8) finds them: by name; else, unless it is built in, by other names.
fn wished<'a>(index: &'a Index, wish: &'a String) -> &'a [String] {
    match index.modules.contains_key(wish) {
        true => std::slice::from_ref(wish),
        false if index.builtin.contains(wish) => &[],
        false => index.aliases.get(wish).map_or(&[], Vec::as_slice),
    }
}

/// What a module needs has a line of its own.
fn check_needs(index: &Index, modules: &BTreeSet<String>) -> Result<(), Error> {
    for name in modules {
        let needs = index.modules.get(name).into_iter();
        let mut needs = needs.flat_map(|module| &module.needs);
        if let Some(missing) = needs.find(|need| !modules.contains(*need)) {
            return Err(Error::NoLine {
                release: index.release.clone(),
                module: name.clone(),
                missing: missing.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Module;
    use proptest::prelude::*;

    fn index(modules: &[(&str, &[&str])]) -> Index {
        let mut index = Index {
            release: "6.1".to_owned(),
            ..Index::default()
        };
        for (name, needs) in modules {
            let module = Module {
                path: format!("kernel/{name}.ko"),
                needs: needs.iter().map(|need| (*need).to_owned()).collect(),
            };
            index.modules.insert((*name).to_owned(), module);
        }
        index
    }

    fn names(text: &str) -> Vec<Name> {
        Name::list("list", text).unwrap()
    }

    fn chosen(index: &Index, available: &str, at_once: &str) -> Vec<String> {
        let chosen = choose(index, &names(available), &names(at_once)).unwrap();
        chosen.modules.into_iter().collect()
    }

    #[test]
    fn what_follows() {
        let mut index = index(&[
            ("a_b", &["c"]),
            ("c", &["d"]),
            ("d", &["c"]),
            ("e", &[]),
            ("x", &[]),
            ("f", &[]),
        ]);
        index.builtin.extend(["ext4".to_owned(), "soft".to_owned()]);
        let wishes = ["e", "gone", "soft", "other"].map(str::to_owned);
        index.wishes.insert("c".to_owned(), wishes.to_vec());
        let of = |name: &str| vec![name.to_owned()];
        index.aliases.insert("other".to_owned(), of("f"));
        // What is built in is no other module by another name.
        index.aliases.insert("soft".to_owned(), of("x"));
        assert_eq!(chosen(&index, "a-b", ""), ["a_b", "c", "d", "e", "f"]);
        assert_eq!(chosen(&index, "ext4", ""), [""; 0]);
        let loaded = choose(&index, &[], &names("x\next4\na-b\na_b\n")).unwrap();
        assert_eq!(loaded.at_once, ["x", "a-b"]);
    }

    #[test]
    fn refused() {
        let mut index = index(&[("virtio_blk", &["virtio"])]);
        let error = choose(&index, &names("\nvirtio-blkk\n"), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list line 2: the kernel 6.1 has no module virtio-blkk, neither built in nor in modules.dep; did you mean virtio_blk?: correct \
             the name, take it out of the list, or install the package that has it"
        );
        let error = choose(&index, &names("virtio_blk"), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "modules.dep of the kernel 6.1 says that virtio_blk needs virtio, but has no line of that: run depmod again"
        );
        index.modules.clear();
        let error = choose(&index, &[], &names("virtio_blk")).unwrap_err();
        assert!(error.to_string().contains("in modules.dep: correct"));
    }

    proptest! {
        /// Whatever needs whatever: the choice ends, has all that its modules need, and no order of the lists changes it.
        #[test]
        fn closed(needs in proptest::collection::vec(proptest::collection::vec(0_usize..12, 0..4), 12), wanted in proptest::collection::vec(0_usize..12, 0..5)) {
            let name = |at: &usize| format!("m{at}");
            let mut index = index(&[]);
            for (at, needs) in needs.iter().enumerate() {
                let module = Module { path: format!("{at}.ko"), needs: needs.iter().map(name).collect() };
                index.modules.insert(name(&at), module);
            }
            let mut lines: Vec<String> = wanted.iter().map(name).collect();
            let one = chosen(&index, &lines.join("\n"), "");
            lines.reverse();
            prop_assert_eq!(&one, &chosen(&index, &lines.join("\n"), ""));
            for module in &one {
                for need in &index.modules[module].needs {
                    prop_assert!(one.contains(need));
                }
            }
        }
    }
}
