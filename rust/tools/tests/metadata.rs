//! A build knows its inputs by their bytes: what mode, time, owner or place on the disk they have must not reach a result. Every
//! tool that an action runs makes the same things twice here, once of plain files, once of strange ones.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

#[path = "../../lib/pe/tests/support/program.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod efi;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Each action: the tool, where it is, its arguments. What one makes, later ones read.
const STEPS: &[(&str, &str, &str)] = &[
    (
        "inject",
        env!("CARGO_BIN_EXE_inject"),
        "--base base.tar --files root.list --mtime 5 --preset-all --units-output units --output root.jsonl",
    ),
    (
        "checkfit",
        env!("CARGO_BIN_EXE_checkfit"),
        "--tree root.tree --output root.fit.txt",
    ),
    (
        "mkext4",
        env!("CARGO_BIN_EXE_mkext4"),
        "--tree root.tree --size-mib 0 --uuid 00000000-0000-4000-8000-000000000001 \
         --hash-seed 00000000-0000-4000-8000-000000000002 --mtime 5 --output root.plan",
    ),
    (
        "hashblocks",
        env!("CARGO_BIN_EXE_hashblocks"),
        "--archive --input base.tar --salt ab --output base.hashes",
    ),
    (
        "hashblocks",
        env!("CARGO_BIN_EXE_hashblocks"),
        "--input config --salt ab --output config.hashes --input program --output program.hashes",
    ),
    (
        "mklayer",
        env!("CARGO_BIN_EXE_mklayer"),
        "--tree root.tree --base base.tar --output layer.plan",
    ),
    (
        "hashimage",
        env!("CARGO_BIN_EXE_hashimage"),
        "--image layer.image --output layer.digest",
    ),
    (
        "mkoci",
        env!("CARGO_BIN_EXE_mkoci"),
        "--layer base.tar --digest base.tar --layer layer.image --digest layer.digest --name a --version-file version \
         --architecture amd64 --label a=b --command /sbin/init --stop-signal SIGRTMIN+3 --mtime 5 --output oci.plan",
    ),
    (
        "checkbase",
        env!("CARGO_BIN_EXE_checkbase"),
        // That of the manifest of base.tar.
        "--digest sha256:d5fc804fff76fa4cef2c50e424f66d224a42463724d0334bc03d48267d6c57ec --tar base.tar \
         --oci-config oci-config --oci-manifest oci-manifest --output-packages base.packages --output-digest base.digest",
    ),
    (
        "mkverity",
        env!("CARGO_BIN_EXE_mkverity"),
        "--image root.image --input base.tar --hashes base.hashes --input program --hashes program.hashes --salt ab \
         --uuid 00000000-0000-4000-8000-000000000003 --output verity.plan --hash-area-output area \
         --root-hash-output root_hash --hash-offset-output hash_offset",
    ),
    (
        "inject",
        env!("CARGO_BIN_EXE_inject"),
        "--files esp.list --mtime 5 --output esp.jsonl",
    ),
    (
        "mkfat",
        env!("CARGO_BIN_EXE_mkfat"),
        "--tree esp.tree --size-mib 2 --volume-id 1234abcd --mtime 1000000000 --output esp.plan",
    ),
    (
        "mkgrubenv",
        env!("CARGO_BIN_EXE_mkgrubenv"),
        "--set a=1 --output grubenv",
    ),
    (
        "substitute",
        env!("CARGO_BIN_EXE_substitute"),
        "--template template --partitions table.csv --set A=1 --set-file B=version --output filled",
    ),
    (
        "substitute",
        env!("CARGO_BIN_EXE_substitute"),
        "--template template --partitions table.csv --set-file B=version --each A --each-output 1=filled_1 --each-output 2=filled_2",
    ),
    (
        "mkdisk",
        env!("CARGO_BIN_EXE_mkdisk"),
        "--partitions table.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image esp=esp.image \
         --image root=verity.image --image env=grubenv --output disk.plan",
    ),
    (
        "materialize",
        env!("CARGO_BIN_EXE_materialize"),
        "--image disk.image --digest-output disk.sum --output disk.img",
    ),
    (
        "materialize",
        env!("CARGO_BIN_EXE_materialize"),
        "--image disk.image --zstd=3 --output disk.img.zst",
    ),
    (
        "mkqcow2",
        env!("CARGO_BIN_EXE_mkqcow2"),
        "--image disk.image --output qcow2.plan",
    ),
    (
        "mkbundle",
        env!("CARGO_BIN_EXE_mkbundle"),
        "--member esp.img=esp.image --member VERSION=version --mtime 5 --output bundle.plan",
    ),
    (
        "hashimage",
        env!("CARGO_BIN_EXE_hashimage"),
        "--image esp.image --output esp.digest",
    ),
    (
        "hashimage",
        env!("CARGO_BIN_EXE_hashimage"),
        "--fsverity --image esp.image --output esp.fsverity",
    ),
    (
        "mkchecksums",
        env!("CARGO_BIN_EXE_mkchecksums"),
        "--image esp.img=esp.digest --image version=version --output sums",
    ),
    (
        "mkversion",
        env!("CARGO_BIN_EXE_mkversion"),
        "--input esp.img=esp.digest --input version=version --inputs-output inputs --output derived",
    ),
    (
        "mkmanifest",
        env!("CARGO_BIN_EXE_mkmanifest"),
        "--name n --version-file version --partitions table.csv --image esp=esp.digest --artifact version=version \
         --output manifest.json",
    ),
    (
        "mkreport",
        env!("CARGO_BIN_EXE_mkreport"),
        "--image disk.image --manifest manifest.json --packages root=base.tar --output report.html",
    ),
    (
        "mksbom",
        env!("CARGO_BIN_EXE_mksbom"),
        "--name n --version-file version --timestamp 5 --artifact esp.img=esp.digest --parts parts --notes notes --license MIT \
         --output sbom.json",
    ),
    (
        "mkprovenance",
        env!("CARGO_BIN_EXE_mkprovenance"),
        "--subject esp.img=esp.digest --dependency config=config --base base=base.name --version-file version \
         --parameter env=dev --build-type urn:a:b --builder urn:a:c --output provenance.json",
    ),
    (
        "mkdeployment",
        env!("CARGO_BIN_EXE_mkdeployment"),
        "--name n --version-file version --image esp=esp.fsverity --output deployment.json",
    ),
    (
        "inject",
        env!("CARGO_BIN_EXE_inject"),
        "--files efi.list --mtime 5 --output efi.jsonl",
    ),
    (
        "inject",
        env!("CARGO_BIN_EXE_inject"),
        "--files modules.list --mtime 5 --output modules.jsonl",
    ),
    (
        "mkinitrd",
        env!("CARGO_BIN_EXE_mkinitrd"),
        "--tree modules.tree --init init --modules names --at-once names --plan initrd.plan --sources initrd.sources \
         --output made.initrd",
    ),
    (
        "mkuki",
        env!("CARGO_BIN_EXE_mkuki"),
        "--stub-tree efi.tree --stub stub --tree efi.tree --kernel linux --initrd initrd --cmdline version \
         --profile-cmdline config --profile-text ID=A --output uki.plan",
    ),
    (
        "mkfile",
        env!("CARGO_BIN_EXE_mkfile"),
        "--tree efi.tree --path stub --output stub.plan",
    ),
    (
        "mktosign",
        env!("CARGO_BIN_EXE_mktosign"),
        "--image uki.image --name uki.efi --certificate db.crt --detached --output to_sign",
    ),
    (
        "signdigests",
        env!("CARGO_BIN_EXE_signdigests"),
        "--request to_sign --certificate db.crt --key db.key --output signatures",
    ),
    (
        "mksigned",
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name uki.efi --certificate db.crt --signatures signatures --output signed.plan \
         --detached-output signed.sig",
    ),
    (
        "mksigned",
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name uki.efi --certificate db.crt --key db.key --output signed_now.plan --detached-output signed_now.sig",
    ),
    (
        "mksnp",
        env!("CARGO_BIN_EXE_mksnp"),
        "--firmware firmware --kernel signed.image --initrd initrd --cmdline config --vcpus 1 --vcpu-type EPYC-v4 \
         --guest-features 0x1 --output snp.json",
    ),
    (
        "mkpcrs",
        env!("CARGO_BIN_EXE_mkpcrs"),
        "--loader signed.image --kernel signed.image --owner a1b2c3d4-5e6f-4a70-8b91-0c2d3e4f5a6b --pk db.crt --kek db.crt \
         --db db.crt --dbx version --output pcrs.json",
    ),
    (
        "mkpgpkey",
        env!("CARGO_BIN_EXE_mkpgpkey"),
        "--certificate db.crt --output key.pgp",
    ),
    (
        "mkupdate",
        env!("CARGO_BIN_EXE_mkupdate"),
        "--os a --env b --version-file version --minimum-version 1 --expires 2030-01-01 --data-format x=1 \
         --member VERSION.TXT=version --member boot.img=esp.image --member root.img=verity.image \
         --digest boot.img=esp.digest --output update.json",
    ),
    (
        "mkupdatekeys",
        env!("CARGO_BIN_EXE_mkupdatekeys"),
        "--key ann.pub --threshold 1 --output keys.json",
    ),
    (
        "signupdate",
        env!("CARGO_BIN_EXE_signupdate"),
        "--manifest update.json --keys keys.json --key ann.key --output update.sig",
    ),
    (
        "mkdelta",
        env!("CARGO_BIN_EXE_mkdelta"),
        "--from base.tar --member etc/passwd --to verity.image --output root.delta",
    ),
    ("imgdump", env!("CARGO_BIN_EXE_imgdump"), "disk.img"),
    (
        "treecmp",
        env!("CARGO_BIN_EXE_treecmp"),
        "--want base.tar --got base.tar --times",
    ),
];

