//! The program on files in place of partitions: a whole upgrade, and everything it refuses.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::Path;

use grubenv::Slot;
use serde_json::Value;
use update::Member;

use support::{boot, command_line, good, root, Node, Recipe, CSV, TRIES};

#[test]
fn a_whole_upgrade() {
    let node = Node::new();
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(node.ok(&["current"]), "A\n");
    assert_eq!(node.ok(&["target"]), "B\n");
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed already\n");
    let why = node.refused(&["upgrade-commit"], 1);
    assert!(why.contains("slot B holds no complete system"), "{why}");

    let (boot_img, root_img) = (boot(1), root(2));
    let recipe = Recipe::of("1.7", boot_img.clone(), root_img.clone());
    let bundle = node.write("update.tar", &recipe.tar());
    let said = node.json(&["upgrade-install", &bundle]);
    assert_eq!(said["slot"], "B");
    assert_eq!(said["version"], "1.7");
    assert_eq!(said["boot"]["size"], boot_img.len());
    assert_eq!(said["root"]["sha256"].as_str().unwrap().len(), 64);
    assert!(fs::read(node.partition("b0"))
        .unwrap()
        .starts_with(&boot_img));
    assert!(fs::read(node.partition("b1"))
        .unwrap()
        .starts_with(&root_img));
    assert!(fs::read(node.partition("a1"))
        .unwrap()
        .iter()
        .all(|b| *b == 0));
    assert_eq!(fs::metadata(node.partition("b0")).unwrap().len(), 1 << 20);

    // Installed is not committed.
    assert_eq!(node.ok(&["next"]), "A\n");
    let said = node.json(&["upgrade-commit"]);
    assert_eq!(said["slot"], "B");
    assert_eq!(node.json(&["next"])["boot_cycle"], "failsafe_check");
    let why = node.refused(&["confirm"], 1);
    assert!(why.contains("nothing to confirm"), "{why}");

    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.json(&["current"])["slot"], "B");
    // Not confirmed: it is left after as many starts as the boot loader has, and nobody may write A.
    for _ in 1..TRIES {
        assert_eq!(node.ok(&["next"]), "B\n");
        assert_eq!(node.reboot(), Slot::B);
    }
    assert_eq!(node.json(&["status"])["tries_left"], 0);
    assert_eq!(node.ok(&["next"]), "A\n");
    let why = node.refused(&["upgrade-install", &bundle], 1);
    assert!(why.contains("confirm first"), "{why}");
    assert_eq!(node.json(&["confirm"])["changed"], true);
    assert_eq!(node.ok(&["next"]), "B\n");
    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.ok(&["target"]), "A\n");
}

