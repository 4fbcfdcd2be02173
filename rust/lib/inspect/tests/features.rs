//! What is healthy is never called damaged: every feature that mke2fs has, every form of FAT and GPT that their tools make.
//! Without one of these its test only says so.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod fixtures;

use std::fs::{self, File};
use std::path::PathBuf;

use fixtures::{dump, MIB};
use inspect::{Files, Options, Place};

/// Runs a program of the system; `None` if it is not installed, or refuses.
fn run(name: &str, args: &[&str]) -> Option<String> {
    let output = fixtures::run(name, args)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{name} {args:?}: {errors}");
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    /// With a folder `tree` of files of all sizes, a folder of many names and one of few, links.
    fn new() -> Self {
        let bed = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(bed.at("tree/many")).unwrap();
        fs::create_dir_all(bed.at("tree/few/none")).unwrap();
        for number in 0..300 {
            let name = format!("tree/many/a-name-that-is-long-enough-for-an-index-{number:04}");
            fs::write(bed.at(&name), format!("{number}")).unwrap();
        }
        for len in [0, 1, 59, 60, 61, 100, 130, 160, 1000, 5000, 200_000] {
            let bytes: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
            fs::write(bed.at(&format!("tree/few/{len}")), bytes).unwrap();
        }
        for len in [1, 59, 60, 100, 150] {
            let link = bed.at(&format!("tree/link-{len}"));
            std::os::unix::fs::symlink("x".repeat(len), link).unwrap();
        }
        bed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    /// The image of mke2fs with `options`; `None` where this mke2fs can't.
    fn ext(&self, options: &[&str], size: &str) -> Option<Vec<u8>> {
        let (tree, image) = (self.path("tree"), self.path("image"));
        let _ = fs::remove_file(&image);
        let mut args = vec!["-q", "-F", "-d", &tree];
        args.extend(options);
        args.extend([image.as_str(), size]);
        run("mke2fs", &args)?;
        Some(fs::read(&image).unwrap())
    }

    /// What the dump says of files: path, type, and what they hold.
    fn files(image: &Vec<u8>) -> Vec<String> {
        let text = dump(image);
        let lines = text.lines().filter(|line| {
            let mut words = line.split(' ');
            let path = words.next().unwrap_or_default();
            path.starts_with('/') && path != "/" && path != "/lost+found"
        });
        let short = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let last = match words[1] {
                "file" | "symlink" => words[words.len() - 1],
                _ => "",
            };
            format!("{} {} {last}", words[0], words[1])
        };
        lines.map(short).collect()
    }
}

