//! Plan lists: a plan and the files it was made over, as one file that stands for the image.
//!
//! A file whose name ends in `.image` is text: the plan's path in the first line, then the path of each input in a line of its
//! own, in order. Relative paths are relative to the current directory, as the files of a program that Bazel runs are. Every
//! program that takes an image takes such a list in its place, through [`Reader::open_any`].
//!
//! ```text
//! bazel-out/k8-fastbuild/bin/os/disk.plan
//! bazel-out/k8-fastbuild/bin/os/rootfs.tar
//! os/bin/server
//! ```

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use files::InputFile;

use crate::error::Error;
use crate::plan::Plan;
use crate::read::Reader;

/// How the name of a plan list ends.
const SUFFIX: &str = "image";
/// A list of so many bytes is something else under a misleading name: a command line's most inputs have 256 bytes each.
const MAX_LIST: u64 = 256 << 20;

/// A plan list: paths as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The plan file.
    pub plan: PathBuf,
    /// The plan's inputs, by position.
    pub inputs: Vec<PathBuf>,
}

impl List {
    /// Whether a file of this name is a plan list, and no image itself.
    pub fn is_named(path: &Path) -> bool {
        path.extension() == Some(OsStr::new(SUFFIX))
    }

    /// Reads the list at `path`, which names each input once.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let list = Self::read(path)?;
        let mut seen = BTreeMap::new();
        for (line, input) in (2u64..).zip(&list.inputs) {
            if let Some(before) = seen.insert(input, line) {
                let (name, input) = (path.display(), input.display());
                let reason =
                    format!("{name} names {input} in line {before} and again in line {line}");
                return Err(Error::Inputs { reason });
            }
        }
        Ok(list)
    }

    /// Reads a list of this form: of an image, or of a tree, of which two files may have the same content.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_below(path, MAX_LIST)
    }

    /// Reads a list that has fewer than `most` bytes.
    fn read_below(path: &Path, most: u64) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(Error::io(&name))?;
        let mut text = Vec::new();
        let mut bounded = file.take(most);
        bounded.read_to_end(&mut text).map_err(Error::io(&name))?;
        let list = match bounded.limit() {
            0 => Err(format!("it has {most} bytes or more")),
            _ => Self::parse(&text),
        };
        list.map_err(|reason| Error::Inputs {
            reason: format!("{name} is not a plan list: {reason}"),
        })
    }

    /// The list of `text`, or what is wrong with it.
    fn parse(text: &[u8]) -> Result<Self, String> {
        let mut paths = Vec::new();
        let lines = text.strip_suffix(b"\n").unwrap_or(text);
        for (number, line) in (1u64..).zip(lines.split(|byte| *byte == b'\n')) {
            if line.is_empty() || line.contains(&0) {
                return Err(format!("line {number} is not a path"));
            }
            paths.push(PathBuf::from(OsStr::from_bytes(line)));
        }
        let mut paths = paths.into_iter();
        let plan = paths.next().ok_or("it is empty")?;
        let inputs = paths.collect();
        Ok(Self { plan, inputs })
    }
}

impl Reader<InputFile> {
    /// Opens the image that the plan list at `path` stands for.
    pub fn open_list(path: &Path) -> Result<Self, Error> {
        let list = List::open(path)?;
        let plan = Plan::open(&list.plan);
        let reader = plan.and_then(|plan| Self::open(plan, &list.inputs));
        reader.map_err(|source| in_list(path, source))
    }

    /// Opens an image: a plan list if the name ends in `.image`, else a raw image (a regular file or a block device), whose
    /// plan is all of it.
    pub fn open_any(path: &Path) -> Result<Self, Error> {
        if List::is_named(path) {
            return Self::open_list(path);
        }
        let name = path.display().to_string();
        let file = InputFile::open(path).map_err(Error::io(&name))?;
        let len = measure(&file, &name)?;
        Self::new(Plan::whole(len)?, vec![(name, file)])
    }
}

/// An error about a list's plan or inputs. A list that is read elsewhere than it was written for is the likely cause if
/// a relative path leads nowhere.
pub(crate) fn in_list(list: &Path, source: Error) -> Error {
    let lost = match &source {
        Error::Io { what, source } => {
            source.kind() == ErrorKind::NotFound && Path::new(what).is_relative()
        }
        _ => false,
    };
    let (list, source) = (list.to_owned(), Box::new(source));
    match std::env::current_dir() {
        Ok(folder) if lost => Error::ListedFile {
            list,
            folder,
            source,
        },
        _ => Error::File { path: list, source },
    }
}

