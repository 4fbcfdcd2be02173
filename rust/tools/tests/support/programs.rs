//! Programs of this machine in a tree of their own, for scripts to run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Makes the folders that a system has, in the folder `tree`, which does not exist.
pub(crate) fn folders(tree: &Path) {
    for name in [
        "etc", "proc", "sys", "dev", "tmp", "run", "var/tmp", "root", "usr/bin", "usr/lib",
    ] {
        fs::create_dir_all(tree.join(name)).unwrap();
    }
    for (name, to) in [
        ("bin", "usr/bin"),
        ("sbin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib"),
    ] {
        symlink(to, tree.join(name)).unwrap();
    }
    symlink("bin", tree.join("usr/sbin")).unwrap();
    let passwd = "root:x:0:0:root:/root:/bin/sh\n";
    fs::write(tree.join("etc/passwd"), passwd).unwrap();
    fs::write(tree.join("etc/group"), "root:x:0:\n").unwrap();
}

/// Copies a program of this machine with the libraries it loads.
pub(crate) fn install(tree: &Path, program: &str) {
    let found = Command::new("sh")
        .args(["-c", &format!("readlink -f $(command -v {program})")])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    fs::copy(path.trim(), tree.join("usr/bin").join(program))
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let libraries = Command::new("ldd").arg(path.trim()).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    for word in libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let name = Path::new(word).file_name().unwrap();
        // Where the loader looks without a cache, as /lib64 is /usr/lib.
        fs::copy(word, tree.join("usr/lib").join(name)).unwrap();
    }
}