/// They need root: `mkrootfs.rs` beside this does the same with the first, and crate debian with what the second hands on.
const OF_ROOT: [&str; 2] = ["mkbase", "mkrootfs"];
/// People run these; no action does.
const OF_PEOPLE: &[&str] = &[
    "advisories",
    "bootcheck",
    "flash",
    "imgdiff",
    "inject-config",
    "lock",
    "pin",
    "push",
    "ruledoc",
    "runvm",
    "serve",
    "vendor",
];

/// Its flags of further files.
const OF_MKINITRD: [&str; 2] = ["--plan", "--sources"];

/// The header of a program without anything else.
const INIT: [u8; 64] = {
    let mut header = [0; 64];
    let known = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01";
    let mut at = 0;
    while at < known.len() {
        header[at] = known[at];
        at += 1;
    }
    // e_ehsize
    header[52] = 64;
    header
};

const TABLE: &str = "name,start,size,type,uuid,description\n\
    esp,,2M,esp,b1a0a1c2-0000-4000-8000-000000000001,\n\
    root,,4M,root-x86-64,b1a0a1c2-0000-4000-8000-000000000002,\n\
    env,,1M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n";

const BASE_NAME: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000\n";
const NOTES: &str = r#"{"is":"injected","tree":"//:root","dest":"/etc/config","by":"files","src":"config","label":"//:config"}
{"is":"injected","tree":"//:root","dest":"/usr/bin/program","by":"files","src":"program","label":"//:program"}
"#;
const PARTS: &str = r#"{"is":"partition","name":"root","label":"//:root","tree":"root.tree","subdir":"","exclude":[]}
{"is":"raw","name":"esp","label":"//:esp","image":"esp.image"}
{"is":"program","label":"//:program","name":"program","path":"program","deps":[]}
{"is":"input","path":"base.tar","label":"//:base"}
"#;