/// For who shows it: never back, and to the end. Nobody asked: not a word.
#[test]
fn progress_in_lines() {
    let node = Node::new();
    node.reboot();
    let bundle = node.write("update.tar", &good("1.7", 1));
    let said = |args: &[&str]| {
        let output = node.run(args);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let lines = said(&["upgrade-install", "--progress", &bundle]);
    let percents: Vec<u8> = lines
        .lines()
        .map(|line| line.strip_suffix(" %").unwrap().parse().unwrap())
        .collect();
    assert!(percents.windows(2).all(|two| two[0] < two[1]), "{lines}");
    assert_eq!(percents.last(), Some(&100));
    assert_eq!(said(&["upgrade-install", &bundle]), "");
}

#[test]
fn an_upgrade_that_does_not_work_is_left() {
    let node = Node::new();
    node.reboot();
    let bundle = node.write("update.tar", &good("2", 3));
    node.ok(&["upgrade-install", &bundle]);
    node.ok(&["upgrade-commit"]);
    node.ok(&["upgrade-commit"]);
    for _ in 0..TRIES {
        assert_eq!(node.reboot(), Slot::B);
    }
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(node.reboot(), Slot::A);
    // An installation takes back a commit.
    node.ok(&["upgrade-commit"]);
    assert_eq!(node.ok(&["next"]), "B\n");
    node.ok(&["upgrade-install", &bundle]);
    assert_eq!(node.ok(&["next"]), "A\n");
}

/// What the boot loader counted on the spare block, because it can't write grubenv.
#[test]
fn what_is_on_the_spare_block_counts() {
    let node = Node::new();
    node.reboot();
    node.ok(&["confirm"]);
    let bundle = node.write("update.tar", &good("2", 3));
    node.ok(&["upgrade-install", &bundle]);
    node.ok(&["upgrade-commit"]);
    for tries in 1..=TRIES {
        assert_eq!(node.reboot_with_spare(), Slot::B);
        let status = node.json(&["status"]);
        assert_eq!(status["boot_cycle"], "failsafe_check");
        assert_eq!(status["tries_left"], TRIES - tries);
        // By grubenv alone it was never tried.
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(why.contains("confirm first"), "{why}");
    }
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.reboot_with_spare(), Slot::A);
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed already\n");
    // Confirmed at every start, it stays for more of them than an unconfirmed one gets.
    for _ in 0..=TRIES {
        assert_eq!(node.reboot_with_spare(), Slot::A);
        assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    }
    // The same commit as before is one all the same.
    node.ok(&["upgrade-commit"]);
    for _ in 0..TRIES {
        assert_eq!(node.reboot_with_spare(), Slot::B);
    }
    assert_eq!(node.reboot_with_spare(), Slot::A);
    node.ok(&["upgrade-commit"]);
    assert_eq!(node.reboot_with_spare(), Slot::B);
    assert_eq!(node.ok(&["confirm"]), "slot B is confirmed\n");
    assert_eq!(node.reboot(), Slot::B);
    // One that can't be read says nothing, and that is said.
    let spare = node.path("esp/EFI/BOOT/grubenv");
    fs::remove_file(&spare).unwrap();
    fs::create_dir(&spare).unwrap();
    let output = node.run(&["confirm"]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("taken for one that says nothing"), "{told}");
}

#[test]
fn bundles_that_are_refused() {
    let node = Node::new();
    node.reboot();
    node.is("node", "test", "1.5");
    let good = Recipe::of("1.7", boot(1), root(2));
    let with = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = good.clone();
        change(&mut recipe);
        recipe.tar()
    };
    let tar = good.tar();
    let mut longer = tar.clone();
    longer.push(0);
    let mut altered = tar.clone();
    let last = tar.len() - 40_000;
    altered[last] ^= 1;
    let other = Recipe::of("1.7", boot(3), root(4));
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (with(&|r| r.manifest.os = "other".into()), "for os other, and this node is os node", "os"),
        (with(&|r| r.manifest.env = "prod".into()), "for env prod", "env"),
        (Recipe::of("1.4", boot(1), root(2)).tar(), "1.4 is older than 1.5", "version"),
        (
            with(&|r| r.manifest.minimum_version = Some("1.6".parse().unwrap())),
            "takes upgrades from 1.6 on",
            "version",
        ),
        (
            with(&|r| r.manifest.expires = Some("2001-01-01".parse().unwrap())),
            "expired at 2001-01-01",
            "expired",
        ),
        (with(&|r| r.signers = vec!["x"]), "x signed too, which this node does not know", "signature"),
        (with(&|r| r.signers = vec![]), "signed by nobody", "signature"),
        (with(&|r| r.members[2].1.clone_from(&other.members[2].1)), "member root.img: the chunk at byte 0", "members"),
        (with(&|r| r.members.swap(1, 2)), "member root.img comes where boot.img should", "members"),
        (tar[..tar.len() - 1].to_vec(), "it is cut short", "truncated"),
        (tar[..1 << 20].to_vec(), "it is cut short", "truncated"),
        (longer, "it is longer than it was made", "longer"),
        (altered, "member root.img: the chunk at byte 1048576", "members"),
        (
            Recipe::of("1.7", root(1), root(2)).tar(),
            "boot.img of 2097159 bytes is 1048583 bytes larger than partition B_boot of 1048576 bytes",
            "other",
        ),
        (
            Recipe::of("1.7", vec![7; 9000], root(2)).tar(),
            "member boot.img is no ext4 file system",
            "other",
        ),
        (vec![7; 2048], "no tar that `mkbundle` made", "members"),
    ];
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for (bytes, want, cause) in &cases {
        let bundle = node.write("update.tar", bytes);
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(why.contains(want), "{why}");
        *counts.entry(cause).or_default() += 1;
        assert_eq!(node.counted()["refused"][cause], counts[cause], "{why}");
    }
    // Fewer signers than must, and what only development takes.
    node.trust(2, false);
    let bundle = node.write("update.tar", &tar);
    let why = node.refused(&["upgrade-install", &bundle], 1);
    assert!(
        why.contains("signed by a of the trusted keys a, b, c, want 2"),
        "{why}"
    );
    let unsigned = node.write("unsigned.tar", &with(&|r| r.signers = vec![]));
    let why = node.refused(&["upgrade-install", &unsigned, "--allow-unsigned"], 1);
    assert!(why.contains("never takes what is not signed"), "{why}");
    node.trust(2, true);
    node.ok(&["upgrade-install", &unsigned, "--allow-unsigned"]);
    assert_eq!(node.counted()["installed"], 1);
    // Two are enough.
    let two = node.write("two.tar", &with(&|r| r.signers = vec!["a", "c"]));
    let said = node.json(&["upgrade-install", &two]);
    assert_eq!(said["signers"], serde_json::json!(["a", "c"]));
}

