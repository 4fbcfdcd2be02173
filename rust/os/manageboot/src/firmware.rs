//! Whether this machine's firmware starts a boot loader: whether one of those whom its Secure Boot variables name signed it.
//!
//! A firmware with Secure Boot starts a program whose signature is by a certificate in `db`, or by one that such a certificate vouches for, unless `dbx` has it
//! (UEFI 2.10, 32.5.3.3). What is compared here are certificates alone, which tells a mix-up of signers from an upgrade: whether a signature is right
//! in itself the firmware finds out, and the manifest's digest vouches for the bytes.
//!
//! A variable is four bytes of attributes and then lists (32.4.1, `EFI_SIGNATURE_LIST`). All integers are little-endian:
//!
//! | offset | size | field                                            |
//! |-------:|-----:|--------------------------------------------------|
//! |      0 |   16 | `SignatureType`; of certificates [`X509`]        |
//! |     16 |    4 | `SignatureListSize`, of all of it                |
//! |     20 |    4 | `SignatureHeaderSize`                            |
//! |     24 |    4 | `SignatureSize` of each entry: an owner, 16 bytes, and a certificate |
//!
//! A program has the certificate of its signer in its certificate table (*Windows Authenticode Portable Executable Signature Format*), byte for byte. One that
//! somebody vouched for names him before its validity and its own name (RFC 5280, 4.1).

use std::path::Path;

use anyhow::{bail, ensure, Context};
use base::{as_u64, as_usize};

/// EFI_CERT_X509_GUID, a5c059a1-94e4-4aa7-87b5-ab155c2bf072.
const X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
/// Variables, with the GUID of the namespace that each is in (3.3, 32.6.1).
const SECURE_BOOT: &str = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const DB: &str = "db-d719b2cb-3d3a-4596-a3bc-dad00e67656f";
const DBX: &str = "dbx-d719b2cb-3d3a-4596-a3bc-dad00e67656f";
const ATTRIBUTES: usize = 4;
const LIST: usize = 28;
const OWNER: usize = 16;
/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Nothing is wrong, if the firmware whose variables are in the folder `variables` starts `loader`, as far as certificates tell; or if it starts anything.
pub(crate) fn check(loader: &[u8], variables: &Path) -> anyhow::Result<()> {
    if !secure_boot(variables)? {
        return Ok(());
    }
    let held = loader.to_vec();
    let image = pe::Image::read(&held, as_u64(held.len())).context("the boot loader")?;
    let table = image.certificates();
    let table = table.and_then(|at| held.get(as_usize(at.start)..as_usize(at.end)));
    let table = table.filter(|table| !table.is_empty());
    let table = table.context("the boot loader is not signed for Secure Boot")?;
    let (db, dbx) = (certificates(variables, DB)?, certificates(variables, DBX)?);
    ensure!(
        !dbx.iter().any(|certificate| has(table, certificate)),
        "the boot loader is signed by a certificate that the firmware's dbx has"
    );
    if db
        .iter()
        .any(|known| has(table, known) || vouches(known, table))
    {
        return Ok(());
    }
    bail!(
        "the boot loader is signed by none of the {} certificates of the firmware's db",
        db.len()
    )
}

/// Whether the firmware checks what it starts.
fn secure_boot(variables: &Path) -> anyhow::Result<bool> {
    match variable(variables, SECURE_BOOT)? {
        // A firmware without Secure Boot, or none of UEFI's.
        None => Ok(false),
        Some(value) => Ok(value.first() == Some(&1)),
    }
}

/// What a variable holds, if there is one.
fn variable(variables: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = variables.join(name);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let value = bytes.get(ATTRIBUTES..).with_context(|| {
        format!(
            "{}: {} bytes, want at least {ATTRIBUTES}",
            path.display(),
            bytes.len()
        )
    })?;
    Ok(Some(value.to_vec()))
}

/// The certificates in a variable; none, if there is no such variable.
fn certificates(variables: &Path, name: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let value = variable(variables, name)?.unwrap_or_default();
    lists(&value)
        .with_context(|| format!("{}: no lists of signatures", variables.join(name).display()))
}

fn lists(mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (kind, numbers) = rest.get(..LIST)?.split_at(X509.len());
        let mut numbers = numbers.chunks_exact(4).map(|number| {
            let number = u32::from_le_bytes(number.try_into().ok()?);
            Some(as_usize(u64::from(number)))
        });
        let [len, header, each] = [numbers.next()??, numbers.next()??, numbers.next()??];
        let entries = rest.get(LIST.checked_add(header)?..len)?;
        if kind == X509 {
            ensure_some(each > OWNER)?;
            let entries = entries.chunks_exact(each);
            ensure_some(entries.remainder().is_empty())?;
            found.extend(entries.filter_map(|entry| Some(entry.get(OWNER..)?.to_vec())));
        }
        // At least the head, or there were no entries to get.
        rest = rest.get(len..)?;
    }
    Some(found)
}

