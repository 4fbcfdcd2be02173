//! An archive's suites, and apt's resolver over them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base::url::shown;

use crate::apt::{text, Folder, Settings, Source};
use crate::error::Error;
use crate::index::Index;
use crate::list::{near_names, List};
use crate::lock::{paths, Lock, Package, Root, Suite};
use crate::machine::{beside, directory, mirrors, Mirrors};
use crate::release;
use crate::version::compare_versions;

/// Packages every Debian has, whatever the lists say.
const ALWAYS: [&str; 2] = ["?essential", "?priority(required)"];

/// apt's own way to fetch one file: with its proxies and certificates.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Which archive.
#[derive(Clone, Debug)]
pub struct ArchiveOptions {
    /// Suites, such as `trixie` and `trixie-security`, the most general first; see [`Root::of`].
    pub suites: Vec<String>,
    /// Components of the suites, such as `main`.
    pub components: Vec<String>,
    /// Architecture of the image.
    pub architecture: String,
    /// Keys that must have signed the suites.
    pub keyring: PathBuf,
    /// Root of an archive; none: those of this machine's apt, in turn.
    pub mirror: Option<String>,
    /// Root of a security archive; none: the one beside `mirror`, else those of this machine's apt, else beside the main one.
    pub security_mirror: Option<String>,
    /// Take an index whose `Valid-Until` has passed: an archive that keeps an old state.
    pub accept_expired: bool,
}

/// The suites' verified indexes, in a folder that vanishes with this.
#[derive(Debug)]
pub struct Archive {
    folder: Folder,
    architecture: String,
    suites: Vec<Suite>,
    index: Index,
    /// Address of each root, with a slash at its end.
    roots: BTreeMap<Root, String>,
}

/// What stands in the place of a locked package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// The locked package.
    pub have: Package,
    /// The newest that the suites have.
    pub want: Package,
}

impl Archive {
    /// Fetches and verifies the suites' indexes.
    pub fn open(options: &ArchiveOptions) -> Result<Self, Error> {
        if !options.keyring.is_file() {
            return Err(Error::NoKeyring(options.keyring.clone()));
        }
        let folder = Folder::new(Settings {
            architecture: &options.architecture,
            components: &options.components,
            keyring: &options.keyring,
            accept_expired: options.accept_expired,
        })?;
        let mut archive = Self {
            folder,
            architecture: options.architecture.clone(),
            suites: Vec::new(),
            index: Index::default(),
            roots: BTreeMap::new(),
        };
        archive.fetch(options)?;
        archive.read_indexes(options)?;
        Ok(archive)
    }

    /// Finds roots that have the suites: the main one, then the security archive.
    fn fetch(&self, options: &ArchiveOptions) -> Result<(), Error> {
        let of_root = |root: Root| options.suites.iter().filter(move |s| Root::of(s) == root);
        let known = match (&options.mirror, &options.security_mirror) {
            (Some(_), Some(_)) => Mirrors::default(),
            _ => mirrors(&options.suites)?,
        };
        let mut sources: Vec<Source> = Vec::new();
        let mut tried = Vec::new();
        if of_root(Root::Main).next().is_some() {
            let candidates = match &options.mirror {
                Some(mirror) => vec![directory(mirror)],
                None => known.main.clone(),
            };
            let found =
                self.first_that_has(&sources, of_root(Root::Main), &candidates, &mut tried)?;
            let Some(found) = found else {
                let first = tried.into_iter().next();
                return Err(first.map_or(Error::NoMirror, |(_, error)| error));
            };
            sources = found;
        }
        if let Some(suite) = of_root(Root::Security).next() {
            let main = sources.first().map(|source| source.root.as_str());
            let candidates = security_candidates(options, &known, main);
            tried.clear();
            let suites = of_root(Root::Security);
            let found = self.first_that_has(&sources, suites, &candidates, &mut tried)?;
            if found.is_none() {
                let shown =
                    |(root, error): &(String, Error)| (shown(root).into_owned(), said(error));
                return Err(Error::NoSecurity {
                    suite: suite.clone(),
                    tried: tried.iter().map(shown).collect(),
                });
            }
        }
        Ok(())
    }