/// A version that nobody gave is neither older nor newer than another one.
#[test]
fn versions_without_order() {
    let node = Node::new();
    node.reboot();
    node.is("node", "test", "0.0.0-inputs.00000000000a");
    let same = Recipe::of("0.0.0-inputs.00000000000a", boot(1), root(2));
    let path = node.write("update.tar", &same.tar());
    node.ok(&["upgrade-install", &path]);
    for version in ["0.0.0-inputs.00000000000b", "2.0"] {
        let path = node.write("update.tar", &Recipe::of(version, boot(3), root(4)).tar());
        let why = node.refused(&["upgrade-install", &path], 1);
        assert!(
            why.contains("there is no telling") && why.contains("--any-version"),
            "{why}"
        );
        node.ok(&["upgrade-install", "--any-version", &path]);
        assert!(node.holds(Slot::B, &boot(3), &root(4)));
    }
    assert_eq!(node.counted()["refused"]["version"], 2);
    // What is older is never taken.
    node.is("node", "test", "2.0");
    let path = node.write("update.tar", &Recipe::of("1.9", boot(5), root(6)).tar());
    let why = node.refused(&["upgrade-install", "--any-version", &path], 1);
    assert!(why.contains("1.9 is older than 2.0"), "{why}");
}

#[test]
fn the_digest_is_that_of_what_is_installed() {
    let node = Node::new();
    node.reboot();
    let path = node.write("update.tar", &good("2", 5));
    let why = node.refused(&["upgrade-install", &path, "--sha256", &"0".repeat(64)], 1);
    assert!(why.contains("has SHA-256 "), "{why}");
    let digest = why.split("has SHA-256 ").nth(1).unwrap()[..64].to_owned();
    node.ok(&["upgrade-install", &path, "--sha256", &digest]);
    node.ok(&[
        "upgrade-install",
        &path,
        "--sha256",
        &digest.to_ascii_uppercase(),
    ]);
    assert!(node
        .refused(&["upgrade-install", &path, "--sha256", "00"], 1)
        .contains("--sha256"));
    // What comes once is hashed as it is written: too late for the slot, which stays incomplete.
    let wrong = "0".repeat(64);
    let output = node.fed(&["upgrade-install", "-", "--sha256", &wrong], &good("2", 6));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(node
        .refused(&["upgrade-commit"], 1)
        .contains("holds no complete system"));
    let output = node.fed(&["upgrade-install", "-"], &good("2", 6));
    assert!(output.status.success(), "{output:?}");
    node.ok(&["upgrade-commit"]);
}

