//! What there is to fall back to: boot loaders that know who signed a slot, data that a system can't read, and commits that are taken back.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

#[path = "../../../lib/pe/tests/support/program.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod program;
mod support;
#[path = "support/systems.rs"]
mod systems;

use std::fs;

use grubenv::Slot;
use serde_json::json;
use update::Member;

use support::{boot, good, root, Node, Recipe, TRIES};
use systems::{firmware, identity, loader, signed, Signer};

/// A bundle of these images, with that boot loader.
fn bundle(node: &Node, version: &str, loader: &[u8], images: [Vec<u8>; 2]) -> String {
    let [boot, root] = images;
    let mut recipe = Recipe::of(version, boot, root);
    recipe
        .manifest
        .members
        .insert(1, Member::of(update::LOADER, loader));
    recipe
        .members
        .insert(1, (update::LOADER.to_owned(), loader.to_vec()));
    node.write(&format!("{version}.tar"), &recipe.tar())
}

fn put(node: &Node, short: &str, image: &[u8]) {
    let path = node.partition(short);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..image.len()].copy_from_slice(image);
    fs::write(path, bytes).unwrap();
}

fn esp(node: &Node, name: &str) -> Option<Vec<u8>> {
    fs::read(node.path("esp/EFI/BOOT").join(name)).ok()
}

/// A node that runs slot A, which `signer` signed, by `loader`.
fn node(signer: &Signer, loader: &[u8]) -> Node {
    let node = Node::new();
    node.reboot();
    put(&node, "a0", &signer.boot());
    fs::write(node.path("esp/EFI/BOOT/BOOTX64.EFI"), loader).unwrap();
    node
}

#[test]
fn a_boot_loader_that_does_not_start_what_runs_is_refused() {
    let (old, new) = (Signer::of("db"), Signer::of("KEK"));
    let of_old = loader(&[&old], true);
    let node = node(&old, &of_old);
    let images = || [new.boot(), root(2)];
    for (name, bytes, want) in [
        ("1.1", loader(&[&new], true), "is signed by key "),
        ("1.2", loader(&[], false), "the boot loader has no key"),
        ("1.3", b"MZ new".to_vec(), "the boot loader"),
    ] {
        let path = bundle(&node, name, &bytes, images());
        let why = node.refused(&["upgrade-install", &path], 1);
        assert!(why.contains(want), "{why}");
        assert!(
            why.contains("starts slot A") && why.contains("--without-fallback"),
            "{why}"
        );
        assert_eq!(esp(&node, "NEXT.EFI"), None);
    }
    // One that knows both, in one file or in two; and the one in place, whatever it is.
    for (name, in_one_file) in [("1.4", true), ("1.5", false)] {
        let both = loader(&[&new, &old], in_one_file);
        let path = bundle(&node, name, &both, images());
        assert_eq!(node.json(&["upgrade-install", &path])["loader"], true);
        assert_eq!(esp(&node, "NEXT.EFI").unwrap(), both);
    }
    let path = bundle(&node, "1.6", &of_old, images());
    assert_eq!(node.json(&["upgrade-install", &path])["loader"], false);
    // Who runs does not say by whom it is signed.
    put(&node, "a0", &boot(1));
    let path = bundle(&node, "1.7", &loader(&[&new, &old], true), images());
    let why = node.refused(&["upgrade-install", &path], 1);
    assert!(why.contains("no ext4 file system"), "{why}");
}

