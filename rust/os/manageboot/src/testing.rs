//! Bundles for tests.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use grubenv::{Block, FileError, Slot};
use update::{
    Bundle, Identity, Manifest, Member, Policy, Signatures, SigningKey, TrustedKey, TrustedKeys,
};

use crate::envfile::EnvFile;
use crate::upgrade::{self, Conditions, SlotMedia};
use direct::Medium;

/// A bundle that the tests' node takes.
pub(crate) fn bundle_of(boot: &[u8], root: &[u8]) -> Bundle<Cursor<Vec<u8>>> {
    open(tar_of(boot, root))
}

/// The same with another byte there and in the last place of root.img.
pub(crate) fn spoilt_bundle_of(boot: &[u8], root: &[u8], at: usize) -> Bundle<Cursor<Vec<u8>>> {
    let mut tar = tar_of(boot, root);
    let start = tar
        .windows(root.len())
        .position(|bytes| bytes == root)
        .unwrap();
    for at in [at, root.len().checked_sub(1).unwrap()] {
        tar[start.checked_add(at).unwrap()] ^= 1;
    }
    open(tar)
}

fn keys() -> (SigningKey, TrustedKeys) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let keys = TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold: 1,
        allow_unsigned: false,
        keys: vec![TrustedKey {
            id: "k".to_owned(),
            ed25519: key.public(),
        }],
    };
    (key, keys)
}

fn tar_of(boot: &[u8], root: &[u8]) -> Vec<u8> {
    let version = b"2.0\n";
    let members = [
        (update::VERSION_TXT, &version[..]),
        (update::BOOT, boot),
        (update::ROOT, root),
    ];
    let manifest = Manifest {
        format: update::FORMAT,
        os: "node".to_owned(),
        env: "test".to_owned(),
        version: "2.0".parse().unwrap(),
        minimum_version: None,
        expires: None,
        data_formats: BTreeMap::new(),
        members: members.map(|(name, bytes)| Member::of(name, bytes)).into(),
    };
    let manifest = manifest.to_json().unwrap();
    let (key, keys) = keys();
    let mut signatures = Signatures(vec![]);
    let signature = key.sign(manifest.as_bytes());
    signatures
        .add(manifest.as_bytes(), signature, &keys)
        .unwrap();
    let signatures = signatures.to_json().unwrap();
    let documents = [
        (update::MANIFEST, manifest.as_bytes()),
        (update::SIGNATURES, signatures.as_bytes()),
    ];
    let all: Vec<_> = documents.into_iter().chain(members).collect();
    update::write(&all, 0, Vec::new()).unwrap()
}

fn open(tar: Vec<u8>) -> Bundle<Cursor<Vec<u8>>> {
    let (_, keys) = keys();
    let node = Identity {
        format: Identity::FORMAT,
        os: "node".to_owned(),
        env: "test".to_owned(),
        version: "1.0".parse().unwrap(),
        boot_limit: 3,
        data_formats: BTreeMap::new(),
    };
    let policy = Policy {
        node: &node,
        keys: &keys,
        now: 0,
        allow_unsigned: false,
        any_version: false,
    };
    let len = tar.len().try_into().unwrap();
    Bundle::open(Cursor::new(tar), Some(len), &policy).unwrap()
}

/// Installs a bundle that is no difference.
pub(crate) fn install<M: Medium, E: Medium>(
    env: &mut EnvFile<E>,
    slot: &SlotMedia<M>,
    current: Slot,
    bundle: &mut Bundle<Cursor<Vec<u8>>>,
) -> anyhow::Result<()> {
    let base = SlotMedia {
        boot: Vec::new(),
        root: Vec::new(),
    };
    let mut heard = |_| ();
    let on = Conditions {
        loader: &|_| Ok(()),
        whole: &|| Ok(()),
        // The mark must not be there yet.
        keep: &|_| {
            let complete = upgrade::is_complete(slot)?;
            anyhow::ensure!(!complete, "the slot is complete before its loader waits");
            Ok(false)
        },
    };
    upgrade::install(env, slot, current, bundle, &base, &on, &mut heard)?;
    Ok(())
}

/// No spare block.
pub(crate) fn no_spare() -> Result<Block, FileError> {
    grubenv::read_block(Path::new("/nonexistent/grubenv"))
}