#[test]
fn compressed_bundles_are_taken() {
    let node = Node::new();
    node.reboot();
    let tar = good("2", 9);
    let zst = zstd::encode_all(&tar[..], 3).unwrap();
    let path = node.write("update.tar.zst", &zst);
    node.ok(&["upgrade-install", &path]);
    assert!(node.holds(Slot::B, &boot(9), &root(9)));
    let path = node.write("update.tar.zst", &zst[..zst.len() - 1]);
    node.refused(&["upgrade-install", &path], 1);
}

/// Of what comes once, a lie in a late chunk shows late: the slot is not complete then, and what runs is as it was.
#[test]
fn a_stream_that_turns_bad_leaves_no_slot() {
    let node = Node::new();
    node.reboot();
    let old = node.write("old.tar", &good("2", 1));
    node.ok(&["upgrade-install", &old]);
    let tar = good("2", 9);
    let mut altered = tar.clone();
    let at = tar.len() - 40_000;
    altered[at] ^= 1;
    for bytes in [&altered[..], &tar[..tar.len() - 40_000]] {
        let running =
            [node.partition("a0"), node.partition("a1")].map(|path| fs::read(path).unwrap());
        let output = node.fed(&["upgrade-install", "-"], bytes);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(node.ok(&["next"]), "A\n");
        assert!(node
            .refused(&["upgrade-commit"], 1)
            .contains("no complete system"));
        let after =
            [node.partition("a0"), node.partition("a1")].map(|path| fs::read(path).unwrap());
        assert!(running == after);
    }
}

#[test]
fn differences_are_applied() {
    let node = Node::new();
    node.reboot();
    let (old_boot, old_root) = (boot(1), root(2));
    let (new_boot, mut new_root) = (boot(3), old_root.clone());
    new_root[5000] ^= 1;
    let put = |short: &str, image: &[u8]| {
        let mut bytes = fs::read(node.partition(short)).unwrap();
        bytes[..image.len()].copy_from_slice(image);
        fs::write(node.partition(short), bytes).unwrap();
    };
    put("a0", &old_boot);
    put("a1", &old_root);
    let mut recipe = Recipe::of("2", new_boot.clone(), new_root.clone());
    for (at, name, old, new) in [
        (1, update::BOOT_DELTA, &old_boot, &new_boot),
        (2, update::ROOT_DELTA, &old_root, &new_root),
    ] {
        let image = |reader: &'static Vec<u8>| update::delta::Image {
            reader,
            len: reader.len().try_into().unwrap(),
        };
        let mut delta = Vec::new();
        let [old, new] = [old, new].map(|bytes| image(Box::leak(Box::new(bytes.clone()))));
        update::delta::make(old, new, 3, &mut delta).unwrap();
        recipe.members[at] = (name.to_owned(), delta);
    }
    let path = node.write("delta.tar", &recipe.tar());
    node.ok(&["upgrade-install", &path]);
    assert!(node.holds(Slot::B, &new_boot, &new_root));
    // Of another system it is refused before anything is written.
    put("a0", &boot(77));
    let why = node.refused(&["upgrade-install", &path], 1);
    assert!(why.contains("install the whole bundle"), "{why}");
    assert_eq!(node.counted()["refused"]["delta"], 1);
}