fn ensure_some(holds: bool) -> Option<()> {
    holds.then_some(())
}

fn has(table: &[u8], certificate: &[u8]) -> bool {
    find(table, certificate).next().is_some()
}

/// Where `what` begins in `all`.
fn find<'a>(all: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = all.windows(what.len().max(1)).enumerate();
    windows.filter_map(move |(at, window)| (window == what).then_some(at))
}

/// Whether the certificate `known` vouches for one in `table`, which has another name than it: a certificate that vouches for itself is its own word.
fn vouches(known: &[u8], table: &[u8]) -> bool {
    let Some(issuer) = subject(known) else {
        return false;
    };
    find(table, issuer).any(|at| {
        let rest = table.get(at..).and_then(|rest| rest.get(issuer.len()..));
        let named = rest.and_then(|rest| {
            let (SEQUENCE, _, rest) = element(rest)? else {
                return None;
            };
            whole(rest)
        });
        named.is_some_and(|subject| subject.first() == Some(&SEQUENCE) && subject != issuer)
    })
}

/// The name of whom a certificate is of.
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after) = element(rest)?;
    if tag == VERSION {
        rest = after;
    }
    // Serial number, algorithm, issuer, validity.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    whole(rest)
}

/// The first element, as it stands.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (_, _, rest) = element(bytes)?;
    bytes.get(..bytes.len().checked_sub(rest.len())?)
}

/// An element of DER (X.690, 8.1): its tag, its content, and what is behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, len, rest @ ..] = bytes else {
        return None;
    };
    let (len, rest) = match len {
        0..=0x7f => (usize::from(*len), rest),
        // So many bytes of length follow; a certificate has less than 64 KiB.
        0x81 | 0x82 => {
            let (number, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            let number = number
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (as_usize(number), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let head = match u8::try_from(len) {
            Ok(len @ ..=0x7f) => vec![tag, len],
            Ok(len) => vec![tag, 0x81, len],
            Err(_) => [
                [tag, 0x82].as_slice(),
                &u16::try_from(len).unwrap().to_be_bytes(),
            ]
            .concat(),
        };
        [head, content.to_vec()].concat()
    }

    /// A certificate as far as it is looked into, `filler` bytes of key in it.
    fn certificate(issuer: &str, of: &str, filler: usize) -> Vec<u8> {
        let name = |name: &str| der(SEQUENCE, name.as_bytes());
        let parts = [
            der(VERSION, &[2, 1, 2]),
            der(2, &[7]),
            der(SEQUENCE, b"algorithm"),
            name(issuer),
            der(SEQUENCE, b"validity"),
            name(of),
            der(SEQUENCE, &vec![0xaa; filler]),
        ];
        der(SEQUENCE, &der(SEQUENCE, &parts.concat()))
    }

    fn list(kind: [u8; 16], entries: &[Vec<u8>]) -> Vec<u8> {
        let each = entries.first().map_or(0, |entry| OWNER + entry.len());
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut bytes = kind.to_vec();
        for value in [LIST + each * entries.len(), 0, each] {
            bytes.extend(number(value));
        }
        for entry in entries {
            bytes.extend([0x55; OWNER]);
            bytes.extend(entry);
        }
        bytes
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let one = certificate("a", "a", 100);
        let other = certificate("b", "b", 300);
        let digests = list([1; 16], &[vec![9; 32], vec![8; 32]]);
        let all = [
            list(X509, std::slice::from_ref(&one)),
            digests,
            list(X509, &[other.clone(), other.clone()]),
        ]
        .concat();
        let want = vec![one, other.clone(), other];
        assert_eq!(lists(&all), Some(want));
        assert_eq!(lists(&[]), Some(Vec::new()));
        let ends = [all.len() - 1, LIST, 5, 1];
        for end in ends {
            assert_eq!(lists(&all[..end]), None, "{end}");
        }
        // Lengths that are none.
        for (at, value) in [
            (16, 0_u32),
            (16, u32::MAX),
            (20, u32::MAX),
            (24, 3),
            (24, 0),
        ] {
            let mut bad = all.clone();
            bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(lists(&bad), None, "{at} {value}");
        }
    }

    #[test]
    fn who_signed_is_known_or_vouched_for() {
        let own = certificate("a", "a", 100);
        let table = |certificate: &[u8]| [b"before".as_slice(), certificate, b"behind"].concat();
        assert!(has(&table(&own), &own));
        // Another key of the same name.
        let renewed = certificate("a", "a", 200);
        assert!(!has(&table(&renewed), &own) && !vouches(&own, &table(&renewed)));
        // One that it vouches for.
        let leaf = certificate("a", "b", 100);
        assert!(vouches(&own, &table(&leaf)));
        assert!(!vouches(&certificate("c", "c", 100), &table(&leaf)));
        // Bytes that are no certificate vouch for nobody.
        for end in 0..own.len() {
            assert!(!vouches(&own[..end], b""), "{end}");
        }
        assert!(!vouches(&own, b"") && !has(b"", &own));
    }
}
