//! Images of mke2fs, debugfs, mkfs.fat, mtools and sgdisk. Without one of them its test only says so.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod fixtures;

use std::fs;
use std::path::Path;

use fixtures::{dump, MIB};

/// Runs a program that must succeed; `None` if it is not installed.
fn run(name: &str, args: &[&str]) -> Option<String> {
    let output = fixtures::run(name, args)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {args:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder with a file of several levels of blocks, a sparse one, many names, links.
fn folder(dir: &Path) {
    fs::create_dir_all(dir.join("many")).unwrap();
    for number in 0..600 {
        let name = format!("many/a-name-that-is-long-enough-for-an-index-{number:04}");
        fs::write(dir.join(name), format!("{number}")).unwrap();
    }
    let large: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    fs::write(dir.join("large"), &large).unwrap();
    fs::hard_link(dir.join("large"), dir.join("large-too")).unwrap();
    let sparse = fs::File::create(dir.join("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &large[..5000], 700_000).unwrap();
    sparse.set_len(1_000_000).unwrap();
    std::os::unix::fs::symlink("x".repeat(60), dir.join("long")).unwrap();
    std::os::unix::fs::symlink("x".repeat(59), dir.join("short")).unwrap();
}

/// `PATH sha256` of the files in a dump.
fn digests(text: &str) -> Vec<String> {
    let files = text.lines().filter(|line| line.contains(" file "));
    let words = |line: &str| -> String {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{} {}", words[0], words[words.len() - 1])
    };
    files.map(words).collect()
}

#[test]
fn all_kinds_of_ext() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    folder(&tree);
    let image = dir.path().join("image");
    let mut first: Option<Vec<String>> = None;
    for options in [
        &["-t", "ext4"][..],
        &["-t", "ext4", "-b", "1024", "-O", "^64bit,^metadata_csum"],
        &[
            "-t",
            "ext4",
            "-b",
            "2048",
            "-O",
            "metadata_csum_seed,^flex_bg",
        ],
        &["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
        &["-t", "ext3", "-b", "1024"],
        &["-t", "ext2", "-b", "1024", "-I", "128"],
        &["-t", "ext2", "-b", "4096", "-O", "none,filetype"],
    ] {
        let _ = fs::remove_file(&image);
        let mut args = vec!["-q", "-F", "-d", tree.to_str().unwrap()];
        args.extend(options);
        args.extend([image.to_str().unwrap(), "64M"]);
        if run("mke2fs", &args).is_none() {
            return;
        }
        let got = dump(&fs::read(&image).unwrap());
        assert!(!got.contains("damaged"), "{options:?}: {got}");
        let found = digests(&got);
        assert_eq!(found.len(), 602);
        assert!(got.contains("\n/large-too hardlink -> /large\n"));
        for (name, len) in [("long", 60), ("short", 59)] {
            let target = "x".repeat(len);
            let line = got
                .lines()
                .find(|line| line.starts_with(&format!("/{name} ")));
            assert!(line.unwrap().ends_with(&format!(" -> {target}")));
        }
        assert_eq!(
            first.get_or_insert_with(|| found.clone()),
            &found,
            "{options:?}"
        );
    }
}

#[test]
fn attributes_of_debugfs() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let path = image.to_str().unwrap();
    if run("mke2fs", &["-q", "-F", "-t", "ext4", path, "16M"]).is_none() {
        return;
    }
    let at = |name: &str| dir.path().join(name).display().to_string();
    // As programs have it: version 2, user::rw-, user:1000:r--, group::r--, mask::r--, other::---.
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in [
        (1u16, 6u16, u32::MAX),
        (2, 4, 1000),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    fs::write(at("list"), &list).unwrap();
    fs::write(at("long"), vec![b'v'; 800]).unwrap();
    fs::write(
        at("commands"),
        format!(
            "write {} file\nea_set -f {} /file system.posix_acl_access\nea_set /file user.one 1\n\
         ea_set -f {} /file security.selinux\nmknod null c 1 3\n",
            at("list"),
            at("list"),
            at("long")
        ),
    )
    .unwrap();
    if run("debugfs", &["-w", "-f", &at("commands"), path]).is_none() {
        return;
    }
    let got = dump(&fs::read(&image).unwrap());
    let value: Vec<String> = list
        .iter()
        .map(|byte| match byte {
            0x20 => "\\x20".to_owned(),
            0x21..=0x7e => char::from(*byte).to_string(),
            byte => format!("\\x{byte:02x}"),
        })
        .collect();
    let want = format!(
        " security.selinux={} system.posix_acl_access={} user.one=1",
        "v".repeat(800),
        value.concat()
    );
    let line = got.lines().find(|line| line.starts_with("/file ")).unwrap();
    assert!(line.ends_with(&want), "{line}");
    assert!(
        got.lines()
            .any(|line| line.starts_with("/null char ") && line.ends_with(" 1:3")),
        "{got}"
    );
}

#[test]
fn fat_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let path = image.to_str().unwrap();
    let from = dir.path().join("a file with a long name");
    fs::write(&from, "content").unwrap();
    for (bits, size) in [("12", 2 * MIB), ("16", 16 * MIB), ("32", 40 * MIB)] {
        fs::write(&image, vec![0; size]).unwrap();
        if run(
            "mkfs.fat",
            &["-F", bits, "-s", "1", "-n", "LABEL", "-i", "89abcdef", path],
        )
        .is_none()
        {
            return;
        }
        if run(
            "mcopy",
            &["-i", path, from.to_str().unwrap(), "::/Été.text"],
        )
        .is_none()
        {
            return;
        }
        run(
            "mcopy",
            &["-i", path, from.to_str().unwrap(), "::/SHORT.TXT"],
        );
        run(
            "mattrib",
            &["-i", path, "+r", "+h", "+s", "-a", "::/SHORT.TXT"],
        );
        let got = dump(&fs::read(&image).unwrap());
        let sum = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
        for want in [
            format!("\nfat {bits}\n"),
            "\nvolume-id 89ab-cdef\n".to_owned(),
            "\nlabel LABEL\n".to_owned(),
        ] {
            assert!(got.contains(&want), "{want}: {got}");
        }
        assert!(!got.contains("damaged"), "{got}");
        let line = |name: &str| {
            got.lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_default()
                .to_owned()
        };
        assert!(
            line("/Été.text file ").ends_with(&format!(" 7 {sum} flags=a")),
            "{got}"
        );
        assert!(
            line("/SHORT.TXT file ").ends_with(&format!(" 7 {sum} flags=rhs")),
            "{got}"
        );
    }
}

#[test]
fn a_table_of_sgdisk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    fs::write(&disk, vec![0; 16 * MIB]).unwrap();
    let args = [
        "--disk-guid=0d15c000-0000-4000-8000-000000000001",
        "--new=1:2048:+1M",
        "--typecode=1:ef00",
        "--change-name=1:esp",
        "--partition-guid=1:0d15c000-0000-4000-8000-000000000002",
        "--new=5:8192:+2M",
        "--typecode=5:8304",
        "--change-name=5:wurzel é",
        "--attributes=5:set:60",
        "--partition-guid=5:0d15c000-0000-4000-8000-000000000003",
        disk.to_str().unwrap(),
    ];
    if run("sgdisk", &args).is_none() {
        return;
    }
    let got = dump(&fs::read(&disk).unwrap());
    let want = "imgdump 2\nlength 16777216\ngpt 0d15c000-0000-4000-8000-000000000001\ngpt sector-size 512\n\
        gpt usable 17408 to 16760320\ngpt entries 128\nmbr 1 type ee status 00 start 1 sectors 32767\n\
        esp: partition 1 esp\nesp: type c12a7328-f81f-11d2-ba4b-00a0c93ec93b esp\n\
        esp: partuuid 0d15c000-0000-4000-8000-000000000002\nesp: start 1048576\nesp: size 1048576\nesp: content zero\n\
        5: partition 5 wurzel\\x20é\n5: type 4f68bce3-e8cd-4db1-96e7-fbcaf984b709 root-x86-64\n\
        5: partuuid 0d15c000-0000-4000-8000-000000000003\n5: start 4194304\n5: size 2097152\n\
        5: flags 0x1000000000000000\n5: content zero\n";
    assert_eq!(got, want);
}