#[test]
fn a_boot_loader_comes_with_the_slot() {
    let node = Node::new();
    node.reboot();
    let mut recipe = Recipe::of("2", boot(1), root(2));
    let loader = b"MZ new".to_vec();
    recipe
        .manifest
        .members
        .insert(1, Member::of(update::LOADER, &loader));
    recipe
        .members
        .insert(1, (update::LOADER.to_owned(), loader));
    let esp = |name: &str| fs::read(node.path("esp/EFI/BOOT").join(name)).ok();
    let path = node.write("update.tar", &recipe.tar());
    let install = ["upgrade-install", "--without-fallback", &path];
    assert_eq!(node.json(&install)["loader"], true);
    assert_eq!(esp("NEXT.EFI").unwrap(), b"MZ new");
    // Not before the slot is to boot.
    assert_eq!(esp("BOOTX64.EFI").unwrap(), b"MZ old");
    assert_eq!(node.json(&["upgrade-commit"])["loader"], true);
    assert_eq!(esp("BOOTX64.EFI").unwrap(), b"MZ new");
    assert_eq!(esp("PREVIOUS.EFI").unwrap(), b"MZ old");
    assert_eq!([esp("NEXT.EFI"), esp("NEXT.SHA")], [None, None]);
    // What waits and is not as it was kept is not put in place, and nothing is committed.
    assert_eq!(
        node.ok(&["upgrade-cancel"]),
        "slot A boots next, as before upgrade-commit\n"
    );
    fs::write(node.path("esp/EFI/BOOT/NEXT.EFI"), b"MZ other").unwrap();
    let why = node.refused(&["upgrade-commit"], 1);
    assert!(
        why.contains("slot B is not committed: its boot loader is not in place")
            && why.contains("has no NEXT.SHA"),
        "{why}"
    );
    assert_eq!(node.ok(&["next"]), "A\n");
    // The same one again is nothing to do; that of a bundle which was replaced is forgotten.
    assert_eq!(node.json(&["upgrade-install", &path])["loader"], false);
    fs::write(node.path("esp/EFI/BOOT/NEXT.EFI"), b"MZ other").unwrap();
    let without = node.write("without.tar", &good("2", 3));
    assert_eq!(node.json(&["upgrade-install", &without])["loader"], false);
    assert_eq!(node.json(&["upgrade-commit"])["loader"], false);
    assert_eq!(esp("BOOTX64.EFI").unwrap(), b"MZ new");
    assert_eq!(esp("NEXT.EFI"), None);
    // Whoever can't keep the loader leaves no slot that could be committed without it.
    fs::create_dir(node.path("esp/EFI/BOOT/NEW.EFI")).unwrap();
    fs::write(node.path("esp/EFI/BOOT/BOOTX64.EFI"), b"MZ old").unwrap();
    let output = node.run(&install);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("its boot loader is not ready"), "{why}");
    let why = node.refused(&["upgrade-commit"], 1);
    assert!(why.contains("holds no complete system"), "{why}");
}

