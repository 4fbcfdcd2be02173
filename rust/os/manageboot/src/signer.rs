//! Whether a boot loader starts what is in a slot: whether it has the key that signed it.
//!
//! GRUB has its trusted keys within itself, and beside a system there is a signature which names the key that made it. Both are read from their bytes, so
//! that nothing can be said of them that is not so.
//!
//! Of the loader, a section `mods` (GRUB, `include/grub/kernel.h`, `struct grub_module_info64`). All integers are little-endian:
//!
//! | offset | size | field                                                                    |
//! |-------:|-----:|--------------------------------------------------------------------------|
//! |      0 |    4 | `magic`, 0x676d696d                                                      |
//! |      8 |    8 | `offset` of the first object                                             |
//! |     16 |    8 | `size` of all of this                                                    |
//! | offset |    4 | `type` of an object; 4 is a file of public keys                          |
//! |     +4 |    4 | `size` of the object with these 8 bytes; the next one is at a multiple of 8 |
//!
//! A file of keys has OpenPGP packets (RFC 4880): 0x99, a length (2 bytes, big-endian), so many bytes. GRUB takes all keys in it (`grub_load_public_key`), and
//! finds one by its id: the last 8 bytes of the SHA-1 of the packet. Of a signature (0x89, length, `4 type algorithm hash`, hashed subpackets, others) it takes
//! the id from the subpacket 16, issuer, of the others.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;

use anyhow::{bail, ensure, Context};
use base::{as_u64, as_usize, hex};
use sha1::{Digest as _, Sha1};

use crate::root::read_file;

/// Beside the system in a boot partition.
const SIGNATURE: &str = "/uki.efi.sig";
/// A signature is shorter.
const SIGNATURE_MAX: u64 = 16 << 10;

const SECTION: &str = "mods";
const MAGIC: u32 = 0x676d_696d;
/// Type of an object with keys.
const PUBLIC_KEYS: u32 = 4;
/// Of an object: type and size.
const OBJECT_HEAD: usize = 8;

/// Packets of OpenPGP, in the old format with a length of two bytes.
const KEY_PACKET: u8 = 0x99;
const SIGNATURE_PACKET: u8 = 0x89;
/// Subpacket with the id of the key that signed.
const ISSUER: u8 = 16;

/// By what GRUB knows a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// Nothing is wrong, if `loader` has the key that signed what is in the slot with the boot partition `boot`.
pub(crate) fn check(loader: &[u8], boot: File) -> anyhow::Result<()> {
    let (keys, signer) = (trusted(loader)?, of_slot(boot)?);
    if keys.contains(&signer) {
        return Ok(());
    }
    let keys: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    bail!(Stranger {
        signer,
        keys: keys.join(", ")
    })
}

/// Whether the error of a check is that it does not start it, and not that there is no telling.
pub(crate) fn is_stranger(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Stranger>())
}

/// Signed by a key that the loader does not have.
#[derive(Debug, thiserror::Error)]
#[error("what is there is signed by key {signer}, and the boot loader knows {keys}")]
struct Stranger {
    signer: KeyId,
    keys: String,
}

/// The key that signed the system in a boot partition.
fn of_slot(boot: File) -> anyhow::Result<KeyId> {
    let signature = read_file(boot, SIGNATURE, SIGNATURE_MAX)?;
    issuer(&signature)
        .with_context(|| format!("{SIGNATURE} is no OpenPGP signature that names its key"))
}

/// The keys that a boot loader has.
fn trusted(loader: &[u8]) -> anyhow::Result<BTreeSet<KeyId>> {
    let held = loader.to_vec();
    let image = pe::Image::read(&held, as_u64(held.len())).context("the boot loader")?;
    let section = image.section(SECTION);
    let section =
        section.with_context(|| format!("the boot loader has no section {SECTION}, want GRUB"))?;
    let content = section.content();
    let modules = held.get(as_usize(content.start)..as_usize(content.end));
    let modules = modules.context("the boot loader is shorter than its sections")?;
    let keys = keys(modules);
    let keys = keys.with_context(|| {
        format!("the boot loader's section {SECTION} is cut short, or not GRUB's")
    })?;
    ensure!(!keys.is_empty(), "the boot loader has no key");
    Ok(keys)
}

/// The keys in a section; nothing if it does not read.
fn keys(modules: &[u8]) -> Option<BTreeSet<KeyId>> {
    if u32_at(modules, 0)? != MAGIC {
        return None;
    }
    let size = as_usize(u64_at(modules, 16)?);
    let modules = modules.get(..size)?;
    let mut rest = modules.get(as_usize(u64_at(modules, 8)?)..)?;
    let mut found = BTreeSet::new();
    while !rest.is_empty() {
        let (kind, size) = (u32_at(rest, 0)?, as_usize(u64::from(u32_at(rest, 4)?)));
        let object = rest.get(OBJECT_HEAD..size)?;
        if kind == PUBLIC_KEYS {
            found.extend(key_ids(object)?);
        }
        // Objects begin at multiples of 8; what is behind the last one may be missing.
        let next = size.checked_next_multiple_of(OBJECT_HEAD)?;
        rest = rest.get(next..).unwrap_or_default();
    }
    Some(found)
}

