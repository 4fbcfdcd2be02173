//! Programs that are built here, the crates in them, and their compiler.

use std::path::Path;

use super::Writer;
use crate::cargo;
use crate::error::Error;
use crate::licences;
use crate::parts::{Crate, Program};
use crate::purl;
use crate::spdx::{Checksum, ExternalRef, Package};

impl Writer<'_> {
    /// A program and the crates in it.
    pub(super) fn program(&mut self, label: &str) -> Result<String, Error> {
        let parts = self.facts.image.parts;
        let program = parts.programs.get(label).ok_or_else(|| Error::NoPart {
            what: format!("the program {label}"),
        })?;
        let id = self.made_here("program", &program.name, "APPLICATION", label);
        if let (Some(package), Some(version)) = (self.packages.last_mut(), &program.version) {
            package.version_info = Some(version.clone());
        }
        for one in parts.linked(&program.deps)? {
            let other = self.crate_of(one)?;
            self.relate(&id, "STATIC_LINK", &other);
            for dep in &one.deps {
                let dep = parts.crates.get(dep).ok_or_else(|| Error::NoPart {
                    what: format!("the crate {dep}"),
                })?;
                let dep = self.crate_of(dep)?;
                self.relate(&other, "DEPENDS_ON", &dep);
            }
        }
        if let Some(version) = compiler(program)? {
            let compiler = self.compiler(&version);
            self.relate(&compiler, "BUILD_TOOL_OF", &id);
            for library in self.libraries() {
                self.relate(&id, "STATIC_LINK", &library);
            }
        }
        Ok(id)
    }

    /// What the packages of the toolchain add to a program that is linked statically: the C library, the compiler's, Rust's.
    fn libraries(&mut self) -> Vec<String> {
        let Some(lock) = self.facts.toolchain else {
            return Vec::new();
        };
        if !self.libraries.is_empty() {
            return self.libraries.clone();
        }
        let linked = lock.packages.iter().filter(|one| is_linked(&one.name));
        for one in linked {
            let id = self
                .ids
                .of("toolchain", &format!("{}-{}", one.name, one.architecture));
            let mut package = Package::new(id.clone(), &one.name);
            package.version_info = Some(one.version.clone());
            package.package_file_name = one.path.rsplit('/').next().map(str::to_owned);
            package.checksums = vec![Checksum::sha256(one.sha256)];
            package.comment = Some(
                "Of the build container: programs that are linked statically have parts of it."
                    .to_owned(),
            );
            let distro = one.suite.as_deref().map(purl::release_of);
            let purl = purl::debian(&one.name, &one.version, &one.architecture, distro);
            package.external_refs = vec![ExternalRef::purl(purl)];
            self.packages.push(package);
            let source = one.source.as_deref().unwrap_or(&one.name);
            let version = one.source_version.as_deref().unwrap_or(&one.version);
            let source = self.source(source, version, distro);
            self.relate(&id, "GENERATED_FROM", &source);
            self.libraries.push(id);
        }
        self.libraries.clone()
    }

    fn crate_of(&mut self, one: &Crate) -> Result<String, Error> {
        if let Some(id) = self.crates.get(&one.label) {
            return Ok(id.clone());
        }
        let id = match &one.manifest {
            Some(manifest) => self.registry_crate(one, manifest)?,
            None => {
                let id = self.made_here("crate", &one.name, "LIBRARY", &one.label);
                if let Some(package) = self.packages.last_mut() {
                    package.version_info = Some(one.version.clone());
                }
                id
            }
        };
        self.crates.insert(one.label.clone(), id.clone());
        Ok(id)
    }

    fn registry_crate(&mut self, one: &Crate, manifest: &Path) -> Result<String, Error> {
        let text = std::fs::read_to_string(manifest).map_err(Error::read(manifest))?;
        let id = self
            .ids
            .of("crate", &format!("{}-{}", one.name, one.version));
        let mut package = Package::new(id.clone(), &one.name);
        package.version_info = Some(one.version.clone());
        package.primary_package_purpose = Some("LIBRARY".to_owned());
        package.package_file_name = Some(format!("{}-{}.crate", one.name, one.version));
        let checksum = self
            .facts
            .checksums
            .get(&(one.name.clone(), one.version.clone()));
        package.checksums = checksum.map(Checksum::sha256).into_iter().collect();
        if let Some(license) = cargo::license(&text) {
            package.license_declared = licences::of_crate(license);
        }
        package.external_refs = vec![ExternalRef::purl(purl::cargo(&one.name, &one.version))];
        self.packages.push(package);
        Ok(id)
    }

    fn compiler(&mut self, version: &str) -> String {
        if let Some(id) = self.compilers.get(version) {
            return id.clone();
        }
        let id = self.ids.of("compiler", &format!("rustc-{version}"));
        let mut package = Package::new(id.clone(), "rustc");
        package.version_info = Some(version.to_owned());
        package.primary_package_purpose = Some("APPLICATION".to_owned());
        package.comment =
            Some("The compiler, as the programs themselves name it: not in the image.".to_owned());
        package.external_refs = vec![ExternalRef::purl(purl::generic("rustc", version))];
        self.packages.push(package);
        self.compilers.insert(version.to_owned(), id.clone());
        id
    }
}

/// Whether a package of the toolchain has what static programs link.
fn is_linked(name: &str) -> bool {
    let of_gcc = name.starts_with("libgcc-") && name.ends_with("-dev");
    of_gcc || ["libc6-dev", "libstd-rust-dev"].contains(&name)
}

/// The version of rustc that a program's section `.comment` names: text between zeros, which stripping leaves.
fn compiler(program: &Program) -> Result<Option<String>, Error> {
    const MARK: &[u8] = b"\0rustc version ";
    let bytes = std::fs::read(&program.path).map_err(Error::read(&program.path))?;
    let at = bytes.windows(MARK.len()).position(|window| window == MARK);
    let rest = at
        .and_then(|at| bytes.get(at..))
        .and_then(|rest| rest.get(MARK.len()..));
    let text = rest.and_then(|rest| rest.split(|byte| *byte == 0).next());
    let version = text.and_then(|text| std::str::from_utf8(text).ok());
    let version = version.and_then(|text| text.split(' ').next());
    Ok(version.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_of_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        let program = Program {
            label: "//a:b".to_owned(),
            name: "b".to_owned(),
            version: None,
            path: path.clone(),
            deps: Vec::new(),
        };
        std::fs::write(
            &path,
            b"ELF\0GCC: (Debian)\0rustc version 1.85.0 (4d91de4e4 2025-02-17)\0x",
        )
        .unwrap();
        assert_eq!(compiler(&program).unwrap().as_deref(), Some("1.85.0"));
        std::fs::write(&path, b"#!/bin/sh\n").unwrap();
        assert_eq!(compiler(&program).unwrap(), None);
    }
}