/// With Secure Boot a firmware starts what one of its db signed. A new signer's certificate comes there before his first loader, or the machine is lost.
#[test]
fn a_boot_loader_that_the_firmware_does_not_start_is_refused() {
    let (old, new) = (Signer::of("db"), Signer::of("KEK"));
    let of_old = signed(&loader(&[&old], true), &old);
    let node = node(&old, &of_old);
    let both = loader(&[&new, &old], true);
    let of_new = signed(&both, &new);
    let images = || [new.boot(), root(2)];
    let path = bundle(&node, "1.1", &of_new, images());
    let vars = node.path("efivars");
    let refused = |path: &str, want: &str| {
        let why = node.refused(&["upgrade-install", path], 1);
        assert!(why.contains(want), "{why}");
        assert!(
            why.contains("put the signer's certificate into its db")
                && why.contains("--unknown-signer"),
            "{why}"
        );
        assert_eq!(esp(&node, "NEXT.EFI"), None);
    };
    firmware(&vars, true, &[&old], &[]);
    refused(
        &path,
        "signed by none of the 1 certificates of the firmware's db",
    );
    firmware(&vars, true, &[&old, &new], &[&new]);
    refused(&path, "the firmware's dbx has");
    let unsigned = bundle(&node, "1.2", &both, images());
    refused(&unsigned, "the boot loader is not signed for Secure Boot");
    fs::write(
        vars.join("db-d719b2cb-3d3a-4596-a3bc-dad00e67656f"),
        "7777?",
    )
    .unwrap();
    refused(&path, "no lists of signatures");
    // Known; not asked, for nothing is checked; and said so.
    firmware(&vars, true, &[&old, &new], &[]);
    assert_eq!(node.json(&["upgrade-install", &path])["loader"], true);
    firmware(&vars, false, &[&old], &[]);
    node.ok(&["upgrade-install", &unsigned]);
    firmware(&vars, true, &[&old], &[]);
    node.ok(&["upgrade-install", "--unknown-signer", &path]);
    // The loader in place is started already, whoever signed it.
    let path = bundle(&node, "1.3", &of_old, images());
    firmware(&vars, true, &[&new], &[]);
    assert_eq!(node.json(&["upgrade-install", &path])["loader"], false);
}

/// Without a way back by itself, there is one as long as nothing was restarted; and who asks to go back is told.
#[test]
fn without_fallback() {
    let (old, new) = (Signer::of("db"), Signer::of("KEK"));
    let [of_old, of_new] = [&old, &new].map(|signer| loader(&[signer], true));
    let node = node(&old, &of_old);
    let path = bundle(&node, "2", &of_new, [new.boot(), systems::root("2", 1)]);
    node.ok(&["upgrade-install", "--without-fallback", &path]);
    node.ok(&["upgrade-commit"]);
    assert_eq!(esp(&node, "BOOTX64.EFI").unwrap(), of_new);
    let said = node.json(&["upgrade-cancel"]);
    assert_eq!(said, json!({"changed": true, "loader": true, "slot": "A"}));
    assert_eq!(esp(&node, "BOOTX64.EFI").unwrap(), of_old);
    assert_eq!(node.ok(&["next"]), "A\n");
    assert_eq!(node.json(&["upgrade-commit"])["loader"], true);
    assert_eq!(esp(&node, "BOOTX64.EFI").unwrap(), of_new);
    assert_eq!(esp(&node, "PREVIOUS.EFI").unwrap(), of_old);
    // Without the one of before there is no taking back.
    fs::write(node.path("esp/EFI/BOOT/PREVIOUS.EFI"), "MZ").unwrap();
    let why = node.refused(&["upgrade-cancel"], 1);
    assert!(why.contains("nor PREVIOUS.EFI starts slot A"), "{why}");

    assert_eq!(node.reboot(), Slot::B);
    node.ok(&["confirm"]);
    fs::write(node.path("os.json"), identity("2", 1).to_json().unwrap()).unwrap();
    put(&node, "a1", &systems::root("1", 1));
    let why = node.refused(&["rollback"], 1);
    assert!(
        why.contains("the boot loader in place does not start it") && why.contains("--force"),
        "{why}"
    );
    node.ok(&["rollback", "--force"]);
    assert_eq!(node.reboot(), Slot::A);
}

#[test]
fn commits_are_taken_back() {
    let node = Node::new();
    node.reboot();
    let none = "slot A boots next already, no upgrade is committed\n";
    assert_eq!(node.ok(&["upgrade-cancel"]), none);
    let path = node.write("update.tar", &good("2", 3));
    node.ok(&["upgrade-install", &path]);
    for _ in 0..2 {
        node.ok(&["upgrade-commit"]);
        assert_eq!(node.ok(&["next"]), "B\n");
        assert_eq!(
            node.ok(&["upgrade-cancel"]),
            "slot A boots next, as before upgrade-commit\n"
        );
        assert_eq!(node.ok(&["upgrade-cancel"]), none);
    }
    // It does not run because A is not confirmed, either.
    for _ in 0..3 * TRIES {
        assert_eq!(node.reboot(), Slot::A);
    }
    let status = node.json(&["status"]);
    assert_eq!(status["slots"]["B"]["barred"], true);
    assert_eq!(status["slots"]["A"]["barred"], false);
    assert_eq!(status["next"], "A");
    let text = node.ok(&["status"]);
    assert!(
        text.contains("complete, not to be fallen back to"),
        "{text}"
    );
    // What runs on trial is not taken back, but gone back from.
    node.ok(&["upgrade-commit"]);
    assert_eq!(node.reboot(), Slot::B);
    let why = node.refused(&["upgrade-cancel"], 1);
    assert!(why.contains("rollback goes back from it"), "{why}");
    put(&node, "a0", &boot(1));
    node.ok(&["rollback", "--force"]);
    let why = node.refused(&["upgrade-cancel"], 1);
    assert!(why.contains("boots next for good"), "{why}");
    for _ in 0..3 * TRIES {
        assert_eq!(node.reboot(), Slot::A);
    }
}