/// Length of a regular file or a block device.
pub(crate) fn measure(file: &InputFile, name: &str) -> Result<u64, Error> {
    let stamp = file.stamp();
    if stamp.is_file {
        return Ok(stamp.len);
    }
    if !stamp.is_block_device {
        let reason = format!("{name} is neither a regular file nor a block device");
        return Err(Error::Inputs { reason });
    }
    let file = file.file().map_err(Error::io(name))?;
    (&*file).seek(SeekFrom::End(0)).map_err(Error::io(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Input};

    fn refused(result: Result<Reader, Error>) -> String {
        match result.unwrap_err() {
            Error::File { source, .. } => source.to_string(),
            error => error.to_string(),
        }
    }

    #[test]
    fn lists() {
        let list = List::parse(b"a b.plan\nx\n\xff.tar").unwrap();
        assert_eq!(list.plan, PathBuf::from("a b.plan"));
        let bytes = OsStr::from_bytes(b"\xff.tar");
        assert_eq!(list.inputs, [PathBuf::from("x"), PathBuf::from(bytes)]);
        assert_eq!(List::parse(b"p\n").unwrap().inputs, Vec::<PathBuf>::new());
        for (text, reason) in [
            (&b""[..], "line 1 is not a path"),
            (b"\n", "line 1 is not a path"),
            (b"p\n\nx\n", "line 2 is not a path"),
            (b"p\nx\n\n", "line 3 is not a path"),
            (b"p\nx\0", "line 2 is not a path"),
        ] {
            assert_eq!(List::parse(text).unwrap_err(), reason);
        }
        assert!(List::parse(b"p\np\n").is_ok());
        assert!(List::is_named(Path::new("d/disk.image")));
        assert!(!List::is_named(Path::new("d/disk.img")));
        assert!(!List::is_named(Path::new(".image")));
    }

    /// Nothing of it is taken for a shorter list.
    #[test]
    fn a_list_that_is_too_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.image");
        std::fs::write(&path, b"p\nx\ny\n").unwrap();
        assert_eq!(
            List::read_below(&path, 7).unwrap(),
            List::read(&path).unwrap()
        );
        assert_eq!(
            List::read_below(&path, 6).unwrap_err().to_string(),
            format!(
                "{} is not a plan list: it has 6 bytes or more",
                path.display()
            )
        );
    }

    #[test]
    fn an_image_by_list_and_raw() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("raw"), b"0123456789").unwrap();
        let mut builder = Builder::new(vec![Input::of_len(10)]);
        builder.inline(b"head").unwrap();
        builder.source(0, 5, 5).unwrap();
        std::fs::write(at("p"), builder.finish().unwrap().encode()).unwrap();
        let line = |name| at(name).display().to_string();
        std::fs::write(at("x.image"), format!("{}\n{}\n", line("p"), line("raw"))).unwrap();

        let read = |reader: Reader| {
            let mut bytes = vec![0; usize::try_from(reader.len()).unwrap()];
            reader.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        assert_eq!(
            read(Reader::open_any(&at("x.image")).unwrap()),
            b"head56789"
        );
        assert_eq!(read(Reader::open_any(&at("raw")).unwrap()), b"0123456789");

        let twice = at("twice.image");
        std::fs::write(&twice, "p\nx\ny\nx\n").unwrap();
        assert_eq!(
            refused(Reader::open_any(&twice)),
            format!("{} names x in line 2 and again in line 4", twice.display())
        );
        std::fs::write(at("short.image"), line("p")).unwrap();
        assert_eq!(
            refused(Reader::open_list(&at("short.image"))),
            "the plan was made over 1 inputs, but 0 are given"
        );
        // Missing files: with the list, and what its paths are relative to if that may be why.
        let chain = |path: &Path| {
            let error = Reader::open_any(path).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            format!("{error}: {cause}")
        };
        let here = std::env::current_dir().unwrap();
        for text in [
            "no/such.plan".to_owned(),
            format!("{}\nno/such.input", line("p")),
        ] {
            let list = at("lost.image");
            std::fs::write(&list, &text).unwrap();
            let want = format!(
                "{}: its relative paths are meant from the current directory, {}: cannot read {}",
                list.display(),
                here.display(),
                text.lines().next_back().unwrap()
            );
            assert_eq!(chain(&list), want);
        }
        std::fs::write(at("lost.image"), line("none")).unwrap();
        let want = format!("{}: cannot read {}", line("lost.image"), line("none"));
        assert_eq!(chain(&at("lost.image")), want);
        std::fs::write(at("empty.image"), b"").unwrap();
        let name = at("empty.image").display().to_string();
        assert_eq!(
            refused(Reader::open_any(&at("empty.image"))),
            format!("{name} is not a plan list: line 1 is not a path")
        );
        let name = dir.path().display().to_string();
        assert_eq!(
            refused(Reader::open_any(dir.path())),
            format!("{name} is neither a regular file nor a block device")
        );
    }
}
