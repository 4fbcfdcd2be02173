//! On file systems that this machine must be able to make and mount: one that is full, and those that share extents.
//!
//! Each test says why it did nothing where that is not possible: it takes root, loop devices and the programs.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use materialize::{Error, Options, Output};
use plan::{Builder, Input, Reader};

/// Whose turn it is to have a file system. A program that another thread starts has everything open that is open here, until it
/// executes: a file that was closed here still takes up space, and its file system is busy.
static TURN: Mutex<()> = Mutex::new(());

/// A mounted file system, until it is dropped.
struct Mount {
    dir: tempfile::TempDir,
    path: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = run("umount", &[self.path.to_str().unwrap()]);
        // Not twice: what the test says counts more.
        if !std::thread::panicking() {
            done.unwrap();
        }
    }
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    // Where they are, although an ordinary user's path does not say so.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(program).args(args).env("PATH", path).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Mounts what `make` puts into a file of 400 MiB, or a tmpfs of 2 MiB.
fn mount(make: Option<&[&str]>) -> Option<Mount> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mounted");
    fs::create_dir(&path).unwrap();
    let at = path.to_str().unwrap();
    let image = dir.path().join("image");
    let image = image.to_str().unwrap();
    let done = match make {
        None => run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs", at]),
        Some(make) => {
            File::create(image).unwrap().set_len(400 << 20).unwrap();
            let (program, args) = make.split_first().unwrap();
            run(program, &[args, &[image]].concat())
                .and_then(|()| run("mount", &["-o", "loop", image, at]))
        }
    };
    match done {
        Ok(()) => Some(Mount {
            dir,
            path,
            _turn: turn,
        }),
        Err(why) => {
            eprintln!("nothing tested: {}", why.trim());
            None
        }
    }
}

/// How much of an image is a hole: more than a file system may take besides data.
const HOLE: u64 = 16 << 20;

fn reader(path: &Path, len: u64) -> Reader {
    let mut builder = Builder::new(vec![Input::of_len(len)]);
    builder.zero(HOLE).unwrap();
    builder.source(0, 0, len).unwrap();
    builder.inline(b"and something else").unwrap();
    builder.source(0, 5, len - 5).unwrap();
    Reader::open(builder.finish().unwrap(), &[path]).unwrap()
}

fn noise(path: &Path, len: usize) {
    let bytes: Vec<u8> = (1..=251).cycle().take(len).collect();
    fs::write(path, bytes).unwrap();
}

#[test]
fn no_space() {
    let Some(mount) = mount(None) else {
        return;
    };
    let input = mount.dir.path().join("input");
    noise(&input, 3 << 20);
    let reader = reader(&input, 3 << 20);
    let output = Output::create(&mount.path.join("out")).unwrap();
    let error = materialize::write(&reader, output.file(), &Options::default()).unwrap_err();
    let Error::Write { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    drop(output);
    assert_eq!(fs::read_dir(&mount.path).unwrap().count(), 0);
    assert_eq!(free(&mount.path), 2 << 20);
}

fn free(path: &Path) -> u64 {
    let stat = rustix::fs::statvfs(path).unwrap();
    stat.f_bfree * stat.f_frsize
}

/// Data of an input that lies in the image as it lies in the input takes no space a second time, and a hole takes none.
fn shares(make: &[&str]) {
    let Some(mount) = mount(Some(make)) else {
        return;
    };
    let len = 40 << 20;
    let input = mount.path.join("input");
    noise(&input, len);
    // What is written has its place then; what is removed may give it back later, so nothing is.
    let settled = || {
        rustix::fs::syncfs(File::open(&mount.path).unwrap()).unwrap();
        free(&mount.path)
    };
    let len = u64::try_from(len).unwrap();
    let reader = reader(&input, len);
    for digest in [false, true] {
        let before = settled();
        let name = format!("digest-{digest}");
        let output = Output::create(&mount.path.join(name)).unwrap();
        let options = Options {
            digest,
            ..Options::default()
        };
        materialize::write(&reader, output.file(), &options).unwrap();
        let mut want = vec![0; usize::try_from(reader.len()).unwrap()];
        reader.read_at(&mut want, 0).unwrap();
        let mut got = vec![1; want.len()];
        output.file().read_exact_at(&mut got, 0).unwrap();
        assert!(got == want);
        output.commit().unwrap();
        let used = before - settled();
        // The second half is not aligned.
        assert!(
            (len..len + HOLE / 2).contains(&used),
            "{used} bytes for {len}"
        );
    }
}

#[test]
fn xfs_shares_extents() {
    shares(&["mkfs.xfs", "-q", "-m", "reflink=1"]);
}

#[test]
fn btrfs_shares_extents() {
    shares(&["mkfs.btrfs", "-q"]);
}