/// What is only installed is not started, as long as nobody decides for it.
#[test]
fn what_is_only_installed_is_no_fallback() {
    let node = Node::new();
    node.reboot();
    let path = node.write("update.tar", &good("2", 3));
    node.ok(&["upgrade-install", &path]);
    for _ in 0..3 * TRIES {
        assert_eq!(node.reboot(), Slot::A);
    }
    assert_eq!(
        node.ok(&["confirm"]),
        "slot A is confirmed; slot B is not to be fallen back to\n"
    );
    node.ok(&["upgrade-commit"]);
    assert_eq!(node.reboot(), Slot::B);
    assert_eq!(node.ok(&["confirm"]), "slot B is confirmed\n");
    for _ in 0..TRIES {
        assert_eq!(node.reboot(), Slot::B);
    }
    assert_eq!(node.reboot(), Slot::A);
}

#[test]
fn data_in_a_newer_format_bars_the_older_system() {
    for newer in [false, true] {
        let node = Node::new();
        node.reboot();
        fs::write(node.path("os.json"), identity("1", 1).to_json().unwrap()).unwrap();
        put(&node, "a0", &boot(1));
        put(&node, "a1", &systems::root("1", 1));
        let new = systems::root("2", 1 + u64::from(newer));
        let mut recipe = Recipe::of("2", boot(3), new);
        recipe.manifest.data_formats = identity("2", 1 + u64::from(newer)).data_formats;
        let path = node.write("update.tar", &recipe.tar());
        node.ok(&["upgrade-install", &path]);
        let said = node.json(&["upgrade-commit"]);
        assert_eq!(said["stays_fallback"], !newer);
        let said = node.ok(&["upgrade-commit"]);
        let want = "slot A is too old for what it writes, and not fallen back to";
        assert_eq!(said.contains(want), newer, "{said}");
        // Until it is confirmed, there is the way back.
        let before = fs::read(node.path("grubenv")).unwrap();
        for _ in 0..TRIES {
            assert_eq!(node.reboot(), Slot::B);
        }
        assert_eq!(node.reboot(), Slot::A);
        fs::write(node.path("grubenv"), before).unwrap();
        assert_eq!(node.reboot(), Slot::B);
        let said = node.json(&["confirm"]);
        let barred = if newer { json!("A") } else { json!(null) };
        assert_eq!(
            said,
            json!({"barred": barred, "changed": true, "slot": "B"})
        );
        for _ in 0..TRIES {
            assert_eq!(node.reboot(), Slot::B);
        }
        let then = if newer { Slot::B } else { Slot::A };
        assert_eq!(node.ok(&["next"]), format!("{then}\n"));
        assert_eq!(node.reboot(), then);
    }
}

/// With the EFI system partition not mounted, nobody knows whether a loader waits there: nothing is written at all.
#[test]
fn without_the_efi_system_partition_nothing_is_committed() {
    let node = Node::new();
    node.reboot();
    let path = node.write("update.tar", &good("2", 3));
    node.ok(&["upgrade-install", &path]);
    fs::remove_dir_all(node.path("esp/EFI")).unwrap();
    for args in [&["upgrade-commit"][..], &["upgrade-install", &path]] {
        let why = node.refused(args, 2);
        assert!(
            why.contains("is the EFI system partition mounted?"),
            "{why}"
        );
    }
    assert_eq!(node.ok(&["next"]), "A\n");
    // What needs no loader goes.
    assert_eq!(node.reboot(), Slot::A);
    assert_eq!(
        node.ok(&["confirm"]),
        "slot A is confirmed; slot B is not to be fallen back to\n"
    );
}