/// The ids of the keys in a file of them.
fn key_ids(file: &[u8]) -> Option<Vec<KeyId>> {
    let mut rest = file;
    let mut ids = Vec::new();
    while let Some((body, after)) = packet(rest) {
        let (tag, whole) = (
            rest.first()?,
            rest.get(..rest.len().checked_sub(after.len())?)?,
        );
        if *tag == KEY_PACKET && !body.is_empty() {
            let digest: [u8; 20] = Sha1::digest(whole).into();
            let [.., a, b, c, d, e, f, g, h] = digest;
            ids.push(KeyId([a, b, c, d, e, f, g, h]));
        }
        rest = after;
    }
    // All of it: we write no other packets, and what is none would end GRUB.
    rest.is_empty().then_some(ids)
}

/// The key that a signature says it is by.
fn issuer(signature: &[u8]) -> Option<KeyId> {
    if *signature.first()? != SIGNATURE_PACKET {
        return None;
    }
    let (body, _) = packet(signature)?;
    // Version, type, algorithm of the key, of the digest.
    let (head, rest) = body.split_at_checked(4)?;
    if *head.first()? != 4 {
        return None;
    }
    let (_, rest) = counted(rest)?;
    let (mut others, _) = counted(rest)?;
    while let Some((len, rest)) = others.split_first() {
        // Longer ones are written otherwise, and not by us.
        let len = Some(usize::from(*len)).filter(|len| (1..192).contains(len))?;
        let (subpacket, after) = rest.split_at_checked(len)?;
        if let [ISSUER, id @ ..] = subpacket {
            return Some(KeyId(id.try_into().ok()?));
        }
        others = after;
    }
    None
}

/// The body of the first packet, and what is behind it.
fn packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    matches!(*tag, KEY_PACKET | SIGNATURE_PACKET).then(|| counted(rest))?
}

/// As many bytes as the two first ones say, and what is behind them.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with that tag.
    fn packet_of(tag: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[tag, high, low][..], body].concat()
    }

    fn key(body: &[u8]) -> (Vec<u8>, KeyId) {
        let packet = packet_of(KEY_PACKET, body);
        let [.., a, b, c, d, e, f, g, h]: [u8; 20] = Sha1::digest(&packet).into();
        (packet, KeyId([a, b, c, d, e, f, g, h]))
    }

    fn section(objects: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        for (kind, content) in objects {
            let size = u32::try_from(content.len().checked_add(8).unwrap()).unwrap();
            bytes.extend([kind.to_le_bytes(), size.to_le_bytes()].concat());
            bytes.extend(content);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        let size = u64::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..16].copy_from_slice(&24_u64.to_le_bytes());
        bytes[16..24].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    #[test]
    fn all_keys_of_all_files_count() {
        let [(one, a), (two, b), (three, c)] = [key(b"one"), key(b"two"), key(b"three")];
        let signature = packet_of(SIGNATURE_PACKET, b"by itself");
        let both = [one, signature, two].concat();
        let objects = [
            (0, b"a module".to_vec()),
            (4, both),
            (1, vec![7; 9]),
            (4, three),
        ];
        let modules = section(&objects);
        assert_eq!(keys(&modules), Some(BTreeSet::from([a, b, c])));
        assert_eq!(keys(&section(&[(0, vec![])])), Some(BTreeSet::new()));
        // More in the file than the head says does not count.
        let more = [modules.clone(), section(&objects)].concat();
        assert_eq!(keys(&more), keys(&modules));
        // Neither a part nor another beginning.
        for len in 0..modules.len() {
            assert_eq!(keys(&modules[..len]), None, "{len}");
        }
        // An object without end, one that is smaller than its head, one that is no key.
        for size in [0_u32, 7, u32::MAX] {
            let mut bytes = modules.clone();
            bytes[28..32].copy_from_slice(&size.to_le_bytes());
            assert_eq!(keys(&bytes), None, "{size}");
        }
        for junk in [&b"-----BEGIN"[..], &[KEY_PACKET], &[KEY_PACKET, 0, 9, 1]] {
            assert_eq!(keys(&section(&[(4, junk.to_vec())])), None);
        }
        for at in [8, 16] {
            let mut bytes = modules.clone();
            bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            assert_eq!(keys(&bytes), None, "{at}");
        }
    }

    #[test]
    fn the_issuer_is_the_one_that_grub_takes() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8];
        // A digest's time among those that are signed; another one and the issuer among the others.
        let head = [4, 0, 1, 8, 0, 6, 5, 2, 1, 1, 1, 1];
        let others = [&[2, 20, 0, 9, ISSUER][..], &id].concat();
        let of = |others: &[u8]| {
            let count = u16::try_from(others.len()).unwrap().to_be_bytes();
            packet_of(
                SIGNATURE_PACKET,
                &[&head, &count[..], others, &[0xab; 9]].concat(),
            )
        };
        let good = of(&others);
        assert_eq!(issuer(&good), Some(KeyId(id)));
        assert_eq!(KeyId(id).to_string(), "0102030405060708");
        for len in 0..good.len() {
            assert_eq!(issuer(&good[..len]), None, "{len}");
        }
        for bad in [
            &[][..],
            &[0],
            &[2, 20, 0],
            &[200, 16],
            &[9, ISSUER, 1],
            &[5, ISSUER, 1, 2, 3, 4],
        ] {
            assert_eq!(issuer(&of(bad)), None, "{bad:?}");
        }
        assert_eq!(issuer(&key(b"one").0), None);
    }
}