    /// `before` and `suites` at the first of `candidates` that has these; what apt said of the others goes to `tried`.
    fn first_that_has<'a>(
        &self,
        before: &[Source],
        suites: impl Iterator<Item = &'a String> + Clone,
        candidates: &[String],
        tried: &mut Vec<(String, Error)>,
    ) -> Result<Option<Vec<Source>>, Error> {
        for root in candidates {
            let more = suites.clone().map(|suite| Source {
                suite: suite.clone(),
                root: root.clone(),
            });
            let sources: Vec<Source> = before.iter().cloned().chain(more).collect();
            match self.folder.update(&sources) {
                Ok(()) => return Ok(Some(sources)),
                // Not every archive of a machine has every suite.
                Err(error @ Error::Apt { .. }) => tried.push((root.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn read_indexes(&mut self, options: &ArchiveOptions) -> Result<(), Error> {
        let fetched = self.folder.fetched()?;
        for suite in &options.suites {
            let mut date = None;
            for index in fetched.iter().filter(|f| f.suite == *suite) {
                let text = fs::read_to_string(&index.packages);
                let text = text.map_err(Error::io("read a package index"))?;
                self.index.read(&text, suite, &index.root)?;
                self.roots.insert(Root::of(suite), index.root.clone());
                if date.is_none() {
                    let text = fs::read_to_string(&index.release);
                    let text = text.map_err(Error::io("read a release file"))?;
                    if !release::is_of(&text, suite) {
                        let root = shown(&index.root);
                        return Err(Error::Release(format!(
                            "{root} gave that of another suite for {suite}"
                        )));
                    }
                    date = Some(release::date(&text)?);
                }
            }
            self.suites.push(Suite {
                suite: suite.clone(),
                root: Root::of(suite),
                components: options.components.clone(),
                date: date.ok_or_else(|| Error::Index(format!("none of {suite}")))?,
            });
        }
        if self.index.is_empty() {
            return Err(Error::Index("no package at all".to_owned()));
        }
        Ok(())
    }

    /// Resolves what the lists ask for, and what every Debian has, into a lock.
    ///
    /// Packages of `keep` stay at their versions where the suites still have these; all else is the newest.
    pub fn resolve(&self, lists: &[List], keep: &[Package]) -> Result<Lock, Error> {
        self.check_names(lists)?;
        let names = lists
            .iter()
            .flat_map(|l| l.packages.iter().map(|p| p.name.clone()));
        let requested: BTreeSet<String> = names.collect();
        let held: Vec<(&str, &str)> = keep
            .iter()
            .filter(|p| self.offers(p).any(|offer| offer.version == p.version))
            .map(|p| (p.name.as_str(), p.version.as_str()))
            .collect();
        self.folder.hold(&held)?;
        let mut args = vec!["-q", "-y", "--print-uris", "--allow-downgrades", "install"];
        args.extend(ALWAYS);
        args.extend(requested.iter().map(String::as_str));
        let output = self.folder.run("apt-get", &args, "resolving the lists");
        let output = output.map_err(|source| match (held.is_empty(), source) {
            (false, source @ Error::Apt { .. }) => Error::Kept {
                source: Box::new(source),
            },
            (_, source) => source,
        })?;
        let mut packages = Vec::new();
        for line in output.lines() {
            // 'URI' FILE SIZE DIGEST; everything else is talk.
            if let Some((uri, _)) = line
                .strip_prefix('\'')
                .and_then(|rest| rest.split_once('\''))
            {
                packages.push(self.package(uri)?.clone());
            }
        }
        if packages.is_empty() {
            return Err(Error::Answer("no package to install".to_owned()));
        }
        packages.sort();
        let mut lock = Lock::new(self.architecture.clone(), self.suites.clone());
        lock.lists = lists.iter().map(|list| list.file.clone()).collect();
        lock.requested = requested.into_iter().collect();
        lock.paths = paths(lists);
        lock.packages = packages;
        Ok(lock)
    }

    /// The signed index's word on a file: what apt prints has no SHA-256.
    fn package(&self, uri: &str) -> Result<&Package, Error> {
        let offer = self.index.by_address(&unescape(uri));
        let offer =
            offer.ok_or_else(|| Error::Answer(format!("{}, which is in no index", shown(uri))))?;
        Ok(&offer.package)
    }

    /// What the suites have in place of a locked package, in any version.
    fn offers<'a>(&'a self, locked: &'a Package) -> impl Iterator<Item = &'a Package> {
        let fits = |p: &&Package| p.architecture == "all" || p.architecture == self.architecture;
        self.index
            .offers(&locked.name)
            .map(|o| &o.package)
            .filter(fits)
    }

    /// Packages of which a suite of one of `roots` has a newer version, the security archive's first.
    pub fn newer(&self, packages: &[Package], roots: &[Root]) -> Vec<Newer> {
        let mut found: Vec<Newer> = packages
            .iter()
            .filter_map(|have| {
                let offers = self.offers(have).filter(|p| roots.contains(&p.root()));
                let want = offers.max_by(|a, b| compare_versions(&a.version, &b.version))?;
                let newer = compare_versions(&want.version, &have.version) == Ordering::Greater;
                newer.then(|| Newer {
                    have: have.clone(),
                    want: want.clone(),
                })
            })
            .collect();
        found.sort_by(|a, b| {
            let key = |n: &Newer| (n.want.root() != Root::Security, n.have.name.clone());
            key(a).cmp(&key(b))
        });
        found
    }

    /// What a package takes when it is installed, in bytes, where the index says so.
    pub fn installed_size(&self, package: &Package) -> Option<u64> {
        let offers = self.index.offers(&package.name);
        let mut same = offers.filter(|o| o.package.sha256 == package.sha256);
        same.next().and_then(|offer| offer.installed)
    }

    /// Fetches the file of a package, of this or an older state of the archive, and checks its content.
    pub fn fetch_deb(&self, package: &Package, to: &Path) -> Result<(), Error> {
        let root = self.roots.get(&package.root()).ok_or(Error::NoMirror)?;
        let uri = format!("{root}{}", escape(&package.path));
        let digest = format!("SHA256:{}", package.sha256);
        let args = ["download-file", &uri, text(to)?, &digest];
        let what = format!("fetching {} {}", package.name, package.version);
        self.folder.run(HELPER, &args, &what).map(drop)
    }

    fn check_names(&self, lists: &[List]) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for list in lists {
            for package in list.packages.iter().filter(|p| !self.index.has(&p.name)) {
                unknown.push((
                    package.name.clone(),
                    format!("{}:{}", list.file, package.line),
                    near_names(&package.name, self.index.names()),
                ));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::Unknown {
            suites: self.suites.iter().map(|s| s.suite.clone()).collect(),
            names: unknown,
        })
    }
}

/// Where the security archive may be, the likely places first.
fn security_candidates(
    options: &ArchiveOptions,
    known: &Mirrors,
    main: Option<&str>,
) -> Vec<String> {
    if let Some(mirror) = &options.security_mirror {
        return vec![directory(mirror)];
    }
    let chosen = options.mirror.as_deref().map(beside);
    let mut found: Vec<String> = Vec::new();
    let last = main.map(beside);
    for root in chosen.into_iter().chain(known.security.clone()).chain(last) {
        if !found.contains(&root) {
            found.push(root);
        }
    }
    found
}

/// The last of what apt said, in one line.
fn said(error: &Error) -> String {
    match error {
        Error::Apt { output, .. } => {
            let first = output.lines().find(|l| l.starts_with("E: "));
            first
                .or(output.lines().last())
                .unwrap_or("nothing")
                .to_owned()
        }
        error => error.to_string(),
    }
}

/// Writes as `%XX` what is not plain in a path.
fn escape(path: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._/:".contains(b);
    let byte = |b: u8| match plain(&b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02x}"),
    };
    path.bytes().map(byte).collect()
}

/// Undoes `%XX`.
fn unescape(uri: &str) -> String {
    let mut out = Vec::new();
    let mut rest = uri.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.split_first_chunk::<2>().filter(|_| *first == b'%');
        let decoded = code.and_then(|(digits, tail)| {
            let digits = std::str::from_utf8(digits).ok()?;
            let [byte] = base::hex::decode_array(digits).ok()?;
            Some((byte, tail))
        });
        let (byte, after) = decoded.unwrap_or((*first, tail));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        assert_eq!(unescape("pool/x_1%3a2%2bb_a.deb"), "pool/x_1:2+b_a.deb");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(escape("pool/x_1:2+b~a.deb"), "pool/x_1:2%2bb%7ea.deb");
    }

    #[test]
    fn places_of_the_security_archive() {
        let mut options = ArchiveOptions {
            suites: Vec::new(),
            components: Vec::new(),
            architecture: "amd64".to_owned(),
            keyring: PathBuf::new(),
            mirror: None,
            security_mirror: None,
            accept_expired: false,
        };
        let known = Mirrors {
            main: Vec::new(),
            security: vec!["http://a/security/".to_owned()],
        };
        let main = Some("http://a/debian/");
        assert_eq!(
            security_candidates(&options, &known, main),
            ["http://a/security/", "http://a/debian-security/"]
        );
        options.mirror = Some("http://b/debian".to_owned());
        assert_eq!(
            security_candidates(&options, &known, Some("http://b/debian/")),
            ["http://b/debian-security/", "http://a/security/"]
        );
        options.security_mirror = Some("http://c/s".to_owned());
        assert_eq!(security_candidates(&options, &known, main), ["http://c/s/"]);
    }
}