#[test]
fn status_and_going_back() {
    let node = Node::new();
    node.reboot();
    let path = node.write("update.tar", &good("2", 9));
    node.ok(&["upgrade-install", &path]);
    let status = node.json(&["status"]);
    assert_eq!(status["running"], "A");
    assert_eq!(status["next"], "A");
    assert_eq!(status["slots"]["B"]["complete"], true);
    assert_eq!(status["slots"]["A"]["complete"], false);
    assert_eq!(status["slots"]["A"]["confirmed"], true);
    assert_eq!(status["slots"]["B"]["confirmed"], Value::Null);
    assert_eq!(status["tries_left"], TRIES);
    node.ok(&["upgrade-commit"]);
    node.reboot();
    let status = node.json(&["status"]);
    assert_eq!(status["running"], "B");
    assert_eq!(status["boot_cycle"], "failsafe_check");
    assert_eq!(status["slots"]["B"]["confirmed"], false);
    assert_eq!(status["tries_left"], TRIES - 1);
    let text = node.ok(&["status"]);
    assert!(
        text.contains("B: version unknown, complete, running, on trial"),
        "{text}"
    );
    // A holds nothing that looks like a system.
    let why = node.refused(&["rollback"], 1);
    assert!(
        why.contains("--force does it") && why.contains("no ext4"),
        "{why}"
    );
    let why = node.refused(&["rollback", "--force"], 1);
    assert!(why.contains("holds no complete system"), "{why}");
    fs::write(node.partition("a0"), boot(1)).unwrap();
    node.ok(&["rollback", "--force"]);
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(node.json(&["status"])["boot_cycle"], "stable");
    // How often the boot loader tries is in the verified root, or nowhere.
    let text = fs::read_to_string(node.path("os.json")).unwrap();
    let line = format!("  \"boot_limit\": {TRIES},\n");
    assert!(text.contains(&line), "{text}");
    for (other, want) in [
        ("", "missing field `boot_limit`"),
        ("\"boot_limit\": 0,", "boot_limit: got 0, want 1 to 9"),
        ("\"boot_limit\": 10,", "boot_limit: got 10, want 1 to 9"),
    ] {
        fs::write(node.path("os.json"), text.replace(&line, other)).unwrap();
        for verb in ["status", "next"] {
            let why = node.refused(&[verb], 1);
            assert!(why.contains(want), "{why}");
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let node = Node::new();
    let bundle = node.write("update.tar", &good("2", 1));
    assert!(node.refused(&["current"], 2).contains("cmdline"));
    fs::write(node.path("cmdline"), "quiet\n").unwrap();
    // Without the kernel's word, grubenv says it.
    assert_eq!(node.ok(&["current"]), "A\n");
    fs::write(node.path("cmdline"), "boot_alternative=X\n").unwrap();
    assert!(node.refused(&["target"], 1).contains("want A or B"));

    // The kernel's root is slot B, whatever else the command line says.
    let of_b = command_line(Slot::B);
    assert!(of_b.contains("boot_alternative=B"), "{of_b}");
    for root_b in [
        "root=PARTUUID=b1a0a1c2-0000-4000-8000-0000000000B1 boot_alternative=A".to_owned(),
        of_b.replace("boot_alternative=B", "boot_alternative=A"),
    ] {
        fs::write(node.path("cmdline"), root_b).unwrap();
        let why = node.refused(&["upgrade-install", &bundle], 1);
        assert!(
            why.contains("says boot_alternative=A, but B_root is the root of the running system"),
            "{why}"
        );
    }

    node.reboot();
    fs::remove_file(node.partition("b1")).unwrap();
    let why = node.refused(&["upgrade-install", &bundle], 2);
    assert!(why.contains("cannot open partition B_root"), "{why}");
    fs::write(node.path("partitions.csv"), CSV.replace("B_boot", "C_boot")).unwrap();
    let why = node.refused(&["upgrade-install", &bundle], 1);
    assert!(why.contains("no partition B_boot"), "{why}");
    fs::remove_file(node.path("grubenv")).unwrap();
    let why = node.refused(&["confirm"], 2);
    assert!(why.contains("GRUB's partition"), "{why}");
    assert!(!Path::new(&node.path("grubenv")).exists());
    // A block that says nothing is GRUB's default, and is mended by the first change.
    fs::write(node.path("grubenv"), [0; 1024]).unwrap();
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed\n");
    assert_eq!(node.ok(&["confirm"]), "slot A is confirmed already\n");
    fs::write(node.path("grubenv"), [0; 10]).unwrap();
    assert!(node.refused(&["confirm"], 1).contains("want 1024"));
}

#[test]
fn help_and_usage() {
    let node = Node::new();
    let help = node.ok(&["--help"]);
    for word in ["upgrade-install", "--grubenv", "Exit status"] {
        assert!(help.contains(word), "{word}");
    }
    node.refused(&["upgrade"], 1);
    node.refused(&[], 1);
}