/// For tests of updates; both made by OpenSSL.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIBcCO0WE6DYSmFVUZEEVKqHPOTT/oD8t3xuKInijr9s4\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEARMExw5CWBzkkbOD2qpq9WnRAhSYRkIQBQDWcm++1I6o=\n\
    -----END PUBLIC KEY-----\n";

/// A folder in which the steps run.
struct Bed {
    dir: tempfile::TempDir,
    /// Whether its files are of other modes, times and owners, behind links, and made in another order.
    strange: bool,
}

impl Bed {
    fn new(strange: bool) -> Self {
        let bed = Self {
            dir: tempfile::tempdir().unwrap(),
            strange,
        };
        let root_list = "{\"dest\":\"/etc/config\",\"src\":\"config\"}\n\
            {\"dest\":\"/usr/bin/program\",\"src\":\"program\",\"mode\":\"0755\"}\n";
        let base = base();
        let layer = oci::Descriptor::of(oci::LAYER_TAR, &base);
        let config = oci::ImageConfig::new("amd64", 5, vec![layer.digest.clone()]);
        let oci_config = config.to_json().unwrap();
        let config = oci::Descriptor::of(oci::IMAGE_CONFIG, &oci_config);
        let oci_manifest = oci::Manifest::new(config, vec![layer]).to_json().unwrap();
        let efi_list =
            "{\"dest\":\"/initrd\",\"src\":\"initrd\"}\n{\"dest\":\"/linux\",\"src\":\"linux\"}\n\
            {\"dest\":\"/stub\",\"src\":\"stub\"}\n";
        let modules_list = ["alias", "builtin", "dep"]
            .map(|text| {
                format!("{{\"dest\":\"/usr/lib/modules/1/modules.{text}\",\"src\":\"names\"}}\n")
            })
            .concat();
        let [stub, linux, initrd] = [efi::stub(), efi::kernel(), efi::initrd()];
        let mut files: Vec<(&str, &[u8])> = vec![
            ("base.tar", &base),
            ("oci-config", &oci_config),
            ("oci-manifest", &oci_manifest),
            ("config", b"key=value\n"),
            ("program", &[7; 10_000]),
            ("kernel", &[9; 5000]),
            ("root.list", root_list.as_bytes()),
            ("esp.list", b"{\"dest\":\"/kernel\",\"src\":\"kernel\"}\n"),
            ("table.csv", TABLE.as_bytes()),
            ("base.name", BASE_NAME.as_bytes()),
            ("notes", NOTES.as_bytes()),
            ("parts", PARTS.as_bytes()),
            ("template", b"{{A}} {{B}} {{start:root}}\n"),
            ("version", b"1.2\n"),
            ("ann.key", PRIVATE_KEY.as_bytes()),
            ("ann.pub", PUBLIC_KEY.as_bytes()),
            ("root.tree", b"root.jsonl\nbase.tar\nconfig\nprogram\n"),
            ("root.image", b"root.plan\nbase.tar\nconfig\nprogram\n"),
            ("layer.image", b"layer.plan\nbase.tar\nconfig\nprogram\n"),
            (
                "verity.image",
                b"verity.plan\nbase.tar\nconfig\nprogram\nbase.hashes\nprogram.hashes\narea\n",
            ),
            ("stub", &stub),
            ("linux", &linux),
            ("initrd", &initrd),
            ("firmware", include_bytes!("data/ovmf_AmdSev_suffix.bin")),
            ("db.crt", include_bytes!("data/db.crt")),
            ("db.key", include_bytes!("data/db.key")),
            ("efi.list", efi_list.as_bytes()),
            ("efi.tree", b"efi.jsonl\ninitrd\nlinux\nstub\n"),
            ("uki.image", b"uki.plan\ninitrd\nlinux\nstub\n"),
            ("signed.image", b"signed.plan\ninitrd\nlinux\nstub\n"),
            ("init", &INIT),
            ("names", b"# none\n"),
            ("modules.list", modules_list.as_bytes()),
            ("modules.tree", b"modules.jsonl\nnames\nnames\nnames\n"),
            ("esp.tree", b"esp.jsonl\nkernel\n"),
            ("esp.image", b"esp.plan\nkernel\n"),
            (
                "disk.image",
                b"disk.plan\nkernel\nbase.tar\nconfig\nprogram\nbase.hashes\nprogram.hashes\narea\ngrubenv\n",
            ),
        ];
        if strange {
            files.reverse();
        }
        for (name, bytes) in files {
            fs::write(bed.path(name), bytes).unwrap();
            bed.disguise(name);
        }
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a file of a strange bed so.
    fn disguise(&self, name: &str) {
        if !self.strange {
            return;
        }
        let real = self.dir.path().join("elsewhere");
        fs::create_dir_all(&real).unwrap();
        let file = real.join(format!("{name}.real"));
        fs::rename(self.path(name), &file).unwrap();
        let times = name.bytes().map(u64::from).sum::<u64>();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(times * 1_000_003);
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(time)
            .unwrap();
        // Root may, an ordinary user may not.
        let _ = chown(&file, Some(1234), Some(4321));
        let modes = [0o400, 0o755, 0o666, 0o511];
        let mode = modes[name.len() % modes.len()];
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        symlink(&file, self.path(name)).unwrap();
    }

    /// What all steps make: files by name, and what they print.
    fn run(&self) -> BTreeMap<String, Vec<u8>> {
        let mut made = BTreeMap::new();
        for (number, (tool, program, args)) in STEPS.iter().enumerate() {
            let done = Command::new(Path::new(program).canonicalize().unwrap())
                .args(args.split_whitespace())
                .current_dir(self.dir.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{tool}: {said}");
            made.insert(format!("{number} {tool}"), done.stdout);
            let words: Vec<&str> = args.split_whitespace().collect();
            let is_made = |flag: &str| flag.ends_with("output") || OF_MKINITRD.contains(&flag);
            for pair in words.windows(2).filter(|pair| is_made(pair[0])) {
                let file = pair[1].rsplit('=').next().unwrap();
                let bytes = fs::read(self.path(file)).unwrap();
                // No unit is enabled in so small a system, and it has no program.
                let may_be_empty = ["units", "root.fit.txt"].contains(&file);
                assert!(!bytes.is_empty() || may_be_empty, "{file}");
                made.insert(file.to_owned(), bytes);
                self.disguise(file);
            }
        }
        made
    }
}

/// A root file system with a folder and a file.
fn base() -> Vec<u8> {
    use archive::{Entry, Kind};
    let mut writer = archive::Writer::new(Vec::new());
    for dir in ["", "etc", "usr", "usr/bin"] {
        let entry = Entry::new(dir, Kind::Dir, 0o755);
        writer.append(&entry, std::io::empty()).unwrap();
    }
    let kind = Kind::File { offset: 0, len: 5 };
    let entry = Entry::new("etc/passwd", kind, 0o644);
    writer.append(&entry, &b"root\n"[..]).unwrap();
    writer.finish().unwrap()
}

#[test]
fn only_bytes_count() {
    let plain = Bed::new(false).run();
    let strange = Bed::new(true).run();
    let names: BTreeSet<&String> = plain.keys().chain(strange.keys()).collect();
    let differ: Vec<_> = names
        .into_iter()
        .filter(|name| plain.get(*name) != strange.get(*name))
        .collect();
    assert!(differ.is_empty(), "not the same: {differ:?}");
}

#[test]
fn two_ways_make_the_same() {
    let made = Bed::new(false).run();
    for (one, other) in [
        ("filled", "filled_1"),
        ("signed.plan", "signed_now.plan"),
        ("signed.sig", "signed_now.sig"),
    ] {
        assert!(made[one] == made[other], "{one} is not {other}");
    }
    assert_ne!(made["filled_1"], made["filled_2"]);
}

/// What a tool is told instead of what is right, and what it says; nothing is written.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --output refused",
        "uki.image: no signature of n (digest ",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --key ann.key --output refused",
        "ann.key: the private key can't be used: want an RSA key in PKCS#8: ",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --key db.crt --output refused",
        "db.crt: the private key can't be used: want PEM, `PRIVATE KEY` or `RSA PRIVATE KEY`, not encrypted",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --key linux --output refused",
        "linux: invalid utf-8",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --program false --output refused",
        "uki.image: the signer false: it refused digest ",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --key db.key --program true --output refused",
        "'--key <FILE>' cannot be used with '--program <FILE>'",
    ),
    (
        env!("CARGO_BIN_EXE_mksigned"),
        "--image uki.image --name n --certificate db.crt --key db.key --signatures signatures --output refused",
        "'--key <FILE>' cannot be used with '--signatures <FILE>'",
    ),
    (
        env!("CARGO_BIN_EXE_signdigests"),
        "--request to_sign --certificate db.crt --output refused",
        "--key or --program is needed",
    ),
    (
        env!("CARGO_BIN_EXE_substitute"),
        "--template template --set A=1 --each A --each-output 1=refused",
        "key \"A\" was given already",
    ),
];

#[test]
fn what_is_wrong_is_refused() {
    let bed = Bed::new(false);
    bed.run();
    for (program, args, want) in REFUSED {
        let done = Command::new(Path::new(program).canonicalize().unwrap())
            .args(args.split_whitespace())
            .current_dir(bed.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            !done.status.success() && said.contains(want),
            "{args}: {said}"
        );
        assert!(!bed.path("refused").exists(), "{args}");
    }
}

#[test]
fn every_tool_is_here() {
    let sources = ["src/bin", "rust/tools/src/bin"];
    let folder = sources.iter().find(|dir| Path::new(dir).is_dir()).unwrap();
    let have: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let here = STEPS.iter().map(|(tool, _, _)| *tool);
    let all = here.chain(OF_ROOT).chain(OF_PEOPLE.iter().copied());
    let known: BTreeSet<String> = all.map(str::to_owned).collect();
    assert_eq!(known, have, "a new tool needs a step above");
}
