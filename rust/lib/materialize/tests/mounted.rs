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

use materialize::{Error, Options, Output};
use plan::{Builder, Input, Reader};

/// A mounted file system, until it is dropped.
struct Mount {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run("umount", &[self.path.to_str().unwrap()]);
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
        Ok(()) => Some(Mount { dir, path }),
        Err(why) => {
            eprintln!("nothing tested: {}", why.trim());
            None
        }
    }
}

fn reader(path: &Path, len: u64) -> Reader {
    let mut builder = Builder::new(vec![Input::of_len(len)]);
    builder.zero(1 << 20).unwrap();
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

/// Data of an input that lies in the image as it lies in the input takes no space a second time.
fn shares(make: &[&str]) {
    let Some(mount) = mount(Some(make)) else {
        return;
    };
    let len = 40 << 20;
    let input = mount.path.join("input");
    noise(&input, len);
    let sync = || rustix::fs::syncfs(File::open(&mount.path).unwrap()).unwrap();
    sync();
    let before = free(&mount.path);
    let len = u64::try_from(len).unwrap();
    let reader = reader(&input, len);
    for digest in [false, true] {
        let output = Output::create(&mount.path.join("out")).unwrap();
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
        sync();
        // The second half is not aligned.
        let used = before - free(&mount.path);
        assert!(
            (len..len + (8 << 20)).contains(&used),
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