/// Every name that `mke2fs -O` takes is said of in one of these.
const FEATURES: &[&[&str]] = &[
    &["-t", "ext4"],
    &["-t", "ext4", "-O", "inline_data"],
    &["-t", "ext4", "-O", "inline_data", "-I", "512"],
    &[
        "-t",
        "ext4",
        "-O",
        "inline_data,^metadata_csum",
        "-I",
        "1024",
        "-b",
        "1024",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "meta_bg,^resize_inode",
        "-b",
        "1024",
        "-g",
        "256",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "meta_bg,^resize_inode,sparse_super2",
        "-b",
        "1024",
        "-g",
        "256",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "meta_bg,^resize_inode,^sparse_super,^64bit",
        "-b",
        "1024",
        "-g",
        "512",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "meta_bg,^resize_inode,bigalloc",
        "-b",
        "1024",
        "-C",
        "4096",
    ],
    &["-t", "ext4", "-O", "bigalloc", "-C", "65536"],
    &["-t", "ext4", "-O", "encrypt"],
    &["-t", "ext4", "-O", "casefold"],
    &[
        "-t",
        "ext4",
        "-O",
        "casefold",
        "-E",
        "encoding=utf8,encoding_flags=strict",
    ],
    &["-t", "ext4", "-O", "verity"],
    &["-t", "ext4", "-O", "ea_inode"],
    &["-t", "ext4", "-O", "orphan_file"],
    &["-t", "ext4", "-O", "^orphan_file,^has_journal"],
    &["-t", "ext4", "-O", "fast_commit"],
    &["-t", "ext4", "-O", "stable_inodes"],
    &["-t", "ext4", "-O", "quota"],
    &[
        "-t",
        "ext4",
        "-O",
        "quota,project",
        "-E",
        "quotatype=usrquota:grpquota:prjquota",
    ],
    &["-t", "ext4", "-O", "sparse_super2"],
    &["-t", "ext4", "-O", "large_dir"],
    &["-t", "ext4", "-O", "mmp"],
    &["-t", "ext4", "-O", "metadata_csum_seed"],
    &["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
    &[
        "-t",
        "ext4",
        "-O",
        "^metadata_csum,^uninit_bg,^64bit,^flex_bg",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "^dir_index,^dir_nlink,^huge_file,^extra_isize,^large_file,^ext_attr",
    ],
    &[
        "-t",
        "ext4",
        "-O",
        "^extent,^64bit,^orphan_file",
        "-b",
        "1024",
    ],
    &["-t", "ext4", "-O", "^filetype"],
    &["-t", "ext4", "-O", "shared_blocks"],
    &["-t", "ext4", "-b", "1024"],
    &["-t", "ext4", "-b", "2048", "-I", "2048"],
    &["-t", "ext4", "-b", "65536"],
    &[
        "-t",
        "ext4",
        "-b",
        "65536",
        "-O",
        "inline_data",
        "-I",
        "65536",
        "-N",
        "500",
    ],
    &["-t", "ext4", "-r", "1", "-G", "64", "-J", "size=4"],
    &["-t", "ext3", "-b", "1024"],
    &["-t", "ext2", "-b", "1024", "-I", "128"],
    &["-t", "ext2", "-b", "1024", "-r", "0"],
    &["-t", "ext2", "-O", "none,filetype"],
    &[
        "-t",
        "ext4",
        "-o",
        "hurd",
        "-O",
        "none,filetype",
        "-I",
        "128",
    ],
];

#[test]
fn every_feature_of_mke2fs() {
    let bed = Bed::new();
    let Some(plain) = bed.ext(FEATURES[0], "64M") else {
        return;
    };
    let want = Bed::files(&plain);
    assert!(want.len() > 300, "{want:?}");
    let mut made = 0;
    for options in FEATURES {
        let Some(image) = bed.ext(options, "64M") else {
            continue;
        };
        made += 1;
        let got = dump(&image);
        assert!(!got.contains("damaged"), "{options:?}: {got}");
        assert!(!got.contains("not-read"), "{options:?}: {got}");
        assert_eq!(Bed::files(&image), want, "{options:?}");
    }
    // A few are known to newer or other versions only.
    assert!(made > FEATURES.len() - 8, "{made} of {}", FEATURES.len());
}

#[test]
fn content_inside_of_inodes_is_as_it_was() {
    let bed = Bed::new();
    let Some(image) = bed.ext(&["-t", "ext4", "-O", "inline_data", "-I", "512"], "16M") else {
        return;
    };
    let files = Files::open(&image, &Place::default()).unwrap();
    for len in ["0", "1", "60", "61", "160", "1000", "200000"] {
        let path = format!("/few/{len}");
        let mut out = Vec::new();
        let entry = files.find(path.as_bytes(), false).unwrap();
        files.copy(entry, &mut out).unwrap();
        assert!(out == fs::read(bed.at(&format!("tree{path}"))).unwrap());
    }
    // One bit of it shows where it belongs, and nowhere else.
    let at = image
        .windows(26)
        .position(|bytes| bytes == b"abcdefghijklmnopqrstuvwxyz");
    let mut other = image.clone();
    other[at.unwrap() + 3] ^= 1;
    let difference = base::text::unified(("a", "b"), &dump(&image), &dump(&other), 0);
    assert!(difference.contains("+/few/"), "{difference}");
    assert!(!difference.contains("rest"), "{difference}");
    // A file may not claim more than its inode has.
    let line = |text: &str| text.lines().filter(|line| line.contains("damaged")).count();
    assert_eq!(line(&dump(&image)), 0);
}

#[test]
fn values_of_attributes_in_inodes() {
    let bed = Bed::new();
    let Some(_) = bed.ext(&["-t", "ext4", "-O", "ea_inode"], "16M") else {
        return;
    };
    let image = bed.path("image");
    fs::write(bed.at("value"), vec![b'v'; 1024]).unwrap();
    let commands = format!(
        "ea_set -f {0} /few/1 user.long\nea_set -f {0} /few/1000 user.long\n",
        bed.path("value")
    );
    fs::write(bed.at("commands"), commands).unwrap();
    if run("debugfs", &["-w", "-f", &bed.path("commands"), &image]).is_none() {
        return;
    }
    let got = dump(&fs::read(&image).unwrap());
    assert!(!got.contains("damaged"), "{got}");
    let want = format!(" user.long={}", "v".repeat(1024));
    let found = got.lines().filter(|line| line.ends_with(&want)).count();
    assert_eq!(found, 2);
}

/// Files whose content goes on behind their end, as with fs-verity, and folders whose names are encrypted.
#[test]
fn flags_that_only_the_kernel_sets() {
    let bed = Bed::new();
    let Some(_) = bed.ext(&["-t", "ext4", "-O", "encrypt,verity"], "16M") else {
        return;
    };
    let image = bed.path("image");
    for command in [
        "set_inode_field /few/200000 flags 0x180000",
        "set_inode_field /few/200000 size 5000",
        "set_inode_field /many flags 0x80800",
    ] {
        if run("debugfs", &["-w", "-R", command, &image]).is_none() {
            return;
        }
    }
    let bytes = fs::read(&image).unwrap();
    let got = dump(&bytes);
    assert!(!got.contains("damaged"), "{got}");
    let line = |path: &str| got.lines().find(|line| line.starts_with(path)).unwrap();
    assert!(line("/few/200000 ").contains(" 5000 sha256:"), "{got}");
    let many = line("/many dir ");
    assert!(
        many.ends_with(" not-read: the names in it are encrypted: a mount with its key shows them"),
        "{many}"
    );
    assert!(!got.contains("/many/"), "{got}");
    let dump = inspect::dump(&bytes, Options::default(), None).unwrap();
    assert_eq!((dump.damage(), dump.unread()), (0, 1));
}

#[test]
fn what_is_not_read_is_said_and_is_no_damage() {
    let bed = Bed::new();
    let Some(_) = bed.ext(&["-t", "ext4"], "16M") else {
        return;
    };
    let image = bed.path("image");
    for (features, want) in [
        (
            "needs_recovery",
            "\nnot-read the journal was not replayed: ",
        ),
        (
            "FEATURE_I20",
            "\nnot-read files of a file system with incompat:0x100000 are not read here: ",
        ),
    ] {
        let fresh = fs::read(&image).unwrap();
        if run(
            "debugfs",
            &["-w", "-R", &format!("features {features}"), &image],
        )
        .is_none()
        {
            continue;
        }
        let bytes = fs::read(&image).unwrap();
        let got = dump(&bytes);
        assert!(got.contains(want), "{features}: {got}");
        assert!(!got.contains("damaged"), "{features}: {got}");
        let dump = inspect::dump(&bytes, Options::default(), None).unwrap();
        assert_eq!((dump.damage(), dump.unread()), (0, 1));
        fs::write(&image, fresh).unwrap();
    }
    let journal = bed.path("journal");
    let made = run(
        "mke2fs",
        &[
            "-q",
            "-F",
            "-O",
            "journal_dev",
            "-b",
            "4096",
            &journal,
            "8M",
        ],
    );
    if made.is_some() {
        let got = dump(&fs::read(&journal).unwrap());
        assert!(
            got.contains("\nnot-read this is the journal of a file system on another device"),
            "{got}"
        );
        assert!(!got.contains("damaged"), "{got}");
    }
}

#[test]
fn every_form_of_fat() {
    let bed = Bed::new();
    let image = bed.path("image");
    let forms: &[(usize, &[&str])] = &[
        (1, &["-F", "12"]),
        (16, &["-F", "16"]),
        (40, &["-F", "32"]),
        (2, &["-F", "32", "-s", "1"]),
        (16, &["-F", "16", "-f", "1"]),
        (16, &["-F", "16", "-f", "4"]),
        (16, &["-F", "16", "-S", "1024"]),
        (16, &["-F", "16", "-S", "2048"]),
        (64, &["-F", "32", "-S", "4096"]),
        (64, &["-F", "12", "-S", "32768"]),
        (16, &["-F", "16", "-r", "16", "-R", "8", "-h", "63"]),
        (64, &["-F", "32", "-s", "1", "-b", "9", "-R", "40", "-a"]),
        (16, &["-F", "16", "-M", "0xf0", "-D", "0", "-n", "A LABEL"]),
        (40, &["-F", "32", "--mbr=y"]),
    ];
    for (mib, options) in forms {
        fs::write(&image, vec![0; mib * MIB]).unwrap();
        let mut args = options.to_vec();
        args.push(&image);
        if run("mkfs.fat", &args).is_none() {
            continue;
        }
        let Some(_) = run(
            "mcopy",
            &["-i", &image, &bed.path("tree/few/5000"), "::/some file"],
        ) else {
            continue;
        };
        let bytes = fs::read(&image).unwrap();
        let got = dump(&bytes);
        assert!(got.contains("\n/some\\x20file file "), "{options:?}: {got}");
        assert!(
            !got.contains("damaged") && !got.contains("not-read"),
            "{options:?}: {got}"
        );
    }
}

/// A FAT32 of which one table counts, and the other was left behind.
#[test]
fn tables_that_need_not_be_alike() {
    let image = fixtures::fat(40, fat::FatType::Fat32);
    let good = dump(&image);
    let word = |at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    let (table, len) = (512 * word(14), 512 * (word(36) + (word(38) << 16)));
    let mut other = image.clone();
    // The second table counts; the first is garbage.
    other[40] = 0x81;
    other[table..table + len].fill(0xf7);
    let got = dump(&other);
    assert!(!got.contains("damaged"), "{got}");
    let files = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with('/'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(files(&got), files(&good));
}

#[test]
fn every_form_of_gpt() {
    let bed = Bed::new();
    let disk = bed.path("disk");
    let hybrid = "--hybrid=1";
    let forms: &[&[&str]] = &[
        &[],
        &["--resize-table=4"],
        &["--resize-table=256"],
        &["--resize-table=4096"],
        &["--move-main-table=100"],
        &[hybrid],
    ];
    for options in forms {
        fs::write(&disk, vec![0; 16 * MIB]).unwrap();
        let mut args = options.to_vec();
        // Partitions first, or there is nothing for a hybrid table.
        let new = ["--new=1:8192:+1M", "--change-name=1:first"];
        args.splice(0..0, new);
        args.push(&disk);
        if run("sgdisk", &args).is_none() {
            continue;
        }
        let got = dump(&fs::read(&disk).unwrap());
        assert!(
            got.contains("\nfirst: content zero\n"),
            "{options:?}: {got}"
        );
        assert!(
            !got.contains("damaged") && !got.contains("not-read"),
            "{options:?}: {got}"
        );
    }
}

/// Sectors of other lengths, entries of other lengths, and more of them than anybody makes.
#[test]
fn tables_that_tools_do_not_make() {
    for (sector, entry, count) in [
        (512usize, 128usize, 128usize),
        (512, 256, 16),
        (512, 512, 4),
        (512, 128, 20_000),
        (1024, 128, 32),
        (2048, 1024, 8),
        (4096, 128, 128),
        (4096, 4096, 4),
    ] {
        let image = table(sector, entry, count);
        let got = dump(&image);
        assert!(
            got.contains(&format!("\ngpt sector-size {sector}\ngpt usable ")),
            "{got}"
        );
        assert!(got.contains(&format!("\ngpt entries {count}\n")), "{got}");
        assert!(got.contains("\n1: content zero\n"), "{got}");
        assert!(!got.contains("damaged"), "{got}");
    }
    let error = inspect::dump(&table(512, 128, 40_000), Options::default(), None).unwrap_err();
    assert!(error.is_unread());
    assert_eq!(
        error.to_string(),
        "this is a disk with a table of 40000 partitions, 128 bytes each, which is not read here"
    );
}

/// A disk with one partition without a name.
fn table(sector: usize, entry: usize, count: usize) -> Vec<u8> {
    let len = (entry * count).next_multiple_of(sector);
    let sectors = 2 * (len / sector) + 64;
    let mut disk = vec![0; sectors * sector];
    let number = |number: usize| u64::try_from(number).unwrap().to_le_bytes();
    let mut entries = vec![0; entry * count];
    entries[..16].fill(0xaf);
    entries[16..32].fill(7);
    entries[32..40].copy_from_slice(&number(sectors / 2));
    entries[40..48].copy_from_slice(&number(sectors / 2 + 7));
    for (at, other, table) in [
        (1, sectors - 1, 2),
        (sectors - 1, 1, sectors - 1 - len / sector),
    ] {
        let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for value in [at, other, 2 + len / sector, sectors - 2 - len / sector] {
            header.extend(number(value));
        }
        header.extend([9; 16]);
        header.extend(number(table));
        header.extend(u32::try_from(count).unwrap().to_le_bytes());
        header.extend(u32::try_from(entry).unwrap().to_le_bytes());
        header.extend(crc32fast::hash(&entries).to_le_bytes());
        let sum = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk[at * sector..at * sector + header.len()].copy_from_slice(&header);
        disk[table * sector..table * sector + entries.len()].copy_from_slice(&entries);
    }
    disk
}

/// What programs of the system make is called by its name, bare and in a partition, and is no damage.
#[test]
fn other_formats_are_named() {
    let bed = Bed::new();
    let raw = bed.path("raw");
    File::create(&raw).unwrap().set_len(4 << 20).unwrap();
    let tree = bed.path("tree");
    let to = bed.path("out");
    let script = |script: &str| {
        let _ = fs::remove_file(&to);
        let script = format!("cd {tree} && {script}");
        run(
            "sh",
            &["-c", &script.replace("OUT", &to).replace("RAW", &raw)],
        )?;
        fs::read(&to).ok()
    };
    let wrapped: &[(&str, &str)] = &[
        ("gzip -c RAW >OUT", "a gzip stream"),
        ("xz -c RAW >OUT", "an xz stream"),
        ("zstd -q -c RAW >OUT", "a zstd stream"),
        ("bzip2 -c RAW >OUT", "a bzip2 stream"),
        ("lz4 -q -c RAW >OUT", "an lz4 stream"),
        ("xz --format=lzma -c RAW >OUT", "an lzma stream"),
        ("qemu-img create -q -f qcow2 OUT 4M", "a qcow2 image"),
        ("qemu-img create -q -f qed OUT 4M", "a qed image"),
        ("qemu-img create -q -f vmdk OUT 4M", "a vmdk image"),
        ("qemu-img create -q -f vhdx OUT 4M", "a vhdx image"),
        ("qemu-img create -q -f vdi OUT 4M", "a vdi image"),
        ("qemu-img create -q -f vpc OUT 4M", "a vhd image"),
        (
            "qemu-img create -q -f vpc -o subformat=fixed OUT 4M",
            "a vhd image",
        ),
        (
            "qemu-img create -q -f parallels OUT 4M",
            "a Parallels image",
        ),
        (
            "qemu-img create -q -f vmdk -o subformat=monolithicFlat OUT 4M",
            "the description of a vmdk image",
        ),
        ("zip -q -r OUT few; mv OUT.zip OUT", "a zip archive"),
    ];
    for (make, want) in wrapped {
        let Some(bytes) = script(make) else {
            continue;
        };
        let error = inspect::dump(&bytes, Options::default(), None).unwrap_err();
        let want = format!("this is {want}, not a raw image: ");
        assert!(error.to_string().starts_with(&want), "{make}: {error}");
        assert!(error.is_unread(), "{make}");
        let mut part = bytes;
        part.resize(part.len().next_multiple_of(512), 0);
        let got = dump(&fixtures::disk(&[("part", &part)]));
        assert!(
            got.contains("\npart: not-read this is ") && !got.contains("damaged"),
            "{make}: {got}"
        );
    }
    let named: &[(&str, &str)] = &[
        ("tar -cf OUT few", "tar"),
        ("find few | cpio -o -H newc >OUT 2>&1", "cpio"),
        ("mksquashfs . OUT -quiet -no-progress", "squashfs"),
        ("mkfs.erofs --quiet OUT .", "erofs"),
        ("truncate -s 320M OUT; mkfs.xfs -q OUT", "xfs"),
        ("truncate -s 256M OUT; mkfs.btrfs -q OUT", "btrfs"),
        ("xorriso -as mkisofs -quiet -o OUT .", "iso9660"),
        ("truncate -s 16M OUT; mkfs.exfat OUT", "exfat"),
        ("truncate -s 16M OUT; mkfs.ntfs -q -F OUT", "ntfs"),
        ("truncate -s 16M OUT; mkswap OUT", "swap"),
        ("cp /bin/sh OUT", "elf"),
        ("truncate -s 16M OUT; echo 2048,4096,83 | sfdisk -q OUT", "mbr"),
        ("truncate -s 20M OUT; echo secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 OUT", "luks"),
        ("veritysetup format RAW OUT", "verity"),
    ];
    for (make, name) in named {
        let Some(bytes) = script(make) else {
            continue;
        };
        let read = inspect::dump(&bytes, Options::default(), None).unwrap();
        let got = fixtures::text(&read);
        let lacks = usize::from(!matches!(*name, "swap" | "verity"));
        assert!(got.contains(&format!(" {name}?\n")), "{make}: {got}");
        assert_eq!((read.damage(), read.unread()), (0, lacks), "{make}: {got}");
        let refused = Files::open(&bytes, &Place::default())
            .map(drop)
            .unwrap_err();
        assert!(
            refused.is_unread() && refused.to_string().contains(", it holds a"),
            "{make}: {refused}"
        );
    }
}

#[test]
fn hash_trees_of_another_kind() {
    let bed = Bed::new();
    let Some(_) = bed.ext(&["-t", "ext4"], "16M") else {
        return;
    };
    let image = bed.path("image");
    let hash = format!("--hash-offset={}", 16 * MIB);
    for (options, lacks) in [
        (&["--hash=sha256"][..], false),
        (&["--hash=sha512"], true),
        (&["--hash=sha1"], true),
        (&["--format=0", "--hash=sha256"], true),
        (&["--data-block-size=1024", "--hash-block-size=512"], false),
        (&["--no-superblock"], false),
    ] {
        let fresh = fs::read(&image).unwrap();
        let mut args = vec![
            "format",
            image.as_str(),
            image.as_str(),
            hash.as_str(),
            "--data-blocks=4096",
        ];
        if options[0].starts_with("--data") {
            args[4] = "--data-blocks=16384";
        }
        args.extend(options);
        if run("veritysetup", &args).is_none() {
            continue;
        }
        let got = dump(&fs::read(&image).unwrap());
        assert!(!got.contains("damaged"), "{options:?}: {got}");
        assert_eq!(
            got.contains("\nnot-read a hash tree of dm-verity with "),
            lacks,
            "{options:?}: {got}"
        );
        fs::write(&image, fresh).unwrap();
    }
}
